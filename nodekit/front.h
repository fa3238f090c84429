/* front.h - what both kinds of node do with a socket before and beside playing: admission limits,
 * probes, pings, refusals.
 *
 * Pure, no allocation after init. Counts are of sockets: `conns` admitted ones, `handshaking` those
 * not admitted yet; a probe is neither once it has shown itself.
 *
 * Who sends more than message_rate a second is held: the shell reads nothing more of it until the
 * debt is paid, so its own socket fills up and it has to wait. Nothing is lost, and nobody else
 * waits. */
#ifndef BERTH_NODEKIT_FRONT_H
#define BERTH_NODEKIT_FRONT_H

#include "nodekit/door.h"
#include "nodekit/effects.h"
#include "nodekit/fifo.h"
#include "nodekit/node.h"
#include "nodekit/throttle.h"

/* Close codes of docs/node-protocol.md. */
enum close_code {
    CLOSE_NORMAL = 1000,
    CLOSE_GOING_AWAY = 1001,
    CLOSE_NOT_UNDERSTOOD = 1003,
    CLOSE_REFUSED = 4403,
    CLOSE_ADMIT_TIMEOUT = 4408,
    CLOSE_REPLACED = 4409,
    CLOSE_SLOW_READER = 4413,
};

enum front_peer {
    FRONT_NONE,     /* no socket in this slot */
    FRONT_WAITING,  /* not admitted yet: handshaking */
    FRONT_PROBE,    /* a health check: counted nowhere */
    FRONT_ADMITTED, /* counts as a connection */
    FRONT_CLOSING,  /* we closed it; only its end is awaited */
};

/* How it stands with who sends too much; over when the bucket was full again. */
enum front_spell {
    SPELL_NONE,
    SPELL_BEGUN, /* held, and not told yet */
    SPELL_TOLD,
};

struct front_config {
    const char *node; /* borrowed for life */
    uint32_t peers_max;
    int64_t capacity;
    int64_t admit_timeout_ms;
    int64_t message_rate, message_burst; /* as throttle_make(); rate 0: no limit */
    struct span draining; /* what `draining` says beside reason and deadline_ms: an object, borrowed
                             for life; empty: nothing */
};

struct front {
    struct front_config config;
    unsigned char *peers; /* enum front_peer, peers_max of them; owned */
    struct fifo waiting;
    struct throttle throttle;
    struct throttle_bucket *buckets; /* by peer; owned */
    unsigned char *spells;           /* enum front_spell, by peer; owned */
    struct fifo held;                /* of them nothing is read */
    struct door *door;               /* borrowed for life */
    uint32_t conns, handshaking, probes;
    bool closed;
    enum node_state state;
    bool succeeded;
    int64_t epoch; /* 0: not registered yet */
    uint64_t admitted_total, resumed_total, probes_total, slow_total, behind_total;
    uint64_t throttled_total; /* spells */
    uint64_t refused_total[REFUSES];
};

int front_init(struct front *front, const struct front_config *config,
               struct door *door) BERTH_MUST_USE;
void front_fini(struct front *front);

/* Events that concern the front alone (open, state, door) or first of all (close: returns what the
 * peer was). */
void front_open(struct front *front, uint32_t peer, mono_ms_t now);
enum front_peer front_close(struct front *front, uint32_t peer);
void front_state(struct front *front, const struct node_event *ev, struct effects *fx);
void front_door(struct front *front, bool closed);

/* Deal with what is common to both kinds of node. True: done, the caller has nothing to do. */
bool front_message(struct front *front, const struct node_event *ev, struct effects *fx);

/* Something that is no message counts as one. */
void front_frame(struct front *front, const struct node_event *ev, struct effects *fx);

/* Another limit, from now on; every bucket is full. */
void front_limit(struct front *front, int64_t rate, int64_t burst);
/* What a peer has spent goes with its player to another socket, so that nobody gains by connecting
 * anew: kept when the socket goes, given to the next. */
struct throttle_bucket front_spent(const struct front *front, uint32_t peer);
void front_spend(struct front *front, uint32_t peer, struct throttle_bucket spent);

/* `slow`, once each time it falls behind. */
void front_behind(struct front *front, const struct node_event *ev, struct effects *fx);

/* Admitted sockets may send events that are not known: they are told, and stay. */
void front_unknown(struct front *front, const struct node_event *ev, struct effects *fx);

/* `refused`, then closed. detail may be NULL. */
void front_refuse(struct front *front, uint32_t peer, enum refuse refuse, const char *detail,
                  struct effects *fx);
/* May one more be admitted? REFUSE_NOT, REFUSE_CLOSED, REFUSE_FULL. */
enum refuse front_room_for_one(const struct front *front);
/* The peer is in. */
void front_admit(struct front *front, uint32_t peer);
/* Send it away; from now on it counts as nothing. */
void front_dismiss(struct front *front, uint32_t peer, int code, const char *why,
                   struct effects *fx);

/* Sockets that were not admitted in time, and those that have waited long enough; at most a few a
 * step. */
void front_tick(struct front *front, mono_ms_t now, struct effects *fx);
mono_ms_t front_deadline(const struct front *front);

static inline bool front_is(const struct front *front, uint32_t peer, enum front_peer what)
{
    return front->peers[peer] == what;
}

#endif

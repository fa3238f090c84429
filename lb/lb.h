/* lb.h - the core of the balancer: which nodes there are, which may be handed out, and who decides
 * that.
 *
 * Pure: no I/O, no clock, no allocation after lb_create(). lb_step() is the one door in, effects
 * are the one door out, and lb_deadline() says when to call again. The measured exception is the
 * endpoint API's hot path: lb/place.h is called straight from the HTTP handlers, and is as pure.
 *
 * Every LB follows every pool and answers for it. The one that holds a pool's lease is its owner:
 * it probes the nodes, moves their states and sweeps the silent (lb/duty.c). Threads: the loop's.
 */
#ifndef BERTH_LB_LB_H
#define BERTH_LB_LB_H

#include "core/clock.h"
#include "core/err.h"
#include "core/lease.h"
#include "settings/settings.h"
#include "store/calls.h"
#include "store/feed.h"

struct lb;

enum {
    LB_EFFECTS_MAX = 128, /* of one step; what does not fit is done by the next step, which is then
                             due at once */
    LB_TEXT_MAX = 192,
    LB_ENROLL_LIVE_MS = 3000, /* a name is free again after this silence */
};

struct lb_pool_config {
    const struct pool_settings *settings; /* borrowed for life */
};

struct lb_config {
    const char *name;                      /* of this LB, one of lb->peers; borrowed for life */
    const struct lb_settings *lb;          /* borrowed for life */
    const struct ticket_settings *tickets; /* borrowed for life */
    const struct lb_pool_config *pools;    /* copied */
    size_t pool_count;                     /* 1..POOLS_MAX */
    size_t nodes_max;                      /* of each pool */
    size_t rooms_max;                      /* remembered rooms of each pool */
    size_t players_max;                    /* remembered answers of each pool */
    uint64_t seed;
};

/* Heap; NULL with err (BERTH_ENOMEM). now: any reading of the clock that later steps go on with. */
struct lb *lb_create(const struct lb_config *config, mono_ms_t now, struct err *err);
/* The settings it borrows have changed where they may (OPT_LIVE in settings/pools.c). O(nodes). */
void lb_settings_changed(struct lb *lb);
void lb_destroy(struct lb *lb);

/* Whose turn it is to own a pool while all are well: those that `owns` it, then the others, each as
 * they stand in `peers`. 0: the first choice. */
int lb_rank(const struct lb_settings *settings, const char *pool, size_t peer);

/* ---- in ---- */

enum lb_event_kind {
    LB_TICK,
    LB_STORE_UP,       /* pool: its command connection stands */
    LB_STORE_DOWN,     /* pool: it does not; why */
    LB_FOLLOW_BEGIN,   /* pool: a whole read begins */
    LB_FOLLOW_ITEM,    /* pool: item */
    LB_FOLLOW_END,     /* pool: the read is complete; items go on as they happen */
    LB_FOLLOW_LOST,    /* pool: the follower's connection went away; why */
    LB_ENROLL_REPLY,   /* pool: code, answer */
    LB_LEASE_REPLY,    /* pool: lease_request, code, answer */
    LB_MOVE_REPLY,     /* pool: move, code, answer */
    LB_SWEEP_REPLY,    /* pool: code, answer */
    LB_PROBE_REPLY,    /* pool: node, node_epoch, ok, why */
    LB_PROBE_CUT,      /* pool: node, node_epoch: the socket of a probe, held since, has ended */
    LB_PEER_UP,        /* peer: the link stands */
    LB_PEER_DOWN,      /* peer: the link is cut or silent */
    LB_PEER_ABLE,      /* peer, ok: could it own a pool now? */
    LB_PEER_CONFIRM,   /* peer asks: pool, node, node_epoch: can you reach it? */
    LB_PEER_VERDICT,   /* peer answers: pool, node, node_epoch, ok */
    LB_PEER_COUNT,     /* pool, count: a peer handed out tickets */
    LB_PEER_RELEASED,  /* pool: a peer gave up the ownership */
    LB_PEER_ROOMS,     /* pool: a peer hands out tickets with a room */
    LB_PEER_ROOM_OVER, /* pool, room: a peer ended the room */
    LB_ROOM_OVER,      /* pool, room: it was ended here */
    LB_SERVICE,        /* ok: in service; else out at an operator's wish */
    LB_STOP,           /* give back what is held; the effects of this step are the last */
};

/* A move under way, as the effect asked for it. */
struct lb_move {
    char node[KEYS_NAME_MAX + 1];
    int64_t epoch;
    enum node_state from, to;
    int64_t token; /* of the lease under which it is made */
    char why[NODE_WHY_MAX];
};

/* Tickets that `issuer` handed out for a node in one second: an absolute count. */
struct lb_count {
    char node[KEYS_NAME_MAX + 1];
    int64_t epoch; /* of the node */
    char issuer[KEYS_NAME_MAX + 1];
    int64_t issuer_epoch;
    int64_t second; /* Unix second, on Redis's clock */
    uint32_t count;
};

struct lb_event {
    enum lb_event_kind kind;
    mono_ms_t now; /* must not go backwards (asserted) */
    size_t pool;   /* index as configured */
    size_t peer;   /* index into lb_settings.peers */
    int code; /* replies: 0 with answer, else BERTH_E*: whether it was carried out is not known */
    const struct store_answer *answer; /* borrowed for the call */
    const struct feed_item *item;      /* borrowed for the call */
    struct lease_request lease_request;
    struct lb_move move;
    struct lb_count count;
    struct span node; /* PROBE_REPLY, PROBE_CUT, PEER_CONFIRM, PEER_VERDICT */
    int64_t node_epoch;
    bool ok;
    struct span room;
    const char *why; /* a word; NULL: none */
};

/* ---- out ---- */

enum lb_effect_kind {
    LB_DO_ENROLL, /* send `enroll` */
    LB_DO_LEASE,  /* send `lease` with lease_request */
    LB_DO_MOVE,   /* send `move` */
    LB_DO_SWEEP,  /* send `sweep` with guard_percent, grace */
    LB_DO_PROBE,  /* connect as a player would and say `probe` */
    LB_DO_COUNT,  /* tell the peers; several may share a message */
    LB_DO_TELL, /* tell the peers: event is `released`, `rooms` (of the pool), `room_over` (room in
                   node), `able`, `confirm` and `verdict` (of the node in move) */
    LB_DO_NOTE, /* log it; with `record` also append it to the events of the pool */
};

enum lb_level { LB_INFO, LB_WARN, LB_ERROR };

struct lb_effect {
    enum lb_effect_kind kind;
    size_t pool;
    char why[NODE_WHY_MAX]; /* a word */
    struct lease_request lease_request;
    struct lb_move move;          /* MOVE; PROBE, TELL confirm and verdict: node and epoch */
    bool hold;                    /* PROBE: keep the socket when it answers */
    int64_t token;                /* SWEEP */
    int64_t guard_percent;        /* SWEEP */
    bool grace;                   /* SWEEP: the guard held a moment ago */
    bool leave;                   /* ENROLL: give the name back */
    int64_t held_epoch;           /* ENROLL */
    bool able;                    /* TELL able; verdict: it answered */
    struct lb_count count;        /* COUNT */
    const struct node_info *info; /* PROBE: borrowed until the next step */
    enum lb_level level;          /* NOTE */
    const char *event;            /* NOTE: a constant word */
    bool record;                  /* NOTE */
    const char *hook;             /* NOTE: a constant word for hooks; NULL: none */
    char node[KEYS_ID_MAX + 1];   /* NOTE: what it is about; TELL: the room */
    char text[LB_TEXT_MAX];       /* NOTE: a plain record for people and programs */
};

struct lb_effects {
    size_t count;
    struct lb_effect items[LB_EFFECTS_MAX];
};

/* The only way the state changes. ret_fx is overwritten. */
void lb_step(struct lb *lb, const struct lb_event *ev, struct lb_effects *ret_fx);

/* For speed alone: a feed item of this node will come. To be said twice, some eight items ahead,
 * and when there are some four to go (soon): then a step does not wait for memory. */
void lb_expect(const struct lb *lb, size_t pool, struct span node, bool soon);

/* May this effect still be carried out at this instant? A move or a sweep may not once the lease it
 * was decided under could have ended: the process may have slept since. Answer it with a failure
 * instead. */
bool lb_may_send(const struct lb *lb, const struct lb_effect *effect, mono_ms_t now);

/* Step again no later than this. */
mono_ms_t lb_deadline(const struct lb *lb);

/* ---- for the API and metrics: what is known now ---- */

struct lb_pool_view {
    const char *name;
    const struct pool_settings *settings;
    bool ready;             /* a whole read was seen */
    bool live;              /* and the follower stands */
    int64_t view_age_ms;    /* since the store was last heard from; -1: never */
    bool owner;             /* this LB may act now */
    const char *owner_name; /* who owns it, as last heard; "": nobody known */
    int64_t token;
    int64_t epoch;              /* of this LB in this pool; 0: not enrolled yet */
    bool named;                 /* its name is its own; until then it answers, but owns nothing */
    bool name_refused;          /* another process lives under its name */
    bool closed;                /* for maintenance */
    const char *closed_message; /* "" : none */
    wall_ms_t closed_until;     /* 0: open end */
    size_t nodes[NODE_STATES];
    size_t node_count;
    int64_t conns, pending, capacity; /* of ready nodes */
    int64_t conns_all, pending_all;   /* of all nodes */
    int64_t rooms_known;
    bool holding;    /* sweeps hold: the store was away a moment ago */
    bool guarded;    /* the mass-loss guard holds nodes back from being lost */
    int64_t doubted; /* nodes not handed out here, whatever their state: they are silent */
    uint64_t tilts;
};
void lb_pool_view(const struct lb *lb, size_t pool, mono_ms_t now, struct lb_pool_view *ret_view);
size_t lb_pool_count(const struct lb *lb);
/* BERTH_ENOENT: no such pool. */
int lb_pool_find(const struct lb *lb, struct span name) BERTH_MUST_USE;

/* The part of a report that is kept. */
struct lb_report {
    int64_t seq;
    int64_t conns, handshaking, capacity, rooms;
    bool closed, drain;
    int64_t pid;
    wall_ms_t at;
    uint32_t gauge_count;
    struct report_gauge gauges[REPORT_GAUGES_MAX];
};

struct lb_node_view {
    const char *name;
    const struct node_info *info;
    struct node_state_record state;
    const struct lb_report *report;
    int64_t pending, est;
    int64_t report_age_ms;
    const struct want *want; /* in force; NULL: none */
    unsigned probe_successes, probe_failures;
    const char *probe_why; /* of the last probe; "" before the first */
};
/* Slots [0, lb_node_slots()); false for an unused one. Borrowed until the next step. */
size_t lb_node_slots(const struct lb *lb, size_t pool);
bool lb_node_view(const struct lb *lb, size_t pool, size_t slot, mono_ms_t now,
                  struct lb_node_view *ret_view);
/* Is a socket of a probe of this process worth keeping? Not where another LB probes. */
bool lb_probe_holds(const struct lb *lb, size_t pool, struct span name, int64_t epoch,
                    mono_ms_t now);
/* BERTH_ENOENT: no such node. */
int lb_node_find(const struct lb *lb, size_t pool, struct span name) BERTH_MUST_USE;

/* Of every pool. */
bool lb_store_is_up(const struct lb *lb);
/* Redis TIME of the pool's Redis, as well as it is known. */
wall_ms_t lb_store_now(const struct lb *lb, size_t pool, mono_ms_t now);

#endif

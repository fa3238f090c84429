/* reporter.h - a node's conversation with the store: join, report, obey the state that comes back,
 * leave when it may.
 *
 * Pure: no I/O, no clock, no allocation; jitter comes from the rng given at init. docs/redis.md is
 * the contract it speaks. Redis being away changes nothing for the players: reports fail, the
 * counts go on, and the node registers itself again when the store is back. */
#ifndef BERTH_NODEKIT_REPORTER_H
#define BERTH_NODEKIT_REPORTER_H

#include "core/clock.h"
#include "core/err.h"
#include "core/rng.h"
#include "core/state.h"

/* What the application holds at this instant. */
struct node_load {
    int64_t conns;       /* admitted live player sockets */
    int64_t handshaking; /* sockets not yet admitted */
    int64_t rooms; /* live rooms (game), unfinished matches (lobby): what else keeps the node from
                      being empty */
    int64_t capacity;
};

/* Why the node itself wants out; bits. */
enum reporter_wish {
    REPORTER_WISH_SIGTERM = 1,
    REPORTER_WISH_MAINTENANCE = 2,    /* the maintenance file is there */
    REPORTER_WISH_NOT_IN_SERVICE = 4, /* the in-service file is not */
    REPORTER_WISH_SPOT = 16,          /* the machine is about to be taken back */
    REPORTER_WISH_SCHEDULED = 32,     /* or rebooted, stopped, retired */
    REPORTER_WISH_LIFECYCLE = 256,    /* or terminated by its group */
    REPORTER_WISH_RESTARTED = 8,      /* another process has succeeded this one */
    REPORTER_WISH_UNHEALTHY = 64,     /* the server that an agent reports for does not work */
    REPORTER_WISH_ASKED = 128,        /* it asked for it */
};

enum reporter_call { REPORTER_CALL_JOIN, REPORTER_CALL_REPORT, REPORTER_CALL_WANT };

enum reporter_event_kind {
    REPORTER_TICK, /* time passed */
    REPORTER_STORE_UP,
    REPORTER_STORE_DOWN,
    REPORTER_JOINED,     /* epoch, state, store_now */
    REPORTER_TAKEN,      /* another live process holds the name */
    REPORTER_ANSWER,     /* to a report: state, store_now */
    REPORTER_UNKNOWN,    /* the store does not know this node (any call) */
    REPORTER_SUPERSEDED, /* a newer process has the name */
    REPORTER_WANT_OK,
    REPORTER_FAILED,  /* call: no answer, or one that makes no sense */
    REPORTER_WISH,    /* wish, on */
    REPORTER_TERM,    /* SIGTERM, once: drain, and leave when it may */
    REPORTER_RENAMED, /* the node has another name now. on: because it is being succeeded: drain,
                         and leave when it may; else that came to nothing */
    REPORTER_GO,      /* config.hold is over */
};

struct reporter_event {
    enum reporter_event_kind kind;
    mono_ms_t now;         /* must not go backwards (asserted) */
    struct node_load load; /* always set */
    int64_t epoch;
    enum node_state state;
    wall_ms_t store_now;
    enum reporter_call call;
    enum reporter_wish wish;
    bool on;
};

enum reporter_effect_kind {
    REPORTER_DO_JOIN,
    REPORTER_DO_REPORT, /* seq, closed, drain */
    REPORTER_DO_WANT,   /* draining (else: none), why */
    REPORTER_DO_STATE,  /* joined, or: the node's state is now the one of reporter_state_word() */
    REPORTER_DO_DOOR,   /* closed: refuse every ticket from now on; or open again */
    REPORTER_DO_EXIT,   /* code, why */
};

struct reporter_effect {
    enum reporter_effect_kind kind;
    int64_t seq;
    bool closed, drain;
    int code;
    const char *why; /* constant text */
};

#define REPORTER_EFFECTS_MAX 8

struct reporter_effects {
    struct reporter_effect items[REPORTER_EFFECTS_MAX];
    size_t count;
};

struct reporter_config {
    bool hold;             /* do not join before REPORTER_GO: another process still has the name */
    int64_t interval_ms;   /* 100..60,000; each report comes up to a tenth earlier, never later */
    int64_t lost_after_ms; /* how long another holder of the name may still count as alive */
    int64_t
        drain_deadline_ms;  /* after SIGTERM leave at the latest then, players or not; 0: never */
    int64_t alone_after_ms; /* after SIGTERM, empty, and no answer from the store for so long:
                               leave. 5,000 */
    int64_t patience_ms; /* after SIGTERM, empty for so long, whatever the LBs say: leave. 60,000 */
};

struct reporter {
    struct reporter_config config;
    struct rng rng;
    bool up;     /* the store is reachable */
    bool joined; /* this epoch is known to the store, as far as we know */
    bool waiting_join, waiting_report, waiting_want; /* a call is under way */
    int64_t epoch; /* 0: none yet. Told when joining again: the store gives it back if it can */
    int64_t seq;
    enum node_state state; /* once epoch > 0 */
    bool closed;           /* the door */
    unsigned wishes;
    int want_held; /* what the store holds of us: -1 not known, 0 none, 1 draining */
    unsigned failures;
    int64_t wall_offset_ms; /* store time - mono */
    bool wall_known;
    mono_ms_t now, sent, answered, next_join, next_report, next_want;
    mono_ms_t term_at, empty_since, taken_since;
    bool exiting;
    bool going; /* REPORTER_GO came */
};

/* seed: any number that differs between nodes. */
void reporter_init(struct reporter *r, const struct reporter_config *config, uint64_t seed,
                   mono_ms_t now);

void reporter_step(struct reporter *r, const struct reporter_event *ev,
                   struct reporter_effects *ret_fx);
/* Step again no later than this. */
mono_ms_t reporter_deadline(const struct reporter *r);

/* "ready", "draining" ...; "unknown" before the first join. */
const char *reporter_state_word(const struct reporter *r);

/* Why the node itself wants out: "sigterm", "maintenance" ...; NULL: it does not. */
const char *reporter_why(const struct reporter *r);
/* Until a node that leaves ends, players or not; 0: it waits for them. */
int64_t reporter_deadline_ms(const struct reporter *r, mono_ms_t now);

/* Redis time by our clock. Returns false while no answer has come yet. */
bool reporter_wall(const struct reporter *r, mono_ms_t now, wall_ms_t *ret_wall);

/* One effect as a line of a trace: "report seq=3 closed=0 drain=1". The same text is logged. */
int reporter_describe(const struct reporter *r, const struct reporter_effect *effect, char *ret_buf,
                      size_t size);

#endif

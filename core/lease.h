/* lease.h - who may decide: holding a lease in the store, and knowing when it may no longer be
 * held.
 *
 * Pure: no I/O, no clock, no allocation. One `struct lease` per thing owned (a pool's owner, a
 * pool's leader). Used by the LB (owner) and the autoscaler (leader). The store's side is the
 * script `lease` (docs/redis.md).
 *
 * The rules:
 * - A lease lives ttl_ms in the store and is renewed each renew_ms. Its validity is counted from
 * *before* the request was sent, less margin_ms for clocks that run at different speeds: the holder
 * stops acting before the store could give the lease to another.
 * - A live lease is never overridden: acquire is answered HELD, and is tried again when that one
 * could have ended.
 * - TILT: when the process did not run for tilt_ms longer than it asked for, or the store's clock
 * and this process's moved apart by more than tilt_ms between two answers, nothing it believes
 * about time is trusted. It stops acting at once and acts again only after the store has confirmed
 * (renewed or granted) the lease in an answer to a question put after that.
 *
 * Use: call lease_step() with every event and at lease_deadline(); carry out the one request it may
 * return; ask lease_held(lease, now) before every act, and send lease_token() with every write that
 * is fenced. */
#ifndef BERTH_CORE_LEASE_H
#define BERTH_CORE_LEASE_H

#include "core/clock.h"

struct lease_config {
    int64_t ttl_ms;    /* lifetime in the store; 1,000 */
    int64_t renew_ms;  /* pause between renewals; 250 */
    int64_t margin_ms; /* stop acting this long before the lifetime ends; 100 */
    int64_t tilt_ms;   /* a pause or clock jump longer than this is not trusted; 500 */
};

/* The numbers of the design: 1,000 / 250 / 100 / 500 ms. */
struct lease_config lease_config_default(void);

enum lease_op { LEASE_OP_NONE, LEASE_OP_ACQUIRE, LEASE_OP_RENEW, LEASE_OP_RELEASE };

/* A request for the shell to send at once, as `lease` with (op, name, epoch, token, ttl_ms). The
 * shell hands it back unchanged with the answer. */
struct lease_request {
    enum lease_op op;
    int64_t token;     /* 0 with ACQUIRE */
    mono_ms_t sent_at; /* when it was asked for: validity counts from here */
    const char *why;   /* a constant word */
};

enum lease_answer {
    LEASE_OK,     /* granted, renewed or released */
    LEASE_HELD,   /* another holds it */
    LEASE_LOST,   /* the token is not the current one */
    LEASE_FAILED, /* no answer, or an error: whether it was carried out is not known */
};

enum lease_event_kind {
    LEASE_TICK, /* time has passed */
    LEASE_WANT, /* try for it from now on: first after delay_ms, and that long after another's ended
                 */
    LEASE_HURRY,  /* the holder is known to be gone, or has just released: ask after delay_ms
                     (never overrides a live one) */
    LEASE_RESIGN, /* give it up and do not try again until the next LEASE_WANT */
    LEASE_REPLY,  /* an answer to `request` */
};

struct lease_event {
    enum lease_event_kind kind;
    mono_ms_t now;
    int64_t delay_ms;             /* WANT, HURRY */
    struct lease_request request; /* REPLY: as it was handed out */
    enum lease_answer answer;     /* REPLY */
    int64_t token;                /* REPLY, OK to an acquire */
    int64_t pttl_ms;              /* REPLY, HELD: what is left of the other's lease */
    wall_ms_t store_now;          /* REPLY, any answer but FAILED: Redis TIME */
};

enum lease_change { LEASE_SAME, LEASE_GAINED, LEASE_ENDED };

/* What one step led to. */
struct lease_result {
    struct lease_request request; /* op NONE: nothing to send */
    enum lease_change change; /* gained: begin to act; ended: stop (it is no longer held already) */
    const char *why;          /* of the change: granted, renewed, expired, lost, tilt, resigned */
};

/* Fields are private: use the functions. */
struct lease {
    struct lease_config config;
    bool wanted;
    bool acting;   /* the last change told was GAINED */
    int64_t token; /* 0: none */
    int64_t delay_ms;
    mono_ms_t valid_until; /* act strictly before this */
    mono_ms_t trust_after; /* only answers to requests sent at or after this count (TILT) */
    mono_ms_t next_at;     /* next request */
    mono_ms_t stepped_at;
    bool has_pair; /* store_at and heard_at are a pair of the two clocks */
    wall_ms_t store_at;
    mono_ms_t heard_at;
    uint64_t tilts;
};

/* Not wanted, not held. config is copied. */
void lease_init(struct lease *lease, const struct lease_config *config, mono_ms_t now);

/* The only way the lease changes. ev->now must not go backwards (asserted). */
void lease_step(struct lease *lease, const struct lease_event *ev, struct lease_result *ret_result);

/* Step again no later than this; MONO_NEVER when not wanted and not held. */
mono_ms_t lease_deadline(const struct lease *lease);

/* May the caller act at this instant? */
bool lease_held(const struct lease *lease, mono_ms_t now);

/* The fencing token of the lease held or last held; 0 if there was none. */
int64_t lease_token(const struct lease *lease);

/* How many times time was found not to be trusted. */
uint64_t lease_tilts(const struct lease *lease);

#endif

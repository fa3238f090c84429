/* place.h - the endpoint API's decisions: which node for this player, this room, this match.
 *
 * Pure, like lb_step(), but called straight from the HTTP handlers: a pick is a function call, not
 * an event. Where the store must be asked (a room is claimed by one script, whichever LB is asked)
 * the answer says so, and the handler comes back with what the store said.
 *
 *     lb_place(lb, ask, &placed)
 *       LB_PLACED    answer with placed.seats
 *       LB_CLAIM     send `room` with placed.claim, then lb_claimed(lb, ask, &placed, code,
 * answer), and look again LB_REFUSED   answer 503 with placed.why and retry_after_ms
 *
 * After LB_PLACED and LB_REFUSED arm the timer by lb_deadline() again: the peers must be told, a
 * node may have to be probed. */
#ifndef BERTH_LB_PLACE_H
#define BERTH_LB_PLACE_H

#include "core/pool.h"
#include "lb/lb.h"

enum {
    LB_SEATS_MAX = CALL_PLAYERS_MAX, /* players of one ask */
    LB_CLAIMS_MAX = 8,               /* times one ask goes to the store */
};

/* A ticket the asker showed, of this pool and room and for the one player asked for. */
struct lb_shown {
    struct span node; /* empty: none */
    int64_t node_epoch, issued_s, expires_s;
};

struct lb_ask {
    size_t pool;
    struct span room;           /* empty: none */
    const struct span *players; /* NULL: one player without a name */
    size_t player_count;        /* 0 or 1..LB_SEATS_MAX */
    struct span zone, version;  /* empty: any */
    const struct span *exclude; /* names */
    size_t exclude_count;
    struct lb_shown shown;
};

enum lb_verdict { LB_PLACED, LB_CLAIM, LB_REFUSED };

/* One ticket to sign. */
struct lb_seat {
    int64_t issued_s, expires_s; /* Unix seconds on Redis's clock */
    uint64_t serial;             /* of this process: makes the jti */
    bool repeated;               /* the same answer as before: counted then */
    bool shown;                  /* the ticket that was shown, whoever signed it */
};

struct lb_claim {
    char node[KEYS_NAME_MAX + 1]; /* proposed */
    int64_t epoch;
    int64_t issuer_epoch;
    int64_t alive_ms, settle_ms; /* as in call_room */
    bool has_dead;
    char dead_node[KEYS_NAME_MAX + 1];
    int64_t dead_epoch;
};

/* Seats set aside while the store is asked. */
struct lb_reserved {
    uint32_t slot;
    int64_t epoch;
    uint32_t seats; /* 0: none */
};

struct lb_placed {
    enum lb_verdict verdict;
    const char *why; /* least_est ..., known_room, repeated; refused: no_view name_taken closed
                        no_capacity no_node store_away room_node_lost */
    const char *node, *endpoint; /* borrowed until the next step */
    int64_t node_epoch, issuer_epoch;
    int64_t est, capacity; /* before these seats were counted */
    bool moved;            /* the room was on another node before */
    size_t seat_count;
    struct lb_seat seats[LB_SEATS_MAX]; /* in the order of the players */
    int64_t retry_after_ms;             /* REFUSED */
    /* Its own, between lb_place() and lb_claimed(). */
    struct lb_claim claim;
    unsigned claims;
    struct lb_reserved reserved;
    const char *claim_why;
    bool full;                                    /* so said the store last */
    size_t stale_count;                           /* proposed before, */
    char stale[LB_CLAIMS_MAX][KEYS_NAME_MAX + 1]; /* and not ready any more, or full */
};

/* ret_placed is overwritten. now: as in lb_step(). */
void lb_place(struct lb *lb, mono_ms_t now, const struct lb_ask *ask, struct lb_placed *ret_placed);

/* What the store said to placed->claim. code as in store_fn; answer NULL unless code is 0. */
void lb_claimed(struct lb *lb, mono_ms_t now, const struct lb_ask *ask, struct lb_placed *placed,
                int code, const struct store_answer *answer);

/* The claim will not be sent or waited for: gives back what was reserved. */
void lb_abandon(struct lb *lb, const struct lb_ask *ask, struct lb_placed *placed);

/* The room is over: forget where it was. */
void lb_room_over(struct lb *lb, size_t pool, struct span room);

/* Where a room is, from memory: false when it is not known here. *ret_node borrowed until the next
 * step. */
bool lb_room_known(struct lb *lb, mono_ms_t now, size_t pool, struct span room,
                   const char **ret_node, const char **ret_endpoint);

/* May this address, and this player, ask once more? 0, or the milliseconds to wait. player may be
 * empty. */
int64_t lb_rate(struct lb *lb, mono_ms_t now, size_t pool, struct span address, struct span player);

/* For people: the best nodes for this ask. Returns how many were written. */
size_t lb_explain(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                  struct pool_candidate *ret_list, size_t max);
/* The name of a slot of pool_candidate. */
const char *lb_slot_name(const struct lb *lb, size_t pool, uint32_t slot);

struct lb_place_stats {
    uint64_t placed, repeated, no_capacity, no_node, no_view, closed, store_away, room_lost,
        limited, rooms_moved, claims, claims_full;
};
const struct lb_place_stats *lb_place_stats(const struct lb *lb, size_t pool);

#endif

/* pool.h - every node of one pool this balancer may send a player to, and how full each is about to
 * be.
 *
 * Pure: no I/O, no clock, no random number but from its seed, no allocation after init. Threads:
 * one.
 *
 *     pending(node) = sum over issuers and seconds still alive of max(0, assigned - admitted)
 *     est(node)     = conns + pending + reserved
 *     pick          = by the strategy among ready nodes with est < capacity; ties at random
 *
 * Assigned is what the LBs handed out (our own by pool_assign, the peer's by pool_told), admitted
 * is what nodes report. Both are absolute counts by (node, node epoch, issuer, issuer epoch, issue
 * second) that only grow, so whatever is lost, repeated or reordered is made good by the next that
 * arrives, and a second that is over is dropped whole. docs/placement.md says why. */
#ifndef BERTH_CORE_POOL_H
#define BERTH_CORE_POOL_H

#include "core/admitted.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/span.h"
#include "core/state.h"
#include "core/strategy.h"

enum {
    POOL_NAME_MAX = 63,           /* bytes of a node's, zone's, version's or LB's name */
    POOL_URL_MAX = 255,           /* bytes of an endpoint */
    POOL_NODES_MAX = 1 << 20,     /* upper limit of nodes_max */
    POOL_CAPACITY_MAX = 1 << 24,  /* players a node may take; a larger capacity is cut to this */
    POOL_ISSUERS_MAX = 16,        /* upper limit of issuers_max */
    POOL_GROUPS_MAX = 256,        /* distinct (zone, version) pairs alive at once */
    POOL_EXCLUDE_MAX = 16,        /* names in `exclude` that are heeded */
    POOL_SEATS_MAX = 4096,        /* seats of one room */
    POOL_ADVANCE_LANES_MAX = 2048 /* lanes (node, issuer) swept by one pool_advance */
};
#define POOL_NONE UINT32_MAX

/* Both clocks at the moment of an event. mono: ageing and slow start; must not go backwards
 * (asserted). wall: Redis time, for ticket seconds only; may jump. */
struct pool_now {
    mono_ms_t mono;
    wall_ms_t wall;
};

struct pool_config {
    uint32_t nodes_max;   /* 1..POOL_NODES_MAX */
    uint32_t issuers_max; /* incarnations of LBs alive at once, ourselves included; 0: 8 */
    uint64_t seed;
    int64_t ticket_ttl_ms;      /* the longest lifetime of a ticket of this pool; 1,000..55,000 */
    int64_t skew_ms;            /* clock skew allowed to those who redeem; 0..2,000 */
    int64_t report_interval_ms; /* 100..10,000 */
    int64_t settle_ms;          /* see pool_info.settles; 0: report_interval + 500 */
    int64_t slow_start_ms;      /* 0: off; a fresh node's share of arrivals is capped for so long */
    const struct strategy *strategy; /* NULL: spread */
};

/* ---- nodes ---- */

/* What a node is; told when it joins. Texts are borrowed for the call and copied; one that is too
 * long is an error. */
struct pool_info {
    struct span name, endpoint, zone, version, instance; /* zone, version, instance: may be empty */
    int64_t epoch;
    int64_t capacity; /* >= 1 */
    bool settles; /* redeems no tickets: what it was given counts only until the report that could
                     have seen the socket: the first to arrive settle - report_interval or more
                     after the pick */
};

/* One report. Borrowed for the call. */
struct pool_report {
    int64_t epoch, seq; /* (epoch, seq) must be later than the one held */
    int64_t conns;      /* >= 0 */
    int64_t capacity;   /* >= 1; 0: as before */
    const struct admitted_run *admitted;
    size_t admitted_count;
};

enum pool_why { /* why a report or a told count was not used; 0.. in this order in
                   pool_stats.refused */
                POOL_UNKNOWN_NODE,
                POOL_OTHER_EPOCH, /* of another incarnation of the node */
                POOL_OLD_SEQ,     /* older than the report held */
                POOL_OLD_SECOND,  /* a second that is over, or far ahead */
                POOL_NO_ISSUER,   /* issuers_max incarnations of LBs are alive already */
                POOL_WHYS
};

struct pool;

/* Everything is allocated here. Returns 0, BERTH_ENOMEM, or BERTH_EINVAL with err saying which
 * limit of the config was broken. *ret_pool: free with pool_destroy. */
int pool_create(const struct pool_config *config, struct pool **ret_pool,
                struct err *err) BERTH_MUST_USE;
void pool_destroy(struct pool *pool);

/* Our own name and epoch as issuer; call before the first pool_assign, and again when our epoch
 * changed (what was assigned under the old one stays alive as another issuer's). Asserts that the
 * name fits. */
void pool_self(struct pool *pool, struct span name, int64_t epoch);

/* How long the tickets that are out may live, from now on; 1,000..config.ticket_ttl_ms, which it is
 * at first (asserted). A no-show counts for so long: a pool whose longer tickets are not in use
 * does better with the shorter time. */
void pool_ticket_ttl(struct pool *pool, int64_t ttl_ms);

/* Another strategy from now on. O(n). */
void pool_strategy(struct pool *pool, const struct strategy *strategy);

/* Add a node in state joining, or learn its info anew. A newer epoch is another process: its conns,
 * pending and reserved start at 0 and its state is joining. The same epoch keeps counts and state.
 * Returns the slot in [0, nodes_max), which stays the node's until pool_remove; BERTH_ESTALE: an
 * older epoch than the one held; BERTH_EFULL: nodes_max, or POOL_GROUPS_MAX distinct (zone,
 * version); BERTH_EINVAL: info out of range, err says what. */
int pool_join(struct pool *pool, struct pool_now now, const struct pool_info *info,
              struct err *err) BERTH_MUST_USE;

/* Apply a report. 0; BERTH_ESTALE: other epoch, or not later than the one held: ignored. Admitted
 * counts of seconds that are over are ignored by themselves. conns beyond POOL_CAPACITY_MAX are cut
 * to it. */
int pool_report(struct pool *pool, struct pool_now now, uint32_t slot,
                const struct pool_report *report);

/* A report of this node will come: have in the cache what it touches. To be said twice, some eight
 * reports ahead, and when there are some four to go (soon). Returns the slot that it probably has
 * (right unless the name is not known), once it is soon; else POOL_NONE. */
uint32_t pool_expect(const struct pool *pool, struct span name, bool soon);

/* Do not choose this node for now, whatever its state; or do again. It stays in the sums. A new
 * epoch is not doubted. */
void pool_doubt(struct pool *pool, uint32_t slot, bool doubted);

/* The node's state by the owner. age_ms: for how long it has been in it (0: just now): a node that
 * became ready less than slow_start ago is fresh. */
void pool_state(struct pool *pool, struct pool_now now, uint32_t slot, enum node_state state,
                int64_t age_ms);

/* Forget the node and all that is pending on it. */
void pool_remove(struct pool *pool, struct pool_now now, uint32_t slot);

/* The slot, or POOL_NONE. */
uint32_t pool_find(const struct pool *pool, struct span name);

/* ---- picking ---- */

struct pool_query {
    struct span zone;           /* preferred; empty: any. Falls back to all zones */
    struct span version;        /* required; empty: any */
    const struct span *exclude; /* names not to choose; the first POOL_EXCLUDE_MAX are heeded */
    size_t exclude_count;
    uint32_t seats; /* free seats wanted on one node; 0: 1; at most POOL_SEATS_MAX */
};

struct pool_choice {
    uint32_t slot;
    int64_t epoch;          /* of the node: goes into the ticket */
    uint32_t est, capacity; /* before this pick is counted */
    const char
        *why; /* the strategy's word, "zone_fallback", or "slow_start_only" (all others are full) */
};

/* Choose a node; counts nothing. Returns 0; BERTH_ENOENT: no ready node of this version (or all are
 * excluded); BERTH_EFULL: there are some, but none with so many free seats. */
int pool_pick(struct pool *pool, struct pool_now now, const struct pool_query *query,
              struct pool_choice *ret_choice) BERTH_MUST_USE;

/* Count seats that we handed out on this node now. Returns the Unix second (Redis clock) they were
 * counted under: the issue second that must stand in their tickets. */
int64_t pool_assign(struct pool *pool, struct pool_now now, uint32_t slot, uint32_t seats);
/* The same under a second that was agreed on before, unless that is over, or far ahead. */
int64_t pool_assign_at(struct pool *pool, struct pool_now now, uint32_t slot, uint32_t seats,
                       int64_t second);

/* Seats set aside while a room is being claimed in the store: in est, told to nobody. Each reserve
 * is followed by one release of as many (with the node's epoch at the time: a node that restarted
 * has forgotten them), after pool_assign when the claim succeeded. */
void pool_reserve(struct pool *pool, uint32_t slot, uint32_t seats);
void pool_release(struct pool *pool, uint32_t slot, int64_t node_epoch, uint32_t seats);

/* One line of an explanation. */
struct pool_candidate {
    uint32_t slot;
    uint32_t est, capacity;
    const char *verdict; /* "eligible", or why not: a state's word, "full", "slow_start",
                            "excluded", "version" */
    bool in_zone;        /* true when the query names no zone */
};

/* The best `max` nodes for this query in order of choice, those that may be chosen first, then
 * those that may not. O(n * max): for people. Returns how many were written. */
size_t pool_explain(struct pool *pool, struct pool_now now, const struct pool_query *query,
                    struct pool_candidate *ret_list, size_t max);

/* ---- the peer link ---- */

/* An absolute count: this issuer handed out `count` seats of this node in this second. Only grows,
 * so it may be told twice, late, or by a third party. */
struct pool_told {
    struct span node, issuer; /* handed out: borrowed until the next change of the pool */
    int64_t node_epoch, issuer_epoch;
    int64_t second;
    uint32_t count;
};

/* Apply one. 0; BERTH_ENOENT: unknown node; BERTH_ESTALE: other node epoch, or a second that is
 * over; BERTH_EFULL: too many issuers; BERTH_EINVAL: an issuer's name that is empty or too long, or
 * a count over POOL_CAPACITY_MAX. What is said of our own present incarnation is ignored (0): we
 * know better. */
int pool_told(struct pool *pool, struct pool_now now, const struct pool_told *told);

/* Take our own counts that changed since they were last taken: at most `max`; returns how many; 0:
 * nothing more. Send them to every peer (within 10 ms). *ret_resync is set when some could not be
 * remembered: send a snapshot. */
size_t pool_changes(struct pool *pool, struct pool_told *ret_list, size_t max, bool *ret_resync);

/* Everything alive, of all issuers: what a peer that comes (back) must be told. *cursor starts at
 * 0; returns how many were written, 0 at the end. What changes between two calls comes by
 * pool_changes. */
size_t pool_snapshot(struct pool *pool, uint64_t *cursor, struct pool_told *ret_list, size_t max);

/* ---- time ---- */

/* Drop the seconds that are over, and let fresh nodes grow up. Sweeps at most
 * POOL_ADVANCE_LANES_MAX lanes a call. */
void pool_advance(struct pool *pool, struct pool_now now);
/* Call pool_advance no later than this (now itself when there is more to sweep). */
mono_ms_t pool_deadline(const struct pool *pool, struct pool_now now);

/* ---- looking ---- */

/* What is known of one node. Pointers: until the node is removed or joins anew. */
struct pool_node {
    const char *name, *endpoint, *zone, *version, *instance;
    int64_t epoch, seq;
    enum node_state state;
    uint32_t capacity, conns, pending, reserved, est;
    bool settles, fresh;
    mono_ms_t reported; /* when the last report was applied; ms = INT64_MIN: never */
};

/* False when the slot holds no node. */
bool pool_node(const struct pool *pool, uint32_t slot, struct pool_node *ret_node);
/* Slots in use are below this: for (slot = 0; slot < pool_slots(pool); slot++). */
uint32_t pool_slots(const struct pool *pool);

/* Sums by state, kept up to date with each change: O(1). */
struct pool_sums {
    uint32_t nodes[NODE_STATES];
    int64_t conns[NODE_STATES], pending[NODE_STATES], reserved[NODE_STATES], capacity[NODE_STATES];
};
const struct pool_sums *pool_sums(const struct pool *pool);

struct pool_stats {
    uint64_t picks, picks_none; /* picks_none: no node could be chosen */
    uint64_t assigned_seats, told, told_used, reports;
    uint64_t refused[POOL_WHYS];
    uint64_t expired_seats; /* pending dropped because its second was over: no-shows */
};
const struct pool_stats *pool_stats(const struct pool *pool);
const char *pool_why_word(enum pool_why why);

#endif

/* pool_parts.h - what a pool is made of. For core/pool*.c only: others see core/pool.h.
 *
 * core/pool.c         report, state, assign, time; the order and the sums
 * core/pool_join.c    nodes come and go
 * core/pool_fresh.c   slow start
 * core/pool_search.c  who may be chosen, and the search that strategies use
 * core/pool_settle.c  pending of nodes that redeem no tickets
 * core/pool_told.c    the peer link
 * core/pool_look.c    iteration and explanation */
#ifndef BERTH_CORE_POOL_PARTS_H
#define BERTH_CORE_POOL_PARTS_H

#include "core/pending.h"
#include "core/pool.h"
#include "core/pool_heap.h"
#include "core/pool_order.h"
#include "core/rng.h"
#include "core/strmap.h"

#include <assert.h>

enum node_place {
    IN_NONE,  /* not to be chosen now: not ready, or full */
    IN_GROUP, /* in the order of its group */
    IN_WAIT,  /* fresh, and has had its share of arrivals: waits until `arrivals` passes
                 node_fresh.next */
};

/* What a pick and a report touch: one cache line. */
struct node {
    int64_t epoch, seq; /* seq -1: no report yet */
    int64_t pending;
    uint32_t conns, reserved, capacity;
    uint16_t group;
    uint8_t state; /* enum node_state */
    uint8_t place; /* enum node_place */
    bool used, settles, fresh, doubted;
    struct bag_place in_order; /* the order's */
} __attribute__((aligned(64)));

/* What people and answers want to know. */
struct node_text {
    char name[POOL_NAME_MAX + 1], endpoint[POOL_URL_MAX + 1], instance[POOL_NAME_MAX + 1];
};

/* Slow start of one node. Those that are fresh form a list, oldest first. */
struct node_fresh {
    mono_ms_t since; /* became ready; also the time of the last report while not ready */
    uint64_t
        next; /* in units of 1/256 arrival: may be chosen once the pool's arrivals reach this */
    uint32_t before, after;
};

enum { ARRIVAL = 256 }; /* units of pool.arrivals a seat */
enum {
    SETTLE_BUCKETS = 16,
    SETTLE_SPAN = 12
}; /* twelve span settle_ms; the rest is for late reports */

/* What a node that redeems no tickets was given lately, by time: buckets of `bucket_ms`, the newest
 * at `newest`. */
struct node_settle {
    int64_t newest; /* mono ms / bucket_ms */
    uint32_t count[SETTLE_BUCKETS];
};

/* Nodes of one zone and version. */
struct group {
    char zone[POOL_NAME_MAX + 1], version[POOL_NAME_MAX + 1];
    uint32_t nodes, ready; /* nodes 0: not in use */
    struct order order;
};

struct pool {
    struct pool_config config;
    const struct strategy *strategy;
    struct rng rng;
    mono_ms_t last; /* the latest time seen */
    struct node *nodes;
    struct node_text *texts;
    struct node_fresh *fresh;
    struct node_settle *settle;
    mono_ms_t *reported;
    uint32_t *free_slots;       /* a stack */
    uint32_t free_count, slots; /* slots: high-water mark */
    struct strmap names;

    struct order_store orders;
    uint32_t top;         /* the first level of all groups, and the only one with its key ... */
    uint64_t top_changes; /* ... as long as orders.changes is this; 0: not known */
    struct group *groups;
    uint32_t groups_max, groups_used; /* groups_used: high-water mark */
    struct heap_store wait_store;
    heap_entry **wait_table;
    struct heap wait; /* of fresh nodes by node_fresh.next */
    uint32_t fresh_first, fresh_last;
    uint64_t arrivals; /* seats handed out, in units of 1/256 */

    struct pending pending;
    int64_t settle_bucket_ms, settle_after_ms;
    struct pool_sums sums;
    struct pool_stats stats;
};

static inline uint32_t node_est(const struct node *n)
{
    int64_t est = (int64_t)n->conns + n->pending + n->reserved;
    return est > UINT32_MAX ? UINT32_MAX : (uint32_t)est;
}

/* Put the node where its load and state now belong. After each change of what it depends on. */
void pool_place(struct pool *pool, uint32_t slot);
/* Add to what is pending on a node, in the sums too. The caller places it afterwards. */
void pool_pending_add(struct pool *pool, uint32_t slot, int64_t owed);
/* Book all that was assigned, and settle what that changes. */
void pool_book(struct pool *pool);
/* Another second has begun, or is over. */
void pool_tick(struct pool *pool, struct pool_now now);
/* Time goes on: called first by all that is told the time. */
static inline void pool_reach(struct pool *pool, struct pool_now now)
{
    assert(now.mono.ms >= pool->last.ms);
    pool->last = now.mono;
    if (!pending_same_tick(&pool->pending, now.wall))
        pool_tick(pool, now);
}
/* Where the strategy would rank the node: smaller is better. In core/pool_look.c. */
uint64_t pool_rank(const struct pool *pool, uint32_t slot);
/* Out of the order and of those that wait. */
void pool_leave_order(struct pool *pool, uint32_t slot);
/* Add (sign 1) or take away (-1) all that a node contributes to the sums. */
void pool_sum_node(struct pool *pool, const struct node *n, int sign);
/* A number of players as it is kept: at most POOL_CAPACITY_MAX. */
static inline uint32_t pool_cut(int64_t value)
{
    return value > POOL_CAPACITY_MAX ? POOL_CAPACITY_MAX : (uint32_t)value;
}
/* Is the slot a node's? */
static inline bool pool_has(const struct pool *pool, uint32_t slot)
{
    return slot < pool->slots && pool->nodes[slot].used;
}

/* ---- core/pool_fresh.c ---- */

/* The node is no longer fresh; nothing happens if it was not. The caller places it. */
void fresh_unlink(struct pool *pool, uint32_t slot);
/* It became ready at `since`. It must not be fresh already. */
void fresh_link(struct pool *pool, uint32_t slot, mono_ms_t since);
/* A fresh node was given seats: it waits until as many arrivals have passed as make these its
 * share. The share grows in a line from the fair one (capacity / capacity of all that are ready) to
 * SLOW_START_BOOST times that. */
void fresh_charge(struct pool *pool, uint32_t slot, mono_ms_t now, uint32_t seats);

/* ---- core/pool_settle.c ---- */

/* n more, handed out `age_ms` ago. Returns how much the pending grew. */
int64_t settle_add(struct pool *pool, uint32_t slot, mono_ms_t now, int64_t age_ms, int64_t n);
/* A report has come: what it could have seen is pending no more. Returns how much that was. */
int64_t settle_seen(struct pool *pool, uint32_t slot, mono_ms_t now);
int64_t settle_sum(const struct pool *pool, uint32_t slot);
void settle_clear(struct pool *pool, uint32_t slot);

#endif

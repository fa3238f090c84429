/* pool_order.h - nodes in order of load, those that are equally loaded together.
 *
 * Pure, no allocation after init. Nodes of one group (zone and version) with the same est and
 * capacity form a level: a bag, from which any member can be drawn. Levels are found by a hash and
 * ordered by a heap. A balanced pool has few levels however many nodes it has, so moving a node to
 * the next costs the same at 100 nodes and at 100,000; when every node has a load of its own it is
 * O(log n), as a heap of nodes would be.
 *
 * Orders (one a group) share one store. A slot is in at most one order. */
#ifndef BERTH_CORE_POOL_ORDER_H
#define BERTH_CORE_POOL_ORDER_H

#include "core/pool_bag.h"
#include "core/pool_heap.h"

#include <stdbool.h>

struct level {
    uint64_t key;
    struct bag bag;
    uint32_t est, capacity;
    uint32_t order;  /* number of its order */
    uint32_t next;   /* in its hash chain, or free: level + 1, or 0 */
    uint32_t beside; /* where a slot went from here last: the next one is likely to go there too */
};

struct order_store {
    struct level *levels; /* as many as slots */
    uint32_t levels_used, free_head;
    uint32_t *chains; /* hash -> level + 1, or 0 */
    uint32_t mask;
    uint32_t *level_of;                   /* slot -> its level */
    uint64_t (*key)(uint64_t ratio_bits); /* what orders the levels */
    uint64_t changes;                     /* grows when a level comes or goes */
    struct bag_store bags;
    struct heap_store heaps; /* of levels */
    heap_entry **tables;
};

struct order {
    struct order_store *store;
    uint32_t number;
    uint32_t count;   /* slots */
    struct heap heap; /* of its levels by key */
};

/* places, stride: see bag_store_init. BERTH_ENOMEM. */
int order_store_init(struct order_store *store, uint32_t slots_max, uint32_t orders_max,
                     uint64_t (*key)(uint64_t ratio_bits), uint64_t seed, void *places,
                     size_t stride) BERTH_MUST_USE;
void order_store_fini(struct order_store *store);
/* Begin an order; number: 0..orders_max - 1, one each. */
void order_init(struct order *order, struct order_store *store, uint32_t number);

/* Put a slot that is in no order into this one. est < capacity. */
void order_add(struct order *order, uint32_t slot, uint32_t est, uint32_t capacity);
/* Move a slot that is in this order. Nothing happens when est and capacity are as before. */
void order_move(struct order *order, uint32_t slot, uint32_t est, uint32_t capacity);
void order_remove(struct order *order, uint32_t slot);

static inline bool level_is(const struct level *l, const struct order *order, uint32_t est,
                            uint32_t capacity)
{
    return l->est == est && l->capacity == capacity && l->order == order->number &&
           l->bag.count > 0;
}

/* order_move, made for one that was just drawn and goes where those before it went: from the end of
 * one bag to the end of another. They go in the order in which they were drawn, which is a random
 * one. */
static inline void order_step(struct order *order, uint32_t slot, uint32_t est, uint32_t capacity)
{
    struct order_store *s = order->store;
    struct bag_place place = *bag_place(&s->bags, slot);
    struct level *from = &s->levels[place.mark], *to = &s->levels[from->beside];
    /* it is the last of its bag, and not the only one */
    if (place.index + 1 != from->bag.count || place.index == 0 || to == from ||
        !level_is(to, order, est, capacity)) {
        order_move(order, slot, est, capacity);
        return;
    }
    from->bag.count = place.index;
    if ((place.index & (BAG_PAGE - 1)) == 0)
        bag_shrink(&s->bags, &from->bag, place.index);
    bag_push(&s->bags, &to->bag, slot, from->beside);
}

static inline const struct level *order_level(const struct order_store *store, uint32_t slot)
{
    return &store->levels[bag_place(&store->bags, slot)->mark];
}

#endif

/* pool_search.h - the nodes a strategy may choose from, for one pick.
 *
 * Pure. The pool lists the groups (zone and version) that match and the nodes that are excluded; a
 * strategy asks for the first in its order, or for one at random. */
#ifndef BERTH_CORE_POOL_SEARCH_H
#define BERTH_CORE_POOL_SEARCH_H

#include "core/pool.h"
#include "core/pool_order.h"

struct pool_search {
    const struct pool *pool;
    const struct order *orders[POOL_GROUPS_MAX]; /* of the groups that match; not empty */
    uint32_t order_count;
    uint32_t excluded[POOL_EXCLUDE_MAX]; /* slots */
    uint32_t excluded_count;
    uint32_t seats;
    uint32_t
        alone; /* out: the level search_first drew from, if no other has its key; else POOL_NONE */
};

/* A candidate with the smallest key of all groups, drawn with equal chance among those that have
 * it; POOL_NONE when there is no candidate. O(groups) when the first levels have room; levels
 * without enough free seats, or of which all are excluded, are searched around. */
uint32_t search_first(struct pool_search *search, struct rng *rng);

/* A candidate at random, each as likely as any other; POOL_NONE when several draws met none (then
 * search_first will find one if there is one). */
uint32_t search_sample(const struct pool_search *search, struct rng *rng);

/* The order in which the strategy ranks this candidate: smaller is better. */
uint64_t search_key(const struct pool_search *search, uint32_t slot);

#endif

/* strategy.h - how a pool chooses among the nodes that may be chosen.
 *
 * Pure. A strategy is one file (core/strategy_<name>.c) and one row of the table in
 * core/strategy.c. The pool decides who may be chosen at all (ready, room left, zone, version, not
 * excluded, not held back by slow start); the strategy decides which of those. */
#ifndef BERTH_CORE_STRATEGY_H
#define BERTH_CORE_STRATEGY_H

#include "core/rng.h"
#include "core/span.h"

struct pool_search; /* core/pool_search.h: the nodes a strategy may choose from */

struct strategy {
    const char *name;
    const char *help; /* one sentence: when it is good */

    /* The word that explains a choice: "least_est". */
    const char *why;

    /* choose is search_first and nothing else: the pool may remember where that led. */
    bool first;

    /* Called when a node's load changed. Nodes are kept ordered by this key, smallest first.
     * `ratio` is est / capacity as IEEE bits of a double in [0, 1): for capacities up to
     * POOL_CAPACITY_MAX these order exactly as the fractions do, and equal fractions have equal
     * bits (see docs/placement.md). */
    uint64_t (*key)(uint64_t ratio_bits);

    /* Called for each pick. Returns a slot, or POOL_NONE when the search holds no candidate. */
    uint32_t (*choose)(struct pool_search *search, struct rng *rng);
};

extern const struct strategy strategy_spread;      /* least est / capacity */
extern const struct strategy strategy_pack;        /* fullest that still has room */
extern const struct strategy strategy_two_choices; /* the better of two at random */

/* In the order of the configuration's words: spread, pack, two_choices. NULL past the end. */
const struct strategy *strategy_at(size_t i);
/* NULL when there is none of this name. */
const struct strategy *strategy_find(struct span name);

#endif

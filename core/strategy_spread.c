/* strategy_spread.c - the emptiest node: least est / capacity, ties at random. */
#include "core/mutant.h"
#include "core/pool_search.h"

static uint64_t key(uint64_t ratio_bits)
{
    return MUTANT(picks_the_fullest) ? ~ratio_bits : ratio_bits;
}

static uint32_t choose(struct pool_search *search, struct rng *rng)
{
    return search_first(search, rng);
}

const struct strategy strategy_spread = {
    .name = "spread",
    .help = "the emptiest node, so that all are equally full: right for most",
    .why = "least_est",
    .first = true,
    .key = key,
    .choose = choose,
};

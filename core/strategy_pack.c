/* strategy_pack.c - the fullest node that still has room, so that others run empty and can be shut
 * down. */
#include "core/pool_search.h"

static uint64_t key(uint64_t ratio_bits)
{
    return ~ratio_bits; /* the fullest first */
}

static uint32_t choose(struct pool_search *search, struct rng *rng)
{
    return search_first(search, rng);
}

const struct strategy strategy_pack = {
    .name = "pack",
    .help =
        "the fullest node that has room, so that others run empty: saves machines, costs evenness",
    .why = "fullest",
    .first = true,
    .key = key,
    .choose = choose,
};

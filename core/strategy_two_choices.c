/* strategy_two_choices.c - the emptier of two nodes drawn at random (Mitzenmacher, "The power of
 * two choices in randomized load balancing", 2001). */
#include "core/pool_search.h"

static uint64_t key(uint64_t ratio_bits)
{
    return ratio_bits;
}

static uint32_t choose(struct pool_search *search, struct rng *rng)
{
    uint32_t a = search_sample(search, rng);
    uint32_t b = search_sample(search, rng);
    if (a == POOL_NONE || b == POOL_NONE) /* most are excluded or too full: look properly */
        return search_first(search, rng);
    return search_key(search, b) < search_key(search, a) ? b : a;
}

const struct strategy strategy_two_choices = {
    .name = "two_choices",
    .help =
        "the emptier of two at random: for many balancers that cannot tell each other what they do",
    .why = "two_choices",
    .key = key,
    .choose = choose,
};

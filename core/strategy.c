/* strategy.c - the table of strategies. */
#include "core/strategy.h"

static const struct strategy *const table[] = {
    &strategy_spread,
    &strategy_pack,
    &strategy_two_choices,
};

const struct strategy *strategy_at(size_t i)
{
    return i < sizeof table / sizeof *table ? table[i] : NULL;
}

const struct strategy *strategy_find(struct span name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (span_is(name, table[i]->name))
            return table[i];
    return NULL;
}

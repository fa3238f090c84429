/* pool_fresh.c - slow start: a fresh node's share of arrivals is capped. */
#include "core/pool_parts.h"

enum { SLOW_START_BOOST = 4 }; /* the share grows from the fair one to so many times that */

void fresh_unlink(struct pool *pool, uint32_t slot)
{
    struct node_fresh *f = &pool->fresh[slot];
    if (!pool->nodes[slot].fresh)
        return;
    pool->nodes[slot].fresh = false;
    if (f->before != POOL_NONE)
        pool->fresh[f->before].after = f->after;
    else
        pool->fresh_first = f->after;
    if (f->after != POOL_NONE)
        pool->fresh[f->after].before = f->before;
    else
        pool->fresh_last = f->before;
}

void fresh_link(struct pool *pool, uint32_t slot, mono_ms_t since)
{
    struct node_fresh *f = &pool->fresh[slot];
    *f = (struct node_fresh){.since = since, .before = pool->fresh_last, .after = POOL_NONE};
    if (pool->fresh_last != POOL_NONE)
        pool->fresh[pool->fresh_last].after = slot;
    else
        pool->fresh_first = slot;
    pool->fresh_last = slot;
    pool->nodes[slot].fresh = true;
}

void fresh_charge(struct pool *pool, uint32_t slot, mono_ms_t now, uint32_t seats)
{
    struct node_fresh *f = &pool->fresh[slot];
    double life = (double)pool->config.slow_start_ms;
    double age = (double)mono_sub(now, f->since);
    double boost = 1 + (SLOW_START_BOOST - 1) * (age < life ? age / life : 1);
    double all = (double)pool->sums.capacity[NODE_READY];
    double gap = ARRIVAL * (double)seats * all / ((double)pool->nodes[slot].capacity * boost);
    uint64_t before = pool->arrivals - (uint64_t)seats * ARRIVAL;
    /* No credit is saved up but what is less than one arrival, and no debt either: it may have been
     * chosen early because all others are full. */
    uint64_t from = f->next;
    if (from + ARRIVAL < before)
        from = before - ARRIVAL;
    if (from > before)
        from = before;
    f->next = from + (uint64_t)gap;
}

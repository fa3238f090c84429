/* pool_settle.c - pending of nodes that redeem no tickets: it counts until a report could have seen
 * the socket.
 *
 * Nobody says which ticket came in, so time has to do: a socket shows within `settle -
 * report_interval` (500 ms by default) of its pick, or not at all; the first report after that
 * holds it or never will. Counted in buckets of a twelfth of `settle`. */
#include "core/pool_parts.h"

int64_t settle_sum(const struct pool *pool, uint32_t slot)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < SETTLE_BUCKETS; i++)
        sum += pool->settle[slot].count[i];
    return sum;
}

void settle_clear(struct pool *pool, uint32_t slot)
{
    pool->settle[slot] = (struct node_settle){0};
}

/* Turn the ring so that `bucket` is its newest; what falls off the end stays in the oldest. */
static void turn(struct node_settle *s, int64_t bucket)
{
    int64_t steps = bucket - s->newest;
    if (steps > SETTLE_BUCKETS)
        steps = SETTLE_BUCKETS;
    for (int64_t i = steps; i > 0; i--) {
        int64_t fresh = bucket - i + 1;
        uint32_t *place = &s->count[fresh % SETTLE_BUCKETS];
        uint32_t *oldest = &s->count[(fresh + 1) % SETTLE_BUCKETS];
        *oldest += *place;
        *place = 0;
    }
    if (steps > 0)
        s->newest = bucket;
}

int64_t settle_add(struct pool *pool, uint32_t slot, mono_ms_t now, int64_t age_ms, int64_t n)
{
    struct node_settle *s = &pool->settle[slot];
    if (age_ms >= pool->config.settle_ms)
        return 0;
    turn(s, now.ms / pool->settle_bucket_ms);
    int64_t bucket = (now.ms - age_ms) / pool->settle_bucket_ms;
    if (bucket <= s->newest - SETTLE_BUCKETS)
        bucket = s->newest - SETTLE_BUCKETS + 1;
    if (bucket < 0)
        bucket = 0;
    s->count[bucket % SETTLE_BUCKETS] += (uint32_t)n;
    return n;
}

int64_t settle_seen(struct pool *pool, uint32_t slot, mono_ms_t now)
{
    struct node_settle *s = &pool->settle[slot];
    turn(s, now.ms / pool->settle_bucket_ms);
    int64_t seen = 0;
    for (int64_t b = s->newest; b > s->newest - SETTLE_BUCKETS && b >= 0; b--) {
        if ((b + 1) * pool->settle_bucket_ms > now.ms - pool->settle_after_ms)
            continue; /* some of it may be too young to be seen */
        seen += s->count[b % SETTLE_BUCKETS];
        s->count[b % SETTLE_BUCKETS] = 0;
    }
    return seen;
}

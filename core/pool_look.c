/* pool_look.c - looking at a pool: one node, sums, counters, and why a pick would fall as it does.
 */
#include "core/pool_parts.h"
#include "core/pool_ratio.h"

#include <assert.h>

bool pool_node(const struct pool *pool, uint32_t slot, struct pool_node *ret_node)
{
    if (!pool_has(pool, slot))
        return false;
    const struct node *n = &pool->nodes[slot];
    const struct node_text *t = &pool->texts[slot];
    const struct group *g = &pool->groups[n->group];
    *ret_node = (struct pool_node){
        .name = t->name,
        .endpoint = t->endpoint,
        .zone = g->zone,
        .version = g->version,
        .instance = t->instance,
        .epoch = n->epoch,
        .seq = n->seq,
        .state = n->state,
        .capacity = n->capacity,
        .conns = n->conns,
        .pending = n->pending > UINT32_MAX ? UINT32_MAX : (uint32_t)n->pending,
        .reserved = n->reserved,
        .est = node_est(n),
        .settles = n->settles,
        .fresh = n->fresh,
        .reported = pool->reported[slot],
    };
    return true;
}

uint32_t pool_slots(const struct pool *pool)
{
    return pool->slots;
}

const struct pool_sums *pool_sums(const struct pool *pool)
{
    return &pool->sums;
}

const struct pool_stats *pool_stats(const struct pool *pool)
{
    return &pool->stats;
}

const char *pool_why_word(enum pool_why why)
{
    static const char *const words[POOL_WHYS] = {"unknown_node", "other_epoch", "old_seq",
                                                 "old_second", "no_issuer"};
    assert((unsigned)why < POOL_WHYS);
    return words[why];
}

/* ---- explaining ---- */

uint64_t pool_rank(const struct pool *pool, uint32_t slot)
{
    const struct node *n = &pool->nodes[slot];
    uint32_t est = node_est(n);
    return pool->strategy->key(ratio_bits(est, n->capacity));
}

static bool is_excluded(const struct pool *pool, const struct pool_query *query, uint32_t slot)
{
    for (size_t i = 0; i < query->exclude_count && i < POOL_EXCLUDE_MAX; i++)
        if (pool_find(pool, query->exclude[i]) == slot)
            return true;
    return false;
}

static const char *verdict(const struct pool *pool, const struct pool_query *query, uint32_t slot)
{
    const struct node *n = &pool->nodes[slot];
    uint32_t seats = query->seats ? query->seats : 1;
    if (query->version.len > 0 && !span_is(query->version, pool->groups[n->group].version))
        return "version";
    if (n->state != NODE_READY)
        return state_word(n->state);
    if (n->doubted)
        return "doubted";
    if (is_excluded(pool, query, slot))
        return "excluded";
    if ((uint64_t)node_est(n) + seats > n->capacity)
        return "full";
    return n->place == IN_WAIT ? "slow_start" : "eligible";
}

/* Does a come before b in order of choice? */
static bool better(const struct pool *pool, const struct pool_candidate *a,
                   const struct pool_candidate *b)
{
    bool a_may = strcmp(a->verdict, "eligible") == 0, b_may = strcmp(b->verdict, "eligible") == 0;
    if (a_may != b_may)
        return a_may;
    if (a->in_zone != b->in_zone)
        return a->in_zone;
    uint64_t ra = pool_rank(pool, a->slot), rb = pool_rank(pool, b->slot);
    if (ra != rb)
        return ra < rb;
    return a->slot < b->slot;
}

size_t pool_explain(struct pool *pool, struct pool_now now, const struct pool_query *query,
                    struct pool_candidate *ret_list, size_t max)
{
    pool_reach(pool, now);
    size_t count = 0;
    for (uint32_t slot = 0; slot < pool->slots; slot++) {
        if (!pool->nodes[slot].used)
            continue;
        const struct node *n = &pool->nodes[slot];
        struct pool_candidate c = {
            .slot = slot,
            .est = node_est(n),
            .capacity = n->capacity,
            .verdict = verdict(pool, query, slot),
            .in_zone = query->zone.len == 0 || span_is(query->zone, pool->groups[n->group].zone),
        };
        size_t at = count < max ? count : max;
        while (at > 0 && better(pool, &c, &ret_list[at - 1])) {
            if (at < max)
                ret_list[at] = ret_list[at - 1];
            at--;
        }
        if (at < max)
            ret_list[at] = c;
        if (count < max)
            count++;
    }
    return count;
}

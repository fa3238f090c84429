/* pool_told.c - the peer link: what others handed out, and what to tell them of ours. */
#include "core/pool_parts.h"

static int apply(struct pool *pool, struct pool_now now, uint32_t slot,
                 const struct pool_told *told)
{
    struct node *n = &pool->nodes[slot];
    if (told->node_epoch != n->epoch) {
        pool->stats.refused[POOL_OTHER_EPOCH]++;
        return BERTH_ESTALE;
    }
    struct pending_change change;
    int rc = pending_told(&pool->pending, slot, told->issuer, told->issuer_epoch, told->second,
                          told->count, &change);
    if (rc < 0) {
        pool->stats.refused[rc == BERTH_ESTALE ? POOL_OLD_SECOND : POOL_NO_ISSUER]++;
        return rc;
    }
    if (change.assigned == 0)
        return 0;
    int64_t owed = change.owed;
    if (n->settles) {
        int64_t age_ms = now.wall.ms - (told->second * 1000 + 999);
        owed = settle_add(pool, slot, now.mono, age_ms < 0 ? 0 : age_ms, change.assigned);
    }
    pool->stats.told_used++;
    pool_pending_add(pool, slot, owed);
    pool_place(pool, slot);
    return 0;
}

int pool_told(struct pool *pool, struct pool_now now, const struct pool_told *told)
{
    pool_reach(pool, now);
    pool->stats.told++;
    if (told->issuer.len == 0 || told->issuer.len > POOL_NAME_MAX ||
        told->count > POOL_CAPACITY_MAX)
        return BERTH_EINVAL;
    uint32_t slot = pool_find(pool, told->node);
    if (slot == POOL_NONE) {
        pool->stats.refused[POOL_UNKNOWN_NODE]++;
        return BERTH_ENOENT;
    }
    return apply(pool, now, slot, told);
}

static struct pool_told tell(const struct pool *pool, const struct pending_entry *entry)
{
    const struct pending_issuer *issuer = &pool->pending.issuers[entry->issuer];
    return (struct pool_told){.node = span_of(pool->texts[entry->slot].name),
                              .issuer = span_of(issuer->name),
                              .node_epoch = pool->nodes[entry->slot].epoch,
                              .issuer_epoch = issuer->epoch,
                              .second = entry->second,
                              .count = entry->assigned};
}

size_t pool_changes(struct pool *pool, struct pool_told *ret_list, size_t max, bool *ret_resync)
{
    pool_book(pool);
    size_t n = 0;
    struct pending_entry entry;
    while (n < max && pending_take(&pool->pending, &entry))
        ret_list[n++] = tell(pool, &entry);
    *ret_resync = pool->pending.resync;
    pool->pending.resync = false;
    return n;
}

size_t pool_snapshot(struct pool *pool, uint64_t *cursor, struct pool_told *ret_list, size_t max)
{
    pool_book(pool);
    size_t n = 0;
    struct pending_entry entry;
    while (n < max && pending_walk(&pool->pending, cursor, &entry))
        ret_list[n++] = tell(pool, &entry);
    return n;
}

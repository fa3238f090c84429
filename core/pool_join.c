/* pool_join.c - nodes come and go: names, slots, groups of zone and version. */
#include "core/pool.h"

#include "core/pool_parts.h"

static uint32_t find_group(const struct pool *pool, struct span zone, struct span version)
{
    for (uint32_t i = 0; i < pool->groups_used; i++) {
        const struct group *g = &pool->groups[i];
        if (g->nodes > 0 && span_is(zone, g->zone) && span_is(version, g->version))
            return i;
    }
    return POOL_NONE;
}

static uint32_t reach_group(struct pool *pool, struct span zone, struct span version)
{
    uint32_t at = find_group(pool, zone, version);
    if (at != POOL_NONE)
        return at;
    for (at = 0; at < pool->groups_max && pool->groups[at].nodes > 0;)
        at++;
    if (at == pool->groups_max)
        return POOL_NONE;
    struct group *g = &pool->groups[at];
    (void)span_copy(zone, g->zone, sizeof g->zone); /* lengths checked by check_info */
    (void)span_copy(version, g->version, sizeof g->version);
    if (at >= pool->groups_used)
        pool->groups_used = at + 1;
    return at;
}

static int check_info(const struct pool_info *info, struct err *err)
{
    const struct {
        const char *name;
        struct span text;
        size_t max;
    } texts[] = {
        {"name", info->name, POOL_NAME_MAX},         {"endpoint", info->endpoint, POOL_URL_MAX},
        {"zone", info->zone, POOL_NAME_MAX},         {"version", info->version, POOL_NAME_MAX},
        {"instance", info->instance, POOL_NAME_MAX},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].text.len > texts[i].max)
            return err_set(err, BERTH_EINVAL, "node's %s has %zu bytes: at most %zu", texts[i].name,
                           texts[i].text.len, texts[i].max);
    if (info->name.len == 0)
        return err_set(err, BERTH_EINVAL, "node without a name");
    if (info->capacity < 1)
        return err_set(err, BERTH_EINVAL, "node %.*s: capacity = %lld: must be at least 1",
                       SPAN_ARG(info->name), (long long)info->capacity);
    return 0;
}

static uint32_t take_slot(struct pool *pool)
{
    if (pool->free_count > 0)
        return pool->free_slots[--pool->free_count];
    return pool->slots < pool->config.nodes_max ? pool->slots++ : POOL_NONE;
}

/* Another process has the name, or a new name came: it starts from nothing. */
static void begin_life(struct pool *pool, uint32_t slot, int64_t epoch)
{
    struct node *n = &pool->nodes[slot];
    pending_drop(&pool->pending, slot);
    settle_clear(pool, slot);
    fresh_unlink(pool, slot);
    n->epoch = epoch;
    n->seq = -1;
    n->conns = n->reserved = 0;
    n->pending = 0;
    n->state = NODE_JOINING;
    n->doubted = false;
    pool->reported[slot].ms = INT64_MIN;
}

int pool_join(struct pool *pool, struct pool_now now, const struct pool_info *info, struct err *err)
{
    int rc = check_info(info, err);
    if (rc < 0)
        return rc;
    pool_reach(pool, now);
    pool_book(pool);
    uint32_t slot = strmap_get(&pool->names, info->name);
    bool is_new = slot == STRMAP_NONE;
    if (!is_new && info->epoch < pool->nodes[slot].epoch)
        return BERTH_ESTALE;
    uint32_t group = reach_group(pool, info->zone, info->version);
    if (group == POOL_NONE)
        return err_set(err, BERTH_EFULL, "node %.*s: more than %u pairs of zone and version",
                       SPAN_ARG(info->name), pool->groups_max);
    if (is_new) {
        slot = take_slot(pool);
        if (slot == POOL_NONE)
            return err_set(err, BERTH_EFULL, "node %.*s: the pool has %u nodes already",
                           SPAN_ARG(info->name), pool->config.nodes_max);
        rc = strmap_put(&pool->names, info->name, slot);
        assert(rc == 0); /* as many names as slots */
        pool->nodes[slot] = (struct node){.used = true, .group = (uint16_t)group, .epoch = -1};
        pool->groups[group].nodes++;
    } else {
        pool_sum_node(pool, &pool->nodes[slot], -1);
        pool_leave_order(pool, slot);
    }
    struct node *n = &pool->nodes[slot];
    if (is_new || info->epoch != n->epoch) {
        if (n->state == NODE_READY)
            pool->groups[n->group].ready--;
        begin_life(pool, slot, info->epoch);
    }
    bool ready = n->state == NODE_READY;
    pool->groups[n->group].nodes--;
    pool->groups[n->group].ready -= ready;
    n->group = (uint16_t)group;
    pool->groups[group].nodes++;
    pool->groups[group].ready += ready;
    n->capacity = pool_cut(info->capacity);
    if (n->settles != info->settles) {
        n->settles = info->settles;
        n->pending =
            n->settles ? settle_sum(pool, slot) : (int64_t)pending_owed(&pool->pending, slot);
    }
    struct node_text *t = &pool->texts[slot];
    (void)span_copy(info->name, t->name, sizeof t->name); /* lengths checked above */
    (void)span_copy(info->endpoint, t->endpoint, sizeof t->endpoint);
    (void)span_copy(info->instance, t->instance, sizeof t->instance);
    pool_sum_node(pool, n, 1);
    pool_place(pool, slot);
    return (int)slot;
}

void pool_remove(struct pool *pool, struct pool_now now, uint32_t slot)
{
    assert(pool_has(pool, slot));
    pool_reach(pool, now);
    pool_book(pool);
    struct node *n = &pool->nodes[slot];
    pool_sum_node(pool, n, -1);
    pool_leave_order(pool, slot);
    struct group *g = &pool->groups[n->group];
    g->ready -= n->state == NODE_READY;
    g->nodes--;
    begin_life(pool, slot, -1);
    (void)strmap_remove(&pool->names, span_of(pool->texts[slot].name));
    n->used = false;
    pool->free_slots[pool->free_count++] = slot;
}

uint32_t pool_find(const struct pool *pool, struct span name)
{
    return strmap_get(&pool->names, name);
}

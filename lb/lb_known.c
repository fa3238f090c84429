/* lb_known.c - what the core knows of its pools and nodes, for the API and metrics. */
#include "lb/internal.h"

size_t lb_pool_count(const struct lb *lb)
{
    return lb->config.pool_count;
}

int lb_pool_find(const struct lb *lb, struct span name)
{
    for (size_t i = 0; i < lb->config.pool_count; i++)
        if (span_is(name, lb->pools[i].config.settings->name))
            return (int)i;
    return BERTH_ENOENT;
}

bool lb_store_is_up(const struct lb *lb)
{
    for (size_t i = 0; i < lb->config.pool_count; i++)
        if (!lb->pools[i].store_up)
            return false;
    return true;
}

/* With nobody there to be heard of, a feed that is followed is up to date. */
static int64_t view_age(const struct lb_pool *pool, mono_ms_t now)
{
    const struct pool_sums *sums = pool_sums(pool->table);
    uint32_t reporting = 0;
    for (size_t i = 0; i < NODE_LOST; i++)
        reporting += sums->nodes[i];
    if (!pool->heard)
        return -1;
    return pool->live && reporting == 0 ? 0 : mono_sub(now, pool->heard_at);
}

void lb_pool_view(const struct lb *lb, size_t index, mono_ms_t now, struct lb_pool_view *ret_view)
{
    const struct lb_pool *pool = &lb->pools[index];
    const struct pool_sums *sums = pool_sums(pool->table);
    const struct want *closed = &pool->closed_want;
    *ret_view = (struct lb_pool_view){
        .name = pool->config.settings->name,
        .settings = pool->config.settings,
        .ready = pool->ready,
        .live = pool->live,
        .view_age_ms = view_age(pool, now),
        .owner = pool->owner && pool->store_up && lease_held(&pool->lease, now),
        .owner_name = pool->holder,
        .token = lease_token(&pool->lease),
        .epoch = pool->epoch,
        .named = pool->named,
        .name_refused = pool->name_refused,
        .closed_message = "",
        .conns = sums->conns[NODE_READY],
        .pending = sums->pending[NODE_READY],
        .capacity = sums->capacity[NODE_READY],
        .rooms_known = pool->rooms.map.count,
        .holding = mono_before(now, pool->hold_until),
        .guarded = pool->guarded,
        .doubted = pool->doubted,
        .tilts = lease_tilts(&pool->lease),
    };
    if (closed->kind == WANT_CLOSED && !want_expired(closed, lb_store_now(lb, index, now))) {
        ret_view->closed = true;
        ret_view->closed_message = closed->why;
        ret_view->closed_until = closed->until;
    } else if (pool->config.settings->closed) {
        ret_view->closed = true;
        if (pool->config.settings->closed_message != NULL)
            ret_view->closed_message = pool->config.settings->closed_message;
    }
    for (size_t i = 0; i < NODE_STATES; i++) {
        ret_view->nodes[i] = sums->nodes[i];
        ret_view->node_count += sums->nodes[i];
        ret_view->conns_all += sums->conns[i];
        ret_view->pending_all += sums->pending[i];
    }
}

size_t lb_node_slots(const struct lb *lb, size_t pool)
{
    return pool_slots(lb->pools[pool].table);
}

bool lb_node_view(const struct lb *lb, size_t index, size_t slot, mono_ms_t now,
                  struct lb_node_view *ret_view)
{
    const struct lb_pool *pool = &lb->pools[index];
    const struct lb_node *node = &pool->nodes[slot];
    struct pool_node seat;
    if (slot >= pool->nodes_zeroed || !node->used || !pool_node(pool->table, (uint32_t)slot, &seat))
        return false;
    *ret_view = (struct lb_node_view){
        .name = node->name,
        .info = &node->info,
        .state = node->state,
        .report = &node->report,
        .pending = seat.pending,
        .est = seat.est,
        .report_age_ms = mono_sub(now, view_heard_at(pool, node)),
        .want = view_want(lb, pool, node),
        .probe_successes = node->probe.successes,
        .probe_failures = node->probe.failures,
        .probe_why = node->probe.why,
    };
    return true;
}

int lb_node_find(const struct lb *lb, size_t pool, struct span name)
{
    uint32_t slot = pool_find(lb->pools[pool].table, name);
    return slot == POOL_NONE ? BERTH_ENOENT : (int)slot;
}

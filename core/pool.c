/* pool.c - the nodes of a pool: what each is, what it reports, what is pending on it, where it
 * stands in the order. */
#include "core/pool.h"

#include "core/pool_parts.h"

#include <assert.h>
#include <stdlib.h>

enum {
    ISSUERS_DEFAULT = 8,
    SLOW_START_BOOST = 4, /* a fresh node's share grows from its fair one to so many times that */
    ARRIVAL = 256,        /* units of pool.arrivals a seat */
};

/* ---- life ---- */

static int check(const struct pool_config *c, struct err *err)
{
    const struct {
        const char *name;
        int64_t value, min, max;
    } limits[] = {
        {"nodes_max", c->nodes_max, 1, POOL_NODES_MAX},
        {"issuers_max", c->issuers_max, 2, POOL_ISSUERS_MAX},
        {"ticket_ttl_ms", c->ticket_ttl_ms, 1000, 55000},
        {"skew_ms", c->skew_ms, 0, 2000},
        {"report_interval_ms", c->report_interval_ms, 100, 10000},
        {"settle_ms", c->settle_ms, c->report_interval_ms, 60000},
        {"slow_start_ms", c->slow_start_ms, 0, 3600000},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].value < limits[i].min || limits[i].value > limits[i].max)
            return err_set(err, BERTH_EINVAL, "pool: %s = %lld: must be %lld..%lld", limits[i].name,
                           (long long)limits[i].value, (long long)limits[i].min,
                           (long long)limits[i].max);
    return 0;
}

static int take_memory(struct pool *pool)
{
    uint32_t n = pool->config.nodes_max;
    pool->groups_max = n < POOL_GROUPS_MAX ? n : POOL_GROUPS_MAX;
    pool->nodes = aligned_alloc(64, n * sizeof *pool->nodes);
    if (pool->nodes)
        memset(pool->nodes, 0, n * sizeof *pool->nodes);
    pool->texts = calloc(n, sizeof *pool->texts);
    pool->fresh = calloc(n, sizeof *pool->fresh);
    pool->settle = calloc(n, sizeof *pool->settle);
    pool->reported = calloc(n, sizeof *pool->reported);
    pool->free_slots = calloc(n, sizeof *pool->free_slots);
    pool->groups = calloc(pool->groups_max, sizeof *pool->groups);
    if (!pool->nodes || !pool->texts || !pool->fresh || !pool->settle || !pool->reported ||
        !pool->free_slots || !pool->groups)
        return BERTH_ENOMEM;
    if (strmap_init(&pool->names, n, pool->config.seed) < 0 ||
        order_store_init(&pool->orders, n, pool->groups_max, pool->strategy->key,
                         pool->config.seed + 1) < 0 ||
        heap_store_init(&pool->wait_store, n, 1) < 0)
        return BERTH_ENOMEM;
    pool->wait_table = calloc(pool->wait_store.table_len, sizeof(heap_entry *));
    if (!pool->wait_table)
        return BERTH_ENOMEM;
    heap_init(&pool->wait, &pool->wait_store, pool->wait_table);
    for (uint32_t i = 0; i < pool->groups_max; i++)
        order_init(&pool->groups[i].order, &pool->orders, i);
    const struct pool_config *c = &pool->config;
    return pending_init(&pool->pending, n, c->issuers_max,
                        c->ticket_ttl_ms + c->skew_ms + c->report_interval_ms);
}

int pool_create(const struct pool_config *config, struct pool **ret_pool, struct err *err)
{
    struct pool_config c = *config;
    if (c.issuers_max == 0)
        c.issuers_max = ISSUERS_DEFAULT;
    if (c.settle_ms == 0)
        c.settle_ms = c.report_interval_ms + 500;
    if (!c.strategy)
        c.strategy = &strategy_spread;
    int rc = check(&c, err);
    if (rc < 0)
        return rc;
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return err_set(err, BERTH_ENOMEM, "pool: no memory");
    pool->config = c;
    pool->strategy = c.strategy;
    pool->last.ms = INT64_MIN;
    pool->fresh_first = pool->fresh_last = POOL_NONE;
    pool->settle_after_ms = c.settle_ms - c.report_interval_ms;
    pool->settle_bucket_ms = c.settle_ms / SETTLE_SPAN + 1;
    rng_seed(&pool->rng, c.seed);
    rc = take_memory(pool);
    if (rc < 0) {
        pool_destroy(pool);
        return err_set(err, rc, "pool: no memory for %u nodes", c.nodes_max);
    }
    *ret_pool = pool;
    return 0;
}

void pool_destroy(struct pool *pool)
{
    if (!pool)
        return;
    pending_fini(&pool->pending);
    order_store_fini(&pool->orders);
    heap_store_fini(&pool->wait_store);
    strmap_fini(&pool->names);
    free(pool->wait_table);
    free(pool->groups);
    free(pool->free_slots);
    free(pool->reported);
    free(pool->settle);
    free(pool->fresh);
    free(pool->texts);
    free(pool->nodes);
    free(pool);
}

void pool_self(struct pool *pool, struct span name, int64_t epoch)
{
    pool_book(pool);
    pending_self(&pool->pending, name, epoch);
}

/* ---- the order ---- */

static void leave_order(struct pool *pool, uint32_t slot)
{
    struct node *n = &pool->nodes[slot];
    if (n->place == IN_GROUP)
        order_remove(&pool->groups[n->group].order, slot);
    else if (n->place == IN_WAIT)
        heap_remove(&pool->wait, slot);
    n->place = IN_NONE;
}

/* A fresh node that has had its share of arrivals. */
static void wait_turn(struct pool *pool, uint32_t slot)
{
    struct node *n = &pool->nodes[slot];
    uint64_t next = pool->fresh[slot].next;
    if (n->place == IN_WAIT) {
        heap_change(&pool->wait, slot, next, 0);
        return;
    }
    leave_order(pool, slot);
    heap_add(&pool->wait, slot, next, 0);
    n->place = IN_WAIT;
}

void pool_place(struct pool *pool, uint32_t slot)
{
    struct node *n = &pool->nodes[slot];
    uint32_t est = node_est(n);
    if (n->state != NODE_READY || est >= n->capacity) {
        leave_order(pool, slot);
        return;
    }
    if (n->fresh && pool->fresh[slot].next > pool->arrivals) {
        wait_turn(pool, slot);
        return;
    }
    struct order *order = &pool->groups[n->group].order;
    if (n->place == IN_GROUP) {
        order_move(order, slot, est, n->capacity);
        return;
    }
    leave_order(pool, slot);
    order_add(order, slot, est, n->capacity);
    n->place = IN_GROUP;
}

void pool_strategy(struct pool *pool, const struct strategy *strategy)
{
    for (uint32_t slot = 0; slot < pool->slots; slot++)
        leave_order(pool, slot);
    pool->strategy = strategy; /* no level is left that was ordered by the old one */
    pool->orders.key = strategy->key;
    for (uint32_t slot = 0; slot < pool->slots; slot++)
        pool_place(pool, slot);
}

/* ---- sums ---- */

/* Add (sign 1) or take away (-1) all that a node contributes to the sums. */
static void sum_node(struct pool *pool, const struct node *n, int sign)
{
    struct pool_sums *s = &pool->sums;
    s->nodes[n->state] += (uint32_t)sign;
    s->conns[n->state] += sign * (int64_t)n->conns;
    s->pending[n->state] += sign * n->pending;
    s->reserved[n->state] += sign * (int64_t)n->reserved;
    s->capacity[n->state] += sign * (int64_t)n->capacity;
}

void pool_pending_add(struct pool *pool, uint32_t slot, int64_t owed)
{
    struct node *n = &pool->nodes[slot];
    n->pending += owed;
    assert(n->pending >= 0);
    pool->sums.pending[n->state] += owed;
}

/* ---- slow start ---- */

static void fresh_unlink(struct pool *pool, uint32_t slot)
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

static void fresh_link(struct pool *pool, uint32_t slot, mono_ms_t since)
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

/* A fresh node was given seats: it waits until as many arrivals have passed as make these its
 * share. The share grows in a line from the fair one (capacity / capacity of all that are ready) to
 * SLOW_START_BOOST times that. */
static void fresh_charge(struct pool *pool, uint32_t slot, mono_ms_t now, uint32_t seats)
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

/* ---- nodes ---- */

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

static uint32_t cut(int64_t value)
{
    return value > POOL_CAPACITY_MAX ? POOL_CAPACITY_MAX : (uint32_t)value;
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
        sum_node(pool, &pool->nodes[slot], -1);
        leave_order(pool, slot);
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
    n->capacity = cut(info->capacity);
    if (n->settles != info->settles) {
        n->settles = info->settles;
        n->pending =
            n->settles ? settle_sum(pool, slot) : (int64_t)pending_owed(&pool->pending, slot);
    }
    struct node_text *t = &pool->texts[slot];
    (void)span_copy(info->name, t->name, sizeof t->name); /* lengths checked above */
    (void)span_copy(info->endpoint, t->endpoint, sizeof t->endpoint);
    (void)span_copy(info->instance, t->instance, sizeof t->instance);
    sum_node(pool, n, 1);
    pool_place(pool, slot);
    return (int)slot;
}

/* What the report says of our tickets. Returns the change of what is owed. */
static int64_t reconcile(struct pool *pool, uint32_t slot, const struct admitted_run *run)
{
    uint32_t issuer = pending_issuer(&pool->pending, span_of(run->issuer), run->issuer_epoch);
    if (issuer == PENDING_NONE) {
        pool->stats.refused[POOL_NO_ISSUER]++;
        return 0;
    }
    int64_t owed = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        struct pending_change change;
        if (pending_admitted(&pool->pending, slot, issuer, run->first_s + i, run->counts[i],
                             &change) == 0)
            owed += change.owed;
    }
    return owed;
}

int pool_report(struct pool *pool, struct pool_now now, uint32_t slot,
                const struct pool_report *report)
{
    assert(pool_has(pool, slot));
    pool_reach(pool, now);
    struct node *n = &pool->nodes[slot];
    pool->stats.reports++;
    if (report->epoch != n->epoch) {
        pool->stats.refused[POOL_OTHER_EPOCH]++;
        return BERTH_ESTALE;
    }
    if (report->seq <= n->seq) {
        pool->stats.refused[POOL_OLD_SEQ]++;
        return BERTH_ESTALE;
    }
    pool_book(pool);
    sum_node(pool, n, -1);
    n->seq = report->seq;
    n->conns = report->conns < 0 ? 0 : cut(report->conns);
    if (report->capacity >= 1)
        n->capacity = cut(report->capacity);
    pool->reported[slot] = now.mono;
    int64_t owed = 0;
    for (size_t i = 0; i < report->admitted_count; i++)
        owed += reconcile(pool, slot, &report->admitted[i]);
    n->pending += n->settles ? -settle_seen(pool, slot, now.mono) : owed;
    assert(n->pending >= 0);
    sum_node(pool, n, 1);
    pool_place(pool, slot);
    return 0;
}

void pool_state(struct pool *pool, struct pool_now now, uint32_t slot, enum node_state state,
                int64_t age_ms)
{
    assert(pool_has(pool, slot));
    pool_reach(pool, now);
    struct node *n = &pool->nodes[slot];
    if (n->state == state)
        return;
    sum_node(pool, n, -1);
    struct group *g = &pool->groups[n->group];
    g->ready -= n->state == NODE_READY;
    g->ready += state == NODE_READY;
    n->state = (uint8_t)state;
    sum_node(pool, n, 1);
    if (state == NODE_READY && age_ms < pool->config.slow_start_ms)
        fresh_link(pool, slot, mono_add(now.mono, -(age_ms < 0 ? 0 : age_ms)));
    else
        fresh_unlink(pool, slot);
    pool_place(pool, slot);
}

void pool_remove(struct pool *pool, struct pool_now now, uint32_t slot)
{
    assert(pool_has(pool, slot));
    pool_reach(pool, now);
    pool_book(pool);
    struct node *n = &pool->nodes[slot];
    sum_node(pool, n, -1);
    leave_order(pool, slot);
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

/* ---- handing out ---- */

/* Fresh nodes whose turn has come back. */
static void release_waiting(struct pool *pool)
{
    while (pool->wait.count > 0 && heap_key(heap_first(&pool->wait)) <= pool->arrivals)
        pool_place(pool, heap_slot(heap_first(&pool->wait)));
}

int64_t pool_assign(struct pool *pool, struct pool_now now, uint32_t slot, uint32_t seats)
{
    assert(pool_has(pool, slot) && seats >= 1 && seats <= POOL_SEATS_MAX);
    pool_reach(pool, now);
    struct node *n = &pool->nodes[slot];
    while (!pending_assign(&pool->pending, slot, seats))
        pool_book(pool);
    int64_t owed = n->settles ? settle_add(pool, slot, now.mono, 0, seats) : seats;
    pool_pending_add(pool, slot, owed);
    pool->stats.assigned_seats += seats;
    pool->arrivals += (uint64_t)seats * ARRIVAL;
    if (n->fresh)
        fresh_charge(pool, slot, now.mono, seats);
    uint32_t est = node_est(n);
    if (n->place == IN_GROUP && !n->fresh && est < n->capacity)
        order_step(&pool->groups[n->group].order, slot, est, n->capacity);
    else
        pool_place(pool, slot);
    if (pool->wait.count > 0)
        release_waiting(pool);
    return pool->pending.now_s;
}

void pool_reserve(struct pool *pool, uint32_t slot, uint32_t seats)
{
    assert(pool_has(pool, slot) && seats <= POOL_SEATS_MAX);
    struct node *n = &pool->nodes[slot];
    n->reserved += seats;
    pool->sums.reserved[n->state] += seats;
    pool_place(pool, slot);
}

void pool_release(struct pool *pool, uint32_t slot, int64_t node_epoch, uint32_t seats)
{
    if (!pool_has(pool, slot) || pool->nodes[slot].epoch != node_epoch)
        return; /* another process now: it knows nothing of the reservation */
    struct node *n = &pool->nodes[slot];
    assert(n->reserved >= seats);
    n->reserved -= seats;
    pool->sums.reserved[n->state] -= seats;
    pool_place(pool, slot);
}

/* ---- time ---- */

/* Sweep with this budget of lanes. */
static void sweep(struct pool *pool, uint32_t budget)
{
    uint32_t slot;
    uint64_t drop;
    while (pending_sweep(&pool->pending, &budget, &slot, &drop)) {
        if (pool->nodes[slot].settles) /* its pending is not counted in seconds */
            continue;
        pool->stats.expired_seats += drop;
        pool_pending_add(pool, slot, -(int64_t)drop);
        pool_place(pool, slot);
    }
}

void pool_book(struct pool *pool)
{
    uint32_t slot;
    int64_t less;
    while (pending_book(&pool->pending, &slot, &less)) {
        if (pool->nodes[slot].settles)
            continue;
        pool_pending_add(pool, slot, -less);
        pool_place(pool, slot);
    }
}

void pool_tick(struct pool *pool, struct pool_now now)
{
    pool_book(pool);
    if (pending_tick(&pool->pending, now.wall))
        sweep(pool, UINT32_MAX); /* after a pause: all at once */
}

void pool_advance(struct pool *pool, struct pool_now now)
{
    pool_reach(pool, now);
    pool_book(pool);
    sweep(pool, POOL_ADVANCE_LANES_MAX);
    while (pool->fresh_first != POOL_NONE) {
        uint32_t slot = pool->fresh_first;
        if (mono_sub(now.mono, pool->fresh[slot].since) < pool->config.slow_start_ms)
            break;
        fresh_unlink(pool, slot);
        pool_place(pool, slot);
    }
}

mono_ms_t pool_deadline(const struct pool *pool, struct pool_now now)
{
    if (pending_sweep_due(&pool->pending))
        return now.mono;
    mono_ms_t at = mono_add(now.mono, 1000);
    int64_t tick_ms =
        pool->pending.tick_to_ms - now.wall.ms; /* the next second, or the next that is over */
    if (tick_ms < 1000)
        at = mono_add(now.mono, tick_ms < 0 ? 0 : tick_ms);
    if (pool->fresh_first != POOL_NONE)
        at = mono_min(at,
                      mono_add(pool->fresh[pool->fresh_first].since, pool->config.slow_start_ms));
    return at;
}

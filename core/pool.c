/* pool.c - the nodes of a pool: what each is, what it reports, what is pending on it, where it
 * stands in the order. */
#include "core/pool.h"
#include "core/mutant.h"

#include "core/memory.h"

#include "core/pool_parts.h"

#include <assert.h>
#include <stdlib.h>

enum { ISSUERS_DEFAULT = 8, TICKET_TTL_MIN_MS = 1000 };

/* ---- life ---- */

static int check(const struct pool_config *c, struct err *err)
{
    const struct {
        const char *name;
        int64_t value, min, max;
    } limits[] = {
        {"nodes_max", c->nodes_max, 1, POOL_NODES_MAX},
        {"issuers_max", c->issuers_max, 2, POOL_ISSUERS_MAX},
        {"ticket_ttl_ms", c->ticket_ttl_ms, TICKET_TTL_MIN_MS, 55000},
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

/* How long after its end a second is kept. */
static int64_t window_ms(const struct pool_config *c, int64_t ttl_ms)
{
    return ttl_ms + c->skew_ms + c->report_interval_ms;
}

static int take_memory(struct pool *pool)
{
    uint32_t n = pool->config.nodes_max;
    pool->groups_max = n < POOL_GROUPS_MAX ? n : POOL_GROUPS_MAX;
    pool->nodes = memory_table(n * sizeof *pool->nodes);
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
                         pool->config.seed + 1, &pool->nodes[0].in_order,
                         sizeof *pool->nodes) < 0 ||
        heap_store_init(&pool->wait_store, n, 1) < 0)
        return BERTH_ENOMEM;
    pool->wait_table = calloc(pool->wait_store.table_len, sizeof(heap_entry *));
    if (!pool->wait_table)
        return BERTH_ENOMEM;
    heap_init(&pool->wait, &pool->wait_store, pool->wait_table);
    for (uint32_t i = 0; i < pool->groups_max; i++)
        order_init(&pool->groups[i].order, &pool->orders, i);
    const struct pool_config *c = &pool->config;
    return pending_init(&pool->pending, n, c->issuers_max, window_ms(c, c->ticket_ttl_ms));
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

void pool_ticket_ttl(struct pool *pool, int64_t ttl_ms)
{
    assert(ttl_ms >= TICKET_TTL_MIN_MS && ttl_ms <= pool->config.ticket_ttl_ms);
    pending_window(&pool->pending, window_ms(&pool->config, ttl_ms));
}

/* ---- the order ---- */

void pool_leave_order(struct pool *pool, uint32_t slot)
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
    pool_leave_order(pool, slot);
    heap_add(&pool->wait, slot, next, 0);
    n->place = IN_WAIT;
}

void pool_place(struct pool *pool, uint32_t slot)
{
    struct node *n = &pool->nodes[slot];
    uint32_t est = MUTANT(picks_by_reports_alone) ? n->conns : node_est(n);
    bool out = n->state != NODE_READY && !(MUTANT(picks_draining) && n->state == NODE_DRAINING);
    if (out || n->doubted || est >= n->capacity) {
        pool_leave_order(pool, slot);
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
    pool_leave_order(pool, slot);
    order_add(order, slot, est, n->capacity);
    n->place = IN_GROUP;
}

void pool_strategy(struct pool *pool, const struct strategy *strategy)
{
    for (uint32_t slot = 0; slot < pool->slots; slot++)
        pool_leave_order(pool, slot);
    pool->strategy = strategy; /* no level is left that was ordered by the old one */
    pool->orders.key = strategy->key;
    for (uint32_t slot = 0; slot < pool->slots; slot++)
        pool_place(pool, slot);
}

/* ---- sums ---- */

void pool_sum_node(struct pool *pool, const struct node *n, int sign)
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

/* ---- reports and states ---- */

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

uint32_t pool_expect(const struct pool *pool, struct span name, bool soon)
{
    if (!soon) {
        strmap_expect(&pool->names, name);
        return POOL_NONE;
    }
    uint32_t slot = strmap_guess(&pool->names, name);
    if (slot == POOL_NONE)
        return slot;
    __builtin_prefetch(&pool->nodes[slot], 1);
    __builtin_prefetch(&pool->reported[slot], 1);
    pending_prefetch(&pool->pending, slot);
    return slot;
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
    pool_sum_node(pool, n, -1);
    n->seq = report->seq;
    if (!MUTANT(counts_never_fall) || report->conns > n->conns)
        n->conns = report->conns < 0 ? 0 : pool_cut(report->conns);
    if (report->capacity >= 1)
        n->capacity = pool_cut(report->capacity);
    pool->reported[slot] = now.mono;
    int64_t owed = 0;
    for (size_t i = 0; i < report->admitted_count; i++)
        owed += reconcile(pool, slot, &report->admitted[i]);
    n->pending += n->settles ? -settle_seen(pool, slot, now.mono) : owed;
    assert(n->pending >= 0);
    pool_sum_node(pool, n, 1);
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
    pool_sum_node(pool, n, -1);
    struct group *g = &pool->groups[n->group];
    g->ready -= n->state == NODE_READY;
    g->ready += state == NODE_READY;
    n->state = (uint8_t)state;
    pool_sum_node(pool, n, 1);
    if (state == NODE_READY && age_ms < pool->config.slow_start_ms)
        fresh_link(pool, slot, mono_add(now.mono, -(age_ms < 0 ? 0 : age_ms)));
    else
        fresh_unlink(pool, slot);
    pool_place(pool, slot);
}

void pool_doubt(struct pool *pool, uint32_t slot, bool doubted)
{
    assert(pool_has(pool, slot));
    if (pool->nodes[slot].doubted == doubted)
        return;
    pool->nodes[slot].doubted = doubted;
    pool_place(pool, slot);
}

/* ---- handing out ---- */

/* Fresh nodes whose turn has come back. */
static void release_waiting(struct pool *pool)
{
    while (pool->wait.count > 0 && heap_key(heap_first(&pool->wait)) <= pool->arrivals)
        pool_place(pool, heap_slot(heap_first(&pool->wait)));
}

/* They are counted by second: so many more are owed, as far as that is known yet. */
static void count_assigned(struct pool *pool, struct pool_now now, uint32_t slot, uint32_t seats,
                           int64_t owed)
{
    struct node *n = &pool->nodes[slot];
    if (n->settles)
        owed = settle_add(pool, slot, now.mono, 0, seats);
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
}

int64_t pool_assign(struct pool *pool, struct pool_now now, uint32_t slot, uint32_t seats)
{
    assert(pool_has(pool, slot) && seats >= 1 && seats <= POOL_SEATS_MAX);
    pool_reach(pool, now);
    while (!pending_assign(&pool->pending, slot, seats))
        pool_book(pool);
    count_assigned(pool, now, slot, seats, seats);
    return pool->pending.now_s;
}

int64_t pool_assign_at(struct pool *pool, struct pool_now now, uint32_t slot, uint32_t seats,
                       int64_t second)
{
    assert(pool_has(pool, slot) && seats >= 1 && seats <= POOL_SEATS_MAX);
    pool_reach(pool, now);
    if (second == pool->pending.now_s || !pending_alive(&pool->pending, second))
        return pool_assign(pool, now, slot, seats);
    count_assigned(pool, now, slot, seats, pending_assign_at(&pool->pending, slot, second, seats));
    return second;
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
    if (!pool_has(pool, slot) || pool->nodes[slot].epoch != node_epoch || MUTANT(reservation_leaks))
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

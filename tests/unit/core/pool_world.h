/* pool_world.h - a pool with a clock to turn, for tests. */
#ifndef BERTH_TESTS_UNIT_CORE_POOL_WORLD_H
#define BERTH_TESTS_UNIT_CORE_POOL_WORLD_H

#include "core/pool.h"

#include "tests/support/cmocka.h"

#include <stdio.h>

struct world {
    struct pool *pool;
    struct pool_now now;
    int64_t seq;
};

enum { WORLD_NODE_EPOCH = 100, WORLD_LB_EPOCH = 7 };

/* 64 nodes, tickets of 10 s, no slow start; starts at a whole second. */
static inline struct pool_config world_config(void)
{
    return (struct pool_config){.nodes_max = 64,
                                .seed = 1,
                                .ticket_ttl_ms = 10000,
                                .skew_ms = 1000,
                                .report_interval_ms = 1000};
}

static inline struct world world_of(struct pool_config config)
{
    struct world w = {.now = {{5000}, {1763726400000}}, .seq = 0};
    struct err err = {0};
    if (pool_create(&config, &w.pool, &err) != 0)
        fail_msg("%s", err.text);
    pool_self(w.pool, SPAN("lb-a"), WORLD_LB_EPOCH);
    return w;
}

static inline struct world world_new(void)
{
    return world_of(world_config());
}

static inline void world_end(struct world *w)
{
    pool_destroy(w->pool);
    w->pool = NULL;
}

/* Both clocks go on; the pool is told in steps of at most 250 ms. */
static inline void world_wait(struct world *w, int64_t ms)
{
    while (ms > 0) {
        int64_t step = ms < 250 ? ms : 250;
        w->now.mono.ms += step;
        w->now.wall.ms += step;
        ms -= step;
        pool_advance(w->pool, w->now);
    }
}

static inline uint32_t world_join_as(struct world *w, struct pool_info info)
{
    if (info.epoch == 0)
        info.epoch = WORLD_NODE_EPOCH;
    if (info.capacity == 0)
        info.capacity = 100;
    struct err err = {0};
    int slot = pool_join(w->pool, w->now, &info, &err);
    if (slot < 0)
        fail_msg("join: %d %s", slot, err.text);
    return (uint32_t)slot;
}

/* A ready node of this capacity. */
static inline uint32_t world_ready(struct world *w, const char *name, int64_t capacity)
{
    uint32_t slot =
        world_join_as(w, (struct pool_info){.name = span_of(name), .capacity = capacity});
    pool_state(w->pool, w->now, slot, NODE_READY, 0);
    return slot;
}

static inline struct pool_node world_node(const struct world *w, uint32_t slot)
{
    struct pool_node n;
    assert_true(pool_node(w->pool, slot, &n));
    return n;
}

/* A report with `adm` as text ("-": none). */
static inline int world_report(struct world *w, uint32_t slot, int64_t conns, const char *adm)
{
    struct admitted_run runs[ADMITTED_ISSUERS_MAX];
    int n = admitted_parse(span_of(adm), runs, ADMITTED_ISSUERS_MAX);
    assert_true(n >= 0);
    struct pool_report report = {.epoch = world_node(w, slot).epoch,
                                 .seq = ++w->seq,
                                 .conns = conns,
                                 .admitted = runs,
                                 .admitted_count = (size_t)n};
    return pool_report(w->pool, w->now, slot, &report);
}

/* `adm` of one issuer and second. */
static inline const char *world_adm(char buf[static 128], const char *lb, int64_t epoch,
                                    int64_t second, unsigned count)
{
    snprintf(buf, 128, "%s/%lld/%lld:%u", lb, (long long)epoch, (long long)second, count);
    return buf;
}

/* The slot picked by a query, or POOL_NONE; counts nothing. */
static inline uint32_t world_pick_as(struct world *w, struct pool_query query)
{
    struct pool_choice choice;
    return pool_pick(w->pool, w->now, &query, &choice) == 0 ? choice.slot : POOL_NONE;
}

static inline uint32_t world_pick(struct world *w)
{
    return world_pick_as(w, (struct pool_query){0});
}

/* Pick and count one seat. */
static inline uint32_t world_take(struct world *w)
{
    uint32_t slot = world_pick(w);
    if (slot != POOL_NONE)
        pool_assign(w->pool, w->now, slot, 1);
    return slot;
}

static inline int world_told(struct world *w, uint32_t slot, const char *lb, int64_t lb_epoch,
                             int64_t second, uint32_t count)
{
    struct pool_node n = world_node(w, slot);
    struct pool_told told = {.node = span_of(n.name),
                             .node_epoch = n.epoch,
                             .issuer = span_of(lb),
                             .issuer_epoch = lb_epoch,
                             .second = second,
                             .count = count};
    return pool_told(w->pool, w->now, &told);
}

#endif

/* bench_scale_autoscale.c - one autoscaler's cores with 50 pools of 2,000 nodes, in virtual time:
 * every report is taken in, and each pool is looked at once a second, as berth-autoscale does.
 *
 * Prints name=value pairs; tests/bench/scale.sh makes the line. */
#include "autoscale/scale.h"
#include "autoscale/view.h"
#include "core/rng.h"
#include "settings/rules.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POOLS = 50, PER_POOL = 2000, CONNS = 100, CAPACITY = 160 };
#define WALL_START_MS 1763726400000LL

static double cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct bench {
    struct policy policy[POOLS];
    struct scale *scale[POOLS];
    struct view view[POOLS];
    int64_t ms;
    struct effects fx;
    struct rng rng;
    double snapshot_cpu_s, report_cpu_s;
    uint64_t snapshots, reports;
} b;

static void step(size_t pool, struct scale_event ev)
{
    ev.now = (mono_ms_t){b.ms + 1000};
    ev.wall = (wall_ms_t){WALL_START_MS + b.ms};
    scale_step(b.scale[pool], &ev, &b.fx);
}

static void start(void)
{
    static const struct min_ready_settings least = {.ready = 100};
    static const struct average_connections_settings average = {
        .above = 130, .below = 40, .hold_ms = 10000, .step = 1};
    static const struct headroom_settings headroom = {.percent = 8};
    static struct feed_item item;
    for (size_t pool = 0; pool < POOLS; pool++) {
        struct policy *p = &b.policy[pool];
        char name[16];
        (void)snprintf(name, sizeof name, "p%zu", pool);
        policy_defaults(p, name);
        p->min = 100;
        p->max = PER_POOL;
        p->nodes_max = PER_POOL * 2;
        p->rules[p->rule_count++] = (struct rule){.kind = &rule_min_ready, .settings = &least};
        p->rules[p->rule_count++] = (struct rule){.kind = &rule_headroom, .settings = &headroom};
        p->rules[p->rule_count++] =
            (struct rule){.kind = &rule_average_connections, .settings = &average};
        b.scale[pool] = scale_create(p);
        int code = view_init(&b.view[pool], (size_t)p->nodes_max);
        assert(b.scale[pool] != NULL && code == 0);
        (void)code;
        view_begin(&b.view[pool]);
        for (int i = 0; i < PER_POOL; i++) {
            item = (struct feed_item){.kind = FEED_JOIN, .has_state = true};
            (void)snprintf(item.node, sizeof item.node, "n%d", i);
            item.info.epoch = i + 1;
            item.info.capacity = CAPACITY;
            (void)snprintf(item.info.instance, sizeof item.info.instance, "i%d", i);
            item.state = (struct node_state_record){.state = NODE_READY, .epoch = i + 1};
            view_item(&b.view[pool], &item);
        }
        view_end(&b.view[pool]);
        step(pool, (struct scale_event){.kind = SCALE_LEAD, .lead = {true, 7}});
        step(pool, (struct scale_event){.kind = SCALE_PLAN});
    }
}

static void second_of(size_t pool)
{
    static struct feed_item item;
    double from = cpu_s();
    item.kind = FEED_REPORT;
    for (int i = 0; i < PER_POOL; i++) {
        (void)snprintf(item.node, sizeof item.node, "n%d", i);
        item.report.epoch = i + 1;
        item.report.seq = b.ms / 1000 + 1;
        item.report.conns = CONNS - 3 + (int64_t)rng_below(&b.rng, 7);
        item.report.capacity = CAPACITY;
        item.report.at = (wall_ms_t){WALL_START_MS + b.ms};
        view_item(&b.view[pool], &item);
    }
    double between = cpu_s();
    struct scale_event ev = {.kind = SCALE_SNAPSHOT};
    ev.snapshot = view_snapshot(&b.view[pool], (wall_ms_t){WALL_START_MS + b.ms});
    step(pool, ev);
    b.report_cpu_s += between - from;
    b.snapshot_cpu_s += cpu_s() - between;
    b.reports += PER_POOL;
    b.snapshots++;
}

int main(int argc, char **argv)
{
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 3600;
    struct timespec from, to;
    rng_seed(&b.rng, 17);
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    start();
    for (long s = 0; s < seconds; s++) {
        b.ms = s * 1000;
        for (size_t pool = 0; pool < POOLS; pool++)
            second_of(pool);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    struct scale_status st;
    scale_status(b.scale[0], &st);
    if (st.figures.ready != PER_POOL) {
        (void)fprintf(stderr, "bench_scale_autoscale: %d of %d nodes are counted as ready\n",
                      st.figures.ready, PER_POOL);
        return 1;
    }
    (void)printf(
        "wall_s=%.1f autoscale_cpu_per_snapshot_ms=%.3f autoscale_cpu_per_report_ns=%.0f\n",
        (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
        b.snapshot_cpu_s * 1e3 / (double)b.snapshots, b.report_cpu_s * 1e9 / (double)b.reports);
    for (size_t pool = 0; pool < POOLS; pool++) {
        scale_destroy(b.scale[pool]);
        view_fini(&b.view[pool]);
    }
    return 0;
}

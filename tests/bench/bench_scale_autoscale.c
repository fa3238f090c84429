/* bench_scale_autoscale.c - one autoscaler's cores with 50 pools of 2,000 nodes and 10 million
 * players, in virtual time: every report is taken in, and each pool is looked at twice a
 * second, as berth-autoscale does with so many nodes.
 *
 * A node reports each second, half of them between two looks. How many players a node has
 * walks at random, in pairs of nodes: one has what the other lacks. Prints name=value pairs;
 * tests/bench/scale.sh makes the line. Exit code 1: something that must hold did not. */
#include "autoscale/scale.h"
#include "autoscale/view.h"
#include "core/rng.h"
#include "settings/rules.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    POOLS = 50,
    PER_POOL = 2000,
    NODES = POOLS * PER_POOL,
    CONNS = 100,
    CAPACITY = 160,
    LOOKS = 2, /* a second */
    EXPECT_FAR = 8,
    EXPECT_NEAR = 4, /* as store/store_follow.c does */
    SWING = 20       /* players more or fewer on a node, at most */
};
#define WALL_START_MS 1763726400000LL

static struct bench {
    struct policy policy[POOLS];
    struct scale *scale[POOLS];
    struct view view[POOLS];
    char names[PER_POOL][16];
    struct fleet_listed listed[PER_POOL]; /* what the provider says; the same in each pool */
    int swing[POOLS][PER_POOL / 2];       /* of the nodes 2i and, the other way, 2i + 1 */
    int64_t ms;
    struct effects fx;
    struct rng rng;
    double snapshot_cpu_s, report_cpu_s;
    uint64_t snapshots, reports, wishes;
} b;

static double clock_s(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static wall_ms_t wall(void)
{
    return (wall_ms_t){WALL_START_MS + b.ms};
}

static void step(size_t pool, struct scale_event ev)
{
    ev.now = (mono_ms_t){b.ms + 1000};
    ev.wall = wall();
    scale_step(b.scale[pool], &ev, &b.fx);
    bool list = false;
    for (size_t i = 0; i < b.fx.count; i++) {
        b.wishes += b.fx.item[i].kind == EFFECT_LAUNCH || b.fx.item[i].kind == EFFECT_TERMINATE;
        list = list || b.fx.item[i].kind == EFFECT_LIST;
    }
    if (list)
        step(pool,
             (struct scale_event){
                 .kind = SCALE_LISTED,
                 .listed = {.ok = true, .asked_at = ev.now, .items = b.listed, .count = PER_POOL}});
}

static void join_all(size_t pool)
{
    static struct feed_item item;
    view_begin(&b.view[pool]);
    for (int i = 0; i < PER_POOL; i++) {
        item = (struct feed_item){.kind = FEED_JOIN, .has_state = true};
        memcpy(item.node, b.names[i], sizeof b.names[i]);
        item.info.epoch = i + 1;
        item.info.capacity = CAPACITY;
        (void)snprintf(item.info.instance, sizeof item.info.instance, "i%d", i);
        item.state = (struct node_state_record){.state = NODE_READY, .epoch = i + 1};
        view_item(&b.view[pool], &item);
    }
    view_end(&b.view[pool]);
}

static int start(void)
{
    static const struct min_ready_settings least = {.ready = 100};
    static const struct average_connections_settings average = {
        .above = 130, .below = 40, .hold_ms = 10000, .step = 1};
    static const struct headroom_settings headroom = {.percent = 8};
    for (int i = 0; i < PER_POOL; i++) {
        (void)snprintf(b.names[i], sizeof b.names[i], "n%d", i);
        (void)snprintf(b.listed[i].id, sizeof b.listed[i].id, "i%d", i);
        b.listed[i].age_ms = 86400000;
    }
    for (size_t pool = 0; pool < POOLS; pool++) {
        struct policy *p = &b.policy[pool];
        char name[16];
        (void)snprintf(name, sizeof name, "p%zu", pool);
        policy_defaults(p, name);
        p->min = PER_POOL; /* or headroom would take some, once the first hour is over */
        p->max = PER_POOL;
        p->nodes_max = PER_POOL * 2;
        p->rules[p->rule_count++] = (struct rule){.kind = &rule_min_ready, .settings = &least};
        p->rules[p->rule_count++] = (struct rule){.kind = &rule_headroom, .settings = &headroom};
        p->rules[p->rule_count++] =
            (struct rule){.kind = &rule_average_connections, .settings = &average};
        b.scale[pool] = scale_create(p);
        if (b.scale[pool] == NULL || view_init(&b.view[pool], (size_t)p->nodes_max) < 0) {
            (void)fprintf(stderr, "bench_scale_autoscale: no memory\n");
            return -1;
        }
        join_all(pool);
        step(pool, (struct scale_event){.kind = SCALE_LEAD, .lead = {true, 7}});
        step(pool, (struct scale_event){.kind = SCALE_PLAN});
    }
    return 0;
}

/* Two nodes: what one gains the other loses. */
static int walk(size_t pool, int pair)
{
    int *swing = &b.swing[pool][pair];
    *swing += (int)rng_below(&b.rng, 3) - 1;
    if (*swing > SWING || *swing < -SWING)
        *swing = *swing > 0 ? SWING : -SWING;
    return *swing;
}

static void report(size_t pool, int i, int64_t conns)
{
    static struct feed_item item = {.kind = FEED_REPORT};
    memcpy(item.node, b.names[i], sizeof b.names[i]);
    item.report.epoch = i + 1;
    item.report.seq = b.ms / 1000 + 1;
    item.report.conns = conns;
    item.report.capacity = CAPACITY;
    item.report.at = wall();
    view_item(&b.view[pool], &item);
    b.reports++;
}

static void expect(size_t pool, int pair, bool soon)
{
    for (int i = 2 * pair; pair < PER_POOL / 2 && i < 2 * pair + 2; i++)
        view_expect(&b.view[pool], span_of(b.names[i]), soon);
}

/* What one pool reports between two looks, and the look. */
static void between_looks(size_t pool, int turn)
{
    double from = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    for (int pair = turn; pair < PER_POOL / 2; pair += LOOKS) {
        expect(pool, pair + EXPECT_FAR * LOOKS / 2, false);
        expect(pool, pair + EXPECT_NEAR * LOOKS / 2, true);
        int swing = walk(pool, pair);
        report(pool, 2 * pair, CONNS + swing);
        report(pool, 2 * pair + 1, CONNS - swing);
    }
    double between = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    struct scale_event ev = {.kind = SCALE_SNAPSHOT};
    ev.snapshot = view_snapshot(&b.view[pool], wall());
    step(pool, ev);
    b.report_cpu_s += between - from;
    b.snapshot_cpu_s += clock_s(CLOCK_PROCESS_CPUTIME_ID) - between;
    b.snapshots++;
}

static bool holds(long seconds)
{
    uint64_t ready = 0, players = 0, taken = 0;
    for (size_t pool = 0; pool < POOLS; pool++) {
        struct scale_status st;
        scale_status(b.scale[pool], &st);
        ready += (uint64_t)st.figures.ready;
        players += (uint64_t)st.figures.players;
        for (size_t i = 0; i < b.view[pool].count; i++)
            taken += (uint64_t)b.view[pool].rows[i].report_seq;
    }
    const struct {
        const char *what;
        uint64_t seen, wanted;
    } checks[] = {
        {"nodes that are ready", ready, NODES},
        {"players on them", players, (uint64_t)NODES * CONNS},
        {"reports taken in", taken, (uint64_t)NODES * (uint64_t)seconds},
        {"machines made or unmade, with nothing to do", b.wishes, 0},
    };
    bool good = true;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i].seen != checks[i].wanted) {
            (void)fprintf(stderr, "bench_scale_autoscale: %s: %llu, not %llu\n", checks[i].what,
                          (unsigned long long)checks[i].seen, (unsigned long long)checks[i].wanted);
            good = false;
        }
    return good;
}

int main(int argc, char **argv)
{
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 3600;
    if (seconds < 1) {
        (void)fprintf(stderr, "usage: bench_scale_autoscale SECONDS   (1 or more)\n");
        return 2;
    }
    rng_seed(&b.rng, 17);
    double from = clock_s(CLOCK_MONOTONIC);
    if (start() < 0)
        return 1;
    for (long look = 0; look < seconds * LOOKS; look++) {
        b.ms = look * 1000 / LOOKS;
        for (size_t pool = 0; pool < POOLS; pool++)
            between_looks(pool, (int)(look % LOOKS));
        if (look > 0 && look % (60 * LOOKS) == 0)
            (void)fprintf(stderr,
                          "bench-scale: autoscale: minute %ld of %ld, %.0f s, %.3f ms of CPU a "
                          "snapshot\n",
                          look / (60 * LOOKS), (seconds + 59) / 60, clock_s(CLOCK_MONOTONIC) - from,
                          b.snapshot_cpu_s * 1e3 / (double)b.snapshots);
    }
    bool good = holds(seconds);
    (void)printf("wall_s=%.1f autoscale_cpu_per_snapshot_ms=%.3f autoscale_cpu_per_report_ns=%.0f "
                 "snapshots=%llu cpu_s=%.0f\n",
                 clock_s(CLOCK_MONOTONIC) - from, b.snapshot_cpu_s * 1e3 / (double)b.snapshots,
                 b.report_cpu_s * 1e9 / (double)b.reports, (unsigned long long)b.snapshots,
                 clock_s(CLOCK_PROCESS_CPUTIME_ID));
    for (size_t pool = 0; pool < POOLS; pool++) {
        scale_destroy(b.scale[pool]);
        view_fini(&b.view[pool]);
    }
    return good ? 0 : 1;
}

/* bench_pick.c - how long a pick takes among 100,000 nodes, beside a report and beside a scan of
 * all of them.
 *
 * One thread, the real pool, CPU time. A pick is pool_pick and pool_assign of one seat. Virtual
 * time goes on by a second for each million picks, and every node reports once in that second what
 * came: so seconds are assigned, admitted, reconciled and swept as in production. The best of seven
 * rounds counts: whoever shares the machine only makes it slower. */
#include "core/pool.h"
#include "core/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 7, PICKS = 1000000 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double least(const double *values, size_t n)
{
    double best = values[0];
    for (size_t i = 1; i < n; i++)
        best = values[i] < best ? values[i] : best;
    return best;
}

struct bench {
    struct pool *pool;
    struct pool_now now;
    uint32_t nodes;
    int64_t seq;
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench-pick: %s\n", what);
        exit(1);
    }
}

static void fill(struct bench *b)
{
    struct pool_config config = {.nodes_max = b->nodes,
                                 .seed = 1,
                                 .ticket_ttl_ms = 10000,
                                 .skew_ms = 1000,
                                 .report_interval_ms = 1000};
    struct err err = {0};
    must(pool_create(&config, &b->pool, &err) == 0, err.text);
    pool_self(b->pool, SPAN("lb-a"), 1);
    struct rng rng;
    rng_seed(&rng, 2);
    for (uint32_t i = 0; i < b->nodes; i++) {
        char name[32];
        int n = snprintf(name, sizeof name, "node-%u", i);
        struct pool_info info = {.name = {name, (size_t)n}, .epoch = 1, .capacity = 100000};
        int slot = pool_join(b->pool, b->now, &info, &err);
        must(slot >= 0, err.text);
        struct pool_report report = {.epoch = 1, .seq = 1, .conns = (int64_t)rng_below(&rng, 20)};
        must(pool_report(b->pool, b->now, (uint32_t)slot, &report) == 0, "report refused");
        pool_state(b->pool, b->now, (uint32_t)slot, NODE_READY, 0);
    }
    b->seq = 1;
}

static double pick_round(struct bench *b)
{
    struct pool_query any = {0};
    struct pool_choice choice;
    double from = now_ns();
    for (int i = 0; i < PICKS; i++) {
        if (pool_pick(b->pool, b->now, &any, &choice) != 0)
            must(false, "nobody to pick");
        pool_assign(b->pool, b->now, choice.slot, 1);
    }
    return (now_ns() - from) / PICKS;
}

/* Everyone says how many came: all that were sent this second. */
static double report_round(struct bench *b)
{
    struct admitted_run run = {
        .issuer = "lb-a", .issuer_epoch = 1, .first_s = b->now.wall.ms / 1000, .count = 1};
    b->seq++;
    double from = now_ns();
    for (uint32_t i = 0; i < b->nodes; i++) {
        struct pool_node n;
        must(pool_node(b->pool, i, &n), "no such node");
        run.counts[0] = n.pending;
        struct pool_report report = {.epoch = 1,
                                     .seq = b->seq,
                                     .conns = (int64_t)n.conns + n.pending,
                                     .admitted = &run,
                                     .admitted_count = 1};
        if (pool_report(b->pool, b->now, i, &report) != 0)
            must(false, "report refused");
    }
    return (now_ns() - from) / b->nodes;
}

static double sweep_round(struct bench *b)
{
    b->now.mono.ms += 1000;
    b->now.wall.ms += 1000;
    double from = now_ns();
    do
        pool_advance(b->pool, b->now);
    while (pool_deadline(b->pool, b->now).ms <= b->now.mono.ms);
    return (now_ns() - from) / 1e6;
}

/* What a pick costs that looks at every node. */
static double scan_round(uint32_t nodes)
{
    struct load {
        uint32_t est, capacity;
    } *loads = malloc(nodes * sizeof *loads);
    must(loads != NULL, "no memory");
    for (uint32_t i = 0; i < nodes; i++)
        loads[i] = (struct load){.est = i * 2654435761u % 1000, .capacity = 100000};
    enum { SCANS = 300 };
    double from = now_ns();
    for (int s = 0; s < SCANS; s++) {
        uint32_t best = 0, est = loads[0].est, capacity = loads[0].capacity;
        for (uint32_t i = 1; i < nodes; i++) {
            if (__builtin_expect(
                    (uint64_t)loads[i].est * capacity < (uint64_t)est * loads[i].capacity, 0)) {
                best = i;
                est = loads[i].est;
                capacity = loads[i].capacity;
            }
        }
        loads[best].est++;
    }
    double ns = (now_ns() - from) / SCANS;
    free(loads);
    return ns;
}

int main(int argc, char **argv)
{
    struct bench b = {.now = {{1000}, {1763726400000}},
                      .nodes = argc > 1 ? (uint32_t)atoi(argv[1]) : 100000};
    fill(&b);
    double pick[ROUNDS], report[ROUNDS], sweep[ROUNDS], scan[5];
    for (int r = 0; r < ROUNDS; r++) {
        pick[r] = pick_round(&b);
        report[r] = report_round(&b);
        sweep[r] = sweep_round(&b);
        printf("round %d: pick %.1f ns, report %.1f ns, sweep %.2f ms\n", r + 1, pick[r], report[r],
               sweep[r]);
    }
    for (int r = 0; r < 5; r++)
        scan[r] = scan_round(b.nodes);
    printf("bench-pick: nodes=%u pick_ns=%.1f report_ns=%.1f scan_ns=%.0f\n", b.nodes,
           least(pick, ROUNDS), least(report, ROUNDS), least(scan, 5));
    pool_destroy(b.pool);
    return 0;
}

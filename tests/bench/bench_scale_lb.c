/* bench_scale_lb.c - one LB's core with 100,000 nodes in 50 pools and 10 million players, in
 * virtual time.
 *
 * Every node reports each second, in a phase of its own; players come at random (Poisson), are
 * placed by lb_place(), are in 0.3 s later, and stay 20 minutes on average. The LB owns every pool:
 * it probes, sweeps and renews its leases; whatever it asks is answered at once. Prints
 * name=value pairs; tests/bench/scale.sh makes the line. */
#include "core/rng.h"
#include "lb/lb.h"
#include "lb/place.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    POOLS = 50,
    PER_POOL = 2000,
    NODES = POOLS * PER_POOL,
    CONNS = 100, /* of a node at the beginning: 10 million in all */
    CAPACITY = 160,
    SESSION_S = 1200, /* mean */
    SLICES = 10,      /* of a second */
    WINDOW_S = 16,    /* admissions are told so long */
    SAMPLE_S = 5,
    QUEUE_MAX = 4096,
};
#define WALL_START_S 1763726400LL

struct node {
    char name[16];
    int64_t epoch;
    uint32_t conns, coming;      /* coming: placed in the last 0.3 s */
    uint16_t admitted[WINDOW_S]; /* by second, a ring */
};

static struct bench {
    struct lb *lb;
    struct lb_effects fx;
    struct node *nodes;
    struct rng rng;
    int64_t ms; /* of the virtual clock */
    struct feed_item item;
    struct {
        uint32_t node;
        int64_t at_ms, second;
    } * way; /* players on their way, a ring */
    uint64_t way_first, way_end;
    double report_cpu_s;
    uint64_t reports, placed, refused;
    double worst; /* busiest node of a pool by the pool's mean */
} b;
enum { WAY_MAX = 1 << 18 };

static double cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static mono_ms_t now(void)
{
    return (mono_ms_t){b.ms + 1000};
}

static wall_ms_t wall(void)
{
    return (wall_ms_t){WALL_START_S * 1000 + b.ms};
}

/* ---- the world answers ---- */

static void step(struct lb_event ev);

static void answer(const struct lb_effect *fx)
{
    static const struct resp none = {.type = RESP_LIST};
    struct store_answer a = {.word = ANSWER_OK, .now = wall(), .list = &none, .list2 = &none};
    struct lb_event ev = {.pool = fx->pool, .answer = &a};
    switch (fx->kind) {
    case LB_DO_ENROLL:
        ev.kind = LB_ENROLL_REPLY;
        a.epoch = 7;
        break;
    case LB_DO_LEASE:
        ev.kind = LB_LEASE_REPLY;
        ev.lease_request = fx->lease_request;
        a.token = 9;
        break;
    case LB_DO_SWEEP:
        ev.kind = LB_SWEEP_REPLY;
        break;
    case LB_DO_PROBE:
        ev.kind = LB_PROBE_REPLY;
        ev.answer = NULL;
        ev.node = span_of(fx->move.node);
        ev.node_epoch = fx->move.epoch;
        ev.ok = true;
        ev.why = "ok";
        break;
    default:
        return;
    }
    step(ev);
}

/* What a step asks for is answered after it, in order. */
static void step(struct lb_event ev)
{
    static struct lb_effect queue[QUEUE_MAX];
    static size_t first, end;
    static bool answering;
    ev.now = now();
    lb_step(b.lb, &ev, &b.fx);
    for (size_t i = 0; i < b.fx.count; i++)
        if (b.fx.items[i].kind <= LB_DO_PROBE) {
            assert(end - first < QUEUE_MAX);
            queue[end++ % QUEUE_MAX] = b.fx.items[i];
        }
    if (answering)
        return;
    answering = true;
    while (first < end) {
        struct lb_effect fx = queue[first++ % QUEUE_MAX];
        answer(&fx);
    }
    answering = false;
}

/* ---- nodes ---- */

static void join(uint32_t i)
{
    struct node *n = &b.nodes[i];
    size_t pool = i / PER_POOL;
    (void)snprintf(n->name, sizeof n->name, "n%u", i);
    n->epoch = WALL_START_S * 1000 + i;
    n->conns = CONNS;
    b.item = (struct feed_item){.kind = FEED_JOIN, .has_state = true};
    (void)snprintf(b.item.node, sizeof b.item.node, "%s", n->name);
    b.item.info = (struct node_info){
        .epoch = n->epoch, .capacity = CAPACITY, .tickets = true, .report_interval_ms = 1000};
    (void)snprintf(b.item.info.endpoint, sizeof b.item.info.endpoint, "ws://10.0.0.1:%u/ws",
                   1000 + i % 60000);
    b.item.state = (struct node_state_record){
        .state = NODE_READY, .since = {WALL_START_S * 1000 - 60000}, .epoch = n->epoch};
    step((struct lb_event){.kind = LB_FOLLOW_ITEM, .pool = pool, .item = &b.item});
}

static void fill_report(uint32_t i)
{
    struct node *n = &b.nodes[i];
    int64_t second = wall().ms / 1000;
    /* About one in twelve loses a player in a second. */
    while (n->conns > 0 && rng_unit(&b.rng) < (double)n->conns / SESSION_S)
        n->conns--;
    struct node_report *r = &b.item.report;
    memcpy(b.item.node, n->name, sizeof n->name);
    r->epoch = n->epoch;
    r->seq = b.ms / 1000 + 1;
    r->conns = n->conns;
    r->capacity = CAPACITY;
    r->at = wall();
    r->admitted_count = 0;
    struct admitted_run *run = &r->admitted[0];
    run->count = 0;
    for (int64_t s = second - WINDOW_S + 1; s <= second; s++) {
        uint16_t c = n->admitted[s % WINDOW_S];
        if (run->count == 0 && c == 0)
            continue;
        if (run->count == 0)
            run->first_s = s;
        run->counts[run->count++] = c;
    }
    if (run->count > 0) {
        r->admitted_count = 1;
        run->issuer_epoch = 7;
        memcpy(run->issuer, "lb-a", 5);
    }
    n->admitted[(second + 1) % WINDOW_S] = 0;
}

static void report_slice(int slice)
{
    b.item = (struct feed_item){.kind = FEED_REPORT};
    double from = cpu_s(), own = 0;
    for (uint32_t i = (uint32_t)slice; i < NODES; i += SLICES) {
        fill_report(i);
        step((struct lb_event){.kind = LB_FOLLOW_ITEM, .pool = i / PER_POOL, .item = &b.item});
        b.reports++;
    }
    double whole = cpu_s() - from;
    from = cpu_s(); /* what making them costs is not the LB's */
    struct rng kept = b.rng;
    for (uint32_t i = (uint32_t)slice; slice == 0 && i < NODES; i += SLICES * 10)
        fill_report(i);
    b.rng = kept;
    own = slice == 0 ? (cpu_s() - from) * 10 : 0;
    static double own_last;
    own_last = own > 0 ? own : own_last;
    b.report_cpu_s += whole - own_last;
}

/* ---- players ---- */

static void arrive(void)
{
    struct lb_placed placed;
    size_t pool = (size_t)rng_below(&b.rng, POOLS);
    const struct lb_ask ask = {.pool = pool};
    lb_place(b.lb, now(), &ask, &placed);
    if (placed.verdict != LB_PLACED) {
        if (b.refused++ == 0)
            (void)fprintf(stderr, "bench_scale_lb: refused at %lld ms: %s\n", (long long)b.ms,
                          placed.why);
        return;
    }
    b.placed++;
    uint32_t i = (uint32_t)strtoul(placed.node + 1, NULL, 10);
    b.nodes[i].coming++;
    b.way[b.way_end % WAY_MAX].node = i;
    b.way[b.way_end % WAY_MAX].at_ms = b.ms + 300;
    b.way[b.way_end++ % WAY_MAX].second = placed.seats[0].issued_s;
    assert(b.way_end - b.way_first < WAY_MAX);
}

static void come_in(void)
{
    for (; b.way_first < b.way_end && b.way[b.way_first % WAY_MAX].at_ms <= b.ms; b.way_first++) {
        struct node *n = &b.nodes[b.way[b.way_first % WAY_MAX].node];
        n->coming--;
        n->conns++;
        n->admitted[b.way[b.way_first % WAY_MAX].second % WINDOW_S]++;
    }
}

static void sample(void)
{
    for (uint32_t pool = 0; pool < POOLS; pool++) {
        uint64_t sum = 0, max = 0;
        for (uint32_t i = pool * PER_POOL; i < (pool + 1) * PER_POOL; i++) {
            uint64_t est = b.nodes[i].conns + b.nodes[i].coming;
            sum += est;
            max = est > max ? est : max;
        }
        double ratio = (double)max * PER_POOL / (double)sum;
        b.worst = ratio > b.worst ? ratio : b.worst;
    }
}

/* ---- the hour ---- */

static void start(void)
{
    static struct pool_settings settings[POOLS];
    static char names[POOLS][8];
    static struct lb_pool_config pools[POOLS];
    static struct lb_peer_settings me = {.name = "lb-a"};
    static struct lb_settings lb = {.name = "lb-a",
                                    .nodes_max = NODES,
                                    .lease_ms = 1000,
                                    .lease_renew_ms = 250,
                                    .peer_ping_ms = 250,
                                    .peer_dead_after = 3,
                                    .probe_rate = 500};
    static struct ticket_settings tickets = {.skew_ms = 1000};
    struct err err = {0};
    lb.peers = (struct section_items){.items = (void *)&me, .count = 1};
    for (size_t i = 0; i < POOLS; i++) {
        (void)snprintf(names[i], sizeof names[i], "p%zu", i);
        settings[i] =
            (struct pool_settings){.name = names[i],
                                   .capacity = CAPACITY,
                                   .report_interval_ms = 1000,
                                   .lost_after_ms = 3000,
                                   .forget_after_ms = 60000,
                                   .ticket_ttl_ms = 10000,
                                   .room_ticket_ttl_ms = 10000,
                                   .room_ttl_ms = 3600000,
                                   .rise = 2,
                                   .fall = 3,
                                   .guard_percent = 34,
                                   .probe = {.joining_interval_ms = 1000,
                                             .ready_interval_ms = 600000,
                                             /* 167 a second in all */ .timeout_ms = 2000},
                                   .retry_after_ms = 1000};
        pools[i] = (struct lb_pool_config){.settings = &settings[i]};
    }
    const struct lb_config config = {.name = "lb-a",
                                     .lb = &lb,
                                     .tickets = &tickets,
                                     .pools = pools,
                                     .pool_count = POOLS,
                                     .nodes_max = PER_POOL,
                                     .rooms_max = 1024,
                                     .players_max = 1024,
                                     .seed = 17};
    b.lb = lb_create(&config, now(), &err);
    if (b.lb == NULL) {
        (void)fprintf(stderr, "bench_scale_lb: %s\n", err.text);
        exit(1);
    }
    for (size_t i = 0; i < POOLS; i++)
        step((struct lb_event){.kind = LB_STORE_UP, .pool = i});
    for (size_t i = 0; i < POOLS; i++)
        step((struct lb_event){.kind = LB_FOLLOW_BEGIN, .pool = i});
    for (uint32_t i = 0; i < NODES; i++)
        join(i);
    for (size_t i = 0; i < POOLS; i++)
        step((struct lb_event){.kind = LB_FOLLOW_END, .pool = i});
}

int main(int argc, char **argv)
{
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 3600;
    double rate = (double)NODES * CONNS / SESSION_S, next_ms;
    b.nodes = calloc(NODES, sizeof *b.nodes);
    b.way = calloc(WAY_MAX, sizeof *b.way);
    assert(b.nodes != NULL && b.way != NULL && seconds > 0);
    rng_seed(&b.rng, 17);
    struct timespec from, to;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    start();
    next_ms = 1500; /* the first reports have been heard by then */
    for (long slice = 0; slice < seconds * SLICES; slice++) {
        report_slice((int)(slice % SLICES));
        int64_t end_ms = (slice + 1) * (1000 / SLICES);
        while (next_ms < (double)end_ms) {
            if ((int64_t)next_ms > b.ms)
                b.ms = (int64_t)next_ms;
            come_in();
            arrive();
            next_ms += rng_exponential(&b.rng, 1000.0 / rate);
        }
        b.ms = end_ms;
        come_in();
        while (lb_deadline(b.lb).ms <= now().ms) {
            mono_ms_t due = lb_deadline(b.lb);
            step((struct lb_event){.kind = LB_TICK});
            if (lb_deadline(b.lb).ms <= due.ms)
                break;
        }
        if (slice % (SAMPLE_S * SLICES) == 0 && slice >= 60 * SLICES)
            sample();
    }
    if (b.worst == 0)
        sample();
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    double wall_s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    (void)printf("reports=%llu wall_s=%.1f max_mean=%.4f reports_per_s=%.0f "
                 "lb_cpu_per_report_ns=%.0f placed=%llu refused=%llu\n",
                 (unsigned long long)b.reports, wall_s, b.worst, (double)b.reports / wall_s,
                 b.report_cpu_s * 1e9 / (double)b.reports, (unsigned long long)b.placed,
                 (unsigned long long)b.refused);
    lb_destroy(b.lb);
    free(b.nodes);
    free(b.way);
    return b.refused > 0 ? 1 : 0;
}

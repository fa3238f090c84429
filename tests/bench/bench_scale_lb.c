/* bench_scale_lb.c - one LB's core with 100,000 nodes in 50 pools and 10 million players, in
 * virtual time.
 *
 * A closed world: whoever ends a session asks for the next one within two seconds, is placed by
 * lb_place(), and is in 0.3 s later; one in a hundred never comes in and asks again. A session
 * lasts 20 minutes on average (exponential), and each of the ten million has an end of its own
 * (scale_players.c). Every node reports each second, in a millisecond of its own. The LB owns every
 * pool: it probes, sweeps and renews its leases; whatever it asks is answered at once. As in the
 * program, lb_deadline() is asked after each step.
 *
 * Prints name=value pairs; tests/bench/scale.sh makes the line. Exit code 1: something that must
 * hold did not. */
#include "core/rng.h"
#include "lb/lb.h"
#include "lb/place.h"
#include "tests/bench/scale_players.h"
#include "tests/support/usual_pool.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    POOLS = 50,
    PER_POOL = 2000,
    NODES = POOLS * PER_POOL,
    CONNS = 100, /* of a node at the beginning */
    CAPACITY = 160,
    SESSION_S = 1200, /* mean */
    COME_IN_MS = 300,
    AGAIN_MS = 2000, /* between two sessions: up to so long */
    NO_SHOWS = 100,  /* one in so many tickets is not used */
    PHASES = 1000,   /* a second's milliseconds: so many nodes' worth of reports in each */
    BATCH = NODES / PHASES,
    WINDOW_S = 16, /* admissions are told so long */
    SAMPLE_S = 5,
    QUEUE_MAX = 4096,
    WAY_MAX = 1 << 16,
    EXPECT_FAR = 8,
    EXPECT_NEAR = 4, /* as store/store_follow.c does */
};
#define WALL_START_S 1763726400LL
#define MEAN_MOST 1.05 /* no node of a pool is fuller than this by the pool's mean */

struct node {
    char name[16];
    int64_t epoch;
    uint32_t conns, coming;      /* coming: placed in the last 0.3 s */
    uint32_t told;               /* conns, in the last report */
    uint16_t admitted[WINDOW_S]; /* by second, a ring */
};

struct coming {
    uint32_t node;
    int64_t at_ms, second;
};

static struct bench {
    struct lb *lb;
    struct lb_effects fx;
    struct node *nodes;
    struct rng rng;
    int64_t ms;      /* of the virtual clock */
    mono_ms_t armed; /* the LB's timer */
    struct feed_item items[BATCH];
    struct players players;
    struct coming way[WAY_MAX]; /* a ring */
    uint64_t way_first, way_end;
    double lb_cpu_s, place_cpu_s;
    uint64_t reports, placed, timed, refused, probes;
    double worst; /* busiest node of a pool by the pool's mean */
    uint64_t least_playing;
} b;

static double cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double wall_clock_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
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

static void step(struct lb_event *ev);

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
        b.probes++;
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
    step(&ev);
}

/* What a step asks for is answered after it, in order. */
static void step(struct lb_event *ev)
{
    static struct lb_effect queue[QUEUE_MAX];
    static size_t first, end;
    static bool answering;
    ev->now = now();
    lb_step(b.lb, ev, &b.fx);
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

/* As the program does: after each step, when is the next? */
static void event(struct lb_event *ev)
{
    step(ev);
    b.armed = lb_deadline(b.lb);
}

static void tick(void)
{
    for (int n = 0; b.armed.ms <= now().ms; n++) {
        assert(n < 1000); /* a deadline that does not move on would spin the program */
        event(&(struct lb_event){.kind = LB_TICK});
    }
}

/* ---- players ---- */

static void left(uint32_t node)
{
    b.nodes[node].conns--;
}

static void ask(void)
{
    static struct lb_placed placed;
    const struct lb_ask ask = {.pool = (size_t)rng_below(&b.rng, POOLS)};
    lb_place(b.lb, now(), &ask, &placed);
    b.armed = lb_deadline(b.lb);
    if (placed.verdict != LB_PLACED) {
        if (b.refused++ == 0)
            (void)fprintf(stderr, "bench_scale_lb: refused at %lld ms: %s\n", (long long)b.ms,
                          placed.why);
        players_ask_within(&b.players, b.ms, 1000, AGAIN_MS);
        return;
    }
    b.placed++;
    if (rng_below(&b.rng, NO_SHOWS) == 0) {
        players_ask_within(&b.players, b.ms, 1000, AGAIN_MS);
        return;
    }
    uint32_t i = (uint32_t)strtoul(placed.node + 1, NULL, 10);
    b.nodes[i].coming++;
    b.way[b.way_end++ % WAY_MAX] =
        (struct coming){.node = i, .at_ms = b.ms + COME_IN_MS, .second = placed.seats[0].issued_s};
    assert(b.way_end - b.way_first < WAY_MAX);
}

static void ask_all(void)
{
    uint32_t count = players_take_asks(&b.players, b.ms);
    bool timed = b.ms % 16 == 0; /* reading the clock costs as much as a pick or two */
    double from = timed ? cpu_s() : 0;
    for (uint32_t i = 0; i < count; i++)
        ask();
    if (timed) {
        b.place_cpu_s += cpu_s() - from;
        b.timed += count;
    }
}

static void come_in(void)
{
    for (; b.way_first < b.way_end && b.way[b.way_first % WAY_MAX].at_ms <= b.ms; b.way_first++) {
        const struct coming *c = &b.way[b.way_first % WAY_MAX];
        struct node *n = &b.nodes[c->node];
        n->coming--;
        n->conns++;
        n->admitted[c->second % WINDOW_S]++;
        players_begin(&b.players, b.ms, c->node);
    }
}

/* ---- nodes ---- */

static void join(uint32_t i)
{
    struct node *n = &b.nodes[i];
    struct feed_item *item = &b.items[0];
    (void)snprintf(n->name, sizeof n->name, "n%u", i);
    n->epoch = WALL_START_S * 1000 + i;
    n->conns = CONNS;
    for (int p = 0; p < CONNS; p++)
        players_begin(&b.players, 0, i);
    *item = (struct feed_item){.kind = FEED_JOIN, .has_state = true};
    (void)snprintf(item->node, sizeof item->node, "%s", n->name);
    item->info = (struct node_info){
        .epoch = n->epoch, .capacity = CAPACITY, .tickets = true, .report_interval_ms = 1000};
    (void)snprintf(item->info.endpoint, sizeof item->info.endpoint, "ws://10.0.0.1:%u/ws",
                   1000 + i % 60000);
    item->state = (struct node_state_record){
        .state = NODE_READY, .since = {WALL_START_S * 1000 - 60000}, .epoch = n->epoch};
    struct lb_event ev = {.kind = LB_FOLLOW_ITEM, .pool = i / PER_POOL, .item = item};
    step(&ev);
}

static void fill_report(const struct node *n, struct feed_item *item)
{
    int64_t second = wall().ms / 1000;
    struct node_report *r = &item->report;
    memcpy(item->node, n->name, sizeof n->name);
    r->epoch = n->epoch;
    r->seq = b.ms / 1000 + 1;
    r->conns = n->conns;
    r->capacity = CAPACITY;
    r->at = wall();
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
    r->admitted_count = run->count > 0;
    run->issuer_epoch = 7;
    memcpy(run->issuer, "lb-a", 5);
}

static void expect(uint32_t phase, uint32_t k, bool soon)
{
    if (k < BATCH)
        lb_expect(b.lb, (phase + k * PHASES) / PER_POOL, span_of(b.items[k].node), soon);
}

/* The reports of this millisecond, and what the LB makes of them. */
static void report(void)
{
    uint32_t phase = (uint32_t)(b.ms % PHASES);
    int64_t next = wall().ms / 1000 + 1;
    for (uint32_t k = 0; k < BATCH; k++) {
        struct node *n = &b.nodes[phase + k * PHASES];
        fill_report(n, &b.items[k]);
        n->told = n->conns;
        n->admitted[next % WINDOW_S] = 0;
    }
    double from = cpu_s();
    struct lb_event ev = {.kind = LB_FOLLOW_ITEM};
    for (uint32_t k = 0; k < BATCH; k++) {
        expect(phase, k + EXPECT_FAR, false);
        expect(phase, k + EXPECT_NEAR, true);
        ev.pool = (phase + k * PHASES) / PER_POOL;
        ev.item = &b.items[k];
        event(&ev);
    }
    tick();
    b.lb_cpu_s += cpu_s() - from;
    b.reports += BATCH;
}

/* ---- looking ---- */

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
    b.least_playing = b.players.playing < b.least_playing ? b.players.playing : b.least_playing;
}

/* What the LB knows at the end must be what the world has been. */
struct outcome {
    uint64_t nodes, taken; /* ready nodes; reports that it took in */
    uint64_t players;      /* in the world */
    bool good;
};

static bool knows(size_t pool, size_t slot, struct outcome *o)
{
    struct lb_node_view view;
    if (!lb_node_view(b.lb, pool, slot, now(), &view))
        return false;
    const struct node *n = &b.nodes[strtoul(view.name + 1, NULL, 10)];
    o->nodes += view.state.state == NODE_READY;
    o->taken += (uint64_t)view.report->seq; /* they count from one, and an older one is not taken */
    return view.report->conns == n->told;
}

static struct outcome look_at_the_end(long seconds)
{
    struct outcome o = {.players = b.players.playing + b.players.asking + b.way_end - b.way_first};
    uint64_t known = 0, conns = 0;
    for (size_t pool = 0; pool < POOLS; pool++)
        for (size_t slot = 0; slot < lb_node_slots(b.lb, pool); slot++)
            known += knows(pool, slot, &o);
    for (size_t i = 0; i < NODES; i++)
        conns += b.nodes[i].conns;
    const struct {
        const char *what;
        bool holds;
    } checks[] = {
        {"every node is known with its last report", known == NODES && o.nodes == NODES},
        {"every report was taken in", o.taken == (uint64_t)NODES * (uint64_t)seconds},
        {"no player is lost, none appears", o.players == (uint64_t)NODES * CONNS},
        {"each session is on one node", conns == b.players.playing},
        {"nobody is refused", b.refused == 0},
        {"no node is much fuller than the mean of its pool", b.worst <= MEAN_MOST},
    };
    o.good = true;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (!checks[i].holds) {
            (void)fprintf(stderr, "bench_scale_lb: it does not hold: %s\n", checks[i].what);
            o.good = false;
        }
    return o;
}

/* ---- the hour ---- */

static void configure(struct pool_settings *settings, struct lb_pool_config *pools)
{
    static char names[POOLS][8];
    for (size_t i = 0; i < POOLS; i++) {
        (void)snprintf(names[i], sizeof names[i], "p%zu", i);
        settings[i] = usual_pool(names[i]);
        settings[i].capacity = CAPACITY;
        settings[i].room_ticket_ttl_ms = settings[i].ticket_ttl_ms;
        settings[i].probe.hold = false;
        pools[i] = (struct lb_pool_config){.settings = &settings[i]};
    }
}

static int start(void)
{
    static struct pool_settings settings[POOLS];
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
    configure(settings, pools);
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
        return -1;
    }
    static const enum lb_event_kind before[] = {LB_STORE_UP, LB_FOLLOW_BEGIN};
    for (size_t k = 0; k < sizeof before / sizeof *before; k++)
        for (size_t i = 0; i < POOLS; i++)
            step(&(struct lb_event){.kind = before[k], .pool = i});
    for (uint32_t i = 0; i < NODES; i++)
        join(i);
    for (size_t i = 0; i < POOLS; i++)
        step(&(struct lb_event){.kind = LB_FOLLOW_END, .pool = i});
    for (size_t k = 0; k < BATCH; k++)
        b.items[k] = (struct feed_item){.kind = FEED_REPORT};
    b.least_playing = UINT64_MAX;
    return 0;
}

static void run(long seconds, double from)
{
    for (b.ms = 0; b.ms < seconds * 1000; b.ms++) {
        if (b.ms % PLAYERS_SLICE_MS == 0)
            players_leave(&b.players, b.ms, AGAIN_MS, left);
        come_in();
        report();
        ask_all();
        if (b.ms % (SAMPLE_S * 1000) == 0 && b.ms >= 60000)
            sample();
        if (b.ms > 0 && b.ms % 60000 == 0)
            (void)fprintf(stderr,
                          "bench-scale: lb: minute %lld of %ld, %.0f s, max_mean=%.4f, %.0f ns of "
                          "CPU a report\n",
                          (long long)b.ms / 60000, (seconds + 59) / 60, wall_clock_s() - from,
                          b.worst, b.lb_cpu_s * 1e9 / (double)b.reports);
    }
    if (b.worst == 0)
        sample();
}

int main(int argc, char **argv)
{
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 3600;
    b.nodes = calloc(NODES, sizeof *b.nodes);
    if (seconds < 1 || b.nodes == NULL ||
        players_init(&b.players, NODES * CONNS, SESSION_S * 1000.0, 19) < 0) {
        (void)fprintf(stderr, "usage: bench_scale_lb SECONDS   (1 or more; 0.5 GB of memory)\n");
        return 2;
    }
    rng_seed(&b.rng, 17);
    double from = wall_clock_s();
    if (start() < 0)
        return 1;
    run(seconds, from);
    double wall_s = wall_clock_s() - from;
    struct outcome o = look_at_the_end(seconds);
    (void)printf(
        "nodes=%llu players=%llu wall_s=%.1f max_mean=%.4f reports_per_s=%.0f "
        "lb_cpu_per_report_ns=%.0f placed=%llu cpu_per_placement_ns=%.0f playing_least=%llu "
        "probes_per_s=%.0f cpu_s=%.0f\n",
        (unsigned long long)o.nodes, (unsigned long long)o.players, wall_s, b.worst,
        (double)o.taken / wall_s, b.lb_cpu_s * 1e9 / (double)b.reports,
        (unsigned long long)b.placed, b.timed > 0 ? b.place_cpu_s * 1e9 / (double)b.timed : 0,
        (unsigned long long)b.least_playing, (double)b.probes / (double)seconds, cpu_s());
    lb_destroy(b.lb);
    free(b.nodes);
    players_fini(&b.players);
    return o.good ? 0 : 1;
}

/* faults.c - what befalls the world, all of it drawn from the seed when the world begins. */
#include "tests/sim/judge.h"
#include "tests/sim/world.h"

#include <assert.h>
#include <stdlib.h>

const char *const fault_words[FAULT_KINDS] = {
    "kill",       "term",         "machine",        "pause",       "cut",
    "isolate",    "store_cut",    "mass_silence",   "clock_rate",  "clock_jump",
    "store_hang", "store_outage", "store_failover", "store_empty", "store_clock",
    "weather",    "cloud",        "operator",       "peer_cut",    "aimed",
};

struct fault {
    enum fault_kind kind;
    int64_t at_us, for_us;
    struct sim_event begin, end;
    bool over;
    bool armed;              /* AIMED: waits for somebody */
    struct sim_event strike; /* of whom it aims at */
    struct task *target;
    size_t kind_of_target, index;
    /* What it took. */
    int pairs[2 * HOSTS_MAX][2];
    size_t pair_count;
    struct proc *proc;
    struct keyspace *copy;
    char node[64];
    enum pool_id pool;
};

static struct {
    struct fault list[FAULTS_MAX];
    size_t count, left;
    struct rng rng;
    int blocks[HOSTS_MAX][HOSTS_MAX]; /* how many faults cut this way */
} all;

/* ---- victims ---- */

static struct task *pick_task(size_t *ret_kind, size_t *ret_index)
{
    struct {
        struct task *task;
        size_t kind, index;
    } list[LBS_MAX + AUTOSCALERS_MAX + INSTANCES_MAX];
    size_t n = 0;
    for (int weight = 0; weight < 3; weight++) { /* the few are met as often as the many */
        for (size_t i = 0; i < world->lb_count; i++)
            if (world->lb_up[i]) {
                list[n].task = &world->lb[i];
                list[n].kind = 0;
                list[n++].index = i;
            }
        for (size_t i = 0; i < world->autoscale_count; i++)
            if (world->autoscale_up[i]) {
                list[n].task = &world->autoscale[i];
                list[n].kind = 1;
                list[n++].index = i;
            }
    }
    for (size_t i = 0; i < world->instance_count; i++)
        if (world->instances[i].running) {
            list[n].task = &world->instances[i].task;
            list[n].kind = 2;
            list[n++].index = i;
        }
    if (n == 0)
        return NULL;
    size_t at = (size_t)rng_below(&all.rng, n);
    *ret_kind = list[at].kind;
    *ret_index = list[at].index;
    return list[at].task;
}

static void start_lb(void *arg)
{
    size_t i = (size_t)((struct task *)arg - world->lb);
    char name[16];
    (void)snprintf(name, sizeof name, "lb-%c", (char)('a' + i));
    const struct flag flags[] = {{"--name", name}};
    world->lb_up[i] = task_start(&world->lb[i], name, &program_lb, flags, 1);
    world_trouble(&world->lb[i].proc, sim->now_us);
    if (!world->lb_up[i])
        sim_fail("%s could not be started", name);
}

static void start_autoscale(void *arg)
{
    size_t i = (size_t)((struct task *)arg - world->autoscale);
    char name[16], port[16];
    (void)snprintf(name, sizeof name, "as-%zu", i + 1);
    (void)snprintf(port, sizeof port, "%d", AUTOSCALE_PORT + (int)i);
    const struct flag flags[] = {{"--name", name}, {"--admin-port", port}};
    world->autoscale_up[i] = task_start(&world->autoscale[i], name, &program_autoscale, flags, 2);
    if (!world->autoscale_up[i])
        sim_fail("%s could not be started", name);
}

static void again(struct task *t, size_t kind, size_t index, int64_t after_us)
{
    if (kind == 0)
        sim_after(&world->lb_again[index], after_us, start_lb, t);
    else if (kind == 1)
        sim_after(&world->autoscale_again[index], after_us, start_autoscale, t);
    else
        instance_restart(&world->instances[index], after_us);
}

static void on_lb_end(void *arg)
{
    struct task *t = arg;
    size_t i = (size_t)(t - world->lb);
    world->lb_up[i] = false;
    again(t, 0, i, draw(&sim->rng, 300, 3000) * SIM_MS);
}

static void on_autoscale_end(void *arg)
{
    struct task *t = arg;
    size_t i = (size_t)(t - world->autoscale);
    world->autoscale_up[i] = false;
    again(t, 1, i, draw(&sim->rng, 300, 3000) * SIM_MS);
}

/* ---- the network ---- */

static void block(struct fault *f, int from, int to)
{
    if (f->pair_count == sizeof f->pairs / sizeof *f->pairs)
        return;
    f->pairs[f->pair_count][0] = from;
    f->pairs[f->pair_count++][1] = to;
    if (all.blocks[from][to]++ == 0)
        net_block(from, to, true);
}

static void unblock(struct fault *f)
{
    for (size_t i = 0; i < f->pair_count; i++) {
        int from = f->pairs[i][0], to = f->pairs[i][1];
        if (--all.blocks[from][to] == 0)
            net_block(from, to, false);
    }
    f->pair_count = 0;
}

static void cut(struct fault *f, const struct proc *a, const struct proc *b)
{
    uint64_t way = rng_below(&all.rng, 4); /* one way, the other, or (mostly) both */
    if (way != 0)
        block(f, a->host, b->host);
    if (way != 1)
        block(f, b->host, a->host);
}

static struct proc *any_proc(void)
{
    size_t kind, index;
    uint64_t n = rng_below(&all.rng, 10);
    if (n == 0)
        return players_proc();
    if (n == 1)
        return &world->cloud;
    struct task *t = pick_task(&kind, &index);
    return t != NULL ? &t->proc : players_proc();
}

/* ---- an operator ---- */

static void operator_wants(struct fault *f, const char *want)
{
    enum want_kind kind = strcmp(want, "draining") == 0 ? WANT_DRAINING : WANT_NONE;
    operators_wish(f->pool, f->node, kind, 0, 0);
}

/* ---- each kind ---- */

static void trouble_all(int64_t until_us)
{
    for (size_t i = 0; i < world->lb_count; i++)
        world_trouble(&world->lb[i].proc, until_us);
    for (size_t i = 0; i < world->autoscale_count; i++)
        world_trouble(&world->autoscale[i].proc, until_us);
    for (size_t i = 0; i < world->instance_count; i++)
        world_trouble(&world->instances[i].task.proc, until_us);
}

static void begin_program(struct fault *f)
{
    size_t kind, index;
    struct task *t = pick_task(&kind, &index);
    if (t == NULL)
        return;
    world_trouble(&t->proc, sim->now_us + f->for_us);
    sim_trace("fault", "%s %s for_ms=%lld", fault_words[f->kind], t->proc.name,
              (long long)(f->for_us / 1000));
    if (f->kind == FAULT_PAUSE) {
        proc_pause(&t->proc, f->for_us);
    } else if (f->kind == FAULT_CLOCK_JUMP) {
        proc_set_clock(&t->proc, t->proc.rate, f->for_us);
    } else if (f->kind == FAULT_CLOCK_RATE) {
        proc_set_clock(&t->proc, 1.0 + (rng_unit(&all.rng) - 0.5) * 0.04, 0);
    } else if (f->kind == FAULT_TERM) {
        t->on_end = kind == 0 ? on_lb_end : kind == 1 ? on_autoscale_end : t->on_end;
        if (kind < 2)
            t->end_arg = t;
        task_term(t);
    } else if (kind == 2) {
        instance_kill(&world->instances[index], false);
        again(t, kind, index, f->for_us);
    } else {
        bool silently = chance(&all.rng, 0.3);
        if (kind == 0)
            world->lb_up[index] = false;
        else
            world->autoscale_up[index] = false;
        task_kill(t, silently);
        again(t, kind, index, f->for_us);
    }
}

/* ---- aimed ---- */

static void on_strike(void *arg)
{
    struct fault *f = arg;
    struct task *t = f->target;
    bool up = f->kind_of_target == 0 ? world->lb_up[f->index] : world->autoscale_up[f->index];
    if (!up || f->over)
        return;
    world_trouble(&t->proc, sim->now_us + 3 * SIM_S);
    bool stop = chance(&all.rng, 0.4);
    sim_trace("fault", "aimed at %s: %s", t->proc.name, stop ? "pause" : "kill");
    if (stop) {
        proc_pause(&t->proc, draw(&all.rng, 300, 4000) * SIM_MS);
        return;
    }
    if (f->kind_of_target == 0)
        world->lb_up[f->index] = false;
    else
        world->autoscale_up[f->index] = false;
    task_kill(t, chance(&all.rng, 0.3));
    again(t, f->kind_of_target, f->index, draw(&all.rng, 300, 3000) * SIM_MS);
}

static void aim(struct fault *f, struct task *t, size_t kind, size_t index)
{
    f->armed = false;
    f->target = t;
    f->kind_of_target = kind;
    f->index = index;
    int64_t r = draw(&all.rng, 0, 1000);
    sim_after(&f->strike, r * r * 600 / 1000, on_strike, f); /* within 600 ms, sooner mostly */
}

void faults_aim(struct span name)
{
    for (size_t k = 0; k < all.count; k++) {
        struct fault *f = &all.list[k];
        for (size_t i = 0; f->armed && i < world->lb_count; i++)
            if (span_is(name, world->lb[i].proc.name))
                aim(f, &world->lb[i], 0, i);
        for (size_t i = 0; f->armed && i < world->autoscale_count; i++)
            if (span_is(name, world->autoscale[i].proc.name))
                aim(f, &world->autoscale[i], 1, i);
    }
}

static void begin_machine(struct fault *f)
{
    for (int tries = 0; tries < 20; tries++) {
        struct instance *in = &world->instances[rng_below(&all.rng, world->instance_count)];
        if (in->gone || !in->running)
            continue;
        sim_trace("fault", "machine %s is gone", in->id);
        instance_kill(in, true);
        return;
    }
}

static void begin_cut(struct fault *f)
{
    struct proc *a = any_proc(), *b = any_proc();
    if (f->kind == FAULT_STORE_CUT)
        b = &world->store.proc;
    if (f->kind == FAULT_PEER_CUT) {
        a = &world->lb[0].proc;
        b = &world->lb[1].proc;
    }
    if (a == b || a == &world->cloud)
        return;
    int64_t until = sim->now_us + f->for_us;
    world_trouble(a, until);
    if (f->kind == FAULT_CUT || f->kind == FAULT_PEER_CUT)
        world_trouble(b, until);
    sim_trace("fault", "%s %s %s for_ms=%lld", fault_words[f->kind], a->name,
              f->kind == FAULT_ISOLATE ? "everybody" : b->name, (long long)(f->for_us / 1000));
    if (f->kind != FAULT_ISOLATE) {
        cut(f, a, b);
        return;
    }
    for (int host = 0; host < HOSTS_MAX; host++)
        if (host != a->host) {
            block(f, a->host, host);
            block(f, host, a->host);
        }
}

static void begin_mass(struct fault *f)
{
    f->pool = (enum pool_id)rng_below(&all.rng, WORLD_POOLS);
    sim_trace("fault", "mass_silence pool=%d for_ms=%lld", (int)f->pool,
              (long long)(f->for_us / 1000));
    for (size_t i = 0; i < world->instance_count; i++) {
        struct instance *in = &world->instances[i];
        if (!in->running || in->pool != f->pool || chance(&all.rng, 0.15))
            continue;
        block(f, in->task.proc.host, world->store.proc.host);
        block(f, world->store.proc.host, in->task.proc.host);
        world_trouble(&in->task.proc, sim->now_us + f->for_us);
    }
}

static void begin_store(struct fault *f)
{
    sim_trace("fault", "%s for_ms=%lld", fault_words[f->kind], (long long)(f->for_us / 1000));
    int64_t until = sim->now_us + f->for_us;
    world->store_trouble_us = until > world->store_trouble_us ? until : world->store_trouble_us;
    if (f->kind == FAULT_STORE_HANG) {
        proc_pause(&world->store.proc, f->for_us);
        return;
    }
    if (f->kind == FAULT_STORE_CLOCK) {
        int64_t by = (draw(&all.rng, -4000, 4000)) * SIM_MS;
        world->store.wall_skew_us += by;
        sim_trace("fault", "store clock by_ms=%lld", (long long)(by / 1000));
        world->clock_trouble_us = until;
        judge_store_replaced();
        shadow_store_replaced();
        return;
    }
    store_server_close(&world->store);
}

static void end_store(struct fault *f)
{
    if (f->kind == FAULT_STORE_FAILOVER || f->kind == FAULT_STORE_EMPTY) {
        if (f->copy != NULL)
            world->store.lagging--;
        store_server_replace(&world->store, f->copy);
        f->copy = NULL;
        world->store.wall_skew_us += draw(&all.rng, -300, 300) * SIM_MS;
        judge_store_replaced();
        shadow_store_replaced();
    }
    if (f->kind != FAULT_STORE_CLOCK && f->kind != FAULT_STORE_HANG) {
        store_server_open(&world->store);
        world->store_back_us = sim->now_us;
    }
}

static void begin_operator(struct fault *f)
{
    for (int tries = 0; tries < 20; tries++) {
        const struct instance *in = &world->instances[rng_below(&all.rng, world->instance_count)];
        const struct book_node *n = book_node(in->pool, span_of(in->id));
        bool leaves = n != NULL && n->wanted[WANT_BY_AUTOSCALE];
        if (in->gone || !in->running || (tries < 12 && !leaves)) /* rather who is leaving */
            continue;
        (void)snprintf(f->node, sizeof f->node, "%s", in->id);
        f->pool = in->pool;
        sim_trace("fault", "operator drains %s for_ms=%lld", f->node,
                  (long long)(f->for_us / 1000));
        operator_wants(f, "draining");
        return;
    }
}

static void on_end(void *arg);

static void on_begin(void *arg)
{
    struct fault *f = arg;
    switch (f->kind) {
    case FAULT_MACHINE:
        begin_machine(f);
        break;
    case FAULT_CUT:
    case FAULT_ISOLATE:
    case FAULT_STORE_CUT:
    case FAULT_PEER_CUT:
        begin_cut(f);
        break;
    case FAULT_MASS_SILENCE:
        begin_mass(f);
        break;
    case FAULT_STORE_HANG:
    case FAULT_STORE_OUTAGE:
    case FAULT_STORE_FAILOVER:
    case FAULT_STORE_EMPTY:
    case FAULT_STORE_CLOCK:
        begin_store(f);
        break;
    case FAULT_WEATHER:
        sim_trace("fault", "weather for_ms=%lld", (long long)(f->for_us / 1000));
        sim->weather = (struct net_weather){.base_us = draw(&all.rng, 200, 60000),
                                            .more_us = draw(&all.rng, 300, 30000),
                                            .loss = 0.1 * rng_unit(&all.rng)};
        world->weather_trouble_us = sim->now_us + f->for_us;
        trouble_all(sim->now_us + f->for_us);
        break;
    case FAULT_CLOUD:
        sim_trace("fault", "cloud for_ms=%lld", (long long)(f->for_us / 1000));
        world->cloud_trouble_us = sim->now_us + f->for_us;
        world->cloud_error = 0.3;
        world->cloud_lost = 0.5;
        break;
    case FAULT_OPERATOR:
        begin_operator(f);
        break;
    case FAULT_AIMED:
        f->armed = true;
        break;
    default:
        begin_program(f);
    }
    sim_after(&f->end, f->for_us, on_end, f);
}

static void on_end(void *arg)
{
    struct fault *f = arg;
    unblock(f);
    if (f->kind >= FAULT_STORE_HANG && f->kind <= FAULT_STORE_CLOCK)
        end_store(f);
    if (f->kind == FAULT_WEATHER)
        sim->weather =
            (struct net_weather){.base_us = 200, .more_us = 300, .loss = world->config.loss};
    if (f->kind == FAULT_CLOUD) {
        world->cloud_error = world->config.cloud_error;
        world->cloud_lost = world->config.cloud_lost;
    }
    if (f->kind == FAULT_OPERATOR && f->node[0])
        operator_wants(f, "none");
    f->armed = false;
    f->over = true;
    all.left--;
}

static void on_copy(void *arg)
{
    struct fault *f = arg;
    f->copy = keyspace_clone(world->store.ks);
    world->store.lagging++;
    sim_at(&f->begin, f->at_us, on_begin, f);
}

/* ---- the plan ---- */

static enum fault_kind draw_kind(void)
{
    double sum = 0, at;
    for (int i = 0; i < FAULT_KINDS; i++)
        sum += world->config.weights[i];
    at = rng_unit(&all.rng) * sum;
    for (int i = 0; i < FAULT_KINDS; i++) {
        at -= world->config.weights[i];
        if (at < 0 && world->config.weights[i] > 0)
            return (enum fault_kind)i;
    }
    return FAULT_KILL;
}

static int64_t draw_length_us(enum fault_kind kind)
{
    static const int64_t longest_ms[FAULT_KINDS] = {
        [FAULT_KILL] = 5000,           [FAULT_TERM] = 1000,         [FAULT_MACHINE] = 1,
        [FAULT_PAUSE] = 6000,          [FAULT_CUT] = 15000,         [FAULT_ISOLATE] = 10000,
        [FAULT_STORE_CUT] = 12000,     [FAULT_MASS_SILENCE] = 6000, [FAULT_CLOCK_RATE] = 1,
        [FAULT_CLOCK_JUMP] = 4000,     [FAULT_STORE_HANG] = 4000,   [FAULT_STORE_OUTAGE] = 9000,
        [FAULT_STORE_FAILOVER] = 4000, [FAULT_STORE_EMPTY] = 3000,  [FAULT_STORE_CLOCK] = 1,
        [FAULT_WEATHER] = 15000,       [FAULT_CLOUD] = 20000,       [FAULT_OPERATOR] = 15000,
        [FAULT_PEER_CUT] = 12000,      [FAULT_AIMED] = 15000,
    };
    double r = rng_unit(&all.rng);
    int64_t least_ms = kind == FAULT_STORE_OUTAGE   ? 2500
                       : kind == FAULT_MASS_SILENCE ? 4500
                       : kind == FAULT_AIMED        ? 5000
                                                    : 100;
    return least_ms * SIM_MS + (int64_t)(r * r * (double)longest_ms[kind] * 1000);
}

void faults_start(void)
{
    all.count = all.left = 0;
    memset(all.blocks, 0, sizeof all.blocks);
    rng_seed(&all.rng, sim->seed ^ 0x6661756c74);
    int64_t store_free_us = 0;
    for (size_t i = 0; i < LBS_MAX; i++) {
        world->lb[i].on_end = on_lb_end;
        world->lb[i].end_arg = &world->lb[i];
    }
    for (size_t i = 0; i < (size_t)world->config.faults && i < FAULTS_MAX; i++) {
        struct fault *f = &all.list[all.count++];
        *f = (struct fault){.kind = draw_kind()};
        f->for_us = draw_length_us(f->kind);
        int64_t span = world->faults_until_us - world->faults_from_us - f->for_us;
        f->at_us =
            world->faults_from_us + (int64_t)(rng_unit(&all.rng) * (double)(span > 0 ? span : 0));
        bool of_store = f->kind == FAULT_STORE_FAILOVER || f->kind == FAULT_STORE_EMPTY ||
                        f->kind == FAULT_STORE_OUTAGE;
        if (of_store && f->at_us < store_free_us)
            f->at_us = store_free_us; /* one at a time */
        if (of_store)
            store_free_us = f->at_us + f->for_us + 5 * SIM_S;
        if (f->at_us + f->for_us > world->faults_until_us) {
            all.count--;
            continue;
        }
        all.left++;
        if (f->kind == FAULT_STORE_FAILOVER)
            sim_at(&f->begin, f->at_us - draw(&all.rng, 0, 2500) * SIM_MS, on_copy, f);
        else
            sim_at(&f->begin, f->at_us, on_begin, f);
    }
    for (size_t i = 0; i < world->lb_count; i++)
        start_lb(&world->lb[i]);
    for (size_t i = 0; i < world->autoscale_count; i++)
        start_autoscale(&world->autoscale[i]);
}

void faults_stop(void)
{
    for (size_t i = 0; i < all.count; i++) {
        sim_cancel(&all.list[i].begin);
        sim_cancel(&all.list[i].end);
        sim_cancel(&all.list[i].strike);
        keyspace_destroy(all.list[i].copy);
    }
}

bool faults_over(void)
{
    return all.left == 0;
}

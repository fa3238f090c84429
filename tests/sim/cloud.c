/* cloud.c - a cloud: instances that take a while to boot, calls that fail, answers that get lost,
 * lists that lag. Idempotent by token, as providers promise. */
#include "autoscale/provider.h"
#include "tests/sim/world.h"

#include <assert.h>
#include <stdlib.h>

enum { LIST_LAG_MS = 2500, CALL_TIMEOUT_S = 5 };
enum call_kind { CALL_LAUNCH, CALL_TERMINATE, CALL_LIST };

struct call {
    struct handle *handle;
    struct call *next;
    enum call_kind kind;
    enum pool_id pool;
    char token[NAME_SIZE], zone[NAME_SIZE];
    int count;
    union {
        provider_launched_fn *launched;
        provider_done_fn *done;
        provider_listed_fn *listed;
    };
    void *arg;
    struct sim_event there, again, back;
    bool request_lost, answer_lost, refused, twice;
    char ids[64][NAME_SIZE];
    size_t id_count;
    struct fleet_listed *list;
    size_t list_count;
};

/* What one autoscaler opened. */
struct handle {
    struct proc *proc;
    struct call *calls;
};

/* ---- instances ---- */

static void start_node(struct instance *in);

static void on_node_end(void *arg)
{
    struct instance *in = arg;
    in->running = false;
    if (!in->gone) /* systemd: Restart=always */
        instance_restart(in, draw(&sim->rng, 500, 3000) * SIM_MS);
}

static void start_node(struct instance *in)
{
    const struct flag flags[] = {{"--name", in->id}, {"--instance", in->id}, {"--zone", in->zone}};
    const struct program *program = in->pool == POOL_LOBBY ? &program_lobbynode : &program_gamenode;
    in->boots++;
    in->task = (struct task){.on_end = on_node_end, .end_arg = in};
    in->running = task_start(&in->task, in->id, program, flags, 3);
    in->task.proc.trouble_us = sim->now_us;
    if (!in->running)
        sim_fail("%s could not be started", in->id);
}

static void on_boot(void *arg)
{
    struct instance *in = arg;
    if (!in->gone && !in->running)
        start_node(in);
}

void instance_restart(struct instance *in, int64_t after_us)
{
    sim_after(&in->boot, after_us, on_boot, in);
}

void instance_kill(struct instance *in, bool machine)
{
    if (in->running)
        task_kill(&in->task, machine);
    in->running = false;
    if (machine) {
        in->gone = true;
        in->gone_us = sim->now_us;
        in->hidden_us = sim->now_us + draw(&sim->rng, 0, LIST_LAG_MS) * SIM_MS;
        sim_cancel(&in->boot);
    }
}

static struct instance *make(enum pool_id pool, const char *token, const char *zone)
{
    assert(world->instance_count < INSTANCES_MAX);
    struct instance *in = &world->instances[world->instance_count];
    *in = (struct instance){.used = true, .pool = pool, .launched_us = sim->now_us};
    (void)snprintf(in->id, sizeof in->id, "%s-i%zu", pool == POOL_LOBBY ? "lobby" : "game",
                   world->instance_count++);
    (void)snprintf(in->token, sizeof in->token, "%s", token);
    (void)snprintf(in->zone, sizeof in->zone, "%s", zone);
    in->visible_us = sim->now_us + draw(&sim->rng, 0, LIST_LAG_MS) * SIM_MS;
    int64_t boot_ms = draw(&sim->rng, 500, (int64_t)(world->config.boot_s * 1000) + 500);
    sim_trace("cloud", "made instance=%s token=%s", in->id, token);
    if (world->config.stillborn > 0 && chance(&sim->rng, world->config.stillborn))
        sim_trace("cloud", "instance %s will never boot", in->id);
    else
        sim_after(&in->boot, boot_ms * SIM_MS, on_boot, in);
    return in;
}

static void on_end(void *arg)
{
    instance_kill(arg, true);
}

size_t cloud_alive(enum pool_id pool)
{
    size_t n = 0;
    for (size_t i = 0; i < world->instance_count; i++)
        n += world->instances[i].pool == pool && !world->instances[i].ending &&
             !world->instances[i].gone;
    return n;
}

/* ---- calls, as the cloud carries them out ---- */

static void do_launch(struct call *c)
{
    struct instance *made[64];
    size_t n = 0, before;
    c->id_count = 0;
    for (size_t i = 0; i < world->instance_count; i++) {
        struct instance *in = &world->instances[i];
        if (in->pool != c->pool || strcmp(in->token, c->token) != 0)
            continue;
        (void)snprintf(c->ids[c->id_count++], NAME_SIZE, "%s", in->id);
    }
    before = c->id_count;
    while (c->id_count < (size_t)c->count && c->id_count < 64) {
        made[n] = make(c->pool, c->token, c->zone);
        (void)snprintf(c->ids[c->id_count++], NAME_SIZE, "%s", made[n++]->id);
    }
    judge_launch(made, n, c->pool, c->token, c->count, before);
}

static void do_terminate(struct call *c)
{
    struct instance *in = world_instance(span_of(c->token));
    if (in == NULL || in->ending || in->gone)
        return;
    judge_terminate(in);
    sim_trace("cloud", "terminate instance=%s", in->id);
    in->ending = true;
    sim_after(&in->end, draw(&sim->rng, 200, 2000) * SIM_MS, on_end, in);
}

static void do_list(struct call *c)
{
    free(c->list);
    c->list = calloc(world->instance_count + 1, sizeof *c->list);
    assert(c->list != NULL);
    c->list_count = 0;
    for (size_t i = 0; i < world->instance_count; i++) {
        const struct instance *in = &world->instances[i];
        if (in->pool != c->pool || in->visible_us > sim->now_us ||
            (in->gone && in->hidden_us <= sim->now_us))
            continue;
        struct fleet_listed *l = &c->list[c->list_count++];
        (void)snprintf(l->id, sizeof l->id, "%s", in->id);
        (void)snprintf(l->token, sizeof l->token, "%s", in->token);
        (void)snprintf(l->zone, sizeof l->zone, "%s", in->zone);
        l->age_ms = (sim->now_us - in->launched_us) / 1000;
        l->ending = in->ending;
    }
}

static void carry_out(struct call *c)
{
    if (c->kind == CALL_LAUNCH)
        do_launch(c);
    else if (c->kind == CALL_TERMINATE)
        do_terminate(c);
    else
        do_list(c);
}

static void on_again(void *arg)
{
    struct call *c = arg;
    if (!c->refused)
        carry_out(c); /* a library that repeats what it thinks was lost */
}

/* ---- the way there and back ---- */

static void answer(struct call *c, enum scale_outcome outcome, const char *error)
{
    bool done = outcome == SCALE_DONE;
    if (c->kind == CALL_LAUNCH)
        c->launched(c->arg, outcome, done ? (const char(*)[NAME_SIZE])c->ids : NULL,
                    done ? c->id_count : 0, error);
    else if (c->kind == CALL_TERMINATE)
        c->done(c->arg, outcome, error);
    else
        c->listed(c->arg, done ? c->list : NULL, done ? c->list_count : 0, error);
}

static void call_free(struct call *c)
{
    for (struct call **at = &c->handle->calls; *at != NULL; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    sim_cancel(&c->there);
    sim_cancel(&c->again);
    sim_cancel(&c->back);
    free(c->list);
    free(c);
}

static void run_back(void *arg)
{
    struct call *c = arg;
    if (c->request_lost || c->answer_lost)
        answer(c, SCALE_UNKNOWN, "no answer");
    else if (c->refused)
        answer(c, SCALE_NOT_DONE, "InsufficientInstanceCapacity");
    else
        answer(c, SCALE_DONE, NULL);
    call_free(c);
}

static void on_back(void *arg)
{
    struct call *c = arg;
    struct proc *p = c->handle->proc;
    if (proc_paused(p))
        sim_at(&c->back, p->paused_until_us, on_back, c);
    else
        proc_run(p, run_back, c);
}

static void on_there(void *arg)
{
    struct call *c = arg;
    bool cut = net_blocked(c->handle->proc->host, world->cloud.host);
    bool cut_back = net_blocked(world->cloud.host, c->handle->proc->host);
    if (cut)
        c->request_lost = true;
    c->answer_lost = c->answer_lost || cut_back;
    if (!c->request_lost && !c->refused)
        carry_out(c);
    if (c->twice && !c->request_lost)
        sim_after(&c->again, draw(&sim->rng, 100, 3000) * SIM_MS, on_again, c);
    bool lost = c->request_lost || c->answer_lost;
    int64_t back = lost ? CALL_TIMEOUT_S * SIM_S : draw(&sim->rng, 20, 300) * SIM_MS;
    sim_after(&c->back, back, on_back, c);
}

static struct call *call_new(struct handle *h, enum call_kind kind, const char *pool, void *arg)
{
    struct call *c = calloc(1, sizeof *c);
    assert(c != NULL);
    c->handle = h;
    c->next = h->calls;
    h->calls = c;
    c->kind = kind;
    c->pool = strcmp(pool, "lobby") == 0 ? POOL_LOBBY : POOL_GAME;
    c->arg = arg;
    c->request_lost = chance(&sim->rng, world->cloud_lost / 2);
    c->answer_lost = chance(&sim->rng, world->cloud_lost / 2);
    c->refused = chance(&sim->rng, world->cloud_error);
    c->twice = kind != CALL_LIST && chance(&sim->rng, 0.05);
    sim_after(&c->there, draw(&sim->rng, 20, 300) * SIM_MS, on_there, c);
    return c;
}

/* ---- the provider ---- */

static void *provider_open(const struct provider_env *env, struct err *err)
{
    struct handle *h = calloc(1, sizeof *h);
    assert(h != NULL);
    h->proc = sim->current;
    return h;
}

static void provider_close(void *provider)
{
    struct handle *h = provider;
    if (h == NULL)
        return;
    while (h->calls != NULL) {
        struct call *c = h->calls;
        answer(c, SCALE_UNKNOWN, "closed");
        call_free(c);
    }
    free(h);
}

static int provider_check(void *provider, const char *pool, struct err *err)
{
    return 0;
}

static void provider_launch(void *provider, const char *pool, const char *token, int count,
                            const char *zone, provider_launched_fn *fn, void *arg)
{
    struct call *c = call_new(provider, CALL_LAUNCH, pool, arg);
    c->launched = fn;
    c->count = count;
    (void)snprintf(c->token, sizeof c->token, "%s", token);
    (void)snprintf(c->zone, sizeof c->zone, "%s", zone != NULL ? zone : "");
    judge_call(c->handle->proc, "launch", c->pool, c->token, NULL);
}

static void provider_terminate(void *provider, const char *pool, const char *id,
                               provider_done_fn *fn, void *arg)
{
    struct call *c = call_new(provider, CALL_TERMINATE, pool, arg);
    c->done = fn;
    (void)snprintf(c->token, sizeof c->token, "%s", id);
    judge_call(c->handle->proc, "terminate", c->pool, NULL, c->token);
}

static void provider_list(void *provider, const char *pool, provider_listed_fn *fn, void *arg)
{
    struct call *c = call_new(provider, CALL_LIST, pool, arg);
    c->listed = fn;
}

extern const struct provider_kind provider_sim; /* prog_autoscale.c gives it to the program */
const struct provider_kind provider_sim = {
    .name = "sim",
    .settle_ms = CLOUD_SETTLE_MS,
    .list_interval_ms = 1000,
    .open = provider_open,
    .close = provider_close,
    .check = provider_check,
    .launch = provider_launch,
    .terminate = provider_terminate,
    .list = provider_list,
};

/* ---- life ---- */

void cloud_start(void)
{
    proc_init(&world->cloud, "cloud");
    world->instances = calloc(INSTANCES_MAX, sizeof *world->instances);
    assert(world->instances != NULL);
    world->cloud_error = world->config.cloud_error;
    world->cloud_lost = world->config.cloud_lost;
}

void cloud_stop(void)
{
    for (size_t i = 0; i < world->instance_count; i++) {
        struct instance *in = &world->instances[i];
        sim_cancel(&in->boot);
        sim_cancel(&in->end);
        if (in->running)
            task_kill(&in->task, true);
    }
    free(world->instances);
    proc_cut(&world->cloud, true);
    proc_fini(&world->cloud);
}

/* provider_exec.c - makes and unmakes instances by commands of the user's.
 *
 * A command for each operation, with JSON on standard input and output (exec_json.h), its standard
 * error in our log, a time limit and a bound on what it says. So many run at once as
 * autoscale.exec.commands allows, others wait in line. What is asked again while it runs (the same
 * token, the same instance) is not run twice: it gets the same answer. What an end means:
 *
 *     launch     exit code 0 with at least one instance  done
 *                exit code 3, or 0 with none             refused: certainly nothing was made
 *                anything else                           not known: asked again with the same token
 *     terminate  0 done; killed for its time not known; else not done: asked again
 *     list       0 with a list; else failed */
#include "autoscale/exec_json.h"
#include "autoscale/launches.h"
#include "autoscale/provider.h"
#include "io/command.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED_MAX 4096
#define STALL_MS 800      /* stood still so long between being asked and acting: another may lead */
#define WAIT_MAX_MS 60000 /* a launch that waited so long in line: likewise */
#define EXIT_REFUSED 3

enum call_kind { CALL_LAUNCH, CALL_TERMINATE, CALL_LIST };

struct call {
    struct exec *exec;
    enum call_kind kind;
    const struct exec_pool_settings *pool;
    char name[NAME_SIZE]; /* token or id */
    char zone[NAME_SIZE];
    int count;
    uint64_t number;         /* of the order in which they were asked */
    mono_ms_t at;            /* asked */
    struct command *command; /* runs; NULL: waits in line */
    union {
        provider_launched_fn *launched;
        provider_done_fn *done;
        provider_listed_fn *listed;
    } fn;
    void *arg;
    struct call *next;
};

struct exec {
    struct provider_env env;
    const struct exec_settings *settings;
    struct call *calls; /* oldest first */
    size_t count, running;
    uint64_t number; /* of the next call */
    struct timer turn;
    mono_ms_t asked_at; /* of the oldest call that no turn has seen; 0: none */
    struct fleet_listed listed[LISTED_MAX];
};

static const char *const words[] = {"launch", "terminate", "list"};

static const struct exec_pool_settings *pool_of(const struct exec *exec, const char *pool)
{
    for (size_t i = 0; i < exec->settings->pools.count; i++) {
        const struct exec_pool_settings *p =
            SECTION_AT(exec->settings->pools, struct exec_pool_settings, i);
        if (strcmp(p->name, pool) == 0)
            return p;
    }
    return NULL;
}

/* ---- answers ---- */

static void answer_error(const struct call *call, enum scale_outcome outcome, const char *error)
{
    if (call->kind == CALL_LAUNCH)
        call->fn.launched(call->arg, outcome, NULL, 0, error);
    else if (call->kind == CALL_TERMINATE)
        call->fn.done(call->arg, outcome, error);
    else
        call->fn.listed(call->arg, NULL, 0, error);
}

static void answer_launch(struct exec *exec, const struct call *call,
                          const struct command_result *result)
{
    char ids[LAUNCH_INSTANCES_MAX][NAME_SIZE];
    struct err err = {0};
    if (result->exit_code == EXIT_REFUSED && result->code == BERTH_EPROTO) {
        answer_error(call, SCALE_NOT_DONE, "refused (exit code 3)");
        return;
    }
    if (result->code != 0) {
        answer_error(call, SCALE_UNKNOWN, result->why);
        return;
    }
    int n = exec_json_read(result->output, exec->listed, LAUNCH_INSTANCES_MAX, &err);
    if (n <= 0) {
        answer_error(call, n < 0 ? SCALE_UNKNOWN : SCALE_NOT_DONE,
                     n < 0 ? err.text : "it made no instance");
        return;
    }
    for (int i = 0; i < n; i++)
        memcpy(ids[i], exec->listed[i].id, NAME_SIZE);
    call->fn.launched(call->arg, SCALE_DONE, (const char(*)[NAME_SIZE])ids, (size_t)n, NULL);
}

static void answer_list(struct exec *exec, const struct call *call,
                        const struct command_result *result)
{
    struct err err = {0};
    if (result->code != 0) {
        answer_error(call, SCALE_NOT_DONE, result->why);
        return;
    }
    int n = exec_json_read(result->output, exec->listed, LISTED_MAX, &err);
    if (n < 0)
        answer_error(call, SCALE_NOT_DONE, err.text);
    else
        call->fn.listed(call->arg, exec->listed, (size_t)n, NULL);
}

static void unlink_call(struct exec *exec, const struct call *call)
{
    struct call **at = &exec->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    exec->count--;
}

static void answer(struct exec *exec, const struct call *call, const struct command_result *result)
{
    if (call->kind == CALL_LAUNCH)
        answer_launch(exec, call, result);
    else if (call->kind == CALL_LIST)
        answer_list(exec, call, result);
    else if (result->code == 0)
        call->fn.done(call->arg, SCALE_DONE, NULL);
    else
        answer_error(call, result->code == BERTH_ETIMEOUT ? SCALE_UNKNOWN : SCALE_NOT_DONE,
                     result->why);
}

static bool same(const struct call *a, const struct call *b)
{
    return a->kind == b->kind && a->pool == b->pool && strcmp(a->name, b->name) == 0;
}

/* Asked while the same was under way: its end is theirs as well. */
static struct call *twin_of(const struct exec *exec, const struct call *call, uint64_t before)
{
    for (struct call *c = exec->calls; c; c = c->next)
        if (!c->command && c->number < before && same(c, call))
            return c;
    return NULL;
}

static void on_ended(void *arg, const struct command_result *result)
{
    struct call *call = arg, *twin;
    struct exec *exec = call->exec;
    uint64_t before = exec->number; /* callbacks ask anew */
    exec->running--;
    unlink_call(exec, call);
    timer_start(&exec->turn, 0, 0);
    if (result->code != 0)
        log_warn(exec->env.log, "command_failed", "pool=%s operation=%s name=%s why=%s",
                 call->pool->name, words[call->kind], call->name, result->why);
    answer(exec, call, result);
    while ((twin = twin_of(exec, call, before))) {
        unlink_call(exec, twin);
        answer(exec, twin, result);
        free(twin);
    }
    free(call);
}

/* ---- running ---- */

static size_t make_argv(const struct call *call, const char *ret_argv[35])
{
    const struct text_list *own = call->kind == CALL_LAUNCH      ? &call->pool->launch
                                  : call->kind == CALL_TERMINATE ? &call->pool->terminate
                                                                 : &call->pool->list;
    const struct text_list *list = own->count ? own : &call->pool->command;
    size_t n = 0;
    for (; n < list->count && n < 32; n++)
        ret_argv[n] = list->items[n];
    if (!own->count)
        ret_argv[n++] = words[call->kind];
    ret_argv[n] = NULL;
    return n;
}

/* Could not be begun: certainly nothing was done. */
static void refuse(struct call *call, enum scale_outcome outcome, const char *error)
{
    unlink_call(call->exec, call);
    answer_error(call, outcome, error);
    free(call);
}

static void run(struct call *call)
{
    struct exec *exec = call->exec;
    const struct exec_settings *s = exec->settings;
    bool launch = call->kind == CALL_LAUNCH;
    const struct exec_request request = {.operation = words[call->kind],
                                         .name_space = exec->env.name_space,
                                         .pool = call->pool->name,
                                         .token = launch ? call->name : NULL,
                                         .zone = call->zone,
                                         .count = call->count,
                                         .id = call->kind == CALL_TERMINATE ? call->name : NULL,
                                         .config_file = exec->env.config_file};
    const char *argv[35];
    char env[6][160], name[160];
    struct err err = {0};
    (void)make_argv(call, argv);
    (void)snprintf(env[0], sizeof env[0], "BERTH_OPERATION=%s", request.operation);
    (void)snprintf(env[1], sizeof env[1], "BERTH_POOL=%s", request.pool);
    (void)snprintf(env[2], sizeof env[2], "BERTH_NAMESPACE=%s",
                   request.name_space ? request.name_space : "");
    (void)snprintf(env[3], sizeof env[3], launch ? "BERTH_TOKEN=%s" : "BERTH_ID=%s", call->name);
    (void)snprintf(env[4], sizeof env[4], "BERTH_COUNT=%d", call->count);
    (void)snprintf(env[5], sizeof env[5], "BERTH_ZONE=%s", call->zone);
    const char *const envp[] = {env[0], env[1], env[2], env[3], env[4], env[5], NULL};
    (void)snprintf(name, sizeof name, "%s %s", call->pool->name, request.operation);
    char *input = exec_json_write(&request);
    const struct command_spec spec = {.argv = argv,
                                      .env = envp,
                                      .input = span_of(input),
                                      .timeout_ms = launch ? s->launch_timeout_ms
                                                    : call->kind == CALL_TERMINATE
                                                        ? s->terminate_timeout_ms
                                                        : s->list_timeout_ms,
                                      .grace_ms = s->grace_ms,
                                      .leave_children = true, /* perhaps the instance itself */
                                      .output_max = (size_t)s->output_max_bytes,
                                      .name = name};
    call->command =
        input ? command_start(exec->env.loop, exec->env.log, &spec, on_ended, call, &err) : NULL;
    free(input);
    if (call->command)
        exec->running++;
    else
        refuse(call, SCALE_NOT_DONE, err.text[0] ? err.text : "no memory");
}

static bool runs_already(const struct exec *exec, const struct call *call)
{
    for (const struct call *c = exec->calls; c; c = c->next)
        if (c != call && c->command && same(c, call))
            return true;
    return false;
}

/* The oldest that may run now. */
static struct call *next_call(struct exec *exec)
{
    if (exec->running >= (size_t)exec->settings->commands_max)
        return NULL;
    for (struct call *call = exec->calls; call; call = call->next)
        if (!call->command && !runs_already(exec, call))
            return call;
    return NULL;
}

static void on_turn(void *arg)
{
    struct exec *exec = arg;
    struct call *call;
    mono_ms_t now = loop_now(exec->env.loop);
    bool stood_still = exec->asked_at.ms && mono_sub(now, exec->asked_at) > STALL_MS;
    exec->asked_at = (mono_ms_t){0};
    if (stood_still)
        log_warn(exec->env.log, "stood_still", "calls=%zu", exec->count);
    while ((call = next_call(exec))) {
        int64_t waited = mono_sub(now, call->at);
        if (call->kind != CALL_LIST && stood_still)
            refuse(call, SCALE_UNKNOWN, "stood still before it");
        else if (call->kind == CALL_LAUNCH && waited > WAIT_MAX_MS)
            refuse(call, SCALE_UNKNOWN, "waited in line for too long");
        else
            run(call);
    }
}

/* ---- being asked ---- */

static struct call *add(struct exec *exec, enum call_kind kind, const char *pool, const char *name,
                        void *arg)
{
    struct call *call = calloc(1, sizeof *call), **at = &exec->calls;
    const struct exec_pool_settings *settings = pool_of(exec, pool);
    assert(settings); /* check() said so */
    if (!call)
        return NULL;
    *call = (struct call){.exec = exec,
                          .kind = kind,
                          .pool = settings,
                          .number = exec->number++,
                          .at = loop_now(exec->env.loop),
                          .arg = arg};
    (void)snprintf(call->name, sizeof call->name, "%s", name);
    while (*at)
        at = &(*at)->next;
    *at = call;
    exec->count++;
    if (!exec->asked_at.ms)
        exec->asked_at = call->at;
    timer_start(&exec->turn, 0, 0);
    return call;
}

/* The core bounds what is under way, and what is asked again joins what runs. */
static void exec_launch(void *provider, const char *pool, const char *token, int count,
                        const char *zone, provider_launched_fn *fn, void *arg)
{
    struct call *call = add(provider, CALL_LAUNCH, pool, token, arg);
    if (!call)
        return;
    call->fn.launched = fn;
    call->count = count < LAUNCH_INSTANCES_MAX ? count : LAUNCH_INSTANCES_MAX;
    (void)snprintf(call->zone, sizeof call->zone, "%s", zone);
}

static void exec_terminate(void *provider, const char *pool, const char *id, provider_done_fn *fn,
                           void *arg)
{
    struct call *call = add(provider, CALL_TERMINATE, pool, id, arg);
    if (call)
        call->fn.done = fn;
}

static void exec_list(void *provider, const char *pool, provider_listed_fn *fn, void *arg)
{
    struct call *call = add(provider, CALL_LIST, pool, "-", arg);
    if (call)
        call->fn.listed = fn;
}

static int exec_check(void *provider, const char *pool, struct err *err)
{
    if (pool_of(provider, pool))
        return 0;
    return err_set(err, BERTH_EINVAL, "autoscale.exec.pools has no command for pool %s", pool);
}

/* ---- life ---- */

static void *exec_open(const struct provider_env *env, struct err *err)
{
    struct exec *exec = calloc(1, sizeof *exec);
    if (!exec) {
        err_set(err, BERTH_ENOMEM, "no memory for the provider exec");
        return NULL;
    }
    exec->env = *env;
    exec->settings = &env->settings->exec;
    timer_init(&exec->turn, env->loop, on_turn, exec);
    return exec;
}

static void exec_close(void *provider)
{
    struct exec *exec = provider;
    if (!exec)
        return;
    struct call *call;
    while ((call = exec->calls)) {
        bool ran = call->command != NULL;
        command_leave(call->command);
        refuse(call, ran ? SCALE_UNKNOWN : SCALE_NOT_DONE, "closing");
    }
    timer_stop(&exec->turn);
    free(exec);
}

const struct provider_kind provider_exec = {
    .name = "exec",
    .settle_ms = 10000,
    .list_interval_ms = 5000,
    .open = exec_open,
    .close = exec_close,
    .check = exec_check,
    .launch = exec_launch,
    .terminate = exec_terminate,
    .list = exec_list,
};

/* provider_docker.c - instances as containers of a Docker Engine, over its unix socket.
 *
 * A container's name is made of namespace, pool, token and a number, so creating it again is a
 * conflict, which means that it is there. Its labels say whose it is (berth.namespace, berth.pool,
 * berth.token, berth.instance); they are what the list goes by. It is stopped by its stop signal
 * with stop_grace, then removed; containers that ended by themselves are removed when they are
 * listed. */
#include "autoscale/docker_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RUNNING_MAX = 16, /* operations under way; others wait in line */
    STALL_MS = 800    /* stood still so long between being asked and acting: another may lead */
};

static const struct docker_pool_settings *pool_of(const struct docker *docker, const char *pool)
{
    for (size_t i = 0; i < docker->settings->pools.count; i++) {
        const struct docker_pool_settings *p =
            SECTION_AT(docker->settings->pools, struct docker_pool_settings, i);
        if (strcmp(p->name, pool) == 0)
            return p;
    }
    return NULL;
}

/* ---- answers ---- */

static void unlink_op(struct docker_op *op)
{
    struct docker_op **at = &op->docker->ops;
    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
    if (op->started)
        op->docker->running--;
    timer_start(&op->docker->turn, 0, 0);
}

static bool same(const struct docker_op *a, const struct docker_op *b)
{
    return a->kind == b->kind && a->pool == b->pool && strcmp(a->name, b->name) == 0;
}

static void answer(const struct docker_op *op, enum scale_outcome outcome, const char *error,
                   const struct fleet_listed *items, size_t count)
{
    if (op->kind == DOCKER_OP_LIST)
        op->fn.listed(op->arg, error ? NULL : items, error ? 0 : count, error);
    else if (op->kind == DOCKER_OP_TERMINATE)
        op->fn.done(op->arg, outcome, error);
    else if (op->kind == DOCKER_OP_LAUNCH)
        op->fn.launched(op->arg, outcome, outcome == SCALE_DONE ? op->ids : NULL, count, error);
}

void docker_op_finish(struct docker_op *op, enum scale_outcome outcome, const char *error,
                      const struct fleet_listed *items, size_t count)
{
    struct docker *docker = op->docker;
    uint64_t before = docker->number; /* callbacks ask anew */
    unlink_op(op);
    if (error && op->kind != DOCKER_OP_LIST)
        log_warn(docker->env.log, "docker_failed", "pool=%s name=%s error=%s", op->pool->name,
                 op->name, error);
    answer(op, outcome, error, items, count);
    for (struct docker_op *twin = docker->ops; twin;) {
        if (twin->started || twin->number >= before || !same(twin, op)) {
            twin = twin->next;
            continue;
        }
        unlink_op(twin);
        memcpy(twin->ids, op->ids, sizeof twin->ids);
        answer(twin, outcome, error, items, count);
        free(twin);
        twin = docker->ops;
    }
    free(op);
}

void docker_op_finish_launch(struct docker_op *op, enum scale_outcome outcome, const char *error)
{
    if (op->made > 0 && outcome != SCALE_DONE)
        log_warn(op->docker->env.log, "launch_incomplete",
                 "pool=%s token=%s made=%d of=%d error=%s", op->pool->name, op->name, op->made,
                 op->count, error);
    if (op->made > 0)
        docker_op_finish(op, SCALE_DONE, NULL, NULL, (size_t)op->made);
    else
        docker_op_finish(op, outcome, error, NULL, 0);
}

void docker_op_fail(struct docker_op *op, enum scale_outcome outcome, const char *error)
{
    if (op->kind == DOCKER_OP_LAUNCH)
        docker_op_finish_launch(op, outcome, error);
    else
        docker_op_finish(op, outcome, error, NULL, 0);
}

/* ---- running ---- */

static bool runs_already(const struct docker *docker, const struct docker_op *op)
{
    for (const struct docker_op *o = docker->ops; o; o = o->next)
        if (o != op && o->started && same(o, op))
            return true;
    return false;
}

static struct docker_op *next_op(struct docker *docker)
{
    for (struct docker_op *op = docker->ops; op && docker->running < RUNNING_MAX; op = op->next)
        if (!op->started && !runs_already(docker, op))
            return op;
    return NULL;
}

static void on_turn(void *arg)
{
    struct docker *docker = arg;
    struct docker_op *op;
    mono_ms_t now = loop_now(docker->env.loop);
    bool stood_still = docker->asked_at.ms && mono_sub(now, docker->asked_at) > STALL_MS;
    docker->asked_at = (mono_ms_t){0};
    if (stood_still)
        log_warn(docker->env.log, "stood_still", "why=asked_before");
    while ((op = next_op(docker))) {
        op->started = true;
        docker->running++;
        if (stood_still && op->kind != DOCKER_OP_LIST)
            docker_op_fail(op, SCALE_UNKNOWN, "stood still before it");
        else if (op->kind == DOCKER_OP_LAUNCH && op->count == 0)
            docker_op_fail(op, SCALE_NOT_DONE, "the pool's name is too long for a container");
        else
            docker_talk(op);
    }
}

/* ---- being asked ---- */

static struct docker_op *add(struct docker *docker, enum docker_op_kind kind,
                             const struct docker_pool_settings *pool, const char *name, void *arg)
{
    struct docker_op *op = calloc(1, sizeof *op), **at = &docker->ops;
    if (!op)
        return NULL;
    op->docker = docker;
    op->kind = kind;
    op->pool = pool;
    op->number = docker->number++;
    op->at = loop_now(docker->env.loop);
    op->arg = arg;
    (void)snprintf(op->name, sizeof op->name, "%s", name);
    while (*at)
        at = &(*at)->next;
    *at = op;
    if (!docker->asked_at.ms)
        docker->asked_at = op->at;
    timer_start(&docker->turn, 0, 0);
    return op;
}

bool docker_remove_over(struct docker *docker, const struct docker_pool_settings *pool,
                        const char *id)
{
    for (const struct docker_op *op = docker->ops; op; op = op->next)
        if ((op->kind == DOCKER_OP_REMOVE || op->kind == DOCKER_OP_TERMINATE) && op->pool == pool &&
            strcmp(op->name, id) == 0)
            return false;
    return add(docker, DOCKER_OP_REMOVE, pool, id, NULL) != NULL;
}

static void docker_launch(void *provider, const char *pool, const char *token, int count,
                          const char *zone, provider_launched_fn *fn, void *arg)
{
    struct docker *docker = provider;
    struct docker_op *op = add(docker, DOCKER_OP_LAUNCH, pool_of(docker, pool), token, arg);
    if (!op)
        return;
    op->fn.launched = fn;
    op->count = count < LAUNCH_INSTANCES_MAX ? count : LAUNCH_INSTANCES_MAX;
    for (int k = 0; k < op->count; k++) {
        int n = snprintf(op->ids[k], NAME_SIZE, "%s-%s-%d", pool, token, k + 1);
        if (n < 0 || n >= NAME_SIZE)
            op->count = 0; /* refused in its turn */
    }
}

static void docker_terminate(void *provider, const char *pool, const char *id, provider_done_fn *fn,
                             void *arg)
{
    struct docker_op *op = add(provider, DOCKER_OP_TERMINATE, pool_of(provider, pool), id, arg);
    if (op)
        op->fn.done = fn;
}

static void docker_list(void *provider, const char *pool, provider_listed_fn *fn, void *arg)
{
    struct docker_op *op = add(provider, DOCKER_OP_LIST, pool_of(provider, pool), "-", arg);
    if (op)
        op->fn.listed = fn;
}

static int docker_check(void *provider, const char *pool, struct err *err)
{
    if (!pool_of(provider, pool))
        return err_set(err, BERTH_EINVAL, "autoscale.docker.pools has no image for pool %s", pool);
    if (strlen(pool) > 40)
        return err_set(err, BERTH_EINVAL, "pool %s: the name is too long for a container (40)",
                       pool);
    return 0;
}

/* ---- life ---- */

static void *docker_open(const struct provider_env *env, struct err *err)
{
    struct docker *docker = calloc(1, sizeof *docker);
    if (!docker) {
        err_set(err, BERTH_ENOMEM, "no memory for the provider docker");
        return NULL;
    }
    docker->env = *env;
    docker->settings = &env->settings->docker;
    timer_init(&docker->turn, env->loop, on_turn, docker);
    return docker;
}

static void docker_close(void *provider)
{
    struct docker *docker = provider;
    if (!docker)
        return;
    while (docker->ops) {
        struct docker_op *op = docker->ops;
        enum scale_outcome outcome = op->started ? SCALE_UNKNOWN : SCALE_NOT_DONE;
        if (op->fetch)
            fetch_cancel(op->fetch);
        unlink_op(op);
        answer(op, outcome, "closing", NULL, 0);
        free(op);
    }
    timer_stop(&docker->turn);
    free(docker);
}

const struct provider_kind provider_docker = {
    .name = "docker",
    .settle_ms = 2000,
    .list_interval_ms = 1000,
    .open = docker_open,
    .close = docker_close,
    .check = docker_check,
    .launch = docker_launch,
    .terminate = docker_terminate,
    .list = docker_list,
};

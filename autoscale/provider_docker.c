/* provider_docker.c - instances as containers of a Docker Engine, over its unix socket.
 *
 * A container's name is made of namespace, pool, token and a number, so creating it again is a
 * conflict, which means that it is there. Its labels say whose it is (berth.namespace, berth.pool,
 * berth.token, berth.instance); they are what the list goes by. It is stopped by its stop signal
 * with stop_grace, then removed; containers that ended by themselves are removed when they are
 * listed. The version of the API is agreed upon first (GET /version). */
#include "autoscale/docker_json.h"
#include "autoscale/launches.h"
#include "autoscale/provider.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNNING_MAX 16 /* operations under way; others wait in line */
#define LISTED_MAX 4096
#define STALL_MS 800 /* stood still so long between being asked and acting: another may lead */
#define ANSWER_MS 30000
#define ANSWER_BYTES_MAX (16 << 20)

enum op_kind { OP_LAUNCH, OP_TERMINATE, OP_LIST, OP_REMOVE };
enum op_step {
    STEP_VERSION,
    STEP_CREATE,
    STEP_PULL,
    STEP_START,
    STEP_STOP,
    STEP_REMOVE,
    STEP_LIST
};

struct op {
    struct docker *docker;
    enum op_kind kind;
    enum op_step step;
    const struct docker_pool_settings *pool;
    char name[NAME_SIZE]; /* token or id */
    char ids[LAUNCH_INSTANCES_MAX][NAME_SIZE];
    int count, made; /* LAUNCH; the one being made is number made + 1 */
    bool pulled, started;
    uint64_t number; /* of the order in which they were asked */
    mono_ms_t at;
    struct fetch *fetch;
    union {
        provider_launched_fn *launched;
        provider_done_fn *done;
        provider_listed_fn *listed;
    } fn; /* REMOVE: none */
    void *arg;
    struct op *next;
};

struct docker {
    struct provider_env env;
    const struct docker_settings *settings;
    struct op *ops; /* oldest first */
    size_t running;
    uint64_t number;
    int api; /* the x of v1.x; 0: not agreed upon */
    struct timer turn;
    mono_ms_t asked_at; /* of the oldest that no turn has seen; 0: none */
    struct docker_listed found[LISTED_MAX];
    struct fleet_listed listed[LISTED_MAX];
};

static void go_on(struct op *op);

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

static void unlink_op(struct op *op)
{
    struct op **at = &op->docker->ops;
    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
    if (op->started)
        op->docker->running--;
    timer_start(&op->docker->turn, 0, 0);
}

static bool same(const struct op *a, const struct op *b)
{
    return a->kind == b->kind && a->pool == b->pool && strcmp(a->name, b->name) == 0;
}

static void answer(const struct op *op, enum scale_outcome outcome, const char *error,
                   const struct fleet_listed *items, size_t count)
{
    if (op->kind == OP_LIST)
        op->fn.listed(op->arg, error ? NULL : items, error ? 0 : count, error);
    else if (op->kind == OP_TERMINATE)
        op->fn.done(op->arg, outcome, error);
    else if (op->kind == OP_LAUNCH)
        op->fn.launched(op->arg, outcome, outcome == SCALE_DONE ? op->ids : NULL, count, error);
}

/* Its end, and that of those that asked for the same while it was under way. */
static void finish(struct op *op, enum scale_outcome outcome, const char *error,
                   const struct fleet_listed *items, size_t count)
{
    struct docker *docker = op->docker;
    uint64_t before = docker->number; /* callbacks ask anew */
    unlink_op(op);
    if (error && op->kind != OP_LIST)
        log_warn(docker->env.log, "docker_failed", "pool=%s name=%s error=%s", op->pool->name,
                 op->name, error);
    answer(op, outcome, error, items, count);
    for (struct op *twin = docker->ops; twin;) {
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

/* A launch ends with what it has made. */
static void finish_launch(struct op *op, enum scale_outcome outcome, const char *error)
{
    if (op->made > 0 && outcome != SCALE_DONE)
        log_warn(op->docker->env.log, "launch_incomplete",
                 "pool=%s token=%s made=%d of=%d error=%s", op->pool->name, op->name, op->made,
                 op->count, error);
    if (op->made > 0)
        finish(op, SCALE_DONE, NULL, NULL, (size_t)op->made);
    else
        finish(op, outcome, error, NULL, 0);
}

static void fail(struct op *op, enum scale_outcome outcome, const char *error)
{
    if (op->kind == OP_LAUNCH)
        finish_launch(op, outcome, error);
    else
        finish(op, outcome, error, NULL, 0);
}

/* ---- requests ---- */

static const char *verb_of(enum op_step step)
{
    return step == STEP_VERSION || step == STEP_LIST ? "GET"
           : step == STEP_REMOVE                     ? "DELETE"
                                                     : "POST";
}

static void container_name(const struct op *op, char *ret_buf, size_t size)
{
    const char *id = op->kind == OP_LAUNCH ? op->ids[op->made] : op->name;
    (void)snprintf(ret_buf, size, "%s.%s", op->docker->env.name_space, id);
}

/* Everything but letters, digits and - . _ ~ as %XX. */
static void add_encoded(char *url, size_t size, const char *text)
{
    size_t n = strlen(url);
    for (; *text && n + 4 < size; text++) {
        bool plain = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~",
                            *text) != NULL;
        n += (size_t)snprintf(url + n, size - n, plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
}

static int make_url(const struct op *op, char *url, size_t size)
{
    char name[200], *filters;
    int n = snprintf(url, size, "http://docker/v1.%d/", op->docker->api);
    char *rest = url + n;
    size_t room = size - (size_t)n;
    container_name(op, name, sizeof name);
    switch (op->step) {
    case STEP_VERSION:
        (void)snprintf(url, size, "http://docker/version");
        break;
    case STEP_CREATE:
        (void)snprintf(rest, room, "containers/create?name=");
        add_encoded(url, size, name);
        break;
    case STEP_PULL:
        (void)snprintf(rest, room, "images/create?fromImage=");
        add_encoded(url, size, op->pool->image);
        if (!strchr(strrchr(op->pool->image, '/') ? strrchr(op->pool->image, '/') : op->pool->image,
                    ':') &&
            !strchr(op->pool->image, '@'))
            (void)snprintf(url + strlen(url), size - strlen(url),
                           "&tag=latest"); /* else all tags */
        break;
    case STEP_START:
        (void)snprintf(rest, room, "containers/%s/start", name);
        break;
    case STEP_STOP:
        (void)snprintf(rest, room, "containers/%s/stop?t=%lld", name,
                       (long long)((op->docker->settings->stop_grace_ms + 999) / 1000));
        break;
    case STEP_REMOVE:
        (void)snprintf(rest, room, "containers/%s?v=true", name);
        break;
    case STEP_LIST:
        filters = docker_json_filters(op->docker->env.name_space, op->pool->name);
        if (!filters)
            return BERTH_ENOMEM;
        (void)snprintf(rest, room, "containers/json?all=true&filters=");
        add_encoded(url, size, filters);
        free(filters);
    }
    return 0;
}

static char *make_body(const struct op *op)
{
    const struct docker_container container = {.name_space = op->docker->env.name_space,
                                               .pool = op->pool->name,
                                               .token = op->name,
                                               .id = op->ids[op->made],
                                               .settings = op->pool};
    return op->step == STEP_CREATE ? docker_json_create(&container) : calloc(1, 1);
}

static int64_t timeout_of(const struct op *op)
{
    const struct docker_settings *s = op->docker->settings;
    return op->step == STEP_PULL   ? s->pull_timeout_ms
           : op->step == STEP_STOP ? s->stop_grace_ms + ANSWER_MS
                                   : ANSWER_MS;
}

static void on_answer(void *arg, int code, const struct fetch_response *response,
                      const struct err *err);

static void ask(struct op *op, enum op_step step)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct docker *docker = op->docker;
    char url[2048];
    struct err err = {0};
    op->step = step;
    char *body = make_url(op, url, sizeof url) == 0 ? make_body(op) : NULL;
    const struct fetch_request request = {.method = verb_of(step),
                                          .url = url,
                                          .headers = headers,
                                          .body = span_of(body),
                                          .timeout_ms = timeout_of(op),
                                          .response_max = ANSWER_BYTES_MAX,
                                          .unix_socket = docker->settings->socket};
    op->fetch = body ? fetch_start(docker->env.fetcher, &request, on_answer, op, &err) : NULL;
    free(body);
    if (!op->fetch)
        fail(op, SCALE_NOT_DONE, err.text[0] ? err.text : "no memory");
}

/* ---- what comes back ---- */

static bool remove_over(struct docker *docker, const struct docker_pool_settings *pool,
                        const char *id);

static void take_list(struct op *op, struct span body)
{
    struct docker *docker = op->docker;
    struct err err = {0};
    size_t kept = 0;
    wall_ms_t wall = {loop_wall_us() / 1000}; /* the engine is on this machine */
    int n = docker_json_list(body, wall, docker->found, LISTED_MAX, &err);
    if (n < 0) {
        finish(op, SCALE_NOT_DONE, err.text, NULL, 0);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (!docker->found[i].over)
            docker->listed[kept++] = docker->found[i].item;
        else if (docker->settings->remove)
            (void)remove_over(docker, op->pool, docker->found[i].item.id);
    }
    finish(op, SCALE_DONE, NULL, docker->listed, kept);
}

static void take_version(struct op *op, struct span body)
{
    struct err err = {0};
    int minor = docker_json_version(body, &err);
    if (minor < 0) {
        fail(op, SCALE_NOT_DONE, err.text);
        return;
    }
    op->docker->api = minor;
    log_info(op->docker->env.log, "docker_api", "version=1.%d socket=%s", minor,
             op->docker->settings->socket);
    go_on(op);
}

static void made_one(struct op *op)
{
    if (++op->made == op->count)
        finish_launch(op, SCALE_DONE, NULL);
    else
        ask(op, STEP_CREATE);
}

/* An answer that is no success. */
static void take_error(struct op *op, int status, struct span body)
{
    char message[300], text[500];
    (void)docker_json_message(body, message, sizeof message);
    if (op->step == STEP_CREATE && status == 404 && op->docker->settings->pull && !op->pulled) {
        op->pulled = true;
        ask(op, STEP_PULL);
        return;
    }
    (void)snprintf(text, sizeof text, "HTTP %d: %s%s", status, message,
                   op->step == STEP_CREATE && status == 404 && !op->docker->settings->pull
                       ? " (autoscale.docker.pull = no: berth does not pull images)"
                       : "");
    if (status == 400 && op->step != STEP_VERSION)
        op->docker->api = 0; /* another engine by now? Agree anew */
    fail(op, SCALE_NOT_DONE, text);
}

static void on_answer(void *arg, int code, const struct fetch_response *response,
                      const struct err *err)
{
    struct op *op = arg;
    op->fetch = NULL;
    if (code < 0) { /* whether it was carried out is not known */
        fail(op, op->step == STEP_VERSION ? SCALE_NOT_DONE : SCALE_UNKNOWN, err->text);
        return;
    }
    int status = response->status;
    bool well = status >= 200 && status < 300;
    bool gone = status == 404; /* of a container */
    switch (op->step) {
    case STEP_VERSION:
        if (well)
            take_version(op, response->body);
        break;
    case STEP_CREATE:
        well = well || status == 409; /* it is there already */
        if (well)
            ask(op, STEP_START);
        break;
    case STEP_PULL:
        if (well)
            ask(op, STEP_CREATE);
        break;
    case STEP_START:
        well = well || status == 304; /* it runs already */
        if (well)
            made_one(op);
        break;
    case STEP_STOP:
        well = well || status == 304 || gone;
        if (well)
            ask(op, STEP_REMOVE);
        break;
    case STEP_REMOVE:
        well = well || gone || status == 409; /* being removed */
        if (well)
            finish(op, SCALE_DONE, NULL, NULL, 0);
        break;
    case STEP_LIST:
        if (well)
            take_list(op, response->body);
        break;
    }
    if (!well)
        take_error(op, status, response->body);
}

/* ---- running ---- */

static void go_on(struct op *op)
{
    static const enum op_step first[] = {[OP_LAUNCH] = STEP_CREATE,
                                         [OP_TERMINATE] = STEP_STOP,
                                         [OP_LIST] = STEP_LIST,
                                         [OP_REMOVE] = STEP_REMOVE};
    ask(op, op->docker->api ? first[op->kind] : STEP_VERSION);
}

static bool runs_already(const struct docker *docker, const struct op *op)
{
    for (const struct op *o = docker->ops; o; o = o->next)
        if (o != op && o->started && same(o, op))
            return true;
    return false;
}

static struct op *next_op(struct docker *docker)
{
    for (struct op *op = docker->ops; op && docker->running < RUNNING_MAX; op = op->next)
        if (!op->started && !runs_already(docker, op))
            return op;
    return NULL;
}

static void on_turn(void *arg)
{
    struct docker *docker = arg;
    struct op *op;
    mono_ms_t now = loop_now(docker->env.loop);
    bool stood_still = docker->asked_at.ms && mono_sub(now, docker->asked_at) > STALL_MS;
    docker->asked_at = (mono_ms_t){0};
    if (stood_still)
        log_warn(docker->env.log, "stood_still", "why=asked_before");
    while ((op = next_op(docker))) {
        op->started = true;
        docker->running++;
        if (stood_still && op->kind != OP_LIST)
            fail(op, SCALE_UNKNOWN, "stood still before it");
        else if (op->kind == OP_LAUNCH && op->count == 0)
            fail(op, SCALE_NOT_DONE, "the pool's name is too long for a container");
        else
            go_on(op);
    }
}

/* ---- being asked ---- */

static struct op *add(struct docker *docker, enum op_kind kind,
                      const struct docker_pool_settings *pool, const char *name, void *arg)
{
    struct op *op = calloc(1, sizeof *op), **at = &docker->ops;
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

static bool remove_over(struct docker *docker, const struct docker_pool_settings *pool,
                        const char *id)
{
    for (const struct op *op = docker->ops; op; op = op->next)
        if ((op->kind == OP_REMOVE || op->kind == OP_TERMINATE) && op->pool == pool &&
            strcmp(op->name, id) == 0)
            return false;
    return add(docker, OP_REMOVE, pool, id, NULL) != NULL;
}

static void docker_launch(void *provider, const char *pool, const char *token, int count,
                          const char *zone, provider_launched_fn *fn, void *arg)
{
    struct docker *docker = provider;
    struct op *op = add(docker, OP_LAUNCH, pool_of(docker, pool), token, arg);
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
    struct op *op = add(provider, OP_TERMINATE, pool_of(provider, pool), id, arg);
    if (op)
        op->fn.done = fn;
}

static void docker_list(void *provider, const char *pool, provider_listed_fn *fn, void *arg)
{
    struct op *op = add(provider, OP_LIST, pool_of(provider, pool), "-", arg);
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
        struct op *op = docker->ops;
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

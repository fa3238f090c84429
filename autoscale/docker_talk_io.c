/* docker_talk_io.c - what is said to a Docker Engine for one operation, over its unix socket, and
 * what its answers mean. The version of the API is agreed upon first (GET /version). */
#include "autoscale/docker_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 30000, ANSWER_BYTES_MAX = 16 << 20 };

/* ---- requests ---- */

static const char *verb_of(enum docker_op_step step)
{
    return step == DOCKER_STEP_VERSION || step == DOCKER_STEP_LIST ? "GET"
           : step == DOCKER_STEP_REMOVE                            ? "DELETE"
                                                                   : "POST";
}

static void container_name(const struct docker_op *op, char *ret_buf, size_t size)
{
    const char *id = op->kind == DOCKER_OP_LAUNCH ? op->ids[op->made] : op->name;
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

static int make_url(const struct docker_op *op, char *url, size_t size)
{
    char name[200], *filters;
    int n = snprintf(url, size, "http://docker/v1.%d/", op->docker->api);
    char *rest = url + n;
    size_t room = size - (size_t)n;
    container_name(op, name, sizeof name);
    switch (op->step) {
    case DOCKER_STEP_VERSION:
        (void)snprintf(url, size, "http://docker/version");
        break;
    case DOCKER_STEP_CREATE:
        (void)snprintf(rest, room, "containers/create?name=");
        add_encoded(url, size, name);
        break;
    case DOCKER_STEP_PULL:
        (void)snprintf(rest, room, "images/create?fromImage=");
        add_encoded(url, size, op->pool->image);
        if (!strchr(strrchr(op->pool->image, '/') ? strrchr(op->pool->image, '/') : op->pool->image,
                    ':') &&
            !strchr(op->pool->image, '@'))
            (void)snprintf(url + strlen(url), size - strlen(url),
                           "&tag=latest"); /* else all tags */
        break;
    case DOCKER_STEP_START:
        (void)snprintf(rest, room, "containers/%s/start", name);
        break;
    case DOCKER_STEP_STOP:
        (void)snprintf(rest, room, "containers/%s/stop?t=%lld", name,
                       (long long)((op->docker->settings->stop_grace_ms + 999) / 1000));
        break;
    case DOCKER_STEP_REMOVE:
        (void)snprintf(rest, room, "containers/%s?v=true", name);
        break;
    case DOCKER_STEP_LIST:
        filters = docker_json_filters(op->docker->env.name_space, op->pool->name);
        if (!filters)
            return BERTH_ENOMEM;
        (void)snprintf(rest, room, "containers/json?all=true&filters=");
        add_encoded(url, size, filters);
        free(filters);
    }
    return 0;
}

static char *make_body(const struct docker_op *op)
{
    const struct docker_container container = {.name_space = op->docker->env.name_space,
                                               .pool = op->pool->name,
                                               .token = op->name,
                                               .id = op->ids[op->made],
                                               .settings = op->pool};
    return op->step == DOCKER_STEP_CREATE ? docker_json_create(&container) : calloc(1, 1);
}

static int64_t timeout_of(const struct docker_op *op)
{
    const struct docker_settings *s = op->docker->settings;
    return op->step == DOCKER_STEP_PULL   ? s->pull_timeout_ms
           : op->step == DOCKER_STEP_STOP ? s->stop_grace_ms + ANSWER_MS
                                          : ANSWER_MS;
}

static void on_answer(void *arg, int code, const struct fetch_response *response,
                      const struct err *err);

static void ask(struct docker_op *op, enum docker_op_step step)
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
        docker_op_fail(op, SCALE_NOT_DONE, err.text[0] ? err.text : "no memory");
}

/* ---- what comes back ---- */

static void take_list(struct docker_op *op, struct span body)
{
    struct docker *docker = op->docker;
    struct err err = {0};
    size_t kept = 0;
    wall_ms_t wall = {loop_wall_us() / 1000}; /* the engine is on this machine */
    int n = docker_json_list(body, wall, docker->found, DOCKER_LISTED_MAX, &err);
    if (n < 0) {
        docker_op_finish(op, SCALE_NOT_DONE, err.text, NULL, 0);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (!docker->found[i].over)
            docker->listed[kept++] = docker->found[i].item;
        else if (docker->settings->remove)
            (void)docker_remove_over(docker, op->pool, docker->found[i].item.id);
    }
    docker_op_finish(op, SCALE_DONE, NULL, docker->listed, kept);
}

static void take_version(struct docker_op *op, struct span body)
{
    struct err err = {0};
    int minor = docker_json_version(body, &err);
    if (minor < 0) {
        docker_op_fail(op, SCALE_NOT_DONE, err.text);
        return;
    }
    op->docker->api = minor;
    log_info(op->docker->env.log, "docker_api", "version=1.%d socket=%s", minor,
             op->docker->settings->socket);
    docker_talk(op);
}

static void made_one(struct docker_op *op)
{
    if (++op->made == op->count)
        docker_op_finish_launch(op, SCALE_DONE, NULL);
    else
        ask(op, DOCKER_STEP_CREATE);
}

/* An answer that is no success. */
static void take_error(struct docker_op *op, int status, struct span body)
{
    char message[300], text[500];
    (void)docker_json_message(body, message, sizeof message);
    if (op->step == DOCKER_STEP_CREATE && status == 404 && op->docker->settings->pull &&
        !op->pulled) {
        op->pulled = true;
        ask(op, DOCKER_STEP_PULL);
        return;
    }
    (void)snprintf(text, sizeof text, "HTTP %d: %s%s", status, message,
                   op->step == DOCKER_STEP_CREATE && status == 404 && !op->docker->settings->pull
                       ? " (autoscale.docker.pull = no: berth does not pull images)"
                       : "");
    if (status == 400 && op->step != DOCKER_STEP_VERSION)
        op->docker->api = 0; /* another engine by now? Agree anew */
    docker_op_fail(op, SCALE_NOT_DONE, text);
}

static void on_answer(void *arg, int code, const struct fetch_response *response,
                      const struct err *err)
{
    struct docker_op *op = arg;
    op->fetch = NULL;
    if (code < 0) { /* whether it was carried out is not known */
        docker_op_fail(op, op->step == DOCKER_STEP_VERSION ? SCALE_NOT_DONE : SCALE_UNKNOWN,
                       err->text);
        return;
    }
    int status = response->status;
    bool well = status >= 200 && status < 300;
    bool gone = status == 404; /* of a container */
    switch (op->step) {
    case DOCKER_STEP_VERSION:
        if (well)
            take_version(op, response->body);
        break;
    case DOCKER_STEP_CREATE:
        well = well || status == 409; /* it is there already */
        if (well)
            ask(op, DOCKER_STEP_START);
        break;
    case DOCKER_STEP_PULL:
        if (well)
            ask(op, DOCKER_STEP_CREATE);
        break;
    case DOCKER_STEP_START:
        well = well || status == 304; /* it runs already */
        if (well)
            made_one(op);
        break;
    case DOCKER_STEP_STOP:
        well = well || status == 304 || gone;
        if (well)
            ask(op, DOCKER_STEP_REMOVE);
        break;
    case DOCKER_STEP_REMOVE:
        well = well || gone || status == 409; /* being removed */
        if (well)
            docker_op_finish(op, SCALE_DONE, NULL, NULL, 0);
        break;
    case DOCKER_STEP_LIST:
        if (well)
            take_list(op, response->body);
        break;
    }
    if (!well)
        take_error(op, status, response->body);
}

void docker_talk(struct docker_op *op)
{
    static const enum docker_op_step first[] = {[DOCKER_OP_LAUNCH] = DOCKER_STEP_CREATE,
                                                [DOCKER_OP_TERMINATE] = DOCKER_STEP_STOP,
                                                [DOCKER_OP_LIST] = DOCKER_STEP_LIST,
                                                [DOCKER_OP_REMOVE] = DOCKER_STEP_REMOVE};
    ask(op, op->docker->api ? first[op->kind] : DOCKER_STEP_VERSION);
}

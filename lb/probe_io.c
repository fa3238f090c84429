/* probe_io.c - proving that a node works: connecting as a player would, and asking.
 *
 * ws: a WebSocket to probe_url (or the endpoint), `probe`, and the answer `probe_ok` with the right
 * node and epoch. http: a GET that is answered 2xx. none: the core does not ask. */
#include "lb/app.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBE_MESSAGE_MAX = 4096 };

struct probe {
    struct probes *owner;
    struct probe *next, **link;
    size_t pool;
    char node[KEYS_NAME_MAX + 1];
    int64_t epoch;
    struct ws *ws;
    struct fetch *fetch;
    struct timer timer;
};

struct probes {
    struct app *app;
    struct probe *first;
};

/* ---- the end of one ---- */

static void drop(struct probe *p)
{
    *p->link = p->next;
    if (p->next != NULL)
        p->next->link = p->link;
    timer_stop(&p->timer);
    if (p->ws != NULL) {
        ws_set_user(p->ws, NULL);
        ws_close(p->ws, 1000, "probed");
    }
    if (p->fetch != NULL)
        fetch_cancel(p->fetch);
    free(p);
}

static void finish(struct probe *p, bool ok, const char *why)
{
    struct app *app = p->owner->app;
    char node[KEYS_NAME_MAX + 1];
    (void)snprintf(node, sizeof node, "%s", p->node);
    struct lb_event ev = {.kind = LB_PROBE_REPLY,
                          .pool = p->pool,
                          .node = span_of(node),
                          .node_epoch = p->epoch,
                          .ok = ok,
                          .why = why};
    drop(p);
    app_event(app, ev);
}

static void on_timeout(void *arg)
{
    finish(arg, false, "timeout");
}

/* ---- ws ---- */

static void on_open(void *arg, struct ws *ws)
{
    struct probe *p = ws_user(ws);
    if (p != NULL && ws_send(ws, SPAN("{\"type\":\"probe\"}")) < 0)
        finish(p, false, "not_sent");
}

/* NULL: this is the answer that was hoped for; else what is wrong with it. */
static const char *fault_of(const struct probe *p, struct span data)
{
    json_t *root = json_loadb(data.ptr, data.len, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *node = json_string_value(json_object_get(root, "node"));
    json_int_t epoch = json_integer_value(json_object_get(root, "epoch"));
    const char *fault = NULL;
    if (type == NULL || strcmp(type, "probe_ok") != 0)
        fault = "not_probe_ok";
    else if (node == NULL || strcmp(node, p->node) != 0)
        fault = "wrong_node";
    else if (epoch != p->epoch)
        fault = "wrong_epoch";
    json_decref(root);
    return fault;
}

static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct probe *p = ws_user(ws);
    if (p == NULL)
        return;
    const char *fault = binary ? "not_probe_ok" : fault_of(p, data);
    finish(p, fault == NULL, fault == NULL ? "ok" : fault);
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct probe *p = ws_user(ws);
    if (p == NULL)
        return;
    p->ws = NULL;
    finish(p, false, why);
}

static const struct ws_handlers ws_probe = {
    .open = on_open, .message = on_message, .close = on_close};

static bool start_ws(struct probe *p, const char *url, int64_t timeout_ms, struct err *err)
{
    const struct ws_client_config config = {
        .url = url, .connect_timeout_ms = timeout_ms, .message_max = PROBE_MESSAGE_MAX};
    p->ws = ws_connect(p->owner->app->web, &config, &ws_probe, err);
    if (p->ws != NULL)
        ws_set_user(p->ws, p);
    return p->ws != NULL;
}

/* ---- http ---- */

static void on_response(void *arg, int code, const struct fetch_response *response,
                        const struct err *err)
{
    struct probe *p = arg;
    p->fetch = NULL;
    if (code < 0)
        finish(p, false, err_word(code));
    else
        finish(p, response->status / 100 == 2, response->status / 100 == 2 ? "ok" : "status");
}

/* Players' ws:// and wss:// stand for http:// and https:// here; the path is the setting's. */
static void http_url(const char *url, const char *path, char *buf, size_t size)
{
    const char *rest = strstr(url, "://");
    bool tls = strncmp(url, "wss:", 4) == 0 || strncmp(url, "https:", 6) == 0;
    rest = rest == NULL ? url : rest + 3;
    (void)snprintf(buf, size, "%s://%.*s%s", tls ? "https" : "http", (int)strcspn(rest, "/?"), rest,
                   path);
}

static bool start_http(struct probe *p, const char *url, const struct probe_settings *s,
                       struct err *err)
{
    char text[NODE_URL_MAX + 520];
    http_url(url, s->path, text, sizeof text);
    const struct fetch_request request = {.method = "GET",
                                          .url = text,
                                          .timeout_ms = s->timeout_ms,
                                          .response_max = PROBE_MESSAGE_MAX};
    p->fetch = fetch_start(p->owner->app->fetcher, &request, on_response, p, err);
    return p->fetch != NULL;
}

/* ---- all ---- */

int probes_check(const struct pool_settings *pool, struct err *err)
{
    int kind = pool->probe.kind;
    if (kind == PROBE_WS || kind == PROBE_HTTP || kind == PROBE_NONE)
        return 0;
    return err_set(err, BERTH_EINVAL,
                   "pools.%s.probe.kind: this version probes by ws, http or none", pool->name);
}

struct probes *probes_create(struct app *app, struct err *err)
{
    struct probes *probes = calloc(1, sizeof *probes);
    if (probes == NULL)
        (void)err_set(err, BERTH_ENOMEM, "no memory for probes");
    else
        probes->app = app;
    return probes;
}

void probes_destroy(struct probes *probes)
{
    while (probes != NULL && probes->first != NULL)
        drop(probes->first); /* NOLINT(clang-analyzer-unix.Malloc): it takes itself off the list */
    free(probes);
}

void probes_start(struct probes *probes, size_t pool, const struct node_info *info,
                  const char *node, int64_t epoch)
{
    struct app *app = probes->app;
    const struct probe_settings *s = &app->pools[pool].settings->probe;
    struct probe *p = calloc(1, sizeof *p);
    if (p == NULL)
        return; /* the core asks again */
    *p = (struct probe){.owner = probes, .next = probes->first, .pool = pool, .epoch = epoch};
    (void)snprintf(p->node, sizeof p->node, "%s", node);
    p->link = &probes->first;
    if (p->next != NULL)
        p->next->link = &p->next;
    probes->first = p;
    timer_init(&p->timer, app->loop, on_timeout, p);
    timer_start(&p->timer, s->timeout_ms, 0);
    const char *url = info->probe_url[0] ? info->probe_url : info->endpoint;
    struct err err = {0};
    bool started =
        s->kind == PROBE_HTTP ? start_http(p, url, s, &err) : start_ws(p, url, s->timeout_ms, &err);
    if (!started) {
        log_warn(&app->log, "probe", "node=%s url=%s why=%s", node, url, err.text);
        finish(p, false, "bad_url");
    }
}

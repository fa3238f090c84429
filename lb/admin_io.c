/* admin_io.c - the admin listener: pools, nodes, health, metrics. */
#include "alerts/alerts_io.h"
#include "lb/admin_parts.h"
#include "lb/metrics.h"
#include "web/dashboard.h"

#include <stdlib.h>
#include <string.h>

enum { SEGMENTS_MAX = 6 };

/* ---- small ---- */

void admin_reply_json(struct http_exchange *ex, int status, json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(root);
    if (text == NULL)
        http_problem(ex, 500, "no-memory", "No memory", NULL, "the answer could not be written");
    else
        http_reply(ex, status, "application/json", "Cache-Control: no-store\r\n", span_of(text));
    free(text);
}

void admin_set(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

void admin_unknown(struct http_exchange *ex, const char *what, struct span name)
{
    http_problem(ex, 404, "not-found", "Not found", NULL, "there is no %s '%.*s'", what,
                 (int)(name.len < 64 ? name.len : 64), name.ptr);
}

void admin_on_gone(void *arg)
{
    ((struct admin_waiting *)arg)->ex = NULL;
}

/* ---- pools and nodes ---- */

static json_t *pool_json(const struct app *app, size_t pool)
{
    struct lb_pool_view v;
    lb_pool_view(app->lb, pool, loop_now(app->loop), &v);
    json_t *root = json_object(), *states = json_object();
    for (unsigned s = 0; s < NODE_GONE; s++)
        admin_set(states, state_word((enum node_state)s), json_integer((json_int_t)v.nodes[s]));
    admin_set(root, "name", json_string(v.name));
    admin_set(root, "owner", json_string(v.owner_name));
    admin_set(root, "nodes", json_integer((json_int_t)v.node_count));
    admin_set(root, "states", states);
    admin_set(root, "connections", json_integer(v.conns_all));
    admin_set(root, "pending", json_integer(v.pending_all));
    admin_set(root, "capacity", json_integer(v.capacity));
    admin_set(root, "closed", json_boolean(v.closed));
    if (v.closed)
        admin_set(root, "closed_message", json_string(v.closed_message));
    admin_set(root, "view_live", json_boolean(v.live));
    admin_set(root, "view_age_ms", json_integer(v.view_age_ms));
    wall_ms_t store = lb_store_now(app->lb, pool, loop_now(app->loop));
    admin_set(root, "clock_offset_ms",
              store.ms > 0 ? json_integer(loop_wall_us() / 1000 - store.ms) : json_null());
    admin_set(root, "holding", json_boolean(v.holding));
    admin_set(root, "guarded", json_boolean(v.guarded));
    admin_set(root, "doubted", json_integer(v.doubted));
    return root;
}

static json_t *want_json(const struct want *want)
{
    json_t *root = json_object();
    admin_set(root, "want", json_string(want_word(want->kind)));
    admin_set(root, "who", json_string(want_who_word(want->who)));
    admin_set(root, "why", json_string(want->why));
    admin_set(root, "until", want->until.ms ? json_integer(want->until.ms) : json_null());
    return root;
}

static json_t *node_json(const struct lb_node_view *v)
{
    json_t *root = json_object();
    admin_set(root, "name", json_string(v->name));
    admin_set(root, "state", json_string(state_word(v->state.state)));
    admin_set(root, "why", json_string(v->state.why));
    admin_set(root, "since", json_integer(v->state.since.ms));
    admin_set(root, "epoch", json_integer(v->info->epoch));
    admin_set(root, "endpoint", json_string(v->info->endpoint));
    admin_set(root, "zone", json_string(v->info->zone));
    admin_set(root, "version", json_string(v->info->version));
    admin_set(root, "instance", json_string(v->info->instance));
    admin_set(root, "capacity",
              json_integer(v->report->capacity ? v->report->capacity : v->info->capacity));
    admin_set(root, "connections", json_integer(v->report->conns));
    admin_set(root, "handshaking", json_integer(v->report->handshaking));
    admin_set(root, "rooms", json_integer(v->report->rooms));
    admin_set(root, "pending", json_integer(v->pending));
    admin_set(root, "est", json_integer(v->est));
    admin_set(root, "report_age_ms", json_integer(v->report_age_ms));
    admin_set(root, "probe", json_string(v->probe_why));
    admin_set(root, "want", v->want ? want_json(v->want) : json_null());
    json_t *gauges = json_object();
    for (uint32_t i = 0; i < v->report->gauge_count; i++)
        admin_set(gauges, v->report->gauges[i].name, json_real(v->report->gauges[i].value));
    admin_set(root, "gauges", gauges);
    return root;
}

static void get_pools(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct app *app = arg;
    json_t *root = json_object(), *list = json_array();
    for (size_t i = 0; i < app->pool_count; i++)
        (void)json_array_append_new(list, pool_json(app, i));
    admin_set(root, "lb", json_string(app->me->name));
    admin_set(root, "redis_up", json_boolean(lb_store_is_up(app->lb)));
    admin_set(root, "pools", list);
    char prints[TICKET_PRINTS_MAX];
    admin_set(root, "ticket_keys", json_string(ticket_keys_prints(app->keys, prints)));
    json_t *peers = json_object();
    for (size_t i = 0; i < app->settings->lb.peers.count; i++)
        if (i != app->my_peer)
            admin_set(peers, SECTION_AT(app->settings->lb.peers, struct lb_peer_settings, i)->name,
                      json_string(peers_is_up(app->peers, i) ? "up" : "down"));
    admin_set(root, "peers", peers);
    admin_reply_json(ex, 200, root);
}

static void get_nodes(struct app *app, size_t pool, struct http_exchange *ex)
{
    json_t *root = json_object(), *list = json_array();
    struct lb_node_view v;
    for (size_t i = 0; i < lb_node_slots(app->lb, pool); i++)
        if (lb_node_view(app->lb, pool, i, loop_now(app->loop), &v))
            (void)json_array_append_new(list, node_json(&v));
    admin_set(root, "pool", json_string(app->pools[pool].settings->name));
    admin_set(root, "nodes", list);
    admin_reply_json(ex, 200, root);
}

static void get_node(struct app *app, size_t pool, struct span name, struct http_exchange *ex)
{
    struct lb_node_view v;
    int slot = lb_node_find(app->lb, pool, name);
    if (slot < 0 || !lb_node_view(app->lb, pool, (size_t)slot, loop_now(app->loop), &v))
        admin_unknown(ex, "node", name);
    else
        admin_reply_json(ex, 200, node_json(&v));
}

/* ---- below /v1/pools/ ---- */

static void on_pool(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct app *app = arg;
    struct span seg[SEGMENTS_MAX] = {{NULL, 0}};
    struct span rest = {req->path.ptr + strlen("/v1/pools/"), req->path.len - strlen("/v1/pools/")};
    size_t count = 0;
    while (rest.len > 0 && count < SEGMENTS_MAX)
        seg[count++] = span_cut(&rest, '/');
    int pool = lb_pool_find(app->lb, seg[0]);
    bool put = span_is(req->method, "PUT");
    if (pool < 0)
        admin_unknown(ex, "pool", seg[0]);
    else if (!put && count == 1)
        admin_reply_json(ex, 200, pool_json(app, (size_t)pool));
    else if (!put && count == 2 && span_is(seg[1], "nodes"))
        get_nodes(app, (size_t)pool, ex);
    else if (!put && count == 3 && span_is(seg[1], "nodes"))
        get_node(app, (size_t)pool, seg[2], ex);
    else if (put && count == 4 && span_is(seg[1], "nodes") && span_is(seg[3], "want"))
        admin_put_want(app, (size_t)pool, seg[2], req, ex);
    else if (put && count == 2 && span_is(seg[1], "closed"))
        admin_put_closed(app, (size_t)pool, req, ex);
    else
        http_problem(ex, 404, "not-found", "Not found", NULL,
                     "the admin listener has POOL, POOL/nodes, POOL/nodes/NODE, and with PUT "
                     "POOL/nodes/NODE/want and POOL/closed");
}

/* ---- health ---- */

static void get_healthz(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    http_reply(ex, 200, "text/plain", NULL, SPAN("ok\n"));
}

const char *app_not_ready(struct app *app)
{
    static char text[160];
    for (size_t i = 0; i < app->pool_count; i++) {
        struct lb_pool_view v;
        lb_pool_view(app->lb, i, loop_now(app->loop), &v);
        if (v.ready && v.epoch != 0 && !v.name_refused)
            continue;
        (void)snprintf(text, sizeof text, "pool %s: %s", v.name,
                       v.name_refused ? "another process runs under this balancer's name"
                       : v.ready      ? "no epoch is granted yet"
                                      : "not read from the store yet");
        return text;
    }
    if (app->stopping)
        return "this balancer is stopping";
    if (app->service != NULL && service_out(app->service) != NULL) {
        (void)snprintf(text, sizeof text, "out of service: %s", service_out(app->service));
        return text;
    }
    return NULL;
}

static void get_readyz(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    const char *why = app_not_ready(arg);
    if (why != NULL)
        http_problem(ex, 503, "not-ready", "Not ready", "Retry-After: 1\r\n", "%s", why);
    else
        http_reply(ex, 200, "text/plain", NULL, SPAN("ready\n"));
}

static void get_metrics(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct app *app = arg;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        http_problem(ex, 500, "no-memory", "No memory", NULL, "the answer could not be written");
        return;
    }
    const struct metrics_shell shell = {
        .name = app->me->name,
        .now = loop_now(app->loop),
        .latency_us = &app->latency_us,
        .requests = app->requests,
        .public_connections = web_server_connections(app->public_server),
        .admin_connections = web_server_connections(app->admin_server),
        .probes_held = probes_held(app->probes),
        .log_dropped = app->log.dropped,
        .events_dropped = app->events_dropped,
    };
    metrics_write(out, app->lb, &shell);
    if (app->alerts) {
        char alerts[ALERTS_METRICS_MAX];
        (void)alerts_io_metrics(app->alerts, "berth_lb", alerts, sizeof alerts);
        (void)fputs(alerts, out);
    }
    (void)fclose(out);
    http_reply(ex, 200, "text/plain; version=0.0.4", NULL, (struct span){text, len});
    free(text);
}

/* Everything under / that is nothing else; only / itself is a page. */
static void get_dashboard(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    /* the page asks this listener alone, and nobody else may frame it */
    static const char headers[] =
        "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'; connect-src 'self'; script-src "
        "'unsafe-inline'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n";
    if (span_is(req->path, "/"))
        http_reply(ex, 200, "text/html; charset=utf-8", headers, dashboard_page());
    else
        http_problem(
            ex, 404, "not-found", "Not found", NULL,
            "the admin listener has /, /v1/pools, /v1/events, /healthz, /readyz, /metrics");
}

const struct http_route admin_routes[] = {
    {"GET", "/v1/pools", get_pools},
    {"GET", "/v1/pools/", on_pool},
    {"PUT", "/v1/pools/", on_pool},
    {"GET", "/v1/events", admin_get_events},
    {"GET", "/healthz", get_healthz},
    {"GET", "/readyz", get_readyz},
    {"GET", "/metrics", get_metrics},
    {"GET", "/", get_dashboard},
    {NULL, NULL, NULL},
};

const struct http_route health_routes[] = {
    {"GET", "/healthz", get_healthz},
    {"GET", "/readyz", get_readyz},
    {"GET", "/", get_readyz},
    {NULL, NULL, NULL},
};

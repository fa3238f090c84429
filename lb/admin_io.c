/* admin_io.c - the admin listener: pools, nodes, wants, events, health, metrics. */
#include "alerts/alerts_io.h"
#include "lb/app.h"
#include "lb/metrics.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SEGMENTS_MAX = 6, EVENTS_LIMIT = 200, EVENTS_LIMIT_MAX = 2000 };

/* ---- small ---- */

static void reply_json(struct http_exchange *ex, int status, json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(root);
    if (text == NULL)
        http_problem(ex, 500, "no-memory", "No memory", NULL, "the answer could not be written");
    else
        http_reply(ex, status, "application/json", "Cache-Control: no-store\r\n", span_of(text));
    free(text);
}

static void set(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

static void unknown(struct http_exchange *ex, const char *what, struct span name)
{
    http_problem(ex, 404, "not-found", "Not found", NULL, "there is no %s '%.*s'", what,
                 (int)(name.len < 64 ? name.len : 64), name.ptr);
}

static bool is_admin(const struct app *app, const struct http_request *req,
                     struct http_exchange *ex)
{
    const char *token = app->settings->lb.admin_token;
    if (token == NULL) {
        http_problem(ex, 403, "forbidden", "Read only", NULL,
                     "lb.admin_token is not set: nothing may be changed over HTTP");
        return false;
    }
    if (http_bearer_is(req, token))
        return true;
    http_problem(ex, 401, "unauthorized", "Token needed", "WWW-Authenticate: Bearer\r\n",
                 "send lb.admin_token as a bearer token");
    return false;
}

/* ---- pools and nodes ---- */

static json_t *pool_json(const struct app *app, size_t pool)
{
    struct lb_pool_view v;
    lb_pool_view(app->lb, pool, loop_now(app->loop), &v);
    json_t *root = json_object(), *states = json_object();
    for (unsigned s = 0; s < NODE_GONE; s++)
        set(states, state_word((enum node_state)s), json_integer((json_int_t)v.nodes[s]));
    set(root, "name", json_string(v.name));
    set(root, "owner", json_string(v.owner_name));
    set(root, "nodes", json_integer((json_int_t)v.node_count));
    set(root, "states", states);
    set(root, "connections", json_integer(v.conns_all));
    set(root, "pending", json_integer(v.pending_all));
    set(root, "capacity", json_integer(v.capacity));
    set(root, "closed", json_boolean(v.closed));
    if (v.closed)
        set(root, "closed_message", json_string(v.closed_message));
    set(root, "view_live", json_boolean(v.live));
    set(root, "view_age_ms", json_integer(v.view_age_ms));
    set(root, "holding", json_boolean(v.holding));
    set(root, "guarded", json_boolean(v.guarded));
    set(root, "doubted", json_integer(v.doubted));
    return root;
}

static json_t *want_json(const struct want *want)
{
    json_t *root = json_object();
    set(root, "want", json_string(want_word(want->kind)));
    set(root, "who", json_string(want_who_word(want->who)));
    set(root, "why", json_string(want->why));
    set(root, "until", want->until.ms ? json_integer(want->until.ms) : json_null());
    return root;
}

static json_t *node_json(const struct lb_node_view *v)
{
    json_t *root = json_object();
    set(root, "name", json_string(v->name));
    set(root, "state", json_string(state_word(v->state.state)));
    set(root, "why", json_string(v->state.why));
    set(root, "since", json_integer(v->state.since.ms));
    set(root, "epoch", json_integer(v->info->epoch));
    set(root, "endpoint", json_string(v->info->endpoint));
    set(root, "zone", json_string(v->info->zone));
    set(root, "version", json_string(v->info->version));
    set(root, "instance", json_string(v->info->instance));
    set(root, "capacity",
        json_integer(v->report->capacity ? v->report->capacity : v->info->capacity));
    set(root, "connections", json_integer(v->report->conns));
    set(root, "handshaking", json_integer(v->report->handshaking));
    set(root, "rooms", json_integer(v->report->rooms));
    set(root, "pending", json_integer(v->pending));
    set(root, "est", json_integer(v->est));
    set(root, "report_age_ms", json_integer(v->report_age_ms));
    set(root, "probe", json_string(v->probe_why));
    set(root, "want", v->want ? want_json(v->want) : json_null());
    json_t *gauges = json_object();
    for (uint32_t i = 0; i < v->report->gauge_count; i++)
        set(gauges, v->report->gauges[i].name, json_real(v->report->gauges[i].value));
    set(root, "gauges", gauges);
    return root;
}

static void get_pools(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct app *app = arg;
    json_t *root = json_object(), *list = json_array();
    for (size_t i = 0; i < app->pool_count; i++)
        (void)json_array_append_new(list, pool_json(app, i));
    set(root, "lb", json_string(app->me->name));
    set(root, "redis_up", json_boolean(lb_store_is_up(app->lb)));
    set(root, "pools", list);
    json_t *peers = json_object();
    for (size_t i = 0; i < app->settings->lb.peers.count; i++)
        if (i != app->my_peer)
            set(peers, SECTION_AT(app->settings->lb.peers, struct lb_peer_settings, i)->name,
                json_string(peers_is_up(app->peers, i) ? "up" : "down"));
    set(root, "peers", peers);
    reply_json(ex, 200, root);
}

static void get_nodes(struct app *app, size_t pool, struct http_exchange *ex)
{
    json_t *root = json_object(), *list = json_array();
    struct lb_node_view v;
    for (size_t i = 0; i < lb_node_slots(app->lb, pool); i++)
        if (lb_node_view(app->lb, pool, i, loop_now(app->loop), &v))
            (void)json_array_append_new(list, node_json(&v));
    set(root, "pool", json_string(app->pools[pool].settings->name));
    set(root, "nodes", list);
    reply_json(ex, 200, root);
}

static void get_node(struct app *app, size_t pool, struct span name, struct http_exchange *ex)
{
    struct lb_node_view v;
    int slot = lb_node_find(app->lb, pool, name);
    if (slot < 0 || !lb_node_view(app->lb, pool, (size_t)slot, loop_now(app->loop), &v))
        unknown(ex, "node", name);
    else
        reply_json(ex, 200, node_json(&v));
}

/* ---- wants ---- */

struct waiting {
    struct app *app;
    struct http_exchange *ex; /* NULL: gone */
    bool newest_first;        /* events: how the reply comes */
};

static void on_gone(void *arg)
{
    ((struct waiting *)arg)->ex = NULL;
}

static void on_want(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct waiting *w = arg;
    w->app->calls--;
    if (w->ex == NULL) {
        free(w);
        return;
    }
    if (code == BERTH_EINVAL || code == BERTH_EPROTO)
        http_problem(w->ex, 502, "store-refused", "Store refused", NULL, "%s", err->text);
    else if (code != 0)
        http_problem(w->ex, 503, "store-away", "Store away", "Retry-After: 1\r\n",
                     "the store did not answer: whether it was written is not known");
    else if (answer->word == ANSWER_UNKNOWN)
        http_problem(w->ex, 404, "not-found", "Not found", NULL, "the store knows no such node");
    else
        http_reply(w->ex, 202, "application/json", NULL, SPAN("{\"accepted\":true}"));
    free(w);
}

static void send_want(struct app *app, size_t pool, const struct call_want *request,
                      struct http_exchange *ex)
{
    struct store_call call;
    struct err err = {0};
    int code = calls_want(&call, &app->pools[pool].keys, request, &err);
    if (code < 0) {
        http_problem(ex, 400, "bad-parameter", "Bad parameter", NULL, "%s", err.text);
        return;
    }
    struct waiting *w = malloc(sizeof *w);
    if (w != NULL) {
        *w = (struct waiting){.app = app, .ex = ex};
        code = store_send(app->pools[pool].redis, &call, on_want, w);
    }
    if (w == NULL || code < 0) {
        free(w);
        http_problem(ex, 503, "store-away", "Store away", "Retry-After: 1\r\n",
                     "the store cannot be reached: nothing was written");
        return;
    }
    app->calls++;
    http_on_gone(ex, on_gone, w);
}

/* "2h" from now, or an RFC 3339 time in UTC; absent: for ever. */
static int until_of(struct app *app, size_t pool, const json_t *value, wall_ms_t *ret_until,
                    struct err *err)
{
    wall_ms_t now = lb_store_now(app->lb, pool, loop_now(app->loop));
    int64_t ms;
    struct tm tm = {0};
    *ret_until = (wall_ms_t){0};
    if (value == NULL || json_is_null(value))
        return 0;
    const char *text = json_string_value(value);
    if (text != NULL && option_duration(span_of(text), &ms) && ms > 0) {
        *ret_until = wall_add(now, ms);
        return 0;
    }
    const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (end != NULL && strcmp(end, "Z") == 0) {
        *ret_until = (wall_ms_t){(int64_t)timegm(&tm) * 1000};
        if (ret_until->ms > now.ms)
            return 0;
    }
    return err_set(err, BERTH_EINVAL,
                   "until: must be a duration (30m, 2h) or a time to come (2026-11-21T20:15:00Z)");
}

static json_t *body_of(const struct http_request *req, struct http_exchange *ex)
{
    json_error_t where;
    json_t *root = json_loadb(req->body.ptr ? req->body.ptr : "", req->body.len, 0, &where);
    if (json_is_object(root))
        return root;
    json_decref(root);
    http_problem(ex, 400, "bad-body", "Bad body", NULL, "body: must be a JSON object (line %d: %s)",
                 where.line, where.text);
    return NULL;
}

/* May these members be in a body? What is misspelt or of another type would otherwise be taken for
 * left out, which closes a pool for ever where an hour was meant. boolean: the one that is true
 * or false (NULL: none); the others are texts. */
static int members_ok(json_t *body, const char *const *names, const char *boolean, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(body, key, value)
    {
        bool known = false;
        for (const char *const *n = names; *n && !known; n++)
            known = strcmp(*n, key) == 0;
        bool truth = boolean && strcmp(boolean, key) == 0;
        if (!known && !truth)
            return err_set(err, BERTH_EINVAL, "%.60s: no such member here", key);
        if (json_is_null(value) || (truth ? json_is_boolean(value) : json_is_string(value)))
            continue;
        return err_set(err, BERTH_EINVAL, "%s: must be %s", key,
                       truth ? "true or false" : "a text");
    }
    return 0;
}

static int kind_of(const char *word, enum want_kind *ret_kind, struct err *err)
{
    static const enum want_kind kinds[] = {WANT_NONE, WANT_DRAINING, WANT_READY, WANT_HELD};
    for (size_t i = 0; word != NULL && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(word, want_word(kinds[i])) == 0) {
            *ret_kind = kinds[i];
            return 0;
        }
    return err_set(err, BERTH_EINVAL, "want: must be draining, ready, held or none");
}

static void put_want(struct app *app, size_t pool, struct span node, const struct http_request *req,
                     struct http_exchange *ex)
{
    char name[KEYS_NAME_MAX + 1];
    if (!is_admin(app, req, ex))
        return;
    if (!keys_name_ok(node) || !span_copy(node, name, sizeof name)) {
        unknown(ex, "node", node);
        return;
    }
    json_t *body = body_of(req, ex);
    if (body == NULL)
        return;
    struct err err = {0};
    const char *reason = json_string_value(json_object_get(body, "reason"));
    struct call_want want = {.node = name,
                             .who = WANT_BY_OPERATOR,
                             .why = reason ? reason : "operator",
                             .feed_max = app_feed_max(app, pool)};
    static const char *const names[] = {"want", "reason", "until", NULL};
    int code = members_ok(body, names, NULL, &err);
    if (code == 0)
        code = kind_of(json_string_value(json_object_get(body, "want")), &want.kind, &err);
    if (code == 0)
        code = until_of(app, pool, json_object_get(body, "until"), &want.until, &err);
    if (code < 0)
        http_problem(ex, 400, "bad-parameter", "Bad parameter", NULL, "%s", err.text);
    else
        send_want(app, pool, &want, ex);
    json_decref(body);
}

static void put_closed(struct app *app, size_t pool, const struct http_request *req,
                       struct http_exchange *ex)
{
    if (!is_admin(app, req, ex))
        return;
    json_t *body = body_of(req, ex);
    if (body == NULL)
        return;
    struct err err = {0};
    const char *message = json_string_value(json_object_get(body, "message"));
    const json_t *closed = json_object_get(body, "closed");
    struct call_want want = {.node = WANT_POOL_CLOSED,
                             .who = WANT_BY_OPERATOR,
                             .kind = json_is_false(closed) ? WANT_NONE : WANT_CLOSED,
                             .why = message ? message : "closed for maintenance",
                             .feed_max = app_feed_max(app, pool)};
    static const char *const names[] = {"message", "until", NULL};
    if (members_ok(body, names, "closed", &err) < 0 ||
        until_of(app, pool, json_object_get(body, "until"), &want.until, &err) < 0)
        http_problem(ex, 400, "bad-parameter", "Bad parameter", NULL, "%s", err.text);
    else
        send_want(app, pool, &want, ex);
    json_decref(body);
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
        unknown(ex, "pool", seg[0]);
    else if (!put && count == 1)
        reply_json(ex, 200, pool_json(app, (size_t)pool));
    else if (!put && count == 2 && span_is(seg[1], "nodes"))
        get_nodes(app, (size_t)pool, ex);
    else if (!put && count == 3 && span_is(seg[1], "nodes"))
        get_node(app, (size_t)pool, seg[2], ex);
    else if (put && count == 4 && span_is(seg[1], "nodes") && span_is(seg[3], "want"))
        put_want(app, (size_t)pool, seg[2], req, ex);
    else if (put && count == 2 && span_is(seg[1], "closed"))
        put_closed(app, (size_t)pool, req, ex);
    else
        http_problem(ex, 404, "not-found", "Not found", NULL,
                     "the admin listener has POOL, POOL/nodes, POOL/nodes/NODE, and with PUT "
                     "POOL/nodes/NODE/want and POOL/closed");
}

/* ---- events ---- */

static json_t *event_json(const struct resp *entry)
{
    json_t *root = json_object();
    if (entry->type != RESP_LIST || entry->count != 2 || entry->items[1].type != RESP_LIST)
        return root;
    struct span id = entry->items[0].text;
    set(root, "id", json_stringn(id.ptr, id.len));
    const struct resp *fields = &entry->items[1];
    for (size_t i = 0; i + 1 < fields->count; i += 2) {
        struct span name = fields->items[i].text, value = fields->items[i + 1].text;
        const char *key = span_is(name, "k")   ? "event"
                          : span_is(name, "n") ? "about"
                          : span_is(name, "d") ? "detail"
                                               : NULL;
        if (key != NULL)
            set(root, key, json_stringn(value.ptr, value.len));
    }
    return root;
}

static void on_events(void *arg, int code, const struct resp *reply)
{
    struct waiting *w = arg;
    w->app->calls--;
    if (w->ex != NULL && (code != 0 || reply->type != RESP_LIST)) {
        http_problem(w->ex, 503, "store-away", "Store away", "Retry-After: 1\r\n",
                     "the events are in the store, which did not answer");
    } else if (w->ex != NULL) {
        json_t *root = json_object(), *list = json_array();
        for (size_t i = 0; i < reply->count; i++)
            (void)json_array_append_new(
                list, event_json(&reply->items[w->newest_first ? reply->count - 1 - i : i]));
        set(root, "events", list);
        reply_json(w->ex, 200, root);
    }
    free(w);
}

static bool event_query(struct app *app, const struct http_request *req, struct http_exchange *ex,
                        size_t *ret_pool, char *since, size_t since_size, int64_t *ret_limit)
{
    char text[KEYS_NAME_MAX + 1];
    *ret_pool = 0;
    *ret_limit = EVENTS_LIMIT;
    int len = http_query(req, "pool", text, sizeof text);
    int pool = len >= 0 ? lb_pool_find(app->lb, span_of(text)) : 0;
    if (len != BERTH_ENOENT && pool < 0) {
        unknown(ex, "pool", span_of(len < 0 ? "" : text));
        return false;
    }
    if (pool > 0)
        *ret_pool = (size_t)pool;
    len = http_query(req, "limit", text, sizeof text);
    if (len != BERTH_ENOENT && (len < 0 || !span_int(span_of(text), ret_limit) || *ret_limit < 1 ||
                                *ret_limit > EVENTS_LIMIT_MAX)) {
        http_problem(ex, 400, "bad-parameter", "Bad parameter", NULL, "limit: must be 1..%d",
                     EVENTS_LIMIT_MAX);
        return false;
    }
    len = http_query(req, "since", since + 1, since_size - 1);
    since[0] = '(';
    if (len == BERTH_ENOENT)
        since[0] = '\0';
    else if (len <= 0 || strspn(since + 1, "0123456789-") != (size_t)len) {
        http_problem(ex, 400, "bad-parameter", "Bad parameter", NULL,
                     "since: must be the id of an event (1700000000000-0)");
        return false;
    }
    return true;
}

/* The newest last. With `since`: those after it; without: the latest. */
static void get_events(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct app *app = arg;
    char since[48], limit[24];
    size_t pool;
    int64_t count;
    if (!event_query(app, req, ex, &pool, since, sizeof since, &count))
        return;
    (void)snprintf(limit, sizeof limit, "%lld", (long long)count);
    struct span key = keys_get(&app->pools[pool].keys, KEY_EVENTS);
    const struct span after[] = {SPAN("XRANGE"), key,           span_of(since),
                                 SPAN("+"),      SPAN("COUNT"), span_of(limit)};
    const struct span latest[] = {SPAN("XREVRANGE"), key,           SPAN("+"),
                                  SPAN("-"),         SPAN("COUNT"), span_of(limit)};
    struct waiting *w = malloc(sizeof *w);
    int code = BERTH_ENOMEM;
    if (w != NULL) {
        *w = (struct waiting){.app = app, .ex = ex, .newest_first = since[0] == '\0'};
        code = redis_command(app->pools[pool].redis, since[0] ? after : latest, 6, 0, on_events, w);
    }
    if (code < 0) {
        free(w);
        http_problem(ex, 503, "store-away", "Store away", "Retry-After: 1\r\n",
                     "the events are in the store, which cannot be reached");
        return;
    }
    app->calls++;
    http_on_gone(ex, on_gone, w);
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

const struct http_route admin_routes[] = {
    {"GET", "/v1/pools", get_pools},  {"GET", "/v1/pools/", on_pool},
    {"PUT", "/v1/pools/", on_pool},   {"GET", "/v1/events", get_events},
    {"GET", "/healthz", get_healthz}, {"GET", "/readyz", get_readyz},
    {"GET", "/metrics", get_metrics}, {NULL, NULL, NULL},
};

const struct http_route health_routes[] = {
    {"GET", "/healthz", get_healthz},
    {"GET", "/readyz", get_readyz},
    {"GET", "/", get_readyz},
    {NULL, NULL, NULL},
};

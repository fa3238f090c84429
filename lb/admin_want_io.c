/* admin_want_io.c - what operators wish over HTTP: PUT .../want and .../closed. */
#include "lb/admin_parts.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static void on_want(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct admin_waiting *w = arg;
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
    struct admin_waiting *w = malloc(sizeof *w);
    if (w != NULL) {
        *w = (struct admin_waiting){.app = app, .ex = ex};
        code = store_send(app->pools[pool].redis, &call, on_want, w);
    }
    if (w == NULL || code < 0) {
        free(w);
        http_problem(ex, 503, "store-away", "Store away", "Retry-After: 1\r\n",
                     "the store cannot be reached: nothing was written");
        return;
    }
    app->calls++;
    http_on_gone(ex, admin_on_gone, w);
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
    if (root != NULL)
        http_problem(ex, 400, "bad-body", "Bad body", NULL,
                     "body: must be a JSON object, not a list");
    else
        http_problem(ex, 400, "bad-body", "Bad body", NULL,
                     "body: must be a JSON object (line %d: %s)", where.line, where.text);
    json_decref(root);
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

void admin_put_want(struct app *app, size_t pool, struct span node, const struct http_request *req,
                    struct http_exchange *ex)
{
    char name[KEYS_NAME_MAX + 1];
    if (!is_admin(app, req, ex))
        return;
    if (!keys_name_ok(node) || !span_copy(node, name, sizeof name)) {
        admin_unknown(ex, "node", node);
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

void admin_put_closed(struct app *app, size_t pool, const struct http_request *req,
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

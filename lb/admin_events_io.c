/* admin_events_io.c - GET /v1/events: as a list, or (admin_stream_io.c) as they come. */
#include "lb/admin_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_LIMIT = 200, EVENTS_LIMIT_MAX = 2000 };

json_t *admin_event_json(const struct resp *entry)
{
    json_t *root = json_object();
    if (entry->type != RESP_LIST || entry->count != 2 || entry->items[1].type != RESP_LIST)
        return root;
    struct span id = entry->items[0].text;
    admin_set(root, "id", json_stringn(id.ptr, id.len));
    const struct resp *fields = &entry->items[1];
    for (size_t i = 0; i + 1 < fields->count; i += 2) {
        struct span name = fields->items[i].text, value = fields->items[i + 1].text;
        const char *key = span_is(name, "k")   ? "event"
                          : span_is(name, "n") ? "about"
                          : span_is(name, "d") ? "detail"
                                               : NULL;
        if (key != NULL)
            admin_set(root, key, json_stringn(value.ptr, value.len));
    }
    return root;
}

static void on_events(void *arg, int code, const struct resp *reply)
{
    struct admin_waiting *w = arg;
    w->app->calls--;
    if (w->ex != NULL && (code != 0 || reply->type != RESP_LIST)) {
        http_problem(w->ex, 503, "store-away", "Store away", "Retry-After: 1\r\n",
                     "the events are in the store, which did not answer");
    } else if (w->ex != NULL) {
        json_t *root = json_object(), *list = json_array();
        for (size_t i = 0; i < reply->count; i++)
            (void)json_array_append_new(
                list, admin_event_json(&reply->items[w->newest_first ? reply->count - 1 - i : i]));
        admin_set(root, "events", list);
        admin_reply_json(w->ex, 200, root);
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
        admin_unknown(ex, "pool", span_of(len < 0 ? "" : text));
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
void admin_get_events(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct app *app = arg;
    char since[48], limit[24];
    size_t pool;
    int64_t count;
    if (!event_query(app, req, ex, &pool, since, sizeof since, &count))
        return;
    (void)snprintf(limit, sizeof limit, "%lld", (long long)count);
    static const char stream[] = "text/event-stream";
    if (req->accept.len > 0 &&
        memmem(req->accept.ptr, req->accept.len, stream, sizeof stream - 1) != NULL) {
        bool again = req->last_event_id.len > 0;
        bool given = since[0] != '\0' || again;
        bool fits = !again || span_copy(req->last_event_id, since + 1, sizeof since - 1);
        if (!fits || (given && strspn(since + 1, "0123456789-") != strlen(since + 1)))
            http_problem(ex, 400, "bad-parameter", "Bad parameter", NULL,
                         "Last-Event-ID: must be the id of an event (1700000000000-0)");
        else
            admin_stream_events(app, pool, given ? since + 1 : "", ex);
        return;
    }
    struct span key = keys_get(&app->pools[pool].keys, KEY_EVENTS);
    const struct span after[] = {SPAN("XRANGE"), key,           span_of(since),
                                 SPAN("+"),      SPAN("COUNT"), span_of(limit)};
    const struct span latest[] = {SPAN("XREVRANGE"), key,           SPAN("+"),
                                  SPAN("-"),         SPAN("COUNT"), span_of(limit)};
    struct admin_waiting *w = malloc(sizeof *w);
    int code = BERTH_ENOMEM;
    if (w != NULL) {
        *w = (struct admin_waiting){.app = app, .ex = ex, .newest_first = since[0] == '\0'};
        code = redis_command(app->pools[pool].redis, since[0] ? after : latest, 6, 0, on_events, w);
    }
    if (code < 0) {
        free(w);
        http_problem(ex, 503, "store-away", "Store away", "Retry-After: 1\r\n",
                     "the events are in the store, which cannot be reached");
        return;
    }
    app->calls++;
    http_on_gone(ex, admin_on_gone, w);
}

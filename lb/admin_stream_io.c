/* admin_stream_io.c - GET /v1/events as text/event-stream: what happens in a pool, as it happens.
 *
 * The events are a stream in the store; each open stream asks for what came after the last it has
 * told, twice a second. A client that comes back says the last id it saw (Last-Event-ID) and misses
 * nothing that the store still holds. */
#include "lb/admin_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STREAMS_MAX = 32, ASK_MS = 500, AT_A_TIME = 200, ALIVE_TURNS = 30 };

struct event_stream {
    struct app *app;
    size_t pool;
    struct http_exchange *ex; /* NULL: gone */
    struct timer timer;
    bool asking;
    int quiet;     /* turns without a word */
    char last[48]; /* id of the last event told */
};

static void end(struct event_stream *s)
{
    timer_stop(&s->timer);
    s->app->streams--;
    s->ex = NULL;
    if (!s->asking)
        free(s);
}

static void on_gone(void *arg)
{
    end(arg);
}

/* False: it is over. */
static bool say(struct event_stream *s, struct span text)
{
    s->quiet = 0;
    if (http_stream_write(s->ex, text) == 0)
        return true;
    http_stream_end(s->ex); /* it reads too slowly: it comes back with its last id */
    end(s);
    return false;
}

static bool say_event(struct event_stream *s, const struct resp *entry)
{
    if (entry->type != RESP_LIST || entry->count != 2 || entry->items[0].text.len >= sizeof s->last)
        return true;
    json_t *root = admin_event_json(entry);
    char *data = json_dumps(root, JSON_COMPACT);
    char *text = NULL;
    (void)span_copy(entry->items[0].text, s->last, sizeof s->last);
    int len = data ? asprintf(&text, "id: %s\ndata: %s\n\n", s->last, data) : -1;
    bool on = len < 0 || say(s, (struct span){text, (size_t)len});
    free(text);
    free(data);
    json_decref(root);
    return on;
}

static void on_events(void *arg, int code, const struct resp *reply)
{
    struct event_stream *s = arg;
    s->app->calls--;
    s->asking = false;
    if (s->ex == NULL) {
        free(s);
        return;
    }
    size_t count = code == 0 && reply->type == RESP_LIST ? reply->count : 0;
    for (size_t i = 0; i < count; i++)
        if (!say_event(s, &reply->items[i]))
            return;
    if (++s->quiet >= ALIVE_TURNS)
        (void)say(s, SPAN(": alive\n\n")); /* or a proxy takes it for dead */
}

static void ask(void *arg)
{
    struct event_stream *s = arg;
    struct app_pool *pool = &s->app->pools[s->pool];
    char since[56], limit[24];
    if (s->asking)
        return;
    (void)snprintf(since, sizeof since, "(%s", s->last);
    (void)snprintf(limit, sizeof limit, "%d", AT_A_TIME);
    const struct span argv[] = {SPAN("XRANGE"), keys_get(&pool->keys, KEY_EVENTS),
                                span_of(since), SPAN("+"),
                                SPAN("COUNT"),  span_of(limit)};
    if (redis_command(pool->redis, argv, 6, 0, on_events, s) < 0)
        return; /* the store is away: the next turn asks again */
    s->asking = true;
    s->app->calls++;
}

void admin_stream_events(struct app *app, size_t pool, const char *since, struct http_exchange *ex)
{
    if (app->streams >= STREAMS_MAX) {
        http_problem(ex, 503, "too-many", "Too many streams", "Retry-After: 10\r\n",
                     "%d streams of events are open: at most %d", STREAMS_MAX, STREAMS_MAX);
        return;
    }
    struct event_stream *s = calloc(1, sizeof *s);
    if (s == NULL) {
        http_problem(ex, 500, "no-memory", "No memory", NULL, "no memory for a stream");
        return;
    }
    wall_ms_t now = lb_store_now(app->lb, pool, loop_now(app->loop));
    *s = (struct event_stream){.app = app, .pool = pool, .ex = ex};
    if (since[0] != '\0')
        (void)snprintf(s->last, sizeof s->last, "%s", since);
    else
        (void)snprintf(s->last, sizeof s->last, "%lld", (long long)(now.ms > 0 ? now.ms : 0));
    app->streams++;
    http_on_gone(ex, on_gone, s);
    http_stream_begin(ex, 200, "text/event-stream", "Cache-Control: no-store\r\n");
    timer_init(&s->timer, app->loop, ask, s);
    timer_start(&s->timer, 0, ASK_MS);
}

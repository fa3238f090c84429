/* alerts_read_io.c - the events of all pools, read from where each destination is, and how far each
 * was told, written back. */
#include "alerts/alerts_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define READ_COUNT "200"
#define READ_FULL 200
#define CURSOR_TTL_MS (8LL * 86400000)

static bool is_set(struct stream_id id)
{
    return id.ms || id.seq;
}

/* ---- cursors ---- */

static void on_written(void *arg, int code, const struct store_answer *answer,
                       const struct err *err)
{
    (void)alerts_asked(arg);
}

void alerts_write_cursor(struct alerts_pool *pool, const char *field, struct stream_id id)
{
    struct alerts_io *a = pool->alerts;
    char text[48];
    struct err err;
    const struct call_alerted req = {
        .destination = field, .id = stream_id_text(id, text), .ttl_ms = CURSOR_TTL_MS};
    struct alerts_ask *ask = malloc(sizeof *ask);
    if (!ask)
        return;
    *ask = (struct alerts_ask){a, pool};
    if (calls_alerted(&a->call, &pool->keys, &req, &err) < 0 ||
        store_send(pool->redis, &a->call, on_written, ask) < 0) {
        free(ask);
        return;
    }
    a->waits++;
}

static void write_cursors(struct alerts_pool *pool)
{
    struct alerts_io *a = pool->alerts;
    for (size_t i = 0; i < a->to_count; i++) {
        struct alerts_to *to = &a->to[i];
        struct stream_id settled =
            outbox_settled(to->outbox, pool->index, to->at[pool->index].read);
        if (!stream_id_after(settled, to->at[pool->index].written))
            continue;
        to->at[pool->index].written = settled;
        alerts_write_cursor(pool, to->settings->name, settled);
    }
}

/* ---- beginning: where each destination is ---- */

static void start_at(struct alerts_to *to, int pool, struct stream_id id)
{
    to->at[pool].known = true;
    to->at[pool].read = to->at[pool].written = id;
}

/* The newest entry: who has no cursor begins after it. */
static void on_end(void *arg, int code, const struct resp *reply)
{
    struct alerts_pool *pool = alerts_asked(arg);
    struct stream_id end = {0};
    if (!pool)
        return;
    pool->reading = false;
    if (code < 0 || reply->type != RESP_LIST)
        return; /* asked again at the next tick */
    if (reply->count == 1 && reply->items[0].count == 2 &&
        !stream_id_parse(reply->items[0].items[0].text, &end))
        return;
    for (size_t i = 0; i < pool->alerts->to_count; i++) {
        struct alerts_to *to = &pool->alerts->to[i];
        if (to->at[pool->index].known)
            continue;
        start_at(to, pool->index, end);
        if (is_set(end))
            alerts_write_cursor(pool, to->settings->name, end);
    }
    pool->loaded = true;
}

static void load_field(struct alerts_pool *pool, struct span field, struct stream_id id)
{
    struct alerts_io *a = pool->alerts;
    if (span_is(field, "*report") && pool->index == (int)a->first)
        a->report_last = (wall_ms_t){id.ms};
    for (size_t i = 0; i < a->to_count; i++)
        if (span_is(field, a->to[i].settings->name))
            start_at(&a->to[i], pool->index, id);
}

static void on_cursors(void *arg, int code, const struct resp *reply)
{
    struct alerts_pool *pool = alerts_asked(arg);
    struct stream_id id;
    if (!pool)
        return;
    pool->reading = false;
    if (code < 0 || reply->type != RESP_LIST)
        return;
    for (size_t i = 0; i + 1 < reply->count; i += 2)
        if (stream_id_parse(reply->items[i + 1].text, &id))
            load_field(pool, reply->items[i].text, id);
    const struct span argv[] = {SPAN("XREVRANGE"), keys_get(&pool->keys, KEY_EVENTS),
                                SPAN("+"),         SPAN("-"),
                                SPAN("COUNT"),     SPAN("1")};
    pool->reading = alerts_ask(pool, argv, sizeof argv / sizeof *argv, on_end);
}

void alerts_read_begin(struct alerts_io *a)
{
    a->report_last = (wall_ms_t){0};
    for (size_t i = 0; i < a->pool_count; i++) {
        a->pools[i].loaded = false;
        for (size_t j = 0; j < a->to_count; j++)
            a->to[j].at[i].known = false;
    }
}

/* ---- events ---- */

static void count_event(struct alerts_pool *pool, const struct alert *alert)
{
    pool->outs += alert->kind == ALERT_SCALE_OUT;
    pool->ins += alert->kind == ALERT_SCALE_IN;
    pool->losses += alert->kind == ALERT_NODE_LOST;
}

/* An entry is [id, [k, kind, n, name, d, detail]]. */
static struct span field_of(const struct resp *pairs, const char *name)
{
    for (size_t i = 0; i + 1 < pairs->count; i += 2)
        if (span_is(pairs->items[i].text, name))
            return pairs->items[i + 1].text;
    return (struct span){"", 0};
}

static void take_entry(struct alerts_pool *pool, const struct resp *entry)
{
    struct alerts_io *a = pool->alerts;
    struct stream_id id;
    struct alert alert;
    if (entry->type != RESP_LIST || entry->count != 2 || entry->items[1].type != RESP_LIST ||
        !stream_id_parse(entry->items[0].text, &id))
        return;
    const struct resp *pairs = &entry->items[1];
    bool is_alert =
        alert_from_event(field_of(pairs, "k"), field_of(pairs, "n"), field_of(pairs, "d"),
                         pool->index, pool->settings->name, id, &pool->memory, &alert);
    if (is_alert)
        count_event(pool, &alert);
    for (size_t i = 0; i < a->to_count; i++) {
        struct alerts_to *to = &a->to[i];
        if (!stream_id_after(id, to->at[pool->index].read))
            continue;
        if (is_alert)
            outbox_put(to->outbox, &alert, alerts_wall(a), alerts_now(a));
        to->at[pool->index].read = id;
    }
}

static void read_more(struct alerts_pool *pool);

static void on_events(void *arg, int code, const struct resp *reply)
{
    struct alerts_pool *pool = alerts_asked(arg);
    if (!pool)
        return;
    pool->reading = false;
    if (code < 0 || reply->type != RESP_LIST || !pool->loaded)
        return;
    for (size_t i = 0; i < reply->count; i++)
        take_entry(pool, &reply->items[i]);
    for (size_t i = 0; i < pool->alerts->to_count; i++)
        alerts_post_soon(&pool->alerts->to[i]);
    if (reply->count == READ_FULL && pool->alerts->active)
        read_more(pool);
}

/* From where the destination is that is least far. */
static void read_more(struct alerts_pool *pool)
{
    struct alerts_io *a = pool->alerts;
    struct stream_id from = a->to[0].at[pool->index].read;
    char id[48], after[56];
    for (size_t i = 1; i < a->to_count; i++)
        if (stream_id_after(from, a->to[i].at[pool->index].read))
            from = a->to[i].at[pool->index].read;
    (void)snprintf(after, sizeof after, "(%s", stream_id_text(from, id));
    const struct span argv[] = {SPAN("XRANGE"), keys_get(&pool->keys, KEY_EVENTS),
                                span_of(after), SPAN("+"),
                                SPAN("COUNT"),  SPAN(READ_COUNT)};
    pool->reading = alerts_ask(pool, argv, sizeof argv / sizeof *argv, on_events);
}

void alerts_read_tick(struct alerts_io *a)
{
    for (size_t i = 0; i < a->pool_count; i++) {
        struct alerts_pool *pool = &a->pools[i];
        if (pool->reading)
            continue;
        if (pool->loaded) {
            write_cursors(pool);
            read_more(pool);
            continue;
        }
        const struct span argv[] = {SPAN("HGETALL"), keys_get(&pool->keys, KEY_ALERTS)};
        pool->reading = alerts_ask(pool, argv, 2, on_cursors);
    }
}

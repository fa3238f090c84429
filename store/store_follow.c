/* store_follow.c - one full read of a pool, then its feed. */
#include "store/store_follow.h"

#include "store/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS "500"
#define BATCH_ENTRIES 500
#define BATCH_TEXT "500"
#define BLOCK_MS 2000
#define BLOCK_TEXT "2000"

/* The full read goes through these in order. Nodes first: the rest is about nodes. */
static const struct {
    enum key_id key;
    enum feed_kind kind;
} parts[] = {
    {KEY_NODES, FEED_JOIN},
    {KEY_STATES, FEED_STATE},
    {KEY_REPORTS, FEED_REPORT},
    {KEY_WANTS, FEED_WANT},
};
enum { PARTS = sizeof parts / sizeof *parts, EXPECT_FAR = 8, EXPECT_NEAR = 4 };

struct store_follow {
    struct redis *redis;
    struct log *log;
    struct keys keys;
    struct store_follow_events events;
    bool live;
    bool dead;     /* destroyed by a callback; freed when that has returned */
    unsigned busy; /* callbacks on the stack */
    size_t part;   /* of the full read */
    char cursor[24];
    char last_id[48]; /* of the feed */
    char from_id[48]; /* what last_id was before the last batch */
    uint64_t skipped;
};

static void on_page(void *arg, int code, const struct resp *reply);
static void on_batch(void *arg, int code, const struct resp *reply);
static void on_oldest(void *arg, int code, const struct resp *reply);
static void on_start(void *arg, int code, const struct resp *reply);

static void leave(struct store_follow *f)
{
    if (--f->busy == 0 && f->dead)
        free(f);
}

/* A reply that cannot be used: begin anew on a new connection. */
static void give_up(struct store_follow *f, const char *why)
{
    redis_reconnect(f->redis, why);
}

static void ask(struct store_follow *f, const struct span *parts_of, size_t count, int64_t block_ms,
                redis_reply_fn *fn)
{
    if (redis_command(f->redis, parts_of, count, block_ms, fn, f) < 0)
        give_up(f,
                "a command of the follower was refused"); /* at most one or two are ever pending */
}

static void skip(struct store_follow *f, const struct err *err)
{
    /* Someone writes nonsense: say it, but not a thousand times a second. */
    f->skipped++;
    if ((f->skipped & (f->skipped - 1)) == 0)
        log_warn(f->log, "feed_skipped", "pool=%s count=%llu why=%s", f->keys.pool,
                 (unsigned long long)f->skipped, err->text);
}

static void ask_page(struct store_follow *f)
{
    struct span argv[] = {SPAN("HSCAN"), keys_get(&f->keys, parts[f->part].key), span_of(f->cursor),
                          SPAN("COUNT"), SPAN(PAGE_ROWS)};
    ask(f, argv, 5, 0, on_page);
}

static void ask_batch(struct store_follow *f)
{
    struct span argv[] = {SPAN("XREAD"),
                          SPAN("COUNT"),
                          SPAN(BATCH_TEXT),
                          SPAN("BLOCK"),
                          SPAN(BLOCK_TEXT),
                          SPAN("STREAMS"),
                          keys_get(&f->keys, KEY_FEED),
                          span_of(f->last_id)};
    ask(f, argv, 8, BLOCK_MS, on_batch);
}

/* Full read: remember where the feed stands, then read everything; what happens meanwhile is in the
 * feed. */
static void start(struct store_follow *f)
{
    struct span argv[] = {SPAN("XREVRANGE"), keys_get(&f->keys, KEY_FEED),
                          SPAN("+"),         SPAN("-"),
                          SPAN("COUNT"),     SPAN("1")};
    f->live = false;
    ask(f, argv, 6, 0, on_start);
}

/* Begins a reply's callback. False: it is of no use (the connection is gone, or an error was
 * answered). */
static bool usable(struct store_follow *f, int code, const struct resp *reply, enum resp_type type)
{
    if (f->dead || code < 0)
        return false; /* `down` tells; `up` begins anew */
    if (reply->type == type || (type == RESP_LIST && reply->type == RESP_NIL))
        return true;
    char why[128];
    (void)snprintf(why, sizeof why, "%.*s", reply->type == RESP_ERROR ? (int)reply->text.len : 16,
                   reply->type == RESP_ERROR ? reply->text.ptr : "unexpected reply");
    give_up(f, why);
    return false;
}

static void on_start(void *arg, int code, const struct resp *reply)
{
    struct store_follow *f = arg;
    struct err err = {0};
    struct feed_iter iter;
    if (!usable(f, code, reply, RESP_LIST))
        return;
    (void)snprintf(f->last_id, sizeof f->last_id, "0-0");
    if (feed_iter_init(&iter, reply, &err) == 0 && iter.entries && iter.entries->count == 1)
        (void)span_copy(iter.entries->items[0].items[0].text, f->last_id, sizeof f->last_id);
    f->part = 0;
    (void)snprintf(f->cursor, sizeof f->cursor, "0");
    f->busy++;
    f->events.begin_snapshot(f->events.arg);
    if (!f->dead)
        ask_page(f);
    leave(f);
}

static void on_page(void *arg, int code, const struct resp *reply)
{
    struct store_follow *f = arg;
    struct err err = {0};
    struct page_iter page;
    struct span field, value;
    struct feed_item item;
    if (!usable(f, code, reply, RESP_LIST))
        return;
    if (page_iter_init(&page, reply, &err) < 0 ||
        !span_copy(page.cursor, f->cursor, sizeof f->cursor)) {
        give_up(f, "a page is not a page");
        return;
    }
    f->busy++;
    while (!f->dead && page_next(&page, &field, &value)) {
        if (feed_item_from_row(parts[f->part].kind, field, value, &item, &err) < 0)
            skip(f, &err);
        else
            f->events.item(f->events.arg, &item);
    }
    if (!f->dead && strcmp(f->cursor, "0") == 0)
        f->part++;
    if (!f->dead && f->part == PARTS) {
        f->live = true;
        f->events.end_snapshot(f->events.arg);
        if (!f->dead)
            ask_batch(f);
    } else if (!f->dead) {
        ask_page(f);
    }
    leave(f);
}

static void expect(struct store_follow *f, const struct feed_iter *iter)
{
    if (!f->events.expect)
        return;
    struct span far = feed_ahead(iter, EXPECT_FAR - 1), near = feed_ahead(iter, EXPECT_NEAR - 1);
    if (far.len)
        f->events.expect(f->events.arg, far, false);
    if (near.len)
        f->events.expect(f->events.arg, near, true);
}

static void on_batch(void *arg, int code, const struct resp *reply)
{
    struct store_follow *f = arg;
    struct err err = {0};
    struct feed_iter iter;
    struct feed_item item;
    int got;
    if (!usable(f, code, reply, RESP_LIST))
        return;
    if (feed_iter_init(&iter, reply, &err) < 0) {
        give_up(f, "a batch is not a batch");
        return;
    }
    f->busy++;
    while (!f->dead && (got = feed_next(&iter, &item, &err)) != 0) {
        expect(f, &iter);
        if (got < 0)
            skip(f, &err);
        else
            f->events.item(f->events.arg, &item);
    }
    memcpy(f->from_id, f->last_id, sizeof f->from_id);
    if (!f->dead && iter.id.len && !span_copy(iter.id, f->last_id, sizeof f->last_id))
        give_up(f, "an id is not an id");
    if (!f->dead && iter.entries && iter.entries->count >= BATCH_ENTRIES) {
        /* Behind: was anything trimmed that was not read yet, or before this batch was? */
        struct span argv[] = {SPAN("XRANGE"), keys_get(&f->keys, KEY_FEED),
                              SPAN("-"),      SPAN("+"),
                              SPAN("COUNT"),  SPAN("1")};
        ask(f, argv, 6, 0, on_oldest);
    } else if (!f->dead) {
        ask_batch(f);
    }
    leave(f);
}

/* "ms-seq" as two numbers. */
static bool id_parts(struct span id, int64_t *ret_ms, int64_t *ret_seq)
{
    struct span ms = span_cut(&id, '-');
    return span_int(ms, ret_ms) && span_int(id, ret_seq);
}

/* Nothing is missing if the entry before the last batch is still there. (If it went just now, one
 * full read too many is done.) */
static void on_oldest(void *arg, int code, const struct resp *reply)
{
    struct store_follow *f = arg;
    struct err err = {0};
    struct feed_iter iter;
    int64_t oldest_ms, oldest_seq, from_ms, from_seq;
    if (!usable(f, code, reply, RESP_LIST))
        return;
    bool trimmed = false;
    if (feed_iter_init(&iter, reply, &err) == 0 && iter.entries && iter.entries->count == 1 &&
        id_parts(iter.entries->items[0].items[0].text, &oldest_ms, &oldest_seq) &&
        id_parts(span_of(f->from_id), &from_ms, &from_seq))
        trimmed = oldest_ms > from_ms || (oldest_ms == from_ms && oldest_seq > from_seq);
    if (!trimmed) {
        ask_batch(f);
        return;
    }
    log_warn(f->log, "feed_behind", "pool=%s last=%s why=entries_were_trimmed", f->keys.pool,
             f->last_id);
    start(f);
}

static void on_up(void *arg)
{
    start(arg);
}

static void on_down(void *arg, const char *why)
{
    struct store_follow *f = arg;
    if (f->dead)
        return;
    f->live = false;
    f->busy++;
    f->events.lost(f->events.arg, why);
    leave(f);
}

struct store_follow *store_follow_create(struct loop *loop, struct log *log,
                                         const struct redis_config *config, const struct keys *keys,
                                         const struct store_follow_events *events, struct err *err)
{
    struct store_follow *f = calloc(1, sizeof *f);
    if (!f) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    f->log = log;
    f->keys = *keys;
    f->events = *events;
    const struct redis_events redis_events = {on_up, on_down, f};
    struct redis_config reader = *config;
    reader.reader = true;
    f->redis = redis_create(loop, log, &reader, NULL, &redis_events, err);
    if (!f->redis) {
        free(f);
        return NULL;
    }
    return f;
}

void store_follow_destroy(struct store_follow *f)
{
    if (!f || f->dead)
        return;
    f->busy++;
    f->dead = true;
    redis_destroy(f->redis);
    leave(f);
}

void store_follow_restart(struct store_follow *f, const char *why)
{
    redis_reconnect(f->redis, why);
}

bool store_follow_is_live(const struct store_follow *f)
{
    return f->live;
}

uint64_t store_follow_skipped(const struct store_follow *f)
{
    return f->skipped;
}

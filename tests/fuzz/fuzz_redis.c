/* fuzz_redis.c - any bytes from a Redis, a sentinel or a cluster node: the same replies however
 * they are cut, and whatever reads them takes them or says why not. */
#include "io/redis_reply.h"
#include "io/wire_redis.h"
#include "store/calls.h"
#include "store/feed.h"
#include "tests/fuzz/need.h"

#include <stdio.h>

enum { TEXT_MAX = 1 << 17 };

struct text {
    char *buf;
    size_t len;
};

static void put(struct text *t, const char *bytes, size_t len)
{
    if (len > TEXT_MAX - t->len)
        len = TEXT_MAX - t->len;
    memcpy(t->buf + t->len, bytes, len);
    t->len += len;
}

static void render(struct text *t, const struct resp *r)
{
    char head[64];
    int n = snprintf(head, sizeof head, "%d:%lld:%zu:", (int)r->type, (long long)r->integer,
                     r->type == RESP_LIST ? r->count : r->text.len);
    put(t, head, (size_t)n);
    if (r->type == RESP_TEXT || r->type == RESP_ERROR)
        put(t, r->text.ptr, r->text.len);
    for (size_t i = 0; r->type == RESP_LIST && i < r->count; i++)
        render(t, &r->items[i]);
}

static void place_ok(const struct wire_redis_place *place)
{
    struct wire_redis_place again;
    need(place->port >= 1 && place->port <= 65535 && strlen(place->host) < sizeof place->host);
    char text[WIRE_REDIS_HOST_MAX + 16];
    bool v6 = strchr(place->host, ':') != NULL;
    (void)snprintf(text, sizeof text, v6 ? "[%s]:%d" : "%s:%d", place->host, place->port);
    if (place->host[0] && wire_redis_place_parse(span_of(text), 1, &again))
        need(wire_redis_place_eq(place, &again));
}

static void where_to(const struct resp *r)
{
    struct wire_redis_place place;
    memset(&place, 0, sizeof place);
    enum wire_redis_verdict verdict = wire_redis_verdict(r, &place);
    if (verdict == WIRE_REDIS_MOVED || verdict == WIRE_REDIS_ASK)
        place_ok(&place);
    need(r->type == RESP_ERROR || verdict == WIRE_REDIS_ANSWER);
    memset(&place, 0, sizeof place);
    if (wire_redis_role(r, &place) == WIRE_REDIS_REPLICA && place.port)
        place_ok(&place);
    if (wire_redis_slot_owner(r, 77, &place))
        place_ok(&place);
    if (wire_redis_master(r, &place))
        place_ok(&place);
    (void)wire_redis_field(r, "config-epoch");
    (void)wire_redis_switched(r, "berth");
    if (r->type == RESP_TEXT) {
        need(wire_redis_slot(r->text) < WIRE_REDIS_SLOTS);
        if (wire_redis_place_parse(r->text, 6379, &place))
            place_ok(&place);
    }
}

static void answers(const struct resp *r)
{
    static struct store_answer answer;
    for (int id = 0; id < SCRIPT_COUNT; id++) {
        struct err err = {0};
        int rc = calls_decode((enum script_id)id, r, &answer, &err);
        need(rc == 0 || ((rc == BERTH_EPROTO || rc == BERTH_EINVAL) && err.text[0]));
        need(rc != 0 || (answer.script == (enum script_id)id && answer.word < ANSWER_WORDS));
    }
}

static void stream(const struct resp *r)
{
    static struct feed_item item;
    struct feed_iter iter;
    struct page_iter page;
    struct err err = {0};
    int rc;
    if (feed_iter_init(&iter, r, &err) == 0)
        while ((rc = feed_next(&iter, &item, &err)) != 0)
            need(rc == BERTH_EPROTO || (rc == 1 && item.kind < FEED_KINDS));
    struct span field, value;
    if (page_iter_init(&page, r, &err) < 0)
        return;
    while (page_next(&page, &field, &value))
        for (int kind = FEED_JOIN; kind <= FEED_WANT; kind++)
            if (feed_item_from_row((enum feed_kind)kind, field, value, &item, &err) == 0)
                need(item.kind == (enum feed_kind)kind && keys_about_ok(span_of(item.node)));
    struct seek_result result;
    for (size_t i = 0; r->type == RESP_LIST && i < r->count; i++)
        if (seek_result_parse(&r->items[i], &result, &err) == 0)
            need(result.kind < RESULT_KINDS);
}

/* Replies, `step` bytes at a time. Returns how it ended. */
static int read_all(const uint8_t *data, size_t size, size_t step, bool use, struct text *t)
{
    struct redis_reply_reader *reader = redis_reply_reader_create();
    const struct resp *r;
    int rc = 0;
    need(reader != NULL);
    for (size_t at = 0; at < size && rc == 0; at += step) {
        size_t n = size - at < step ? size - at : step;
        rc = redis_reply_feed(reader, (const char *)data + at, n);
        while (rc == 0 && (rc = redis_reply_next(reader, &r)) == 1) {
            render(t, r);
            if (use) {
                where_to(r);
                answers(r);
                stream(r);
            }
            rc = 0;
        }
    }
    redis_reply_reader_destroy(reader);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char whole[TEXT_MAX], parts[TEXT_MAX];
    struct text a = {whole, 0}, b = {parts, 0};
    if (size < 1)
        return 0;
    size_t step = 1 + data[0] % 16;
    int r = read_all(data + 1, size - 1, size, true, &a);
    int s = read_all(data + 1, size - 1, step, false, &b);
    need(r == s && a.len == b.len && memcmp(a.buf, b.buf, a.len) == 0);
    return 0;
}

/* store_fixture.c - scripts on a real Redis, for tests. */
#include "tests/support/store_fixture.h"

#include "core/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct store_fixture fx;

int store_group_setup(void **state)
{
    if (redis_server_start(&fx.server, &fx.err) < 0 ||
        keys_init(&fx.keys, "berth", "p", &fx.err) < 0) {
        (void)fprintf(stderr, "%s\n", fx.err.text);
        return -1;
    }
    fx.client = redis_client_open(fx.server.path, NULL);
    return fx.client ? 0 : -1;
}

int store_group_teardown(void **state)
{
    redis_client_close(fx.client);
    redis_server_stop(&fx.server);
    return 0;
}

int store_clean(void **state)
{
    return redis_client_ask(fx.client, "FLUSHALL", NULL) ? 0 : -1;
}

void store_encoded(int code)
{
    if (code < 0)
        fail_msg("%s", fx.err.text);
}

struct store_answer store_run(void)
{
    struct store_answer answer = {0};
    const struct resp *reply = redis_client_call(fx.client, &fx.call);
    assert_non_null(reply);
    if (calls_decode(fx.call.script, reply, &answer, &fx.err) < 0)
        fail_msg("%s", fx.err.text);
    assert_true(answer.now.ms > 1600000000000);
    fx.now = answer.now.ms;
    return answer;
}

int64_t store_join(const char *node, const char *nonce)
{
    struct store_answer a = SAY(join, .node = node, .nonce = nonce, .info = TEST_INFO,
                                .contract = 1, .lost_after_ms = 3000, .feed_max = 1000);
    assert_int_equal(a.word, ANSWER_OK);
    return a.epoch;
}

struct store_answer store_report(const char *node, int64_t epoch, int64_t seq, int64_t conns)
{
    char text[REPORT_TEXT_MAX];
    const struct node_report report = {
        .epoch = epoch, .seq = seq, .conns = conns, .capacity = 100, .pid = 7};
    int len = node_report_write(&report, text, sizeof text);
    assert_true(len > 0);
    return SAY(report, .node = node, .epoch = epoch, .seq = seq, .record = {text, (size_t)len},
               .conns = conns, .full = conns >= 100, .feed_max = 1000, .room_ttl_ms = 60000);
}

const char *store_hold(enum move_role role)
{
    static char holders[2][CALL_HOLDER_MAX];
    const char *name = role == MOVE_LEADER ? "as-1" : "lb-a";
    struct store_answer a = SAY(lease, .role = role, .op = LEASE_OP_ACQUIRE, .name = name,
                                .epoch = 5, .ttl_ms = 600000);
    assert_int_equal(a.word, ANSWER_OK);
    calls_holder(name, 5, a.token, holders[role]);
    return holders[role];
}

const char *store_state(const char *node)
{
    static char word[32];
    struct span value = {"", 0};
    const char *record = redis_client_text(fx.client, "HGET", "berth:{p}:states", node, NULL);
    (void)record_raw(span_of(record), "state", &value);
    (void)snprintf(word, sizeof word, "%.*s", SPAN_ARG(value));
    return word;
}

void store_age(const char *node, int64_t ms)
{
    char by[32];
    (void)snprintf(by, sizeof by, "-%" PRId64, ms);
    assert_non_null(redis_client_ask(fx.client, "ZINCRBY", "berth:{p}:beats", by, node, NULL));
}

void store_move_along(const char *node, int64_t epoch, const enum node_state *way)
{
    for (size_t i = 0; (int)way[i + 1] <= NODE_GONE; i++) {
        enum move_role role =
            state_may_move(MOVE_OWNER, way[i], way[i + 1]) ? MOVE_OWNER : MOVE_LEADER;
        struct store_answer a =
            SAY(move, .role = role, .holder = store_hold(role), .node = node, .node_epoch = epoch,
                .from = way[i], .to = way[i + 1], .why = "test", .feed_max = 1000);
        assert_int_equal(a.word, ANSWER_OK);
    }
}

int64_t store_field(const char *record, const char *name)
{
    return record_int_or(span_of(record), name, -1);
}

int64_t store_load(const char *node)
{
    return redis_client_int(fx.client, "ZSCORE", "berth:{p}:load", node, NULL);
}

const char *store_last_feed(void)
{
    static char text[4096];
    const struct resp *r =
        redis_client_ask(fx.client, "XREVRANGE", "berth:{p}:feed", "+", "-", "COUNT", "1", NULL);
    text[0] = '\0';
    if (r && r->count == 1)
        (void)snprintf(text, sizeof text, "%s %s", r->items[0].items[1].items[1].text.ptr,
                       r->items[0].items[1].items[5].text.ptr);
    return text;
}

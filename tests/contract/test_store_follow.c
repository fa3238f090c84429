/* The follower and store_send on a real Redis and the real loop: a full read, then everything as it
 * happens, and anew after a fault. */
#include "store/store.h"
#include "store/store_follow.h"
#include "tests/support/store_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define END ((enum node_state)(NODE_GONE + 1))

static struct loop *loop;
static struct log quiet;

struct seen {
    struct store_follow *follow;
    int begins, ends, lost;
    int items[FEED_KINDS];
    bool in_snapshot;
    int snapshot_items;
    struct feed_item last[FEED_KINDS];
    int destroy_after; /* items; 0: never */
};

static void on_begin(void *arg)
{
    struct seen *s = arg;
    s->begins++;
    s->in_snapshot = true;
    s->snapshot_items = 0;
}

static void on_end(void *arg)
{
    struct seen *s = arg;
    s->ends++;
    s->in_snapshot = false;
}

static void on_item(void *arg, const struct feed_item *item)
{
    struct seen *s = arg;
    s->items[item->kind]++;
    s->last[item->kind] = *item;
    s->snapshot_items += s->in_snapshot;
    if (s->destroy_after && --s->destroy_after == 0) {
        store_follow_destroy(s->follow);
        s->follow = NULL;
    }
}

static void on_lost(void *arg, const char *why)
{
    ((struct seen *)arg)->lost++;
}

static int group_setup(void **state)
{
    loop = loop_create(NULL);
    log_init(&quiet, "test");
    quiet.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return store_group_setup(state);
}

static int group_teardown(void **state)
{
    loop_destroy(loop);
    (void)close(quiet.fd);
    return store_group_teardown(state);
}

static void open_follow(struct seen *s)
{
    struct err err = {0};
    const struct redis_config config = {.host = "127.0.0.1", .port = fx.server.port};
    const struct store_follow_events events = {.begin_snapshot = on_begin,
                                               .end_snapshot = on_end,
                                               .item = on_item,
                                               .lost = on_lost,
                                               .arg = s};
    s->follow = store_follow_create(loop, &quiet, &config, &fx.keys, &events, &err);
    if (!s->follow)
        fail_msg("%s", err.text);
}

/* Runs the loop until *value >= least or the limit is over. */
struct wait {
    const int *value;
    int least;
    mono_ms_t until;
};

static void on_look(void *arg)
{
    const struct wait *w = arg;
    if (*w->value >= w->least || !mono_before(loop_now(loop), w->until))
        loop_stop(loop);
}

static bool reached(const int *value, int least)
{
    struct wait w = {value, least, mono_add(loop_now(loop), 8000)};
    struct timer look;
    timer_init(&look, loop, on_look, &w);
    timer_start(&look, 0, 2);
    loop_run(loop);
    timer_stop(&look);
    return *value >= least;
}

static void test_a_full_read_and_then_the_feed(void **state)
{
    struct seen s = {0};
    int64_t epoch = store_join("n", "x1");
    (void)store_join("m", "x2");
    (void)SAY(want, .node = "n", .who = WANT_BY_OPERATOR, .kind = WANT_HELD, .why = "a reason",
              .feed_max = 100);
    open_follow(&s);
    assert_true(reached(&s.ends, 1));
    assert_true(store_follow_is_live(s.follow));
    assert_int_equal(s.begins, 1);
    assert_int_equal(s.snapshot_items, 2 + 2 + 2 + 1);
    assert_int_equal(s.items[FEED_JOIN], 2);
    assert_int_equal(s.items[FEED_STATE], 2);
    assert_int_equal(s.items[FEED_REPORT], 2);
    assert_string_equal(s.last[FEED_WANT].node, "n");
    assert_string_equal(s.last[FEED_WANT].want.why, "a reason");

    assert_int_equal(store_report("n", epoch, 1, 17).word, ANSWER_OK);
    assert_true(reached(&s.items[FEED_REPORT], 3));
    assert_string_equal(s.last[FEED_REPORT].node, "n");
    assert_int_equal(s.last[FEED_REPORT].report.conns, 17);
    assert_int_equal(s.last[FEED_REPORT].report.at.ms, fx.now);

    store_move_along("n", epoch, (const enum node_state[]){NODE_JOINING, NODE_READY, END});
    assert_true(reached(&s.items[FEED_STATE], 3));
    assert_int_equal(s.last[FEED_STATE].state.state, NODE_READY);
    assert_int_equal(s.last[FEED_STATE].state.epoch, epoch);

    (void)SAY(want, .node = "n", .who = WANT_BY_OPERATOR, .kind = WANT_NONE, .why = "done",
              .feed_max = 100);
    assert_true(reached(&s.items[FEED_WANT], 2));
    assert_int_equal(s.last[FEED_WANT].want.kind, WANT_NONE);
    assert_int_equal(s.last[FEED_WANT].want.who, WANT_BY_OPERATOR);

    int64_t third = store_join("k", "x3");
    assert_true(reached(&s.items[FEED_JOIN], 3));
    assert_true(s.last[FEED_JOIN].has_state);
    assert_int_equal(s.last[FEED_JOIN].info.epoch, third);
    assert_string_equal(s.last[FEED_JOIN].info.nonce, "x3");
    assert_int_equal(s.last[FEED_JOIN].state.state, NODE_JOINING);

    store_move_along("k", third,
                     (const enum node_state[]){NODE_JOINING, NODE_LOST, NODE_GONE, END});
    assert_true(reached(&s.items[FEED_GONE], 1));
    assert_string_equal(s.last[FEED_GONE].node, "k");
    assert_int_equal(s.last[FEED_GONE].state.epoch, third);
    assert_int_equal(s.begins, 1);
    assert_int_equal(s.lost, 0);
    store_follow_destroy(s.follow);
}

static void test_many_pages(void **state)
{
    struct seen s = {0};
    for (int i = 0; i < 1300; i++) {
        char node[16];
        (void)snprintf(node, sizeof node, "n%d", i);
        (void)store_join(node, "x");
    }
    open_follow(&s);
    assert_true(reached(&s.ends, 1));
    assert_int_equal(s.items[FEED_JOIN], 1300);
    assert_int_equal(s.items[FEED_REPORT], 1300);
    store_follow_destroy(s.follow);
}

static void test_begins_anew_after_redis_was_restarted(void **state)
{
    struct seen s = {0};
    struct err err = {0};
    (void)store_join("n", "x1");
    open_follow(&s);
    assert_true(reached(&s.ends, 1));
    redis_client_close(fx.client);
    redis_server_kill(&fx.server);
    assert_true(reached(&s.lost, 1));
    assert_false(store_follow_is_live(s.follow));
    assert_int_equal(redis_server_restart(&fx.server, &err), 0);
    fx.client = redis_client_open(fx.server.path, NULL);
    assert_true(reached(&s.ends, 2));
    assert_int_equal(s.snapshot_items, 0); /* it forgot everything */
    (void)store_join("n", "x1");
    assert_true(reached(&s.items[FEED_JOIN], 2));
    assert_int_equal(s.lost, 1);
    store_follow_destroy(s.follow);
}

static void test_begins_anew_when_entries_were_trimmed_unread(void **state)
{
    struct seen s = {0};
    struct redis_client *client = fx.client;
    open_follow(&s);
    assert_true(reached(&s.ends, 1));
    /* A burst in one transaction: it wakes up to a first batch that is not the whole of it, and the
     * rest is trimmed. */
    (void)redis_client_ask(
        client, "EVAL",
        "for i = 1, 1500 do redis.call('XADD', KEYS[1], '*', 'k', 'state', 'n', 'n', 'd', "
        "'state=ready since=1 epoch=1 fence=1 why=x') end return 1",
        "1", "berth:{p}:feed", NULL);
    (void)redis_client_ask(client, "XTRIM", "berth:{p}:feed", "MAXLEN", "10", NULL);
    assert_true(reached(&s.items[FEED_STATE], 10));
    assert_true(reached(&s.begins, 2));
    assert_true(reached(&s.ends, 2));
    store_follow_destroy(s.follow);
}

/* What it would have read next is gone, and there is more than a batch behind the gap. */
static void test_begins_anew_when_it_stood_still_longer_than_the_feed_lasts(void **state)
{
    struct seen s = {0};
    int64_t epoch = store_join("n", "x1");
    open_follow(&s);
    assert_true(reached(&s.ends, 1));
    assert_int_equal(store_report("n", epoch, 1, 1).word, ANSWER_OK);
    assert_true(reached(&s.items[FEED_REPORT], 2));
    (void)redis_client_ask(fx.client, "EVAL",
                           "redis.call('XADD', KEYS[1], '*', 'k', 'gone', 'n', 'n', 'd', "
                           "'state=gone since=1 epoch=1 fence=1 why=x') "
                           "for i = 1, 3000 do redis.call('XADD', KEYS[1], 'MAXLEN', '1000', '*', "
                           "'k', 'state', 'n', 'm', 'd', "
                           "'state=ready since=1 epoch=1 fence=1 why=x') end return 1",
                           "1", "berth:{p}:feed", NULL);
    assert_true(reached(&s.begins, 2));
    assert_true(reached(&s.ends, 2));
    assert_int_equal(s.items[FEED_GONE], 0); /* only a full read can tell */
    store_follow_destroy(s.follow);
}

static void test_nonsense_is_skipped_and_counted(void **state)
{
    struct seen s = {0};
    (void)redis_client_ask(fx.client, "HSET", "berth:{p}:reports", "bad", "v=1 conns=many", NULL);
    (void)redis_client_ask(fx.client, "HSET", "berth:{p}:nodes", "bad", "{\"endpoint\":1}", NULL);
    int64_t epoch = store_join("n", "x1");
    open_follow(&s);
    assert_true(reached(&s.ends, 1));
    assert_int_equal(store_follow_skipped(s.follow), 2);
    (void)redis_client_ask(fx.client, "XADD", "berth:{p}:feed", "*", "k", "novelty", "n", "n", "d",
                           "x", NULL);
    assert_int_equal(store_report("n", epoch, 1, 1).word, ANSWER_OK);
    assert_true(reached(&s.items[FEED_REPORT], 2));
    assert_int_equal(store_follow_skipped(s.follow), 3);
    store_follow_destroy(s.follow);
}

static void test_destroyed_from_within_an_item(void **state)
{
    struct seen s = {.destroy_after = 2};
    for (int i = 0; i < 3; i++)
        (void)store_join((const char *[]){"a", "b", "c"}[i], "x1");
    open_follow(&s);
    assert_true(reached(&s.items[FEED_JOIN], 2));
    assert_null(s.follow);
    assert_int_equal(s.items[FEED_JOIN], 2);
    assert_int_equal(s.ends, 0);
}

/* ---- store_send ---- */

struct sent {
    int done, up;
    int code;
    enum answer_word word;
    int64_t epoch;
    struct err err;
};

static void on_up(void *arg)
{
    ((struct sent *)arg)->up++;
}

static void on_answer(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct sent *s = arg;
    s->done++;
    s->code = code;
    if (code == 0) {
        s->word = answer->word;
        s->epoch = answer->epoch;
    } else {
        assert_null(answer);
        s->err = *err;
    }
}

static void test_a_call_goes_out_and_its_answer_comes_typed(void **state)
{
    struct sent s = {0};
    struct store_call call;
    const struct redis_config config = {.host = "127.0.0.1", .port = fx.server.port};
    const struct redis_events events = {.up = on_up, .arg = &s};
    struct redis *redis = redis_create(loop, &quiet, &config, scripts_table, &events, NULL);
    const struct call_join join = {.node = "n",
                                   .nonce = "x",
                                   .info = TEST_INFO,
                                   .contract = 1,
                                   .lost_after_ms = 3000,
                                   .feed_max = 10};
    assert_int_equal(calls_join(&call, &fx.keys, &join, NULL), 0);
    assert_int_equal(store_send(redis, &call, on_answer, &s), BERTH_EAGAIN);
    assert_true(reached(&s.up, 1));
    assert_int_equal(store_send(redis, &call, on_answer, &s), 0);
    assert_int_equal(s.done, 0);
    assert_true(reached(&s.done, 1));
    assert_int_equal(s.code, 0);
    assert_int_equal(s.word, ANSWER_OK);
    assert_int_equal(s.epoch, redis_client_int(fx.client, "GET", "berth:{p}:epoch", NULL));
    assert_int_equal(store_send(redis, &call, NULL, NULL), 0); /* nobody listens */
    (void)redis_client_ask(fx.client, "SET", "berth:{p}:nodes", "wrong type", NULL);
    assert_int_equal(store_send(redis, &call, on_answer, &s), 0);
    assert_true(reached(&s.done, 2));
    assert_int_equal(s.code, BERTH_EPROTO);
    assert_memory_equal(s.err.text, "join: ", 6);
    assert_non_null(strstr(s.err.text, "WRONGTYPE"));
    assert_int_equal(store_send(redis, &call, on_answer, &s), 0);
    redis_destroy(redis);
    assert_int_equal(s.done, 3);
    assert_int_equal(s.code, BERTH_ECLOSED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, store_clean)
    const struct CMUnitTest tests[] = {
        T(test_a_full_read_and_then_the_feed),
        T(test_many_pages),
        T(test_begins_anew_after_redis_was_restarted),
        T(test_begins_anew_when_entries_were_trimmed_unread),
        T(test_begins_anew_when_it_stood_still_longer_than_the_feed_lasts),
        T(test_nonsense_is_skipped_and_counted),
        T(test_destroyed_from_within_an_item),
        T(test_a_call_goes_out_and_its_answer_comes_typed),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

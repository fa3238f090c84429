/* test_alerts_outbox.c - batches, told once, bounded, sent again. */
#include "alerts/outbox.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

static struct outbox *outbox;
static struct outbox_config config;
static struct outbox_message message;
static mono_ms_t now;

static int begin(void **state)
{
    config = (struct outbox_config){.queue_max = 10,
                                    .batch_ms = 2000,
                                    .interval_ms = 10000,
                                    .dedup_ms = 600000,
                                    .max_age_ms = 3600000,
                                    .seed = 7};
    outbox = outbox_create(&config);
    assert_non_null(outbox);
    now = (mono_ms_t){1000000};
    return 0;
}

static int end(void **state)
{
    outbox_destroy(outbox);
    return 0;
}

static void again(void)
{
    outbox_destroy(outbox);
    outbox = outbox_create(&config);
}

static void put_at(enum alert_kind kind, const char *about, int64_t id_ms)
{
    struct alert alert;
    alert_init(&alert, kind, 0, "game", (wall_ms_t){id_ms});
    snprintf(alert.about, sizeof alert.about, "%s", about);
    alert.id = (struct stream_id){id_ms, 0};
    outbox_put(outbox, &alert, (wall_ms_t){10000000}, now);
}

static void put(enum alert_kind kind, const char *about)
{
    put_at(kind, about, 10000000);
}

static void pass(int64_t ms)
{
    now = mono_add(now, ms);
}

static bool take(void)
{
    return outbox_take(outbox, now, &message);
}

static struct outbox_stats stats(void)
{
    struct outbox_stats s;
    outbox_stats(outbox, &s);
    return s;
}

static void test_waits_for_others_then_tells_them_together(void **state)
{
    assert_int_equal(outbox_deadline(outbox).ms, MONO_NEVER.ms);
    put(ALERT_SCALE_OUT, "");
    pass(1999);
    put(ALERT_NODE_LOST, "game-1");
    put(ALERT_NODE_LOST, "game-2");
    assert_false(take());
    assert_int_equal(outbox_deadline(outbox).ms, now.ms + 1);
    pass(1);
    assert_true(take());
    assert_int_equal(message.count, 2);
    assert_int_equal(message.alerts, 3);
    assert_int_equal(message.groups[1].count, 2);
    assert_int_equal(message.severity, ALERT_WARNING);
    assert_string_equal(message.all[2]->about, "game-2");
    assert_false(take()); /* one at a time */
    outbox_answer(outbox, OUTBOX_DELIVERED, -1, now);
    assert_int_equal(outbox_deadline(outbox).ms, MONO_NEVER.ms);
    assert_int_equal(stats().delivered, 3);
}

static void test_rate_is_bounded(void **state)
{
    put(ALERT_SCALE_OUT, "");
    pass(2000);
    assert_true(take());
    outbox_answer(outbox, OUTBOX_DELIVERED, -1, now);
    put(ALERT_SCALE_IN, "");
    pass(9999);
    assert_false(take());
    pass(1);
    assert_true(take());
}

static void test_the_same_trouble_is_told_once_with_its_repeats(void **state)
{
    put(ALERT_NODE_LOST, "game-1");
    put(ALERT_NODE_LOST, "game-1");
    pass(2000);
    assert_true(take());
    assert_int_equal(message.alerts, 1);
    assert_int_equal(message.all[0]->repeats, 1);
    outbox_answer(outbox, OUTBOX_DELIVERED, -1, now);
    put(ALERT_NODE_LOST, "game-1"); /* told a moment ago */
    put(ALERT_NODE_LOST, "game-1");
    put(ALERT_NODE_LOST, "game-2"); /* another */
    pass(10000);
    assert_true(take());
    assert_int_equal(message.alerts, 1);
    assert_string_equal(message.all[0]->about, "game-2");
    outbox_answer(outbox, OUTBOX_DELIVERED, -1, now);
    pass(600000);
    put(ALERT_NODE_LOST, "game-1");
    pass(2000);
    assert_true(take());
    assert_int_equal(message.all[0]->repeats, 2);
    assert_int_equal(stats().repeated, 3);
}

static void test_news_is_never_swallowed(void **state)
{
    put(ALERT_FAILOVER, "lb-b");
    put(ALERT_FAILBACK, "lb-a");
    put(ALERT_FAILOVER, "lb-b");
    pass(2000);
    assert_true(take());
    assert_int_equal(message.alerts, 3);
}

static void test_failure_backs_off_with_jitter_and_sends_again(void **state)
{
    int64_t before = 0;
    put(ALERT_SCALE_OUT, "");
    pass(2000);
    for (int i = 0; i < 12; i++) {
        assert_true(take());
        assert_int_equal(message.alerts, 1);
        outbox_answer(outbox, OUTBOX_FAILED, -1, now);
        int64_t wait = outbox_deadline(outbox).ms - now.ms;
        int64_t full = i < 9 ? 1000 << i : OUTBOX_BACKOFF_MAX_MS;
        full = full < OUTBOX_BACKOFF_MAX_MS ? full : OUTBOX_BACKOFF_MAX_MS;
        assert_in_range(wait, full / 2, full);
        before = wait;
        pass(wait - 1);
        assert_false(take());
        pass(1);
    }
    assert_true(before >= OUTBOX_BACKOFF_MAX_MS / 2);
    assert_true(take());
    outbox_answer(outbox, OUTBOX_DELIVERED, -1, now);
    assert_int_equal(stats().failures, 12);
    put(ALERT_SCALE_IN, "");
    pass(10000);
    assert_true(take()); /* the back-off is over */
}

static void test_retry_after_is_honoured_and_bounded(void **state)
{
    put(ALERT_SCALE_OUT, "");
    pass(2000);
    assert_true(take());
    outbox_answer(outbox, OUTBOX_FAILED, 30000, now);
    assert_in_range(outbox_deadline(outbox).ms - now.ms, 30000, 31000);
    pass(31000);
    assert_true(take());
    outbox_answer(outbox, OUTBOX_FAILED, 7 * 86400000LL, now);
    assert_in_range(outbox_deadline(outbox).ms - now.ms, OUTBOX_RETRY_AFTER_MAX_MS,
                    OUTBOX_RETRY_AFTER_MAX_MS + 1000);
}

static void test_what_comes_meanwhile_is_told_with_it(void **state)
{
    put(ALERT_SCALE_OUT, "");
    pass(2000);
    assert_true(take());
    put(ALERT_SCALE_IN, "");
    outbox_answer(outbox, OUTBOX_FAILED, -1, now);
    pass(1000);
    assert_true(take());
    assert_int_equal(message.alerts, 2);
}

static void test_full_drops_the_least_severe_and_says_so(void **state)
{
    char name[16];
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "n%d", i);
        put(i == 0 ? ALERT_NO_CAPACITY : i == 5 ? ALERT_SCALE_OUT : ALERT_NODE_LOST, name);
    }
    assert_int_equal(stats().waiting, 10);
    put(ALERT_SCALE_IN, ""); /* the least of all: not even taken in */
    pass(2000);
    assert_true(take());
    assert_int_equal(message.all[0]->kind, ALERT_NO_CAPACITY); /* survived, though the oldest */
    assert_int_equal(message.groups[message.count - 1].shown[0]->kind, ALERT_ALERTS_DROPPED);
    assert_string_equal(message.groups[message.count - 1].shown[0]->record,
                        "why=queue%20full dropped=3");
    for (size_t i = 0; i < message.alerts; i++)
        assert_int_not_equal(message.all[i]->kind, ALERT_SCALE_OUT);
    outbox_answer(outbox, OUTBOX_FAILED, -1, now);
    pass(1000);
    assert_true(take()); /* still said, since it was not told */
    assert_int_equal(message.groups[message.count - 1].shown[0]->kind, ALERT_ALERTS_DROPPED);
    outbox_answer(outbox, OUTBOX_DELIVERED, -1, now);
    assert_int_equal(outbox_deadline(outbox).ms, MONO_NEVER.ms);
}

static void test_a_message_under_way_is_not_dropped(void **state)
{
    char name[16];
    put(ALERT_SCALE_IN, "first");
    pass(2000);
    assert_true(take());
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "n%d", i);
        put(ALERT_NODE_LOST, name);
    }
    outbox_answer(outbox, OUTBOX_FAILED, -1, now);
    pass(2000);
    assert_true(take());
    assert_string_equal(message.all[0]->about, "first");
}

static void test_too_old_is_counted_not_told(void **state)
{
    put_at(ALERT_NODE_LOST, "old", 10000000 - 3600001);
    pass(2000);
    assert_true(take());
    assert_int_equal(message.alerts, 1);
    assert_string_equal(message.all[0]->record, "too_old=1");
}

static void test_refused_is_dropped_counted_and_does_not_loop(void **state)
{
    put(ALERT_SCALE_OUT, "");
    pass(2000);
    assert_true(take());
    outbox_answer(outbox, OUTBOX_REFUSED, -1, now);
    assert_int_equal(stats().refused, 1);
    assert_int_equal(stats().waiting, 0);
    pass(10000);
    assert_true(take()); /* only says that one was refused */
    assert_string_equal(message.all[0]->record, "refused=1");
    outbox_answer(outbox, OUTBOX_REFUSED, -1, now);
    assert_int_equal(stats().refused, 1);
    assert_false(take()); /* backs off */
    assert_true(outbox_deadline(outbox).ms > now.ms);
}

static void test_severity_and_mute(void **state)
{
    config.severity = ALERT_WARNING;
    config.muted = UINT64_C(1) << ALERT_NODE_LOST;
    again();
    put(ALERT_SCALE_OUT, "");
    put(ALERT_NODE_LOST, "game-1");
    assert_int_equal(stats().waiting, 0);
    put(ALERT_FAILOVER, "lb-b");
    assert_int_equal(stats().waiting, 1);
}

static void test_cursor_stands_before_what_is_not_settled(void **state)
{
    put_at(ALERT_SCALE_OUT, "", 9000000);
    put_at(ALERT_SCALE_IN, "", 9000005);
    struct stream_id read = {9000010, 0}, settled = outbox_settled(outbox, 0, read);
    assert_true(stream_id_after((struct stream_id){9000000, 0}, settled));
    assert_true(stream_id_after(settled, (struct stream_id){8999999, 0}));
    settled = outbox_settled(outbox, 1, read); /* another pool */
    assert_int_equal(settled.ms, 9000010);
    pass(2000);
    assert_true(take());
    settled = outbox_settled(outbox, 0, read);
    assert_true(stream_id_after((struct stream_id){9000000, 0}, settled));
    outbox_answer(outbox, OUTBOX_DELIVERED, -1, now);
    settled = outbox_settled(outbox, 0, read);
    assert_int_equal(settled.ms, 9000010);
}

static void test_who_no_longer_sends_forgets_what_others_will_read(void **state)
{
    struct alert local;
    put(ALERT_SCALE_OUT, "");
    alert_init(&local, ALERT_REDIS_LOST, ALERT_POOL_NONE, "", (wall_ms_t){10000000});
    outbox_put(outbox, &local, (wall_ms_t){10000000}, now);
    outbox_forget_streams(outbox);
    pass(2000);
    assert_true(take());
    assert_int_equal(message.alerts, 1);
    assert_int_equal(message.all[0]->kind, ALERT_REDIS_LOST);
}

static void test_more_kinds_than_a_message_has_groups(void **state)
{
    config.queue_max = 100;
    again();
    for (int kind = 0; kind < 20; kind++)
        put(kind, "x");
    pass(2000);
    assert_true(take());
    assert_int_equal(message.count, OUTBOX_GROUPS_MAX - 1);
    outbox_answer(outbox, OUTBOX_DELIVERED, -1, now);
    pass(10000);
    assert_true(take());
    assert_int_equal(stats().waiting, 20 - (OUTBOX_GROUPS_MAX - 1));
}

static void test_http_answers(void **state)
{
    assert_int_equal(outbox_http(200), OUTBOX_DELIVERED);
    assert_int_equal(outbox_http(204), OUTBOX_DELIVERED);
    assert_int_equal(outbox_http(302), OUTBOX_FAILED);
    assert_int_equal(outbox_http(400), OUTBOX_REFUSED);
    assert_int_equal(outbox_http(404), OUTBOX_FAILED);
    assert_int_equal(outbox_http(429), OUTBOX_FAILED);
    assert_int_equal(outbox_http(500), OUTBOX_FAILED);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_waits_for_others_then_tells_them_together),
        TEST(test_rate_is_bounded),
        TEST(test_the_same_trouble_is_told_once_with_its_repeats),
        TEST(test_news_is_never_swallowed),
        TEST(test_failure_backs_off_with_jitter_and_sends_again),
        TEST(test_retry_after_is_honoured_and_bounded),
        TEST(test_what_comes_meanwhile_is_told_with_it),
        TEST(test_full_drops_the_least_severe_and_says_so),
        TEST(test_a_message_under_way_is_not_dropped),
        TEST(test_too_old_is_counted_not_told),
        TEST(test_refused_is_dropped_counted_and_does_not_loop),
        TEST(test_severity_and_mute),
        TEST(test_cursor_stands_before_what_is_not_settled),
        TEST(test_who_no_longer_sends_forgets_what_others_will_read),
        TEST(test_more_kinds_than_a_message_has_groups),
        TEST(test_http_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

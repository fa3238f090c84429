/* test_alerts_watch.c - what is silent is told once, and once more when it is back. */
#include "alerts/watch.h"
#include "tests/support/cmocka.h"

static struct watch watch;
static struct alert alert;
static mono_ms_t now;
static wall_ms_t wall;

static int begin(void **state)
{
    watch_init(&watch, 5000, 30000, 7200000);
    now = (mono_ms_t){1000};
    wall = (wall_ms_t){100000000};
    return 0;
}

static void pass(int64_t ms)
{
    now = mono_add(now, ms);
    wall = wall_add(wall, ms);
}

static bool see(enum watch_what what, bool well)
{
    return watch_see(&watch, what, 2, "game", well, wall, now, &alert);
}

static void test_redis_lost_and_back(void **state)
{
    assert_false(see(WATCH_REDIS, true));
    assert_false(see(WATCH_REDIS, false));
    pass(4999);
    assert_false(see(WATCH_REDIS, false));
    pass(1);
    assert_true(see(WATCH_REDIS, false));
    assert_int_equal(alert.kind, ALERT_REDIS_LOST);
    assert_int_equal(alert.pool, ALERT_POOL_NONE);
    assert_int_equal(alert.severity, ALERT_CRITICAL);
    assert_string_equal(alert.about, "game"); /* here the server's name */
    watch_forget_pools(&watch);               /* another looks at the pools: Redis stays */
    assert_false(see(WATCH_REDIS, false));    /* once */
    pass(37000);
    assert_true(see(WATCH_REDIS, true));
    assert_int_equal(alert.kind, ALERT_REDIS_BACK);
    assert_string_equal(alert.record, "what=redis why=well%20again for_s=42");
    assert_false(see(WATCH_REDIS, true));
}

static void test_a_short_absence_is_no_news(void **state)
{
    assert_false(see(WATCH_OWNER, false));
    pass(29999);
    assert_false(see(WATCH_OWNER, true));
    assert_false(see(WATCH_OWNER, false));
    pass(29999);
    assert_false(see(WATCH_OWNER, false));
    assert_int_equal(watch_bad_ms(&watch, WATCH_OWNER, 2, now), 29999);
    assert_int_equal(watch_bad_ms(&watch, WATCH_LEADER, 2, now), -1);
}

static void test_each_silence_has_its_name(void **state)
{
    static const char *const words[] = {[WATCH_OWNER] = "what=no_owner ",
                                        [WATCH_LEADER] = "what=no_leader ",
                                        [WATCH_VIEW] = "what=stale_view "};
    for (enum watch_what what = WATCH_OWNER; what < WATCH_WHATS; what++) {
        assert_false(see(what, false));
        pass(30000);
        assert_true(see(what, false));
        assert_int_equal(alert.kind, ALERT_BERTH_SILENT);
        assert_string_equal(alert.pool_name, "game");
        assert_memory_equal(alert.record, words[what], strlen(words[what]));
        assert_true(see(what, true));
        assert_int_equal(alert.kind, ALERT_BERTH_BACK);
    }
}

static bool drain(const char *node, int64_t since_ms)
{
    return watch_drain(&watch, 2, "game", span_of(node), SPAN("draining"), (wall_ms_t){since_ms},
                       wall, now, &alert);
}

static void test_a_drain_is_told_when_it_is_too_long_and_not_each_time(void **state)
{
    int64_t since = wall.ms - 7199999;
    assert_false(drain("game-1", since));
    pass(1);
    assert_true(drain("game-1", since));
    assert_int_equal(alert.kind, ALERT_DRAIN_STUCK);
    assert_string_equal(alert.about, "game-1");
    assert_false(drain("game-1", since));
    assert_true(drain("game-2", since));
    pass(7200000);
    assert_true(drain("game-1", since)); /* still there */
    assert_false(drain("game-3", 0));    /* since when is not known */
    watch.drain_stuck_ms = 0;
    assert_false(drain("game-4", since));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_redis_lost_and_back, begin),
        cmocka_unit_test_setup(test_a_short_absence_is_no_news, begin),
        cmocka_unit_test_setup(test_each_silence_has_its_name, begin),
        cmocka_unit_test_setup(test_a_drain_is_told_when_it_is_too_long_and_not_each_time, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

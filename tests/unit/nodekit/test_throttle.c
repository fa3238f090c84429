/* test_throttle.c - a token bucket as one number: bursts, the long run, debt. */
#include "nodekit/throttle.h"
#include "tests/support/cmocka.h"

static mono_ms_t at(int64_t ms)
{
    return (mono_ms_t){ms};
}

static void test_a_bucket_of_zeros_holds_the_burst_and_not_one_more(void **state)
{
    struct throttle t = throttle_make(120, 240);
    struct throttle_bucket b = {.full_ns = 0};
    assert_true(throttle_full(&b, at(5000)));
    for (int i = 0; i < 240; i++)
        assert_true(throttle_take(&t, &b, 1, at(5000)));
    assert_false(throttle_owes(&t, &b, at(5000)));
    assert_false(throttle_full(&b, at(5000)));
    assert_false(throttle_take(&t, &b, 1, at(5000)));
    assert_true(throttle_owes(&t, &b, at(5000)));
    assert_true(throttle_owes(&t, &b, at(5008))); /* one comes back each 8.33 ms */
    assert_false(throttle_owes(&t, &b, at(5009)));
    assert_false(throttle_full(&b, at(6999)));
    assert_true(throttle_full(&b, at(5000 + 241 * 1000 / 120 + 1)));
}

static void test_whoever_keeps_to_the_rate_never_owes(void **state)
{
    static const int64_t rates[] = {1, 7, 60, 120, 1000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct throttle t = throttle_make(rates[i], 2); /* a clock of whole milliseconds */
        struct throttle_bucket b = {.full_ns = 0};
        for (int64_t n = 0; n < 10000; n++) /* no earlier than the n-th is due */
            assert_true(throttle_take(&t, &b, 1, at(1 + (n * 1000 + rates[i] - 1) / rates[i])));
    }
}

/* Take, wait as the one who holds would, take again: what comes through in a minute. */
static int64_t taken_in_a_minute(int64_t rate, int64_t burst, int64_t cost)
{
    struct throttle t = throttle_make(rate, burst);
    struct throttle_bucket b = {.full_ns = 0};
    int64_t now = 1000, taken = 0;
    while (now < 61000) {
        taken += cost;
        if (throttle_take(&t, &b, cost, at(now)))
            continue;
        do
            now += t.hold_ms;
        while (throttle_owes(&t, &b, at(now)));
    }
    return taken;
}

static void test_in_the_long_run_a_flood_gets_the_rate(void **state)
{
    static const struct {
        int64_t rate, burst, cost;
    } rows[] = {{120, 240, 1},   {20, 60, 1},      {1, 1, 1},
                {10000, 240, 1}, {120, 240, 1024}, {5000, 20, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t taken = taken_in_a_minute(rows[i].rate, rows[i].burst, rows[i].cost);
        int64_t least = 60 * rows[i].rate;
        assert_in_range(taken, least - least / 50,
                        least + rows[i].burst + rows[i].cost + least / 50);
    }
}

static void test_silence_earns_no_more_than_the_burst(void **state)
{
    struct throttle t = throttle_make(10, 5);
    struct throttle_bucket b = {.full_ns = 0};
    assert_true(throttle_take(&t, &b, 5, at(1000)));
    for (int i = 0; i < 5; i++)
        assert_true(throttle_take(&t, &b, 1, at(86400000)));
    assert_false(throttle_take(&t, &b, 1, at(86400000)));
}

static void test_a_message_counts_by_its_size(void **state)
{
    assert_int_equal(throttle_cost(0), 1);
    assert_int_equal(throttle_cost(1024), 1);
    assert_int_equal(throttle_cost(1025), 2);
    assert_int_equal(throttle_cost(16384), 16);
    assert_int_equal(throttle_cost(1 << 20), 1024);
}

static void test_how_long_to_hold(void **state)
{
    assert_int_equal(throttle_make(120, 240).hold_ms, THROTTLE_HOLD_MAX_MS);
    assert_int_equal(throttle_make(10000, 240).hold_ms, 12); /* half of what fills it */
    assert_int_equal(throttle_make(THROTTLE_RATE_MAX, 1).hold_ms, 1);
    assert_int_equal(throttle_make(0, 240).one_ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bucket_of_zeros_holds_the_burst_and_not_one_more),
        cmocka_unit_test(test_whoever_keeps_to_the_rate_never_owes),
        cmocka_unit_test(test_in_the_long_run_a_flood_gets_the_rate),
        cmocka_unit_test(test_silence_earns_no_more_than_the_burst),
        cmocka_unit_test(test_a_message_counts_by_its_size),
        cmocka_unit_test(test_how_long_to_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

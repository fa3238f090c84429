/* test_forecast.c - what is foreseen on ramps, steps, waves and full pools; and the margin. */
#include "autoscale/forecast.h"
#include "tests/support/cmocka.h"

#include <math.h>

#define AHEAD_MS 60000
#define DAY_S 86400
#define MONDAY_MS INT64_C(1767571200000)

static struct forecast_says look(struct forecast *f, int64_t second, double players)
{
    struct forecast_view v = {.now_ms = (second + 1) * 1000,
                              .wall_ms = MONDAY_MS + second * 1000,
                              .players = (int64_t)players};
    return forecast_look(f, &v, AHEAD_MS, 95);
}

static struct forecast_says look_full(struct forecast *f, int64_t second, double players,
                                      bool coming)
{
    struct forecast_view v = {.now_ms = (second + 1) * 1000,
                              .wall_ms = MONDAY_MS + second * 1000,
                              .players = (int64_t)players,
                              .full = true,
                              .coming = coming};
    return forecast_look(f, &v, AHEAD_MS, 95);
}

static void test_rest_foresees_rest(void **state)
{
    struct forecast f;
    forecast_init(&f);
    struct forecast_says says = {0};
    for (int s = 0; s < 3600; s++)
        says = look(&f, s, 400);
    assert_true(says.players == 400);
    assert_true(says.margin == 2 * sqrt(400.0)); /* no errors: chance alone */
}

static void test_before_errors_are_known_the_margin_is_a_tenth(void **state)
{
    struct forecast f;
    forecast_init(&f);
    assert_true(look(&f, 0, 1000).margin == 100);
}

static void test_a_ramp_is_continued(void **state)
{
    struct forecast f;
    forecast_init(&f);
    struct forecast_says says = {0};
    for (int s = 0; s < 300; s++)
        says = look(&f, s, 500 + 2.0 * s);
    assert_in_range((int)says.players, 500 + 2 * 359 - 10, 500 + 2 * 359 + 10);
}

static void test_a_crowd_is_seen_within_seconds(void **state)
{
    struct forecast f;
    forecast_init(&f);
    for (int s = 0; s < 600; s++)
        (void)look(&f, s, 200);
    struct forecast_says says = {0};
    for (int s = 1; s <= 4; s++)
        says = look(&f, 599 + s, 200 + 30.0 * s);
    assert_in_range((int)says.players, 1700, 2300); /* 320 now, 30 a second for a minute */
}

static void test_a_small_gust_is_chance(void **state)
{
    struct forecast f;
    forecast_init(&f);
    for (int s = 0; s < 600; s++)
        (void)look(&f, s, 1000);
    assert_true(look(&f, 600, 1040).players < 1040 + 30); /* 40 of 1,000 come and go */
}

static void test_a_fall_is_not_continued(void **state)
{
    struct forecast f;
    forecast_init(&f);
    struct forecast_says says = {0};
    for (int s = 0; s < 300; s++)
        says = look(&f, s, 2000 - 5.0 * s);
    assert_true(says.players == 2000 - 5.0 * 299); /* never fewer than there are */
}

static void test_a_wave_is_covered_with_its_margin(void **state)
{
    struct forecast f;
    forecast_init(&f);
    double foreseen[7200] = {0};
    int missed = 0;
    for (int s = 0; s < 7200; s++) {
        double players = 1000 + 500 * sin(s / 1800.0 * 2 * 3.14159265);
        struct forecast_says says = look(&f, s, players);
        foreseen[s] = says.players + says.margin;
        if (s >= 600)
            missed += players > foreseen[s - 60];
    }
    assert_int_equal(missed, 0);
}

/* What is never foreseen becomes the margin, in as far as it is common. */
static void test_the_margin_is_its_own_error(void **state)
{
    struct forecast f;
    forecast_init(&f);
    double most = 0;
    for (int s = 0; s < 3600; s++) { /* 300 more for one minute of every ten */
        struct forecast_says says = look(&f, s, s % 600 < 60 ? 1300 : 1000);
        most = s > 1800 ? fmax(most, says.margin) : 0;
    }
    assert_true(most >= 295);
    forecast_init(&f);
    for (int s = 0; s < 3600; s++) /* and once an hour: not */
        most = look(&f, s, s > 1800 && s < 1860 ? 1300 : 1000).margin;
    assert_true(most < 100);
}

static void test_yesterday_comes_again(void **state)
{
    struct forecast f;
    forecast_init(&f);
    struct forecast_says says = {0};
    for (int s = 0; s < DAY_S + 12 * 3600 - 50; s++)
        says = look(&f, s, s >= 12 * 3600 && s < 13 * 3600 ? 900 : 300);
    assert_true(says.yesterday == 600); /* it is 11:59:10 */
    assert_true(says.players >= 900);
    for (int s = DAY_S + 12 * 3600 - 50; s < DAY_S + 12 * 3600 + 52 * 60; s++)
        says = look(&f, s, 900);
    assert_true(says.yesterday < 50); /* coming early counts as a busier day, for half an hour */
}

static void test_half_as_busy_a_day_foresees_half(void **state)
{
    struct forecast f;
    forecast_init(&f);
    struct forecast_says says = {0};
    for (int s = 0; s < DAY_S + 12 * 3600 - 50; s++) {
        double players = s % DAY_S >= 12 * 3600 && s % DAY_S < 13 * 3600 ? 900 : 300;
        says = look(&f, s, s < DAY_S + 6 * 3600 ? players : players / 2);
    }
    assert_in_range((int)says.yesterday, 300, 301); /* 150 now, 450 to come */
}

static void test_a_full_pool_hides_others(void **state)
{
    struct forecast f;
    forecast_init(&f);
    for (int s = 0; s < 600; s++)
        (void)look(&f, s, 200);
    for (int s = 1; s <= 5; s++)
        (void)look(&f, 599 + s, 200 + 20.0 * s);
    struct forecast_says first = look_full(&f, 605, 300, false);
    assert_true(first.players > 1000);
    for (int s = 606; s < 660; s++) /* the trend ends; what was foreseen does not */
        assert_true(look_full(&f, s, 300, true).players == first.players);
    assert_true(look_full(&f, 660, 1500, true).players == 1500);
    assert_true(look_full(&f, 661, 1500, false).players == 2250); /* half as many again */
}

/* Those who stood outside come in at once: that is no trend. */
static void test_the_flood_after_a_full_pool_is_no_trend(void **state)
{
    struct forecast f;
    forecast_init(&f);
    for (int s = 0; s < 300; s++)
        (void)look(&f, s, 200);
    for (int s = 300; s < 360; s++)
        (void)look_full(&f, s, 200, true);
    for (int s = 360; s < 400; s++)
        assert_true(look(&f, s, 900).players < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rest_foresees_rest),
        cmocka_unit_test(test_before_errors_are_known_the_margin_is_a_tenth),
        cmocka_unit_test(test_a_ramp_is_continued),
        cmocka_unit_test(test_a_crowd_is_seen_within_seconds),
        cmocka_unit_test(test_a_small_gust_is_chance),
        cmocka_unit_test(test_a_fall_is_not_continued),
        cmocka_unit_test(test_a_wave_is_covered_with_its_margin),
        cmocka_unit_test(test_the_margin_is_its_own_error),
        cmocka_unit_test(test_yesterday_comes_again),
        cmocka_unit_test(test_half_as_busy_a_day_foresees_half),
        cmocka_unit_test(test_a_full_pool_hides_others),
        cmocka_unit_test(test_the_flood_after_a_full_pool_is_no_trend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

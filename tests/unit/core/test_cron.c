/* test_cron.c - cron expressions and time zones, daylight saving time included. The zone files are
 * made here. */
#include "core/cron.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct zone utc, berlin;

/* A TZif file without transitions, with this footer: everything by the rule. */
static size_t make_file(unsigned char *buf, const char *footer, int32_t offset)
{
    unsigned char *at = buf;
    for (int part = 0; part < 2; part++) {
        memcpy(at, "TZif2", 5);
        memset(at + 5, 0, 39);
        at[39] = 1; /* typecnt */
        at[43] = 4; /* charcnt */
        at += 44;
        for (int shift = 24; shift >= 0; shift -= 8)
            *at++ = (unsigned char)((uint32_t)offset >> shift);
        memcpy(at, "\0\0LMT\0", 6);
        at += 6;
    }
    return (size_t)(at - buf) + (size_t)sprintf((char *)at, "\n%s\n", footer);
}

static int parse_footer(const char *footer, struct zone *ret_zone, struct err *err)
{
    unsigned char buf[512];
    size_t n = make_file(buf, footer, 3600);
    return zone_parse((struct span){(char *)buf, n}, ret_zone, err);
}

static int setup(void **state)
{
    zone_utc(&utc);
    return parse_footer("CET-1CEST,M3.5.0,M10.5.0/3", &berlin, NULL);
}

static int64_t at(const struct zone *zone, const char *text)
{
    int64_t s;
    struct err err = {0};
    if (cron_date(span_of(text), zone, &s, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return s;
}

static struct cron cron(const char *text)
{
    struct cron c;
    struct err err = {0};
    if (cron_parse(span_of(text), &c, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return c;
}

static void test_calendar_is_right_for_400_years(void **state)
{
    int64_t day = 0;
    for (int y = 1970; y < 2370; y++) {
        for (int m = 1; m <= 12; m++) {
            int days = m == 2 ? ((y % 4 == 0 && y % 100) || y % 400 == 0 ? 29 : 28)
                       : m == 4 || m == 6 || m == 9 || m == 11 ? 30
                                                               : 31;
            for (int d = 1; d <= days; d++, day++) {
                struct civil c;
                assert_int_equal(civil_days(y, m, d), day);
                civil_of_days(day, &c);
                assert_true(c.year == y && c.month == m && c.day == d &&
                            c.weekday == (day + 4) % 7);
            }
        }
    }
}

static void test_summer_and_winter(void **state)
{
    assert_int_equal(at(&utc, "2026-01-15 12:00"), 1768478400);
    assert_int_equal(at(&berlin, "2026-01-15 12:00"), 1768478400 - 3600);
    assert_int_equal(at(&berlin, "2026-07-15 12:00"), at(&utc, "2026-07-15 10:00"));
    struct civil c = zone_civil(&berlin, at(&utc, "2026-03-29 01:00")); /* the moment of change */
    assert_int_equal(c.hour, 3);
    assert_int_equal(c.weekday, 0);
    c = zone_civil(&berlin, at(&utc, "2026-10-25 01:00") - 1);
    assert_true(c.hour == 2 && c.minute == 59);
    c = zone_civil(&berlin, at(&utc, "2026-10-25 01:00"));
    assert_true(c.hour == 2 && c.minute == 0); /* again */
}

static void test_skipped_and_doubled_times(void **state)
{
    assert_int_equal(at(&berlin, "2026-03-29 02:30"),
                     at(&utc, "2026-03-29 01:00")); /* skipped: when the clocks go forward */
    assert_int_equal(at(&berlin, "2026-03-29 03:00"), at(&utc, "2026-03-29 01:00"));
    assert_int_equal(at(&berlin, "2026-10-25 02:30"),
                     at(&utc, "2026-10-25 00:30")); /* twice: the first */
    assert_int_equal(at(&berlin, "2026-10-25 03:00"), at(&utc, "2026-10-25 02:00"));
}

static void test_south_of_the_equator(void **state)
{
    struct zone sydney;
    assert_int_equal(parse_footer("AEST-10AEDT,M10.1.0,M4.1.0/3", &sydney, NULL), 0);
    assert_int_equal(at(&sydney, "2026-01-15 12:00"), at(&utc, "2026-01-15 01:00"));
    assert_int_equal(at(&sydney, "2026-07-15 12:00"), at(&utc, "2026-07-15 02:00"));
}

static void test_every_evening_at_six(void **state)
{
    struct cron c = cron("0 18 * * *");
    int64_t summer = at(&berlin, "2026-07-15 18:00"), winter = at(&berlin, "2026-12-15 18:00");
    assert_int_equal(cron_last(&c, &berlin, summer, 7200), summer);
    assert_int_equal(cron_last(&c, &berlin, summer + 7199, 7200), summer);
    assert_int_equal(cron_last(&c, &berlin, summer + 7201, 7200), -1);
    assert_int_equal(cron_last(&c, &berlin, summer - 1, 7200), -1);
    assert_int_equal(cron_last(&c, &berlin, winter + 60, 7200), winter);
    assert_int_equal((summer - winter) % 86400 != 0, 1); /* an hour apart in UTC */
}

static void test_daylight_saving_time_neither_skips_nor_repeats(void **state)
{
    struct cron c = cron("30 2 * * *");
    int64_t skipped = at(&utc, "2026-03-29 01:00");
    assert_int_equal(cron_last(&c, &berlin, skipped + 600, 3600), skipped);
    int64_t first = at(&utc, "2026-10-25 00:30");
    assert_int_equal(cron_last(&c, &berlin, first + 5400, 7200),
                     first); /* 02:30 again came in between */
}

static void test_fields(void **state)
{
    struct cron c = cron("*/15 8-10,20 1 jan-mar *");
    assert_int_equal(cron_last(&c, &utc, at(&utc, "2026-02-01 10:50"), 86400),
                     at(&utc, "2026-02-01 10:45"));
    assert_int_equal(cron_last(&c, &utc, at(&utc, "2026-02-01 19:59"), 86400),
                     at(&utc, "2026-02-01 10:45"));
    assert_int_equal(cron_last(&c, &utc, at(&utc, "2026-04-01 10:50"), 86400), -1);
    c = cron("0 0 * * 7");
    assert_int_equal(cron_last(&c, &utc, at(&utc, "2026-11-22 05:00"), 86400),
                     at(&utc, "2026-11-22 00:00")); /* a Sunday */
    assert_int_equal(cron_last(&c, &utc, at(&utc, "2026-11-21 05:00"), 86400), -1);
    c = cron("0 0 13 * fri"); /* both given: either is enough */
    assert_int_equal(cron_last(&c, &utc, at(&utc, "2026-11-20 01:00"), 7200),
                     at(&utc, "2026-11-20 00:00"));
    assert_int_equal(cron_last(&c, &utc, at(&utc, "2026-12-13 01:00"), 7200),
                     at(&utc, "2026-12-13 00:00"));
    c = cron("@daily");
    assert_int_equal(cron_last(&c, &utc, at(&utc, "2026-11-20 01:00"), 7200),
                     at(&utc, "2026-11-20 00:00"));
    c = cron("0 0 29 2 *");
    assert_int_equal(cron_last(&c, &utc, at(&utc, "2028-02-29 01:00"), 7200),
                     at(&utc, "2028-02-29 00:00"));
}

static void test_nonsense_is_refused_by_name(void **state)
{
    static const char *const rows[][2] = {
        {"", "must have five fields: minute hour day-of-month month day-of-week"},
        {"0 18 * *", "must have five fields: minute hour day-of-month month day-of-week"},
        {"0 18 * * * *",
         "must have five fields, and no more: minute hour day-of-month month day-of-week"},
        {"60 * * * *", "minute = 60: must be *, or numbers 0..59, with , - and /"},
        {"0 24 * * *", "hour = 24: must be *, or numbers 0..23, with , - and /"},
        {"0 0 0 * *", "day of month = 0: must be *, or numbers 1..31, with , - and /"},
        {"0 0 * foo *", "month = foo: must be *, or numbers 1..12 or names, with , - and /"},
        {"0 0 * * 8", "day of week = 8: must be *, or numbers 0..7 or names, with , - and /"},
        {"5-1 * * * *", "minute = 5-1: must be *, or numbers 0..59, with , - and /"},
        {"*/0 * * * *", "minute = */0: must be *, or numbers 0..59, with , - and /"},
        {"1,,2 * * * *", "minute = 1,,2: must be *, or numbers 0..59, with , - and /"},
        {"0 0 30 2 *", "day of month = 30: there is no such day in month 2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cron c;
        struct err err = {0};
        assert_int_equal(cron_parse(span_of(rows[i][0]), &c, &err), BERTH_EINVAL);
        assert_string_equal(err.text, rows[i][1]);
    }
    int64_t s;
    assert_int_equal(cron_date(SPAN("2026-02-30 10:00"), &utc, &s, NULL), BERTH_EINVAL);
    assert_int_equal(cron_date(SPAN("tomorrow"), &utc, &s, NULL), BERTH_EINVAL);
}

static void test_files_that_are_none(void **state)
{
    unsigned char buf[512];
    struct zone z;
    struct err err = {0};
    size_t n = make_file(buf, "CET-1", 3600);
    assert_int_equal(zone_parse((struct span){(char *)buf, n}, &z, &err), 0);
    for (size_t cut = 0; cut < n; cut++) /* every way of being cut short */
        assert_true(zone_parse((struct span){(char *)buf, cut}, &z, &err) < 0);
    assert_true(parse_footer("CET-1CEST,M13.5.0,M10.5.0", &z, &err) < 0);
    assert_true(parse_footer("C-1", &z, &err) < 0);
    assert_true(parse_footer("CET-24", &z, &err) < 0); /* a day and more: nobody lives there */
    assert_true(parse_footer("CET-1CEST24,M3.5.0,M10.5.0", &z, &err) < 0);
    assert_true(parse_footer("CET-1CEST,M3.5.0/168,M10.5.0", &z, &err) < 0);
    assert_int_equal(parse_footer("CET-1CEST,M3.5.0/167,M10.5.0", &z, &err), 0);
    n = make_file(buf, "CET-1", 86400);
    assert_true(zone_parse((struct span){(char *)buf, n}, &z, &err) < 0);
    assert_non_null(strstr(err.text, "86400"));
    assert_true(zone_parse(SPAN("hello"), &z, &err) < 0);
}

/* The system's own files, where they are: the same as the C library's answer, hour by hour. */
static void test_agrees_with_the_c_library(void **state)
{
    static const char *const names[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                        "Asia/Kolkata", "UTC"};
    static char bytes[65536];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", names[i]);
        FILE *f = fopen(path, "rb");
        if (!f)
            continue;
        size_t n = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        static struct zone z;
        struct err err = {0};
        if (zone_parse((struct span){bytes, n}, &z, &err) < 0)
            fail_msg("%s: %s", names[i], err.text);
        setenv("TZ", names[i], 1);
        tzset();
        for (int64_t t = 0; t < INT64_C(4102444800); t += 3600 * 7) { /* until 2100 */
            time_t c_time = (time_t)t;
            struct tm tm;
            localtime_r(&c_time, &tm);
            if (zone_offset(&z, t) != tm.tm_gmtoff)
                fail_msg("%s at %lld: %d, the C library says %ld", names[i], (long long)t,
                         zone_offset(&z, t), tm.tm_gmtoff);
        }
    }
    unsetenv("TZ");
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calendar_is_right_for_400_years),
        cmocka_unit_test(test_summer_and_winter),
        cmocka_unit_test(test_skipped_and_doubled_times),
        cmocka_unit_test(test_south_of_the_equator),
        cmocka_unit_test(test_every_evening_at_six),
        cmocka_unit_test(test_daylight_saving_time_neither_skips_nor_repeats),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_nonsense_is_refused_by_name),
        cmocka_unit_test(test_files_that_are_none),
        cmocka_unit_test(test_agrees_with_the_c_library),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

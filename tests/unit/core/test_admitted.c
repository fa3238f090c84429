/* test_admitted.c - the text of `adm=` both ways, and the node's book of admitted tickets. */
#include "core/admitted.h"

#include "tests/support/cmocka.h"

static const wall_ms_t noon = {1763726400000};
static const int64_t noon_s = 1763726400;

static void test_writes_what_it_parses(void **state)
{
    static const char *const texts[] = {
        "-",
        "lb-a/1/1763726400:1",
        "lb-a/1763720000123/1763726389:0.3.12.0.0.7,lb-b/9/1763726400:4294967295",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct admitted_run runs[ADMITTED_ISSUERS_MAX];
        int n = admitted_parse(span_of(texts[i]), runs, ADMITTED_ISSUERS_MAX);
        assert_true(n >= 0);
        char buf[256];
        assert_int_equal(admitted_write(runs, (size_t)n, buf, sizeof buf), strlen(texts[i]));
        assert_string_equal(buf, texts[i]);
    }
}

static void test_refuses_text_that_is_not_counts(void **state)
{
    static const char *const texts[] = {
        "",
        ",",
        "--",
        "lb-a",
        "lb-a/1",
        "lb-a/1/5",
        "lb-a/1/5:",
        "lb-a/1/5:1.",
        "lb-a/1/5:.1",
        "/1/5:1",
        "lb-a//5:1",
        "lb-a/x/5:1",
        "lb-a/1/5:-1",
        "lb-a/-1/5:1",
        "lb-a/1/-5:1",
        "lb-a/1/5:4294967296",
        "lb-a/1/5:1,",
        ",lb-a/1/5:1",
        "lb-a/1/99999999999999999999:1",
        "lb-a/1/9223372036854775807:1",
        "0123456789012345678901234567890123456789012345678901234567890123/1/5:1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct admitted_run runs[ADMITTED_ISSUERS_MAX];
        assert_int_equal(admitted_parse(span_of(texts[i]), runs, ADMITTED_ISSUERS_MAX),
                         BERTH_EPROTO);
    }
    struct admitted_run runs[1];
    assert_int_equal(admitted_parse(SPAN("lb\0a/1/5:1"), runs, 1), BERTH_EPROTO); /* no name */
    assert_int_equal(admitted_parse(SPAN("lb a/1/5:1"), runs, 1), BERTH_EPROTO);
}

static void test_refuses_more_than_its_limits(void **state)
{
    struct admitted_run runs[2];
    assert_int_equal(admitted_parse(SPAN("a/1/5:1,b/1/5:1,c/1/5:1"), runs, 2), BERTH_EFULL);
    char text[300] = "a/1/5:1";
    for (int i = 1; i < ADMITTED_SECONDS_MAX; i++)
        strcat(text, ".1");
    assert_int_equal(admitted_parse(span_of(text), runs, 2), 1);
    assert_int_equal(runs[0].count, ADMITTED_SECONDS_MAX);
    strcat(text, ".1");
    assert_int_equal(admitted_parse(span_of(text), runs, 2), BERTH_EFULL);
    assert_int_equal(admitted_parse(SPAN("a/1/5:1"), runs, 2), 1);
    char small[8];
    assert_int_equal(admitted_write(runs, 1, small, 7), BERTH_EFULL);
    assert_int_equal(admitted_write(runs, 1, small, 8), 7);
}

static void test_counts_by_issuer_epoch_and_second(void **state)
{
    struct admitted book;
    admitted_init(&book, 12000);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), 7, noon_s), 0);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), 7, noon_s - 2), 0);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), 7, noon_s - 2), 0);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), 8, noon_s), 0);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-b"), 7, noon_s + 1), 0);
    char buf[256];
    assert_true(admitted_render(&book, noon, buf, sizeof buf) > 0);
    assert_string_equal(buf, "lb-a/7/1763726398:2.0.1,lb-a/8/1763726400:1,lb-b/7/1763726401:1");
}

static void test_drops_a_second_whole_when_it_is_over(void **state)
{
    struct admitted book;
    admitted_init(&book, 12000);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), 7, noon_s), 0);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), 7, noon_s + 1), 0);
    char buf[256];
    (void)!admitted_render(&book, wall_add(noon, 13000), buf,
                           sizeof buf); /* noon_s ended at +1000 */
    assert_string_equal(buf, "lb-a/7/1763726400:1.1");
    (void)!admitted_render(&book, wall_add(noon, 13001), buf, sizeof buf);
    assert_string_equal(buf, "lb-a/7/1763726401:1");
    (void)!admitted_render(&book, wall_add(noon, 15000), buf, sizeof buf);
    assert_string_equal(buf, "-");
    assert_int_equal(book.used, 0);
}

static void test_does_not_count_seconds_of_another_time(void **state)
{
    struct admitted book;
    admitted_init(&book, 12000);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), 7, noon_s - 14), BERTH_ESTALE);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), 7, noon_s + 3), BERTH_ESTALE);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), 7, noon_s + 2), 0);
    assert_int_equal(admitted_count(&book, noon, (struct span){0}, 7, noon_s), BERTH_EINVAL);
}

static void test_survives_a_clock_that_jumps(void **state)
{
    struct admitted book;
    admitted_init(&book, 60000);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), 7, noon_s), 0);
    wall_ms_t back = wall_add(noon, -3600000);
    assert_int_equal(admitted_count(&book, back, SPAN("lb-a"), 7, noon_s - 3600), 0);
    char buf[256];
    (void)!admitted_render(&book, back, buf, sizeof buf);
    assert_string_equal(buf, "lb-a/7/1763722800:1");
    assert_int_equal(admitted_count(&book, wall_add(noon, 3600000), SPAN("lb-a"), 7, noon_s + 3600),
                     0);
    (void)!admitted_render(&book, wall_add(noon, 3600000), buf, sizeof buf);
    assert_string_equal(buf, "lb-a/7/1763730000:1");
}

static void test_bounds_the_issuers_and_frees_those_that_are_over(void **state)
{
    struct admitted book;
    admitted_init(&book, 12000);
    for (int64_t epoch = 0; epoch < ADMITTED_ISSUERS_MAX; epoch++)
        assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), epoch, noon_s), 0);
    assert_int_equal(admitted_count(&book, noon, SPAN("lb-a"), 99, noon_s), BERTH_EFULL);
    assert_int_equal(book.dropped, 1);
    wall_ms_t later = wall_add(noon, 20000);
    assert_int_equal(admitted_count(&book, later, SPAN("lb-a"), 99, noon_s + 20), 0);
    assert_int_equal(book.used, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_what_it_parses),
        cmocka_unit_test(test_refuses_text_that_is_not_counts),
        cmocka_unit_test(test_refuses_more_than_its_limits),
        cmocka_unit_test(test_counts_by_issuer_epoch_and_second),
        cmocka_unit_test(test_drops_a_second_whole_when_it_is_over),
        cmocka_unit_test(test_does_not_count_seconds_of_another_time),
        cmocka_unit_test(test_survives_a_clock_that_jumps),
        cmocka_unit_test(test_bounds_the_issuers_and_frees_those_that_are_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_span.c - cutting and parsing borrowed text. */
#include "core/span.h"
#include "tests/support/cmocka.h"

static void test_cuts_at_separators(void **state)
{
    (void)state;
    struct span rest = SPAN("a,,bc");
    assert_true(span_is(span_cut(&rest, ','), "a"));
    assert_true(span_is(span_cut(&rest, ','), ""));
    assert_true(span_is(span_cut(&rest, ','), "bc"));
    assert_null(rest.ptr);
    assert_int_equal(span_cut(&rest, ',').len, 0);
}

static void test_parses_whole_integers_only(void **state)
{
    (void)state;
    int64_t v = 42;
    const char *const bad[] = {"",  "-", "1x", " 1", "9223372036854775808", "-9223372036854775809",
                               "+1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(span_int(span_of(bad[i]), &v));
    assert_int_equal(v, 42);
    assert_true(span_int(SPAN("9223372036854775807"), &v));
    assert_true(v == INT64_MAX);
    assert_true(span_int(SPAN("-9223372036854775808"), &v));
    assert_true(v == INT64_MIN);
    assert_true(span_int(SPAN("007"), &v));
    assert_int_equal(v, 7);
}

static void test_copy_refuses_what_does_not_fit(void **state)
{
    (void)state;
    char buf[4] = "zzz";
    assert_false(span_copy(SPAN("abcd"), buf, sizeof buf));
    assert_string_equal(buf, "zzz");
    assert_true(span_copy(SPAN("abc"), buf, sizeof buf));
    assert_string_equal(buf, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts_at_separators),
        cmocka_unit_test(test_parses_whole_integers_only),
        cmocka_unit_test(test_copy_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

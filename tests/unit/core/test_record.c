/* Plain records: what is written is read back, and bad input is told apart. */
#include "core/record.h"
#include "tests/support/cmocka.h"

#include <stdio.h>

static void test_reads_fields_in_any_order(void **state)
{
    struct span record = SPAN("v=1 conns=41 why=least%20est g.cpu=0.5 conns=99 odd");
    char text[32];
    double cpu;
    assert_int_equal(record_int_or(record, "conns", -1), 41); /* the first counts */
    assert_int_equal(record_text(record, "why", text, sizeof text), 9);
    assert_string_equal(text, "least est");
    assert_true(record_number(record, "g.cpu", &cpu));
    assert_true(cpu == 0.5);
    assert_int_equal(record_int_or(record, "con", 5), 5); /* a prefix is another name */
    assert_int_equal(record_text(record, "odd", text, sizeof text), BERTH_ENOENT);
}

static void test_writes_what_it_reads(void **state)
{
    static const char *const values[] = {
        "", "plain", "two words", "100%", "tab\tnewline\n", "a=b=c", "\xe6\xb8\xaf", "%41"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char buf[128], text[64];
        struct record_writer w;
        record_begin(&w, buf, sizeof buf);
        record_put_int(&w, "epoch", INT64_MIN);
        record_put_text(&w, "x", values[i]);
        record_put_number(&w, "n", -0.25);
        assert_false(w.full);
        assert_int_equal(record_text(record_end(&w), "x", text, sizeof text), strlen(values[i]));
        assert_string_equal(text, values[i]);
        double n;
        assert_true(record_number(record_end(&w), "n", &n));
        assert_true(n == -0.25);
        assert_true(record_int_or(record_end(&w), "epoch", 0) == INT64_MIN);
    }
}

static void test_refuses_bad_encoding(void **state)
{
    static const char *const bad[] = {"x=%", "x=%4", "x=%zz", "x=a%00b", "x=%-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[16] = "old";
        assert_int_equal(record_text(span_of(bad[i]), "x", text, sizeof text), BERTH_EINVAL);
        assert_string_equal(text, "");
    }
    char small[4], text[16];
    assert_int_equal(record_text((struct span){"x=a\0b", 5}, "x", text, sizeof text), BERTH_EINVAL);
    assert_int_equal(record_text(SPAN("x=abc"), "x", small, sizeof small), 3);
    assert_int_equal(record_text(SPAN("x=abcd"), "x", small, sizeof small), BERTH_EFULL);
}

static void test_refuses_what_is_no_number(void **state)
{
    static const char *const bad[] = {"x=",      "x=nan",   "x=inf", "x=0x10",
                                      "x=1e999", "x=1.5.2", "x= 1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double number;
        int64_t integer;
        assert_false(record_number(span_of(bad[i]), "x", &number));
        assert_false(record_int(span_of(bad[i]), "x", &integer));
    }
}

static void test_a_pair_that_does_not_fit_is_left_out_whole(void **state)
{
    char buf[12];
    struct record_writer w;
    record_begin(&w, buf, sizeof buf);
    record_put_text(&w, "a", "12345678"); /* 10 bytes and the terminator */
    assert_false(w.full);
    record_put_text(&w, "b", "");
    assert_true(w.full);
    assert_string_equal(buf, "a=12345678");
    record_begin(&w, buf, sizeof buf);
    record_put_text(&w, "a", "    "); /* encoded it needs 14 */
    assert_true(w.full);
    assert_string_equal(buf, "");
}

static void test_skips_words_without_a_name(void **state)
{
    struct span rest = SPAN(" =x  a=1 b"), name, value;
    assert_true(record_next(&rest, &name, &value));
    assert_true(span_is(name, "a"));
    assert_true(span_is(value, "1"));
    assert_false(record_next(&rest, &name, &value));
    assert_false(record_next(&rest, &name, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_fields_in_any_order),
        cmocka_unit_test(test_writes_what_it_reads),
        cmocka_unit_test(test_refuses_bad_encoding),
        cmocka_unit_test(test_refuses_what_is_no_number),
        cmocka_unit_test(test_a_pair_that_does_not_fit_is_left_out_whole),
        cmocka_unit_test(test_skips_words_without_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

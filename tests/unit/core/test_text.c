/* test_text.c - pieces are joined, and cut at the end of the buffer. */
#include "core/text.h"
#include "tests/support/cmocka.h"

#include <string.h>

static void test_joins_pieces(void **state)
{
    char buf[32];
    struct text t;
    text_init(&t, buf, sizeof buf);
    assert_string_equal(buf, "");
    text_add(&t, "a=%d", 1);
    text_add(&t, " b=%s", "two");
    assert_string_equal(buf, "a=1 b=two");
    assert_int_equal(t.len, 9);
    assert_false(t.cut);
}

static void test_is_cut_and_stays_so(void **state)
{
    char buf[9];
    struct text t;
    memset(buf, 'x', sizeof buf);
    text_init(&t, buf, 8);
    text_add(&t, "%s", "1234567"); /* fits to the last byte */
    assert_false(t.cut);
    text_add(&t, "%s", "8");
    assert_true(t.cut);
    assert_string_equal(buf, "1234567");
    assert_int_equal(t.len, 7);
    assert_int_equal(buf[8], 'x');
    text_add(&t, "more");
    assert_int_equal(t.len, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joins_pieces),
        cmocka_unit_test(test_is_cut_and_stays_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

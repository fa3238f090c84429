/* test_err.c - error texts are set, prefixed and cut, never overrun. */
#include "core/err.h"
#include "tests/support/cmocka.h"

#include <string.h>

static void test_sets_and_prefixes(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, BERTH_EINVAL, "port = %d: must be 1..65535", 70000),
                     BERTH_EINVAL);
    err_prefix(&err, "berth.yaml:%d", 12);
    assert_string_equal(err.text, "berth.yaml:12: port = 70000: must be 1..65535");
    assert_int_equal(err.code, BERTH_EINVAL);
}

static void test_null_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, BERTH_EFULL, "x"), BERTH_EFULL);
    err_prefix(NULL, "y");
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    struct err err = {0};
    char big[2000];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_set(&err, BERTH_ESYS, "%s", big);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_prefix(&err, "open");
    assert_memory_equal(err.text, "open: aaa", 9);
    assert_int_equal(memchr(err.text, '\0', sizeof err.text) != NULL, 1);
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(err_word(0), "ok");
    assert_string_equal(err_word(7), "ok");
    assert_string_equal(err_word(BERTH_EINVAL), "invalid");
    assert_string_equal(err_word(BERTH_EAGAIN), "again");
    assert_string_equal(err_word(-99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_and_prefixes),
        cmocka_unit_test(test_null_is_allowed),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

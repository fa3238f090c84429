/* test_template.c - URLs with words filled in. */
#include "core/span.h"
#include "nodekit/template.h"
#include "tests/support/cmocka.h"

static const struct template_word words[] = {
    {"host", "10.0.0.1"}, {"port", "7000"}, {"empty", ""}, {"zone", NULL}, {NULL, NULL}};

static void test_fills_words_in(void **state)
{
    char buf[64];
    struct err err = {0};
    assert_int_equal(template_expand("ws://{host}:{port}/{empty}ws", words, buf, sizeof buf, &err),
                     21);
    assert_string_equal(buf, "ws://10.0.0.1:7000/ws");
    assert_int_equal(template_expand("", words, buf, sizeof buf, &err), 0);
    assert_string_equal(buf, "");
}

static void test_says_what_is_wrong(void **state)
{
    char buf[22];
    struct err err = {0};
    assert_int_equal(template_expand("ws://{hots}", words, buf, sizeof buf, &err), BERTH_EINVAL);
    assert_non_null(
        strstr(err.text, "{hots} is not known; there are {host} {port} {empty} {zone}"));
    assert_int_equal(template_expand("ws://{zone}", words, buf, sizeof buf, &err), BERTH_EINVAL);
    assert_non_null(strstr(err.text, "{zone} has no value here"));
    assert_int_equal(template_expand("ws://{host", words, buf, sizeof buf, &err), BERTH_EINVAL);
    assert_non_null(strstr(err.text, "not closed"));
    assert_int_equal(template_expand("ws://{host}:{port}/ws", words, buf, sizeof buf, &err), 21);
    assert_int_equal(template_expand("ws://{host}:{port}/ws", words, buf, 21, &err), BERTH_EFULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fills_words_in),
        cmocka_unit_test(test_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

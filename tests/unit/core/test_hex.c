/* Bytes survive the way to text and back; anything else is refused. */
#include "core/hex.h"
#include "tests/support/cmocka.h"

static void test_there_and_back(void **state)
{
    char text[9];
    unsigned char bytes[4];
    hex_encode((struct span){"\x00\x7f\xa5\xff", 4}, text, sizeof text);
    assert_string_equal(text, "007fa5ff");
    assert_true(hex_decode(SPAN("007FA5ff"), bytes, sizeof bytes));
    assert_memory_equal(bytes, "\x00\x7f\xa5\xff", 4);
}

static void test_refuses_other_text(void **state)
{
    unsigned char bytes[2];
    assert_false(hex_decode(SPAN("00ff0"), bytes, sizeof bytes));
    assert_false(hex_decode(SPAN("00f"), bytes, sizeof bytes));
    assert_false(hex_decode(SPAN("00g0"), bytes, sizeof bytes));
    assert_false(hex_decode(SPAN("0x00"), bytes, sizeof bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_refuses_other_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

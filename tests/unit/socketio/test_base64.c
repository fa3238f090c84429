/* test_base64.c - base64 with padding. */
#include "socketio/base64.h"
#include "tests/support/cmocka.h"

static const struct {
    const char *bytes, *text;
} pairs[] = {{"", ""},
             {"f", "Zg=="},
             {"fo", "Zm8="},
             {"foo", "Zm9v"},
             {"foob", "Zm9vYg=="},
             {"fooba", "Zm9vYmE="},
             {"foobar", "Zm9vYmFy"},
             {"\xfb\xff", "+/8="}};

static void test_there_and_back(void **state)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char text[16], bytes[16];
        size_t n = base64_encode(span_of(pairs[i].bytes), text);
        assert_int_equal(n, base64_length(strlen(pairs[i].bytes)));
        assert_true(span_is((struct span){text, n}, pairs[i].text));
        int m = base64_decode(span_of(pairs[i].text), bytes, sizeof bytes);
        assert_int_equal(m, strlen(pairs[i].bytes));
        assert_memory_equal(bytes, pairs[i].bytes, (size_t)m);
    }
}

static void test_other_texts_are_refused(void **state)
{
    static const char *const wrong[] = {"Z",        "Zg",   "Zg=",  "Z===", "====", "Zh==",
                                        "Zg==Zg==", "Z-==", "_/8=", "Zm9 ", "Zm=v", "Zg==="};
    char bytes[16];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(base64_decode(span_of(wrong[i]), bytes, sizeof bytes), BERTH_EPROTO);
}

static void test_the_room_is_kept_to(void **state)
{
    char bytes[4] = {0, 0, 0, 'x'};
    assert_int_equal(base64_decode(SPAN("Zm9v"), bytes, 2), BERTH_EFULL);
    assert_int_equal(base64_decode(SPAN("Zm9v"), bytes, 3), 3);
    assert_int_equal(base64_decode(SPAN("Zm9vYg=="), bytes, 3), BERTH_EFULL);
    assert_int_equal(bytes[3], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_other_texts_are_refused),
        cmocka_unit_test(test_the_room_is_kept_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_count_text.c - numbers of players in JSON, in Prometheus's format, and bare. */
#include "agent/count_text.h"
#include "tests/support/cmocka.h"

#include <string.h>

static void test_bare(void **state)
{
    int64_t n = -1;
    struct err err = {0};
    assert_int_equal(count_text_number(SPAN(" 42\n"), &n, &err), 0);
    assert_int_equal(n, 42);
    assert_int_equal(count_text_number(SPAN("12.9"), &n, &err), 0);
    assert_int_equal(n, 12);
    const char *const bad[] = {"", "\n", "forty", "4 2", "-1", "nan", "inf", "1e10"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(count_text_number(span_of(bad[i]), &n, &err), BERTH_EPROTO);
        assert_int_equal(n, 12);
    }
    assert_string_equal(err.text, "the count is 1e+10: must be 0..1000000000");
}

static void test_json_pointer(void **state)
{
    static const struct {
        const char *text, *pointer;
        int64_t count;
    } cases[] = {
        {"{\"connections\":7}", "/connections", 7},
        {"{\"a/b\":{\"m~n\":3}}", "/a~1b/m~0n", 3},
        {"{\"rooms\":[1,2,3]}", "/rooms", 3},
        {"{\"rooms\":[{\"n\":5},{\"n\":9}]}", "/rooms/1/n", 9},
        {"{\"s\":{\"x\":1,\"y\":2}}", "/s", 2},
        {"11", "", 11},
        {"{\"\":4}", "/", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t n = -1;
        struct err err = {0};
        assert_int_equal(count_text_json(span_of(cases[i].text), cases[i].pointer, &n, &err), 0);
        assert_int_equal(n, cases[i].count);
    }
}

static void test_json_says_what_is_missing(void **state)
{
    int64_t n = -1;
    struct err err = {0};
    assert_int_equal(count_text_json(SPAN("{\"a\":{}}"), "/a/b/c", &n, &err), BERTH_EPROTO);
    assert_string_equal(err.text, "the answer has nothing at /a/b");
    assert_int_equal(count_text_json(SPAN("{\"a\":\"7\"}"), "/a", &n, &err), BERTH_EPROTO);
    assert_string_equal(err.text, "/a is not a number, an array or an object");
    assert_int_equal(count_text_json(SPAN("{\"a\":-7}"), "/a", &n, &err), BERTH_EPROTO);
    assert_int_equal(count_text_json(SPAN("{\"a\""), "/a", &n, &err), BERTH_EPROTO);
    assert_int_equal(count_text_json(SPAN("{\"a\":7}"), "a", &n, &err), BERTH_EPROTO);
    assert_int_equal(n, -1);
}

static void test_prometheus(void **state)
{
    static const char text[] = "# HELP ws_open Sockets.\n# TYPE ws_open gauge\n"
                               "ws_open{ns=\"/\",note=\"a } b\"} 5\n"
                               "ws_open{ns=\"/chat\"} 7 1700000000000\n"
                               "ws_open_total 100\n"
                               "plain 3.0\n"
                               "broken\n";
    int64_t n = -1;
    struct err err = {0};
    assert_int_equal(count_text_metric(SPAN(text), "ws_open", &n, &err), 0);
    assert_int_equal(n, 12);
    assert_int_equal(count_text_metric(SPAN(text), "ws_open{ns=\"/chat\"}", &n, &err), 0);
    assert_int_equal(n, 7);
    assert_int_equal(count_text_metric(SPAN(text), "plain", &n, &err), 0);
    assert_int_equal(n, 3);
    assert_int_equal(count_text_metric(SPAN(text), "ws", &n, &err), BERTH_EPROTO);
    assert_string_equal(err.text, "there is no metric ws in the answer");
    assert_int_equal(count_text_metric(SPAN(text), "broken", &n, &err), BERTH_EPROTO);
    assert_int_equal(n, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bare),
        cmocka_unit_test(test_json_pointer),
        cmocka_unit_test(test_json_says_what_is_missing),
        cmocka_unit_test(test_prometheus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

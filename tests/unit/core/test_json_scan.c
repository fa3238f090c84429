/* test_json_scan.c - members of a JSON object in place; everything that is not JSON is refused. */
#include "core/json_scan.h"

#include "tests/support/cmocka.h"

/* How many items a text has, or the error. */
static int count(const char *text)
{
    struct json_scan scan;
    struct json_scan_item item;
    int rc = json_scan_begin(&scan, span_of(text));
    int n = 0;
    while (rc >= 0 && (rc = json_scan_next(&scan, &item)) > 0)
        n++;
    return rc < 0 ? rc : n;
}

static void test_reads_members(void **state)
{
    struct json_scan scan;
    struct json_scan_item item;
    const char *text = " { \"a\" : \"x\\\"y\" , \"b\":-12.5e+3,\"c\":{\"d\":[1,{}]},\"\":null} ";
    assert_int_equal(json_scan_begin(&scan, span_of(text)), 0);
    assert_int_equal(json_scan_next(&scan, &item), 1);
    assert_true(span_is(item.name, "a") && item.kind == JSON_STRING && !item.plain);
    assert_true(span_is(item.text, "x\\\"y"));
    assert_int_equal(json_scan_next(&scan, &item), 1);
    assert_true(span_is(item.name, "b") && item.kind == JSON_NUMBER && item.plain);
    assert_true(span_is(item.text, "-12.5e+3"));
    assert_int_equal(json_scan_next(&scan, &item), 1);
    assert_true(span_is(item.text, "{\"d\":[1,{}]}") && item.kind == JSON_OBJECT);
    assert_int_equal(json_scan_next(&scan, &item), 1);
    assert_true(span_is(item.text, "null") && item.kind == JSON_LITERAL);
    assert_int_equal(json_scan_next(&scan, &item), 0);
}

static void test_accepts_json(void **state)
{
    static const struct {
        const char *text;
        int items;
    } cases[] = {
        {"{}", 0},
        {"[]", 0},
        {"{\"a\":0,\"a\":true}", 2},
        {"[1,-0,0.5,1e9,\"\\u00e9\\n\",false]", 6},
        {"{\"a\":[[[[[[[]]]]]]]}", 1},
        {"{\"a\":\"\xc3\xa9\"}", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(count(cases[i].text), cases[i].items);
}

static void test_refuses_what_is_not_json(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "1",
        "\"a\"",
        "{",
        "}",
        "[",
        "{]",
        "{} x",
        "{}{}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":tru}",
        "{\"a\":nul}",
        "{\"a\":\"x}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{\"a\":{\"b\"}}",
        "{\"a\":[}",
        "[1,]",
        "{\"a\":[[[[[[[[]]]]]]]]}",
        "{\"a\":NaN}",
        "{\"a\":\"\\",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (count(texts[i]) >= 0)
            fail_msg("accepted: %s", texts[i]);
}

static void test_never_reads_past_the_end(void **state)
{
    static const char text[] = "{\"a\":[1,\"\\u12ab\",true,{\"b\":-1.5e-3}],\"c\":null}";
    for (size_t len = 0; len < sizeof text - 1; len++) { /* every cut, in memory of its own */
        char *copy = test_malloc(len ? len : 1);
        memcpy(copy, text, len);
        struct json_scan scan;
        struct json_scan_item item;
        int rc = json_scan_begin(&scan, (struct span){copy, len});
        while (rc >= 0 && (rc = json_scan_next(&scan, &item)) > 0)
            ;
        assert_int_equal(rc, BERTH_EPROTO);
        test_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_members),
        cmocka_unit_test(test_accepts_json),
        cmocka_unit_test(test_refuses_what_is_not_json),
        cmocka_unit_test(test_never_reads_past_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_message.c - what a client may send, and what is made of it. */
#include "nodekit/message.h"
#include "tests/support/cmocka.h"

#include <stdio.h>

static void test_accepts_json_and_nothing_else(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"{}", true},
        {" { \"a\" : [ 1 , -0.5e+3 , true , null , \"x\\u00e9\\n\" ] } ", true},
        {"[]", true},
        {"0", true},
        {"-1.25E-7", true},
        {"\"\xc3\xa9\xf0\x9f\x8e\xae\"", true},
        {"", false},
        {" ", false},
        {"{", false},
        {"{\"a\":1,}", false},
        {"{\"a\" 1}", false},
        {"{a:1}", false},
        {"[1 2]", false},
        {"01", false},
        {"1.", false},
        {".5", false},
        {"+1", false},
        {"tru", false},
        {"{} x", false},
        {"\"a\nb\"", false},
        {"\"\\x\"", false},
        {"\"\\u12g4\"", false},
        {"\"\xc0\xaf\"", false},
        {"\"\xed\xa0\x80\"", false},
        {"\"\xf4\x90\x80\x80\"", false},
        {"\"\xe2\x82\"", false},
        {"\"open", false},
        {"\"open\\", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        int rc = message_check(span_of(rows[i].text), &err);
        if ((rc == 0) != rows[i].ok)
            fail_msg("%s: %d %s", rows[i].text, rc, err.text);
    }
}

static void test_nesting_is_limited(void **state)
{
    char text[2 * (MESSAGE_DEPTH_MAX + 2) + 1];
    for (size_t depth = MESSAGE_DEPTH_MAX; depth <= MESSAGE_DEPTH_MAX + 2; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        int rc = message_check((struct span){text, 2 * depth}, NULL);
        assert_int_equal(rc, depth <= MESSAGE_DEPTH_MAX + 1 ? 0 : BERTH_EPROTO);
    }
}

static void test_reads_members_raw(void **state)
{
    struct message m;
    struct err err = {0};
    struct span frame = SPAN(" {\"type\":\"event\", \"data\" : {\"x\":[1, 2],\"data\":3} "
                             ",\"id\":7, \"s\":\"a\\\"\\u00e9\\ud83c\\udfae\"}");
    assert_int_equal(message_parse(frame, &m, &err), 0);
    assert_string_equal(m.name, "event");
    assert_true(span_is(message_member(m.payload, "data"), "{\"x\":[1, 2],\"data\":3}"));
    assert_true(span_is(message_member(m.payload, "id"), "7"));
    assert_null(message_member(m.payload, "x").ptr);
    char text[32];
    assert_int_equal(message_member_text(m.payload, "s", text, sizeof text), 8);
    assert_string_equal(text, "a\"\xc3\xa9\xf0\x9f\x8e\xae");
    assert_int_equal(message_member_text(m.payload, "s", text, 8), BERTH_EINVAL);
    assert_int_equal(message_member_text(m.payload, "id", text, sizeof text), BERTH_EINVAL);
    assert_int_equal(message_member_text(m.payload, "none", text, sizeof text), BERTH_ENOENT);
}

static void test_refuses_frames_without_a_type(void **state)
{
    static const char *const rows[] = {"[]",
                                       "{}",
                                       "{\"type\":1}",
                                       "{\"type\":\"\"}",
                                       "{\"type\":\"a b\"}",
                                       "x",
                                       "{\"type\":\"\\u0000\"}",
                                       "{\"type\":\"\\ud800\"}"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message m;
        struct err err = {0};
        assert_int_equal(message_parse(span_of(rows[i]), &m, &err), BERTH_EPROTO);
        assert_true(err.text[0]);
    }
}

static void test_writes_an_object_that_reads_back(void **state)
{
    char buf[256], frame[256], text[64];
    struct message_out out;
    message_begin(&out, buf, sizeof buf);
    message_put_text(&out, "name", SPAN("q\"\\\n\x01z"));
    message_put_int(&out, "n", -3);
    message_open_list(&out, "list");
    message_item_text(&out, SPAN("a"));
    message_item_text(&out, SPAN("b"));
    message_close_list(&out);
    message_put_raw(&out, "raw", SPAN("{\"k\": 1}"));
    struct span payload = message_end(&out);
    assert_int_equal(message_check(payload, NULL), 0);
    assert_true(span_is(message_member(payload, "list"), "[\"a\",\"b\"]"));
    assert_true(message_member_text(payload, "name", text, sizeof text) > 0);
    assert_string_equal(text, "q\"\\\n\x01z");
    int n = message_frame("hi", payload, frame, sizeof frame);
    assert_true(n > 0);
    struct message m;
    assert_int_equal(message_parse((struct span){frame, (size_t)n}, &m, NULL), 0);
    assert_string_equal(m.name, "hi");
    assert_true(span_is(message_member(m.payload, "n"), "-3"));
    assert_int_equal(message_frame("hi", payload, frame, 20), BERTH_EFULL);
    n = message_frame("hi", SPAN("{ }"), frame, sizeof frame);
    assert_int_equal(n, 13);
    assert_memory_equal(frame, "{\"type\":\"hi\"}", 13);
}

static void test_an_object_that_does_not_fit_is_none(void **state)
{
    char buf[8];
    struct message_out out;
    message_begin(&out, buf, sizeof buf);
    message_put_text(&out, "long", SPAN("value"));
    assert_null(message_end(&out).ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_json_and_nothing_else),
        cmocka_unit_test(test_nesting_is_limited),
        cmocka_unit_test(test_reads_members_raw),
        cmocka_unit_test(test_refuses_frames_without_a_type),
        cmocka_unit_test(test_writes_an_object_that_reads_back),
        cmocka_unit_test(test_an_object_that_does_not_fit_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

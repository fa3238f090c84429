/* test_sio_packet.c - Socket.IO packets. */
#include "socketio/sio_packet.h"
#include "tests/support/cmocka.h"

static const struct {
    const char *text;
    enum sio_type type;
    uint32_t attachments;
    const char *ns;
    int64_t id;
    const char *data;
} good[] = {
    {"0", SIO_CONNECT, 0, "/", -1, ""},
    {"0{\"token\":\"123\"}", SIO_CONNECT, 0, "/", -1, "{\"token\":\"123\"}"},
    {"0/custom,", SIO_CONNECT, 0, "/custom", -1, ""},
    {"0/custom", SIO_CONNECT, 0, "/custom", -1, ""},
    {"0/admin,{\"a\":1}", SIO_CONNECT, 0, "/admin", -1, "{\"a\":1}"},
    {"1", SIO_DISCONNECT, 0, "/", -1, ""},
    {"1/admin,", SIO_DISCONNECT, 0, "/admin", -1, ""},
    {"2[\"hey\",1,{}]", SIO_EVENT, 0, "/", -1, "[\"hey\",1,{}]"},
    {"2/a,456[\"x\"]", SIO_EVENT, 0, "/a", 456, "[\"x\"]"},
    {"20[\"x\"]", SIO_EVENT, 0, "/", 0, "[\"x\"]"},
    {"29007199254740991[\"x\"]", SIO_EVENT, 0, "/", 9007199254740991, "[\"x\"]"},
    {"312[]", SIO_ACK, 0, "/", 12, "[]"},
    {"3/a,1[null]", SIO_ACK, 0, "/a", 1, "[null]"},
    {"51-[\"b\",{\"_placeholder\":true,\"num\":0}]", SIO_BINARY_EVENT, 1, "/", -1,
     "[\"b\",{\"_placeholder\":true,\"num\":0}]"},
    {"516-/a,7[\"b\"]", SIO_BINARY_EVENT, 16, "/a", 7, "[\"b\"]"},
    {"61-/a,456[{}]", SIO_BINARY_ACK, 1, "/a", 456, "[{}]"},
};

static void test_good_packets_are_read_and_written(void **state)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct sio_packet p;
        struct err err = {0};
        assert_int_equal(sio_packet_read(span_of(good[i].text), &p, &err), 0);
        assert_int_equal(p.type, good[i].type);
        assert_int_equal(p.attachments, good[i].attachments);
        assert_true(span_is(p.ns, good[i].ns));
        assert_int_equal(p.id, good[i].id);
        assert_true(span_is(p.data, good[i].data));
        char text[80];
        int n = sio_packet_write(&p, text, sizeof text);
        struct sio_packet again;
        assert_true(n > 0);
        assert_int_equal(sio_packet_read((struct span){text, (size_t)n}, &again, &err), 0);
        assert_true(again.type == p.type && again.id == p.id && span_eq(again.ns, p.ns) &&
                    span_eq(again.data, p.data) && again.attachments == p.attachments);
        assert_int_equal(sio_packet_write(&p, text, (size_t)n - 1), BERTH_EFULL);
    }
}

static void test_bad_packets_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "type"},
        {"7", "type"},
        {"abc", "type"},
        {"0[]", "object"},
        {"0\"x\"", "object"},
        {"0{", "JSON"},
        {"1{}", "no payload"},
        {"2", "array"},
        {"2{}", "array"},
        {"2[]", "name"},
        {"2[1]", "name"},
        {"2[\"\\ud800\"]", "name"},
        {"2[\"connect\"]", "reserved"},
        {"2[\"disconnect\",1]", "reserved"},
        {"2[\"x\"", "JSON"},
        {"2[\"x\"]y", "follows"},
        {"2[\"\xff\"]", "JSON"},
        {"2abc[\"x\"]", "JSON"},
        {"29007199254740992[\"x\"]", "id"},
        {"2-1[\"x\"]", "follows"},
        {"3[]", "id"},
        {"31{}", "array"},
        {"4{\"message\":\"x\"}", "servers"},
        {"5[\"x\"]", "attachments"},
        {"5-[\"x\"]", "attachments"},
        {"517-[\"x\"]", "attachments"},
        {"51[\"x\"]", "attachments"},
        {"51", "attachments"},
        {"0/a\"b,", "namespace"},
        {"0/a b", "namespace"},
        {"0/a\xc3\xa9,", "namespace"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sio_packet p;
        struct err err = {0};
        assert_int_equal(sio_packet_read(span_of(bad[i].text), &p, &err), BERTH_EPROTO);
        if (!strstr(err.text, bad[i].why))
            fail_msg("%s: %s", bad[i].text, err.text);
    }
}

static void test_limits_hold_at_one_past(void **state)
{
    char text[256];
    struct sio_packet p;
    memset(text, 'n', sizeof text);
    memcpy(text, "0/", 2);
    assert_int_equal(sio_packet_read((struct span){text, 1 + SIO_NAMESPACE_MAX}, &p, NULL), 0);
    assert_int_equal(sio_packet_read((struct span){text, 2 + SIO_NAMESPACE_MAX}, &p, NULL),
                     BERTH_EPROTO);
    memcpy(text, "2[\"", 3);
    memcpy(text + 3 + SIO_EVENT_MAX, "\"]", 2);
    assert_int_equal(sio_packet_read((struct span){text, 5 + SIO_EVENT_MAX}, &p, NULL), 0);
    memcpy(text + 3 + SIO_EVENT_MAX, "n\"]", 3);
    assert_int_equal(sio_packet_read((struct span){text, 6 + SIO_EVENT_MAX}, &p, NULL),
                     BERTH_EPROTO);
    memset(text, '[', sizeof text); /* deep */
    text[0] = '2';
    assert_int_equal(sio_packet_read((struct span){text, sizeof text}, &p, NULL), BERTH_EPROTO);
}

static void test_arguments_come_apart(void **state)
{
    struct span rest = sio_args_begin(
                    SPAN(" [ \"a,]\\\"\" , {\"x\":[1,2],\"y\":\"}\"} ,3, [] ,null ] ")),
                item;
    static const char *const items[] = {"\"a,]\\\"\"", "{\"x\":[1,2],\"y\":\"}\"}", "3", "[]",
                                        "null"};
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        assert_true(sio_args_next(&rest, &item));
        assert_true(span_is(item, items[i]));
    }
    assert_false(sio_args_next(&rest, &item));
    rest = sio_args_begin(SPAN("[ ]"));
    assert_false(sio_args_next(&rest, &item));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_packets_are_read_and_written),
        cmocka_unit_test(test_bad_packets_are_refused_with_the_reason),
        cmocka_unit_test(test_limits_hold_at_one_past),
        cmocka_unit_test(test_arguments_come_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

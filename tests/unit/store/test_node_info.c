/* Node info as JSON, both ways. */
#include "store/node_info.h"
#include "tests/support/cmocka.h"

static void test_what_was_written_is_read(void **state)
{
    char text[NODE_INFO_TEXT_MAX];
    struct node_info out, in = {.endpoint = "wss://g1.example:443/ws",
                                .probe_url = "ws://10.0.0.1:80/ws",
                                .capacity = 250,
                                .zone = "eu-1a",
                                .version = "1.2",
                                .instance = "i-1",
                                .protocol = "socketio",
                                .tickets = false,
                                .report_interval_ms = 500,
                                .pid = 9};
    int len = node_info_write(&in, text, sizeof text);
    assert_true(len > 0);
    assert_null(strstr(text, "epoch")); /* join puts it in */
    assert_null(strstr(text, "nonce"));
    assert_int_equal(node_info_parse((struct span){text, (size_t)len}, &out, NULL), 0);
    assert_memory_equal(&in, &out, sizeof in);
    char small[40];
    assert_int_equal(node_info_write(&in, small, sizeof small), BERTH_EFULL);
}

static void test_absent_members_have_defaults(void **state)
{
    struct node_info i;
    assert_int_equal(
        node_info_parse(
            SPAN("{\"epoch\":7,\"nonce\":\"x\",\"endpoint\":\"ws://h\",\"capacity\":1,\"new\":[]}"),
            &i, NULL),
        0);
    assert_int_equal(i.epoch, 7);
    assert_string_equal(i.nonce, "x");
    assert_string_equal(i.protocol, "ws");
    assert_true(i.tickets);
    assert_int_equal(i.report_interval_ms, 1000);
    assert_string_equal(i.zone, "");
}

static void test_malformed_info_is_refused_and_the_member_is_named(void **state)
{
    static const struct {
        const char *text, *named;
    } cases[] = {
        {"", "node info"},
        {"[1]", "not an object"},
        {"{\"endpoint\":\"ws://h\"}", "capacity"},
        {"{\"capacity\":1}", "endpoint"},
        {"{\"endpoint\":\"ws://h\",\"capacity\":0}", "capacity"},
        {"{\"endpoint\":\"ws://h\",\"capacity\":\"9\"}", "capacity"},
        {"{\"endpoint\":5,\"capacity\":1}", "endpoint"},
        {"{\"endpoint\":\"ws://"
         "h\",\"capacity\":1,\"zone\":"
         "\"0123456789012345678901234567890123456789012345678901234567890123\"}",
         "zone"},
        {"{\"endpoint\":\"ws://h\",\"endpoint\":\"ws://i\",\"capacity\":1}", "node info"},
        {"{\"endpoint\":\"ws://h\",\"capacity\":1", "node info"},
    };
    struct node_info i;
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct err err = {0};
        assert_int_equal(node_info_parse(span_of(cases[n].text), &i, &err), BERTH_EPROTO);
        if (!strstr(err.text, cases[n].named))
            fail_msg("'%s' does not name %s", err.text, cases[n].named);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_absent_members_have_defaults),
        cmocka_unit_test(test_malformed_info_is_refused_and_the_member_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

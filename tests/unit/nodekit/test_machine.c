/* test_machine.c - what instance metadata says. */
#include "nodekit/machine.h"
#include "tests/support/cmocka.h"

static void test_items_are_names_and_addresses(void **state)
{
    char name[8] = "before", address[MACHINE_ADDRESS_SIZE] = "before";
    assert_true(machine_name(SPAN("i-0abc\r\n "), name, sizeof name));
    assert_string_equal(name, "i-0abc");
    assert_false(machine_name(SPAN("i-0abcdef"), name, sizeof name));
    assert_false(machine_name(SPAN("a b"), name, sizeof name));
    assert_false(machine_name(SPAN(" \n"), name, sizeof name));
    assert_false(machine_name(SPAN("a\0"), name, sizeof name));
    assert_string_equal(name, "i-0abc");
    assert_false(machine_address(SPAN("<html>"), address));
    assert_false(machine_address(SPAN("10.0.0.7\0x"), address));
    assert_false(machine_address(SPAN("10.0.0"), address));
    assert_false(machine_address((struct span){NULL, 0}, address));
    assert_string_equal(address, "before");
    assert_true(machine_address(SPAN("10.0.0.7\n"), address));
    assert_string_equal(address, "10.0.0.7");
}

static void test_a_spot_notice_has_an_action(void **state)
{
    static const struct {
        const char *text;
        int rc;
        int64_t ends_at_s;
    } rows[] = {
        {"{\"action\": \"terminate\", \"time\": \"2017-09-18T08:22:00Z\"}", 0, 1505722920},
        {"{\"action\":\"stop\"}\n", 0, 0},
        {"{\"action\":\"hibernate\",\"time\":\"soon\"}", 0, 0},
        {"{\"action\":\"stop\",\"time\":\"0001-01-01T00:00:00Z\"}", 0, 0},
        {"{\"time\": \"2017-09-18T08:22:00Z\"}", BERTH_EPROTO, -1},
        {"{\"action\": true}", BERTH_EPROTO, -1},
        {"{\"action\":\"stop\"", BERTH_EPROTO, -1},
        {"[\"action\"]", BERTH_EPROTO, -1},
        {"<html>action</html>", BERTH_EPROTO, -1},
        {"", BERTH_EPROTO, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ends_at_s = -1;
        assert_int_equal(machine_spot(span_of(rows[i].text), &ends_at_s), rows[i].rc);
        assert_int_equal(ends_at_s, rows[i].ends_at_s);
    }
}

static void test_scheduled_events_count_while_active(void **state)
{
    static const struct {
        const char *text;
        int rc;
    } rows[] = {
        {"[]", 0},
        {"[{\"Code\": \"system-reboot\", \"State\": \"active\"}]", 1},
        {"[{\"State\": \"completed\"}, {\"State\": \"canceled\"}]", 0},
        {"[{\"State\": \"completed\"}, {\"State\": \"active\"}]", 1},
        {"[{\"Code\": \"system-reboot\"}]", 1},
        {"{\"State\": \"active\"}", BERTH_EPROTO},
        {"[\"active\"]", BERTH_EPROTO},
        {"[{\"State\": \"active\"}", BERTH_EPROTO},
        {"Not Found", BERTH_EPROTO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(machine_scheduled(span_of(rows[i].text)), rows[i].rc);
}

static void test_the_group_means_to_end_it(void **state)
{
    assert_true(machine_lifecycle_ends(SPAN("Terminated\n")));
    assert_false(machine_lifecycle_ends(SPAN("InService")));
    assert_false(machine_lifecycle_ends(SPAN("Terminated:Wait")));
    assert_false(machine_lifecycle_ends(SPAN("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_are_names_and_addresses),
        cmocka_unit_test(test_a_spot_notice_has_an_action),
        cmocka_unit_test(test_scheduled_events_count_while_active),
        cmocka_unit_test(test_the_group_means_to_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

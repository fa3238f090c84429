/* test_fleet.c - the fleet is read from an LB's answer and shown; nonsense is refused with its
 * place. */
#include "cli/fleet.h"
#include "tests/support/cmocka.h"

static const char answer[] = "{\"pools\":[{\"name\":\"lobby\",\"owner\":\"lb-a\",\"states\":{"
                             "\"ready\":1},\"connections\":3,\"pending\":1,\"capacity\":200},"
                             "{\"name\":\"game\",\"states\":{\"ready\":2,\"joining\":1,\"lost\":4},"
                             "\"connections\":12,\"pending\":0,\"capacity\":120,"
                             "\"guarded\":true,\"doubted\":2}]}";

static void test_reads_pools(void **state)
{
    struct fleet fleet;
    struct err err = {0};
    assert_int_equal(fleet_parse(&fleet, span_of(answer), &err), 0);
    assert_int_equal(fleet.count, 2);
    assert_string_equal(fleet_pool(&fleet, "lobby")->owner, "lb-a");
    assert_int_equal(fleet_pool(&fleet, "game")->nodes[FLEET_JOINING], 1);
    assert_int_equal(fleet_pool(&fleet, "game")->connections, 12);
    assert_null(fleet_pool(&fleet, "arena"));
    assert_int_equal(fleet_ready(&fleet), 3);
    assert_int_equal(fleet_nodes(&fleet), 4); /* the lost ones are not there */
}

static void test_shows_a_line_and_a_table(void **state)
{
    struct fleet fleet;
    char text[2048], small[16];
    assert_int_equal(fleet_parse(&fleet, span_of(answer), NULL), 0);
    (void)fleet_line(&fleet, text, sizeof text);
    assert_string_equal(text,
                        "lobby 1 ready conns=3/200 | game 1 joining 2 ready 4 lost conns=12/120");
    (void)fleet_table(&fleet, text, sizeof text);
    assert_non_null(strstr(text, "lb-a\n"));
    assert_non_null(strstr(text, "(nobody)\n"));
    assert_non_null(strstr(text, "really gone: berth accept game\n"));
    assert_non_null(strstr(text, "game: 2 ready nodes are silent"));
    assert_null(strstr(text, "accept lobby"));
    assert_int_equal(fleet_table(&fleet, small, sizeof small), sizeof small - 1);
    assert_int_equal(small[sizeof small - 1], '\0');
}

static void test_refuses_what_is_no_answer(void **state)
{
    const char *const bad[] = {
        "", "{", "[]", "{\"pools\":{}}", "{\"pools\":[{}]}", "{\"pools\":[{\"name\":7}]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fleet fleet = {.count = 77};
        struct err err = {0};
        assert_int_equal(fleet_parse(&fleet, span_of(bad[i]), &err), BERTH_EPROTO);
        assert_int_equal(fleet.count, 77);
        assert_non_null(strstr(err.text, "answer of the LB"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_pools),
        cmocka_unit_test(test_shows_a_line_and_a_table),
        cmocka_unit_test(test_refuses_what_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

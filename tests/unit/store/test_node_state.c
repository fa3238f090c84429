/* Rows of states and wants, and whose wish counts. */
#include "store/node_state.h"
#include "tests/support/cmocka.h"

static void test_a_state_row(void **state)
{
    struct node_state_record s;
    assert_int_equal(
        node_state_parse(SPAN("state=closing since=5 epoch=6 fence=7 why=idle new=1"), &s, NULL),
        0);
    assert_int_equal(s.state, NODE_CLOSING);
    assert_int_equal(s.since.ms, 5);
    assert_int_equal(s.epoch, 6);
    assert_int_equal(s.fence, 7);
    assert_string_equal(s.why, "idle");
    assert_int_equal(node_state_parse(SPAN("state=asleep since=5 epoch=6"), &s, NULL),
                     BERTH_EPROTO);
    assert_int_equal(node_state_parse(SPAN("state=ready since=x epoch=6"), &s, NULL), BERTH_EPROTO);
    assert_int_equal(node_state_parse(SPAN("state=ready since=5"), &s, NULL), BERTH_EPROTO);
    assert_int_equal(node_state_parse(SPAN("state=ready since=5 epoch=6 why=%g"), &s, NULL),
                     BERTH_EPROTO);
}

static void test_a_want_row(void **state)
{
    struct want w;
    assert_int_equal(want_parse(SPAN("n|autoscale"),
                                SPAN("want=draining until=9 since=4 why=too%20many"), &w, NULL),
                     0);
    assert_string_equal(w.node, "n");
    assert_int_equal(w.who, WANT_BY_AUTOSCALE);
    assert_int_equal(w.kind, WANT_DRAINING);
    assert_string_equal(w.why, "too many");
    assert_false(want_expired(&w, (wall_ms_t){8}));
    assert_true(want_expired(&w, (wall_ms_t){9}));
    assert_int_equal(want_parse(SPAN("*size|operator"), SPAN("want=size:7"), &w, NULL), 0);
    assert_int_equal(w.size, 7);
    assert_false(want_expired(&w, (wall_ms_t){INT64_MAX})); /* for ever */
}

static void test_malformed_wants_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"n", "want=ready"},
        {"n|me", "want=ready"},
        {"|node", "want=ready"},
        {"n|node", "want=rest"},
        {"n|node", ""},
        {"n|node", "want=size:x"},
        {"n|node", "want=size:-1"},
        {"n|node", "want=ready why=%0"},
    };
    struct want w;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(want_parse(span_of(cases[i][0]), span_of(cases[i][1]), &w, NULL),
                         BERTH_EPROTO);
}

static void test_the_first_wish_in_force_counts(void **state)
{
    const struct want wants[] = {
        {.who = WANT_BY_AUTOSCALE, .kind = WANT_DRAINING},
        {.who = WANT_BY_OPERATOR, .kind = WANT_READY, .until = {100}},
        {.who = WANT_BY_NODE, .kind = WANT_NONE},
    };
    assert_ptr_equal(want_in_force(wants, 3, (wall_ms_t){50}), &wants[1]);
    assert_ptr_equal(want_in_force(wants, 3, (wall_ms_t){100}), &wants[0]);
    assert_null(want_in_force(wants + 2, 1, (wall_ms_t){0}));
    assert_null(want_in_force(NULL, 0, (wall_ms_t){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_state_row),
        cmocka_unit_test(test_a_want_row),
        cmocka_unit_test(test_malformed_wants_are_refused),
        cmocka_unit_test(test_the_first_wish_in_force_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

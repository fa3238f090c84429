/* test_state.c - words, and who may move a node where. */
#include "core/state.h"
#include "tests/support/cmocka.h"

static void test_every_word_reads_back(void **state)
{
    for (unsigned i = 0; i < NODE_STATES; i++) {
        enum node_state got = NODE_GONE;
        assert_true(state_parse(span_of(state_word((enum node_state)i)), &got));
        assert_int_equal(got, i);
    }
    enum node_state untouched = NODE_HELD;
    assert_false(state_parse(SPAN("Ready"), &untouched));
    assert_false(state_parse(SPAN(""), &untouched));
    assert_int_equal(untouched, NODE_HELD);
}

static void test_nothing_is_handed_out_unproved_or_taken_back_from_the_end(void **state)
{
    for (unsigned from = 0; from < NODE_STATES; from++) {
        bool ready = state_may_move(MOVE_OWNER, (enum node_state)from, NODE_READY);
        assert_int_equal(ready, from == NODE_JOINING);
        assert_false(state_may_move(MOVE_LEADER, (enum node_state)from, NODE_READY));
        assert_false(state_may_move(MOVE_OWNER, NODE_TERMINATING, (enum node_state)from));
        assert_false(state_may_move(MOVE_OWNER, NODE_GONE, (enum node_state)from));
        assert_false(state_may_move(MOVE_OWNER, (enum node_state)from, NODE_TERMINATING));
        assert_false(state_may_move(MOVE_OWNER, (enum node_state)from, (enum node_state)from));
    }
}

static void test_the_leader_takes_only_what_is_drained_or_dead(void **state)
{
    int count = 0;
    for (unsigned from = 0; from < NODE_STATES; from++)
        for (unsigned to = 0; to < NODE_STATES; to++)
            count += state_may_move(MOVE_LEADER, (enum node_state)from, (enum node_state)to);
    assert_int_equal(count, 3);
    assert_true(state_may_move(MOVE_LEADER, NODE_DRAINED, NODE_TERMINATING));
    assert_true(state_may_move(MOVE_LEADER, NODE_TERMINATING, NODE_GONE));
    assert_true(state_may_move(MOVE_LEADER, NODE_LOST, NODE_GONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_word_reads_back),
        cmocka_unit_test(test_nothing_is_handed_out_unproved_or_taken_back_from_the_end),
        cmocka_unit_test(test_the_leader_takes_only_what_is_drained_or_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_why.c - the autoscaler's events as sentences. */
#include "cli/why.h"
#include "tests/support/cmocka.h"

static const char *told(const char *kind, const char *name, const char *detail)
{
    static char text[WHY_SIZE];
    why_tell(span_of(kind), span_of(name), span_of(detail), text);
    return text;
}

static void a_scale_out(void **state)
{
    assert_string_equal(
        told("scale_out", "-",
             "size=2 desired=5 step=2 why=average_above rule=average_connections held_by=max_step "
             "held_s=-1 take_back=1 launch=1 urgent=0 votes=min_ready:2..,average_connections:5.. "
             "average=88.0 ready=2 coming=0 above=70 below=20"),
        "out 2 -> 5, launches 1, takes 1 back: average_above (rule average_connections); saw "
        "average=88.0 ready=2 coming=0 above=70 below=20; the rest is held by max_step\n"
        "    votes: min_ready at least 2, average_connections at least 5");
}

static void a_scale_in_by_an_operator(void **state)
{
    assert_string_equal(told("scale_in", "-",
                             "size=4 desired=2 step=2 why=operator rule=- held_by=- held_s=-1 "
                             "drain=2 votes=min_ready:1.. "),
                        "in 4 -> 2, drains 2: operator\n    votes: min_ready at least 1");
}

static void what_is_held_back_and_by_what(void **state)
{
    assert_string_equal(
        told("scale_held", "-",
             "size=4 desired=3 step=1 why=average_below rule=average_connections "
             "held_by=cooldown_in held_s=3300 move=in "
             "votes=average_connections:..3,gauge:..,target:1..4 "
             "average=3.0"),
        "stays at 4, wants 3: held by cooldown_in for 3300 s more; wanted for average_below (rule "
        "average_connections); saw average=3.0\n"
        "    votes: average_connections may shrink to 3, gauge says nothing, target at least 1 "
        "and may shrink to 4");
}

static void what_came_of_it(void **state)
{
    assert_string_equal(told("launched", "ab-1", "count=2 first=game-ab-1-1"),
                        "the provider made 2 (launch ab-1, first game-ab-1-1)");
    assert_string_equal(
        told("launch_failed", "ab-1", "count=2 calls=3 outcome=refused error=no%20quota%20left"),
        "the provider did not make 2 (launch ab-1, call 3, refused): no quota left");
    assert_string_equal(told("terminate", "game-1", "why=drained nodes=1 age_s=18"),
                        "game-1 is ended: drained, 18 s old");
    assert_string_equal(told("roll", "-", "launch=2 base=4 ready=4 coming=0 old=4 old_leaving=0"),
                        "the roll launches 2; 4 old nodes are to go, 4 are ready");
    assert_string_equal(told("roll", "-", "drain=2 base=4 ready=6 coming=0 old=4 old_leaving=0"),
                        "the roll drains 2 old nodes; 6 were ready, 4 are kept");
    assert_string_equal(
        told("action_failed", "-", "rule=gauge action=command ms=4 error=exit%20code%203"),
        "the action of rule gauge failed: command: exit code 3");
    assert_string_equal(told("launches_halted", "-", "failures=5"),
                        "5 launches failed in a row; the next attempt in ? s");
}

static void other_events_are_none(void **state)
{
    assert_false(why_is_decision(span_of("state")));
    assert_false(why_is_decision(span_of("scale")));
    assert_true(why_is_decision(span_of("scale_held")));
    assert_true(why_is_decision(span_of("policy_changed")));
    assert_string_equal(told("state", "n", "a=b"), "state n a=b");
}

static void the_longest_record_is_cut(void **state)
{
    char detail[8192];
    memset(detail, 'x', sizeof detail);
    memcpy(detail, "size=1 desired=2 average=", 25);
    detail[sizeof detail - 1] = '\0';
    assert_true(strlen(told("scale_out", "-", detail)) < WHY_SIZE);
}

static void test_shows_nothing_that_moves_the_cursor(void **state)
{
    char text[WHY_SIZE];
    why_tell(SPAN("terminate_failed"), SPAN("i-1"), SPAN("error=%1b[2J%0aa%7f%c2%9b31m%c3%a9"),
             text);
    assert_string_equal(text, "i-1 could not be ended: ?[2J?a??\x9b"
                              "31m\xc3\xa9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shows_nothing_that_moves_the_cursor),
        cmocka_unit_test(a_scale_out),
        cmocka_unit_test(a_scale_in_by_an_operator),
        cmocka_unit_test(what_is_held_back_and_by_what),
        cmocka_unit_test(what_came_of_it),
        cmocka_unit_test(other_events_are_none),
        cmocka_unit_test(the_longest_record_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

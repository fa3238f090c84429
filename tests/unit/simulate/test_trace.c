/* test_trace.c - demand over time: what is read, and what is refused with its line. */
#include "simulate/trace.h"
#include "tests/support/cmocka.h"

static int parse(struct trace *ret, const char *text, struct err *err)
{
    return trace_parse(ret, span_of(text), "t.csv", 100, 1, err);
}

static void test_players_change_evenly_between_lines(void **state)
{
    struct trace t;
    struct err err = {0};
    assert_int_equal(parse(&t, "# demand\nsecond,players\n0,100\r\n\n10,200\n12,0\n", &err), 0);
    assert_int_equal(t.seconds, 13);
    assert_int_equal(t.players[0], 100);
    assert_int_equal(t.players[5], 150);
    assert_int_equal(t.players[10], 200);
    assert_int_equal(t.players[11], 100);
    assert_int_equal(t.players[12], 0);
    trace_fini(&t);
}

static void test_a_trace_may_begin_at_any_second_and_without_heading(void **state)
{
    struct trace t;
    struct err err = {0};
    assert_int_equal(parse(&t, "1000,7\n1003,10", &err), 0);
    assert_int_equal(t.seconds, 4);
    assert_int_equal(t.players[0], 7);
    assert_int_equal(t.players[3], 10);
    trace_fini(&t);
}

/* Little's law: players = arrivals a second x mean session. */
static void test_arrivals_become_players(void **state)
{
    struct trace t;
    struct err err = {0};
    assert_int_equal(parse(&t, "second,arrivals\n0,50\n10,50\n1000,0\n1010,0\n1200,0\n", &err), 0);
    double sum = 0;
    for (int s = 0; s < 10; s++)
        sum += t.players[s];
    assert_in_range((int)(sum / 10), 490, 510); /* 5 a second, 100 s each */
    assert_int_equal(t.players[1200], 0);       /* and the last has gone */
    trace_fini(&t);
    /* More than there may be: as many as may be, and all who came leave. */
    assert_int_equal(parse(&t, "second,arrivals\n0,900000\n1,900000\n2,900000\n3,0\n900,0\n", &err),
                     0);
    assert_int_equal(t.players[2], TRACE_PLAYERS_MAX);
    assert_int_equal(t.players[900], 0);
    trace_fini(&t);
}

static void test_bad_lines_are_refused_with_their_number(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "t.csv: no line"},
        {"second,players\n", "t.csv: no line"},
        {"second,cats\n0,1\n", "t.csv:1: second,cats: the heading"},
        {"0,1\nx,2\n", "t.csv:2: x,2: the second"},
        {"0,1\n1\n", "t.csv:2: 1: players"},
        {"0,1\n1,\n", "t.csv:2: 1,: players"},
        {"0,1\n1,2,3\n", "t.csv:2: 1,2,3: players"},
        {"0,1\n1,-2\n", "t.csv:2: 1,-2: players"},
        {"0,1\n1,1.5\n", "t.csv:2: 1,1.5: players"},
        {"0,1\n1,1000001\n", "t.csv:2: 1,1000001: players"},
        {"0,1\n5,2\n5,3\n", "t.csv:3: 5,3: seconds must grow"},
        {"-1,1\n", "t.csv:1: -1,1: the second"},
        {"3456000,1\n", "t.csv:1: 3456000,1: the second"},
        {"0,1\nsecond,players\n", "t.csv:2: second,players: the second"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trace t = {0};
        struct err err = {0};
        assert_int_equal(parse(&t, cases[i].text, &err), BERTH_EINVAL);
        if (strncmp(err.text, cases[i].says, strlen(cases[i].says)) != 0)
            fail_msg("%s: not %s", err.text, cases[i].says);
        assert_null(t.players);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_players_change_evenly_between_lines),
        cmocka_unit_test(test_a_trace_may_begin_at_any_second_and_without_heading),
        cmocka_unit_test(test_arrivals_become_players),
        cmocka_unit_test(test_bad_lines_are_refused_with_their_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

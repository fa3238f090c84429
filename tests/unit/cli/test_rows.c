/* test_rows.c - a pool's history as lines of a trace. */
#include "cli/rows.h"
#include "tests/support/cmocka.h"

static struct rows rows;

static const char *line(const char *id, const char *detail)
{
    static char buf[48];
    buf[rows_line(&rows, span_of(id), span_of(detail), buf)] = '\0';
    return buf;
}

static void minutes_then_seconds(void **state)
{
    rows = (struct rows){0};
    assert_string_equal(line("660123-0", "at=600000 seconds=60 players=40 players_max=50"),
                        "0,40\n");
    assert_string_equal(line("720123-0", "at=660000 seconds=60 players=41 conns=1"), "60,41\n");
    assert_string_equal(line("700000-0", "ready=1 players=42"), "70,42\n");
    assert_string_equal(line("701999-0", "ready=1 players=43"), "71,43\n");
    assert_string_equal(line("702000-1", "players=0"), "72,0\n");
}

static void nothing_goes_back_in_time(void **state)
{
    rows = (struct rows){0};
    assert_string_equal(line("5000-0", "players=1"), "0,1\n");
    assert_string_equal(line("5000-1", "players=2"), "");
    assert_string_equal(line("5999-0", "players=2"), "");
    assert_string_equal(line("4000-0", "players=2"), "");
    assert_string_equal(line("6000-0", "players=3"), "1,3\n");
}

static void what_holds_no_players_is_left_out(void **state)
{
    rows = (struct rows){0};
    assert_string_equal(line("5000-0", "ready=1 conns=4"), "");
    assert_string_equal(line("5000-0", "players=-4"), "");
    assert_string_equal(line("x-0", "players=4"), "");
    assert_string_equal(line("9000-0", "players=4"), "0,4\n"); /* the first line is second 0 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minutes_then_seconds),
        cmocka_unit_test(nothing_goes_back_in_time),
        cmocka_unit_test(what_holds_no_players_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

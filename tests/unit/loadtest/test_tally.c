/* test_tally.c - rooms, splits and the verdict. */
#include "loadtest/tally.h"
#include "tests/support/cmocka.h"

#include <stdio.h>

static struct tally tally;
static struct player player;

static int begin(void **state)
{
    (void)state;
    return tally_init(&tally, 4);
}

static int end(void **state)
{
    (void)state;
    tally_fini(&tally);
    return 0;
}

static void effect(struct player_effect fx)
{
    tally_effect(&tally, &player, &fx);
}

static void joins(const char *room, const char *node)
{
    memset(&player, 0, sizeof player);
    assert_true(span_copy(span_of(room), player.room, sizeof player.room));
    assert_true(
        span_copy(span_of(node), player.node[SOCKET_GAME], sizeof player.node[SOCKET_GAME]));
    effect((struct player_effect){.kind = PLAYER_FX_TIMED, .timed = TIMED_MATCH, .took_ms = 5});
    effect(
        (struct player_effect){.kind = PLAYER_FX_TIMED, .timed = TIMED_GAME_CONNECT, .took_ms = 7});
    effect((struct player_effect){.kind = PLAYER_FX_MET});
    effect((struct player_effect){.kind = PLAYER_FX_DONE});
}

static void test_all_well_passes(void **state)
{
    (void)state;
    joins("r1", "g1");
    joins("r1", "g1");
    joins("r2", "g2");
    assert_false(tally_passed(&tally)); /* one is missing */
    joins("r2", "g2");
    assert_true(tally_passed(&tally));
    char line[256];
    (void)tally_line(&tally, line, sizeof line);
    assert_string_equal(line,
                        "players=4 matched=4 rooms=2 split_rooms=0 failed=0 killed_sessions=0");
}

static void test_a_room_on_two_nodes_is_split_once(void **state)
{
    (void)state;
    joins("r1", "g1");
    joins("r1", "g2");
    joins("r1", "g3");
    joins("r1", "g1");
    assert_int_equal(tally.split_rooms, 1);
    assert_int_equal(tally.rooms_count, 1);
    assert_false(tally_passed(&tally));
}

static void test_a_killed_session_fails_the_run(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        joins("r1", "g1");
    assert_true(tally_passed(&tally));
    effect((struct player_effect){.kind = PLAYER_FX_KILLED, .why = "game_closed"});
    assert_false(tally_passed(&tally));
}

static void test_report_names_reasons_and_is_cut(void **state)
{
    (void)state;
    effect((struct player_effect){.kind = PLAYER_FX_FAILED, .why = "timeout_match"});
    effect((struct player_effect){.kind = PLAYER_FX_FAILED, .why = "timeout_match"});
    char text[4096], small[40];
    (void)tally_report(&tally, text, sizeof text);
    assert_non_null(strstr(text, "failures: timeout_match=2"));
    assert_int_equal(tally_report(&tally, small, sizeof small), sizeof small - 1);
    assert_int_equal(strlen(small), sizeof small - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_well_passes, begin, end),
        cmocka_unit_test_setup_teardown(test_a_room_on_two_nodes_is_split_once, begin, end),
        cmocka_unit_test_setup_teardown(test_a_killed_session_fails_the_run, begin, end),
        cmocka_unit_test_setup_teardown(test_report_names_reasons_and_is_cut, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

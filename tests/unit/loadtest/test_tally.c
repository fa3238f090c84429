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

/* ---- several processes ---- */

static struct tally sum;

static void add_to_sum(void *arg, const char *line)
{
    struct err err = {0};
    assert_int_equal(tally_add(&sum, span_of(line), &err), 0);
}

static void test_tallies_of_two_processes_add_up(void **state)
{
    assert_int_equal(tally_init(&sum, 8), 0);
    joins("r1", "g1");
    joins("r1", "g1");
    joins("r2", "g2");
    effect((struct player_effect){.kind = PLAYER_FX_RETRY, .why = "lobby_full"});
    tally_write(&tally, add_to_sum, NULL);
    assert_int_equal(sum.rooms_count, 2);
    assert_int_equal(sum.split_rooms, 0);
    tally_fini(&tally);
    assert_int_equal(tally_init(&tally, 4), 0);
    joins("r1", "g1"); /* two of this room were seen by the other process */
    joins("r1", "g1");
    joins("r2", "g3"); /* and here one of this room, on another node */
    effect((struct player_effect){.kind = PLAYER_FX_RETRY, .why = "lobby_full"});
    effect((struct player_effect){.kind = PLAYER_FX_FAILED, .why = "timeout_match"});
    tally_write(&tally, add_to_sum, NULL);
    assert_int_equal(sum.rooms_count, 2);
    assert_int_equal(sum.rooms[0].met, 4);
    assert_int_equal(sum.split_rooms, 1);
    assert_int_equal(sum.met, 6);
    assert_int_equal(sum.failed, 1);
    assert_int_equal(sum.timed[TIMED_MATCH].count, 6);
    assert_int_equal(histogram_quantile(&sum.timed[TIMED_GAME_CONNECT], 0.5), 7);
    char text[4096];
    (void)tally_report(&sum, text, sizeof text);
    assert_non_null(strstr(text, "asked again: lobby_full=2"));
    assert_non_null(strstr(text, "failures: timeout_match=1"));
    tally_fini(&sum);
}

/* What players were told is anything; one line stays one line. */
static void test_what_is_not_plain_is_written_so_that_it_is_read(void **state)
{
    (void)state;
    assert_int_equal(tally_init(&sum, 8), 0);
    joins("r 1", "g%\n1");
    effect((struct player_effect){.kind = PLAYER_FX_FAILED, .why = "no route count=7"});
    tally_write(&tally, add_to_sum, NULL);
    assert_string_equal(sum.rooms[0].id, "r 1");
    assert_string_equal(sum.rooms[0].node, "g%\n1");
    assert_string_equal(sum.failures[0].why, "no route count=7");
    assert_int_equal(sum.failures[0].count, 1);
    tally_fini(&sum);
}

static void test_lines_that_are_not_a_tally_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "hello",
        "tally players=4 started=1",
        "room id=r1 node=g1",
        "timed step=match count=1 sum=1 max=1 buckets=99999:1,",
        "timed step=match count=1 sum=1 max=1 buckets=1:1",
        "timed step=nothing count=1 sum=1 max=1 buckets=",
        "reason kind=other why=x count=1",
        "reason kind=kills why= count=1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {0};
        assert_int_equal(tally_add(&tally, span_of(bad[i]), &err), BERTH_EPROTO);
        assert_true(err.text[0] != '\0');
    }
    assert_int_equal(tally.rooms_count, 0);
    assert_int_equal(tally.timed[TIMED_MATCH].count, 0);
}

static void test_more_rooms_than_players_are_refused(void **state)
{
    struct err err = {0};
    char line[64];
    for (int i = 0; i < 4; i++) {
        (void)snprintf(line, sizeof line, "room id=r%d node=g1 met=4 split=0", i);
        assert_int_equal(tally_add(&tally, span_of(line), &err), 0);
    }
    assert_int_equal(tally_add(&tally, SPAN("room id=r9 node=g1 met=4 split=0"), &err),
                     BERTH_EFULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_well_passes, begin, end),
        cmocka_unit_test_setup_teardown(test_a_room_on_two_nodes_is_split_once, begin, end),
        cmocka_unit_test_setup_teardown(test_a_killed_session_fails_the_run, begin, end),
        cmocka_unit_test_setup_teardown(test_report_names_reasons_and_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(test_tallies_of_two_processes_add_up, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_not_plain_is_written_so_that_it_is_read, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_lines_that_are_not_a_tally_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_more_rooms_than_players_are_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_game.c - a game node's core as a trace: who comes, plays and goes, in order. */
#include "tests/unit/gamenode/game_world.h"

static void test_join_relay_leave(void **state)
{
    struct world w;
    start(&w, false, config_default());
    open(&w, 0);
    say(&w, 0, "join", "{\"room\":\"r\",\"player\":\"ann\"}");
    expect(
        &w,
        "0 joined {\"node\":\"gn-1\",\"room\":\"r\",\"player\":\"ann\",\"players\":[\"ann\"]}\n");
    open(&w, 1);
    say(&w, 1, "join", "{\"room\":\"r\",\"player\":\"bob\"}");
    expect(&w,
           "1 joined "
           "{\"node\":\"gn-1\",\"room\":\"r\",\"player\":\"bob\",\"players\":[\"ann\",\"bob\"]}\n"
           "0 player_joined {\"player\":\"bob\"}\n");
    enter(&w, 2, "r", "cid");
    enter(&w, 3, "other", "dan");
    say(&w, 0, "event", "{\"type\":\"event\", \"data\": {\"x\": 1.50},\"id\":7}");
    expect(&w, "1 event {\"from\":\"ann\",\"data\":{\"x\": 1.50},\"id\":7}\n"
               "2 event {\"from\":\"ann\",\"data\":{\"x\": 1.50},\"id\":7}\n");
    say(&w, 1, "leave", "{}");
    expect(&w, "1 left {}\n0 player_left {\"player\":\"bob\"}\n2 player_left {\"player\":\"bob\"}\n"
               "1 close 1000 left\n");
    say(&w, 1, "event", "{\"data\":1}"); /* closing: nothing more is heard from it */
    expect(&w, "");
    struct node_load load = game_load(&w.game);
    assert_int_equal(load.conns, 3);
    assert_int_equal(load.rooms, 2);
    finish(&w);
}

static void test_counts_only_admitted_sockets(void **state)
{
    struct world w;
    start(&w, false, config_default());
    open(&w, 0);
    open(&w, 1);
    say(&w, 1, "probe", "{}");
    state_is(&w, NODE_READY);
    say(&w, 1, "probe", "{}");
    expect(&w, "1 probe_ok {\"node\":\"gn-1\",\"epoch\":0,\"state\":\"unknown\"}\n"
               "1 probe_ok {\"node\":\"gn-1\",\"epoch\":5,\"state\":\"ready\"}\n");
    enter(&w, 2, "r", "ann");
    struct node_load load = game_load(&w.game);
    assert_int_equal(load.conns, 1);
    assert_int_equal(load.handshaking, 1);
    hang_up(&w, 0);
    hang_up(&w, 1);
    hang_up(&w, 2);
    load = game_load(&w.game);
    assert_int_equal(load.conns + load.handshaking, 0);
    finish(&w);
}

static void test_refuses_with_reasons(void **state)
{
    struct world w;
    start(&w, false, config_default());
    open(&w, 0);
    say(&w, 0, "join", "{\"room\":\"r\"}");
    open(&w, 1);
    say(&w, 1, "join", "{\"room\":\"r r\",\"player\":\"p\"}");
    open(&w, 2);
    say(&w, 2, "event", "{}");
    open(&w, 3);
    step(&w, (struct node_event){.kind = NODE_DOOR, .closed = true});
    say(&w, 3, "join", "{\"room\":\"r\",\"player\":\"p\"}");
    const char *bad =
        "{\"reason\":\"bad_request\",\"detail\":\"join needs room and player: 1..64 of A-Z "
        "a-z 0-9 . _ : ~ @ -\"}";
    char trace[1024];
    (void)snprintf(
        trace, sizeof trace,
        "0 refused %s\n0 close 4403 bad_request\n1 refused %s\n1 close 4403 bad_request\n"
        "2 refused {\"reason\":\"bad_request\",\"detail\":\"not admitted: this event is not "
        "possible yet\"}\n2 close 4403 bad_request\n"
        "3 refused {\"reason\":\"closed\"}\n3 close 4403 closed\n",
        bad, bad);
    expect(&w, trace);
    finish(&w);
}

static void test_full_node_and_full_room(void **state)
{
    struct world w;
    start(&w, false, config_default());
    static const char *const players[] = {"a", "b", "c", "d"};
    for (uint32_t i = 0; i < 4; i++)
        enter(&w, i, "r", players[i]);
    open(&w, 4);
    say(&w, 4, "join", "{\"room\":\"r\",\"player\":\"e\"}"); /* a room of four */
    expect(&w, "4 refused {\"reason\":\"full\",\"detail\":\"this room takes 4 players\"}\n"
               "4 close 4403 full\n");
    enter(&w, 5, "s", "e");
    open(&w, 6);
    say(&w, 6, "join", "{\"room\":\"t\",\"player\":\"f\"}"); /* a node of five */
    expect(&w, "6 refused {\"reason\":\"full\",\"detail\":\"this node takes 5 players\"}\n"
               "6 close 4403 full\n");
    finish(&w);
}

static void test_no_more_rooms_than_rooms_max(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r1", "a");
    enter(&w, 1, "r2", "b");
    enter(&w, 2, "r3", "c");
    open(&w, 3);
    say(&w, 3, "join", "{\"room\":\"r4\",\"player\":\"d\"}");
    expect(&w, "3 refused {\"reason\":\"full\",\"detail\":\"this node takes 3 rooms\"}\n"
               "3 close 4403 full\n");
    say(&w, 0, "finish", "{}"); /* remembered as over, but it gives way to a new one */
    hang_up(&w, 0);
    node_trace_clear(&w.trace);
    enter(&w, 4, "r4", "d");
    finish(&w);
}

static void test_admission_has_a_time_limit(void **state)
{
    struct world w;
    start(&w, false, config_default());
    open(&w, 0);
    pass(&w, 1000);
    open(&w, 1);
    say(&w, 1, "probe", "{}"); /* a probe may stay only as long as it probes */
    node_trace_clear(&w.trace);
    pass(&w, 3999);
    expect(&w, "");
    pass(&w, 1);
    expect(&w, "0 close 4408 admit_timeout\n");
    pass(&w, 1000);
    expect(&w, "1 close 4408 admit_timeout\n");
    finish(&w);
}

static void test_a_broken_connection_keeps_its_seat_for_a_while(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    enter(&w, 1, "r", "bob");
    hang_up(&w, 1);
    expect(&w, "0 player_away {\"player\":\"bob\"}\n"); /* nobody has left yet */
    assert_int_equal(game_load(&w.game).conns, 1);
    pass(&w, 9000);
    open(&w, 2);
    say(&w, 2, "join", "{\"room\":\"r\",\"player\":\"bob\"}");
    expect(&w, "2 joined "
               "{\"node\":\"gn-1\",\"room\":\"r\",\"player\":\"bob\",\"players\":[\"ann\",\"bob\"],"
               "\"resumed\":true}\n"
               "0 player_back {\"player\":\"bob\"}\n");
    hang_up(&w, 2);
    expect(&w, "0 player_away {\"player\":\"bob\"}\n");
    enter(&w, 3, "r", "cid");
    say(&w, 3, "leave", "{}");
    hang_up(&w, 3);
    node_trace_clear(&w.trace);
    open(&w, 3);
    say(&w, 3, "join", "{\"room\":\"r\",\"player\":\"dan\"}");
    expect(&w, "3 joined {\"node\":\"gn-1\",\"room\":\"r\",\"player\":\"dan\","
               "\"players\":[\"ann\",\"bob\",\"dan\"],\"away\":[\"bob\"]}\n"
               "0 player_joined {\"player\":\"dan\"}\n");
    say(&w, 3, "leave", "{}");
    node_trace_clear(&w.trace);
    pass(&w, 9999);
    expect(&w, "");
    pass(&w, 1);
    expect(&w, "0 player_left {\"player\":\"bob\"}\n");
    finish(&w);
}

static void test_the_newest_connection_wins(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    open(&w, 1);
    say(&w, 1, "join", "{\"room\":\"r\",\"player\":\"ann\"}");
    expect(&w,
           "0 close 4409 replaced\n"
           "1 joined {\"node\":\"gn-1\",\"room\":\"r\",\"player\":\"ann\",\"players\":[\"ann\"],"
           "\"resumed\":true}\n");
    hang_up(&w, 0);
    assert_int_equal(game_load(&w.game).conns, 1);
    enter(&w, 2, "r", "bob");
    say(&w, 2, "event", "{\"data\":1}");
    expect(&w, "1 event {\"from\":\"bob\",\"data\":1}\n");
    finish(&w);
}

static void test_finish_ends_the_room_for_everyone(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    enter(&w, 1, "r", "bob");
    pass(&w, 7900);
    say(&w, 0, "finish", "{\"result\":{\"won\":\"ann\"}}");
    expect(&w, "0 finished {\"room\":\"r\",\"by\":\"ann\",\"result\":{\"won\":\"ann\"}}\n"
               "1 finished {\"room\":\"r\",\"by\":\"ann\",\"result\":{\"won\":\"ann\"}}\n"
               "result {\"room\":\"r\",\"node\":\"gn-1\",\"epoch\":0,\"by\":\"ann\","
               "\"players\":[\"ann\",\"bob\"],\"seconds\":7,\"result\":{\"won\":\"ann\"}}\n"
               "0 close 1000 finished\n1 close 1000 finished\n");
    struct node_load load = game_load(&w.game);
    assert_int_equal(load.conns + load.rooms, 0);
    open(&w, 2);
    say(&w, 2, "join", "{\"room\":\"r\",\"player\":\"cid\"}");
    expect(&w, "2 refused {\"reason\":\"closed\",\"detail\":\"the match of this room is over\"}\n"
               "2 close 4403 closed\n");
    pass(&w, 30000);
    enter(&w, 3, "r", "cid"); /* forgotten: the id may be used again */
    finish(&w);
}

static void test_an_empty_room_is_closed_after_a_while(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    say(&w, 0, "leave", "{}");
    hang_up(&w, 0);
    assert_int_equal(game_load(&w.game).rooms, 1);
    pass(&w, 4999);
    assert_int_equal(game_load(&w.game).rooms, 1);
    pass(&w, 1);
    assert_int_equal(game_load(&w.game).rooms, 0);
    enter(&w, 1, "r", "bob"); /* someone who comes in while it lingers keeps it */
    say(&w, 1, "leave", "{}");
    pass(&w, 3000);
    enter(&w, 2, "r", "cid");
    pass(&w, 60000);
    assert_int_equal(game_load(&w.game).rooms, 1);
    finish(&w);
}

static void test_a_slow_reader_is_dropped_and_may_come_back(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    enter(&w, 1, "r", "bob");
    step(&w, (struct node_event){.kind = NODE_SLOW, .peer = 1});
    expect(&w, "0 player_away {\"player\":\"bob\"}\n1 close 4413 slow_reader\n");
    say(&w, 0, "event", "{\"data\":1}");
    expect(&w, ""); /* nothing more is queued for it */
    hang_up(&w, 1);
    open(&w, 2);
    say(&w, 2, "join", "{\"room\":\"r\",\"player\":\"bob\"}");
    expect(&w, "2 joined "
               "{\"node\":\"gn-1\",\"room\":\"r\",\"player\":\"bob\",\"players\":[\"ann\",\"bob\"],"
               "\"resumed\":true}\n"
               "0 player_back {\"player\":\"bob\"}\n");
    finish(&w);
}

/* ---- the beginning and the end of a match ---- */

static void test_a_match_begins_when_someone_says_so_or_when_enough_are_in(void **state)
{
    struct world w;
    struct game_config config = config_default();
    config.start_players = 3;
    config.late_join = false;
    start(&w, false, config);
    enter(&w, 0, "r", "ann");
    say(&w, 0, "start", "{}");
    expect(&w, "0 started {\"room\":\"r\",\"by\":\"ann\"}\n");
    say(&w, 0, "start", "{}");
    expect(&w, "0 error {\"reason\":\"started_already\"}\n");
    open(&w, 1);
    say(&w, 1, "join", "{\"room\":\"r\",\"player\":\"bob\"}");
    expect(&w, "1 refused {\"reason\":\"closed\",\"detail\":\"the match has begun\"}\n"
               "1 close 4403 closed\n");
    hang_up(&w, 0);
    node_trace_clear(&w.trace);
    open(&w, 2); /* the seat is there: that is not late */
    say(&w, 2, "join", "{\"room\":\"r\",\"player\":\"ann\"}");
    expect(&w,
           "2 joined {\"node\":\"gn-1\",\"room\":\"r\",\"player\":\"ann\",\"players\":[\"ann\"],"
           "\"resumed\":true,\"started\":true}\n");
    enter(&w, 3, "s", "x");
    enter(&w, 4, "s", "y");
    open(&w, 5);
    say(&w, 5, "join", "{\"room\":\"s\",\"player\":\"z\"}");
    assert_non_null(strstr(w.trace.text, "3 started {\"room\":\"s\"}\n4 started {\"room\":\"s\"}\n"
                                         "5 started {\"room\":\"s\"}\n"));
    finish(&w);
}

static void test_late_players_may_come_by_default(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    say(&w, 0, "start", "{}");
    enter(&w, 1, "r", "bob");
    finish(&w);
}

static void test_a_room_without_a_word_is_closed(void **state)
{
    struct world w;
    struct game_config config = config_default();
    config.room_idle_ms = 60000;
    start(&w, false, config);
    enter(&w, 0, "r", "ann");
    enter(&w, 1, "r", "bob");
    pass(&w, 59000);
    say(&w, 1, "event", "{}");
    node_trace_clear(&w.trace);
    pass(&w, 59999);
    expect(&w, "");
    pass(&w, 1);
    expect(&w, "0 room_closed {\"reason\":\"idle\"}\n1 room_closed {\"reason\":\"idle\"}\n"
               "0 close 1000 idle\n1 close 1000 idle\n");
    assert_int_equal(game_load(&w.game).rooms, 0);
    finish(&w);
}

static void test_draining_is_told_once_and_opens_no_new_rooms(void **state)
{
    struct world w;
    start(&w, false, config_default());
    state_is(&w, NODE_READY);
    enter(&w, 0, "r", "ann");
    state_is(&w, NODE_DRAINING);
    state_is(&w, NODE_DRAINING);
    expect(&w, "all draining {}\n");
    enter(&w, 1, "r", "bob"); /* friends may still come */
    open(&w, 2);
    say(&w, 2, "join", "{\"room\":\"new\",\"player\":\"cid\"}");
    expect(&w, "2 refused {\"reason\":\"draining\"}\n2 close 4403 draining\n");
    finish(&w);
}

static void test_a_room_claimed_elsewhere_moves_its_players(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    enter(&w, 1, "s", "bob");
    step(&w, (struct node_event){.kind = NODE_MOVED, .room = SPAN("r")});
    step(&w, (struct node_event){.kind = NODE_MOVED, .room = SPAN("unknown")});
    expect(&w, "0 moved {\"reason\":\"room_elsewhere\"}\n0 close 1001 moved\n");
    assert_int_equal(game_load(&w.game).rooms, 1);
    finish(&w);
}

static void test_rooms_are_listed_a_slice_at_a_time(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r1", "a");
    enter(&w, 1, "r2", "b");
    enter(&w, 2, "r3", "c");
    struct span slice[2];
    char seen[16] = "";
    for (int i = 0; i < 2; i++) {
        size_t n = game_rooms_slice(&w.game, slice, 2);
        assert_int_equal(n, 2);
        for (size_t j = 0; j < n; j++)
            strncat(seen, slice[j].ptr, 3);
    }
    assert_string_equal(seen, "r1r2r3r1");
    finish(&w);
}

static void test_pings_and_unknown_events(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    say(&w, 0, "ping", "{\"id\":[1]}");
    say(&w, 0, "ping", "{}");
    say(&w, 0, "dance", "{}");
    say(&w, 0, "join", "{\"room\":\"r\",\"player\":\"ann\"}");
    expect(&w, "0 pong {\"id\":[1]}\n0 pong {}\n0 error {\"reason\":\"unknown_event\"}\n"
               "0 error {\"reason\":\"joined_already\"}\n");
    assert_int_equal(game_load(&w.game).conns, 1);
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join_relay_leave),
        cmocka_unit_test(test_counts_only_admitted_sockets),
        cmocka_unit_test(test_refuses_with_reasons),
        cmocka_unit_test(test_full_node_and_full_room),
        cmocka_unit_test(test_no_more_rooms_than_rooms_max),
        cmocka_unit_test(test_admission_has_a_time_limit),
        cmocka_unit_test(test_a_broken_connection_keeps_its_seat_for_a_while),
        cmocka_unit_test(test_the_newest_connection_wins),
        cmocka_unit_test(test_finish_ends_the_room_for_everyone),
        cmocka_unit_test(test_an_empty_room_is_closed_after_a_while),
        cmocka_unit_test(test_a_slow_reader_is_dropped_and_may_come_back),
        cmocka_unit_test(test_a_match_begins_when_someone_says_so_or_when_enough_are_in),
        cmocka_unit_test(test_late_players_may_come_by_default),
        cmocka_unit_test(test_a_room_without_a_word_is_closed),
        cmocka_unit_test(test_draining_is_told_once_and_opens_no_new_rooms),
        cmocka_unit_test(test_a_room_claimed_elsewhere_moves_its_players),
        cmocka_unit_test(test_rooms_are_listed_a_slice_at_a_time),
        cmocka_unit_test(test_pings_and_unknown_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

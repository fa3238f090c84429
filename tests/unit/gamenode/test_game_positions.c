/* test_game_positions.c - positions of players: the latest of each, a tick at a time, to who can
 * read. */
#include "tests/unit/gamenode/game_world.h"

static void test_positions_go_out_once_a_tick_the_latest_of_each(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    enter(&w, 1, "r", "bob");
    enter(&w, 2, "r", "cid");
    say(&w, 0, "position", "{\"data\":[1,1]}");
    say(&w, 0, "position", "{\"data\":[2,2]}");
    say(&w, 0, "event", "{\"data\":\"jump\"}"); /* does not wait */
    expect(&w, "1 event {\"from\":\"ann\",\"data\":\"jump\"}\n"
               "2 event {\"from\":\"ann\",\"data\":\"jump\"}\n");
    pass(&w, 30);
    say(&w, 1, "position", "{\"data\":[3,3]}");
    expect(&w, "");
    pass(&w, 19);
    expect(&w, "");
    pass(&w, 1);
    expect(&w, "0 (positions) {\"players\":{\"bob\":[3,3]}}\n"
               "1 (positions) {\"players\":{\"ann\":[2,2]}}\n"
               "2 (positions) {\"players\":{\"ann\":[2,2],\"bob\":[3,3]}}\n");
    pass(&w, 1000);
    expect(&w, ""); /* nobody moves: nothing is said */
    assert_int_equal(game_deadline(&w.game).ms, MONO_NEVER.ms);
    say(&w, 2, "position", "{}");
    pass(&w, 50);
    expect(&w, "0 (positions) {\"players\":{\"cid\":null}}\n"
               "1 (positions) {\"players\":{\"cid\":null}}\n");
    finish(&w);
}

static void test_who_comes_later_gets_everyones_latest_position(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    say(&w, 0, "position", "{\"data\":1}");
    pass(&w, 100);
    expect(&w, "");
    enter(&w, 1, "r", "bob");
    pass(&w, 50);
    expect(&w, "1 (positions) {\"players\":{\"ann\":1}}\n");
    hang_up(&w, 1);
    node_trace_clear(&w.trace);
    say(&w, 0, "position", "{\"data\":2}");
    pass(&w, 50);
    expect(&w, "");
    enter(&w, 2, "r", "bob"); /* back in the seat */
    pass(&w, 50);
    expect(&w, "2 (positions) {\"players\":{\"ann\":2}}\n");
    finish(&w);
}

static void behind(struct world *w, uint32_t peer, bool first, bool left_out)
{
    step(w, (struct node_event){.kind = NODE_BEHIND,
                                .peer = peer,
                                .first = first,
                                .left_out = left_out,
                                .waiting = 70000});
}

static void test_a_reader_who_is_behind_is_told_once_and_gets_the_latest_when_it_can(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    enter(&w, 1, "r", "bob");
    say(&w, 0, "position", "{\"data\":1}");
    pass(&w, 50);
    node_trace_clear(&w.trace);
    behind(&w, 1, true, true);
    expect(&w, "1 slow {\"waiting\":70000}\n");
    pass(&w, 49);
    say(&w, 0, "position", "{\"data\":2}");
    pass(&w, 1);
    expect(&w, "1 (positions) {\"players\":{\"ann\":2}}\n");
    behind(&w, 1, false, true);
    expect(&w, "");
    pass(&w, 50); /* tried again, though nobody moved */
    expect(&w, "1 (positions) {\"players\":{\"ann\":2}}\n");
    pass(&w, 1000);
    expect(&w, "");
    finish(&w);
}

static void test_a_position_over_the_limit_is_refused_and_the_player_stays(void **state)
{
    struct world w;
    start(&w, false, config_default());
    enter(&w, 0, "r", "ann");
    enter(&w, 1, "r", "bob");
    char payload[128];
    (void)snprintf(payload, sizeof payload, "{\"data\":\"%062d\"}", 0);
    say(&w, 0, "position", payload);
    expect(&w, "");
    (void)snprintf(payload, sizeof payload, "{\"data\":\"%063d\"}", 0);
    say(&w, 0, "position", payload);
    expect(&w, "0 error {\"reason\":\"position_too_long\",\"detail\":\"data: 65 bytes, at most "
               "64\"}\n");
    finish(&w);
}

static void test_many_positions_are_sent_in_several_frames(void **state)
{
    struct world w;
    struct game_config config = config_default();
    config.positions_max = 40;
    start(&w, false, config);
    enter(&w, 0, "r", "a");
    enter(&w, 1, "r", "b");
    enter(&w, 2, "r", "c");
    enter(&w, 3, "r", "d");
    say(&w, 1, "position", "{\"data\":\"bbbbbbbb\"}");
    say(&w, 2, "position", "{\"data\":\"cccccccc\"}");
    say(&w, 3, "position", "{\"data\":\"dddddddd\"}");
    pass(&w, 50);
    w.trace.text[strcspn(w.trace.text, "1")] = '\0'; /* those of a */
    assert_string_equal(w.trace.text,
                        "0 (positions) {\"players\":{\"b\":\"bbbbbbbb\",\"c\":\"cccccccc\"}}\n"
                        "0 (positions) {\"players\":{\"d\":\"dddddddd\"}}\n");
    finish(&w);
}

static void test_positions_of_many_rooms_are_sent_over_several_steps(void **state)
{
    struct world w;
    struct game_config config = config_default();
    config.front.peers_max = 2000;
    config.front.capacity = 2000;
    config.rooms_max = 600;
    config.position_max = 256;
    start(&w, false, config);
    char room[16], player[16], data[256];
    (void)snprintf(data, sizeof data, "{\"data\":\"%0200d\"}", 1);
    for (uint32_t i = 0; i < 2000; i++) {
        (void)snprintf(room, sizeof room, "r%u", i / 4);
        (void)snprintf(player, sizeof player, "p%u", i);
        enter(&w, i, room, player);
        say(&w, i, "position", data);
    }
    w.now += 60;
    int steps = 0;
    uint64_t frames = w.game.position_frames_total;
    while (game_deadline(&w.game).ms <= w.now) {
        node_trace_clear(&w.trace);
        w.trace.len = 0;
        struct node_event ev = {.kind = NODE_TICK, .now = {w.now}};
        effects_clear(&w.fx);
        game_step(&w.game, &ev, &w.fx);
        steps++;
        if (steps == 1) /* someone leaves in the middle of it */
            say(&w, 3, "leave", "{}");
    }
    assert_true(steps > 1 && steps < 100);
    assert_int_equal(w.game.position_frames_total - frames, 2000);
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions_go_out_once_a_tick_the_latest_of_each),
        cmocka_unit_test(test_who_comes_later_gets_everyones_latest_position),
        cmocka_unit_test(test_a_reader_who_is_behind_is_told_once_and_gets_the_latest_when_it_can),
        cmocka_unit_test(test_a_position_over_the_limit_is_refused_and_the_player_stays),
        cmocka_unit_test(test_many_positions_are_sent_in_several_frames),
        cmocka_unit_test(test_positions_of_many_rooms_are_sent_over_several_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

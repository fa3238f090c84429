/* test_game.c - a game node's core as a trace: what each client is told, in order. */
#include "gamenode/game.h"
#include "tests/support/cmocka.h"
#include "tests/support/node_trace.h"

struct world {
    struct game game;
    struct door door;
    struct effects fx;
    struct node_trace trace;
    struct ticket_keys *keys;
    int64_t now;
    uint64_t serial;
};

static struct game_config config_default(void)
{
    return (struct game_config){
        .front = {.node = "gn-1", .peers_max = 8, .capacity = 5, .admit_timeout_ms = 5000},
        .rooms_max = 3,
        .room_players_max = 4,
        .frame_max = 16384,
        .grace_ms = 10000,
        .room_linger_ms = 5000,
        .tick_ms = 50,
        .position_max = 64,
        .positions_max = 4096,
        .late_join = true,
        .over_ms = 30000,
        .seed = 1};
}

static void start(struct world *w, bool tickets, struct game_config config)
{
    *w = (struct world){.now = 1000};
    struct err err = {0};
    if (tickets) {
        struct ticket_key key = {SPAN("k1"), SPAN("0123456789abcdef0123456789abcdef")};
        assert_int_equal(ticket_keys_create(&key, 1, &w->keys, &err), 0);
        struct ticket_door_config door = {.keys = w->keys,
                                          .node = SPAN("gn-1"),
                                          .pool = SPAN("game"),
                                          .tickets_max = 32,
                                          .grace_ms = config.grace_ms,
                                          .window_ms = 32000,
                                          .seed = 1};
        assert_int_equal(door_init(&w->door, &door, &err), 0);
    } else {
        assert_int_equal(door_init(&w->door, NULL, &err), 0);
    }
    size_t items, text;
    game_effects_size(&config, &items, &text);
    assert_int_equal(effects_init(&w->fx, items, text), 0);
    assert_int_equal(game_init(&w->game, &config, &w->door), 0);
}

static void finish(struct world *w)
{
    game_fini(&w->game);
    effects_fini(&w->fx);
    door_fini(&w->door);
    ticket_keys_destroy(w->keys);
}

static void step(struct world *w, struct node_event ev)
{
    ev.now = (mono_ms_t){w->now};
    ev.wall_known = true;
    ev.wall = (wall_ms_t){1700000000000 + w->now};
    effects_clear(&w->fx);
    game_step(&w->game, &ev, &w->fx);
    node_trace_add(&w->trace, &w->fx);
}

static void open(struct world *w, uint32_t peer)
{
    step(w, (struct node_event){.kind = NODE_OPEN, .peer = peer});
}

static void hang_up(struct world *w, uint32_t peer)
{
    step(w, (struct node_event){.kind = NODE_CLOSE, .peer = peer});
}

static void say(struct world *w, uint32_t peer, const char *name, const char *payload)
{
    step(w, (struct node_event){.kind = NODE_MESSAGE,
                                .peer = peer,
                                .name = span_of(name),
                                .payload = span_of(payload)});
}

static void state_is(struct world *w, enum node_state state)
{
    step(w, (struct node_event){.kind = NODE_STATE, .state = state, .epoch = 5});
}

/* Let time pass, stepping whenever the core asks for it. */
static void pass(struct world *w, int64_t ms)
{
    int64_t end = w->now + ms;
    for (;;) {
        mono_ms_t at = game_deadline(&w->game);
        if (at.ms > end)
            break;
        w->now = at.ms > w->now ? at.ms : w->now;
        step(w, (struct node_event){.kind = NODE_TICK});
    }
    w->now = end;
}

static void expect(struct world *w, const char *trace)
{
    assert_string_equal(w->trace.text, trace);
    node_trace_clear(&w->trace);
}

/* Open a socket and join; forget what was said. */
static void enter(struct world *w, uint32_t peer, const char *room, const char *player)
{
    char payload[256];
    (void)snprintf(payload, sizeof payload, "{\"room\":\"%s\",\"player\":\"%s\"}", room, player);
    open(w, peer);
    say(w, peer, "join", payload);
    assert_true(front_is(&w->game.front, peer, FRONT_ADMITTED));
    node_trace_clear(&w->trace);
}

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

/* ---- positions ---- */

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

/* ---- with tickets ---- */

static const char *ticket_for(struct world *w, const char *node, const char *pool, const char *room,
                              const char *player, int64_t epoch, int64_t life_s)
{
    static char payload[TICKET_TEXT_MAX + 256];
    char token[TICKET_TEXT_MAX], jti[TICKET_JTI_SIZE];
    ticket_jti(jti, 42, w->serial++);
    int64_t now_s = (1700000000000 + w->now) / 1000;
    struct ticket_grant grant = {.issuer = SPAN("lb-a"),
                                 .node = span_of(node),
                                 .pool = span_of(pool),
                                 .room = span_of(room),
                                 .player = span_of(player),
                                 .jti = span_of(jti),
                                 .issuer_epoch = 3,
                                 .node_epoch = epoch,
                                 .issued_s = now_s,
                                 .expires_s = now_s + life_s};
    assert_true(ticket_sign(w->keys, &grant, token, sizeof token) > 0);
    (void)snprintf(payload, sizeof payload, "{\"room\":\"%s\",\"player\":\"%s\",\"ticket\":\"%s\"}",
                   room, player, token);
    return payload;
}

static void expect_refused(struct world *w, uint32_t peer, const char *reason)
{
    char start_text[64], end_text[64];
    (void)snprintf(start_text, sizeof start_text, "%u refused {\"reason\":\"%s\"", peer, reason);
    (void)snprintf(end_text, sizeof end_text, "%u close 4403 %s\n", peer, reason);
    if (!strstr(w->trace.text, start_text) || !strstr(w->trace.text, end_text))
        fail_msg("not refused as %s: %s", reason, w->trace.text);
    node_trace_clear(&w->trace);
    hang_up(w, peer);
}

static uint32_t admitted(const struct world *w)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < w->door.book.admitted.used; i++)
        for (uint32_t s = 0; s < w->door.book.admitted.runs[i].count; s++)
            sum += w->door.book.admitted.runs[i].counts[s];
    return sum;
}

static void test_tickets_are_refused_each_with_its_reason(void **state)
{
    struct world w;
    start(&w, true, config_default());
    state_is(&w, NODE_READY);
    open(&w, 0);
    say(&w, 0, "join", "{\"room\":\"r\",\"player\":\"ann\"}");
    expect_refused(&w, 0, "ticket_missing");
    open(&w, 0);
    say(&w, 0, "join", "{\"room\":\"r\",\"player\":\"ann\",\"ticket\":\"a.b.c\"}");
    expect_refused(&w, 0, "ticket_invalid");
    open(&w, 0);
    say(&w, 0, "join", ticket_for(&w, "gn-2", "game", "r", "ann", 5, 30));
    expect_refused(&w, 0, "wrong_node");
    open(&w, 0);
    say(&w, 0, "join", ticket_for(&w, "gn-1", "game", "r", "ann", 4, 30));
    expect_refused(&w, 0, "wrong_node"); /* for an earlier process of this name */
    open(&w, 0);
    say(&w, 0, "join", ticket_for(&w, "gn-1", "lobby", "r", "ann", 5, 30));
    expect_refused(&w, 0, "wrong_pool");
    char old[TICKET_TEXT_MAX + 256];
    (void)snprintf(old, sizeof old, "%s", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 10));
    w.now += 12000;
    open(&w, 0);
    say(&w, 0, "join", old);
    expect_refused(&w, 0, "ticket_expired");
    assert_int_equal(admitted(&w), 0);
    finish(&w);
}

static void test_a_ticket_is_one_seat(void **state)
{
    struct world w;
    start(&w, true, config_default());
    state_is(&w, NODE_READY);
    char ticket[TICKET_TEXT_MAX + 256];
    (void)snprintf(ticket, sizeof ticket, "%s", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    open(&w, 0);
    say(&w, 0, "join", ticket);
    assert_int_equal(admitted(&w), 1);
    hang_up(&w, 0);
    pass(&w, 5000);
    open(&w, 1);
    say(&w, 1, "join", ticket); /* the same ticket resumes its seat and is not counted again */
    assert_true(front_is(&w.game.front, 1, FRONT_ADMITTED));
    assert_int_equal(admitted(&w), 1);
    pass(&w, 40000);
    hang_up(&w, 1);
    node_trace_clear(&w.trace);
    open(&w, 2);
    say(&w, 2, "join", ticket); /* within the grace however old the ticket is by now */
    assert_true(front_is(&w.game.front, 2, FRONT_ADMITTED));
    node_trace_clear(&w.trace);
    say(&w, 2, "leave", "{}");
    hang_up(&w, 2);
    open(&w, 3);
    say(&w, 3, "join", ticket);
    assert_true(strstr(w.trace.text, "3 refused {\"reason\":\"ticket_") != NULL);
    finish(&w);
}

static void test_a_ticket_that_was_left_is_used_up(void **state)
{
    struct world w;
    start(&w, true, config_default());
    state_is(&w, NODE_READY);
    char ticket[TICKET_TEXT_MAX + 256];
    (void)snprintf(ticket, sizeof ticket, "%s", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    open(&w, 0);
    say(&w, 0, "join", ticket);
    say(&w, 0, "leave", "{}");
    hang_up(&w, 0);
    node_trace_clear(&w.trace);
    open(&w, 1);
    say(&w, 1, "join", ticket);
    expect_refused(&w, 1, "ticket_used");
    finish(&w);
}

static void test_a_fresh_ticket_takes_the_seat_over(void **state)
{
    struct world w;
    start(&w, true, config_default());
    state_is(&w, NODE_READY);
    char first[TICKET_TEXT_MAX + 256];
    (void)snprintf(first, sizeof first, "%s", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    open(&w, 0);
    say(&w, 0, "join", first);
    open(&w, 1);
    say(&w, 1, "join", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    hang_up(&w, 0);
    assert_int_equal(game_load(&w.game).conns, 1);
    assert_int_equal(admitted(&w), 2); /* both were handed out, both are accounted for */
    node_trace_clear(&w.trace);
    open(&w, 2);
    say(&w, 2, "join", first);
    expect_refused(&w, 2, "ticket_used");
    finish(&w);
}

static void test_a_full_node_does_not_use_the_ticket_up(void **state)
{
    struct world w;
    struct game_config config = config_default();
    config.front.capacity = 1;
    start(&w, true, config);
    state_is(&w, NODE_READY);
    open(&w, 0);
    say(&w, 0, "join", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    char ticket[TICKET_TEXT_MAX + 256];
    (void)snprintf(ticket, sizeof ticket, "%s", ticket_for(&w, "gn-1", "game", "r", "bob", 5, 30));
    open(&w, 1);
    node_trace_clear(&w.trace);
    say(&w, 1, "join", ticket);
    expect_refused(&w, 1, "full");
    say(&w, 0, "leave", "{}");
    open(&w, 2);
    say(&w, 2, "join", ticket);
    assert_true(front_is(&w.game.front, 2, FRONT_ADMITTED));
    assert_int_equal(admitted(&w), 2);
    finish(&w);
}

static void test_draining_honours_tickets(void **state)
{
    struct world w;
    start(&w, true, config_default());
    state_is(&w, NODE_DRAINING);
    open(&w, 0);
    say(&w, 0, "join", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    assert_true(front_is(&w.game.front, 0, FRONT_ADMITTED));
    step(&w, (struct node_event){.kind = NODE_DOOR, .closed = true});
    open(&w, 1);
    node_trace_clear(&w.trace);
    say(&w, 1, "join", ticket_for(&w, "gn-1", "game", "r", "bob", 5, 30));
    expect_refused(&w, 1, "closed");
    finish(&w);
}

static void test_who_connects_anew_has_spent_what_the_last_socket_did(void **state)
{
    struct world w;
    struct game_config config = config_default();
    config.front.message_rate = 10;
    config.front.message_burst = 3;
    start(&w, false, config);
    enter(&w, 0, "r", "ann"); /* one */
    say(&w, 0, "ping", "{}");
    say(&w, 0, "ping", "{}");
    hang_up(&w, 0);
    enter(&w, 1, "r", "ann"); /* away, and back */
    say(&w, 1, "ping", "{}");
    expect(&w, "1 hold message_rate\n1 pong {}\n");
    enter(&w, 2, "r", "ann"); /* the old socket is still there */
    say(&w, 2, "ping", "{}");
    expect(&w, "2 hold message_rate\n2 pong {}\n");
    hang_up(&w, 2);
    enter(&w, 2, "r", "bob"); /* somebody else in the same slot owes nothing */
    say(&w, 2, "ping", "{}");
    expect(&w, "2 pong {}\n");
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
        cmocka_unit_test(test_positions_go_out_once_a_tick_the_latest_of_each),
        cmocka_unit_test(test_who_comes_later_gets_everyones_latest_position),
        cmocka_unit_test(test_a_reader_who_is_behind_is_told_once_and_gets_the_latest_when_it_can),
        cmocka_unit_test(test_a_position_over_the_limit_is_refused_and_the_player_stays),
        cmocka_unit_test(test_many_positions_are_sent_in_several_frames),
        cmocka_unit_test(test_positions_of_many_rooms_are_sent_over_several_steps),
        cmocka_unit_test(test_a_match_begins_when_someone_says_so_or_when_enough_are_in),
        cmocka_unit_test(test_late_players_may_come_by_default),
        cmocka_unit_test(test_a_room_without_a_word_is_closed),
        cmocka_unit_test(test_who_connects_anew_has_spent_what_the_last_socket_did),
        cmocka_unit_test(test_draining_is_told_once_and_opens_no_new_rooms),
        cmocka_unit_test(test_a_room_claimed_elsewhere_moves_its_players),
        cmocka_unit_test(test_rooms_are_listed_a_slice_at_a_time),
        cmocka_unit_test(test_pings_and_unknown_events),
        cmocka_unit_test(test_tickets_are_refused_each_with_its_reason),
        cmocka_unit_test(test_a_ticket_is_one_seat),
        cmocka_unit_test(test_a_ticket_that_was_left_is_used_up),
        cmocka_unit_test(test_a_fresh_ticket_takes_the_seat_over),
        cmocka_unit_test(test_a_full_node_does_not_use_the_ticket_up),
        cmocka_unit_test(test_draining_honours_tickets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

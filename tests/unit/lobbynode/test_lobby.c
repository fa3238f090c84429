/* test_lobby.c - a lobby node's core as a trace: what clients are told, and what is asked of the
 * store and the endpoint API. */
#include "lobbynode/lobby.h"
#include "tests/support/cmocka.h"
#include "tests/support/node_trace.h"

struct world {
    struct lobby lobby;
    struct door door;
    struct lobby_effects fx;
    struct node_trace trace;
    char room[LOBBY_ID_SIZE]; /* proposed by the last seek */
    int64_t now;
};

static void start(struct world *w)
{
    struct lobby_config config = {
        .front = {.node = "ln-1", .peers_max = 8, .capacity = 6, .admit_timeout_ms = 5000},
        .match_size = 2,
        .matches_max = 2,
        .lb_count = 2,
        .frame_max = 16384,
        .seek_timeout_ms = 60000,
        .retry_ms = 5000,
        .match_ttl_ms = 30000,
        .take_interval_ms = 1000,
        .seed = 3};
    *w = (struct world){.now = 1000};
    struct err err = {0};
    assert_int_equal(door_init(&w->door, NULL, &err), 0);
    size_t items, text;
    lobby_effects_size(&config, &items, &text);
    assert_int_equal(effects_init(&w->fx.out, items, text), 0);
    assert_int_equal(lobby_init(&w->lobby, &config, &w->door), 0);
}

static void finish(struct world *w)
{
    lobby_fini(&w->lobby);
    effects_fini(&w->fx.out);
    door_fini(&w->door);
}

static void add_items(struct world *w)
{
    for (size_t i = 0; i < w->fx.count; i++) {
        const struct lobby_effect *e = &w->fx.items[i];
        char *at = w->trace.text + w->trace.len;
        size_t room = sizeof w->trace.text - w->trace.len;
        int n = 0;
        switch (e->kind) {
        case LOBBY_DO_SEEK:
            memcpy(w->room, e->room, sizeof w->room);
            n = snprintf(at, room, "> seek %s %s\n", e->player, e->mode);
            break;
        case LOBBY_DO_CANCEL:
            n = snprintf(at, room, "> cancel %s %s\n", e->player, e->mode);
            break;
        case LOBBY_DO_TAKE:
            n = snprintf(at, room, "> take\n");
            break;
        case LOBBY_DO_SWEEP:
            n = snprintf(at, room, "> sweep\n");
            break;
        case LOBBY_DO_PLACE:
            n = snprintf(at, room, "> place %s lb=%u\n", e->match->match.room, e->lb);
            break;
        case LOBBY_DO_FINISH:
            n = snprintf(at, room, "> finish %s\n", e->room);
            for (size_t r = 0; r < w->fx.result_count; r++)
                n += snprintf(at + n, room - (size_t)n, ">> %.*s@%.*s/%lld %.*s\n",
                              SPAN_ARG(w->fx.results[r].player), SPAN_ARG(w->fx.results[r].lobby),
                              (long long)w->fx.results[r].lobby_epoch,
                              SPAN_ARG(w->fx.results[r].text));
            break;
        }
        w->trace.len += (size_t)n;
    }
}

static void step(struct world *w, struct lobby_event ev)
{
    ev.now = ev.node.now = (mono_ms_t){w->now};
    lobby_effects_clear(&w->fx);
    lobby_step(&w->lobby, &ev, &w->fx);
    node_trace_add(&w->trace, &w->fx.out);
    add_items(w);
}

static void node(struct world *w, struct node_event ev)
{
    step(w, (struct lobby_event){.kind = LOBBY_NODE, .node = ev});
}

static void say(struct world *w, uint32_t peer, const char *name, const char *payload)
{
    node(w, (struct node_event){.kind = NODE_MESSAGE,
                                .peer = peer,
                                .name = span_of(name),
                                .payload = span_of(payload)});
}

static void hang_up(struct world *w, uint32_t peer)
{
    node(w, (struct node_event){.kind = NODE_CLOSE, .peer = peer});
}

static void seek_answer(struct world *w, const char *player, enum answer_word word)
{
    step(w, (struct lobby_event){.kind = LOBBY_SEEK_DONE,
                                 .ok = true,
                                 .word = word,
                                 .player = span_of(player),
                                 .mode = SPAN("default")});
}

static void cancel_answer(struct world *w, const char *player, bool ok, enum answer_word word)
{
    step(w, (struct lobby_event){.kind = LOBBY_CANCEL_DONE,
                                 .ok = ok,
                                 .word = word,
                                 .player = span_of(player),
                                 .mode = SPAN("default")});
}

static void pass(struct world *w, int64_t ms)
{
    int64_t end = w->now + ms;
    for (;;) {
        mono_ms_t at = lobby_deadline(&w->lobby);
        if (at.ms > end)
            break;
        w->now = at.ms > w->now ? at.ms : w->now;
        node(w, (struct node_event){.kind = NODE_TICK});
    }
    w->now = end;
}

static void expect(struct world *w, const char *trace)
{
    assert_string_equal(w->trace.text, trace);
    node_trace_clear(&w->trace);
}

static void enter(struct world *w, uint32_t peer, const char *player)
{
    char payload[128];
    (void)snprintf(payload, sizeof payload, "{\"player\":\"%s\"}", player);
    node(w, (struct node_event){.kind = NODE_OPEN, .peer = peer});
    say(w, peer, "hello", payload);
    node_trace_clear(&w->trace);
}

/* Up, registered with epoch 9, first take and sweep done. */
static void come_up(struct world *w)
{
    step(w, (struct lobby_event){.kind = LOBBY_STORE_UP});
    node(w, (struct node_event){.kind = NODE_STATE, .state = NODE_READY, .epoch = 9});
    pass(w, 0);
    step(w, (struct lobby_event){.kind = LOBBY_TAKE_DONE, .ok = true});
    step(w, (struct lobby_event){.kind = LOBBY_SWEEP_DONE, .ok = true});
    expect(w, "> take\n> sweep\n");
}

static struct seek_match match_of(const char *room)
{
    struct seek_match m = {.mode = "default", .count = 2};
    (void)snprintf(m.room, sizeof m.room, "%s", room);
    m.players[0] = (struct seek_match_player){"ann", "ln-1", 9};
    m.players[1] = (struct seek_match_player){"bob", "ln-2", 8};
    return m;
}

static const struct lobby_placed placed = {.node = {"gn-1", 4},
                                           .endpoint = {"ws://h:1/ws", 11},
                                           .count = 2,
                                           .players = {{"bob", 3}, {"ann", 3}},
                                           .tickets = {{"tb", 2}, {"ta", 2}}};

static void test_hello_and_refusals(void **state)
{
    struct world w;
    start(&w);
    node(&w, (struct node_event){.kind = NODE_OPEN, .peer = 0});
    say(&w, 0, "hello", "{\"player\":\"ann\"}");
    say(&w, 0, "hello", "{\"player\":\"ann\"}");
    node(&w, (struct node_event){.kind = NODE_OPEN, .peer = 1});
    say(&w, 1, "hello", "{\"player\":\"\"}");
    node(&w, (struct node_event){.kind = NODE_OPEN, .peer = 2});
    say(&w, 2, "seek", "{}");
    expect(&w, "0 welcome {\"node\":\"ln-1\",\"player\":\"ann\"}\n0 error "
               "{\"reason\":\"welcome_already\"}\n"
               "1 refused {\"reason\":\"bad_request\",\"detail\":\"hello needs player: 1..64 of "
               "A-Z a-z 0-9 . "
               "_ : ~ @ -\"}\n1 close 4403 bad_request\n"
               "2 refused {\"reason\":\"bad_request\",\"detail\":\"not admitted: this event is not "
               "possible "
               "yet\"}\n2 close 4403 bad_request\n");
    finish(&w);
}

static void test_a_whole_match(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    expect(&w, "> seek ann default\n");
    struct seek_match match = match_of(w.room);
    step(&w, (struct lobby_event){.kind = LOBBY_SEEK_DONE,
                                  .ok = true,
                                  .word = ANSWER_MATCH,
                                  .player = SPAN("ann"),
                                  .mode = SPAN("default"),
                                  .match = &match});
    char trace[2048];
    uint32_t lb = (w.lobby.matches[0].lb + 1) % 2;
    (void)snprintf(trace, sizeof trace,
                   "0 seeking {\"mode\":\"default\",\"size\":2}\n> place %s lb=%u\n", w.room, lb);
    expect(&w, trace);
    assert_int_equal(lobby_load(&w.lobby).rooms, 1); /* not empty until the results are written */
    step(&w, (struct lobby_event){
                 .kind = LOBBY_PLACED, .ok = true, .room = span_of(w.room), .placed = &placed});
    (void)snprintf(
        trace, sizeof trace,
        "> finish %s\n"
        ">> ann@ln-1/9 {\"room_id\":\"%s\",\"endpoint\":\"ws://h:1/ws\",\"node\":\"gn-1\","
        "\"ticket\":\"ta\",\"players\":[\"ann\",\"bob\"]}\n"
        ">> bob@ln-2/8 {\"room_id\":\"%s\",\"endpoint\":\"ws://h:1/ws\",\"node\":\"gn-1\","
        "\"ticket\":\"tb\",\"players\":[\"ann\",\"bob\"]}\n",
        w.room, w.room, w.room);
    expect(&w, trace);
    step(&w,
         (struct lobby_event){
             .kind = LOBBY_FINISH_DONE, .ok = true, .word = ANSWER_OK, .room = span_of(w.room)});
    assert_int_equal(lobby_load(&w.lobby).rooms, 0);
    struct lobby_event result = {.kind = LOBBY_RESULT,
                                 .player = SPAN("ann"),
                                 .room = span_of(w.room),
                                 .text = SPAN("{\"room_id\":\"x\"}"),
                                 .epoch = 8};
    step(&w, result); /* for an earlier process of this name */
    expect(&w, "");
    result.epoch = 9;
    step(&w, result);
    step(&w, result); /* told once */
    expect(&w, "0 ALL_CONNECTED {\"room_id\":\"x\"}\n");
    pass(&w, 100000);
    assert_null(strstr(w.trace.text, "seek_timeout"));
    finish(&w);
}

static void test_asks_the_other_endpoint_api_when_one_fails(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    struct seek_match match = match_of("r1");
    step(&w, (struct lobby_event){.kind = LOBBY_TOOK, .match = &match});
    step(&w, (struct lobby_event){.kind = LOBBY_TOOK, .match = &match}); /* known: once is enough */
    assert_int_equal(w.lobby.match_count, 1);
    uint32_t first = (w.lobby.matches[0].lb + 1) % 2;
    char trace[128];
    (void)snprintf(trace, sizeof trace, "> place r1 lb=%u\n", first);
    expect(&w, trace);
    step(&w, (struct lobby_event){.kind = LOBBY_PLACED, .room = SPAN("r1")});
    expect(&w, "");
    w.lobby.taking = w.lobby.sweeping = true;
    pass(&w, 249);
    expect(&w, "");
    pass(&w, 1);
    (void)snprintf(trace, sizeof trace, "> place r1 lb=%u\n", 1 - first);
    expect(&w, trace);
    /* It goes on failing: after retry_ms the match is left to whoever asks the store next. */
    for (int i = 0; i < 20 && w.lobby.match_count; i++) {
        step(&w, (struct lobby_event){.kind = LOBBY_PLACED, .room = SPAN("r1")});
        pass(&w, 1000);
    }
    assert_int_equal(w.lobby.match_count, 0);
    assert_in_range(w.now, 1000 + 4000, 1000 + 7000);
    finish(&w);
}

static void test_more_matches_than_fit_are_left_to_the_store(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    const char *rooms[] = {"r1", "r2", "r3"};
    for (size_t i = 0; i < 3; i++) {
        struct seek_match match = match_of(rooms[i]);
        step(&w, (struct lobby_event){.kind = LOBBY_TOOK, .match = &match});
    }
    assert_int_equal(w.lobby.match_count, 2);
    assert_null(strstr(w.trace.text, "r3"));
    finish(&w);
}

static void test_cancel_and_its_race_with_a_match(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    seek_answer(&w, "ann", ANSWER_OK);
    say(&w, 0, "cancel", "{}");
    expect(
        &w,
        "> seek ann default\n0 seeking {\"mode\":\"default\",\"size\":2}\n> cancel ann default\n");
    cancel_answer(&w, "ann", true, ANSWER_OK);
    expect(&w, "0 cancelled {}\n");
    say(&w, 0, "seek", "{\"mode\":\"duo\"}");
    say(&w, 0, "seek", "{\"mode\":\"default\"}");
    expect(&w, "> seek ann duo\n0 error {\"reason\":\"seeking_already\"}\n");
    say(&w, 0, "cancel", "{}");
    step(&w, (struct lobby_event){.kind = LOBBY_CANCEL_DONE,
                                  .ok = true,
                                  .word = ANSWER_MATCHED,
                                  .player = SPAN("ann"),
                                  .mode = SPAN("duo")});
    expect(&w, "> cancel ann duo\n0 error {\"reason\":\"matched_already\"}\n");
    step(&w, (struct lobby_event){
                 .kind = LOBBY_RESULT, .player = SPAN("ann"), .text = SPAN("{}"), .epoch = 9});
    expect(&w, "0 ALL_CONNECTED {}\n");
    finish(&w);
}

static void test_seek_times_out(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    w.lobby.taking = w.lobby.sweeping = true;
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    seek_answer(&w, "ann", ANSWER_OK);
    node_trace_clear(&w.trace);
    pass(&w, 59999);
    expect(&w, "");
    pass(&w, 1);
    expect(&w, "> cancel ann default\n");
    cancel_answer(&w, "ann", true, ANSWER_OK);
    expect(&w, "0 seek_timeout {\"mode\":\"default\"}\n");
    finish(&w);
}

static void test_a_match_that_nobody_finishes_ends_the_wait(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    w.lobby.taking = w.lobby.sweeping = true;
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    seek_answer(&w, "ann", ANSWER_MATCHED);
    node_trace_clear(&w.trace);
    pass(&w, 29999);
    expect(&w, "");
    pass(&w, 1);
    expect(&w, "0 seek_timeout {\"mode\":\"default\"}\n");
    finish(&w);
}

static void test_who_hangs_up_leaves_the_queue_whatever_fails(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    w.lobby.taking = w.lobby.sweeping = true;
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    seek_answer(&w, "ann", ANSWER_OK);
    node_trace_clear(&w.trace);
    hang_up(&w, 0);
    expect(&w, "> cancel ann default\n");
    step(&w, (struct lobby_event){.kind = LOBBY_STORE_DOWN});
    cancel_answer(&w, "ann", false, 0);
    pass(&w, 10000);
    expect(&w, ""); /* not while the store is away */
    step(&w, (struct lobby_event){.kind = LOBBY_STORE_UP});
    w.lobby.taking = w.lobby.sweeping = true;
    pass(&w, 0);
    expect(&w, "> cancel ann default\n");
    cancel_answer(&w, "ann", false, 0);
    pass(&w, 1000);
    expect(&w, "> cancel ann default\n");
    cancel_answer(&w, "ann", true, ANSWER_OK);
    pass(&w, 10000);
    expect(&w, "");
    finish(&w);
}

static void test_a_player_who_is_back_is_no_ghost(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    w.lobby.taking = w.lobby.sweeping = true;
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    hang_up(&w, 0);
    cancel_answer(&w, "ann", false, 0);
    enter(&w, 1, "ann");
    say(&w, 1, "seek", "{}");
    node_trace_clear(&w.trace);
    pass(&w, 5000);
    expect(&w, ""); /* the search of the one who is here again must not be cancelled */
    finish(&w);
}

static void test_seekers_are_queued_again_when_the_store_forgot(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    enter(&w, 1, "bob");
    enter(&w, 2, "cid");
    say(&w, 0, "seek", "{}");
    say(&w, 2, "seek", "{}");
    seek_answer(&w, "ann", ANSWER_OK);
    node_trace_clear(&w.trace);
    step(&w, (struct lobby_event){.kind = LOBBY_STORE_DOWN});
    step(&w, (struct lobby_event){.kind = LOBBY_STORE_UP});
    w.lobby.taking = w.lobby.sweeping = true;
    pass(&w, 0);
    expect(&w, "> seek ann default\n> seek cid default\n");
    seek_answer(&w, "ann", ANSWER_HAVE);
    expect(&w, ""); /* told once */
    node(&w, (struct node_event){.kind = NODE_STATE, .state = NODE_JOINING, .epoch = 9});
    pass(&w, 0);
    expect(&w, "> seek ann default\n> seek cid default\n");
    finish(&w);
}

static void test_the_newest_connection_goes_on_seeking(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    seek_answer(&w, "ann", ANSWER_OK);
    node_trace_clear(&w.trace);
    node(&w, (struct node_event){.kind = NODE_OPEN, .peer = 1});
    say(&w, 1, "hello", "{\"player\":\"ann\"}");
    expect(&w, "0 close 4409 replaced\n1 welcome {\"node\":\"ln-1\",\"player\":\"ann\"}\n");
    hang_up(&w, 0);
    expect(&w, "");
    assert_int_equal(lobby_load(&w.lobby).conns, 1);
    step(&w, (struct lobby_event){
                 .kind = LOBBY_RESULT, .player = SPAN("ann"), .text = SPAN("{}"), .epoch = 9});
    expect(&w, "1 ALL_CONNECTED {}\n");
    finish(&w);
}

static void test_a_room_id_in_use_is_replaced(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    char first[LOBBY_ID_SIZE];
    memcpy(first, w.room, sizeof first);
    seek_answer(&w, "ann", ANSWER_TAKEN);
    expect(&w, "> seek ann default\n> seek ann default\n");
    assert_string_not_equal(first, w.room);
    finish(&w);
}

static void test_draining_finishes_its_matches(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    node(&w, (struct node_event){.kind = NODE_STATE, .state = NODE_DRAINING, .epoch = 9});
    expect(&w, "all draining {}\n");
    struct seek_match match = match_of("r1");
    step(&w, (struct lobby_event){.kind = LOBBY_TOOK, .match = &match});
    step(&w, (struct lobby_event){
                 .kind = LOBBY_PLACED, .ok = true, .room = SPAN("r1"), .placed = &placed});
    assert_non_null(strstr(w.trace.text, "> finish r1\n"));
    node(&w, (struct node_event){.kind = NODE_OPEN, .peer = 1});
    node_trace_clear(&w.trace);
    say(&w, 1, "hello", "{\"player\":\"bob\"}");
    expect(&w, "1 refused {\"reason\":\"draining\"}\n1 close 4403 draining\n");
    finish(&w);
}

static void test_long_ids_leave_the_list_of_players_out(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    struct seek_match match = {.room = "r1", .mode = "default", .count = 16};
    for (size_t i = 0; i < match.count; i++) {
        memset(match.players[i].player, 'a' + (int)i, KEYS_ID_MAX);
        match.players[i].player[KEYS_ID_MAX] = '\0';
        memcpy(match.players[i].lobby, "ln-1", 5);
    }
    w.lobby.config.match_size = 16;
    size_t items, text;
    lobby_effects_size(&w.lobby.config, &items, &text);
    effects_fini(&w.fx.out);
    assert_int_equal(effects_init(&w.fx.out, items, text), 0);
    step(&w, (struct lobby_event){.kind = LOBBY_TOOK, .match = &match});
    step(&w, (struct lobby_event){
                 .kind = LOBBY_PLACED, .ok = true, .room = SPAN("r1"), .placed = &placed});
    assert_int_equal(w.fx.result_count, 16);
    for (size_t i = 0; i < 16; i++) {
        assert_true(w.fx.results[i].text.len <= CALL_RESULT_MAX);
        assert_null(message_member(w.fx.results[i].text, "players").ptr);
    }
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello_and_refusals),
        cmocka_unit_test(test_a_whole_match),
        cmocka_unit_test(test_asks_the_other_endpoint_api_when_one_fails),
        cmocka_unit_test(test_more_matches_than_fit_are_left_to_the_store),
        cmocka_unit_test(test_cancel_and_its_race_with_a_match),
        cmocka_unit_test(test_seek_times_out),
        cmocka_unit_test(test_a_match_that_nobody_finishes_ends_the_wait),
        cmocka_unit_test(test_who_hangs_up_leaves_the_queue_whatever_fails),
        cmocka_unit_test(test_a_player_who_is_back_is_no_ghost),
        cmocka_unit_test(test_seekers_are_queued_again_when_the_store_forgot),
        cmocka_unit_test(test_the_newest_connection_goes_on_seeking),
        cmocka_unit_test(test_a_room_id_in_use_is_replaced),
        cmocka_unit_test(test_draining_finishes_its_matches),
        cmocka_unit_test(test_long_ids_leave_the_list_of_players_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

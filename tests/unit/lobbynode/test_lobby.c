/* test_lobby.c - a lobby node's core as a trace: what becomes of matches, from the queue to
 * ALL_CONNECTED. */
#include "tests/unit/lobbynode/lobby_world.h"

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
    say(&w, 0, "seek", "{\"rating\":1499.6,\"region\":\"eu\",\"keyword\":\"us\"}");
    seek_answer(&w, "ann", SEEK_OK);
    expect(&w, "> seek ann default rating=1500 region=eu keyword=us party=\n"
               "0 seeking {\"mode\":\"default\",\"size\":2}\n");
    struct seek_match match = match_of("r1");
    step(&w, (struct lobby_event){
                 .kind = LOBBY_RESULT, .result = RESULT_MATCH, .match = &match, .epoch = 8});
    expect(&w, ""); /* for an earlier process */
    step(&w, (struct lobby_event){
                 .kind = LOBBY_RESULT, .result = RESULT_MATCH, .match = &match, .epoch = 9});
    char trace[2048];
    uint32_t lb = (w.lobby.matches[0].lb + 1) % 2;
    (void)snprintf(trace, sizeof trace, "> place r1 lb=%u\n", lb);
    expect(&w, trace);
    assert_int_equal(lobby_load(&w.lobby).rooms, 1); /* not empty until the results are written */
    step(&w, (struct lobby_event){
                 .kind = LOBBY_PLACED, .ok = true, .room = SPAN("r1"), .placed = &placed});
    expect(&w, "> finish r1\n"
               ">> ann {\"room_id\":\"r1\",\"endpoint\":\"ws://h:1/ws\",\"node\":\"gn-1\","
               "\"ticket\":\"ta\",\"mode\":\"default\",\"players\":[\"ann\",\"bob\"]}\n"
               ">> bob {\"room_id\":\"r1\",\"endpoint\":\"ws://h:1/ws\",\"node\":\"gn-1\","
               "\"ticket\":\"tb\",\"mode\":\"default\",\"players\":[\"ann\",\"bob\"]}\n");
    struct seek_match smaller = match; /* bob left meanwhile */
    smaller.count = 1;
    step(&w, (struct lobby_event){.kind = LOBBY_FINISH_DONE,
                                  .ok = true,
                                  .word = ANSWER_LEFT,
                                  .room = SPAN("r1"),
                                  .match = &smaller});
    (void)snprintf(trace, sizeof trace, "> place r1 lb=%u\n", 1 - lb);
    expect(&w, trace);
    step(&w, (struct lobby_event){
                 .kind = LOBBY_PLACED, .ok = true, .room = SPAN("r1"), .placed = &placed});
    assert_non_null(strstr(w.trace.text, "\"players\":[\"ann\"]}"));
    node_trace_clear(&w.trace);
    step(&w, (struct lobby_event){
                 .kind = LOBBY_FINISH_DONE, .ok = true, .word = ANSWER_OK, .room = SPAN("r1")});
    assert_int_equal(lobby_load(&w.lobby).rooms, 0);
    result(&w, RESULT_RESULT, "ann", "r1", "{\"room_id\":\"x\"}", 6000);
    result(&w, RESULT_RESULT, "ann", "r1", "{\"room_id\":\"x\"}", 6001); /* told once */
    expect(&w, "0 ALL_CONNECTED {\"room_id\":\"x\"}\n");
    pass(&w, 100000);
    assert_null(strstr(w.trace.text, "seek_timeout"));
    finish(&w);
}

/* Its room was claimed already, and nobody will come. */
static void test_a_match_that_is_undone_gives_its_room_back(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    struct seek_match match = match_of("r1");
    step(&w, (struct lobby_event){
                 .kind = LOBBY_RESULT, .result = RESULT_MATCH, .match = &match, .epoch = 9});
    step(&w, (struct lobby_event){
                 .kind = LOBBY_PLACED, .ok = true, .room = SPAN("r1"), .placed = &placed});
    node_trace_clear(&w.trace);
    step(&w, (struct lobby_event){
                 .kind = LOBBY_FINISH_DONE, .ok = true, .word = ANSWER_BROKEN, .room = SPAN("r1")});
    expect(&w, "> release r1 ticket=tb {\"players\":[\"ann\",\"bob\"]}\n");
    assert_int_equal(lobby_load(&w.lobby).rooms, 0);
    finish(&w);
}

/* The store was away while the match was finished: the player was sought for again before that was
 * heard of, and must not stay in the queue. */
static void test_a_match_told_late_ends_the_later_search(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    seek_answer(&w, "ann", SEEK_OK);
    node_trace_clear(&w.trace);
    result(&w, RESULT_RESULT, "ann", "r1", "{}", 4999); /* it was carried out at 5000 */
    expect(&w, "0 ALL_CONNECTED {}\n> gone ann\n");
    say(&w, 0, "seek", "{}");
    node_trace_clear(&w.trace);
    result(&w, RESULT_RESULT, "ann", "r2", "{}", 6000); /* not answered yet: it may come yet */
    expect(&w, "0 ALL_CONNECTED {}\n> gone ann\n");
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

static void test_a_match_that_is_undone_is_sought_again(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    seek_answer(&w, "ann", SEEK_MATCHED);
    node_trace_clear(&w.trace);
    result(&w, RESULT_AGAIN, "ann", "r1", "default", 6000);
    expect(&w, "0 seeking {\"mode\":\"default\",\"size\":2}\n");
    result(&w, RESULT_TIMEOUT, "ann", "-", "default", 7000);
    expect(&w, "0 seek_timeout {\"mode\":\"default\"}\n");
    result(&w, RESULT_AGAIN, "ann", "r1", "default", 8000); /* it looks for nothing any more */
    result(&w, RESULT_AGAIN, "eve", "r1", "default", 8000); /* it is not here any more */
    expect(&w, "> gone ann\n> gone eve\n");
    finish(&w);
}

static const struct resp alive_list[] = {{.type = RESP_TEXT, .text = {"ln-1/9", 6}},
                                         {.type = RESP_TEXT, .text = {"ln-2/8", 6}}};

static void test_the_matcher_looks_proposes_and_drops_the_dead(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    const struct resp entries[] = {{.type = RESP_TEXT, .text = SPAN("900|0|-|-|ann/ln-1/9")},
                                   {.type = RESP_TEXT, .text = SPAN("901|0|-|-|bob/ln-2/8")},
                                   {.type = RESP_TEXT, .text = SPAN("902|0|-|-|cid/ln-2/7")},
                                   {.type = RESP_TEXT, .text = SPAN("903|0|-|-|dan/ln-3/1")}};
    const struct resp list = {.type = RESP_LIST, .items = entries, .count = 4},
                      alive = {.type = RESP_LIST, .items = alive_list, .count = 2};
    step(&w, (struct lobby_event){.kind = LOBBY_QUEUE,
                                  .mode = SPAN("default"),
                                  .at_ms = 1000,
                                  .entries = &list,
                                  .alive = &alive,
                                  .total = 4});
    expect(&w, "> make default groups=1 timeouts=0\n> drop default\n");
    assert_true(lobby_entry_lives(&w.lobby, entries[1].text));
    assert_false(lobby_entry_lives(&w.lobby, entries[2].text)); /* another process of that name */
    assert_int_equal(w.lobby.offset_count, 0);
    step(&w, (struct lobby_event){.kind = LOBBY_QUEUE,
                                  .mode = SPAN("default"),
                                  .at_ms = 1000,
                                  .entries = &list,
                                  .alive = &alive,
                                  .total = 100});
    assert_int_equal(w.lobby.offsets[0].offset, 2); /* a long queue is looked at by turns */
    node_trace_clear(&w.trace);
    w.lobby.taking = w.lobby.sweeping = true;
    step(&w, (struct lobby_event){.kind = LOBBY_TICK_DONE, .ok = true, .matching = true});
    pass(&w, 300);
    expect(&w, "> tick\n");
    step(&w, (struct lobby_event){.kind = LOBBY_TICK_DONE, .ok = true, .matching = true});
    pass(&w, 99);
    expect(&w, "");
    pass(&w, 1);
    expect(&w, "> tick\n");
    step(&w, (struct lobby_event){.kind = LOBBY_TICK_DONE, .ok = true});
    pass(&w, 100);
    expect(&w, "> tick\n");
    step(&w, (struct lobby_event){.kind = LOBBY_TICK_DONE, .ok = true});
    pass(&w, 299);
    expect(&w, ""); /* not the matcher: the lease alone */
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
    seek_answer(&w, "ann", SEEK_MATCHED);
    node_trace_clear(&w.trace);
    pass(&w, 29999);
    expect(&w, "");
    pass(&w, 1);
    expect(&w, "0 seek_timeout {\"mode\":\"default\"}\n");
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
        cmocka_unit_test(test_a_match_that_is_undone_gives_its_room_back),
        cmocka_unit_test(test_a_whole_match),
        cmocka_unit_test(test_a_match_told_late_ends_the_later_search),
        cmocka_unit_test(test_asks_the_other_endpoint_api_when_one_fails),
        cmocka_unit_test(test_more_matches_than_fit_are_left_to_the_store),
        cmocka_unit_test(test_a_match_that_is_undone_is_sought_again),
        cmocka_unit_test(test_the_matcher_looks_proposes_and_drops_the_dead),
        cmocka_unit_test(test_a_match_that_nobody_finishes_ends_the_wait),
        cmocka_unit_test(test_draining_finishes_its_matches),
        cmocka_unit_test(test_long_ids_leave_the_list_of_players_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

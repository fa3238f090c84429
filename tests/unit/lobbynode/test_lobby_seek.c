/* test_lobby_seek.c - a lobby node's core as a trace: who seeks, seeks again, leaves, comes back.
 */
#include "tests/unit/lobbynode/lobby_world.h"

static void test_cancel_and_its_race_with_a_match(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    seek_answer(&w, "ann", SEEK_OK);
    say(&w, 0, "cancel", "{}");
    node_trace_clear(&w.trace);
    cancel_answer(&w, "ann", true, ANSWER_OK);
    expect(&w, "0 cancelled {}\n");
    say(&w, 0, "seek", "{\"mode\":\"duo\"}");
    say(&w, 0, "cancel", "{}");
    step(&w,
         (struct lobby_event){
             .kind = LOBBY_CANCEL_DONE, .ok = true, .word = ANSWER_MATCHED, .player = SPAN("ann")});
    expect(&w, "> seek ann duo rating=0 region= keyword= party=\n> cancel ann\n"
               "0 error {\"reason\":\"matched_already\"}\n");
    result(&w, RESULT_RESULT, "ann", "r1", "{}", 6000);
    expect(&w, "0 ALL_CONNECTED {}\n");
    finish(&w);
}

static void test_the_newest_seek_wins(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{\"mode\":\"duo\"}");
    say(&w, 0, "seek", "{}");
    expect(&w, "> seek ann duo rating=0 region= keyword= party=\n"
               "0 cancelled {\"mode\":\"duo\",\"reason\":\"replaced\"}\n"
               "> seek ann default rating=0 region= keyword= party=\n");
    result(&w, RESULT_CANCELLED, "ann", "-", "default replaced", 4000); /* of an older one */
    seek_answer(&w, "ann", SEEK_OK);
    expect(&w, "0 seeking {\"mode\":\"default\",\"size\":2}\n");
    result(&w, RESULT_CANCELLED, "ann", "-", "default replaced", 4999);
    expect(&w, "");
    result(&w, RESULT_CANCELLED, "ann", "-", "default replaced", 5001); /* sought elsewhere */
    expect(&w, "0 cancelled {\"mode\":\"default\",\"reason\":\"replaced\"}\n");
    result(&w, RESULT_RESULT, "ann", "r1", "{}", 6000);
    expect(&w, ""); /* nothing is looked for here */
    finish(&w);
}

/* In the same mode the waiting time counts on, and nobody hears of a cancelled search. */
static void test_seeking_again_counts_on(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    w.lobby.taking = w.lobby.sweeping = true;
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    assert_int_equal(w.fx.items[0].waited_ms, 0);
    node_trace_clear(&w.trace);
    pass(&w, 300);
    say(&w, 0, "seek", "{\"rating\":7}");
    assert_int_equal(w.fx.items[0].waited_ms, 300);
    expect(&w, "> seek ann default rating=7 region= keyword= party=\n");
    say(&w, 0, "seek", "{\"mode\":\"duel\"}");
    assert_int_equal(w.fx.items[0].waited_ms, 0);
    finish(&w);
}

static void test_what_cannot_be_sought(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    w.lobby.config.modes_listed = true;
    enter(&w, 0, "ann");
    static const char *const bad[][2] = {{"{\"mode\":\"nosuch\"}", "bad_mode"},
                                         {"{\"mode\":\"a b\"}", "bad_mode"},
                                         {"{\"mode\":7}", "bad_mode"},
                                         {"{\"rating\":\"1\"}", "bad_rating"},
                                         {"{\"rating\":1000001}", "bad_rating"},
                                         {"{\"rating\":null}", "bad_rating"},
                                         {"{\"region\":\"-\"}", "bad_region"},
                                         {"{\"region\":\"a|b\"}", "bad_region"},
                                         {"{\"keyword\":\"a b\"}", "bad_keyword"},
                                         {"{\"keyword\":\"-\"}", "bad_keyword"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char trace[96];
        say(&w, 0, "seek", bad[i][0]);
        (void)snprintf(trace, sizeof trace, "0 error {\"reason\":\"%s\"}\n", bad[i][1]);
        expect(&w, trace);
    }
    finish(&w);
}

/* A node need not know that its seeker was matched: undone, it waits as before. */
static void test_a_seeker_whose_match_was_undone_waits_on(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    seek_answer(&w, "ann", SEEK_OK);
    node_trace_clear(&w.trace);
    result(&w, RESULT_AGAIN, "ann", "r1", "default", 6000);
    expect(&w, "0 seeking {\"mode\":\"default\",\"size\":2}\n");
    result(&w, RESULT_TIMEOUT, "ann", "-", "default", 5999); /* of the time before it */
    expect(&w, "");
    result(&w, RESULT_TIMEOUT, "ann", "-", "default", 6001);
    expect(&w, "0 seek_timeout {\"mode\":\"default\"}\n");
    /* Of a party, and somebody of it is gone: whoever leads it seeks again. */
    say(&w, 0, "seek", "{}");
    seek_answer(&w, "ann", SEEK_MATCHED);
    node_trace_clear(&w.trace);
    result(&w, RESULT_CANCELLED, "ann", "r2", "default party_changed", 7000);
    expect(&w, "0 cancelled {\"mode\":\"default\",\"reason\":\"party_changed\"}\n");
    finish(&w);
}

/* Who is sought for by the leader of the party is not sought by this node: the party would be out
 * of the queue. */
static void test_whom_a_leader_seeks_for_is_left_to_the_leader(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    w.lobby.taking = w.lobby.sweeping = true;
    enter(&w, 0, "ann");
    result(&w, RESULT_SEEKING, "ann", "-", "default", 9000);
    expect(&w, "0 seeking {\"mode\":\"default\",\"size\":2}\n");
    step(&w, (struct lobby_event){.kind = LOBBY_STORE_DOWN});
    pass(&w, 0);
    expect(&w, "0 seek_paused {\"mode\":\"default\"}\n");
    step(&w, (struct lobby_event){.kind = LOBBY_STORE_UP});
    w.lobby.ticking = w.lobby.taking = w.lobby.sweeping = true;
    pass(&w, 0);
    expect(&w, "");
    result(&w, RESULT_RESULT, "ann", "r1", "{}", 9001); /* not sought since: nothing to cancel */
    expect(&w, "0 ALL_CONNECTED {}\n");
    finish(&w);
}

static void test_parties_and_what_players_say(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    say(&w, 0, "party_create", "{}");
    char trace[256];
    char code[LOBBY_ID_SIZE];
    memcpy(code, w.room, sizeof code);
    struct lobby_event made = {.kind = LOBBY_PARTY_DONE,
                               .ok = true,
                               .word = ANSWER_TAKEN,
                               .player = SPAN("ann"),
                               .party = PARTY_CREATE,
                               .room = span_of(code)};
    step(&w, made);
    expect(&w, "> party 0 ann\n> party 0 ann\n");
    assert_string_not_equal(code, w.room);
    memcpy(code, w.room, sizeof code);
    made.word = ANSWER_OK;
    step(&w, made);
    result(&w, RESULT_PARTY, "ann", code, "XYZ ann ann,bob", 1);
    expect(&w, "0 party {\"code\":\"XYZ\",\"leader\":\"ann\",\"players\":[\"ann\",\"bob\"]}\n");
    say(&w, 0, "seek", "{}");
    (void)snprintf(trace, sizeof trace, "> seek ann default rating=0 region= keyword= party=%s\n",
                   code);
    expect(&w, trace);
    seek_answer(&w, "ann", SEEK_PARTY_SIZE);
    expect(&w, "0 error {\"reason\":\"party_too_large\"}\n> cancel ann\n");
    result(&w, RESULT_SEEKING, "ann", "-", "duel", 9000); /* another leads by now */
    say(&w, 0, "seek", "{}");
    expect(&w, "0 seeking {\"mode\":\"duel\",\"size\":2}\n"
               "0 error {\"reason\":\"party_not_leader\"}\n");
    result(&w, RESULT_RESULT, "ann", "r7", "{}", 9001);
    node_trace_clear(&w.trace);
    say(&w, 0, "message", "{\"data\":[1, 2]}");
    say(&w, 0, "message", "{\"to\":\"party\",\"data\":\"x\"}");
    say(&w, 0, "message", "{}");
    (void)snprintf(trace, sizeof trace,
                   "> group 0 ann r7 [1, 2]\n> group 0 ann %s \"x\"\n"
                   "0 error {\"reason\":\"bad_data\"}\n",
                   code);
    expect(&w, trace);
    for (int i = 0; i < LOBBY_SAYS_MAX; i++)
        say(&w, 0, "message", "{\"data\":1}");
    assert_non_null(strstr(w.trace.text, "too_many"));
    node_trace_clear(&w.trace);
    result(&w, RESULT_SAY, "ann", "r7", "bob {\"a\":[]}", 1);
    result(&w, RESULT_AWAY, "ann", "r7", "bob", 1);
    expect(&w, "0 message {\"from\":\"bob\",\"group\":\"r7\",\"data\":{\"a\":[]}}\n"
               "0 presence {\"player\":\"bob\",\"group\":\"r7\",\"online\":false}\n");
    hang_up(&w, 0);
    expect(&w, "> party 2 ann\n> group 2 ann r7 \n");
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
    seek_answer(&w, "ann", SEEK_OK);
    node_trace_clear(&w.trace);
    pass(&w, 64999); /* the matcher tells; this is the net under it */
    expect(&w, "");
    pass(&w, 1);
    expect(&w, "> cancel ann\n");
    cancel_answer(&w, "ann", true, ANSWER_OK);
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
    seek_answer(&w, "ann", SEEK_OK);
    node_trace_clear(&w.trace);
    hang_up(&w, 0);
    expect(&w, "> gone ann\n");
    step(&w, (struct lobby_event){.kind = LOBBY_STORE_DOWN});
    cancel_answer(&w, "ann", false, 0);
    pass(&w, 10000);
    expect(&w, ""); /* not while the store is away */
    step(&w, (struct lobby_event){.kind = LOBBY_STORE_UP});
    w.lobby.ticking = w.lobby.taking = w.lobby.sweeping = true;
    pass(&w, 0);
    expect(&w, "> gone ann\n");
    cancel_answer(&w, "ann", false, 0);
    pass(&w, 1000);
    expect(&w, "> gone ann\n");
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
    seek_answer(&w, "ann", SEEK_OK);
    node_trace_clear(&w.trace);
    step(&w, (struct lobby_event){.kind = LOBBY_STORE_DOWN});
    pass(&w, 0);
    expect(&w, "0 seek_paused {\"mode\":\"default\"}\n2 seek_paused {\"mode\":\"default\"}\n");
    step(&w, (struct lobby_event){.kind = LOBBY_STORE_UP});
    w.lobby.ticking = w.lobby.taking = w.lobby.sweeping = true;
    pass(&w, 0);
    expect(&w, "> seek ann default rating=0 region= keyword= party=\n> seek cid default rating=0 "
               "region= keyword= party=\n");
    seek_answer(&w, "ann", SEEK_OK);
    seek_answer(&w, "ann", SEEK_OK);
    expect(&w, "0 seeking {\"mode\":\"default\",\"size\":2}\n"); /* told once */
    node(&w, (struct node_event){.kind = NODE_STATE, .state = NODE_JOINING, .epoch = 9});
    pass(&w, 0);
    expect(&w, "> seek ann default rating=0 region= keyword= party=\n> seek cid default rating=0 "
               "region= keyword= party=\n");
    finish(&w);
}

static void test_the_newest_connection_goes_on_seeking(void **state)
{
    struct world w;
    start(&w);
    come_up(&w);
    enter(&w, 0, "ann");
    say(&w, 0, "seek", "{}");
    seek_answer(&w, "ann", SEEK_OK);
    node_trace_clear(&w.trace);
    node(&w, (struct node_event){.kind = NODE_OPEN, .peer = 1});
    say(&w, 1, "hello", "{\"player\":\"ann\"}");
    expect(&w, "0 close 4409 replaced\n1 welcome {\"node\":\"ln-1\",\"player\":\"ann\"}\n");
    hang_up(&w, 0);
    expect(&w, "");
    assert_int_equal(lobby_load(&w.lobby).conns, 1);
    result(&w, RESULT_RESULT, "ann", "r1", "{}", 6000);
    expect(&w, "1 ALL_CONNECTED {}\n");
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_and_its_race_with_a_match),
        cmocka_unit_test(test_the_newest_seek_wins),
        cmocka_unit_test(test_what_cannot_be_sought),
        cmocka_unit_test(test_a_seeker_whose_match_was_undone_waits_on),
        cmocka_unit_test(test_whom_a_leader_seeks_for_is_left_to_the_leader),
        cmocka_unit_test(test_seeking_again_counts_on),
        cmocka_unit_test(test_parties_and_what_players_say),
        cmocka_unit_test(test_seek_times_out),
        cmocka_unit_test(test_who_hangs_up_leaves_the_queue_whatever_fails),
        cmocka_unit_test(test_a_player_who_is_back_is_no_ghost),
        cmocka_unit_test(test_seekers_are_queued_again_when_the_store_forgot),
        cmocka_unit_test(test_the_newest_connection_goes_on_seeking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

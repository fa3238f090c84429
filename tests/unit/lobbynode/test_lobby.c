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

static const struct lobby_mode modes[] = {
    {.rules = {.size = 2, .size_min = 1, .party_max = 2, .timeout_ms = 60000}},
    {.name = "duel", .rules = {.size = 2, .size_min = 2, .party_max = 1, .timeout_ms = 5000}},
};

static void start(struct world *w)
{
    struct lobby_config config = {
        .front = {.node = "ln-1", .peers_max = 8, .capacity = 6, .admit_timeout_ms = 5000},
        .modes = modes,
        .mode_count = 2,
        .matches_max = 2,
        .lb_count = 2,
        .frame_max = 16384,
        .retry_ms = 5000,
        .match_ttl_ms = 30000,
        .take_interval_ms = 1000,
        .match_interval_ms = 100,
        .lease_ms = 1500,
        .groups = true,
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
            n = snprintf(at, room, "> seek %s %s rating=%lld region=%s keyword=%s party=%s\n",
                         e->player, e->mode, (long long)e->rating, e->region, e->keyword, e->room);
            break;
        case LOBBY_DO_CANCEL:
            n = snprintf(at, room, "> %s %s\n", e->gone ? "gone" : "cancel", e->player);
            break;
        case LOBBY_DO_TICK:
            n = snprintf(at, room, "> tick\n");
            break;
        case LOBBY_DO_MAKE:
            n = snprintf(at, room, "> make %s groups=%u timeouts=%u\n", e->mode,
                         w->lobby.matcher.group_count, w->lobby.matcher.timeout_count);
            break;
        case LOBBY_DO_DROP:
            n = snprintf(at, room, "> drop %s\n", e->mode);
            break;
        case LOBBY_DO_PARTY:
            n = snprintf(at, room, "> party %d %s\n", e->party, e->player);
            memcpy(w->room, e->room, sizeof w->room);
            break;
        case LOBBY_DO_GROUP:
            n = snprintf(at, room, "> group %d %s %s %.*s\n", e->group, e->player, e->room,
                         SPAN_ARG(e->text));
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
        case LOBBY_DO_RELEASE:
            n = snprintf(at, room, "> release %s ticket=%s %.*s\n", e->room, e->ticket,
                         SPAN_ARG(e->text));
            break;
        case LOBBY_DO_FINISH:
            n = snprintf(at, room, "> finish %s\n", e->room);
            for (size_t r = 0; r < w->fx.result_count; r++)
                n += snprintf(at + n, room - (size_t)n, ">> %.*s %.*s\n",
                              SPAN_ARG(w->fx.results[r].player), SPAN_ARG(w->fx.results[r].text));
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

static void seek_answer(struct world *w, const char *player, enum seek_word word)
{
    step(w, (struct lobby_event){.kind = LOBBY_SEEK_DONE,
                                 .ok = true,
                                 .seek = word,
                                 .at_ms = 5000,
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

static void result(struct world *w, enum seek_result_kind kind, const char *player,
                   const char *room, const char *text, int64_t at_ms)
{
    step(w, (struct lobby_event){.kind = LOBBY_RESULT,
                                 .result = kind,
                                 .player = span_of(player),
                                 .room = span_of(room),
                                 .text = span_of(text),
                                 .at_ms = at_ms,
                                 .epoch = 9});
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
    expect(w, "> tick\n> take\n> sweep\n"); /* that tick is not answered: no others */
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
        cmocka_unit_test(test_cancel_and_its_race_with_a_match),
        cmocka_unit_test(test_the_newest_seek_wins),
        cmocka_unit_test(test_what_cannot_be_sought),
        cmocka_unit_test(test_a_match_that_is_undone_is_sought_again),
        cmocka_unit_test(test_a_seeker_whose_match_was_undone_waits_on),
        cmocka_unit_test(test_whom_a_leader_seeks_for_is_left_to_the_leader),
        cmocka_unit_test(test_seeking_again_counts_on),
        cmocka_unit_test(test_the_matcher_looks_proposes_and_drops_the_dead),
        cmocka_unit_test(test_parties_and_what_players_say),
        cmocka_unit_test(test_seek_times_out),
        cmocka_unit_test(test_a_match_that_nobody_finishes_ends_the_wait),
        cmocka_unit_test(test_who_hangs_up_leaves_the_queue_whatever_fails),
        cmocka_unit_test(test_a_player_who_is_back_is_no_ghost),
        cmocka_unit_test(test_seekers_are_queued_again_when_the_store_forgot),
        cmocka_unit_test(test_the_newest_connection_goes_on_seeking),
        cmocka_unit_test(test_draining_finishes_its_matches),
        cmocka_unit_test(test_long_ids_leave_the_list_of_players_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

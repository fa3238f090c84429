/* test_year.c - a year of a small world under the shipped scripts, in virtual time: nodes, lobby
 * nodes, balancers, players, matches and launches come and go, every one with a new name, and the
 * store holds no more at the end than it did after a month.
 *
 * The store is the simulator's. BERTH_YEAR_STEP_S: seconds between two looks at the world (7,200;
 * `make year` takes 900). */
#include "store/calls.h"
#include "tests/sim/keyspace_lua.h"
#include "tests/support/cmocka.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    NODES = 4,
    LOBBIES = 2,
    SEEKERS = 6,
    DAY_S = 86400,
    DAYS = 365,
    WARM_DAYS = 30,
    STREAM_MAX = 100,
    EVENTS_MAX = 100000, /* what the scripts themselves write with */
    DAY_MS = DAY_S * 1000,
};

struct member {
    char name[32];
    int64_t epoch, seq;
};

static struct {
    struct keyspace *ks;
    struct keyspace_lua *lua;
    struct keys keys;
    struct store_call call;
    struct reply *reply;
    struct err err;
    int64_t now_s;
    uint64_t serial, calls;
    struct member nodes[NODES], lobbies[LOBBIES];
    char owner[CALL_HOLDER_MAX], leader[CALL_HOLDER_MAX];
} w;

/* ---- one call ---- */

static struct store_answer run(int code)
{
    struct store_answer answer;
    if (code < 0)
        fail_msg("%s", w.err.text);
    reply_free(w.reply);
    w.reply = reply_new();
    keyspace_eval(w.lua, w.ks, w.call.script, w.call.keys, w.call.nkeys, w.call.argv, w.call.argc,
                  w.reply, &w.reply->root);
    if (calls_decode(w.call.script, &w.reply->root, &answer, &w.err) < 0)
        fail_msg("%s", w.err.text);
    w.calls++;
    return answer;
}
#define SAY(name, ...)                                                                             \
    run(calls_##name(&w.call, &w.keys, &(const struct call_##name){__VA_ARGS__}, &w.err))

static void pass(int64_t ms)
{
    keyspace_set_time(w.ks, w.ks->now_us + ms * 1000);
}

static void name_new(char ret_name[32], const char *what)
{
    (void)snprintf(ret_name, 32, "%s-%" PRIu64, what, ++w.serial);
}

/* ---- nodes ---- */

static void hold(enum move_role role, const char *name, char holder[CALL_HOLDER_MAX])
{
    struct store_answer a =
        SAY(lease, .role = role, .op = LEASE_OP_ACQUIRE, .name = name, .epoch = 5, .ttl_ms = 10000);
    assert_int_equal(a.word, ANSWER_OK);
    calls_holder(name, 5, a.token, holder);
}

static void node_begin(struct member *node)
{
    name_new(node->name, "node");
    node->seq = 0;
    struct store_answer a =
        SAY(join, .node = node->name, .nonce = node->name,
            .info = SPAN("{\"endpoint\":\"ws://127.0.0.1:1/ws\",\"capacity\":100}"), .contract = 1,
            .lost_after_ms = 3000, .feed_max = STREAM_MAX);
    assert_int_equal(a.word, ANSWER_OK);
    node->epoch = a.epoch;
    a = SAY(move, .role = MOVE_OWNER, .holder = w.owner, .node = node->name,
            .node_epoch = node->epoch, .from = NODE_JOINING, .to = NODE_READY, .why = "proved",
            .feed_max = STREAM_MAX);
    assert_int_equal(a.word, ANSWER_OK);
    (void)SAY(want, .node = node->name, .who = WANT_BY_OPERATOR, .kind = WANT_HELD, .why = "look",
              .feed_max = STREAM_MAX); /* and nobody ever takes it back */
}

static void nodes_report(void)
{
    for (int i = 0; i < NODES; i++) {
        char record[128];
        int n = snprintf(record, sizeof record,
                         "v=1 epoch=%" PRId64 " seq=%" PRId64
                         " conns=3 hs=0 cap=100 rooms=1 adm=- closed=0 drain=0 pid=1",
                         w.nodes[i].epoch, w.nodes[i].seq + 1);
        struct store_answer a = SAY(report, .node = w.nodes[i].name, .epoch = w.nodes[i].epoch,
                                    .seq = ++w.nodes[i].seq, .record = {record, (size_t)n},
                                    .conns = 3, .feed_max = STREAM_MAX, .room_ttl_ms = 60000);
        assert_int_equal(a.word, ANSWER_OK);
    }
    struct store_answer a = SAY(sweep, .holder = w.owner, .lost_after_ms = 3000,
                                .forget_after_ms = 60000, .limit = 100, .feed_max = STREAM_MAX);
    assert_int_equal(a.word, ANSWER_OK);
}

/* ---- players ---- */

static void rooms(void)
{
    char room[32], player[32];
    name_new(room, "room");
    name_new(player, "player");
    const struct span players[] = {span_of(player)};
    const struct member *node = &w.nodes[w.serial % NODES];
    (void)SAY(room, .room = span_of(room), .node = node->name, .epoch = node->epoch, .seats = 1,
              .ttl_ms = 60000, .issuer = "lb-a", .issuer_epoch = 7, .alive_ms = 31000,
              .players = players, .player_count = 1);
    if (w.serial % 2) /* the other half just ends */
        (void)SAY(room_end, .room = span_of(room), .players = players, .player_count = 1);
}

static void lobby_begin(struct member *lobby)
{
    name_new(lobby->name, "lobby");
    lobby->epoch = (int64_t)w.serial;
}

static const struct call_stream stream = {STREAM_MAX, 600000};

static struct store_answer tick(const struct member *lobby)
{
    return SAY(seek_tick, .lobby = lobby->name, .lobby_epoch = lobby->epoch, .lease_ms = 1500,
               .matcher_ms = 1, .limit = 100, .stream_ttl_ms = 600000);
}

static void seek(const struct member *lobby, const char *mode)
{
    char names[SEEKERS][32];
    struct call_seek_one seeks[SEEKERS];
    for (int i = 0; i < SEEKERS; i++) {
        name_new(names[i], "seeker");
        seeks[i] = (struct call_seek_one){
            .player = span_of(names[i]), .mode = span_of(mode), .party_max = 4};
    }
    (void)SAY(seek, .lobby = lobby->name, .lobby_epoch = lobby->epoch, .lease_ms = 1500,
              .queue_max = 1000, .keep_ms = 60000, .stream = stream, .seeks = seeks,
              .count = SEEKERS);
    (void)SAY(seek_cancel, .seeker = span_of(names[0]), .lobby = lobby->name,
              .lobby_epoch = lobby->epoch, .gone = w.serial % 2, .stream = stream);
}

/* Of an entry: `since|rating|region|keyword|player/lobby/epoch`. */
static struct span player_of(const char *entry)
{
    struct span player = span_of(entry);
    for (int bar = 0; bar < 4; bar++)
        (void)span_cut(&player, '|');
    return span_cut(&player, '/');
}

/* What the matcher does with a queue: matches of two, of those whose lobby node lives; those of the
 * dead are dropped. One of each round is never finished. */
static void make(const struct member *lobby, const char *mode)
{
    static char text[100][CALL_ENTRY_MAX];
    size_t count = 0;
    struct store_answer a = tick(lobby);
    for (size_t i = 0; i < a.list2->count; i++)
        if (span_is(a.list2->items[i].items[0].text, mode))
            for (size_t k = 0; k < a.list2->items[i].items[3].count && count < 100; k++, count++)
                assert_true(span_copy(a.list2->items[i].items[3].items[k].text, text[count],
                                      sizeof text[count]));
    const struct call_seek_drop drop = {.mode = span_of(mode), .lost = true, .stream = stream};
    if (count > 0) {
        assert_int_equal(calls_seek_drop_begin(&w.call, &w.keys, &drop, &w.err), 0);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(calls_seek_drop_add(&w.call, span_of(text[i])), 0);
        (void)run(0);
    }
    const struct call_seek_make request = {.mode = span_of(mode),
                                           .retry_ms = 1000,
                                           .match_ttl_ms = 60000,
                                           .size_min = 1,
                                           .stream_max = STREAM_MAX};
    for (size_t i = 0; i + 1 < count; i += 2) {
        char room[32];
        const struct span entries[] = {span_of(text[i]), span_of(text[i + 1])};
        name_new(room, "match");
        assert_int_equal(calls_seek_make_begin(&w.call, &w.keys, &request, &w.err), 0);
        assert_int_equal(calls_seek_make_add(&w.call, span_of(room), 0, entries, 2), 0);
        (void)run(0);
        const struct call_seek_result results[] = {{player_of(text[i]), SPAN("{}")},
                                                   {player_of(text[i + 1]), SPAN("{}")}};
        if (i > 0)
            (void)SAY(seek_finish, .room = span_of(room), .results = results, .result_count = 2,
                      .stream_max = STREAM_MAX, .group_ttl_ms = 60000);
    }
    (void)SAY(seek_take, .retry_ms = 1000, .limit = 100);
    char cursor[24] = "0";
    do {
        a = SAY(seek_sweep, .cursor = span_of(cursor), .limit = 1000, .keep_ms = 60000);
        assert_true(span_copy(a.text, cursor, sizeof cursor));
    } while (strcmp(cursor, "0") != 0);
}

static void parties(const struct member *lobby)
{
    char code[32];
    name_new(code, "party");
    (void)SAY(party, .op = PARTY_CREATE, .code = span_of(code), .player = SPAN("ann"),
              .lobby = lobby->name, .lobby_epoch = lobby->epoch, .size_max = 4, .ttl_ms = 3600000,
              .stream = stream);
}

/* ---- the others ---- */

static void scaler(void)
{
    char token[32], id[48];
    name_new(token, "launch");
    const struct call_plan_change put = {span_of(token), SPAN("op=launch count=1")};
    (void)SAY(plan, .holder = w.leader, .changes = &put, .change_count = 1, .fields_max = 64);
    const struct call_plan_change take = {span_of(token), {NULL, 0}};
    (void)SAY(plan, .holder = w.leader, .changes = &take, .change_count = 1, .fields_max = 64);
    for (int i = 0; i < 2; i++)
        (void)SAY(event, .history = i == 0, .minutes = i == 1, .kind = "figures", .name = "-",
                  .detail = SPAN("ready=4 players=12"), .stream_max = STREAM_MAX);
    (void)SAY(event, .kind = "scale_out", .name = "-", .detail = SPAN("from=3 to=4 why=votes"),
              .stream_max = EVENTS_MAX);
    (void)snprintf(id, sizeof id, "%" PRId64 "-0", w.ks->now_us / 1000);
    (void)SAY(alerted, .destination = "ops", .id = id, .ttl_ms = 8 * (int64_t)DAY_MS);
}

static void enroll(const char *kind, int64_t each_s)
{
    char id[48];
    (void)snprintf(id, sizeof id, "%s/%c-%" PRId64, kind, kind[0], w.now_s / each_s);
    struct store_answer a =
        SAY(enroll, .id = id, .nonce = id + strlen(kind) + 1, .url = "http://h:1", .live_ms = 3000);
    assert_int_equal(a.word, ANSWER_OK);
}

static void step(int64_t number)
{
    char mode[32];
    hold(MOVE_OWNER, "lb-a", w.owner);
    hold(MOVE_LEADER, "as-1", w.leader);
    enroll("lb", 2 * DAY_S); /* another name every two days */
    enroll("autoscale", DAY_S);
    nodes_report();
    pass(100);
    if (number % 3 == 0)
        node_begin(&w.nodes[number / 3 % NODES]); /* the one before it dies */
    if (number % 6 == 0)
        lobby_begin(&w.lobbies[number / 6 % LOBBIES]);
    rooms();
    rooms();
    for (int i = 0; i < LOBBIES; i++)
        (void)tick(&w.lobbies[i]);
    (void)snprintf(mode, sizeof mode, "mode-%" PRId64, number / 12); /* a new one each day */
    seek(&w.lobbies[0], "default");
    seek(&w.lobbies[1], mode);
    pass(100);
    make(&w.lobbies[0], "default");
    parties(&w.lobbies[number % LOBBIES]);
    scaler();
}

/* ---- the year ---- */

struct sight {
    size_t keys, bytes;
};

/* `events` is for itself: what was filled in is shorter than what takes its place. */
static size_t events_bytes(void)
{
    const struct object *events = keyspace_get(w.ks, keys_get(&w.keys, KEY_EVENTS));
    size_t bytes = 0;
    assert_in_range(events->end - events->first, EVENTS_MAX, EVENTS_MAX + 100);
    for (size_t i = events->first; i < events->end; i++)
        bytes += events->entries[i].len + 2 * sizeof(int64_t);
    return bytes;
}

static struct sight look(void)
{
    size_t keys = keyspace_purge(w.ks);
    return (struct sight){keys, keyspace_bytes(w.ks) - events_bytes()};
}

static struct sight most(struct sight a, struct sight b)
{
    return (struct sight){a.keys > b.keys ? a.keys : b.keys, a.bytes > b.bytes ? a.bytes : b.bytes};
}

/* All keys with what they hold, for whoever has to find out. */
static void tell(void)
{
    for (const struct dict_entry *e = w.ks->keys.oldest; e != NULL; e = e->newer) {
        const struct object *o = e->object;
        print_message("  %s: %zu fields, %zu entries\n", e->key, o->dict.count, o->end - o->first);
    }
}

static void fill_events(void)
{
    for (int i = 0; i < EVENTS_MAX + 200; i++)
        (void)SAY(event, .kind = "scale_out", .name = "-", .detail = SPAN("from=3 to=4 why=votes"),
                  .stream_max = EVENTS_MAX);
}

static void test_a_year_leaves_nothing_behind(void **state)
{
    const char *text = getenv("BERTH_YEAR_STEP_S");
    int64_t step_s = text ? atoll(text) : 7200, begin_s = w.now_s, number = 0;
    assert_in_range(step_s, 60, 14400);
    struct sight first = {0, 0}, last = {0, 0};
    hold(MOVE_OWNER, "lb-a", w.owner);
    for (int i = 0; i < NODES; i++)
        node_begin(&w.nodes[i]);
    for (int i = 0; i < LOBBIES; i++)
        lobby_begin(&w.lobbies[i]);
    fill_events(); /* the one stream that takes longer than a month to fill */
    for (int64_t day = 0; day < DAYS; day++) {
        for (; w.now_s < begin_s + (day + 1) * DAY_S; w.now_s += step_s) {
            keyspace_set_time(w.ks, w.now_s * 1000000);
            step(number++);
            if (day >= WARM_DAYS && day < 2 * WARM_DAYS)
                first = most(first, look());
            else if (day >= DAYS - WARM_DAYS)
                last = most(last, look());
        }
    }
    printf("year: days=%d calls=%" PRIu64 " names=%" PRIu64
           " keys_first=%zu keys_last=%zu bytes_first=%zu bytes_last=%zu\n",
           DAYS, w.calls, w.serial, first.keys, last.keys, first.bytes, last.bytes);
    if (last.keys > first.keys + 2 || last.bytes > first.bytes + first.bytes / 50 ||
        first.keys < 20) {
        tell();
        fail_msg("%zu keys of %zu bytes after two months, %zu of %zu after a year", first.keys,
                 first.bytes, last.keys, last.bytes);
    }
}

static int begin(void **state)
{
    w.ks = keyspace_create();
    w.now_s = 1700006400; /* midnight */
    keyspace_set_time(w.ks, w.now_s * 1000000);
    w.lua = keyspace_lua_create(scripts_table, &w.err);
    return w.ks && w.lua ? keys_init(&w.keys, "berth", "p", &w.err) : -1;
}

static int end(void **state)
{
    reply_free(w.reply);
    keyspace_lua_destroy(w.lua);
    keyspace_destroy(w.ks);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_year_leaves_nothing_behind, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

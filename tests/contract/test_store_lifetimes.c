/* Nothing in Redis grows for ever: every key is one that docs/redis.md lists, and has a lifetime or
 * a bound. */
#include "tests/support/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END ((enum node_state)(NODE_GONE + 1))

/* Every key of the contract. bound: what bounds it, when it is not a time to live. */
static const struct {
    const char *prefix; /* after "berth:{p}:" */
    const char *type;
    bool whole; /* the name is just this */
    bool expires;
    int64_t bound; /* at most so many elements here; 0: a single value */
} contract[] = {
    {"load", "zset", true, false, 2},          {"nodes", "hash", true, false, 2},
    {"epoch", "string", true, false, 0},       {"reports", "hash", true, false, 2},
    {"beats", "zset", true, false, 2},         {"states", "hash", true, false, 2},
    {"wants", "hash", true, false, 4},         {"feed", "stream", true, false, 300},
    {"owner", "string", true, true, 0},        {"leader", "string", true, true, 0},
    {"fence", "string", true, false, 0},       {"peers", "hash", true, false, 256},
    {"plan", "hash", true, false, 5},          {"events", "stream", true, false, 100200},
    {"history", "stream", true, false, 300},   {"history:minutes", "stream", true, false, 300},
    {"room:", "string", false, true, 0},       {"player:", "string", false, true, 0},
    {"claims:", "hash", false, true, 8},       {"seek:queue:", "zset", false, true, 1000},
    {"seek:seekers", "hash", true, true, 0},   {"seek:matches", "zset", true, true, 0},
    {"seek:match:", "string", false, true, 0}, {"seek:results:", "stream", false, true, 300},
    {"seek:lobbies", "zset", true, true, 2},   {"seek:matcher", "string", true, true, 0},
    {"seek:modes", "zset", true, true, 64},    {"seek:party:", "hash", false, true, 33},
    {"seek:group:", "hash", false, true, 32},  {"seek:told:", "string", false, true, 0},
};
enum { KEYS = sizeof contract / sizeof *contract };

static int64_t length_of(const char *key, const char *type)
{
    const char *command = strcmp(type, "hash") == 0   ? "HLEN"
                          : strcmp(type, "zset") == 0 ? "ZCARD"
                                                      : "XLEN";
    return redis_client_int(fx.client, command, key, NULL);
}

static void check_key(const char *key, bool seen[KEYS])
{
    assert_memory_equal(key, "berth:{p}:", 10);
    const char *rest = key + 10;
    for (size_t i = 0; i < KEYS; i++) {
        size_t len = strlen(contract[i].prefix);
        if (strncmp(rest, contract[i].prefix, len) != 0 || (contract[i].whole && rest[len] != '\0'))
            continue;
        seen[i] = true;
        assert_string_equal(redis_client_text(fx.client, "TYPE", key, NULL), contract[i].type);
        int64_t ttl = redis_client_int(fx.client, "PTTL", key, NULL);
        if (contract[i].expires && ttl <= 0)
            fail_msg("%s has no time to live", key);
        if (contract[i].bound && length_of(key, contract[i].type) > contract[i].bound)
            fail_msg("%s grew over its bound", key);
        return;
    }
    fail_msg("%s is not in the contract", key);
}

/* A whole life of a pool: everything is called, much more often than bounds allow entries. */
static void live(void)
{
    char owner[CALL_HOLDER_MAX], leader[CALL_HOLDER_MAX], name[24];
    const struct call_plan_change change = {SPAN("launch-1"), SPAN("n=1")};
    const struct span players[] = {SPAN("ann")}, rooms[] = {SPAN("r1"), SPAN("r2")};
    (void)snprintf(owner, sizeof owner, "%s", store_hold(MOVE_OWNER));
    (void)snprintf(leader, sizeof leader, "%s", store_hold(MOVE_LEADER));
    int64_t epoch = store_join("n", "x1");
    store_move_along("n", epoch, (const enum node_state[]){NODE_JOINING, NODE_READY, END});
    (void)SAY(enroll, .id = "lb/lb-a", .nonce = "x", .url = "u", .live_ms = 1000);
    (void)SAY(want, .node = "n", .who = WANT_BY_OPERATOR, .kind = WANT_HELD, .why = "w",
              .feed_max = 100);
    (void)SAY(room, .room = SPAN("r1"), .node = "n", .epoch = epoch, .seats = 1, .ttl_ms = 60000,
              .issuer = "lb-a", .issuer_epoch = 7, .alive_ms = 60000, .players = players,
              .player_count = 1);
    for (int64_t i = 1; i <= 1000; i++)
        (void)SAY(report, .node = "n", .epoch = epoch, .seq = i, .record = SPAN("v=1 conns=1"),
                  .conns = 1, .feed_max = 100, .room_ttl_ms = 60000, .rooms = rooms,
                  .room_count = 2);
    (void)SAY(plan, .holder = leader, .changes = &change, .change_count = 1, .fields_max = 5);
    for (int i = 0; i < 600; i++)
        for (int minutes = 0; minutes < 2; minutes++)
            (void)SAY(event, .history = !minutes, .minutes = minutes, .kind = "k", .name = "n",
                      .detail = SPAN("a=b"), .stream_max = 100);
    const struct call_stream stream = {100, 60000};
    (void)SAY(party, .op = PARTY_CREATE, .code = SPAN("c"), .player = SPAN("p"), .lobby = "l",
              .lobby_epoch = 1, .size_max = 4, .ttl_ms = 60000, .stream = stream);
    for (int i = 0; i < 405; i++) {
        (void)snprintf(name, sizeof name, "p%d", i);
        const struct call_seek_one one = {
            .player = span_of(name), .mode = SPAN("m"), .party_max = 1};
        (void)SAY(seek, .lobby = "l", .lobby_epoch = 1, .lease_ms = 600000, .queue_max = 1000,
                  .keep_ms = 1, .stream = stream, .seeks = &one, .count = 1);
        if (i > 401)
            continue;
        struct store_answer a = SAY(seek_tick, .lobby = "l", .lobby_epoch = 1, .lease_ms = 600000,
                                    .matcher_ms = 600000, .limit = 10, .stream_ttl_ms = 60000);
        char entry[128];
        assert_true(span_copy(a.list2->items[0].items[3].items[0].text, entry, sizeof entry));
        const struct call_seek_make make = {.mode = SPAN("m"),
                                            .retry_ms = 1,
                                            .match_ttl_ms = 60000,
                                            .size_min = 1,
                                            .stream_max = 100};
        const struct span entries[] = {span_of(entry)};
        store_encoded(calls_seek_make_begin(&fx.call, &fx.keys, &make, &fx.err));
        assert_int_equal(calls_seek_make_add(&fx.call, span_of(name), 0, entries, 1), 0);
        (void)store_run();
        if (i > 400)
            continue;
        const struct call_seek_result result = {span_of(name), SPAN("text")};
        (void)SAY(seek_finish, .room = span_of(name), .results = &result, .result_count = 1,
                  .stream_max = 100, .group_ttl_ms = 60000);
    }
    /* nodes that come and go leave nothing */
    for (int i = 0; i < 50; i++) {
        (void)snprintf(name, sizeof name, "m%d", i);
        epoch = store_join(name, "x2");
        (void)SAY(want, .node = name, .who = WANT_BY_AUTOSCALE, .holder = leader,
                  .kind = WANT_DRAINING, .why = "w", .feed_max = 100);
        store_move_along(name, epoch,
                         (const enum node_state[]){NODE_JOINING, NODE_LOST, NODE_GONE, END});
    }
    (void)SAY(sweep, .holder = owner, .lost_after_ms = 3000, .forget_after_ms = 60000, .limit = 10,
              .feed_max = 100);
}

static void test_every_key_is_documented_and_bounded(void **state)
{
    bool seen[KEYS] = {false};
    char keys[4096][128];
    size_t count = 0;
    live();
    const struct resp *r = redis_client_ask(fx.client, "KEYS", "*", NULL);
    assert_in_range(r->count, 15, 4096);
    for (; count < r->count; count++)
        assert_true(span_copy(r->items[count].text, keys[count], sizeof keys[count]));
    for (size_t i = 0; i < count; i++)
        check_key(keys[i], seen);
    for (size_t i = 0; i < KEYS; i++)
        if (!seen[i])
            fail_msg("no key like %s was made: the test does not look at it", contract[i].prefix);
}

static void test_the_document_lists_every_key_and_script(void **state)
{
    static char text[65536];
    char path[512], row[96];
    const char *source = getenv("BERTH_SOURCE");
    (void)snprintf(path, sizeof path, "%s/docs/redis.md", source ? source : ".");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    for (size_t i = 0; i < KEYS; i++) {
        (void)snprintf(row, sizeof row, "| `berth:{P}:%s%s", contract[i].prefix,
                       contract[i].whole ? "`" : "<");
        if (!strstr(text, row))
            fail_msg("docs/redis.md has no row %s", row);
    }
    for (size_t i = 0; i < SCRIPT_COUNT; i++) {
        (void)snprintf(row, sizeof row, "\n| %s | ", scripts_table[i].name);
        if (!strstr(text, row))
            fail_msg("docs/redis.md has no row for the script %s", scripts_table[i].name);
        (void)snprintf(row, sizeof row, "\n**%s**", scripts_table[i].name);
        if (!strstr(text, row))
            fail_msg("docs/redis.md does not tell about the script %s", scripts_table[i].name);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, store_clean)
    const struct CMUnitTest tests[] = {
        T(test_every_key_is_documented_and_bounded),
        T(test_the_document_lists_every_key_and_script),
    };
    return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}

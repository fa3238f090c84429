/* Calls and answers without a Redis. What the scripts do with them is in tests/contract. */
#include "store/calls.h"
#include "tests/support/cmocka.h"

static struct keys keys;

static int setup(void **state)
{
    return keys_init(&keys, "b", "p", NULL);
}

static void test_a_call_holds_its_own_text(void **state)
{
    static struct store_call call, copy;
    char node[8] = "n1";
    const struct call_report req = {.node = node,
                                    .epoch = 7,
                                    .seq = 3,
                                    .record = SPAN("v=1"),
                                    .conns = 5,
                                    .full = true,
                                    .feed_max = 10,
                                    .room_ttl_ms = 9,
                                    .rooms = (const struct span[]){SPAN("r1")},
                                    .room_count = 1};
    assert_int_equal(calls_report(&call, &keys, &req, NULL), 0);
    node[0] = 'x';
    store_call_copy(&copy, &call);
    memset(&call, 0, sizeof call);
    assert_int_equal(copy.script, SCRIPT_REPORT);
    assert_int_equal(copy.nkeys, 6);
    assert_true(span_is(copy.keys[0], "b:{p}:reports"));
    assert_true(span_is(copy.keys[5], "b:{p}:room:r1"));
    static const char *const argv[] = {"n1", "7", "3", "v=1", "5", "1", "10", "9"};
    assert_int_equal(copy.argc, 8);
    for (size_t i = 0; i < 8; i++)
        assert_true(span_is(copy.argv[i], argv[i]));
}

static void test_bad_arguments_are_named(void **state)
{
    static struct store_call call;
    struct err err = {0};
    assert_int_equal(calls_lease(&call, &keys,
                                 &(const struct call_lease){
                                     .op = LEASE_OP_RENEW, .name = "a b", .epoch = 1, .ttl_ms = 1},
                                 &err),
                     BERTH_EINVAL);
    assert_non_null(strstr(err.text, "lease: name"));
    assert_int_equal(calls_lease(&call, &keys,
                                 &(const struct call_lease){
                                     .op = LEASE_OP_NONE, .name = "a", .epoch = 1, .ttl_ms = 1},
                                 &err),
                     BERTH_EINVAL);
    assert_int_equal(calls_lease(&call, &keys,
                                 &(const struct call_lease){
                                     .op = LEASE_OP_RENEW, .name = "a", .epoch = 0, .ttl_ms = 1},
                                 &err),
                     BERTH_EINVAL);
    assert_non_null(strstr(err.text, "epoch: must be 1.."));
    assert_int_equal(calls_want(&call, &keys,
                                &(const struct call_want){
                                    .node = "n", .kind = WANT_READY, .why = "", .feed_max = 1},
                                &err),
                     BERTH_EINVAL);
    assert_non_null(strstr(err.text, "want: why"));
    assert_int_equal(calls_want(&call, &keys,
                                &(const struct call_want){
                                    .node = "*all", .kind = WANT_READY, .why = "x", .feed_max = 1},
                                &err),
                     BERTH_EINVAL);
    assert_int_equal(calls_want(&call, &keys,
                                &(const struct call_want){.node = "n",
                                                          .who = WANT_BY_AUTOSCALE,
                                                          .kind = WANT_READY,
                                                          .why = "x",
                                                          .feed_max = 1},
                                &err),
                     BERTH_EINVAL);
    assert_non_null(strstr(err.text, "holder"));
    assert_int_equal(calls_room(&call, &keys,
                                &(const struct call_room){
                                    .room = SPAN("a/b"), .node = "n", .epoch = 1, .ttl_ms = 1},
                                &err),
                     BERTH_EINVAL);
    assert_int_equal(calls_room(&call, &keys,
                                &(const struct call_room){.room = SPAN("a"),
                                                          .node = "n",
                                                          .epoch = 1,
                                                          .ttl_ms = 1,
                                                          .issuer = "lb a",
                                                          .issuer_epoch = 1,
                                                          .alive_ms = 1},
                                &err),
                     BERTH_EINVAL);
    assert_non_null(strstr(err.text, "issuer"));
    assert_int_equal(
        calls_move(
            &call, &keys,
            &(const struct call_move){
                .holder = "just-a-name", .node = "n", .node_epoch = 1, .why = "x", .feed_max = 1},
            &err),
        BERTH_EINVAL);
    assert_non_null(strstr(err.text, "holder"));
    assert_int_equal(calls_enroll(&call, &keys,
                                  &(const struct call_enroll){
                                      .id = "cat/tom", .nonce = "x", .url = "u", .live_ms = 1},
                                  &err),
                     BERTH_EINVAL);
}

static void test_one_more_than_the_limits_is_refused(void **state)
{
    static struct store_call call;
    static char large[CALL_RESULT_MAX + 1];
    struct span ids[CALL_ROOMS_MAX + 1];
    struct call_seek_result results[CALL_PLAYERS_MAX + 1];
    memset(large, 'x', sizeof large);
    for (size_t i = 0; i <= CALL_ROOMS_MAX; i++)
        ids[i] = SPAN("0123456789012345678901234567890123456789012345678901234567890123");
    struct call_report report = {.node = "n",
                                 .epoch = 1,
                                 .seq = 1,
                                 .record = SPAN("v=1"),
                                 .feed_max = 1,
                                 .room_ttl_ms = 1,
                                 .rooms = ids,
                                 .room_count = CALL_ROOMS_MAX};
    assert_int_equal(calls_report(&call, &keys, &report, NULL), 0);
    report.room_count++;
    assert_int_equal(calls_report(&call, &keys, &report, NULL), BERTH_EINVAL);
    struct call_room room = {.room = ids[0],
                             .node = "n",
                             .epoch = 1,
                             .ttl_ms = 1,
                             .issuer = "lb-a",
                             .issuer_epoch = 1,
                             .alive_ms = 1,
                             .players = ids,
                             .player_count = CALL_PLAYERS_MAX};
    assert_int_equal(calls_room(&call, &keys, &room, NULL), 0);
    room.player_count++;
    assert_int_equal(calls_room(&call, &keys, &room, NULL), BERTH_EINVAL);
    for (size_t i = 0; i <= CALL_PLAYERS_MAX; i++)
        results[i] = (struct call_seek_result){ids[0], {large, 400}};
    struct call_seek_finish finish = {
        .room = ids[0], .results = results, .result_count = CALL_PLAYERS_MAX, .stream_max = 1};
    assert_int_equal(calls_seek_finish(&call, &keys, &finish, NULL), 0);
    for (size_t i = 0; i <= CALL_PLAYERS_MAX; i++)
        results[i].text.len = CALL_RESULT_MAX;
    assert_int_equal(calls_seek_finish(&call, &keys, &finish, NULL), 0);
    results[0].text.len++;
    assert_int_equal(calls_seek_finish(&call, &keys, &finish, NULL), BERTH_EINVAL);
    results[0].text.len = 1;
    finish.result_count++;
    assert_int_equal(calls_seek_finish(&call, &keys, &finish, NULL), BERTH_EINVAL);
    static char value[4096];
    struct call_plan_change changes[32];
    for (size_t i = 0; i < 32; i++)
        changes[i] = (struct call_plan_change){SPAN("field"), {value, sizeof value}};
    const struct call_plan plan = {
        .holder = "as-1 1 1", .changes = changes, .change_count = 32, .fields_max = 9};
    assert_int_equal(calls_plan(&call, &keys, &plan, NULL), BERTH_EFULL);
}

/* A list of texts and integers. */
#define T(lit)                                                                                     \
    {                                                                                              \
        .type = RESP_TEXT, .text = { lit, sizeof(lit) - 1 }                                        \
    }
#define I(n)                                                                                       \
    {                                                                                              \
        .type = RESP_INT, .integer = (n)                                                           \
    }
#define LIST(...)                                                                                  \
    ((struct resp){.type = RESP_LIST,                                                              \
                   .items = (const struct resp[]){__VA_ARGS__},                                    \
                   .count = sizeof((const struct resp[]){__VA_ARGS__}) / sizeof(struct resp)})

static void test_answers_are_decoded(void **state)
{
    struct store_answer a;
    struct resp r = LIST(T("STALE"), I(77), T("draining"), I(9));
    assert_int_equal(calls_decode(SCRIPT_MOVE, &r, &a, NULL), 0);
    assert_int_equal(a.word, ANSWER_STALE);
    assert_int_equal(a.now.ms, 77);
    assert_int_equal(a.state, NODE_DRAINING);
    assert_int_equal(a.epoch, 9);
    r = LIST(T("HELD"), I(1), T("lb-a 5 6"), I(300));
    assert_int_equal(calls_decode(SCRIPT_LEASE, &r, &a, NULL), 0);
    assert_true(span_is(a.holder, "lb-a 5 6"));
    assert_int_equal(a.ttl_ms, 300);
    r = LIST(T("UNKNOWN"), I(1), T("a later version says more"));
    assert_int_equal(calls_decode(SCRIPT_REPORT, &r, &a, NULL), 0);
}

static void test_what_is_no_answer_is_refused(void **state)
{
    struct store_answer a;
    struct err err = {0};
    struct resp error = {.type = RESP_ERROR, .text = SPAN("READONLY You can't write")};
    assert_int_equal(calls_decode(SCRIPT_LEASE, &error, &a, &err), BERTH_EPROTO);
    assert_string_equal(err.text, "lease: READONLY You can't write");
    struct resp bad = LIST(T("BAD"), T("ttl_ms"));
    assert_int_equal(calls_decode(SCRIPT_LEASE, &bad, &a, &err), BERTH_EINVAL);
    assert_string_equal(err.text, "lease: refused: ttl_ms");
    const struct resp wrong[] = {
        {.type = RESP_NIL},           {.type = RESP_LIST}, LIST(T("OK")),
        LIST(T("OK"), I(1)),          /* the token is missing */
        LIST(T("OK"), I(1), T("x")),  /* and of another kind */
        LIST(T("OK"), T("1"), I(1)),  /* now is no integer */
        LIST(T("MOVED"), I(1), I(1)), /* not a word of this script */
        LIST(I(1), I(1), I(1)),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(calls_decode(SCRIPT_LEASE, &wrong[i], &a, &err), BERTH_EPROTO);
    struct resp state_word = LIST(T("OK"), I(1), T("asleep"), LIST(I(1)));
    assert_int_equal(calls_decode(SCRIPT_REPORT, &state_word, &a, &err), BERTH_EPROTO);
}

static void test_matches_are_read(void **state)
{
    struct seek_match m;
    assert_int_equal(
        seek_match_parse(SPAN("room=r mode=m at=5 bots=2 leave=requeue min=1 "
                              "entries=1|-7|eu|-|a/l1/7;2|9|eu|k|b/l2/8,c/l3/9 left=x"),
                         &m, NULL),
        0);
    assert_int_equal(m.count, 3);
    assert_string_equal(m.players[1].lobby, "l2");
    assert_int_equal(m.players[2].lobby_epoch, 9);
    assert_int_equal(m.bots, 2);
    assert_string_equal(m.region, "eu");
    assert_int_equal(
        seek_match_parse(SPAN("room=r mode=m entries=1|0|eu|-|a/l/7;2|9|us|-|b/l/8"), &m, NULL), 0);
    assert_string_equal(m.region, "");
    static const char *const bad[] = {"",
                                      "room=r mode=m",
                                      "room=r entries=1|1|-|-|a/l/1",
                                      "room=r mode=m entries=1|1|-|-|a/l",
                                      "room=r mode=m entries=1|1|-|-|a/l/x",
                                      "room=r mode=m entries=1|1|-|-|a/l/1,",
                                      "room=r mode=m entries=a/l/1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(seek_match_parse(span_of(bad[i]), &m, NULL), BERTH_EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_holds_its_own_text),
        cmocka_unit_test(test_bad_arguments_are_named),
        cmocka_unit_test(test_one_more_than_the_limits_is_refused),
        cmocka_unit_test(test_answers_are_decoded),
        cmocka_unit_test(test_what_is_no_answer_is_refused),
        cmocka_unit_test(test_matches_are_read),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

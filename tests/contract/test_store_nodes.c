/* The scripts about a node's life, on a real Redis: join, report, restart in place. */
#include "core/record.h"
#include "store/node_info.h"
#include "tests/support/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define END ((enum node_state)(NODE_GONE + 1))
#define WAY(...) ((const enum node_state[]){__VA_ARGS__, END})

static const char *hget(const char *key, const char *field)
{
    return redis_client_text(fx.client, "HGET", key, field, NULL);
}

static struct store_answer join_as(const char *nonce, int64_t held)
{
    return SAY(join, .node = "n", .nonce = nonce, .info = TEST_INFO, .contract = 1, .epoch = held,
               .lost_after_ms = 3000, .feed_max = 1000);
}

static struct store_answer wish(enum want_who who, enum want_kind kind, int64_t until_ms)
{
    char holder[CALL_HOLDER_MAX] = "";
    if (who == WANT_BY_AUTOSCALE)
        (void)snprintf(holder, sizeof holder, "%s", store_hold(MOVE_LEADER));
    return SAY(want, .node = "n", .who = who, .holder = holder, .kind = kind,
               .why = "because I say so", .until = {until_ms}, .feed_max = 1000);
}

/* ---- join ---- */

static void test_join_writes_a_whole_node(void **state)
{
    struct store_answer a = join_as("nonce-1", 0);
    struct node_info info;
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.state, NODE_JOINING);
    assert_true(a.epoch >= a.now.ms);
    int64_t epoch = a.epoch;
    const char *json = hget("berth:{p}:nodes", "n");
    assert_int_equal(node_info_parse(span_of(json), &info, &fx.err), 0);
    assert_int_equal(info.epoch, epoch);
    assert_string_equal(info.nonce, "nonce-1");
    assert_string_equal(info.endpoint, "ws://127.0.0.1:1/ws");
    assert_int_equal(info.capacity, 100);
    assert_string_equal(store_state("n"), "joining");
    const char *report = hget("berth:{p}:reports", "n");
    assert_int_equal(store_field(report, "seq"), 0);
    assert_int_equal(store_field(report, "cap"), 100);
    assert_int_equal(store_field(report, "epoch"), epoch);
    assert_int_equal(store_load("n"), STORE_RED);
    assert_int_equal(redis_client_int(fx.client, "ZSCORE", "berth:{p}:beats", "n", NULL), fx.now);
    assert_memory_equal(store_last_feed(), "join state=joining", 18);
}

static void test_join_again_with_the_same_nonce_is_the_same_life(void **state)
{
    int64_t epoch = join_as("nonce-1", 0).epoch;
    int64_t told = redis_client_int(fx.client, "XLEN", "berth:{p}:feed", NULL);
    assert_int_equal(join_as("nonce-1", 0).epoch, epoch);
    assert_int_equal(redis_client_int(fx.client, "XLEN", "berth:{p}:feed", NULL), told);
    struct store_answer a = SAY(join, .node = "n", .nonce = "nonce-1",
                                .info = SPAN("{\"endpoint\":\"ws://other/ws\",\"capacity\":7}"),
                                .contract = 1, .lost_after_ms = 3000, .feed_max = 1000);
    assert_int_equal(a.epoch, epoch);
    struct node_info info;
    assert_int_equal(node_info_parse(span_of(hget("berth:{p}:nodes", "n")), &info, &fx.err), 0);
    assert_int_equal(info.capacity, 7);
    assert_int_equal(redis_client_int(fx.client, "XLEN", "berth:{p}:feed", NULL), told + 1);
}

static void test_join_refuses_a_name_that_lives(void **state)
{
    int64_t epoch = join_as("nonce-1", 0).epoch;
    struct store_answer a = join_as("nonce-2", 0);
    assert_int_equal(a.word, ANSWER_TAKEN);
    assert_int_equal(a.epoch, epoch);
    store_age("n", 2500);
    assert_int_equal(join_as("nonce-2", 0).word, ANSWER_TAKEN);
    store_age("n", 600); /* silent for lost_after */
    a = join_as("nonce-2", 0);
    assert_int_equal(a.word, ANSWER_OK);
    assert_true(a.epoch > epoch);
}

static void test_epochs_only_grow(void **state)
{
    (void)redis_client_ask(fx.client, "SET", "berth:{p}:epoch", "9000000000000", NULL);
    assert_int_equal(join_as("nonce-1", 0).epoch, 9000000000001);
    assert_int_equal(store_join("m", "nonce-2"), 9000000000002);
}

static void test_a_forgotten_process_keeps_its_epoch(void **state)
{
    int64_t epoch = join_as("nonce-1", 0).epoch;
    (void)redis_client_ask(fx.client, "FLUSHALL", NULL); /* the store lost everything */
    struct store_answer a = join_as("nonce-1", epoch);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.epoch, epoch);
    assert_true(join_as("nonce-1", epoch).epoch == epoch);
    /* but not when a younger one came in between */
    store_age("n", 10000);
    int64_t younger = join_as("nonce-2", 0).epoch;
    assert_true(younger > epoch);
    store_age("n", 10000);
    a = join_as("nonce-1", epoch);
    assert_int_equal(a.word, ANSWER_OK);
    assert_true(a.epoch > younger);
}

static void test_join_obeys_a_wish_that_is_in_force(void **state)
{
    int64_t epoch = join_as("nonce-1", 0).epoch;
    assert_true(epoch > 0);
    assert_int_equal(wish(WANT_BY_AUTOSCALE, WANT_DRAINING, 0).word, ANSWER_OK);
    store_age("n", 10000);
    assert_int_equal(join_as("nonce-2", 0).state, NODE_DRAINING);
    assert_string_equal(store_state("n"), "draining");
    assert_int_equal(wish(WANT_BY_OPERATOR, WANT_READY, 0).word, ANSWER_OK); /* comes first */
    store_age("n", 10000);
    assert_int_equal(join_as("nonce-3", 0).state, NODE_JOINING);
}

static void test_join_ignores_a_wish_that_expired(void **state)
{
    int64_t epoch = join_as("nonce-1", 0).epoch;
    assert_true(epoch > 0);
    (void)redis_client_ask(fx.client, "HSET", "berth:{p}:wants", "n|operator",
                           "want=draining until=1000 since=1 why=x", NULL);
    store_age("n", 10000);
    assert_int_equal(join_as("nonce-2", 0).state, NODE_JOINING);
}

static void test_a_new_process_does_not_inherit_its_own_wish(void **state)
{
    assert_int_equal(join_as("nonce-1", 0).word, ANSWER_OK);
    assert_int_equal(wish(WANT_BY_NODE, WANT_DRAINING, 0).word, ANSWER_OK);
    store_age("n", 10000);
    assert_int_equal(join_as("nonce-2", 0).state, NODE_JOINING);
    assert_int_equal(redis_client_int(fx.client, "HEXISTS", "berth:{p}:wants", "n|node", NULL), 0);
}

static void test_join_refuses_bad_arguments(void **state)
{
    static const struct {
        const char *node, *nonce, *info, *contract, *held, *lost_after, *feed_max, *named;
    } cases[] = {
        {"a b", "x", "{}", "1", "0", "1", "1", "node"},
        {"n", "a b", "{}", "1", "0", "1", "1", "nonce"},
        {"n", "x", "[]", "1", "0", "1", "1", "info"},
        {"n", "x", "{\"epoch\":1}", "1", "0", "1", "1", "info"},
        {"n", "x", "{\n}", "1", "0", "1", "1", "info"},
        {"n", "x", "{}", "0", "0", "1", "1", "contract"},
        {"n", "x", "{}", "1", "-1", "1", "1", "held_epoch"},
        {"n", "x", "{}", "1", "0", "0", "1", "lost_after_ms"},
        {"n", "x", "{}", "1", "0", "1", "no", "feed_max"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct resp *r = redis_client_ask(
            fx.client, "EVAL", scripts_table[SCRIPT_JOIN].text, "9", "berth:{p}:nodes",
            "berth:{p}:epoch", "berth:{p}:reports", "berth:{p}:beats", "berth:{p}:states",
            "berth:{p}:load", "berth:{p}:wants", "berth:{p}:feed", "berth:{p}:events",
            cases[i].node, cases[i].nonce, cases[i].info, cases[i].contract, cases[i].held,
            cases[i].lost_after, cases[i].feed_max, NULL);
        assert_non_null(r);
        assert_int_equal(r->type, RESP_LIST);
        assert_string_equal(r->items[0].text.ptr, "BAD");
        assert_string_equal(r->items[1].text.ptr, cases[i].named);
        struct store_answer a;
        assert_int_equal(calls_decode(SCRIPT_JOIN, r, &a, &fx.err), BERTH_EINVAL);
    }
    assert_int_equal(redis_client_int(fx.client, "DBSIZE", NULL), 0);
}

/* ---- report ---- */

static void test_report_writes_everything_and_answers_the_state(void **state)
{
    int64_t epoch = store_join("n", "nonce-1");
    store_age("n", 900);
    struct store_answer a = store_report("n", epoch, 1, 42);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.state, NODE_JOINING);
    assert_int_equal(a.list->count, 0);
    const char *report = hget("berth:{p}:reports", "n");
    assert_int_equal(store_field(report, "conns"), 42);
    assert_int_equal(store_field(report, "at"), fx.now);
    assert_int_equal(redis_client_int(fx.client, "ZSCORE", "berth:{p}:beats", "n", NULL), fx.now);
    assert_int_equal(store_load("n"), STORE_RED + 42); /* not ready: red */
    assert_memory_equal(store_last_feed(), "report v=1 ", 11);
    store_move_along("n", epoch, WAY(NODE_JOINING, NODE_READY));
    assert_int_equal(store_load("n"), 42);
    assert_int_equal(store_report("n", epoch, 2, 99).state, NODE_READY);
    assert_int_equal(store_load("n"), 99);
    assert_int_equal(store_report("n", epoch, 3, 100).state, NODE_READY); /* full */
    assert_int_equal(store_load("n"), STORE_RED + 100);
}

static void test_report_twice_or_late_changes_nothing(void **state)
{
    int64_t epoch = store_join("n", "nonce-1");
    assert_int_equal(store_report("n", epoch, 5, 50).word, ANSWER_OK);
    store_age("n", 700);
    int64_t beat = redis_client_int(fx.client, "ZSCORE", "berth:{p}:beats", "n", NULL);
    int64_t told = redis_client_int(fx.client, "XLEN", "berth:{p}:feed", NULL);
    for (int64_t seq = 4; seq <= 5; seq++) {
        struct store_answer a = store_report("n", epoch, seq, 1);
        assert_int_equal(a.word, ANSWER_OK);
        assert_int_equal(a.state, NODE_JOINING);
    }
    assert_int_equal(store_field(hget("berth:{p}:reports", "n"), "conns"), 50);
    assert_int_equal(redis_client_int(fx.client, "ZSCORE", "berth:{p}:beats", "n", NULL), beat);
    assert_int_equal(redis_client_int(fx.client, "XLEN", "berth:{p}:feed", NULL), told);
}

static void test_report_of_nobody_known(void **state)
{
    assert_int_equal(store_report("n", 5, 1, 1).word, ANSWER_UNKNOWN);
    int64_t epoch = store_join("n", "nonce-1");
    assert_int_equal(store_report("n", epoch + 1, 1, 1).word, ANSWER_UNKNOWN);
    struct store_answer a = store_report("n", epoch - 1, 1, 1);
    assert_int_equal(a.word, ANSWER_SUPERSEDED);
    assert_int_equal(a.epoch, epoch);
    assert_int_equal(store_field(hget("berth:{p}:reports", "n"), "seq"), 0);
}

static void test_report_does_not_bring_back_a_lost_node(void **state)
{
    int64_t epoch = store_join("n", "nonce-1");
    store_move_along("n", epoch, WAY(NODE_JOINING, NODE_READY, NODE_LOST));
    assert_int_equal(store_report("n", epoch, 1, 3).state, NODE_LOST);
    assert_int_equal(store_load("n"), STORE_RED + 3);
}

static struct store_answer report_rooms(const char *node, int64_t epoch, int64_t seq,
                                        const struct span *rooms, size_t count)
{
    return SAY(report, .node = node, .epoch = epoch, .seq = seq, .record = SPAN("v=1"), .conns = 1,
               .feed_max = 1000, .room_ttl_ms = 60000, .rooms = rooms, .room_count = count);
}

static void test_report_keeps_its_own_rooms_and_names_those_of_others(void **state)
{
    int64_t epoch = store_join("n", "nonce-1"), other = store_join("m", "nonce-2");
    char mine[128], theirs[128], former[128];
    (void)snprintf(mine, sizeof mine, "node=n epoch=%lld seats=4 since=1 moved=0",
                   (long long)epoch);
    (void)snprintf(theirs, sizeof theirs, "node=m epoch=%lld seats=4 since=1 moved=0",
                   (long long)other);
    (void)snprintf(former, sizeof former, "node=n epoch=%lld seats=4 since=1 moved=0",
                   (long long)epoch - 1);
    (void)redis_client_ask(fx.client, "SET", "berth:{p}:room:mine", mine, "PX", "5000", NULL);
    (void)redis_client_ask(fx.client, "SET", "berth:{p}:room:theirs", theirs, "PX", "5000", NULL);
    (void)redis_client_ask(fx.client, "SET", "berth:{p}:room:former", former, "PX", "5000", NULL);
    const struct span rooms[] = {SPAN("mine"), SPAN("theirs"), SPAN("forgotten"), SPAN("former")};
    struct store_answer a = report_rooms("n", epoch, 1, rooms, 4);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.list->count, 2);
    assert_int_equal(a.list->items[0].integer, 2);
    assert_int_equal(a.list->items[1].integer, 4);
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:room:mine", NULL), 50000, 60000);
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:room:theirs", NULL), 1, 5000);
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:room:former", NULL), 1, 5000);
    const char *again = redis_client_text(fx.client, "GET", "berth:{p}:room:forgotten", NULL);
    assert_int_equal(store_field(again, "epoch"), epoch);
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:room:forgotten", NULL), 50000,
                    60000);
}

/* ---- restart in place ---- */

static struct store_answer join_node(const char *node, const char *nonce, int64_t held)
{
    return SAY(join, .node = node, .nonce = nonce,
               .info = SPAN("{\"endpoint\":\"ws://127.0.0.1:1/ws\",\"capacity\":100}"),
               .contract = 1, .epoch = held, .lost_after_ms = 3000, .feed_max = 1000);
}

static struct store_answer room_at(const char *node, int64_t epoch)
{
    return SAY(room, .room = SPAN("r1"), .node = node, .epoch = epoch, .seats = 4, .ttl_ms = 60000,
               .issuer = "lb-a", .issuer_epoch = 7, .alive_ms = 31000);
}

static void test_a_process_is_succeeded_by_the_one_that_it_named(void **state)
{
    int64_t epoch = store_join("n", "0123456789abcdef0123456789abcdef");
    store_move_along("n", epoch, WAY(NODE_JOINING, NODE_READY));
    assert_int_equal(room_at("n", epoch).word, ANSWER_OK);
    char old[64], wanted[128];
    (void)snprintf(old, sizeof old, "n~%lld", (long long)epoch);
    struct store_answer a = join_node(old, "0123456789abcdef0123456789abcdef", epoch);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.epoch, epoch);
    assert_int_equal(a.state, NODE_DRAINING);
    (void)snprintf(wanted, sizeof wanted, "%s|node", old);
    assert_non_null(strstr(hget("berth:{p}:wants", wanted), "want=draining"));
    assert_memory_equal(store_last_feed(), "want who=node want=draining", 27);
    /* A stranger waits for lost_after, the heir does not. */
    assert_int_equal(join_node("n", "fedcba9876543210", 0).word, ANSWER_TAKEN);
    assert_int_equal(join_node("n", "fedcba9876543210~0123456789abcde", 0).word, ANSWER_TAKEN);
    a = join_node("n", "fedcba9876543210~0123456789abcdef", 0);
    assert_int_equal(a.word, ANSWER_OK);
    assert_true(a.epoch > epoch);
    assert_int_equal(a.state, NODE_READY);
    assert_int_equal(store_report("n", epoch, 9, 3).word, ANSWER_SUPERSEDED);
    /* The room is where its players are, whoever asks first. */
    struct store_answer room = room_at("n", a.epoch);
    assert_int_equal(room.word, ANSWER_HAVE);
    assert_true(span_is(room.node, old));
    assert_int_equal(room.epoch, epoch);
}

static void test_rooms_follow_the_process_that_is_succeeded(void **state)
{
    int64_t epoch = store_join("n", "0123456789abcdef0123456789abcdef");
    store_move_along("n", epoch, WAY(NODE_JOINING, NODE_READY));
    assert_int_equal(room_at("n", epoch).word, ANSWER_OK);
    char old[64], record[96];
    (void)snprintf(old, sizeof old, "n~%lld", (long long)epoch);
    assert_int_equal(join_node(old, "0123456789abcdef0123456789abcdef", epoch).word, ANSWER_OK);
    const struct span rooms[] = {SPAN("r1")};
    struct store_answer a = report_rooms(old, epoch, 1, rooms, 1);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.list->count, 0);
    (void)snprintf(record, sizeof record, "node=%s epoch=%lld seats=4 since=", old,
                   (long long)epoch);
    const char *text = redis_client_text(fx.client, "GET", "berth:{p}:room:r1", NULL);
    assert_memory_equal(text, record, strlen(record));
    /* One of another life of the node is still a stranger's. */
    (void)redis_client_ask(fx.client, "SET", "berth:{p}:room:r1",
                           "node=n epoch=7 seats=4 since=1 moved=0", NULL);
    assert_int_equal(report_rooms(old, epoch, 2, rooms, 1).list->count, 1);
}

static void test_an_heir_of_a_node_that_is_not_ready_has_to_be_proved(void **state)
{
    (void)store_join("n", "0123456789abcdef0123456789abcdef");
    struct store_answer a = join_node("n", "fedcba9876543210~0123456789abcdef", 0);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.state, NODE_JOINING);
}

static void test_report_refuses_bad_arguments(void **state)
{
    static const struct {
        const char *epoch, *seq, *record, *conns, *named;
    } cases[] = {
        {"x", "1", "v=1", "1", "epoch"},  {"1", "0", "v=1", "1", "seq"},
        {"1", "1", "", "1", "record"},    {"1", "1", "v=1\n", "1", "record"},
        {"1", "1", "v=1", "-1", "conns"}, {"1", "1", "v=1", "1000000000", "conns"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct resp *r = redis_client_ask(
            fx.client, "EVAL", scripts_table[SCRIPT_REPORT].text, "5", "berth:{p}:reports",
            "berth:{p}:beats", "berth:{p}:states", "berth:{p}:load", "berth:{p}:feed", "n",
            cases[i].epoch, cases[i].seq, cases[i].record, cases[i].conns, "0", "10", "0", NULL);
        assert_string_equal(r->items[0].text.ptr, "BAD");
        assert_string_equal(r->items[1].text.ptr, cases[i].named);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, store_clean)
    const struct CMUnitTest tests[] = {
        T(test_join_writes_a_whole_node),
        T(test_join_again_with_the_same_nonce_is_the_same_life),
        T(test_join_refuses_a_name_that_lives),
        T(test_epochs_only_grow),
        T(test_a_forgotten_process_keeps_its_epoch),
        T(test_join_obeys_a_wish_that_is_in_force),
        T(test_join_ignores_a_wish_that_expired),
        T(test_a_new_process_does_not_inherit_its_own_wish),
        T(test_join_refuses_bad_arguments),
        T(test_report_writes_everything_and_answers_the_state),
        T(test_report_twice_or_late_changes_nothing),
        T(test_report_of_nobody_known),
        T(test_report_does_not_bring_back_a_lost_node),
        T(test_report_keeps_its_own_rooms_and_names_those_of_others),
        T(test_a_process_is_succeeded_by_the_one_that_it_named),
        T(test_rooms_follow_the_process_that_is_succeeded),
        T(test_an_heir_of_a_node_that_is_not_ready_has_to_be_proved),
        T(test_report_refuses_bad_arguments),
    };
    return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}

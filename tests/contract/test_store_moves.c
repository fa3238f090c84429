/* The scripts about what becomes of nodes, on a real Redis: want, move, sweep. */
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

static struct store_answer move_by(const char *holder, int64_t epoch, enum node_state from,
                                   enum node_state to)
{
    return SAY(move, .role = MOVE_OWNER, .holder = holder, .node = "n", .node_epoch = epoch,
               .from = from, .to = to, .why = "test", .feed_max = 1000);
}

static struct store_answer wish(enum want_who who, enum want_kind kind, int64_t until_ms)
{
    char holder[CALL_HOLDER_MAX] = "";
    if (who == WANT_BY_AUTOSCALE)
        (void)snprintf(holder, sizeof holder, "%s", store_hold(MOVE_LEADER));
    return SAY(want, .node = "n", .who = who, .holder = holder, .kind = kind,
               .why = "because I say so", .until = {until_ms}, .feed_max = 1000);
}

static struct store_answer sweep(const char *holder, int64_t guard)
{
    return SAY(sweep, .holder = holder, .lost_after_ms = 3000, .forget_after_ms = 60000,
               .guard_percent = guard, .limit = 100, .feed_max = 1000);
}

/* ---- want ---- */

static void test_want_is_told_once(void **state)
{
    assert_int_equal(wish(WANT_BY_OPERATOR, WANT_DRAINING, 0).word, ANSWER_UNKNOWN);
    (void)store_join("n", "nonce-1");
    int64_t told = redis_client_int(fx.client, "XLEN", "berth:{p}:feed", NULL);
    assert_int_equal(wish(WANT_BY_OPERATOR, WANT_DRAINING, 0).word, ANSWER_OK);
    assert_memory_equal(store_last_feed(), "want who=operator want=draining", 31);
    struct want want;
    assert_int_equal(want_parse(SPAN("n|operator"), span_of(hget("berth:{p}:wants", "n|operator")),
                                &want, &fx.err),
                     0);
    assert_string_equal(want.why, "because I say so");
    assert_int_equal(want.kind, WANT_DRAINING);
    assert_int_equal(want.since.ms, fx.now);
    assert_int_equal(wish(WANT_BY_OPERATOR, WANT_DRAINING, 0).word, ANSWER_OK); /* no news */
    assert_int_equal(redis_client_int(fx.client, "XLEN", "berth:{p}:feed", NULL), told + 1);
    assert_int_equal(wish(WANT_BY_OPERATOR, WANT_NONE, 0).word, ANSWER_OK);
    assert_int_equal(redis_client_int(fx.client, "HLEN", "berth:{p}:wants", NULL), 0);
    assert_memory_equal(store_last_feed(), "want who=operator want=none", 27);
    assert_int_equal(wish(WANT_BY_OPERATOR, WANT_NONE, 0).word, ANSWER_OK);
    assert_int_equal(redis_client_int(fx.client, "XLEN", "berth:{p}:feed", NULL), told + 2);
}

static void test_want_of_the_pool(void **state)
{
    struct want want;
    struct store_answer a = SAY(want, .node = WANT_POOL_SIZE, .who = WANT_BY_OPERATOR,
                                .kind = WANT_SIZE, .size = 12, .why = "event", .feed_max = 10);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(want_parse(SPAN("*size|operator"),
                                span_of(hget("berth:{p}:wants", "*size|operator")), &want, &fx.err),
                     0);
    assert_int_equal(want.size, 12);
    a = SAY(want, .node = WANT_POOL_CLOSED, .who = WANT_BY_OPERATOR, .kind = WANT_CLOSED,
            .why = "back at 6", .until = {fx.now + 60000}, .feed_max = 10);
    assert_int_equal(a.word, ANSWER_OK);
    a = SAY(want, .node = WANT_POOL_PAUSED, .who = WANT_BY_OPERATOR, .kind = WANT_PAUSED,
            .why = "x", .feed_max = 10);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(redis_client_int(fx.client, "HLEN", "berth:{p}:wants", NULL), 3);
}

static void test_a_roll_wished_again_begins_again(void **state)
{
    struct want first, again;
    for (int i = 0; i < 2; i++) {
        struct store_answer a =
            SAY(want, .node = WANT_POOL_ROLL, .who = WANT_BY_OPERATOR, .kind = WANT_ROLL,
                .version = i ? "1.4.2" : NULL, .why = "x", .feed_max = 10);
        assert_int_equal(a.word, ANSWER_OK);
    }
    const struct span field = SPAN("*roll|operator");
    assert_int_equal(
        want_parse(field, span_of(hget("berth:{p}:wants", "*roll|operator")), &first, &fx.err), 0);
    assert_int_equal(first.kind, WANT_ROLL);
    assert_string_equal(first.version, "1.4.2");
    usleep(2000);
    (void)SAY(want, .node = WANT_POOL_ROLL, .who = WANT_BY_OPERATOR, .kind = WANT_ROLL,
              .version = "1.4.2", .why = "x", .feed_max = 10);
    assert_int_equal(
        want_parse(field, span_of(hget("berth:{p}:wants", "*roll|operator")), &again, &fx.err), 0);
    assert_true(again.since.ms > first.since.ms);
    const struct call_want bad = {.node = WANT_POOL_ROLL,
                                  .who = WANT_BY_OPERATOR,
                                  .kind = WANT_ROLL,
                                  .version = "1 4",
                                  .why = "x",
                                  .feed_max = 10};
    assert_int_equal(calls_want(&fx.call, &fx.keys, &bad, &fx.err), BERTH_EINVAL);
}

static void test_want_refuses_what_makes_no_sense(void **state)
{
    static const struct {
        const char *node;
        enum want_kind kind;
        int64_t until;
    } cases[] = {
        {"n", WANT_CLOSED, 0},      {"n", WANT_SIZE, 0},          {"*closed", WANT_DRAINING, 0},
        {"*size", WANT_PAUSED, 0},  {"*paused", WANT_SIZE, 0},    {"n", WANT_DRAINING, 1000},
        {"n", WANT_ROLL, 0},        {"*size", WANT_ROLL, 0},      {"*roll", WANT_SIZE, 0},
        {"*owner", WANT_ACCEPT, 0}, {"*guard", WANT_FAILBACK, 0}, {"n", WANT_ACCEPT, 0},
    };
    struct store_answer a;
    (void)store_join("n", "nonce-1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct call_want req = {.node = cases[i].node,
                                      .who = WANT_BY_OPERATOR,
                                      .kind = cases[i].kind,
                                      .why = "x",
                                      .until = {cases[i].until},
                                      .feed_max = 10};
        assert_int_equal(calls_want(&fx.call, &fx.keys, &req, &fx.err), 0);
        assert_int_equal(
            calls_decode(SCRIPT_WANT, redis_client_call(fx.client, &fx.call), &a, &fx.err),
            BERTH_EINVAL);
    }
    assert_int_equal(redis_client_int(fx.client, "HLEN", "berth:{p}:wants", NULL), 0);
}

static struct store_answer autoscale_wish(const char *holder, enum want_kind kind)
{
    return SAY(want, .node = "n", .who = WANT_BY_AUTOSCALE, .holder = holder, .kind = kind,
               .why = "w", .feed_max = 10);
}

static void test_want_of_an_autoscaler_is_fenced(void **state)
{
    char holder[CALL_HOLDER_MAX];
    (void)store_join("n", "nonce-1");
    assert_int_equal(autoscale_wish("as-1 5 1", WANT_DRAINING).word, ANSWER_FENCED);
    (void)snprintf(holder, sizeof holder, "%s", store_hold(MOVE_LEADER));
    assert_int_equal(autoscale_wish("as-1 5 1", WANT_DRAINING).word, ANSWER_FENCED);
    assert_int_equal(redis_client_int(fx.client, "HLEN", "berth:{p}:wants", NULL), 0);
    assert_int_equal(autoscale_wish(holder, WANT_DRAINING).word, ANSWER_OK);
    /* another leads now: this one takes nothing back either */
    (void)redis_client_ask(fx.client, "SET", "berth:{p}:leader", "as-2 6 99999999999999", NULL);
    struct store_answer a = autoscale_wish(holder, WANT_NONE);
    assert_int_equal(a.word, ANSWER_FENCED);
    assert_true(span_is(a.holder, "as-2 6 99999999999999"));
    assert_int_equal(redis_client_int(fx.client, "HLEN", "berth:{p}:wants", NULL), 1);
    /* operators and nodes need no lease */
    assert_int_equal(wish(WANT_BY_OPERATOR, WANT_HELD, 0).word, ANSWER_OK);
}

/* ---- move ---- */

static void test_move_is_fenced(void **state)
{
    int64_t epoch = store_join("n", "nonce-1");
    struct store_answer a = move_by("lb-a 5 1", epoch, NODE_JOINING, NODE_READY);
    assert_int_equal(a.word, ANSWER_FENCED);
    assert_int_equal(a.holder.len, 0); /* nobody holds it */
    char holder[CALL_HOLDER_MAX], stale[CALL_HOLDER_MAX];
    (void)snprintf(holder, sizeof holder, "%s", store_hold(MOVE_OWNER));
    (void)snprintf(stale, sizeof stale, "lb-a 5 17");
    a = move_by(stale, epoch, NODE_JOINING, NODE_READY);
    assert_int_equal(a.word, ANSWER_FENCED);
    assert_true(span_is(a.holder, holder));
    assert_string_equal(store_state("n"), "joining");
    assert_int_equal(move_by(holder, epoch, NODE_JOINING, NODE_READY).word, ANSWER_OK);
    const char *record = hget("berth:{p}:states", "n");
    assert_int_equal(store_field(record, "fence"), strtoll(strrchr(holder, ' ') + 1, NULL, 10));
    assert_int_equal(store_field(record, "since"), fx.now);
    /* the leader's lease is not the owner's */
    a = SAY(move, .role = MOVE_LEADER, .holder = holder, .node = "n", .node_epoch = epoch,
            .from = NODE_READY, .to = NODE_LOST, .why = "x", .feed_max = 10);
    assert_int_equal(a.word, ANSWER_FENCED);
}

static void test_move_compares_before_it_sets(void **state)
{
    int64_t epoch = store_join("n", "nonce-1");
    char holder[CALL_HOLDER_MAX];
    (void)snprintf(holder, sizeof holder, "%s", store_hold(MOVE_OWNER));
    struct store_answer a = move_by(holder, epoch, NODE_READY, NODE_DRAINING);
    assert_int_equal(a.word, ANSWER_STALE);
    assert_int_equal(a.state, NODE_JOINING);
    a = move_by(holder, epoch - 1, NODE_JOINING, NODE_READY);
    assert_int_equal(a.word, ANSWER_STALE);
    assert_int_equal(a.epoch, epoch);
    a = SAY(move, .role = MOVE_OWNER, .holder = holder, .node = "nobody", .node_epoch = 1,
            .from = NODE_JOINING, .to = NODE_READY, .why = "x", .feed_max = 10);
    assert_int_equal(a.word, ANSWER_UNKNOWN);
}

/* The table of move.lua is that of core/state.c. */
static void test_moves_are_legal_as_the_core_says(void **state)
{
    for (int role = MOVE_OWNER; role <= MOVE_LEADER; role++)
        for (int from = 0; from < NODE_GONE; from++)
            for (int to = 0; to < NODE_STATES; to++) {
                (void)store_clean(NULL);
                char record[128];
                int64_t epoch = store_join("n", "nonce-1");
                (void)snprintf(record, sizeof record, "state=%s since=1 epoch=%lld fence=0 why=x",
                               state_word((enum node_state)from), (long long)epoch);
                (void)redis_client_ask(fx.client, "HSET", "berth:{p}:states", "n", record, NULL);
                const char *holder = store_hold((enum move_role)role);
                struct store_answer a =
                    SAY(move, .role = (enum move_role)role, .holder = holder, .node = "n",
                        .node_epoch = epoch, .from = (enum node_state)from,
                        .to = (enum node_state)to, .why = "x", .feed_max = 10);
                bool legal = state_may_move((enum move_role)role, (enum node_state)from,
                                            (enum node_state)to);
                assert_int_equal(a.word, legal ? ANSWER_OK : ANSWER_ILLEGAL);
                const char *now_in = store_state("n");
                if (legal && to == NODE_GONE)
                    assert_string_equal(now_in, "");
                else
                    assert_string_equal(now_in, state_word((enum node_state)(legal ? to : from)));
            }
}

static void test_gone_leaves_nothing_but_the_epoch(void **state)
{
    int64_t epoch = store_join("n", "nonce-1");
    assert_int_equal(wish(WANT_BY_OPERATOR, WANT_DRAINING, 0).word, ANSWER_OK);
    assert_int_equal(wish(WANT_BY_NODE, WANT_DRAINING, 0).word, ANSWER_OK);
    store_move_along("n", epoch, WAY(NODE_JOINING, NODE_LOST, NODE_GONE));
    assert_memory_equal(store_last_feed(), "gone state=gone", 15);
    static const char *const hashes[] = {"berth:{p}:nodes", "berth:{p}:reports", "berth:{p}:states",
                                         "berth:{p}:wants", "berth:{p}:beats",   "berth:{p}:load"};
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
        assert_int_equal(redis_client_int(fx.client, "EXISTS", hashes[i], NULL), 0);
    assert_int_equal(redis_client_int(fx.client, "GET", "berth:{p}:epoch", NULL), epoch);
}

static void test_a_terminating_name_cannot_be_taken(void **state)
{
    int64_t epoch = store_join("n", "nonce-1");
    store_move_along(
        "n", epoch, WAY(NODE_JOINING, NODE_DRAINING, NODE_CLOSING, NODE_DRAINED, NODE_TERMINATING));
    store_age("n", 100000);
    assert_int_equal(join_as("nonce-2", 0).word, ANSWER_TAKEN);
}

/* ---- sweep ---- */

static void fill_pool(int count)
{
    for (int i = 0; i < count; i++) {
        char node[16], nonce[16];
        (void)snprintf(node, sizeof node, "n%d", i);
        (void)snprintf(nonce, sizeof nonce, "x%d", i);
        int64_t epoch = store_join(node, nonce);
        store_move_along(node, epoch, WAY(NODE_JOINING, NODE_READY));
    }
}

static void test_sweep_loses_the_silent_and_then_forgets_them(void **state)
{
    fill_pool(4);
    char holder[CALL_HOLDER_MAX];
    (void)snprintf(holder, sizeof holder, "%s", store_hold(MOVE_OWNER));
    struct store_answer a = sweep(holder, 34);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.list->count + a.list2->count, 0);
    store_age("n2", 3100);
    a = sweep(holder, 34);
    assert_int_equal(a.list->count, 1);
    assert_string_equal(a.list->items[0].text.ptr, "n2");
    assert_string_equal(store_state("n2"), "lost");
    assert_int_equal(store_load("n2"), STORE_RED);
    assert_memory_equal(store_last_feed(), "state state=lost", 16);
    assert_int_equal(sweep(holder, 34).list->count, 0); /* lost once */
    store_age("n2", 70000);                             /* silent for long, but lost just now */
    assert_int_equal(sweep(holder, 34).list2->count, 0);
    char old[128];
    (void)snprintf(old, sizeof old, "state=lost since=%lld epoch=1 fence=1 why=silent",
                   (long long)fx.now - 61000);
    (void)redis_client_ask(fx.client, "HSET", "berth:{p}:states", "n2", old, NULL);
    a = sweep(holder, 34);
    assert_int_equal(a.list2->count, 1);
    assert_string_equal(store_state("n2"), "");
    assert_memory_equal(store_last_feed(), "gone state=gone", 15);
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:beats", NULL), 3);
}

static void test_sweep_is_fenced(void **state)
{
    fill_pool(1);
    store_age("n0", 5000);
    assert_int_equal(sweep("lb-b 1 1", 0).word, ANSWER_FENCED);
    assert_string_equal(store_state("n0"), "ready");
}

static void test_guard_suspects_the_observer(void **state)
{
    fill_pool(5);
    char holder[CALL_HOLDER_MAX];
    (void)snprintf(holder, sizeof holder, "%s", store_hold(MOVE_OWNER));
    store_age("n0", 4000);
    store_age("n1", 4000);
    struct store_answer a = sweep(holder, 33); /* 2 of 5 are 40% */
    assert_int_equal(a.word, ANSWER_GUARD);
    assert_int_equal(a.count, 2);
    assert_int_equal(a.total, 5);
    assert_string_equal(store_state("n0"), "ready");
    assert_int_equal(sweep(holder, 40).list->count, 2);
    store_age("n2", 4000); /* 1 of 3, but a single one is always believed */
    assert_int_equal(sweep(holder, 10).list->count, 1);
    store_age("n3", 4000);
    store_age("n4", 4000);
    assert_int_equal(sweep(holder, 33).word, ANSWER_GUARD); /* 2 of 2: the lost are no excuse */
    assert_int_equal(sweep(holder, 0).list->count, 2);      /* off */
}

/* A cut silences nodes in the moments of their reports: the first must not go before the rest is
 * seen. */
static void test_guard_counts_who_is_about_to_follow(void **state)
{
    fill_pool(6);
    char holder[CALL_HOLDER_MAX];
    (void)snprintf(holder, sizeof holder, "%s", store_hold(MOVE_OWNER));
    store_age("n0", 3100);
    store_age("n1", 3100);
    store_age("n2", 2400);                     /* of lost_after 3,000 */
    struct store_answer a = sweep(holder, 34); /* 2 of 6 are 33%, 3 of 6 are not */
    assert_int_equal(a.word, ANSWER_GUARD);
    assert_int_equal(a.count, 3);
    assert_int_equal(a.total, 6);
    int64_t epoch = store_field(hget("berth:{p}:states", "n2"), "epoch");
    assert_int_equal(store_report("n2", epoch, 9, 0).word, ANSWER_OK); /* it only was late */
    assert_int_equal(sweep(holder, 34).list->count, 2);
    store_age("n3", 2400); /* nobody is to be lost: nobody is held back */
    assert_int_equal(sweep(holder, 1).word, ANSWER_OK);
}

/* Nor do they come back in one instant: after the guard has held, the last of them is waited for.
 */
static void test_grace_loses_nobody(void **state)
{
    fill_pool(6);
    char holder[CALL_HOLDER_MAX];
    (void)snprintf(holder, sizeof holder, "%s", store_hold(MOVE_OWNER));
#define GRACE_SWEEP(guard)                                                                         \
    SAY(sweep, .holder = holder, .lost_after_ms = 3000, .forget_after_ms = 60000,                  \
        .guard_percent = (guard), .grace = true, .limit = 100, .feed_max = 1000)
    assert_int_equal(GRACE_SWEEP(34).word, ANSWER_OK);
    store_age("n0", 3100);
    struct store_answer a = GRACE_SWEEP(34);
    assert_int_equal(a.word, ANSWER_GUARD);
    assert_int_equal(a.count, 1);
    assert_int_equal(a.total, 6);
    assert_int_equal(GRACE_SWEEP(0).list->count, 1); /* no guard, no grace */
#undef GRACE_SWEEP
}

static void test_drained_nodes_may_fall_silent(void **state)
{
    fill_pool(3);
    char holder[CALL_HOLDER_MAX];
    (void)snprintf(holder, sizeof holder, "%s", store_hold(MOVE_OWNER));
    for (int i = 0; i < 2; i++) {
        char node[8];
        (void)snprintf(node, sizeof node, "n%d", i);
        store_move_along(node, store_field(hget("berth:{p}:states", node), "epoch"),
                         WAY(NODE_READY, NODE_DRAINING, NODE_CLOSING, NODE_DRAINED));
        store_age(node, 4000);
    }
    assert_int_equal(sweep(holder, 33).list->count, 2); /* no guard */
    assert_string_equal(store_state("n0"), "lost");
}

static void test_sweep_leaves_terminating_to_the_leader(void **state)
{
    int64_t epoch = store_join("n", "x");
    store_move_along(
        "n", epoch, WAY(NODE_JOINING, NODE_DRAINING, NODE_CLOSING, NODE_DRAINED, NODE_TERMINATING));
    store_age("n", 1000000);
    struct store_answer a = sweep(store_hold(MOVE_OWNER), 0);
    assert_int_equal(a.list->count + a.list2->count, 0);
    assert_string_equal(store_state("n"), "terminating");
}

static void test_sweep_changes_at_most_limit(void **state)
{
    fill_pool(5);
    char holder[CALL_HOLDER_MAX];
    (void)snprintf(holder, sizeof holder, "%s", store_hold(MOVE_OWNER));
    for (int i = 0; i < 5; i++) {
        char node[8];
        (void)snprintf(node, sizeof node, "n%d", i);
        store_age(node, 4000);
    }
    size_t lost[3];
    for (int i = 0; i < 3; i++) {
        struct store_answer a =
            SAY(sweep, .holder = holder, .lost_after_ms = 3000, .forget_after_ms = 60000,
                .guard_percent = 0, .limit = 2, .feed_max = 1000);
        lost[i] = a.list->count;
    }
    assert_int_equal(lost[0], 2);
    assert_int_equal(lost[1], 2);
    assert_int_equal(lost[2], 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, store_clean)
    const struct CMUnitTest tests[] = {
        T(test_want_is_told_once),
        T(test_want_of_the_pool),
        T(test_a_roll_wished_again_begins_again),
        T(test_want_refuses_what_makes_no_sense),
        T(test_want_of_an_autoscaler_is_fenced),
        T(test_move_is_fenced),
        T(test_move_compares_before_it_sets),
        T(test_moves_are_legal_as_the_core_says),
        T(test_gone_leaves_nothing_but_the_epoch),
        T(test_a_terminating_name_cannot_be_taken),
        T(test_sweep_loses_the_silent_and_then_forgets_them),
        T(test_sweep_is_fenced),
        T(test_guard_suspects_the_observer),
        T(test_guard_counts_who_is_about_to_follow),
        T(test_grace_loses_nobody),
        T(test_drained_nodes_may_fall_silent),
        T(test_sweep_leaves_terminating_to_the_leader),
        T(test_sweep_changes_at_most_limit),
    };
    return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}

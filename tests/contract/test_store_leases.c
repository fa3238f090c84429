/* The scripts about leases, peers, plans, events and rooms, on a real Redis. */
#include "tests/support/store_fixture.h"

#include <stdio.h>
#include <string.h>

#define END ((enum node_state)(NODE_GONE + 1))
#define WAY(...) ((const enum node_state[]){__VA_ARGS__, END})

static struct store_answer lease(enum lease_op op, const char *name, int64_t epoch, int64_t token)
{
    return SAY(lease, .role = MOVE_OWNER, .op = op, .name = name, .epoch = epoch, .token = token,
               .ttl_ms = 60000);
}

/* ---- lease ---- */

static void test_a_live_lease_is_never_overridden(void **state)
{
    struct store_answer a = lease(LEASE_OP_ACQUIRE, "lb-a", 7, 0);
    assert_int_equal(a.word, ANSWER_OK);
    int64_t token = a.token;
    assert_int_equal(token, a.now.ms);
    a = lease(LEASE_OP_ACQUIRE, "lb-b", 9, 0);
    assert_int_equal(a.word, ANSWER_HELD);
    char holder[CALL_HOLDER_MAX];
    calls_holder("lb-a", 7, token, holder);
    assert_true(span_is(a.holder, holder));
    assert_in_range(a.ttl_ms, 50000, 60000);
    a = lease(LEASE_OP_ACQUIRE, "lb-a", 8, 0); /* another process of the same name */
    assert_int_equal(a.word, ANSWER_HELD);
    assert_string_equal(redis_client_text(fx.client, "GET", "berth:{p}:owner", NULL), holder);
}

static void test_acquiring_again_gives_the_same_token(void **state)
{
    int64_t token = lease(LEASE_OP_ACQUIRE, "lb-a", 7, 0).token;
    (void)redis_client_ask(fx.client, "PEXPIRE", "berth:{p}:owner", "1000", NULL);
    struct store_answer a = lease(LEASE_OP_ACQUIRE, "lb-a", 7, 0);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.token, token);
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:owner", NULL), 50000, 60000);
}

static void test_tokens_only_grow(void **state)
{
    int64_t token = lease(LEASE_OP_ACQUIRE, "lb-a", 7, 0).token;
    assert_int_equal(lease(LEASE_OP_RELEASE, "lb-a", 7, token).word, ANSWER_OK);
    int64_t next = lease(LEASE_OP_ACQUIRE, "lb-b", 9, 0).token;
    assert_true(next > token);
    (void)redis_client_ask(fx.client, "SET", "berth:{p}:fence", "9000000000000", NULL);
    (void)redis_client_ask(fx.client, "DEL", "berth:{p}:owner", NULL);
    assert_int_equal(lease(LEASE_OP_ACQUIRE, "lb-a", 7, 0).token, 9000000000001);
}

static void test_only_the_holder_renews_and_releases(void **state)
{
    int64_t token = lease(LEASE_OP_ACQUIRE, "lb-a", 7, 0).token;
    (void)redis_client_ask(fx.client, "PEXPIRE", "berth:{p}:owner", "1000", NULL);
    static const struct {
        const char *name;
        int64_t epoch, token_off;
    } wrong[] = {{"lb-b", 7, 0}, {"lb-a", 8, 0}, {"lb-a", 7, 1}};
    for (size_t i = 0; i < 3; i++) {
        int64_t bad = token + wrong[i].token_off;
        assert_int_equal(lease(LEASE_OP_RENEW, wrong[i].name, wrong[i].epoch, bad).word,
                         ANSWER_LOST);
        assert_int_equal(lease(LEASE_OP_RELEASE, wrong[i].name, wrong[i].epoch, bad).word,
                         ANSWER_LOST);
    }
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:owner", NULL), 1, 1000);
    struct store_answer a = lease(LEASE_OP_RENEW, "lb-a", 7, token);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.token, token);
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:owner", NULL), 50000, 60000);
    assert_int_equal(lease(LEASE_OP_RELEASE, "lb-a", 7, token).word, ANSWER_OK);
    assert_int_equal(lease(LEASE_OP_RENEW, "lb-a", 7, token).word, ANSWER_LOST);
}

static void test_owner_and_leader_are_two_leases(void **state)
{
    assert_int_equal(lease(LEASE_OP_ACQUIRE, "lb-a", 7, 0).word, ANSWER_OK);
    struct store_answer a = SAY(lease, .role = MOVE_LEADER, .op = LEASE_OP_ACQUIRE, .name = "as-1",
                                .epoch = 1, .ttl_ms = 1000);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(
        redis_client_int(fx.client, "EXISTS", "berth:{p}:owner", "berth:{p}:leader", NULL), 2);
}

/* ---- enroll ---- */

static struct store_answer enroll(const char *nonce, bool leave)
{
    return SAY(enroll, .id = "lb/lb-a", .nonce = nonce, .url = "ws://127.0.0.1:8081/peer",
               .live_ms = 3000, .leave = leave);
}

static struct store_answer enroll_again(const char *nonce, int64_t epoch)
{
    return SAY(enroll, .id = "lb/lb-a", .nonce = nonce, .url = "u", .live_ms = 3000,
               .epoch = epoch);
}

static void beat_long_ago(const char *id, int64_t ms)
{
    char record[160];
    (void)snprintf(record, sizeof record, "epoch=5 nonce=old at=%lld url=x",
                   (long long)(fx.now - ms));
    (void)redis_client_ask(fx.client, "HSET", "berth:{p}:peers", id, record, NULL);
}

static void test_one_process_a_peer_name(void **state)
{
    struct store_answer a = enroll("x1", false);
    assert_int_equal(a.word, ANSWER_OK);
    int64_t epoch = a.epoch;
    assert_int_equal(enroll("x1", false).epoch, epoch); /* a beat */
    a = enroll("x2", false);
    assert_int_equal(a.word, ANSWER_TAKEN);
    assert_int_equal(a.epoch, epoch);
    assert_int_equal(enroll("x2", true).word, ANSWER_TAKEN); /* cannot send another away */
    assert_int_equal(enroll("x1", true).word, ANSWER_OK);
    a = enroll("x2", false);
    assert_int_equal(a.word, ANSWER_OK);
    assert_true(a.epoch > epoch);
    beat_long_ago("lb/lb-a", 3001);
    a = enroll("x3", false);
    assert_int_equal(a.word, ANSWER_OK);
    assert_true(a.epoch > epoch);
    const char *record = redis_client_text(fx.client, "HGET", "berth:{p}:peers", "lb/lb-a", NULL);
    assert_int_equal(store_field(record, "epoch"), a.epoch);
    assert_int_equal(store_field(record, "at"), fx.now);
}

/* After a kill -9 the name is taken for a while; players need not wait for it. */
static void test_who_waits_for_a_name_has_an_epoch_of_its_own(void **state)
{
    int64_t dead = enroll("x1", false).epoch;
    struct store_answer a = enroll("x2", false);
    assert_int_equal(a.word, ANSWER_TAKEN);
    assert_int_equal(a.epoch, dead);
    int64_t mine = a.own_epoch;
    assert_true(mine > dead);
    assert_int_equal(enroll_again("x2", mine).own_epoch, mine); /* asked again: the same */
    assert_true(enroll("x3", false).own_epoch > mine);          /* another process: another */
    char record[160];
    (void)snprintf(record, sizeof record, "epoch=%lld nonce=x1 at=%lld url=x", (long long)dead,
                   (long long)(fx.now - 3001));
    (void)redis_client_ask(fx.client, "HSET", "berth:{p}:peers", "lb/lb-a", record, NULL);
    a = enroll_again("x2", mine);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.epoch, mine);
    (void)enroll("x2", true);
    int64_t younger = enroll("x4", false).epoch;
    (void)enroll("x4", true);
    (void)enroll("x5", false);
    beat_long_ago("lb/lb-a", 3001); /* epoch 5: older than what x2 had */
    assert_int_equal(enroll_again("x2", mine).epoch, mine);
    assert_true(enroll_again("x2", younger + 1000000000).epoch == mine); /* its nonce stands */
    beat_long_ago("lb/lb-a", 3001);
    a = enroll_again("x6", younger + 1000000000); /* never issued */
    assert_true(a.epoch > younger && a.epoch < younger + 1000000000);
    assert_int_equal(enroll("x7", true).own_epoch, 0);
}

static void test_peers_of_yesterday_are_pruned(void **state)
{
    (void)enroll("x1", false);
    beat_long_ago("lb/old", 86400001);
    beat_long_ago("autoscale/recent", 86300000);
    (void)enroll("x1", true);
    (void)enroll("x2", false);
    assert_int_equal(redis_client_int(fx.client, "HEXISTS", "berth:{p}:peers", "lb/old", NULL), 0);
    assert_int_equal(
        redis_client_int(fx.client, "HEXISTS", "berth:{p}:peers", "autoscale/recent", NULL), 1);
}

/* ---- plan, event ---- */

static struct store_answer plan(const char *holder, const char *field, const char *value,
                                int64_t max)
{
    const struct call_plan_change change = {span_of(field), span_of(value)};
    return SAY(plan, .holder = holder, .changes = &change, .change_count = 1, .fields_max = max);
}

static void test_only_the_leader_plans(void **state)
{
    struct store_answer a = plan("as-1 5 5", "launch-1", "n=3", 10);
    assert_int_equal(a.word, ANSWER_FENCED);
    const char *holder = store_hold(MOVE_LEADER);
    a = plan(holder, "launch-1", "n=3", 10);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.count, 1);
    assert_string_equal(redis_client_text(fx.client, "HGET", "berth:{p}:plan", "launch-1", NULL),
                        "n=3");
    assert_int_equal(plan(holder, "launch-1", "n=4", 1).word, ANSWER_OK); /* no new field */
    assert_int_equal(plan(holder, "launch-2", "n=1", 1).word, ANSWER_FULL);
    assert_int_equal(plan(holder, "launch-1", "", 1).count, 0);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:plan", NULL), 0);
}

static void test_a_plan_changes_wholly_or_not_at_all(void **state)
{
    const char *holder = store_hold(MOVE_LEADER);
    const struct call_plan_change changes[] = {{SPAN("a"), SPAN("1")},
                                               {SPAN("b"), SPAN("2")},
                                               {SPAN("a"), SPAN("")},
                                               {SPAN("c"), SPAN("3")}};
    struct store_answer a =
        SAY(plan, .holder = holder, .changes = changes, .change_count = 4, .fields_max = 1);
    assert_int_equal(a.word, ANSWER_FULL);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:plan", NULL), 0);
    a = SAY(plan, .holder = holder, .changes = changes, .change_count = 4, .fields_max = 2);
    assert_int_equal(a.count, 2);
    assert_int_equal(redis_client_int(fx.client, "HLEN", "berth:{p}:plan", NULL), 2);
}

static void test_streams_of_events_are_bounded(void **state)
{
    for (int i = 0; i < 500; i++) {
        struct store_answer a = SAY(event, .history = true, .kind = "pool", .name = "p",
                                    .detail = SPAN("ready=3 conns=40"), .stream_max = 100);
        assert_int_equal(a.word, ANSWER_OK);
        assert_true(a.text.len > 13);
    }
    assert_in_range(redis_client_int(fx.client, "XLEN", "berth:{p}:history", NULL), 100, 250);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:events", NULL), 0);
    (void)SAY(event, .minutes = true, .kind = "figures", .name = "-", .detail = SPAN("players=4"),
              .stream_max = 100);
    assert_int_equal(redis_client_int(fx.client, "XLEN", "berth:{p}:history:minutes", NULL), 1);
}

/* ---- rooms ---- */

static struct store_answer room_with(struct span room, const char *node, int64_t epoch,
                                     const char *dead_node, int64_t dead_epoch)
{
    const struct span players[] = {SPAN("ann"), SPAN("bob")};
    return SAY(room, .room = room, .node = node, .epoch = epoch, .seats = 4, .ttl_ms = 60000,
               .dead_node = dead_node, .dead_epoch = dead_epoch, .issuer = "lb-a",
               .issuer_epoch = 7, .alive_ms = 31000, .players = players, .player_count = 2);
}

static int64_t ready_node(const char *node, const char *nonce)
{
    int64_t epoch = store_join(node, nonce);
    store_move_along(node, epoch, WAY(NODE_JOINING, NODE_READY));
    return epoch;
}

static void test_twin_claims_of_a_room_meet_on_one_node(void **state)
{
    int64_t a = ready_node("a", "x1"), b = ready_node("b", "x2");
    struct store_answer first = room_with(SPAN("r1"), "a", a, NULL, 0);
    assert_int_equal(first.word, ANSWER_OK);
    assert_true(span_is(first.node, "a"));
    (void)redis_client_ask(fx.client, "PEXPIRE", "berth:{p}:room:r1", "1000", NULL);
    struct store_answer twin = room_with(SPAN("r1"), "b", b, NULL, 0);
    assert_int_equal(twin.word, ANSWER_HAVE);
    assert_true(span_is(twin.node, "a"));
    assert_int_equal(twin.epoch, a);
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:room:r1", NULL), 50000, 60000);
    assert_string_equal(redis_client_text(fx.client, "GET", "berth:{p}:player:ann", NULL), "r1");
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:player:bob", NULL), 50000,
                    60000);
}

static void test_a_room_is_claimed_only_on_a_ready_node(void **state)
{
    int64_t epoch = store_join("a", "x1");
    assert_int_equal(room_with(SPAN("r1"), "nobody", 1, NULL, 0).word, ANSWER_UNKNOWN);
    assert_int_equal(room_with(SPAN("r1"), "a", epoch + 1, NULL, 0).word, ANSWER_UNKNOWN);
    struct store_answer a = room_with(SPAN("r1"), "a", epoch, NULL, 0);
    assert_int_equal(a.word, ANSWER_STALE);
    assert_int_equal(a.state, NODE_JOINING);
    assert_int_equal(
        redis_client_int(fx.client, "EXISTS", "berth:{p}:room:r1", "berth:{p}:player:ann", NULL),
        0);
}

static void test_silence_alone_moves_no_room(void **state)
{
    int64_t a = ready_node("a", "x1"), b = ready_node("b", "x2");
    (void)room_with(SPAN("r1"), "a", a, NULL, 0);
    store_move_along("a", a, WAY(NODE_READY, NODE_LOST));
    assert_int_equal(room_with(SPAN("r1"), "b", b, NULL, 0).word, ANSWER_HAVE);
    assert_int_equal(room_with(SPAN("r1"), "b", b, "a", a - 1).word, ANSWER_HAVE);
    struct store_answer moved =
        room_with(SPAN("r1"), "b", b, "a", a); /* lost, and a probe failed */
    assert_int_equal(moved.word, ANSWER_MOVED);
    assert_true(span_is(moved.node, "b"));
    assert_int_equal(
        store_field(redis_client_text(fx.client, "GET", "berth:{p}:room:r1", NULL), "moved"), 1);
}

static void test_a_node_that_is_not_lost_keeps_its_rooms_whatever_is_said(void **state)
{
    int64_t a = ready_node("a", "x1"), b = ready_node("b", "x2");
    (void)room_with(SPAN("r1"), "a", a, NULL, 0);
    assert_int_equal(room_with(SPAN("r1"), "b", b, "a", a).word, ANSWER_HAVE);
    store_move_along("a", a, WAY(NODE_READY, NODE_DRAINING)); /* friends may still join */
    assert_int_equal(room_with(SPAN("r1"), "b", b, NULL, 0).word, ANSWER_HAVE);
}

static void test_a_room_moves_when_its_node_is_another_process_or_gone(void **state)
{
    int64_t a = ready_node("a", "x1"), b = ready_node("b", "x2");
    (void)room_with(SPAN("r1"), "a", a, NULL, 0);
    (void)room_with(SPAN("r2"), "a", a, NULL, 0);
    store_age("a", 10000);
    (void)store_join("a", "x3");
    assert_int_equal(room_with(SPAN("r1"), "b", b, NULL, 0).word, ANSWER_MOVED);
    store_move_along("a", store_join("a", "x3"), WAY(NODE_JOINING, NODE_LOST, NODE_GONE));
    struct store_answer answer = room_with(SPAN("r2"), "b", b, NULL, 0);
    assert_int_equal(answer.word, ANSWER_MOVED);
    assert_int_equal(answer.epoch, b);
    /* but nowhere, if the new one is not ready */
    store_move_along("b", b, WAY(NODE_READY, NODE_LOST, NODE_GONE));
    assert_int_equal(room_with(SPAN("r2"), "b", b, NULL, 0).word, ANSWER_UNKNOWN);
}

static void test_a_room_moves_when_its_node_has_closed_its_door(void **state)
{
    int64_t a = ready_node("a", "x1"), b = ready_node("b", "x2");
    (void)room_with(SPAN("r1"), "a", a, NULL, 0);
    store_move_along("a", a, WAY(NODE_READY, NODE_DRAINING, NODE_CLOSING));
    assert_int_equal(room_with(SPAN("r1"), "b", b, NULL, 0).word, ANSWER_HAVE);
    store_move_along("a", a, WAY(NODE_CLOSING, NODE_DRAINED));
    assert_int_equal(room_with(SPAN("r1"), "b", b, NULL, 0).word, ANSWER_MOVED);
}

static void test_room_end_takes_its_players_along(void **state)
{
    int64_t a = ready_node("a", "x1");
    const struct span players[] = {SPAN("ann"), SPAN("bob")};
    (void)room_with(SPAN("r1"), "a", a, NULL, 0);
    (void)redis_client_ask(fx.client, "SET", "berth:{p}:player:bob", "elsewhere", "PX", "60000",
                           NULL);
    struct store_answer answer = SAY(room_end, .room = SPAN("r1"), .node = "b", .epoch = 1,
                                     .players = players, .player_count = 2);
    assert_int_equal(answer.word, ANSWER_STALE);
    assert_true(span_is(answer.node, "a"));
    answer = SAY(room_end, .room = SPAN("r1"), .node = "a", .epoch = a, .players = players,
                 .player_count = 2);
    assert_int_equal(answer.word, ANSWER_OK);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:player:ann", NULL), 0);
    assert_string_equal(redis_client_text(fx.client, "GET", "berth:{p}:player:bob", NULL),
                        "elsewhere");
    answer = SAY(room_end, .room = SPAN("r1"));
    assert_int_equal(answer.word, ANSWER_NONE);
}

/* Its node lists it until it has heard: that must not make it live for another room_ttl. */
static void test_a_room_that_is_over_is_not_brought_back_by_a_report(void **state)
{
    int64_t a = ready_node("a", "x1");
    const struct span rooms[] = {SPAN("r1"), SPAN("r2")};
    (void)room_with(SPAN("r1"), "a", a, NULL, 0);
    assert_int_equal(SAY(room_end, .room = SPAN("r1"), .node = "a", .epoch = a).word, ANSWER_OK);
    struct store_answer answer =
        SAY(report, .node = "a", .epoch = a, .seq = 7,
            .record =
                SPAN("v=1 epoch=1 seq=7 conns=4 hs=0 cap=50 rooms=2 adm=- closed=0 drain=0 pid=1"),
            .conns = 4, .feed_max = 1000, .room_ttl_ms = 3600000, .rooms = rooms, .room_count = 2);
    assert_int_equal(answer.word, ANSWER_OK);
    assert_true(answer.list == NULL || answer.list->count == 0); /* nor is it another's */
    assert_true(redis_client_int(fx.client, "PTTL", "berth:{p}:room:r1", NULL) <= 60000);
    assert_true(redis_client_int(fx.client, "PTTL", "berth:{p}:room:r2", NULL) > 60000);
    assert_int_equal(room_with(SPAN("r1"), "a", a, NULL, 0).word, ANSWER_OK);
    assert_non_null(strstr(redis_client_text(fx.client, "GET", "berth:{p}:room:r1", NULL),
                           "node=a")); /* a new one of this name */
}

/* ---- the last places of a node ---- */

/* One of two LBs claims a room of so many seats; settle_ms 0: the node redeems tickets. */
static struct store_answer claim(const char *lb, const char *room, const char *node, int64_t epoch,
                                 int64_t seats, int64_t settle_ms)
{
    return SAY(room, .room = span_of(room), .node = node, .epoch = epoch, .seats = seats,
               .ttl_ms = 60000, .issuer = lb, .issuer_epoch = 7, .alive_ms = 31000,
               .settle_ms = settle_ms);
}

static void report(const char *node, int64_t epoch, int64_t seq, int64_t conns,
                   const char *admitted)
{
    char record[192];
    int n = snprintf(
        record, sizeof record,
        "v=1 epoch=%lld seq=%lld conns=%lld hs=0 cap=10 rooms=0 adm=%s closed=0 drain=0 pid=1",
        (long long)epoch, (long long)seq, (long long)conns, admitted);
    assert_int_equal(SAY(report, .node = node, .epoch = epoch, .seq = seq,
                         .record = {record, (size_t)n}, .conns = conns, .feed_max = 1000)
                         .word,
                     ANSWER_OK);
}

static const char *claims_key(const char *node, int64_t epoch)
{
    static char key[128];
    (void)snprintf(key, sizeof key, "berth:{p}:claims:%s:%lld", node, (long long)epoch);
    return key;
}

static void test_two_lbs_do_not_give_the_same_last_places_away(void **state)
{
    int64_t a = ready_node("a", "x1"), b = ready_node("b", "x2");
    report("a", a, 1, 3, "-");
    assert_int_equal(claim("lb-a", "r1", "a", a, 4, 0).word, ANSWER_OK); /* 7 of 10 */
    assert_int_equal(claim("lb-b", "r2", "a", a, 4, 0).word, ANSWER_FULL);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:room:r2", NULL), 0);
    assert_int_equal(claim("lb-b", "r3", "a", a, 3, 0).word, ANSWER_OK);
    assert_int_equal(claim("lb-a", "r4", "a", a, 1, 0).word, ANSWER_FULL);
    assert_int_equal(claim("lb-a", "r1", "a", a, 4, 0).word, ANSWER_HAVE); /* theirs already */
    assert_int_equal(claim("lb-b", "r2", "b", b, 4, 0).word, ANSWER_OK);
    assert_in_range(redis_client_int(fx.client, "PTTL", claims_key("a", a), NULL), 31000, 33000);
}

static void test_who_has_come_is_counted_once(void **state)
{
    int64_t a = ready_node("a", "x1");
    report("a", a, 1, 0, "-");
    struct store_answer first = claim("lb-a", "r1", "a", a, 4, 0);
    int64_t second = first.now.ms / 1000;
    int64_t later = claim("lb-b", "r2", "a", a, 4, 0).now.ms / 1000;
    char admitted[96];
    (void)snprintf(admitted, sizeof admitted, "lb-a/7/%lld:4,lb-b/7/%lld:1.1", (long long)second,
                   (long long)later - 1);
    report("a", a, 2, 5, admitted); /* all of r1, one of r2: 3 are on their way */
    assert_int_equal(claim("lb-a", "r3", "a", a, 3, 0).word, ANSWER_FULL);
    assert_int_equal(claim("lb-a", "r3", "a", a, 2, 0).word, ANSWER_OK);
    report("a", a, 3, 1, admitted); /* the match was short */
    assert_int_equal(claim("lb-b", "r4", "a", a, 4, 0).word, ANSWER_OK);
    assert_int_equal(claim("lb-b", "r5", "a", a, 1, 0).word, ANSWER_FULL);
}

static void test_who_never_comes_counts_as_long_as_a_ticket_lives(void **state)
{
    int64_t a = ready_node("a", "x1");
    report("a", a, 1, 0, "-");
    int64_t now_s = claim("lb-a", "r1", "a", a, 8, 0).now.ms / 1000;
    char old[64];
    (void)snprintf(old, sizeof old, "lb-b/7/%lld", (long long)(now_s - 31));
    (void)redis_client_ask(fx.client, "HSET", claims_key("a", a), old, "9", "owed", "17", NULL);
    assert_int_equal(claim("lb-b", "r2", "a", a, 3, 0).word, ANSWER_FULL);
    /* 32 s ago it was over: it is dropped whole, as the LBs do. */
    (void)snprintf(old, sizeof old, "lb-b/7/%lld", (long long)(now_s - 34));
    (void)redis_client_ask(fx.client, "DEL", claims_key("a", a), NULL);
    (void)redis_client_ask(fx.client, "HSET", claims_key("a", a), old, "9", "owed", "9", NULL);
    assert_int_equal(claim("lb-b", "r2", "a", a, 10, 0).word, ANSWER_OK);
    assert_int_equal(redis_client_int(fx.client, "HEXISTS", claims_key("a", a), old, NULL), 0);
}

static void test_claims_on_a_node_that_redeems_no_tickets_settle(void **state)
{
    int64_t a = ready_node("a", "x1");
    report("a", a, 1, 0, "-");
    assert_int_equal(claim("lb-a", "r1", "a", a, 8, 1).word, ANSWER_OK);
    assert_int_equal(claim("lb-b", "r2", "a", a, 4, 1).word, ANSWER_FULL);
    char field[64]; /* let it be two seconds ago: the report could have seen them */
    (void)snprintf(field, sizeof field, "lb-a/7/%lld", (long long)(fx.now / 1000 - 2));
    (void)redis_client_ask(fx.client, "DEL", claims_key("a", a), NULL);
    (void)redis_client_ask(fx.client, "HSET", claims_key("a", a), field, "8", "owed", "8", NULL);
    assert_int_equal(claim("lb-b", "r2", "a", a, 4, 3000).word, ANSWER_FULL);
    report("a", a, 2, 2, "-");
    assert_int_equal(claim("lb-b", "r2", "a", a, 8, 1).word, ANSWER_OK);
}

static void test_claims_of_seconds_that_are_over_do_not_pile_up(void **state)
{
    int64_t a = store_join("a", "x1");
    store_move_along("a", a, WAY(NODE_JOINING, NODE_READY)); /* 100 places: never full */
    for (int i = 0; i < 150; i++) {
        char field[64];
        (void)snprintf(field, sizeof field, "lb-b/7/%d", 1700000000 + i);
        (void)redis_client_ask(fx.client, "HSET", claims_key("a", a), field, "1", NULL);
    }
    assert_int_equal(claim("lb-a", "r1", "a", a, 4, 0).word, ANSWER_OK);
    assert_int_equal(redis_client_int(fx.client, "HLEN", claims_key("a", a), NULL), 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, store_clean)
    const struct CMUnitTest tests[] = {
        T(test_a_room_that_is_over_is_not_brought_back_by_a_report),
        T(test_a_live_lease_is_never_overridden),
        T(test_acquiring_again_gives_the_same_token),
        T(test_tokens_only_grow),
        T(test_only_the_holder_renews_and_releases),
        T(test_owner_and_leader_are_two_leases),
        T(test_one_process_a_peer_name),
        T(test_who_waits_for_a_name_has_an_epoch_of_its_own),
        T(test_peers_of_yesterday_are_pruned),
        T(test_only_the_leader_plans),
        T(test_a_plan_changes_wholly_or_not_at_all),
        T(test_streams_of_events_are_bounded),
        T(test_twin_claims_of_a_room_meet_on_one_node),
        T(test_a_room_is_claimed_only_on_a_ready_node),
        T(test_silence_alone_moves_no_room),
        T(test_a_node_that_is_not_lost_keeps_its_rooms_whatever_is_said),
        T(test_a_room_moves_when_its_node_is_another_process_or_gone),
        T(test_a_room_moves_when_its_node_has_closed_its_door),
        T(test_room_end_takes_its_players_along),
        T(test_two_lbs_do_not_give_the_same_last_places_away),
        T(test_who_has_come_is_counted_once),
        T(test_who_never_comes_counts_as_long_as_a_ticket_lives),
        T(test_claims_on_a_node_that_redeems_no_tickets_settle),
        T(test_claims_of_seconds_that_are_over_do_not_pile_up),
    };
    return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}

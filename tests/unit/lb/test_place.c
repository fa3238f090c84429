/* test_place.c - the endpoint API's decisions: repeated answers, rooms and their claims, limits. */
#include "lb/internal.h"
#include "tests/support/cmocka.h"
#include "tests/unit/lb/world.h"

#include <stdio.h>
#include <string.h>

static struct world w;
static struct lb_placed placed;

static int start(void **state)
{
    world_init(&w, 1);
    world_run(&w, 100);
    world_node(&w, "n-1");
    world_node(&w, "n-2");
    world_node(&w, "n-3");
    world_run(&w, 8000);
    return 0;
}

static int end(void **state)
{
    world_fini(&w);
    return 0;
}

static struct lb_ask ask_of(const char *room, struct span *players, size_t count)
{
    return (struct lb_ask){.room = span_of(room), .players = players, .player_count = count};
}

static enum lb_verdict ask(const struct lb_ask *a)
{
    lb_place(w.lbs[0].lb, world_mono(&w), a, &placed);
    return placed.verdict;
}

/* The store's answer to the claim. node NULL: as proposed. */
static enum lb_verdict claimed(const struct lb_ask *a, enum answer_word word, const char *node)
{
    const char *name = node != NULL ? node : placed.claim.node;
    const struct world_node *at = world_find(&w, name);
    char copy[KEYS_NAME_MAX + 1];
    (void)snprintf(copy, sizeof copy, "%s", name);
    struct store_answer answer = {
        .word = word, .node = span_of(copy), .epoch = at == NULL ? 1 : at->epoch};
    lb_claimed(w.lbs[0].lb, world_mono(&w), a, &placed, 0, &answer);
    return placed.verdict;
}

static int64_t pending(void)
{
    struct lb_pool_view view;
    lb_pool_view(w.lbs[0].lb, 0, world_mono(&w), &view);
    return view.pending;
}

static void test_the_same_player_gets_the_same_answer_and_counts_once(void **state)
{
    struct span p[1] = {SPAN("ann")};
    struct lb_ask a = ask_of("", p, 1);
    assert_int_equal(ask(&a), LB_PLACED);
    struct lb_seat first = placed.seats[0];
    char node[KEYS_NAME_MAX + 1];
    (void)snprintf(node, sizeof node, "%s", placed.node);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(ask(&a), LB_PLACED);
        assert_string_equal(placed.node, node);
        assert_true(placed.seats[0].repeated);
        assert_int_equal(placed.seats[0].serial, first.serial);
        assert_int_equal(placed.seats[0].expires_s, first.expires_s);
    }
    assert_int_equal(pending(), 1);
    world_run(&w, w.now + 10000); /* the ticket's life */
    assert_int_equal(ask(&a), LB_PLACED);
    assert_false(placed.seats[0].repeated);
}

static void test_answers_are_remembered_as_long_as_their_tickets_live(void **state)
{
    for (int i = 0; i < 400; i++) { /* of 64 that can be remembered some 30 hold at a time */
        char name[16];
        (void)snprintf(name, sizeof name, "p%d", i);
        struct span p[1] = {span_of(name)};
        struct lb_ask a = ask_of("", p, 1);
        assert_int_equal(ask(&a), LB_PLACED);
        world_run(&w, w.now + 333);
    }
    assert_int_equal(w.lbs[0].lb->pools[0].answers.evicted, 0);
    assert_in_range(w.lbs[0].lb->pools[0].answers.used, 25, 40);
}

static void test_another_node_is_given_to_who_excludes_the_first(void **state)
{
    struct span p[1] = {SPAN("ann")};
    struct lb_ask a = ask_of("", p, 1);
    ask(&a);
    struct span not_this[1] = {span_of(placed.node)};
    a.exclude = not_this;
    a.exclude_count = 1;
    assert_int_equal(ask(&a), LB_PLACED);
    assert_string_not_equal(placed.node, not_this[0].ptr);
    assert_false(placed.seats[0].repeated);
}

static void test_a_repeated_answer_is_not_given_for_a_node_that_left(void **state)
{
    struct span p[1] = {SPAN("ann")};
    struct lb_ask a = ask_of("", p, 1);
    ask(&a);
    char node[KEYS_NAME_MAX + 1];
    (void)snprintf(node, sizeof node, "%s", placed.node);
    world_want(&w, node, WANT_BY_OPERATOR, WANT_DRAINING, 0);
    world_run(&w, w.now + 100);
    assert_int_equal(ask(&a), LB_PLACED);
    assert_string_not_equal(placed.node, node);
}

static void test_a_room_is_claimed_before_it_is_answered(void **state)
{
    struct span p[4] = {SPAN("a"), SPAN("b"), SPAN("c"), SPAN("d")};
    struct lb_ask a = ask_of("r1", p, 4);
    assert_int_equal(ask(&a), LB_CLAIM);
    assert_false(placed.claim.has_dead);
    assert_int_equal(pending(), 0);
    assert_int_equal(claimed(&a, ANSWER_OK, NULL), LB_PLACED);
    assert_int_equal(placed.seat_count, 4);
    assert_int_equal(pending(), 4);
    for (int i = 1; i < 4; i++)
        assert_true(placed.seats[i].serial > placed.seats[i - 1].serial);
    assert_int_equal(placed.seats[0].expires_s - placed.seats[0].issued_s, 30);
    struct lb_seat before = placed.seats[2];
    assert_int_equal(ask(&a), LB_PLACED); /* the same match again: from memory, the same tickets */
    assert_int_equal(placed.seats[2].serial, before.serial);
    assert_int_equal(pending(), 4);
}

static void test_the_claim_of_another_lb_wins(void **state)
{
    struct span p[1] = {SPAN("a")};
    struct lb_ask a = ask_of("r1", p, 1);
    assert_int_equal(ask(&a), LB_CLAIM);
    const char *other = strcmp(placed.claim.node, "n-1") == 0 ? "n-2" : "n-1";
    assert_int_equal(claimed(&a, ANSWER_HAVE, other), LB_PLACED);
    assert_string_equal(placed.node, other);
    assert_string_equal(placed.why, "known_room");
    assert_false(placed.moved);
    struct lb_node_view view; /* what was set aside on the proposed node was given back */
    int64_t est = 0;
    for (size_t i = 0; i < lb_node_slots(w.lbs[0].lb, 0); i++)
        if (lb_node_view(w.lbs[0].lb, 0, i, world_mono(&w), &view))
            est += view.est;
    assert_int_equal(est, 1);
}

static void test_seats_are_set_aside_while_the_store_is_asked(void **state)
{
    struct lb_placed other;
    struct span p[4] = {SPAN("a"), SPAN("b"), SPAN("c"), SPAN("d")};
    struct lb_ask a = ask_of("r1", p, 4);
    assert_int_equal(ask(&a), LB_CLAIM);
    other = placed;
    for (int i = 0; i < 6; i++) { /* meanwhile others come: not to that node */
        struct lb_ask one = ask_of("", NULL, 0);
        assert_int_equal(ask(&one), LB_PLACED);
        assert_string_not_equal(placed.node, other.claim.node);
    }
    lb_abandon(w.lbs[0].lb, &a, &other);
    struct lb_ask one = ask_of("", NULL, 0);
    ask(&one);
    assert_string_equal(placed.node, other.claim.node);
}

static void test_a_node_that_went_red_meanwhile_is_not_proposed_twice(void **state)
{
    struct span p[1] = {SPAN("a")};
    struct lb_ask a = ask_of("r1", p, 1);
    ask(&a);
    char first[KEYS_NAME_MAX + 1];
    (void)snprintf(first, sizeof first, "%s", placed.claim.node);
    assert_int_equal(claimed(&a, ANSWER_STALE, NULL), LB_CLAIM);
    assert_string_not_equal(placed.claim.node, first);
    assert_int_equal(claimed(&a, ANSWER_OK, NULL), LB_PLACED);
}

/* Another LB was faster: only the store knows what both have claimed. */
static void test_who_finds_the_last_places_given_away_looks_elsewhere(void **state)
{
    struct span p[1] = {SPAN("a")};
    struct lb_ask a = ask_of("r1", p, 1);
    ask(&a);
    char first[KEYS_NAME_MAX + 1], second[KEYS_NAME_MAX + 1];
    (void)snprintf(first, sizeof first, "%s", placed.claim.node);
    assert_int_equal(claimed(&a, ANSWER_FULL, NULL), LB_CLAIM);
    (void)snprintf(second, sizeof second, "%s", placed.claim.node);
    assert_string_not_equal(second, first);
    assert_int_equal(claimed(&a, ANSWER_FULL, NULL), LB_CLAIM);
    assert_string_not_equal(placed.claim.node, first); /* it remembers all of them */
    assert_string_not_equal(placed.claim.node, second);
    assert_int_equal(claimed(&a, ANSWER_FULL, NULL), LB_REFUSED);
    assert_string_equal(placed.why, "no_capacity");
    assert_int_equal(w.lbs[0].lb->pools[0].roomless, 1); /* the store knows what we do not */
    assert_int_equal(pending(), 0);
    struct lb_node_view view; /* nothing stays set aside */
    for (size_t i = 0; i < lb_node_slots(w.lbs[0].lb, 0); i++)
        if (lb_node_view(w.lbs[0].lb, 0, i, world_mono(&w), &view))
            assert_int_equal(view.est, 0);
    assert_int_equal(lb_place_stats(w.lbs[0].lb, 0)->claims_full, 3);
}

/* The store counts the seats under its second: the tickets must say the same. */
static void test_tickets_of_a_claim_are_of_the_second_the_store_counted_them_under(void **state)
{
    struct span p[1] = {SPAN("a")};
    struct lb_ask a = ask_of("r1", p, 1);
    ask(&a);
    int64_t second = lb_store_now(w.lbs[0].lb, 0, world_mono(&w)).ms / 1000 - 1;
    const struct world_node *at = world_find(&w, placed.claim.node);
    struct store_answer answer = {.word = ANSWER_OK,
                                  .now = {second * 1000 + 999},
                                  .node = span_of(at->name),
                                  .epoch = at->epoch};
    lb_claimed(w.lbs[0].lb, world_mono(&w), &a, &placed, 0, &answer);
    assert_int_equal(placed.verdict, LB_PLACED);
    assert_int_equal(placed.seats[0].issued_s, second);
    assert_int_equal(placed.seats[0].expires_s, second + 30);
    assert_int_equal(pending(), 1);
}

/* The other LB gave the ticket that is shown: that is the answer, and nobody counts twice. */
static void test_a_good_ticket_that_is_shown_is_not_doubled(void **state)
{
    struct span p[1] = {SPAN("ann")};
    struct lb_ask a = ask_of("r1", p, 1);
    struct world_node *home = world_find(&w, "n-2");
    int64_t now_s = lb_store_now(w.lbs[0].lb, 0, world_mono(&w)).ms / 1000;
    a.shown = (struct lb_shown){.node = SPAN("n-2"),
                                .node_epoch = home->epoch,
                                .issued_s = now_s - 5,
                                .expires_s = now_s + 25};
    assert_int_equal(ask(&a), LB_CLAIM); /* is the room there still? */
    assert_int_equal(claimed(&a, ANSWER_HAVE, "n-2"), LB_PLACED);
    assert_true(placed.seats[0].shown);
    assert_int_equal(placed.seats[0].expires_s, now_s + 25);
    assert_int_equal(pending(), 0);
    assert_int_equal(ask(&a), LB_PLACED); /* known now: from memory */
    assert_true(placed.seats[0].shown);
    a.shown.expires_s = now_s + 1; /* about to expire; of an earlier process; another node's */
    assert_int_equal(ask(&a), LB_CLAIM);
    assert_int_equal(claimed(&a, ANSWER_HAVE, "n-2"), LB_PLACED);
    assert_false(placed.seats[0].shown);
    assert_int_equal(pending(), 1);
    struct span q[1] = {SPAN("bob")};
    struct lb_ask b = ask_of("r1", q, 1);
    b.shown = (struct lb_shown){SPAN("n-2"), home->epoch - 1, now_s, now_s + 25};
    assert_int_equal(ask(&b), LB_CLAIM);
    assert_int_equal(claimed(&b, ANSWER_HAVE, "n-2"), LB_PLACED);
    assert_false(placed.seats[0].shown);
    assert_int_equal(pending(), 2);
}

static void test_silence_alone_splits_no_friends(void **state)
{
    struct span p[1] = {SPAN("a")}, q[1] = {SPAN("b")};
    struct lb_ask a = ask_of("r1", p, 1), b = ask_of("r1", q, 1);
    ask(&a);
    claimed(&a, ANSWER_OK, NULL);
    char home[KEYS_NAME_MAX + 1];
    (void)snprintf(home, sizeof home, "%s", placed.node);
    struct world_node *node = world_find(&w, home);
    node->reports = false; /* it lost Redis, but players reach it */
    world_run(&w, w.now + 4500);
    assert_int_equal(node->state, NODE_LOST);
    assert_int_equal(ask(&b), LB_REFUSED);
    assert_string_equal(placed.why, "room_node_lost");
    world_run(&w, w.now + 50); /* it is probed for this */
    assert_int_equal(ask(&b), LB_CLAIM);
    assert_string_equal(placed.claim.node, home);
    assert_int_equal(claimed(&b, ANSWER_HAVE, NULL), LB_PLACED);
    assert_string_equal(placed.node, home);
}

static void test_a_room_whose_node_is_dead_moves_and_says_so(void **state)
{
    struct span p[1] = {SPAN("a")}, q[1] = {SPAN("b")};
    struct lb_ask a = ask_of("r1", p, 1), b = ask_of("r1", q, 1);
    ask(&a);
    claimed(&a, ANSWER_OK, NULL);
    char home[KEYS_NAME_MAX + 1];
    (void)snprintf(home, sizeof home, "%s", placed.node);
    world_kill(world_find(&w, home));
    world_run(&w, w.now + 4500);
    ask(&b);
    world_run(&w, w.now + 50);
    assert_int_equal(ask(&b), LB_CLAIM);
    assert_true(placed.claim.has_dead);
    assert_string_equal(placed.claim.dead_node, home);
    assert_string_not_equal(placed.claim.node, home);
    assert_int_equal(claimed(&b, ANSWER_MOVED, NULL), LB_PLACED);
    assert_true(placed.moved);
}

/* The store has the room on a node that is no more, and only the node that was proposed has places:
 * those set aside for this very claim are not in its own way. */
static void test_a_claim_that_is_made_again_may_take_the_places_it_had_set_aside(void **state)
{
    struct span p[25], others[8];
    char names[8][KEYS_NAME_MAX + 1], home[KEYS_NAME_MAX + 1] = "";
    size_t count = 0;
    for (size_t i = 0; i < 25; i++)
        p[i] = (struct span){&"abcdefghijklmnopqrstuvwxy"[i], 1};
    struct lb_ask a = ask_of("r", p, 25);
    for (int i = 0; i < 4; i++) { /* 25 of its 100 are left */
        char room[8];
        (void)snprintf(room, sizeof room, "r%d", i);
        a = ask_of(room, p, 25);
        a.exclude = others;
        a.exclude_count = count;
        assert_int_equal(ask(&a), LB_CLAIM);
        if (i == 3)
            break;
        assert_int_equal(claimed(&a, ANSWER_OK, NULL), LB_PLACED);
        if (i > 0)
            continue;
        (void)snprintf(home, sizeof home, "%s", placed.node);
        struct lb_node_view v;
        for (size_t slot = 0; slot < lb_node_slots(w.lbs[0].lb, 0); slot++)
            if (lb_node_view(w.lbs[0].lb, 0, slot, world_mono(&w), &v) &&
                strcmp(v.name, home) != 0 && count < 8) {
                (void)snprintf(names[count], sizeof names[count], "%s", v.name);
                others[count] = span_of(names[count]);
                count++;
            }
    }
    assert_string_equal(placed.claim.node, home);
    assert_int_equal(claimed(&a, ANSWER_HAVE, "gone-1"), LB_CLAIM);
    assert_string_equal(placed.claim.node, home);
    assert_string_equal(placed.claim.dead_node, "gone-1");
}

static void test_without_the_store_known_rooms_are_answered_and_new_ones_wait(void **state)
{
    struct span p[1] = {SPAN("a")}, q[1] = {SPAN("b")};
    struct lb_ask a = ask_of("r1", p, 1), b = ask_of("r1", q, 1), c = ask_of("r2", q, 1);
    ask(&a);
    claimed(&a, ANSWER_OK, NULL);
    world_store(&w, false);
    world_run(&w, w.now + 10);
    assert_int_equal(ask(&b), LB_PLACED);
    assert_int_equal(ask(&c), LB_REFUSED);
    assert_string_equal(placed.why, "store_away");
    assert_true(placed.retry_after_ms > 0);
}

/* It stopped answering a moment ago, and nobody knows yet. */
static void test_a_claim_that_is_not_answered_is_answered_from_memory(void **state)
{
    struct span p[1] = {SPAN("a")}, q[1] = {SPAN("b")};
    struct lb_ask a = ask_of("r1", p, 1), b = ask_of("r1", q, 1), c = ask_of("r2", q, 1);
    ask(&a);
    claimed(&a, ANSWER_OK, NULL);
    char home[KEYS_NAME_MAX + 1];
    (void)snprintf(home, sizeof home, "%s", placed.node);
    assert_int_equal(ask(&b), LB_CLAIM);
    lb_claimed(w.lbs[0].lb, world_mono(&w), &b, &placed, BERTH_ETIMEOUT, NULL);
    assert_int_equal(placed.verdict, LB_PLACED);
    assert_string_equal(placed.node, home);
    assert_int_equal(ask(&c), LB_CLAIM);
    lb_claimed(w.lbs[0].lb, world_mono(&w), &c, &placed, BERTH_ETIMEOUT, NULL);
    assert_string_equal(placed.why, "store_away");
}

static void test_no_room_left_is_said_and_nobody_is_squeezed_in(void **state)
{
    for (int i = 1; i <= 3; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "n-%d", i);
        world_find(&w, name)->conns = 98;
    }
    world_run(&w, w.now + 1500);
    struct span p[4] = {SPAN("a"), SPAN("b"), SPAN("c"), SPAN("d")};
    struct lb_ask four = ask_of("r1", p, 4), one = ask_of("", NULL, 0);
    assert_int_equal(ask(&four), LB_REFUSED); /* six seats, but no four together */
    assert_string_equal(placed.why, "no_capacity");
    for (int i = 0; i < 6; i++)
        assert_int_equal(ask(&one), LB_PLACED);
    assert_int_equal(ask(&one), LB_REFUSED);
}

/* Told once a second: `seats` is what one more node would have had room for. */
static void expect_refused(const char *text)
{
    world_clear_trace(&w);
    world_run(&w, w.now + 1100);
    if (!strstr(w.trace, text))
        fail_msg("not told: %s\n%s", text, w.trace);
}

static void test_seats_that_one_more_node_would_have_are_told_apart(void **state)
{
    for (int i = 1; i <= 3; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "n-%d", i);
        world_find(&w, name)->conns = i == 3 ? 98 : 100;
    }
    world_run(&w, w.now + 1500);
    struct span p[4] = {SPAN("a"), SPAN("b"), SPAN("c"), SPAN("d")};
    struct lb_ask four = ask_of("r1", p, 4), one = ask_of("", NULL, 0);
    assert_int_equal(ask(&four), LB_REFUSED);
    four.room = SPAN("r2");
    assert_int_equal(ask(&four), LB_REFUSED);
    expect_refused("no_capacity pool=game why=refused players=2 seats=8\n");
    struct span third[1] = {SPAN("n-3")};
    one.exclude = third;
    one.exclude_count = 1;
    assert_int_equal(ask(&one), LB_REFUSED); /* there is room where it does not want to go */
    expect_refused("players=1 seats=0\n");
    one.exclude_count = 0;
    one.version = SPAN("none such");
    assert_int_equal(ask(&one), LB_REFUSED);
    expect_refused("players=1 seats=0\n");
    world_find(&w, "n-3")->conns = 100;
    world_run(&w, w.now + 1500);
    assert_int_equal(ask(&one), LB_REFUSED); /* whatever it asked for, there is no room at all */
    expect_refused("players=1 seats=1\n");
    struct lb_pool *pool = &w.lbs[0].lb->pools[0];
    const struct pool_now now = {world_mono(&w), lb_store_now(w.lbs[0].lb, 0, world_mono(&w))};
    struct pool_node node;
    for (uint32_t i = 0; i < pool_slots(pool->table); i++) {
        assert_true(pool_node(pool->table, i, &node));
        const struct pool_report small = {
            .epoch = node.epoch, .seq = node.seq + 1000, .capacity = 3};
        assert_int_equal(pool_report(pool->table, now, i, &small), 0);
    }
    four.room = SPAN("r3");
    assert_int_equal(ask(&four), LB_REFUSED); /* an empty node would not hold them either */
    expect_refused("players=1 seats=0\n");
}

static void test_a_closed_pool_hands_out_nobody(void **state)
{
    world_want(&w, WANT_POOL_CLOSED, WANT_BY_OPERATOR, WANT_CLOSED, w.now + 5000);
    world_run(&w, w.now + 10);
    struct lb_ask one = ask_of("", NULL, 0);
    assert_int_equal(ask(&one), LB_REFUSED);
    assert_string_equal(placed.why, "closed");
    world_run(&w, w.now + 5000);
    assert_int_equal(ask(&one), LB_PLACED);
}

static void test_rooms_beyond_memory_are_asked_of_the_store_again(void **state)
{
    for (int i = 0; i < 20; i++) { /* memory holds 8 */
        char room[8];
        (void)snprintf(room, sizeof room, "r%d", i);
        struct span p[1] = {SPAN("a")};
        struct lb_ask a = ask_of(room, p, 1);
        assert_int_equal(ask(&a), LB_CLAIM);
        assert_int_equal(claimed(&a, ANSWER_OK, NULL), LB_PLACED);
    }
    struct lb_pool_view view;
    lb_pool_view(w.lbs[0].lb, 0, world_mono(&w), &view);
    assert_int_equal(view.rooms_known, 8);
    struct lb_ask a = ask_of("r0", NULL, 0);
    assert_int_equal(ask(&a), LB_CLAIM);
}

static void test_an_unanswered_claim_promises_nothing(void **state)
{
    struct span p[1] = {SPAN("a")};
    struct lb_ask a = ask_of("r1", p, 1);
    ask(&a);
    lb_claimed(w.lbs[0].lb, world_mono(&w), &a, &placed, BERTH_ETIMEOUT, NULL);
    assert_int_equal(placed.verdict, LB_REFUSED);
    assert_int_equal(pending(), 0);
}

static void test_before_the_first_view_nobody_is_sent_anywhere(void **state)
{
    world_fini(&w);
    world_init(&w, 1);
    struct lb_ask one = ask_of("", NULL, 0);
    assert_int_equal(ask(&one), LB_REFUSED);
    assert_string_equal(placed.why, "no_view");
}

static void test_asks_are_limited_by_address_and_by_player(void **state)
{
    world_fini(&w);
    world_init_limited(&w, 10, 3);
    struct lb *lb = w.lbs[0].lb;
    mono_ms_t now = world_mono(&w);
    for (int i = 0; i < 3; i++)
        assert_int_equal(lb_rate(lb, now, 0, SPAN("10.0.0.1"), SPAN("ann")), 0);
    int64_t wait = lb_rate(lb, now, 0, SPAN("10.0.0.1"), SPAN("ann"));
    assert_in_range(wait, 1, 20001);
    assert_int_equal(lb_rate(lb, mono_add(now, wait), 0, SPAN("10.0.0.1"), SPAN("ann")), 0);
    now = mono_add(now, wait);
    int given = 0;
    for (int i = 0; i < 100; i++) {
        char player[8];
        (void)snprintf(player, sizeof player, "p%d", i);
        given += lb_rate(lb, now, 0, SPAN("10.0.0.1"), span_of(player)) == 0;
    }
    assert_in_range(given, 5, 10);
    assert_int_equal(lb_rate(lb, now, 0, SPAN("10.0.0.2"), SPAN("zoe")), 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_the_same_player_gets_the_same_answer_and_counts_once),
        T(test_answers_are_remembered_as_long_as_their_tickets_live),
        T(test_another_node_is_given_to_who_excludes_the_first),
        T(test_a_repeated_answer_is_not_given_for_a_node_that_left),
        T(test_a_room_is_claimed_before_it_is_answered),
        T(test_the_claim_of_another_lb_wins),
        T(test_seats_are_set_aside_while_the_store_is_asked),
        T(test_a_node_that_went_red_meanwhile_is_not_proposed_twice),
        T(test_who_finds_the_last_places_given_away_looks_elsewhere),
        T(test_tickets_of_a_claim_are_of_the_second_the_store_counted_them_under),
        T(test_a_good_ticket_that_is_shown_is_not_doubled),
        T(test_silence_alone_splits_no_friends),
        T(test_a_room_whose_node_is_dead_moves_and_says_so),
        T(test_a_claim_that_is_made_again_may_take_the_places_it_had_set_aside),
        T(test_without_the_store_known_rooms_are_answered_and_new_ones_wait),
        T(test_a_claim_that_is_not_answered_is_answered_from_memory),
        T(test_no_room_left_is_said_and_nobody_is_squeezed_in),
        T(test_seats_that_one_more_node_would_have_are_told_apart),
        T(test_a_closed_pool_hands_out_nobody),
        T(test_rooms_beyond_memory_are_asked_of_the_store_again),
        T(test_an_unanswered_claim_promises_nothing),
        T(test_before_the_first_view_nobody_is_sent_anywhere),
        T(test_asks_are_limited_by_address_and_by_player),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_own.c - who owns a pool, in virtual time: takeover, hand-back, whose turn it is among three,
 * names that are not free, sleep. */
#include "tests/support/cmocka.h"
#include "tests/unit/lb/world.h"

#include <stdio.h>
#include <string.h>

static struct world w;

static void begin(int lb_count)
{
    static const char *const names[] = {"n-1", "n-2", "n-3"};
    world_init(&w, lb_count);
    world_run(&w, 100);
    for (int a = 0; a < lb_count; a++)
        for (int b = a + 1; b < lb_count; b++)
            world_link(&w, a, b, true);
    for (int i = 0; i < 3; i++)
        world_node(&w, names[i]);
    world_run(&w, 8000);
    assert_string_equal(w.holder, "lb-a");
    world_clear_trace(&w);
}

static int start_two(void **state)
{
    begin(2);
    return 0;
}

static int start_three(void **state)
{
    begin(3);
    return 0;
}

static int end(void **state)
{
    world_fini(&w);
    return 0;
}

static int count(const char *text)
{
    int n = 0;
    for (const char *at = w.trace; (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

/* Dead to the others after three pings and a half. */
static void kill_lb(int i)
{
    w.lbs[i].runs = false;
    world_run(&w, w.now + 875);
    for (int other = 0; other < w.lb_count; other++)
        if (other != i)
            world_link(&w, other, i, false);
}

/* When somebody else held the lease, counted from now. */
static int64_t until_owned_by(const char *name)
{
    int64_t began = w.now;
    while (strcmp(w.holder, name) != 0 || w.lease_until <= w.now) {
        world_run(&w, w.now + 1);
        assert_true(w.now < began + 30000);
    }
    return w.now - began;
}

static void test_a_dead_owner_is_followed_as_soon_as_its_lease_ends(void **state)
{
    for (int64_t at = 0; at < 250; at += 25) { /* wherever in its round it dies */
        world_run(&w, 8000 + at * 41);
        if (strcmp(w.holder, "lb-a") != 0)
            continue;
        int64_t died = w.now;
        kill_lb(0);
        (void)until_owned_by("lb-b");
        assert_in_range(w.now - died, 750, 1020);
        w.lbs[0].runs = true;
        world_restart_lb(&w, 0, 0);
        world_link(&w, 0, 1, true);
        (void)until_owned_by("lb-a");
        world_run(&w, w.now + 10);
    }
    assert_true(count("failover pool=game node=lb-b why=granted owner=lb-b from=lb-a") > 1);
    assert_true(count("failback pool=game node=lb-a why=granted owner=lb-a from=lb-b") > 1);
}

static void test_the_next_in_turn_takes_over_and_hands_back(void **state)
{
    kill_lb(0);
    (void)until_owned_by("lb-b"); /* not lb-c */
    world_run(&w, w.now + 10);
    kill_lb(1);
    (void)until_owned_by("lb-c");
    world_restart_lb(&w, 1, 0);
    world_link(&w, 1, 2, true);
    int64_t back = w.now;
    (void)until_owned_by("lb-b"); /* the better of those there are */
    assert_in_range(w.now - back, 10000, 10100);
    world_restart_lb(&w, 0, 0);
    world_link(&w, 0, 1, true);
    world_link(&w, 0, 2, true);
    (void)until_owned_by("lb-a");
    world_run(&w, w.now + 60000);
    assert_string_equal(w.holder, "lb-a");
    assert_int_equal(count("failover"), 2);
    assert_int_equal(count("failback pool=game node=lb-b"), 1);
    assert_int_equal(count("failback pool=game node=lb-a"), 1);
    assert_int_equal(w.moves_refused, 0);
}

/* Its link still stands when it lets go. */
static void test_one_that_stops_is_followed_at_once(void **state)
{
    world_event(&w, 0, (struct lb_event){.kind = LB_STOP});
    assert_in_range(until_owned_by("lb-b"), 1, 20);
}

static void test_by_hand_only_when_asked(void **state)
{
    w.settings.failback = FAILBACK_MANUAL;
    kill_lb(0);
    (void)until_owned_by("lb-b");
    world_restart_lb(&w, 0, 0);
    world_link(&w, 0, 1, true);
    world_run(&w, w.now + 120000);
    assert_string_equal(w.holder, "lb-b");
    world_want(&w, WANT_POOL_OWNER, WANT_BY_OPERATOR, WANT_FAILBACK, w.now + 60000);
    assert_in_range(until_owned_by("lb-a"), 1, 20);
    world_run(&w, w.now + 120000);
    assert_string_equal(w.holder, "lb-a");
}

/* Its link stands, but it could not hold a lease: nobody would own the pool. */
static void test_nothing_is_handed_to_a_peer_that_is_cut_off_from_the_store(void **state)
{
    kill_lb(0);
    (void)until_owned_by("lb-b");
    world_restart_lb(&w, 0, 0);
    world_link(&w, 0, 1, true);
    world_run(&w, w.now + 1000);
    w.lbs[0].connected = false;
    world_event(&w, 0, (struct lb_event){.kind = LB_STORE_DOWN, .why = "closed"});
    world_event(&w, 0, (struct lb_event){.kind = LB_FOLLOW_LOST, .why = "closed"});
    int64_t token = w.token;
    world_run(&w, w.now + 60000);
    assert_string_equal(w.holder, "lb-b");
    assert_int_equal(w.token, token);
}

/* Out of service at an operator's wish, and back. */
static void test_who_is_out_of_service_owns_nothing_while_another_can(void **state)
{
    world_event(&w, 0, (struct lb_event){.kind = LB_SERVICE, .ok = false});
    assert_in_range(until_owned_by("lb-b"), 1, 20);
    world_run(&w, w.now + 30000);
    assert_string_equal(w.holder, "lb-b");
    assert_string_not_equal(world_place(&w, 0, ""), "(no_view)"); /* who still asks is answered */
    world_event(&w, 0, (struct lb_event){.kind = LB_SERVICE, .ok = true});
    assert_in_range(until_owned_by("lb-a"), 10000, 10100);
    kill_lb(1);
    world_event(&w, 0, (struct lb_event){.kind = LB_SERVICE, .ok = false});
    world_run(&w, w.now + 30000); /* nobody else is there */
    assert_string_equal(w.holder, "lb-a");
}

static void test_an_owner_that_cannot_reach_the_store_is_followed(void **state)
{
    w.lbs[0].connected = false;
    world_event(&w, 0, (struct lb_event){.kind = LB_STORE_DOWN, .why = "closed"});
    world_event(&w, 0, (struct lb_event){.kind = LB_FOLLOW_LOST, .why = "closed"});
    assert_in_range(until_owned_by("lb-b"), 1, 1300); /* the link stands: no hurry */
}

/* After a kill -9 the name is the dead one's for three seconds. Nobody is turned away for that. */
static void test_answers_at_once_though_its_name_is_not_free(void **state)
{
    world_restart_lb(&w, 0, w.now + 3000);
    world_run(&w, w.now + 20);
    assert_string_not_equal(world_place(&w, 0, ""), "(no_view)");
    struct lb_pool_view view;
    lb_pool_view(w.lbs[0].lb, 0, world_mono(&w), &view);
    int64_t epoch = view.epoch;
    assert_true(epoch > 0 && !view.named);
    world_run(&w, w.now + 2900); /* the other one owns meanwhile */
    assert_string_equal(w.holder, "lb-b");
    world_run(&w, w.now + 400);
    lb_pool_view(w.lbs[0].lb, 0, world_mono(&w), &view);
    assert_true(view.named);
    assert_int_equal(view.epoch, epoch); /* tickets that are out stay of one issuer */
    assert_int_equal(count("moves_refused"), 0);
}

static void test_a_second_live_holder_of_a_name_is_refused(void **state)
{
    world_restart_lb(&w, 0, w.now + 60000); /* beats and beats */
    world_run(&w, w.now + 3900);
    assert_string_not_equal(world_place(&w, 0, ""), "(name_taken)");
    world_run(&w, w.now + 1000);
    assert_string_equal(world_place(&w, 0, ""), "(name_taken)");
    assert_int_equal(count("enroll pool=game node=lb-a why=name_refused"), 1);
    assert_string_equal(w.holder, "lb-b");
    world_run(&w, w.now + 60000); /* the other one is gone */
    assert_string_not_equal(world_place(&w, 0, ""), "(name_taken)");
}

/* Decided, and put to sleep before it was sent. */
static void test_what_was_decided_before_a_sleep_is_not_sent(void **state)
{
    struct lb_effect move = {.kind = LB_DO_MOVE};
    move.move.token = w.token;
    struct lb_effect sweep = {.kind = LB_DO_SWEEP, .token = w.token};
    struct lb_effect old = {.kind = LB_DO_SWEEP, .token = w.token - 1};
    struct lb_effect note = {.kind = LB_DO_NOTE};
    mono_ms_t now = world_mono(&w), late = mono_add(now, 1000);
    assert_true(lb_may_send(w.lbs[0].lb, &move, now));
    assert_true(lb_may_send(w.lbs[0].lb, &sweep, now));
    assert_false(lb_may_send(w.lbs[0].lb, &old, now));
    assert_false(lb_may_send(w.lbs[0].lb, &move, late));
    assert_false(lb_may_send(w.lbs[0].lb, &sweep, late));
    assert_true(lb_may_send(w.lbs[0].lb, &note, late));
    assert_false(lb_may_send(w.lbs[1].lb, &move, now)); /* who owns nothing */
}

/* Who slept has not read what came meanwhile: silence and failed probes of that time lose nobody.
 */
static void test_after_a_pause_nobody_is_lost_before_all_had_time_to_be_heard(void **state)
{
    w.lbs[0].runs = w.lbs[1].runs = false; /* the machines of both stood still */
    world_run(&w, w.now + 5000);
    w.lbs[0].runs = w.lbs[1].runs = true;
    world_find(&w, "n-1")->reports = false;
    world_clear_trace(&w);
    world_run(&w, w.now + 3500);
    assert_true(count("tilt pool=game why=paused") > 0);
    assert_int_equal(world_find(&w, "n-1")->state, NODE_READY);
    world_run(&w, w.now + 3000);
    assert_int_equal(world_find(&w, "n-1")->state, NODE_LOST);
}

/* The store's clock leaps: nothing that was believed about time holds, the lease included. */
static void test_a_leap_of_the_clock_stops_the_owner_until_it_is_confirmed(void **state)
{
    struct lb_pool_view view;
    w.wall_base += 3600000;
    world_run(&w, w.now + 400);
    lb_pool_view(w.lbs[0].lb, 0, world_mono(&w), &view);
    assert_int_equal(view.tilts, 1);
    assert_true(view.holding);
    assert_int_equal(count("owner pool=game node=lb-a why=tilt"), 1);
    world_run(&w, w.now + 1000);
    lb_pool_view(w.lbs[0].lb, 0, world_mono(&w), &view);
    assert_true(view.owner);
    assert_int_equal(count("failover"), 0);
    world_run(&w, w.now + 10000);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(w.nodes[i - 1].state, NODE_READY);
}

/* An hour of two processes that are scheduled badly, a link that breaks, a store that stalls. */
static void test_an_hour_without_a_false_failover(void **state)
{
    w.settings.failback_after_ms = 0;
    for (int second = 0; second < 3600; second++) {
        int64_t at = 8000 + second * 1000;
        if (second % 7 == 3) { /* 300 ms without the processor: no reason to let go */
            int who = second % 2;
            w.lbs[who].runs = false;
            world_run(&w, at + 300);
            w.lbs[who].runs = true;
        }
        if (second % 61 == 30)
            world_link(&w, 0, 1, false);
        if (second % 61 == 32)
            world_link(&w, 0, 1, true);
        world_run(&w, at + 1000);
        world_clear_trace(&w); /* an hour of it is long; what counts is the token */
        assert_string_equal(w.holder, "lb-a");
        assert_int_equal(w.token, 1);
    }
    assert_int_equal(w.moves_refused, 0);
}

#define TWO(test) cmocka_unit_test_setup_teardown(test, start_two, end)
#define THREE(test) cmocka_unit_test_setup_teardown(test, start_three, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWO(test_a_dead_owner_is_followed_as_soon_as_its_lease_ends),
        THREE(test_the_next_in_turn_takes_over_and_hands_back),
        TWO(test_one_that_stops_is_followed_at_once),
        TWO(test_by_hand_only_when_asked),
        TWO(test_nothing_is_handed_to_a_peer_that_is_cut_off_from_the_store),
        TWO(test_who_is_out_of_service_owns_nothing_while_another_can),
        TWO(test_an_owner_that_cannot_reach_the_store_is_followed),
        TWO(test_answers_at_once_though_its_name_is_not_free),
        TWO(test_a_second_live_holder_of_a_name_is_refused),
        TWO(test_what_was_decided_before_a_sleep_is_not_sent),
        TWO(test_after_a_pause_nobody_is_lost_before_all_had_time_to_be_heard),
        TWO(test_a_leap_of_the_clock_stops_the_owner_until_it_is_confirmed),
        TWO(test_an_hour_without_a_false_failover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

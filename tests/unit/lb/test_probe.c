/* test_probe.c - what probes prove, in virtual time: held sockets, the other peer's word, the
 * mass-loss guard and its end, silent nodes that nobody is sent to. */
#include "tests/support/cmocka.h"
#include "tests/unit/lb/world.h"

#include <stdio.h>
#include <string.h>

static struct world w;

static const char *const six[] = {"n-1", "n-2", "n-3", "n-4", "n-5", "n-6"};

static void begin(int lb_count)
{
    world_init(&w, lb_count);
    world_run(&w, 100);
    for (int a = 0; a < lb_count; a++)
        for (int b = a + 1; b < lb_count; b++)
            world_link(&w, a, b, true);
    for (int i = 0; i < 6; i++)
        world_node(&w, six[i]);
    world_run(&w, 8000);
    for (int i = 0; i < 6; i++)
        assert_int_equal(world_find(&w, six[i])->state, NODE_READY);
    world_clear_trace(&w);
}

static int start_one(void **state)
{
    begin(1);
    return 0;
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

static enum node_state state_of(const char *node)
{
    return world_find(&w, node)->state;
}

static int lost(void)
{
    int count = 0;
    for (int i = 0; i < 6; i++)
        count += state_of(six[i]) == NODE_LOST;
    return count;
}

static bool traced(const char *text)
{
    return strstr(w.trace, text) != NULL;
}

/* Its reports go on: only probes say that it is gone. */
static int64_t until_lost(const char *node, int64_t limit)
{
    int64_t began = w.now;
    while (state_of(node) != NODE_LOST && w.now < began + limit)
        world_run(&w, w.now + 1);
    return w.now - began;
}

static void test_a_killed_process_is_out_within_200_ms(void **state)
{
    world_kill(world_find(&w, "n-1"));
    world_cut(&w, "n-1");
    assert_in_range(until_lost("n-1", 1000), 1, 50);
    assert_true(traced("confirm pool=game node=n-1") == (w.lb_count > 1));
    assert_string_not_equal(world_place(&w, 0, ""), "n-1");
}

static void test_a_cut_socket_alone_proves_nothing(void **state)
{
    for (int i = 0; i < 5; i++) { /* a server that ends idle sockets */
        world_cut(&w, "n-1");
        world_run(&w, w.now + 1000);
        assert_int_equal(state_of("n-1"), NODE_READY);
    }
    struct lb_node_view view;
    int slot = lb_node_find(w.lbs[0].lb, 0, SPAN("n-1"));
    assert_true(lb_node_view(w.lbs[0].lb, 0, (size_t)slot, world_mono(&w), &view));
    assert_int_equal(view.probe_failures, 0);
    int64_t epoch = world_find(&w, "n-1")->epoch;
    assert_false(lb_probe_holds(w.lbs[0].lb, 0, SPAN("n-1"), epoch, world_mono(&w)));
    epoch = world_find(&w, "n-2")->epoch;
    assert_true(lb_probe_holds(w.lbs[0].lb, 0, SPAN("n-2"), epoch, world_mono(&w)));
    assert_false(lb_probe_holds(w.lbs[0].lb, 0, SPAN("n-2"), epoch + 1, world_mono(&w)));
    assert_false(lb_probe_holds(w.lbs[1].lb, 0, SPAN("n-2"), epoch, world_mono(&w)));
}

static void test_a_node_that_reports_is_not_lost_when_the_other_peer_reaches_it(void **state)
{
    world_find(&w, "n-1")->out_of_reach = 1; /* of lb-a, the owner */
    world_run(&w, w.now + 60000);
    assert_int_equal(state_of("n-1"), NODE_READY);
    assert_true(traced("probe_disputed pool=game node=n-1 why=refused reached_by=lb-b"));
    assert_true(traced("confirm pool=game node=n-1"));
    const char *first = strstr(w.trace, "probe_disputed");
    assert_null(strstr(first + 1, "probe_disputed")); /* said once */
}

static void test_a_node_that_neither_reaches_is_lost(void **state)
{
    world_find(&w, "n-1")->reachable = false; /* its reports arrive */
    assert_in_range(until_lost("n-1", 30000), 1, 14000);
    world_run(&w, w.now + 10);
    assert_true(traced("confirm pool=game node=n-1"));
    assert_true(traced("why=probe_failed from=ready to=lost"));
}

static void test_one_of_three_that_reaches_it_is_enough(void **state)
{
    world_find(&w, "n-1")->out_of_reach = 1 | 2;
    world_run(&w, w.now + 60000);
    assert_int_equal(state_of("n-1"), NODE_READY);
    assert_true(traced("reached_by=lb-c"));
    world_find(&w, "n-1")->out_of_reach = 7;
    assert_in_range(until_lost("n-1", 30000), 1, 14000);
}

/* Nobody to ask: twice as many failures are asked for, and are enough. */
static void test_without_its_peer_an_owner_needs_twice_as_many_failures(void **state)
{
    world_link(&w, 0, 1, false);
    world_find(&w, "n-1")->reachable = false;
    unsigned before = w.lbs[0].probes;
    (void)until_lost("n-1", 30000);
    assert_int_equal(state_of("n-1"), NODE_LOST);
    assert_in_range(w.lbs[0].probes - before, 6, 6 + 12); /* some of the other five */
    assert_false(traced("confirm"));
}

static void test_a_peer_that_does_not_answer_is_not_waited_for_for_ever(void **state)
{
    w.lbs[1].runs = false; /* it stands still, and the link does not know yet */
    world_find(&w, "n-1")->reachable = false;
    unsigned failures = 0;
    int slot = lb_node_find(w.lbs[0].lb, 0, SPAN("n-1"));
    for (int64_t end = w.now + 25000; state_of("n-1") != NODE_LOST && w.now < end;) {
        struct lb_node_view view;
        world_run(&w, w.now + 1);
        assert_true(lb_node_view(w.lbs[0].lb, 0, (size_t)slot, world_mono(&w), &view));
        failures = view.probe_failures > failures ? view.probe_failures : failures;
    }
    assert_int_equal(state_of("n-1"), NODE_LOST);
    assert_in_range(failures, 6, 10); /* as if it were not there */
}

/* Silent and unreachable: two witnesses, nobody else is asked. */
static void test_a_silent_node_needs_no_second_word(void **state)
{
    w.pool.lost_after_ms = 60000;
    struct world_node *node = world_find(&w, "n-1");
    node->reports = node->reachable = false;
    (void)until_lost("n-1", 30000);
    assert_int_equal(state_of("n-1"), NODE_LOST);
    assert_false(traced("confirm"));
}

/* ---- the guard ---- */

static void test_half_a_pool_cut_at_once_is_held(void **state)
{
    for (int i = 0; i < 3; i++)
        world_kill(world_find(&w, six[i]));
    for (int i = 0; i < 3; i++)
        world_cut(&w, six[i]);
    world_run(&w, w.now + 60000);
    assert_int_equal(lost(), 0);
    assert_true(traced("guard pool=game why=probes_fail_everywhere would_lose="));
    struct lb_pool_view view;
    lb_pool_view(w.lbs[0].lb, 0, world_mono(&w), &view);
    assert_true(view.guarded);
    assert_int_equal(view.doubted, 3);
}

/* Cut off one by one, a second apart: it is one round's losses all the same. (Their reports go on,
 * so they are joining again, and not proved.) */
static void test_losses_by_probes_add_up(void **state)
{
    for (int i = 0; i < 3; i++) {
        world_find(&w, six[i])->reachable = false;
        world_cut(&w, six[i]);
        world_run(&w, w.now + 1000);
        assert_int_equal(state_of(six[i]) == NODE_READY, i == 2);
    }
    assert_true(traced("guard pool=game why=probes_fail_everywhere would_lose=3 of=6"));
    world_run(&w, w.now + 15000);
    assert_int_equal(state_of("n-3"), NODE_JOINING);
}

static void test_players_are_not_sent_to_who_is_silent_while_a_guard_holds(void **state)
{
    for (int i = 0; i < 3; i++)
        world_find(&w, six[i])->reports = false;
    world_run(&w, w.now + 10000);
    assert_int_equal(lost(), 0);
    for (int i = 0; i < 60; i++) {
        const char *node = world_place(&w, i % 2, "");
        assert_true(node[2] >= '4');
    }
    for (int i = 0; i < 3; i++)
        world_find(&w, six[i])->reports = true;
    world_run(&w, w.now + 4000);
    assert_true(traced("guard_over pool=game why=over"));
    bool used = false;
    for (int i = 0; i < 60; i++)
        used |= world_place(&w, i % 2, "")[2] < '4';
    assert_true(used);
    for (int i = 3; i < 6; i++) /* when all are silent, it is us, and nobody is left out */
        world_find(&w, six[i])->reports = false;
    for (int i = 0; i < 3; i++)
        world_find(&w, six[i])->reports = false;
    world_run(&w, w.now + 10000);
    assert_string_not_equal(world_place(&w, 0, ""), "(no_node)");
    assert_string_not_equal(world_place(&w, 0, ""), "(no_capacity)");
}

static void test_who_comes_back_last_is_waited_for(void **state)
{
    for (int i = 0; i < 3; i++)
        world_find(&w, six[i])->reports = false;
    world_run(&w, w.now + 10000);
    assert_int_equal(lost(), 0);
    for (int i = 0; i < 2; i++) /* one of six alone is not held back by its share */
        world_find(&w, six[i])->reports = true;
    world_run(&w, w.now + 1900);
    assert_int_equal(lost(), 0);
    world_run(&w, w.now + 3500);
    assert_int_equal(lost(), 1);
    assert_true(traced("guard_over pool=game why=over"));
    world_find(&w, six[3])->reports = false; /* and that was it: the next is not waited for */
    world_run(&w, w.now + w.pool.lost_after_ms + 1500);
    assert_int_equal(lost(), 2);
}

static void test_the_guard_lets_go_after_a_while(void **state)
{
    w.pool.guard_release_ms = 60000;
    for (int i = 0; i < 3; i++)
        world_kill(world_find(&w, six[i]));
    world_run(&w, w.now + 60000);
    assert_int_equal(lost(), 0);
    world_run(&w, w.now + 8000);
    assert_int_equal(lost(), 3);
    assert_true(traced("guard_over pool=game why=held_long_enough held_ms=60"));
}

static void test_or_when_an_operator_says_so(void **state)
{
    w.pool.guard_release_ms = 0;
    for (int i = 0; i < 3; i++)
        world_kill(world_find(&w, six[i]));
    world_run(&w, w.now + 600000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(state_of(six[i]), NODE_READY);
    world_want(&w, WANT_POOL_GUARD, WANT_BY_OPERATOR, WANT_ACCEPT, w.now + 60000);
    world_run(&w, w.now + 2000);
    assert_int_equal(lost(), 3);
    world_run(&w, w.now + 3000);
    assert_true(traced("guard_over pool=game why=accepted"));
}

/* Ten seconds without the store, players all the while, and a node that is not probed well. */
static void test_the_store_away_for_ten_seconds_loses_nobody(void **state)
{
    world_find(&w, "n-2")->out_of_reach = 1;
    world_store(&w, false);
    for (int i = 0; i < 100; i++) {
        world_run(&w, w.now + 100);
        assert_int_equal(world_place(&w, i % 2, "")[0], 'n');
    }
    world_store(&w, true);
    for (int i = 0; i < 300; i++) {
        world_run(&w, w.now + 100);
        assert_int_equal(world_place(&w, i % 2, "")[0], 'n');
    }
    assert_int_equal(lost(), 0);
    assert_false(traced("to=lost"));
    assert_int_equal(w.moves_refused, 0);
}

#define WITH(count, test) cmocka_unit_test_setup_teardown(test, start_##count, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(one, test_a_killed_process_is_out_within_200_ms),
        WITH(two, test_a_killed_process_is_out_within_200_ms),
        WITH(three, test_a_killed_process_is_out_within_200_ms),
        WITH(two, test_a_cut_socket_alone_proves_nothing),
        WITH(two, test_a_node_that_reports_is_not_lost_when_the_other_peer_reaches_it),
        WITH(two, test_a_node_that_neither_reaches_is_lost),
        WITH(three, test_one_of_three_that_reaches_it_is_enough),
        WITH(two, test_without_its_peer_an_owner_needs_twice_as_many_failures),
        WITH(two, test_a_peer_that_does_not_answer_is_not_waited_for_for_ever),
        WITH(two, test_a_silent_node_needs_no_second_word),
        WITH(two, test_half_a_pool_cut_at_once_is_held),
        WITH(two, test_losses_by_probes_add_up),
        WITH(two, test_players_are_not_sent_to_who_is_silent_while_a_guard_holds),
        WITH(two, test_who_comes_back_last_is_waited_for),
        WITH(two, test_the_guard_lets_go_after_a_while),
        WITH(two, test_or_when_an_operator_says_so),
        WITH(two, test_the_store_away_for_ten_seconds_loses_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

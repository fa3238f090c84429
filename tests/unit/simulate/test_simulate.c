/* test_simulate.c - the simulator's own laws: players are conserved, refused when the pool is full,
 * never killed; the same input gives the same result. */
#include "settings/rules.h"
#include "simulate/harbour.h"
#include "simulate/simulate.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

static const struct min_ready_settings two = {.ready = 2};
static const struct headroom_settings fifth = {
    .percent = 20, .seconds_ms = 60000, .shrink_after_ms = 300000};

static void make_policy(struct policy *p, int max)
{
    policy_defaults(p, "game");
    p->min = 1;
    p->max = max;
    p->max_step = 50;
    p->out_cooldown_ms = 0;
    p->in_cooldown_ms = 60000;
    p->rules[p->rule_count++] = (struct rule){.kind = &rule_min_ready, .settings = &two};
    p->rules[p->rule_count++] = (struct rule){.kind = &rule_headroom, .settings = &fifth};
}

/* Straight lines between (second, players), ended by second 0. */
static struct trace make_trace(const int (*points)[2])
{
    char text[512];
    size_t n = 0;
    struct trace t;
    struct err err;
    for (size_t i = 0; i == 0 || points[i][0] > 0; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%d,%d\n", points[i][0], points[i][1]);
    assert_int_equal(trace_parse(&t, span_of(text), "t", 120, 1, &err), 0);
    return t;
}

static struct simulate_config make_config(const struct policy *policy, enum simulate_driver driver)
{
    return (struct simulate_config){.policy = policy,
                                    .driver = driver,
                                    .boot_s = 30,
                                    .capacity = 50,
                                    .session_s = 120,
                                    .closing_s = 10,
                                    .warmup_s = 600,
                                    .flap_s = 600,
                                    .initial = -1,
                                    .seed = 7};
}

static const int wave[][2] = {{0, 100}, {900, 700}, {1800, 50}, {2700, 400}, {3600, 60}, {0, 0}};

struct seen {
    int64_t samples, capacity_most;
    bool balanced;
    int events;
};

static void on_sample(void *arg, const struct simulate_sample *s)
{
    struct seen *seen = arg;
    seen->samples++;
    seen->capacity_most = s->capacity > seen->capacity_most ? s->capacity : seen->capacity_most;
    seen->balanced &= s->figures.conns + s->refused <= s->demand;
}

static void on_event(void *arg, int64_t second, const char *word, const char *record)
{
    ((struct seen *)arg)->events++;
}

static void test_players_are_conserved_and_nobody_is_killed(void **state)
{
    struct policy policy;
    struct err err;
    make_policy(&policy, 40);
    struct trace trace = make_trace(wave);
    for (int driver = SIMULATE_POLICY; driver <= SIMULATE_REACTIVE; driver++) {
        struct simulate_config config = make_config(&policy, (enum simulate_driver)driver);
        struct seen seen = {.balanced = true};
        struct simulate_watch watch = {on_sample, on_event, &seen};
        struct simulate_result r;
        assert_int_equal(simulate_run(&config, &trace, &watch, &r, &err), 0);
        assert_int_equal(r.arrived, r.left + r.players_at_end);
        assert_int_equal(r.players_at_end, 60);
        assert_true(seen.balanced);
        assert_int_equal(seen.samples, trace.seconds);
        assert_int_equal(r.killed, 0);
        assert_true(r.outs > 0 && r.ins > 0);
        assert_int_equal(seen.events, r.outs + r.ins);
        assert_true(r.nodes_most >= 14);
    }
    trace_fini(&trace);
}

static void test_a_full_pool_refuses(void **state)
{
    static const int flat[][2] = {{0, 130}, {1000, 130}, {0, 0}};
    struct policy policy;
    struct err err;
    make_policy(&policy, 2); /* 100 places */
    struct trace trace = make_trace(flat);
    struct simulate_config config = make_config(&policy, SIMULATE_POLICY);
    struct seen seen = {0};
    struct simulate_watch watch = {on_sample, NULL, &seen};
    struct simulate_result r;
    assert_int_equal(simulate_run(&config, &trace, &watch, &r, &err), 0);
    assert_int_equal(seen.capacity_most, 100);
    assert_int_equal(r.refused_s, 30 * 1001);
    assert_int_equal(r.refused_most, 30);
    assert_int_equal(r.demand_s, 130 * 1001);
    assert_true(r.mean_use == 1 && r.peak_use == 1);
    assert_true(r.node_hours > 2 * 1000 / 3600.0 && r.node_hours < 2 * 1002 / 3600.0);
    trace_fini(&trace);
}

static void test_new_nodes_take_the_boot_time(void **state)
{
    static const int step[][2] = {{0, 50}, {600, 50}, {601, 450}, {1200, 450}, {0, 0}};
    struct policy policy;
    struct err err;
    make_policy(&policy, 40);
    struct trace trace = make_trace(step);
    struct simulate_result slow, slower, oracle;
    struct simulate_config config = make_config(&policy, SIMULATE_REACTIVE);
    assert_int_equal(simulate_run(&config, &trace, NULL, &slow, &err), 0);
    /* 9 nodes are wanted at once, one is there: 400 wait for the boot time */
    assert_int_equal(slow.refused_most, 400);
    assert_in_range(slow.refused_s, 400 * 28, 400 * 32);
    config.boot_s = 60;
    assert_int_equal(simulate_run(&config, &trace, NULL, &slower, &err), 0);
    assert_in_range(slower.refused_s, 400 * 58, 400 * 62);
    config.driver = SIMULATE_ORACLE;
    assert_int_equal(simulate_run(&config, &trace, NULL, &oracle, &err), 0);
    assert_int_equal(oracle.refused_s, 0);
    trace_fini(&trace);
}

static void test_the_same_input_gives_the_same_result(void **state)
{
    struct policy policy;
    struct err err;
    make_policy(&policy, 40);
    struct trace trace = make_trace(wave);
    struct simulate_config config = make_config(&policy, SIMULATE_POLICY);
    struct simulate_result a, b;
    assert_int_equal(simulate_run(&config, &trace, NULL, &a, &err), 0);
    assert_int_equal(simulate_run(&config, &trace, NULL, &b, &err), 0);
    assert_memory_equal(&a, &b, sizeof a);
    config.seed = 8;
    assert_int_equal(simulate_run(&config, &trace, NULL, &b, &err), 0);
    /* No padding in it, and what is byte for byte the same is the same. */
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
    assert_true(memcmp(&a, &b, sizeof a) != 0);
    trace_fini(&trace);
}

/* ---- the harbour by itself ---- */

static struct harbour make_harbour(int nodes)
{
    struct harbour h;
    struct harbour_config config = {
        .boot_s = 5, .session_s = 20, .closing_s = 3, .capacity = 10, .nodes_max = 4, .seed = 1};
    assert_int_equal(harbour_init(&h, &config), 0);
    harbour_begin_with(&h, nodes);
    return h;
}

static void test_the_emptiest_node_is_filled_first(void **state)
{
    struct harbour h = make_harbour(3);
    harbour_second(&h, 14);
    assert_int_equal(h.nodes[0].players, 5);
    assert_int_equal(h.nodes[1].players, 5);
    assert_int_equal(h.nodes[2].players, 4);
    harbour_fini(&h);
}

static void test_a_draining_node_empties_and_only_then_is_drained(void **state)
{
    struct harbour h = make_harbour(2);
    char id[NAME_SIZE];
    memcpy(id, h.nodes[0].id, sizeof id);
    harbour_second(&h, 8);
    harbour_want(&h, id, true);
    int32_t before = h.nodes[0].players;
    for (int s = 0; s < 60 && h.nodes[0].state != NODE_DRAINED; s++) {
        harbour_second(&h, 8);
        assert_true(h.nodes[0].players <= before); /* nobody new */
        before = h.nodes[0].players;
        assert_int_equal(h.waiting, 0);
    }
    assert_int_equal(h.nodes[0].state, NODE_DRAINED);
    assert_int_equal(h.nodes[0].players, 0);
    assert_false(harbour_move(&h, id, NODE_READY, NODE_TERMINATING)); /* it is elsewhere */
    assert_true(harbour_move(&h, id, NODE_DRAINED, NODE_TERMINATING));
    harbour_terminate(&h, id);
    harbour_second(&h, 8);
    assert_int_equal(harbour_count(&h).exist, 1);
    assert_int_equal(h.killed, 0);
    harbour_fini(&h);
}

static void test_ending_a_node_with_players_is_counted(void **state)
{
    struct harbour h = make_harbour(2);
    harbour_second(&h, 8);
    harbour_terminate(&h, h.nodes[0].id);
    harbour_second(&h, 8);
    assert_true(h.killed >= 1);
    assert_int_equal(h.seated + h.waiting, 8); /* others came for them */
    harbour_fini(&h);
}

static void test_no_more_instances_than_there_is_room_for(void **state)
{
    struct harbour h = make_harbour(3);
    assert_non_null(harbour_launch(&h, "t"));
    assert_null(harbour_launch(&h, "t"));
    harbour_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_players_are_conserved_and_nobody_is_killed),
        cmocka_unit_test(test_a_full_pool_refuses),
        cmocka_unit_test(test_new_nodes_take_the_boot_time),
        cmocka_unit_test(test_the_same_input_gives_the_same_result),
        cmocka_unit_test(test_the_emptiest_node_is_filled_first),
        cmocka_unit_test(test_a_draining_node_empties_and_only_then_is_drained),
        cmocka_unit_test(test_ending_a_node_with_players_is_counted),
        cmocka_unit_test(test_no_more_instances_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

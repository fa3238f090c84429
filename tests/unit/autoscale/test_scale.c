/* test_scale.c - the whole core of the autoscaler in virtual time: floor, growth, holds, drain,
 * failures, operators. */
#include "settings/rules.h"
#include "tests/support/cmocka.h"
#include "world.h"

#include <stdio.h>

static const struct average_connections_settings average = {
    .above = 70, .below = 20, .hold_ms = 10000, .step = 1};

static void use_average(struct world *w)
{
    w->policy.rules[w->policy.rule_count++] =
        (struct rule){.kind = &rule_average_connections, .settings = &average};
    world_boot_side(w, 0);
    world_lead(w, 0);
}

/* A pool that has come up to its floor and is at rest. */
static void init_at_floor(struct world *w, int min, int max)
{
    world_init(w, min, max);
    use_average(w);
    world_run(w, 10000);
    assert_int_equal(world_count(w, NODE_READY), min);
}

/* A pool that has grown to its ceiling, with short cooldowns. */
static void init_grown(struct world *w, int min, int max)
{
    world_init(w, min, max);
    w->policy.in_cooldown_ms = 60000;
    w->policy.out_cooldown_ms = 10000;
    use_average(w);
    world_run(w, 10000);
    for (int i = 0; i < 20 && world_count(w, NODE_READY) < max; i++) {
        world_load(w, 100);
        world_run(w, 15000);
    }
    assert_int_equal(world_count(w, NODE_READY), max);
    assert_int_equal(w->launched, max);
}

static void test_floor_comes_up_once(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 10);
    assert_int_equal(w.launch_calls, 1);
    assert_int_equal(w.launched, 2);
    world_run(&w, 60000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(w.plan_count,
                     0); /* struck out once both have reported; the floor leaves no cooldown */
    world_fini(&w);
}

static void test_nothing_moves_at_rest(void **state)
{
    static const struct min_ready_settings two = {.ready = 2};
    struct world w;
    world_init(&w, 2, 10);
    w.policy.rules[w.policy.rule_count++] =
        (struct rule){.kind = &rule_min_ready, .settings = &two};
    use_average(&w);
    world_run(
        &w,
        30000); /* the wish of the average to shrink is blocked by min_ready, which is said once */
    assert_int_equal(world_count(&w, NODE_READY), 2);
    size_t log = w.log_len;
    world_run(&w, 3600 * 1000);
    assert_int_equal(w.log_len, log); /* not one effect but lists in a whole hour */
    struct scale_status st = world_status(&w, 0);
    assert_int_equal(st.outs, 1);
    assert_int_equal(st.ins, 0);
    world_fini(&w);
}

/* A retry, a hold time: overdue for as long as nobody looks, and yet no reason to look at once. */
static void test_nothing_is_due_at_once_while_the_store_is_away(void **state)
{
    struct world w;
    init_at_floor(&w, 1, 10);
    w.launch_outcome = SCALE_UNKNOWN;
    world_load(&w, 100);
    world_run(&w, 12000);
    assert_true(w.launch_calls > 1);
    world_load(&w, 10); /* a hold time begins */
    world_run(&w, 1000);
    w.side[0].cut = true;
    for (int i = 0; i < 60; i++) {
        world_run(&w, 1000);
        assert_true(mono_before(w.now, scale_deadline(w.side[0].scale)));
    }
    world_fini(&w);
}

static void test_grows_after_the_hold_time_and_not_again_in_the_cooldown(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 10);
    world_load(&w, 80);
    world_run(&w, 9000);
    assert_int_equal(w.launched, 2); /* hold time: 10 s */
    world_run(&w, 3000);
    assert_int_equal(w.launched, 3);
    world_run(&w, 5000);
    world_load(&w, 100); /* on all three: far above */
    world_run(&w, 120000);
    assert_int_equal(w.launched, 3);
    assert_int_equal(world_logged(&w, "held_by=cooldown_out"), 1); /* said once */
    world_run(&w, 60000);
    assert_int_equal(w.launched, 5); /* ceil(300 / 70) */
    world_fini(&w);
}

static void test_a_dip_within_the_hold_time_starts_it_anew(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 10);
    for (int i = 0; i < 10; i++) {
        world_load(&w, 80);
        world_run(&w, 8000);
        world_load(&w, 60);
        world_run(&w, 2000);
    }
    assert_int_equal(w.launched, 2);
    world_fini(&w);
}

static void test_dead_nodes_are_replaced_in_spite_of_the_cooldown(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 10);
    world_load(&w, 80);
    world_run(&w, 12000);
    assert_int_equal(w.launched, 3); /* the cooldown runs */
    world_load(&w, 50);
    world_run(&w, 5000);
    world_kill_node(&w, 0);
    world_kill_node(&w, 1);
    world_run(&w, 10000);
    assert_int_equal(world_count(&w, NODE_READY),
                     2); /* the floor: one of the two dead was needed */
    assert_int_equal(w.launched, 4);
    assert_int_equal(world_count(&w, NODE_LOST),
                     0); /* their instances are known to be gone: forgotten at once */
    world_fini(&w);
}

static void test_shrinks_by_draining_the_emptiest(void **state)
{
    struct world w;
    init_grown(&w, 2, 4);
    world_load(&w, 10);
    world_load_node(&w, 1, 3); /* the emptiest */
    world_run(&w, 75000);
    assert_int_equal(w.nodes[1].node.state, NODE_DRAINING);
    world_run(&w, 30000);
    assert_int_equal(w.nodes[1].node.state, NODE_DRAINING); /* its players play on */
    assert_int_equal(w.terminated, 0);
    world_load_node(&w, 1, 0);
    world_run(&w, 8000);
    assert_false(w.nodes[1].present);
    assert_int_equal(w.terminated, 1);
    world_load(&w, 0);
    world_run(&w, 300000);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    assert_int_equal(world_instances(&w), 2);
    assert_int_equal(w.killed_players, 0);
    world_fini(&w);
}

static void test_scale_in_keeps_zones_in_balance(void **state)
{
    struct world w;
    init_grown(&w, 2, 4);
    world_load(&w, 10);
    for (size_t i = 0; i < 4; i++)
        snprintf(w.nodes[i].node.zone, NAME_SIZE, "%s", i < 3 ? "a" : "b");
    for (size_t i = 0; i < 4; i++)
        snprintf(w.instances[i].zone, NAME_SIZE, "%s", i < 3 ? "a" : "b");
    world_load_node(&w, 3, 1); /* the emptiest, but alone in its zone */
    world_run(&w, 75000);
    assert_int_equal(w.nodes[3].node.state, NODE_READY);
    assert_int_equal(world_count(&w, NODE_DRAINING), 1);
    world_fini(&w);
}

static void test_takes_back_what_it_drains_before_it_launches(void **state)
{
    struct world w;
    init_grown(&w, 2, 4);
    world_load(&w, 10);
    world_run(&w, 75000);
    assert_int_equal(world_count(&w, NODE_DRAINING), 1);
    world_load(&w, 90); /* load returns; the draining one still has its 10 players */
    world_run(&w, 15000);
    assert_int_equal(world_count(&w, NODE_READY), 4);
    assert_int_equal(w.launched, 4); /* nothing new */
    assert_int_equal(world_logged(&w, "take_back=1 launch=0"), 1);
    world_fini(&w);
}

static void test_takes_back_no_more_than_is_needed(void **state)
{
    struct world w;
    init_grown(&w, 2, 5);
    world_load(&w, 10);
    for (int i = 0; i < 300 && world_count(&w, NODE_DRAINING) < 2; i++)
        world_run(&w, 1000);
    assert_int_equal(world_count(&w, NODE_DRAINING), 2);
    world_load(&w, 90);
    for (int i = 0; i < 300 && world_count(&w, NODE_DRAINING) == 2; i++)
        world_run(&w, 100);
    world_run(&w, 2000); /* a step of one, then the cooldown */
    assert_int_equal(world_count(&w, NODE_DRAINING), 1);
    assert_int_equal(w.launched, 5);
    world_fini(&w);
}

/* Its own wish taken back would not bring that node in again: another one is needed. */
static void test_does_not_count_on_what_an_operator_wants_out_too(void **state)
{
    struct world w;
    init_grown(&w, 2, 4);
    world_load(&w, 10);
    world_run(&w, 75000);
    assert_int_equal(world_count(&w, NODE_DRAINING), 1);
    for (size_t i = 0; i < 4; i++)
        if (w.nodes[i].node.state == NODE_DRAINING)
            w.nodes[i].node.want_other = true;
    world_load(&w, 90);
    world_run(&w, 20000);
    assert_int_equal(world_count(&w, NODE_DRAINING), 1);
    assert_int_equal(world_logged(&w, "take_back=1"), 0);
    assert_int_equal(w.launched, 5);
    world_fini(&w);
}

static void test_never_terminates_what_an_operator_drained(void **state)
{
    struct world w;
    init_grown(&w, 2, 4);
    world_load(&w, 50);
    w.nodes[3].node.want_other = true;
    world_load_node(&w, 3, 0);
    world_run(&w, 600000);
    assert_int_equal(w.nodes[3].node.state, NODE_DRAINED);
    assert_true(w.nodes[3].present);
    assert_int_equal(w.terminated, 0);
    world_fini(&w);
}

static void test_no_in_while_out_is_under_way(void **state)
{
    struct world w;
    init_grown(&w, 2, 4);
    world_load(&w, 10);
    w.boot_ms = 200000;
    for (size_t i = 0; i < 3; i++)
        world_kill_node(&w, i); /* one is left; the floor needs another, which takes its time */
    world_run(&w, 150000);
    assert_int_equal(w.wants, 0);
    assert_int_equal(w.launched, 5);
    world_fini(&w);
}

static void test_stale_view_holds(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 10);
    w.side[0].cut = true;
    world_kill_node(&w, 0);
    world_run(&w, 60000);
    assert_int_equal(w.launched, 2);
    assert_string_equal(world_status(&w, 0).held_by, "stale");
    w.side[0].cut = false;
    world_run(&w, 3000); /* after a reconnect: hold for lost_after + one interval */
    assert_int_equal(w.launched, 2);
    assert_string_equal(world_status(&w, 0).held_by, "reconnected");
    world_run(&w, 3000);
    assert_int_equal(w.launched, 3);
    world_fini(&w);
}

static void test_clock_jump_holds(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 10);
    world_load(&w, 80);
    world_run(&w, 9500);
    w.wall_offset += 3600 * 1000;
    world_run(&w, 3500);
    assert_int_equal(w.launched, 2);
    assert_string_equal(world_status(&w, 0).held_by, "clock_jump");
    world_run(&w, 15000);
    assert_int_equal(w.launched, 3);
    world_fini(&w);
}

static void test_stopped_process_holds_when_it_wakes(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 10);
    w.side[0].stopped = true;
    world_kill_node(&w, 0);
    world_run(&w, 20000);
    w.side[0].stopped = false;
    world_run(&w, 2000);
    assert_int_equal(w.launched, 2);
    assert_string_equal(world_status(&w, 0).held_by, "was_stopped");
    world_run(&w, 5000);
    assert_int_equal(w.launched, 3);
    world_fini(&w);
}

static void test_mass_silence_holds(void **state)
{
    struct world w;
    init_grown(&w, 2, 8);
    struct fleet_node nodes[8];
    for (size_t i = 0; i < 8;
         i++) { /* ready, but half of the reports stopped; the owner's guard leaves the states */
        nodes[i] = w.nodes[i].node;
        nodes[i].report_age_ms = i < 4 ? 10000 : 0;
    }
    static struct effects fx;
    struct scale_event ev = {.kind = SCALE_SNAPSHOT,
                             .now = mono_add(w.now, 1),
                             .wall = {w.now.ms + 1 + w.wall_offset},
                             .snapshot = {nodes, 8, true}};
    scale_step(w.side[0].scale, &ev, &fx);
    assert_string_equal(world_status(&w, 0).held_by, "mass_silence");
    world_fini(&w);
}

/* So many of eight are silent, or none is ready: is the whole held? */
static void test_how_many_are_a_mass(void **state)
{
    static const struct {
        size_t ready, silent;
        bool held;
    } cases[] = {{8, 2, false}, {8, 3, true}, {3, 2, false}, {8, 8, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        init_grown(&w, 2, 8);
        struct fleet_node nodes[8];
        static struct effects fx;
        for (size_t k = 0; k < 8; k++) {
            nodes[k] = w.nodes[k].node;
            nodes[k].report_age_ms = k < cases[i].silent ? 10000 : 0;
        }
        struct scale_event ev = {.kind = SCALE_SNAPSHOT,
                                 .now = mono_add(w.now, 1),
                                 .wall = {w.now.ms + 1 + w.wall_offset},
                                 .snapshot = {nodes, cases[i].ready, true}};
        scale_step(w.side[0].scale, &ev, &fx);
        const char *by = world_status(&w, 0).held_by;
        assert_int_equal(by != NULL && strcmp(by, "mass_silence") == 0, cases[i].held);
        world_fini(&w);
    }
    /* three of nine are a third: not more */
    struct world w;
    init_grown(&w, 2, 9);
    struct fleet_node nodes[9];
    static struct effects fx;
    for (size_t k = 0; k < 9; k++) {
        nodes[k] = w.nodes[k].node;
        nodes[k].report_age_ms = k < 3 ? 10000 : 0;
    }
    struct scale_event ev = {.kind = SCALE_SNAPSHOT,
                             .now = mono_add(w.now, 1),
                             .wall = {w.now.ms + 1 + w.wall_offset},
                             .snapshot = {nodes, 9, true}};
    scale_step(w.side[0].scale, &ev, &fx);
    const char *by = world_status(&w, 0).held_by;
    assert_false(by != NULL && strcmp(by, "mass_silence") == 0);
    world_fini(&w);
}

/* A provider that does not list for a minute: nothing is decided on what it said before. */
static void test_no_list_holds(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 10);
    world_run(&w, 5000);
    w.list_fails = true;
    world_run(&w, 50000);
    assert_true(world_status(&w, 0).held_by == NULL ||
                strcmp(world_status(&w, 0).held_by, "provider_list") != 0);
    world_run(&w, 15000);
    assert_string_equal(world_status(&w, 0).held_by, "provider_list");
    w.list_fails = false;
    world_run(&w, 31000);
    assert_true(world_status(&w, 0).held_by == NULL ||
                strcmp(world_status(&w, 0).held_by, "provider_list") != 0);
    world_fini(&w);
}

static void test_boot_timeout_terminates_backs_off_and_halts(void **state)
{
    struct world w;
    world_init(&w, 1, 4);
    w.policy.boot_timeout_ms = 20000;
    w.policy.launch_failures_max = 3;
    w.boot_ms = -1;
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 25000);
    assert_int_equal(w.launched, 1);
    assert_int_equal(w.terminated, 1);
    assert_int_equal(world_logged(&w, "why=boot_timeout nodes=0"), 1);
    world_run(&w, 300000);
    assert_int_equal(world_logged(&w, "launches_halted name=- failures=3"), 1);
    assert_int_equal(w.launched, 3);
    assert_int_equal(w.terminated, 3);
    assert_string_equal(world_status(&w, 0).held_by, "halted");
    w.boot_ms = 1000; /* mended */
    world_operator(&w, 0, true, 0);
    world_operator(&w, 0, false, 0);
    world_run(&w, 10000);
    assert_int_equal(world_count(&w, NODE_READY), 1);
    assert_false(world_status(&w, 0).halted);
    assert_int_equal(w.plan_count, 0);
    world_fini(&w);
}

static void test_instances_that_die_at_boot_back_off(void **state)
{
    struct world w;
    world_init(&w, 1, 4);
    w.dies_at_boot = true;
    world_run(&w, 9000);
    assert_int_equal(w.launched, 1);
    assert_int_equal(world_logged(&w, "died_at_boot"), 1);
    world_run(&w, 120000); /* again after 10 s, 20 s, 40 s, 80 s ... */
    assert_true(w.launched >= 3 && w.launched <= 5);
    assert_int_equal(world_instances(&w), 0);
    world_fini(&w);
}

static void test_refused_launch_backs_off(void **state)
{
    struct world w;
    world_init(&w, 1, 4);
    w.launch_outcome = SCALE_NOT_DONE;
    world_run(&w, 60000);
    assert_true(w.launch_calls >= 2 && w.launch_calls <= 4);
    assert_int_equal(w.launched, 0);
    assert_int_equal(w.plan_count,
                     0); /* certainly not carried out: the next attempt is a new one */
    w.launch_outcome = SCALE_DONE;
    world_run(&w, 90000);
    assert_int_equal(w.launched, 1);
    assert_int_equal(world_count(&w, NODE_READY), 1);
    world_fini(&w);
}

static void test_denied_halts_at_once_and_throttled_never_does(void **state)
{
    struct world w;
    world_init(&w, 1, 4);
    w.policy.launch_failures_max = 3;
    w.launch_outcome = SCALE_THROTTLED;
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 120000);
    assert_false(world_status(&w, 0).halted);
    assert_in_range(world_logged(&w, "outcome=throttled"), 5, 20);
    w.launch_outcome = SCALE_DENIED;
    world_run(&w, 20000);
    assert_int_equal(world_logged(&w, "outcome=denied"), 1);
    assert_int_equal(world_logged(&w, "launches_halted"), 1);
    assert_true(world_status(&w, 0).halted);
    assert_int_equal(w.launched, 0);
    world_fini(&w);
}

static void test_unknown_outcome_is_asked_again_with_the_same_token(void **state)
{
    struct world w;
    world_init(&w, 2, 4);
    w.boot_ms = 15000;
    w.launch_outcome = SCALE_UNKNOWN; /* carried out, but nobody says so */
    world_run(&w, 8000);
    w.launch_outcome = SCALE_DONE;
    world_run(&w, 60000);
    assert_int_equal(w.launch_calls, 2);
    assert_int_equal(w.launched, 2);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    assert_int_equal(w.plan_count, 0);
    world_fini(&w);
}

static void test_failing_list_holds_launches(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 4);
    w.list_fails = true;
    world_run(&w, 90000);
    world_kill_node(&w, 0);
    world_run(&w, 20000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(world_logged(&w, "provider_failing"), 1);
    w.list_fails = false;
    world_run(&w, 40000);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_fini(&w);
}

static void test_instance_is_terminated_only_when_all_its_nodes_are_drained(void **state)
{
    static const struct average_connections_settings two = {
        .above = 70, .below = 20, .hold_ms = 1000, .step = 2};
    struct world w;
    world_init(&w, 2, 4);
    w.policy.nodes_per_instance = 2;
    w.policy.in_cooldown_ms = 60000;
    w.policy.rules[w.policy.rule_count++] =
        (struct rule){.kind = &rule_average_connections, .settings = &two};
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 10000);
    assert_int_equal(w.launched, 1); /* one instance is two nodes */
    world_load(&w, 100);
    world_run(&w, 10000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(world_count(&w, NODE_READY), 4);
    world_load(&w, 0);
    world_load_node(&w, 2, 1); /* one player stays on one node of the younger instance */
    world_load_node(&w, 0, 2);
    world_run(&w, 80000);
    assert_int_equal(world_count(&w, NODE_DRAINED), 1);
    assert_int_equal(w.nodes[2].node.state, NODE_DRAINING);
    assert_int_equal(w.terminated, 0);
    world_load_node(&w, 2, 0);
    world_run(&w, 10000);
    assert_int_equal(w.terminated, 1);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_fini(&w);
}

static void test_half_booted_instance_does_not_count_for_ever(void **state)
{
    struct world w;
    world_init(&w, 2, 4);
    w.policy.nodes_per_instance = 2;
    w.policy.boot_timeout_ms = 20000;
    w.boots_less = 1;
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 15000);
    assert_int_equal(w.launched, 1); /* its second node may still come */
    world_run(&w, 15000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    assert_int_equal(w.terminated, 0); /* there may be players on the one that came */
    world_fini(&w);
}

static void test_pause_holds_everything(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 4);
    world_operator(&w, 0, true, 0);
    world_kill_node(&w, 0);
    world_run(&w, 60000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(world_logged(&w, "held_by=paused"), 1);
    world_operator(&w, 0, false, 0);
    world_run(&w, 5000);
    assert_int_equal(w.launched, 3);
    world_fini(&w);
}

static void test_operators_size_goes_before_cooldowns_and_votes(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 6);
    world_operator(&w, 0, false, 5);
    world_run(&w, 15000);
    assert_int_equal(world_count(&w, NODE_READY), 5);
    world_run(&w, 7200 * 1000); /* empty, but wanted */
    assert_int_equal(world_count(&w, NODE_READY), 5);
    world_operator(&w, 0, false, 9); /* above the ceiling */
    assert_true(world_status(&w, 0).decision.limited);
    world_run(&w, 15000);
    assert_int_equal(world_count(&w, NODE_READY), 6);
    world_fini(&w);
}

static void test_observe_tells_and_touches_nothing(void **state)
{
    struct world w;
    world_init(&w, 2, 4);
    w.policy.observe = true;
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 600000);
    assert_int_equal(w.launch_calls, 0);
    assert_int_equal(w.plan_count, 0);
    assert_int_equal(world_logged(&w, "held_by=observe"), 1);
    world_fini(&w);
}

static void test_whole_instances_never_pass_the_ceiling(void **state)
{
    struct world w;
    world_init(&w, 2, 5);
    w.policy.nodes_per_instance = 2;
    w.policy.out_cooldown_ms = 5000;
    use_average(&w);
    world_run(&w, 10000);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    for (int i = 0; i < 10; i++) {
        world_load(&w, 100);
        world_run(&w, 20000);
    }
    assert_int_equal(world_count(&w, NODE_READY), 4); /* five cannot be, six must not */
    assert_string_equal(world_status(&w, 0).held_by, "instance_size");
    assert_int_equal(world_logged(&w, "held_by=instance_size"), 1);
    world_fini(&w);
}

static void test_another_policy_takes_over_what_is_under_way(void **state)
{
    static const struct min_ready_settings five = {.ready = 5};
    struct world w;
    init_at_floor(&w, 2, 10);
    world_load(&w, 80);
    world_run(&w, 11500); /* launched, booting; the cooldown runs */
    assert_int_equal(w.launched, 3);
    struct policy other = w.policy;
    other.rule_count = 1;
    other.rules[0] = (struct rule){.kind = &rule_min_ready, .settings = &five};
    other.max = 4;
    scale_change(w.side[0].scale, &other, w.now);
    world_run(&w, 10000);
    assert_int_equal(w.launched, 4); /* one is coming, one more; the ceiling is another */
    assert_int_equal(world_count(&w, NODE_READY), 4);
    world_load(&w, 95); /* nobody looks at the average any more */
    world_run(&w, 300000);
    assert_int_equal(w.launched, 4);
    scale_change(w.side[0].scale, &w.policy, w.now);
    world_run(&w, 9000);
    assert_int_equal(w.launched, 4); /* the hold time begins anew */
    world_run(&w, 3000);
    assert_true(w.launched > 4);
    world_fini(&w);
}

static void test_a_policy_is_changed_a_thousand_times(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 10);
    for (int i = 0; i < 1000; i++) {
        scale_change(w.side[0].scale, &w.policy, w.now);
        world_run(&w, 100);
    }
    assert_int_equal(w.launched, 2);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floor_comes_up_once),
        cmocka_unit_test(test_nothing_moves_at_rest),
        cmocka_unit_test(test_nothing_is_due_at_once_while_the_store_is_away),
        cmocka_unit_test(test_grows_after_the_hold_time_and_not_again_in_the_cooldown),
        cmocka_unit_test(test_a_dip_within_the_hold_time_starts_it_anew),
        cmocka_unit_test(test_dead_nodes_are_replaced_in_spite_of_the_cooldown),
        cmocka_unit_test(test_shrinks_by_draining_the_emptiest),
        cmocka_unit_test(test_scale_in_keeps_zones_in_balance),
        cmocka_unit_test(test_takes_back_what_it_drains_before_it_launches),
        cmocka_unit_test(test_takes_back_no_more_than_is_needed),
        cmocka_unit_test(test_does_not_count_on_what_an_operator_wants_out_too),
        cmocka_unit_test(test_never_terminates_what_an_operator_drained),
        cmocka_unit_test(test_no_in_while_out_is_under_way),
        cmocka_unit_test(test_stale_view_holds),
        cmocka_unit_test(test_clock_jump_holds),
        cmocka_unit_test(test_stopped_process_holds_when_it_wakes),
        cmocka_unit_test(test_mass_silence_holds),
        cmocka_unit_test(test_how_many_are_a_mass),
        cmocka_unit_test(test_no_list_holds),
        cmocka_unit_test(test_boot_timeout_terminates_backs_off_and_halts),
        cmocka_unit_test(test_instances_that_die_at_boot_back_off),
        cmocka_unit_test(test_refused_launch_backs_off),
        cmocka_unit_test(test_denied_halts_at_once_and_throttled_never_does),
        cmocka_unit_test(test_unknown_outcome_is_asked_again_with_the_same_token),
        cmocka_unit_test(test_failing_list_holds_launches),
        cmocka_unit_test(test_instance_is_terminated_only_when_all_its_nodes_are_drained),
        cmocka_unit_test(test_half_booted_instance_does_not_count_for_ever),
        cmocka_unit_test(test_pause_holds_everything),
        cmocka_unit_test(test_operators_size_goes_before_cooldowns_and_votes),
        cmocka_unit_test(test_observe_tells_and_touches_nothing),
        cmocka_unit_test(test_whole_instances_never_pass_the_ceiling),
        cmocka_unit_test(test_another_policy_takes_over_what_is_under_way),
        cmocka_unit_test(test_a_policy_is_changed_a_thousand_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

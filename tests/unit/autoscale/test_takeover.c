/* test_takeover.c - the leader dies or is deposed at every awkward moment: never a double launch,
 * never a lost instance. */
#include "autoscale/launch_record.h"
#include "settings/rules.h"
#include "tests/support/cmocka.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

static const struct average_connections_settings average = {
    .above = 70, .below = 20, .hold_ms = 10000, .step = 1};

static void init_running(struct world *w, int min, int max)
{
    world_init(w, min, max);
    w->policy.rules[w->policy.rule_count++] =
        (struct rule){.kind = &rule_average_connections, .settings = &average};
    world_boot_side(w, 0);
    world_lead(w, 0);
    world_run(w, 10000);
    assert_int_equal(world_count(w, NODE_READY), min);
}

/* Side 1 starts and gets the lease. */
static void take_over(struct world *w)
{
    world_boot_side(w, 1);
    world_run(w, 1000);
    world_lead(w, 1);
}

/* Grown to `max`, then one node is on its way out with ten players inside. */
static void init_draining(struct world *w, int min, int max)
{
    init_running(w, min, max);
    w->policy.in_cooldown_ms = 60000;
    w->policy.out_cooldown_ms = 10000;
    for (int i = 0; i < 20 && world_count(w, NODE_READY) < max; i++) {
        world_load(w, 100);
        world_run(w, 15000);
    }
    world_load(w, 10);
    world_run(w, 75000);
    assert_int_equal(world_count(w, NODE_DRAINING), 1);
}

static void empty_draining(struct world *w)
{
    for (size_t i = 0; i < w->node_count; i++)
        if (w->nodes[i].node.state == NODE_DRAINING)
            world_load_node(w, i, 0);
}

/* A pause ends a leadership and the same lease is renewed: found by berth-sim. */
static void test_a_leadership_that_goes_on_uses_no_token_twice_and_forgets_none(void **state)
{
    struct launches ls = {.count = 0};
    struct effects fx = {.count = 0};
    struct policy policy = {.min = 1};
    launches_begin(&ls, 1700000000001);
    assert_int_equal(
        launches_start(&ls, &policy, 2, "", "test", (wall_ms_t){1}, (mono_ms_t){1}, &fx), 2);
    const struct effect first = fx.item[0];
    launches_begin(&ls, 1700000000001);
    fx.count = 0;
    assert_int_equal(launches_load(&ls, first.name, first.record, &fx), 0);
    assert_int_equal(fx.count, 0); /* it is not taken for one that is done */
    assert_true(launches_has(&ls, first.name));
    assert_int_equal(
        launches_start(&ls, &policy, 1, "", "test", (wall_ms_t){2}, (mono_ms_t){2}, &fx), 1);
    assert_string_not_equal(fx.item[0].name, first.name);
}

static void test_who_leads_again_heeds_the_cooldown_of_the_one_between(void **state)
{
    struct world w;
    init_draining(&w, 1, 5);
    world_depose(&w, 0);
    take_over(&w);
    int before = world_logged(&w, "scale_in name=");
    for (int i = 0; i < 120 && world_logged(&w, "scale_in name=") == before; i++)
        world_run(&w, 1000);
    assert_int_equal(world_logged(&w, "scale_in name="), before + 1);
    world_depose(&w, 1);
    world_lead(&w, 0);
    world_run(&w, 50000);
    assert_int_equal(world_logged(&w, "scale_in name="), before + 1);
    world_run(&w, 20000);
    assert_int_equal(world_logged(&w, "scale_in name="), before + 2);
    world_fini(&w);
}

static void test_a_cooldown_does_not_wait_for_a_clock_that_went_back(void **state)
{
    struct world w;
    init_draining(&w, 1, 5);
    int before = world_logged(&w, "scale_in name=");
    w.wall_offset -= 3600 * 1000;
    world_run(&w, 90000);
    assert_true(world_logged(&w, "scale_in name=") > before);
    world_fini(&w);
}

static void test_plan_written_then_crash_is_finished_by_the_next(void **state)
{
    struct world w;
    world_init(&w, 2, 4);
    w.crash_after_plan = true;
    world_run(&w, 5000);
    assert_int_equal(w.plan_count, 1);
    assert_int_equal(w.launched, 0);
    w.crash_after_plan = false;
    take_over(&w);
    world_run(&w, 20000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(w.launch_calls, 1);
    assert_int_equal(world_logged(&w, "plan_resumed"), 1);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    assert_int_equal(w.plan_count, 0);
    world_fini(&w);
}

static void test_launched_then_crash_is_not_launched_again(void **state)
{
    struct world w;
    world_init(&w, 2, 4);
    w.crash_after_launch = true;
    world_run(&w, 5000);
    assert_int_equal(w.launched, 2);
    w.crash_after_launch = false;
    take_over(&w);
    world_run(&w, 20000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(world_instances(&w), 2);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    assert_int_equal(w.plan_count, 0);
    world_fini(&w);
}

static void test_old_plan_is_abandoned(void **state)
{
    struct world w;
    world_init(&w, 2, 4);
    w.crash_after_plan = true;
    world_run(&w, 5000);
    w.crash_after_plan = false;
    world_run(&w, 3600 * 1000); /* nobody led for an hour */
    take_over(&w);
    world_run(&w, 20000);
    assert_int_equal(world_logged(&w, "plan_abandoned"), 1);
    assert_int_equal(w.launched, 2); /* by a plan of its own */
    assert_int_equal(w.plan_count, 0);
    world_fini(&w);
}

static void test_new_leader_waits_for_a_stable_list(void **state)
{
    struct world w;
    init_running(&w, 2, 4);
    w.policy.settle_ms = 10000;
    w.side[0].stopped = true;
    world_kill_node(&w, 0);
    take_over(&w);
    world_run(&w, 9000);
    assert_int_equal(w.launched, 2);
    assert_string_equal(world_status(&w, 1).held_by, "settling");
    world_run(&w, 5000);
    assert_int_equal(w.launched, 3);
    world_fini(&w);
}

static void test_two_who_believe_to_lead_do_not_launch_twice(void **state)
{
    struct world w;
    world_init(&w, 2, 4);
    world_boot_side(&w, 1);
    world_lead(&w, 1); /* side 0 has not been told */
    world_run(&w, 30000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(world_instances(&w), 2);
    world_fini(&w);
}

static void test_deposed_leader_does_nothing(void **state)
{
    struct world w;
    init_running(&w, 2, 4);
    world_depose(&w, 0);
    world_kill_node(&w, 0);
    world_run(&w, 60000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(w.moves, 0);
    assert_string_equal(world_status(&w, 0).held_by, "follower");
    world_fini(&w);
}

static void test_an_ex_leader_takes_nothing_back(void **state)
{
    struct world w;
    init_draining(&w, 2, 4);
    int wants = w.wants;
    w.fence++; /* another leads by now; nobody told this one */
    world_load(&w, 90);
    world_run(&w, 20000); /* it would take the draining node back */
    assert_true(world_logged(&w, "want=none") > 0);
    assert_int_equal(w.wants, wants);
    assert_int_equal(world_count(&w, NODE_DRAINING), 1);
    world_fini(&w);
}

static void test_cooldown_outlives_the_leader(void **state)
{
    struct world w;
    init_running(&w, 2, 10);
    world_load(&w, 80);
    world_run(&w, 12000);
    assert_int_equal(w.launched, 3);
    world_run(&w, 5000);
    world_load(&w, 100);
    w.side[0].stopped = true;
    take_over(&w);
    world_run(&w, 100000);
    assert_int_equal(w.launched, 3);
    world_run(&w, 80000);
    assert_true(w.launched > 3);
    world_fini(&w);
}

static void test_next_leader_finishes_the_drain(void **state)
{
    struct world w;
    init_draining(&w, 2, 4);
    w.side[0].stopped = true;
    take_over(&w);
    world_run(&w, 5000);
    assert_int_equal(w.terminated, 0);
    empty_draining(&w);
    world_run(&w, 10000);
    assert_int_equal(w.terminated, 1);
    assert_int_equal(world_instances(&w), 3);
    assert_int_equal(w.killed_players, 0);
    world_fini(&w);
}

static void test_next_leader_can_take_back(void **state)
{
    struct world w;
    init_draining(&w, 2, 4);
    w.side[0].stopped = true;
    take_over(&w);
    world_load(&w, 90);
    world_run(&w, 20000);
    assert_int_equal(world_count(&w, NODE_READY), 4);
    assert_int_equal(w.launched, 4);
    world_fini(&w);
}

static void test_terminating_then_crash_is_finished_by_the_next(void **state)
{
    struct world w;
    init_draining(&w, 2, 4);
    w.terminate_outcome = SCALE_NOT_DONE;
    empty_draining(&w);
    world_run(&w, 5000);
    assert_int_equal(world_count(&w, NODE_TERMINATING), 1);
    w.side[0].stopped = true;
    w.terminate_outcome = SCALE_DONE;
    take_over(&w);
    world_run(&w, 10000);
    assert_int_equal(world_count(&w, NODE_TERMINATING), 0);
    assert_int_equal(w.terminated, 1);
    assert_int_equal(world_instances(&w), 3);
    world_fini(&w);
}

static size_t add_terminating(struct world *w, const char *name, bool alive)
{
    struct world_node *n = &w->nodes[w->node_count++];
    *n = (struct world_node){.node = {.epoch = 7, .state = NODE_TERMINATING, .capacity = 100},
                             .present = true,
                             .alive = alive,
                             .reported_at = w->now,
                             .state_at = w->now};
    (void)snprintf(n->node.name, sizeof n->node.name, "%s", name);
    (void)snprintf(n->node.instance, sizeof n->node.instance, "of-%s", name);
    return w->node_count - 1;
}

static void test_an_ended_node_that_a_failover_brought_back_is_forgotten(void **state)
{
    struct world w;
    init_running(&w, 2, 4);
    size_t dead = add_terminating(&w, "dead", false), alive = add_terminating(&w, "alive", true);
    world_run(&w, 25000);
    assert_true(w.nodes[dead].present); /* it may be a list that lags */
    world_run(&w, 15000);
    assert_false(w.nodes[dead].present);
    assert_true(w.nodes[alive].present);
    assert_int_equal(world_logged(&w, "why=no_instance"), 1);
    assert_int_equal(w.terminated, 0);
    world_fini(&w);
}

static void test_an_emptied_store_launches_nothing_before_nodes_come_back(void **state)
{
    struct world w;
    init_running(&w, 2, 4);
    world_run(&w, 700000); /* long past their boot time */
    w.side[0].stopped = true;
    for (size_t i = 0; i < w.node_count; i++)
        w.nodes[i].present = false;
    take_over(&w);
    world_run(&w, 2500);
    for (size_t i = 0; i < w.node_count; i++)
        w.nodes[i].present = true; /* they register by themselves */
    world_run(&w, 30000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(w.terminated, 0);
    world_fini(&w);
}

static void test_an_old_instance_that_is_silent_is_not_taken_for_one_that_never_booted(void **state)
{
    struct world w;
    init_running(&w, 2, 4);
    world_run(&w, 700000);
    w.side[0].stopped = true;
    w.nodes[0].alive = w.nodes[0].present = false; /* cut off from the store, its players play on */
    take_over(&w);
    world_run(&w, 120000);
    assert_int_equal(w.terminated, 0);
    assert_int_equal(world_count(&w, NODE_READY), 2); /* replaced all the same */
    world_run(&w, 24 * 3600 * 1000);
    assert_int_equal(w.terminated, 0); /* whoever plays there plays on */
    assert_int_equal(world_logged(&w, "instance_silent name="), 1); /* but people are told, once */
    w.policy.silent_timeout_ms = 3600 * 1000;
    world_run(&w, 1000);
    assert_int_equal(world_logged(&w, "why=silent nodes=0"), 1); /* only who says so */
    world_fini(&w);
}

static void test_an_instance_just_past_its_boot_time_may_have_reported_to_another(void **state)
{
    struct world w;
    init_running(&w, 2, 4);
    world_run(&w, 310000); /* boot_timeout is 300 s */
    w.side[0].stopped = true;
    w.nodes[0].alive = w.nodes[0].present = false;
    take_over(&w);
    world_run(&w, 3600 * 1000);
    assert_int_equal(w.terminated, 0);
    world_fini(&w);
}

static void test_next_leader_ends_what_never_booted(void **state)
{
    struct world w;
    world_init(&w, 2, 4);
    w.boot_ms = -1;
    world_run(&w, 200000); /* launched, not overdue yet */
    assert_int_equal(w.launched, 2);
    w.side[0].stopped = true;
    world_run(&w, 200000); /* overdue, and nobody leads */
    assert_int_equal(w.terminated, 0);
    take_over(&w);
    world_run(&w, 60000);
    assert_int_equal(w.terminated, 2);
    world_fini(&w);
}

/* Two instances of one launch: one comes up, the other does not. */
static void init_half_up(struct world *w)
{
    world_init(w, 2, 4);
    world_run(w, 2500);
    assert_int_equal(w->launched, 2);
    w->instances[1].booted = 1; /* its process hangs: no node */
    world_run(w, 8000);
    assert_int_equal(world_count(w, NODE_READY), 1);
    assert_int_equal(w->plan_count, 1);
}

static void test_what_reported_is_known_to_the_next_though_its_launch_is_not_over(void **state)
{
    struct world w;
    init_half_up(&w);
    w.side[0].stopped = true;
    w.nodes[0].alive = w.nodes[0].present = false; /* cut off from the store, its players play on */
    take_over(&w);
    world_run(&w, 600000);
    assert_int_equal(world_logged(&w, "why=boot_timeout"), 2); /* asked, and said: the other one */
    assert_true(w.instances[0].exists);
    assert_false(w.instances[1].exists);
    assert_int_equal(world_logged(&w, "instance_silent name="), 1);
    world_fini(&w);
}

static void test_what_ended_while_its_launch_was_not_over_is_not_made_again(void **state)
{
    struct world w;
    init_half_up(&w);
    w.side[0].stopped = true;
    w.nodes[0].alive = w.nodes[0].present = false;
    w.instances[0].exists = false; /* its machine is gone */
    w.policy.min = 1;
    take_over(&w);
    world_run(&w, 100000);
    assert_int_equal(w.launch_calls, 1);
    assert_int_equal(w.launched, 2);
    world_fini(&w);
}

static void test_a_young_instance_whose_launch_is_over_is_known_to_have_reported(void **state)
{
    struct world w;
    init_running(&w, 2, 4);
    assert_int_equal(w.plan_count, 0);
    w.side[0].stopped = true;
    w.nodes[0].alive = w.nodes[0].present = false; /* cut off, well within boot_timeout */
    take_over(&w);
    world_run(&w, 600000);
    assert_int_equal(w.terminated, 0);
    assert_int_equal(w.launched, 3); /* replaced, at once: nothing of it is still to come */
    assert_int_equal(world_logged(&w, "instance_silent name="), 1);
    world_fini(&w);
}

/* The mark is written again when the store did not take it. */
static void test_a_mark_that_was_not_written_is_written_again(void **state)
{
    struct world w;
    world_init(&w, 2, 4);
    world_run(&w, 2500);
    w.instances[1].booted = 1;
    w.plan_fails = true;
    world_run(&w, 3000);
    w.plan_fails = false;
    world_run(&w, 3000);
    assert_non_null(strstr(w.plan[0].record, " made=2 up="));
    world_fini(&w);
}

static void test_a_launch_of_as_many_as_can_be_fits_its_record(void **state)
{
    struct launch row = {.count = LAUNCH_INSTANCES_MAX,
                         .made = LAUNCH_INSTANCES_MAX,
                         .at = {INT64_C(9999999999999)}},
                  back;
    char id[NAME_SIZE], record[LAUNCH_RECORD_MAX];
    memset(row.zone, 'z', sizeof row.zone - 1);
    memset(row.why, 'w', sizeof row.why - 1);
    for (int i = 0; i < LAUNCH_INSTANCES_MAX; i++) {
        snprintf(id, sizeof id, "i-%d", i);
        assert_true(launch_record_mark_up(&row, id));
        assert_false(launch_record_mark_up(&row, id));
    }
    assert_false(launch_record_mark_up(&row, "one-more"));
    launch_record_write(&row, record);
    assert_int_equal(launch_record_read(&back, "token-1", record), 0);
    assert_string_equal(back.zone, row.zone);
    assert_int_equal(back.made, LAUNCH_INSTANCES_MAX);
    assert_int_equal(back.up_count, LAUNCH_INSTANCES_MAX);
    for (int i = 0; i < LAUNCH_INSTANCES_MAX; i++) {
        snprintf(id, sizeof id, "i-%d", i);
        assert_true(launch_record_is_up(&back, id));
    }
    assert_false(launch_record_is_up(&back, "i-64"));
    assert_int_equal(launch_record_read(&back, "t", "op=memory out=1"), BERTH_EINVAL);
    assert_int_equal(launch_record_read(&back, "t", "op=launch count=65"), BERTH_EINVAL);
    assert_int_equal(launch_record_read(&back, "t", "op=launch count=2 up=!!!!abcd"), 0);
    assert_int_equal(back.up_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leadership_that_goes_on_uses_no_token_twice_and_forgets_none),
        cmocka_unit_test(test_who_leads_again_heeds_the_cooldown_of_the_one_between),
        cmocka_unit_test(test_a_cooldown_does_not_wait_for_a_clock_that_went_back),
        cmocka_unit_test(test_plan_written_then_crash_is_finished_by_the_next),
        cmocka_unit_test(test_launched_then_crash_is_not_launched_again),
        cmocka_unit_test(test_old_plan_is_abandoned),
        cmocka_unit_test(test_new_leader_waits_for_a_stable_list),
        cmocka_unit_test(test_two_who_believe_to_lead_do_not_launch_twice),
        cmocka_unit_test(test_deposed_leader_does_nothing),
        cmocka_unit_test(test_an_ex_leader_takes_nothing_back),
        cmocka_unit_test(test_cooldown_outlives_the_leader),
        cmocka_unit_test(test_next_leader_finishes_the_drain),
        cmocka_unit_test(test_next_leader_can_take_back),
        cmocka_unit_test(test_terminating_then_crash_is_finished_by_the_next),
        cmocka_unit_test(
            test_an_old_instance_that_is_silent_is_not_taken_for_one_that_never_booted),
        cmocka_unit_test(test_an_instance_just_past_its_boot_time_may_have_reported_to_another),
        cmocka_unit_test(test_next_leader_ends_what_never_booted),
        cmocka_unit_test(test_what_reported_is_known_to_the_next_though_its_launch_is_not_over),
        cmocka_unit_test(test_what_ended_while_its_launch_was_not_over_is_not_made_again),
        cmocka_unit_test(test_a_young_instance_whose_launch_is_over_is_known_to_have_reported),
        cmocka_unit_test(test_a_mark_that_was_not_written_is_written_again),
        cmocka_unit_test(test_a_launch_of_as_many_as_can_be_fits_its_record),
        cmocka_unit_test(test_an_ended_node_that_a_failover_brought_back_is_forgotten),
        cmocka_unit_test(test_an_emptied_store_launches_nothing_before_nodes_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

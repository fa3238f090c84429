/* test_rules.c - gauge, headroom and target in virtual time, through the whole core; and the window
 * they remember with. */
#include "autoscale/window.h"
#include "settings/rules.h"
#include "tests/support/cmocka.h"
#include "world.h"

#include <stdio.h>

static void init_with(struct world *w, int min, int max, const struct rule_kind *kind,
                      const void *settings)
{
    world_init(w, min, max);
    w->policy.out_cooldown_ms = 5000;
    w->policy.in_cooldown_ms = 10000;
    w->policy.max_step = 10;
    w->policy.rules[w->policy.rule_count++] = (struct rule){.kind = kind, .settings = settings};
    world_boot_side(w, 0);
    world_lead(w, 0);
    world_run(w, 10000);
    assert_int_equal(world_count(w, NODE_READY), min);
}

static void set_gauge(struct world *w, const char *name, double value)
{
    for (size_t i = 0; i < w->node_count; i++) {
        snprintf(w->nodes[i].node.gauges[0].name, sizeof w->nodes[i].node.gauges[0].name, "%s",
                 name);
        w->nodes[i].node.gauges[0].value = value;
    }
}

/* ---- window ---- */

static void test_window_holds_for_its_span(void **state)
{
    struct window w = {0};
    window_put(&w, 0, 60000, 9);
    for (int64_t t = 1000; t < 60000; t += 1000)
        window_put(&w, t, 60000, 3);
    assert_int_equal(window_largest(&w, 0), 9);
    assert_int_equal(window_smallest(&w, 99), 3);
    window_put(&w, 61000, 60000, 4);
    assert_int_equal(window_largest(&w, 0), 4);
    for (int64_t t = 61000; t < 10000000; t += 7)
        window_put(&w, t, 60000, (int)(t % 5));
    assert_int_equal(window_largest(&w, 0), 4);
    assert_true(w.count <= WINDOW_ITEMS);
    window_put(&w, 10000000, 0, 1);
    assert_int_equal(window_largest(&w, 0), 1);
}

/* ---- gauge ---- */

static const struct gauge_settings tick = {
    .name = "tick_ms", .of = GAUGE_MAX, .above = 20, .below = 5, .hold_ms = 5000, .step = 2};

static void test_gauge_above_grows_after_the_hold_time(void **state)
{
    struct world w;
    init_with(&w, 2, 10, &rule_gauge, &tick);
    set_gauge(&w, "tick_ms", 10);
    w.nodes[1].node.gauges[0].value = 30; /* the largest counts */
    world_run(&w, 4000);
    assert_int_equal(w.launched, 2);
    world_run(&w, 3000);
    assert_int_equal(w.launched, 4);
    world_fini(&w);
}

static void test_gauge_that_is_missing_never_shrinks(void **state)
{
    struct world w;
    init_with(&w, 2, 10, &rule_gauge, &tick);
    set_gauge(&w, "tick_ms", 30);
    world_run(&w, 9000);
    assert_int_equal(world_count(&w, NODE_READY), 4); /* the new ones report no gauge yet */
    set_gauge(&w, "tick_ms", 1);
    w.nodes[0].node.gauges[0].name[0] = '\0';
    world_run(&w, 60000);
    assert_int_equal(w.wants, 0);
    set_gauge(&w, "tick_ms", 1);
    world_run(&w, 60000);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_fini(&w);
}

/* ---- headroom ---- */

static void test_headroom_keeps_a_share_free(void **state)
{
    static const struct headroom_settings rule = {.percent = 50, .shrink_after_ms = 60000};
    struct world w;
    init_with(&w, 1, 10, &rule_headroom, &rule);
    world_load(&w, 100);
    world_run(&w, 6000);
    assert_int_equal(world_count(&w, NODE_READY), 2); /* 100 players + 50 free on nodes of 100 */
    world_load(&w, 100);                              /* 200 + 100 */
    world_run(&w, 10000);
    assert_int_equal(world_count(&w, NODE_READY), 3);
    world_load(&w, 10); /* 30 + 15: one would do, but not before shrink_after */
    world_run(&w, 50000);
    assert_int_equal(world_count(&w, NODE_READY), 3);
    world_run(&w, 30000);
    world_load(&w, 0);
    for (size_t i = 0; i < w.node_count; i++)
        world_load_node(&w, i, 0);
    world_run(&w, 60000);
    assert_int_equal(world_count(&w, NODE_READY), 1);
    assert_int_equal(w.killed_players, 0);
    world_fini(&w);
}

static void test_headroom_survives_the_loss_of_a_node(void **state)
{
    static const struct headroom_settings rule = {.survive = SURVIVE_NODE,
                                                  .shrink_after_ms = 60000};
    struct world w;
    init_with(&w, 1, 10, &rule_headroom, &rule);
    world_load(&w, 10);
    world_run(&w, 6000);
    assert_int_equal(world_count(&w, NODE_READY), 2); /* 10 players fit on one; the other may go */
    world_run(&w, 60000);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_fini(&w);
}

static void test_headroom_survives_the_loss_of_a_zone(void **state)
{
    static const struct headroom_settings rule = {.survive = SURVIVE_ZONE,
                                                  .shrink_after_ms = 60000};
    struct world w;
    init_with(&w, 4, 10, &rule_headroom, &rule);
    for (size_t i = 0; i < 4; i++)
        snprintf(w.nodes[i].node.zone, NAME_SIZE, "%s", i < 2 ? "a" : "b");
    world_load(&w, 50); /* 200 players in two zones: as many in the other */
    world_run(&w, 4000);
    assert_int_equal(w.launched, 4);
    world_load(&w, 60); /* 240 */
    world_run(&w, 4000);
    assert_int_equal(w.launched, 5); /* ceil(2.4 * 2) */
    world_fini(&w);
}

static void test_headroom_follows_the_present_growth(void **state)
{
    static const struct headroom_settings rule = {.seconds_ms = 60000, .shrink_after_ms = 600000};
    struct world w;
    init_with(&w, 1, 10, &rule_headroom, &rule);
    for (int i = 1; i <= 20; i++) { /* 2 players a second: 120 more in a minute */
        world_load_node(&w, 0, 2 * i);
        world_run(&w, 1000);
    }
    assert_int_equal(w.launched, 2); /* 40 + 120 <= 200 */
    world_fini(&w);
}

/* ---- target ---- */

static const struct target_settings half = {
    .of = TARGET_OF_UTILISATION,
    .target = 50,
    .tolerance = 0.1,
    .up = {.nodes = 4, .percent = 100, .period_ms = 15000},
    .down = {.window_ms = 300000, .percent = 100, .period_ms = 15000}};

static void test_target_keeps_utilisation(void **state)
{
    struct world w;
    init_with(&w, 1, 20, &rule_target, &half);
    world_load(&w, 100);
    world_run(&w, 6000);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    for (int i = 0; i < 6; i++) { /* 600 players, however many nodes there are */
        world_load(&w, 600 / world_count(&w, NODE_READY));
        world_run(&w, 20000);
    }
    assert_int_equal(world_count(&w, NODE_READY), 12);
    world_fini(&w);
}

static void test_target_shrinks_only_after_its_window(void **state)
{
    struct world w;
    init_with(&w, 1, 20, &rule_target, &half);
    world_load(&w, 100);
    world_run(&w, 10000);
    world_load(&w, 100);
    world_run(&w, 20000);
    assert_int_equal(world_count(&w, NODE_READY), 4);
    world_load(&w, 10);
    world_run(&w, 280000);
    assert_int_equal(w.wants, 0);
    world_run(&w, 40000);
    assert_true(w.wants > 0);
    world_fini(&w);
}

/* ---- schedule ---- */

static void test_schedule_is_a_floor_while_it_lasts(void **state)
{
    static const struct schedule_settings evening = {
        .cron = "30 22 * * *", .zone = "UTC", .for_ms = 3600000, .lead_ms = 300000, .ready = 6};
    static struct zone utc;
    struct world w;
    zone_utc(&utc);
    world_init(&w, 2, 10);
    w.policy.max_step = 2;
    w.policy.out_cooldown_ms = 600000; /* does not make it late */
    w.policy.in_cooldown_ms = 10000;
    w.policy.rules[w.policy.rule_count++] =
        (struct rule){.kind = &rule_schedule, .settings = &evening, .zone = &utc};
    static const struct average_connections_settings average = {
        .above = 70, .below = 20, .hold_ms = 1000, .step = 1};
    w.policy.rules[w.policy.rule_count++] =
        (struct rule){.kind = &rule_average_connections, .settings = &average};
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 10000); /* it is 22:13:30 UTC on 14 November 2023 */
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_run(&w, 11 * 60000);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_run(&w, 60000); /* 22:25:30: five minutes before */
    assert_int_equal(world_count(&w, NODE_READY), 6);
    world_run(&w, 60 * 60000);
    assert_int_equal(world_count(&w, NODE_READY), 6);
    world_run(&w, 10 * 60000); /* 23:35: it was over at 23:30 */
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_fini(&w);
}

static void test_schedule_of_one_date(void **state)
{
    static const struct schedule_settings once = {
        .date = "2023-11-14 22:20", .zone = "UTC", .for_ms = 600000, .ready = 4};
    static struct zone utc;
    struct world w;
    zone_utc(&utc);
    world_init(&w, 2, 10);
    w.policy.rules[w.policy.rule_count++] =
        (struct rule){.kind = &rule_schedule, .settings = &once, .zone = &utc};
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 6 * 60000);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_run(&w, 60000);
    assert_int_equal(world_count(&w, NODE_READY), 4);
    world_fini(&w);
}

/* ---- a rule among others ---- */

static void test_one_rule_keeps_another_from_shrinking(void **state)
{
    static const struct average_connections_settings average = {
        .above = 70, .below = 20, .hold_ms = 1000, .step = 1};
    static const struct headroom_settings rule = {.places = 250, .shrink_after_ms = 1000};
    struct world w;
    world_init(&w, 1, 10);
    w.policy.out_cooldown_ms = 5000;
    w.policy.in_cooldown_ms = 10000;
    w.policy.rules[w.policy.rule_count++] =
        (struct rule){.kind = &rule_average_connections, .settings = &average};
    w.policy.rules[w.policy.rule_count++] =
        (struct rule){.kind = &rule_headroom, .settings = &rule};
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 60000);
    assert_int_equal(world_count(&w, NODE_READY),
                     3); /* empty, so the average says shrink; 250 places say three */
    world_run(&w, 600000);
    assert_int_equal(world_count(&w, NODE_READY), 3);
    assert_int_equal(w.wants, 0);
    assert_int_equal(world_logged(&w, "held_by=blocked_by_vote"), 1);
    world_fini(&w);
}

static void test_drain_deadline_ends_what_does_not_empty(void **state)
{
    static const struct average_connections_settings average = {
        .above = 70, .below = 20, .hold_ms = 1000, .step = 1};
    struct world w;
    init_with(&w, 2, 10, &rule_average_connections, &average);
    w.policy.drain_deadline_ms = 30000;
    world_load(&w, 90);
    world_run(&w, 5000);
    world_load(&w, 10);
    world_run(&w, 30000);
    assert_int_equal(world_count(&w, NODE_DRAINING), 1);
    assert_int_equal(w.terminated, 0);
    world_run(&w, 20000);
    assert_int_equal(w.terminated, 1);
    assert_int_equal(world_logged(&w, "why=drain_deadline"), 2); /* the effect and its note */
    assert_int_equal(world_instances(&w), 2);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_holds_for_its_span),
        cmocka_unit_test(test_gauge_above_grows_after_the_hold_time),
        cmocka_unit_test(test_gauge_that_is_missing_never_shrinks),
        cmocka_unit_test(test_headroom_keeps_a_share_free),
        cmocka_unit_test(test_headroom_survives_the_loss_of_a_node),
        cmocka_unit_test(test_headroom_survives_the_loss_of_a_zone),
        cmocka_unit_test(test_headroom_follows_the_present_growth),
        cmocka_unit_test(test_target_keeps_utilisation),
        cmocka_unit_test(test_target_shrinks_only_after_its_window),
        cmocka_unit_test(test_schedule_is_a_floor_while_it_lasts),
        cmocka_unit_test(test_schedule_of_one_date),
        cmocka_unit_test(test_one_rule_keeps_another_from_shrinking),
        cmocka_unit_test(test_drain_deadline_ends_what_does_not_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

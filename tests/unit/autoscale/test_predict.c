/* test_predict.c - the rule predict in virtual time, through the whole core. */
#include "autoscale/boot_time.h"
#include "settings/rules.h"
#include "tests/support/cmocka.h"
#include "world.h"

#include <stdio.h>

static const struct predict_settings rule = {
    .ahead_ms = 4000, .confidence = 95, .fill = 100, .slack = 50, .shrink_after_ms = 30000};

static void init(struct world *w, int min, int max)
{
    world_init(w, min, max);
    w->policy.out_cooldown_ms = 0;
    w->policy.in_cooldown_ms = 10000;
    w->policy.max_step = 10;
    w->policy.rules[w->policy.rule_count++] =
        (struct rule){.kind = &rule_predict, .settings = &rule};
    world_boot_side(w, 0);
    world_lead(w, 0);
    world_run(w, 10000);
    assert_int_equal(world_count(w, NODE_READY), min);
}

/* Nodes hold 100 each; the players of all, evenly. */
static void load_all(struct world *w, int64_t players)
{
    int ready = world_count(w, NODE_READY);
    world_load(w, ready > 0 ? players / ready : 0);
}

static void test_a_ramp_meets_nodes_that_are_ready(void **state)
{
    struct world w;
    init(&w, 2, 20);
    for (int64_t players = 60; players < 900; players += 8) { /* 8 a second */
        load_all(&w, players);
        world_run(&w, 1000);
        assert_true(world_count(&w, NODE_READY) * 100 >= players);
    }
    assert_true(world_logged(&w, "why=predict ") > 0);
    assert_true(world_count(&w, NODE_READY) <= 11); /* and no more than a margin too many */
    world_fini(&w);
}

static void test_shrinking_leaves_slack_and_waits(void **state)
{
    struct world w;
    init(&w, 1, 20);
    load_all(&w, 90);
    world_run(&w, 20000);
    load_all(&w, 200);
    world_run(&w, 10000);
    load_all(&w, 350);
    world_run(&w, 90000);
    int many = world_count(&w, NODE_READY);
    assert_true(many >= 4);
    load_all(&w, 80);
    world_run(&w, 20000);
    assert_int_equal(world_count(&w, NODE_READY), many); /* shrink_after is not over */
    world_run(&w, 60000);
    assert_true(world_count(&w, NODE_READY) <= 2);
    assert_int_equal(w.killed_players, 0);
    world_fini(&w);
}

/* 230 players and twice the margin fit on three nodes; with half a node besides they do not. */
static void test_a_node_that_a_gust_would_want_back_stays(void **state)
{
    struct world w;
    init(&w, 2, 20);
    load_all(&w, 150);
    world_run(&w, 30000);
    load_all(&w, 330);
    world_run(&w, 400000);
    assert_int_equal(world_count(&w, NODE_READY), 5); /* needed 4, kept with slack */
    load_all(&w, 230);
    world_run(&w, 200000);
    assert_int_equal(world_count(&w, NODE_READY), 4);
    world_fini(&w);
}

/* A trough is over when shrink_after is: what the growth will want before the next shrink stays. */
static void grow_out_of_a_trough(struct world *w, double a_second)
{
    init(w, 1, 20);
    load_all(w, 90);
    world_run(w, 20000);
    load_all(w, 180);
    world_run(w, 60000);
    load_all(w, 330);
    world_run(w, 60000);
    assert_true(world_count(w, NODE_READY) >= 4);
    load_all(w, 0);
    for (int64_t s = 0; s < 60; s++) {
        world_load_node(w, 0, 10 + (int64_t)((double)s * a_second));
        world_run(w, 1000);
    }
}

static void test_shrinking_leaves_what_growth_will_want(void **state)
{
    struct world slow, fast;
    grow_out_of_a_trough(&slow, 0.5);
    assert_int_equal(world_count(&slow, NODE_READY), 2);
    world_fini(&slow);
    grow_out_of_a_trough(&fast, 3);
    assert_true(world_count(&fast, NODE_READY) >= 4);
    world_fini(&fast);
}

/* A peak that is long over leaves its half node of slack only so long. */
static void test_a_long_rest_needs_no_slack(void **state)
{
    struct world w;
    init(&w, 1, 20);
    w.policy.in_cooldown_ms = 60000;
    load_all(&w, 80);
    world_run(&w, 20000);
    load_all(&w, 150);
    world_run(&w, 120000);
    assert_true(world_count(&w, NODE_READY) >= 2);
    world_load(&w, 0);
    world_load_node(&w, 0, 74); /* and twice the margin of 17 would fit on one, without slack */
    world_run(&w, 300000);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_load_node(&w, 0, 64);
    world_run(&w, 3 * 3600 * 1000); /* the rise of the beginning is forgotten too */
    assert_int_equal(world_count(&w, NODE_READY), 1);
    world_fini(&w);
}

/* Nobody sees who stands outside: it grows while it stays full. */
static void test_a_full_pool_grows_until_it_is_not(void **state)
{
    struct world w;
    init(&w, 2, 20);
    world_load(&w, 100);
    world_run(&w, 90000);
    int before = w.launched;
    world_load(&w, 100);
    world_run(&w, 20000);
    assert_true(w.launched > before);
    assert_true(world_logged(&w, "why=predict_full") > 0);
    world_fini(&w);
}

/* ---- the time it looks ahead, as measured ---- */

static const struct predict_settings measured = {
    .confidence = 95, .fill = 100, .slack = 50, .shrink_after_ms = 30000};

static void init_measured(struct world *w, int64_t boot_ms)
{
    world_init(w, 1, 20);
    w->boot_ms = boot_ms;
    w->policy.rules[w->policy.rule_count++] =
        (struct rule){.kind = &rule_predict, .settings = &measured};
    world_boot_side(w, 0);
    world_lead(w, 0);
    world_run(w, boot_ms + 5000);
    assert_int_equal(world_count(w, NODE_READY), 1);
}

static void test_it_looks_as_far_ahead_as_launches_took(void **state)
{
    struct world w;
    init_measured(&w, 20000);
    int64_t ms = world_status(&w, 0).boot_ms;
    assert_in_range(ms, 20000, 22000);
    world_load(&w, 95);
    world_run(&w, 3000);
    char text[32];
    snprintf(text, sizeof text, "ahead_s=%lld ", (long long)(ms / 1000));
    assert_true(world_logged(&w, text) > 0);
    world_fini(&w);
}

static void test_a_new_leader_knows_the_boot_time(void **state)
{
    struct world w;
    init_measured(&w, 20000);
    int64_t ms = world_status(&w, 0).boot_ms;
    w.side[0].stopped = true;
    world_boot_side(&w, 1);
    world_run(&w, 2000);
    assert_int_equal(world_status(&w, 1).boot_ms, 0);
    world_lead(&w, 1);
    world_run(&w, 3000);
    assert_int_equal(world_status(&w, 1).boot_ms, ms);
    world_fini(&w);
}

static void test_boot_times_are_those_of_three_of_four(void **state)
{
    struct boot_time boot = {0}, back = {0};
    char record[BOOT_TIME_RECORD_MAX];
    assert_int_equal(boot_time_ms(&boot), 0);
    boot_time_add(&boot, 61001);
    assert_int_equal(boot_time_ms(&boot), 62000);
    for (int i = 0; i < 5; i++)
        boot_time_add(&boot, 60000);
    boot_time_add(&boot, 3500000); /* hung */
    boot_time_add(&boot, 0);
    boot_time_add(&boot, 3600001); /* neither counts */
    assert_int_equal(boot.count, 7);
    assert_int_equal(boot_time_ms(&boot), 62000);
    boot_time_write(&boot, record);
    boot_time_read(&back, record);
    assert_memory_equal(&back, &boot, sizeof boot);
    for (int i = 0; i < 40; i++)
        boot_time_add(&boot, 3600000);
    boot_time_write(&boot, record);
    boot_time_read(&back, record);
    assert_int_equal(back.count, BOOT_TIMES);
    assert_int_equal(boot_time_ms(&back), 3600000);
    boot_time_read(&back, "op=other");
    assert_int_equal(back.count, BOOT_TIMES); /* what cannot be read is ignored */
}

/* ---- what it knows after a restart ---- */

#define HOUR_S 3600
#define DAY_S 86400

static struct past_entry second_of(const struct world *w, int64_t ago_s, int64_t players, int ready)
{
    return (struct past_entry){.at = {w->now.ms + w->wall_offset - ago_s * 1000},
                               .players = players,
                               .est = players,
                               .capacity = ready * 100,
                               .ready = ready};
}

/* Yesterday brought 900 players a minute from now; a process that has just started knows it. */
static void test_yesterday_is_known_after_a_restart(void **state)
{
    static struct past_entry minutes[25 * 60];
    struct world w;
    init(&w, 2, 20);
    world_load(&w, 50);
    world_run(&w, 60000);
    int before = w.launched;
    for (size_t i = 0; i < 25 * 60; i++) {
        int64_t ago_s = (int64_t)(i + 1) * 60;
        minutes[i] = second_of(&w, ago_s, ago_s > DAY_S - 600 && ago_s < DAY_S - 60 ? 900 : 100, 2);
        minutes[i].minute = true;
    }
    world_past(&w, 0, minutes, 25 * 60);
    world_run(&w, 10000);
    assert_true(world_logged(&w, "yesterday=8") > 0);
    assert_true(w.launched >= before + 5);
    world_fini(&w);
}

/* An hour of players who come and go by the dozen: the margin is what such forecasts miss by. */
static void test_its_own_error_is_known_after_a_restart(void **state)
{
    static struct past_entry calm[HOUR_S], wild[HOUR_S];
    struct world w;
    init(&w, 2, 20);
    load_all(&w, 160); /* of 200: a tenth more, as one who knows nothing adds, fits */
    world_run(&w, 120000);
    int ready = world_count(&w, NODE_READY);
    load_all(&w, ready * 80);
    world_run(&w, 60000);
    ready = world_count(&w, NODE_READY);
    int before = w.launched;
    for (int i = 0; i < HOUR_S; i++) {
        int64_t players = w.nodes[0].node.conns * ready;
        calm[i] = second_of(&w, i + 1, players, ready);
        wild[i] = second_of(&w, i + 1, i / 30 % 2 ? players : players / 2, ready);
    }
    world_past(&w, 0, calm, HOUR_S);
    world_run(&w, 5000);
    assert_int_equal(w.launched, before);
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_past(&w, 0, wild, HOUR_S);
    world_run(&w, 5000);
    assert_true(w.launched > before);
    world_fini(&w);
}

/* What was needed in the last hour is not forgotten: no shrinking just after a restart. */
static void test_a_peak_is_remembered_after_an_interruption(void **state)
{
    struct world w;
    init(&w, 1, 20);
    load_all(&w, 90);
    world_run(&w, 20000);
    load_all(&w, 350);
    world_run(&w, 20000);
    int many = world_count(&w, NODE_READY);
    assert_true(many >= 4);
    load_all(&w, 80);
    world_run(&w, 10000);
    w.side[0].cut = true;
    world_run(&w, 6000);
    w.side[0].cut = false;
    world_run(&w, 14000);
    assert_true(world_count(&w, NODE_READY) >= 4); /* 350 were there half a minute ago */
    world_run(&w, 60000);
    assert_true(world_count(&w, NODE_READY) <= 2);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_ramp_meets_nodes_that_are_ready),
        cmocka_unit_test(test_shrinking_leaves_slack_and_waits),
        cmocka_unit_test(test_a_node_that_a_gust_would_want_back_stays),
        cmocka_unit_test(test_shrinking_leaves_what_growth_will_want),
        cmocka_unit_test(test_a_long_rest_needs_no_slack),
        cmocka_unit_test(test_a_full_pool_grows_until_it_is_not),
        cmocka_unit_test(test_it_looks_as_far_ahead_as_launches_took),
        cmocka_unit_test(test_a_new_leader_knows_the_boot_time),
        cmocka_unit_test(test_boot_times_are_those_of_three_of_four),
        cmocka_unit_test(test_yesterday_is_known_after_a_restart),
        cmocka_unit_test(test_its_own_error_is_known_after_a_restart),
        cmocka_unit_test(test_a_peak_is_remembered_after_an_interruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

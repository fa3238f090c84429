/* test_predict.c - the rule predict in virtual time, through the whole core. */
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

static void test_nothing_shrinks_while_players_grow(void **state)
{
    struct world w;
    init(&w, 1, 20);
    load_all(&w, 90);
    world_run(&w, 20000);
    load_all(&w, 180);
    world_run(&w, 60000);
    load_all(&w, 330);
    world_run(&w, 60000);
    int many = world_count(&w, NODE_READY);
    assert_true(many >= 4);
    load_all(&w, 0);
    for (int64_t s = 0; s < 90; s++) { /* a trough is over; shrink_after, too, after a third */
        world_load_node(&w, 0, 10 + s / 2);
        world_run(&w, 1000);
    }
    assert_int_equal(world_count(&w, NODE_READY), many);
    world_run(&w, 60000);
    assert_true(world_count(&w, NODE_READY) < many);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_ramp_meets_nodes_that_are_ready),
        cmocka_unit_test(test_shrinking_leaves_slack_and_waits),
        cmocka_unit_test(test_a_node_that_a_gust_would_want_back_stays),
        cmocka_unit_test(test_nothing_shrinks_while_players_grow),
        cmocka_unit_test(test_a_full_pool_grows_until_it_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

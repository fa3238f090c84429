/* test_roll.c - old nodes are replaced a few at a time: never fewer ready ones, no session ended.
 */
#include "autoscale/roll.h"
#include "tests/support/cmocka.h"
#include "world.h"

static int old_nodes(const struct world *w)
{
    int n = 0;
    for (size_t i = 0; i < w->node_count; i++)
        n += w->nodes[i].present && w->nodes[i].node.old;
    return n;
}

/* Five nodes, two at a time, at most eight. */
static void start(struct world *w)
{
    world_init(w, 5, 8);
    w->policy.max_step = 5;
    world_boot_side(w, 0);
    world_lead(w, 0);
    world_run(w, 10000);
    assert_int_equal(world_count(w, NODE_READY), 5);
    w->policy.max_step = 2;
}

/* Run, looking at each moment. */
static void run_watched(struct world *w, int64_t ms, int least_ready)
{
    for (int64_t t = 0; t < ms; t += WORLD_STEP_MS) {
        world_run(w, WORLD_STEP_MS);
        assert_true(world_count(w, NODE_READY) >= least_ready);
        assert_true(world_count(w, NODE_READY) + world_count(w, NODE_JOINING) <= 7);
        int leaving = world_count(w, NODE_DRAINING) + world_count(w, NODE_CLOSING) +
                      world_count(w, NODE_DRAINED);
        assert_true(leaving <= 2);
    }
}

static void test_every_old_node_is_replaced(void **state)
{
    struct world w;
    start(&w);
    world_roll(&w, 0, true);
    run_watched(&w, 60000, 5);
    assert_int_equal(old_nodes(&w), 0);
    assert_int_equal(world_count(&w, NODE_READY), 5);
    assert_int_equal(world_instances(&w), 5);
    assert_int_equal(w.launched, 10);
    assert_int_equal(w.killed_players, 0);
    assert_int_equal(world_logged(&w, "roll_begun"), 1);
    assert_int_equal(world_logged(&w, "roll_done"), 1);
    assert_int_equal(w.plan_count, 0);
    world_fini(&w);
}

static void test_sessions_are_waited_for(void **state)
{
    struct world w;
    start(&w);
    world_load(&w, 10);
    world_roll(&w, 0, true);
    run_watched(&w, 60000, 5);
    assert_int_equal(old_nodes(&w), 5); /* two on their way out, and no third begun */
    assert_int_equal(w.launched, 7);
    assert_int_equal(world_count(&w, NODE_DRAINING), 2);
    for (size_t i = 0; i < w.node_count; i++)
        world_load_node(&w, i, 0);
    run_watched(&w, 60000, 5);
    assert_int_equal(old_nodes(&w), 0);
    assert_int_equal(w.killed_players, 0);
    assert_int_equal(world_count(&w, NODE_READY), 5);
    world_fini(&w);
}

static void test_the_next_leader_goes_on_with_the_same_size(void **state)
{
    struct world w;
    start(&w);
    world_roll(&w, 0, true);
    while (w.launched < 7)
        run_watched(&w, WORLD_STEP_MS, 5);
    w.side[0].stopped = true;
    world_boot_side(&w, 1);
    world_run(&w, 1000);
    struct scale_event ev = {.kind = SCALE_OPERATOR, .operators = {.rolling = true}};
    struct effects fx;
    ev.now = w.now;
    scale_step(w.side[1].scale, &ev, &fx);
    world_lead(&w, 1);
    run_watched(&w, 60000, 5);
    assert_int_equal(old_nodes(&w), 0);
    assert_int_equal(world_count(&w, NODE_READY), 5);
    assert_int_equal(world_instances(&w), 5);
    assert_int_equal(w.launched, 10);
    world_fini(&w);
}

static void test_taken_back_it_leaves_the_rest(void **state)
{
    struct world w;
    start(&w);
    world_roll(&w, 0, true);
    while (w.launched < 7)
        run_watched(&w, WORLD_STEP_MS, 5);
    world_roll(&w, 0, false);
    world_run(&w, 60000);
    assert_int_equal(w.launched, 7);
    assert_int_equal(world_logged(&w, "roll_done"), 1);
    assert_int_equal(w.plan_count, 0);
    world_fini(&w);
}

static void test_without_room_below_the_ceiling_it_is_held_and_said(void **state)
{
    struct world w;
    world_init(&w, 2, 2);
    world_run(&w, 10000);
    world_roll(&w, 0, true);
    world_run(&w, 30000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    assert_int_equal(world_logged(&w, "roll_held"), 1);
    assert_string_equal(world_status(&w, 0).held_by, "ceiling");
    world_fini(&w);
}

static void test_growth_meanwhile_raises_the_size_that_is_kept(void **state)
{
    const struct policy policy = {.max = 10, .max_step = 2, .nodes_per_instance = 1};
    const struct roll roll = {.wished = true, .base = 5};
    struct fleet_figures f = {.ready = 7, .size = 7, .old = 5};
    struct roll_decision d = roll_decide(&roll, &policy, &f, 5);
    assert_int_equal(d.move, ROLL_DRAIN);
    assert_int_equal(d.step, 2);
    d = roll_decide(&roll, &policy, &f, 6); /* one of the two is needed now */
    assert_int_equal(d.base, 6);
    assert_int_equal(d.step, 1);
    d = roll_decide(&roll, &policy, &f, 7);
    assert_int_equal(d.move, ROLL_LAUNCH);
    f.silent = 1; /* who may be dead does not count as ready */
    d = roll_decide(&roll, &policy, &f, 6);
    assert_int_equal(d.move, ROLL_LAUNCH);
}

/* Each turn of it, with instances of one node, and of two, which go and come whole. */
static void test_every_turn(void **state)
{
    static const struct {
        int per, max_step, base;
        struct fleet_figures f;
        int needed, move, step, kept;
    } cases[] = {
        {1, 2, 0, {.ready = 1, .size = 1, .old = 1}, 0, ROLL_BEGIN, 0, 1},
        {1, 2, 0, {.old = 1}, 0, ROLL_REST, 0, 0},
        {1, 2, 0, {.ready = 12, .size = 12, .old = 12}, 0, ROLL_BEGIN, 0, 10},
        {1, 2, 12, {.ready = 12, .size = 12, .old = 12}, 0, ROLL_DRAIN, 2, 10},
        {1, 2, 0, {.ready = 1, .size = 1}, 0, ROLL_REST, 0, 0},
        {1, 2, 1, {.ready = 1, .size = 1}, 0, ROLL_DONE, 0, 1},
        {1, 2, 5, {.ready = 5, .size = 5, .old = 5}, 0, ROLL_LAUNCH, 2, 5},
        {1, 2, 5, {.ready = 5, .size = 6, .coming = 1, .old = 5}, 0, ROLL_WAIT, 0, 5},
        {1, 2, 5, {.ready = 7, .size = 7, .old = 5, .old_leaving = 2}, 0, ROLL_WAIT, 0, 5},
        {1, 2, 5, {.ready = 7, .size = 7, .old = 4, .old_leaving = 1}, 0, ROLL_DRAIN, 1, 5},
        {1, 2, 5, {.ready = 6, .size = 6, .old = 5}, 0, ROLL_DRAIN, 1, 5},
        {1, 2, 5, {.ready = 7, .size = 7, .old = 1}, 0, ROLL_DRAIN, 1, 5},
        {1, 2, 5, {.ready = 7, .silent = 1, .size = 7, .old = 5}, 0, ROLL_DRAIN, 1, 5},
        {1, 2, 5, {.ready = 5, .size = 5, .old = 1}, 0, ROLL_LAUNCH, 1, 5},
        {1, 4, 8, {.ready = 8, .size = 8, .old = 8}, 0, ROLL_LAUNCH, 2, 8},
        {1, 4, 10, {.ready = 10, .size = 10, .old = 8}, 0, ROLL_HELD, 0, 10},
        {1, 2, 5, {.ready = 5, .size = 5, .old = 5}, 7, ROLL_LAUNCH, 2, 7},
        {1, 2, 5, {.ready = 5, .size = 5, .old = 5}, 30, ROLL_LAUNCH, 2, 10},
        {2, 5, 4, {.ready = 4, .size = 4, .old = 4}, 0, ROLL_LAUNCH, 4, 4},
        {2, 3, 4, {.ready = 4, .size = 4, .old = 4}, 0, ROLL_LAUNCH, 2, 4},
        {2, 4, 4, {.ready = 7, .size = 7, .old = 4}, 0, ROLL_DRAIN, 2, 4},
        {2, 4, 4, {.ready = 5, .size = 5, .old = 4}, 0, ROLL_LAUNCH, 4, 4},
        {2, 4, 8, {.ready = 9, .size = 9, .old = 8}, 0, ROLL_HELD, 0, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct policy policy = {
            .max = 10, .max_step = cases[i].max_step, .nodes_per_instance = cases[i].per};
        const struct roll roll = {.wished = true, .base = cases[i].base};
        struct roll_decision d = roll_decide(&roll, &policy, &cases[i].f, cases[i].needed);
        bool counts = d.move == ROLL_DRAIN || d.move == ROLL_LAUNCH;
        if ((int)d.move != cases[i].move || (counts && d.step != cases[i].step) ||
            d.base != cases[i].kept)
            fail_msg("case %zu: move %d step %d base %d", i, (int)d.move, d.step, d.base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_old_node_is_replaced),
        cmocka_unit_test(test_sessions_are_waited_for),
        cmocka_unit_test(test_the_next_leader_goes_on_with_the_same_size),
        cmocka_unit_test(test_taken_back_it_leaves_the_rest),
        cmocka_unit_test(test_without_room_below_the_ceiling_it_is_held_and_said),
        cmocka_unit_test(test_growth_meanwhile_raises_the_size_that_is_kept),
        cmocka_unit_test(test_every_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

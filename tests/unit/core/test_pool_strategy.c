/* test_pool_strategy.c - spread, pack, two choices; slow start; explaining. */
#include "tests/unit/core/pool_world.h"

static struct world world_by(const char *strategy)
{
    struct pool_config config = world_config();
    config.strategy = strategy_find(span_of(strategy));
    assert_non_null(config.strategy);
    return world_of(config);
}

static void test_strategies_are_found_by_name_and_by_number(void **state)
{
    static const char *const names[] = {"spread", "pack", "two_choices"};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(strategy_at(i)->name, names[i]);
        assert_ptr_equal(strategy_find(span_of(names[i])), strategy_at(i));
    }
    assert_null(strategy_at(3));
    assert_null(strategy_find(SPAN("random")));
}

static void test_pack_fills_one_node_after_the_other(void **state)
{
    struct world w = world_by("pack");
    world_ready(&w, "a", 10);
    world_ready(&w, "b", 10);
    world_ready(&w, "c", 10);
    uint32_t first = world_take(&w);
    for (int i = 1; i < 10; i++)
        assert_int_equal(world_take(&w), first);
    uint32_t second = world_take(&w);
    assert_int_not_equal(second, first);
    for (int i = 1; i < 10; i++)
        assert_int_equal(world_take(&w), second);
    struct pool_choice choice;
    assert_int_equal(pool_pick(w.pool, w.now, &(struct pool_query){0}, &choice), 0);
    assert_string_equal(choice.why, "fullest");
    world_end(&w);
}

static void test_pack_leaves_the_last_seats_to_those_who_fit(void **state)
{
    struct world w = world_by("pack");
    uint32_t a = world_ready(&w, "a", 10), b = world_ready(&w, "b", 10);
    assert_int_equal(world_report(&w, a, 8, "-"), 0);
    assert_int_equal(world_pick_as(&w, (struct pool_query){.seats = 4}), b);
    assert_int_equal(world_pick_as(&w, (struct pool_query){.seats = 2}), a);
    world_end(&w);
}

static void test_two_choices_prefers_the_emptier_of_two(void **state)
{
    struct world w = world_by("two_choices");
    unsigned taken[10] = {0};
    for (int i = 0; i < 10; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        uint32_t slot = world_ready(&w, name, 1000);
        assert_int_equal(world_report(&w, slot, i * 10, "-"), 0);
    }
    struct pool_choice choice;
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(pool_pick(w.pool, w.now, &(struct pool_query){0}, &choice), 0);
        taken[choice.slot]++;
    }
    assert_string_equal(choice.why, "two_choices");
    for (unsigned i = 0; i < 10; i++) { /* the emptier of two of ten: P(i) = (19 - 2 i) / 100 */
        unsigned expected = (19 - 2 * i) * 100;
        assert_in_range(taken[i], expected - expected / 8 - 30, expected + expected / 8 + 30);
    }
    world_end(&w);
}

static void test_two_choices_finds_the_only_one_that_fits(void **state)
{
    struct pool_config config = world_config();
    config.nodes_max = 500;
    config.strategy = &strategy_two_choices;
    struct world w = world_of(config);
    for (int i = 0; i < 499; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        world_ready(&w, name, 1);
    }
    uint32_t big = world_ready(&w, "big", 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(world_pick_as(&w, (struct pool_query){.seats = 4}), big);
    world_end(&w);
}

static void test_a_strategy_may_be_changed(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 10), b = world_ready(&w, "b", 10);
    assert_int_equal(world_report(&w, a, 5, "-"), 0);
    assert_int_equal(world_pick(&w), b);
    pool_strategy(w.pool, &strategy_pack);
    assert_int_equal(world_pick(&w), a);
    pool_strategy(w.pool, &strategy_spread);
    assert_int_equal(world_pick(&w), b);
    world_end(&w);
}

/* ---- slow start ---- */

static struct world world_slow(void)
{
    struct pool_config config = world_config();
    config.slow_start_ms = 10000;
    struct world w = world_of(config);
    for (int i = 0; i < 9; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        uint32_t slot =
            world_join_as(&w, (struct pool_info){.name = span_of(name), .capacity = 100000});
        pool_state(w.pool, w.now, slot, NODE_READY, 60000); /* ready since a minute ago */
        assert_int_equal(world_report(&w, slot, 10000, "-"), 0);
    }
    return w;
}

static void test_a_fresh_node_is_not_flooded(void **state)
{
    struct world w = world_slow();
    uint32_t fresh = world_ready(&w, "fresh", 100000);
    assert_true(world_node(&w, fresh).fresh);
    unsigned got[11] = {0};
    for (int s = 0; s < 11; s++) {
        for (int i = 0; i < 100; i++) {
            for (int k = 0; k < 10; k++)
                got[s] += world_take(&w) == fresh;
            world_wait(&w, 10);
        }
    }
    /* of 1,000 arrivals each second: from its fair tenth to four times that, then all */
    assert_in_range(got[0], 100, 140);
    assert_in_range(got[4], 200, 260);
    assert_in_range(got[9], 350, 400);
    assert_int_equal(got[10], 1000);
    assert_false(world_node(&w, fresh).fresh);
    world_end(&w);
}

static void test_slow_start_can_be_off(void **state)
{
    struct world w = world_slow();
    struct pool_config config = world_config();
    struct world off = world_of(config);
    uint32_t old = world_ready(&off, "old", 100000), new = world_ready(&off, "new", 100000);
    assert_int_equal(world_report(&off, old, 500, "-"), 0);
    for (int i = 0; i < 500; i++)
        assert_int_equal(world_take(&off), new);
    world_end(&off);
    world_end(&w);
}

static void test_slow_start_turns_nobody_away(void **state)
{
    struct world w = world_slow();
    uint32_t fresh = world_ready(&w, "fresh", 100000);
    for (uint32_t i = 0; i < 9; i++)
        pool_state(w.pool, w.now, i, NODE_DRAINING, 0);
    struct pool_query query = {0};
    struct pool_choice choice;
    assert_int_equal(world_take(&w), fresh);
    /* alone it is never over its share */
    for (int i = 0; i < 100; i++)
        assert_int_equal(world_take(&w), fresh);
    for (uint32_t i = 0; i < 9; i++) { /* the others are back, but full */
        pool_state(w.pool, w.now, i, NODE_READY, 60000);
        assert_int_equal(world_report(&w, i, 100000, "-"), 0);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(pool_pick(w.pool, w.now, &query, &choice), 0);
        assert_int_equal(choice.slot, fresh);
        pool_assign(w.pool, w.now, fresh, 1);
    }
    assert_string_equal(choice.why, "slow_start_only");
    query.version = SPAN("2");
    assert_int_equal(pool_pick(w.pool, w.now, &query, &choice), BERTH_ENOENT);
    query = (struct pool_query){.exclude = &(struct span){"fresh", 5}, .exclude_count = 1};
    assert_int_equal(pool_pick(w.pool, w.now, &query, &choice), BERTH_EFULL);
    world_end(&w);
}

static void test_a_fleet_that_is_all_fresh_is_level(void **state)
{
    struct pool_config config = world_config();
    config.slow_start_ms = 10000;
    struct world w = world_of(config);
    for (int i = 0; i < 10; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        world_ready(&w, name, 1000);
    }
    for (int i = 0; i < 1000; i++)
        assert_int_not_equal(world_take(&w), POOL_NONE);
    for (uint32_t i = 0; i < 10; i++)
        assert_in_range(world_node(&w, i).est, 98, 102);
    world_end(&w);
}

/* ---- explaining ---- */

static void test_explains_who_would_be_chosen_and_why_not(void **state)
{
    struct world w = world_new();
    struct pool_info info = {
        .name = SPAN("full"), .version = SPAN("1"), .zone = SPAN("e"), .capacity = 10};
    uint32_t full = world_join_as(&w, info);
    info.name = SPAN("half");
    uint32_t half = world_join_as(&w, info);
    info.name = SPAN("empty");
    uint32_t empty = world_join_as(&w, info);
    info.name = SPAN("draining");
    uint32_t draining = world_join_as(&w, info);
    info.name = SPAN("avoided");
    uint32_t avoided = world_join_as(&w, info);
    info.name = SPAN("other");
    info.version = SPAN("2");
    uint32_t other = world_join_as(&w, info);
    info.name = SPAN("far");
    info.version = SPAN("1");
    info.zone = SPAN("w");
    uint32_t far = world_join_as(&w, info);
    for (uint32_t i = 0; i < 7; i++)
        pool_state(w.pool, w.now, i, i == draining ? NODE_DRAINING : NODE_READY, 0);
    assert_int_equal(world_report(&w, full, 10, "-"), 0);
    assert_int_equal(world_report(&w, half, 5, "-"), 0);
    struct pool_query query = {.zone = SPAN("e"),
                               .version = SPAN("1"),
                               .exclude = &(struct span){"avoided", 7},
                               .exclude_count = 1};
    struct pool_candidate list[8];
    assert_int_equal(pool_explain(w.pool, w.now, &query, list, 8), 7);
    const struct {
        uint32_t slot;
        const char *verdict;
    } expected[] = {{empty, "eligible"}, {half, "eligible"}, {far, "eligible"}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(list[i].slot, expected[i].slot);
        assert_string_equal(list[i].verdict, expected[i].verdict);
    }
    assert_true(list[0].in_zone);
    assert_false(list[2].in_zone);
    for (size_t i = 3; i < 7; i++)
        assert_string_equal(list[i].verdict, list[i].slot == full       ? "full"
                                             : list[i].slot == draining ? "draining"
                                             : list[i].slot == avoided  ? "excluded"
                                             : list[i].slot == other    ? "version"
                                                                        : "?");
    assert_int_equal(pool_explain(w.pool, w.now, &query, list, 2), 2); /* the best of them */
    assert_int_equal(list[1].slot, half);
    struct pool_choice choice;
    assert_int_equal(pool_pick(w.pool, w.now, &query, &choice), 0);
    assert_int_equal(choice.slot, empty);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strategies_are_found_by_name_and_by_number),
        cmocka_unit_test(test_pack_fills_one_node_after_the_other),
        cmocka_unit_test(test_pack_leaves_the_last_seats_to_those_who_fit),
        cmocka_unit_test(test_two_choices_prefers_the_emptier_of_two),
        cmocka_unit_test(test_two_choices_finds_the_only_one_that_fits),
        cmocka_unit_test(test_a_strategy_may_be_changed),
        cmocka_unit_test(test_a_fresh_node_is_not_flooded),
        cmocka_unit_test(test_slow_start_can_be_off),
        cmocka_unit_test(test_slow_start_turns_nobody_away),
        cmocka_unit_test(test_a_fleet_that_is_all_fresh_is_level),
        cmocka_unit_test(test_explains_who_would_be_chosen_and_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

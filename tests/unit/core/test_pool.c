/* test_pool.c - nodes of a pool: join, report, state, remove; the choice among them; its limits. */
#include "tests/unit/core/pool_world.h"

static void test_picks_the_least_ratio_of_capacities_that_differ(void **state)
{
    struct world w = world_new();
    uint32_t small = world_ready(&w, "small", 10), big = world_ready(&w, "big", 1000);
    assert_int_equal(world_report(&w, small, 1, "-"), 0); /* 10 % */
    assert_int_equal(world_report(&w, big, 99, "-"), 0);  /* 9.9 % */
    assert_int_equal(world_take(&w), big);                /* now both 10 % */
    assert_int_equal(world_report(&w, big, 100, "-"), 0);
    assert_int_equal(world_node(&w, big).est, 101);
    assert_int_equal(world_take(&w), small);
    assert_int_equal(world_pick(&w), big); /* 10.1 % against 20 % */
    world_end(&w);
}

static void test_breaks_ties_at_random_and_by_the_seed(void **state)
{
    unsigned firsts[5] = {0};
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct pool_config config = world_config();
        config.seed = seed;
        struct world w = world_of(config), again = world_of(config);
        for (int i = 0; i < 5; i++) {
            char name[8];
            snprintf(name, sizeof name, "n%d", i);
            world_ready(&w, name, 100);
            world_ready(&again, name, 100);
        }
        uint32_t first = world_pick(&w);
        assert_int_equal(world_pick(&again), first);
        firsts[first]++;
        for (int i = 0; i < 20; i++)
            assert_int_equal(world_take(&w), world_take(&again));
        world_end(&w);
        world_end(&again);
    }
    for (int i = 0; i < 5; i++) /* 400 expected, deviation 18 */
        assert_in_range(firsts[i], 320, 480);
}

static void test_spreads_to_within_one(void **state)
{
    struct world w = world_new();
    for (int i = 0; i < 7; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        world_ready(&w, name, 1000);
    }
    for (int i = 0; i < 1000; i++)
        assert_int_not_equal(world_take(&w), POOL_NONE);
    for (uint32_t i = 0; i < 7; i++)
        assert_in_range(world_node(&w, i).est, 142, 143);
    world_end(&w);
}

static void test_picks_ready_nodes_only(void **state)
{
    for (int s = 0; s < NODE_STATES; s++) {
        struct world w = world_new();
        uint32_t slot = world_join_as(&w, (struct pool_info){.name = SPAN("n")});
        pool_state(w.pool, w.now, slot, (enum node_state)s, 0);
        struct pool_choice choice;
        int rc = pool_pick(w.pool, w.now, &(struct pool_query){0}, &choice);
        assert_int_equal(rc, s == NODE_READY ? 0 : BERTH_ENOENT);
        assert_int_equal(pool_sums(w.pool)->nodes[s], 1);
        assert_int_equal(pool_sums(w.pool)->capacity[s], 100);
        world_end(&w);
    }
}

static void test_does_not_pick_whom_it_doubts(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100), b = world_ready(&w, "b", 100);
    assert_int_equal(world_report(&w, b, 50, "-"), 0);
    pool_doubt(w.pool, a, true);
    assert_int_equal(world_pick(&w), b);
    struct pool_candidate list[2];
    assert_int_equal(pool_explain(w.pool, w.now, &(struct pool_query){0}, list, 2), 2);
    assert_int_equal(list[1].slot, a);
    assert_string_equal(list[1].verdict, "doubted");
    assert_int_equal(pool_sums(w.pool)->nodes[NODE_READY], 2); /* its state is what it was */
    pool_doubt(w.pool, a, false);
    assert_int_equal(world_pick(&w), a);
    pool_doubt(w.pool, a, true);
    assert_int_equal(world_join_as(&w, (struct pool_info){.name = SPAN("a"), .epoch = 101}), a);
    pool_state(w.pool, w.now, a, NODE_READY, 0);
    assert_int_equal(world_pick(&w), a); /* another process */
    world_end(&w);
}

static void test_never_picks_a_node_at_capacity(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 3), b = world_ready(&w, "b", 2);
    for (int i = 0; i < 5; i++)
        assert_int_not_equal(world_take(&w), POOL_NONE);
    assert_int_equal(world_node(&w, a).est, 3);
    assert_int_equal(world_node(&w, b).est, 2);
    struct pool_choice choice;
    assert_int_equal(pool_pick(w.pool, w.now, &(struct pool_query){0}, &choice), BERTH_EFULL);
    assert_int_equal(pool_stats(w.pool)->picks_none, 1);
    world_wait(&w, 14000); /* nobody came: the seats are free again */
    assert_int_not_equal(world_pick(&w), POOL_NONE);
    world_end(&w);
}

static void test_a_lowered_capacity_counts_at_once(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    struct pool_report report = {.epoch = WORLD_NODE_EPOCH, .seq = 1, .conns = 10, .capacity = 10};
    assert_int_equal(pool_report(w.pool, w.now, a, &report), 0);
    assert_int_equal(world_pick(&w), POOL_NONE);
    report.seq = 2;
    report.capacity = 11;
    assert_int_equal(pool_report(w.pool, w.now, a, &report), 0);
    assert_int_equal(world_pick(&w), a);
    world_end(&w);
}

static void test_ignores_reports_of_the_past(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    struct pool_report report = {.epoch = WORLD_NODE_EPOCH, .seq = 5, .conns = 50};
    assert_int_equal(pool_report(w.pool, w.now, a, &report), 0);
    report.conns = 1;
    assert_int_equal(pool_report(w.pool, w.now, a, &report), BERTH_ESTALE); /* repeated */
    report.seq = 4;
    assert_int_equal(pool_report(w.pool, w.now, a, &report), BERTH_ESTALE); /* reordered */
    report.seq = 6;
    report.epoch = WORLD_NODE_EPOCH - 1;
    assert_int_equal(pool_report(w.pool, w.now, a, &report), BERTH_ESTALE); /* another process */
    assert_int_equal(world_node(&w, a).conns, 50);
    assert_int_equal(pool_stats(w.pool)->refused[POOL_OLD_SEQ], 2);
    assert_int_equal(pool_stats(w.pool)->refused[POOL_OTHER_EPOCH], 1);
    world_end(&w);
}

static void test_a_new_epoch_starts_from_nothing(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    assert_int_equal(world_report(&w, a, 40, "-"), 0);
    pool_assign(w.pool, w.now, a, 3);
    pool_reserve(w.pool, a, 4);
    assert_int_equal(world_node(&w, a).est, 47);
    assert_int_equal(world_join_as(&w, (struct pool_info){.name = SPAN("a"), .epoch = 101}), a);
    struct pool_node n = world_node(&w, a);
    assert_int_equal(n.est, 0);
    assert_int_equal(n.state, NODE_JOINING);
    assert_int_equal(world_pick(&w), POOL_NONE);
    pool_release(w.pool, a, WORLD_NODE_EPOCH, 4); /* of the process that is gone */
    assert_int_equal(world_node(&w, a).reserved, 0);
    struct pool_info old = {.name = SPAN("a"), .epoch = 100, .capacity = 100};
    assert_int_equal(pool_join(w.pool, w.now, &old, NULL), BERTH_ESTALE);
    world_end(&w);
}

static void test_joining_again_keeps_counts_and_state(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    assert_int_equal(world_report(&w, a, 40, "-"), 0);
    pool_assign(w.pool, w.now, a, 2);
    assert_int_equal(
        world_join_as(&w, (struct pool_info){.name = SPAN("a"), .zone = SPAN("z"), .capacity = 50}),
        a);
    struct pool_node n = world_node(&w, a);
    assert_int_equal(n.est, 42);
    assert_int_equal(n.state, NODE_READY);
    assert_string_equal(n.zone, "z");
    assert_int_equal(pool_sums(w.pool)->capacity[NODE_READY], 50);
    assert_int_equal(world_pick(&w), a);
    world_end(&w);
}

static void test_a_removed_node_is_forgotten_and_its_slot_used_again(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    pool_assign(w.pool, w.now, a, 9);
    pool_remove(w.pool, w.now, a);
    assert_int_equal(pool_find(w.pool, SPAN("a")), POOL_NONE);
    assert_int_equal(world_pick(&w), POOL_NONE);
    struct pool_node n;
    assert_false(pool_node(w.pool, a, &n));
    assert_int_equal(pool_sums(w.pool)->pending[NODE_READY], 0);
    uint32_t b = world_ready(&w, "b", 100);
    assert_int_equal(b, a);
    assert_int_equal(world_node(&w, b).est, 0);
    world_end(&w);
}

static void test_refuses_what_is_over_its_limits(void **state)
{
    struct pool_config config = world_config();
    config.nodes_max = 2;
    struct world w = world_of(config);
    world_ready(&w, "a", 1);
    world_ready(&w, "b", 1);
    struct err err = {0};
    struct pool_info info = {.name = SPAN("c"), .epoch = 1, .capacity = 1};
    assert_int_equal(pool_join(w.pool, w.now, &info, &err), BERTH_EFULL);
    assert_non_null(strstr(err.text, "the pool has 2 nodes already"));
    info.capacity = 0;
    assert_int_equal(pool_join(w.pool, w.now, &info, &err), BERTH_EINVAL);
    assert_non_null(strstr(err.text, "capacity = 0"));
    char longish[80];
    memset(longish, 'x', sizeof longish);
    info = (struct pool_info){.name = {longish, 64}, .epoch = 1, .capacity = 1};
    assert_int_equal(pool_join(w.pool, w.now, &info, &err), BERTH_EINVAL);
    config.nodes_max = 0;
    struct pool *none;
    assert_int_equal(pool_create(&config, &none, &err), BERTH_EINVAL);
    assert_non_null(strstr(err.text, "nodes_max = 0: must be 1..1048576"));
    world_end(&w);
}

static void test_bounds_pairs_of_zone_and_version_and_frees_them(void **state)
{
    struct pool_config config = world_config();
    config.nodes_max = 1000;
    struct world w = world_of(config);
    for (int i = 0; i < POOL_GROUPS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        world_join_as(&w, (struct pool_info){.name = span_of(name), .version = span_of(name)});
    }
    struct pool_info info = {.name = SPAN("n"), .version = SPAN("new"), .epoch = 1, .capacity = 1};
    assert_int_equal(pool_join(w.pool, w.now, &info, NULL), BERTH_EFULL);
    pool_remove(w.pool, w.now, 17);
    assert_int_equal(pool_join(w.pool, w.now, &info, NULL), 17);
    world_end(&w);
}

static void test_prefers_a_zone_and_falls_back(void **state)
{
    struct world w = world_new();
    uint32_t east = world_join_as(
        &w, (struct pool_info){.name = SPAN("e"), .zone = SPAN("east"), .capacity = 2});
    uint32_t west = world_join_as(
        &w, (struct pool_info){.name = SPAN("w"), .zone = SPAN("west"), .capacity = 2});
    pool_state(w.pool, w.now, east, NODE_READY, 0);
    pool_state(w.pool, w.now, west, NODE_READY, 0);
    struct pool_query query = {.zone = SPAN("east")};
    struct pool_choice choice;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pool_pick(w.pool, w.now, &query, &choice), 0);
        assert_int_equal(choice.slot, east); /* though west is emptier */
        assert_string_equal(choice.why, "least_est");
        pool_assign(w.pool, w.now, choice.slot, 1);
    }
    assert_int_equal(pool_pick(w.pool, w.now, &query, &choice), 0);
    assert_int_equal(choice.slot, west);
    assert_string_equal(choice.why, "zone_fallback");
    query.zone = SPAN("nowhere");
    assert_int_equal(pool_pick(w.pool, w.now, &query, &choice), 0);
    assert_int_equal(choice.slot, west);
    world_end(&w);
}

static void test_takes_only_nodes_of_the_version(void **state)
{
    struct world w = world_new();
    uint32_t v1 = world_join_as(&w, (struct pool_info){.name = SPAN("a"), .version = SPAN("1")});
    uint32_t v2 = world_join_as(&w, (struct pool_info){.name = SPAN("b"), .version = SPAN("2")});
    pool_state(w.pool, w.now, v1, NODE_READY, 0);
    pool_state(w.pool, w.now, v2, NODE_READY, 0);
    for (int i = 0; i < 10; i++) {
        uint32_t slot = world_pick_as(&w, (struct pool_query){.version = SPAN("2")});
        assert_int_equal(slot, v2);
        pool_assign(w.pool, w.now, slot, 1);
    }
    struct pool_choice choice;
    assert_int_equal(pool_pick(w.pool, w.now, &(struct pool_query){.version = SPAN("3")}, &choice),
                     BERTH_ENOENT);
    assert_int_equal(world_pick(&w), v1); /* any version: the emptiest */
    world_end(&w);
}

static void test_does_not_pick_whom_the_client_excludes(void **state)
{
    struct pool_config config = world_config();
    config.nodes_max = 200;
    struct world w = world_of(config);
    for (int i = 0; i < 200; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        uint32_t slot = world_ready(&w, name, 1000);
        assert_int_equal(world_report(&w, slot, 2 * (i % 100) + i / 100, "-"), 0);
    }
    struct span names[POOL_EXCLUDE_MAX];
    char texts[POOL_EXCLUDE_MAX][8];
    for (int i = 0; i < POOL_EXCLUDE_MAX; i++) { /* the emptiest in order: 0, 100, 1, 101 ... */
        snprintf(texts[i], sizeof texts[i], "n%d", i / 2 + 100 * (i % 2));
        names[i] = span_of(texts[i]);
        struct pool_query query = {.exclude = names, .exclude_count = (size_t)i};
        struct pool_choice choice;
        assert_int_equal(pool_pick(w.pool, w.now, &query, &choice), 0);
        assert_int_equal(choice.est, i);
        assert_string_equal(world_node(&w, choice.slot).name, texts[i]);
    }
    struct world one = world_new();
    world_ready(&one, "n0", 10);
    struct pool_query query = {.exclude = names, .exclude_count = 1};
    struct pool_choice choice;
    assert_int_equal(pool_pick(one.pool, one.now, &query, &choice), BERTH_ENOENT);
    world_end(&one);
    world_end(&w);
}

static void test_finds_a_node_with_seats_for_all_if_there_is_one(void **state)
{
    struct pool_config config = world_config();
    config.nodes_max = 1000;
    struct world w = world_of(config);
    for (int i = 0; i < 999; i++) { /* emptier by ratio, but with 3 seats left */
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        world_ready(&w, name, 3);
    }
    uint32_t big = world_ready(&w, "big", 1000);
    assert_int_equal(world_report(&w, big, 996, "-"), 0);
    assert_int_equal(world_pick_as(&w, (struct pool_query){.seats = 4}), big);
    assert_int_not_equal(world_pick_as(&w, (struct pool_query){.seats = 3}), big);
    struct pool_choice choice;
    assert_int_equal(pool_pick(w.pool, w.now, &(struct pool_query){.seats = 5}, &choice),
                     BERTH_EFULL);
    world_end(&w);
}

static void test_a_room_reserves_its_seats_while_it_is_claimed(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 6);
    pool_reserve(w.pool, a, 4);
    assert_int_equal(world_node(&w, a).est, 4);
    assert_int_equal(world_pick_as(&w, (struct pool_query){.seats = 4}), POOL_NONE);
    pool_assign(w.pool, w.now, a, 4); /* claimed: the tickets stand for the seats now */
    pool_release(w.pool, a, WORLD_NODE_EPOCH, 4);
    assert_int_equal(world_node(&w, a).est, 4);
    assert_int_equal(world_node(&w, a).pending, 4);
    assert_int_equal(pool_sums(w.pool)->reserved[NODE_READY], 0);
    world_end(&w);
}

/* As the model does with 24, now with so many that levels stand in many pages. */
static void test_picks_the_least_of_many(void **state)
{
    enum { MANY = 9000 };
    struct pool_config config = world_config();
    config.nodes_max = MANY;
    struct world w = world_of(config);
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        world_ready(&w, name, i % 3 ? 100 : 50);
    }
    for (int i = 0; i < 120000; i++) {
        struct pool_choice choice;
        assert_int_equal(pool_pick(w.pool, w.now, &(struct pool_query){0}, &choice), 0);
        if (i % 997 == 0) {
            for (uint32_t slot = 0; slot < MANY; slot++) {
                struct pool_node n = world_node(&w, slot);
                assert_true((uint64_t)choice.est * n.capacity <= (uint64_t)n.est * choice.capacity);
            }
        }
        pool_assign(w.pool, w.now, choice.slot, 1);
        if (i % 7 == 0) { /* some leave, and their node says so */
            uint32_t slot = (uint32_t)(i * 31) % MANY;
            uint32_t conns = world_node(&w, slot).conns;
            assert_int_equal(world_report(&w, slot, conns > 5 ? 0 : conns + 3, "-"), 0);
        }
    }
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picks_the_least_ratio_of_capacities_that_differ),
        cmocka_unit_test(test_breaks_ties_at_random_and_by_the_seed),
        cmocka_unit_test(test_spreads_to_within_one),
        cmocka_unit_test(test_picks_ready_nodes_only),
        cmocka_unit_test(test_does_not_pick_whom_it_doubts),
        cmocka_unit_test(test_never_picks_a_node_at_capacity),
        cmocka_unit_test(test_a_lowered_capacity_counts_at_once),
        cmocka_unit_test(test_ignores_reports_of_the_past),
        cmocka_unit_test(test_a_new_epoch_starts_from_nothing),
        cmocka_unit_test(test_joining_again_keeps_counts_and_state),
        cmocka_unit_test(test_a_removed_node_is_forgotten_and_its_slot_used_again),
        cmocka_unit_test(test_refuses_what_is_over_its_limits),
        cmocka_unit_test(test_bounds_pairs_of_zone_and_version_and_frees_them),
        cmocka_unit_test(test_prefers_a_zone_and_falls_back),
        cmocka_unit_test(test_takes_only_nodes_of_the_version),
        cmocka_unit_test(test_does_not_pick_whom_the_client_excludes),
        cmocka_unit_test(test_finds_a_node_with_seats_for_all_if_there_is_one),
        cmocka_unit_test(test_a_room_reserves_its_seats_while_it_is_claimed),
        cmocka_unit_test(test_picks_the_least_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_target.c - the arithmetic of the target rule: proportion, tolerance, missing figures,
 * windows, rates. */
#include "autoscale/target.h"
#include "tests/support/cmocka.h"

#include <limits.h>

/* Players per node, target 50, 4 nodes. */
static int ask(const struct target_node *nodes, size_t count)
{
    struct target_question q = {.measure = TARGET_PER_NODE,
                                .target = 50,
                                .tolerance = 0.1,
                                .current = 4,
                                .nodes = nodes,
                                .count = count};
    return target_nodes(&q, NULL);
}

#define READY(n)                                                                                   \
    {                                                                                              \
        TARGET_READY, n, 100                                                                       \
    }
#define MISSING                                                                                    \
    {                                                                                              \
        TARGET_READY, TARGET_NONE, 100                                                             \
    }
#define UNREADY                                                                                    \
    {                                                                                              \
        TARGET_UNREADY, 0, 100                                                                     \
    }

static void test_is_proportional_beyond_the_tolerance(void **state)
{
    const struct target_node full[] = {READY(100), READY(90), READY(80), READY(90)};
    const struct target_node near[] = {READY(53), READY(53), READY(53), READY(53)};
    const struct target_node empty[] = {READY(10), READY(10), READY(10), READY(10)};
    assert_int_equal(ask(full, 4), 8); /* 90 / 50 * 4 = 7.2 */
    assert_int_equal(ask(near, 4), 4);
    assert_int_equal(ask(empty, 4), 1);
}

static void test_missing_figures_never_make_it_bolder(void **state)
{
    const struct target_node up[] = {READY(100), READY(100), READY(100), MISSING};
    const struct target_node down[] = {READY(30), READY(30), READY(30), MISSING};
    const struct target_node turned[] = {READY(60), READY(60), MISSING, MISSING};
    assert_int_equal(ask(up, 4), 6);     /* as if it had 0: 75 / 50 * 4 */
    assert_int_equal(ask(down, 4), 3);   /* as if it had 50: 35 / 50 * 4 = 2.8 */
    assert_int_equal(ask(turned, 4), 4); /* 60 is too much, but with zeros it would be too little */
}

static void test_starting_nodes_count_as_capacity_to_come(void **state)
{
    const struct target_node up[] = {READY(80), READY(80), UNREADY, UNREADY};
    assert_int_equal(ask(up, 4), 4); /* 40 each once they are up */
}

static void test_without_figures_there_is_no_answer(void **state)
{
    const struct target_node none[] = {MISSING, UNREADY};
    struct target_question q = {
        .measure = TARGET_UTILISATION, .target = 70, .current = 2, .nodes = none, .count = 2};
    struct err err = {0};
    assert_int_equal(target_nodes(&q, &err), BERTH_EINVAL);
    assert_string_equal(err.text, "no ready node says how full it is");
    q.count = 0;
    assert_int_equal(target_nodes(&q, &err), BERTH_EINVAL);
    q.target = 0;
    assert_int_equal(target_nodes(&q, &err), BERTH_EINVAL);
}

static void test_totals(void **state)
{
    const struct target_node three[] = {MISSING, MISSING, MISSING};
    struct target_question q = {.measure = TARGET_TOTAL,
                                .target = 100,
                                .tolerance = 0.1,
                                .current = 3,
                                .nodes = three,
                                .count = 3,
                                .total = 300};
    assert_int_equal(target_nodes(&q, NULL), 9);
    q.current = 0;
    assert_int_equal(target_nodes(&q, NULL), 3); /* from nothing */
    q.measure = TARGET_TOTAL_PER_NODE;
    q.current = 3;
    q.total = 310;
    assert_int_equal(target_nodes(&q, NULL), 3); /* within the tolerance */
    q.total = 350;
    assert_int_equal(target_nodes(&q, NULL), 4);
}

static void test_shrinks_only_to_the_largest_of_the_window(void **state)
{
    const struct target_past past[] = {{7, 299000}, {9, 301000}, {4, 1000}};
    assert_int_equal(target_stabilise(10, 3, past, 3, 0, 300000), 7);
    assert_int_equal(target_stabilise_down(3, past, 3, 300000), 7);
    assert_int_equal(target_stabilise(2, 8, past, 3, 60000, 0),
                     4); /* and grows only to the smallest */
}

static void test_rates_count_what_was_done_in_the_period(void **state)
{
    const struct target_policy pods[] = {{false, 4, 60000}};
    const struct target_policy both[] = {{false, 4, 60000}, {true, 100, 60000}};
    const struct target_past up[] = {{3, 10000}, {5, 60000}};
    const struct target_changes none = {0}, done = {.up = up, .up_count = 2};
    struct target_rates rates = {TARGET_MOST, pods, 1};
    assert_int_equal(target_limit_up(10, &rates, &none), 14);
    assert_int_equal(target_limit_up(10, &rates, &done),
                     11); /* 3 of the 4 are used; the other 5 are too old */
    rates = (struct target_rates){TARGET_MOST, both, 2};
    assert_int_equal(target_limit_up(10, &rates, &none), 20);
    rates.select = TARGET_LEAST;
    assert_int_equal(target_limit_up(10, &rates, &none), 14);
    assert_int_equal(target_limit_down(10, &rates, &none), 6);
    rates.select = TARGET_DISABLED;
    assert_int_equal(target_limit_up(10, &rates, &none), 10);
}

static void test_bounds_say_what_bound(void **state)
{
    const struct target_policy pods[] = {{false, 4, 60000}};
    const struct target_rates rates = {TARGET_MOST, pods, 1};
    const struct target_changes none = {0};
    enum target_verdict verdict;
    assert_int_equal(target_bound(10, 50, 1, 100, &rates, &rates, &none, &verdict), 14);
    assert_int_equal(verdict, TARGET_UP_LIMIT);
    assert_int_equal(target_bound(10, 13, 1, 12, &rates, &rates, &none, &verdict), 12);
    assert_int_equal(verdict, TARGET_TOO_MANY);
    assert_int_equal(target_bound(10, 1, 1, 12, &rates, &rates, &none, &verdict), 6);
    assert_int_equal(verdict, TARGET_DOWN_LIMIT);
    assert_int_equal(target_bound(10, 7, 8, 12, &rates, &rates, &none, &verdict), 8);
    assert_int_equal(verdict, TARGET_TOO_FEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_proportional_beyond_the_tolerance),
        cmocka_unit_test(test_missing_figures_never_make_it_bolder),
        cmocka_unit_test(test_starting_nodes_count_as_capacity_to_come),
        cmocka_unit_test(test_without_figures_there_is_no_answer),
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_shrinks_only_to_the_largest_of_the_window),
        cmocka_unit_test(test_rates_count_what_was_done_in_the_period),
        cmocka_unit_test(test_bounds_say_what_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_rng.c - the same seed draws the same world; draws stay in range and are even. */
#include "core/rng.h"
#include "tests/support/cmocka.h"

static void test_same_seed_same_draws(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_seed(&a, 7);
    rng_seed(&b, 7);
    rng_seed(&c, 8);
    int differ = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rng_next(&a);
        assert_true(x == rng_next(&b));
        differ += x != rng_next(&c);
    }
    assert_true(differ > 990);
}

static void test_below_is_even_and_bounded(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    int hits[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t v = rng_below(&r, 7);
        assert_true(v < 7);
        hits[v]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(hits[i], 9500, 10500);
}

static void test_exponential_has_its_mean(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    double sum = 0;
    for (int i = 0; i < 100000; i++)
        sum += rng_exponential(&r, 600);
    assert_in_range((int)(sum / 100000), 590, 610);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_draws),
        cmocka_unit_test(test_below_is_even_and_bounded),
        cmocka_unit_test(test_exponential_has_its_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_pool_ratio.c - the bits of est / capacity order as the fractions do, compared by products.
 */
#include "core/pool.h"
#include "core/pool_ratio.h"
#include "core/rng.h"

#include "tests/support/cmocka.h"

static void check(uint32_t p, uint32_t q, uint32_t r, uint32_t s)
{
    uint64_t left = (uint64_t)p * s, right = (uint64_t)r * q;
    uint64_t a = ratio_bits(p, q), b = ratio_bits(r, s);
    if ((left < right) != (a < b) || (left == right) != (a == b))
        fail_msg("%u/%u and %u/%u", p, q, r, s);
}

static void test_orders_as_products_do(void **state)
{
    struct rng rng;
    rng_seed(&rng, 1);
    for (int i = 0; i < 2000000; i++) {
        uint32_t limit = i % 2 ? POOL_CAPACITY_MAX : 64;
        uint32_t q = 1 + (uint32_t)rng_below(&rng, limit), s = 1 + (uint32_t)rng_below(&rng, limit);
        check((uint32_t)rng_below(&rng, q), q, (uint32_t)rng_below(&rng, s), s);
    }
}

static void test_tells_the_nearest_fractions_apart(void **state)
{
    /* neighbours differ by 1 / (q s): the least there is at the largest capacities */
    for (uint32_t q = POOL_CAPACITY_MAX; q > POOL_CAPACITY_MAX - 100000; q--)
        check(q - 2, q - 1, q - 1, q);
    for (uint32_t q = POOL_CAPACITY_MAX; q > POOL_CAPACITY_MAX - 1000; q--)
        check(q / 3, q, q / 3 + 1, q);
}

static void test_equal_fractions_are_equal(void **state)
{
    for (uint32_t k = 1; k <= POOL_CAPACITY_MAX / 7; k += 997)
        for (uint32_t p = 0; p < 7; p++)
            assert_int_equal(ratio_bits(p, 7), ratio_bits(p * k, 7 * k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders_as_products_do),
        cmocka_unit_test(test_tells_the_nearest_fractions_apart),
        cmocka_unit_test(test_equal_fractions_are_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

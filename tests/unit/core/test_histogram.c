/* test_histogram.c - latencies come back within the promised 1/64. */
#include "core/histogram.h"
#include "tests/support/cmocka.h"

static struct histogram h;

static int reset(void **state)
{
    (void)state;
    h = (struct histogram){0};
    return 0;
}

static void test_empty_has_no_quantile(void **state)
{
    (void)state;
    assert_int_equal(histogram_quantile(&h, 0.99), 0);
}

static void test_quantiles_are_within_a_sixty_fourth(void **state)
{
    (void)state;
    for (int64_t v = 1; v <= 100000; v++)
        histogram_record(&h, v);
    const double quantiles[] = {0.01, 0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        double exact = quantiles[i] * 100000;
        double got = (double)histogram_quantile(&h, quantiles[i]);
        assert_true(got >= exact - 1 && got <= exact * (1 + 1.0 / 64) + 1);
    }
    assert_int_equal(histogram_quantile(&h, 1.0), 100000);
    assert_int_equal(h.sum, 100000ll * 100001 / 2);
}

static void test_extremes_are_clamped_not_lost(void **state)
{
    (void)state;
    histogram_record(&h, -5);
    histogram_record(&h, INT64_MAX);
    assert_int_equal(h.count, 2);
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    assert_int_equal(h.max, 1ull << 40);
    assert_int_equal(histogram_at_most(&h, 63), 1);
}

static void test_merge_adds_everything(void **state)
{
    (void)state;
    static struct histogram other;
    other = (struct histogram){0};
    histogram_record(&h, 10);
    histogram_record(&other, 1000);
    histogram_merge(&h, &other);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.max, 1000);
    assert_int_equal(histogram_quantile(&h, 0.5), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_empty_has_no_quantile, reset),
        cmocka_unit_test_setup(test_quantiles_are_within_a_sixty_fourth, reset),
        cmocka_unit_test_setup(test_extremes_are_clamped_not_lost, reset),
        cmocka_unit_test_setup(test_merge_adds_everything, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The ring keeps order, refuses or drops at its limit, and never grows. */
#include "core/ring.h"
#include "tests/support/cmocka.h"

static void test_keeps_order_across_the_wrap(void **state)
{
    struct ring ring;
    assert_int_equal(ring_init(&ring, sizeof(int), 3), 0);
    int next_in = 0, next_out = 0, got;
    for (int round = 0; round < 10; round++) {
        while (ring_push(&ring, &next_in) == 0)
            next_in++;
        assert_int_equal(ring.count, 3);
        for (int i = 0; i < 2; i++) {
            assert_true(ring_pop(&ring, &got));
            assert_int_equal(got, next_out++);
        }
    }
    assert_int_equal(*(int *)ring_at(&ring, 0), next_out);
    assert_int_equal(ring.pushed - ring.count, (uint64_t)next_out);
    ring_fini(&ring);
}

static void test_refuses_one_past_capacity(void **state)
{
    struct ring ring;
    assert_int_equal(ring_init(&ring, 1, 1), 0);
    assert_int_equal(ring_push(&ring, "a"), 0);
    assert_int_equal(ring_push(&ring, "b"), BERTH_EFULL);
    assert_null(ring_emplace(&ring));
    char c;
    assert_true(ring_pop(&ring, &c));
    assert_int_equal(c, 'a');
    assert_false(ring_pop(&ring, &c));
    ring_fini(&ring);
}

static void test_push_over_drops_the_oldest(void **state)
{
    struct ring ring;
    assert_int_equal(ring_init(&ring, 1, 2), 0);
    assert_false(ring_push_over(&ring, "a"));
    assert_false(ring_push_over(&ring, "b"));
    assert_true(ring_push_over(&ring, "c"));
    assert_int_equal(*(char *)ring_at(&ring, 0), 'b');
    assert_int_equal(*(char *)ring_at(&ring, 1), 'c');
    assert_int_equal(ring.pushed, 3);
    ring_clear(&ring);
    assert_int_equal(ring.count, 0);
    ring_fini(&ring);
}

static void test_emplace_is_zeroed(void **state)
{
    struct ring ring;
    int64_t value = -1;
    assert_int_equal(ring_init(&ring, sizeof value, 1), 0);
    assert_int_equal(ring_push(&ring, &value), 0);
    assert_true(ring_pop(&ring, NULL));
    int64_t *fresh = ring_emplace(&ring);
    assert_non_null(fresh);
    assert_int_equal(*fresh, 0);
    ring_fini(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_order_across_the_wrap),
        cmocka_unit_test(test_refuses_one_past_capacity),
        cmocka_unit_test(test_push_over_drops_the_oldest),
        cmocka_unit_test(test_emplace_is_zeroed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_fifo.c - things fall due in the order they came. */
#include "nodekit/fifo.h"
#include "tests/support/cmocka.h"

static void test_head_is_next_due(void **state)
{
    struct fifo f;
    assert_int_equal(fifo_init(&f, 4), 0);
    assert_true(fifo_deadline(&f).ms == MONO_NEVER.ms);
    fifo_push(&f, 2, (mono_ms_t){10});
    fifo_push(&f, 0, (mono_ms_t){10});
    fifo_push(&f, 3, (mono_ms_t){20});
    assert_int_equal(fifo_deadline(&f).ms, 10);
    assert_int_equal(fifo_due(&f, (mono_ms_t){9}), FIFO_NONE);
    assert_int_equal(fifo_due(&f, (mono_ms_t){10}), 2);
    fifo_remove(&f, 2);
    assert_int_equal(fifo_due(&f, (mono_ms_t){10}), 0);
    assert_int_equal(f.count, 2);
    fifo_fini(&f);
}

static void test_removing_any_keeps_the_rest_linked(void **state)
{
    for (uint32_t victim = 0; victim < 3; victim++) {
        struct fifo f;
        assert_int_equal(fifo_init(&f, 3), 0);
        for (uint32_t i = 0; i < 3; i++)
            fifo_push(&f, i, (mono_ms_t){i});
        fifo_remove(&f, victim);
        fifo_remove(&f, victim); /* not being in it is fine */
        assert_false(fifo_has(&f, victim));
        for (uint32_t i = 0; i < 3; i++) {
            if (i == victim)
                continue;
            assert_int_equal(fifo_due(&f, (mono_ms_t){9}), i);
            fifo_remove(&f, i);
        }
        assert_int_equal(f.count, 0);
        fifo_push(&f, victim, (mono_ms_t){5}); /* usable again when it ran empty */
        assert_int_equal(fifo_due(&f, (mono_ms_t){5}), victim);
        fifo_fini(&f);
    }
}

static void test_pushing_again_moves_to_the_end(void **state)
{
    struct fifo f;
    assert_int_equal(fifo_init(&f, 2), 0);
    fifo_push(&f, 0, (mono_ms_t){1});
    fifo_push(&f, 1, (mono_ms_t){2});
    fifo_push(&f, 0, (mono_ms_t){3});
    assert_int_equal(fifo_due(&f, (mono_ms_t){9}), 1);
    assert_int_equal(f.count, 2);
    fifo_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_is_next_due),
        cmocka_unit_test(test_removing_any_keeps_the_rest_linked),
        cmocka_unit_test(test_pushing_again_moves_to_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

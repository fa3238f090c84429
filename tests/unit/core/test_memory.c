/* test_memory.c - tables are aligned, usable to the last byte, and refused when there cannot be so
 * much. */
#include "core/memory.h"
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <string.h>

static void test_small_and_large_are_aligned_and_usable(void **state)
{
    const size_t sizes[] = {0, 1, 64, 4096, (4 << 20) - 1, 4 << 20, (4 << 20) + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *table = memory_table(sizes[i]);
        assert_non_null(table);
        assert_int_equal((uintptr_t)table % (sizes[i] >= 4 << 20 ? 2 << 20 : 64), 0);
        memset(table, 0xa5, sizes[i]);
        free(table);
    }
}

static void test_what_cannot_be_is_refused(void **state)
{
    assert_null(memory_table(SIZE_MAX));
    assert_null(memory_table(SIZE_MAX - 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_and_large_are_aligned_and_usable),
        cmocka_unit_test(test_what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

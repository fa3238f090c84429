/* test_pool_heap.c - heaps over shared pages agree with looking at everything. */
#include "core/pool_heap.h"
#include "core/rng.h"

#include "tests/support/cmocka.h"

#include <stdlib.h>

enum { SLOTS = 3000, HEAPS = 4 };

struct model {
    int heap; /* -1: in none */
    uint64_t key;
    uint32_t tie;
};

static void check(const struct heap *heap, const struct model *model, int number)
{
    heap_entry least = ~(heap_entry)0;
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (model[slot].heap != number)
            continue;
        heap_entry entry =
            (heap_entry)model[slot].key << 64 | (heap_entry)model[slot].tie << 32 | slot;
        least = entry < least ? entry : least;
        count++;
    }
    assert_int_equal(heap->count, count);
    if (count > 0)
        assert_true(heap_first(heap) == least);
}

static void test_agrees_with_looking_at_everything(void **state)
{
    struct heap_store store;
    assert_int_equal(heap_store_init(&store, SLOTS, HEAPS), 0);
    heap_entry **tables = calloc(HEAPS * (size_t)store.table_len, sizeof *tables);
    struct model *model = calloc(SLOTS, sizeof *model);
    assert_true(tables && model);
    struct heap heaps[HEAPS];
    for (int h = 0; h < HEAPS; h++)
        heap_init(&heaps[h], &store, tables + (size_t)h * store.table_len);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        model[slot].heap = -1;
    struct rng rng;
    rng_seed(&rng, 1);
    uint32_t pages = store.free_count;
    for (int step = 0; step < 200000; step++) {
        uint32_t slot = (uint32_t)rng_below(&rng, SLOTS);
        struct model *m = &model[slot];
        /* most go to one heap for a while: heaps grow over many pages and shrink to nothing */
        int to = rng_below(&rng, 8) ? (step / 30000) % HEAPS : (int)rng_below(&rng, HEAPS + 1) - 1;
        uint64_t key = rng_below(&rng, 50) << (step % 3 * 20);
        uint32_t tie = (uint32_t)rng_next(&rng);
        if (m->heap >= 0 && m->heap == to) {
            heap_change(&heaps[to], slot, key, tie);
        } else {
            if (m->heap >= 0)
                heap_remove(&heaps[m->heap], slot);
            if (to >= 0)
                heap_add(&heaps[to], slot, key, tie);
        }
        *m = (struct model){to, key, tie};
        if (step % 500 == 0)
            for (int h = 0; h < HEAPS; h++)
                check(&heaps[h], model, h);
    }
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        if (model[slot].heap >= 0)
            heap_remove(&heaps[model[slot].heap], slot);
    assert_true(pages - store.free_count <= HEAPS); /* each keeps a spare one */
    free(model);
    free(tables);
    heap_store_fini(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_looking_at_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

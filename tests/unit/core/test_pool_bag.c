/* test_pool_bag.c - paged bags keep their members, in random order, and give their pages back. */
#include "core/pool_bag.h"

#include "tests/support/cmocka.h"

#include <stdbool.h>
#include <stdlib.h>

enum { SLOTS = 300000 };

static struct bag_place places[SLOTS];

static uint32_t pages_free(const struct bag_store *store)
{
    uint32_t n = store->pages_max - store->pages_used;
    for (uint32_t page = store->free_head; page; page = store->pages[page - 1].at[0])
        n++;
    return n;
}

/* Every member is where the store says, and nobody else is there. */
static void check(const struct bag_store *store, const struct bag *bag, const uint8_t *in,
                  uint32_t slots, uint32_t mark)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < slots; slot++) {
        if (in[slot] != mark)
            continue;
        count++;
        assert_int_equal(bag_place(store, slot)->mark, mark);
        assert_true(bag_place(store, slot)->index < bag->count);
        assert_int_equal(*bag_at(store, bag, bag_place(store, slot)->index), slot);
    }
    assert_int_equal(bag->count, count);
    if (count > 0)
        assert_ptr_equal(bag_last(store, bag), bag_at(store, bag, count - 1));
}

static void test_members_come_and_go_at_every_size(void **state)
{
    struct bag_store store;
    struct bag bag = {0};
    uint8_t *in = calloc(SLOTS, 1);
    assert_non_null(in);
    assert_int_equal(bag_store_init(&store, SLOTS, 1, places, sizeof *places), 0);
    /* across each size at which pages and directories are added: 64, 64^2, 64^3 */
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        bag_add(&store, &bag, slot, 1);
        in[slot] = 1;
        if (slot == 63 || slot == 64 || slot == 4095 || slot == 4096 || slot == 262143 ||
            slot == 262144)
            check(&store, &bag, in, slot + 1, 1);
    }
    check(&store, &bag, in, SLOTS, 1);
    struct rng rng;
    rng_seed(&rng, 2);
    while (bag.count > 0) {
        uint32_t slot = *bag_at(&store, &bag, (uint32_t)rng_below(&rng, bag.count));
        bag_remove(&store, &bag, slot);
        in[slot] = 0;
        if (bag.count == 262144 || bag.count == 262143 || bag.count == 4096 || bag.count == 4095 ||
            bag.count == 64 || bag.count == 63)
            check(&store, &bag, in, SLOTS, 1);
    }
    assert_int_equal(pages_free(&store), store.pages_max);
    bag_store_fini(&store);
    free(in);
}

static void test_many_bags_share_the_pages(void **state)
{
    enum { FEW = 20000, BAGS = 8 };
    struct bag_store store;
    struct bag bags[BAGS] = {0};
    uint8_t *in = calloc(FEW, 1); /* which bag; 0 none */
    assert_non_null(in);
    assert_int_equal(bag_store_init(&store, FEW, 1, places, sizeof *places), 0);
    struct rng rng;
    rng_seed(&rng, 3);
    for (int step = 0; step < 400000; step++) {
        uint32_t slot = (uint32_t)rng_below(&rng, FEW);
        if (in[slot])
            bag_remove(&store, &bags[in[slot]], slot);
        /* now and then nearly all go to one bag, so that bags grow and shrink through every size */
        bool stays = rng_below(&rng, 10) > 0;
        in[slot] = (uint8_t)(stays ? 1 + (uint32_t)step / 100000 : (uint32_t)rng_below(&rng, BAGS));
        if (in[slot] && step % 2)
            bag_add(&store, &bags[in[slot]], slot, in[slot]);
        else if (in[slot])
            bag_push(&store, &bags[in[slot]], slot, in[slot]);
        if (step % 40000 == 0)
            for (uint32_t b = 1; b < BAGS; b++)
                check(&store, &bags[b], in, FEW, b);
    }
    for (uint32_t slot = 0; slot < FEW; slot++)
        if (in[slot])
            bag_remove(&store, &bags[in[slot]], slot);
    assert_int_equal(pages_free(&store), store.pages_max);
    bag_store_fini(&store);
    free(in);
}

static void test_the_worst_case_fits(void **state)
{
    enum { FEW = 5000 };
    struct bag_store store;
    static struct bag bags[FEW];
    assert_int_equal(bag_store_init(&store, FEW, 1, places, sizeof *places), 0);
    for (uint32_t slot = 0; slot < FEW; slot++) /* a bag for each: a page for each */
        bag_add(&store, &bags[slot], slot, slot);
    for (uint32_t slot = 0; slot < FEW; slot++)
        bag_remove(&store, &bags[slot], slot);
    uint32_t each = 65; /* the fewest that need a directory */
    for (uint32_t slot = 0; slot < FEW / each * each; slot++)
        bag_add(&store, &bags[slot / each], slot, slot / each);
    for (uint32_t slot = 0; slot < FEW / each * each; slot++)
        bag_remove(&store, &bags[slot / each], slot);
    assert_int_equal(pages_free(&store), store.pages_max);
    bag_store_fini(&store);
}

static void test_the_last_is_any_of_them(void **state)
{
    enum { FEW = 10, TIMES = 20000 };
    struct bag_store store;
    unsigned last[FEW] = {0};
    assert_int_equal(bag_store_init(&store, FEW, 4, places, sizeof *places), 0);
    for (int i = 0; i < TIMES; i++) {
        struct bag bag = {0};
        for (uint32_t slot = 0; slot < FEW; slot++)
            bag_add(&store, &bag, slot, 0);
        bag_remove(&store, &bag, 3); /* and still, when some went and came */
        bag_add(&store, &bag, 3, 0);
        last[*bag_last(&store, &bag)]++;
        for (uint32_t slot = 0; slot < FEW; slot++)
            bag_remove(&store, &bag, slot);
    }
    for (int i = 0; i < FEW; i++) /* 2,000 expected, deviation 42 */
        assert_in_range(last[i], 1800, 2200);
    bag_store_fini(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_come_and_go_at_every_size),
        cmocka_unit_test(test_many_bags_share_the_pages),
        cmocka_unit_test(test_the_worst_case_fits),
        cmocka_unit_test(test_the_last_is_any_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

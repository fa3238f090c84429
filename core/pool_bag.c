/* pool_bag.c - paged arrays of slots in random order. */
#include "core/pool_bag.h"

#include "core/memory.h"

#include <assert.h>
#include <stdlib.h>

int bag_store_init(struct bag_store *store, uint32_t slots_max, uint64_t seed, void *places,
                   size_t stride)
{
    /* each member of a bag may need a page of its own at worst, directories only where there are
     * more than 64 */
    struct bag_store s = {
        .pages_max = slots_max + slots_max / 16 + 8, .places = places, .stride = stride};
    s.pages =
        memory_table(s.pages_max * sizeof *s.pages); /* made real by the system as it is touched */
    if (!s.pages)
        return BERTH_ENOMEM;
    rng_seed(&s.rng, seed);
    *store = s;
    return 0;
}

void bag_store_fini(struct bag_store *store)
{
    free(store->pages);
    *store = (struct bag_store){0};
}

static uint32_t take_page(struct bag_store *store)
{
    if (store->free_head) {
        uint32_t page = store->free_head - 1;
        store->free_head = store->pages[page].at[0];
        return page;
    }
    assert(store->pages_used < store->pages_max);
    return store->pages_used++;
}

static void give_page(struct bag_store *store, uint32_t page)
{
    store->pages[page].at[0] = store->free_head;
    store->free_head = page + 1;
}

/* Make the place `index` exist, which begins a page: add that page, the directories above it that
 * begin with it, and a root above the present one when that is full. */
static void add_pages(struct bag_store *store, struct bag *bag, uint32_t index)
{
    if (index == 0) {
        bag->root = take_page(store);
        bag->depth = 0;
        return;
    }
    if (index >> (BAG_BITS * (bag->depth + 1))) {
        uint32_t root = take_page(store);
        store->pages[root].at[0] = bag->root;
        bag->root = root;
        bag->depth++;
    }
    uint32_t page = bag->root;
    for (uint32_t d = bag->depth; d > 0; d--) {
        uint32_t *entry = &store->pages[page].at[index >> (BAG_BITS * d) & (BAG_PAGE - 1)];
        if ((index & ((1u << (BAG_BITS * d)) - 1)) == 0) /* the first place below this entry */
            *entry = take_page(store);
        page = *entry;
    }
}

/* Undo that. */
static void drop_pages(struct bag_store *store, struct bag *bag, uint32_t index)
{
    uint32_t page = bag->root, depth = bag->depth;
    if (index == 0) {
        give_page(store, page);
        return;
    }
    while (depth > 0) {
        uint32_t below = store->pages[page].at[index >> (BAG_BITS * depth) & (BAG_PAGE - 1)];
        if ((index & ((1u << (BAG_BITS * (depth + 1))) - 1)) == 0 && page != bag->root)
            give_page(store, page);
        page = below;
        depth--;
    }
    give_page(store, page);
    if (bag->depth > 0 && index >> (BAG_BITS * bag->depth) == 1 &&
        (index & ((1u << (BAG_BITS * bag->depth)) - 1)) ==
            0) { /* only the first entry of the root is left */
        uint32_t root = bag->root;
        bag->root = store->pages[root].at[0];
        bag->depth--;
        give_page(store, root);
    }
}

static uint32_t page_of(const struct bag_store *store, const struct bag *bag, uint32_t index)
{
    const struct bag_page *page =
        (const struct bag_page *)(const void *)(bag_at(store, bag, index) -
                                                (index & (BAG_PAGE - 1)));
    return (uint32_t)(page - store->pages);
}

void bag_grow(struct bag_store *store, struct bag *bag, uint32_t index)
{
    add_pages(store, bag, index);
    bag->tail = page_of(store, bag, index);
}

void bag_shrink(struct bag_store *store, struct bag *bag, uint32_t index)
{
    drop_pages(store, bag, index);
    if (index > 0)
        bag->tail = page_of(store, bag, index - 1);
}

/* pool_bag.h - sets of slots in random order: the last is as good as one drawn.
 *
 * Pure, no allocation after init. A bag is an array that is kept a random permutation of its
 * members (a new one changes places with one drawn among all: Fisher and Yates, inside out). So to
 * take the last is to draw, and who will be drawn next is known and can be fetched into the cache
 * ahead. The array stands in pages of 64 slots under as many levels of directories as its size
 * needs: bags of any sizes share one store of pages, and nothing is moved when they grow. */
#ifndef BERTH_CORE_POOL_BAG_H
#define BERTH_CORE_POOL_BAG_H

#include "core/err.h"
#include "core/rng.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum { BAG_BITS = 6, BAG_PAGE = 1 << BAG_BITS };

struct bag_page {
    uint32_t at[BAG_PAGE]; /* slots, or numbers of pages; at[0]: the next free page */
};

/* Where a slot is. */
struct bag_place {
    uint32_t index; /* in its bag */
    uint32_t mark;  /* the caller's: which bag */
};

struct bag_store {
    struct bag_page *pages;
    uint32_t pages_max, pages_used; /* pages_used: high-water mark */
    uint32_t free_head;             /* page + 1, or 0 */
    char *places;                   /* the caller's: where each slot is; see bag_place */
    size_t stride;                  /* bytes from one slot's to the next */
    struct rng rng;
};

struct bag {
    uint32_t root; /* page */
    uint32_t tail; /* the page of the last slot */
    uint32_t count;
    uint32_t depth; /* directories above the page of a slot */
};

/* For slots [0, slots_max), each in at most one bag. places: memory of the caller for a struct
 * bag_place per slot, `stride` bytes from one to the next (so that it can stand beside what else is
 * known of the slot); borrowed. BERTH_ENOMEM. */
int bag_store_init(struct bag_store *store, uint32_t slots_max, uint64_t seed, void *places,
                   size_t stride) BERTH_MUST_USE;
void bag_store_fini(struct bag_store *store);

static inline struct bag_place *bag_place(const struct bag_store *store, uint32_t slot)
{
    return (struct bag_place *)(void *)(store->places + slot * store->stride);
}

/* Not to be called but by what follows: make the place `index`, the first of a page, exist, or stop
 * existing. */
void bag_grow(struct bag_store *store, struct bag *bag, uint32_t index);
void bag_shrink(struct bag_store *store, struct bag *bag, uint32_t index);

/* The member at this place, 0..count - 1. */
static inline uint32_t *bag_at(const struct bag_store *store, const struct bag *bag, uint32_t index)
{
    uint32_t page = bag->root;
    for (uint32_t d = bag->depth; d > 0; d--)
        page = store->pages[page].at[index >> (BAG_BITS * d) & (BAG_PAGE - 1)];
    return &store->pages[page].at[index & (BAG_PAGE - 1)];
}

/* The last; count >= 1. */
static inline uint32_t *bag_last(const struct bag_store *store, const struct bag *bag)
{
    return &store->pages[bag->tail].at[(bag->count - 1) & (BAG_PAGE - 1)];
}

/* A zeroed bag is empty. The new member changes places with one drawn among all, itself included.
 * mark: for places[slot].mark. */
static inline void bag_add(struct bag_store *store, struct bag *bag, uint32_t slot, uint32_t mark)
{
    uint32_t last = bag->count++;
    if ((last & (BAG_PAGE - 1)) == 0)
        bag_grow(store, bag, last);
    uint32_t index = (uint32_t)rng_below(&store->rng, bag->count);
    uint32_t *place = bag_at(store, bag, index);
    if (index != last) { /* whoever is there becomes the last */
        uint32_t moved = *place;
        *bag_last(store, bag) = moved;
        bag_place(store, moved)->index = last;
    }
    *place = slot;
    *bag_place(store, slot) = (struct bag_place){index, mark};
}

/* The same, as the last: for one that stood in random order just before, in another bag. */
static inline void bag_push(struct bag_store *store, struct bag *bag, uint32_t slot, uint32_t mark)
{
    uint32_t last = bag->count++;
    if ((last & (BAG_PAGE - 1)) == 0)
        bag_grow(store, bag, last);
    *bag_last(store, bag) = slot;
    *bag_place(store, slot) = (struct bag_place){last, mark};
}

static inline void bag_remove(struct bag_store *store, struct bag *bag, uint32_t slot)
{
    uint32_t index = bag_place(store, slot)->index;
    uint32_t last = bag->count - 1;
    assert(index <= last);
    if (index != last) { /* the last takes its place */
        uint32_t moved = *bag_last(store, bag);
        uint32_t *place = bag_at(store, bag, index);
        assert(*place == slot);
        *place = moved;
        bag_place(store, moved)->index = index;
    }
    bag->count = last;
    if ((last & (BAG_PAGE - 1)) == 0)
        bag_shrink(store, bag, last);
}

#endif

/* pool_heap.h - nodes in order of a key, the smallest at hand: a 4-ary heap with inline keys.
 *
 * Pure, no allocation after init. Insert, change and remove in O(log n); four children are one
 * cache line. Several heaps (one per zone and version, and one of those that wait) share one store
 * of pages, so that together they need memory for nodes_max entries and not each of them. A slot is
 * in at most one heap of a store. */
#ifndef BERTH_CORE_POOL_HEAP_H
#define BERTH_CORE_POOL_HEAP_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* key << 64 | tie << 32 | slot: one comparison decides by key, then by the random tie, then (never
 * in practice) by slot. */
__extension__ typedef unsigned __int128 heap_entry;

enum {
    HEAP_PAGE = 256,
    HEAP_ROOT = 3
}; /* entries a page; position of the root: children start a cache line */

struct heap_store {
    heap_entry *entries; /* all pages, 64-byte aligned */
    heap_entry **free;   /* pages not in use; a stack */
    uint32_t free_count;
    uint32_t *where;    /* slot -> position in its heap */
    uint32_t table_len; /* pages one heap may have */
};

struct heap {
    struct heap_store *store;
    heap_entry **pages; /* store->table_len long */
    uint32_t count, page_count;
};

/* For heaps_max heaps over slots [0, slots_max). BERTH_ENOMEM. */
int heap_store_init(struct heap_store *store, uint32_t slots_max,
                    uint32_t heaps_max) BERTH_MUST_USE;
void heap_store_fini(struct heap_store *store);

/* Takes its page table from the caller: store->table_len pointers, borrowed until the heap is no
 * longer used. */
void heap_init(struct heap *heap, struct heap_store *store, heap_entry **table);

/* Add a slot that is in no heap of this store. */
void heap_add(struct heap *heap, uint32_t slot, uint64_t key, uint32_t tie);
/* Give a slot that is in this heap another key and tie. */
void heap_change(struct heap *heap, uint32_t slot, uint64_t key, uint32_t tie);
/* Take a slot out that is in this heap. */
void heap_remove(struct heap *heap, uint32_t slot);

static inline heap_entry heap_at(const struct heap *heap, uint32_t position)
{
    return heap->pages[position / HEAP_PAGE][position % HEAP_PAGE];
}

/* The smallest; count >= 1. */
static inline heap_entry heap_first(const struct heap *heap)
{
    return heap_at(heap, HEAP_ROOT);
}

/* Positions in use: [HEAP_ROOT, heap_end). */
static inline uint32_t heap_end(const struct heap *heap)
{
    return heap->count + HEAP_ROOT;
}

static inline uint32_t heap_child(uint32_t position)
{
    return 4 * (position - 2); /* the first of four */
}

static inline uint32_t heap_slot(heap_entry entry)
{
    return (uint32_t)entry;
}

static inline uint64_t heap_key(heap_entry entry)
{
    return (uint64_t)(entry >> 64);
}

#endif

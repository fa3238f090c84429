/* pool_heap.c - a 4-ary heap over shared pages. */
#include "core/pool_heap.h"

#include "core/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Larger than any entry: fills the unused places of a page, so that four children can always be
 * compared. */
#define VACANT (~(heap_entry)0)

int heap_store_init(struct heap_store *store, uint32_t slots_max, uint32_t heaps_max)
{
    assert(slots_max >= 1 && heaps_max >= 1);
    uint32_t table_len = (slots_max + HEAP_ROOT + HEAP_PAGE - 1) / HEAP_PAGE;
    /* every heap may have a page that is not full, a spare one, and the places before its root */
    size_t pages = slots_max / HEAP_PAGE + 3 * (size_t)heaps_max + 1;
    struct heap_store s = {.table_len = table_len, .free_count = (uint32_t)pages};
    s.entries = memory_table(pages * HEAP_PAGE * sizeof *s.entries);
    s.free = malloc(pages * sizeof *s.free);
    s.where = memory_table(slots_max * sizeof *s.where);
    if (!s.entries || !s.free || !s.where) {
        heap_store_fini(&s);
        return BERTH_ENOMEM;
    }
    for (size_t i = 0; i < pages; i++)
        s.free[i] = s.entries + (pages - 1 - i) * HEAP_PAGE;
    *store = s;
    return 0;
}

void heap_store_fini(struct heap_store *store)
{
    free(store->entries);
    free(store->free);
    free(store->where);
    *store = (struct heap_store){0};
}

void heap_init(struct heap *heap, struct heap_store *store, heap_entry **table)
{
    *heap = (struct heap){.store = store, .pages = table};
}

static heap_entry *place(const struct heap *heap, uint32_t position)
{
    return &heap->pages[position / HEAP_PAGE][position % HEAP_PAGE];
}

static void set(struct heap *heap, uint32_t position, heap_entry entry)
{
    *place(heap, position) = entry;
    heap->store->where[heap_slot(entry)] = position;
}

static heap_entry make(uint64_t key, uint32_t tie, uint32_t slot)
{
    return (heap_entry)key << 64 | (heap_entry)tie << 32 | slot;
}

/* Put the entry where it belongs, starting at a hole and going towards the root. */
static void sift_up(struct heap *heap, uint32_t hole, heap_entry entry)
{
    while (hole > HEAP_ROOT) {
        uint32_t parent = hole / 4 + 2;
        heap_entry above = *place(heap, parent);
        if (above < entry)
            break;
        set(heap, hole, above);
        hole = parent;
    }
    set(heap, hole, entry);
}

/* ... and going away from the root. */
static void sift_down(struct heap *heap, uint32_t hole, heap_entry entry)
{
    uint32_t end = heap_end(heap);
    for (;;) {
        uint32_t child = heap_child(hole);
        if (child >= end)
            break;
        const heap_entry *c = place(heap, child);
        uint32_t grandchild = heap_child(child);
        if (grandchild < end) { /* sixteen, four lines: one of the lines is wanted next */
            const heap_entry *g = place(heap, grandchild);
            __builtin_prefetch(g);
            __builtin_prefetch(g + 4);
            __builtin_prefetch(g + 8);
            __builtin_prefetch(g + 12);
        }
        uint32_t left = c[1] < c[0] ? 1 : 0;
        uint32_t right = c[3] < c[2] ? 3 : 2;
        uint32_t least = c[right] < c[left] ? right : left;
        heap_entry below = c[least];
        if (entry < below)
            break;
        set(heap, hole, below);
        hole = child + least;
    }
    set(heap, hole, entry);
}

void heap_add(struct heap *heap, uint32_t slot, uint64_t key, uint32_t tie)
{
    uint32_t position = heap_end(heap);
    if (position / HEAP_PAGE >= heap->page_count) {
        struct heap_store *store = heap->store;
        assert(store->free_count > 0 && heap->page_count < store->table_len);
        heap_entry *page = store->free[--store->free_count];
        memset(page, 0xff, HEAP_PAGE * sizeof *page); /* VACANT */
        heap->pages[heap->page_count++] = page;
    }
    heap->count++;
    sift_up(heap, position, make(key, tie, slot));
}

void heap_change(struct heap *heap, uint32_t slot, uint64_t key, uint32_t tie)
{
    uint32_t position = heap->store->where[slot];
    heap_entry entry = make(key, tie, slot);
    assert(heap_slot(*place(heap, position)) == slot);
    if (entry < *place(heap, position))
        sift_up(heap, position, entry);
    else
        sift_down(heap, position, entry);
}

void heap_remove(struct heap *heap, uint32_t slot)
{
    uint32_t hole = heap->store->where[slot];
    heap_entry gone = *place(heap, hole);
    assert(heap->count > 0 && heap_slot(gone) == slot);
    uint32_t last = heap_end(heap) - 1;
    heap_entry entry = *place(heap, last);
    *place(heap, last) = VACANT;
    heap->count--;
    if (hole != last) {
        if (entry < gone)
            sift_up(heap, hole, entry);
        else
            sift_down(heap, hole, entry);
    }
    uint32_t needed = heap->count ? (heap_end(heap) - 1) / HEAP_PAGE + 1 : 0;
    while (heap->page_count > needed + 1) /* one is kept: no page comes and goes with one slot */
        heap->store->free[heap->store->free_count++] = heap->pages[--heap->page_count];
}

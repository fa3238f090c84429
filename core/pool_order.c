/* pool_order.c - levels of equally loaded nodes under a heap. */
#include "core/pool_order.h"

#include "core/memory.h"

#include "core/pool_ratio.h"

#include <assert.h>
#include <stdlib.h>

int order_store_init(struct order_store *store, uint32_t slots_max, uint32_t orders_max,
                     uint64_t (*key)(uint64_t ratio_bits), uint64_t seed, void *places,
                     size_t stride)
{
    uint32_t chains = 16;
    while (chains < slots_max)
        chains *= 2;
    struct order_store s = {.mask = chains - 1, .key = key, .changes = 1};
    s.levels = memory_table(slots_max * sizeof *s.levels);
    s.chains = calloc(chains, sizeof *s.chains);
    bool ok = s.levels && s.chains &&
              bag_store_init(&s.bags, slots_max, seed, places, stride) == 0 &&
              heap_store_init(&s.heaps, slots_max, orders_max) == 0;
    if (ok)
        s.tables = calloc((size_t)orders_max * s.heaps.table_len, sizeof(heap_entry *));
    if (!ok || !s.tables) {
        order_store_fini(&s);
        return BERTH_ENOMEM;
    }
    *store = s;
    return 0;
}

void order_store_fini(struct order_store *store)
{
    free(store->levels);
    free(store->chains);
    free(store->tables);
    bag_store_fini(&store->bags);
    heap_store_fini(&store->heaps);
    *store = (struct order_store){0};
}

void order_init(struct order *order, struct order_store *store, uint32_t number)
{
    *order = (struct order){.store = store, .number = number};
    heap_init(&order->heap, &store->heaps, store->tables + (size_t)number * store->heaps.table_len);
}

/* ---- levels ---- */

static uint32_t *chain(const struct order_store *store, uint32_t order, uint32_t est,
                       uint32_t capacity)
{
    uint64_t h = ((uint64_t)est << 32 | capacity) * 0x9e3779b97f4a7c15u + order;
    h *= 0xff51afd7ed558ccdu;
    return &store->chains[(h >> 32) & store->mask];
}

static uint32_t reach_level(struct order *order, uint32_t est, uint32_t capacity)
{
    struct order_store *s = order->store;
    uint32_t *head = chain(s, order->number, est, capacity);
    for (uint32_t i = *head; i != 0; i = s->levels[i - 1].next)
        if (level_is(&s->levels[i - 1], order, est, capacity))
            return i - 1;
    uint32_t at = s->free_head ? s->free_head - 1 : s->levels_used++;
    struct level *l = &s->levels[at];
    if (s->free_head)
        s->free_head = l->next;
    uint64_t key = s->key(ratio_bits(est, capacity));
    *l = (struct level){.key = key,
                        .est = est,
                        .capacity = capacity,
                        .order = order->number,
                        .next = *head,
                        .beside = at};
    *head = at + 1;
    heap_add(&order->heap, at, key, 0);
    s->changes++;
    return at;
}

static void drop_level(struct order *order, uint32_t at)
{
    struct order_store *s = order->store;
    struct level *l = &s->levels[at];
    uint32_t *link = chain(s, l->order, l->est, l->capacity);
    while (*link != at + 1)
        link = &s->levels[*link - 1].next;
    *link = l->next;
    l->next = s->free_head;
    s->free_head = at + 1;
    heap_remove(&order->heap, at);
    s->changes++;
}

/* ---- slots ---- */

static void enter(struct order *order, uint32_t slot, uint32_t level)
{
    struct order_store *s = order->store;
    bag_add(&s->bags, &s->levels[level].bag, slot, level);
}

static void leave(struct order *order, uint32_t slot)
{
    struct order_store *s = order->store;
    uint32_t at = bag_place(&s->bags, slot)->mark;
    assert(s->levels[at].order == order->number);
    bag_remove(&s->bags, &s->levels[at].bag, slot);
    if (s->levels[at].bag.count == 0)
        drop_level(order, at);
}

void order_add(struct order *order, uint32_t slot, uint32_t est, uint32_t capacity)
{
    enter(order, slot, reach_level(order, est, capacity));
    order->count++;
}

void order_move(struct order *order, uint32_t slot, uint32_t est, uint32_t capacity)
{
    struct order_store *s = order->store;
    struct level *from = &s->levels[bag_place(&s->bags, slot)->mark];
    if (from->est == est && from->capacity == capacity)
        return;
    uint32_t to = from->beside;
    if (!level_is(&s->levels[to], order, est, capacity)) {
        if (from->bag.count ==
            1) { /* it takes its level with it: there are no more levels than slots */
            leave(order, slot);
            enter(order, slot, reach_level(order, est, capacity));
            return;
        }
        from->beside = to = reach_level(order, est, capacity);
    }
    leave(order, slot);
    enter(order, slot, to);
}

void order_remove(struct order *order, uint32_t slot)
{
    leave(order, slot);
    order->count--;
}

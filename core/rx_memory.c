/* rx_memory.c - the bounded arena: a buddy allocator, counted holds, and freeing when it is safe.
 *
 * A thing that nobody holds (a fresh value, a closed subscriber) goes on the idle stack. It is
 * freed when the outermost call into rx returns. Loops that emit many values inside one call sweep
 * after each: what was born since the loop began is unknown to every frame above the loop, so it
 * may go at once; older things wait. */
#include "core/rx_internal.h"

#if defined(__has_feature) /* clang's way to say it */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define BLOCK ((size_t)64) /* smallest */
#define ORDERS (sizeof(((struct rx_arena *)0)->free) / sizeof(struct rx_free))
#define FREE_BIT 0x80

static void list_add(struct rx_arena *a, size_t block, unsigned order)
{
    struct rx_free *node = (struct rx_free *)(void *)(a->base + block * BLOCK);
    struct rx_free *head = &a->free[order];
    node->next = head->next;
    node->prev = head;
    head->next->prev = node;
    head->next = node;
    a->map[block] = (uint8_t)(FREE_BIT | order);
    POISON(node + 1, (BLOCK << order) - sizeof *node);
}

static void list_remove(struct rx_arena *a, struct rx_free *node)
{
    node->next->prev = node->prev;
    node->prev->next = node->next;
    a->map[(size_t)((char *)node - a->base) / BLOCK] = 0;
}

int rx_arena_init(struct rx *rx, void *memory, size_t size)
{
    struct rx_arena *a = &rx->arena;
    uintptr_t start = ((uintptr_t)memory + BLOCK - 1) / BLOCK * BLOCK;
    size_t lost = (size_t)(start - (uintptr_t)memory);
    if (size < lost + 4096)
        return BERTH_EINVAL;
    size_t blocks = (size - lost) / (BLOCK + 1); /* one byte of map each */
    a->base = (char *)start;
    a->map = (uint8_t *)a->base + blocks * BLOCK;
    a->blocks = blocks;
    a->used = a->used_max = 0;
    for (size_t i = 0; i < ORDERS; i++)
        a->free[i].next = a->free[i].prev = &a->free[i];
    for (size_t i = 0; i < blocks; i++)
        a->map[i] = 0;
    for (size_t at = 0; at < blocks;) { /* the largest aligned pieces, left to right */
        unsigned order = 0;
        while (order + 1 < ORDERS && at % ((size_t)2 << order) == 0 &&
               at + ((size_t)2 << order) <= blocks)
            order++;
        list_add(a, at, order);
        at += (size_t)1 << order;
    }
    return 0;
}

void rx_arena_fini(struct rx *rx)
{
    if (rx->arena.base)
        UNPOISON(rx->arena.base, rx->arena.blocks * BLOCK);
}

void *rx_alloc(struct rx *rx, size_t size, enum rx_sort sort)
{
    struct rx_arena *a = &rx->arena;
    if (size > a->blocks * BLOCK)
        return NULL;
    size_t whole = size + sizeof(struct rx_head);
    unsigned order = 0;
    while ((BLOCK << order) < whole)
        order++;
    unsigned from = order;
    while (from < ORDERS && a->free[from].next == &a->free[from])
        from++;
    if (from >= ORDERS)
        return NULL;
    struct rx_free *node = a->free[from].next;
    list_remove(a, node);
    size_t block = (size_t)((char *)node - a->base) / BLOCK;
    UNPOISON(node, BLOCK << from);
    while (from > order) { /* give back the upper halves */
        from--;
        list_add(a, block + ((size_t)1 << from), from);
    }
    a->used += BLOCK << order;
    if (a->used > a->used_max)
        a->used_max = a->used;
    struct rx_head *head = (struct rx_head *)(void *)node;
    memset(head, 0, whole);
    head->birth = rx->births++;
    head->refs = 1;
    head->order = (uint8_t)order;
    head->sort = (uint8_t)sort;
    return head + 1;
}

size_t rx_capacity(const void *payload)
{
    return (BLOCK << rx_head(payload)->order) - sizeof(struct rx_head);
}

static void free_block(struct rx *rx, struct rx_head *head)
{
    struct rx_arena *a = &rx->arena;
    unsigned order = head->order;
    size_t block = (size_t)((char *)head - a->base) / BLOCK;
    a->used -= BLOCK << order;
    POISON(head, BLOCK << order);
    while (order + 1 < ORDERS) {
        size_t buddy = block ^ ((size_t)1 << order);
        if (buddy >= a->blocks || a->map[buddy] != (FREE_BIT | order))
            break;
        list_remove(a, (struct rx_free *)(void *)(a->base + buddy * BLOCK));
        block &= ~((size_t)1 << order);
        order++;
    }
    UNPOISON(a->base + block * BLOCK, sizeof(struct rx_free));
    list_add(a, block, order);
}

static void destroy(struct rx *rx, struct rx_head *head)
{
    void *payload = head + 1;
    if (head->sort == RX_VALUES)
        for (uint32_t i = 0; i < head->count; i++)
            rx_drop(rx, ((struct rx_value *)payload)[i]);
    else if (head->sort == RX_NODE)
        rx_stream_destroy(rx, payload);
    free_block(rx, head);
}

static void push_idle(struct rx *rx, struct rx_head *head)
{
    if (head->idle)
        return;
    head->idle = true;
    head->idle_next = rx->idle;
    rx->idle = head;
}

void rx_free_now(struct rx *rx, void *payload)
{
    if (!payload)
        return;
    assert(!rx_head(payload)->idle);
    free_block(rx, rx_head(payload));
}

void rx_ref(void *payload)
{
    rx_head(payload)->refs++;
}

void rx_unref(struct rx *rx, void *payload)
{
    struct rx_head *head = rx_head(payload);
    assert(head->refs > 0);
    if (--head->refs == 0)
        push_idle(rx, head);
}

void rx_sweep_since(struct rx *rx, struct rx_mark mark)
{
    struct rx_head *older = NULL, **tail = &older;
    while (rx->idle != mark.top) {
        struct rx_head *head = rx->idle;
        rx->idle = head->idle_next;
        head->idle = false;
        if (head->refs > 0)
            continue;
        if (head->birth >= mark.birth) {
            destroy(rx, head); /* what it held may come on the stack now */
        } else {
            head->idle = true;
            *tail = head;
            tail = &head->idle_next;
        }
    }
    if (older) {
        *tail = rx->idle;
        rx->idle = older;
    }
}

bool rx_enter(struct rx *rx)
{
    if (rx->depth >= RX_DEPTH_MAX)
        return false;
    rx->depth++;
    return true;
}

void rx_leave(struct rx *rx)
{
    assert(rx->depth > 0);
    if (rx->depth == 1) { /* still inside: what goes may call back */
        rx_sweep(rx, (struct rx_mark){NULL, 0});
        rx_arm(rx);
    }
    rx->depth--;
}

bool rx_seq_push(struct rx *rx, struct rx_seq *seq, struct rx_value v)
{
    size_t size = (seq->count + 1) * sizeof v;
    if (!seq->items || size > rx_capacity(seq->items)) {
        struct rx_value *bigger = rx_alloc(rx, seq->items ? size * 2 : size, RX_VALUES);
        if (!bigger)
            bigger = rx_alloc(rx, size, RX_VALUES);
        if (!bigger)
            return false;
        if (seq->items) {
            memcpy(bigger, seq->items, seq->count * sizeof v);
            rx_free_now(rx, seq->items);
        }
        seq->items = bigger;
    }
    rx_keep(v);
    seq->items[seq->count++] = v;
    rx_head(seq->items)->count = (uint32_t)seq->count;
    return true;
}

struct rx_value rx_seq_take(struct rx *rx, struct rx_seq *seq)
{
    if (!seq->items)
        return rx_list(rx, NULL, 0);
    struct rx_value list = {
        .kind = RX_LIST, .counted = 1, .size = (uint32_t)seq->count, .items = seq->items};
    *seq = (struct rx_seq){NULL, 0};
    rx_drop(rx, list);
    return list;
}

void rx_seq_clear(struct rx *rx, struct rx_seq *seq)
{
    if (seq->items)
        rx_unref(rx, seq->items);
    *seq = (struct rx_seq){NULL, 0};
}

bool rx_queue_push(struct rx *rx, struct rx_queue *q, struct rx_value v, int64_t at)
{
    if (q->count == q->size) {
        size_t want = (q->size + 1) * 2 * sizeof *q->ring - sizeof(struct rx_head); /* a block */
        struct rx_queued *ring = rx_alloc(rx, want, RX_RAW);
        if (!ring)
            return false;
        size_t size = rx_capacity(ring) / sizeof *ring;
        for (size_t i = 0; i < q->count; i++)
            ring[i] = *rx_queue_at(q, i);
        rx_free_now(rx, q->ring);
        *q = (struct rx_queue){ring, 0, q->count, size};
    }
    assert(q->size > 0);
    rx_keep(v);
    q->ring[(q->first + q->count++) % q->size] = (struct rx_queued){v, at, rx->timer_seq++};
    return true;
}

struct rx_queued rx_queue_pop(struct rx_queue *q)
{
    assert(q->count > 0);
    struct rx_queued item = q->ring[q->first];
    q->first = (q->first + 1) % q->size;
    q->count--;
    return item;
}

void rx_queue_clear(struct rx *rx, struct rx_queue *q)
{
    while (q->count > 0)
        rx_drop(rx, rx_queue_pop(q).v);
    rx_free_now(rx, q->ring);
    *q = (struct rx_queue){NULL, 0, 0, 0};
}

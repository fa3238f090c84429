/* rx_internal.h - what the files of core/rx share: the arena, subscribers and their protocol,
 * queues, timers.
 *
 * A subscription is a tree of subscribers (struct rx_sub). The root is the user's; each operator at
 * work is a child of the one it speaks to (`down`); sources and inner streams ("legs") are children
 * too. Closing a node closes all below it. Memory of a closed node, or of a value nobody holds,
 * stays readable until no C frame can be looking at it; see rx_memory.c. */
#ifndef BERTH_CORE_RX_INTERNAL_H
#define BERTH_CORE_RX_INTERNAL_H

#include "core/rx.h"

#include <assert.h>

#define RX_LIKELY(x) __builtin_expect(!!(x), 1)
#define RX_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- arena (rx_memory.c) ---- */

enum rx_sort { RX_RAW, RX_VALUES, RX_NODE, RX_SUB };

/* Stands before everything in the arena. */
struct rx_head {
    struct rx_head *idle_next;
    uint64_t birth;
    uint32_t refs;
    uint32_t count; /* RX_VALUES: how many */
    uint8_t order;  /* block size: smallest << order */
    uint8_t sort;
    bool idle;
};
_Static_assert(sizeof(struct rx_head) == 32, "keeps payloads 16-aligned");

static inline struct rx_head *rx_head(const void *payload)
{
    return (struct rx_head *)(uintptr_t)payload - 1;
}

int rx_arena_init(struct rx *rx, void *memory, size_t size);
void rx_arena_fini(struct rx *rx);
/* NULL when full. One reference, the caller's; memory zeroed. */
void *rx_alloc(struct rx *rx, size_t size, enum rx_sort sort);
/* At once: only for what no other frame can know. */
void rx_free_now(struct rx *rx, void *payload);
void rx_ref(void *payload);
void rx_unref(struct rx *rx, void *payload);
/* Bytes that fit in the payload's block. */
size_t rx_capacity(const void *payload);

/* What was made since rx_mark() and is held by nobody is freed by rx_sweep(). For loops that emit:
 * mark before the loop, sweep after each turn. */
struct rx_mark {
    struct rx_head *top;
    uint64_t birth;
};
static inline struct rx_mark rx_mark(const struct rx *rx)
{
    return (struct rx_mark){rx->idle, rx->births};
}
void rx_sweep_since(struct rx *rx, struct rx_mark mark);
static inline void rx_sweep(struct rx *rx, struct rx_mark mark)
{
    if (rx->idle != mark.top)
        rx_sweep_since(rx, mark);
}

/* Every way in from outside passes these; false: too deep, and not entered. */
bool rx_enter(struct rx *rx);
void rx_leave(struct rx *rx);

/* A list under construction. Zeroed: empty. Push keeps the value; false: the arena is full. */
struct rx_seq {
    struct rx_value *items;
    size_t count;
};
bool rx_seq_push(struct rx *rx, struct rx_seq *seq, struct rx_value v);
/* The list as a value held by nobody; the seq is empty again. Full: sets thrown. */
struct rx_value rx_seq_take(struct rx *rx, struct rx_seq *seq);
void rx_seq_clear(struct rx *rx, struct rx_seq *seq);

/* First in, first out, with a time. Zeroed: empty. */
struct rx_queued {
    struct rx_value v;
    int64_t at;
    uint64_t seq; /* of the timer it waits for, where order matters */
};
struct rx_queue {
    struct rx_queued *ring;
    size_t first, count, size;
};
bool rx_queue_push(struct rx *rx, struct rx_queue *q, struct rx_value v, int64_t at);
/* Hands the queue's hold of the value to the caller. */
struct rx_queued rx_queue_pop(struct rx_queue *q);
static inline struct rx_queued *rx_queue_at(const struct rx_queue *q, size_t i)
{
    return &q->ring[(q->first + i) % q->size];
}
void rx_queue_clear(struct rx *rx, struct rx_queue *q);

static inline struct rx_value rx_full_error(void)
{
    return rx_error(BERTH_EFULL, "rx: the arena is full");
}

/* ---- streams (rx_stream.c) and subscribers (rx_core.c) ---- */

struct rx_role {
    void (*next)(struct rx_sub *s, struct rx_value v);
    void (*error)(struct rx_sub *s, struct rx_value e);
    void (*complete)(struct rx_sub *s);
    void (*dispose)(
        struct rx_sub *s); /* give back what it holds; may be NULL. After its children. */
};

struct rx_sub {
    void (*next)(struct rx_sub *s, struct rx_value v); /* role->next, or ignores once stopped */
    struct rx_sub *down;
    struct rx *rx;
    const struct rx_role *role;
    struct rx_stream *stream; /* kept */
    struct rx_sub *parent, *child, *before,
        *after; /* child: first; before of the first: the last */
    uint64_t index;
    bool stopped; /* takes no more notifications */
    bool closed;  /* torn down */
};

struct rx_stream { /* size: a multiple of 16 */
    _Alignas(16) struct rx *rx;
    struct rx_stream *source; /* kept; NULL for sources */
    struct rx_op op;          /* what it points at is kept; arrays are copies */
};

/* A stream node over source (may be NULL), keeping all that op names, with op->extra zeroed bytes
 * of state behind it. */
struct rx_stream *rx_stream_new(struct rx *rx, struct rx_stream *source, const struct rx_op *op);
static inline void *rx_state(const struct rx_stream *stream)
{
    return (void *)(uintptr_t)(stream + 1);
}
/* rx->full, empty and never: NULL when there is no room. */
void rx_streams_init(struct rx *rx);
void rx_stream_destroy(struct rx *rx, struct rx_stream *stream); /* by the sweeper */

/* Subscribe `down` to the stream. */
void rx_attach(struct rx_stream *stream, struct rx_sub *down);

/* A subscriber of `size` bytes, child of `down` and speaking to it. NULL: the arena is full and
 * `down` has been told. */
void *rx_sub_new(size_t size, const struct rx_role *role, struct rx_stream *stream,
                 struct rx_sub *down);
/* One of its own, under no other: connections. NULL: the arena is full, nobody has been told. */
void *rx_sub_root(struct rx *rx, size_t size, const struct rx_role *role, struct rx_stream *stream);
/* The same for an operator's inner subscriber: child of op, `down` is op. NULL: op has been
 * aborted. */
void *rx_leg_new(size_t size, const struct rx_role *role, struct rx_sub *op);

static inline void rx_next(struct rx_sub *s, struct rx_value v)
{
    s->next(s, v);
}
void rx_sub_error(struct rx_sub *s, struct rx_value e);
void rx_sub_complete(struct rx_sub *s);
void rx_close(struct rx_sub *s);

/* End the operator: tell down, close. Also the default roles. */
void rx_abort(struct rx_sub *op, struct rx_value e);
void rx_finish(struct rx_sub *op);
/* Default roles of legs. */
void rx_leg_error(struct rx_sub *leg, struct rx_value e);
void rx_leg_finish(struct rx_sub *leg);
void rx_pass(struct rx_sub *s, struct rx_value v);
void rx_deaf(struct rx_sub *s, struct rx_value v);
void rx_deaf_end(struct rx_sub *s);

/* After a user function: has it thrown? Then take the error. */
static inline bool rx_thrown(const struct rx_sub *s)
{
    return RX_UNLIKELY(s->rx->has_thrown);
}
struct rx_value rx_take_thrown(struct rx *rx);
static inline void rx_abort_thrown(struct rx_sub *op)
{
    rx_abort(op, rx_take_thrown(op->rx));
}
static inline void rx_set_index(struct rx_sub *s)
{
    s->rx->index = s->index++;
}
void rx_report_unhandled(struct rx *rx, struct rx_value error);

/* ---- timers (rx_clock.c) ---- */

/* Part of its owner's memory. Zeroed: not set. */
struct rx_timer {
    int64_t due_ms;
    uint64_t seq;
    struct rx_timer *child, *sibling, *prev;
    void (*fn)(void *arg);
    void *arg;
    bool set;
};
/* Once, after delay_ms; RX_FOREVER: never. Set already: moves it. */
void rx_timer_set(struct rx *rx, struct rx_timer *timer, int64_t delay_ms, void (*fn)(void *arg),
                  void *arg);
/* The same, for a moment and a place in the order that were reserved before (seq =
 * rx->timer_seq++). */
void rx_timer_set_at(struct rx *rx, struct rx_timer *timer, int64_t due_ms, uint64_t seq,
                     void (*fn)(void *arg), void *arg);
void rx_timer_cancel(struct rx *rx, struct rx_timer *timer);
/* Tell the scheduler when the deadline has moved. */
void rx_arm(struct rx *rx);

#endif

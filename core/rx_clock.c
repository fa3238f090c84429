/* rx_clock.c - timers (a pairing heap inside their owners' memory), running them, and virtual time.
 */
#include "core/rx_internal.h"

static bool earlier(const struct rx_timer *a, const struct rx_timer *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->seq < b->seq;
}

/* prev: the left sibling, or the parent of a first child. */
static struct rx_timer *meld(struct rx_timer *a, struct rx_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (earlier(b, a)) {
        struct rx_timer *t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->sibling = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

static struct rx_timer *meld_children(struct rx_timer *first)
{
    struct rx_timer *pairs = NULL;
    while (first) { /* left to right in pairs, chained through prev */
        struct rx_timer *a = first, *b = a->sibling;
        first = b ? b->sibling : NULL;
        a->sibling = a->prev = NULL;
        if (b)
            b->sibling = b->prev = NULL;
        a = meld(a, b);
        a->prev = pairs;
        pairs = a;
    }
    struct rx_timer *heap = NULL;
    while (pairs) { /* and right to left into one */
        struct rx_timer *next = pairs->prev;
        pairs->prev = NULL;
        heap = meld(heap, pairs);
        pairs = next;
    }
    return heap;
}

void rx_timer_cancel(struct rx *rx, struct rx_timer *t)
{
    if (!t->set)
        return;
    t->set = false;
    struct rx_timer *rest = meld_children(t->child);
    if (rx->timers == t) {
        rx->timers = rest;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->sibling;
        else
            t->prev->sibling = t->sibling;
        if (t->sibling)
            t->sibling->prev = t->prev;
        rx->timers = meld(rx->timers, rest);
    }
    t->child = t->sibling = t->prev = NULL;
}

void rx_timer_set_at(struct rx *rx, struct rx_timer *t, int64_t due_ms, uint64_t seq,
                     void (*fn)(void *arg), void *arg)
{
    rx_timer_cancel(rx, t);
    t->due_ms = due_ms;
    t->seq = seq;
    t->fn = fn;
    t->arg = arg;
    t->set = true;
    rx->timers = meld(rx->timers, t);
}

void rx_timer_set(struct rx *rx, struct rx_timer *t, int64_t delay_ms, void (*fn)(void *arg),
                  void *arg)
{
    rx_timer_cancel(rx, t);
    if (delay_ms == RX_FOREVER)
        return;
    int64_t now = rx_now_ms(rx);
    if (delay_ms < 0)
        delay_ms = 0;
    int64_t due = now > RX_FOREVER - delay_ms ? RX_FOREVER : now + delay_ms;
    rx_timer_set_at(rx, t, due, rx->timer_seq++, fn, arg);
}

int64_t rx_now_ms(struct rx *rx)
{
    return rx->scheduler.now_ms(rx->scheduler.ctx);
}

int64_t rx_deadline_ms(const struct rx *rx)
{
    return rx->timers ? rx->timers->due_ms : RX_FOREVER;
}

void rx_arm(struct rx *rx)
{
    int64_t at = rx_deadline_ms(rx);
    if (at == rx->armed_ms)
        return;
    rx->armed_ms = at;
    rx->scheduler.wake_at(rx->scheduler.ctx, at);
}

void rx_run(struct rx *rx)
{
    int64_t now = rx_now_ms(rx);
    uint64_t end = rx->timer_seq;
    rx->armed_ms = INT64_MIN; /* the wake-up has been used */
    if (!rx_enter(rx))
        return;
    struct rx_mark mark = rx->depth == 1 ? (struct rx_mark){NULL, 0} : rx_mark(rx);
    while (rx->timers && rx->timers->due_ms <= now && rx->timers->seq < end) {
        struct rx_timer *t = rx->timers;
        rx_timer_cancel(rx, t);
        t->fn(t->arg);
        rx_sweep(rx, mark);
    }
    rx_leave(rx);
}

static int64_t virtual_now(void *ctx)
{
    return ((struct rx_virtual *)ctx)->now_ms;
}

static void virtual_wake(void *ctx, int64_t at_ms)
{
    ((struct rx_virtual *)ctx)->wake_ms = at_ms;
}

void rx_virtual_init(struct rx_virtual *clock, int64_t now_ms)
{
    *clock = (struct rx_virtual){.now_ms = now_ms, .wake_ms = RX_FOREVER};
}

struct rx_scheduler rx_virtual_scheduler(struct rx_virtual *clock)
{
    return (struct rx_scheduler){virtual_now, virtual_wake, clock};
}

void rx_virtual_advance(struct rx_virtual *clock, struct rx *rx, int64_t to_ms)
{
    while (clock->wake_ms <= to_ms && clock->wake_ms != RX_FOREVER) {
        if (clock->wake_ms > clock->now_ms)
            clock->now_ms = clock->wake_ms;
        rx_run(rx);
    }
    if (to_ms > clock->now_ms)
        clock->now_ms = to_ms;
}

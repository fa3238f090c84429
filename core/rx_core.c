/* rx_core.c - the life of subscriptions: attaching, notifying, closing; and the machine. */
#include "core/rx_internal.h"

/* ---- subscribers ---- */

static struct rx_sub *sub_alloc(size_t size, const struct rx_role *role, struct rx_stream *stream,
                                struct rx_sub *parent)
{
    struct rx *rx = parent->rx;
    struct rx_sub *s = rx_alloc(rx, size, RX_SUB);
    if (!s)
        return NULL;
    s->rx = rx;
    s->role = role;
    s->next = role->next;
    s->down = s->parent = parent;
    s->stream = stream;
    if (stream)
        rx_ref(stream);
    if (!parent->child) {
        parent->child = s->before = s;
    } else {
        struct rx_sub *last = parent->child->before;
        last->after = s;
        s->before = last;
        parent->child->before = s;
    }
    return s;
}

void *rx_sub_new(size_t size, const struct rx_role *role, struct rx_stream *stream,
                 struct rx_sub *down)
{
    struct rx_sub *s = sub_alloc(size, role, stream, down);
    if (!s)
        rx_sub_error(down, rx_full_error());
    return s;
}

void *rx_sub_root(struct rx *rx, size_t size, const struct rx_role *role, struct rx_stream *stream)
{
    return sub_alloc(size, role, stream, rx->trunk);
}

void *rx_leg_new(size_t size, const struct rx_role *role, struct rx_sub *op)
{
    if (op->closed)
        return NULL;
    struct rx_sub *s = sub_alloc(size, role, NULL, op);
    if (!s)
        rx_abort(op, rx_full_error());
    return s;
}

static void unlink_sub(struct rx_sub *s)
{
    struct rx_sub *parent = s->parent;
    if (!parent)
        return;
    if (parent->child == s) {
        parent->child = s->after;
        if (s->after)
            s->after->before = s->before;
    } else {
        s->before->after = s->after;
        if (s->after)
            s->after->before = s->before;
        else
            parent->child->before = s->before;
    }
    s->parent = s->before = s->after = NULL;
}

void rx_close(struct rx_sub *s)
{
    if (s->closed)
        return;
    s->closed = s->stopped = true;
    s->next = rx_deaf;
    unlink_sub(s);
    while (s->child)
        rx_close(s->child);
    if (s->role->dispose)
        s->role->dispose(s);
    if (s->stream)
        rx_unref(s->rx, s->stream);
    rx_unref(s->rx, s);
}

static const struct rx_role sink_role = {rx_deaf, rx_deaf, rx_deaf_end, NULL};

/* RxJS subscribes even when the subscriber has closed meanwhile, and lets go at once: sources
 * notice. */
static void attach_closed(struct rx_stream *stream, struct rx *rx)
{
    struct rx_sub *sink = sub_alloc(sizeof *sink, &sink_role, NULL, rx->trunk);
    if (!sink)
        return;
    rx->limbo++;
    stream->op.attach(stream, sink);
    rx->limbo--;
    rx_close(sink);
}

void rx_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx *rx = down->rx;
    if (!rx_enter(rx)) {
        rx_sub_error(down, rx_error(BERTH_EFULL, "rx: calls nest too deep"));
        return;
    }
    if (RX_LIKELY(!down->closed))
        stream->op.attach(stream, down);
    else
        attach_closed(stream, rx);
    rx_leave(rx);
}

/* ---- notifications ---- */

void rx_deaf(struct rx_sub *s, struct rx_value v)
{
}

void rx_deaf_end(struct rx_sub *s)
{
}

static void stop(struct rx_sub *s)
{
    s->stopped = true;
    s->next = rx_deaf;
}

void rx_sub_error(struct rx_sub *s, struct rx_value e)
{
    if (s->stopped)
        return;
    stop(s);
    s->role->error(s, e);
}

void rx_sub_complete(struct rx_sub *s)
{
    if (s->stopped)
        return;
    stop(s);
    s->role->complete(s);
}

void rx_abort(struct rx_sub *op, struct rx_value e)
{
    stop(op);
    rx_sub_error(op->down, e);
    rx_close(op);
}

void rx_finish(struct rx_sub *op)
{
    stop(op);
    rx_sub_complete(op->down);
    rx_close(op);
}

void rx_leg_error(struct rx_sub *leg, struct rx_value e)
{
    rx_abort(leg->down, e);
}

void rx_leg_finish(struct rx_sub *leg)
{
    rx_finish(leg->down);
}

void rx_pass(struct rx_sub *s, struct rx_value v)
{
    rx_next(s->down, v);
}

void rx_throw(struct rx *rx, struct rx_value error)
{
    if (rx->depth == 0 || rx->has_thrown) /* nobody's function, or the first one counts */
        return;
    rx_keep(error);
    rx->has_thrown = true;
    rx->thrown = error;
}

struct rx_value rx_take_thrown(struct rx *rx)
{
    rx->has_thrown = false;
    rx_drop(rx, rx->thrown);
    return rx->thrown;
}

uint64_t rx_index(const struct rx *rx)
{
    return rx->index;
}

void rx_report_unhandled(struct rx *rx, struct rx_value error)
{
    rx->unhandled++;
    if (rx->on_unhandled)
        rx->on_unhandled(rx->on_unhandled_ctx, error);
    if (rx->has_thrown)
        (void)rx_take_thrown(rx);
}

void rx_on_unhandled(struct rx *rx, void (*fn)(void *ctx, struct rx_value error), void *ctx)
{
    rx->on_unhandled = fn;
    rx->on_unhandled_ctx = ctx;
}

uint64_t rx_unhandled(const struct rx *rx)
{
    return rx->unhandled;
}

/* ---- the user's end ---- */

struct root {
    struct rx_sub sub;
    struct rx_observer observer;
    struct rx_subscription *handle;
};

static void root_detach(struct rx_sub *s)
{
    struct root *root = (struct root *)s;
    if (root->handle)
        root->handle->sub = NULL;
    root->handle = NULL;
}

/* An observer that throws harms nobody else. */
static void root_thrown(struct rx_sub *s)
{
    if (rx_thrown(s))
        rx_report_unhandled(s->rx, rx_take_thrown(s->rx));
}

static void root_next(struct rx_sub *s, struct rx_value v)
{
    struct root *root = (struct root *)s;
    if (root->observer.next) {
        root->observer.next(root->observer.ctx, v);
        root_thrown(s);
    }
}

static void root_error(struct rx_sub *s, struct rx_value e)
{
    struct root *root = (struct root *)s;
    root_detach(s);
    if (root->observer.error) {
        root->observer.error(root->observer.ctx, e);
        root_thrown(s);
    } else {
        rx_report_unhandled(s->rx, e);
    }
    rx_close(s);
}

static void root_complete(struct rx_sub *s)
{
    struct root *root = (struct root *)s;
    root_detach(s);
    if (root->observer.complete) {
        root->observer.complete(root->observer.ctx);
        root_thrown(s);
    }
    rx_close(s);
}

static const struct rx_role root_role = {root_next, root_error, root_complete, root_detach};

static void refuse(struct rx *rx, const struct rx_observer *observer, struct rx_value error)
{
    if (observer->error)
        observer->error(observer->ctx, error);
    else
        rx_report_unhandled(rx, error);
    if (rx->has_thrown)
        rx_report_unhandled(rx, rx_take_thrown(rx));
}

void rx_subscribe(struct rx_stream *stream, struct rx_observer observer,
                  struct rx_subscription *handle)
{
    struct rx *rx = stream->rx;
    if (handle)
        handle->sub = NULL;
    if (!rx_enter(rx)) {
        refuse(rx, &observer, rx_error(BERTH_EFULL, "rx: calls nest too deep"));
        return;
    }
    struct root *root = (struct root *)sub_alloc(sizeof *root, &root_role, NULL, rx->trunk);
    if (root) {
        root->observer = observer;
        root->handle = handle;
        if (handle)
            handle->sub = &root->sub;
        int limbo = rx->limbo; /* whoever subscribes, this subscriber is alive */
        rx->limbo = 0;
        rx_attach(stream, &root->sub);
        rx->limbo = limbo;
    } else {
        refuse(rx, &observer, rx_full_error());
    }
    rx_leave(rx);
}

void rx_unsubscribe(struct rx_subscription *handle)
{
    struct rx_sub *s = handle->sub;
    if (!s)
        return;
    struct rx *rx = s->rx;
    bool entered = rx_enter(rx);
    rx_close(s);
    if (entered)
        rx_leave(rx);
}

/* ---- the machine ---- */

int rx_init(struct rx *rx, void *memory, size_t size, struct rx_scheduler scheduler)
{
    *rx = (struct rx){.scheduler = scheduler, .armed_ms = RX_FOREVER};
    if (rx_arena_init(rx, memory, size) != 0)
        return BERTH_EINVAL;
    rx_streams_init(rx);
    rx->trunk = rx_alloc(rx, sizeof *rx->trunk, RX_SUB);
    assert(rx->full && rx->empty && rx->never && rx->trunk); /* 4096 bytes suffice */
    rx->trunk->rx = rx;
    rx->trunk->role = &sink_role;
    rx->trunk->next = rx_deaf;
    return 0;
}

void rx_fini(struct rx *rx)
{
    if (!rx->trunk)
        return;
    assert(rx->depth == 0);
    rx->depth++;
    rx_close(rx->trunk);
    rx->depth--;
    rx_arena_fini(rx);
    if (rx->armed_ms != RX_FOREVER)
        rx->scheduler.wake_at(rx->scheduler.ctx, RX_FOREVER);
    *rx = (struct rx){.depth = 0};
}

size_t rx_used(const struct rx *rx)
{
    return rx->arena.used;
}

size_t rx_used_max(const struct rx *rx)
{
    return rx->arena.used_max;
}

/* rx_flat.c - streams of streams: merge_map, concat_map, switch_map, exhaust_map, and merge and
 * concat made of them. */
#include "core/rx_internal.h"

struct flat_sub {
    struct rx_sub sub;
    struct rx_queue waiting; /* values whose stream may not start yet */
    size_t active;           /* inner streams under way */
    struct rx_sub *inner;    /* switch_map: the present one */
    bool done;               /* the source has completed */
    bool draining;
};

static void inner_next(struct rx_sub *leg, struct rx_value v)
{
    rx_next(leg->down->down, v);
}

static void flat_dispose(struct rx_sub *sub)
{
    rx_queue_clear(sub->rx, &((struct flat_sub *)sub)->waiting);
}

static void finish_if_over(struct flat_sub *s)
{
    if (s->done && s->active == 0 && s->waiting.count == 0 && !s->sub.closed)
        rx_finish(&s->sub);
}

static void flat_complete(struct rx_sub *sub)
{
    struct flat_sub *s = (struct flat_sub *)sub;
    s->done = true;
    finish_if_over(s);
}

static void flat_attach(struct rx_stream *stream, struct rx_sub *down, const struct rx_role *role)
{
    struct flat_sub *s = rx_sub_new(sizeof *s, role, stream, down);
    if (s)
        rx_attach(stream->source, &s->sub);
}

/* Make the inner stream of v and subscribe to it. */
static void start(struct flat_sub *s, struct rx_value v, const struct rx_role *leg_role)
{
    struct rx_sub *op = &s->sub;
    const struct rx_op *cfg = &op->stream->op;
    rx_set_index(op);
    s->active++;
    struct rx_stream *inner = v.stream;
    if (cfg->fn)
        inner = ((rx_flat_fn)cfg->fn)(cfg->ctx, v);
    if (rx_thrown(op)) {
        rx_abort_thrown(op);
        return;
    }
    struct rx_sub *leg = rx_leg_new(sizeof *leg, leg_role, op);
    if (!leg)
        return;
    s->inner = leg;
    rx_attach(inner ? inner : op->rx->empty, leg);
}

static struct rx_op flat(void (*attach)(struct rx_stream *, struct rx_sub *), rx_flat_fn fn,
                         void *ctx, size_t concurrent)
{
    return (struct rx_op){
        .attach = attach, .fn = (void (*)(void))fn, .ctx = ctx, .a = (int64_t)concurrent};
}

/* ---- merge_map, concat_map ---- */

static void merge_inner_complete(struct rx_sub *leg);

static const struct rx_role merge_leg = {inner_next, rx_leg_error, merge_inner_complete, NULL};

static bool may_start(const struct flat_sub *s)
{
    int64_t concurrent = s->sub.stream->op.a;
    return concurrent <= 0 || s->active < (size_t)concurrent;
}

static void merge_next(struct rx_sub *sub, struct rx_value v)
{
    struct flat_sub *s = (struct flat_sub *)sub;
    if (may_start(s))
        start(s, v, &merge_leg);
    else if (!rx_queue_push(sub->rx, &s->waiting, v, 0))
        rx_abort(sub, rx_full_error());
}

/* Streams that complete at once bring this back here: one loop serves them all, the stack stays
 * flat. */
static void merge_inner_complete(struct rx_sub *leg)
{
    struct flat_sub *s = (struct flat_sub *)leg->down;
    struct rx *rx = leg->rx;
    rx_close(leg);
    s->active--;
    if (s->draining)
        return;
    s->draining = true;
    struct rx_mark mark = rx_mark(rx);
    while (s->waiting.count > 0 && may_start(s) && !s->sub.closed) {
        struct rx_value v = rx_queue_pop(&s->waiting).v;
        start(s, v, &merge_leg);
        rx_drop(rx, v);
        rx_sweep(rx, mark);
    }
    s->draining = false;
    finish_if_over(s);
}

static const struct rx_role merge_role = {merge_next, rx_abort, flat_complete, flat_dispose};

static void merge_map_attach(struct rx_stream *stream, struct rx_sub *down)
{
    flat_attach(stream, down, &merge_role);
}

struct rx_op rx_merge_map(rx_flat_fn fn, void *ctx, size_t concurrent)
{
    return flat(merge_map_attach, fn, ctx, concurrent);
}

struct rx_op rx_concat_map(rx_flat_fn fn, void *ctx)
{
    return rx_merge_map(fn, ctx, 1);
}

struct rx_stream *rx_merge_n(struct rx_stream *const *streams, size_t count, size_t concurrent)
{
    assert(count >= 1 && count <= RX_INPUTS_MAX);
    struct rx *rx = streams[0]->rx;
    struct rx_value values[RX_INPUTS_MAX];
    for (size_t i = 0; i < count; i++)
        values[i] = rx_stream_value(streams[i]);
    struct rx_stream *all = rx_from(rx, values, count);
    struct rx_op op = rx_merge_map(NULL, NULL, concurrent);
    struct rx_stream *merged = rx_pipe_n(all, &op, 1);
    if (rx->depth == 0 && all != rx->full)
        rx_unref(rx, all);
    return merged;
}

/* ---- switch_map ---- */

static void switch_inner_complete(struct rx_sub *leg)
{
    struct flat_sub *s = (struct flat_sub *)leg->down;
    rx_close(leg);
    s->inner = NULL;
    s->active = 0;
    finish_if_over(s);
}

static const struct rx_role switch_leg = {inner_next, rx_leg_error, switch_inner_complete, NULL};

static void switch_next(struct rx_sub *sub, struct rx_value v)
{
    struct flat_sub *s = (struct flat_sub *)sub;
    if (s->inner)
        rx_close(s->inner);
    s->inner = NULL;
    s->active = 0;
    if (!sub->closed) /* closing may have run into anything */
        start(s, v, &switch_leg);
}

static const struct rx_role switch_role = {switch_next, rx_abort, flat_complete, flat_dispose};

static void switch_map_attach(struct rx_stream *stream, struct rx_sub *down)
{
    flat_attach(stream, down, &switch_role);
}

struct rx_op rx_switch_map(rx_flat_fn fn, void *ctx)
{
    return flat(switch_map_attach, fn, ctx, 0);
}

/* ---- exhaust_map ---- */

static void exhaust_inner_complete(struct rx_sub *leg)
{
    struct flat_sub *s = (struct flat_sub *)leg->down;
    rx_close(leg);
    s->active = 0;
    finish_if_over(s);
}

static const struct rx_role exhaust_leg = {inner_next, rx_leg_error, exhaust_inner_complete, NULL};

static void exhaust_next(struct rx_sub *sub, struct rx_value v)
{
    struct flat_sub *s = (struct flat_sub *)sub;
    if (s->active == 0)
        start(s, v, &exhaust_leg);
}

static const struct rx_role exhaust_role = {exhaust_next, rx_abort, flat_complete, flat_dispose};

static void exhaust_map_attach(struct rx_stream *stream, struct rx_sub *down)
{
    flat_attach(stream, down, &exhaust_role);
}

struct rx_op rx_exhaust_map(rx_flat_fn fn, void *ctx)
{
    return flat(exhaust_map_attach, fn, ctx, 0);
}

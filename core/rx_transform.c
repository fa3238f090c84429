/* rx_transform.c - operators that look at one value at a time: map, filter, tap, finalize, ignore,
 * pairwise, distinct_until_changed, start_with. */
#include "core/rx_internal.h"

/* Most operators: a subscriber with its function beside it. */
struct fn_sub {
    struct rx_sub sub;
    void (*fn)(void);
    void *ctx;
};

static void attach_fn(struct rx_stream *stream, struct rx_sub *down, const struct rx_role *role)
{
    struct fn_sub *s = rx_sub_new(sizeof *s, role, stream, down);
    if (!s)
        return;
    s->fn = stream->op.fn;
    s->ctx = stream->op.ctx;
    rx_attach(stream->source, &s->sub);
}

/* ---- map, filter, tap, finalize ---- */

static void map_next(struct rx_sub *sub, struct rx_value v)
{
    struct fn_sub *s = (struct fn_sub *)sub;
    rx_set_index(sub);
    struct rx_value out = ((rx_map_fn)s->fn)(s->ctx, v);
    if (rx_thrown(sub))
        rx_abort_thrown(sub);
    else
        rx_next(sub->down, out);
}

static const struct rx_role map_role = {map_next, rx_abort, rx_finish, NULL};

static void map_attach(struct rx_stream *stream, struct rx_sub *down)
{
    attach_fn(stream, down, &map_role);
}

struct rx_op rx_map(rx_map_fn fn, void *ctx)
{
    return (struct rx_op){.attach = map_attach, .fn = (void (*)(void))fn, .ctx = ctx};
}

static void filter_next(struct rx_sub *sub, struct rx_value v)
{
    struct fn_sub *s = (struct fn_sub *)sub;
    rx_set_index(sub);
    bool pass = ((rx_test_fn)s->fn)(s->ctx, v);
    if (rx_thrown(sub))
        rx_abort_thrown(sub);
    else if (pass)
        rx_next(sub->down, v);
}

static const struct rx_role filter_role = {filter_next, rx_abort, rx_finish, NULL};

static void filter_attach(struct rx_stream *stream, struct rx_sub *down)
{
    attach_fn(stream, down, &filter_role);
}

struct rx_op rx_filter(rx_test_fn fn, void *ctx)
{
    return (struct rx_op){.attach = filter_attach, .fn = (void (*)(void))fn, .ctx = ctx};
}

static void tap_next(struct rx_sub *sub, struct rx_value v)
{
    struct fn_sub *s = (struct fn_sub *)sub;
    ((rx_do_fn)s->fn)(s->ctx, v);
    if (rx_thrown(sub))
        rx_abort_thrown(sub);
    else
        rx_next(sub->down, v);
}

static const struct rx_role tap_role = {tap_next, rx_abort, rx_finish, NULL};

static void tap_attach(struct rx_stream *stream, struct rx_sub *down)
{
    attach_fn(stream, down, &tap_role);
}

struct rx_op rx_tap(rx_do_fn fn, void *ctx)
{
    return (struct rx_op){.attach = tap_attach, .fn = (void (*)(void))fn, .ctx = ctx};
}

static void tap_all_next(struct rx_sub *s, struct rx_value v)
{
    const struct rx_observer *o = s->stream->op.ctx;
    if (o->next)
        o->next(o->ctx, v);
    if (rx_thrown(s))
        rx_abort_thrown(s);
    else
        rx_next(s->down, v);
}

static void tap_all_error(struct rx_sub *s, struct rx_value e)
{
    const struct rx_observer *o = s->stream->op.ctx;
    if (o->error)
        o->error(o->ctx, e);
    rx_abort(s, rx_thrown(s) ? rx_take_thrown(s->rx) : e);
}

static void tap_all_complete(struct rx_sub *s)
{
    const struct rx_observer *o = s->stream->op.ctx;
    if (o->complete)
        o->complete(o->ctx);
    if (rx_thrown(s))
        rx_abort_thrown(s);
    else
        rx_finish(s);
}

static const struct rx_role tap_all_role = {tap_all_next, tap_all_error, tap_all_complete, NULL};

static void tap_all_attach(struct rx_stream *stream, struct rx_sub *down)
{
    attach_fn(stream, down, &tap_all_role);
}

struct rx_op rx_tap_all(const struct rx_observer *observer)
{
    return (struct rx_op){.attach = tap_all_attach, .ctx = (void *)(uintptr_t)observer};
}

static void finalize_dispose(struct rx_sub *sub)
{
    struct fn_sub *s = (struct fn_sub *)sub;
    ((rx_void_fn)s->fn)(s->ctx);
    if (rx_thrown(sub))
        rx_report_unhandled(sub->rx, rx_take_thrown(sub->rx));
}

static const struct rx_role finalize_role = {rx_pass, rx_abort, rx_finish, finalize_dispose};

static void finalize_attach(struct rx_stream *stream, struct rx_sub *down)
{
    attach_fn(stream, down, &finalize_role);
}

struct rx_op rx_finalize(rx_void_fn fn, void *ctx)
{
    return (struct rx_op){.attach = finalize_attach, .fn = (void (*)(void))fn, .ctx = ctx};
}

static const struct rx_role ignore_role = {rx_deaf, rx_abort, rx_finish, NULL};

static void ignore_attach(struct rx_stream *stream, struct rx_sub *down)
{
    attach_fn(stream, down, &ignore_role);
}

struct rx_op rx_ignore(void)
{
    return (struct rx_op){.attach = ignore_attach};
}

/* ---- pairwise, distinct_until_changed, start_with ---- */

struct last_sub {
    struct rx_sub sub;
    struct rx_value last; /* kept */
    bool has;
};

static void last_set(struct last_sub *s, struct rx_value v)
{
    rx_keep(v);
    rx_drop(s->sub.rx, s->last);
    s->last = v;
    s->has = true;
}

static void last_dispose(struct rx_sub *sub)
{
    rx_drop(sub->rx, ((struct last_sub *)sub)->last);
}

static void last_attach(struct rx_stream *stream, struct rx_sub *down, const struct rx_role *role)
{
    struct last_sub *s = rx_sub_new(sizeof *s, role, stream, down);
    if (s)
        rx_attach(stream->source, &s->sub);
}

static void pairwise_next(struct rx_sub *sub, struct rx_value v)
{
    struct last_sub *s = (struct last_sub *)sub;
    bool has = s->has;
    struct rx_value pair = rx_none();
    if (has)
        pair = rx_list(sub->rx, (const struct rx_value[]){s->last, v}, 2);
    if (rx_thrown(sub)) {
        rx_abort_thrown(sub);
        return;
    }
    last_set(s, v); /* first: emitting may bring the next value */
    if (has)
        rx_next(sub->down, pair);
}

static const struct rx_role pairwise_role = {pairwise_next, rx_abort, rx_finish, last_dispose};

static void pairwise_attach(struct rx_stream *stream, struct rx_sub *down)
{
    last_attach(stream, down, &pairwise_role);
}

struct rx_op rx_pairwise(void)
{
    return (struct rx_op){.attach = pairwise_attach};
}

static void distinct_next(struct rx_sub *sub, struct rx_value v)
{
    struct last_sub *s = (struct last_sub *)sub;
    const struct rx_op *op = &sub->stream->op;
    struct rx_value key = op->fn2 ? ((rx_map_fn)op->fn2)(op->ctx, v) : v;
    if (rx_thrown(sub)) {
        rx_abort_thrown(sub);
        return;
    }
    if (s->has) {
        bool same = op->fn ? ((rx_equal_fn)op->fn)(op->ctx, s->last, key) : rx_same(s->last, key);
        if (rx_thrown(sub)) {
            rx_abort_thrown(sub);
            return;
        }
        if (same)
            return;
    }
    if (sub->closed)
        return;
    last_set(s, key);
    rx_next(sub->down, v);
}

static const struct rx_role distinct_role = {distinct_next, rx_abort, rx_finish, last_dispose};

static void distinct_attach(struct rx_stream *stream, struct rx_sub *down)
{
    last_attach(stream, down, &distinct_role);
}

struct rx_op rx_distinct_until_changed(void)
{
    return rx_distinct_until_changed_by(NULL, NULL, NULL);
}

struct rx_op rx_distinct_until_changed_by(rx_equal_fn equal, rx_map_fn key, void *ctx)
{
    return (struct rx_op){.attach = distinct_attach,
                          .fn = (void (*)(void))equal,
                          .fn2 = (void (*)(void))key,
                          .ctx = ctx};
}

static const struct rx_role pass_role = {rx_pass, rx_abort, rx_finish, NULL};

static void start_with_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx_sub *s = rx_sub_new(sizeof *s, &pass_role, stream, down);
    if (!s)
        return;
    for (size_t i = 0; i < stream->op.count && !s->closed; i++)
        rx_next(s, stream->op.values[i]);
    if (!s->closed)
        rx_attach(stream->source, s);
}

struct rx_op rx_start_with_n(const struct rx_value *values, size_t count)
{
    return (struct rx_op){.attach = start_with_attach, .values = values, .count = count};
}

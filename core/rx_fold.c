/* rx_fold.c - operators that make one thing of many values: scan, reduce, count, to_array. */
#include "core/rx_internal.h"

struct fold_sub {
    struct rx_sub sub;
    struct rx_value sum; /* kept */
    bool has;
    bool every; /* scan says each sum, reduce only the last */
};

static void fold_set(struct fold_sub *s, struct rx_value sum)
{
    rx_keep(sum);
    rx_drop(s->sub.rx, s->sum);
    s->sum = sum;
    s->has = true;
}

static void fold_next(struct rx_sub *sub, struct rx_value v)
{
    struct fold_sub *s = (struct fold_sub *)sub;
    const struct rx_op *op = &sub->stream->op;
    rx_set_index(sub);
    struct rx_value sum = v;
    if (s->has) {
        sum = ((rx_fold_fn)op->fn)(op->ctx, s->sum, v);
        if (rx_thrown(sub)) {
            rx_abort_thrown(sub);
            return;
        }
        if (sub->closed)
            return;
    }
    fold_set(s, sum);
    if (s->every)
        rx_next(sub->down, sum);
}

static void fold_complete(struct rx_sub *sub)
{
    struct fold_sub *s = (struct fold_sub *)sub;
    if (!s->every && s->has)
        rx_next(sub->down, s->sum);
    rx_finish(sub);
}

static void fold_dispose(struct rx_sub *sub)
{
    rx_drop(sub->rx, ((struct fold_sub *)sub)->sum);
}

static const struct rx_role fold_role = {fold_next, rx_abort, fold_complete, fold_dispose};

static void fold_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct fold_sub *s = rx_sub_new(sizeof *s, &fold_role, stream, down);
    if (!s)
        return;
    if (stream->op.a) /* seeded */
        fold_set(s, stream->op.value);
    s->every = stream->op.b;
    rx_attach(stream->source, &s->sub);
}

static struct rx_op fold(rx_fold_fn fn, void *ctx, bool seeded, struct rx_value seed, bool every)
{
    return (struct rx_op){.attach = fold_attach,
                          .fn = (void (*)(void))fn,
                          .ctx = ctx,
                          .value = seed,
                          .a = seeded,
                          .b = every};
}

struct rx_op rx_scan(rx_fold_fn fn, void *ctx, struct rx_value seed)
{
    return fold(fn, ctx, true, seed, true);
}

struct rx_op rx_scan_first(rx_fold_fn fn, void *ctx)
{
    return fold(fn, ctx, false, rx_none(), true);
}

struct rx_op rx_reduce(rx_fold_fn fn, void *ctx, struct rx_value seed)
{
    return fold(fn, ctx, true, seed, false);
}

struct rx_op rx_reduce_first(rx_fold_fn fn, void *ctx)
{
    return fold(fn, ctx, false, rx_none(), false);
}

struct count_sub {
    struct rx_sub sub;
    int64_t count;
};

static void count_next(struct rx_sub *sub, struct rx_value v)
{
    const struct rx_op *op = &sub->stream->op;
    rx_set_index(sub);
    bool one = !op->fn || ((rx_test_fn)op->fn)(op->ctx, v);
    if (rx_thrown(sub))
        rx_abort_thrown(sub);
    else
        ((struct count_sub *)sub)->count += one;
}

static void count_complete(struct rx_sub *sub)
{
    rx_next(sub->down, rx_int(((struct count_sub *)sub)->count));
    rx_finish(sub);
}

static const struct rx_role count_role = {count_next, rx_abort, count_complete, NULL};

static void count_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct count_sub *s = rx_sub_new(sizeof *s, &count_role, stream, down);
    if (s)
        rx_attach(stream->source, &s->sub);
}

struct rx_op rx_count(rx_test_fn fn, void *ctx)
{
    return (struct rx_op){.attach = count_attach, .fn = (void (*)(void))fn, .ctx = ctx};
}

struct array_sub {
    struct rx_sub sub;
    struct rx_seq seq;
};

static void array_next(struct rx_sub *sub, struct rx_value v)
{
    if (!rx_seq_push(sub->rx, &((struct array_sub *)sub)->seq, v))
        rx_abort(sub, rx_full_error());
}

static void array_complete(struct rx_sub *sub)
{
    struct rx_value list = rx_seq_take(sub->rx, &((struct array_sub *)sub)->seq);
    if (rx_thrown(sub)) {
        rx_abort_thrown(sub);
        return;
    }
    rx_next(sub->down, list);
    rx_finish(sub);
}

static void array_dispose(struct rx_sub *sub)
{
    rx_seq_clear(sub->rx, &((struct array_sub *)sub)->seq);
}

static const struct rx_role array_role = {array_next, rx_abort, array_complete, array_dispose};

static void array_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct array_sub *s = rx_sub_new(sizeof *s, &array_role, stream, down);
    if (s)
        rx_attach(stream->source, &s->sub);
}

struct rx_op rx_to_array(void)
{
    return (struct rx_op){.attach = array_attach};
}

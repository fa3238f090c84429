/* rx_create.c - where streams begin: values, arrays, ranges, timers, and the world outside through
 * emitters. */
#include "core/rx_internal.h"

static const struct rx_role source_role = {rx_pass, rx_abort, rx_finish, NULL};

static struct rx_sub *source_new(struct rx_stream *stream, struct rx_sub *down)
{
    return rx_sub_new(sizeof(struct rx_sub), &source_role, stream, down);
}

/* ---- synchronous ---- */

static bool listening(const struct rx_sub *s)
{
    return !s->closed && !s->rx->limbo;
}

static void say_all(struct rx_sub *s, const struct rx_value *values, size_t count)
{
    struct rx_mark mark = rx_mark(s->rx);
    for (size_t i = 0; i < count && listening(s); i++) {
        rx_next(s->down, values[i]);
        rx_sweep(s->rx, mark);
    }
    if (!s->closed)
        rx_finish(s);
}

static void from_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx_sub *s = source_new(stream, down);
    if (s)
        say_all(s, stream->op.values, stream->op.count);
}

struct rx_stream *rx_from(struct rx *rx, const struct rx_value *values, size_t count)
{
    return rx_stream_new(rx, NULL,
                         &(struct rx_op){.attach = from_attach, .values = values, .count = count});
}

static void from_list_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx_value list = stream->op.value;
    struct rx_sub *s = source_new(stream, down);
    if (s && list.kind != RX_LIST)
        rx_abort(s, rx_error(BERTH_EINVAL, "rx: from_list: not a list"));
    else if (s)
        say_all(s, list.items, list.size);
}

struct rx_stream *rx_from_list(struct rx *rx, struct rx_value list)
{
    return rx_stream_new(rx, NULL, &(struct rx_op){.attach = from_list_attach, .value = list});
}

static void range_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx_sub *s = source_new(stream, down);
    if (!s)
        return;
    struct rx_mark mark = rx_mark(s->rx);
    for (uint64_t i = 0; i < (uint64_t)stream->op.b && listening(s); i++) {
        rx_next(s->down, rx_int((int64_t)((uint64_t)stream->op.a + i)));
        rx_sweep(s->rx, mark);
    }
    if (!s->closed)
        rx_finish(s);
}

struct rx_stream *rx_range(struct rx *rx, int64_t first, uint64_t count)
{
    return rx_stream_new(rx, NULL,
                         &(struct rx_op){.attach = range_attach, .a = first, .b = (int64_t)count});
}

static void fail_attach(struct rx_stream *stream, struct rx_sub *down)
{
    rx_sub_error(down, stream->op.value);
}

struct rx_stream *rx_fail(struct rx *rx, struct rx_value error)
{
    return rx_stream_new(rx, NULL, &(struct rx_op){.attach = fail_attach, .value = error});
}

static void defer_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx_stream *made = ((rx_make_fn)stream->op.fn)(stream->op.ctx);
    if (down->rx->has_thrown)
        rx_sub_error(down, rx_take_thrown(down->rx));
    else if (!made)
        rx_sub_complete(down);
    else
        rx_attach(made, down);
}

struct rx_stream *rx_defer(struct rx *rx, rx_make_fn make, void *ctx)
{
    return rx_stream_new(
        rx, NULL, &(struct rx_op){.attach = defer_attach, .fn = (void (*)(void))make, .ctx = ctx});
}

/* ---- timers ---- */

struct timer_sub {
    struct rx_sub sub;
    struct rx_timer timer;
    int64_t said;
};

static void timer_fire(void *arg)
{
    struct timer_sub *s = arg;
    struct rx *rx = s->sub.rx;
    int64_t period = s->sub.stream->op.b;
    if (period == 0) {
        rx_next(s->sub.down, rx_int(0));
        rx_finish(&s->sub);
        return;
    }
    if (period !=
        RX_FOREVER) { /* first: the next turn is there even if this one never returns here */
        int64_t late = rx_now_ms(rx) - s->timer.due_ms;
        rx_timer_set(rx, &s->timer, period - late % period, timer_fire, s);
    }
    rx_next(s->sub.down, rx_int(s->said++));
}

static void timer_dispose(struct rx_sub *sub)
{
    rx_timer_cancel(sub->rx, &((struct timer_sub *)sub)->timer);
}

static const struct rx_role timer_role = {rx_deaf, rx_abort, rx_finish, timer_dispose};

static void timer_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct timer_sub *s = rx_sub_new(sizeof *s, &timer_role, stream, down);
    if (s)
        rx_timer_set(s->sub.rx, &s->timer, stream->op.a, timer_fire, s);
}

static struct rx_stream *timer(struct rx *rx, int64_t due_ms, int64_t period_ms)
{
    return rx_stream_new(rx, NULL,
                         &(struct rx_op){.attach = timer_attach, .a = due_ms, .b = period_ms});
}

struct rx_stream *rx_timer(struct rx *rx, int64_t due_ms)
{
    return timer(rx, due_ms, 0);
}

struct rx_stream *rx_timer_every(struct rx *rx, int64_t due_ms, int64_t period_ms)
{
    return timer(rx, due_ms, period_ms > 0 ? period_ms : 1);
}

struct rx_stream *rx_interval(struct rx *rx, int64_t period_ms)
{
    return rx_timer_every(rx, period_ms > 0 ? period_ms : 1, period_ms);
}

/* ---- emitters ---- */

typedef void (*emitter_fn)(void *ctx, struct rx_emitter *to);

/* Outlives its subscriber in the case of rx_call: `sub` is NULL then. */
struct rx_emitter {
    struct rx *rx;
    struct rx_sub *sub;
};

struct emitter_sub {
    struct rx_sub sub;
    struct rx_emitter *to; /* own hold; an unanswered call has another */
};

void rx_emit(struct rx_emitter *to, struct rx_value v)
{
    struct rx *rx = to->rx;
    if (!to->sub)
        return;
    if (!rx_enter(rx)) {
        rx_abort(to->sub, rx_error(BERTH_EFULL, "rx: calls nest too deep"));
        return;
    }
    rx_next(to->sub, v);
    rx_leave(rx);
}

void rx_emit_error(struct rx_emitter *to, struct rx_value error)
{
    struct rx *rx = to->rx;
    bool entered = rx_enter(rx);
    if (to->sub)
        rx_sub_error(to->sub, error);
    if (entered)
        rx_leave(rx);
}

void rx_emit_complete(struct rx_emitter *to)
{
    struct rx *rx = to->rx;
    bool entered = rx_enter(rx);
    if (to->sub)
        rx_sub_complete(to->sub);
    if (entered)
        rx_leave(rx);
}

static void emitter_dispose(struct rx_sub *sub)
{
    struct emitter_sub *s = (struct emitter_sub *)sub;
    const struct rx_op *op = &sub->stream->op;
    s->to->sub = NULL;
    if (op->fn2) {
        ((emitter_fn)op->fn2)(op->ctx, s->to);
        if (rx_thrown(sub))
            rx_report_unhandled(sub->rx, rx_take_thrown(sub->rx));
    }
    rx_unref(sub->rx, s->to);
}

static const struct rx_role emitter_role = {rx_pass, rx_abort, rx_finish, emitter_dispose};

static void create_attach(struct rx_stream *stream, struct rx_sub *down)
{
    const struct rx_op *op = &stream->op;
    struct rx *rx = down->rx;
    struct rx_emitter *to = rx_alloc(rx, sizeof *to, RX_RAW);
    if (!to) {
        rx_sub_error(down, rx_full_error());
        return;
    }
    to->rx = rx;
    struct emitter_sub *s = rx_sub_new(sizeof *s, &emitter_role, stream, down);
    if (!s) {
        rx_unref(rx, to);
        return;
    }
    s->to = to;
    to->sub = &s->sub;
    if (op->a) /* one answer will come: until then it stays */
        rx_ref(to);
    ((emitter_fn)op->fn)(op->ctx, to);
    if (rx->has_thrown) {
        struct rx_value error = rx_take_thrown(rx);
        rx_sub_error(&s->sub, error);
    }
}

struct rx_stream *rx_create(struct rx *rx, emitter_fn start, emitter_fn stop, void *ctx)
{
    return rx_stream_new(rx, NULL,
                         &(struct rx_op){.attach = create_attach,
                                         .fn = (void (*)(void))start,
                                         .fn2 = (void (*)(void))stop,
                                         .ctx = ctx});
}

struct rx_stream *rx_call(struct rx *rx, emitter_fn start, void *ctx)
{
    return rx_stream_new(
        rx, NULL,
        &(struct rx_op){.attach = create_attach, .fn = (void (*)(void))start, .ctx = ctx, .a = 1});
}

void rx_resolve(struct rx_emitter *to, struct rx_value v)
{
    struct rx *rx = to->rx;
    bool entered = rx_enter(rx);
    if (to->sub)
        rx_next(to->sub, v);
    if (to->sub)
        rx_sub_complete(to->sub);
    rx_unref(rx, to);
    if (entered)
        rx_leave(rx);
}

void rx_reject(struct rx_emitter *to, struct rx_value error)
{
    struct rx *rx = to->rx;
    bool entered = rx_enter(rx);
    if (to->sub)
        rx_sub_error(to->sub, error);
    rx_unref(rx, to);
    if (entered)
        rx_leave(rx);
}

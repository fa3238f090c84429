/* rx_limit.c - operators that say how many or how long: take, skip, take_while, take_until. */
#include "core/rx_internal.h"

static void plain_attach(struct rx_stream *stream, struct rx_sub *down, const struct rx_role *role)
{
    struct rx_sub *s = rx_sub_new(sizeof *s, role, stream, down);
    if (s)
        rx_attach(stream->source, s);
}

static void take_next(struct rx_sub *s, struct rx_value v)
{
    int64_t count = s->stream->op.a;
    if ((int64_t)s->index >= count)
        return;
    bool last = (int64_t)++s->index >= count; /* counted first: emitting may bring the next value */
    rx_next(s->down, v);
    if (last)
        rx_finish(s);
}

static const struct rx_role take_role = {take_next, rx_abort, rx_finish, NULL};

static void take_attach(struct rx_stream *stream, struct rx_sub *down)
{
    if (stream->op.a <= 0)
        rx_sub_complete(down);
    else
        plain_attach(stream, down, &take_role);
}

struct rx_op rx_take(int64_t count)
{
    return (struct rx_op){.attach = take_attach, .a = count};
}

static void skip_next(struct rx_sub *s, struct rx_value v)
{
    if ((int64_t)s->index >= s->stream->op.a)
        rx_next(s->down, v);
    else
        s->index++;
}

static const struct rx_role skip_role = {skip_next, rx_abort, rx_finish, NULL};

static void skip_attach(struct rx_stream *stream, struct rx_sub *down)
{
    plain_attach(stream, down, &skip_role);
}

struct rx_op rx_skip(int64_t count)
{
    return (struct rx_op){.attach = skip_attach, .a = count};
}

static void take_while_next(struct rx_sub *s, struct rx_value v)
{
    const struct rx_op *op = &s->stream->op;
    rx_set_index(s);
    bool pass = ((rx_test_fn)op->fn)(op->ctx, v);
    if (rx_thrown(s)) {
        rx_abort_thrown(s);
        return;
    }
    if (pass || op->a)
        rx_next(s->down, v);
    if (!pass)
        rx_finish(s);
}

static const struct rx_role take_while_role = {take_while_next, rx_abort, rx_finish, NULL};

static void take_while_attach(struct rx_stream *stream, struct rx_sub *down)
{
    plain_attach(stream, down, &take_while_role);
}

struct rx_op rx_take_while(rx_test_fn fn, void *ctx, bool inclusive)
{
    return (struct rx_op){
        .attach = take_while_attach, .fn = (void (*)(void))fn, .ctx = ctx, .a = inclusive};
}

static void until_next(struct rx_sub *leg, struct rx_value v)
{
    rx_finish(leg->down);
}

/* A notifier that ends without a word changes nothing. */
static const struct rx_role until_role = {until_next, rx_leg_error, rx_close, NULL};
static const struct rx_role pass_role = {rx_pass, rx_abort, rx_finish, NULL};

static void take_until_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx_sub *s = rx_sub_new(sizeof *s, &pass_role, stream, down);
    struct rx_sub *leg = s ? rx_leg_new(sizeof *leg, &until_role, s) : NULL;
    if (!leg)
        return;
    rx_attach(stream->op.other, leg);
    if (!s->closed)
        rx_attach(stream->source, s);
}

struct rx_op rx_take_until(struct rx_stream *notifier)
{
    return (struct rx_op){.attach = take_until_attach, .other = notifier};
}

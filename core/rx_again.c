/* rx_again.c - what to do when a stream ends: catch_error, retry, repeat. */
#include "core/rx_internal.h"

/* ---- catch_error ---- */

struct catch_sub {
    struct rx_sub sub;
    struct rx_stream *instead; /* kept: the source failed while being subscribed */
    bool attaching;
};

static void catch_failed(struct rx_sub *sub, struct rx_value e)
{
    struct catch_sub *s = (struct catch_sub *)sub;
    struct rx *rx = sub->rx;
    const struct rx_op *op = &sub->stream->op;
    struct rx_stream *instead = ((rx_flat_fn)op->fn)(op->ctx, e);
    if (rx_thrown(sub)) {
        rx_abort_thrown(sub);
        return;
    }
    if (!instead)
        instead = rx->empty;
    if (sub->closed)
        return;
    if (s->attaching) {
        s->instead = rx_hold(instead);
        return;
    }
    struct rx_sub *down = sub->down;
    rx_close(sub);
    rx_attach(instead, down);
}

static const struct rx_role catch_role = {rx_pass, catch_failed, rx_finish, NULL};

static void catch_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct catch_sub *s = rx_sub_new(sizeof *s, &catch_role, stream, down);
    if (!s)
        return;
    s->attaching = true;
    rx_attach(stream->source, &s->sub);
    s->attaching = false;
    struct rx_stream *instead = s->instead;
    if (!instead)
        return;
    rx_close(&s->sub);
    rx_attach(instead, down);
    rx_unref(down->rx, instead);
}

struct rx_op rx_catch_error(rx_flat_fn fn, void *ctx)
{
    return (struct rx_op){.attach = catch_attach, .fn = (void (*)(void))fn, .ctx = ctx};
}

/* ---- retry, repeat ---- */

/* The operator stays; each try is a leg. op.a: count (0: without end), b: delay, c: flags. */
struct again_sub {
    struct rx_sub sub;
    struct rx_timer timer;
    uint64_t ended; /* tries that ended the way we look for */
    bool attaching; /* the source is being subscribed: a try that ends now starts the next after
                       that */
    bool again;
};

enum { ON_ERROR = 1, RESET = 2 };

static const struct rx_role again_leg, pause_leg;

static void try_again(struct again_sub *s)
{
    struct rx *rx = s->sub.rx;
    struct rx_mark mark = rx_mark(rx);
    do {
        s->again = false;
        struct rx_sub *leg = rx_leg_new(sizeof *leg, &again_leg, &s->sub);
        if (!leg)
            return;
        s->attaching = true;
        rx_attach(s->sub.stream->source, leg);
        s->attaching = false;
        rx_sweep(rx, mark);
    } while (s->again && !s->sub.closed && !rx->limbo);
}

static void resume(struct again_sub *s)
{
    if (s->sub.closed)
        return;
    if (s->attaching)
        s->again = true;
    else
        try_again(s);
}

static void pause_over(void *arg)
{
    resume(arg);
}

static void pause_next(struct rx_sub *leg, struct rx_value v)
{
    struct again_sub *s = (struct again_sub *)leg->down;
    rx_close(leg);
    resume(s);
}

static const struct rx_role pause_leg = {pause_next, rx_leg_error, rx_leg_finish, NULL};

/* A try has ended; its leg is closed. */
static void next_try(struct again_sub *s, struct rx_value e)
{
    struct rx_sub *op = &s->sub;
    const struct rx_op *cfg = &op->stream->op;
    if (op->closed) /* letting go of the last try may have run into anything */
        return;
    if (cfg->fn) {
        struct rx_stream *pause = ((rx_wait_fn)cfg->fn)(cfg->ctx, e, s->ended);
        if (rx_thrown(op)) {
            rx_abort_thrown(op);
            return;
        }
        struct rx_sub *leg = rx_leg_new(sizeof *leg, &pause_leg, op);
        if (leg)
            rx_attach(pause ? pause : op->rx->empty, leg);
    } else if (cfg->b != 0) {
        rx_timer_set(op->rx, &s->timer, cfg->b, pause_over, s);
    } else {
        resume(s);
    }
}

static bool may_go_on(struct again_sub *s)
{
    const struct rx_op *cfg = &s->sub.stream->op;
    uint64_t limit = (uint64_t)cfg->a;
    s->ended++;
    if (limit == 0)
        return true;
    return cfg->c & ON_ERROR ? s->ended <= limit : s->ended < limit;
}

static void try_next(struct rx_sub *leg, struct rx_value v)
{
    struct again_sub *s = (struct again_sub *)leg->down;
    if (s->sub.stream->op.c & RESET)
        s->ended = 0;
    rx_next(s->sub.down, v);
}

static void try_failed(struct rx_sub *leg, struct rx_value e)
{
    struct again_sub *s = (struct again_sub *)leg->down;
    if (!(s->sub.stream->op.c & ON_ERROR) || !may_go_on(s)) {
        rx_leg_error(leg, e);
        return;
    }
    rx_close(leg);
    next_try(s, e);
}

static void try_complete(struct rx_sub *leg)
{
    struct again_sub *s = (struct again_sub *)leg->down;
    if ((s->sub.stream->op.c & ON_ERROR) || !may_go_on(s)) {
        rx_leg_finish(leg);
        return;
    }
    rx_close(leg);
    next_try(s, rx_none());
}

static const struct rx_role again_leg = {try_next, try_failed, try_complete, NULL};

static void again_dispose(struct rx_sub *sub)
{
    rx_timer_cancel(sub->rx, &((struct again_sub *)sub)->timer);
}

static const struct rx_role again_role = {rx_deaf, rx_abort, rx_finish, again_dispose};

static void again_attach(struct rx_stream *stream, struct rx_sub *down)
{
    const struct rx_op *op = &stream->op;
    if (op->a < 0) { /* not at all */
        if (op->c & ON_ERROR)
            rx_attach(stream->source, down);
        else
            rx_sub_complete(down);
        return;
    }
    struct again_sub *s = rx_sub_new(sizeof *s, &again_role, stream, down);
    if (s)
        try_again(s);
}

static struct rx_op again(struct rx_again_cfg cfg, int64_t flags)
{
    return (struct rx_op){.attach = again_attach,
                          .fn = (void (*)(void))cfg.wait,
                          .ctx = cfg.ctx,
                          .a = cfg.count,
                          .b = cfg.delay_ms,
                          .c = flags};
}

struct rx_op rx_retry_cfg(struct rx_again_cfg cfg)
{
    return again(cfg, cfg.reset_on_success ? ON_ERROR | RESET : ON_ERROR);
}

struct rx_op rx_repeat_cfg(struct rx_again_cfg cfg)
{
    return again(cfg, 0);
}

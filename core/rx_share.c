/* rx_share.c - share and share_replay: one subscription for many, started and ended by them. */
#include "core/rx_subject.h"

/* op: fn connector; fn2, fn3, fn4 notifiers for the resets; a: flags; b, c: size and window of the
 * replay. */
enum { KEEP_ON_ERROR = 1, KEEP_ON_COMPLETE = 2, KEEP_ON_ZERO = 4, REPLAYING = 8 };

struct share {
    struct rx_stream *subject;        /* kept; NULL: none */
    struct rx_connection *connection; /* NULL: none, or over */
    struct rx_sub *reset;             /* waits for a notifier; NULL: not */
    size_t refs;
    bool connected; /* since the last reset */
    bool completed, failed;
};

static void cancel_reset(struct share *sh)
{
    struct rx_sub *reset = sh->reset;
    sh->reset = NULL;
    if (reset)
        rx_close(reset);
}

/* Forget all; the connection goes on unless `disconnect`. */
static void reset(struct rx_stream *stream, bool disconnect)
{
    struct share *sh = rx_state(stream);
    struct rx_connection *connection = sh->connection;
    cancel_reset(sh);
    if (sh->subject)
        rx_unref(stream->rx, sh->subject);
    sh->subject = NULL;
    sh->connection = NULL;
    sh->connected = sh->completed = sh->failed = false;
    if (disconnect && connection)
        rx_close(&connection->sub);
}

struct reset_sub {
    struct rx_sub sub;
    bool disconnect;
};

static void reset_next(struct rx_sub *sub, struct rx_value v)
{
    struct rx_stream *stream = sub->stream; /* readable until this call ends */
    rx_close(sub);
    reset(stream, ((struct reset_sub *)sub)->disconnect);
}

static void reset_failed(struct rx_sub *sub, struct rx_value e)
{
    rx_report_unhandled(sub->rx, e);
    rx_close(sub);
}

static void reset_dispose(struct rx_sub *sub)
{
    struct share *sh = rx_state(sub->stream);
    if (sh->reset == sub)
        sh->reset = NULL;
}

static const struct rx_role reset_role = {reset_next, reset_failed, rx_close, reset_dispose};

/* Start afresh now, never, or when `notifier` (NULL: full arena, or completed empty) says so. */
static void reset_when(struct rx_stream *stream, struct rx_stream *notifier, bool disconnect)
{
    struct share *sh = rx_state(stream);
    struct rx *rx = stream->rx;
    if (rx->has_thrown) {
        rx_report_unhandled(rx, rx_take_thrown(rx));
        return;
    }
    struct reset_sub *s = notifier ? rx_sub_root(rx, sizeof *s, &reset_role, stream) : NULL;
    if (!s)
        return;
    s->disconnect = disconnect;
    sh->reset = &s->sub;
    rx_attach(notifier, &s->sub);
}

static void shared_error(struct rx_sub *sub, struct rx_value e)
{
    struct rx_stream *stream = sub->stream, *subject = ((struct rx_connection *)sub)->subject;
    struct share *sh = rx_state(stream);
    const struct rx_op *op = &stream->op;
    sh->failed = true;
    cancel_reset(sh);
    if (op->fn2)
        reset_when(stream, ((rx_flat_fn)op->fn2)(op->ctx, e), false);
    else if (!(op->a & KEEP_ON_ERROR))
        reset(stream, false);
    rx_subject_error(subject, e);
    rx_close(sub);
}

static void shared_complete(struct rx_sub *sub)
{
    struct rx_stream *stream = sub->stream, *subject = ((struct rx_connection *)sub)->subject;
    struct share *sh = rx_state(stream);
    const struct rx_op *op = &stream->op;
    sh->completed = true;
    cancel_reset(sh);
    if (op->fn3)
        reset_when(stream, ((rx_make_fn)op->fn3)(op->ctx), false);
    else if (!(op->a & KEEP_ON_COMPLETE))
        reset(stream, false);
    rx_subject_complete(subject);
    rx_close(sub);
}

static void shared_dispose(struct rx_sub *sub)
{
    struct share *sh = rx_state(sub->stream);
    if ((struct rx_sub *)sh->connection == sub)
        sh->connection = NULL;
    rx_unref(sub->rx, ((struct rx_connection *)sub)->subject);
}

static const struct rx_role shared_role = {rx_connection_next, shared_error, shared_complete,
                                           shared_dispose};

static void sharer_dispose(struct rx_sub *sub)
{
    struct rx_stream *stream = sub->stream;
    struct share *sh = rx_state(stream);
    const struct rx_op *op = &stream->op;
    if (--sh->refs > 0 || sh->failed || sh->completed)
        return;
    if (op->fn4)
        reset_when(stream, ((rx_make_fn)op->fn4)(op->ctx), true);
    else if (!(op->a & KEEP_ON_ZERO))
        reset(stream, true);
}

static const struct rx_role sharer_role = {rx_pass, rx_abort, rx_finish, sharer_dispose};

/* NULL: thrown is set. */
static struct rx_stream *share_subject(struct rx_stream *stream)
{
    struct share *sh = rx_state(stream);
    const struct rx_op *op = &stream->op;
    if (sh->subject)
        return sh->subject;
    struct rx_stream *made;
    if (op->a & REPLAYING) {
        made = rx_replay(stream->rx, (size_t)op->b, op->c);
        if (made == stream->rx->full) {
            rx_throw(stream->rx, rx_full_error());
            return NULL;
        }
    } else {
        made = rx_make_subject(stream->rx, op->fn, op->ctx);
    }
    if (made)
        sh->subject = rx_hold(made);
    return made;
}

static void share_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct share *sh = rx_state(stream);
    struct rx_sub *s = rx_sub_new(sizeof *s, &sharer_role, stream, down);
    if (!s)
        return;
    sh->refs++;
    if (!sh->failed && !sh->completed)
        cancel_reset(sh);
    struct rx_stream *subject = share_subject(stream);
    if (!subject) {
        rx_abort_thrown(s);
        return;
    }
    rx_attach(subject, s);
    if (sh->connected || sh->refs == 0)
        return;
    struct rx_connection *connection = rx_connection_new(stream, &shared_role, subject);
    if (!connection) {
        rx_subject_error(subject, rx_full_error());
        return;
    }
    sh->connection = connection;
    sh->connected = true;
    rx_attach(stream->source, &connection->sub);
}

static void share_destroy(struct rx_stream *stream)
{
    struct share *sh = rx_state(stream);
    if (sh->subject)
        rx_unref(stream->rx, sh->subject);
}

struct rx_op rx_share_cfg(struct rx_share_cfg cfg)
{
    return (struct rx_op){.attach = share_attach,
                          .destroy = share_destroy,
                          .extra = sizeof(struct share),
                          .fn = (void (*)(void))cfg.connector,
                          .fn2 = (void (*)(void))cfg.reset_on_error,
                          .fn3 = (void (*)(void))cfg.reset_on_complete,
                          .fn4 = (void (*)(void))cfg.reset_on_zero,
                          .ctx = cfg.ctx,
                          .a = (cfg.keep_on_error ? KEEP_ON_ERROR : 0) |
                               (cfg.keep_on_complete ? KEEP_ON_COMPLETE : 0) |
                               (cfg.keep_on_zero ? KEEP_ON_ZERO : 0)};
}

struct rx_op rx_share_replay_cfg(struct rx_share_replay_cfg cfg)
{
    return (struct rx_op){.attach = share_attach,
                          .destroy = share_destroy,
                          .extra = sizeof(struct share),
                          .a = REPLAYING | KEEP_ON_COMPLETE | (cfg.ref_count ? 0 : KEEP_ON_ZERO),
                          .b = (int64_t)cfg.count,
                          .c = cfg.window_ms > 0 ? cfg.window_ms : RX_FOREVER};
}

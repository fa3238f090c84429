/* rx_share.c - one subscription for many: publish, multicast, connect, ref_count; share,
 * share_replay. */
#include "core/rx_subject.h"

/* A connection to the source: a root that speaks into a subject. */
struct connection {
    struct rx_sub sub;
    struct rx_stream *subject; /* kept */
};

static void connection_next(struct rx_sub *sub, struct rx_value v)
{
    rx_subject_next(((struct connection *)sub)->subject, v);
}

static struct connection *connection_new(struct rx_stream *stream, const struct rx_role *role,
                                         struct rx_stream *subject)
{
    struct connection *c = rx_sub_root(stream->rx, sizeof *c, role, stream);
    if (c)
        c->subject = rx_hold(subject);
    return c;
}

/* ---- connectable streams ---- */

struct connectable {
    struct rx_stream *subject;     /* kept, of the present connection; NULL: none yet */
    struct rx_stream *only;        /* kept: rx_publish has one for all its life */
    struct connection *connection; /* NULL: not connected */
    int64_t refs;                  /* of rx_ref_count */
    uint64_t connections;          /* so far */
};

static void connectable_attach(struct rx_stream *stream, struct rx_sub *down);

static struct connectable *connectable(const struct rx_stream *stream)
{
    assert(stream->op.attach == connectable_attach);
    return rx_state(stream);
}

/* NULL: thrown is set. */
static struct rx_stream *make_subject(struct rx *rx, void (*fn)(void), void *ctx)
{
    struct rx_stream *made = fn ? ((rx_make_fn)fn)(ctx) : rx_subject(rx);
    if (rx->has_thrown)
        return NULL;
    if (made && rx_is_subject(made))
        return made;
    rx_throw(rx, made == rx->full ? rx_full_error()
                                  : rx_error(BERTH_EINVAL, "rx: connector made no subject"));
    return NULL;
}

static struct rx_stream *present_subject(struct rx_stream *stream)
{
    struct connectable *c = connectable(stream);
    struct rx *rx = stream->rx;
    const struct rx_op *op = &stream->op;
    if (c->subject && !((struct rx_subject *)rx_state(c->subject))->stopped)
        return c->subject;
    if (!op->fn && !c->only) {
        c->only = make_subject(rx, NULL, NULL);
        if (c->only)
            rx_ref(c->only);
    }
    struct rx_stream *made = op->fn ? make_subject(rx, op->fn, op->ctx) : c->only;
    if (!made)
        return NULL;
    rx_ref(made);
    if (c->subject)
        rx_unref(rx, c->subject);
    c->subject = made;
    return made;
}

static void connectable_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx_stream *subject = present_subject(stream);
    if (subject)
        rx_attach(subject, down);
    else
        rx_sub_error(down, rx_take_thrown(down->rx));
}

static void connectable_destroy(struct rx_stream *stream)
{
    struct connectable *c = rx_state(stream);
    if (c->subject)
        rx_unref(stream->rx, c->subject);
    if (c->only)
        rx_unref(stream->rx, c->only);
}

static void tear_down(struct rx_stream *stream)
{
    struct connectable *c = connectable(stream);
    struct connection *connection = c->connection;
    c->refs = 0;
    if (c->subject)
        rx_unref(stream->rx, c->subject);
    c->subject = NULL;
    c->connection = NULL;
    if (connection)
        rx_close(&connection->sub);
}

static void published_error(struct rx_sub *sub, struct rx_value e)
{
    struct rx_stream *subject =
        ((struct connection *)sub)->subject; /* readable until this call ends */
    tear_down(sub->stream);
    rx_subject_error(subject, e);
}

static void published_complete(struct rx_sub *sub)
{
    struct rx_stream *subject = ((struct connection *)sub)->subject;
    tear_down(sub->stream);
    rx_subject_complete(subject);
}

static void published_dispose(struct rx_sub *sub)
{
    struct connectable *c = connectable(sub->stream);
    if ((struct rx_sub *)c->connection == sub)
        tear_down(sub->stream);
    rx_unref(sub->rx, ((struct connection *)sub)->subject);
}

static const struct rx_role published_role = {connection_next, published_error, published_complete,
                                              published_dispose};

void rx_connect(struct rx_stream *stream)
{
    struct rx *rx = stream->rx;
    struct connectable *c = connectable(stream);
    if (c->connection || !rx_enter(rx))
        return;
    struct rx_stream *subject = present_subject(stream);
    if (subject) {
        struct connection *connection = connection_new(stream, &published_role, subject);
        c->connection = connection;
        c->connections++;
        if (connection)
            rx_attach(stream->source, &connection->sub);
        else
            rx_subject_error(subject, rx_full_error());
    } else {
        rx_report_unhandled(rx, rx_take_thrown(rx));
    }
    rx_leave(rx);
}

void rx_disconnect(struct rx_stream *stream)
{
    struct connectable *c = connectable(stream);
    bool entered = rx_enter(stream->rx);
    if (c->connection)
        rx_close(&c->connection->sub);
    if (entered)
        rx_leave(stream->rx);
}

struct rx_op rx_multicast(rx_make_fn make, void *ctx)
{
    return (struct rx_op){.attach = connectable_attach,
                          .destroy = connectable_destroy,
                          .extra = sizeof(struct connectable),
                          .fn = (void (*)(void))make,
                          .ctx = ctx};
}

struct rx_op rx_publish(void)
{
    return rx_multicast(NULL, NULL);
}

/* ---- ref_count ---- */

struct ref_sub {
    struct rx_sub sub;
    uint64_t connection; /* which one it saw */
};

static void ref_dispose(struct rx_sub *sub)
{
    struct connectable *c = connectable(sub->stream->source);
    uint64_t seen = ((struct ref_sub *)sub)->connection;
    if (c->refs <= 0 || --c->refs > 0)
        return;
    if (c->connection && (seen == 0 || seen == c->connections))
        rx_close(&c->connection->sub);
}

static const struct rx_role ref_role = {rx_pass, rx_abort, rx_finish, ref_dispose};

static void ref_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct connectable *c = connectable(stream->source);
    struct ref_sub *s = rx_sub_new(sizeof *s, &ref_role, stream, down);
    if (!s)
        return;
    c->refs++;
    rx_attach(stream->source, &s->sub);
    if (s->sub.closed)
        return;
    rx_connect(stream->source);
    s->connection = c->connections;
}

struct rx_op rx_ref_count(void)
{
    return (struct rx_op){.attach = ref_attach};
}

/* ---- share ---- */

/* op: fn connector; fn2, fn3, fn4 notifiers for the resets; a: flags; b, c: size and window of the
 * replay. */
enum { KEEP_ON_ERROR = 1, KEEP_ON_COMPLETE = 2, KEEP_ON_ZERO = 4, REPLAYING = 8 };

struct share {
    struct rx_stream *subject;     /* kept; NULL: none */
    struct connection *connection; /* NULL: none, or over */
    struct rx_sub *reset;          /* waits for a notifier; NULL: not */
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
    struct connection *connection = sh->connection;
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
    struct rx_stream *stream = sub->stream, *subject = ((struct connection *)sub)->subject;
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
    struct rx_stream *stream = sub->stream, *subject = ((struct connection *)sub)->subject;
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
    rx_unref(sub->rx, ((struct connection *)sub)->subject);
}

static const struct rx_role shared_role = {connection_next, shared_error, shared_complete,
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
        made = make_subject(stream->rx, op->fn, op->ctx);
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
    struct connection *connection = connection_new(stream, &shared_role, subject);
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

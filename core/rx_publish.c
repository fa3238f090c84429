/* rx_publish.c - connectable streams: publish, multicast, connect, ref_count. */
#include "core/rx_subject.h"

struct connectable {
    struct rx_stream *subject;        /* kept, of the present connection; NULL: none yet */
    struct rx_stream *only;           /* kept: rx_publish has one for all its life */
    struct rx_connection *connection; /* NULL: not connected */
    int64_t refs;                     /* of rx_ref_count */
    uint64_t connections;             /* so far */
};

static void connectable_attach(struct rx_stream *stream, struct rx_sub *down);

static struct connectable *connectable(const struct rx_stream *stream)
{
    assert(stream->op.attach == connectable_attach);
    return rx_state(stream);
}

static struct rx_stream *present_subject(struct rx_stream *stream)
{
    struct connectable *c = connectable(stream);
    struct rx *rx = stream->rx;
    const struct rx_op *op = &stream->op;
    if (c->subject && !((struct rx_subject *)rx_state(c->subject))->stopped)
        return c->subject;
    if (!op->fn && !c->only) {
        c->only = rx_make_subject(rx, NULL, NULL);
        if (c->only)
            rx_ref(c->only);
    }
    struct rx_stream *made = op->fn ? rx_make_subject(rx, op->fn, op->ctx) : c->only;
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
    struct rx_connection *connection = c->connection;
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
        ((struct rx_connection *)sub)->subject; /* readable until this call ends */
    tear_down(sub->stream);
    rx_subject_error(subject, e);
}

static void published_complete(struct rx_sub *sub)
{
    struct rx_stream *subject = ((struct rx_connection *)sub)->subject;
    tear_down(sub->stream);
    rx_subject_complete(subject);
}

static void published_dispose(struct rx_sub *sub)
{
    struct connectable *c = connectable(sub->stream);
    if ((struct rx_sub *)c->connection == sub)
        tear_down(sub->stream);
    rx_unref(sub->rx, ((struct rx_connection *)sub)->subject);
}

static const struct rx_role published_role = {rx_connection_next, published_error,
                                              published_complete, published_dispose};

void rx_connect(struct rx_stream *stream)
{
    struct rx *rx = stream->rx;
    struct connectable *c = connectable(stream);
    if (c->connection || !rx_enter(rx))
        return;
    struct rx_stream *subject = present_subject(stream);
    if (subject) {
        struct rx_connection *connection = rx_connection_new(stream, &published_role, subject);
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

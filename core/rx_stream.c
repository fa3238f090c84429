/* rx_stream.c - the nodes that describe streams: making, piping, holding, forgetting. */
#include "core/rx_internal.h"

static struct rx_stream *node_new(struct rx *rx, struct rx_stream *source, const struct rx_op *op)
{
    bool streams = op->streams && op->count > 0, values = op->values && op->count > 0;
    size_t extra = (op->extra + 15) / 16 * 16;
    size_t items = op->count;
    if (items > SIZE_MAX / 64)
        return NULL;
    size_t tail =
        (streams ? items * sizeof(void *) : 0) + (values ? items * sizeof *op->values : 0);
    struct rx_stream *s = rx_alloc(rx, sizeof *s + extra + tail, RX_NODE);
    if (!s)
        return NULL;
    s->rx = rx;
    s->op = *op;
    s->source = source;
    char *at = (char *)(s + 1) + extra;
    if (source)
        rx_ref(source);
    if (op->other)
        rx_ref(op->other);
    rx_keep(op->value);
    if (values) {
        memcpy(at, op->values, items * sizeof *op->values);
        s->op.values = (const struct rx_value *)(void *)at;
        for (size_t i = 0; i < items; i++)
            rx_keep(op->values[i]);
    } else if (streams) {
        memcpy(at, op->streams, items * sizeof(void *));
        s->op.streams = (struct rx_stream *const *)(void *)at;
        for (size_t i = 0; i < items; i++)
            rx_ref(op->streams[i]);
    }
    return s;
}

struct rx_stream *rx_stream_new(struct rx *rx, struct rx_stream *source, const struct rx_op *op)
{
    struct rx_stream *s = node_new(rx, source, op);
    if (!s)
        return rx->full;
    if (rx->depth > 0) /* made inside a call: held by whoever subscribes */
        rx_unref(rx, s);
    return s;
}

void rx_stream_destroy(struct rx *rx, struct rx_stream *s)
{
    if (s->op.destroy)
        s->op.destroy(s);
    if (s->source)
        rx_unref(rx, s->source);
    if (s->op.other)
        rx_unref(rx, s->op.other);
    rx_drop(rx, s->op.value);
    for (size_t i = 0; i < s->op.count; i++) {
        if (s->op.values)
            rx_drop(rx, s->op.values[i]);
        if (s->op.streams)
            rx_unref(rx, s->op.streams[i]);
    }
}

struct rx_stream *rx_pipe_n(struct rx_stream *source, const struct rx_op *ops, size_t count)
{
    struct rx *rx = source->rx;
    struct rx_stream *s = source;
    for (size_t i = 0; i < count; i++) {
        struct rx_stream *step = s == rx->full ? s : rx_stream_new(rx, s, &ops[i]);
        if (rx->depth == 0 && s != source && s != rx->full)
            rx_unref(rx, s); /* the next step holds it */
        s = step;
    }
    return s;
}

struct rx_stream *rx_hold(struct rx_stream *stream)
{
    rx_ref(stream);
    return stream;
}

void rx_forget(struct rx_stream *stream)
{
    struct rx *rx = stream->rx;
    if (stream == rx->full || stream == rx->empty || stream == rx->never)
        return;
    bool entered = rx_enter(rx);
    rx_unref(rx, stream);
    if (entered)
        rx_leave(rx);
}

/* ---- those that every rx has ---- */

static void full_attach(struct rx_stream *stream, struct rx_sub *down)
{
    rx_sub_error(down, rx_full_error());
}

static void empty_attach(struct rx_stream *stream, struct rx_sub *down)
{
    rx_sub_complete(down);
}

static void never_attach(struct rx_stream *stream, struct rx_sub *down)
{
}

void rx_streams_init(struct rx *rx)
{
    rx->full = node_new(rx, NULL, &(struct rx_op){.attach = full_attach});
    rx->empty = node_new(rx, NULL, &(struct rx_op){.attach = empty_attach});
    rx->never = node_new(rx, NULL, &(struct rx_op){.attach = never_attach});
}

struct rx_stream *rx_empty(struct rx *rx)
{
    return rx->empty;
}

struct rx_stream *rx_never(struct rx *rx)
{
    return rx->never;
}

/* rx_buffer.c - operators that gather values into lists: buffer_count, buffer_time. */
#include "core/rx_internal.h"

/* A list being filled. */
struct buffer {
    struct buffer *next;
    struct buffers_sub *owner;
    struct rx_seq seq;
    struct rx_timer timer; /* buffer_time: closes it */
    uint64_t id;           /* grows */
};

struct buffers_sub {
    struct rx_sub sub;
    struct buffer *first, *last; /* oldest first */
    uint64_t ids;
    struct rx_timer opener; /* buffer_time with every_ms */
};

static struct buffer *buffer_open(struct buffers_sub *s)
{
    struct buffer *b = rx_alloc(s->sub.rx, sizeof *b, RX_RAW);
    if (!b) {
        rx_abort(&s->sub, rx_full_error());
        return NULL;
    }
    b->owner = s;
    b->id = s->ids++;
    if (s->last)
        s->last->next = b;
    else
        s->first = b;
    s->last = b;
    return b;
}

/* Take it out of the list and give it back to the arena; what it gathered is `ret`'s. */
static void buffer_close(struct buffers_sub *s, struct buffer *b, struct rx_seq *ret)
{
    struct buffer **at = &s->first, *before = NULL;
    while (*at != b) {
        before = *at;
        at = &before->next;
    }
    *at = b->next;
    if (s->last == b)
        s->last = before;
    *ret = b->seq;
    rx_timer_cancel(s->sub.rx, &b->timer);
    rx_free_now(s->sub.rx, b);
}

/* Close it and say the list. */
static void buffer_say(struct buffers_sub *s, struct buffer *b)
{
    struct rx_seq seq;
    buffer_close(s, b, &seq);
    struct rx_value list = rx_seq_take(s->sub.rx, &seq);
    if (rx_thrown(&s->sub))
        rx_abort_thrown(&s->sub);
    else
        rx_next(s->sub.down, list);
}

static bool buffer_push(struct buffers_sub *s, struct buffer *b, struct rx_value v)
{
    if (rx_seq_push(s->sub.rx, &b->seq, v))
        return true;
    rx_abort(&s->sub, rx_full_error());
    return false;
}

static void buffers_complete(struct rx_sub *sub)
{
    struct buffers_sub *s = (struct buffers_sub *)sub;
    while (s->first && !sub->closed)
        buffer_say(s, s->first);
    if (!sub->closed)
        rx_finish(sub);
}

static void buffers_dispose(struct rx_sub *sub)
{
    struct buffers_sub *s = (struct buffers_sub *)sub;
    struct rx_seq seq;
    rx_timer_cancel(sub->rx, &s->opener);
    while (s->first) {
        buffer_close(s, s->first, &seq);
        rx_seq_clear(sub->rx, &seq);
    }
}

/* ---- buffer_count ---- */

static void count_next(struct rx_sub *sub, struct rx_value v)
{
    struct buffers_sub *s = (struct buffers_sub *)sub;
    const struct rx_op *op = &sub->stream->op;
    if (sub->index++ % (uint64_t)op->b == 0 && !buffer_open(s))
        return;
    for (struct buffer *b = s->first; b; b = b->next)
        if (!buffer_push(s, b, v))
            return;
    while (s->first && s->first->seq.count >= (size_t)op->a && !sub->closed)
        buffer_say(s, s->first);
}

static const struct rx_role count_role = {count_next, rx_abort, buffers_complete, buffers_dispose};

static void buffer_count_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct buffers_sub *s = rx_sub_new(sizeof *s, &count_role, stream, down);
    if (s)
        rx_attach(stream->source, &s->sub);
}

struct rx_op rx_buffer_count(size_t size, size_t start_every)
{
    if (size == 0)
        size = 1;
    return (struct rx_op){.attach = buffer_count_attach,
                          .a = (int64_t)size,
                          .b = (int64_t)(start_every ? start_every : size)};
}

/* ---- buffer_time ---- */

static void time_say(struct buffers_sub *s, struct buffer *b);

static void time_up(void *arg)
{
    struct buffer *b = arg;
    time_say(b->owner, b);
}

static void time_open(struct buffers_sub *s)
{
    struct buffer *b = buffer_open(s);
    if (b)
        rx_timer_set(s->sub.rx, &b->timer, s->sub.stream->op.a, time_up, b);
}

static void time_say(struct buffers_sub *s, struct buffer *b)
{
    buffer_say(s, b);
    if (s->sub.stream->op.b == 0 && !s->sub.closed && !s->sub.stopped)
        time_open(s);
}

static void time_open_next(void *arg)
{
    struct buffers_sub *s = arg;
    time_open(s);
    if (!s->sub.closed)
        rx_timer_set(s->sub.rx, &s->opener, s->sub.stream->op.b, time_open_next, s);
}

static struct buffer *first_between(const struct buffers_sub *s, uint64_t from, uint64_t to)
{
    for (struct buffer *b = s->first; b; b = b->next)
        if (b->id >= from)
            return b->id < to ? b : NULL;
    return NULL;
}

static void time_next(struct rx_sub *sub, struct rx_value v)
{
    struct buffers_sub *s = (struct buffers_sub *)sub;
    size_t max = (size_t)sub->stream->op.c;
    uint64_t end = s->ids, next = 0; /* saying a list may open and close others */
    for (struct buffer *b; !sub->closed && (b = first_between(s, next, end));) {
        next = b->id + 1;
        if (!buffer_push(s, b, v))
            return;
        if (max > 0 && b->seq.count >= max)
            time_say(s, b);
    }
}

static const struct rx_role time_role = {time_next, rx_abort, buffers_complete, buffers_dispose};

static void buffer_time_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct buffers_sub *s = rx_sub_new(sizeof *s, &time_role, stream, down);
    if (!s)
        return;
    if (stream->op.b > 0)
        rx_timer_set(s->sub.rx, &s->opener, stream->op.b, time_open_next, s);
    time_open(s);
    rx_attach(stream->source, &s->sub);
}

struct rx_op rx_buffer_time_cfg(struct rx_buffer_time_cfg cfg)
{
    return (struct rx_op){.attach = buffer_time_attach,
                          .a = cfg.span_ms > 0 ? cfg.span_ms : 1,
                          .b = cfg.every_ms > 0 ? cfg.every_ms : 0,
                          .c = (int64_t)cfg.max};
}

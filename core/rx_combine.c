/* rx_combine.c - several streams into one: combine_latest, zip, with_latest_from. (merge and
 * concat: rx_flat.c) */
#include "core/rx_internal.h"

/* One operator with a leg per input; what each last said is in `latest`. */
struct combine_sub {
    struct rx_sub sub;
    size_t count;
    size_t waiting; /* legs that have not said anything yet */
    size_t active;  /* legs that have not completed */
    struct input {
        struct rx_value latest; /* kept */
        struct rx_queue queue;  /* zip */
        bool has, done;
    } inputs[];
};

struct combine_leg {
    struct rx_sub sub;
    size_t at;
};

static struct input *input_of(struct rx_sub *leg)
{
    return &((struct combine_sub *)leg->down)->inputs[((struct combine_leg *)leg)->at];
}

static void combine_dispose(struct rx_sub *sub)
{
    struct combine_sub *s = (struct combine_sub *)sub;
    for (size_t i = 0; i < s->count; i++) {
        rx_drop(sub->rx, s->inputs[i].latest);
        rx_queue_clear(sub->rx, &s->inputs[i].queue);
        s->inputs[i].latest = rx_none();
    }
}

static void set_latest(struct rx_sub *op, struct input *input, struct rx_value v)
{
    struct combine_sub *s = (struct combine_sub *)op;
    rx_keep(v);
    rx_drop(op->rx, input->latest);
    input->latest = v;
    if (!input->has) {
        input->has = true;
        s->waiting--;
    }
}

/* Say the list of `values` (of latest, if NULL), preceded by `first` if there is one. */
static void say_latest(struct rx_sub *op, const struct rx_value *first)
{
    struct combine_sub *s = (struct combine_sub *)op;
    struct rx_seq list = {NULL, 0};
    bool ok = !first || rx_seq_push(op->rx, &list, *first);
    for (size_t i = 0; i < s->count && ok; i++)
        ok = rx_seq_push(op->rx, &list, s->inputs[i].latest);
    if (ok) {
        rx_next(op->down, rx_seq_take(op->rx, &list));
        return;
    }
    rx_seq_clear(op->rx, &list);
    rx_abort(op, rx_full_error());
}

static struct combine_sub *combine_new(struct rx_stream *stream, struct rx_sub *down,
                                       const struct rx_role *role)
{
    size_t count = stream->op.count;
    struct combine_sub *s =
        rx_sub_new(sizeof *s + count * sizeof(struct input), role, stream, down);
    if (s)
        s->count = s->waiting = s->active = count;
    return s;
}

static void attach_inputs(struct combine_sub *s, const struct rx_role *leg_role)
{
    struct rx_sub *op = &s->sub;
    struct rx_stream *stream = op->stream;
    for (size_t i = 0; i < stream->op.count; i++) {
        struct combine_leg *leg = rx_leg_new(sizeof *leg, leg_role, op);
        if (leg)
            leg->at = i;
        rx_attach(stream->op.streams[i], leg ? &leg->sub : op);
    }
}

/* ---- combine_latest ---- */

static void latest_next(struct rx_sub *leg, struct rx_value v)
{
    struct rx_sub *op = leg->down;
    set_latest(op, input_of(leg), v);
    if (((struct combine_sub *)op)->waiting == 0)
        say_latest(op, NULL);
}

static void latest_complete(struct rx_sub *leg)
{
    struct rx_sub *op = leg->down;
    if (--((struct combine_sub *)op)->active == 0)
        rx_finish(op);
    else
        rx_close(leg);
}

static const struct rx_role latest_leg = {latest_next, rx_leg_error, latest_complete, NULL};
static const struct rx_role combine_role = {rx_deaf, rx_abort, rx_finish, combine_dispose};

static void combine_latest_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct combine_sub *s = combine_new(stream, down, &combine_role);
    if (s)
        attach_inputs(s, &latest_leg);
}

static struct rx_stream *join(struct rx_stream *const *streams, size_t count,
                              void (*attach)(struct rx_stream *, struct rx_sub *))
{
    assert(count >= 1 && count <= RX_INPUTS_MAX);
    return rx_stream_new(streams[0]->rx, NULL,
                         &(struct rx_op){.attach = attach, .streams = streams, .count = count});
}

struct rx_stream *rx_combine_latest_n(struct rx_stream *const *streams, size_t count)
{
    return join(streams, count, combine_latest_attach);
}

/* ---- zip ---- */

static bool zip_ready(const struct combine_sub *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->inputs[i].queue.count == 0)
            return false;
    return true;
}

static bool zip_over(const struct combine_sub *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->inputs[i].done && s->inputs[i].queue.count == 0)
            return true;
    return false;
}

static void zip_next(struct rx_sub *leg, struct rx_value v)
{
    struct rx_sub *op = leg->down;
    struct combine_sub *s = (struct combine_sub *)op;
    if (!rx_queue_push(op->rx, &input_of(leg)->queue, v, 0)) {
        rx_abort(op, rx_full_error());
        return;
    }
    if (!zip_ready(s))
        return;
    for (size_t i = 0; i < s->count; i++) { /* take one of each */
        rx_drop(op->rx, s->inputs[i].latest);
        s->inputs[i].latest = rx_queue_pop(&s->inputs[i].queue).v;
    }
    say_latest(op, NULL);
    if (!op->closed && zip_over(s))
        rx_finish(op);
}

static void zip_complete(struct rx_sub *leg)
{
    struct rx_sub *op = leg->down;
    input_of(leg)->done = true;
    if (input_of(leg)->queue.count == 0)
        rx_finish(op);
    else
        rx_close(leg);
}

static const struct rx_role zip_leg = {zip_next, rx_leg_error, zip_complete, NULL};

static void zip_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct combine_sub *s = combine_new(stream, down, &combine_role);
    if (!s)
        return;
    struct rx_sub *op = &s->sub;
    for (size_t i = 0; i < stream->op.count && !op->closed; i++) {
        struct combine_leg *leg = rx_leg_new(sizeof *leg, &zip_leg, op);
        if (!leg)
            return;
        leg->at = i;
        rx_attach(stream->op.streams[i], &leg->sub);
    }
}

struct rx_stream *rx_zip_n(struct rx_stream *const *streams, size_t count)
{
    return join(streams, count, zip_attach);
}

/* ---- with_latest_from ---- */

static void from_next(struct rx_sub *leg, struct rx_value v)
{
    set_latest(leg->down, input_of(leg), v);
}

static void with_next(struct rx_sub *op, struct rx_value v)
{
    if (((struct combine_sub *)op)->waiting == 0)
        say_latest(op, &v);
}

static const struct rx_role from_leg = {from_next, rx_leg_error, rx_close, NULL};
static const struct rx_role with_role = {with_next, rx_abort, rx_finish, combine_dispose};

static void with_latest_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct combine_sub *s = combine_new(stream, down, &with_role);
    if (!s)
        return;
    attach_inputs(s, &from_leg);
    rx_attach(stream->source, &s->sub);
}

struct rx_op rx_with_latest_from_n(struct rx_stream *const *streams, size_t count)
{
    assert(count <= RX_INPUTS_MAX);
    return (struct rx_op){.attach = with_latest_attach, .streams = streams, .count = count};
}

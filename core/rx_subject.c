/* rx_subject.c - subjects: streams that are spoken into, and tell all who listen. */
#include "core/rx_subject.h"

struct rx_subject_sub {
    struct rx_sub sub;
    struct rx_subject_sub *before, *after;
    uint64_t joined; /* those who join during an emission are not told of it */
};

static struct rx_subject *state(const struct rx_stream *stream)
{
    assert(rx_is_subject(stream));
    return rx_state(stream);
}

/* ---- observers ---- */

static void unlink_observer(struct rx_subject *subject, struct rx_subject_sub *s)
{
    if (s->before)
        s->before->after = s->after;
    else
        subject->first = s->after;
    if (s->after)
        s->after->before = s->before;
    else
        subject->last = s->before;
}

static void observer_dispose(struct rx_sub *sub)
{
    struct rx_subject_sub *s = (struct rx_subject_sub *)sub;
    struct rx_subject *subject = state(sub->stream);
    subject->observers--;
    if (subject->emitting > 0) {
        rx_ref(s);
        subject->gone = true;
    } else {
        unlink_observer(subject, s);
    }
}

static const struct rx_role observer_role = {rx_pass, rx_abort, rx_finish, observer_dispose};

static void emission_over(struct rx *rx, struct rx_subject *subject)
{
    if (--subject->emitting > 0 || !subject->gone)
        return;
    subject->gone = false;
    for (struct rx_subject_sub *s = subject->first, *after; s; s = after) {
        after = s->after;
        if (s->sub.closed) {
            unlink_observer(subject, s);
            rx_unref(rx, s);
        }
    }
}

static struct rx_subject_sub *join(struct rx_stream *stream, struct rx_subject *subject,
                                   struct rx_sub *down)
{
    struct rx_subject_sub *s = rx_sub_new(sizeof *s, &observer_role, stream, down);
    if (!s)
        return NULL;
    s->joined = subject->joins++;
    s->before = subject->last;
    if (subject->last)
        subject->last->after = s;
    else
        subject->first = s;
    subject->last = s;
    subject->observers++;
    return s;
}

static void tell_end(const struct rx_subject *subject, struct rx_sub *s)
{
    if (subject->failed)
        rx_sub_error(s, subject->value);
    else
        rx_sub_complete(s);
}

/* ---- subscribing ---- */

static void trim(struct rx *rx, struct rx_subject *subject)
{
    struct rx_queue *past = &subject->past;
    while (subject->past_max > 0 && past->count > subject->past_max)
        rx_drop(rx, rx_queue_pop(past).v);
    if (subject->window_ms == RX_FOREVER)
        return;
    int64_t now = rx_now_ms(rx);
    while (past->count > 0 && rx_queue_at(past, 0)->at <= now)
        rx_drop(rx, rx_queue_pop(past).v);
}

/* From a copy: listening to the past may add to it. */
static void replay(struct rx_subject *subject, struct rx_sub *s, struct rx_sub *down)
{
    struct rx *rx = down->rx;
    trim(rx, subject);
    struct rx_seq copy = {NULL, 0};
    for (size_t i = 0; i < subject->past.count; i++)
        if (!rx_seq_push(rx, &copy, rx_queue_at(&subject->past, i)->v)) {
            rx_seq_clear(rx, &copy);
            rx_sub_error(down, rx_full_error());
            return;
        }
    for (size_t i = 0; i < copy.count && !down->closed && !(s && s->closed); i++)
        rx_next(down, copy.items[i]);
    rx_seq_clear(rx, &copy);
}

static void subject_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx_subject *subject = rx_state(stream);
    if (subject->stopped) {
        if (subject->sort == RX_REPLAY)
            replay(subject, NULL, down);
        tell_end(subject, down);
        return;
    }
    struct rx_subject_sub *s = join(stream, subject, down);
    if (!s)
        return;
    if (subject->sort == RX_REPLAY) {
        replay(subject, &s->sub, &s->sub);
        if (subject->stopped && !s->sub.stopped)
            tell_end(subject, &s->sub);
    } else if (subject->sort == RX_BEHAVIOR) {
        rx_next(&s->sub, subject->value);
    }
}

/* ---- speaking ---- */

static void end(struct rx_stream *stream, bool failed, struct rx_value error)
{
    struct rx_subject *subject = state(stream);
    struct rx *rx = stream->rx;
    if (subject->stopped)
        return;
    bool entered = rx_enter(rx);
    rx_ref(stream);
    subject->stopped = true;
    subject->failed = failed;
    if (failed) {
        rx_keep(error);
        rx_drop(rx, subject->value);
        subject->value = error;
    }
    subject->emitting++;
    for (struct rx_subject_sub *s = subject->first; s; s = s->after)
        tell_end(subject, &s->sub);
    emission_over(rx, subject);
    rx_unref(rx, stream);
    if (entered)
        rx_leave(rx);
}

void rx_subject_error(struct rx_stream *stream, struct rx_value error)
{
    end(stream, true, error);
}

void rx_subject_complete(struct rx_stream *stream)
{
    end(stream, false, rx_none());
}

/* Behavior and replay take note first, so that whoever asks meanwhile gets the new value. */
static bool remember(struct rx *rx, struct rx_subject *subject, struct rx_value v)
{
    if (subject->sort == RX_BEHAVIOR) {
        rx_keep(v);
        rx_drop(rx, subject->value);
        subject->value = v;
    } else if (subject->sort == RX_REPLAY) {
        int64_t until = RX_FOREVER;
        if (subject->window_ms != RX_FOREVER)
            until = rx_now_ms(rx) + subject->window_ms;
        if (!rx_queue_push(rx, &subject->past, v, until))
            return false;
        trim(rx, subject);
    }
    return true;
}

void rx_subject_next(struct rx_stream *stream, struct rx_value v)
{
    struct rx_subject *subject = state(stream);
    struct rx *rx = stream->rx;
    if (subject->stopped)
        return;
    if (!rx_enter(rx)) {
        end(stream, true, rx_error(BERTH_EFULL, "rx: calls nest too deep"));
        return;
    }
    rx_ref(stream);
    if (remember(rx, subject, v)) {
        uint64_t before = subject->joins;
        subject->emitting++;
        for (struct rx_subject_sub *s = subject->first; s && s->joined < before; s = s->after)
            rx_next(&s->sub, v);
        emission_over(rx, subject);
    } else {
        end(stream, true, rx_full_error());
    }
    rx_unref(rx, stream);
    rx_leave(rx);
}

/* ---- making ---- */

static void subject_destroy(struct rx_stream *stream)
{
    struct rx_subject *subject = rx_state(stream);
    rx_drop(stream->rx, subject->value);
    rx_queue_clear(stream->rx, &subject->past);
}

struct rx_stream *rx_subject_make(struct rx *rx, enum rx_subject_sort sort)
{
    struct rx_stream *stream = rx_stream_new(rx, NULL,
                                             &(struct rx_op){.attach = subject_attach,
                                                             .destroy = subject_destroy,
                                                             .extra = sizeof(struct rx_subject)});
    if (stream != rx->full) {
        struct rx_subject *subject = rx_state(stream);
        subject->sort = sort;
        subject->window_ms = RX_FOREVER;
    }
    return stream;
}

bool rx_is_subject(const struct rx_stream *stream)
{
    return stream->op.attach == subject_attach;
}

struct rx_stream *rx_subject(struct rx *rx)
{
    return rx_subject_make(rx, RX_PLAIN);
}

struct rx_stream *rx_behavior(struct rx *rx, struct rx_value initial)
{
    struct rx_stream *stream = rx_subject_make(rx, RX_BEHAVIOR);
    if (stream != rx->full) {
        rx_keep(initial);
        state(stream)->value = initial;
    }
    return stream;
}

struct rx_stream *rx_replay(struct rx *rx, size_t count, int64_t window_ms)
{
    struct rx_stream *stream = rx_subject_make(rx, RX_REPLAY);
    if (stream != rx->full) {
        state(stream)->past_max = count;
        state(stream)->window_ms = window_ms;
    }
    return stream;
}

size_t rx_subject_observers(const struct rx_stream *stream)
{
    return state(stream)->observers;
}

struct rx_value rx_behavior_value(const struct rx_stream *stream)
{
    return state(stream)->value;
}

/* ---- for those who share ---- */

void rx_connection_next(struct rx_sub *sub, struct rx_value v)
{
    rx_subject_next(((struct rx_connection *)sub)->subject, v);
}

struct rx_connection *rx_connection_new(struct rx_stream *stream, const struct rx_role *role,
                                        struct rx_stream *subject)
{
    struct rx_connection *c = rx_sub_root(stream->rx, sizeof *c, role, stream);
    if (c)
        c->subject = rx_hold(subject);
    return c;
}

struct rx_stream *rx_make_subject(struct rx *rx, void (*fn)(void), void *ctx)
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

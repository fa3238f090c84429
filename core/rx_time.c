/* rx_time.c - operators that thin out or hold back by time: throttle, debounce, audit, sample,
 * delay, timeout. */
#include "core/rx_internal.h"

/* A value held back, and a timer. */
struct hold_sub {
    struct rx_sub sub;
    struct rx_timer timer;
    struct rx_value held; /* kept */
    bool has;
    bool done; /* the source has completed */
    int64_t last_ms;
};

static void hold(struct hold_sub *s, struct rx_value v)
{
    rx_keep(v);
    rx_drop(s->sub.rx, s->held);
    s->held = v;
    s->has = true;
}

/* The caller gets the hold. */
static struct rx_value unhold(struct hold_sub *s)
{
    struct rx_value v = s->held;
    s->held = rx_none();
    s->has = false;
    return v;
}

/* Say what is held, if anything. */
static void say_held(struct hold_sub *s)
{
    if (!s->has)
        return;
    struct rx *rx = s->sub.rx;
    struct rx_value v = unhold(s);
    rx_next(s->sub.down, v);
    rx_drop(rx, v);
}

static void hold_dispose(struct rx_sub *sub)
{
    struct hold_sub *s = (struct hold_sub *)sub;
    rx_timer_cancel(sub->rx, &s->timer);
    rx_drop(sub->rx, unhold(s));
}

static struct hold_sub *hold_new(struct rx_stream *stream, struct rx_sub *down,
                                 const struct rx_role *role)
{
    return rx_sub_new(sizeof(struct hold_sub), role, stream, down);
}

static void hold_attach(struct rx_stream *stream, struct rx_sub *down, const struct rx_role *role)
{
    struct hold_sub *s = hold_new(stream, down, role);
    if (s)
        rx_attach(stream->source, &s->sub);
}

/* ---- throttle ---- */

static void throttle_open(void *arg);

static void throttle_say(struct hold_sub *s)
{
    if (!s->has)
        return;
    struct rx *rx = s->sub.rx;
    struct rx_value v = unhold(s);
    rx_next(s->sub.down, v);
    rx_drop(rx, v);
    if (!s->sub.closed && !s->done) /* each value that goes through closes the door again */
        rx_timer_set(rx, &s->timer, s->sub.stream->op.a, throttle_open, s);
}

static void throttle_open(void *arg)
{
    struct hold_sub *s = arg;
    if (s->sub.stream->op.b & RX_TRAILING) {
        throttle_say(s);
        if (s->done && !s->sub.closed)
            rx_finish(&s->sub);
    }
}

static void throttle_next(struct rx_sub *sub, struct rx_value v)
{
    struct hold_sub *s = (struct hold_sub *)sub;
    hold(s, v);
    if (s->timer.set)
        return;
    if (sub->stream->op.b & RX_LEADING)
        throttle_say(s);
    else
        rx_timer_set(sub->rx, &s->timer, sub->stream->op.a, throttle_open, s);
}

static void throttle_complete(struct rx_sub *sub)
{
    struct hold_sub *s = (struct hold_sub *)sub;
    s->done = true;
    if (!((sub->stream->op.b & RX_TRAILING) && s->has && s->timer.set))
        rx_finish(sub);
}

static const struct rx_role throttle_role = {throttle_next, rx_abort, throttle_complete,
                                             hold_dispose};

static void throttle_attach(struct rx_stream *stream, struct rx_sub *down)
{
    hold_attach(stream, down, &throttle_role);
}

struct rx_op rx_throttle_time_cfg(struct rx_throttle_cfg cfg)
{
    return (struct rx_op){
        .attach = throttle_attach, .a = cfg.ms, .b = cfg.edges ? (int64_t)cfg.edges : RX_LEADING};
}

/* ---- debounce ---- */

static void debounce_fire(void *arg)
{
    struct hold_sub *s = arg;
    int64_t target = s->last_ms + s->sub.stream->op.a, now = rx_now_ms(s->sub.rx);
    if (now < target) /* values came meanwhile: one timer serves a whole burst */
        rx_timer_set(s->sub.rx, &s->timer, target - now, debounce_fire, s);
    else
        say_held(s);
}

static void debounce_next(struct rx_sub *sub, struct rx_value v)
{
    struct hold_sub *s = (struct hold_sub *)sub;
    hold(s, v);
    s->last_ms = rx_now_ms(sub->rx);
    if (!s->timer.set)
        rx_timer_set(sub->rx, &s->timer, sub->stream->op.a, debounce_fire, s);
}

static void debounce_complete(struct rx_sub *sub)
{
    struct hold_sub *s = (struct hold_sub *)sub;
    rx_timer_cancel(sub->rx, &s->timer);
    say_held(s);
    rx_finish(sub);
}

static const struct rx_role debounce_role = {debounce_next, rx_abort, debounce_complete,
                                             hold_dispose};

static void debounce_attach(struct rx_stream *stream, struct rx_sub *down)
{
    hold_attach(stream, down, &debounce_role);
}

struct rx_op rx_debounce_time(int64_t ms)
{
    return (struct rx_op){.attach = debounce_attach, .a = ms};
}

/* ---- audit ---- */

static void audit_fire(void *arg)
{
    struct hold_sub *s = arg;
    say_held(s);
    if (s->done && !s->sub.closed)
        rx_finish(&s->sub);
}

static void audit_next(struct rx_sub *sub, struct rx_value v)
{
    struct hold_sub *s = (struct hold_sub *)sub;
    hold(s, v);
    if (!s->timer.set)
        rx_timer_set(sub->rx, &s->timer, sub->stream->op.a, audit_fire, s);
}

static void audit_complete(struct rx_sub *sub)
{
    struct hold_sub *s = (struct hold_sub *)sub;
    s->done = true;
    if (!s->has || !s->timer.set)
        rx_finish(sub);
}

static const struct rx_role audit_role = {audit_next, rx_abort, audit_complete, hold_dispose};

static void audit_attach(struct rx_stream *stream, struct rx_sub *down)
{
    hold_attach(stream, down, &audit_role);
}

struct rx_op rx_audit_time(int64_t ms)
{
    return (struct rx_op){.attach = audit_attach, .a = ms};
}

/* ---- sample ---- */

static void sample_next(struct rx_sub *sub, struct rx_value v)
{
    hold((struct hold_sub *)sub, v);
}

static void notifier_next(struct rx_sub *leg, struct rx_value v)
{
    say_held((struct hold_sub *)leg->down);
}

static const struct rx_role sample_role = {sample_next, rx_abort, rx_finish, hold_dispose};
static const struct rx_role notifier_role = {notifier_next, rx_leg_error, rx_close, NULL};

static void sample_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct hold_sub *s = hold_new(stream, down, &sample_role);
    if (!s)
        return;
    rx_attach(stream->source, &s->sub);
    struct rx_sub *leg = rx_leg_new(sizeof *leg, &notifier_role, &s->sub);
    rx_attach(stream->op.other, leg ? leg : &s->sub);
}

struct rx_op rx_sample(struct rx_stream *notifier)
{
    return (struct rx_op){.attach = sample_attach, .other = notifier};
}

static void sample_tick(void *arg)
{
    struct hold_sub *s = arg;
    rx_timer_set(s->sub.rx, &s->timer, s->sub.stream->op.a, sample_tick, s);
    say_held(s);
}

static void sample_time_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct hold_sub *s = hold_new(stream, down, &sample_role);
    if (!s)
        return;
    rx_attach(stream->source, &s->sub);
    if (!s->sub.closed)
        rx_timer_set(s->sub.rx, &s->timer, stream->op.a, sample_tick, s);
}

struct rx_op rx_sample_time(int64_t period_ms)
{
    return (struct rx_op){.attach = sample_time_attach, .a = period_ms > 0 ? period_ms : 1};
}

/* ---- delay ---- */

struct delay_sub {
    struct rx_sub sub;
    struct rx_timer timer; /* of the first in the queue */
    struct rx_queue queue;
    bool done;
};

static void delay_fire(void *arg)
{
    struct delay_sub *s = arg;
    struct rx *rx = s->sub.rx;
    struct rx_value v = rx_queue_pop(&s->queue).v;
    if (s->queue.count > 0) {
        struct rx_queued *next = rx_queue_at(&s->queue, 0);
        rx_timer_set_at(rx, &s->timer, next->at, next->seq, delay_fire, s);
    }
    rx_next(s->sub.down, v);
    rx_drop(rx, v);
    if (s->done && s->queue.count == 0 && !s->sub.closed)
        rx_finish(&s->sub);
}

static void delay_next(struct rx_sub *sub, struct rx_value v)
{
    struct delay_sub *s = (struct delay_sub *)sub;
    const struct rx_op *op = &sub->stream->op;
    int64_t now = rx_now_ms(sub->rx), due = op->b ? op->a : now + op->a;
    if (due < now)
        due = now;
    if (!rx_queue_push(sub->rx, &s->queue, v, due)) {
        rx_abort(sub, rx_full_error());
        return;
    }
    struct rx_queued *first = rx_queue_at(&s->queue, 0);
    if (s->queue.count == 1)
        rx_timer_set_at(sub->rx, &s->timer, first->at, first->seq, delay_fire, s);
}

static void delay_complete(struct rx_sub *sub)
{
    struct delay_sub *s = (struct delay_sub *)sub;
    s->done = true;
    if (s->queue.count == 0)
        rx_finish(sub);
}

static void delay_dispose(struct rx_sub *sub)
{
    struct delay_sub *s = (struct delay_sub *)sub;
    rx_timer_cancel(sub->rx, &s->timer);
    rx_queue_clear(sub->rx, &s->queue);
}

static const struct rx_role delay_role = {delay_next, rx_abort, delay_complete, delay_dispose};

static void delay_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct delay_sub *s = rx_sub_new(sizeof *s, &delay_role, stream, down);
    if (s)
        rx_attach(stream->source, &s->sub);
}

struct rx_op rx_delay(int64_t ms)
{
    return (struct rx_op){.attach = delay_attach, .a = ms < RX_FOREVER / 2 ? ms : RX_FOREVER / 2};
}

struct rx_op rx_delay_until(int64_t at_ms)
{
    return (struct rx_op){.attach = delay_attach, .a = at_ms, .b = 1};
}

/* ---- timeout ---- */

struct timeout_sub {
    struct rx_sub sub;
    struct rx_timer timer;
    int64_t seen;
};

static void timeout_fire(void *arg)
{
    struct timeout_sub *s = arg;
    struct rx_sub *down = s->sub.down;
    struct rx *rx = s->sub.rx;
    const struct rx_op *op = &s->sub.stream->op; /* readable until this call ends */
    int64_t seen = s->seen;
    rx_close(&s->sub);
    if (!op->fn) {
        rx_sub_error(down, rx_error(BERTH_ETIMEOUT, "Timeout has occurred"));
        return;
    }
    struct rx_stream *instead = ((rx_flat_fn)op->fn)(op->ctx, rx_int(seen));
    if (rx->has_thrown)
        rx_sub_error(down, rx_take_thrown(rx));
    else
        rx_attach(instead ? instead : rx->empty, down);
}

static void timeout_next(struct rx_sub *sub, struct rx_value v)
{
    struct timeout_sub *s = (struct timeout_sub *)sub;
    int64_t each = sub->stream->op.a;
    rx_timer_cancel(sub->rx, &s->timer);
    s->seen++;
    rx_next(sub->down, v);
    if (each > 0 && !sub->closed)
        rx_timer_set(sub->rx, &s->timer, each, timeout_fire, s);
}

static void timeout_dispose(struct rx_sub *sub)
{
    rx_timer_cancel(sub->rx, &((struct timeout_sub *)sub)->timer);
}

static const struct rx_role timeout_role = {timeout_next, rx_abort, rx_finish, timeout_dispose};

static void timeout_attach(struct rx_stream *stream, struct rx_sub *down)
{
    const struct rx_op *op = &stream->op;
    struct timeout_sub *s = rx_sub_new(sizeof *s, &timeout_role, stream, down);
    if (!s)
        return;
    rx_attach(stream->source, &s->sub);
    if (s->seen || s->sub.closed)
        return;
    int64_t first = op->a;
    if (op->b)
        first = op->b;
    else if (op->c)
        first = op->c - rx_now_ms(s->sub.rx);
    rx_timer_set(s->sub.rx, &s->timer, first, timeout_fire, s);
}

struct rx_op rx_timeout_cfg(struct rx_timeout_cfg cfg)
{
    assert(cfg.each_ms > 0 || cfg.first_ms > 0 || cfg.first_at_ms != 0);
    return (struct rx_op){.attach = timeout_attach,
                          .fn = (void (*)(void))cfg.with,
                          .ctx = cfg.ctx,
                          .a = cfg.each_ms,
                          .b = cfg.first_ms,
                          .c = cfg.first_at_ms};
}

/* Streams: the bytes are a program that builds pipelines on a small arena, subscribes, speaks, lets
 * time pass and unsubscribes, from outside and from inside. Nothing breaks, and in the end nothing
 * is left in the arena. */
#include "core/rx_internal.h"
#include "core/rx_marble.h"

#include <assert.h>

#define STREAMS_MAX 48
#define HANDLES 4
#define GROWING_MAX 6 /* operators that multiply what passes */

struct program {
    const uint8_t *at, *end;
    struct rx rx;
    struct rx_virtual clock;
    struct rx_stream
        *streams[STREAMS_MAX]; /* all that were made: the last is what operators apply to */
    size_t count;
    struct rx_stream *subject;
    struct rx_subscription handles[HANDLES];
    int growing;
    int fuel; /* user functions that may still be called */
    struct rx_value start[2];
    struct rx_marble marble;
    struct rx_marble_input input;
};

static uint8_t byte(struct program *p)
{
    return p->at < p->end ? *p->at++ : 0;
}

/* Streams that multiply must end somewhere. */
static bool spend(struct program *p)
{
    if (p->fuel-- > 0)
        return true;
    p->fuel = 0;
    rx_throw(&p->rx, rx_error(BERTH_EAGAIN, "no fuel"));
    return false;
}

static struct rx_value boxed(void *ctx, struct rx_value v)
{
    struct program *p = ctx;
    if (!spend(p))
        return v;
    return rx_box(&p->rx, &v, sizeof v);
}

static struct rx_value key(void *ctx, struct rx_value v)
{
    return rx_int(((struct program *)ctx)->fuel % 3);
}

static bool odd(void *ctx, struct rx_value v)
{
    return spend(ctx) && rx_index(&((struct program *)ctx)->rx) % 2 != 0;
}

static struct rx_value pair(void *ctx, struct rx_value sum, struct rx_value v)
{
    struct program *p = ctx;
    if (!spend(p))
        return v;
    return rx_list(&p->rx, (const struct rx_value[]){v, sum.kind == RX_LIST ? rx_int(1) : sum}, 2);
}

static struct rx_stream *source(void *ctx)
{
    struct program *p = ctx;
    if (!spend(p))
        return NULL;
    struct rx_value values[] = {rx_int(1), rx_text_copy(&p->rx, SPAN("two")), rx_int(3)};
    switch (byte(p) % 5) {
    case 0:
        return rx_from(&p->rx, values, byte(p) % 4u);
    case 1:
        return rx_timer(&p->rx, byte(p) % 8);
    case 2:
        return p->subject;
    case 3:
        return rx_fail(&p->rx, rx_box(&p->rx, "error", 6));
    default:
        return rx_pipe(rx_interval(&p->rx, 1 + byte(p) % 8), rx_take(4), rx_map(boxed, p));
    }
}

static struct rx_stream *inner(void *ctx, struct rx_value v)
{
    return v.kind == RX_STREAM ? v.stream : source(ctx);
}

static struct rx_stream *wait(void *ctx, struct rx_value error, uint64_t count)
{
    return count > 3 ? NULL : source(ctx);
}

static struct rx_stream *behavior(void *ctx)
{
    return rx_behavior(&((struct program *)ctx)->rx, boxed(ctx, rx_int(1)));
}

static void act(void *ctx, struct rx_value v);
static void act_end(void *ctx)
{
    act(ctx, rx_none());
}

static void subscribe(struct program *p, size_t stream, size_t handle)
{
    if (p->count == 0 || rx_open(&p->handles[handle % HANDLES]))
        return;
    rx_subscribe(p->streams[stream % p->count],
                 (struct rx_observer){.next = act, .error = act, .complete = act_end, .ctx = p},
                 &p->handles[handle % HANDLES]);
}

/* What a subscriber does from inside. */
static void act(void *ctx, struct rx_value v)
{
    struct program *p = ctx;
    if (p->fuel-- <= 0) {
        p->fuel = 0;
        return;
    }
    uint8_t b = byte(p);
    switch (b % 8) {
    case 1:
        rx_unsubscribe(&p->handles[b / 8 % HANDLES]);
        break;
    case 2:
        rx_subject_next(p->subject, v);
        break;
    case 3:
        subscribe(p, b / 8, b / 64);
        break;
    case 4:
        rx_throw(&p->rx, rx_int(4));
        break;
    default:
        break;
    }
}

static struct rx_op op(struct program *p, uint8_t which)
{
    int64_t n = byte(p) % 6;
    bool grow = p->growing < GROWING_MAX;
    switch (which % 36) {
    case 0:
        return rx_map(boxed, p);
    case 1:
        return rx_filter(odd, p);
    case 2:
        return rx_scan(pair, p, rx_int(0));
    case 3:
        return rx_reduce_first(pair, p);
    case 4:
        return rx_to_array();
    case 5:
        return rx_pairwise();
    case 6:
        return rx_distinct_until_changed_by(NULL, key, p);
    case 7:
        return rx_start_with_n(p->start, 2);
    case 8:
        return rx_take(n);
    case 9:
        return rx_skip(n);
    case 10:
        return rx_take_while(odd, p, n % 2);
    case 11:
        return rx_take_until(p->streams[(size_t)n % p->count]);
    case 12:
        return rx_throttle_time(n, (unsigned)n % 4);
    case 13:
        return rx_debounce_time(n);
    case 14:
        return rx_audit_time(n);
    case 15:
        return rx_sample_time(n);
    case 16:
        return rx_sample(p->streams[(size_t)n % p->count]);
    case 17:
        return rx_delay(n);
    case 18:
        return rx_timeout(.each_ms = n + 1, .with = n % 2 ? inner : NULL, .ctx = p);
    case 19:
        return rx_buffer_time(n, .every_ms = n / 2, .max = (size_t)n % 3);
    case 20:
        return rx_buffer_count((size_t)n, (size_t)n / 2);
    case 21:
        return rx_catch_error(inner, p);
    case 22:
        p->growing++;
        return grow ? rx_retry(.count = 2, .delay_ms = n / 2) : rx_ignore();
    case 23:
        p->growing++;
        return grow ? rx_repeat(.count = 2, .delay_ms = n / 2) : rx_ignore();
    case 24:
        p->growing++;
        return grow ? rx_retry(.wait = wait, .ctx = p) : rx_ignore();
    case 25:
        return rx_share(.keep_on_zero = n % 2, .reset_on_complete = n > 2 ? source : NULL,
                        .ctx = p);
    case 26:
        return rx_share_replay(.count = (size_t)n % 3, .window_ms = n, .ref_count = n % 2);
    case 27:
        return rx_share(.connector = behavior, .keep_on_error = n % 2, .ctx = p);
    case 28:
        p->growing++;
        return grow ? rx_merge_map(inner, p, (size_t)n % 3) : rx_ignore();
    case 29:
        return rx_switch_map(inner, p);
    case 30:
        return rx_exhaust_map(inner, p);
    case 31:
        return rx_group_by(.key = key, .duration = n % 2 ? inner : NULL, .ctx = p);
    case 32:
        return rx_with_latest_from_n(&p->streams[(size_t)n % p->count], 1);
    case 33:
        return rx_count(NULL, NULL);
    case 34:
        return rx_finalize(act_end, p);
    default:
        return rx_tap(act, p);
    }
}

static void push(struct program *p, struct rx_stream *stream)
{
    p->streams[p->count++] = stream;
}

static void build(struct program *p, uint8_t b)
{
    if (p->count == STREAMS_MAX)
        return;
    struct rx_stream *last = p->count ? p->streams[p->count - 1] : p->subject;
    struct rx_stream *other = p->count ? p->streams[b % p->count] : p->subject;
    if (p->count == 0 || b % 8 == 0) {
        push(p, rx_defer(&p->rx, source, p));
    } else if (b % 8 == 1 && p->growing++ < GROWING_MAX) {
        switch (b / 8 % 4) {
        case 0:
            push(p, rx_merge(last, other));
            break;
        case 1:
            push(p, rx_concat(last, other));
            break;
        case 2:
            push(p, rx_combine_latest(last, other));
            break;
        default:
            push(p, rx_zip(last, other));
            break;
        }
    } else {
        struct rx_op step = op(p, b / 2);
        push(p, rx_pipe_n(last, &step, 1));
    }
}

static void step(struct program *p)
{
    uint8_t b = byte(p);
    switch (b % 8) {
    case 0:
        rx_subject_next(p->subject, rx_int(b));
        break;
    case 1:
        rx_virtual_advance(&p->clock, &p->rx, p->clock.now_ms + b / 8 % 16);
        break;
    case 2:
        subscribe(p, b / 8, byte(p));
        break;
    case 3:
        rx_unsubscribe(&p->handles[b / 8 % HANDLES]);
        break;
    case 4:
        rx_subject_next(p->subject, rx_box(&p->rx, p, 40));
        break;
    case 5:
        if (b / 8 == 31)
            rx_subject_complete(p->subject);
        break;
    default:
        build(p, byte(p));
        break;
    }
}

/* The first bytes may be a marble diagram: any text is read without harm. */
static void add_marble(struct program *p)
{
    char text[64];
    size_t n = 0;
    while (n < sizeof text - 1 && p->at < p->end && *p->at)
        text[n++] = (char)*p->at++;
    text[n] = '\0';
    int64_t from, to;
    struct err err;
    if (rx_marble_parse_subscription(text, &from, &to, &err) == 0)
        assert(from >= 0); /* RX_FOREVER, too */
    if (rx_marble_parse(text, &p->marble, &err) != 0)
        return;
    rx_marble_cold(&p->rx, &p->input, p->marble.events, p->marble.count);
    push(p, p->input.stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(64) char arena[1 << 16];
    static struct program program;
    struct program *p = &program;
    *p = (struct program){
        .at = data, .end = data + size, .fuel = 3000, .start = {rx_int(1), rx_int(2)}};
    rx_virtual_init(&p->clock, 0);
    size_t room = 4096 + (size_t)byte(p) * 200;
    if (p->end - p->at > 2 && *p->at == '!') /* plenty of memory: more is reached */
        room = sizeof arena;
    if (rx_init(&p->rx, arena, room, rx_virtual_scheduler(&p->clock)) != 0)
        return 0;
    size_t empty = rx_used(&p->rx);
    p->subject = rx_subject(&p->rx);
    if (p->subject == p->rx.full) {
        rx_fini(&p->rx);
        return 0;
    }
    add_marble(p);
    while (p->at < p->end)
        step(p);
    for (size_t i = 0; i < HANDLES; i++)
        rx_unsubscribe(&p->handles[i]);
    for (size_t i = 0; i < p->count; i++)
        rx_forget(p->streams[i]);
    rx_forget(p->subject);
    assert(!p->rx.has_thrown && p->rx.depth == 0);
    bool entered = rx_enter(&p->rx); /* what shares keep connected goes, too, as in rx_fini() */
    assert(entered);
    while (p->rx.trunk->child)
        rx_close(p->rx.trunk->child);
    rx_leave(&p->rx);
    assert(rx_used(&p->rx) == empty && rx_deadline_ms(&p->rx) == RX_FOREVER);
    rx_fini(&p->rx);
    return 0;
}

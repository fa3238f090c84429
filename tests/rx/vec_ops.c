/* vec_ops.c - operators by their RxJS names and arguments. One row of the table at the end per
 * operator. */
#include "vec.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#define ARGS_MAX 64

/* The arguments without schedulers. */
struct args {
    struct vec *vec;
    size_t count;
    const json_t *at[ARGS_MAX];
};

static bool undefined(const json_t *json)
{
    return !json || json_is_null(json) || vec_tag(json, "$undef");
}

/* A whole number; Infinity is RX_FOREVER; text is read as a number; anything else is `otherwise`.
 */
static int64_t whole(const json_t *json, int64_t otherwise)
{
    double number;
    if (json_is_string(json))
        return strtoll(json_string_value(json), NULL, 10);
    if (!vec_number(json, &number) || isnan(number))
        return otherwise;
    if (number >= 9e15)
        return RX_FOREVER;
    return number <= -9e15 ? -RX_FOREVER : (int64_t)number;
}

/* A count whose Infinity is 0, and whose 0 and less are RX_NOT_AT_ALL. */
static int64_t times(const json_t *json)
{
    int64_t n = undefined(json) ? RX_FOREVER : whole(json, RX_FOREVER);
    if (n == RX_FOREVER)
        return 0;
    return n <= 0 ? RX_NOT_AT_ALL : n;
}

static const json_t *member(const json_t *json, const char *name)
{
    const json_t *value = json_is_object(json) ? json_object_get(json, name) : NULL;
    return undefined(value) ? NULL : value;
}

static bool is_config(const json_t *json)
{
    return json_is_object(json) && !vec_tag(json, "$ref") && !vec_tag(json, "$fn") &&
           !vec_tag(json, "$num") && !vec_tag(json, "$undef") && !vec_tag(json, "$date");
}

static bool say(struct vec *vec, const char *text)
{
    (void)snprintf(vec->why, sizeof vec->why, "%s", text);
    return false;
}

static bool pipe_op(struct vec *vec, struct rx_op op)
{
    if (!vec->source)
        return say(vec, "an operator without a source");
    vec->result = rx_pipe(vec->source, op);
    return true;
}

static struct vec_fn *fn_at(struct args *a, size_t i)
{
    return i < a->count ? vec_fn(a->vec, a->at[i]) : NULL;
}

static const json_t *arg(struct args *a, size_t i)
{
    return i < a->count ? a->at[i] : NULL;
}

static struct rx_stream *stream_at(struct args *a, size_t i)
{
    return vec_stream(a->vec, arg(a, i));
}

/* ---- value by value ---- */

static bool op_map(struct args *a)
{
    return fn_at(a, 0) && pipe_op(a->vec, rx_map(vec_map, fn_at(a, 0)));
}

static bool op_filter(struct args *a)
{
    return fn_at(a, 0) && pipe_op(a->vec, rx_filter(vec_test, fn_at(a, 0)));
}

static bool op_tap(struct args *a)
{
    if (a->count == 0 || undefined(a->at[0]))
        return pipe_op(a->vec, rx_start_with_n(NULL, 0));
    struct vec_fn *fn = fn_at(a, 0);
    if (!fn)
        fn = vec_fn(a->vec, member(a->at[0], "next"));
    return fn ? pipe_op(a->vec, rx_tap(vec_do, fn)) : pipe_op(a->vec, rx_start_with_n(NULL, 0));
}

static bool op_scan(struct args *a)
{
    struct vec_fn *fn = fn_at(a, 0);
    if (!fn)
        return false;
    if (a->count < 2)
        return pipe_op(a->vec, rx_scan_first(vec_fold, fn));
    return pipe_op(a->vec, rx_scan(vec_fold, fn, vec_value(a->vec, a->at[1])));
}

static bool op_reduce(struct args *a)
{
    struct vec_fn *fn = fn_at(a, 0);
    if (!fn)
        return false;
    if (a->count < 2)
        return pipe_op(a->vec, rx_reduce_first(vec_fold, fn));
    return pipe_op(a->vec, rx_reduce(vec_fold, fn, vec_value(a->vec, a->at[1])));
}

static bool op_count(struct args *a)
{
    struct vec_fn *fn = fn_at(a, 0);
    return pipe_op(a->vec, rx_count(fn ? vec_test : NULL, fn));
}

static bool op_to_array(struct args *a)
{
    return pipe_op(a->vec, rx_to_array());
}

static bool op_pairwise(struct args *a)
{
    return pipe_op(a->vec, rx_pairwise());
}

static bool op_ignore(struct args *a)
{
    return pipe_op(a->vec, rx_ignore());
}

static bool compare_keys(void *ctx, struct rx_value x, struct rx_value y)
{
    const struct vec_fn *fn = ctx;
    return fn->outer ? vec_equal((void *)(uintptr_t)fn->outer, x, y) : rx_same(x, y);
}

static bool op_distinct(struct args *a)
{
    struct vec_fn *equal = fn_at(a, 0), *key = fn_at(a, 1);
    if (key) {
        key->outer = equal;
        return pipe_op(a->vec, rx_distinct_until_changed_by(compare_keys, vec_map, key));
    }
    if (equal)
        return pipe_op(a->vec, rx_distinct_until_changed_by(vec_equal, NULL, equal));
    return pipe_op(a->vec, rx_distinct_until_changed());
}

static size_t values_of(struct args *a, struct rx_value *ret)
{
    for (size_t i = 0; i < a->count; i++)
        ret[i] = vec_value(a->vec, a->at[i]);
    return a->count;
}

static bool op_start_with(struct args *a)
{
    struct rx_value values[ARGS_MAX];
    size_t count = values_of(a, values);
    return pipe_op(a->vec, rx_start_with_n(values, count));
}

static bool op_end_with(struct args *a)
{
    struct rx_value values[ARGS_MAX];
    size_t count = values_of(a, values);
    if (!a->vec->source)
        return false;
    a->vec->result = rx_concat(a->vec->source, rx_from(&a->vec->rx, values, count));
    return true;
}

/* ---- limits ---- */

static bool op_take(struct args *a)
{
    return pipe_op(a->vec, rx_take(whole(arg(a, 0), 0)));
}

static bool op_skip(struct args *a)
{
    return pipe_op(a->vec, rx_skip(whole(arg(a, 0), 0)));
}

static bool op_take_while(struct args *a)
{
    return fn_at(a, 0) &&
           pipe_op(a->vec, rx_take_while(vec_test, fn_at(a, 0), vec_truthy(arg(a, 1))));
}

static bool op_take_until(struct args *a)
{
    return stream_at(a, 0) && pipe_op(a->vec, rx_take_until(stream_at(a, 0)));
}

/* ---- streams of streams ---- */

/* (project), (project, concurrent), (project, resultSelector), (project, resultSelector,
 * concurrent) */
static struct vec_fn *projector(struct args *a, size_t *ret_concurrent)
{
    struct vec_fn *fn = fn_at(a, 0), *select = fn_at(a, 1);
    const json_t *limit = arg(a, select || undefined(arg(a, 1)) ? 2 : 1);
    int64_t concurrent = whole(limit, RX_FOREVER);
    *ret_concurrent = concurrent == RX_FOREVER || concurrent < 0 ? 0 : (size_t)concurrent;
    if (fn)
        fn->outer = select;
    return fn;
}

static bool op_merge_map(struct args *a)
{
    size_t concurrent;
    struct vec_fn *fn = projector(a, &concurrent);
    return fn && pipe_op(a->vec, rx_merge_map(vec_flat, fn, concurrent));
}

static bool op_concat_map(struct args *a)
{
    size_t unused;
    struct vec_fn *fn = projector(a, &unused);
    return fn && pipe_op(a->vec, rx_concat_map(vec_flat, fn));
}

static bool op_switch_map(struct args *a)
{
    size_t unused;
    struct vec_fn *fn = projector(a, &unused);
    return fn && pipe_op(a->vec, rx_switch_map(vec_flat, fn));
}

static bool op_exhaust_map(struct args *a)
{
    size_t unused;
    struct vec_fn *fn = projector(a, &unused);
    return fn && pipe_op(a->vec, rx_exhaust_map(vec_flat, fn));
}

static struct rx_stream *itself(void *ctx, struct rx_value v)
{
    struct vec *vec = ctx;
    if (v.kind == RX_STREAM)
        return v.stream;
    struct rx_stream *stream = v.kind == RX_PTR ? vec_stream(vec, v.ptr) : NULL;
    if (!stream)
        rx_throw(&vec->rx, rx_text(SPAN("not a stream")));
    return stream;
}

static bool op_merge_all(struct args *a)
{
    int64_t concurrent = whole(arg(a, 0), RX_FOREVER);
    return pipe_op(a->vec,
                   rx_merge_map(itself, a->vec, concurrent == RX_FOREVER ? 0 : (size_t)concurrent));
}

static bool op_concat_all(struct args *a)
{
    return pipe_op(a->vec, rx_concat_map(itself, a->vec));
}

static bool op_switch_all(struct args *a)
{
    return pipe_op(a->vec, rx_switch_map(itself, a->vec));
}

static bool op_exhaust_all(struct args *a)
{
    return pipe_op(a->vec, rx_exhaust_map(itself, a->vec));
}

struct group_fns {
    struct vec_fn *key, *element, *duration, *connector;
};

static struct rx_value group_key(void *ctx, struct rx_value v)
{
    return vec_map(((struct group_fns *)ctx)->key, v);
}

static struct rx_value group_element(void *ctx, struct rx_value v)
{
    return vec_map(((struct group_fns *)ctx)->element, v);
}

static struct rx_stream *group_duration(void *ctx, struct rx_value v)
{
    return vec_flat(((struct group_fns *)ctx)->duration, v);
}

static struct rx_stream *group_connector(void *ctx)
{
    return vec_make_subject(((struct group_fns *)ctx)->connector);
}

static bool op_group_by(struct args *a)
{
    struct group_fns fns = {fn_at(a, 0), fn_at(a, 1), fn_at(a, 2), fn_at(a, 3)};
    const json_t *config = arg(a, 1);
    if (is_config(config)) {
        fns.element = vec_fn(a->vec, member(config, "element"));
        fns.duration = vec_fn(a->vec, member(config, "duration"));
        fns.connector = vec_fn(a->vec, member(config, "connector"));
    }
    if (!fns.key)
        return false;
    struct rx_value kept = rx_box(&a->vec->rx, &fns, sizeof fns);
    rx_keep(kept); /* until rx_fini */
    return kept.kind == RX_BOX &&
           pipe_op(a->vec,
                   rx_group_by(.key = group_key, .element = fns.element ? group_element : NULL,
                               .duration = fns.duration ? group_duration : NULL,
                               .connector = fns.connector ? group_connector : NULL,
                               .ctx = (void *)(uintptr_t)kept.ptr));
}

/* ---- joining ---- */

struct joined {
    struct rx_stream *streams[ARGS_MAX];
    size_t count;
    struct vec_fn *project;
    int64_t concurrent;
};

/* One array is the list of inputs, unless arrays_are_inputs. */
static bool take_streams(struct args *a, struct joined *ret, bool arrays_are_inputs)
{
    if (a->vec->source)
        ret->streams[ret->count++] = a->vec->source;
    size_t count = a->count;
    if (count > 0 && vec_fn(a->vec, a->at[count - 1]))
        ret->project = vec_fn(a->vec, a->at[--count]);
    if (count > 0 && arrays_are_inputs && vec_number(a->at[count - 1], &(double){0}))
        ret->concurrent = whole(a->at[--count], RX_FOREVER);
    if (count == 1 && json_is_array(a->at[0]) && !arrays_are_inputs) {
        bool all = json_array_size(a->at[0]) < ARGS_MAX - 1;
        for (size_t i = 0; all && i < json_array_size(a->at[0]); i++) {
            struct rx_stream *s = vec_stream(a->vec, json_array_get(a->at[0], i));
            if (s)
                ret->streams[ret->count++] = s;
            else
                all = false;
        }
        if (!all) { /* the array is the one input */
            ret->count = a->vec->source ? 1 : 0;
            ret->streams[ret->count++] = vec_stream(a->vec, a->at[0]);
        }
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        struct rx_stream *s = vec_stream(a->vec, a->at[i]);
        if (!s)
            return say(a->vec, "an input that is not a stream");
        ret->streams[ret->count++] = s;
    }
    return true;
}

static bool joined(struct args *a, struct joined *j,
                   struct rx_stream *(*join)(struct rx_stream *const *, size_t))
{
    struct vec *vec = a->vec;
    if (!take_streams(a, j, false))
        return false;
    vec->result = j->count ? join(j->streams, j->count) : rx_empty(&vec->rx);
    if (j->project)
        vec->result = rx_pipe(vec->result, rx_map(vec_join, j->project));
    return true;
}

/* combineLatest({a: x, b: y}): objects with the same members */
static struct rx_value name_members(void *ctx, struct rx_value list)
{
    const struct vec_fn *fn = ctx;
    json_t *object = json_object();
    for (uint32_t i = 0; i < list.size; i++) {
        const char *name = json_string_value(json_array_get(fn->table, i));
        json_object_set_new(object, name ? name : "", vec_json(fn->vec, list.items[i]));
    }
    struct rx_value v = vec_value(fn->vec, object);
    json_decref(object);
    return v;
}

static bool combine_members(struct args *a)
{
    struct vec *vec = a->vec;
    json_t *names = json_array(), *one;
    const char *name;
    struct rx_stream *streams[ARGS_MAX];
    size_t count = 0;
    json_array_append_new(vec->pool, names);
    json_object_foreach((json_t *)(uintptr_t)a->at[0], name, one)
    {
        streams[count] = vec_stream(vec, one);
        if (!streams[count] || ++count == ARGS_MAX)
            return false;
        json_array_append_new(names, json_string(name));
    }
    struct vec_fn *members = vec_bound(vec, NULL, rx_none());
    members->table = names;
    vec->result = count ? rx_combine_latest_n(streams, count) : rx_empty(&vec->rx);
    vec->result = rx_pipe(vec->result, rx_map(name_members, members));
    if (fn_at(a, 1))
        vec->result = rx_pipe(vec->result, rx_map(vec_map, fn_at(a, 1)));
    return true;
}

static bool op_combine_latest(struct args *a)
{
    struct joined j = {.count = 0};
    if (!a->vec->source && is_config(arg(a, 0)))
        return combine_members(a);
    return joined(a, &j, rx_combine_latest_n);
}

static bool op_zip(struct args *a)
{
    struct joined j = {.count = 0};
    return joined(a, &j, rx_zip_n);
}

static bool op_merge(struct args *a)
{
    struct joined j = {.concurrent = RX_FOREVER};
    if (!take_streams(a, &j, true))
        return false;
    size_t limit = j.concurrent == RX_FOREVER ? 0 : (size_t)j.concurrent;
    a->vec->result = j.count ? rx_merge_n(j.streams, j.count, limit) : rx_empty(&a->vec->rx);
    return true;
}

static bool op_concat(struct args *a)
{
    struct joined j = {.concurrent = RX_FOREVER};
    if (!take_streams(a, &j, true))
        return false;
    a->vec->result = j.count ? rx_merge_n(j.streams, j.count, 1) : rx_empty(&a->vec->rx);
    return true;
}

static bool op_with_latest_from(struct args *a)
{
    struct vec *vec = a->vec;
    struct rx_stream *source = vec->source;
    struct joined j = {.count = 0};
    vec->source = NULL;
    bool list = json_array_size(arg(a, 0)) > 0 && vec_tag(json_array_get(arg(a, 0), 0), "$ref");
    bool ok = take_streams(a, &j, !list);
    vec->source = source;
    if (!ok || !pipe_op(vec, rx_with_latest_from_n(j.streams, j.count)))
        return false;
    if (j.project)
        vec->result = rx_pipe(vec->result, rx_map(vec_join, j.project));
    return true;
}

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

/* A moment: {"$date": ms}, or a text as Date.toJSON() makes it. Virtual time began in 1970. */
static bool date(const json_t *json, int64_t *ret)
{
    const json_t *ms = vec_tag(json, "$date");
    if (json_is_number(ms)) {
        *ret = whole(ms, 0);
        return true;
    }
    const char *text = json_string_value(ms ? ms : json);
    struct tm tm = {.tm_mday = 1};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (!rest)
        return false;
    *ret = (int64_t)timegm(&tm) * 1000 + (*rest == '.' ? strtol(rest + 1, NULL, 10) : 0);
    return true;
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

/* ---- the table ---- */

static const struct {
    const char *name;
    bool (*build)(struct args *a);
} ops[] = {
    {"auditTime", op_audit_time},
    {"bufferCount", op_buffer_count},
    {"bufferTime", op_buffer_time},
    {"catchError", op_catch_error},
    {"combineLatest", op_combine_latest},
    {"combineLatestWith", op_combine_latest},
    {"concat", op_concat},
    {"concatAll", op_concat_all},
    {"concatMap", op_concat_map},
    {"concatWith", op_concat},
    {"count", op_count},
    {"debounceTime", op_debounce_time},
    {"defer", op_defer},
    {"delay", op_delay},
    {"distinctUntilChanged", op_distinct},
    {"empty", op_empty},
    {"endWith", op_end_with},
    {"exhaustAll", op_exhaust_all},
    {"exhaustMap", op_exhaust_map},
    {"filter", op_filter},
    {"from", op_from},
    {"groupBy", op_group_by},
    {"ignoreElements", op_ignore},
    {"interval", op_interval},
    {"map", op_map},
    {"merge", op_merge},
    {"mergeAll", op_merge_all},
    {"mergeMap", op_merge_map},
    {"mergeWith", op_merge},
    {"multicast", op_multicast},
    {"never", op_never},
    {"of", op_of},
    {"pairwise", op_pairwise},
    {"publish", op_publish},
    {"range", op_range},
    {"reduce", op_reduce},
    {"repeat", op_repeat},
    {"retry", op_retry},
    {"sample", op_sample},
    {"sampleTime", op_sample_time},
    {"scan", op_scan},
    {"share", op_share},
    {"shareReplay", op_share_replay},
    {"skip", op_skip},
    {"startWith", op_start_with},
    {"switchAll", op_switch_all},
    {"switchMap", op_switch_map},
    {"take", op_take},
    {"takeUntil", op_take_until},
    {"takeWhile", op_take_while},
    {"tap", op_tap},
    {"throttleTime", op_throttle_time},
    {"throwError", op_throw_error},
    {"timeout", op_timeout},
    {"timer", op_timer},
    {"toArray", op_to_array},
    {"withLatestFrom", op_with_latest_from},
    {"zip", op_zip},
    {"zipWith", op_zip},
};

enum vec_verdict vec_build(struct vec *vec, const char *op, const json_t *args)
{
    struct args a = {.vec = vec};
    for (size_t i = 0; i < json_array_size(args); i++) {
        const json_t *one = json_array_get(args, i);
        if (vec_tag(one, "$sched"))
            continue;
        if (a.count == ARGS_MAX) {
            say(vec, "too many arguments");
            return VEC_SKIPPED;
        }
        a.at[a.count++] = one;
    }
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(ops[i].name, op) != 0)
            continue;
        if (ops[i].build(&a) && vec->result)
            return VEC_PASSED;
        if (!vec->why[0])
            say(vec, "arguments that rx-vectors does not know");
        return VEC_SKIPPED;
    }
    (void)snprintf(vec->why, sizeof vec->why, "no operator %.100s", op);
    return VEC_SKIPPED;
}

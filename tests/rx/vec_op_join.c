/* vec_op_join.c - several streams into one. */
#include "vec_args.h"

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

const struct vec_op vec_ops_join[] = {
    {"combineLatest", op_combine_latest},
    {"combineLatestWith", op_combine_latest},
    {"concat", op_concat},
    {"concatWith", op_concat},
    {"merge", op_merge},
    {"mergeWith", op_merge},
    {"withLatestFrom", op_with_latest_from},
    {"zip", op_zip},
    {"zipWith", op_zip},
    {NULL, NULL},
};

/* vec_op_value.c - operators that look at one value at a time, and limits. */
#include "vec_args.h"

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

const struct vec_op vec_ops_value[] = {
    {"count", op_count},
    {"distinctUntilChanged", op_distinct},
    {"endWith", op_end_with},
    {"filter", op_filter},
    {"ignoreElements", op_ignore},
    {"map", op_map},
    {"pairwise", op_pairwise},
    {"reduce", op_reduce},
    {"scan", op_scan},
    {"skip", op_skip},
    {"startWith", op_start_with},
    {"take", op_take},
    {"takeUntil", op_take_until},
    {"takeWhile", op_take_while},
    {"tap", op_tap},
    {"toArray", op_to_array},
    {NULL, NULL},
};

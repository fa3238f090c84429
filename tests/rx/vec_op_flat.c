/* vec_op_flat.c - streams of streams, and groups. */
#include "vec_args.h"

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

const struct vec_op vec_ops_flat[] = {
    {"concatAll", op_concat_all},   {"concatMap", op_concat_map},
    {"exhaustAll", op_exhaust_all}, {"exhaustMap", op_exhaust_map},
    {"groupBy", op_group_by},       {"mergeAll", op_merge_all},
    {"mergeMap", op_merge_map},     {"switchAll", op_switch_all},
    {"switchMap", op_switch_map},   {NULL, NULL},
};

/* vec_fn.c - the functions of a case: tables that are looked up. */
#include "vec.h"

#include <stdio.h>

static struct vec_fn *new_fn(struct vec *vec)
{
    if (vec->fns_count == VEC_FNS_MAX) /* only long streams of bound functions get here */
        vec->fns_count = VEC_FNS_MAX / 2;
    struct vec_fn *fn = &vec->fns[vec->fns_count++];
    *fn = (struct vec_fn){.vec = vec};
    return fn;
}

struct vec_fn *vec_fn(struct vec *vec, const json_t *json)
{
    const char *name = json_string_value(vec_tag(json, "$fn"));
    if (!name)
        return NULL;
    struct vec_fn *fn = new_fn(vec);
    fn->table = json_object_get(json_object_get(vec->doc, "fns"), name);
    return fn;
}

struct vec_fn *vec_bound(struct vec *vec, const struct vec_fn *outer, struct rx_value value)
{
    struct vec_fn *fn = new_fn(vec);
    fn->outer = outer;
    fn->value = value;
    return fn;
}

/* The row whose arguments agree longest; the first must. */
static const json_t *find(const json_t *table, const json_t *args)
{
    const json_t *best = NULL;
    size_t best_score = 0;
    for (size_t i = 0; i < json_array_size(table); i++) {
        const json_t *row = json_array_get(table, i), *given = json_array_get(row, 0);
        size_t score = 0, most = json_array_size(args);
        if (json_array_size(given) < most)
            most = json_array_size(given);
        while (score < most && vec_same(json_array_get(given, score), json_array_get(args, score)))
            score++;
        bool fits = score > 0 || most == 0;
        if (fits && (!best || score > best_score)) {
            best = row;
            best_score = score;
        }
    }
    return best;
}

/* Takes args. Returns the outcome's "ret", or NULL when it has thrown. */
static const json_t *call(const struct vec_fn *fn, json_t *args)
{
    struct vec *vec = fn->vec;
    const json_t *row = find(fn->table, args);
    const json_t *outcome = json_array_get(row, 1), *thrown = json_object_get(outcome, "throw");
    if (thrown) {
        rx_throw(&vec->rx, vec_value(vec, thrown));
    } else if (!row) {
        char *text = json_dumps(args, JSON_COMPACT | JSON_ENCODE_ANY);
        (void)snprintf(vec->why, sizeof vec->why, "a function was called with %s: not in its table",
                       text);
        free(text);
        rx_throw(&vec->rx, rx_text(SPAN("not in the table")));
    }
    json_decref(args);
    return json_object_get(outcome, "ret");
}

static json_t *args_of(const struct vec_fn *fn, struct rx_value v, uint64_t index)
{
    json_t *args = json_array();
    json_array_append_new(args, vec_json(fn->vec, v));
    json_array_append_new(args, json_integer((json_int_t)index));
    return args;
}

struct rx_value vec_map(void *ctx, struct rx_value v)
{
    const struct vec_fn *fn = ctx;
    return vec_value(fn->vec, call(fn, args_of(fn, v, rx_index(&fn->vec->rx))));
}

bool vec_test(void *ctx, struct rx_value v)
{
    const struct vec_fn *fn = ctx;
    return vec_truthy(call(fn, args_of(fn, v, rx_index(&fn->vec->rx))));
}

void vec_do(void *ctx, struct rx_value v)
{
    const struct vec_fn *fn = ctx;
    (void)call(fn, args_of(fn, v, 0));
}

struct rx_value vec_fold(void *ctx, struct rx_value sum, struct rx_value v)
{
    const struct vec_fn *fn = ctx;
    json_t *args = args_of(fn, v, rx_index(&fn->vec->rx));
    json_array_insert_new(args, 0, vec_json(fn->vec, sum));
    return vec_value(fn->vec, call(fn, args));
}

bool vec_equal(void *ctx, struct rx_value a, struct rx_value b)
{
    const struct vec_fn *fn = ctx;
    json_t *args = json_array();
    json_array_append_new(args, vec_json(fn->vec, a));
    json_array_append_new(args, vec_json(fn->vec, b));
    return vec_truthy(call(fn, args));
}

struct rx_value vec_join(void *ctx, struct rx_value list)
{
    const struct vec_fn *fn = ctx;
    return vec_value(fn->vec, call(fn, vec_json(fn->vec, list)));
}

/* ---- streams ---- */

static struct rx_stream *from_text(struct vec *vec, const json_t *json)
{
    struct rx_value letters[256];
    struct rx_value text = vec_value(vec, json);
    size_t count = text.size < 256 ? text.size : 256;
    for (size_t i = 0; i < count; i++)
        letters[i] = rx_text((struct span){text.text + i, 1});
    return rx_from(&vec->rx, letters, count);
}

static struct rx_stream *from_array(struct vec *vec, const json_t *json)
{
    struct rx_value items[256];
    size_t count = json_array_size(json) < 256 ? json_array_size(json) : 256;
    for (size_t i = 0; i < count; i++)
        items[i] = vec_value(vec, json_array_get(json, i));
    return rx_from(&vec->rx, items, count);
}

struct rx_stream *vec_stream(struct vec *vec, const json_t *json)
{
    const char *ref = json_string_value(vec_tag(json, "$ref"));
    if (ref) {
        struct vec_input *input = vec_input_find(vec, ref);
        return input ? input->input.stream : NULL;
    }
    if (json_is_array(json))
        return from_array(vec, json);
    if (json_is_string(json))
        return from_text(vec, json);
    return NULL;
}

static struct rx_stream *stream_or_throw(const struct vec_fn *fn, const json_t *ret)
{
    if (fn->vec->rx.has_thrown)
        return NULL;
    struct rx_stream *stream = vec_stream(fn->vec, ret);
    if (!stream)
        rx_throw(&fn->vec->rx, rx_text(SPAN("not a stream")));
    return stream;
}

/* bound to (outer value); called with each inner value: the result selector of old */
static struct rx_value select_result(void *ctx, struct rx_value inner)
{
    const struct vec_fn *fn = ctx;
    uint64_t inner_index = rx_index(&fn->vec->rx);
    json_t *args = json_array();
    json_array_append_new(args, vec_json(fn->vec, fn->value));
    json_array_append_new(args, vec_json(fn->vec, inner));
    json_array_append_new(args, json_integer((json_int_t)fn->index));
    json_array_append_new(args, json_integer((json_int_t)inner_index));
    return vec_value(fn->vec, call(fn->outer, args));
}

struct rx_stream *vec_flat(void *ctx, struct rx_value v)
{
    const struct vec_fn *fn = ctx;
    uint64_t index = rx_index(&fn->vec->rx);
    struct rx_stream *stream = stream_or_throw(fn, call(fn, args_of(fn, v, index)));
    if (!stream || !fn->outer)
        return stream;
    struct vec_fn *bound = vec_bound(fn->vec, fn->outer, v);
    bound->index = index;
    return rx_pipe(stream, rx_map(select_result, bound));
}

struct rx_stream *vec_make(void *ctx)
{
    const struct vec_fn *fn = ctx;
    return stream_or_throw(fn, call(fn, json_array()));
}

/* {"$new": "ReplaySubject", "args": [...]} */
struct rx_stream *vec_new_subject(struct vec *vec, const json_t *json)
{
    const char *name = json_string_value(vec_tag(json, "$new"));
    const json_t *args = vec_tag(json, "args"), *first = json_array_get(args, 0);
    if (name && strcmp(name, "ReplaySubject") == 0) {
        double count = 0, window = 0;
        bool limited = vec_number(first, &count) && count < 1e9;
        bool timed = vec_number(json_array_get(args, 1), &window) && window < 1e15;
        return rx_replay(&vec->rx, limited ? (size_t)count : 0,
                         timed ? (int64_t)window : RX_FOREVER);
    }
    if (name && strcmp(name, "BehaviorSubject") == 0)
        return rx_behavior(&vec->rx, vec_value(vec, first));
    return rx_subject(&vec->rx);
}

struct rx_stream *vec_make_subject(void *ctx)
{
    const struct vec_fn *fn = ctx;
    return vec_new_subject(fn->vec, call(fn, json_array()));
}

struct rx_stream *vec_wait_retry(void *ctx, struct rx_value error, uint64_t count)
{
    const struct vec_fn *fn = ctx;
    return stream_or_throw(fn, call(fn, args_of(fn, error, count)));
}

struct rx_stream *vec_wait_repeat(void *ctx, struct rx_value error, uint64_t count)
{
    const struct vec_fn *fn = ctx;
    json_t *args = json_array();
    json_array_append_new(args, json_integer((json_int_t)count));
    return stream_or_throw(fn, call(fn, args));
}

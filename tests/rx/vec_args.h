/* vec_args.h - reading the arguments of an operator as RxJS takes them. Used by vec_op_*.c. */
#ifndef BERTH_TESTS_RX_VEC_ARGS_H
#define BERTH_TESTS_RX_VEC_ARGS_H

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

/* An operator by its RxJS name. `build` sets vec->result; false: it cannot, vec->why may say why.
 */
struct vec_op {
    const char *name;
    bool (*build)(struct args *a);
};

/* The families; each ends with a name of NULL. */
extern const struct vec_op vec_ops_value[], vec_ops_flat[], vec_ops_join[], vec_ops_time[],
    vec_ops_make[];

static inline bool undefined(const json_t *json)
{
    return !json || json_is_null(json) || vec_tag(json, "$undef");
}

/* A whole number; Infinity is RX_FOREVER; text is read as a number; anything else is `otherwise`.
 */
static inline int64_t whole(const json_t *json, int64_t otherwise)
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
static inline int64_t times(const json_t *json)
{
    int64_t n = undefined(json) ? RX_FOREVER : whole(json, RX_FOREVER);
    if (n == RX_FOREVER)
        return 0;
    return n <= 0 ? RX_NOT_AT_ALL : n;
}

static inline const json_t *member(const json_t *json, const char *name)
{
    const json_t *value = json_is_object(json) ? json_object_get(json, name) : NULL;
    return undefined(value) ? NULL : value;
}

static inline bool is_config(const json_t *json)
{
    return json_is_object(json) && !vec_tag(json, "$ref") && !vec_tag(json, "$fn") &&
           !vec_tag(json, "$num") && !vec_tag(json, "$undef") && !vec_tag(json, "$date");
}

static inline bool say(struct vec *vec, const char *text)
{
    (void)snprintf(vec->why, sizeof vec->why, "%s", text);
    return false;
}

static inline bool pipe_op(struct vec *vec, struct rx_op op)
{
    if (!vec->source)
        return say(vec, "an operator without a source");
    vec->result = rx_pipe(vec->source, op);
    return true;
}

static inline struct vec_fn *fn_at(struct args *a, size_t i)
{
    return i < a->count ? vec_fn(a->vec, a->at[i]) : NULL;
}

static inline const json_t *arg(struct args *a, size_t i)
{
    return i < a->count ? a->at[i] : NULL;
}

static inline struct rx_stream *stream_at(struct args *a, size_t i)
{
    return vec_stream(a->vec, arg(a, i));
}

/* A moment: {"$date": ms}, or a text as Date.toJSON() makes it. Virtual time began in 1970. */
static inline bool date(const json_t *json, int64_t *ret)
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

static inline size_t values_of(struct args *a, struct rx_value *ret)
{
    for (size_t i = 0; i < a->count; i++)
        ret[i] = vec_value(a->vec, a->at[i]);
    return a->count;
}

#endif

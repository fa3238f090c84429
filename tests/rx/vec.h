/* vec.h - one case of a conformance file: its inputs, function tables, and what was heard. Used by
 * rx-vectors. */
#ifndef BERTH_TESTS_RX_VEC_H
#define BERTH_TESTS_RX_VEC_H

#include "core/rx.h"
#include "core/rx_marble.h"

#include <jansson.h>

#define VEC_INPUTS_MAX 32
#define VEC_HEARD_MAX 2048
#define VEC_FNS_MAX 256
#define VEC_ARENA_BYTES ((size_t)4 << 20)
#define VEC_TIME_MAX ((int64_t)1000000)

enum vec_verdict { VEC_PASSED, VEC_FAILED, VEC_SKIPPED };

struct vec;

/* A function of the file, as the ctx of a user function. */
struct vec_fn {
    struct vec *vec;
    const json_t *table;        /* [[arguments, {"ret"|"throw": value}]...]; NULL: none */
    const struct vec_fn *outer; /* a second function (result selector, comparator, ...), or NULL */
    struct rx_value value;      /* what it is bound to */
    uint64_t index;
};

struct vec_input {
    const char *name;
    struct rx_marble_input input;
    struct rx_marble_event *events;
    bool hot;
    bool given; /* by the case; otherwise supposed, see vec_case.c */
};

struct vec {
    struct rx rx;
    struct rx_virtual clock;
    const json_t *doc;
    json_t *pool; /* values made along the way; keeps them alive, equal objects are one */
    struct vec_input inputs[VEC_INPUTS_MAX];
    size_t inputs_count;
    struct vec_fn fns[VEC_FNS_MAX];
    size_t fns_count;
    struct rx_stream *source; /* NULL: a creation operator */
    struct rx_stream *result;
    struct rx_subscription sub; /* to result: what is still open at rx_fini() writes to it */
    bool connect;               /* result is connectable: connect it at 0 */
    bool supposed;              /* some input is not described by the case */
    struct {
        int64_t at_ms;
        char kind;
        json_t *value;
    } heard[VEC_HEARD_MAX];
    size_t heard_count;
    char why[1024]; /* of a failure or skip */
};

/* vec_value.c */
struct rx_value vec_value(struct vec *vec, const json_t *json); /* NULL: nothing */
json_t *vec_json(struct vec *vec, struct rx_value v);           /* new reference */
bool vec_same(const json_t *a, const json_t *b);                /* deep; 1 equals 1.0 */
bool vec_truthy(const json_t *json);
const json_t *vec_tag(const json_t *json, const char *tag); /* of {"$ref": ...} and such, or NULL */
bool vec_number(const json_t *json, double *ret);           /* Infinity too */

/* vec_fn.c: user functions that look into tables; ctx is a struct vec_fn */
struct vec_fn *vec_fn(struct vec *vec,
                      const json_t *json); /* {"$fn": name}; NULL: not a function */
struct vec_fn *vec_bound(struct vec *vec, const struct vec_fn *outer, struct rx_value value);
struct rx_value vec_map(void *ctx, struct rx_value v);
bool vec_test(void *ctx, struct rx_value v);
struct rx_value vec_fold(void *ctx, struct rx_value sum, struct rx_value v);
bool vec_equal(void *ctx, struct rx_value a, struct rx_value b);
struct rx_stream *vec_flat(void *ctx, struct rx_value v);
struct rx_stream *vec_make(void *ctx);
struct rx_stream *vec_make_subject(void *ctx);
struct rx_stream *vec_new_subject(struct vec *vec, const json_t *json);
struct rx_stream *vec_wait_retry(void *ctx, struct rx_value error, uint64_t count);
struct rx_stream *vec_wait_repeat(void *ctx, struct rx_value error, uint64_t count);
struct rx_value vec_join(void *ctx, struct rx_value list); /* the items as arguments */
void vec_do(void *ctx, struct rx_value v);
/* A stream from anything RxJS takes for one: an input, an array, a text's characters. NULL: not
 * one. */
struct rx_stream *vec_stream(struct vec *vec, const json_t *json);

/* vec_ops.c: sets vec->result. VEC_PASSED: built */
enum vec_verdict vec_build(struct vec *vec, const char *op, const json_t *args);

/* vec_case.c */
enum vec_verdict vec_run(struct vec *vec, const json_t *doc, void *arena);
struct vec_input *vec_input_find(
    struct vec *vec, const char *name); /* supposes it, when the case does not give it */

#endif

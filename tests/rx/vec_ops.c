/* vec_ops.c - from a case's operator and arguments to the stream that is tested. */
#include "vec_args.h"

static const struct vec_op *find(const char *name)
{
    static const struct vec_op *const families[] = {vec_ops_value, vec_ops_flat, vec_ops_join,
                                                    vec_ops_time, vec_ops_make};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (const struct vec_op *op = families[i]; op->name; op++)
            if (strcmp(op->name, name) == 0)
                return op;
    return NULL;
}

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
    const struct vec_op *known = find(op);
    if (known && known->build(&a) && vec->result)
        return VEC_PASSED;
    if (!known)
        (void)snprintf(vec->why, sizeof vec->why, "no operator %.100s", op);
    else if (!vec->why[0])
        say(vec, "arguments that rx-vectors does not know");
    return VEC_SKIPPED;
}

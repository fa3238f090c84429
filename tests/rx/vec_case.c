/* vec_case.c - run one case and compare: what was heard, and when the inputs were subscribed to and
 * let go. */
#include "vec.h"

#include <stdio.h>

/* ---- inputs ---- */

static void set_events(struct vec *vec, struct vec_input *in, const json_t *events)
{
    size_t count = json_array_size(events);
    in->events = calloc(count + 1, sizeof *in->events);
    if (!in->events)
        return;
    for (size_t i = 0; i < count; i++) {
        const json_t *e = json_array_get(events, i);
        const char *kind = json_string_value(json_array_get(e, 1));
        in->events[i].at_ms = (int64_t)json_number_value(json_array_get(e, 0));
        in->events[i].kind = kind ? kind[0] : 'C';
        in->events[i].value = vec_value(vec, json_array_get(e, 2));
    }
    if (in->hot)
        rx_marble_hot(&vec->rx, &in->input, in->events, count);
    else
        rx_marble_cold(&vec->rx, &in->input, in->events, count);
}

/* Some cases name an input that the file does not describe: one that was made outside the marbles
 * (of, EMPTY, throwError). A notifier is supposed to say one value and complete; any other to say,
 * at once, what the result is expected to say from there on at that time. Such a case shows that
 * the operator passes things on, and little more, so rx-vectors counts them apart; where the
 * supposition leads nowhere, the case is skipped. */
static bool is_notifier(const struct vec *vec, const char *name)
{
    static const char *const ops[] = {"takeUntil", "sample", "retry", "repeat", "share"};
    const char *op = json_string_value(json_object_get(vec->doc, "op"));
    const char *src = json_string_value(json_object_get(vec->doc, "src"));
    for (size_t i = 0; op && i < sizeof ops / sizeof *ops; i++)
        if (strcmp(op, ops[i]) == 0)
            return !src || strcmp(src, name) != 0;
    return false;
}

/* catch_error's function may return the very stream it watches: its source is then subscribed more
 * than once. */
static bool is_the_result(const struct vec *vec, const char *name)
{
    const char *op = json_string_value(json_object_get(vec->doc, "op"));
    const char *src = json_string_value(json_object_get(vec->doc, "src"));
    return vec->result && op && src && strcmp(op, "catchError") == 0 && strcmp(src, name) != 0 &&
           json_array_size(json_object_get(json_object_get(vec->doc, "subs"), src)) > 1;
}

static struct rx_stream *supposed(void *ctx)
{
    struct vec *vec = ctx;
    const json_t *expected = json_object_get(vec->doc, "expected");
    struct rx_value values[64];
    size_t count = 0;
    struct rx_stream *tail = rx_never(&vec->rx);
    const char *last = json_string_value(
        json_array_get(json_array_get(expected, json_array_size(expected) - 1), 1));
    if (last && last[0] != 'N') /* it has an end, so this has, too */
        tail = rx_empty(&vec->rx);
    for (size_t i = vec->heard_count; i < json_array_size(expected) && count < 64; i++) {
        const json_t *e = json_array_get(expected, i);
        const char *kind = json_string_value(json_array_get(e, 1));
        if (!kind || (int64_t)json_number_value(json_array_get(e, 0)) != vec->clock.now_ms)
            break;
        if (kind[0] == 'N')
            values[count++] = vec_value(vec, json_array_get(e, 2));
        else if (kind[0] == 'E')
            tail = rx_fail(&vec->rx, vec_value(vec, json_array_get(e, 2)));
    }
    return rx_concat(rx_from(&vec->rx, values, count), tail);
}

static struct vec_input *suppose(struct vec *vec, const char *name)
{
    if (vec->inputs_count == VEC_INPUTS_MAX)
        return NULL;
    struct vec_input *in = &vec->inputs[vec->inputs_count++];
    *in = (struct vec_input){.name = name};
    vec->supposed = true;
    if (is_notifier(vec, name))
        in->input.stream = rx_of(&vec->rx, rx_int(0));
    else if (is_the_result(vec, name))
        in->input.stream = vec->result;
    else
        in->input.stream = rx_defer(&vec->rx, supposed, vec);
    (void)rx_hold(in->input.stream); /* until rx_fini */
    return in;
}

struct vec_input *vec_input_find(struct vec *vec, const char *name)
{
    for (size_t i = 0; i < vec->inputs_count; i++)
        if (strcmp(vec->inputs[i].name, name) == 0)
            return &vec->inputs[i];
    return suppose(vec, name);
}

static int by_number(const void *a, const void *b)
{
    return atoi(((const struct vec_input *)a)->name + 1) -
           atoi(((const struct vec_input *)b)->name + 1);
}

/* In the order in which the test made them: hot ones are played in that order. Values may be other
 * inputs, so all are there, empty, before any has its events. */
static bool take_inputs(struct vec *vec)
{
    const char *name;
    json_t *in;
    json_object_foreach(json_object_get(vec->doc, "inputs"), name, in)
    {
        if (vec->inputs_count == VEC_INPUTS_MAX || !name[0])
            return false;
        const char *kind = json_string_value(json_object_get(in, "kind"));
        vec->inputs[vec->inputs_count++] = (struct vec_input){
            .name = name, .hot = kind && strcmp(kind, "hot") == 0, .given = true};
    }
    qsort(vec->inputs, vec->inputs_count, sizeof *vec->inputs, by_number);
    return true;
}

static int64_t first_time(const struct vec *vec)
{
    int64_t first = 0;
    const char *name;
    json_t *in, *e;
    size_t i;
    json_object_foreach(json_object_get(vec->doc, "inputs"), name, in)
    {
        json_array_foreach(json_object_get(in, "events"), i, e)
        {
            int64_t at = (int64_t)json_number_value(json_array_get(e, 0));
            first = at < first ? at : first;
        }
    }
    return first;
}

/* ---- hearing ---- */

static void hear(struct vec *vec, char kind, json_t *value)
{
    if (vec->heard_count == VEC_HEARD_MAX) {
        json_decref(value);
        return;
    }
    vec->heard[vec->heard_count].at_ms = vec->clock.now_ms;
    vec->heard[vec->heard_count].kind = kind;
    vec->heard[vec->heard_count++].value = value;
}

static void hear_next(void *ctx, struct rx_value v)
{
    hear(ctx, 'N', vec_json(ctx, v));
}

static void hear_error(void *ctx, struct rx_value e)
{
    hear(ctx, 'E', vec_json(ctx, e));
}

static void hear_complete(void *ctx)
{
    hear(ctx, 'C', json_null());
}

/* ---- comparing ---- */

static json_t *heard_json(const struct vec *vec)
{
    json_t *all = json_array();
    for (size_t i = 0; i < vec->heard_count; i++) {
        char kind[2] = {vec->heard[i].kind, 0};
        json_t *e = json_pack("[I,s]", (json_int_t)vec->heard[i].at_ms, kind);
        if (vec->heard[i].kind != 'C')
            json_array_append(e, vec->heard[i].value);
        json_array_append_new(all, e);
    }
    return all;
}

static void explain(struct vec *vec, const char *what, const json_t *expected, const json_t *got)
{
    if (vec->why[0])
        return;
    char *a = json_dumps(expected, JSON_COMPACT | JSON_ENCODE_ANY),
         *b = json_dumps(got, JSON_COMPACT | JSON_ENCODE_ANY);
    (void)snprintf(vec->why, sizeof vec->why, "%s: expected %.400s got %.400s", what, a ? a : "?",
                   b ? b : "?");
    free(a);
    free(b);
}

static bool heard_right(struct vec *vec)
{
    const json_t *expected = json_object_get(vec->doc, "expected");
    json_t *got = heard_json(vec);
    bool same = vec_same(expected, got);
    if (!same)
        explain(vec, "heard", expected, got);
    json_decref(got);
    return same;
}

static json_t *subs_json(const struct vec_input *in)
{
    json_t *all = json_array();
    for (size_t i = 0; i < in->input.subs_count && i < RX_MARBLE_SUBS_MAX; i++) {
        json_t *pair = json_pack("[I]", (json_int_t)in->input.subs[i].from_ms);
        int64_t to = in->input.subs[i].to_ms;
        json_array_append_new(pair, to == RX_FOREVER ? json_null() : json_integer((json_int_t)to));
        json_array_append_new(all, pair);
    }
    return all;
}

static bool subs_right(struct vec *vec)
{
    bool right = true;
    for (size_t i = 0; i < vec->inputs_count; i++) {
        const struct vec_input *in = &vec->inputs[i];
        const json_t *expected = json_object_get(json_object_get(vec->doc, "subs"), in->name);
        if (!expected || !in->given)
            continue;
        json_t *got = subs_json(in);
        if (!vec_same(expected, got)) {
            right = false;
            explain(vec, in->name, expected, got);
        }
        json_decref(got);
    }
    return right;
}

/* ---- running ---- */

static void run_until_quiet(struct vec *vec)
{
    const json_t *unsub = json_object_get(vec->doc, "unsub");
    if (json_is_number(unsub)) {
        int64_t at = (int64_t)json_number_value(unsub);
        rx_virtual_advance(&vec->clock, &vec->rx, at - 1);
        vec->clock.now_ms = at;
        rx_unsubscribe(&vec->sub); /* before the events of that time */
    }
    while (rx_deadline_ms(&vec->rx) <= VEC_TIME_MAX && vec->heard_count < VEC_HEARD_MAX)
        rx_virtual_advance(&vec->clock, &vec->rx, rx_deadline_ms(&vec->rx));
}

static enum vec_verdict play(struct vec *vec)
{
    const char *op = json_string_value(json_object_get(vec->doc, "op"));
    const char *src = json_string_value(json_object_get(vec->doc, "src"));
    if (src) {
        struct vec_input *in = vec_input_find(vec, src);
        vec->source = in ? in->input.stream : NULL;
    }
    enum vec_verdict verdict =
        op ? vec_build(vec, op, json_object_get(vec->doc, "args")) : VEC_SKIPPED;
    if (verdict != VEC_PASSED)
        return verdict;
    rx_virtual_advance(&vec->clock, &vec->rx, -1); /* hot inputs before the subscription */
    vec->clock.now_ms = 0;
    if (vec->connect)
        rx_connect(vec->result);
    rx_subscribe(vec->result, (struct rx_observer){hear_next, hear_error, hear_complete, vec},
                 &vec->sub);
    run_until_quiet(vec);
    bool right = heard_right(vec);
    right = subs_right(vec) && right;
    if (right)
        return VEC_PASSED;
    return vec->supposed ? VEC_SKIPPED : VEC_FAILED;
}

enum vec_verdict vec_run(struct vec *vec, const json_t *doc, void *arena)
{
    *vec = (struct vec){.doc = doc, .pool = json_array()};
    enum vec_verdict verdict = VEC_SKIPPED;
    if (!take_inputs(vec)) {
        (void)snprintf(vec->why, sizeof vec->why, "more than %d inputs", VEC_INPUTS_MAX);
    } else {
        rx_virtual_init(&vec->clock, first_time(vec));
        if (rx_init(&vec->rx, arena, VEC_ARENA_BYTES, rx_virtual_scheduler(&vec->clock)) == 0) {
            for (size_t i = 0; i < vec->inputs_count; i++)
                set_events(vec, &vec->inputs[i],
                           json_object_get(
                               json_object_get(json_object_get(doc, "inputs"), vec->inputs[i].name),
                               "events"));
            verdict = play(vec);
            rx_fini(&vec->rx);
        }
    }
    for (size_t i = 0; i < vec->inputs_count; i++)
        free(vec->inputs[i].events);
    for (size_t i = 0; i < vec->heard_count; i++)
        json_decref(vec->heard[i].value);
    json_decref(vec->pool);
    return verdict;
}

/* doctor_talk_io.c - one question, one answer. */
#include "cli/doctor_talk_io.h"

#include <stdarg.h>
#include <stdlib.h>

enum { WORDS_MAX = 12, LINE_MS = 1500, ANSWER_MS = 3000, GET_MS = 2000, GET_BYTES = 64 << 20 };

/* ---- the loop ---- */

static void on_late(void *arg)
{
    struct talk *t = arg;
    t->late = true;
    loop_stop(t->berth->loop);
}

int talk_open(struct talk *t, struct berth *berth, struct err *err)
{
    *t = (struct talk){.berth = berth};
    timer_init(&t->limit, berth->loop, on_late, t);
    t->resolver = resolver_create(berth->loop, err);
    return t->resolver ? 0 : BERTH_ESYS;
}

void talk_close(struct talk *t)
{
    resolver_destroy(t->resolver);
    t->resolver = NULL;
}

bool talk_until(struct talk *t, const bool *done, int64_t ms)
{
    t->late = false;
    timer_start(&t->limit, ms, 0);
    while (!*done && !t->late)
        loop_run(t->berth->loop);
    timer_stop(&t->limit);
    return *done;
}

void talk_wake(struct talk *t)
{
    loop_stop(t->berth->loop);
}

/* ---- Redis ---- */

static void on_up(void *arg)
{
    struct talk_line *l = arg;
    l->settled = l->up = true;
    talk_wake(l->talk);
}

static void on_answer(void *arg, struct redis_command *command, const struct resp *reply)
{
    struct talk_line *l = arg;
    free(command);
    if (l->fn)
        l->fn(l->arg, reply);
    l->fn = NULL;
    l->answered = true;
    talk_wake(l->talk);
}

static void on_ended(void *arg, const char *why)
{
    struct talk_line *l = arg;
    (void)snprintf(l->why, sizeof l->why, "%s", why);
    l->settled = l->answered = true;
    l->up = false;
    talk_wake(l->talk);
}

bool talk_line_open(struct talk *t, struct talk_line *l, const struct redis_config *config,
                    struct secure_context *secure, enum redis_link_kind kind,
                    const struct wire_redis_place *place)
{
    const struct redis_link_events events = {
        .up = on_up, .answer = on_answer, .ended = on_ended, .arg = l};
    const struct redis_link_config link = {.loop = t->berth->loop,
                                           .resolver = t->resolver,
                                           .secure = secure,
                                           .redis = config,
                                           .kind = kind,
                                           .place = *place,
                                           .limit_ms = LINE_MS};
    *l = (struct talk_line){.talk = t};
    l->link = redis_link_create(&link, &events);
    if (!l->link || !talk_until(t, &l->settled, 2 * LINE_MS)) {
        (void)snprintf(l->why, sizeof l->why, "no answer");
        return false;
    }
    return l->up;
}

void talk_line_close(struct talk_line *l)
{
    redis_link_destroy(l->link);
    l->link = NULL;
}

static bool ask_list(struct talk_line *l, void (*fn)(void *arg, const struct resp *reply),
                     void *arg, const char *word, va_list ap)
{
    struct span words[WORDS_MAX];
    size_t count = 0;
    for (const char *w = word; w && count < WORDS_MAX; w = va_arg(ap, const char *))
        words[count++] = span_of(w);
    struct redis_command *c = l->up ? redis_command_new(words, count) : NULL;
    if (!c)
        return false;
    c->deadline = mono_add(loop_now(l->talk->berth->loop), ANSWER_MS);
    l->fn = fn;
    l->arg = arg;
    l->answered = false;
    if (!redis_link_send(l->link, c)) {
        free(c);
        return false;
    }
    bool got = talk_until(l->talk, &l->answered, 2 * ANSWER_MS) && l->up;
    l->fn = NULL;
    return got;
}

bool talk_ask(struct talk_line *l, void (*fn)(void *arg, const struct resp *reply), void *arg,
              const char *word, ...)
{
    va_list ap;
    va_start(ap, word);
    bool got = ask_list(l, fn, arg, word, ap);
    va_end(ap);
    return got;
}

struct one {
    struct talk_line *line;
    char *buf;
    size_t size;
    int64_t number;
    bool refused;
};

static void on_one(void *arg, const struct resp *reply)
{
    struct one *one = arg;
    one->number = reply->type == RESP_INT ? reply->integer : -1;
    one->refused = reply->type == RESP_ERROR;
    if (one->refused)
        (void)snprintf(one->line->why, sizeof one->line->why, "%.*s", SPAN_ARG(reply->text));
    else if (one->buf && reply->type == RESP_TEXT)
        (void)snprintf(one->buf, one->size, "%.*s", SPAN_ARG(reply->text));
}

bool talk_text(struct talk_line *l, char *ret_buf, size_t size, const char *word, ...)
{
    struct one one = {.line = l, .buf = ret_buf, .size = size};
    va_list ap;
    ret_buf[0] = '\0';
    va_start(ap, word);
    bool got = ask_list(l, on_one, &one, word, ap);
    va_end(ap);
    return got && !one.refused;
}

int64_t talk_int(struct talk_line *l, const char *word, ...)
{
    struct one one = {.line = l, .number = -1};
    va_list ap;
    va_start(ap, word);
    bool got = ask_list(l, on_one, &one, word, ap);
    va_end(ap);
    return got ? one.number : -1;
}

/* ---- HTTP ---- */

struct got {
    struct talk *talk;
    json_t *json;
    char *why;
    size_t size;
    bool done;
};

static void on_got(void *arg, int code, const struct fetch_response *response,
                   const struct err *err)
{
    struct got *g = arg;
    json_error_t where;
    if (code < 0)
        (void)snprintf(g->why, g->size, "%s", err->text);
    else if (response->status != 200)
        (void)snprintf(g->why, g->size, "status %d", response->status);
    else if (!(g->json = json_loadb(response->body.ptr, response->body.len, 0, &where)))
        (void)snprintf(g->why, g->size, "%s", where.text);
    g->done = true;
    talk_wake(g->talk);
}

json_t *talk_get(struct talk *t, const char *url, char *ret_why, size_t size)
{
    struct got g = {.talk = t, .why = ret_why, .size = size};
    struct err err = {0};
    const struct fetch_request request = {
        .method = "GET", .url = url, .timeout_ms = GET_MS, .response_max = GET_BYTES};
    struct fetch *fetch = fetch_start(t->berth->fetcher, &request, on_got, &g, &err);
    if (!fetch)
        (void)snprintf(ret_why, size, "%s", err.text);
    else if (!talk_until(t, &g.done, 2 * GET_MS))
        fetch_cancel(fetch);
    return g.json;
}

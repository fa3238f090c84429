/* barrier.c - a write of our own, and WAIT behind it. */
#include "store/barrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 256, WHY_MAX = 160, PROBE_LIFE_MS = 10000 };

struct passing {
    struct barrier *barrier;
    struct passing *next; /* of those that have not asked yet */
    mono_ms_t until;      /* by then it must have asked */
    barrier_fn *fn;
    void *arg;
};

struct barrier {
    struct loop *loop;
    struct log *log;
    struct redis *redis; /* NULL: nothing is waited for */
    int64_t wait_ms;
    char key[KEY_MAX];
    struct passing *first, **end; /* for want of a connection; or not yet, in the first turn */
    struct timer timer;
    bool told; /* that it may not ask */
};

static void finish(struct passing *p, enum barrier_end end, const char *why)
{
    struct passing it = *p;
    free(p);
    it.fn(it.arg, end, why);
}

static bool begins(struct span text, const char *word)
{
    return text.len >= strlen(word) && memcmp(text.ptr, word, strlen(word)) == 0;
}

/* This Redis, or this user of it, does not know the command: nothing can be waited for. */
static bool refused(const struct resp *reply)
{
    return begins(reply->text, "NOPERM") || begins(reply->text, "ERR unknown command");
}

/* True: reply is an answer. Else that was the end. */
static bool answered(struct passing *p, int code, const struct resp *reply)
{
    struct barrier *b = p->barrier;
    char why[WHY_MAX] = "Redis went away";
    if (code == 0 && reply->type != RESP_ERROR)
        return true;
    if (code == 0 && refused(reply)) {
        if (!b->told)
            log_warn(b->log, "barrier_refused", "key=%s error=%.*s", b->key, SPAN_ARG(reply->text));
        b->told = true;
        finish(p, BARRIER_PASSED, "");
        return false;
    }
    if (code == 0)
        (void)snprintf(why, sizeof why, "%.*s", SPAN_ARG(reply->text));
    else if (code == BERTH_ETIMEOUT)
        (void)snprintf(why, sizeof why, "no answer from Redis in time");
    finish(p, BARRIER_FAILED, why);
    return false;
}

static void on_waited(void *arg, int code, const struct resp *reply)
{
    struct passing *p = arg;
    if (!answered(p, code, reply))
        return;
    if (reply->type == RESP_INT && reply->integer >= 1)
        finish(p, BARRIER_PASSED, "");
    else
        finish(p, BARRIER_LATE, "no replica has it in time");
}

static void on_written(void *arg, int code, const struct resp *reply)
{
    struct passing *p = arg;
    char ms[24];
    if (!answered(p, code, reply))
        return;
    struct span wait[] = {
        SPAN("WAIT"),
        SPAN("1"),
        {ms, (size_t)snprintf(ms, sizeof ms, "%lld", (long long)p->barrier->wait_ms)}};
    if (redis_command(p->barrier->redis, wait, 3, p->barrier->wait_ms, on_waited, p) < 0)
        finish(p, BARRIER_FAILED, "Redis went away");
}

static void on_role(void *arg, int code, const struct resp *reply)
{
    struct passing *p = arg;
    struct barrier *b = p->barrier;
    if (!answered(p, code, reply))
        return;
    bool primary =
        reply->type == RESP_LIST && reply->count >= 3 && span_is(reply->items[0].text, "master");
    if (!primary) {
        finish(p, BARRIER_FAILED, "it is no primary");
        return;
    }
    if (reply->items[2].count == 0) { /* there are no replicas */
        finish(p, BARRIER_PASSED, "");
        return;
    }
    char life[24];
    struct span write[] = {SPAN("SET"),
                           span_of(b->key),
                           SPAN("1"),
                           SPAN("PX"),
                           {life, (size_t)snprintf(life, sizeof life, "%d", PROBE_LIFE_MS)}};
    if (redis_command(b->redis, write, 5, 0, on_written, p) < 0)
        finish(p, BARRIER_FAILED, "Redis went away");
}

static struct passing *take(struct barrier *b)
{
    struct passing *p = b->first;
    if (p != NULL && (b->first = p->next) == NULL)
        b->end = &b->first;
    return p;
}

/* Those who wait ask; those who have waited for too long are told so. */
static void look(void *arg)
{
    struct barrier *b = arg;
    struct span role[] = {SPAN("ROLE")};
    mono_ms_t now = loop_now(b->loop);
    while (b->first != NULL) {
        struct passing *p = b->first;
        if (b->redis == NULL)
            finish(take(b), BARRIER_PASSED, "");
        else if (redis_command(b->redis, role, 1, 0, on_role, p) == 0)
            (void)take(b);
        else if (mono_sub(now, p->until) >= 0)
            finish(take(b), BARRIER_LATE, "no connection to Redis");
        else
            break;
    }
    timer_at(&b->timer, b->first != NULL ? b->first->until : MONO_NEVER);
}

struct barrier *barrier_create(struct loop *loop, struct log *log,
                               const struct redis_config *config, struct err *err)
{
    struct barrier *b = calloc(1, sizeof *b);
    if (b == NULL) {
        (void)err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    b->loop = loop;
    b->log = log;
    b->end = &b->first;
    (void)snprintf(b->key, sizeof b->key, "%s", config->pool_key);
    b->wait_ms = config->replica_wait_ms;
    timer_init(&b->timer, loop, look, b);
    if (b->wait_ms <= 0)
        return b;
    const struct redis_events events = {.up = look, .arg = b};
    b->redis = redis_create(loop, log, config, NULL, &events, err);
    if (b->redis == NULL) {
        free(b);
        return NULL;
    }
    return b;
}

void barrier_destroy(struct barrier *b)
{
    if (b == NULL)
        return;
    struct redis *redis = b->redis;
    timer_stop(&b->timer);
    redis_destroy(redis);
    for (struct passing *p; (p = take(b)) != NULL;)
        finish(p, BARRIER_FAILED, "closed");
    free(b);
}

int barrier_pass(struct barrier *b, barrier_fn *fn, void *arg)
{
    struct passing *p = malloc(sizeof *p);
    if (p == NULL)
        return BERTH_ENOMEM;
    *p = (struct passing){
        .barrier = b, .until = mono_add(loop_now(b->loop), b->wait_ms), .fn = fn, .arg = arg};
    *b->end = p;
    b->end = &p->next;
    timer_start(&b->timer, 0, 0); /* never from within this call */
    return 0;
}

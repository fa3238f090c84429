/* sim_redis.c - io/redis.h over the simulated network: the same promises, no hiredis. */
#include "io/redis.h"

#include "tests/sim/kernel_internal.h"
#include "tests/sim/store_server.h"

#include <assert.h>
#include <stdlib.h>

enum { BACKOFF_FIRST_MS = 100, BACKOFF_LAST_MS = 3000, PENDING_MAX = 65536 };

struct pending {
    struct pending *next;
    redis_reply_fn *fn;
    void *arg;
    mono_ms_t deadline;
};

struct redis {
    struct proc *proc;
    struct loop *loop;
    struct log *log;
    struct redis_config config;
    struct redis_events events;
    struct conn_end end;
    bool up, dead, dropping;
    unsigned busy;
    struct pending *first, *last;
    size_t count;
    int attempts;
    struct timer retry, deadline, drop;
    char why[64];
};

static void connect_now(void *arg);

static void leave(struct redis *r)
{
    if (--r->busy == 0 && r->dead)
        free(r);
}

static void fail_pending(struct redis *r, int first_code)
{
    int code = first_code;
    struct pending *list = r->first;
    r->first = r->last = NULL;
    r->count = 0;
    while (list != NULL) {
        struct pending *p = list;
        list = p->next;
        if (p->fn != NULL)
            p->fn(p->arg, code, NULL);
        free(p);
        code = BERTH_ECLOSED;
    }
}

static void lose(struct redis *r, const char *why, int first_code)
{
    bool was_up = r->up;
    r->up = r->dropping = false;
    timer_stop(&r->deadline);
    timer_stop(&r->drop);
    if (r->first != NULL) /* as io/redis_link.c: what was given up must not arrive later */
        conn_abort(&r->end);
    else
        conn_close(&r->end);
    int64_t wait = BACKOFF_FIRST_MS << (r->attempts < 5 ? r->attempts : 5);
    wait = wait > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : wait;
    r->attempts++;
    timer_start(&r->retry, wait / 2 + draw(&sim->net_rng, 0, wait / 2), 0);
    r->busy++;
    fail_pending(r, first_code);
    if (was_up && !r->dead && r->events.down)
        r->events.down(r->events.arg, why);
    leave(r);
}

static void arm_deadline(struct redis *r)
{
    mono_ms_t at = MONO_NEVER;
    for (const struct pending *p = r->first; p != NULL; p = p->next) {
        at = mono_min(at, p->deadline);
        if (r->count > 64)
            break; /* they are in order, but for those that block */
    }
    timer_at(&r->deadline, at);
}

static void on_deadline(void *arg)
{
    struct redis *r = arg;
    if (r->first != NULL)
        lose(r, r->up ? "command timeout" : "connect timeout", BERTH_ETIMEOUT);
    else if (!r->up)
        lose(r, "connect timeout", BERTH_ETIMEOUT);
}

static void on_drop(void *arg)
{
    struct redis *r = arg;
    char why[64];
    memcpy(why, r->why, sizeof why);
    lose(r, why, BERTH_ECLOSED);
}

static void on_open(void *user)
{
    struct redis *r = user;
    r->up = true;
    r->attempts = 0;
    timer_stop(&r->deadline);
    r->busy++;
    if (r->events.up)
        r->events.up(r->events.arg);
    leave(r);
}

static void on_data(void *user, struct msg *m)
{
    struct redis *r = user;
    struct reply *reply = m->object;
    struct pending *p = r->first;
    if (r->dropping || p == NULL)
        return;
    r->first = p->next;
    if (r->first == NULL)
        r->last = NULL;
    r->count--;
    if (r->first == NULL)
        timer_stop(&r->deadline);
    else
        arm_deadline(r);
    r->busy++;
    if (p->fn != NULL)
        p->fn(p->arg, 0, &reply->root);
    free(p);
    leave(r);
}

static void on_closed(void *user, const char *why)
{
    lose(user, why, BERTH_ECLOSED);
}

static const struct conn_ops ops = {.open = on_open, .data = on_data, .closed = on_closed};

static void connect_now(void *arg)
{
    struct redis *r = arg;
    timer_start(&r->deadline, r->config.connect_timeout_ms, 0);
    conn_dial(&r->end, r->proc, STORE_PORT, &ops, r);
}

struct redis *redis_create(struct loop *loop, struct log *log, const struct redis_config *config,
                           const struct redis_script *scripts, const struct redis_events *events,
                           struct err *err)
{
    struct redis *r = calloc(1, sizeof *r);
    assert(r != NULL);
    r->proc = sim->current;
    r->loop = loop;
    r->log = log;
    r->config = *config;
    if (r->config.connect_timeout_ms == 0)
        r->config.connect_timeout_ms = 1000;
    if (r->config.command_timeout_ms == 0)
        r->config.command_timeout_ms = 1000;
    r->events = *events;
    timer_init(&r->retry, loop, connect_now, r);
    timer_init(&r->deadline, loop, on_deadline, r);
    timer_init(&r->drop, loop, on_drop, r);
    timer_start(&r->retry, 0, 0);
    return r;
}

void redis_destroy(struct redis *r)
{
    if (r == NULL)
        return;
    r->busy++;
    r->dead = true;
    r->up = false;
    timer_stop(&r->retry);
    timer_stop(&r->deadline);
    timer_stop(&r->drop);
    conn_close(&r->end);
    fail_pending(r, BERTH_ECLOSED);
    leave(r);
}

bool redis_is_up(const struct redis *r)
{
    return r->up && !r->dropping;
}

const char *redis_address(const struct redis *r, char *buf, size_t size)
{
    (void)snprintf(buf, size, "127.0.0.1:%d", STORE_PORT);
    return buf;
}

static int send_words(struct redis *r, int kind, struct words *w, int64_t block_ms,
                      redis_reply_fn *fn, void *arg)
{
    struct pending *p = calloc(1, sizeof *p);
    assert(p != NULL);
    *p = (struct pending){.fn = fn,
                          .arg = arg,
                          .deadline =
                              mono_add(loop_now(r->loop), r->config.command_timeout_ms + block_ms)};
    if (r->last != NULL)
        r->last->next = p;
    else
        r->first = p;
    r->last = p;
    r->count++;
    if (r->first == p)
        arm_deadline(r);
    struct msg *m = msg_new(kind, (struct span){NULL, 0});
    m->object = w;
    m->drop = free;
    conn_send(&r->end, m);
    return 0;
}

int redis_command(struct redis *r, const struct span *argv, size_t argc, int64_t block_ms,
                  redis_reply_fn *fn, void *arg)
{
    if (!redis_is_up(r) || r->dead || r->count >= PENDING_MAX)
        return BERTH_EAGAIN;
    return send_words(r, MSG_COMMAND, words_new(argv, argc, NULL, 0), block_ms, fn, arg);
}

int redis_eval(struct redis *r, size_t script, const struct span *keys, size_t nkeys,
               const struct span *argv, size_t argc, redis_reply_fn *fn, void *arg)
{
    if (!redis_is_up(r) || r->dead || r->count >= PENDING_MAX)
        return BERTH_EAGAIN;
    struct words *w = words_new(keys, nkeys, argv, argc);
    w->script = script;
    w->nkeys = nkeys;
    return send_words(r, MSG_EVAL, w, 0, fn, arg);
}

void redis_reconnect(struct redis *r, const char *why)
{
    if (!r->up || r->dead || r->dropping)
        return;
    (void)snprintf(r->why, sizeof r->why, "%s", why);
    r->dropping = true;
    timer_start(&r->drop, 0, 0);
}

/* store_server.c - the simulated Redis server. */
#include "tests/sim/store_server.h"

#include <assert.h>
#include <stdlib.h>

struct client {
    struct store_server *server;
    struct client *prev, *next;
    struct conn_end end;
    struct words *blocked; /* an XREAD that waits, or a WAIT */
    struct sim_event timeout;
    struct msg *first, *last; /* what came behind it */
};

struct words *words_new(const struct span *a, size_t a_count, const struct span *b, size_t b_count)
{
    size_t bytes = 0, n = a_count + b_count;
    for (size_t i = 0; i < n; i++)
        bytes += (i < a_count ? a[i] : b[i - a_count]).len + 1;
    struct words *w = malloc(sizeof *w + n * sizeof *w->list + bytes);
    assert(w != NULL);
    *w = (struct words){.count = n};
    char *at = (char *)(w->list + n);
    for (size_t i = 0; i < n; i++) {
        struct span s = i < a_count ? a[i] : b[i - a_count];
        if (s.len > 0)
            memcpy(at, s.ptr, s.len);
        at[s.len] = '\0';
        w->list[i] = (struct span){at, s.len};
        at += s.len + 1;
    }
    return w;
}

int64_t store_server_now_us(const struct store_server *s)
{
    return SIM_EPOCH_US + sim->now_us + s->wall_skew_us;
}

static void drop_reply(void *reply)
{
    reply_free(reply);
}

static void answer(struct client *c, struct reply *reply)
{
    struct msg *m = msg_new(MSG_REPLY, (struct span){NULL, 0});
    m->object = reply;
    m->drop = drop_reply;
    conn_send(&c->end, m);
}

/* ---- waiting for a stream ---- */

static int64_t block_ms(const struct words *w)
{
    int64_t ms = -1;
    if (!span_is(w->list[0], "XREAD"))
        return -1;
    for (size_t i = 1; i + 1 < w->count; i++)
        if (span_is(w->list[i], "BLOCK") && span_int(w->list[i + 1], &ms))
            return ms;
    return -1;
}

static void run(struct client *c, struct msg *m);

static void go_on(struct client *c)
{
    free(c->blocked);
    c->blocked = NULL;
    sim_cancel(&c->timeout);
    while (c->blocked == NULL && c->first != NULL) {
        struct msg *m = c->first;
        c->first = m->next;
        if (c->first == NULL)
            c->last = NULL;
        run(c, m);
        if (m->object != NULL)
            m->drop(m->object);
        free(m);
    }
}

static bool try_read(struct client *c)
{
    struct reply *reply = reply_new();
    keyspace_set_time(c->server->ks, store_server_now_us(c->server));
    keyspace_command(c->server->ks, c->blocked->list, c->blocked->count, reply, &reply->root);
    if (reply->root.type == RESP_NIL) {
        reply_free(reply);
        return false;
    }
    answer(c, reply);
    go_on(c);
    return true;
}

static void on_timeout(void *arg)
{
    struct client *c = arg;
    if (proc_paused(&c->server->proc)) {
        sim_at(&c->timeout, c->server->proc.paused_until_us, on_timeout, c);
        return;
    }
    struct reply *reply = reply_new(); /* nil */
    if (span_is(c->blocked->list[0], "WAIT"))
        reply_int(&reply->root, 0);
    answer(c, reply);
    go_on(c);
}

static void wake(struct store_server *s, uint64_t additions)
{
    if (s->ks->additions == additions)
        return;
    for (struct client *c = s->clients, *next; c != NULL; c = next) {
        next = c->next;
        if (c->blocked != NULL && span_is(c->blocked->list[0], "XREAD"))
            (void)try_read(c);
    }
}

/* ---- commands ---- */

static void block(struct client *c, struct msg *m, int64_t ms)
{
    c->blocked = m->object;
    m->object = NULL;
    if (ms > 0)
        sim_after(&c->timeout, ms * SIM_MS, on_timeout, c);
}

/* What concerns the replica, which has everything at once until it lags. False: it is another
 * command. */
static bool run_replica(struct client *c, struct msg *m, struct reply *reply)
{
    const struct words *w = m->object;
    int64_t ms;
    if (m->kind == MSG_EVAL)
        return false;
    if (span_is(w->list[0], "ROLE")) {
        struct resp *items = reply_list(reply, &reply->root, 3);
        reply_text(reply, &items[0], SPAN("master"));
        reply_int(&items[1], 1);
        reply_text(reply, reply_list(reply, &items[2], 1), SPAN("replica"));
        return true;
    }
    if (!span_is(w->list[0], "WAIT"))
        return false;
    if (c->server->lagging == 0)
        reply_int(&reply->root, 1);
    else if (w->count == 3 && span_int(w->list[2], &ms))
        block(c, m, ms);
    return true;
}

static void run(struct client *c, struct msg *m)
{
    struct store_server *s = c->server;
    struct words *w = m->object;
    struct reply *reply = reply_new();
    uint64_t additions = s->ks->additions;
    s->calls++;
    keyspace_set_time(s->ks, store_server_now_us(s));
    if (run_replica(c, m, reply)) {
        if (c->blocked != NULL) {
            reply_free(reply);
            return;
        }
    } else if (m->kind == MSG_EVAL) {
        keyspace_eval(s->lua, s->ks, w->script, w->list, w->nkeys, w->list + w->nkeys,
                      w->count - w->nkeys, reply, &reply->root);
        if (s->watch != NULL)
            s->watch(s->watch_arg, w, &reply->root);
    } else {
        keyspace_command(s->ks, w->list, w->count, reply, &reply->root);
        int64_t ms = block_ms(w);
        if (ms >= 0 && reply->root.type == RESP_NIL) {
            reply_free(reply);
            block(c, m, ms);
            return;
        }
    }
    if (reply->root.type == RESP_ERROR)
        sim_trace("store", "error %.*s", SPAN_ARG(reply->root.text));
    answer(c, reply);
    wake(s, additions);
}

void store_server_eval(struct store_server *s, const struct store_call *call, struct reply *reply)
{
    uint64_t additions = s->ks->additions;
    struct words *w = words_new(call->keys, call->nkeys, call->argv, call->argc);
    w->script = call->script;
    w->nkeys = call->nkeys;
    keyspace_set_time(s->ks, store_server_now_us(s));
    keyspace_eval(s->lua, s->ks, w->script, w->list, w->nkeys, w->list + w->nkeys,
                  w->count - w->nkeys, reply, &reply->root);
    if (s->watch != NULL)
        s->watch(s->watch_arg, w, &reply->root);
    free(w);
    wake(s, additions);
}

static void client_free(struct client *c)
{
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        c->server->clients = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    sim_cancel(&c->timeout);
    for (struct msg *m = c->first, *next; m != NULL; m = next) {
        next = m->next;
        if (m->object != NULL)
            m->drop(m->object);
        free(m);
    }
    free(c->blocked);
    free(c);
}

static void on_data(void *user, struct msg *m)
{
    struct client *c = user;
    if (c->blocked == NULL) {
        run(c, m);
        return;
    }
    struct msg *copy = msg_new(m->kind, (struct span){m->text, m->len});
    copy->object = m->object;
    copy->drop = m->drop;
    m->object = NULL;
    if (c->last != NULL)
        c->last->next = copy;
    else
        c->first = copy;
    c->last = copy;
}

static void on_closed(void *user, const char *why)
{
    client_free(user);
}

static const struct conn_ops ops = {.data = on_data, .closed = on_closed};

static void on_accept(void *arg, struct conn_end *end)
{
    struct store_server *s = arg;
    if (!s->open)
        return;
    struct client *c = calloc(1, sizeof *c);
    assert(c != NULL);
    c->server = s;
    c->next = s->clients;
    if (c->next != NULL)
        c->next->prev = c;
    s->clients = c;
    c->end = *end;
    conn_set(&c->end, &ops, c);
}

/* ---- life ---- */

void store_server_start(struct store_server *s, struct keyspace_lua *lua)
{
    *s = (struct store_server){.lua = lua, .open = true};
    proc_init(&s->proc, "store");
    s->ks = keyspace_create();
    int port = net_listen(STORE_PORT, &s->proc, on_accept, s);
    assert(port == STORE_PORT);
    (void)port;
}

static void break_all(struct store_server *s)
{
    while (s->clients != NULL) {
        struct client *c = s->clients;
        struct proc *was = sim->current;
        sim->current = &s->proc;
        conn_close(&c->end);
        sim->current = was;
        client_free(c);
    }
}

void store_server_stop(struct store_server *s)
{
    break_all(s);
    proc_cut(&s->proc, true);
    proc_fini(&s->proc);
    keyspace_destroy(s->ks);
}

void store_server_close(struct store_server *s)
{
    s->open = false;
    break_all(s);
}

void store_server_open(struct store_server *s)
{
    s->open = true;
}

void store_server_replace(struct store_server *s, struct keyspace *ks)
{
    keyspace_destroy(s->ks);
    s->ks = ks != NULL ? ks : keyspace_create();
}

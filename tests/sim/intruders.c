/* intruders.c - those who come to a node's door with tickets of their own making: good ones, which
 * must be let in, and all kinds of bad ones, and good ones at doors that are closed. */
#include "tests/sim/judge.h"

#include "io/web.h"

#include <assert.h>
#include <stdlib.h>

enum { PAUSE_MS = 900, SHUT_PAUSE_MS = 250, CONNECT_TIMEOUT_MS = 3000, ANSWER_TIMEOUT_MS = 6000 };

enum trick {
    TRICK_GOOD, /* a good one; shown again after its player left */
    TRICK_AGAIN,
    TRICK_EPOCH_OLD, /* of the node's process before */
    TRICK_EPOCH_NEW,
    TRICK_NODE,
    TRICK_POOL,
    TRICK_EXPIRED,
    TRICK_FUTURE,
    TRICK_KEY,  /* signed by nobody's key */
    TRICK_KID,  /* a key that there is not */
    TRICK_NONE, /* not signed */
    TRICK_LONG, /* a ticket for a day */
    TRICK_PLAYER,
    TRICK_ROOM,
    TRICK_NO_TICKET,
    TRICKS
};

static const char *const words[TRICKS] = {"good",
                                          "a second time",
                                          "for the process before",
                                          "for a process to come",
                                          "of another node",
                                          "of another pool",
                                          "that has expired",
                                          "from the future",
                                          "of another key",
                                          "of an unknown key",
                                          "that nobody signed",
                                          "for a day",
                                          "of another player",
                                          "of another room",
                                          "that is none"};

struct intruder {
    struct intruder *prev, *next;
    struct ws *ws;
    struct timer timer;
    enum trick trick;
    bool closed_door; /* nobody may come in here */
    bool must;        /* ... and here everybody with a good one */
    struct instance *in;
    int boots;
    bool in_it;
    int64_t began_us;
    struct forged forged;
    char player[64], room[64], ticket[1024];
};

static struct {
    struct proc proc;
    struct loop *loop;
    struct web *web;
    struct rng rng;
    struct timer timer;
    struct intruder *first;
    uint64_t count, turns;
} all;

static void end(struct intruder *i)
{
    timer_stop(&i->timer);
    if (i->ws != NULL) {
        ws_set_user(i->ws, NULL);
        ws_close(i->ws, 1000, "bye");
    }
    if (i->prev != NULL)
        i->prev->next = i->next;
    else
        all.first = i->next;
    if (i->next != NULL)
        i->next->prev = i->prev;
    free(i);
}

/* ---- what is answered ---- */

static bool is_shut(const struct book_node *n)
{
    return (n->state == NODE_DRAINED || n->state == NODE_TERMINATING) &&
           n->since_us < sim->now_us - 100 * SIM_MS;
}

/* Nothing that could excuse a door has happened since long before. */
static bool is_calm(const struct intruder *i)
{
    return i->in->running && i->in->boots == i->boots && !i->in->gone &&
           world_calm(&i->in->task.proc, 15 * SIM_S) && world_store_calm(20 * SIM_S) &&
           world->clock_trouble_us < sim->now_us - 20 * SIM_S;
}

static void let_in(struct intruder *i)
{
    i->in_it = true;
    bool timed = i->trick == TRICK_EXPIRED || i->trick == TRICK_FUTURE || i->closed_door ||
                 i->trick == TRICK_AGAIN;
    if (timed && !is_calm(i))
        return;
    const struct book_node *n = book_node(i->in->pool, span_of(i->in->id));
    if (i->closed_door && n != NULL && is_shut(n))
        sim_fail("door: %s was let in at %s, whose door is closed", i->player, i->in->id);
    else if (!i->closed_door && i->trick != TRICK_GOOD)
        sim_fail("ticket: one %s was taken at %s", words[i->trick], i->in->id);
}

static void refused(const struct intruder *i, struct span data)
{
    const struct book_node *n = book_node(i->in->pool, span_of(i->in->id));
    if (i->trick == TRICK_GOOD && i->must && is_calm(i) && n != NULL && n->state == NODE_READY)
        sim_fail("door: a good ticket was refused at %s: %.*s", i->in->id, SPAN_ARG(data));
}

static void come(struct intruder *i, int64_t after_ms);

static void on_open(void *arg, struct ws *ws)
{
    struct intruder *i = ws_user(ws);
    char text[1400], ticket[1100] = "", room[96] = "";
    if (i == NULL)
        return;
    if (i->trick != TRICK_NO_TICKET)
        (void)snprintf(ticket, sizeof ticket, ",\"ticket\":\"%s\"", i->ticket);
    if (i->in->pool == POOL_GAME)
        (void)snprintf(room, sizeof room, ",\"room\":\"%s\"", i->room);
    (void)snprintf(text, sizeof text, "{\"type\":\"%s\",\"player\":\"%s\"%s%s}",
                   i->in->pool == POOL_GAME ? "join" : "hello", i->player, room, ticket);
    if (ws_send(ws, span_of(text)) < 0)
        end(i);
}

static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct intruder *i = ws_user(ws);
    if (i == NULL)
        return;
    if (memmem(data.ptr, data.len, "\"type\":\"welcome\"", 16) != NULL ||
        memmem(data.ptr, data.len, "\"type\":\"joined\"", 15) != NULL) {
        let_in(i);
        if (ws_send(ws, SPAN("{\"type\":\"leave\"}")) < 0)
            end(i);
    } else if (memmem(data.ptr, data.len, "\"type\":\"refused\"", 16) != NULL) {
        refused(i, data);
        end(i);
    } else if (memmem(data.ptr, data.len, "\"type\":\"left\"", 13) != NULL) {
        ws_set_user(i->ws, NULL);
        ws_close(i->ws, 1000, "bye");
        i->ws = NULL;
        if (i->trick != TRICK_GOOD) {
            end(i);
            return;
        }
        i->trick = TRICK_AGAIN;
        come(i, 1000);
    }
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct intruder *i = ws_user(ws);
    if (i == NULL)
        return;
    i->ws = NULL;
    end(i);
}

static const struct ws_handlers handlers = {
    .open = on_open, .message = on_message, .close = on_close};

static void on_time(void *arg)
{
    struct intruder *i = arg;
    struct err err;
    if (i->ws != NULL || !i->in->running || i->in->boots != i->boots) {
        end(i);
        return;
    }
    const struct ws_client_config config = {.url = prog_node_endpoint(i->in->task.app),
                                            .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    i->ws = ws_connect(all.web, &config, &handlers, &err);
    if (i->ws == NULL) {
        end(i);
        return;
    }
    ws_set_user(i->ws, i);
    timer_start(&i->timer, ANSWER_TIMEOUT_MS, 0);
}

static void come(struct intruder *i, int64_t after_ms)
{
    timer_stop(&i->timer);
    timer_start(&i->timer, after_ms, 0);
}

size_t intruders_on(const struct instance *in)
{
    size_t n = 0;
    for (const struct intruder *i = all.first; i != NULL; i = i->next)
        n += i->in == in && i->in_it && i->ws != NULL;
    return n;
}

/* ---- who comes ---- */

/* A closed door if there is one, else any. */
static struct instance *pick(bool *ret_shut)
{
    struct instance *list[INSTANCES_MAX];
    size_t n = 0;
    *ret_shut = false;
    for (size_t k = 0; k < world->instance_count; k++) {
        struct instance *in = &world->instances[k];
        const struct book_node *node = book_node(in->pool, span_of(in->id));
        if (!in->running || node == NULL || prog_node_endpoint(in->task.app)[0] == '\0')
            continue;
        bool shut = is_shut(node);
        if (shut && !*ret_shut)
            n = 0; /* these first */
        *ret_shut |= shut;
        if (shut == *ret_shut)
            list[n++] = in;
    }
    return n > 0 ? list[rng_below(&all.rng, n)] : NULL;
}

static void spoil(struct intruder *i)
{
    struct forged *f = &i->forged;
    switch (i->trick) {
    case TRICK_EPOCH_OLD:
        f->node_epoch -= 1 + (int64_t)rng_below(&all.rng, 5000);
        break;
    case TRICK_EPOCH_NEW:
        f->node_epoch += 1 + (int64_t)rng_below(&all.rng, 5000);
        break;
    case TRICK_NODE:
        (void)snprintf(f->node, sizeof f->node, "%s-i511", i->in->pool ? "game" : "lobby");
        break;
    case TRICK_POOL:
        f->pool = i->in->pool == POOL_GAME ? "lobby" : "game";
        break;
    case TRICK_EXPIRED:
        f->issued_s -= 14;
        f->expires_s -= 14;
        break;
    case TRICK_FUTURE:
        f->issued_s += 20;
        f->expires_s += 20;
        break;
    case TRICK_KEY:
        f->secret = "somebody-elses-somebody-elses";
        break;
    case TRICK_KID:
        f->kid = "k2";
        break;
    case TRICK_NONE:
        f->secret = NULL;
        break;
    case TRICK_LONG:
        f->expires_s += 86400;
        break;
    case TRICK_PLAYER:
        (void)snprintf(f->player, sizeof f->player, "somebody");
        break;
    case TRICK_ROOM:
        (void)snprintf(f->room, sizeof f->room, i->in->pool == POOL_GAME ? "elsewhere" : "");
        break;
    default:
        break;
    }
}

static void forge(struct intruder *i, const struct book_node *n)
{
    static const char *const pools[] = {"lobby", "game"};
    int64_t now_s = store_server_now_us(&world->store) / SIM_S;
    i->forged = (struct forged){.kid = "k1",
                                .secret = WORLD_SECRET,
                                .issuer = "intruder",
                                .pool = pools[i->in->pool],
                                .issuer_epoch = 1,
                                .node_epoch = n->epoch,
                                .issued_s = now_s,
                                .expires_s = now_s + 8};
    struct forged *f = &i->forged;
    (void)snprintf(i->player, sizeof i->player, "x%llu", (unsigned long long)all.count);
    if (i->in->pool == POOL_GAME)
        (void)snprintf(i->room, sizeof i->room, "x-%llu", (unsigned long long)all.count);
    (void)snprintf(f->node, sizeof f->node, "%s", i->in->id);
    (void)snprintf(f->player, sizeof f->player, "%s", i->player);
    (void)snprintf(f->room, sizeof f->room, "%s", i->room);
    (void)snprintf(f->jti, sizeof f->jti, "intruder-%llu", (unsigned long long)all.count);
    spoil(i);
    ticket_forge(f, i->ticket, sizeof i->ticket);
    if (i->trick == TRICK_GOOD)
        book_issued(i->in->pool, i->in->id, n->epoch, "intruder", 1, now_s, 1);
}

static void on_turn(void *arg)
{
    bool shut = false;
    struct instance *in = world->arrivals_over ? NULL : pick(&shut);
    int64_t pause_ms = world->arrivals_over ? PAUSE_MS : SHUT_PAUSE_MS;
    timer_start(&all.timer, pause_ms / 2 + (int64_t)rng_below(&all.rng, (uint64_t)pause_ms), 0);
    if (!shut && ++all.turns % 4 != 0)
        return; /* closed doors are rare, and not for long */
    if (in == NULL)
        return;
    const struct book_node *n = book_node(in->pool, span_of(in->id));
    struct intruder *i = calloc(1, sizeof *i);
    assert(i != NULL);
    all.count++;
    i->in = in;
    i->boots = in->boots;
    i->closed_door = shut;
    i->trick = shut ? TRICK_GOOD : (enum trick)rng_below(&all.rng, TRICKS);
    if (i->trick == TRICK_AGAIN || (i->trick == TRICK_ROOM && in->pool != POOL_GAME))
        i->trick = TRICK_GOOD;
    i->must = n->state == NODE_READY && n->since_us < sim->now_us - 5 * SIM_S &&
              prog_node_conns(in->task.app) + 4 < (uint32_t)world->pools[in->pool]->capacity;
    if (i->trick == TRICK_GOOD && !shut && !i->must)
        i->trick = TRICK_KEY; /* no seat is taken from anybody */
    forge(i, n);
    i->next = all.first;
    if (i->next != NULL)
        i->next->prev = i;
    all.first = i;
    timer_init(&i->timer, all.loop, on_time, i);
    come(i, 1);
}

/* ---- life ---- */

static void open_all(void *arg)
{
    struct err err = {0};
    all.loop = loop_create(&err);
    all.web = web_create(all.loop, NULL, &err);
    timer_init(&all.timer, all.loop, on_turn, NULL);
    timer_start(&all.timer, 9000, 0);
}

void intruders_start(void)
{
    memset(&all, 0, sizeof all);
    proc_init(&all.proc, "intruders");
    rng_seed(&all.rng, sim->seed ^ 0x696e7472);
    proc_run(&all.proc, open_all, NULL);
}

static void close_all(void *arg)
{
    while (all.first != NULL)
        end(all.first);
    timer_stop(&all.timer);
    web_destroy(all.web);
    loop_destroy(all.loop);
}

void intruders_stop(void)
{
    proc_cut(&all.proc, true);
    all.proc.muted = true;
    proc_run(&all.proc, close_all, NULL);
    proc_cut(&all.proc, true);
    proc_fini(&all.proc);
}

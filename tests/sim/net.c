/* net.c - connections: messages in order within one, late when packets are lost, none while the way
 * is cut. */
#include "tests/sim/kernel_internal.h"

#include <assert.h>
#include <stdlib.h>

enum {
    RESEND_FIRST_US = 200000, /* TCP's first retransmission */
    RESEND_LAST_US = 3000000,
    GIVE_UP_US = 30000000, /* a kernel gives a silent connection up */
    CLOSE_MSG = -1,
    OPEN_MSG = -2,
};

struct side {
    struct conn *conn;
    int index;
    struct proc *proc; /* NULL: nobody (any more) */
    const struct conn_ops *ops;
    void *user;
    struct conn_end *end;     /* the user's; NULL: closed by it */
    struct conn *prev, *next; /* of its process */
    /* On the way to this side. */
    struct msg *first, *last;
    size_t bytes;
    int64_t last_at_us, stuck_since_us, resend_us;
    struct sim_event pump;
};

struct conn {
    struct side sides[2]; /* 0 dialled */
    int port;
    int hosts[2];
    unsigned busy; /* being delivered to: not freed */
};

static struct net {
    struct listener ports[PORTS_MAX];
    int next_port;
    unsigned char blocked[HOSTS_MAX][HOSTS_MAX];
} net;

struct msg *msg_new(int kind, struct span text)
{
    struct msg *m = malloc(sizeof *m + text.len + 1);
    assert(m != NULL);
    *m = (struct msg){.kind = kind, .len = text.len};
    if (text.len > 0)
        memcpy(m->text, text.ptr, text.len);
    m->text[text.len] = '\0';
    return m;
}

static void msg_free(struct msg *m)
{
    if (m->object != NULL && m->drop != NULL)
        m->drop(m->object);
    free(m);
}

/* ---- the way ---- */

void net_host_new(int host)
{
    for (int i = 0; i < HOSTS_MAX; i++)
        net.blocked[host][i] = net.blocked[i][host] = 0;
}

void net_block(int from, int to, bool blocked)
{
    net.blocked[from][to] = blocked;
}

bool net_blocked(int from, int to)
{
    return net.blocked[from][to];
}

int64_t net_delay_us(void)
{
    const struct net_weather *w = &sim->weather;
    int64_t us = w->base_us;
    if (w->more_us > 0)
        us += (int64_t)rng_exponential(&sim->net_rng, (double)w->more_us);
    if (w->loss > 0)
        for (int64_t again = RESEND_FIRST_US; chance(&sim->net_rng, w->loss) && again < 2000000;
             again *= 2)
            us += again;
    return us;
}

void net_fini(void)
{
    net = (struct net){0};
}

/* ---- ports ---- */

int net_listen(int port, struct proc *proc, void (*accept)(void *arg, struct conn_end *end),
               void *arg)
{
    for (int tried = 0; port == 0 && tried < PORTS_MAX; tried++) {
        int at = PORTS_MAX / 2 + net.next_port++ % (PORTS_MAX / 2);
        if (net.ports[at].proc == NULL)
            port = FIRST_PORT + at;
    }
    int at = port - FIRST_PORT;
    if (at < 0 || at >= PORTS_MAX || net.ports[at].proc != NULL)
        return 0;
    net.ports[at] = (struct listener){proc, accept, arg};
    return port;
}

void net_unlisten(int port)
{
    net.ports[port - FIRST_PORT] = (struct listener){0};
}

void net_mute(int port)
{
    net.ports[port - FIRST_PORT].accept = NULL;
}

/* ---- connections ---- */

static void attach(struct conn *c, int side, struct proc *proc)
{
    struct side *s = &c->sides[side];
    s->proc = proc;
    s->next = proc->conns;
    s->prev = NULL;
    if (proc->conns != NULL) {
        struct conn *o = proc->conns;
        o->sides[o->sides[0].proc == proc ? 0 : 1].prev = c;
    }
    proc->conns = c;
}

static int side_of(const struct conn *c, const struct proc *proc)
{
    return c->sides[0].proc == proc ? 0 : 1;
}

static void detach(struct conn *c, int side)
{
    struct side *s = &c->sides[side];
    struct proc *proc = s->proc;
    if (proc == NULL)
        return;
    if (s->prev != NULL)
        s->prev->sides[side_of(s->prev, proc)].next = s->next;
    else
        proc->conns = s->next;
    if (s->next != NULL)
        s->next->sides[side_of(s->next, proc)].prev = s->prev;
    s->proc = NULL;
    s->prev = s->next = NULL;
}

static void clear_queue(struct side *s)
{
    for (struct msg *m = s->first, *next; m != NULL; m = next) {
        next = m->next;
        msg_free(m);
    }
    s->first = s->last = NULL;
    s->bytes = 0;
    sim_cancel(&s->pump);
}

/* Frees it once nobody holds it and nothing is on the way. */
static void reap(struct conn *c)
{
    if (c->busy > 0)
        return;
    for (int i = 0; i < 2; i++)
        if (c->sides[i].end != NULL || (c->sides[i].first != NULL && c->sides[i].proc != NULL))
            return;
    for (int i = 0; i < 2; i++) {
        clear_queue(&c->sides[i]);
        detach(c, i);
    }
    free(c);
}

static void forget(struct conn *c, int side)
{
    struct side *s = &c->sides[side];
    if (s->end != NULL)
        s->end->conn = NULL;
    s->end = NULL;
    s->ops = NULL;
    clear_queue(s);
    detach(c, side);
}

struct delivery {
    struct conn *conn;
    int side;
    struct msg *msg;
};

static void accept_here(void *arg)
{
    struct delivery *d = arg;
    struct conn *c = d->conn;
    const struct listener *l = &net.ports[c->port - FIRST_PORT];
    struct conn_end end = {c, 1};
    c->sides[1].end = &end;
    if (l->accept != NULL)
        l->accept(l->arg, &end);
    if (c->sides[1].end == &end) { /* nobody took it */
        c->sides[1].end = NULL;
        c->sides[1].ops = NULL;
    }
}

static void hand_over(void *arg)
{
    struct delivery *d = arg;
    struct side *s = &d->conn->sides[d->side];
    const struct conn_ops *ops = s->ops;
    if (ops == NULL)
        return;
    if (d->msg->kind == OPEN_MSG) {
        ops->open(s->user);
    } else if (d->msg->kind == CLOSE_MSG) {
        void *user = s->user;
        forget(d->conn, d->side);
        ops->closed(user, d->msg->number == 0 ? "peer" : d->msg->number == 1 ? "refused" : "reset");
    } else {
        ops->data(s->user, d->msg);
    }
}

static void pump(void *arg);

static void arm(struct side *s, int64_t at_us)
{
    sim_at(&s->pump, at_us, pump, s);
}

static void pump_side(struct conn *c, int side)
{
    struct side *s = &c->sides[side];
    struct msg *m = s->first;
    int from = c->hosts[1 - side], to = c->hosts[side];
    if (m == NULL || s->proc == NULL)
        return;
    if (m->at_us > sim->now_us) {
        arm(s, m->at_us);
        return;
    }
    if (net.blocked[from][to] || net.blocked[to][from]) { /* no packet, or no acknowledgement */
        if (s->stuck_since_us == 0) {
            s->stuck_since_us = sim->now_us;
            s->resend_us = RESEND_FIRST_US;
        }
        /* One-way: the first packets of it may get there though the sender never hears so. */
        if (net.blocked[from][to] || sim->now_us - s->stuck_since_us > RESEND_FIRST_US) {
            if (sim->now_us - s->stuck_since_us > GIVE_UP_US) {
                struct conn_end *end = c->sides[1 - side].end;
                struct delivery d = {c, 1 - side, msg_new(CLOSE_MSG, (struct span){NULL, 0})};
                d.msg->number = 2;
                struct proc *p = c->sides[1 - side].proc;
                clear_queue(s);
                if (end != NULL && p != NULL && !p->muted)
                    proc_run(p, hand_over, &d);
                msg_free(d.msg);
                return;
            }
            arm(s, sim->now_us + s->resend_us);
            s->resend_us = s->resend_us * 2 > RESEND_LAST_US ? RESEND_LAST_US : s->resend_us * 2;
            return;
        }
    } else {
        s->stuck_since_us = 0;
    }
    if (proc_paused(s->proc)) {
        arm(s, s->proc->paused_until_us + draw(&sim->net_rng, 0, 2000));
        return;
    }
    s->first = m->next;
    if (s->first == NULL)
        s->last = NULL;
    s->bytes -= m->len;
    struct delivery d = {c, side, m};
    struct proc *proc = s->proc;
    sim_digest(&sim->now_us, sizeof sim->now_us);
    sim_digest(m->text, m->len < 64 ? m->len : 64);
    if (m->kind == OPEN_MSG && side == 1) {
        proc_run(proc, accept_here, &d);
        if (c->sides[1].ops != NULL) {
            struct msg *opened = msg_new(OPEN_MSG, (struct span){NULL, 0});
            struct conn_end me = {c, 1};
            conn_send(&me, opened);
        } else {
            struct msg *refused = msg_new(CLOSE_MSG, (struct span){NULL, 0});
            struct conn_end me = {c, 1};
            refused->number = 1;
            conn_send(&me, refused);
        }
    } else {
        proc_run(proc, hand_over, &d);
    }
    msg_free(m);
    if (s->first != NULL && s->proc != NULL)
        arm(s, s->first->at_us);
}

static void pump(void *arg)
{
    const struct side *s = arg;
    struct conn *c = s->conn;
    c->busy++;
    pump_side(c, s->index);
    c->busy--;
    reap(c);
}

static void queue(struct conn *c, int to, struct msg *m)
{
    struct side *s = &c->sides[to];
    if (s->proc == NULL) { /* nobody there: lost, or (a process that ended) answered by a reset */
        msg_free(m);
        return;
    }
    int64_t at = sim->now_us + net_delay_us();
    m->at_us = at > s->last_at_us ? at : s->last_at_us;
    s->last_at_us = m->at_us;
    m->next = NULL;
    if (s->last != NULL)
        s->last->next = m;
    else
        s->first = m;
    s->last = m;
    s->bytes += m->len;
    if (s->first == m)
        arm(s, m->at_us);
}

void conn_dial(struct conn_end *end, struct proc *from, int port, const struct conn_ops *ops,
               void *user)
{
    struct conn *c = calloc(1, sizeof *c);
    assert(c != NULL);
    int at = port - FIRST_PORT;
    struct proc *to = at >= 0 && at < PORTS_MAX ? net.ports[at].proc : NULL;
    c->port = port;
    c->sides[0].conn = c->sides[1].conn = c;
    c->sides[1].index = 1;
    c->hosts[0] = from->host;
    attach(c, 0, from);
    c->sides[0].ops = ops;
    c->sides[0].user = user;
    c->sides[0].end = end;
    *end = (struct conn_end){c, 0};
    if (to == NULL || to == from) { /* the machine is there, but nobody listens */
        c->hosts[1] = from->host;
        struct msg *m = msg_new(CLOSE_MSG, (struct span){NULL, 0});
        m->number = 1;
        queue(c, 0, m);
        return;
    }
    c->hosts[1] = to->host;
    attach(c, 1, to);
    queue(c, 1, msg_new(OPEN_MSG, (struct span){NULL, 0}));
}

void conn_set(struct conn_end *end, const struct conn_ops *ops, void *user)
{
    struct side *s = &end->conn->sides[end->side];
    s->ops = ops;
    s->user = user;
    s->end = end;
}

void conn_send(struct conn_end *end, struct msg *m)
{
    if (end->conn == NULL || (sim->current != NULL && sim->current->muted)) {
        msg_free(m);
        return;
    }
    queue(end->conn, 1 - end->side, m);
}

void conn_close(struct conn_end *end)
{
    struct conn *c = end->conn;
    int side = end->side;
    if (c == NULL)
        return;
    end->conn = NULL;
    c->sides[side].end = NULL;
    c->sides[side].ops = NULL;
    clear_queue(&c->sides[side]);
    if (!(sim->current != NULL && sim->current->muted))
        queue(c, 1 - side, msg_new(CLOSE_MSG, (struct span){NULL, 0}));
    detach(c, side);
    reap(c);
}

/* What has not arrived at the other side never does. */
static void drop_unarrived(struct conn *c, int to)
{
    struct side *s = &c->sides[to];
    bool cut = net.blocked[c->hosts[1 - to]][c->hosts[to]];
    struct msg *kept = NULL, *last = NULL;
    for (struct msg *m = s->first, *next; m != NULL; m = next) {
        next = m->next;
        if (cut || m->at_us > sim->now_us || s->proc == NULL) {
            s->bytes -= m->len;
            msg_free(m);
            continue;
        }
        m->next = NULL;
        if (last != NULL)
            last->next = m;
        else
            kept = m;
        last = m;
    }
    s->first = kept;
    s->last = last;
    if (kept == NULL)
        sim_cancel(&s->pump);
    s->last_at_us = sim->now_us;
}

void conn_abort(struct conn_end *end)
{
    if (end->conn == NULL)
        return;
    drop_unarrived(end->conn, 1 - end->side);
    conn_close(end);
}

size_t conn_queued(const struct conn_end *end)
{
    return end->conn == NULL ? 0 : end->conn->sides[1 - end->side].bytes;
}

struct proc *conn_other(const struct conn_end *end)
{
    return end->conn == NULL ? NULL : end->conn->sides[1 - end->side].proc;
}

void proc_cut(struct proc *p, bool silently)
{
    while (p->conns != NULL) {
        struct conn *c = p->conns;
        int side = side_of(c, p);
        forget(c, side);
        if (!silently) {
            struct msg *m = msg_new(CLOSE_MSG, (struct span){NULL, 0});
            m->number = 2;
            queue(c, 1 - side, m);
        }
        reap(c);
    }
    for (int i = 0; i < PORTS_MAX; i++)
        if (net.ports[i].proc == p)
            net.ports[i] = (struct listener){0};
}

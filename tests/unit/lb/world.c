/* world.c - the model: a queue of messages in virtual time, a store, nodes. */
#include "tests/unit/lb/world.h"

#include "lb/trace.h"
#include "tests/support/cmocka.h"
#include "tests/support/usual_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MONO_BASE = 5000000, HOP_MS = 1 };

mono_ms_t world_mono(const struct world *w)
{
    return (mono_ms_t){w->now + MONO_BASE};
}

static int64_t wall(const struct world *w)
{
    return w->now + w->wall_base;
}

/* ---- messages ---- */

static struct world_message *post(struct world *w, int to, enum lb_event_kind kind, int64_t delay)
{
    assert_true(w->queued < WORLD_QUEUE);
    struct world_message *m = &w->queue[w->queued++];
    *m = (struct world_message){.at = w->now + delay, .to = to};
    m->ev.kind = kind;
    return m;
}

static struct store_answer *answer_to(struct world *w, int to, enum lb_event_kind kind)
{
    struct world_message *m = post(w, to, kind, HOP_MS);
    m->ev.answer = &m->answer; /* set again when it is delivered: messages move */
    m->answer.now = (wall_ms_t){wall(w)};
    return &m->answer;
}

static void feed(struct world *w, const struct feed_item *item)
{
    for (int i = 0; i < w->lb_count; i++)
        if (w->lbs[i].connected)
            post(w, i, LB_FOLLOW_ITEM, HOP_MS)->item = *item;
}

static struct feed_item item_of(const struct world_node *node, enum feed_kind kind)
{
    struct feed_item item = {.kind = kind};
    (void)snprintf(item.node, sizeof item.node, "%s", node->name);
    return item;
}

static struct feed_item state_item(const struct world *w, const struct world_node *node,
                                   const char *why)
{
    struct feed_item item = item_of(node, FEED_STATE);
    item.has_state = true;
    item.state = (struct node_state_record){
        .state = node->state, .since = {node->since + w->wall_base}, .epoch = node->epoch};
    (void)snprintf(item.state.why, sizeof item.state.why, "%s", why);
    return item;
}

static struct feed_item join_item(const struct world_node *node)
{
    struct feed_item item = item_of(node, FEED_JOIN);
    item.info = (struct node_info){
        .epoch = node->epoch, .capacity = 100, .tickets = true, .report_interval_ms = 1000};
    (void)snprintf(item.info.endpoint, sizeof item.info.endpoint, "ws://%s/ws", node->name);
    (void)snprintf(item.info.nonce, sizeof item.info.nonce, "%s", node->nonce);
    return item;
}

static struct feed_item report_item(const struct world *w, const struct world_node *node)
{
    struct feed_item item = item_of(node, FEED_REPORT);
    item.report = (struct node_report){
        .contract = 1,
        .epoch = node->epoch,
        .seq = node->seq,
        .conns = node->conns,
        .capacity = 100,
        .rooms = node->rooms,
        .drain = node->drain,
        .closed =
            node->says_closed || (node->state == NODE_CLOSING && node->closes && node->conns == 0),
        .at = {node->beat_at + w->wall_base},
    };
    return item;
}

/* ---- the store ---- */

static void snapshot(struct world *w, int to)
{
    post(w, to, LB_FOLLOW_BEGIN, HOP_MS);
    for (int i = 0; i < WORLD_NODES; i++) {
        const struct world_node *node = &w->nodes[i];
        if (!node->used || !node->known)
            continue;
        post(w, to, LB_FOLLOW_ITEM, HOP_MS)->item = join_item(node);
        post(w, to, LB_FOLLOW_ITEM, HOP_MS)->item = state_item(w, node, "snapshot");
        if (node->seq > 0)
            post(w, to, LB_FOLLOW_ITEM, HOP_MS)->item = report_item(w, node);
    }
    post(w, to, LB_FOLLOW_END, HOP_MS);
}

static void connect_lb(struct world *w, int i)
{
    w->lbs[i].connected = true;
    post(w, i, LB_STORE_UP, HOP_MS);
    snapshot(w, i);
}

void world_store(struct world *w, bool up)
{
    w->store_up = up;
    for (int i = 0; i < w->lb_count; i++) {
        if (up) {
            connect_lb(w, i);
            continue;
        }
        w->lbs[i].connected = false;
        post(w, i, LB_STORE_DOWN, 0)->ev.why = "closed";
        post(w, i, LB_FOLLOW_LOST, 0)->ev.why = "closed";
    }
}

static bool holds(const struct world *w, const char *name, int64_t token)
{
    return w->now < w->lease_until && strcmp(w->holder, name) == 0 && w->token == token;
}

static void do_lease(struct world *w, int i, const struct lease_request *request)
{
    struct world_lb *me = &w->lbs[i];
    struct store_answer *a = answer_to(w, i, LB_LEASE_REPLY);
    w->queue[w->queued - 1].ev.lease_request = *request;
    bool live = w->now < w->lease_until;
    if (request->op == LEASE_OP_ACQUIRE && live && strcmp(w->holder, me->name) != 0) {
        a->word = ANSWER_HELD;
        a->holder = span_of(w->holder);
        a->ttl_ms = w->lease_until - w->now;
    } else if (request->op == LEASE_OP_ACQUIRE) {
        if (!live) {
            w->token = w->fence = w->fence + 1;
            (void)snprintf(w->holder, sizeof w->holder, "%s", me->name);
        }
        w->lease_until = w->now + w->settings.lease_ms;
        a->token = w->token;
    } else if (!holds(w, me->name, request->token)) {
        a->word = ANSWER_LOST;
    } else {
        w->lease_until = request->op == LEASE_OP_RENEW ? w->now + w->settings.lease_ms : w->now;
        a->token = w->token;
    }
}

static void set_state(struct world *w, struct world_node *node, enum node_state to, const char *why)
{
    node->state = to;
    node->since = w->now;
    struct feed_item item = state_item(w, node, why);
    if (to == NODE_GONE) {
        item.kind = FEED_GONE;
        node->used = false;
    }
    feed(w, &item);
}

static void do_move(struct world *w, int i, const struct lb_effect *fx)
{
    struct store_answer *a = answer_to(w, i, LB_MOVE_REPLY);
    w->queue[w->queued - 1].ev.move = fx->move;
    struct world_node *node = world_find(w, fx->move.node);
    if (!holds(w, w->lbs[i].name, fx->move.token)) {
        a->word = ANSWER_FENCED;
        w->moves_refused++;
    } else if (node == NULL || !node->known) {
        a->word = ANSWER_UNKNOWN;
    } else if (node->epoch != fx->move.epoch || node->state != fx->move.from) {
        a->word = ANSWER_STALE;
        a->state = node->state;
    } else {
        assert_true(state_may_move(MOVE_OWNER, fx->move.from, fx->move.to));
        set_state(w, node, fx->move.to, fx->why);
    }
}

static bool losable(enum node_state state)
{
    return state != NODE_LOST && state != NODE_TERMINATING && state != NODE_GONE;
}

static void do_sweep(struct world *w, int i, const struct lb_effect *fx)
{
    struct store_answer *a = answer_to(w, i, LB_SWEEP_REPLY);
    int64_t silent = 0, total = 0;
    for (int n = 0; n < WORLD_NODES; n++) {
        const struct world_node *node = &w->nodes[n];
        if (!node->used || !node->known || !losable(node->state))
            continue;
        total++;
        silent += w->now - node->beat_at >= w->pool.lost_after_ms;
    }
    if (!holds(w, w->lbs[i].name, fx->token)) {
        a->word = ANSWER_FENCED;
        return;
    }
    bool many = silent > 1 && silent * 100 > total * fx->guard_percent;
    if (fx->guard_percent > 0 && (many || (fx->grace && silent > 0))) {
        a->word = ANSWER_GUARD;
        a->count = silent;
        a->total = total;
        return;
    }
    for (int n = 0; n < WORLD_NODES; n++) {
        struct world_node *node = &w->nodes[n];
        if (!node->used || !node->known)
            continue;
        if (losable(node->state) && w->now - node->beat_at >= w->pool.lost_after_ms)
            set_state(w, node, NODE_LOST, "silent");
        else if (node->state == NODE_LOST && w->now - node->since >= w->pool.forget_after_ms)
            set_state(w, node, NODE_GONE, "forgotten");
    }
}

static void do_probe(struct world *w, int i, const struct lb_effect *fx)
{
    struct world_message *m = post(w, i, LB_PROBE_REPLY, 5);
    struct world_node *node = world_find(w, fx->move.node);
    (void)snprintf(m->node, sizeof m->node, "%s", fx->move.node);
    m->ev.node_epoch = fx->move.epoch;
    m->ev.ok = node != NULL && node->reachable && node->epoch == fx->move.epoch &&
               (node->out_of_reach >> i & 1) == 0;
    m->ev.why = m->ev.ok ? "ok" : "refused";
    w->lbs[i].probes++;
}

static void do_enroll(struct world *w, int i, const struct lb_effect *fx)
{
    struct store_answer *a = answer_to(w, i, LB_ENROLL_REPLY);
    struct world_lb *me = &w->lbs[i];
    if (w->now < me->name_free_at) { /* a process of before, or another, has the name */
        a->word = ANSWER_TAKEN;
        a->epoch = 1;
        if (me->own_epoch == 0)
            me->own_epoch = wall(w) + i;
        a->own_epoch = me->own_epoch;
        return;
    }
    if (me->epoch == 0)
        me->epoch = fx->held_epoch ? fx->held_epoch : wall(w) + i;
    a->epoch = me->epoch;
}

/* ---- balancers ---- */

static void note(struct world *w, int i, const struct lb_effect *fx)
{
    char line[TRACE_LINE_MAX];
    if (trace_is_routine(fx) && !(w->trace_probes && fx->kind == LB_DO_PROBE))
        return;
    int n = snprintf(w->trace + w->trace_len, WORLD_TRACE - w->trace_len, "[%5lld] %s > %s\n",
                     (long long)w->now, w->lbs[i].name, trace_effect(w->lbs[i].lb, fx, line));
    assert_true(n > 0 && w->trace_len + (size_t)n < WORLD_TRACE);
    w->trace_len += (size_t)n;
}

/* When the store is away the answer is "not known". */
static void fail_to_send(struct world *w, int i, const struct lb_effect *fx)
{
    static const enum lb_event_kind replies[] = {
        [LB_DO_ENROLL] = LB_ENROLL_REPLY,
        [LB_DO_LEASE] = LB_LEASE_REPLY,
        [LB_DO_MOVE] = LB_MOVE_REPLY,
        [LB_DO_SWEEP] = LB_SWEEP_REPLY,
    };
    struct world_message *m = post(w, i, replies[fx->kind], HOP_MS);
    m->ev.code = BERTH_ECLOSED;
    m->ev.move = fx->move;
    m->ev.lease_request = fx->lease_request;
}

static struct world_message *tell_peer(struct world *w, int to, const struct lb_effect *fx)
{
    static const struct {
        const char *event;
        enum lb_event_kind kind;
    } events[] = {{"released", LB_PEER_RELEASED},
                  {"rooms", LB_PEER_ROOMS},
                  {"able", LB_PEER_ABLE},
                  {"confirm", LB_PEER_CONFIRM},
                  {"verdict", LB_PEER_VERDICT}};
    if (fx->kind == LB_DO_COUNT)
        return post(w, to, LB_PEER_COUNT, HOP_MS);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (strcmp(fx->event, events[i].event) == 0)
            return post(w, to, events[i].kind, HOP_MS);
    return NULL;
}

static void tell_peers(struct world *w, int from, const struct lb_effect *fx)
{
    for (int i = 0; i < w->lb_count; i++) {
        struct world_message *m = i == from ? NULL : tell_peer(w, i, fx);
        if (m == NULL)
            continue;
        m->ev.peer = (size_t)from;
        m->ev.count = fx->count;
        m->ev.ok = fx->able;
        (void)snprintf(m->node, sizeof m->node, "%s", fx->move.node);
        m->ev.node_epoch = fx->move.epoch;
    }
}

static void carry_out(struct world *w, int i)
{
    for (size_t n = 0; n < w->lbs[i].fx.count; n++) {
        const struct lb_effect *fx = &w->lbs[i].fx.items[n];
        note(w, i, fx);
        bool to_store = fx->kind <= LB_DO_SWEEP;
        if (to_store && !w->lbs[i].connected)
            fail_to_send(w, i, fx);
        else if (fx->kind == LB_DO_ENROLL)
            do_enroll(w, i, fx);
        else if (fx->kind == LB_DO_LEASE)
            do_lease(w, i, &fx->lease_request);
        else if (fx->kind == LB_DO_MOVE)
            do_move(w, i, fx);
        else if (fx->kind == LB_DO_SWEEP)
            do_sweep(w, i, fx);
        else if (fx->kind == LB_DO_PROBE)
            do_probe(w, i, fx);
        else if (fx->kind == LB_DO_COUNT || fx->kind == LB_DO_TELL)
            tell_peers(w, i, fx);
    }
}

void world_event(struct world *w, int i, struct lb_event ev)
{
    ev.now = world_mono(w);
    lb_step(w->lbs[i].lb, &ev, &w->lbs[i].fx);
    carry_out(w, i);
}

static void deliver(struct world *w)
{
    static struct world_message m; /* several kilobytes */
    for (size_t n = 0; n < w->queued;) {
        m = w->queue[n];
        if (m.at > w->now || !w->lbs[m.to].runs) {
            n++;
            continue;
        }
        memmove(&w->queue[n], &w->queue[n + 1], (w->queued - n - 1) * sizeof m);
        w->queued--;
        if (m.ev.answer != NULL)
            m.ev.answer = &m.answer;
        m.ev.item = &m.item;
        m.ev.node = span_of(m.node);
        world_event(w, m.to, m.ev);
        n = 0; /* in order of posting among those that are due */
    }
}

/* ---- nodes ---- */

struct world_node *world_find(struct world *w, const char *name)
{
    for (int i = 0; i < WORLD_NODES; i++)
        if (w->nodes[i].used && strcmp(w->nodes[i].name, name) == 0)
            return &w->nodes[i];
    return NULL;
}

static void join(struct world *w, struct world_node *node)
{
    node->known = true;
    node->state = NODE_JOINING;
    node->since = node->beat_at = w->now;
    struct feed_item item = join_item(node);
    item.has_state = true;
    item.state = state_item(w, node, "joined").state;
    feed(w, &item);
}

struct world_node *world_node(struct world *w, const char *name)
{
    struct world_node *node = world_find(w, name);
    for (int i = 0; node == NULL && i < WORLD_NODES; i++)
        if (!w->nodes[i].used)
            node = &w->nodes[i];
    assert_non_null(node);
    *node = (struct world_node){
        .used = true, .epoch = wall(w), .reports = true, .reachable = true, .closes = true};
    (void)snprintf(node->name, sizeof node->name, "%s", name);
    (void)snprintf(node->nonce, sizeof node->nonce, "n%lld", (long long)(w->now % 100000));
    node->next_report_at = w->now + 10;
    join(w, node);
    return node;
}

void world_kill(struct world_node *node)
{
    node->reports = node->reachable = false;
}

static void report(struct world *w, struct world_node *node)
{
    if (!node->used || !node->reports || w->now < node->next_report_at)
        return;
    node->next_report_at = w->now + w->pool.report_interval_ms;
    if (!w->store_up)
        return;
    if (!node->known) { /* the store lost its memory: join anew, with the epoch it had or another */
        node->epoch = w->reissues ? wall(w) : node->epoch;
        join(w, node);
    }
    node->seq++;
    node->beat_at = w->now;
    struct feed_item item = report_item(w, node);
    feed(w, &item);
}

void world_want(struct world *w, const char *node, enum want_who who, enum want_kind kind,
                int64_t until)
{
    struct feed_item item = {.kind = FEED_WANT};
    (void)snprintf(item.node, sizeof item.node, "%s", node);
    item.want =
        (struct want){.who = who, .kind = kind, .until = {until == 0 ? 0 : until + w->wall_base}};
    (void)snprintf(item.want.node, sizeof item.want.node, "%s", node);
    feed(w, &item);
}

/* ---- the world ---- */

static void settings(struct world *w, int lb_count)
{
    w->pool = usual_pool("game");
    w->tickets = (struct ticket_settings){.mode = TICKETS_REQUIRED, .skew_ms = 1000};
    w->owns[0] = "game";
    w->peers[0] = (struct lb_peer_settings){.name = "lb-a", .owns = {w->owns, 1}};
    w->peers[1] = (struct lb_peer_settings){.name = "lb-b"};
    w->peers[2] = (struct lb_peer_settings){.name = "lb-c"};
    w->settings = (struct lb_settings){
        .peers = {w->peers, (size_t)lb_count},
        .lease_ms = 1000,
        .lease_renew_ms = 250,
        .failback = FAILBACK_AUTO,
        .failback_after_ms = 10000,
        .probe_rate = 500,
    };
}

static void reset(struct world *w, int lb_count)
{
    memset(w, 0, sizeof *w);
    w->wall_base = 1700000000000;
    w->store_up = true;
    w->lb_count = lb_count;
    settings(w, lb_count);
}

static void open_lb(struct world *w, int i)
{
    struct lb_pool_config pool = {.settings = &w->pool};
    struct world_lb *me = &w->lbs[i];
    (void)snprintf(me->name, sizeof me->name, "lb-%c", 'a' + i);
    struct lb_config config = {
        .name = me->name,
        .lb = &w->settings,
        .tickets = &w->tickets,
        .pools = &pool,
        .pool_count = 1,
        .nodes_max = WORLD_NODES,
        .rooms_max = 8,
        .players_max = 64,
        .seed = 7 + (uint64_t)i,
    };
    struct err err = {0};
    me->lb = lb_create(&config, world_mono(w), &err);
    if (me->lb == NULL)
        fail_msg("%s", err.text);
    me->runs = true;
    connect_lb(w, i);
}

static void open_lbs(struct world *w)
{
    for (int i = 0; i < w->lb_count; i++)
        open_lb(w, i);
}

void world_restart_lb(struct world *w, int i, int64_t name_free_at)
{
    struct world_lb *me = &w->lbs[i];
    lb_destroy(me->lb);
    *me = (struct world_lb){.name_free_at = name_free_at};
    size_t kept = 0;
    for (size_t n = 0; n < w->queued; n++)
        if (w->queue[n].to != i)
            w->queue[kept++] = w->queue[n];
    w->queued = kept;
    open_lb(w, i);
}

void world_cut(struct world *w, const char *name)
{
    for (int i = 0; i < w->lb_count; i++)
        if (w->lbs[i].runs)
            world_event(w, i,
                        (struct lb_event){.kind = LB_PROBE_CUT,
                                          .node = span_of(name),
                                          .node_epoch = world_find(w, name)->epoch});
}

void world_link(struct world *w, int a, int b, bool up)
{
    enum lb_event_kind kind = up ? LB_PEER_UP : LB_PEER_DOWN;
    if (w->lbs[a].runs)
        world_event(w, a, (struct lb_event){.kind = kind, .peer = (size_t)b, .why = "link"});
    if (w->lbs[b].runs)
        world_event(w, b, (struct lb_event){.kind = kind, .peer = (size_t)a, .why = "link"});
}

void world_init(struct world *w, int lb_count)
{
    reset(w, lb_count);
    open_lbs(w);
}

void world_init_limited(struct world *w, int64_t address_rate, int64_t player_rate)
{
    reset(w, 1);
    w->pool.address_rate = address_rate;
    w->pool.player_rate = player_rate;
    open_lbs(w);
}

void world_fini(struct world *w)
{
    for (int i = 0; i < w->lb_count; i++)
        lb_destroy(w->lbs[i].lb);
}

/* The next millisecond at which something happens, after this one. */
static int64_t next_at(const struct world *w, int64_t until)
{
    int64_t at = until;
    for (int i = 0; i < WORLD_NODES; i++)
        if (w->nodes[i].used && w->nodes[i].reports && w->nodes[i].next_report_at < at)
            at = w->nodes[i].next_report_at;
    for (size_t n = 0; n < w->queued; n++)
        if (w->lbs[w->queue[n].to].runs && w->queue[n].at < at)
            at = w->queue[n].at;
    for (int i = 0; i < w->lb_count; i++) {
        int64_t due = w->lbs[i].runs ? lb_deadline(w->lbs[i].lb).ms : INT64_MAX;
        if (due != INT64_MAX && due - MONO_BASE < at)
            at = due - MONO_BASE;
    }
    return at > w->now ? at : w->now + 1;
}

void world_run(struct world *w, int64_t until)
{
    for (; w->now < until; w->now = next_at(w, until)) {
        for (int i = 0; i < WORLD_NODES; i++)
            report(w, &w->nodes[i]);
        deliver(w);
        for (int i = 0; i < w->lb_count; i++) {
            const struct world_lb *me = &w->lbs[i];
            for (int n = 0; me->runs && lb_deadline(me->lb).ms <= world_mono(w).ms; n++) {
                assert_true(n < 100); /* a deadline that does not move on would spin the loop */
                world_event(w, i, (struct lb_event){.kind = LB_TICK});
            }
        }
    }
}

void world_clear_trace(struct world *w)
{
    w->trace_len = 0;
    w->trace[0] = '\0';
}

const char *world_place(struct world *w, int lb, const char *player)
{
    static char text[KEYS_NAME_MAX + 8];
    struct span players[1] = {span_of(player)};
    struct lb_ask ask = {.players = players, .player_count = 1};
    struct lb_placed placed;
    lb_place(w->lbs[lb].lb, world_mono(w), &ask, &placed);
    if (placed.verdict == LB_PLACED)
        (void)snprintf(text, sizeof text, "%s", placed.node);
    else
        (void)snprintf(text, sizeof text, "(%s)", placed.why);
    return text;
}

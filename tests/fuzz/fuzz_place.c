/* fuzz_place.c - whatever the feed, the peer, the store, probes and players say to a balancer's
 * core, in any order: nobody is placed where nobody may be, moves are legal, no count is below
 * zero, and in the end no ticket is pending. Each line is an act: a sign and what it says. */
#include "lb/link.h"
#include "lb/question.h"
#include "lb/trace.h"
#include "tests/fuzz/need.h"
#include "tests/support/usual_pool.h"

enum { NODES = 6, WAITING_MAX = 48, KEPT = WAITING_MAX + LB_EFFECTS_MAX, PROVED_MAX = 200 };
#define WALL_MS INT64_C(1700000000000)

static struct world {
    struct lb *lb;
    int64_t now, skew; /* skew: what the store's clock is ahead */
    bool claiming;
    char proved[PROVED_MAX][KEYS_NAME_MAX + 1]; /* nodes that were ready once */
    size_t proved_count;
    struct lb_effects fx;
    struct lb_effect waiting[KEPT]; /* for an answer */
    size_t waits;
} w;

static mono_ms_t now(void)
{
    return (mono_ms_t){w.now};
}

/* ---- what must hold ---- */

static void check_effect(const struct lb_effect *e)
{
    char line[TRACE_LINE_MAX];
    need(e->pool == 0 && strlen(trace_effect(w.lb, e, line)) < sizeof line);
    if (e->kind == LB_DO_MOVE)
        need(e->move.token > 0 && state_may_move(MOVE_OWNER, e->move.from, e->move.to) &&
             e->why[0]);
    if (e->kind == LB_DO_COUNT)
        need(keys_name_ok(span_of(e->count.issuer)) && keys_name_ok(span_of(e->count.node)));
    if (e->kind == LB_DO_NOTE)
        need(e->event && e->event[0]);
}

static bool was_ready(const char *name)
{
    for (size_t i = 0; i < w.proved_count; i++)
        if (strcmp(w.proved[i], name) == 0)
            return true;
    return false;
}

static void check(void)
{
    struct lb_pool_view pool;
    struct lb_node_view node;
    int64_t pending = 0, conns = 0;
    size_t nodes = 0;
    lb_pool_view(w.lb, 0, now(), &pool);
    for (size_t i = 0; i < lb_node_slots(w.lb, 0); i++) {
        if (!lb_node_view(w.lb, 0, i, now(), &node))
            continue;
        need(node.pending >= 0 && node.est >= node.pending && keys_name_ok(span_of(node.name)));
        pending += node.pending;
        conns += node.est - node.pending;
        nodes++;
        if (node.state.state == NODE_READY && !was_ready(node.name) && w.proved_count < PROVED_MAX)
            memcpy(w.proved[w.proved_count++], node.name, strlen(node.name));
    }
    need(nodes == pool.node_count && nodes <= NODES);
    need(pool.pending_all == pending && pool.conns_all >= 0 && pool.conns_all <= conns);
    need(pool.conns_all == conns || w.claiming); /* seats are set aside: est has them, too */
    need(pool.pending >= 0 && pool.pending <= pending && pool.conns >= 0 &&
         pool.conns <= pool.conns_all);
    need(pool.capacity >= 0 && pool.rooms_known >= 0);
}

static void step(struct lb_event ev)
{
    ev.now = now();
    lb_step(w.lb, &ev, &w.fx);
    need(w.fx.count <= LB_EFFECTS_MAX);
    for (size_t i = 0; i < w.fx.count; i++) {
        check_effect(&w.fx.items[i]);
        if (w.fx.items[i].kind <= LB_DO_PROBE && w.waits < KEPT)
            w.waiting[w.waits++] = w.fx.items[i];
    }
    check();
}

/* ---- acts ---- */

/* The first that waits is answered. how: a word of the store; beyond them: nobody answers. */
static void answer(unsigned how)
{
    static const enum lb_event_kind replies[] = {
        [LB_DO_ENROLL] = LB_ENROLL_REPLY, [LB_DO_LEASE] = LB_LEASE_REPLY,
        [LB_DO_MOVE] = LB_MOVE_REPLY,     [LB_DO_SWEEP] = LB_SWEEP_REPLY,
        [LB_DO_PROBE] = LB_PROBE_REPLY,
    };
    static struct lb_effect e;
    if (w.waits == 0)
        return;
    e = w.waiting[0];
    memmove(&w.waiting[0], &w.waiting[1], --w.waits * sizeof e);
    bool said = how < ANSWER_WORDS;
    struct store_answer a = {.word = said ? (enum answer_word)how : ANSWER_OK,
                             .now = {WALL_MS + w.now + w.skew},
                             .epoch = 1700000000000,
                             .own_epoch = 1700000000001,
                             .token = e.kind == LB_DO_LEASE && e.lease_request.token
                                          ? e.lease_request.token
                                          : WALL_MS + w.now,
                             .state = (enum node_state)(how % NODE_STATES),
                             .holder = SPAN("lb-b 5 7"),
                             .ttl_ms = 500,
                             .count = how,
                             .total = NODES};
    if (e.kind == LB_DO_PROBE)
        step((struct lb_event){.kind = LB_PROBE_REPLY,
                               .node = span_of(e.move.node),
                               .node_epoch = e.move.epoch,
                               .ok = how == 0,
                               .why = how == 0 ? "ok" : "refused"});
    else
        step((struct lb_event){.kind = replies[e.kind],
                               .code = said ? 0 : BERTH_ETIMEOUT,
                               .answer = said ? &a : NULL,
                               .lease_request = e.lease_request,
                               .move = e.move});
}

static void pass(int64_t ms)
{
    w.now += ms;
    for (int i = 0; lb_deadline(w.lb).ms <= w.now; i++) {
        need(i < 1000); /* it comes to rest */
        step((struct lb_event){.kind = LB_TICK});
        while (w.waits > WAITING_MAX)
            answer(ANSWER_WORDS);
    }
}

static void row(char kind, struct span text)
{
    static struct feed_item item;
    struct err err = {0};
    struct span field = span_cut(&text, '\t');
    bool gone = kind == '4';
    enum feed_kind as = gone ? FEED_STATE : (enum feed_kind)((unsigned char)kind % 4);
    memset(&item, 0, sizeof item);
    if (feed_item_from_row(as, field, text, &item, &err) < 0 ||
        (gone && item.state.state != NODE_GONE))
        return;
    if (gone)
        item.kind = FEED_GONE;
    step((struct lb_event){.kind = LB_FOLLOW_ITEM, .item = &item});
}

static void hear(struct span text)
{
    static const enum lb_event_kind kinds[] = {
        [LINK_COUNT] = LB_PEER_COUNT,         [LINK_RELEASED] = LB_PEER_RELEASED,
        [LINK_ROOM_OVER] = LB_PEER_ROOM_OVER, [LINK_ROOMS] = LB_PEER_ROOMS,
        [LINK_ABLE] = LB_PEER_ABLE,           [LINK_CONFIRM] = LB_PEER_CONFIRM,
        [LINK_VERDICT] = LB_PEER_VERDICT,
    };
    static struct link_line line;
    if (link_parse(text, &line, NULL) < 0 || line.kind < LINK_COUNT || line.kind == LINK_OTHER ||
        (line.kind != LINK_ABLE && lb_pool_find(w.lb, span_of(line.pool)) < 0))
        return;
    step((struct lb_event){.kind = kinds[line.kind],
                           .peer = 1,
                           .count = line.count,
                           .room = span_of(line.room),
                           .node = span_of(line.node),
                           .node_epoch = line.epoch,
                           .ok = line.yes});
}

/* Nobody gets a fresh seat where it may not be. */
static void check_placed(const struct question *q)
{
    const struct lb_placed *p = &q->placed;
    struct lb_node_view node;
    need(p->why != NULL && (p->verdict == LB_PLACED || p->retry_after_ms > 0));
    if (p->verdict == LB_REFUSED)
        return;
    int slot = lb_node_find(w.lb, 0, span_of(p->node));
    need(slot >= 0 && lb_node_view(w.lb, 0, (size_t)slot, now(), &node));
    need(p->seat_count >= 1 && p->seat_count <= LB_SEATS_MAX);
    if (strcmp(p->why, "known_room") == 0 || strcmp(p->why, "repeated") == 0)
        return;
    /* A store that forgot what it knew does not make a proved node new. */
    need(node.state.state == NODE_READY ||
         (node.state.state == NODE_JOINING && was_ready(p->node)));
    need(p->est >= 0 && p->est + (int64_t)p->seat_count <= p->capacity);
    for (size_t i = 0; i < q->ask.exclude_count; i++)
        need(!span_is(q->ask.exclude[i], p->node));
}

/* The store's word to a claim, each digit one claim: 0 OK, 1 HAVE, 2 MOVED, 3 STALE, 4 silence. */
static void claim(struct question *q, struct span *digits)
{
    static const enum answer_word words[] = {ANSWER_OK, ANSWER_HAVE, ANSWER_MOVED, ANSWER_STALE};
    unsigned how = digits->len > 0 ? (unsigned char)digits->ptr[0] % 8 : 0;
    if (digits->len > 0)
        *digits = (struct span){digits->ptr + 1, digits->len - 1};
    struct store_answer a = {.word = words[how % 4],
                             .now = {WALL_MS + w.now + w.skew},
                             .node = span_of(how % 4 == 1 ? "gn-2" : q->placed.claim.node),
                             .epoch = how % 4 == 1 ? 5 : q->placed.claim.epoch};
    if (how == 7)
        pass(1000); /* it takes a while */
    need(q->placed.claim.node[0] && q->placed.claims <= LB_CLAIMS_MAX);
    lb_claimed(w.lb, now(), &q->ask, &q->placed, how == 4 ? BERTH_ETIMEOUT : 0,
               how == 4 ? NULL : &a);
    check();
}

/* Digits for claims, then player=..&room=.. as in a query. */
static void ask(struct span text)
{
    static struct question q;
    struct span digits = span_cut(&text, '?');
    question_init(&q, 0);
    while (text.len > 0) {
        struct span value = span_cut(&text, '&');
        struct span name = span_cut(&value, '=');
        char word[16];
        if (!span_copy(name, word, sizeof word) || question_set(&q, word, value, NULL) < 0)
            return;
    }
    need(lb_rate(w.lb, now(), 0, SPAN("10.0.0.1"),
                 q.ask.player_count ? q.ask.players[0] : SPAN("")) >= 0);
    lb_place(w.lb, now(), &q.ask, &q.placed);
    for (int i = 0; (w.claiming = q.placed.verdict == LB_CLAIM); i++) {
        need(i < LB_CLAIMS_MAX);
        if (digits.len > 0 && digits.ptr[0] == '-') { /* who asked hung up */
            lb_abandon(w.lb, &q.ask, &q.placed);
            w.claiming = false;
            check();
            return;
        }
        claim(&q, &digits);
    }
    check_placed(&q);
    struct pool_candidate list[4];
    size_t n = lb_explain(w.lb, now(), &q.ask, list, 4);
    need(n <= 4);
    check();
}

static void act(struct span line)
{
    static const struct {
        char sign;
        enum lb_event_kind kind;
        size_t peer;
    } plain[] = {{'U', LB_STORE_UP, 0},   {'D', LB_STORE_DOWN, 0},  {'F', LB_FOLLOW_BEGIN, 0},
                 {'E', LB_FOLLOW_END, 0}, {'L', LB_FOLLOW_LOST, 0}, {'P', LB_PEER_UP, 1},
                 {'Q', LB_PEER_DOWN, 1}};
    if (line.len == 0)
        return;
    char sign = line.ptr[0];
    struct span rest = {line.ptr + 1, line.len - 1};
    unsigned first = rest.len > 0 ? (unsigned char)rest.ptr[0] : 0;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (sign == plain[i].sign)
            step((struct lb_event){.kind = plain[i].kind, .peer = plain[i].peer, .why = "said"});
    if (sign == '+')
        pass(first * INT64_C(50));
    else if (sign == '*')
        pass(first * INT64_C(10000));
    else if (sign == 'k')
        w.skew = ((int64_t)first - 128) * 700;
    else if (sign == 'f' && rest.len > 1)
        row(rest.ptr[0], (struct span){rest.ptr + 1, rest.len - 1});
    else if (sign == 'l')
        hear(rest);
    else if (sign == 'r')
        for (size_t i = 0; i < rest.len && i < 16; i++)
            answer((unsigned char)rest.ptr[i] - '0');
    else if (sign == 'a')
        ask(rest);
    else if (sign == 'x' && keys_id_ok(rest))
        step((struct lb_event){.kind = LB_ROOM_OVER, .room = rest});
    else if (sign == 'z')
        step((struct lb_event){.kind = LB_SERVICE, .ok = first % 2});
    else if (sign == 'c' && keys_name_ok(rest))
        step((struct lb_event){.kind = LB_PROBE_CUT, .node = rest, .node_epoch = 5});
    while (w.waits > WAITING_MAX)
        answer(ANSWER_WORDS);
}

static void begin(int strategy)
{
    static const char *const owns[] = {"game"};
    static struct lb_peer_settings peers[2];
    static struct pool_settings pool;
    static struct ticket_settings tickets;
    static struct lb_settings settings;
    struct err err = {0};
    pool = usual_pool("game");
    pool.capacity = 5;
    pool.strategy = strategy;
    pool.settle_ms = 1500;
    pool.slow_start_ms = 2000;
    pool.address_rate = 1000;
    pool.player_rate = 600;
    peers[0] = (struct lb_peer_settings){.name = "lb-a", .owns = {owns, 1}};
    peers[1] = (struct lb_peer_settings){.name = "lb-b"};
    tickets = (struct ticket_settings){.mode = TICKETS_REQUIRED, .skew_ms = 1000};
    settings = (struct lb_settings){.peers = {peers, 2},
                                    .lease_ms = 1000,
                                    .lease_renew_ms = 250,
                                    .failback = FAILBACK_AUTO,
                                    .failback_after_ms = 10000,
                                    .probe_rate = 500};
    const struct lb_pool_config pools = {.settings = &pool};
    const struct lb_config config = {.name = "lb-a",
                                     .lb = &settings,
                                     .tickets = &tickets,
                                     .pools = &pools,
                                     .pool_count = 1,
                                     .nodes_max = NODES,
                                     .rooms_max = 4,
                                     .players_max = 8,
                                     .seed = 7};
    memset(&w, 0, sizeof w);
    w.now = 1000;
    w.lb = lb_create(&config, now(), &err);
    need(w.lb != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    struct lb_node_view node;
    if (size < 1)
        return 0;
    begin((unsigned char)*rest.ptr % 3);
    (void)span_cut(&rest, '\n');
    for (int i = 0; i < 200 && rest.len > 0; i++)
        act(span_cut(&rest, '\n'));
    w.skew = 0;
    for (int i = 0; i < 30; i++)
        pass(5000);
    for (size_t i = 0; i < lb_node_slots(w.lb, 0); i++) /* in the end no ticket is owed */
        if (lb_node_view(w.lb, 0, i, now(), &node))
            need(node.pending == 0 || !node.info->tickets);
    step((struct lb_event){.kind = LB_STOP});
    lb_destroy(w.lb);
    return 0;
}

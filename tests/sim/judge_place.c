/* judge_place.c - the judge's book of what the LBs hand out: is every pick of a node that may be
 * had, is it the emptiest, is nobody refused while there is room, and does a ticket say what it
 * should? */
#include "tests/sim/judge_lb.h"

#include "tests/sim/dict.h"

#include <stdlib.h>

enum { RESERVES_MAX = 256, LONGEST_TICKET_S = 8, ROOM_TICKET_S = 6, ISSUE_LIFE_US = 30000000 };

/* The linker has the shell of the LB call these; they call the core. */
void __real_lb_place(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                     struct lb_placed *placed);
void __wrap_lb_place(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                     struct lb_placed *placed);
void __real_lb_claimed(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                       struct lb_placed *placed, int code, const struct store_answer *answer);
void __wrap_lb_claimed(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                       struct lb_placed *placed, int code, const struct store_answer *answer);
void __real_lb_abandon(struct lb *lb, const struct lb_ask *ask, struct lb_placed *placed);
void __wrap_lb_abandon(struct lb *lb, const struct lb_ask *ask, struct lb_placed *placed);

/* Tickets of one second that one LB handed out for one node. */
struct issue {
    enum pool_id pool;
    char node[64], issuer[64];
    int64_t node_epoch, issuer_epoch, second, expires_s;
    uint32_t count;
    int64_t last_us; /* when the last of them was handed out */
    size_t lb;
    /* What each other LB must have heard of them by now, and the incarnation that has. */
    uint32_t heard[LBS_MAX];
    int64_t heard_started_us[LBS_MAX];
};

/* Seats set aside while the store is asked. */
struct reserve {
    int lb;
    int64_t lb_started_us;
    enum pool_id pool;
    int64_t epoch;
    uint32_t seats; /* 0: given back */
};

static struct {
    struct issue issues[PLACE_ISSUES_MAX];
    uint64_t issue_count;
    int64_t issued_us; /* when the last ticket was handed out */
    struct reserve reserves[RESERVES_MAX];
    size_t reserve_count;
    int64_t linked_us[LBS_MAX][LBS_MAX]; /* the link has stood since, and both were well; 0: not */
    struct dict answers;                 /* lb, pool, player -> room node; score: when it expires */
} all;

/* ---- on their way ---- */

static int64_t admitted_of(const struct told *t, const struct issue *is)
{
    for (size_t i = 0; i < t->admitted_count; i++) {
        const struct admitted_run *run = &t->admitted[i];
        int64_t k = is->second - run->first_s;
        if (strcmp(run->issuer, is->issuer) == 0 && run->issuer_epoch == is->issuer_epoch &&
            k >= 0 && k < run->count)
            return run->counts[k];
    }
    return 0;
}

/* From the newest back; NULL: those before are long over. */
static const struct issue *issue_before(uint64_t *at)
{
    uint64_t oldest = all.issue_count > PLACE_ISSUES_MAX ? all.issue_count - PLACE_ISSUES_MAX : 0;
    if (*at <= oldest)
        return NULL;
    const struct issue *is = &all.issues[--*at % PLACE_ISSUES_MAX];
    return is->last_us < sim->now_us - ISSUE_LIFE_US ? NULL : is;
}

static bool is_for(const struct issue *is, const struct told *t, enum pool_id pool)
{
    return is->node_epoch == t->epoch && is->pool == pool && strcmp(is->node, t->name) == 0;
}

/* Handed out by `viewer`, or by others who told it, alive, and not yet told to be in. */
int64_t judge_pending_least(const struct told *t, enum pool_id pool, int viewer)
{
    int64_t sum = 0, now_s = store_server_now_us(&world->store) / SIM_S;
    int64_t started_us = judge_lbs.books[viewer].started_us;
    uint64_t at = all.issue_count;
    for (const struct issue *is; (is = issue_before(&at)) != NULL;) {
        if (is->expires_s <= now_s + 1 || !is_for(is, t, pool) || is->last_us < t->taken_up_us)
            continue;
        uint32_t count = is->heard_started_us[viewer] == started_us ? is->heard[viewer] : 0;
        if ((int)is->lb == viewer)
            count = started_us < is->last_us ? is->count : 0;
        int64_t left = (int64_t)count - admitted_of(t, is);
        sum += left > 0 ? left : 0;
    }
    return sum;
}

/* LBs tell each other what they hand out at once, and everything that is alive when a link comes
 * up. */
static void hear(size_t from, size_t to)
{
    int64_t since_us = all.linked_us[to][from];
    uint64_t at = all.issue_count;
    if (since_us == 0 || since_us > sim->now_us - 3 * SHARED_US)
        return;
    for (const struct issue *is; (is = issue_before(&at)) != NULL;) {
        struct issue *heard = &all.issues[at % PLACE_ISSUES_MAX];
        if (is->lb != from || is->last_us > sim->now_us - SHARED_US ||
            judge_lbs.books[from].started_us > is->last_us)
            continue;
        heard->heard[to] = is->count;
        heard->heard_started_us[to] = judge_lbs.books[to].started_us;
    }
}

void judge_place_look(void)
{
    bool calm = world->weather_trouble_us < sim->now_us - 2 * SIM_S;
    for (size_t i = 0; i < world->lb_count; i++)
        for (size_t k = 0; k < world->lb_count; k++) {
            bool stands = i != k && calm && world->lb_up[i] && world->lb_up[k] &&
                          world_calm(&world->lb[i].proc, 2 * SIM_S) &&
                          world_calm(&world->lb[k].proc, 2 * SIM_S) &&
                          prog_lb_peer_up(world->lb[i].app, k) &&
                          prog_lb_peer_up(world->lb[k].app, i);
            if (!stands)
                all.linked_us[i][k] = 0;
            else if (all.linked_us[i][k] == 0)
                all.linked_us[i][k] = sim->now_us;
            if (stands && judge_steady(5 * SIM_S))
                hear(k, i);
        }
}

int64_t judge_pending_most(const struct told *t, enum pool_id pool)
{
    int64_t sum = 0, now_s = store_server_now_us(&world->store) / SIM_S;
    uint64_t at = all.issue_count;
    for (const struct issue *is; (is = issue_before(&at)) != NULL;) {
        /* the longest ticket, clocks apart, one report, and some more for a slow look */
        if (is->second + LONGEST_TICKET_S + 5 < now_s || !is_for(is, t, pool))
            continue;
        int64_t left = (int64_t)is->count - admitted_of(t, is);
        sum += left > 0 ? left : 0;
    }
    return sum;
}

int64_t judge_last_issue_us(void)
{
    return all.issued_us;
}

static void issued(int lb, enum pool_id pool, const struct lb_placed *p)
{
    all.issued_us = sim->now_us;
    char name[8];
    (void)snprintf(name, sizeof name, "lb-%c", (char)('a' + lb));
    for (size_t s = 0; s < p->seat_count; s++) {
        if (p->seats[s].repeated)
            continue;
        struct issue *is = NULL;
        uint64_t from = all.issue_count > 64 ? all.issue_count - 64 : 0;
        for (uint64_t i = all.issue_count; i-- > from && is == NULL;) {
            struct issue *o = &all.issues[i % PLACE_ISSUES_MAX];
            if (o->lb == (size_t)lb && o->pool == pool && o->second == p->seats[s].issued_s &&
                o->node_epoch == p->node_epoch && o->issuer_epoch == p->issuer_epoch &&
                strcmp(o->node, p->node) == 0)
                is = o;
        }
        if (is == NULL) {
            is = &all.issues[all.issue_count++ % PLACE_ISSUES_MAX];
            *is = (struct issue){.pool = pool,
                                 .node_epoch = p->node_epoch,
                                 .issuer_epoch = p->issuer_epoch,
                                 .second = p->seats[s].issued_s,
                                 .expires_s = p->seats[s].expires_s,
                                 .lb = (size_t)lb};
            (void)snprintf(is->node, sizeof is->node, "%s", p->node);
            (void)snprintf(is->issuer, sizeof is->issuer, "%s", name);
        }
        is->count++;
        is->last_us = sim->now_us;
        if (p->seats[s].expires_s < is->expires_s)
            is->expires_s = p->seats[s].expires_s;
        book_issued(pool, p->node, p->node_epoch, name, p->issuer_epoch, p->seats[s].issued_s, 1);
    }
}

/* ---- set aside ---- */

int64_t judge_reserved(int lb, enum pool_id pool, const struct told *t)
{
    int64_t sum = 0;
    for (size_t i = 0; i < all.reserve_count; i++) {
        const struct reserve *r = &all.reserves[i];
        if (r->lb == lb && r->pool == pool && r->epoch == t->epoch &&
            r->lb_started_us == judge_lbs.books[lb].started_us)
            sum += r->seats;
    }
    return sum;
}

static void set_aside(int lb, enum pool_id pool, const struct lb_placed *p)
{
    size_t at = 0;
    while (at < all.reserve_count && all.reserves[at].seats != 0)
        at++;
    if (at == RESERVES_MAX)
        return;
    if (at == all.reserve_count)
        all.reserve_count++;
    all.reserves[at] = (struct reserve){.lb = lb,
                                        .lb_started_us = judge_lbs.books[lb].started_us,
                                        .pool = pool,
                                        .epoch = p->reserved.epoch,
                                        .seats = p->reserved.seats};
}

static void given_back(int lb, enum pool_id pool, const struct lb_reserved *given)
{
    for (size_t i = 0; given->seats > 0 && i < all.reserve_count; i++) {
        struct reserve *r = &all.reserves[i];
        if (r->lb == lb && r->pool == pool && r->epoch == given->epoch &&
            r->seats == given->seats) {
            r->seats = 0;
            return;
        }
    }
}

/* ---- a pick ---- */

/* Of a node that this LB knows to be ready and to have room. */
static void judge_pick(struct lb_book *b, int lb, enum pool_id pool, const char *node,
                       int64_t epoch, size_t seats, const char *why)
{
    const struct told *t = judge_told(b, pool, node, false);
    if (t == NULL) {
        sim_fail("place: lb-%c picks %s, of which it was never told", 'a' + lb, node);
        return;
    }
    /* A store that lost its memory: whoever was ready is handed out while it registers again. */
    bool vouched =
        t->was_ready && !world_store_calm(60 * SIM_S) && (!t->known || t->state == NODE_JOINING);
    if (t->state != NODE_READY && !vouched)
        sim_fail("place: lb-%c picks %s (%s), which it knows to be %s", 'a' + lb, node, why,
                 state_word(t->state));
    if (t->epoch != epoch && !vouched)
        sim_fail("place: lb-%c picks %s of epoch %lld, it knows %lld", 'a' + lb, node,
                 (long long)epoch, (long long)t->epoch);
    if (!t->known && !vouched)
        sim_fail("place: lb-%c picks %s (%s), which it knows to be gone", 'a' + lb, node, why);
    if (t->closed)
        sim_fail("place: lb-%c picks %s, whose door is closed", 'a' + lb, node);
    /* After an outage an LB and the nodes may not be of one mind about which second it is. */
    int64_t pending = judge_steady(12 * SIM_S) ? judge_pending_least(t, pool, lb) : 0;
    if (t->conns + pending + (int64_t)seats > t->capacity)
        sim_fail("place: lb-%c picks %s for %zu: %lld are on it, %lld on their way, %lld fit",
                 'a' + lb, node, seats, (long long)t->conns, (long long)pending,
                 (long long)t->capacity);
}

static bool is_excluded(const struct lb_ask *ask, const char *node)
{
    for (size_t i = 0; i < ask->exclude_count; i++)
        if (span_is(ask->exclude[i], node))
            return true;
    return false;
}

/* May this node be had for certain, as the LB must see it? Fresh ones get less, silent ones none.
 */
static bool surely_open(const struct lb_book *b, const struct lb_ask *ask, const struct told *t)
{
    const struct instance *in = world_instance(span_of(t->name));
    return in != NULL && world_calm(&in->task.proc, 5 * SIM_S) && t->known &&
           t->state == NODE_READY && !t->closed && t->ready_us < sim->now_us - 5 * SIM_S &&
           t->reported_us > sim->now_us - 2 * SIM_S && b->started_us < sim->now_us - 5 * SIM_S &&
           !is_excluded(ask, t->name);
}

static int64_t most(int lb, enum pool_id pool, const struct told *t)
{
    return t->conns + judge_pending_most(t, pool) + judge_reserved(lb, pool, t);
}

/* Nobody else was emptier; `seats` were picked, or (picked NULL) refused. */
static void judge_others(struct lb_book *b, int lb, const struct lb_ask *ask, const char *picked,
                         int64_t seats, const char *why)
{
    enum pool_id pool = (enum pool_id)ask->pool;
    const struct told *p = picked != NULL ? judge_told(b, pool, picked, false) : NULL;
    if (!judge_steady(15 * SIM_S) || !world_calm(&world->lb[lb].proc, 5 * SIM_S) ||
        b->reading[pool] || ask->zone.len > 0 || ask->version.len > 0)
        return;
    int64_t least = p != NULL ? p->conns + judge_pending_least(p, pool, lb) : 0;
    for (size_t i = 0; i < b->count[pool]; i++) {
        const struct told *t = &b->told[pool][i];
        if (t == p || !surely_open(b, ask, t))
            continue;
        int64_t there = most(lb, pool, t);
        if (there + seats > t->capacity)
            continue;
        if (p == NULL) {
            struct lb_node_view v = {.est = -1};
            int slot = lb_node_find(b->lb, pool, span_of(t->name));
            mono_ms_t now = {proc_clock_us(&world->lb[lb].proc) / 1000};
            if (slot >= 0)
                (void)lb_node_view(b->lb, pool, (size_t)slot, now, &v);
            sim_fail("place: lb-%c says %s, but %s holds %lld of %lld at most (lb-%c: %lld, of "
                     "them %lld pending)",
                     'a' + lb, why, t->name, (long long)there, (long long)t->capacity, 'a' + lb,
                     (long long)v.est, (long long)v.pending);
        } else if (least * t->capacity > there * p->capacity)
            sim_fail("place: lb-%c picks %s (%s), which holds %lld of %lld at least; %s holds %lld "
                     "of %lld at most",
                     'a' + lb, picked, why, (long long)least, (long long)p->capacity, t->name,
                     (long long)there, (long long)t->capacity);
    }
    /* Silent for long, while others are heard. */
    if (p == NULL || p->reported_us > sim->now_us - 6 * SIM_S || p->ready_us > p->reported_us)
        return;
    for (size_t i = 0; i < b->count[pool]; i++)
        if (surely_open(b, ask, &b->told[pool][i]))
            sim_fail("place: lb-%c picks %s, of which it has not heard for %.1f s", 'a' + lb,
                     picked, (double)(sim->now_us - p->reported_us) / 1e6);
}

/* ---- an answer ---- */

static bool is_pick(const struct lb_placed *p)
{
    return strcmp(p->why, "known_room") != 0 && strcmp(p->why, "repeated") != 0;
}

/* The same player asks again while the first ticket is good: the same answer, and not counted
 * twice. */
static void judge_seat(struct lb_book *b, int lb, const struct lb_ask *ask,
                       const struct lb_placed *p, size_t s)
{
    char key[192], value[192];
    bool is_new;
    if (ask->players == NULL || ask->players[s].len == 0)
        return;
    int n = snprintf(key, sizeof key, "%d %zu %.*s", lb, ask->pool, SPAN_ARG(ask->players[s]));
    struct dict_entry *e = dict_put(&all.answers, (struct span){key, (size_t)n}, &is_new);
    n = snprintf(value, sizeof value, "%lld %.*s %s %lld", (long long)b->started_us,
                 SPAN_ARG(ask->room), p->node, (long long)p->node_epoch);
    struct span now = {value, (size_t)n};
    double now_s = (double)store_server_now_us(&world->store) / 1e6;
    bool same = !is_new && span_eq(dict_value(e), now);
    if (same && !p->seats[s].repeated && e->score > now_s + 3 && judge_steady(15 * SIM_S))
        sim_fail("ticket: lb-%c gives %.*s a second one for %s, the first has %.1f s to live",
                 'a' + lb, SPAN_ARG(ask->players[s]), p->node, e->score - now_s);
    if (p->seats[s].repeated && !same && !is_new)
        sim_fail("ticket: lb-%c repeats to %.*s what it never said", 'a' + lb,
                 SPAN_ARG(ask->players[s]));
    if (p->seats[s].repeated)
        return;
    /* Is it a good one, and still where it was? */
    char was[192];
    struct span old = is_new ? (struct span){NULL, 0} : dict_value(e);
    (void)span_copy(old, was, sizeof was);
    char *words = strchr(was, ' ');
    char *node = words != NULL ? strchr(words + 1, ' ') : NULL;
    if (!is_new && !same && ask->player_count == 1 && ask->room.len == 0 && node != NULL &&
        words + 1 == node && e->score > now_s + 3 && judge_steady(15 * SIM_S) &&
        strtoll(was, NULL, 10) == b->started_us) {
        char *end = strchr(node + 1, ' ');
        *end = '\0';
        const struct told *t = judge_told(b, (enum pool_id)ask->pool, node + 1, false);
        if (t != NULL && surely_open(b, ask, t) && t->epoch == strtoll(end + 1, NULL, 10))
            sim_fail("ticket: lb-%c sends %.*s to %s, whose ticket for %s is good for %.1f s",
                     'a' + lb, SPAN_ARG(ask->players[s]), p->node, t->name, e->score - now_s);
    }
    dict_set_value(e, now);
    e->score = (double)p->seats[s].expires_s;
}

static void judge_tickets(struct lb_book *b, int lb, const struct lb_ask *ask,
                          const struct lb_placed *p)
{
    int64_t life_s = ask->room.len > 0 ? ROOM_TICKET_S : LONGEST_TICKET_S;
    int64_t now_s = store_server_now_us(&world->store) / SIM_S;
    size_t seats = ask->player_count > 0 ? ask->player_count : 1;
    if (p->seat_count != seats)
        sim_fail("ticket: lb-%c gives %zu to %zu players", 'a' + lb, p->seat_count, seats);
    for (size_t s = 0; s < p->seat_count && s < seats; s++) {
        const struct lb_seat *seat = &p->seats[s];
        if (seat->shown && ask->shown.node.len > 0 && span_is(ask->shown.node, p->node) &&
            ask->shown.node_epoch == p->node_epoch && ask->shown.expires_s == seat->expires_s)
            continue; /* whoever gave it: it is judged there */
        judge_seat(b, lb, ask, p, s);
        if (seat->repeated)
            continue;
        if (seat->expires_s - seat->issued_s != life_s)
            sim_fail("ticket: lb-%c lets one live for %lld s, it is to be %lld", 'a' + lb,
                     (long long)(seat->expires_s - seat->issued_s), (long long)life_s);
        if ((seat->issued_s > now_s + 1 || seat->issued_s < now_s - 1) &&
            judge_steady(15 * SIM_S) && world_calm(&world->lb[lb].proc, 15 * SIM_S))
            sim_fail("ticket: lb-%c issues one of second %lld at second %lld", 'a' + lb,
                     (long long)seat->issued_s, (long long)now_s);
        if (seat->serial <= b->serial)
            sim_fail("ticket: lb-%c numbers one %llu after %llu", 'a' + lb,
                     (unsigned long long)seat->serial, (unsigned long long)b->serial);
        b->serial = seat->serial;
    }
}

static void judge_answer(struct lb *lb, const struct lb_ask *ask, const struct lb_placed *p)
{
    struct lb_book *b = judge_lb_book(lb);
    int i = judge_lb_index(lb);
    enum pool_id pool = (enum pool_id)ask->pool;
    size_t seats = ask->player_count > 0 ? ask->player_count : 1;
    if (b == NULL || sim->current->muted)
        return; /* what it says is not heard any more */
    if (p->verdict == LB_PLACED) {
        if (sim->tracing)
            sim_trace(sim->current->name, "place node=%s room=%.*s why=%s est=%lld/%lld", p->node,
                      SPAN_ARG(ask->room), p->why, (long long)p->est, (long long)p->capacity);
        if (ask->room.len == 0 && is_excluded(ask, p->node))
            sim_fail("place: lb-%c sends to %s, which was not wanted", 'a' + i, p->node);
        judge_closed(sim->current, pool, true, p->why);
        if (ask->room.len == 0 && is_pick(p)) {
            judge_pick(b, i, pool, p->node, p->node_epoch, seats, p->why);
            judge_others(b, i, ask, p->node, (int64_t)seats, p->why);
        }
        judge_tickets(b, i, ask, p);
        issued(i, pool, p);
    } else if (p->verdict == LB_CLAIM && p->reserved.seats > 0) {
        judge_closed(sim->current, pool, true, "claim");
        judge_pick(b, i, pool, p->claim.node, p->claim.epoch, seats, "claim");
        if (p->stale_count == 0)
            judge_others(b, i, ask, p->claim.node, (int64_t)seats, "claim");
        set_aside(i, pool, p);
    } else if (p->verdict == LB_REFUSED) {
        if (sim->tracing)
            sim_trace(sim->current->name, "refuse pool=%d why=%s", pool, p->why);
        judge_closed(sim->current, pool, false, p->why);
        if ((strcmp(p->why, "no_capacity") == 0 || strcmp(p->why, "no_node") == 0) &&
            p->stale_count == 0)
            judge_others(b, i, ask, NULL, (int64_t)seats, p->why);
    }
}

void __wrap_lb_place(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                     struct lb_placed *placed)
{
    __real_lb_place(lb, now, ask, placed);
    judge_answer(lb, ask, placed);
}

void __wrap_lb_claimed(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                       struct lb_placed *placed, int code, const struct store_answer *answer)
{
    struct lb_reserved reserved = placed->reserved;
    __real_lb_claimed(lb, now, ask, placed, code, answer);
    if (judge_lb_index(lb) >= 0)
        given_back(judge_lb_index(lb), (enum pool_id)ask->pool, &reserved);
    if (code == 0 && placed->verdict == LB_PLACED && answer != NULL &&
        !span_is(answer->node, placed->node))
        sim_fail("room: the store says %.*s, lb answers %s", SPAN_ARG(answer->node), placed->node);
    judge_answer(lb, ask, placed);
}

void __wrap_lb_abandon(struct lb *lb, const struct lb_ask *ask, struct lb_placed *placed)
{
    struct lb_reserved reserved = placed->reserved;
    __real_lb_abandon(lb, ask, placed);
    if (judge_lb_index(lb) >= 0)
        given_back(judge_lb_index(lb), (enum pool_id)ask->pool, &reserved);
}

/* ---- life ---- */

void judge_place_start(void)
{
    memset(&all, 0, sizeof all);
}

void judge_place_stop(void)
{
    dict_fini(&all.answers);
}

/* judge_lb.c - the judge's books of the LBs: what each was told of the pools, what each handed out,
 * and whether it places and counts by that. */
#include "tests/sim/judge.h"

#include <assert.h>
#include <stdlib.h>

enum { TOLD_MAX = 128, ISSUES_MAX = 4096, COUNT_LOOK_US = 500000, SHARED_US = 500000 };

/* The linker has the shell of the LB call these; they call the core. */
void __real_lb_step(struct lb *lb, const struct lb_event *ev, struct lb_effects *ret_fx);
void __wrap_lb_step(struct lb *lb, const struct lb_event *ev, struct lb_effects *ret_fx);
void __real_lb_place(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                     struct lb_placed *placed);
void __wrap_lb_place(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                     struct lb_placed *placed);
void __real_lb_claimed(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                       struct lb_placed *placed, int code, const struct store_answer *answer);
void __wrap_lb_claimed(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                       struct lb_placed *placed, int code, const struct store_answer *answer);

/* A node as this LB was told. */
struct told {
    char name[64];
    bool known, seen, was_ready;
    enum node_state state;
    int64_t epoch, since;
    int64_t conns, capacity, seq;
    bool closed;
    uint32_t admitted_count;
    struct admitted_run admitted[ADMITTED_ISSUERS_MAX];
};

struct lb_book {
    const struct lb *lb;
    int64_t started_us;
    struct told (*told)[TOLD_MAX]; /* by pool */
    size_t count[WORLD_POOLS];
    bool reading[WORLD_POOLS]; /* then what is told is what the store holds, be it older */
};

/* Tickets of one second that one LB handed out for one node. */
struct issue {
    enum pool_id pool;
    char node[64], issuer[64];
    int64_t node_epoch, issuer_epoch, second, expires_s;
    uint32_t count;
    int64_t last_us; /* when the last of them was handed out */
    size_t lb;
    bool shared; /* the links stood, and nothing had befallen anybody */
};

static struct {
    struct lb_book books[LBS_MAX];
    struct issue issues[ISSUES_MAX];
    uint64_t issue_count;
    int64_t counted_us;
    int64_t issued_us;                                     /* when the last ticket was handed out */
    unsigned char strikes[LBS_MAX][WORLD_POOLS][TOLD_MAX]; /* looks in a row that found too few */
    int64_t one_owner_us[WORLD_POOLS];                     /* since */
} all;

/* ---- what an LB is told ---- */

static int index_of(const struct lb *lb)
{
    for (size_t i = 0; i < world->lb_count; i++)
        if (world->lb[i].app != NULL && prog_lb_core(world->lb[i].app) == lb)
            return (int)i;
    return -1;
}

static struct lb_book *book_of(const struct lb *lb)
{
    int i = index_of(lb);
    if (i < 0)
        return NULL;
    struct lb_book *b = &all.books[i];
    if (b->lb != lb || b->started_us != world->lb[i].started_us) {
        memset(b->told, 0, WORLD_POOLS * sizeof *b->told);
        *b = (struct lb_book){.lb = lb, .started_us = world->lb[i].started_us, .told = b->told};
    }
    return b;
}

static struct told *told_of(struct lb_book *b, enum pool_id pool, const char *name, bool create)
{
    for (size_t i = 0; i < b->count[pool]; i++)
        if (strcmp(b->told[pool][i].name, name) == 0)
            return &b->told[pool][i];
    if (!create)
        return NULL;
    assert(b->count[pool] < TOLD_MAX);
    struct told *t = &b->told[pool][b->count[pool]++];
    *t = (struct told){.known = false};
    (void)snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

static void tell_state(struct told *t, const struct node_state_record *s, bool reading)
{
    if (s->epoch < t->epoch || (!reading && s->epoch == t->epoch && s->since.ms < t->since))
        return;
    t->state = s->state;
    t->epoch = s->epoch;
    t->since = s->since.ms;
    t->was_ready |= s->state == NODE_READY;
}

static void tell(struct lb_book *b, enum pool_id pool, const struct feed_item *item)
{
    struct told *t = told_of(b, pool, item->node, item->kind == FEED_JOIN);
    if (t == NULL)
        return;
    switch (item->kind) {
    case FEED_JOIN:
        if (!t->known || item->info.epoch > t->epoch) {
            t->epoch = item->info.epoch;
            t->since = 0;
            t->state = NODE_JOINING;
            t->seq = -1;
            t->conns = 0;
            t->capacity = item->info.capacity;
            t->admitted_count = 0;
            t->closed = false;
        }
        t->known = t->seen = true;
        if (item->has_state)
            tell_state(t, &item->state, b->reading[pool]);
        break;
    case FEED_STATE:
        tell_state(t, &item->state, b->reading[pool]);
        break;
    case FEED_GONE:
        if (item->state.epoch >= t->epoch)
            t->known = false;
        break;
    case FEED_REPORT:
        if (item->report.epoch != t->epoch || item->report.seq <= t->seq)
            break;
        t->seq = item->report.seq;
        t->conns = item->report.conns;
        t->capacity = item->report.capacity;
        t->closed = item->report.closed;
        t->admitted_count = item->report.admitted_count;
        memcpy(t->admitted, item->report.admitted, sizeof t->admitted);
        break;
    default:
        break;
    }
}

void __wrap_lb_step(struct lb *lb, const struct lb_event *ev, struct lb_effects *ret_fx)
{
    struct lb_book *b = book_of(lb);
    enum pool_id pool = (enum pool_id)ev->pool;
    if (b != NULL && ev->kind <= LB_FOLLOW_END && ev->kind >= LB_FOLLOW_BEGIN)
        b->reading[pool] =
            ev->kind == LB_FOLLOW_BEGIN || (b->reading[pool] && ev->kind == LB_FOLLOW_ITEM);
    if (b != NULL && ev->kind == LB_FOLLOW_LOST)
        b->reading[pool] = false;
    if (b != NULL && ev->kind == LB_FOLLOW_BEGIN)
        for (size_t i = 0; i < b->count[pool]; i++)
            b->told[pool][i].seen = false;
    if (b != NULL && ev->kind == LB_FOLLOW_ITEM)
        tell(b, pool, ev->item);
    if (b != NULL && ev->kind == LB_MOVE_REPLY && ev->code == 0 && ev->answer->word == ANSWER_OK) {
        struct told *t = told_of(b, pool, ev->move.node, false);
        const struct node_state_record moved = {
            .state = ev->move.to, .epoch = ev->move.epoch, .since = ev->answer->now};
        if (t != NULL)
            tell_state(t, &moved, false);
    }
    if (b != NULL && ev->kind == LB_FOLLOW_END) {
        for (size_t i = 0; i < b->count[pool]; i++)
            b->told[pool][i].known &= b->told[pool][i].seen;
    }
    __real_lb_step(lb, ev, ret_fx);
}

/* ---- what it hands out ---- */

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

/* Handed out by `lb` (-1: by anyone of whom this one must know), alive, and not yet told to be in.
 */
static int64_t outstanding(const struct told *t, enum pool_id pool, int lb, int viewer)
{
    int64_t sum = 0, now_s = store_server_now_us(&world->store) / SIM_S;
    uint64_t from = all.issue_count > ISSUES_MAX ? all.issue_count - ISSUES_MAX : 0;
    for (uint64_t i = from; i < all.issue_count; i++) {
        const struct issue *is = &all.issues[i % ISSUES_MAX];
        if (is->pool != pool || is->node_epoch != t->epoch || is->expires_s <= now_s + 1 ||
            strcmp(is->node, t->name) != 0)
            continue;
        bool own = (int)is->lb == viewer && all.books[is->lb].started_us < is->last_us;
        bool heard = is->shared && is->last_us < sim->now_us - SHARED_US &&
                     all.books[viewer].started_us < is->last_us;
        if (lb >= 0 ? (int)is->lb != lb || !own : !own && !heard)
            continue;
        int64_t left = (int64_t)is->count - admitted_of(t, is);
        sum += left > 0 ? left : 0;
    }
    return sum;
}

static void issued(int lb, enum pool_id pool, const struct lb_placed *p)
{
    all.issued_us = sim->now_us;
    bool shared = true;
    for (size_t i = 0; i < world->lb_count; i++) {
        shared &= world->lb_up[i] && world_calm(&world->lb[i].proc, 3 * SIM_S);
        for (size_t k = 0; shared && k < world->lb_count; k++)
            shared &= i == k || prog_lb_peer_up(world->lb[i].app, k);
    }
    char name[8];
    (void)snprintf(name, sizeof name, "lb-%c", (char)('a' + lb));
    for (size_t s = 0; s < p->seat_count; s++) {
        if (p->seats[s].repeated)
            continue;
        struct issue *is = NULL;
        uint64_t from = all.issue_count > 64 ? all.issue_count - 64 : 0;
        for (uint64_t i = all.issue_count; i-- > from && is == NULL;) {
            struct issue *o = &all.issues[i % ISSUES_MAX];
            if (o->lb == (size_t)lb && o->pool == pool && o->second == p->seats[s].issued_s &&
                o->node_epoch == p->node_epoch && o->issuer_epoch == p->issuer_epoch &&
                strcmp(o->node, p->node) == 0)
                is = o;
        }
        if (is == NULL) {
            is = &all.issues[all.issue_count++ % ISSUES_MAX];
            *is = (struct issue){.pool = pool,
                                 .node_epoch = p->node_epoch,
                                 .issuer_epoch = p->issuer_epoch,
                                 .second = p->seats[s].issued_s,
                                 .expires_s = p->seats[s].expires_s,
                                 .lb = (size_t)lb,
                                 .shared = true};
            (void)snprintf(is->node, sizeof is->node, "%s", p->node);
            (void)snprintf(is->issuer, sizeof is->issuer, "%s", name);
        }
        is->count++;
        is->last_us = sim->now_us;
        is->shared &= shared;
        if (p->seats[s].expires_s < is->expires_s)
            is->expires_s = p->seats[s].expires_s;
        book_issued(pool, p->node, p->node_epoch, name, p->issuer_epoch, p->seats[s].issued_s, 1);
    }
}

/* A pick: of a node that this LB knows to be ready and to have room. */
static void judge_pick(struct lb_book *b, int lb, enum pool_id pool, const char *node,
                       int64_t epoch, size_t seats, const char *why)
{
    const struct told *t = told_of(b, pool, node, false);
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
    int64_t pending = outstanding(t, pool, lb, lb);
    if (t->conns + pending + (int64_t)seats > t->capacity)
        sim_fail("place: lb-%c picks %s for %zu: %lld are on it, %lld on their way, %lld fit",
                 'a' + lb, node, seats, (long long)t->conns, (long long)pending,
                 (long long)t->capacity);
}

static bool is_pick(const struct lb_placed *p)
{
    return strcmp(p->why, "known_room") != 0 && strcmp(p->why, "repeated") != 0;
}

static void judge_answer(struct lb *lb, const struct lb_ask *ask, const struct lb_placed *p)
{
    struct lb_book *b = book_of(lb);
    int i = index_of(lb);
    enum pool_id pool = (enum pool_id)ask->pool;
    size_t seats = ask->player_count > 0 ? ask->player_count : 1;
    if (b == NULL || sim->current->muted)
        return; /* what it says is not heard any more */
    if (p->verdict == LB_PLACED) {
        if (sim->tracing)
            sim_trace(sim->current->name, "place node=%s room=%.*s why=%s est=%lld/%lld", p->node,
                      SPAN_ARG(ask->room), p->why, (long long)p->est, (long long)p->capacity);
        if (ask->room.len == 0 && is_pick(p))
            judge_pick(b, i, pool, p->node, p->node_epoch, seats, p->why);
        issued(i, pool, p);
    } else if (p->verdict == LB_CLAIM && p->reserved.seats > 0) {
        judge_pick(b, i, pool, p->claim.node, p->claim.epoch, seats, "claim");
    } else if (sim->tracing) {
        sim_trace(sim->current->name, "refuse pool=%d why=%s", pool, p->why);
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
    __real_lb_claimed(lb, now, ask, placed, code, answer);
    if (code == 0 && placed->verdict == LB_PLACED && answer != NULL &&
        !span_is(answer->node, placed->node))
        sim_fail("room: the store says %.*s, lb answers %s", SPAN_ARG(answer->node), placed->node);
    judge_answer(lb, ask, placed);
}

/* ---- what it counts ---- */

static void judge_counts(size_t i, enum pool_id pool)
{
    struct lb *lb = prog_lb_core(world->lb[i].app);
    struct lb_book *b = book_of(lb);
    struct lb_node_view v;
    mono_ms_t now = {proc_clock_us(&world->lb[i].proc) / 1000};
    for (size_t slot = 0; slot < lb_node_slots(lb, pool); slot++) {
        if (!lb_node_view(lb, pool, slot, now, &v))
            continue;
        const struct told *t = told_of(b, pool, v.name, false);
        if (v.pending < 0 || v.est < 0)
            sim_fail("est: lb-%c counts %lld pending and %lld in all on %s", (char)('a' + i),
                     (long long)v.pending, (long long)v.est, v.name);
        if (v.est < v.report->conns + v.pending) /* and what is reserved for claims under way */
            sim_fail("est: lb-%c counts %lld on %s: %lld were reported, %lld are pending",
                     (char)('a' + i), (long long)v.est, v.name, (long long)v.report->conns,
                     (long long)v.pending);
        if (pool == POOL_LOBBY && v.est != v.report->conns + v.pending) /* no rooms, no claims */
            sim_fail("est: lb-%c counts %lld on %s: %lld were reported, %lld are pending",
                     (char)('a' + i), (long long)v.est, v.name, (long long)v.report->conns,
                     (long long)v.pending);
        if (t == NULL || !t->known || t->epoch != v.state.epoch || t->seq != v.report->seq)
            continue;
        if (t->seq > 0 && t->conns != v.report->conns)
            sim_fail("est: lb-%c counts %lld players on %s, which reported %lld", (char)('a' + i),
                     (long long)v.report->conns, v.name, (long long)t->conns);
        int64_t least = outstanding(t, pool, -1, (int)i);
        unsigned char *strike = &all.strikes[i][pool][slot % TOLD_MAX];
        bool short_of = v.pending < least && ++*strike > 1;
        if (v.pending >= least)
            *strike = 0;
        if (short_of && world_store_calm(12 * SIM_S) && world_calm(&world->lb[i].proc, 6 * SIM_S) &&
            world->clock_trouble_us < sim->now_us - 12 * SIM_S)
            sim_fail("pending: lb-%c counts %lld on their way to %s, at least %lld are",
                     (char)('a' + i), (long long)v.pending, v.name, (long long)least);
    }
}

static void judge_owners(enum pool_id pool)
{
    int first = -1, count = 0;
    for (size_t i = 0; i < world->lb_count; i++) {
        struct lb_pool_view v;
        if (!world->lb_up[i] || proc_paused(&world->lb[i].proc))
            continue;
        mono_ms_t now = {proc_clock_us(&world->lb[i].proc) / 1000};
        lb_pool_view(prog_lb_core(world->lb[i].app), pool, now, &v);
        if (!v.owner)
            continue;
        count++;
        if (first >= 0 && world_store_calm(4 * SIM_S) &&
            world->clock_trouble_us < sim->now_us - 4 * SIM_S)
            sim_fail("owner: lb-%c and lb-%c both act for pool %s", (char)('a' + first),
                     (char)('a' + i), world->pools[pool]->name);
        first = (int)i;
    }
    if (count == 1 && all.one_owner_us[pool] == 0)
        all.one_owner_us[pool] = sim->now_us;
    if (count != 1)
        all.one_owner_us[pool] = 0;
}

void judge_look_lbs(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        judge_owners((enum pool_id)pool);
    if (sim->now_us - all.counted_us < COUNT_LOOK_US)
        return;
    all.counted_us = sim->now_us;
    for (size_t i = 0; i < world->lb_count; i++)
        for (int pool = 0; world->lb_up[i] && pool < WORLD_POOLS; pool++)
            judge_counts(i, (enum pool_id)pool);
}

void judge_look_quiet(void)
{
    int64_t began_us;
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        if (all.one_owner_us[pool] == 0 && world->lb_up[0])
            sim_fail("liveness: pool %s has not one owner, %.1f s after the last fault",
                     world->pools[pool]->name, (double)(sim->now_us - world->quiet_from_us) / 1e6);
    const struct player *p = players_oldest_waiting(world->quiet_from_us + 20 * SIM_S, &began_us);
    if (p != NULL && began_us < sim->now_us - 25 * SIM_S)
        sim_fail("liveness: %s came %.1f s after the last fault and is in %s %.1f s later", p->id,
                 (double)(began_us - world->quiet_from_us) / 1e6, player_state_word(p->state),
                 (double)(sim->now_us - began_us) / 1e6);
}

/* At rest all LBs are of one mind with the store and with the nodes. */
void judge_end_lbs(void)
{
    for (size_t i = 0; i < world->lb_count; i++)
        for (int pool = 0; pool < WORLD_POOLS; pool++) {
            struct lb *lb = prog_lb_core(world->lb[i].app);
            struct lb_pool_view pv;
            struct lb_node_view v;
            mono_ms_t now = {proc_clock_us(&world->lb[i].proc) / 1000};
            lb_pool_view(lb, (size_t)pool, now, &pv);
            if (!pv.ready || !pv.live)
                sim_fail("liveness: lb-%c does not follow pool %s", (char)('a' + i), pv.name);
            if (pv.pending_all != 0 && all.issued_us < sim->now_us - 14 * SIM_S)
                sim_fail("pending: lb-%c still counts %lld on their way to pool %s",
                         (char)('a' + i), (long long)pv.pending_all, pv.name);
            for (size_t slot = 0; slot < lb_node_slots(lb, (size_t)pool); slot++) {
                if (!lb_node_view(lb, (size_t)pool, slot, now, &v))
                    continue;
                const struct book_node *n = book_node((enum pool_id)pool, span_of(v.name));
                if (n == NULL || (n->state != v.state.state && n->since_us < sim->now_us - SIM_S))
                    sim_fail("view: lb-%c holds %s for %s, it is %s", (char)('a' + i), v.name,
                             state_word(v.state.state), n == NULL ? "gone" : state_word(n->state));
            }
            for (size_t k = 0; k < world->lb_count; k++)
                if (k != i && !prog_lb_peer_up(world->lb[i].app, k))
                    sim_fail("liveness: lb-%c has no link to lb-%c", (char)('a' + i),
                             (char)('a' + k));
        }
}

void judge_start_lbs(void)
{
    struct told(*kept[LBS_MAX])[TOLD_MAX];
    memset(&all, 0, sizeof all);
    for (size_t i = 0; i < LBS_MAX; i++) {
        kept[i] = calloc(WORLD_POOLS, sizeof *kept[i]);
        assert(kept[i] != NULL);
        all.books[i].told = kept[i];
    }
}

void judge_stop_lbs(void)
{
    for (size_t i = 0; i < LBS_MAX; i++)
        free(all.books[i].told);
}

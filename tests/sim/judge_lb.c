/* judge_lb.c - the judge's books of the LBs: what each was told of the pools, and whether it counts
 * by that. */
#include "tests/sim/judge_lb.h"

#include <assert.h>
#include <stdlib.h>

/* OWNERLESS: packets of a renewal may be lost, twice; then the lease is over for a moment. */
enum { COUNT_LOOK_US = 500000, OWNERLESS_US = 2000000 };

/* The linker has the shell of the LB call these; they call the core. */
void __real_lb_step(struct lb *lb, const struct lb_event *ev, struct lb_effects *ret_fx);
void __wrap_lb_step(struct lb *lb, const struct lb_event *ev, struct lb_effects *ret_fx);

struct lb_books judge_lbs;

bool judge_steady(int64_t for_us)
{
    return world_store_calm(for_us) && world->clock_trouble_us < sim->now_us - for_us;
}

/* ---- what an LB is told ---- */

int judge_lb_index(const struct lb *lb)
{
    for (size_t i = 0; i < world->lb_count; i++)
        if (world->lb[i].app != NULL && prog_lb_core(world->lb[i].app) == lb)
            return (int)i;
    return -1;
}

struct lb_book *judge_lb_book(const struct lb *lb)
{
    int i = judge_lb_index(lb);
    if (i < 0)
        return NULL;
    struct lb_book *b = &judge_lbs.books[i];
    if (b->lb != lb || b->started_us != world->lb[i].started_us) {
        memset(b->told, 0, WORLD_POOLS * sizeof *b->told);
        *b = (struct lb_book){.lb = lb, .started_us = world->lb[i].started_us, .told = b->told};
    }
    return b;
}

struct told *judge_told(struct lb_book *b, enum pool_id pool, const char *name, bool create)
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
    if (s->state == NODE_READY && (t->state != NODE_READY || s->epoch != t->epoch))
        t->ready_us = sim->now_us;
    t->state = s->state;
    t->epoch = s->epoch;
    t->since = s->since.ms;
    t->was_ready |= s->state == NODE_READY;
}

static void tell(struct lb_book *b, enum pool_id pool, const struct feed_item *item)
{
    struct told *t = judge_told(b, pool, item->node, item->kind == FEED_JOIN);
    if (t == NULL)
        return;
    switch (item->kind) {
    case FEED_JOIN:
        if (!t->known)
            t->taken_up_us = sim->now_us;
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
        t->reported_us = sim->now_us;
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
    struct lb_book *b = judge_lb_book(lb);
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
    if (b != NULL && ev->kind == LB_PROBE_REPLY)
        judge_probed((size_t)(b - judge_lbs.books), pool, ev->node, ev->node_epoch, ev->ok);
    if (b != NULL && ev->kind == LB_MOVE_REPLY && ev->code == 0 && ev->answer->word == ANSWER_OK) {
        struct told *t = judge_told(b, pool, ev->move.node, false);
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

/* ---- what it counts ---- */

static void judge_counts(size_t i, enum pool_id pool)
{
    struct lb *lb = prog_lb_core(world->lb[i].app);
    struct lb_book *b = judge_lb_book(lb);
    struct lb_node_view v;
    mono_ms_t now = {proc_clock_us(&world->lb[i].proc) / 1000};
    for (size_t slot = 0; slot < lb_node_slots(lb, pool); slot++) {
        if (!lb_node_view(lb, pool, slot, now, &v))
            continue;
        const struct told *t = judge_told(b, pool, v.name, false);
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
        int64_t least = judge_pending_least(t, pool, (int)i);
        unsigned char *strike = &judge_lbs.strikes[i][pool][slot % TOLD_MAX];
        bool short_of = v.pending < least && ++*strike > 1;
        if (v.pending >= least)
            *strike = 0;
        int64_t most = judge_pending_most(t, pool);
        unsigned char *over = &judge_lbs.over[i][pool][slot % TOLD_MAX];
        bool too_many = v.pending > most && ++*over > 1;
        if (v.pending <= most)
            *over = 0;
        if (too_many && judge_steady(30 * SIM_S) && world_calm(&world->lb[i].proc, 6 * SIM_S))
            sim_fail("pending: lb-%c counts %lld on their way to %s, at most %lld are",
                     (char)('a' + i), (long long)v.pending, v.name, (long long)most);
        int64_t aside = v.est - v.report->conns - v.pending;
        if (aside > judge_reserved((int)i, pool, t))
            sim_fail("est: lb-%c sets %lld seats aside on %s, %lld are asked for", (char)('a' + i),
                     (long long)aside, v.name, (long long)judge_reserved((int)i, pool, t));
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
    if (count == 1)
        judge_lbs.one_owner_us[pool] = sim->now_us;
}

void judge_look_lbs(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        judge_owners((enum pool_id)pool);
    judge_place_look();
    if (sim->now_us - judge_lbs.counted_us < COUNT_LOOK_US)
        return;
    judge_lbs.counted_us = sim->now_us;
    for (size_t i = 0; i < world->lb_count; i++)
        for (int pool = 0; world->lb_up[i] && pool < WORLD_POOLS; pool++)
            judge_counts(i, (enum pool_id)pool);
}

void judge_look_quiet(void)
{
    int64_t began_us;
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        if (judge_lbs.one_owner_us[pool] < sim->now_us - OWNERLESS_US && world->lb_up[0])
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
            if (pv.pending_all != 0 && judge_last_issue_us() < sim->now_us - 14 * SIM_S)
                sim_fail("pending: lb-%c still counts %lld on their way to pool %s",
                         (char)('a' + i), (long long)pv.pending_all, pv.name);
            for (size_t slot = 0; slot < lb_node_slots(lb, (size_t)pool); slot++) {
                if (!lb_node_view(lb, (size_t)pool, slot, now, &v))
                    continue;
                const struct book_node *n = book_open((enum pool_id)pool, span_of(v.name), false);
                bool lately = n != NULL && n->since_us >= sim->now_us - SIM_S; /* on its way */
                if (!lately && (n == NULL || !n->known || n->state != v.state.state))
                    sim_fail("view: lb-%c holds %s for %s, it is %s", (char)('a' + i), v.name,
                             state_word(v.state.state),
                             n == NULL || !n->known ? "gone" : state_word(n->state));
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
    memset(&judge_lbs, 0, sizeof judge_lbs);
    judge_place_start();
    for (size_t i = 0; i < LBS_MAX; i++) {
        kept[i] = calloc(WORLD_POOLS, sizeof *kept[i]);
        assert(kept[i] != NULL);
        judge_lbs.books[i].told = kept[i];
    }
}

void judge_stop_lbs(void)
{
    judge_place_stop();
    for (size_t i = 0; i < LBS_MAX; i++)
        free(judge_lbs.books[i].told);
}

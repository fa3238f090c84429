/* own.c - being somebody in the store: this LB's epoch in each pool, and the lease of those it
 * owns. */
#include "core/mutant.h"
#include "lb/internal.h"

#include <stdio.h>
#include <string.h>

void own_init(struct lb *lb, struct lb_pool *pool)
{
    struct lease_config config = lease_config_default();
    config.ttl_ms = lb->config.lb->lease_ms;
    config.renew_ms = lb->config.lb->lease_renew_ms;
    config.margin_ms = config.ttl_ms / 10;
    config.tilt_ms = config.ttl_ms / 2;
    lease_init(&pool->lease, &config, lb->now);
    pool->enroll_at = lb->now;
    pool->rank = lb_rank(lb->config.lb, pool->config.settings->name, lb->me);
    /* The first choice asks at once; the others look after a grace that grows with their rank. */
    pool->rewant_at = mono_add(lb->now, pool->rank == 0 ? 0 : START_GRACE_MS);
}

bool own_may_act(const struct lb *lb, const struct lb_pool *pool)
{
    return pool->owner && pool->store_up && lease_held(&pool->lease, lb->now);
}

bool own_able(const struct lb *lb)
{
    for (size_t i = 0; i < lb->config.pool_count; i++)
        if (!lb->pools[i].store_up || !lb->pools[i].named || !lb->pools[i].live)
            return false;
    return !lb->stopping && !lb->out;
}

/* ---- whose turn ---- */

static bool owns(const struct lb_peer_settings *peer, const char *pool)
{
    for (size_t i = 0; i < peer->owns.count; i++)
        if (strcmp(peer->owns.items[i], pool) == 0)
            return true;
    return false;
}

int lb_rank(const struct lb_settings *s, const char *pool, size_t me)
{
    int rank = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < s->peers.count; i++) {
            if (owns(SECTION_AT(s->peers, struct lb_peer_settings, i), pool) != (pass == 0))
                continue;
            if (i == me)
                return rank;
            rank++;
        }
    return rank;
}

static bool comes_before(const struct lb *lb, const struct lb_pool *pool, size_t peer)
{
    return peer != lb->me && lb_rank(lb->config.lb, pool->config.settings->name, peer) < pool->rank;
}

/* Those that come before us let us wait while they are there: `gone` is not. */
static int64_t delay_ms(const struct lb *lb, const struct lb_pool *pool, size_t gone)
{
    int before = 0;
    for (size_t i = 0; i < lb->config.lb->peers.count; i++)
        before += i != gone && lb->peers[i].up && !lb->peers[i].unable && comes_before(lb, pool, i);
    return (int64_t)RANK_DELAY_MS * before;
}

/* Did it come from one whose turn is after ours? */
static bool came_back(const struct lb *lb, const struct lb_pool *pool, const char *from)
{
    const struct lb_settings *s = lb->config.lb;
    for (size_t i = 0; i < s->peers.count; i++)
        if (strcmp(SECTION_AT(s->peers, struct lb_peer_settings, i)->name, from) == 0)
            return lb_rank(s, pool->config.settings->name, i) > pool->rank;
    return false;
}

/* What the change means to people. A lease that comes back to who had it is no news, nor is one
 * that the first choice takes when nobody had it. */
static void tell_gained(struct lb *lb, struct lb_pool *pool, const char *why, struct lb_effects *fx)
{
    const char *me = lb->config.name, *from = pool->owner_before;
    fx_note(fx, LB_INFO, pool->index, "owner", me, true, why, "owner=%s token=%lld rank=%d", me,
            (long long)lease_token(&pool->lease), pool->rank);
    bool back = came_back(lb, pool, from);
    const char *event = back ? "failback" : "failover";
    if (strcmp(from, me) != 0 && (from[0] != '\0' || pool->rank > 0))
        fx_hook(fx_note(fx, back ? LB_INFO : LB_WARN, pool->index, event, me, true, why,
                        "owner=%s from=%s token=%lld", me, from[0] ? from : "-",
                        (long long)lease_token(&pool->lease)),
                event);
    (void)snprintf(pool->owner_before, sizeof pool->owner_before, "%s", me);
}

static void lease_event(struct lb *lb, struct lb_pool *pool, struct lease_event ev,
                        struct lb_effects *fx)
{
    struct lease_result res;
    ev.now = lb->now;
    lease_step(&pool->lease, &ev, &res);
    if (res.request.op != LEASE_OP_NONE)
        fx_add(fx, LB_DO_LEASE, pool->index, res.request.why)->lease_request = res.request;
    if (res.change == LEASE_GAINED) {
        pool->owner = true;
        pool->gained_at = lb->now;
        (void)snprintf(pool->holder, sizeof pool->holder, "%s", lb->config.name);
        pool->duty_at = pool->sweep_at = lb->now;
        pool->cursor = 0;
        agenda_add_all(&pool->agenda, pool_slots(pool->table));
        tell_gained(lb, pool, res.why, fx);
    } else if (res.change == LEASE_ENDED) {
        pool->owner = false;
        pool->holder[0] = '\0';
        fx_note(fx, LB_WARN, pool->index, "owner", lb->config.name, pool->store_up, res.why,
                "owner=- was=%s", lb->config.name);
    }
}

/* ---- handing back ---- */

/* A peer that comes before us, is there, and could own it: is it steady, and when will it be? */
static bool hand_back_due(const struct lb *lb, const struct lb_pool *pool, mono_ms_t *ret_at)
{
    const struct lb_settings *s = lb->config.lb;
    const struct want *want = &pool->owner_want;
    bool asked = want->kind == WANT_FAILBACK && !want_expired(want, view_wall(lb, pool));
    *ret_at = MONO_NEVER;
    if (!pool->owner || (s->failback != FAILBACK_AUTO && !asked && !lb->out))
        return false;
    for (size_t i = 0; i < s->peers.count; i++) {
        const struct lb_peer *peer = &lb->peers[i];
        if (!peer->up || peer->unable || i == lb->me || (!lb->out && !comes_before(lb, pool, i)))
            continue;
        mono_ms_t since = mono_before(peer->since, pool->gained_at) ? pool->gained_at : peer->since;
        /* Asked for: at once, but when nobody took it, not again at once. */
        bool at_once = asked || lb->out;
        int64_t wait_ms = at_once ? REWANT_AFTER_MS : s->failback_after_ms;
        if (MUTANT(back_at_once))
            wait_ms = 0;
        if (at_once && mono_before(pool->gained_at, mono_add(peer->since, REWANT_AFTER_MS)))
            wait_ms = 0;
        *ret_at = mono_min(*ret_at, mono_add(since, wait_ms));
    }
    return !mono_before(lb->now, *ret_at);
}

static void hand_back(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    lease_event(lb, pool, (struct lease_event){.kind = LEASE_RESIGN}, fx);
    pool->rewant_at = mono_add(lb->now, REWANT_AFTER_MS);
}

/* ---- time ---- */

static void enroll(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    pool->enroll_at = mono_add(lb->now, pool->taken ? ENROLL_TAKEN_EVERY_MS : ENROLL_EVERY_MS);
    if (pool->store_up)
        fx_add(fx, LB_DO_ENROLL, pool->index, pool->named ? "beat" : "new")->held_epoch =
            pool->named ? 0 : pool->own_epoch;
}

/* Those before us came or went: how long we let them go first has changed. */
static void look_at_peers(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    struct lease_event ev = {.kind = LEASE_WANT, .delay_ms = delay_ms(lb, pool, pool->gone)};
    bool hurry = pool->hurry;
    pool->peers_changed = pool->hurry = false;
    if (hurry && mono_before(lb->now, pool->rewant_at) && pool->rewant_at.ms != INT64_MAX)
        pool->rewant_at = lb->now; /* whom we let go first has gone */
    if (!pool->named || pool->rewant_at.ms != INT64_MAX)
        return; /* the lease is not wanted now */
    lease_event(lb, pool, ev, fx);
    ev.kind = LEASE_HURRY;
    if (hurry && !pool->owner)
        lease_event(lb, pool, ev, fx);
}

void own_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (!fx_room(lb, fx, 8))
        return;
    if (lb->stopping)
        return;
    if (!mono_before(lb->now, pool->enroll_at))
        enroll(lb, pool, fx);
    if (pool->peers_changed)
        look_at_peers(lb, pool, fx);
    mono_ms_t at;
    if (hand_back_due(lb, pool, &at))
        hand_back(lb, pool, fx);
    if (pool->named && !mono_before(lb->now, pool->rewant_at)) {
        pool->rewant_at = MONO_NEVER;
        lease_event(
            lb, pool,
            (struct lease_event){.kind = LEASE_WANT, .delay_ms = delay_ms(lb, pool, LB_PEERS_MAX)},
            fx);
    }
    if (!mono_before(lb->now, lease_deadline(&pool->lease)))
        lease_event(lb, pool, (struct lease_event){.kind = LEASE_TICK}, fx);
}

mono_ms_t own_deadline(const struct lb *lb, const struct lb_pool *pool)
{
    if (lb->stopping)
        return MONO_NEVER;
    mono_ms_t at, hand_back_at;
    (void)hand_back_due(lb, pool, &hand_back_at);
    at = mono_min(pool->enroll_at, lease_deadline(&pool->lease));
    at = mono_min(at, hand_back_at);
    return pool->named ? mono_min(at, pool->rewant_at) : at;
}

/* ---- answers ---- */

/* From now on tickets are issued under this epoch. */
static void take_epoch(struct lb *lb, struct lb_pool *pool, int64_t epoch, const char *why,
                       struct lb_effects *fx)
{
    if (epoch == pool->epoch)
        return;
    if (lease_token(&pool->lease) != 0) {
        /* The store forgot us, and our lease with us: it is held in the name of an epoch. */
        lease_event(lb, pool, (struct lease_event){.kind = LEASE_RESIGN}, fx);
        pool->rewant_at = lb->now;
    }
    pool->epoch = epoch;
    pool_self(pool->table, span_of(lb->config.name), epoch);
    fx_note(fx, LB_INFO, pool->index, "enroll", lb->config.name, false, why, "epoch=%lld",
            (long long)epoch);
}

/* Another process has our name: the one we follow after a kill -9, whose last beat is not old
 * enough, or one that lives. The first is the rule, so players are answered meanwhile, under an
 * epoch of our own; what a name is needed for (owning) waits. One that is seen to live sends us
 * away. */
static void on_taken(struct lb *lb, struct lb_pool *pool, const struct store_answer *a,
                     struct lb_effects *fx)
{
    if (!pool->taken) {
        pool->taken = true;
        pool->taken_since = lb->now;
        fx_note(fx, LB_WARN, pool->index, "enroll", lb->config.name, false, "name_taken",
                "another_epoch=%lld", (long long)a->epoch);
    }
    pool->enroll_at = mono_min(pool->enroll_at, mono_add(lb->now, ENROLL_TAKEN_EVERY_MS));
    if (lease_token(&pool->lease) != 0)
        lease_event(lb, pool, (struct lease_event){.kind = LEASE_RESIGN}, fx);
    if (pool->named)
        pool->rewant_at = lb->now;
    pool->named = false;
    bool lives = mono_sub(lb->now, pool->taken_since) > ENROLL_REFUSED_MS;
    if (!lives && pool->own_epoch != a->own_epoch) {
        pool->own_epoch = a->own_epoch;
        take_epoch(lb, pool, a->own_epoch, "without_name", fx);
    }
    if (lives && !pool->name_refused) {
        pool->name_refused = true;
        fx_note(fx, LB_ERROR, pool->index, "enroll", lb->config.name, true, "name_refused",
                "another_epoch=%lld", (long long)a->epoch);
    }
}

void own_enroll_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                      struct lb_effects *fx)
{
    if (ev->code != 0 || lb->stopping)
        return; /* the next beat is due soon */
    if (ev->answer->word == ANSWER_TAKEN) {
        on_taken(lb, pool, ev->answer, fx);
        return;
    }
    if (ev->answer->word != ANSWER_OK)
        return;
    pool->taken = pool->name_refused = false;
    pool->named = true;
    pool->own_epoch = 0;
    take_epoch(lb, pool, ev->answer->epoch, "enrolled", fx);
}

void own_lease_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                     struct lb_effects *fx)
{
    struct lease_event le = {.kind = LEASE_REPLY, .request = ev->lease_request};
    le.answer = LEASE_FAILED;
    if (ev->code == 0) {
        const struct store_answer *a = ev->answer;
        le.answer = a->word == ANSWER_OK     ? LEASE_OK
                    : a->word == ANSWER_HELD ? LEASE_HELD
                                             : LEASE_LOST;
        if (le.answer == LEASE_HELD) {
            struct span rest = a->holder; /* "name epoch token" */
            if (!span_copy(span_cut(&rest, ' '), pool->holder, sizeof pool->holder))
                pool->holder[0] = '\0';
            (void)snprintf(pool->owner_before, sizeof pool->owner_before, "%s", pool->holder);
        }
        le.token = a->token;
        le.pttl_ms = a->ttl_ms;
        le.store_now = a->now;
    }
    lease_event(lb, pool, le, fx);
    /* Told when it is so: a peer that asks earlier would find it held, and wait. */
    if (le.request.op == LEASE_OP_RELEASE && le.answer == LEASE_OK)
        fx_add(fx, LB_DO_TELL, pool->index, "free")->event = "released";
}

void own_fenced(struct lb *lb, struct lb_pool *pool, int64_t token, struct lb_effects *fx)
{
    if (token != lease_token(&pool->lease))
        return;
    struct lease_event le = {.kind = LEASE_REPLY, .answer = LEASE_LOST};
    le.request = (struct lease_request){
        .op = LEASE_OP_RENEW, .token = token, .sent_at = lb->now, .why = "fenced"};
    le.store_now = view_wall(lb, pool);
    lease_event(lb, pool, le, fx);
}

void own_hurry(struct lb_pool *pool, size_t gone)
{
    pool->hurry = pool->peers_changed = true;
    pool->gone = gone;
}

void own_released(struct lb *lb, struct lb_pool *pool, size_t peer)
{
    (void)snprintf(pool->owner_before, sizeof pool->owner_before, "%s",
                   SECTION_AT(lb->config.lb->peers, struct lb_peer_settings, peer)->name);
    own_hurry(pool, peer);
}

void own_peers(struct lb_pool *pool)
{
    pool->peers_changed = true;
    pool->gone = LB_PEERS_MAX;
}

void own_stop(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    pool->rewant_at = MONO_NEVER;
    lease_event(lb, pool, (struct lease_event){.kind = LEASE_RESIGN}, fx);
    if (pool->named && pool->store_up)
        fx_add(fx, LB_DO_ENROLL, pool->index, "stopping")->leave = true;
}

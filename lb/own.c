/* own.c - being somebody in the store: this LB's epoch in each pool, and the lease of those it
 * owns. */
#include "lb/internal.h"

#include <stdio.h>

static void lease_event(struct lb *lb, struct lb_pool *pool, struct lease_event ev,
                        struct lb_effects *fx);

void own_init(struct lb *lb, struct lb_pool *pool)
{
    struct lease_config config = lease_config_default();
    config.ttl_ms = lb->config.lb->lease_ms;
    config.renew_ms = lb->config.lb->lease_renew_ms;
    config.margin_ms = config.ttl_ms / 10;
    config.tilt_ms = config.ttl_ms / 2;
    lease_init(&pool->lease, &config, lb->now);
    pool->enroll_at = lb->now;
    /* The first choice asks at once; the others look after a grace that grows with their rank. */
    pool->rewant_at = mono_add(lb->now, pool->config.rank == 0 ? 0 : START_GRACE_MS);
}

bool own_may_act(const struct lb *lb, const struct lb_pool *pool)
{
    return pool->owner && lb->store_up && lease_held(&pool->lease, lb->now);
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
        (void)snprintf(pool->holder, sizeof pool->holder, "%s", lb->config.name);
        pool->duty_at = pool->sweep_at = lb->now;
        pool->cursor = 0;
        fx_note(fx, LB_INFO, pool->index, "owner", lb->config.name, true, res.why,
                "owner=%s token=%lld rank=%d", lb->config.name,
                (long long)lease_token(&pool->lease), pool->config.rank);
    } else if (res.change == LEASE_ENDED) {
        pool->owner = false;
        pool->holder[0] = '\0';
        fx_note(fx, LB_WARN, pool->index, "owner", lb->config.name, lb->store_up, res.why,
                "owner=- was=%s", lb->config.name);
    }
}

/* ---- handing back ---- */

/* The peer that comes first in this pool, if it is not us: its index, or -1. */
static int first_choice(const struct lb *lb, const struct lb_pool *pool)
{
    const struct lb_settings *s = lb->config.lb;
    for (size_t i = 0; pool->config.rank != 0 && i < s->peers.count; i++) {
        const struct lb_peer_settings *peer = SECTION_AT(s->peers, struct lb_peer_settings, i);
        for (size_t j = 0; j < peer->owns.count; j++)
            if (span_is(span_of(peer->owns.items[j]), pool->config.settings->name))
                return (int)i;
    }
    return -1;
}

static bool hand_back_due(const struct lb *lb, const struct lb_pool *pool, mono_ms_t *ret_at)
{
    *ret_at = MONO_NEVER;
    if (!pool->owner || lb->config.lb->failback != FAILBACK_AUTO)
        return false;
    int first = first_choice(lb, pool);
    if (first < 0 || !lb->peers[first].up)
        return false;
    *ret_at = mono_add(lb->peers[first].since, lb->config.lb->failback_after_ms);
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
    pool->enroll_at = mono_add(lb->now, ENROLL_EVERY_MS);
    if (lb->store_up)
        fx_add(fx, LB_DO_ENROLL, pool->index, pool->epoch == 0 ? "new" : "beat");
}

void own_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (!fx_room(lb, fx, 8))
        return;
    if (lb->stopping)
        return;
    if (!mono_before(lb->now, pool->enroll_at))
        enroll(lb, pool, fx);
    mono_ms_t at;
    if (hand_back_due(lb, pool, &at))
        hand_back(lb, pool, fx);
    if (pool->epoch != 0 && !mono_before(lb->now, pool->rewant_at)) {
        pool->rewant_at = MONO_NEVER;
        lease_event(
            lb, pool,
            (struct lease_event){.kind = LEASE_WANT, .delay_ms = RANK_DELAY_MS * pool->config.rank},
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
    return pool->epoch != 0 ? mono_min(at, pool->rewant_at) : at;
}

/* ---- answers ---- */

void own_enroll_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                      struct lb_effects *fx)
{
    if (ev->code != 0)
        return; /* the next beat is due soon */
    if (ev->answer->word == ANSWER_TAKEN) {
        if (!pool->enroll_refused)
            fx_note(fx, LB_ERROR, pool->index, "enroll", lb->config.name, false, "name_taken",
                    "another_epoch=%lld", (long long)ev->answer->epoch);
        pool->enroll_refused = true;
        return;
    }
    pool->enroll_refused = false;
    if (ev->answer->word != ANSWER_OK || ev->answer->epoch == pool->epoch)
        return;
    if (pool->epoch != 0 && lease_token(&pool->lease) != 0) {
        /* The store forgot us, and our lease with us: it is held in the name of an epoch. */
        lease_event(lb, pool, (struct lease_event){.kind = LEASE_RESIGN}, fx);
        pool->rewant_at = lb->now;
    }
    pool->epoch = ev->answer->epoch;
    pool_self(pool->table, span_of(lb->config.name), pool->epoch);
    fx_note(fx, LB_INFO, pool->index, "enroll", lb->config.name, false, "enrolled", "epoch=%lld",
            (long long)pool->epoch);
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
    le.store_now = lb_store_now(lb, lb->now);
    lease_event(lb, pool, le, fx);
}

void own_hurry(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (pool->epoch == 0 || lb->stopping || pool->rewant_at.ms != INT64_MAX)
        return;
    lease_event(lb, pool, (struct lease_event){.kind = LEASE_HURRY}, fx);
}

void own_stop(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    pool->rewant_at = MONO_NEVER;
    lease_event(lb, pool, (struct lease_event){.kind = LEASE_RESIGN}, fx);
    if (pool->epoch != 0 && lb->store_up)
        fx_add(fx, LB_DO_ENROLL, pool->index, "stopping")->leave = true;
}

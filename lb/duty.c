/* duty.c - what a pool's owner does: prove nodes by probes, move their states, sweep the silent. */
#include "lb/internal.h"

#include <stdio.h>

/* ---- probes ---- */

static bool probe_allowed(struct lb *lb)
{
    if (mono_sub(lb->now, lb->probe_second_at) >= 1000) {
        lb->probe_second_at = lb->now;
        lb->probes_this_second = 0;
    }
    if (lb->probes_this_second >= lb->config.lb->probe_rate)
        return false;
    lb->probes_this_second++;
    return true;
}

bool duty_probe(struct lb *lb, struct lb_pool *pool, struct lb_node *node, const char *why,
                struct lb_effects *fx)
{
    const struct probe_settings *s = &pool->config.settings->probe;
    if (node->probe.under_way) {
        if (mono_sub(lb->now, node->probe.sent_at) < s->timeout_ms + PROBE_SLACK_MS)
            return false;
        node->probe.under_way = false; /* its answer never came: ask anew */
    }
    if (!fx_room(lb, fx, 1) || !probe_allowed(lb))
        return false;
    node->probe.under_way = true;
    node->probe.sent_at = lb->now;
    struct lb_effect *effect = fx_add(fx, LB_DO_PROBE, pool->index, why);
    effect->info = &node->info;
    (void)snprintf(effect->move.node, sizeof effect->move.node, "%s", node->name);
    effect->move.epoch = node->info.epoch;
    return true;
}

static int64_t probe_interval(struct lb *lb, const struct lb_pool *pool, const struct lb_node *node)
{
    const struct probe_settings *s = &pool->config.settings->probe;
    if (node->state.state == NODE_JOINING || node->probe.failures > 0)
        return s->joining_interval_ms;
    /* Jitter, so that a thousand nodes that joined together are not probed together. */
    return s->ready_interval_ms -
           (int64_t)rng_below(&lb->rng, (uint64_t)s->ready_interval_ms / 8 + 1);
}

void duty_probe_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                      struct lb_effects *fx)
{
    struct lb_node *node = view_find(pool, ev->node);
    if (node == NULL || node->info.epoch != ev->node_epoch || !node->probe.under_way)
        return;
    struct lb_probe *probe = &node->probe;
    probe->under_way = false;
    (void)snprintf(probe->why, sizeof probe->why, "%s", ev->why ? ev->why : "");
    if (ev->ok) {
        probe->successes++;
        probe->failures = 0;
    } else {
        if (probe->failures++ == 0)
            fx_note(fx, LB_WARN, pool->index, "probe_failed", node->name, false, probe->why,
                    "state=%s", state_word(node->state.state));
        probe->successes = 0;
    }
    probe->next_at = mono_add(probe->sent_at, probe_interval(lb, pool, node));
    if (mono_before(probe->next_at, lb->now))
        probe->next_at = lb->now;
    pool->duty_at = mono_min(pool->duty_at, lb->now); /* what it proved is acted on at once */
}

/* ---- moves: the one way a state changes ---- */

static void move(struct lb *lb, struct lb_pool *pool, struct lb_node *node, enum node_state to,
                 const char *why, struct lb_effects *fx)
{
    if (!state_may_move(MOVE_OWNER, node->state.state, to))
        return; /* callers ask for what makes sense; the table decides what may be */
    if (!fx_room(lb, fx, 1))
        return;
    struct lb_effect *effect = fx_add(fx, LB_DO_MOVE, pool->index, why);
    effect->move = (struct lb_move){.epoch = node->info.epoch,
                                    .from = node->state.state,
                                    .to = to,
                                    .token = lease_token(&pool->lease)};
    (void)snprintf(effect->move.node, sizeof effect->move.node, "%s", node->name);
    (void)snprintf(effect->move.why, sizeof effect->move.why, "%s", why);
    node->move = effect->move;
    node->moving = true;
    node->move_at = lb->now;
}

void duty_move_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                     struct lb_effects *fx)
{
    struct lb_node *node = view_find(pool, span_of(ev->move.node));
    bool same = node != NULL && node->info.epoch == ev->move.epoch;
    if (same) {
        node->moving = false;
        node->move_at = mono_add(lb->now, MOVE_RETRY_MS);
    }
    if (ev->code != 0)
        return;
    const struct store_answer *a = ev->answer;
    if (a->word == ANSWER_FENCED) {
        own_fenced(lb, pool, ev->move.token, fx);
    } else if (a->word == ANSWER_OK && same) {
        struct node_state_record state = {.state = ev->move.to,
                                          .since = a->now,
                                          .epoch = ev->move.epoch,
                                          .fence = ev->move.token};
        (void)snprintf(state.why, sizeof state.why, "%s", ev->move.why);
        view_state(lb, pool, node, &state, fx);
        pool->duty_at = lb->now;
    } else if (a->word != ANSWER_OK) {
        fx_note(fx, LB_WARN, pool->index, "move_refused", ev->move.node, false,
                answer_word_text(a->word), "from=%s to=%s", state_word(ev->move.from),
                state_word(ev->move.to));
    }
}

/* ---- the mass-loss guard ---- */

static void tell_guard(struct lb *lb, struct lb_pool *pool, const char *why, int64_t count,
                       int64_t total, struct lb_effects *fx)
{
    if (pool->guard_told && mono_sub(lb->now, pool->guard_told_at) < GUARD_NOTE_EVERY_MS)
        return;
    pool->guard_told = true;
    pool->guard_told_at = lb->now;
    fx_note(fx, LB_ERROR, pool->index, "guard", NULL, true, why, "would_lose=%lld of=%lld",
            (long long)count, (long long)total);
}

/* When probes of more than the guard's share of the pool fail at once, it is us who should be
 * doubted. */
static bool loss_allowed(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    const struct pool_settings *s = pool->config.settings;
    const struct pool_sums *sums = pool_sums(pool->table);
    int64_t total = (int64_t)sums->nodes[NODE_READY] + sums->nodes[NODE_HELD];
    int64_t failing = pool->failing > pool->failing_now ? pool->failing : pool->failing_now;
    if (s->guard_percent == 0 || failing <= 1 || failing * 100 <= total * s->guard_percent)
        return true;
    tell_guard(lb, pool, "probes_fail_everywhere", failing, total, fx);
    return false;
}

/* ---- one node ---- */

static bool is_empty(const struct lb_pool *pool, const struct lb_node *node)
{
    struct pool_node seat;
    return node->report.seq > 0 && node->report.conns == 0 && node->report.rooms == 0 &&
           pool_node(pool->table, view_slot(pool, node), &seat) && seat.pending == 0 &&
           seat.reserved == 0;
}

static void draining(struct lb *lb, struct lb_pool *pool, struct lb_node *node,
                     struct lb_effects *fx)
{
    bool empty = is_empty(pool, node);
    if (!empty) {
        node->quiet = false;
    } else if (!node->quiet) {
        node->quiet = true;
        node->quiet_at = lb->now;
    } else if (mono_sub(lb->now, node->quiet_at) >= lb_ticket_ms(pool)) {
        move(lb, pool, node, NODE_CLOSING, "empty", fx);
    }
}

static void closing(struct lb *lb, struct lb_pool *pool, struct lb_node *node,
                    struct lb_effects *fx)
{
    if (node->report.closed && node->report.at.ms >= node->state.since.ms) {
        move(lb, pool, node, NODE_DRAINED, "closed", fx);
        return;
    }
    if (node->report.conns > 0 || node->report.rooms > 0) {
        move(lb, pool, node, NODE_DRAINING, "not_empty", fx);
        return;
    }
    int64_t waited = wall_sub(lb_store_now(lb, lb->now), node->state.since);
    if (waited > CLOSING_PATIENCE_MS && !node->stuck_told) {
        node->stuck_told = true;
        fx_note(fx, LB_WARN, pool->index, "closing_stuck", node->name, true, "not_closed",
                "waited_ms=%lld handshaking=%lld", (long long)waited,
                (long long)node->report.handshaking);
    }
}

static void returned(struct lb *lb, struct lb_pool *pool, struct lb_node *node, bool wanted_out,
                     struct lb_effects *fx)
{
    bool fresh = node->report.at.ms > node->state.since.ms &&
                 mono_sub(lb->now, node->heard_at) < pool->config.settings->lost_after_ms;
    if (fresh)
        move(lb, pool, node, wanted_out ? NODE_DRAINING : NODE_JOINING, "reports_again", fx);
}

static void in_service(struct lb *lb, struct lb_pool *pool, struct lb_node *node,
                       enum want_kind want, struct lb_effects *fx)
{
    bool is_held = node->state.state == NODE_HELD;
    bool failed = node->probe.failures >= (unsigned)pool->config.settings->fall;
    if (want == WANT_DRAINING)
        move(lb, pool, node, NODE_DRAINING, "wanted", fx);
    else if (want == WANT_HELD && !is_held)
        move(lb, pool, node, NODE_HELD, "wanted", fx);
    else if (want != WANT_HELD && is_held)
        move(lb, pool, node, NODE_JOINING, "want_over", fx);
    else if (failed && !mono_before(lb->now, pool->hold_until) && loss_allowed(lb, pool, fx))
        move(lb, pool, node, NODE_LOST, "probe_failed", fx);
}

static void joining(struct lb *lb, struct lb_pool *pool, struct lb_node *node, enum want_kind want,
                    struct lb_effects *fx)
{
    const struct pool_settings *s = pool->config.settings;
    bool proved = node->probe.successes >= (unsigned)s->rise || s->probe.kind == PROBE_NONE;
    if (want == WANT_DRAINING)
        move(lb, pool, node, NODE_DRAINING, "wanted", fx);
    else if (node->report.seq > 0 && (proved || node->vouched))
        move(lb, pool, node, want == WANT_HELD ? NODE_HELD : NODE_READY,
             proved ? "proved" : "remembered", fx);
}

static void decide(struct lb *lb, struct lb_pool *pool, struct lb_node *node, struct lb_effects *fx)
{
    if (node->moving && mono_sub(lb->now, node->move_at) < MOVE_TIMEOUT_MS)
        return;
    node->moving = false;
    if (mono_before(lb->now, node->move_at))
        return;
    const struct want *want = view_want(lb, pool, node);
    enum want_kind kind = want == NULL ? WANT_NONE : want->kind;
    switch (node->state.state) {
    case NODE_JOINING:
        joining(lb, pool, node, kind, fx);
        break;
    case NODE_READY:
    case NODE_HELD:
        in_service(lb, pool, node, kind, fx);
        break;
    case NODE_DRAINING:
        if (kind != WANT_DRAINING)
            move(lb, pool, node, NODE_JOINING, "want_over", fx);
        else
            draining(lb, pool, node, fx);
        break;
    case NODE_CLOSING:
        closing(lb, pool, node, fx);
        break;
    case NODE_DRAINED:
        if (kind != WANT_DRAINING)
            move(lb, pool, node, NODE_JOINING, "want_over", fx);
        break;
    case NODE_LOST:
        returned(lb, pool, node, kind == WANT_DRAINING, fx);
        break;
    case NODE_TERMINATING:
    case NODE_GONE:
        break;
    }
}

static bool in_rotation(const struct lb_node *node)
{
    return node->state.state == NODE_READY || node->state.state == NODE_HELD;
}

static bool is_probed(const struct lb_pool *pool, const struct lb_node *node)
{
    return pool->config.settings->probe.kind != PROBE_NONE &&
           (node->state.state == NODE_JOINING || in_rotation(node));
}

/* ---- rounds ---- */

void duty_wanted_probes(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (!pool->probes_wanted)
        return;
    pool->probes_wanted = false;
    for (uint32_t slot = 0; slot < pool_slots(pool->table); slot++) {
        struct lb_node *node = &pool->nodes[slot];
        if (!node->used || !node->probe.wanted)
            continue;
        if (node->probe.under_way || duty_probe(lb, pool, node, "room_asked", fx))
            node->probe.wanted = false;
        else
            pool->probes_wanted = true;
    }
}

static void sweep(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (mono_before(lb->now, pool->sweep_at) || !fx_room(lb, fx, 1))
        return;
    pool->sweep_at = mono_add(lb->now, SWEEP_EVERY_MS);
    if (mono_before(lb->now, pool->hold_until))
        return;
    struct lb_effect *effect = fx_add(fx, LB_DO_SWEEP, pool->index, "due");
    effect->token = lease_token(&pool->lease);
    effect->guard_percent = pool->config.settings->guard_percent;
}

void duty_sweep_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                      struct lb_effects *fx)
{
    if (ev->code != 0)
        return;
    const struct store_answer *a = ev->answer;
    if (a->word == ANSWER_FENCED) {
        own_fenced(lb, pool, lease_token(&pool->lease), fx);
        return;
    }
    if (a->word != ANSWER_GUARD)
        return; /* what was lost or forgotten comes by the feed */
    tell_guard(lb, pool, "silence_everywhere", a->count, a->total, fx);
}

void duty_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (!own_may_act(lb, pool) || !pool->live || mono_before(lb->now, pool->duty_at))
        return;
    sweep(lb, pool, fx);
    uint32_t slots = pool_slots(pool->table);
    uint32_t slot = pool->cursor < slots ? pool->cursor : 0;
    for (; slot < slots; slot++) {
        struct lb_node *node = &pool->nodes[slot];
        if (!node->used)
            continue;
        if (!fx_room(lb, fx, 4)) { /* the rest of the round at once, in the next step */
            pool->cursor = slot;
            return;
        }
        pool->failing_now += node->probe.failures > 0 && in_rotation(node);
        decide(lb, pool, node, fx);
        if (is_probed(pool, node) && !mono_before(lb->now, node->probe.next_at))
            (void)duty_probe(lb, pool, node, node->state.state == NODE_JOINING ? "joining" : "due",
                             fx);
    }
    pool->cursor = 0;
    pool->failing = pool->failing_now;
    pool->failing_now = 0;
    pool->duty_at = mono_add(lb->now, DUTY_EVERY_MS);
}

mono_ms_t duty_deadline(const struct lb *lb, const struct lb_pool *pool)
{
    return own_may_act(lb, pool) && pool->live ? pool->duty_at : MONO_NEVER;
}

/* duty.c - what a pool's owner does: move the states of nodes by what is known of them, sweep the
 * silent. */
#include "core/mutant.h"
#include "lb/internal.h"

#include <stdio.h>

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
        view_look(pool, node);
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
    bool empty = MUTANT(drained_at_zero) && node->report.conns == 0;
    if (empty || (node->report.closed && node->report.at.ms >= node->state.since.ms)) {
        move(lb, pool, node, NODE_DRAINED, "closed", fx);
        return;
    }
    if (node->report.conns > 0 || node->report.rooms > 0) {
        move(lb, pool, node, NODE_DRAINING, "not_empty", fx);
        return;
    }
    int64_t waited = wall_sub(view_wall(lb, pool), node->state.since);
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
    bool fresh =
        node->report.at.ms > node->state.since.ms &&
        mono_sub(lb->now, view_heard_at(pool, node)) < pool->config.settings->lost_after_ms;
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
    else if (failed && !mono_before(lb->now, pool->hold_until) && guard_allows(lb, pool, fx) &&
             probe_proves_loss(lb, pool, node, fx)) {
        guard_count_loss(lb, pool);
        move(lb, pool, node, NODE_LOST, "probe_failed", fx);
    }
}

static void joining(struct lb *lb, struct lb_pool *pool, struct lb_node *node, enum want_kind want,
                    struct lb_effects *fx)
{
    const struct pool_settings *s = pool->config.settings;
    bool proved = node->probe.successes >= (unsigned)s->rise || s->probe.kind == PROBE_NONE ||
                  MUTANT(ready_unproved);
    if (want == WANT_DRAINING)
        move(lb, pool, node, NODE_DRAINING, "wanted", fx);
    else if (node->report.seq > 0 && !node->report.closed && (proved || node->vouched))
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

/* In rotation, and its probes fail. */
static bool is_failing(const struct lb_node *node)
{
    return (node->state.state == NODE_READY || node->state.state == NODE_HELD) &&
           (node->probe.failures > 0 || node->probe.cut);
}

static bool has_passing_want(const struct lb *lb, const struct lb_pool *pool,
                             const struct lb_node *node)
{
    const struct want *wants = pool->wants[view_slot(pool, node)];
    for (size_t i = 0; i < WANT_WHOS; i++)
        if (wants[i].until.ms != 0 && !want_expired(&wants[i], view_wall(lb, pool)))
            return true;
    return false;
}

/* Would time alone change what is decided about it? If not, it is looked at again when something
 * happens to it: a probe, a wish, a report that is news, a state. (Who is to be probed when is
 * probe.c's.) */
static bool waits(const struct lb *lb, const struct lb_pool *pool, const struct lb_node *node)
{
    return node->moving || mono_before(lb->now, node->move_at) ||
           node->state.state == NODE_DRAINING || node->state.state == NODE_CLOSING ||
           is_failing(node) || has_passing_want(lb, pool, node);
}

/* ---- rounds ---- */

static void sweep(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (mono_before(lb->now, pool->sweep_at) || !fx_room(lb, fx, 1))
        return;
    pool->sweep_at = mono_add(lb->now, SWEEP_EVERY_MS);
    if (mono_before(lb->now, pool->hold_until))
        return;
    struct lb_effect *effect = fx_add(fx, LB_DO_SWEEP, pool->index, "due");
    effect->token = lease_token(&pool->lease);
    effect->guard_percent = guard_percent(lb, pool);
    effect->grace = guard_grace(lb, pool);
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
    guard_swept(lb, pool, a->count, a->total, fx);
}

void duty_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (!own_may_act(lb, pool) || !pool->live || mono_before(lb->now, pool->duty_at))
        return;
    sweep(lb, pool, fx);
    lb->probe_round = true;
    uint32_t slot = agenda_next(&pool->agenda, pool->cursor);
    for (; slot != AGENDA_NONE; slot = agenda_next(&pool->agenda, slot + 1)) {
        struct lb_node *node = &pool->nodes[slot];
        if (!node->used) {
            agenda_remove(&pool->agenda, slot);
            continue;
        }
        if (!fx_room(lb, fx, 4)) { /* the rest of the round at once, in the next step */
            pool->cursor = slot;
            return;
        }
        pool->failing_now += is_failing(node);
        decide(lb, pool, node, fx);
        probe_plan(pool, node);
        if (!waits(lb, pool, node))
            agenda_remove(&pool->agenda, slot);
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

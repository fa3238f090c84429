/* probe.c - proving that nodes work: when each is probed, what an answer or its lack proves, and
 * what the peers say about it.
 *
 * A node whose reports arrive is not lost on our failed probes alone: each peer that is there is
 * asked to try, and one that reaches the node overrules us. When none of them is there (or answers)
 * twice as many failures are needed; a balancer without peers decides alone. A held socket that
 * ends proves nothing by itself, but the failed probe after it counts as `fall` of them. */
#include "lb/internal.h"

#include <stdio.h>

static bool allowed(struct lb *lb)
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

static bool holds(const struct lb_pool *pool, const struct lb_node *node)
{
    const struct probe_settings *s = &pool->config.settings->probe;
    return s->hold && (s->kind == PROBE_WS || s->kind == PROBE_TCP) && pool->owner &&
           node->probe.false_cuts < FALSE_CUTS_MAX &&
           (node->state.state == NODE_JOINING || node->state.state == NODE_READY ||
            node->state.state == NODE_HELD);
}

bool lb_probe_holds(const struct lb *lb, size_t index, struct span name, int64_t epoch,
                    mono_ms_t now)
{
    struct lb_pool *pool = &lb->pools[index];
    const struct lb_node *node = view_find(pool, name);
    return node != NULL && node->info.epoch == epoch && lease_held(&pool->lease, now) &&
           holds(pool, node);
}

bool probe_start(struct lb *lb, struct lb_pool *pool, struct lb_node *node, const char *why,
                 struct lb_effects *fx)
{
    const struct probe_settings *s = &pool->config.settings->probe;
    if (node->probe.under_way) {
        if (mono_sub(lb->now, node->probe.sent_at) < s->timeout_ms + PROBE_SLACK_MS)
            return false;
        node->probe.under_way = false; /* its answer never came: ask anew */
    }
    if (!fx_room(lb, fx, 1) || !allowed(lb))
        return false;
    node->probe.under_way = true;
    node->probe.sent_at = lb->now;
    struct lb_effect *effect = fx_add(fx, LB_DO_PROBE, pool->index, why);
    effect->info = &node->info;
    effect->hold = holds(pool, node);
    (void)snprintf(effect->move.node, sizeof effect->move.node, "%s", node->name);
    effect->move.epoch = node->info.epoch;
    return true;
}

static int64_t interval(struct lb *lb, const struct lb_pool *pool, const struct lb_node *node)
{
    const struct probe_settings *s = &pool->config.settings->probe;
    if (node->state.state == NODE_JOINING || node->probe.failures > 0)
        return s->joining_interval_ms;
    /* Jitter, so that a thousand nodes that joined together are not probed together. */
    return s->ready_interval_ms -
           (int64_t)rng_below(&lb->rng, (uint64_t)s->ready_interval_ms / 8 + 1);
}

/* ---- answers ---- */

static struct lb_node *find(struct lb_pool *pool, const struct lb_event *ev)
{
    struct lb_node *node = view_find(pool, ev->node);
    return node == NULL || node->info.epoch != ev->node_epoch ? NULL : node;
}

static void succeeded(struct lb_probe *probe)
{
    probe->successes++;
    probe->failures = 0;
    probe->confirming = probe->disputed_told = false;
    if (probe->cut)
        probe->false_cuts++;
    probe->cut = false;
}

static void failed(struct lb *lb, struct lb_pool *pool, struct lb_node *node, struct lb_effects *fx)
{
    struct lb_probe *probe = &node->probe;
    unsigned fall = (unsigned)pool->config.settings->fall;
    if (probe->failures++ == 0)
        fx_note(fx, LB_WARN, pool->index, "probe_failed", node->name, false, probe->why,
                "state=%s%s", state_word(node->state.state), probe->cut ? " after=cut" : "");
    if (probe->cut && probe->failures < fall)
        probe->failures = fall;
    probe->successes = 0;
    probe->cut = false;
}

static void tell(struct lb_pool *pool, const struct lb_node *node, const char *event, bool ok,
                 struct lb_effects *fx)
{
    struct lb_effect *effect = fx_add(fx, LB_DO_TELL, pool->index, event);
    effect->event = event;
    effect->able = ok;
    effect->move.epoch = node->info.epoch;
    (void)snprintf(effect->move.node, sizeof effect->move.node, "%s", node->name);
}

void probe_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                 struct lb_effects *fx)
{
    struct lb_node *node = find(pool, ev);
    if (node == NULL || !node->probe.under_way)
        return;
    struct lb_probe *probe = &node->probe;
    probe->under_way = false;
    (void)snprintf(probe->why, sizeof probe->why, "%s", ev->why ? ev->why : "");
    pool->duty_at = mono_min(pool->duty_at, lb->now); /* what it proved is acted on at once */
    if (probe->cut && mono_before(probe->sent_at, probe->cut_at)) {
        probe->next_at = lb->now; /* of before the cut: ask anew */
        return;
    }
    if (ev->ok)
        succeeded(probe);
    else
        failed(lb, pool, node, fx);
    if (probe->asked && fx_room(lb, fx, 1)) {
        probe->asked = false;
        tell(pool, node, "verdict", ev->ok, fx);
    }
    probe->next_at = mono_add(probe->sent_at, interval(lb, pool, node));
    if (mono_before(probe->next_at, lb->now))
        probe->next_at = lb->now;
}

void probe_cut(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev)
{
    struct lb_node *node = find(pool, ev);
    if (node == NULL || !own_may_act(lb, pool) || !holds(pool, node))
        return;
    node->probe.cut = true;
    node->probe.cut_at = node->probe.next_at = pool->duty_at = lb->now;
}

/* ---- what the peers see ---- */

void probe_asked(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                 struct lb_effects *fx)
{
    struct lb_node *node = find(pool, ev);
    if (node == NULL || pool->config.settings->probe.kind == PROBE_NONE)
        return; /* who asks does without our answer */
    node->probe.asked = node->probe.wanted = pool->probes_wanted = true;
}

void probe_verdict(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                   struct lb_effects *fx)
{
    struct lb_node *node = find(pool, ev);
    if (node == NULL || !node->probe.confirming)
        return;
    struct lb_probe *probe = &node->probe;
    pool->duty_at = lb->now;
    if (!ev->ok) {
        probe->confirm_failed++;
        return;
    }
    probe->confirming = false;
    probe->failures = 1; /* go on looking often */
    if (!probe->disputed_told)
        fx_note(fx, LB_WARN, pool->index, "probe_disputed", node->name, true, probe->why,
                "reached_by=%s",
                SECTION_AT(lb->config.lb->peers, struct lb_peer_settings, ev->peer)->name);
    probe->disputed_told = true;
}

static unsigned peers_up(const struct lb *lb)
{
    unsigned count = 0;
    for (size_t i = 0; i < lb->config.lb->peers.count; i++)
        count += i != lb->me && lb->peers[i].up;
    return count;
}

/* Nobody to ask, or nobody who answers. */
static bool alone(const struct lb *lb, const struct lb_pool *pool, const struct lb_probe *probe)
{
    unsigned fall = (unsigned)pool->config.settings->fall;
    return lb->config.lb->peers.count <= 1 || probe->failures >= 2 * fall;
}

bool probe_proves_loss(struct lb *lb, struct lb_pool *pool, struct lb_node *node,
                       struct lb_effects *fx)
{
    const struct pool_settings *s = pool->config.settings;
    struct lb_probe *probe = &node->probe;
    if (mono_sub(lb->now, node->heard_at) > 2 * s->report_interval_ms)
        return true; /* it is silent as well */
    unsigned there = peers_up(lb);
    if (!probe->confirming) {
        if (there == 0)
            return alone(lb, pool, probe);
        probe->confirming = true;
        probe->confirm_asked = there;
        probe->confirm_failed = 0;
        probe->confirm_until = mono_add(lb->now, s->probe.timeout_ms + PROBE_SLACK_MS);
        tell(pool, node, "confirm", false, fx);
        return false;
    }
    if (probe->confirm_failed < probe->confirm_asked && mono_before(lb->now, probe->confirm_until))
        return false;
    probe->confirming = false;
    return probe->confirm_failed > 0 || alone(lb, pool, probe);
}

void probe_wanted(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (!pool->probes_wanted)
        return;
    pool->probes_wanted = false;
    for (uint32_t slot = 0; slot < pool_slots(pool->table); slot++) {
        struct lb_node *node = &pool->nodes[slot];
        if (!node->used || !node->probe.wanted)
            continue;
        const char *why = node->probe.asked ? "peer_asked" : "room_asked";
        if (node->probe.under_way || probe_start(lb, pool, node, why, fx))
            node->probe.wanted = false;
        else
            pool->probes_wanted = true;
    }
}

/* probe.c - proving that nodes work: when each is probed, what an answer or its lack proves, and
 * what the peers say about it.
 *
 * A node whose reports arrive is not lost on our failed probes alone: each peer that is there is
 * asked to try, and one that reaches the node overrules us. When none of them is there (or answers)
 * twice as many failures are needed; a balancer without peers decides alone. A held socket that
 * ends proves nothing by itself, but the failed probe after it counts as `fall` of them. */
#include "lb/internal.h"

#include <stdio.h>
#include <stdlib.h>

int probe_init(struct lb_pool *pool, uint32_t nodes_max)
{
    pool->wanted_at = MONO_NEVER;
    if (agenda_init(&pool->wanted, nodes_max) < 0 ||
        heap_store_init(&pool->probe_store, nodes_max, PROBE_QUEUES) < 0)
        return BERTH_ENOMEM;
    size_t len = pool->probe_store.table_len;
    pool->probe_tables = calloc(PROBE_QUEUES * len, sizeof *pool->probe_tables);
    if (pool->probe_tables == NULL)
        return BERTH_ENOMEM;
    for (size_t i = 0; i < PROBE_QUEUES; i++)
        heap_init(&pool->probes[i], &pool->probe_store, pool->probe_tables + i * len);
    return 0;
}

void probe_fini(struct lb_pool *pool)
{
    agenda_fini(&pool->wanted);
    heap_store_fini(&pool->probe_store);
    free(pool->probe_tables);
    pool->probe_tables = NULL;
}

/* One more within `probe_rate`? What was not used is kept for a moment: a round may send several.
 */
static bool allowed(struct lb *lb)
{
    int64_t rate = lb->config.lb->probe_rate, most = rate * PROBE_BURST_MS;
    most = most < 1000 ? 1000 : most;
    int64_t since_ms = mono_sub(lb->now, lb->probe_credit_at);
    lb->probe_credit += (since_ms < 1000 ? since_ms : 1000) * rate;
    lb->probe_credit_at = lb->now;
    if (lb->probe_credit > most)
        lb->probe_credit = most;
    if (lb->probe_credit < 1000)
        return false;
    lb->probe_credit -= 1000;
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

/* When the answer of the probe under way is not waited for any longer. */
static mono_ms_t answer_by(const struct lb_pool *pool, const struct lb_probe *probe)
{
    return mono_add(probe->sent_at, pool->config.settings->probe.timeout_ms + PROBE_SLACK_MS);
}

static bool is_awaited(const struct lb *lb, const struct lb_pool *pool,
                       const struct lb_probe *probe)
{
    return probe->under_way && mono_before(lb->now, answer_by(pool, probe));
}

/* Start a probe of this node now, if none is under way and the rate allows. */
static bool start(struct lb *lb, struct lb_pool *pool, struct lb_node *node, const char *why,
                  struct lb_effects *fx)
{
    if (is_awaited(lb, pool, &node->probe))
        return false;
    node->probe.under_way = false; /* or its answer never came: ask anew */
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

/* ---- who is next ---- */

static enum probe_queue queue_of(const struct lb_pool *pool, const struct lb_node *node)
{
    enum node_state state = node->state.state;
    if (pool->config.settings->probe.kind == PROBE_NONE ||
        (state != NODE_JOINING && state != NODE_READY && state != NODE_HELD))
        return PROBE_UNPLANNED;
    return state == NODE_JOINING || node->probe.failures > 0 || node->probe.cut ? PROBE_URGENT
                                                                                : PROBE_ROUTINE;
}

void probe_unplan(struct lb_pool *pool, struct lb_node *node)
{
    if (node->probe.queue != PROBE_UNPLANNED)
        heap_remove(&pool->probes[node->probe.queue], view_slot(pool, node));
    node->probe.queue = PROBE_UNPLANNED;
}

void probe_plan(struct lb_pool *pool, struct lb_node *node)
{
    struct lb_probe *probe = &node->probe;
    uint32_t slot = view_slot(pool, node);
    enum probe_queue queue = queue_of(pool, node);
    mono_ms_t at = probe->next_at;
    if (probe->under_way && mono_before(at, answer_by(pool, probe)))
        at = answer_by(pool, probe);
    if (queue != probe->queue)
        probe_unplan(pool, node);
    if (queue == PROBE_UNPLANNED)
        return;
    if (queue == probe->queue)
        heap_change(&pool->probes[queue], slot, (uint64_t)at.ms, 0);
    else
        heap_add(&pool->probes[queue], slot, (uint64_t)at.ms, 0);
    probe->queue = queue;
}

/* The pool whose first node in this queue has been due longest. NULL: none is due. */
static struct lb_pool *longest_due(struct lb *lb, enum probe_queue queue)
{
    struct lb_pool *found = NULL;
    uint64_t first = (uint64_t)lb->now.ms + 1;
    for (size_t i = 0; i < lb->config.pool_count; i++) {
        struct lb_pool *pool = &lb->pools[i];
        if (pool->probes[queue].count == 0)
            continue;
        uint64_t at = heap_key(heap_first(&pool->probes[queue]));
        if (at < first && pool->live && own_may_act(lb, pool)) {
            first = at;
            found = pool;
        }
    }
    return found;
}

/* Of all pools together: those that join or fail first, but they leave a part to the others. */
static struct lb_node *next_node(struct lb *lb, struct lb_pool **ret_pool)
{
    enum probe_queue first =
        lb->probe_turn % PROBE_TURNS == PROBE_TURNS - 1 ? PROBE_ROUTINE : PROBE_URGENT;
    enum probe_queue queue = first;
    struct lb_pool *pool = longest_due(lb, queue);
    if (pool == NULL) {
        queue = first == PROBE_URGENT ? PROBE_ROUTINE : PROBE_URGENT;
        pool = longest_due(lb, queue);
    }
    *ret_pool = pool;
    return pool == NULL ? NULL : &pool->nodes[heap_slot(heap_first(&pool->probes[queue]))];
}

void probe_tick(struct lb *lb, struct lb_effects *fx)
{
    struct lb_pool *pool;
    struct lb_node *node;
    if (!lb->probe_round)
        return;
    while ((node = next_node(lb, &pool)) != NULL) {
        const char *why = node->probe.cut                     ? "cut"
                          : node->state.state == NODE_JOINING ? "joining"
                                                              : "due";
        bool started = start(lb, pool, node, why, fx);
        lb->probe_turn += started;
        if (!started && !node->probe.under_way)
            break; /* no room in this step, or not within the rate: the next round goes on */
        probe_plan(pool, node);
    }
    lb->probe_round = lb->again;
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
    view_look(pool, node);
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
    view_look(pool, node);
}

/* ---- what the peers see ---- */

void probe_asked(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                 struct lb_effects *fx)
{
    struct lb_node *node = find(pool, ev);
    if (node == NULL || pool->config.settings->probe.kind == PROBE_NONE)
        return; /* who asks does without our answer */
    node->probe.asked = true;
    probe_want(lb, pool, node);
}

void probe_verdict(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                   struct lb_effects *fx)
{
    struct lb_node *node = find(pool, ev);
    if (node == NULL || !node->probe.confirming)
        return;
    struct lb_probe *probe = &node->probe;
    pool->duty_at = lb->now;
    view_look(pool, node);
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
    if (mono_sub(lb->now, view_heard_at(pool, node)) > 2 * s->report_interval_ms)
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

void probe_want(struct lb *lb, struct lb_pool *pool, const struct lb_node *node)
{
    agenda_add(&pool->wanted, view_slot(pool, node));
    pool->wanted_at = mono_min(pool->wanted_at, lb->now);
    lb_soon(lb, pool, mono_add(lb->now, 1));
}

void probe_wanted(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (mono_before(lb->now, pool->wanted_at))
        return;
    pool->wanted_at = MONO_NEVER;
    uint32_t slot = agenda_next(&pool->wanted, 0);
    for (; slot != AGENDA_NONE; slot = agenda_next(&pool->wanted, slot + 1)) {
        struct lb_node *node = &pool->nodes[slot];
        const char *why = node->probe.asked ? "peer_asked" : "room_asked";
        if (!is_awaited(lb, pool, &node->probe) && !start(lb, pool, node, why, fx)) {
            pool->wanted_at = mono_add(lb->now, PROBE_WANTED_MS);
            return;
        }
        agenda_remove(&pool->wanted, slot);
    }
}

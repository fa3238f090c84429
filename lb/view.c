/* view.c - taking in what the store says: nodes, reports, states, wants, and the store's clock. */
#include "core/mutant.h"
#include "lb/internal.h"

#include <stdio.h>
#include <string.h>

enum {
    CLOCK_JUMP_MS = 2000,
    VOUCH_MS = 10000,
    ABSENT_MIN_MS = 5000, /* longer than a node waits between two tries to reconnect */
};

wall_ms_t lb_store_now(const struct lb *lb, size_t index, mono_ms_t now)
{
    const struct lb_pool *pool = &lb->pools[index];
    return pool->has_clock ? wall_add(pool->clock_wall, mono_sub(now, pool->clock_mono))
                           : (wall_ms_t){0};
}

/* Silence counts only while the store could be written. */
void view_hold(struct lb *lb, struct lb_pool *pool)
{
    const struct pool_settings *s = pool->config.settings;
    pool->hold_until =
        mono_add(lb->now, MUTANT(sweeps_at_once) ? 0 : s->lost_after_ms + s->report_interval_ms);
}

void view_clock(struct lb *lb, struct lb_pool *pool, wall_ms_t wall, struct lb_effects *fx)
{
    int64_t apart = pool->has_clock ? wall_sub(wall, view_wall(lb, pool)) : 0;
    if (apart > CLOCK_JUMP_MS || apart < -CLOCK_JUMP_MS) {
        view_hold(lb, pool);
        agenda_add_all(&pool->agenda, pool_slots(pool->table)); /* wishes end by this clock */
        fx_note(fx, LB_WARN, pool->index, "clock_jump", NULL, false, "store_time_moved",
                "by_ms=%lld", (long long)apart);
    }
    pool->has_clock = true;
    pool->clock_wall = wall;
    pool->clock_mono = lb->now;
}

struct lb_node *view_find(struct lb_pool *pool, struct span name)
{
    uint32_t slot = pool_find(pool->table, name);
    return slot == POOL_NONE ? NULL : &pool->nodes[slot];
}

const struct want *view_want(const struct lb *lb, const struct lb_pool *pool,
                             const struct lb_node *node)
{
    static const struct want itself = {
        .who = WANT_BY_NODE, .kind = WANT_DRAINING, .why = "asked_in_report"};
    const struct want *want =
        want_in_force(pool->wants[view_slot(pool, node)], WANT_WHOS, view_wall(lb, pool));
    if (node->report.drain && (want == NULL || want->who != WANT_BY_NODE))
        return &itself;
    return want;
}

/* ---- one node ---- */

static void forget(struct lb *lb, struct lb_pool *pool, struct lb_node *node)
{
    uint32_t slot = view_slot(pool, node);
    pool_remove(pool->table, view_now(lb, pool), slot);
    probe_unplan(pool, node);
    agenda_remove(&pool->agenda, slot);
    agenda_remove(&pool->wanted, slot);
    memset(pool->wants[slot], 0, sizeof pool->wants[slot]);
    *node = (struct lb_node){.used = false};
}

/* What was proved stays proved: go on handing it out until the owner has said so again. */
static void vouch(struct lb *lb, struct lb_pool *pool, struct lb_node *node)
{
    node->vouched = true;
    view_look(pool, node);
    pool->vouch_until = mono_add(lb->now, VOUCH_MS);
    pool_state(pool->table, view_now(lb, pool), view_slot(pool, node), NODE_READY, VOUCH_MS);
}

void view_state(struct lb *lb, struct lb_pool *pool, struct lb_node *node,
                const struct node_state_record *state, struct lb_effects *fx)
{
    if (state->epoch != 0 && state->epoch < node->info.epoch)
        return; /* of a process that is no more */
    /* A whole read tells what the store holds, which may be less than we saw: after a failover its
     * last writes are lost. What happened since the read began comes by the feed, again. */
    if (!pool->reading && node->has_state && state->epoch == node->state.epoch &&
        state->since.ms < node->state.since.ms)
        return;
    enum node_state before = node->has_state ? node->state.state : NODE_JOINING;
    view_look(pool, node);
    node->state = *state;
    node->has_state = true;
    /* Nobody moves a ready node to joining: the store lost its memory, and the same process has
     * joined again. */
    bool forgotten = state->state == NODE_JOINING && before == NODE_READY;
    if (forgotten)
        vouch(lb, pool, node);
    else if (state->state != NODE_JOINING)
        node->vouched = false;
    int64_t age_ms = pool->has_clock ? wall_sub(view_wall(lb, pool), state->since) : 0;
    if (!node->vouched)
        pool_state(pool->table, view_now(lb, pool), view_slot(pool, node), state->state,
                   age_ms > 0 ? age_ms : 0);
    if (before == state->state)
        return;
    node->moving = false;
    node->move_at = lb->now;
    node->quiet = false;
    node->stuck_told = false;
    node->probe.successes = node->probe.failures = 0;
    if (state->state == NODE_LOST && node->roomy)
        probe_want(lb, pool, node);
    node->probe.next_at = lb->now;
    struct lb_effect *note =
        fx_note(fx, LB_INFO, pool->index, "state", node->name, false, state->why, "from=%s to=%s",
                state_word(before), state_word(state->state));
    if (state->state == NODE_LOST && own_may_act(lb, pool))
        fx_hook(note, "node_lost");
}

/* A process we did not know; or one we knew whose epoch a store that lost its memory issued anew:
 * then what was proved stays proved. */
static void begin_life(const struct lb *lb, struct lb_pool *pool, struct lb_node *node,
                       const struct node_info *in)
{
    probe_unplan(pool, node);
    bool same = node->used && in->nonce[0] != '\0' && strcmp(node->info.nonce, in->nonce) == 0;
    bool proved = same && (node->state.state == NODE_READY || node->vouched);
    int64_t first_epoch = same ? node->first_epoch : in->epoch;
    *node = (struct lb_node){.used = true, .vouched = proved, .first_epoch = first_epoch};
    pool->nodes_heard[view_slot(pool, node)] = lb->now;
    node->probe.next_at = node->move_at = lb->now;
    node->state = (struct node_state_record){.state = NODE_JOINING, .epoch = in->epoch};
}

static void on_join(struct lb *lb, struct lb_pool *pool, const struct feed_item *item,
                    struct lb_effects *fx)
{
    const struct node_info *in = &item->info;
    struct pool_info info = {
        .name = span_of(item->node),
        .endpoint = span_of(in->endpoint),
        .zone = span_of(in->zone),
        .version = span_of(in->version),
        .instance = span_of(in->instance),
        .epoch = in->epoch,
        .capacity = in->capacity,
        .settles = !in->tickets || lb->config.tickets->mode == TICKETS_OFF,
    };
    struct err err = {0};
    int slot = pool_join(pool->table, view_now(lb, pool), &info, &err);
    if (slot == BERTH_ESTALE)
        return;
    if (slot < 0) {
        pool->nodes_dropped++;
        fx_note(fx, LB_ERROR, pool->index, "node_refused", item->node, true, err_word(slot), "%s",
                err.text);
        return;
    }
    struct lb_node *node = &pool->nodes[slot];
    for (; pool->nodes_zeroed <= (uint32_t)slot; pool->nodes_zeroed++)
        memset(&pool->nodes[pool->nodes_zeroed], 0, sizeof *node);
    if (!node->used || node->info.epoch != in->epoch) {
        bool same = node->used && strcmp(node->info.nonce, in->nonce) == 0;
        begin_life(lb, pool, node, in);
        (void)snprintf(node->name, sizeof node->name, "%s", item->node);
        fx_note(fx, LB_INFO, pool->index, "node", item->node, false, same ? "new_epoch" : "joined",
                "epoch=%lld endpoint=%s capacity=%lld", (long long)in->epoch, in->endpoint,
                (long long)in->capacity);
    }
    node->info = *in;
    node->epoch = in->epoch;
    node->seen = true;
    view_look(pool, node);
    if (node->vouched)
        vouch(lb, pool, node);
    if (item->has_state)
        view_state(lb, pool, node, &item->state, fx);
}

static void keep_report(struct lb_report *kept, const struct node_report *r)
{
    kept->seq = r->seq;
    kept->conns = r->conns;
    kept->handshaking = r->handshaking;
    kept->capacity = r->capacity;
    kept->rooms = r->rooms;
    kept->closed = r->closed;
    kept->drain = r->drain;
    kept->pid = r->pid;
    kept->at = r->at;
    kept->gauge_count = r->gauge_count;
    if (r->gauge_count > 0)
        memcpy(kept->gauges, r->gauges, r->gauge_count * sizeof *kept->gauges);
}

/* True: nothing but counts. */
static bool on_report(struct lb *lb, struct lb_pool *pool, struct lb_node *node,
                      const struct node_report *r)
{
    if (r->epoch != node->epoch || r->seq < node->report.seq)
        return true;
    struct pool_report report = {
        .epoch = r->epoch,
        .seq = r->seq,
        .conns = r->conns,
        .capacity = r->capacity,
        .admitted = r->admitted,
        .admitted_count = r->admitted_count,
    };
    (void)pool_report(pool->table, view_now(lb, pool), view_slot(pool, node), &report);
    bool news = r->closed != node->report.closed || r->drain != node->report.drain ||
                node->report.seq == 0 || node->state.state == NODE_LOST;
    if (news) {
        pool->duty_at = lb->now; /* otherwise the next round is soon enough */
        view_look(pool, node);
    }
    keep_report(&node->report, r);
    node->roomy |= r->rooms > 0;
    if (r->rooms > 0)
        lb_rooms_seen(lb, pool);
    int64_t age_ms = pool->has_clock ? wall_sub(view_wall(lb, pool), r->at) : 0;
    pool->nodes_heard[view_slot(pool, node)] = mono_add(lb->now, age_ms > 0 ? -age_ms : 0);
    return !news;
}

static void on_want(struct lb *lb, struct lb_pool *pool, const struct want *want)
{
    struct want *of_pool = strcmp(want->node, WANT_POOL_CLOSED) == 0  ? &pool->closed_want
                           : strcmp(want->node, WANT_POOL_OWNER) == 0 ? &pool->owner_want
                           : strcmp(want->node, WANT_POOL_GUARD) == 0 ? &pool->guard_want
                                                                      : NULL;
    if (of_pool != NULL) {
        *of_pool = *want;
        pool->duty_at = lb->now;
        return;
    }
    struct lb_node *node = view_find(pool, span_of(want->node));
    if (node == NULL)
        return;
    pool->wants[view_slot(pool, node)][want->who] = *want;
    view_look(pool, node);
    pool->duty_at = lb->now; /* a wish is seen to at once */
}

void lb_expect(const struct lb *lb, size_t index, struct span name, bool soon)
{
    const struct lb_pool *pool = &lb->pools[index];
    uint32_t slot = pool_expect(pool->table, name, soon);
    if (slot == POOL_NONE)
        return;
    __builtin_prefetch(&pool->nodes[slot].epoch, 1);
    __builtin_prefetch(&pool->nodes[slot].report.capacity, 1);
    __builtin_prefetch(&pool->nodes_heard[slot], 1);
}

bool view_item(struct lb *lb, struct lb_pool *pool, const struct feed_item *item,
               struct lb_effects *fx)
{
    pool->heard = true;
    pool->heard_at = lb->now;
    if (item->kind == FEED_JOIN) {
        on_join(lb, pool, item, fx);
        return false;
    }
    if (item->kind == FEED_WANT) {
        on_want(lb, pool, &item->want);
        return false;
    }
    struct lb_node *node = view_find(pool, span_of(item->node));
    if (node == NULL)
        return true; /* its join is still to come, or it is gone */
    if (item->kind == FEED_REPORT)
        return on_report(lb, pool, node, &item->report);
    if (item->kind == FEED_STATE) {
        view_state(lb, pool, node, &item->state, fx);
    } else if (item->kind == FEED_GONE && item->state.epoch >= node->info.epoch) {
        fx_note(fx, LB_INFO, pool->index, "gone", node->name, false, item->state.why, "epoch=%lld",
                (long long)item->state.epoch);
        forget(lb, pool, node);
    }
    return false;
}

/* ---- the whole read ---- */

static void gone(struct lb *lb, struct lb_pool *pool, struct lb_node *node, struct lb_effects *fx)
{
    fx_note(fx, LB_INFO, pool->index, "gone", node->name, false, "not_in_store", "epoch=%lld",
            (long long)node->info.epoch);
    forget(lb, pool, node);
}

void view_begin(struct lb *lb, struct lb_pool *pool)
{
    pool->reading = true;
    pool->closed_want = pool->owner_want = pool->guard_want = (struct want){.kind = WANT_NONE};
    for (uint32_t slot = 0; slot < pool_slots(pool->table); slot++) {
        pool->nodes[slot].seen = false;
        /* What was taken back meanwhile does not come again: a whole read names those that stand.
         */
        memset(pool->wants[slot], 0, sizeof pool->wants[slot]);
    }
    agenda_add_all(&pool->agenda, pool_slots(pool->table));
}

void view_end(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (!pool->reading)
        return;
    pool->reading = false;
    uint32_t nodes = 0, absent = 0;
    for (uint32_t slot = 0; slot < pool_slots(pool->table); slot++) {
        struct lb_node *node = &pool->nodes[slot];
        if (!node->used)
            continue;
        if (node->seen)
            nodes++;
        else if (node->state.state == NODE_READY)
            absent++; /* a store that lost its memory will hear of it again in a moment */
        else
            gone(lb, pool, node, fx);
    }
    int64_t grace_ms = pool->config.settings->lost_after_ms;
    if (grace_ms < ABSENT_MIN_MS)
        grace_ms = ABSENT_MIN_MS;
    pool->absent_until = absent > 0 ? mono_add(lb->now, grace_ms) : MONO_NEVER;
    pool->ready = pool->live = true;
    pool->heard = true;
    pool->heard_at = lb->now;
    view_hold(lb, pool);
    fx_note(fx, LB_INFO, pool->index, "view", NULL, false, "complete", "live=1 nodes=%u absent=%u",
            nodes, absent);
}

/* The owner did not take our word for it. */
static void end_vouching(struct lb *lb, struct lb_pool *pool)
{
    pool->vouch_until = MONO_NEVER;
    for (uint32_t slot = 0; slot < pool_slots(pool->table); slot++) {
        struct lb_node *node = &pool->nodes[slot];
        if (!node->used || !node->vouched)
            continue;
        node->vouched = false;
        view_look(pool, node);
        pool_state(pool->table, view_now(lb, pool), slot, node->state.state, 0);
    }
}

void view_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (!mono_before(lb->now, pool->vouch_until))
        end_vouching(lb, pool);
    if (mono_before(lb->now, pool->absent_until) || pool->reading)
        return;
    pool->absent_until = MONO_NEVER;
    for (uint32_t slot = 0; slot < pool_slots(pool->table); slot++)
        if (pool->nodes[slot].used && !pool->nodes[slot].seen)
            gone(lb, pool, &pool->nodes[slot], fx);
}

mono_ms_t view_deadline(const struct lb_pool *pool)
{
    /* While it is read anew nobody is forgotten, and the end of that is an event. */
    return pool->reading ? pool->vouch_until : mono_min(pool->vouch_until, pool->absent_until);
}

void view_lost(struct lb *lb, struct lb_pool *pool, const char *why, struct lb_effects *fx)
{
    pool->reading = false;
    if (!pool->live)
        return;
    pool->live = false;
    fx_note(fx, LB_WARN, pool->index, "view", NULL, false, why ? why : "lost", "live=0");
}

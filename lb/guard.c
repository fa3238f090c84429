/* guard.c - the mass-loss guard: when one sweep or probe round would lose more than guard_percent
 * of a pool, it is the observer who is suspected. Nothing is lost then, and people are called.
 *
 * It lets go when less is missing, when an operator says that the loss is real (the wish `accept`),
 * or when it has held back without a break for guard_release. While it holds, and at any other
 * time, no LB hands out a node that has been silent for lost_after while others are heard: what is
 * held are states, not players. */
#include "lb/internal.h"

static bool is_open(const struct lb *lb, const struct lb_pool *pool)
{
    const struct want *want = &pool->guard_want;
    return mono_before(lb->now, pool->guard_open_until) ||
           (want->kind == WANT_ACCEPT && !want_expired(want, view_wall(lb, pool)));
}

int64_t guard_percent(const struct lb *lb, const struct lb_pool *pool)
{
    return is_open(lb, pool) ? 0 : pool->config.settings->guard_percent;
}

void guard_hold(struct lb *lb, struct lb_pool *pool, const char *why, int64_t count, int64_t total,
                struct lb_effects *fx)
{
    bool news = !pool->guarded;
    if (news)
        pool->guarded_since = lb->now;
    pool->guarded = true;
    pool->guarded_at = lb->now;
    if (!news && mono_sub(lb->now, pool->guard_told_at) < GUARD_NOTE_EVERY_MS)
        return;
    pool->guard_told_at = lb->now;
    struct lb_effect *note = fx_note(fx, LB_ERROR, pool->index, "guard", NULL, true, why,
                                     "would_lose=%lld of=%lld", (long long)count, (long long)total);
    if (news)
        fx_hook(note, "guard");
}

/* Those who were away together do not come back in one instant: whoever is still silent when the
 * others are heard again is given as long again as it takes to be lost. */
static int64_t grace_ms(const struct lb_pool *pool)
{
    int64_t lost_after_ms = pool->config.settings->lost_after_ms;
    return lost_after_ms > GUARD_OVER_MS ? lost_after_ms : GUARD_OVER_MS;
}

bool guard_grace(const struct lb *lb, const struct lb_pool *pool)
{
    return mono_before(lb->now, pool->guard_grace_until);
}

void guard_swept(struct lb *lb, struct lb_pool *pool, int64_t count, int64_t total,
                 struct lb_effects *fx)
{
    if (is_open(lb, pool) || count <= 1 || count * 100 <= total * guard_percent(lb, pool))
        return; /* let go since, or held by the grace alone */
    pool->guard_grace_until = mono_add(lb->now, grace_ms(pool));
    guard_hold(lb, pool, "silence_everywhere", count, total, fx);
}

static void forget_old_losses(const struct lb *lb, struct lb_pool *pool)
{
    if (mono_sub(lb->now, pool->losses_since) >= LOSSES_SPAN_MS)
        pool->losses = 0;
}

bool guard_allows(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    const struct pool_sums *sums = pool_sums(pool->table);
    forget_old_losses(lb, pool);
    int64_t percent = guard_percent(lb, pool);
    int64_t total = (int64_t)sums->nodes[NODE_READY] + sums->nodes[NODE_HELD] + pool->losses;
    int64_t failing = pool->failing > pool->failing_now ? pool->failing : pool->failing_now;
    failing += pool->losses;
    if (percent == 0 || failing <= 1 || failing * 100 <= total * percent)
        return true;
    guard_hold(lb, pool, "probes_fail_everywhere", failing, total, fx);
    return false;
}

void guard_count_loss(struct lb *lb, struct lb_pool *pool)
{
    forget_old_losses(lb, pool);
    if (pool->losses++ == 0)
        pool->losses_since = lb->now;
}

/* ---- who is silent ---- */

/* While the feed is followed, a node that is silent while others are heard is not one to send
 * players to, whatever its state still says: the owner may be about to find out, or its guard holds
 * the state. */
static void doubt(struct lb *lb, struct lb_pool *pool)
{
    int64_t limit_ms = pool->config.settings->lost_after_ms;
    bool trusted = pool->live && pool->store_up && !mono_before(lb->now, pool->hold_until);
    uint32_t slots = pool_slots(pool->table);
    bool heard = false;
    for (uint32_t slot = 0; trusted && !heard && slot < slots; slot++) {
        const struct lb_node *node = &pool->nodes[slot];
        heard = mono_sub(lb->now, pool->nodes_heard[slot]) < limit_ms && node->used &&
                node->state.state == NODE_READY;
    }
    bool any_doubted = pool->doubted > 0;
    pool->doubted = 0;
    for (uint32_t slot = 0; slot < slots; slot++) {
        bool silent = mono_sub(lb->now, pool->nodes_heard[slot]) >= limit_ms;
        if (!silent && !any_doubted)
            continue; /* most, and without a look at anything but when they were heard */
        struct lb_node *node = &pool->nodes[slot];
        if (!node->used)
            continue;
        node->doubted = heard && silent && node->state.state == NODE_READY;
        pool_doubt(pool->table, slot, node->doubted);
        pool->doubted += node->doubted;
    }
}

void guard_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    const struct pool_settings *s = pool->config.settings;
    if (!mono_before(lb->now, pool->doubt_at)) {
        pool->doubt_at = mono_add(lb->now, DOUBT_EVERY_MS);
        doubt(lb, pool);
    }
    if (!pool->guarded)
        return;
    const char *why = NULL;
    if (mono_sub(lb->now, pool->guarded_at) >= GUARD_OVER_MS) {
        why = is_open(lb, pool) ? "accepted" : "over";
    } else if (s->guard_release_ms > 0 && own_may_act(lb, pool) && pool->live &&
               mono_sub(lb->now, pool->guarded_since) >= s->guard_release_ms) {
        pool->guard_open_until = mono_add(lb->now, GUARD_OPEN_MS);
        why = "held_long_enough";
    }
    if (why == NULL || !fx_room(lb, fx, 1))
        return;
    pool->guarded = false;
    fx_note(fx, LB_WARN, pool->index, "guard_over", NULL, true, why, "held_ms=%lld",
            (long long)mono_sub(lb->now, pool->guarded_since));
}

mono_ms_t guard_deadline(const struct lb *lb, const struct lb_pool *pool)
{
    return pool->ready ? pool->doubt_at : MONO_NEVER;
}

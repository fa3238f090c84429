/* peer.c - keeping two LBs of one mind: what each handed out, and who is alive. */
#include "core/mutant.h"
#include "lb/internal.h"

#include <assert.h>
#include <string.h>

enum { COUNTS_AT_ONCE = 64, ROOMS_TELL_EVERY_MS = 1000 };

static bool any_up(const struct lb *lb)
{
    for (size_t i = 0; i < LB_PEERS_MAX; i++)
        if (lb->peers[i].up)
            return true;
    return false;
}

void peer_note_count(struct lb *lb, struct lb_pool *pool)
{
    if (pool->counts_due)
        return;
    pool->counts_due = true;
    pool->counts_at = mono_add(lb->now, COUNT_FLUSH_MS);
    lb_soon(lb, pool, pool->counts_at);
}

mono_ms_t peer_deadline(const struct lb_pool *pool)
{
    return pool->counts_due ? pool->counts_at : MONO_NEVER;
}

static void tell(const struct lb_pool *pool, const struct pool_told *told, struct lb_effects *fx)
{
    struct lb_count *count = &fx_add(fx, LB_DO_COUNT, pool->index, "assigned")->count;
    bool fits = span_copy(told->node, count->node, sizeof count->node) &&
                span_copy(told->issuer, count->issuer, sizeof count->issuer);
    assert(fits);
    (void)fits;
    count->epoch = told->node_epoch;
    count->issuer_epoch = told->issuer_epoch;
    count->second = told->second;
    count->count = told->count;
}

/* Take as many as there is room for; `more` says whether there may be others. */
static size_t take(struct lb_pool *pool, struct pool_told *list, size_t max, bool snapshot)
{
    if (snapshot)
        return pool_snapshot(pool->table, &pool->resync_cursor, list, max);
    bool resync = false;
    size_t count = pool_changes(pool->table, list, max, &resync);
    if (resync) {
        pool->resync = true;
        pool->resync_cursor = 0;
    }
    return count;
}

/* Before any count, so that it is not taken for one of a shorter ticket. */
static void tell_rooms(const struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    fx_add(fx, LB_DO_TELL, pool->index, "assigned")->event = "rooms";
    pool->rooms_due = false;
    pool->rooms_told_until = mono_add(lb->now, ROOMS_TELL_EVERY_MS);
}

void peer_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (mono_before(lb->now, peer_deadline(pool)))
        return;
    struct pool_told list[COUNTS_AT_ONCE];
    bool tell_them = any_up(lb);
    if (!tell_them)
        pool->resync = pool->rooms_due = false; /* nobody to tell; who comes is told everything */
    if (pool->rooms_due && !mono_before(lb->now, pool->rooms_told_until) && fx_room(lb, fx, 1))
        tell_rooms(lb, pool, fx);
    for (;;) {
        if (!fx_room(lb, fx, COUNTS_AT_ONCE))
            return;
        bool snapshot = pool->resync;
        size_t count = take(pool, list, COUNTS_AT_ONCE, snapshot);
        for (size_t i = 0; tell_them && i < count; i++)
            tell(pool, &list[i], fx);
        if (count > 0)
            continue;
        if (!snapshot && !pool->resync)
            break;
        pool->resync = snapshot ? false : pool->resync && tell_them;
    }
    pool->counts_due = false;
}

void peer_count(struct lb *lb, struct lb_pool *pool, const struct lb_count *count)
{
    if (MUTANT(forgets_what_peers_hand_out))
        return;
    struct pool_told told = {
        .node = span_of(count->node),
        .issuer = span_of(count->issuer),
        .node_epoch = count->epoch,
        .issuer_epoch = count->issuer_epoch,
        .second = count->second,
        .count = count->count,
    };
    /* What is refused is counted by the table; the next count of that second makes good for it. */
    (void)!pool_told(pool->table, view_now(lb, pool), &told);
}

void peer_tell_room_over(const struct lb_pool *pool, struct span room, struct lb_effects *fx)
{
    struct lb_effect *effect = fx_add(fx, LB_DO_TELL, pool->index, "finished");
    effect->event = "room_over";
    (void)span_copy(room, effect->node, sizeof effect->node);
}

static const char *peer_name(const struct lb *lb, size_t peer)
{
    return SECTION_AT(lb->config.lb->peers, struct lb_peer_settings, peer)->name;
}

void peer_up(struct lb *lb, const struct lb_event *ev, struct lb_effects *fx)
{
    struct lb_peer *peer = &lb->peers[ev->peer];
    if (!peer->up) {
        peer->up = true;
        peer->unable = false;
        peer->since = lb->now;
        lb->able_told = false;
        fx_note(fx, LB_INFO, 0, "peer", peer_name(lb, ev->peer), true, "link", "up=1 seen_by=%s",
                lb->config.name);
    }
    for (size_t i = 0; i < lb->config.pool_count; i++) {
        struct lb_pool *pool = &lb->pools[i];
        pool->resync = !MUTANT(tells_no_newcomer);
        pool->resync_cursor = 0;
        pool->rooms_due = pool->has_rooms;
        pool->rooms_told_until = lb->now;
        pool->counts_due = true;
        pool->counts_at = lb->now;
        own_peers(pool);
    }
}

void peer_down(struct lb *lb, const struct lb_event *ev, struct lb_effects *fx)
{
    struct lb_peer *peer = &lb->peers[ev->peer];
    if (!peer->up)
        return;
    peer->up = false;
    peer->since = lb->now;
    fx_note(fx, LB_WARN, 0, "peer", peer_name(lb, ev->peer), true, ev->why ? ev->why : "link",
            "up=0 seen_by=%s", lb->config.name);
    /* Try for what it may have owned: the store gives nothing away that is still held. */
    for (size_t i = 0; i < lb->config.pool_count; i++)
        own_hurry(&lb->pools[i], ev->peer);
}

void peer_able(struct lb *lb, struct lb_effects *fx)
{
    bool able = own_able(lb);
    if ((able == lb->able && lb->able_told) || !any_up(lb) || !fx_room(lb, fx, 1))
        return;
    lb->able = able;
    lb->able_told = true;
    struct lb_effect *effect = fx_add(fx, LB_DO_TELL, 0, able ? "well" : "not_well");
    effect->event = "able";
    effect->able = able;
}

/* lb.c - the door of the core: events in, effects out, the next deadline. */
#include "core/memory.h"
#include "lb/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    TABLE_ISSUERS = 16,
    TICKET_TTL_MIN_MS = 1000,
    ROOMS_SLACK_MS = 5000, /* skew, a report, a word on the link */
};

/* ---- life ---- */

static int64_t longer_ms(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The longest a ticket of this pool may live, when there are rooms and when there are none. */
static int64_t longest_ticket_ms(const struct pool_settings *s, bool rooms)
{
    int64_t ttl = longer_ms(s->ticket_ttl_ms, rooms ? s->room_ticket_ttl_ms : 0);
    return longer_ms(ttl, TICKET_TTL_MIN_MS);
}

int64_t lb_ticket_ms(const struct lb_pool *pool)
{
    return longest_ticket_ms(pool->config.settings, pool->has_rooms);
}

static int64_t rooms_last_ms(const struct lb_pool *pool)
{
    return longest_ticket_ms(pool->config.settings, true) + ROOMS_SLACK_MS;
}

void lb_rooms_seen(const struct lb *lb, struct lb_pool *pool)
{
    pool->rooms_until = mono_add(lb->now, rooms_last_ms(pool));
    if (pool->has_rooms)
        return;
    pool->has_rooms = true;
    pool_ticket_ttl(pool->table, lb_ticket_ms(pool));
}

static void rooms_tick(const struct lb *lb, struct lb_pool *pool)
{
    if (!pool->has_rooms || mono_before(lb->now, pool->rooms_until))
        return;
    pool->has_rooms = false;
    pool_ticket_ttl(pool->table, lb_ticket_ms(pool));
}

static int pool_open(struct lb *lb, struct lb_pool *pool, struct err *err)
{
    const struct pool_settings *s = pool->config.settings;
    const struct lb_config *c = &lb->config;
    struct pool_config table = {
        .nodes_max = (uint32_t)c->nodes_max,
        .issuers_max = TABLE_ISSUERS,
        .seed = rng_next(&lb->rng),
        .ticket_ttl_ms = longest_ticket_ms(s, true),
        .skew_ms = c->tickets->skew_ms,
        .report_interval_ms = s->report_interval_ms,
        .settle_ms = s->settle_ms,
        .slow_start_ms = s->slow_start_ms,
        .strategy = strategy_at((size_t)s->strategy),
    };
    int code = pool_create(&table, &pool->table, err);
    if (code < 0) {
        err_prefix(err, "pool %s", s->name);
        return code;
    }
    pool_ticket_ttl(pool->table, lb_ticket_ms(pool));
    pool->nodes = memory_table(c->nodes_max * sizeof *pool->nodes);
    pool->nodes_heard = calloc(c->nodes_max, sizeof *pool->nodes_heard);
    pool->wants = calloc(c->nodes_max, sizeof *pool->wants);
    if (pool->nodes == NULL || pool->nodes_heard == NULL || pool->wants == NULL ||
        agenda_init(&pool->agenda, (uint32_t)c->nodes_max) < 0 ||
        probe_init(pool, (uint32_t)c->nodes_max) < 0 || place_init(lb, pool) < 0)
        return err_set(err, BERTH_ENOMEM, "pool %s: no memory for %zu nodes", s->name,
                       c->nodes_max);
    pool->absent_until = pool->vouch_until = MONO_NEVER;
    pool->rooms_told_until = lb->now;
    pool->duty_at = pool->sweep_at = pool->doubt_at = pool->losses_since = lb->now;
    pool->guard_open_until = pool->guard_grace_until = lb->now;
    own_init(lb, pool);
    return 0;
}

/* Its index among the peers; a name that is not there (tools, tests) counts as the first. */
static size_t find_me(const struct lb_config *config)
{
    for (size_t i = 0; i < config->lb->peers.count; i++)
        if (strcmp(SECTION_AT(config->lb->peers, struct lb_peer_settings, i)->name, config->name) ==
            0)
            return i;
    return 0;
}

struct lb *lb_create(const struct lb_config *config, mono_ms_t now, struct err *err)
{
    assert(config->pool_count >= 1 && config->nodes_max >= 1);
    struct lb *lb = calloc(1, sizeof *lb);
    if (lb == NULL || (lb->pools = calloc(config->pool_count, sizeof *lb->pools)) == NULL ||
        (lb->dues = calloc(config->pool_count, sizeof *lb->dues)) == NULL) {
        lb_destroy(lb);
        (void)err_set(err, BERTH_ENOMEM, "no memory for %zu pools", config->pool_count);
        return NULL;
    }
    lb->config = *config;
    lb->now = lb->due = now;
    lb->probe_credit_at = now;
    lb->probe_credit = config->lb->probe_rate * PROBE_BURST_MS;
    rng_seed(&lb->rng, config->seed);
    lb->me = find_me(config);
    for (size_t i = 0; i < config->pool_count; i++) {
        lb->dues[i] = now;
        lb->pools[i].config = config->pools[i];
        lb->pools[i].index = i;
        if (pool_open(lb, &lb->pools[i], err) < 0) {
            lb_destroy(lb);
            return NULL;
        }
    }
    lb->config.pools = NULL; /* borrowed for the call only */
    return lb;
}

void lb_settings_changed(struct lb *lb)
{
    for (size_t i = 0; i < lb->config.pool_count; i++) {
        const struct pool_settings *s = lb->pools[i].config.settings;
        pool_strategy(lb->pools[i].table, strategy_at((size_t)s->strategy));
        agenda_add_all(&lb->pools[i].agenda, pool_slots(lb->pools[i].table));
    }
}

void lb_destroy(struct lb *lb)
{
    if (lb == NULL)
        return;
    for (size_t i = 0; lb->pools != NULL && i < lb->config.pool_count; i++) {
        struct lb_pool *pool = &lb->pools[i];
        pool_destroy(pool->table);
        free(pool->nodes);
        free(pool->nodes_heard);
        free(pool->wants);
        agenda_fini(&pool->agenda);
        probe_fini(pool);
        place_fini(pool);
    }
    free(lb->pools);
    free(lb->dues);
    free(lb);
}

/* ---- the step ---- */

static void stop(struct lb *lb, struct lb_effects *fx)
{
    if (lb->stopping)
        return;
    lb->stopping = true;
    for (size_t i = 0; i < lb->config.pool_count && fx_room(lb, fx, 4); i++)
        own_stop(lb, &lb->pools[i], fx);
}

static void store_up(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                     struct lb_effects *fx)
{
    pool->store_up = true;
    view_hold(lb, pool); /* nobody could report while nothing could be written */
    pool->enroll_at = lb->now;
    fx_hook(fx_note(fx, LB_INFO, ev->pool, "store", NULL, true, "connected", "up=1 seen_by=%s",
                    lb->config.name),
            pool->store_lost ? "redis_back" : NULL);
    pool->store_lost = false;
}

static void store_down(const struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                       struct lb_effects *fx)
{
    if (pool->store_up) {
        fx_hook(fx_note(fx, LB_WARN, ev->pool, "store", NULL, false, ev->why ? ev->why : "lost",
                        "up=0 seen_by=%s", lb->config.name),
                "redis_lost");
        pool->store_lost = true;
    }
    pool->store_up = false;
}

static void peer_is_able(struct lb *lb, const struct lb_event *ev)
{
    if (ev->ok && lb->peers[ev->peer].unable)
        lb->peers[ev->peer].since = lb->now; /* steady from now on */
    lb->peers[ev->peer].unable = !ev->ok;
}

/* What a peer said, or what became of the link to it. */
static void on_peer(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                    struct lb_effects *fx)
{
    if (ev->kind == LB_PEER_UP)
        peer_up(lb, ev, fx);
    else if (ev->kind == LB_PEER_DOWN)
        peer_down(lb, ev, fx);
    else if (ev->kind == LB_PEER_ABLE)
        peer_is_able(lb, ev);
    else if (ev->kind == LB_PEER_CONFIRM)
        probe_asked(lb, pool, ev, fx);
    else if (ev->kind == LB_PEER_VERDICT)
        probe_verdict(lb, pool, ev, fx);
    else if (ev->kind == LB_PEER_COUNT)
        peer_count(lb, pool, &ev->count);
    else if (ev->kind == LB_PEER_RELEASED)
        own_released(lb, pool, ev->peer);
    else if (ev->kind == LB_PEER_ROOMS)
        lb_rooms_seen(lb, pool);
    else if (ev->kind == LB_PEER_ROOM_OVER)
        lb_room_over(lb, ev->pool, ev->room);
}

/* True: nothing is due by it. */
static bool on_event(struct lb *lb, const struct lb_event *ev, struct lb_effects *fx)
{
    struct lb_pool *pool = &lb->pools[ev->pool];
    if (ev->answer != NULL && ev->code == 0)
        view_clock(lb, pool, ev->answer->now, fx);
    switch (ev->kind) {
    case LB_TICK:
        break;
    case LB_STORE_UP:
        store_up(lb, pool, ev, fx);
        break;
    case LB_STORE_DOWN:
        store_down(lb, pool, ev, fx);
        break;
    case LB_FOLLOW_BEGIN:
        view_begin(lb, pool);
        break;
    case LB_FOLLOW_ITEM:
        return view_item(lb, pool, ev->item, fx);
    case LB_FOLLOW_END:
        view_end(lb, pool, fx);
        break;
    case LB_FOLLOW_LOST:
        view_lost(lb, pool, ev->why, fx);
        break;
    case LB_ENROLL_REPLY:
        own_enroll_reply(lb, pool, ev, fx);
        break;
    case LB_LEASE_REPLY:
        own_lease_reply(lb, pool, ev, fx);
        break;
    case LB_MOVE_REPLY:
        duty_move_reply(lb, pool, ev, fx);
        break;
    case LB_SWEEP_REPLY:
        duty_sweep_reply(lb, pool, ev, fx);
        break;
    case LB_PROBE_REPLY:
        probe_reply(lb, pool, ev, fx);
        break;
    case LB_PROBE_CUT:
        probe_cut(lb, pool, ev);
        break;
    case LB_SERVICE:
        lb->out = !ev->ok;
        fx_note(fx, LB_WARN, ev->pool, "service", lb->config.name, true,
                ev->ok ? "in_service" : "out_of_service", "in=%d", ev->ok);
        break;
    case LB_ROOM_OVER:
        lb_room_over(lb, ev->pool, ev->room);
        peer_tell_room_over(pool, ev->room, fx);
        break;
    case LB_STOP:
        stop(lb, fx);
        break;
    case LB_PEER_UP:
    case LB_PEER_DOWN:
    case LB_PEER_ABLE:
    case LB_PEER_CONFIRM:
    case LB_PEER_VERDICT:
    case LB_PEER_COUNT:
    case LB_PEER_RELEASED:
    case LB_PEER_ROOMS:
    case LB_PEER_ROOM_OVER:
        on_peer(lb, pool, ev, fx);
        break;
    }
    return false;
}

/* Every step is due at the deadline it gave. When we slept, so may have whole machines of ours, and
 * whatever was to arrive meanwhile has not been read yet. (Each lease looks for itself.) */
static void check_pause(struct lb *lb, mono_ms_t due, struct lb_effects *fx)
{
    if (due.ms == INT64_MAX || mono_sub(lb->now, due) <= PAUSE_MS)
        return;
    for (size_t i = 0; i < lb->config.pool_count; i++)
        view_hold(lb, &lb->pools[i]);
    fx_note(fx, LB_WARN, 0, "tilt", NULL, false, "paused", "by_ms=%lld",
            (long long)mono_sub(lb->now, due));
}

static void tick_pool(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    rooms_tick(lb, pool);
    pool_advance(pool->table, view_now(lb, pool));
    view_tick(lb, pool, fx);
    own_tick(lb, pool, fx);
    duty_tick(lb, pool, fx);
    guard_tick(lb, pool, fx);
    probe_wanted(lb, pool, fx);
    place_tick(lb, pool, fx);
    peer_tick(lb, pool, fx);
}

/* When something is due in this pool next. */
static mono_ms_t pool_due(const struct lb *lb, const struct lb_pool *pool)
{
    mono_ms_t at = own_deadline(lb, pool);
    at = mono_min(at, duty_deadline(lb, pool));
    at = mono_min(at, guard_deadline(lb, pool));
    at = mono_min(at, place_deadline(pool));
    at = mono_min(at, peer_deadline(pool));
    at = mono_min(at, view_deadline(pool));
    at = mono_min(at, pool->wanted_at);
    return mono_min(at, pool_deadline(pool->table, view_now(lb, pool)));
}

void lb_soon(struct lb *lb, const struct lb_pool *pool, mono_ms_t at)
{
    lb->dues[pool->index] = mono_min(lb->dues[pool->index], at);
    lb->due = mono_min(lb->due, at);
}

static bool is_of_one_pool(enum lb_event_kind kind)
{
    return kind >= LB_FOLLOW_BEGIN && kind <= LB_PROBE_CUT;
}

/* A pool is looked at when something happened to it or is due there by the clock: with many pools
 * an event costs what its own pool costs. */
static void tick(struct lb *lb, const struct lb_event *ev, bool again, struct lb_effects *fx)
{
    bool all = again || !is_of_one_pool(ev->kind);
    for (size_t i = 0; i < lb->config.pool_count; i++)
        if (all || i == ev->pool || !mono_before(lb->now, lb->dues[i])) {
            tick_pool(lb, &lb->pools[i], fx);
            lb->dues[i] = pool_due(lb, &lb->pools[i]);
        }
    probe_tick(lb, fx);
    peer_able(lb, fx);
    lb->due = MONO_NEVER;
    for (size_t i = 0; i < lb->config.pool_count; i++)
        lb->due = mono_min(lb->due, lb->dues[i]);
}

void lb_step(struct lb *lb, const struct lb_event *ev, struct lb_effects *fx)
{
    assert(!mono_before(ev->now, lb->now) && ev->pool < lb->config.pool_count);
    bool again = lb->again;
    lb->now = ev->now;
    fx->count = 0;
    check_pause(lb, again ? lb->now : lb->due, fx);
    bool quiet = on_event(lb, ev, fx);
    if (quiet && !again && mono_before(lb->now, lb->due))
        return; /* most reports */
    lb->again = false;
    tick(lb, ev, again, fx);
}

bool lb_may_send(const struct lb *lb, const struct lb_effect *effect, mono_ms_t now)
{
    const struct lb_pool *pool = &lb->pools[effect->pool];
    if (effect->kind != LB_DO_MOVE && effect->kind != LB_DO_SWEEP)
        return true;
    int64_t token = effect->kind == LB_DO_MOVE ? effect->move.token : effect->token;
    return lease_held(&pool->lease, now) && lease_token(&pool->lease) == token;
}

mono_ms_t lb_deadline(const struct lb *lb)
{
    return lb->again ? lb->now : lb->due;
}

/* watch.c - what no event tells, because what would tell it is silent. */
#include "alerts/watch.h"

#include "core/record.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *what, *why;
} words[WATCH_WHATS] = {
    [WATCH_REDIS] = {"redis", "no answer"},
    [WATCH_OWNER] = {"no_owner", "no LB owns the pool: nodes are not proved, lost ones not found"},
    [WATCH_LEADER] = {"no_leader", "no autoscaler leads the pool: it is not scaled"},
    [WATCH_VIEW] = {"stale_view", "the autoscaler does not see the pool whole: it is not scaled"},
};

void watch_init(struct watch *w, int64_t redis_after_ms, int64_t silent_after_ms,
                int64_t drain_stuck_ms)
{
    *w = (struct watch){.redis_after_ms = redis_after_ms,
                        .silent_after_ms = silent_after_ms,
                        .drain_stuck_ms = drain_stuck_ms};
}

static struct watch_state *state_of(struct watch *w, enum watch_what what, int pool)
{
    assert(pool >= 0 && pool < WATCH_POOLS_MAX);
    return &w->pools[pool][what];
}

static void tell(enum watch_what what, bool well, int64_t for_ms, int pool, const char *pool_name,
                 wall_ms_t wall, struct alert *ret_alert)
{
    static const enum alert_kind kinds[2][2] = {{ALERT_BERTH_SILENT, ALERT_BERTH_BACK},
                                                {ALERT_REDIS_LOST, ALERT_REDIS_BACK}};
    bool redis = what == WATCH_REDIS;
    struct record_writer w;
    alert_init(ret_alert, kinds[redis][well], redis ? ALERT_POOL_NONE : pool,
               redis ? "" : pool_name, wall);
    if (redis)
        (void)snprintf(ret_alert->about, sizeof ret_alert->about, "%s", pool_name);
    record_begin(&w, ret_alert->record, sizeof ret_alert->record);
    record_put_text(&w, "what", words[what].what);
    record_put_text(&w, "why", well ? "well again" : words[what].why);
    record_put_int(&w, "for_s", for_ms / 1000);
}

bool watch_see(struct watch *w, enum watch_what what, int pool, const char *pool_name, bool well,
               wall_ms_t wall, mono_ms_t now, struct alert *ret_alert)
{
    struct watch_state *state = state_of(w, what, pool);
    if (!state->bad && !well)
        *state = (struct watch_state){true, false, now};
    if (!state->bad)
        return false;
    int64_t for_ms = mono_sub(now, state->since);
    if (well) {
        bool told = state->told;
        *state = (struct watch_state){0};
        if (told)
            tell(what, true, for_ms, pool, pool_name, wall, ret_alert);
        return told;
    }
    if (state->told || for_ms < (what == WATCH_REDIS ? w->redis_after_ms : w->silent_after_ms))
        return false;
    state->told = true;
    tell(what, false, for_ms, pool, pool_name, wall, ret_alert);
    return true;
}

int64_t watch_bad_ms(const struct watch *w, enum watch_what what, int pool, mono_ms_t now)
{
    const struct watch_state *state = &w->pools[pool][what];
    return state->bad ? mono_sub(now, state->since) : -1;
}

void watch_forget_pools(struct watch *w)
{
    for (size_t i = 0; i < WATCH_POOLS_MAX; i++)
        for (int what = 0; what < WATCH_WHATS; what++)
            if (what != WATCH_REDIS)
                w->pools[i][what] = (struct watch_state){0};
    memset(w->drains, 0, sizeof w->drains);
}

/* ---- drains ---- */

static uint64_t key_of(int pool, struct span node, wall_ms_t since)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ (uint64_t)since.ms ^ (uint64_t)pool << 48;
    for (size_t i = 0; i < node.len; i++)
        h = (h ^ (unsigned char)node.ptr[i]) * UINT64_C(1099511628211);
    return h ? h : 1;
}

/* Not told within drain_stuck_ms; told now. The oldest makes room. */
static bool drain_is_news(struct watch *w, uint64_t key, mono_ms_t now)
{
    size_t at = 0;
    for (size_t i = 0; i < WATCH_DRAINS_MAX; i++) {
        if (w->drains[i].key == key) {
            if (mono_sub(now, w->drains[i].told_at) < w->drain_stuck_ms)
                return false;
            w->drains[i].told_at = now;
            return true;
        }
        if (w->drains[at].key &&
            (!w->drains[i].key || mono_before(w->drains[i].told_at, w->drains[at].told_at)))
            at = i;
    }
    w->drains[at].key = key;
    w->drains[at].told_at = now;
    return true;
}

bool watch_drain(struct watch *w, int pool, const char *pool_name, struct span node,
                 struct span state, wall_ms_t since, wall_ms_t wall, mono_ms_t now,
                 struct alert *ret_alert)
{
    int64_t for_ms = wall_sub(wall, since);
    if (w->drain_stuck_ms == 0 || since.ms <= 0 || for_ms < w->drain_stuck_ms ||
        !drain_is_news(w, key_of(pool, node, since), now))
        return false;
    struct record_writer r;
    alert_init(ret_alert, ALERT_DRAIN_STUCK, pool, pool_name, wall);
    (void)snprintf(ret_alert->about, sizeof ret_alert->about, "%.*s", SPAN_ARG(node));
    record_begin(&r, ret_alert->record, sizeof ret_alert->record);
    record_put(&r, "from", state);
    record_put_text(&r, "why", "players are still there, or its instance is not ended");
    record_put_int(&r, "for_s", for_ms / 1000);
    return true;
}

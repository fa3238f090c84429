/* scale.c - the autoscaler of one pool: what it sees goes in as events, what it wants done comes
 * out as effects. */
#include "autoscale/scale_parts.h"

#include "autoscale/retire.h"
#include "core/mutant.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define JUMP_MS 2000         /* the two clocks moved apart by more: time is not trusted */
#define PLAN_AGAIN_MS 2000   /* ask for the plan again */
#define LIST_ANSWER_MS 30000 /* ask for the list again */

struct scale *scale_create(const struct policy *policy)
{
    struct scale *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->policy = policy;
    if (fleet_init(&s->fleet, (size_t)policy->nodes_max, policy->nodes_per_instance,
                   policy->boot_timeout_ms, policy->stale_after_ms) < 0) {
        free(s);
        return NULL;
    }
    if (past_init(&s->past) < 0) {
        fleet_fini(&s->fleet);
        free(s);
        return NULL;
    }
    if (signals_init(&s->signals, policy, (mono_ms_t){0}) < 0) {
        past_fini(&s->past);
        fleet_fini(&s->fleet);
        free(s);
        return NULL;
    }
    return s;
}

void scale_destroy(struct scale *s)
{
    if (!s)
        return;
    signals_fini(&s->signals);
    past_fini(&s->past);
    fleet_fini(&s->fleet);
    free(s);
}

void scale_change(struct scale *s, const struct policy *policy, mono_ms_t now)
{
    s->policy = policy;
    signals_change(&s->signals, policy, now);
    s->actions = (struct actions){0};
    memset(s->advice_fails, 0, sizeof s->advice_fails);
    s->fleet.nodes_per_instance = policy->nodes_per_instance;
    s->fleet.boot_timeout_ms = policy->boot_timeout_ms;
    s->fleet.stale_after_ms = policy->stale_after_ms;
    s->told[0] = 0;
}

/* ---- time ---- */

static void take_time(struct scale *s, const struct scale_event *ev)
{
    assert(!mono_before(ev->now, s->now));
    s->now = ev->now;
    if (ev->wall.ms > 0) {
        int64_t offset = ev->wall.ms - ev->now.ms;
        int64_t apart = offset - s->offset_ms;
        if (s->has_offset && (apart > JUMP_MS || apart < -JUMP_MS))
            scale_hold_for(s, "clock_jump");
        s->offset_ms = offset;
        s->has_offset = true;
    }
    s->wall = s->has_offset ? (wall_ms_t){s->now.ms + s->offset_ms} : (wall_ms_t){0};
    if (s->has_offset) { /* a store whose clock went back must not make a cooldown longer */
        s->memory.out_at.ms = s->memory.out_at.ms > s->wall.ms ? s->wall.ms : s->memory.out_at.ms;
        s->memory.in_at.ms = s->memory.in_at.ms > s->wall.ms ? s->wall.ms : s->memory.in_at.ms;
    }
    if (s->stepped_at.ms > 0 &&
        mono_sub(s->now, s->stepped_at) > s->policy->stale_after_ms + SCALE_TICK_MS)
        scale_hold_for(s, "was_stopped");
    s->stepped_at = s->now;
}

static void ask_provider(struct scale *s, struct effects *fx)
{
    if (!s->plan_read &&
        (s->plan_asked_at.ms == 0 || mono_sub(s->now, s->plan_asked_at) >= PLAN_AGAIN_MS)) {
        if (effects_add(fx, EFFECT_PLAN_READ, "-", "new_leader"))
            s->plan_asked_at = s->now;
    }
    if (s->list_pending && mono_sub(s->now, s->list_asked_at) < LIST_ANSWER_MS)
        return;
    bool busy =
        !s->settled || s->launches.count > 0 || retire_watching(&s->fleet) || s->figures.coming > 0;
    int64_t rest = s->policy->list_interval_ms * 10 < SCALE_LIST_REST_MS
                       ? s->policy->list_interval_ms * 10
                       : SCALE_LIST_REST_MS;
    mono_ms_t due =
        busy ? s->list_next_at : mono_add(s->list_next_at, rest - s->policy->list_interval_ms);
    if (mono_before(s->now, due))
        return;
    struct effect *e = effects_add(fx, EFFECT_LIST, "-", busy ? "busy" : "rest");
    if (!e)
        return;
    e->asked_at = s->now;
    s->list_pending = true;
    s->list_asked_at = s->now;
}

static void keep_boot_time(struct scale *s, struct effects *fx)
{
    if (!effects_room(fx, 1) || !boot_time_watch(&s->boot, &s->fleet, s->now))
        return;
    struct effect *e = effects_add(fx, EFFECT_PLAN_SET, BOOT_TIME_FIELD, "measured");
    boot_time_write(&s->boot, e->record);
}

/* Let the rules look at what is seen now. */
static void look(struct scale *s)
{
    struct rule_sight sight = {.figures = s->figures,
                               .fleet = &s->fleet,
                               .past = &s->past,
                               .refusals = s->refusals,
                               .boot_ms = boot_time_ms(&s->boot),
                               .now = s->now,
                               .wall = s->wall};
    signals_see(&s->signals, &sight);
    past_see(&s->past, s->wall, &s->figures, fleet_players(&s->fleet));
}

void scale_step(struct scale *s, const struct scale_event *event, struct effects *fx)
{
    fx->count = 0;
    fx->full = false;
    take_time(s, event);
    scale_take_event(s, event, fx);
    scale_count(s);
    scale_settle(s);
    const char *holds = scale_what_holds(s);
    if (s->fleet.ever && s->fleet.complete)
        look(s);
    if (!s->leading) {
        arbiter_decide(s->policy, &s->memory, &s->figures, s->signals.votes, &s->wish, s->wall,
                       &s->decision); /* to be shown, not done */
        s->held_by = "follower";
    } else {
        ask_provider(s, fx);
        keep_boot_time(s, fx);
        if (!holds) {
            scale_act(s, fx);
        } else {
            arbiter_decide(s->policy, &s->memory, &s->figures, s->signals.votes, &s->wish, s->wall,
                           &s->decision);
            s->held_by = holds;
            if (s->decision.move != ARBITER_REST &&
                s->settled) /* starting up is not worth telling */
                scale_tell_held(s, holds, fx);
        }
    }
    scale_watch(s, fx);
    s->again = fx->full;
}

mono_ms_t scale_deadline(const struct scale *s)
{
    if (s->again)
        return s->now;
    /* What is not looked at now is not due either: a retry of before the store went away would be
     * overdue all the time. */
    mono_ms_t at = mono_add(s->now, SCALE_TICK_MS);
    if ((s->fleet.ever && s->fleet.complete) || MUTANT(spins))
        at = mono_min(at, signals_deadline(&s->signals));
    if (s->leading) {
        if (!scale_what_holds(s))
            at = mono_min(at, launches_deadline(&s->launches));
        if (!s->list_pending)
            at = mono_min(at, s->list_next_at.ms > s->now.ms ? s->list_next_at : at);
    }
    return at.ms < s->now.ms ? s->now : at;
}

void scale_status(const struct scale *s, struct scale_status *ret_status)
{
    *ret_status = (struct scale_status){
        .figures = s->figures,
        .decision = s->decision,
        .held_by = s->held_by,
        .leading = s->leading,
        .launches = (int)s->launches.count,
        .failures = s->launches.failures,
        .halted = s->launches.halted,
        .instances = s->fleet.instance_count,
        .boot_ms = boot_time_ms(&s->boot),
        .outs = s->outs,
        .ins = s->ins,
        .launched_total = s->launched_total,
        .terminated_total = s->terminated_total,
    };
}

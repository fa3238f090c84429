/* scale_event.c - what the autoscaler is told: snapshots, leadership, the plan, answers of the
 * provider. */
#include "autoscale/scale_parts.h"

#include "autoscale/retire.h"
#include "core/record.h"

#include <string.h>

#define REFUSALS_MS 1000      /* a balancer says once in so long what it refused meanwhile */
#define REFUSED_MAX (1 << 24) /* seats that are believed at once */

static void on_snapshot(struct scale *s, const struct fleet_snapshot *snapshot)
{
    bool was = s->fleet.complete, ever = s->fleet.ever;
    fleet_see(&s->fleet, snapshot, s->now);
    if (ever && !was && s->fleet.complete) {
        scale_hold_for(s, "reconnected");
        s->plan_read = false; /* a removal may have been lost with the connection */
        s->plan_asked_at = (mono_ms_t){0};
    }
}

static void on_lead(struct scale *s, bool leading, int64_t fence)
{
    s->leading = leading;
    s->plan_read = s->settled = s->listed = s->list_pending = false;
    s->plan_asked_at = (mono_ms_t){0};
    s->list_next_at = s->now;
    s->lead_at = s->list_changed_at = s->now;
    s->told[0] = 0;
    s->full_told = s->limited_told = s->halted_seen = false;
    s->roll.base = 0; /* the plan tells it */
    launches_begin(&s->launches, fence);
    s->fleet.inherits = leading;
    fleet_forget_asks(&s->fleet);
    fleet_restart_silence(&s->fleet, s->now);
}

/* Another may have led meanwhile, and moved later than we did. */
static void take_later(wall_ms_t *at, int64_t ms)
{
    if (ms > at->ms)
        at->ms = ms;
}

static void on_plan(struct scale *s, const struct scale_plan_field *fields, size_t count,
                    struct effects *fx)
{
    for (size_t i = 0; i < count; i++) {
        struct span record = span_of(fields[i].record);
        if (strcmp(fields[i].name, SCALE_MEMORY_FIELD) == 0) {
            take_later(&s->memory.out_at, record_int_or(record, "out", 0));
            take_later(&s->memory.in_at, record_int_or(record, "in", 0));
        } else if (strcmp(fields[i].name, BOOT_TIME_FIELD) == 0) {
            boot_time_read(&s->boot, fields[i].record);
        } else if (strcmp(fields[i].name, ROLL_FIELD) == 0) {
            s->roll.base = (int)record_int_or(record, "base", 0);
        } else if (launches_load(&s->launches, fields[i].name, fields[i].record, fx) < 0) {
            effects_note(fx, "plan_unreadable", fields[i].name, true, "why=not_a_launch");
            effects_add(fx, EFFECT_PLAN_DEL, fields[i].name, "unreadable");
        }
    }
    s->plan_read = true;
}

/* The same set of instances gives the same sum, in whatever order. */
static uint64_t sum_of(const struct fleet_listed *items, size_t count)
{
    uint64_t sum = count;
    for (size_t i = 0; i < count; i++) {
        uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
        for (const char *c = items[i].id; *c; c++)
            h = (h ^ (unsigned char)*c) * UINT64_C(1099511628211);
        sum += h;
    }
    return sum;
}

static void on_listed(struct scale *s, const struct scale_event *ev, struct effects *fx)
{
    if (!s->list_pending || ev->listed.asked_at.ms != s->list_asked_at.ms)
        return; /* of a former leadership */
    s->list_pending = false;
    s->list_next_at = mono_add(s->now, s->policy->list_interval_ms);
    if (!ev->listed.ok) {
        char text[200];
        effects_value(ev->listed.error ? ev->listed.error : "unknown", text, sizeof text);
        if (!s->list_failing)
            effects_note(fx, "provider_failing", "-", true, "what=list error=%s", text);
        s->list_failing = true;
        return;
    }
    if (s->list_failing)
        effects_note(fx, "provider_answers", "-", false, "what=list");
    s->list_failing = false;
    s->list_ok_at = s->now;
    uint64_t sum = sum_of(ev->listed.items, ev->listed.count);
    if (sum != s->list_sum || !s->listed)
        s->list_changed_at = s->now;
    s->list_sum = sum;
    s->listed = true;
    fleet_list(&s->fleet, ev->listed.items, ev->listed.count, ev->listed.asked_at,
               s->policy->settle_ms, s->now);
    if (s->fleet.died > 0) {
        effects_note(fx, "died_at_boot", s->fleet.died_id, true, "count=%d", s->fleet.died);
        launches_failed(&s->launches, s->policy, s->now, fx);
        s->memory.out_at.ms =
            0; /* nothing was gained: the back-off paces the next attempt, not the cooldown */
        s->fleet.died = 0;
    }
}

static void on_launched(struct scale *s, const struct scale_event *ev, struct effects *fx)
{
    const char *error = ev->answer.error ? ev->answer.error : "unknown";
    if (ev->answer.outcome == SCALE_DONE && ev->answer.count > 0) {
        s->launched_total += ev->answer.count;
        launches_made(&s->launches, &s->fleet, ev->answer.name, ev->answer.ids, ev->answer.count,
                      s->now, fx);
        s->list_next_at = s->now;
        return;
    }
    static const enum launch_refusal refusals[] = {
        [SCALE_DONE] = LAUNCH_REFUSED, /* "done", and nothing made */
        [SCALE_NOT_DONE] = LAUNCH_REFUSED,    [SCALE_UNKNOWN] = LAUNCH_LOST,
        [SCALE_THROTTLED] = LAUNCH_THROTTLED, [SCALE_NO_CAPACITY] = LAUNCH_NO_CAPACITY,
        [SCALE_DENIED] = LAUNCH_DENIED,
    };
    launches_refused(&s->launches, s->policy, ev->answer.name, refusals[ev->answer.outcome], error,
                     s->now, fx);
    if (ev->answer.outcome != SCALE_UNKNOWN)
        s->memory.out_at.ms = 0;
}

static void on_advice(struct scale *s, const struct scale_event *ev, struct effects *fx)
{
    size_t at = ev->told.rule;
    char text[200];
    if (at >= s->policy->rule_count)
        return;
    bool failed = ev->told.error != NULL, failed_before = s->advice_fails[at];
    s->advice_fails[at] = failed;
    if (!failed)
        signals_advise(&s->signals, at, ev->told.desired, ev->told.reason, s->now);
    if (failed == failed_before)
        return; /* said once */
    effects_value(failed ? ev->told.error : "-", text, sizeof text);
    effects_note(fx, failed ? "webhook_failing" : "webhook_answers", "-", failed,
                 "rule=%s error=%s", s->policy->rules[at].kind->name, text);
}

/* Each balancer says so once a second: those of the last second, together. */
static void on_no_room(struct scale *s, const struct scale_refusal *items, size_t count)
{
    wall_ms_t last = {0};
    int64_t seats = 0;
    for (size_t i = 0; i < count; i++)
        if (items[i].seats > 0 && items[i].at.ms > last.ms)
            last = items[i].at;
    for (size_t i = 0; i < count; i++)
        if (items[i].seats > 0 && wall_sub(last, items[i].at) < REFUSALS_MS)
            seats += items[i].seats < REFUSED_MAX ? items[i].seats : REFUSED_MAX;
    if (seats == 0 || !s->has_offset)
        return;
    int64_t age = wall_sub(s->wall, last);
    s->refusals = (struct rule_refusals){seats, {s->now.ms - (age > 0 ? age : 0)}};
}

void scale_take_event(struct scale *s, const struct scale_event *ev, struct effects *fx)
{
    switch (ev->kind) {
    case SCALE_CLOCK:
        break;
    case SCALE_SNAPSHOT:
        on_snapshot(s, &ev->snapshot);
        break;
    case SCALE_LEAD:
        on_lead(s, ev->lead.leading, ev->lead.fence);
        break;
    case SCALE_PLAN:
        if (s->leading)
            on_plan(s, ev->plan.fields, ev->plan.count, fx);
        break;
    case SCALE_WRITTEN:
        if (s->leading)
            launches_written(&s->launches, ev->answer.name, ev->answer.outcome == SCALE_DONE,
                             s->now, fx);
        break;
    case SCALE_LISTED:
        if (s->leading)
            on_listed(s, ev, fx);
        break;
    case SCALE_LAUNCHED:
        if (s->leading)
            on_launched(s, ev, fx);
        break;
    case SCALE_TERMINATED:
        s->terminated_total += ev->answer.outcome == SCALE_DONE;
        retire_terminated(&s->fleet, ev->answer.name, ev->answer.outcome == SCALE_DONE,
                          ev->answer.error ? ev->answer.error : "unknown", s->now, fx);
        s->list_next_at = s->now;
        break;
    case SCALE_REFUSED: {
        struct fleet_slot *slot = fleet_node_named(&s->fleet, ev->answer.name);
        if (slot && slot->ask != FLEET_ASK_NONE)
            slot->ask_again_at = mono_min(slot->ask_again_at, mono_add(s->now, SCALE_TICK_MS));
        break;
    }
    case SCALE_OPERATOR:
        if (s->paused && !ev->operators.paused)
            launches_resume(&s->launches);
        s->paused = ev->operators.paused;
        s->wish = (struct arbiter_wish){ev->operators.sized, ev->operators.size};
        s->roll.wished = ev->operators.rolling;
        break;
    case SCALE_ADVICE:
        on_advice(s, ev, fx);
        break;
    case SCALE_PAST:
        for (size_t i = 0; i < ev->past.count; i++)
            past_put(&s->past, &ev->past.entries[i]);
        if (ev->past.last)
            signals_restart(&s->signals, s->now);
        break;
    case SCALE_NO_ROOM:
        on_no_room(s, ev->no_room.refusals, ev->no_room.count);
        break;
    case SCALE_ACTED:
        actions_done(&s->actions, s->policy, ev->told.rule, ev->told.error, s->now, fx);
        break;
    }
}

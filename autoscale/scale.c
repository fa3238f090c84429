/* scale.c - the autoscaler of one pool: what it sees goes in as events, what it wants done comes
 * out as effects. */
#include "autoscale/scale.h"

#include "autoscale/actions.h"
#include "autoscale/launches.h"
#include "autoscale/retire.h"
#include "autoscale/roll.h"
#include "autoscale/signals.h"
#include "core/record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 1000          /* looks at the clock at least so often */
#define JUMP_MS 2000          /* the two clocks moved apart by more: time is not trusted */
#define PLAN_AGAIN_MS 2000    /* ask for the plan again */
#define LIST_ANSWER_MS 30000  /* ask for the list again */
#define LIST_REST_MS 30000    /* the longest pause between lists */
#define MASS_SILENCE_LEAST 3  /* so few silent nodes are an accident of their own */
#define MEMORY_FIELD "memory" /* plan field of the cooldowns */

struct scale {
    const struct policy *policy;
    struct fleet fleet;
    struct launches launches;
    struct signals signals;
    struct actions actions;
    bool advice_fails[RULES_MAX];
    struct arbiter_memory memory;
    struct arbiter_wish wish;
    struct roll roll;
    bool paused;

    bool leading, plan_read, settled;
    mono_ms_t lead_at, plan_asked_at;
    /* The provider's list. */
    bool list_pending;
    bool listed; /* since this leadership began */
    mono_ms_t list_asked_at, list_next_at, list_ok_at, list_changed_at;
    uint64_t list_sum;
    bool list_failing;

    mono_ms_t stepped_at;
    bool has_offset;
    int64_t offset_ms; /* wall - mono */
    mono_ms_t hold_until;
    const char *hold_why;
    mono_ms_t now;
    wall_ms_t wall;

    struct fleet_figures figures;
    struct arbiter_decision decision;
    const char *held_by;
    char told[128]; /* what the last scale_held said, so that it is said once */
    bool again;     /* effects did not fit: step again at once */
    uint64_t outs, ins, launched_total, terminated_total;
};

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
    if (signals_init(&s->signals, policy, (mono_ms_t){0}) < 0) {
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

static void hold_for(struct scale *s, const char *why)
{
    s->hold_until = mono_add(s->now, s->policy->jump_hold_ms);
    s->hold_why = why;
    fleet_restart_silence(&s->fleet, s->now);
    signals_restart(&s->signals, s->now);
}

static void take_time(struct scale *s, const struct scale_event *ev)
{
    assert(!mono_before(ev->now, s->now));
    s->now = ev->now;
    if (ev->wall.ms > 0) {
        int64_t offset = ev->wall.ms - ev->now.ms;
        int64_t apart = offset - s->offset_ms;
        if (s->has_offset && (apart > JUMP_MS || apart < -JUMP_MS))
            hold_for(s, "clock_jump");
        s->offset_ms = offset;
        s->has_offset = true;
    }
    s->wall = s->has_offset ? (wall_ms_t){s->now.ms + s->offset_ms} : (wall_ms_t){0};
    if (s->stepped_at.ms > 0 &&
        mono_sub(s->now, s->stepped_at) > s->policy->stale_after_ms + TICK_MS)
        hold_for(s, "was_stopped");
    s->stepped_at = s->now;
}

/* ---- events ---- */

static void on_snapshot(struct scale *s, const struct fleet_snapshot *snapshot)
{
    bool was = s->fleet.complete, ever = s->fleet.ever;
    fleet_see(&s->fleet, snapshot, s->now);
    if (ever && !was && s->fleet.complete) {
        hold_for(s, "reconnected");
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
    s->roll.base = 0; /* the plan tells it */
    launches_begin(&s->launches, fence);
    fleet_forget_asks(&s->fleet);
    fleet_restart_silence(&s->fleet, s->now);
}

static void on_plan(struct scale *s, const struct scale_plan_field *fields, size_t count,
                    struct effects *fx)
{
    for (size_t i = 0; i < count; i++) {
        struct span record = span_of(fields[i].record);
        if (strcmp(fields[i].name, MEMORY_FIELD) == 0) {
            if (s->memory.out_at.ms == 0)
                s->memory.out_at.ms = record_int_or(record, "out", 0);
            if (s->memory.in_at.ms == 0)
                s->memory.in_at.ms = record_int_or(record, "in", 0);
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
        if (!s->list_failing)
            effects_note(fx, "provider_failing", "-", true, "what=list");
        s->list_failing = true;
        return;
    }
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
    bool known = ev->answer.outcome != SCALE_UNKNOWN;
    launches_refused(&s->launches, s->policy, ev->answer.name, known, error, s->now, fx);
    if (known)
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

static void take_event(struct scale *s, const struct scale_event *ev, struct effects *fx)
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
            slot->ask_again_at = mono_min(slot->ask_again_at, mono_add(s->now, TICK_MS));
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
    case SCALE_ACTED:
        actions_done(&s->actions, s->policy, ev->told.rule, ev->told.error, s->now, fx);
        break;
    }
}

/* ---- what holds everything ---- */

/* Are there instances that should have nodes in the pool but have none yet? (A store that was
 * emptied looks so.) */
static bool has_unaccounted(const struct scale *s)
{
    for (size_t i = 0; i < s->fleet.instance_count; i++) {
        const struct fleet_instance *in = &s->fleet.instances[i];
        if (in->listed && !in->ending && !in->end_why && in->nodes == 0 &&
            fleet_coming(&s->fleet, in, s->now) == 0)
            return true;
    }
    return false;
}

/* Instances that are older than a boot and that this leader never saw report: those of a launch
 * which is still in the plan did not come up; all others did, under another leader, and may hold
 * players. */
static void judge_unsure(struct scale *s)
{
    for (size_t i = 0; i < s->fleet.instance_count; i++) {
        struct fleet_instance *in = &s->fleet.instances[i];
        if (!in->unsure)
            continue;
        in->unsure = false;
        in->reported = in->reported || !launches_has(&s->launches, in->token);
    }
}

static void settle(struct scale *s)
{
    if (s->plan_read && s->listed)
        judge_unsure(s);
    if (s->settled || !s->plan_read || !s->listed)
        return;
    int64_t least = has_unaccounted(s) && s->policy->jump_hold_ms > s->policy->settle_ms
                        ? s->policy->jump_hold_ms
                        : s->policy->settle_ms;
    s->settled = mono_sub(s->now, s->list_changed_at) >= s->policy->settle_ms &&
                 mono_sub(s->now, s->lead_at) >= least;
}

static const char *what_holds(const struct scale *s)
{
    const struct fleet_figures *f = &s->figures;
    if (!s->fleet.ever || !s->has_offset)
        return "no_data";
    if (!s->fleet.complete || mono_sub(s->now, s->fleet.seen_at) > s->policy->stale_after_ms)
        return "stale";
    if (mono_before(s->now, s->hold_until))
        return s->hold_why;
    if (f->silent >= MASS_SILENCE_LEAST && f->silent * 3 > f->ready)
        return "mass_silence";
    if (s->paused)
        return "paused";
    if (!s->settled)
        return "settling";
    if (mono_sub(s->now, s->list_ok_at) > 2 * LIST_REST_MS)
        return "provider_list";
    return NULL;
}

/* ---- deciding ---- */

static const char *rule_name(const struct scale *s, int decisive)
{
    return decisive < 0 ? "-" : s->policy->rules[decisive].kind->name;
}

/* "votes=min_ready:2..,average_connections:..3" */
static void render_votes(const struct scale *s, char *ret_text, size_t size)
{
    size_t n = 0;
    ret_text[0] = 0;
    for (size_t i = 0; i < s->policy->rule_count && n + 64 < size; i++) {
        const struct vote *v = &s->signals.votes[i];
        n += (size_t)snprintf(ret_text + n, size - n, "%s%s:", n ? "," : "",
                              s->policy->rules[i].kind->name);
        if (v->at_least > 0)
            n += (size_t)snprintf(ret_text + n, size - n, "%d", v->at_least);
        n += (size_t)snprintf(ret_text + n, size - n, "..");
        if (v->at_most != INT_MAX)
            n += (size_t)snprintf(ret_text + n, size - n, "%d", v->at_most);
    }
}

static void tell_decision(struct scale *s, const char *word, int before, const char *held_by,
                          const char *extra, struct effects *fx)
{
    const struct arbiter_decision *d = &s->decision;
    char votes[160];
    render_votes(s, votes, sizeof votes);
    effects_note(fx, word, "-", false,
                 "size=%d desired=%d step=%d why=%s rule=%s held_by=%s held_s=%lld %s votes=%s %s",
                 before, d->desired, d->step, d->why, rule_name(s, d->decisive),
                 held_by ? held_by : "-",
                 (long long)(d->held_for_ms > 0 ? d->held_for_ms / 1000 : -1), extra, votes,
                 d->decisive >= 0 ? s->signals.votes[d->decisive].inputs : "");
}

/* Say once what is held back, until it is something else. */
static void tell_held(struct scale *s, const char *by, struct effects *fx)
{
    char now[sizeof s->told];
    bool out = s->decision.desired > s->figures.size;
    snprintf(now, sizeof now, "%s/%s/%s", by, out ? "out" : "in",
             rule_name(s, s->decision.decisive));
    if (strcmp(now, s->told) == 0 || !effects_room(fx, 1))
        return;
    memcpy(s->told, now, sizeof now);
    tell_decision(s, "scale_held", s->figures.size, by, out ? "move=out" : "move=in", fx);
}

/* A move was made: cooldowns run, and what is held is said anew. */
static void moved(struct scale *s, wall_ms_t *cooldown, struct effects *fx)
{
    s->told[0] = 0;
    if (!cooldown)
        return;
    *cooldown = s->wall;
    struct effect *e = effects_add(fx, EFFECT_PLAN_SET, MEMORY_FIELD, "cooldown");
    if (e)
        snprintf(e->record, sizeof e->record, "op=memory out=%lld in=%lld",
                 (long long)s->memory.out_at.ms, (long long)s->memory.in_at.ms);
}

/* Whole instances for so many nodes; none that would lift the pool above its ceiling, unless the
 * floor asks for it. */
static int instances_for(const struct scale *s, int nodes, int back)
{
    int per = s->policy->nodes_per_instance, size = s->figures.size + back;
    int instances = (nodes + per - 1) / per;
    if (size >= s->policy->min && size + instances * per > s->policy->max)
        instances = (s->policy->max - size) / per;
    return instances > 0 ? instances : 0;
}

static void move_out(struct scale *s, struct effects *fx)
{
    const struct arbiter_decision *d = &s->decision;
    int before = s->figures.size;
    int launched = 0;
    const char *blocked = NULL;
    int back = retire_take_back(&s->fleet, d->step, s->now, fx);
    if (back < d->step)
        blocked = launches_blocked(&s->launches, s->now);
    if (back < d->step && !blocked) {
        int instances = instances_for(s, d->step - back, back);
        if (instances == 0)
            blocked = "instance_size";
        else
            launched =
                launches_start(&s->launches, s->policy, instances, "", d->why, s->wall, s->now, fx);
        launched = launched > 0 ? launched : 0;
    }
    if (back == 0 && launched == 0) {
        s->held_by = blocked ? blocked : "plan_full";
        tell_held(s, s->held_by, fx);
        return;
    }
    s->outs++;
    moved(s, d->urgent ? NULL : &s->memory.out_at, fx);
    char extra[64];
    snprintf(extra, sizeof extra, "take_back=%d launch=%d urgent=%d", back, launched, d->urgent);
    tell_decision(s, "scale_out", before, d->held_by, extra, fx);
}

static void move_in(struct scale *s, struct effects *fx)
{
    int before = s->figures.size;
    int drained = retire_start(&s->fleet, s->decision.step, "scale_in", s->now, fx);
    if (drained == 0) {
        s->held_by = "no_candidate";
        tell_held(s, s->held_by, fx);
        return;
    }
    s->ins++;
    moved(s, &s->memory.in_at, fx);
    char extra[32];
    snprintf(extra, sizeof extra, "drain=%d", drained);
    tell_decision(s, "scale_in", before, s->decision.held_by, extra, fx);
}

static void count(struct scale *s)
{
    fleet_count(&s->fleet, launches_pending_nodes(&s->launches, &s->fleet, s->policy), s->now,
                &s->figures);
}

/* ---- roll ---- */

static void tell_roll(struct scale *s, const char *word, const char *what, int step,
                      struct effects *fx)
{
    effects_note(fx, word, "-", false, "%s=%d base=%d ready=%d coming=%d old=%d old_leaving=%d",
                 what, step, s->roll.base, s->figures.ready, s->figures.coming, s->figures.old,
                 s->figures.old_leaving);
}

static void hold_roll(struct scale *s, const char *by, struct effects *fx)
{
    char now[sizeof s->told];
    snprintf(now, sizeof now, "roll/%s", by);
    s->held_by = by;
    if (strcmp(now, s->told) == 0 || !effects_room(fx, 1))
        return;
    memcpy(s->told, now, sizeof now);
    effects_note(fx, "roll_held", "-", true, "held_by=%s base=%d max=%d old=%d", by, s->roll.base,
                 s->policy->max, s->figures.old);
}

static void keep_base(struct scale *s, int base, struct effects *fx)
{
    struct effect *e = effects_add(fx, EFFECT_PLAN_SET, ROLL_FIELD, "roll");
    if (!e)
        return;
    s->roll.base = base;
    snprintf(e->record, sizeof e->record, "op=roll base=%d", base);
}

static void launch_for_roll(struct scale *s, int step, struct effects *fx)
{
    const char *blocked = launches_blocked(&s->launches, s->now);
    if (blocked) {
        hold_roll(s, blocked, fx);
        return;
    }
    if (launches_start(&s->launches, s->policy, step / s->policy->nodes_per_instance, "", "roll",
                       s->wall, s->now, fx) > 0)
        tell_roll(s, "roll", "launch", step, fx);
}

/* The size that the rules want of the pool without the nodes that are there only for the roll. */
static int needed_without_roll(const struct scale *s)
{
    if (s->roll.base == 0)
        return 0;
    struct fleet_figures figures = s->figures;
    struct arbiter_decision d;
    figures.size = s->roll.base;
    arbiter_decide(s->policy, &s->memory, &figures, s->signals.votes, &s->wish, s->wall, &d);
    return d.desired;
}

/* One move of a roll. False: none is on. */
static bool roll(struct scale *s, struct effects *fx)
{
    struct roll_decision d = roll_decide(&s->roll, s->policy, &s->figures, needed_without_roll(s));
    if (d.move == ROLL_REST || !effects_room(fx, 3))
        return d.move != ROLL_REST;
    if (d.move == ROLL_DONE) {
        tell_roll(s, "roll_done", "undone", s->figures.old, fx);
        effects_add(fx, EFFECT_PLAN_DEL, ROLL_FIELD, "done");
        s->roll.base = 0;
        s->told[0] = 0;
        return false;
    }
    if (d.base != s->roll.base)
        keep_base(s, d.base, fx);
    if (d.move == ROLL_HELD) {
        hold_roll(s, "ceiling", fx);
        return true;
    }
    s->held_by = d.move == ROLL_WAIT ? "roll" : NULL;
    if (d.move == ROLL_BEGIN)
        tell_roll(s, "roll_begun", "size", s->figures.size, fx);
    else if (d.move == ROLL_LAUNCH)
        launch_for_roll(s, d.step, fx);
    else if (d.move == ROLL_DRAIN) {
        int asked = retire_start_old(&s->fleet, d.step, s->now, fx);
        if (asked > 0)
            tell_roll(s, "roll", "drain", asked, fx);
    }
    return true;
}

/* Carry on what is under way, then decide. */
static void act(struct scale *s, struct effects *fx)
{
    if (!s->policy->observe) {
        launches_step(&s->launches, &s->fleet, s->policy, s->settled, s->wall, s->now, fx);
        if (retire_step(&s->fleet, s->policy, s->now, fx) > 0) {
            launches_failed(&s->launches, s->policy, s->now, fx);
            s->memory.out_at.ms = 0;
        }
        count(s);
        actions_step(&s->actions, s->policy, s->signals.votes, &s->figures, s->now, fx);
    }
    arbiter_decide(s->policy, &s->memory, &s->figures, s->signals.votes, &s->wish, s->wall,
                   &s->decision);
    s->held_by = s->decision.held_by;
    if (!s->policy->observe && s->decision.move != ARBITER_OUT && roll(s, fx))
        return; /* grows meanwhile, but does not shrink */
    if (s->decision.move != ARBITER_REST && s->policy->observe)
        s->held_by = "observe";
    if (s->held_by && (s->decision.move == ARBITER_REST || s->policy->observe))
        tell_held(s, s->held_by, fx);
    else if (s->decision.move == ARBITER_OUT)
        move_out(s, fx);
    else if (s->decision.move == ARBITER_IN)
        move_in(s, fx);
    else
        s->told[0] = 0;
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
    int64_t rest = s->policy->list_interval_ms * 10 < LIST_REST_MS
                       ? s->policy->list_interval_ms * 10
                       : LIST_REST_MS;
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

/* Let the rules look at what is seen now. */
static void look(struct scale *s)
{
    struct rule_sight sight = {
        .figures = s->figures, .fleet = &s->fleet, .now = s->now, .wall = s->wall};
    signals_see(&s->signals, &sight);
}

void scale_step(struct scale *s, const struct scale_event *event, struct effects *fx)
{
    fx->count = 0;
    fx->full = false;
    take_time(s, event);
    take_event(s, event, fx);
    count(s);
    settle(s);
    const char *holds = what_holds(s);
    if (s->fleet.ever && s->fleet.complete)
        look(s);
    if (!s->leading) {
        arbiter_decide(s->policy, &s->memory, &s->figures, s->signals.votes, &s->wish, s->wall,
                       &s->decision); /* to be shown, not done */
        s->held_by = "follower";
    } else {
        ask_provider(s, fx);
        if (!holds) {
            act(s, fx);
        } else {
            arbiter_decide(s->policy, &s->memory, &s->figures, s->signals.votes, &s->wish, s->wall,
                           &s->decision);
            s->held_by = holds;
            if (s->decision.move != ARBITER_REST &&
                s->settled) /* starting up is not worth telling */
                tell_held(s, holds, fx);
        }
    }
    s->again = fx->full;
}

mono_ms_t scale_deadline(const struct scale *s)
{
    if (s->again)
        return s->now;
    mono_ms_t at = mono_add(s->now, TICK_MS);
    at = mono_min(at, signals_deadline(&s->signals));
    if (s->leading) {
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
        .outs = s->outs,
        .ins = s->ins,
        .launched_total = s->launched_total,
        .terminated_total = s->terminated_total,
    };
}

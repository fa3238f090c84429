/* scale_move.c - the autoscaler decides: out, in, or a roll, and says what and why. */
#include "autoscale/scale_parts.h"
#include "core/mutant.h"

#include "autoscale/retire.h"

#include <stdio.h>
#include <string.h>

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
void scale_tell_held(struct scale *s, const char *by, struct effects *fx)
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
    struct effect *e = effects_add(fx, EFFECT_PLAN_SET, SCALE_MEMORY_FIELD, "cooldown");
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
    if (!MUTANT(no_ceiling) && size >= s->policy->min && size + instances * per > s->policy->max)
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
        scale_tell_held(s, s->held_by, fx);
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
        scale_tell_held(s, s->held_by, fx);
        return;
    }
    s->ins++;
    moved(s, &s->memory.in_at, fx);
    char extra[32];
    snprintf(extra, sizeof extra, "drain=%d", drained);
    tell_decision(s, "scale_in", before, s->decision.held_by, extra, fx);
}

void scale_count(struct scale *s)
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
void scale_act(struct scale *s, struct effects *fx)
{
    if (!s->policy->observe) {
        launches_step(&s->launches, &s->fleet, s->policy, s->settled, s->wall, s->now, fx);
        if (retire_step(&s->fleet, s->policy, s->now, fx) > 0) {
            launches_failed(&s->launches, s->policy, s->now, fx);
            s->memory.out_at.ms = 0;
        }
        scale_count(s);
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
        scale_tell_held(s, s->held_by, fx);
    else if (s->decision.move == ARBITER_OUT)
        move_out(s, fx);
    else if (s->decision.move == ARBITER_IN)
        move_in(s, fx);
    else
        s->told[0] = 0;
}

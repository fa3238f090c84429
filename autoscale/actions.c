/* actions.c - rules whose votes do not move the pool but have something done. */
#include "autoscale/actions.h"

#include <stdio.h>

#define ANSWER_MS 5000 /* after the timeout the shell has forgotten it */

static bool is_due(const struct actions *actions, size_t at, const struct rule_action *action,
                   mono_ms_t now)
{
    int64_t rest = action->every_ms;
    if (actions->row[at].running && rest < action->timeout_ms + ANSWER_MS)
        rest = action->timeout_ms + ANSWER_MS;
    return actions->row[at].fired_at.ms == 0 || mono_sub(now, actions->row[at].fired_at) >= rest;
}

/* A bound of a vote, or "-". */
static const char *bound(int n, bool given, char *buf, size_t size)
{
    snprintf(buf, size, given ? "%d" : "-", n);
    return buf;
}

void actions_step(struct actions *actions, const struct policy *policy, const struct vote *votes,
                  const struct fleet_figures *figures, mono_ms_t now, struct effects *fx)
{
    char least[16], most[16];
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        const struct vote *v = &votes[i];
        bool out = v->at_least > figures->size, in = v->at_most < figures->size;
        if (!rule->action || (!out && !in) || !is_due(actions, i, rule->action, now))
            continue;
        struct effect *e = effects_add(fx, EFFECT_ACT, rule->kind->name, "vote");
        if (!e)
            return;
        e->count = (int)i;
        snprintf(e->record, sizeof e->record, "move=%s size=%d at_least=%s at_most=%s reason=%s %s",
                 out ? "out" : "in", figures->size,
                 bound(v->at_least, v->at_least > 0, least, sizeof least),
                 bound(v->at_most, v->at_most != INT_MAX, most, sizeof most), v->reason, v->inputs);
        actions->row[i].fired_at = now;
        actions->row[i].running = true;
    }
}

void actions_done(struct actions *actions, const struct policy *policy, size_t at,
                  const char *error, mono_ms_t now, struct effects *fx)
{
    char text[200];
    if (at >= policy->rule_count || !policy->rules[at].action || !actions->row[at].running)
        return;
    actions->row[at].running = false;
    long long ms = (long long)mono_sub(now, actions->row[at].fired_at);
    const char *what = policy->rules[at].action->kind == ACTION_COMMAND ? "command" : "webhook";
    const char *name = policy->rules[at].kind->name;
    if (!error) {
        effects_note(fx, "action_done", "-", false, "rule=%s action=%s ms=%lld", name, what, ms);
        return;
    }
    effects_value(error, text, sizeof text);
    effects_note(fx, "action_failed", "-", true, "rule=%s action=%s ms=%lld error=%s", name, what,
                 ms, text);
}

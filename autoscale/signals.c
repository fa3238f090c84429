/* signals.c - from the stream of figures to the rules' votes. */
#include "autoscale/signals.h"

void signals_init(struct signals *signals, const struct policy *policy)
{
    *signals = (struct signals){.policy = policy};
    for (size_t i = 0; i < RULES_MAX; i++)
        signals->votes[i] = vote_none();
}

static int64_t hold_of(const struct rule *rule)
{
    return rule->kind->hold_ms ? rule->kind->hold_ms(rule->settings) : 0;
}

void signals_see(struct signals *signals, const struct fleet_figures *figures, mono_ms_t now)
{
    for (size_t i = 0; i < signals->policy->rule_count; i++) {
        const struct rule *rule = &signals->policy->rules[i];
        struct signal *s = &signals->signal[i];
        int zone = rule->kind->zone ? rule->kind->zone(rule->settings, figures) : 0;
        if (zone != s->zone) {
            s->zone = zone;
            s->since = now;
            s->held = 0;
        }
        if (mono_sub(now, s->since) >= hold_of(rule))
            s->held = zone;
        rule->kind->vote(rule->settings, figures, s->held, &signals->votes[i]);
    }
}

void signals_restart(struct signals *signals, mono_ms_t now)
{
    for (size_t i = 0; i < signals->policy->rule_count; i++) {
        signals->signal[i].since = now;
        signals->signal[i].held = 0;
        signals->votes[i] = vote_none();
    }
}

mono_ms_t signals_deadline(const struct signals *signals)
{
    mono_ms_t at = MONO_NEVER;
    for (size_t i = 0; i < signals->policy->rule_count; i++) {
        const struct signal *s = &signals->signal[i];
        if (s->held != s->zone)
            at = mono_min(at, mono_add(s->since, hold_of(&signals->policy->rules[i])));
    }
    return at;
}

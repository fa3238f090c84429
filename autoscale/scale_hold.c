/* scale_hold.c - when the autoscaler does nothing: what it sees, or the time, is not to be trusted,
 * or people said so. */
#include "autoscale/scale_parts.h"
#include "core/mutant.h"

#define MASS_SILENCE_LEAST 3 /* so few silent nodes are an accident of their own */

void scale_hold_for(struct scale *s, const char *why)
{
    s->hold_until = mono_add(s->now, s->policy->jump_hold_ms);
    s->hold_why = why;
    fleet_restart_silence(&s->fleet, s->now);
    signals_restart(&s->signals, s->now);
}

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

/* Instances that this leader found and never saw report: those of a launch which is still in the
 * plan, and which the plan does not say have reported, did not come up yet; all others did, under
 * another leader, and may hold players. */
static void judge_unsure(struct scale *s)
{
    for (size_t i = 0; i < s->fleet.instance_count; i++) {
        struct fleet_instance *in = &s->fleet.instances[i];
        if (!in->unsure)
            continue;
        in->unsure = false;
        in->reported = in->reported || !launches_has(&s->launches, in->token) ||
                       launches_saw(&s->launches, in->token, in->id);
    }
}

void scale_settle(struct scale *s)
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
    s->fleet.inherits = !s->settled;
}

const char *scale_what_holds(const struct scale *s)
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
    if (s->paused && !MUTANT(acts_while_paused))
        return "paused";
    if (!s->settled && !MUTANT(leads_at_once))
        return "settling";
    if (mono_sub(s->now, s->list_ok_at) > 2 * SCALE_LIST_REST_MS)
        return "provider_list";
    return NULL;
}

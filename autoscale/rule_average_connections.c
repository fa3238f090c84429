/* rule_average_connections.c - keep the average est per ready node between two thresholds.
 *
 * Above `above` for the hold time: out, by `step` or by as many as bring the average down to
 * `above`, whichever is more; nodes still coming count as capacity. Below `below` for the hold
 * time: in by `step`, but never so far that the nodes which stay would be above `above`: that would
 * only come back. */
#include "autoscale/rule.h"
#include "settings/rules.h"

#include <math.h>
#include <stdio.h>

static int zone(const void *settings, const struct fleet_figures *f)
{
    const struct average_connections_settings *rule = settings;
    if (f->ready == 0)
        return 0; /* nothing to average: min_ready's case */
    if (f->average > rule->above)
        return 1;
    return f->average < rule->below ? -1 : 0;
}

static int64_t hold_ms(const void *settings)
{
    const struct average_connections_settings *rule = settings;
    return rule->hold_ms;
}

static void vote(const void *settings, const struct fleet_figures *f, int at, struct vote *ret_vote)
{
    const struct average_connections_settings *rule = settings;
    *ret_vote = vote_none();
    snprintf(ret_vote->inputs, sizeof ret_vote->inputs,
             "average=%.1f ready=%d coming=%d above=%g below=%g", f->average, f->ready, f->coming,
             rule->above, rule->below);
    int step = (int)rule->step;
    double least = rule->above > 0 ? ceil((double)f->est / rule->above) : f->size + step;
    int enough = least < INT_MAX ? (int)least : INT_MAX;
    if (at > 0) {
        snprintf(ret_vote->reason, sizeof ret_vote->reason, "average_above");
        ret_vote->at_least = f->ready + step > enough ? f->ready + step : enough;
    } else if (at < 0) {
        snprintf(ret_vote->reason, sizeof ret_vote->reason, "average_below");
        int wanted = f->size - step > enough ? f->size - step : enough;
        if (wanted < f->size)
            ret_vote->at_most = wanted < 0 ? 0 : wanted;
    }
}

const struct rule_kind rule_average_connections = {
    .name = "average_connections",
    .vote = vote,
    .zone = zone,
    .hold_ms = hold_ms,
};

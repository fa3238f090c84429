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

static struct rx_value zone_of(void *ctx, struct rx_value sight)
{
    const struct average_connections_settings *rule = ((const struct rule_scope *)ctx)->settings;
    const struct fleet_figures *f = &((const struct rule_sight *)sight.ptr)->figures;
    if (f->ready == 0)
        return rx_int(0); /* nothing to average: min_ready's case */
    if (f->average > rule->above)
        return rx_int(1);
    return rx_int(f->average < rule->below ? -1 : 0);
}

/* Nodes that bring the average down to `above`. */
static int enough_for(const struct average_connections_settings *rule,
                      const struct fleet_figures *f)
{
    double least =
        rule->above > 0 ? ceil((double)f->est / rule->above) : f->size + (double)rule->step;
    return least < INT_MAX ? (int)least : INT_MAX;
}

static int more(int a, int b)
{
    return a > b ? a : b;
}

static struct rx_value vote(void *ctx, struct rx_value list)
{
    struct rule_scope *scope = ctx;
    const struct average_connections_settings *rule = scope->settings;
    const struct fleet_figures *f = &rule_sight_of(list)->figures;
    int zone = rule_zone_of(list), step = (int)rule->step;
    struct vote v = vote_none();
    snprintf(v.inputs, sizeof v.inputs, "average=%.1f ready=%d coming=%d above=%g below=%g",
             f->average, f->ready, f->coming, rule->above, rule->below);
    if (zone > 0) {
        snprintf(v.reason, sizeof v.reason, "average_above");
        v.at_least = more(f->ready + step, enough_for(rule, f));
    } else if (zone < 0) {
        snprintf(v.reason, sizeof v.reason, "average_below");
        int wanted = more(f->size - step, enough_for(rule, f));
        v.at_most = wanted < f->size ? more(wanted, 0) : INT_MAX;
    }
    return rule_vote(scope, &v);
}

static struct rx_stream *votes(struct rule_scope *scope, struct rx_stream *sights)
{
    const struct average_connections_settings *rule = scope->settings;
    scope->hold_ms = rule->hold_ms;
    return rx_pipe(sights, rx_with_latest_from(rule_zones(scope, sights, zone_of)),
                   rx_map(vote, scope));
}

const struct rule_kind rule_average_connections = {.name = "average_connections", .votes = votes};

/* rule_gauge.c - keep any number that nodes report between two thresholds: CPU, tick time, memory.
 *
 * Only ready nodes whose reports are fresh and carry the gauge are looked at. While one of them
 * does not carry it, the rule does not shrink the pool: a figure that is missing is no good news.
 */
#include "autoscale/rule.h"
#include "settings/rules.h"

#include <stdio.h>
#include <string.h>

struct reading {
    double value; /* of all of them */
    int with, without;
};

static bool find(const struct fleet_node *n, const char *name, double *ret_value)
{
    for (size_t i = 0; i < FLEET_GAUGES && n->gauges[i].name[0]; i++) {
        if (strcmp(n->gauges[i].name, name) == 0) {
            *ret_value = n->gauges[i].value;
            return true;
        }
    }
    return false;
}

static struct reading read_gauge(const struct gauge_settings *rule, const struct fleet *fleet)
{
    struct reading r = {0};
    double sum = 0, largest = 0, smallest = 0, value = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_slot *slot = &fleet->nodes[i];
        if (slot->node.state != NODE_READY || fleet_leaving(slot) || slot->node.want_other)
            continue;
        if (slot->silent || !find(&slot->node, rule->name, &value)) {
            r.without++;
            continue;
        }
        sum += value;
        largest = r.with == 0 || value > largest ? value : largest;
        smallest = r.with == 0 || value < smallest ? value : smallest;
        r.with++;
    }
    const double by_kind[] = {[GAUGE_AVERAGE] = r.with ? sum / r.with : 0,
                              [GAUGE_MAX] = largest,
                              [GAUGE_MIN] = smallest,
                              [GAUGE_SUM] = sum};
    r.value = by_kind[rule->of];
    return r;
}

static struct rx_value zone_of(void *ctx, struct rx_value sight)
{
    const struct gauge_settings *rule = ((const struct rule_scope *)ctx)->settings;
    struct reading r = read_gauge(rule, ((const struct rule_sight *)sight.ptr)->fleet);
    if (r.with == 0)
        return rx_int(0);
    if (r.value > rule->above)
        return rx_int(1);
    return rx_int(r.value < rule->below && r.without == 0 ? -1 : 0);
}

static struct rx_value vote(void *ctx, struct rx_value list)
{
    struct rule_scope *scope = ctx;
    const struct gauge_settings *rule = scope->settings;
    const struct rule_sight *sight = rule_sight_of(list);
    struct reading r = read_gauge(rule, sight->fleet);
    int zone = rule_zone_of(list), step = (int)rule->step, size = sight->figures.size;
    struct vote v = vote_none();
    snprintf(v.inputs, sizeof v.inputs, "gauge=%s value=%g with=%d without=%d above=%g below=%g",
             rule->name, r.value, r.with, r.without, rule->above, rule->below);
    if (zone > 0) {
        snprintf(v.reason, sizeof v.reason, "gauge_above");
        v.at_least = sight->figures.ready + step; /* nodes still coming count */
    } else if (zone < 0) {
        snprintf(v.reason, sizeof v.reason, "gauge_below");
        v.at_most = size > step ? size - step : 0;
    } else if (r.without > 0) {
        snprintf(v.reason, sizeof v.reason, "gauge_missing");
        v.at_least = size;
    }
    return rule_vote(scope, &v);
}

static struct rx_stream *votes(struct rule_scope *scope, struct rx_stream *sights)
{
    const struct gauge_settings *rule = scope->settings;
    scope->hold_ms = rule->hold_ms;
    return rx_pipe(sights,
                   rx_with_latest_from(rule_zones(scope, sights, zone_of)),
                   rx_map(vote, scope));
}

const struct rule_kind rule_gauge = {.name = "gauge", .votes = votes};

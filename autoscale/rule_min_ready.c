/* rule_min_ready.c - never fewer than so many ready nodes; this is also how dead nodes are
 * replaced. */
#include "autoscale/rule.h"
#include "settings/rules.h"

#include <stdio.h>

static struct rx_value vote(void *ctx, struct rx_value sight)
{
    struct rule_scope *scope = ctx;
    const struct min_ready_settings *rule = scope->settings;
    const struct fleet_figures *f = &((const struct rule_sight *)sight.ptr)->figures;
    struct vote v = vote_none();
    v.at_least = (int)rule->ready;
    v.urgent = true;
    snprintf(v.reason, sizeof v.reason, "min_ready");
    snprintf(v.inputs, sizeof v.inputs, "ready=%d coming=%d minimum=%d", f->ready, f->coming,
             (int)rule->ready);
    return rule_vote(scope, &v);
}

static struct rx_stream *votes(struct rule_scope *scope, struct rx_stream *sights)
{
    return rx_pipe(sights, rx_map(vote, scope));
}

const struct rule_kind rule_min_ready = {.name = "min_ready", .votes = votes};

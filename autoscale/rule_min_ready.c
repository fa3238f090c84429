/* rule_min_ready.c - never fewer than so many ready nodes; this is also how dead nodes are
 * replaced. */
#include "autoscale/rule.h"
#include "settings/rules.h"

#include <stdio.h>

static void vote(const void *settings, const struct fleet_figures *f, int zone,
                 struct vote *ret_vote)
{
    const struct min_ready_settings *rule = settings;
    *ret_vote = vote_none();
    ret_vote->at_least = (int)rule->ready;
    ret_vote->urgent = true;
    snprintf(ret_vote->reason, sizeof ret_vote->reason, "min_ready");
    snprintf(ret_vote->inputs, sizeof ret_vote->inputs, "ready=%d coming=%d minimum=%d", f->ready,
             f->coming, (int)rule->ready);
}

const struct rule_kind rule_min_ready = {.name = "min_ready", .vote = vote};

/* rule.h - a scaling rule: the vote it casts on the pool's figures.
 *
 * Pure. A rule is one file that fills a const table (rule_<name>.c) and one row of rule.c; its
 * settings are a struct of settings/rules.h. It says how big the pool should be and why; it knows
 * nothing of cooldowns, limits, plans or providers: those are the arbiter's and the plan's. */
#ifndef BERTH_AUTOSCALE_RULE_H
#define BERTH_AUTOSCALE_RULE_H

#include "autoscale/fleet.h"
#include "core/err.h"

#include <limits.h>

#define RULES_MAX 16

/* What one rule wants, in nodes. Zeroed with at_most INT_MAX: no opinion (vote_none()). */
struct vote {
    int at_least; /* the pool should have this many; also keeps others from shrinking it below; 0:
                     no opinion */
    int at_most;  /* the pool may shrink to this; INT_MAX: no opinion */
    bool urgent;  /* cooldowns do not hold this back */
    char reason[64];  /* words joined by _, of the contract: "average_above" */
    char inputs[128]; /* a plain record of what it looked at */
};

static inline struct vote vote_none(void)
{
    return (struct vote){.at_most = INT_MAX};
}

struct rule_kind {
    const char *name; /* as in the configuration */
    /* The vote on these figures. `settings` is the rule's struct. `zone`: the measure has been
     * below (-1), between (0) or above (1) the thresholds for the hold time; rules without
     * thresholds ignore it. */
    void (*vote)(const void *settings, const struct fleet_figures *figures, int zone,
                 struct vote *ret_vote);
    /* Where the measure is now; NULL: the rule has no thresholds. */
    int (*zone)(const void *settings, const struct fleet_figures *figures);
    /* How long the measure must stay in a zone; NULL: no time. */
    int64_t (*hold_ms)(const void *settings);
};

/* One rule of a policy. */
struct rule {
    const struct rule_kind *kind;
    const void *settings; /* borrowed from the configuration for the life of the policy */
};

extern const struct rule_kind rule_min_ready;
extern const struct rule_kind rule_average_connections;

/* Every kind, ended by NULL. */
extern const struct rule_kind *const rule_kinds[];

/* NULL if there is none of that name. */
const struct rule_kind *rule_kind_named(const char *name);

#endif

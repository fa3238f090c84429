/* actions.h - rules whose votes do not move the pool but have something done: a command, a web
 * service told.
 *
 * Pure. Such a rule's action is due while its vote asks for another size than the pool has, at most
 * once in its `every`, and one at a time. */
#ifndef BERTH_AUTOSCALE_ACTIONS_H
#define BERTH_AUTOSCALE_ACTIONS_H

#include "autoscale/effects.h"
#include "autoscale/policy.h"

struct actions {
    struct {
        mono_ms_t fired_at; /* 0: never */
        bool running;
    } row[RULES_MAX]; /* by rule of the policy */
};

/* Ask for what is due. votes: by rule. */
void actions_step(struct actions *actions, const struct policy *policy, const struct vote *votes,
                  const struct fleet_figures *figures, mono_ms_t now, struct effects *fx);

/* The action of rule `at` is done (error NULL), or has failed. An answer nobody waits for is
 * ignored. */
void actions_done(struct actions *actions, const struct policy *policy, size_t at,
                  const char *error, mono_ms_t now, struct effects *fx);

#endif

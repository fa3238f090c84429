/* signals.h - from the stream of figures to the rules' votes.
 *
 * Pure. Each rule's measure must stay in its zone (below, between, above) for the rule's hold time
 * before the rule votes so. */
#ifndef BERTH_AUTOSCALE_SIGNALS_H
#define BERTH_AUTOSCALE_SIGNALS_H

#include "autoscale/policy.h"

struct signal {
    int zone; /* where the measure is */
    int held; /* the zone it has been in long enough */
    mono_ms_t since;
};

struct signals {
    const struct policy *policy; /* borrowed for life */
    struct signal signal[RULES_MAX];
    struct vote votes[RULES_MAX]; /* by rule of the policy */
};

void signals_init(struct signals *signals, const struct policy *policy);

/* New figures, or time passed with the same ones: votes are brought up to date. */
void signals_see(struct signals *signals, const struct fleet_figures *figures, mono_ms_t now);

/* Data were missing: hold times begin anew. */
void signals_restart(struct signals *signals, mono_ms_t now);

/* When a hold time ends. */
mono_ms_t signals_deadline(const struct signals *signals);

#endif

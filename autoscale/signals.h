/* signals.h - one pool's hot stream of sights, the rules that listen to it, and the votes they
 * cast.
 *
 * Pure. The streams run in virtual time, moved by signals_see(); their memory is one arena of
 * SIGNALS_ARENA bytes. */
#ifndef BERTH_AUTOSCALE_SIGNALS_H
#define BERTH_AUTOSCALE_SIGNALS_H

#include "autoscale/policy.h"

#define SIGNALS_ARENA (256 * 1024)

struct signals_rule {
    struct rule_scope scope;
    struct rx_stream *votes;
    struct rx_subscription subscription;
    struct vote vote; /* the latest */
    struct rule_advice advice;
    bool failed; /* its stream ended with an error: it keeps the pool from shrinking until restarted
                  */
};

struct signals {
    const struct policy *policy; /* borrowed for life */
    struct rx rx;
    struct rx_virtual clock;
    struct rx_stream *sights; /* hot: one subject, all rules listen */
    struct signals_rule rules[RULES_MAX];
    struct vote votes[RULES_MAX]; /* by rule of the policy */
    void *arena;
    struct target_node *scratch;
};

/* Builds and starts every rule's pipeline. BERTH_ENOMEM. Must stay put. */
int signals_init(struct signals *signals, const struct policy *policy,
                 mono_ms_t now) BERTH_MUST_USE;
void signals_fini(struct signals *signals);
/* Other rules from now on, with hold times that begin anew. The new policy's nodes_max must not be
 * above the first one's. Cannot fail. */
void signals_change(struct signals *signals, const struct policy *policy, mono_ms_t now);

/* What is seen now: hold times that are over end, then every rule looks. */
void signals_see(struct signals *signals, const struct rule_sight *sight);

/* What the service of rule `at` answered; reason is copied, made one value of a record. */
void signals_advise(struct signals *signals, size_t at, int desired, const char *reason,
                    mono_ms_t now);
/* Data were missing: every pipeline begins anew, hold times with it. */
void signals_restart(struct signals *signals, mono_ms_t now);

/* When a pipeline waits for time. */
mono_ms_t signals_deadline(const struct signals *signals);

#endif

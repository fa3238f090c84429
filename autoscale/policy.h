/* policy.h - how one pool is to be scaled: limits, cooldowns, rules.
 *
 * Pure. Made from the configuration, which has been checked (ranges, contradictions) when it was
 * loaded. */
#ifndef BERTH_AUTOSCALE_POLICY_H
#define BERTH_AUTOSCALE_POLICY_H

#include "autoscale/rule.h"
#include "settings/settings.h"

struct policy {
    char pool[NAME_SIZE];
    bool observe; /* decide and tell, touch nothing */
    int min, max; /* nodes in service; the floor ignores cooldowns */
    int max_step; /* nodes at a time, each way */
    int64_t out_cooldown_ms, in_cooldown_ms;
    int64_t boot_timeout_ms;   /* from launch to the first report */
    int64_t silent_timeout_ms; /* an instance whose nodes were all lost this long is terminated; 0:
                                  never */
    int64_t drain_deadline_ms; /* players of a node that it drains may stay so long; 0: as long as
                                  they like */
    int64_t drain_stuck_ms;    /* people are told of one that has been draining so long; 0: never */
    int64_t stale_after_ms;    /* a report older than this is no news; a view older than this is not
                                  decided on */
    int64_t jump_hold_ms;      /* after a clock jump or a gap in the view: hold this long */
    int trust_percent;         /* fewer ready nodes with fresh reports: never scale in */
    int64_t backoff_min_ms, backoff_max_ms; /* after a failed launch */
    int launch_failures_max;                /* in a row; then launches stop */
    int64_t
        halt_retry_ms; /* one attempt in so long while stopped; 0: none until an operator resumes */
    int nodes_per_instance;
    int nodes_max; /* room in the tables */
    /* The provider's own facts. */
    int64_t settle_ms; /* its list must be stable this long before a new leader launches */
    int64_t
        list_interval_ms; /* while something is under way; at rest ten times that, at most 30 s */
    struct rule rules[RULES_MAX];
    size_t rule_count;
};

/* The defaults of the 2015 system where it had them: out every 3 minutes, in every hour. No rules.
 */
void policy_defaults(struct policy *ret_policy, const char *pool);

/* What a pool's configuration says, over the defaults. BERTH_EINVAL with err when it names a rule
 * that this program does not have. Borrows the rules' settings. A pool with rules grows when
 * players are refused, whatever they are: unless it says how itself, the rule `refused` comes last.
 * Rules that need a time zone get theirs from the caller. */
int policy_from(struct policy *ret_policy, const struct pool_settings *pool,
                struct err *err) BERTH_MUST_USE;

#endif

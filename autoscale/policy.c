/* policy.c - how one pool is to be scaled: limits, cooldowns, rules. */
#include "autoscale/policy.h"

#include <stdio.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)

void policy_defaults(struct policy *ret_policy, const char *pool)
{
    *ret_policy = (struct policy){
        .min = 1,
        .max = 10,
        .max_step = 4,
        .out_cooldown_ms = 3 * MINUTE_MS,
        .in_cooldown_ms = 60 * MINUTE_MS,
        .boot_timeout_ms = 5 * MINUTE_MS,
        .drain_stuck_ms = 60 * MINUTE_MS,
        .stale_after_ms = 4 * SECOND_MS, /* lost_after + one interval */
        .jump_hold_ms = 4 * SECOND_MS,
        .trust_percent = 90,
        .backoff_min_ms = 10 * SECOND_MS,
        .backoff_max_ms = 10 * MINUTE_MS,
        .launch_failures_max = 5,
        .halt_retry_ms = 30 * MINUTE_MS,
        .nodes_per_instance = 1,
        .nodes_max = 1024,
        .settle_ms = 30 * SECOND_MS,
        .list_interval_ms = 10 * SECOND_MS,
    };
    snprintf(ret_policy->pool, sizeof ret_policy->pool, "%s", pool);
}

/* Whatever else a pool goes by: who is turned away for want of room is not left waiting. */
static void add_refused(struct policy *p)
{
    static const struct refused_settings as_usual = {.step = 1};
    for (size_t i = 0; i < p->rule_count; i++)
        if (p->rules[i].kind == &rule_refused && !p->rules[i].action)
            return;
    if (p->rule_count > 0 && p->rule_count < RULES_MAX)
        p->rules[p->rule_count++] = (struct rule){.kind = &rule_refused, .settings = &as_usual};
}

int policy_from(struct policy *ret_policy, const struct pool_settings *pool, struct err *err)
{
    const struct scale_settings *scale = &pool->scale;
    struct policy p;
    policy_defaults(&p, pool->name);
    p.observe = scale->mode == SCALE_OBSERVE;
    p.min = (int)scale->min;
    p.max = (int)scale->max;
    p.max_step = (int)scale->max_step;
    p.out_cooldown_ms = scale->out_cooldown_ms;
    p.in_cooldown_ms = scale->in_cooldown_ms;
    p.boot_timeout_ms = scale->boot_timeout_ms;
    p.drain_deadline_ms = scale->drain_deadline_ms;
    p.drain_stuck_ms = scale->drain_stuck_ms;
    p.silent_timeout_ms = scale->silent_timeout_ms;
    p.nodes_per_instance = (int)scale->nodes_per_instance;
    p.backoff_min_ms = scale->launch_backoff_ms;
    p.backoff_max_ms = scale->launch_backoff_max_ms;
    p.launch_failures_max = (int)scale->launch_failures;
    p.halt_retry_ms = scale->halt_retry_ms;
    p.stale_after_ms = p.jump_hold_ms = pool->lost_after_ms + pool->report_interval_ms;
    if (p.nodes_max < 4 * p.max)
        p.nodes_max =
            4 *
            p.max; /* old ones leave while new ones come, and others may run nodes of their own */
    for (size_t i = 0; i < scale->rules.count && i < SCALE_RULES_MAX; i++) {
        const struct section_kind_item *item =
            SECTION_AT(scale->rules, struct section_kind_item, i);
        const struct rule_kind *kind = rule_kind_named(item->kind);
        if (!kind)
            return err_set(err, BERTH_EINVAL,
                           "pools.%s.scale: rule = %s: not known to this autoscaler", pool->name,
                           item->kind);
        const struct rule_action *action = scale_rule_action(item->kind, item->values);
        if (action && action->kind == ACTION_SCALE)
            action = NULL;
        p.rules[p.rule_count++] =
            (struct rule){.kind = kind, .settings = item->values, .action = action};
    }
    add_refused(&p);
    *ret_policy = p;
    return 0;
}

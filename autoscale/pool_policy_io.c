/* pool_policy_io.c - how one pool is to be scaled: its settings and time zones, at start and at a
 * reload. */
#include "autoscale/pool_parts.h"

#include "io/zone_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pool_io_policy_free_zones(struct zone *zones[RULES_MAX])
{
    for (size_t i = 0; i < RULES_MAX; i++) {
        free(zones[i]);
        zones[i] = NULL;
    }
}

/* The time zones that rules ask for. */
int pool_io_policy_load_zones(struct policy *policy, struct zone *ret_zones[RULES_MAX],
                              struct err *err)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        struct rule *rule = &policy->rules[i];
        if (!rule->kind->zone_name)
            continue;
        ret_zones[i] = zone_io_load(rule->kind->zone_name(rule->settings), err);
        if (!ret_zones[i]) {
            err_prefix(err, "pools.%s.scale: rule %s", policy->pool, rule->kind->name);
            return BERTH_EINVAL;
        }
        rule->zone = ret_zones[i];
    }
    return 0;
}

/* The policy of these settings, with the provider's own facts. */
int pool_io_policy_make(const struct pool_io *p, const struct pool_settings *settings,
                        struct policy *ret_policy, struct err *err)
{
    int rc = policy_from(ret_policy, settings, err);
    ret_policy->settle_ms = p->c.kind->settle_ms;
    ret_policy->list_interval_ms = p->c.kind->list_interval_ms;
    return rc;
}

int pool_io_prepare(struct pool_io *p, const struct pool_settings *settings, struct err *err)
{
    pool_io_forget(p);
    struct plan_of *next = calloc(1, sizeof *next);
    if (!next)
        return err_set(err, BERTH_ENOMEM, "no memory for pool %s", p->policy.pool);
    int rc = pool_io_policy_make(p, settings, &next->policy, err);
    if (rc == 0 && next->policy.nodes_max > p->policy.nodes_max)
        rc = err_set(err, BERTH_EINVAL,
                     "pools.%s.scale.max = %d: needs a restart: the tables were made for %d",
                     p->policy.pool, next->policy.max, p->policy.nodes_max / 4);
    if (rc == 0)
        rc = pool_io_policy_load_zones(&next->policy, next->zones, err);
    if (rc < 0) {
        pool_io_policy_free_zones(next->zones);
        free(next);
        return rc;
    }
    next->policy.nodes_max = p->policy.nodes_max;
    p->next = next;
    return 0;
}

void pool_io_forget(struct pool_io *p)
{
    if (p->next)
        pool_io_policy_free_zones(p->next->zones);
    free(p->next);
    p->next = NULL;
}

void pool_io_commit(struct pool_io *p)
{
    struct plan_of *next = p->next;
    p->next = NULL;
    act_io_stop(p->act);
    p->policy = next->policy;
    scale_change(p->scale, &p->policy, pool_io_now(p));
    pool_io_policy_free_zones(p->zones);
    memcpy(p->zones, next->zones, sizeof p->zones);
    free(next);
    act_io_start(p->act);
    struct effect told = {.kind = EFFECT_NOTE, .name = "-", .kind_word = "policy_changed"};
    snprintf(told.record, sizeof told.record, "why=reload min=%d max=%d rules=%zu", p->policy.min,
             p->policy.max, p->policy.rule_count);
    if (pool_io_may_act(p))
        pool_io_effects_do(p, &told);
    else
        log_info(p->c.log, "policy_changed", "pool=%s %s", p->policy.pool, told.record);
    struct scale_event ev = {.kind = SCALE_CLOCK};
    pool_io_step(p, &ev);
}

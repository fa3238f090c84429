/* rule.c - the table of scaling rules, and the hold time that many of them share. */
#include "autoscale/rule.h"

#include <string.h>

const struct rule_kind *const rule_kinds[] = {&rule_min_ready, &rule_average_connections,
                                              &rule_gauge,     &rule_headroom,
                                              &rule_predict,   &rule_refused,
                                              &rule_schedule,  &rule_target,
                                              &rule_webhook,   NULL};

const struct rule_kind *rule_kind_named(const char *name)
{
    for (size_t i = 0; rule_kinds[i]; i++)
        if (strcmp(rule_kinds[i]->name, name) == 0)
            return rule_kinds[i];
    return NULL;
}

/* 0 now, and `zone` once the hold time is over, unless another zone comes first. */
static struct rx_stream *once_held(void *ctx, struct rx_value zone)
{
    const struct rule_scope *scope = ctx;
    if (zone.integer == 0 || scope->hold_ms == 0)
        return rx_of(scope->rx, zone);
    return rx_concat(rx_of(scope->rx, rx_int(0)),
                     rx_pipe(rx_of(scope->rx, zone), rx_delay(scope->hold_ms)));
}

struct rx_stream *rule_zones(struct rule_scope *scope, struct rx_stream *sights, rx_map_fn zone_of)
{
    return rx_pipe(sights, rx_map(zone_of, scope), rx_distinct_until_changed(),
                   rx_switch_map(once_held, scope));
}

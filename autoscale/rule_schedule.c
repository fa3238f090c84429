/* rule_schedule.c - so many ready nodes from a time of the week, or one date, for so long.
 *
 * It is a floor while it lasts, and cooldowns do not make it late; when it is over it says nothing,
 * and other rules shrink the pool as they like. It goes by Redis's clock and the time zone's rules
 * (core/cron.h). */
#include "autoscale/rule.h"
#include "settings/rules.h"

#include <stdio.h>

/* When the time that is on now began; -1: none is on. */
static int64_t began_at(const struct rule_scope *scope, int64_t now_s)
{
    const struct schedule_settings *rule = scope->settings;
    int64_t early = now_s + rule->lead_ms / 1000, lasts = (rule->for_ms + rule->lead_ms) / 1000;
    if (scope->date_s >= 0)
        return early >= scope->date_s && early - scope->date_s < lasts ? scope->date_s : -1;
    return cron_last(&scope->cron, scope->zone, early, lasts - 1);
}

static struct rx_value vote(void *ctx, struct rx_value value)
{
    struct rule_scope *scope = ctx;
    const struct schedule_settings *rule = scope->settings;
    const struct rule_sight *sight = value.ptr;
    struct vote v = vote_none();
    int64_t began_s = sight->wall.ms > 0 ? began_at(scope, sight->wall.ms / 1000) : -1;
    if (began_s >= 0) {
        v.at_least = (int)rule->ready;
        v.urgent = true;
        snprintf(v.reason, sizeof v.reason, "schedule");
        snprintf(v.inputs, sizeof v.inputs, "ready=%d coming=%d scheduled=%d since=%lld",
                 sight->figures.ready, sight->figures.coming, v.at_least,
                 (long long)began_s * 1000);
    }
    return rule_vote(scope, &v);
}

static struct rx_stream *votes(struct rule_scope *scope, struct rx_stream *sights)
{
    const struct schedule_settings *rule = scope->settings;
    scope->date_s = -1;
    int rc = rule->cron ? cron_parse(span_of(rule->cron), &scope->cron, NULL)
                        : cron_date(span_of(rule->date), scope->zone, &scope->date_s, NULL);
    if (rc < 0 || !scope->zone) /* the configuration was checked, so this is a slip of the program:
                                   say it, hold */
        return rx_fail(scope->rx, rx_error(BERTH_EINVAL, "no such time"));
    return rx_pipe(sights, rx_map(vote, scope));
}

static const char *zone_name(const void *settings)
{
    return ((const struct schedule_settings *)settings)->zone;
}

const struct rule_kind rule_schedule = {.name = "schedule", .votes = votes, .zone_name = zone_name};

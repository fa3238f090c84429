/* rule_webhook.c - as many nodes as a service of the pool's owner says.
 *
 * The shell asks it; here the last answer is a vote as long as it is fresh. No answer, a failing
 * service or an old answer is no vote: other rules go on as if this one were not there. */
#include "autoscale/rule.h"

#include <stdio.h>

static int within(int64_t low, int64_t high, int64_t n)
{
    return (int)(n < low ? low : n > high ? high : n);
}

static struct rx_value vote(void *ctx, struct rx_value value)
{
    struct rule_scope *scope = ctx;
    const struct webhook_settings *rule = scope->settings;
    const struct rule_sight *sight = value.ptr;
    const struct rule_advice *advice = scope->advice;
    struct vote v = vote_none();
    snprintf(v.reason, sizeof v.reason, "webhook");
    int64_t age_ms = advice->given ? mono_sub(sight->now, advice->at) : -1;
    if (!advice->given || age_ms > rule->max_age_ms) {
        snprintf(v.inputs, sizeof v.inputs, "age_ms=%lld said=nothing", (long long)age_ms);
        return rule_vote(scope, &v);
    }
    v.at_least = v.at_most = within(rule->min, rule->max, advice->desired);
    snprintf(v.inputs, sizeof v.inputs, "asked=%d age_ms=%lld said=%s", advice->desired,
             (long long)age_ms, advice->reason[0] ? advice->reason : "-");
    return rule_vote(scope, &v);
}

static struct rx_stream *votes(struct rule_scope *scope, struct rx_stream *sights)
{
    return rx_pipe(sights, rx_map(vote, scope));
}

const struct rule_kind rule_webhook = {.name = "webhook", .votes = votes, .advised = true};

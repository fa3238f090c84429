/* signals.c - one pool's hot stream of sights, the rules that listen to it, and the votes they
 * cast. */
#include "autoscale/signals.h"

#include "autoscale/effects.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hear_vote(void *ctx, struct rx_value vote)
{
    struct signals_rule *rule = ctx;
    rule->vote = *(const struct vote *)vote.ptr;
}

/* A rule that cannot look any more must not let the pool shrink. */
static void hear_error(void *ctx, struct rx_value error)
{
    struct signals_rule *rule = ctx;
    rule->failed = true;
    rule->vote = vote_none();
    snprintf(rule->vote.reason, sizeof rule->vote.reason, "rule_failed");
    snprintf(rule->vote.inputs, sizeof rule->vote.inputs, "error=%s",
             err_word(rx_error_code(error)));
}

static void start(struct signals *signals)
{
    for (size_t i = 0; i < signals->policy->rule_count; i++) {
        struct signals_rule *rule = &signals->rules[i];
        rule->vote = vote_none();
        rule->failed = false;
        rx_subscribe(rule->votes,
                     (struct rx_observer){.next = hear_vote, .error = hear_error, .ctx = rule},
                     &rule->subscription);
    }
}

/* Build and start every rule's pipeline on the arena. */
static int build(struct signals *signals, const struct policy *policy, mono_ms_t now)
{
    size_t scratch_max = (size_t)policy->nodes_max * 2; /* nodes, and some that are booting */
    signals->policy = policy;
    rx_virtual_init(&signals->clock, now.ms);
    if (rx_init(&signals->rx, signals->arena, SIGNALS_ARENA,
                rx_virtual_scheduler(&signals->clock)) < 0)
        return BERTH_ENOMEM;
    signals->sights = rx_subject(&signals->rx);
    for (size_t i = 0; i < policy->rule_count; i++) {
        struct signals_rule *rule = &signals->rules[i];
        rule->scope = (struct rule_scope){.rx = &signals->rx,
                                          .settings = policy->rules[i].settings,
                                          .zone = policy->rules[i].zone,
                                          .advice = &rule->advice,
                                          .scratch = signals->scratch,
                                          .scratch_max = scratch_max};
        rule->votes = policy->rules[i].kind->votes(&rule->scope, signals->sights);
    }
    start(signals);
    return 0;
}

int signals_init(struct signals *signals, const struct policy *policy, mono_ms_t now)
{
    *signals = (struct signals){.arena = malloc(SIGNALS_ARENA)};
    signals->scratch = calloc((size_t)policy->nodes_max * 2, sizeof *signals->scratch);
    if (!signals->arena || !signals->scratch || build(signals, policy, now) < 0) {
        free(signals->arena);
        free(signals->scratch);
        return BERTH_ENOMEM;
    }
    return 0;
}

void signals_change(struct signals *signals, const struct policy *policy, mono_ms_t now)
{
    rx_fini(&signals->rx);
    memset(signals->rules, 0, sizeof signals->rules);
    for (size_t i = 0; i < RULES_MAX; i++)
        signals->votes[i] = vote_none();
    int rc = build(signals, policy, now);
    assert(rc == 0 && "an arena that was large enough still is");
    (void)rc;
}

void signals_fini(struct signals *signals)
{
    rx_fini(&signals->rx);
    free(signals->arena);
    free(signals->scratch);
    signals->arena = NULL;
    signals->scratch = NULL;
}

void signals_see(struct signals *signals, const struct rule_sight *sight)
{
    rx_virtual_advance(&signals->clock, &signals->rx, sight->now.ms);
    rx_subject_next(signals->sights, rx_ptr(sight));
    for (size_t i = 0; i < signals->policy->rule_count; i++) {
        struct signals_rule *rule = &signals->rules[i];
        if (rule->failed)
            rule->vote.at_least = sight->figures.size;
        signals->votes[i] = rule->vote;
    }
}

void signals_advise(struct signals *signals, size_t at, int desired, const char *reason,
                    mono_ms_t now)
{
    struct rule_advice *advice = &signals->rules[at].advice;
    *advice = (struct rule_advice){.given = true, .desired = desired, .at = now};
    effects_value(reason, advice->reason, sizeof advice->reason);
}

void signals_restart(struct signals *signals, mono_ms_t now)
{
    for (size_t i = 0; i < signals->policy->rule_count; i++)
        rx_unsubscribe(&signals->rules[i].subscription);
    rx_virtual_advance(&signals->clock, &signals->rx, now.ms);
    start(signals);
    for (size_t i = 0; i < RULES_MAX; i++)
        signals->votes[i] = vote_none();
}

mono_ms_t signals_deadline(const struct signals *signals)
{
    int64_t at = rx_deadline_ms(&signals->rx);
    return at == RX_FOREVER ? MONO_NEVER : (mono_ms_t){at};
}

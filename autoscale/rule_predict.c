/* rule_predict.c - nodes for the players of one boot time from now (autoscale/forecast.h), with the
 * forecast's own error as the margin.
 *
 * It counts the players on all nodes, draining ones too: those who leave them come back to the
 * others. It lets the pool shrink to the most that was needed in the last shrink_after with twice
 * the margin and `slack` of a node besides, and not while they grow: what goes must not be wanted
 * back soon. */
#include "autoscale/forecast.h"
#include "autoscale/rule.h"
#include "autoscale/window.h"
#include "settings/rules.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 1000
#define FULL 0.99            /* of the places */
#define AHEAD_BLIND_MS 60000 /* while no launch was measured */
#define AHEAD_MIN_MS 2000
#define AHEAD_MAX_MS 1800000
#define RECALL_STEP_S 2 /* the past is looked at so often; its last two boot times each second */

struct memory {
    struct forecast forecast;
    struct window kept;
    struct vote vote;
};

/* What one look is about. */
struct scene {
    int64_t now_ms, wall_ms;
    int64_t players, est, capacity;
    int ready, coming;
};

static int nodes_for(double nodes)
{
    return nodes < INT_MAX ? (int)ceil(nodes) : INT_MAX;
}

static int64_t ahead_of(const struct predict_settings *rule, const struct rule_sight *sight)
{
    if (rule->ahead_ms > 0)
        return rule->ahead_ms;
    int64_t ms = sight->boot_ms > 0 ? sight->boot_ms : AHEAD_BLIND_MS;
    return ms < AHEAD_MIN_MS ? AHEAD_MIN_MS : ms > AHEAD_MAX_MS ? AHEAD_MAX_MS : ms;
}

static void reckon(struct memory *m, const struct predict_settings *rule, int64_t ahead_ms,
                   const struct scene *scene)
{
    struct forecast_view view = {.now_ms = scene->now_ms,
                                 .wall_ms = scene->wall_ms,
                                 .players = scene->players,
                                 .full = (double)scene->est >= FULL * (double)scene->capacity,
                                 .coming = scene->coming > 0};
    struct forecast_says says = forecast_look(&m->forecast, &view, ahead_ms, rule->confidence);
    double places = (double)scene->capacity / scene->ready * rule->fill / 100;
    int needed = nodes_for((says.players + says.margin) / places);
    int kept = nodes_for((says.players + 2 * says.margin) / places + rule->slack / 100);
    window_put(&m->kept, scene->now_ms, rule->shrink_after_ms + 2 * ahead_ms, kept);
    m->vote.at_least = needed;
    m->vote.at_most = window_largest(&m->kept, kept);
    int size = scene->ready + scene->coming;
    if (says.trend > 0 && m->vote.at_most < size)
        m->vote.at_most = size; /* not while they grow: that is a trough, or noise */
    snprintf(m->vote.reason, sizeof m->vote.reason, view.full ? "predict_full" : "predict");
    snprintf(m->vote.inputs, sizeof m->vote.inputs,
             "players=%lld foreseen=%.0f margin=%.0f trend=%.2f yesterday=%.0f ahead_s=%lld "
             "needed=%d",
             (long long)view.players, says.players, says.margin, says.trend, says.yesterday,
             (long long)(ahead_ms / 1000), needed);
}

/* Begin with what was seen before: by this process or, as Redis kept it, by others. */
static void recall(struct memory *m, const struct predict_settings *rule, int64_t ahead_ms,
                   const struct rule_sight *sight)
{
    int64_t now_s = sight->wall.ms / 1000, first_s = now_s - PAST_SECONDS + 1;
    forecast_init(&m->forecast);
    for (int64_t minute = now_s / 60 - PAST_MINUTES + 1; minute < first_s / 60; minute++) {
        const struct past_minute *p = past_minute(sight->past, minute);
        if (p)
            forecast_remember(&m->forecast, minute * 60000, p->most);
    }
    for (int64_t s = first_s; s < now_s; s++) {
        const struct past_second *p = past_second(sight->past, s);
        if (!p || p->ready <= 0 || p->capacity <= 0 ||
            (s % RECALL_STEP_S && (now_s - s) * 1000 > 2 * ahead_ms))
            continue;
        reckon(m, rule, ahead_ms,
               &(struct scene){.now_ms = sight->now.ms - (sight->wall.ms - s * 1000),
                               .wall_ms = s * 1000,
                               .players = p->players,
                               .est = p->est,
                               .capacity = p->capacity,
                               .ready = p->ready,
                               .coming = p->coming});
    }
}

static struct rx_value look(void *ctx, struct rx_value before, struct rx_value value)
{
    struct rule_scope *scope = ctx;
    const struct predict_settings *rule = scope->settings;
    const struct rule_sight *sight = value.ptr;
    const struct fleet_figures *f = &sight->figures;
    int64_t ahead_ms = ahead_of(rule, sight);
    struct memory m = {0};
    if (before.kind == RX_BOX)
        memcpy(&m, before.ptr, sizeof m);
    else
        recall(&m, rule, ahead_ms, sight);
    m.vote = vote_none();
    if (f->ready > 0 && f->capacity > 0) /* else nothing to reckon with: min_ready's case */
        reckon(&m, rule, ahead_ms,
               &(struct scene){.now_ms = sight->now.ms,
                               .wall_ms = sight->wall.ms,
                               .players = fleet_players(sight->fleet),
                               .est = f->est,
                               .capacity = f->capacity,
                               .ready = f->ready,
                               .coming = f->coming});
    return rx_box(scope->rx, &m, sizeof m);
}

static struct rx_value vote_of(void *ctx, struct rx_value memory)
{
    return rule_vote(ctx, &((const struct memory *)memory.ptr)->vote);
}

static struct rx_stream *votes(struct rule_scope *scope, struct rx_stream *sights)
{
    return rx_pipe(sights,
                   rx_throttle_time(.ms = LOOK_MS),
                   rx_scan(look, scope, rx_none()),
                   rx_map(vote_of, scope));
}

const struct rule_kind rule_predict = {.name = "predict", .votes = votes};

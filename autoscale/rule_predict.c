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
#define FULL 0.99 /* of the places */

struct memory {
    struct forecast forecast;
    struct window kept;
    struct vote vote;
};

static int64_t all_players(const struct fleet *fleet)
{
    int64_t players = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_node *n = &fleet->nodes[i].node;
        if (n->state != NODE_LOST && n->state != NODE_TERMINATING && n->state != NODE_GONE)
            players += n->est;
    }
    return players;
}

static int nodes_for(double nodes)
{
    return nodes < INT_MAX ? (int)ceil(nodes) : INT_MAX;
}

static struct rx_value look(void *ctx, struct rx_value before, struct rx_value value)
{
    struct rule_scope *scope = ctx;
    const struct predict_settings *rule = scope->settings;
    const struct rule_sight *sight = value.ptr;
    const struct fleet_figures *f = &sight->figures;
    struct memory m = {0};
    if (before.kind == RX_BOX)
        memcpy(&m, before.ptr, sizeof m);
    else
        forecast_init(&m.forecast);
    m.vote = vote_none();
    if (f->ready == 0 || f->capacity <= 0)
        return rx_box(scope->rx, &m, sizeof m); /* nothing to reckon with: min_ready's case */
    struct forecast_view view = {.now_ms = sight->now.ms,
                                 .wall_ms = sight->wall.ms,
                                 .players = all_players(sight->fleet),
                                 .full = (double)f->est >= FULL * (double)f->capacity,
                                 .coming = f->coming > 0};
    struct forecast_says says = forecast_look(&m.forecast, &view, rule->ahead_ms, rule->confidence);
    double places = (double)f->capacity / f->ready * rule->fill / 100;
    int needed = nodes_for((says.players + says.margin) / places);
    int kept = nodes_for((says.players + 2 * says.margin) / places + rule->slack / 100);
    window_put(&m.kept, sight->now.ms, rule->shrink_after_ms, kept);
    m.vote.at_least = needed;
    m.vote.at_most = window_largest(&m.kept, kept);
    if (says.trend > 0 && m.vote.at_most < f->size)
        m.vote.at_most = f->size; /* not while they grow: that is a trough, or noise */
    snprintf(m.vote.reason, sizeof m.vote.reason, view.full ? "predict_full" : "predict");
    snprintf(m.vote.inputs, sizeof m.vote.inputs,
             "players=%lld foreseen=%.0f margin=%.0f trend=%.2f yesterday=%.0f needed=%d",
             (long long)view.players, says.players, says.margin, says.trend, says.yesterday,
             needed);
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

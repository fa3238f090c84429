/* rule_predict.c - nodes for the players of one boot time from now (autoscale/forecast.h), with the
 * forecast's own error as the margin.
 *
 * It counts the players on all nodes, draining ones too: those who leave them come back to the
 * others. What goes must not be wanted back soon: it lets the pool shrink to the most that was
 * needed in the last shrink_after (and twice the boot time), reckoned with twice the margin, or
 * what players usually rise by in ten minutes, and `slack` of a node besides; while they grow, with
 * as much growth again as comes in shrink_after. After a long rest the slack goes too. */
#include "autoscale/forecast.h"
#include "autoscale/rule.h"
#include "autoscale/window.h"
#include "settings/rules.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 1000
#define FULL 0.99            /* of the places */
#define AHEAD_BLIND_MS 60000 /* while no launch was measured */
#define AHEAD_MIN_MS 2000
#define AHEAD_MAX_MS 1800000
#define REST_MS 2400000  /* needed no more for so long: a long rest */
#define RISE_MINUTES 120 /* are looked at */
#define RISE_WITHIN 10   /* minutes */
#define RECALL_STEP_S 2  /* the past is looked at so often; its last two boot times each second */

/* By how much the players rose within ten minutes, in the last two hours. */
struct rises {
    int64_t minute; /* reckoned in */
    int32_t usual;  /* three of four were no more */
    int32_t most;
};

struct memory {
    struct forecast forecast;
    struct window kept, rest; /* with slack; needed at all */
    struct rises rises;
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

static int by_size(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Once a minute. A forecast's errors are those of one boot time; what is drained must stay out for
 * longer. */
static void look_at_rises(struct rises *rises, const struct past *past, int64_t now_minute)
{
    int32_t rise[RISE_MINUTES];
    size_t n = 0;
    if (rises->minute == now_minute)
        return;
    *rises = (struct rises){.minute = now_minute};
    for (int64_t m = now_minute - RISE_MINUTES; m < now_minute - RISE_WITHIN; m++) {
        const struct past_minute *from = past_minute(past, m);
        if (!from)
            continue;
        rise[n] = 0;
        for (int64_t k = m + 1; k <= m + RISE_WITHIN; k++) {
            const struct past_minute *to = past_minute(past, k);
            if (to && to->most - from->most > rise[n])
                rise[n] = to->most - from->most;
        }
        n++;
    }
    if (n < RISE_WITHIN)
        return;
    qsort(rise, n, sizeof *rise, by_size);
    rises->usual = rise[n * 3 / 4];
    rises->most = rise[n - 1];
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
    double slack = fmax(2 * says.margin, m->rises.usual);
    int kept = nodes_for((says.players + slack) / places + rule->slack / 100);
    window_put(&m->kept, scene->now_ms, rule->shrink_after_ms + 2 * ahead_ms, kept);
    int rest = nodes_for((says.players + fmax(2 * says.margin, m->rises.most)) / places);
    window_put(&m->rest, scene->now_ms, REST_MS, rest);
    m->vote.at_least = needed;
    m->vote.at_most = window_largest(&m->kept, kept);
    int size = scene->ready + scene->coming;
    if (says.trend > 0) { /* a trough, or noise: as if they went on growing until the next shrink */
        double later = (double)scene->players + says.trend * (double)rule->shrink_after_ms / 1000;
        int grown = nodes_for((later + slack) / places + rule->slack / 100);
        grown = grown < size ? grown : size;
        m->vote.at_most = m->vote.at_most > grown ? m->vote.at_most : grown;
    }
    int rested = window_largest(&m->rest, rest);
    if (m->rest.item[0].first_ms <= scene->now_ms - REST_MS * 9 / 10 && rested < m->vote.at_most)
        m->vote.at_most = rested; /* so long at rest: no slack is needed */
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
        const struct past_minute *minute =
            !p && s % 60 == 0 ? past_minute(sight->past, s / 60) : NULL;
        if (minute)
            forecast_remember(&m->forecast, s * 1000, minute->most);
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
    look_at_rises(&m.rises, sight->past, sight->wall.ms / 60000);
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

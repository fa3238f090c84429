/* rule_headroom.c - keep places free: a number, a share of the players, a time of the present
 * growth, or a loss to survive.
 *
 * The largest of what is asked for counts. It votes for as many nodes as hold the players and the
 * free places; it lets the pool shrink to the most that was needed in the last shrink_after. */
#include "autoscale/rule.h"
#include "autoscale/window.h"
#include "settings/rules.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 1000    /* as often as nodes report */
#define GROWTH_PARTS 30 /* growth is measured over so many looks */
#define ZONES_MAX 32

/* What it remembers from look to look. */
struct memory {
    struct window needed;
    int64_t est[GROWTH_PARTS], at_ms[GROWTH_PARTS]; /* a ring of the last looks */
    size_t looks;
    double growth; /* players a second, >= 0 */
    struct vote vote;
};

static void measure_growth(struct memory *m, const struct rule_sight *sight)
{
    size_t at = m->looks % GROWTH_PARTS;
    m->growth = 0;
    if (m->looks > 0) {
        size_t oldest = m->looks < GROWTH_PARTS ? 0 : at;
        double seconds = (double)(sight->now.ms - m->at_ms[oldest]) / 1000;
        double grown = (double)(sight->figures.est - m->est[oldest]);
        m->growth = seconds > 0 && grown > 0 ? grown / seconds : 0;
    }
    m->est[at] = sight->figures.est;
    m->at_ms[at] = sight->now.ms;
    m->looks++;
}

/* Places on the largest node; zones, and places in the largest of them. */
struct losses {
    int64_t node, zone;
    int zones;
};

static struct losses find_losses(const struct fleet *fleet)
{
    struct losses l = {0};
    struct {
        const char *name;
        int64_t places;
    } zones[ZONES_MAX];
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_node *n = &fleet->nodes[i].node;
        if (n->state != NODE_READY)
            continue;
        int z = 0;
        while (z < l.zones && strcmp(zones[z].name, n->zone) != 0)
            z++;
        if (z == l.zones && l.zones < ZONES_MAX) {
            zones[l.zones].name = n->zone;
            zones[l.zones++].places = 0;
        }
        if (z < ZONES_MAX) {
            zones[z].places += n->capacity;
            l.zone = zones[z].places > l.zone ? zones[z].places : l.zone;
        }
        l.node = n->capacity > l.node ? n->capacity : l.node;
    }
    return l;
}

/* Nodes of `places` each that hold `players` and survive what they must. */
static int nodes_for(const struct headroom_settings *rule, double players, double places,
                     const struct losses *losses)
{
    double nodes = ceil(players / places);
    if (rule->survive == SURVIVE_ZONE && losses->zones > 1)
        nodes = ceil(players / places * losses->zones /
                     (losses->zones - 1)); /* evenly spread: one of them may go */
    else if (rule->survive != SURVIVE_NONE)
        nodes = ceil((players + (double)losses->node) / places);
    return nodes < INT_MAX ? (int)nodes : INT_MAX;
}

static struct rx_value look(void *ctx, struct rx_value before, struct rx_value value)
{
    struct rule_scope *scope = ctx;
    const struct headroom_settings *rule = scope->settings;
    const struct rule_sight *sight = value.ptr;
    const struct fleet_figures *f = &sight->figures;
    struct memory m = {0};
    if (before.kind == RX_BOX)
        memcpy(&m, before.ptr, sizeof m);
    m.vote = vote_none();
    if (f->ready == 0 || f->capacity <= 0)
        return rx_box(scope->rx, &m, sizeof m); /* nothing to reckon with: min_ready's case */
    measure_growth(&m, sight);
    double free_places = fmax((double)rule->places, (double)f->est * rule->percent / 100);
    free_places = fmax(free_places, m.growth * (double)rule->seconds_ms / 1000);
    struct losses losses = find_losses(sight->fleet);
    int needed =
        nodes_for(rule, (double)f->est + free_places, (double)f->capacity / f->ready, &losses);
    int kept = nodes_for(rule, (double)f->est + free_places * (1 + rule->slack / 100),
                         (double)f->capacity / f->ready, &losses);
    window_put(&m.needed, sight->now.ms, rule->shrink_after_ms, kept);
    m.vote.at_least = needed;
    m.vote.at_most = window_largest(&m.needed, kept);
    snprintf(m.vote.reason, sizeof m.vote.reason, "headroom");
    snprintf(m.vote.inputs, sizeof m.vote.inputs,
             "players=%lld free=%lld want_free=%.0f growth=%.2f zones=%d needed=%d",
             (long long)f->est, (long long)(f->capacity - f->est), free_places, m.growth,
             losses.zones, needed);
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

const struct rule_kind rule_headroom = {.name = "headroom", .votes = votes};

/* rule_refused.c - grow when the balancers turn players away for want of room.
 *
 * They refuse by what they see: seats that hang together, tickets that are out, rooms that are
 * claimed. An average over the pool knows none of that. While they refuse it votes for `step` more
 * nodes than are ready, or for as many as hold those whom they refused in a second; nodes that are
 * coming count, so nothing more is launched while the first boots. What was refused until shortly
 * after the pool last gained a ready node has been answered by that node. */
#include "autoscale/rule.h"

#include <stdio.h>
#include <string.h>

#define FRESH_MS 5000 /* who is refused asks again after retry_after (2 s), told a second late */
#define GRACE_MS 3000 /* what is told now was refused a second ago, and heard of a second later */

#define NODES_MOST 100000

struct memory {
    int ready;
    mono_ms_t grew_at, since; /* since: they were refused; 0: they are not */
    struct vote vote;
};

static bool is_news(const struct memory *m, const struct rule_sight *sight)
{
    const struct rule_refusals *r = &sight->refusals;
    return r->seats > 0 && mono_sub(sight->now, r->at) <= FRESH_MS &&
           mono_sub(r->at, m->grew_at) >= GRACE_MS;
}

/* Nodes that hold so many players; 1 when nobody knows how large a node is. */
static int nodes_for(int64_t seats, const struct fleet_figures *f)
{
    if (f->ready == 0 || f->capacity < f->ready)
        return 1;
    int64_t places = f->capacity / f->ready, nodes = (seats + places - 1) / places;
    return nodes < NODES_MOST ? (int)nodes : NODES_MOST;
}

static void cast(const struct refused_settings *rule, const struct rule_sight *sight,
                 struct vote *v)
{
    const struct fleet_figures *f = &sight->figures;
    int needed = nodes_for(sight->refusals.seats, f);
    needed = needed > rule->step ? needed : (int)rule->step;
    v->at_least = f->ready + needed > f->size ? f->ready + needed : f->size;
    snprintf(v->reason, sizeof v->reason, "players_refused");
    snprintf(v->inputs, sizeof v->inputs,
             "refused=%lld refused_ms=%lld ready=%d coming=%d players=%lld places=%lld needed=%d",
             (long long)sight->refusals.seats, (long long)mono_sub(sight->now, sight->refusals.at),
             f->ready, f->coming, (long long)f->est, (long long)f->capacity, needed);
}

static struct rx_value look(void *ctx, struct rx_value before, struct rx_value value)
{
    struct rule_scope *scope = ctx;
    const struct refused_settings *rule = scope->settings;
    const struct rule_sight *sight = value.ptr;
    struct memory m = {.ready = -1};
    if (before.kind == RX_BOX)
        memcpy(&m, before.ptr, sizeof m);
    if (m.ready < 0 || sight->figures.ready > m.ready)
        m.grew_at = sight->now;
    m.ready = sight->figures.ready;
    m.vote = vote_none();
    if (!is_news(&m, sight) || rule->step == 0) {
        m.since = (mono_ms_t){0};
        return rx_box(scope->rx, &m, sizeof m);
    }
    if (m.since.ms == 0)
        m.since = sight->refusals.at;
    if (mono_sub(sight->refusals.at, m.since) >= rule->hold_ms)
        cast(rule, sight, &m.vote);
    return rx_box(scope->rx, &m, sizeof m);
}

static struct rx_value vote_of(void *ctx, struct rx_value memory)
{
    return rule_vote(ctx, &((const struct memory *)memory.ptr)->vote);
}

static struct rx_stream *votes(struct rule_scope *scope, struct rx_stream *sights)
{
    return rx_pipe(sights, rx_scan(look, scope, rx_none()), rx_map(vote_of, scope));
}

const struct rule_kind rule_refused = {.name = "refused", .votes = votes};

/* rule_target.c - keep utilisation near a target, with the semantics of Kubernetes' HPA
 * (autoscale/target.h).
 *
 * It looks once a second. Ready nodes with fresh reports count with what they hold; silent ones are
 * missing; those still coming are unready; those on their way out are left out. What it asked for
 * before (stabilisation) and how the pool's size changed (rates) is remembered in its stream. */
#include "autoscale/rule.h"
#include "autoscale/target.h"
#include "autoscale/window.h"
#include "settings/rules.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MS 1000
#define CHANGES_MAX 64

struct change {
    int by;
    int64_t at_ms;
};

struct memory {
    struct window up, down; /* what was asked for */
    struct change grown[CHANGES_MAX], shrunk[CHANGES_MAX];
    size_t grown_count, shrunk_count; /* rings: ever */
    int size;
    bool has_size;
    struct vote vote;
};

static void remember_change(struct change *ring, size_t *count, int by, int64_t now_ms)
{
    ring[*count % CHANGES_MAX] = (struct change){by, now_ms};
    ++*count;
}

static size_t as_past(const struct change *ring, size_t count, int64_t now_ms,
                      struct target_past ret_past[CHANGES_MAX])
{
    size_t n = count < CHANGES_MAX ? count : CHANGES_MAX;
    for (size_t i = 0; i < n; i++)
        ret_past[i] = (struct target_past){ring[i].by, now_ms - ring[i].at_ms};
    return n;
}

/* Both policies of a direction. */
static struct target_rates rates_of(const struct target_pace *pace,
                                    struct target_policy ret_policies[2])
{
    size_t n = 0;
    if (pace->nodes > 0)
        ret_policies[n++] = (struct target_policy){false, (int)pace->nodes, pace->period_ms};
    if (pace->percent > 0)
        ret_policies[n++] = (struct target_policy){true, (int)pace->percent, pace->period_ms};
    return (struct target_rates){(enum target_select)pace->select, ret_policies, n};
}

static size_t add_node(struct rule_scope *scope, size_t n, enum target_state state, int64_t level,
                       int64_t request)
{
    if (n < scope->scratch_max)
        scope->scratch[n++] = (struct target_node){state, level, request};
    return n;
}

static size_t gather(struct rule_scope *scope, const struct rule_sight *sight)
{
    const struct fleet *fleet = sight->fleet;
    int64_t typical = sight->figures.ready > 0 ? sight->figures.capacity / sight->figures.ready : 0;
    size_t n = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_slot *slot = &fleet->nodes[i];
        const struct fleet_node *node = &slot->node;
        bool ready = node->state == NODE_READY && !fleet_leaving(slot) && !node->want_other;
        bool coming = (node->state == NODE_JOINING && !node->want_other) || fleet_returning(slot);
        if (ready)
            n = add_node(scope, n, TARGET_READY, slot->silent ? TARGET_NONE : node->est,
                         node->capacity);
        else if (coming)
            n = add_node(scope, n, TARGET_UNREADY, 0, node->capacity);
    }
    for (int i = 0; i < sight->figures.booting; i++)
        n = add_node(scope, n, TARGET_UNREADY, 0, typical);
    return n;
}

static int ask(struct rule_scope *scope, const struct rule_sight *sight, struct err *err)
{
    const struct target_settings *rule = scope->settings;
    struct target_question q = {
        .measure = rule->of == TARGET_OF_UTILISATION ? TARGET_UTILISATION : TARGET_PER_NODE,
        .target = rule->target,
        .tolerance = rule->tolerance,
        .current = sight->figures.size,
        .count = gather(scope, sight),
    };
    q.nodes = scope->scratch;
    return target_nodes(&q, err);
}

/* What was asked for, calmed by windows and rates. */
static int calm(const struct target_settings *rule, struct memory *m, int asked, int size,
                int64_t now_ms)
{
    struct target_past grown[CHANGES_MAX], shrunk[CHANGES_MAX];
    struct target_policy up_policies[2], down_policies[2];
    struct target_rates up = rates_of(&rule->up, up_policies),
                        down = rates_of(&rule->down, down_policies);
    struct target_changes changes = {.up = grown, .down = shrunk};
    enum target_verdict verdict;
    changes.up_count = as_past(m->grown, m->grown_count, now_ms, grown);
    changes.down_count = as_past(m->shrunk, m->shrunk_count, now_ms, shrunk);
    window_put(&m->up, now_ms, rule->up.window_ms, asked);
    window_put(&m->down, now_ms, rule->down.window_ms, asked);
    int smallest = window_smallest(&m->up, asked), largest = window_largest(&m->down, asked);
    int steady = size < smallest ? smallest : size;
    steady = steady > largest ? largest : steady;
    return target_bound(size, steady, 0, INT_MAX, &up, &down, &changes, &verdict);
}

static void note_size(struct memory *m, int size, int64_t now_ms)
{
    int by = m->has_size ? size - m->size : 0;
    if (by > 0)
        remember_change(m->grown, &m->grown_count, by, now_ms);
    else if (by < 0)
        remember_change(m->shrunk, &m->shrunk_count, -by, now_ms);
    m->size = size;
    m->has_size = true;
}

static struct rx_value look(void *ctx, struct rx_value before, struct rx_value value)
{
    struct rule_scope *scope = ctx;
    const struct target_settings *rule = scope->settings;
    const struct rule_sight *sight = value.ptr;
    int size = sight->figures.size;
    struct err err = {0};
    struct memory m = {0};
    if (before.kind == RX_BOX)
        memcpy(&m, before.ptr, sizeof m);
    note_size(&m, size, sight->now.ms);
    m.vote = vote_none();
    int asked = ask(scope, sight, &err);
    if (asked < 0) {
        m.vote.at_least = size;
        snprintf(m.vote.reason, sizeof m.vote.reason, "target_no_data");
        snprintf(m.vote.inputs, sizeof m.vote.inputs, "ready=%d coming=%d", sight->figures.ready,
                 sight->figures.coming);
        return rx_box(scope->rx, &m, sizeof m);
    }
    int steady = calm(rule, &m, asked, size, sight->now.ms);
    m.vote.at_least = m.vote.at_most = steady;
    snprintf(m.vote.reason, sizeof m.vote.reason,
             steady > size   ? "target_above"
             : steady < size ? "target_below"
                             : "target");
    snprintf(m.vote.inputs, sizeof m.vote.inputs,
             "players=%lld places=%lld target=%d asked=%d steady=%d", (long long)sight->figures.est,
             (long long)sight->figures.capacity, (int)rule->target, asked, steady);
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

const struct rule_kind rule_target = {.name = "target", .votes = votes};

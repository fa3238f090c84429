/* retire.c - taking nodes out of service without killing a session, and taking them back. */
#include "autoscale/retire.h"
#include "core/mutant.h"

#include <stdio.h>
#include <string.h>

#define ASK_AGAIN_MS 3000        /* a want or move that does not show by then is asked again */
#define TERMINATE_AGAIN_MS 10000 /* a terminate call that was refused, or did not take */
#define NO_INSTANCE_MS 30000     /* no list lags so long behind a node that reported */
#define SILENCE_MIN_MS                                                                             \
    30000 /* a new leader watches at least so long before it gives up on an instance */

static const char DRAIN_DEADLINE[] = "drain_deadline";

/* ---- in ---- */

/* May it be chosen: ours, listed, wholly in service, and its figures are news. */
static bool is_candidate(const struct fleet_instance *in)
{
    return in->listed && !in->ending && !in->end_why && in->nodes > 0 &&
           in->in_service == in->nodes && in->silent == 0;
}

/* Nodes in service in the zone of this instance. */
static int zone_size(const struct fleet *fleet, const char *zone)
{
    int n = 0;
    for (size_t i = 0; i < fleet->instance_count; i++)
        if (strcmp(fleet->instances[i].zone, zone) == 0)
            n += fleet->instances[i].in_service;
    return n;
}

/* The sizes of the zones that were asked for: of few zones, which many instances share. */
struct zones {
    struct {
        const char *zone; /* of an instance */
        int size;
    } known[16];
    size_t count;
};

static int zone_size_of(struct zones *zones, const struct fleet *fleet, const char *zone)
{
    for (size_t i = 0; i < zones->count; i++)
        if (strcmp(zones->known[i].zone, zone) == 0)
            return zones->known[i].size;
    int size = zone_size(fleet, zone);
    if (zones->count < sizeof zones->known / sizeof *zones->known) {
        zones->known[zones->count].zone = zone;
        zones->known[zones->count++].size = size;
    }
    return size;
}

/* The emptiest first; among equals the youngest; then by name, so that the order is total. */
static bool goes_before(const struct fleet_instance *a, const struct fleet_instance *b)
{
    if (a->est != b->est)
        return MUTANT(fullest_first) ? a->est > b->est : a->est < b->est;
    if (a->since.ms != b->since.ms)
        return a->since.ms > b->since.ms;
    return strcmp(a->id, b->id) > 0;
}

static struct fleet_instance *choose_victim(struct fleet *fleet, int nodes_left, bool only_old)
{
    struct fleet_instance *best = NULL;
    struct zones zones = {.count = 0};
    int best_zone = 0;
    for (size_t i = 0; i < fleet->instance_count; i++) {
        struct fleet_instance *in = &fleet->instances[i];
        if (!is_candidate(in) || in->nodes > nodes_left ||
            (only_old && !in->old && !MUTANT(roll_takes_any)))
            continue;
        int zone = zone_size_of(&zones, fleet, in->zone);
        if (!best || zone > best_zone || (zone == best_zone && goes_before(in, best))) {
            best = in;
            best_zone = zone;
        }
    }
    return best;
}

static bool want(struct fleet_slot *slot, const char *wanted, enum fleet_ask ask, const char *why,
                 mono_ms_t now, struct effects *fx)
{
    struct effect *e = effects_add(fx, EFFECT_WANT, slot->node.name, why);
    if (!e)
        return false;
    e->want = wanted;
    e->epoch = slot->node.epoch;
    slot->ask = ask;
    slot->ask_again_at = mono_add(now, ASK_AGAIN_MS);
    return true;
}

static int start(struct fleet *fleet, int step, bool only_old, const char *why, mono_ms_t now,
                 struct effects *fx)
{
    int asked = 0;
    while (asked < step) {
        struct fleet_instance *victim = choose_victim(fleet, step - asked, only_old);
        if (!victim || !effects_room(fx, (size_t)victim->nodes + 1))
            break;
        int row = (int)(victim - fleet->instances);
        for (size_t i = 0; i < fleet->count; i++)
            if (fleet->nodes[i].instance == row)
                want(&fleet->nodes[i], "draining", FLEET_ASK_DRAIN, why, now, fx);
        asked += victim->nodes;
        victim->own_out = victim->nodes;
        victim->in_service = 0;
    }
    return asked;
}

int retire_start(struct fleet *fleet, int step, const char *why, mono_ms_t now, struct effects *fx)
{
    return start(fleet, step, false, why, now, fx);
}

int retire_start_old(struct fleet *fleet, int step, mono_ms_t now, struct effects *fx)
{
    return start(fleet, step, true, "roll", now, fx);
}

/* ---- back ---- */

/* May it be taken back: its nodes are on their way out by our want alone, and none is being ended.
 */
static bool can_come_back(const struct fleet_instance *in)
{
    return in->listed && !in->ending && !in->end_why && in->own_out > 0 && !in->terminating &&
           !in->end_asked_nodes && !in->other_out;
}

int retire_take_back(struct fleet *fleet, int step, mono_ms_t now, struct effects *fx)
{
    int back = 0;
    while (back < step) {
        struct fleet_instance *best = NULL;
        for (size_t i = 0; i < fleet->instance_count; i++) {
            struct fleet_instance *in = &fleet->instances[i];
            if (can_come_back(in) && (!best || goes_before(best, in)))
                best = in;
        }
        if (!best || !effects_room(fx, (size_t)best->nodes + 1))
            break;
        int row = (int)(best - fleet->instances);
        for (size_t i = 0; i < fleet->count; i++) {
            struct fleet_slot *slot = &fleet->nodes[i];
            if (slot->instance == row && fleet_leaving(slot)) {
                want(slot, "none", FLEET_ASK_TAKE_BACK, "load_returned", now, fx);
                back++;
            }
        }
        best->own_out = 0;
    }
    return back;
}

/* ---- through ---- */

static bool move(struct fleet_slot *slot, enum node_state to, enum fleet_ask ask, const char *why,
                 mono_ms_t now, struct effects *fx)
{
    struct effect *e = effects_add(fx, EFFECT_MOVE, slot->node.name, why);
    if (!e)
        return false;
    e->epoch = slot->node.epoch;
    e->from = slot->node.state;
    e->to = to;
    slot->ask = ask;
    slot->ask_again_at = mono_add(now, ASK_AGAIN_MS);
    return true;
}

/* Is the instance of this node no longer there? Only one that was listed before can be known to be
 * gone. */
static bool instance_is_gone(const struct fleet_instance *in)
{
    return in->was_listed && !in->listed;
}

/* Every node that the instance boots is drained or already ending, by nobody's wish but ours. */
static bool is_drained(const struct fleet *fleet, const struct fleet_instance *in, mono_ms_t now)
{
    return in->nodes > 0 && in->drained > 0 && in->drained + in->terminating == in->nodes &&
           !in->other_out && in->own_out + in->terminating >= in->nodes &&
           fleet_coming(fleet, in, now) == 0;
}

static void step_node(struct fleet *fleet, struct fleet_slot *slot, mono_ms_t now,
                      struct effects *fx)
{
    if (slot->ask != FLEET_ASK_NONE && mono_before(now, slot->ask_again_at))
        return;
    const struct fleet_node *n = &slot->node;
    if (slot->ask == FLEET_ASK_DRAIN) {
        want(slot, "draining", FLEET_ASK_DRAIN, "again", now, fx);
        return;
    }
    if (slot->ask == FLEET_ASK_TAKE_BACK) {
        want(slot, "none", FLEET_ASK_TAKE_BACK, "again", now, fx);
        return;
    }
    if (slot->instance < 0) { /* ended and forgotten, but a failover took the forgetting back */
        if (n->state == NODE_TERMINATING && n->report_age_ms >= NO_INSTANCE_MS)
            move(slot, NODE_GONE, FLEET_ASK_FORGET, "no_instance", now, fx);
        return;
    }
    struct fleet_instance *in = &fleet->instances[slot->instance];
    bool gone = instance_is_gone(in);
    if (n->state == NODE_DRAINED && fleet_leaving(slot) && is_drained(fleet, in, now))
        in->end_asked_nodes += move(slot, NODE_TERMINATING, FLEET_ASK_END, "drained", now, fx);
    else if (n->state == NODE_DRAINED && gone)
        move(slot, NODE_TERMINATING, FLEET_ASK_END, "instance_gone", now, fx);
    else if ((n->state == NODE_TERMINATING || n->state == NODE_LOST) && gone)
        move(slot, NODE_GONE, FLEET_ASK_FORGET, "instance_gone", now, fx);
}

/* Why this instance should be ended though nobody drained it; NULL: it should not. */
static const char *overdue(const struct fleet *fleet, const struct policy *policy,
                           const struct fleet_instance *in, mono_ms_t now)
{
    if (!in->listed || in->ending)
        return NULL;
    if (in->nodes > 0) {
        int64_t deadline_ms = policy->drain_deadline_ms / (MUTANT(deadline_is_short) ? 2 : 1);
        bool over = deadline_ms > 0 && in->leaving_since.ms > 0 &&
                    mono_sub(now, in->leaving_since) >= deadline_ms && !MUTANT(no_deadline);
        return over ? DRAIN_DEADLINE : NULL;
    }
    int64_t silent = mono_sub(now, in->silent_since);
    int64_t least =
        policy->boot_timeout_ms < SILENCE_MIN_MS ? policy->boot_timeout_ms : SILENCE_MIN_MS;
    if (in->unsure) /* a former leader may have seen it report: it may hold players */
        return NULL;
    if (!in->reported)
        return mono_sub(now, in->since) >= policy->boot_timeout_ms && silent >= least
                   ? "boot_timeout"
                   : NULL;
    return policy->silent_timeout_ms > 0 && silent >= policy->silent_timeout_ms ? "silent" : NULL;
}

/* It costs money and is of no use, but it may hold players who are only cut off from the store:
 * people are told, once. */
static void tell_silent(struct fleet_instance *in, const struct policy *policy, mono_ms_t now,
                        struct effects *fx)
{
    bool silent = in->listed && !in->ending && !in->end_why && in->nodes == 0 && in->reported &&
                  mono_sub(now, in->silent_since) >= policy->boot_timeout_ms;
    if (!silent || in->silent_told || !effects_room(fx, 1))
        return;
    in->silent_told = true;
    effects_note(fx, "instance_silent", in->id, true, "age_s=%lld silent_s=%lld",
                 (long long)(mono_sub(now, in->since) / 1000),
                 (long long)(mono_sub(now, in->silent_since) / 1000));
}

static bool terminate(struct fleet_instance *in, const char *why, mono_ms_t now, struct effects *fx)
{
    if (!effects_room(fx, 2) || !effects_add(fx, EFFECT_TERMINATE, in->id, why))
        return false;
    in->end_asked = true;
    in->end_again_at = mono_add(now, TERMINATE_AGAIN_MS);
    effects_note(fx, "terminate", in->id, strcmp(why, "drained") != 0, "why=%s nodes=%d age_s=%lld",
                 why, in->nodes, (long long)(mono_sub(now, in->since) / 1000));
    return true;
}

/* Returns true if it is found to have failed to boot. */
static bool step_instance(struct fleet *fleet, const struct policy *policy,
                          struct fleet_instance *in, mono_ms_t now, struct effects *fx)
{
    bool failed = false;
    if (!in->end_why) {
        in->end_why = overdue(fleet, policy, in, now);
        failed = in->end_why && strcmp(in->end_why, "boot_timeout") == 0;
    }
    if (in->end_why && in->end_why != DRAIN_DEADLINE && in->nodes > 0 && !in->ending &&
        !in->end_asked)
        in->end_why = NULL; /* it came up after all, in time */
    tell_silent(in, policy, now, fx);
    bool ended = in->nodes > 0 && in->terminating == in->nodes;
    if (MUTANT(ends_when_empty))
        ended |= in->nodes > 0 && in->own_out == in->nodes && in->conns == 0;
    if (!in->listed || (!ended && !in->end_why) || mono_before(now, in->end_again_at))
        return failed;
    terminate(in, in->end_why ? in->end_why : "drained", now, fx);
    return failed;
}

int retire_step(struct fleet *fleet, const struct policy *policy, mono_ms_t now, struct effects *fx)
{
    int failed = 0;
    for (size_t i = 0; i < fleet->count; i++)
        step_node(fleet, &fleet->nodes[i], now, fx);
    for (size_t i = 0; i < fleet->instance_count; i++)
        failed += step_instance(fleet, policy, &fleet->instances[i], now, fx);
    return failed;
}

void retire_terminated(struct fleet *fleet, const char *id, bool ok, const char *error,
                       mono_ms_t now, struct effects *fx)
{
    struct fleet_instance *in = fleet_instance_of(fleet, id);
    if (!in)
        return;
    in->end_asked = false;
    if (ok)
        in->ending = true;
    else
        effects_note(fx, "terminate_failed", id, true, "error=%s", error);
    in->end_again_at = mono_add(now, ok ? 6 * TERMINATE_AGAIN_MS : TERMINATE_AGAIN_MS);
}

bool retire_watching(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->instance_count; i++) {
        const struct fleet_instance *in = &fleet->instances[i];
        if (in->ending || in->end_asked || in->end_why || in->terminating ||
            (in->was_listed && !in->listed) || !in->was_listed)
            return true;
    }
    return false;
}

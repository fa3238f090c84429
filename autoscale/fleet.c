/* fleet.c - what the autoscaler knows of one pool: its nodes, the instances they live on, and what
 * it has asked of each. */
#include "autoscale/fleet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Copy an id that is known to fit (NAME_SIZE); longer ones are cut. */
static void copy_id(char *ret_id, const char *id)
{
    size_t len = strnlen(id, NAME_SIZE - 1);
    memcpy(ret_id, id, len);
    ret_id[len] = 0;
}

int fleet_init(struct fleet *fleet, size_t nodes_max, int nodes_per_instance,
               int64_t boot_timeout_ms, int64_t stale_after_ms)
{
    *fleet = (struct fleet){
        .nodes_max = nodes_max,
        .instances_max = nodes_max * 2, /* old ones end while new ones boot */
        .nodes_per_instance = nodes_per_instance,
        .boot_timeout_ms = boot_timeout_ms,
        .stale_after_ms = stale_after_ms,
    };
    fleet->nodes = calloc(nodes_max, sizeof *fleet->nodes);
    fleet->spare = calloc(nodes_max, sizeof *fleet->spare);
    fleet->instances = calloc(fleet->instances_max, sizeof *fleet->instances);
    int failed = !fleet->nodes || !fleet->spare || !fleet->instances;
    failed |= strmap_init(&fleet->by_name, (uint32_t)nodes_max, 0) < 0;
    failed |= strmap_init(&fleet->by_id, (uint32_t)fleet->instances_max, 0) < 0;
    if (failed) {
        fleet_fini(fleet);
        return BERTH_ENOMEM;
    }
    return 0;
}

void fleet_fini(struct fleet *fleet)
{
    strmap_fini(&fleet->by_name);
    strmap_fini(&fleet->by_id);
    free(fleet->nodes);
    free(fleet->spare);
    free(fleet->instances);
    *fleet = (struct fleet){0};
}

bool fleet_leaving(const struct fleet_slot *slot)
{
    if (slot->ask == FLEET_ASK_DRAIN)
        return true;
    return slot->node.want_own && slot->ask != FLEET_ASK_TAKE_BACK;
}

static bool on_way_out(enum node_state state)
{
    return state == NODE_DRAINING || state == NODE_CLOSING || state == NODE_DRAINED;
}

bool fleet_returning(const struct fleet_slot *slot)
{
    return on_way_out(slot->node.state) && !fleet_leaving(slot) && !slot->node.want_other &&
           slot->ask != FLEET_ASK_END && slot->ask != FLEET_ASK_FORGET;
}

/* Has what was asked become visible? */
static bool ask_is_done(enum fleet_ask ask, const struct fleet_node *node)
{
    switch (ask) {
    case FLEET_ASK_NONE:
        return true;
    case FLEET_ASK_DRAIN:
        return node->want_own;
    case FLEET_ASK_TAKE_BACK:
        return !node->want_own;
    case FLEET_ASK_END:
        return node->state != NODE_DRAINED;
    case FLEET_ASK_FORGET:
        return node->state == NODE_GONE; /* and then it is not in the next snapshot */
    }
    return true;
}

static struct fleet_instance *add_instance(struct fleet *fleet, const char *id)
{
    if (fleet->instance_count == fleet->instances_max) {
        fleet->overflowed++;
        return NULL;
    }
    struct fleet_instance *in = &fleet->instances[fleet->instance_count];
    *in = (struct fleet_instance){0};
    copy_id(in->id, id);
    if (strmap_put(&fleet->by_id, span_of(in->id), (uint32_t)fleet->instance_count) < 0) {
        fleet->overflowed++; /* an empty id */
        return NULL;
    }
    fleet->instance_count++;
    return in;
}

struct fleet_instance *fleet_instance_of(struct fleet *fleet, const char *id)
{
    assert(fleet->instances != NULL && id != NULL);
    uint32_t at = strmap_get(&fleet->by_id, span_of(id));
    return at == STRMAP_NONE ? NULL : &fleet->instances[at];
}

struct fleet_slot *fleet_node_named(struct fleet *fleet, const char *name)
{
    uint32_t at = strmap_get(&fleet->by_name, span_of(name));
    return at == STRMAP_NONE ? NULL : &fleet->nodes[at];
}

/* The instance of a node: nearly always the one it was on. */
static struct fleet_instance *instance_of(struct fleet *fleet, const struct fleet_slot *slot)
{
    if (slot->instance >= 0 && (size_t)slot->instance < fleet->instance_count &&
        strcmp(fleet->instances[slot->instance].id, slot->node.instance) == 0)
        return &fleet->instances[slot->instance];
    return fleet_instance_of(fleet, slot->node.instance);
}

/* Count the nodes into the instances they live on. */
static void join_nodes(struct fleet *fleet, mono_ms_t now)
{
    for (size_t i = 0; i < fleet->instance_count; i++) {
        struct fleet_instance *in = &fleet->instances[i];
        in->nodes = in->ready = in->in_service = in->own_out = in->drained = in->terminating =
            in->end_asked_nodes = in->silent = in->other_out = in->lost = 0;
        in->conns = in->est = 0;
        in->old = false;
    }
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_slot *slot = &fleet->nodes[i];
        const struct fleet_node *n = &slot->node;
        struct fleet_instance *in = instance_of(fleet, slot);
        slot->instance = in ? (int)(in - fleet->instances) : -1;
        if (!in)
            continue;
        in->nodes++;
        in->ready += n->state == NODE_READY;
        in->in_service += (n->state == NODE_READY || n->state == NODE_JOINING) &&
                          !fleet_leaving(slot) && !n->want_other;
        in->own_out += fleet_leaving(slot) && !n->want_other;
        in->other_out += n->want_other || n->state == NODE_HELD;
        in->drained += n->state == NODE_DRAINED;
        in->terminating += n->state == NODE_TERMINATING;
        in->silent += slot->silent;
        in->end_asked_nodes += slot->ask == FLEET_ASK_END;
        in->lost += n->state == NODE_LOST;
        in->old = in->old || n->old;
        in->conns += n->conns;
        in->est += n->est;
        in->reported = true;
        in->most = in->nodes > in->most ? in->nodes : in->most;
        in->silent_told = false;
        in->silent_since = now;
        if (!in->zone[0])
            memcpy(in->zone, n->zone, sizeof in->zone);
    }
}

/* Since when are all nodes of the instance on their way out? */
static void time_leaving(struct fleet *fleet, mono_ms_t now)
{
    for (size_t i = 0; i < fleet->instance_count; i++) {
        struct fleet_instance *in = &fleet->instances[i];
        bool leaving = in->nodes > 0 && in->own_out == in->nodes;
        if (!leaving) {
            in->leaving_since = (mono_ms_t){0};
            in->stuck_told = false;
        }
        if (leaving && in->leaving_since.ms == 0)
            in->leaving_since = now;
    }
}

/* Rows of instances that neither the provider nor the pool knows any more. */
static void prune_instances(struct fleet *fleet, mono_ms_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < fleet->instance_count; i++) {
        struct fleet_instance *in = &fleet->instances[i];
        if (in->listed || in->nodes || !in->was_listed) {
            if (kept != i)
                fleet->instances[kept] = *in;
            kept++;
        } else if (!in->reported && !in->unsure && !in->ending && !in->end_why) {
            fleet->died++;
            memcpy(fleet->died_id, in->id, sizeof fleet->died_id);
        }
    }
    if (kept == fleet->instance_count)
        return;
    fleet->instance_count = kept;
    strmap_clear(&fleet->by_id);
    for (size_t i = 0; i < kept; i++)
        if (strmap_put(&fleet->by_id, span_of(fleet->instances[i].id), (uint32_t)i) < 0)
            assert(!"an id that was in the map fits again");
    join_nodes(fleet, now);
}

/* Since when is it lost, and do people know? What was lost before anything was seen is no news. */
static void take_loss(struct fleet_slot *slot, const struct fleet_slot *old, bool ever,
                      mono_ms_t now)
{
    if (old)
        slot->lost_told = old->lost_told;
    if (slot->node.state != NODE_LOST)
        return;
    if (old && old->node.state == NODE_LOST)
        slot->lost_at = old->lost_at;
    else if (ever)
        slot->lost_at = now;
}

/* The node as the last snapshot had it: nearly always at the same place. */
static const struct fleet_slot *seen_before(struct fleet *fleet, const char *name, size_t place,
                                            bool *ret_moved)
{
    if (place < fleet->count && strcmp(fleet->nodes[place].node.name, name) == 0)
        return &fleet->nodes[place];
    *ret_moved = true;
    return fleet_node_named(fleet, name);
}

static void name_nodes(struct fleet *fleet)
{
    strmap_clear(&fleet->by_name);
    for (size_t i = 0; i < fleet->count; i++)
        if (strmap_put(&fleet->by_name, span_of(fleet->nodes[i].node.name), (uint32_t)i) < 0)
            assert(!"a node has a name, and there is room");
}

static void copy_numbers(struct fleet_node *to, const struct fleet_node *from)
{
    to->conns = from->conns;
    to->est = from->est;
    to->capacity = from->capacity;
    to->report_age_ms = from->report_age_ms;
    to->want_other = from->want_other;
    to->want_own = from->want_own;
    to->old = from->old;
    for (size_t g = 0; g < FLEET_GAUGES; g++) {
        to->gauges[g] = from->gauges[g];
        if (from->gauges[g].name[0] == '\0')
            break;
    }
}

/* The nodes are those that are held, each in its place and state. */
static void see_numbers(struct fleet *fleet, const struct fleet_node *nodes)
{
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_slot *slot = &fleet->nodes[i];
        copy_numbers(&slot->node, &nodes[i]);
        slot->silent = nodes[i].report_age_ms > fleet->stale_after_ms;
        if (ask_is_done(slot->ask, &slot->node)) {
            slot->ask = FLEET_ASK_NONE;
            slot->ask_again_at = (mono_ms_t){0};
        }
    }
}

/* True: there was room for all. */
static bool see_nodes(struct fleet *fleet, const struct fleet_snapshot *snapshot, mono_ms_t now)
{
    size_t kept = 0;
    bool room = true, moved = false;
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct fleet_node *n = &snapshot->nodes[i];
        if (n->state == NODE_GONE)
            continue;
        if (kept == fleet->nodes_max) {
            fleet->overflowed++;
            room = false;
            break;
        }
        struct fleet_slot *slot = &fleet->spare[kept];
        slot->node = *n; /* half a kilobyte: copied once */
        slot->ask = FLEET_ASK_NONE;
        slot->ask_again_at = slot->lost_at = (mono_ms_t){0};
        slot->lost_told = false;
        slot->silent = n->report_age_ms > fleet->stale_after_ms;
        const struct fleet_slot *old = seen_before(fleet, n->name, kept, &moved);
        slot->instance = old ? old->instance : -1; /* probably: join_nodes() looks */
        take_loss(slot, old, fleet->ever, now);
        if (old && old->node.epoch == n->epoch && !ask_is_done(old->ask, n)) {
            slot->ask = old->ask;
            slot->ask_again_at = old->ask_again_at;
        }
        kept++;
    }
    struct fleet_slot *nodes = fleet->nodes;
    fleet->nodes = fleet->spare;
    fleet->spare = nodes;
    moved = moved || kept != fleet->count;
    fleet->count = kept;
    if (moved)
        name_nodes(fleet);
    fleet->edition = kept == snapshot->count ? snapshot->edition : 0;
    return room;
}

void fleet_see(struct fleet *fleet, const struct fleet_snapshot *snapshot, mono_ms_t now)
{
    bool room = true;
    if (snapshot->edition != 0 && snapshot->edition == fleet->edition)
        see_numbers(fleet, snapshot->nodes);
    else
        room = see_nodes(fleet, snapshot, now);
    fleet->complete = snapshot->complete && room;
    fleet->ever = true;
    if (fleet->complete)
        fleet->seen_at = now;
    join_nodes(fleet, now);
    time_leaving(fleet, now);
    prune_instances(fleet, now);
}

void fleet_list(struct fleet *fleet, const struct fleet_listed *items, size_t count,
                mono_ms_t asked_at, int64_t settle_ms, mono_ms_t now)
{
    assert(fleet->instances != NULL);
    for (size_t i = 0; i < fleet->instance_count; i++)
        fleet->instances[i].listed = false;
    for (size_t i = 0; i < count; i++) {
        const struct fleet_listed *item = &items[i];
        struct fleet_instance *in = fleet_instance_of(fleet, item->id);
        if (!in) {
            in = add_instance(fleet, item->id);
            if (!in)
                continue;
            int64_t age = item->age_ms < 0 ? 0 : item->age_ms;
            in->since = (mono_ms_t){now.ms - age};
            in->decided_at = item->age_ms < 0 ? (mono_ms_t){0} : in->since;
            in->found = true;
            in->silent_since = now;
            in->unsure = fleet->inherits || age > fleet->boot_timeout_ms;
        }
        memcpy(in->token, item->token, sizeof in->token);
        memcpy(in->zone, item->zone, sizeof in->zone);
        in->listed = in->was_listed = true;
        in->ending = item->ending || in->ending;
    }
    for (size_t i = 0; i < fleet->instance_count; i++) {
        struct fleet_instance *in = &fleet->instances[i];
        bool young = mono_sub(asked_at, in->since) < settle_ms || mono_before(asked_at, in->since);
        if (!in->listed && !in->was_listed && !young)
            in->was_listed = true; /* it never came to be: the next prune drops it */
        if (!in->listed && in->was_listed && young && !in->ending)
            in->listed = true; /* the list lags */
    }
    join_nodes(fleet, now);
    prune_instances(fleet, now);
}

void fleet_launched(struct fleet *fleet, const char *id, const char *token, const char *zone,
                    mono_ms_t decided_at, mono_ms_t now)
{
    struct fleet_instance *in = fleet_instance_of(fleet, id);
    if (in) { /* listed before the answer came */
        in->decided_at = decided_at;
        return;
    }
    in = add_instance(fleet, id);
    if (!in)
        return;
    in->decided_at = decided_at;
    copy_id(in->token, token);
    copy_id(in->zone, zone);
    in->since = in->silent_since = now;
    join_nodes(fleet, now);
}

void fleet_forget_asks(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->count; i++)
        fleet->nodes[i].ask = FLEET_ASK_NONE;
    for (size_t i = 0; i < fleet->instance_count; i++) {
        fleet->instances[i].end_asked = false;
        fleet->instances[i].end_why = NULL;
        fleet->instances[i].end_again_at = (mono_ms_t){0};
    }
}

void fleet_restart_silence(struct fleet *fleet, mono_ms_t now)
{
    for (size_t i = 0; i < fleet->instance_count; i++)
        fleet->instances[i].silent_since = now;
}

int fleet_coming(const struct fleet *fleet, const struct fleet_instance *in, mono_ms_t now)
{
    if (in->ending || in->end_why || in->end_asked || (in->was_listed && !in->listed))
        return 0;
    if (mono_sub(now, in->since) >= fleet->boot_timeout_ms)
        return 0;
    if (in->own_out || in->drained || in->terminating) /* half booted and already leaving */
        return 0;
    int came = in->reported && in->most == 0 ? 1 : in->most; /* what has gone again is not coming */
    int missing = fleet->nodes_per_instance - (in->nodes > came ? in->nodes : came);
    return missing > 0 ? missing : 0;
}

void fleet_count(const struct fleet *fleet, int launching, mono_ms_t now,
                 struct fleet_figures *ret_figures)
{
    struct fleet_figures f = {.booting = launching};
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_slot *slot = &fleet->nodes[i];
        const struct fleet_node *n = &slot->node;
        f.players += n->state == NODE_LOST ? 0 : n->conns;
        if (n->state == NODE_LOST) {
            f.lost++;
        } else if (n->state == NODE_TERMINATING) {
            f.terminating++;
        } else if (n->want_other || n->state == NODE_HELD) {
            f.out++;
        } else if (fleet_leaving(slot)) {
            f.draining++;
        } else if (n->state == NODE_READY) {
            f.ready++;
            f.silent += slot->silent;
            f.conns += n->conns;
            f.est += n->est;
            f.capacity += n->capacity;
        } else if (n->state == NODE_JOINING) {
            f.joining++;
        } else if (fleet_returning(slot)) {
            f.returning++;
        }
    }
    for (size_t i = 0; i < fleet->instance_count; i++) {
        const struct fleet_instance *in = &fleet->instances[i];
        f.booting += fleet_coming(fleet, in, now);
        f.old += in->old ? in->in_service : 0;
        f.old_leaving +=
            in->old && in->own_out > in->terminating ? in->own_out - in->terminating : 0;
    }
    f.coming = f.booting + f.joining + f.returning;
    f.size = f.ready + f.coming;
    f.average = f.ready ? (double)f.est / f.ready : 0;
    *ret_figures = f;
}

int64_t fleet_players(const struct fleet *fleet)
{
    int64_t players = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_node *n = &fleet->nodes[i].node;
        if (n->state != NODE_LOST && n->state != NODE_TERMINATING && n->state != NODE_GONE)
            players += n->est;
    }
    return players;
}

int fleet_of_token(const struct fleet *fleet, const char *token, int *ret_reported)
{
    int known = 0, reported = 0;
    for (size_t i = 0; i < fleet->instance_count; i++) {
        const struct fleet_instance *in = &fleet->instances[i];
        if (strcmp(in->token, token) != 0)
            continue;
        known++;
        reported += in->reported;
    }
    *ret_reported = reported;
    return known;
}

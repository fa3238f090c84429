/* world.c - a small virtual harbour for the autoscaler's tests. */
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LOST_AFTER_MS 3000
#define FORGET_AFTER_MS 60000
#define CLOSE_MS 500 /* empty to closing */

static void handle(struct world *w, struct world_side *side, const struct effects *fx);

static void feed(struct world *w, struct world_side *side, struct scale_event *ev)
{
    static struct effects pool[16]; /* handling an effect may step again */
    static int depth;
    if (side->stopped)
        return;
    assert(depth < 16);
    struct effects *fx = &pool[depth++];
    ev->now = w->now;
    ev->wall = (wall_ms_t){w->now.ms + w->wall_offset};
    scale_step(side->scale, ev, fx);
    handle(w, side, fx);
    depth--;
}

static struct world_node *find_node(struct world *w, const char *name)
{
    for (size_t i = 0; i < w->node_count; i++)
        if (w->nodes[i].present && strcmp(w->nodes[i].node.name, name) == 0)
            return &w->nodes[i];
    return NULL;
}

static void answer(struct world *w, struct world_side *side, enum scale_event_kind kind,
                   const char *name, enum scale_outcome outcome)
{
    struct scale_event ev = {.kind = kind,
                             .answer = {.name = name, .outcome = outcome, .error = "test error"}};
    feed(w, side, &ev);
}

static bool is_fenced(const struct world *w, const struct world_side *side)
{
    return side->fence != w->fence;
}

static void plan_set(struct world *w, const char *name, const char *record)
{
    size_t i = 0;
    while (i < w->plan_count && strcmp(w->plan[i].name, name) != 0)
        i++;
    assert(i < WORLD_PLAN);
    if (i == w->plan_count)
        w->plan_count++;
    snprintf(w->plan[i].name, sizeof w->plan[i].name, "%s", name);
    snprintf(w->plan[i].record, sizeof w->plan[i].record, "%s", record);
}

static void plan_del(struct world *w, const char *name)
{
    for (size_t i = 0; i < w->plan_count; i++) {
        if (strcmp(w->plan[i].name, name) == 0) {
            w->plan[i] = w->plan[--w->plan_count];
            return;
        }
    }
}

static void do_plan_set(struct world *w, struct world_side *side, const struct effect *e)
{
    bool ok = !is_fenced(w, side) && !w->plan_fails;
    if (ok && strcmp(e->name, "boot") == 0)
        memcpy(w->boot_record, e->record, sizeof w->boot_record);
    else if (ok)
        plan_set(w, e->name, e->record);
    if (strcmp(e->name, "memory") == 0)
        return;
    if (w->crash_after_plan)
        side->stopped = true;
    answer(w, side, SCALE_WRITTEN, e->name, ok ? SCALE_DONE : SCALE_NOT_DONE);
}

static void do_plan_read(struct world *w, struct world_side *side)
{
    struct scale_plan_field fields[WORLD_PLAN + 1];
    size_t count = 0;
    for (; count < w->plan_count; count++)
        fields[count] = (struct scale_plan_field){w->plan[count].name, w->plan[count].record};
    if (w->boot_record[0])
        fields[count++] = (struct scale_plan_field){"boot", w->boot_record};
    struct scale_event ev = {.kind = SCALE_PLAN, .plan = {fields, count}};
    feed(w, side, &ev);
}

static void make_instance(struct world *w, const char *id, const char *token)
{
    for (size_t i = 0; i < w->instance_count; i++)
        if (strcmp(w->instances[i].id, id) == 0)
            return; /* idempotent by token */
    assert(w->instance_count < WORLD_NODES);
    struct world_instance *in = &w->instances[w->instance_count++];
    *in = (struct world_instance){.exists = !w->dies_at_boot, .made_at = w->now};
    snprintf(in->id, sizeof in->id, "%.64s", id);
    snprintf(in->token, sizeof in->token, "%s", token);
    w->launched++;
}

static void do_launch(struct world *w, struct world_side *side, const struct effect *e)
{
    char ids[WORLD_NODES][NAME_SIZE];
    w->launch_calls++;
    if (w->launch_outcome != SCALE_DONE && w->launch_outcome != SCALE_UNKNOWN) {
        answer(w, side, SCALE_LAUNCHED, e->name, w->launch_outcome);
        return;
    }
    for (int k = 0; k < e->count; k++) {
        snprintf(ids[k], sizeof ids[k], "game-%.40s-%d", e->name, k + 1);
        make_instance(w, ids[k], e->name);
    }
    if (w->crash_after_launch)
        side->stopped = true;
    if (w->launch_outcome == SCALE_UNKNOWN) {
        answer(w, side, SCALE_LAUNCHED, e->name, SCALE_UNKNOWN);
        return;
    }
    struct scale_event ev = {.kind = SCALE_LAUNCHED,
                             .answer = {.name = e->name,
                                        .outcome = SCALE_DONE,
                                        .ids = (const char(*)[NAME_SIZE])ids,
                                        .count = (size_t)e->count}};
    feed(w, side, &ev);
}

static void do_list(struct world *w, struct world_side *side, const struct effect *e)
{
    struct fleet_listed items[WORLD_NODES];
    size_t n = 0;
    for (size_t i = 0; i < w->instance_count; i++) {
        const struct world_instance *in = &w->instances[i];
        if (!in->exists)
            continue;
        struct fleet_listed *item = &items[n++];
        *item =
            (struct fleet_listed){.age_ms = mono_sub(w->now, in->made_at), .ending = in->ending};
        memcpy(item->id, in->id, sizeof item->id);
        memcpy(item->token, in->token, sizeof item->token);
        memcpy(item->zone, in->zone, sizeof item->zone);
    }
    struct scale_event ev = {
        .kind = SCALE_LISTED,
        .listed = {.items = items, .count = n, .ok = !w->list_fails, .asked_at = e->asked_at}};
    feed(w, side, &ev);
}

static void do_terminate(struct world *w, struct world_side *side, const struct effect *e)
{
    for (size_t i = 0; i < w->instance_count; i++) {
        struct world_instance *in = &w->instances[i];
        if (strcmp(in->id, e->name) != 0 || w->terminate_outcome != SCALE_DONE)
            continue;
        in->ending = true;
        in->ends_at = mono_add(w->now, 1000);
        w->terminated++;
        for (size_t k = 0; k < w->node_count; k++)
            if (w->nodes[k].present && strcmp(w->nodes[k].node.instance, in->id) == 0)
                w->killed_players += (int)w->nodes[k].node.conns;
    }
    answer(w, side, SCALE_TERMINATED, e->name, w->terminate_outcome);
}

static void set_state(struct world *w, struct world_node *n, enum node_state state)
{
    n->node.state = state;
    n->state_at = w->now;
}

static void do_move(struct world *w, struct world_side *side, const struct effect *e)
{
    struct world_node *n = find_node(w, e->name);
    if (is_fenced(w, side) || !n || n->node.state != e->from || n->node.epoch != e->epoch ||
        !state_may_move(MOVE_LEADER, e->from, e->to)) {
        answer(w, side, SCALE_REFUSED, e->name, SCALE_NOT_DONE);
        return;
    }
    w->moves++;
    set_state(w, n, e->to);
    n->present = e->to != NODE_GONE;
}

static void do_want(struct world *w, struct world_side *side, const struct effect *e)
{
    struct world_node *n = find_node(w, e->name);
    if (is_fenced(w, side)) {
        answer(w, side, SCALE_REFUSED, e->name, SCALE_NOT_DONE);
        return;
    }
    w->wants++;
    if (n)
        n->node.want_own = strcmp(e->want, "draining") == 0;
}

static void handle(struct world *w, struct world_side *side, const struct effects *fx)
{
    for (size_t i = 0; i < fx->count && !side->stopped; i++) {
        const struct effect *e = &fx->item[i];
        if (e->kind != EFFECT_LIST && w->log_len + 700 < WORLD_LOG) {
            char line[640];
            w->log_len +=
                (size_t)snprintf(w->log + w->log_len, WORLD_LOG - w->log_len, "[%6lld] %s\n",
                                 (long long)w->now.ms, effects_render(e, line, sizeof line));
        }
        switch (e->kind) {
        case EFFECT_PLAN_SET:
            do_plan_set(w, side, e);
            break;
        case EFFECT_PLAN_DEL:
            if (!is_fenced(w, side))
                plan_del(w, e->name);
            break;
        case EFFECT_PLAN_READ:
            do_plan_read(w, side);
            break;
        case EFFECT_LAUNCH:
            do_launch(w, side, e);
            break;
        case EFFECT_LIST:
            do_list(w, side, e);
            break;
        case EFFECT_TERMINATE:
            do_terminate(w, side, e);
            break;
        case EFFECT_WANT:
            do_want(w, side, e);
            break;
        case EFFECT_MOVE:
            do_move(w, side, e);
            break;
        case EFFECT_ACT:
            w->acts++;
            break;
        case EFFECT_NOTE:
        case EFFECT_TELL:
            w->notes++;
            break;
        }
    }
}

/* ---- the harbour by itself ---- */

static void boot_node(struct world *w, struct world_instance *in)
{
    assert(w->node_count < WORLD_NODES);
    struct world_node *n = &w->nodes[w->node_count++];
    *n = (struct world_node){
        .present = true, .alive = true, .reported_at = w->now, .state_at = w->now};
    n->node = (struct fleet_node){.epoch = w->now.ms + 1, .state = NODE_JOINING, .capacity = 100};
    snprintf(n->node.name, sizeof n->node.name, "%.40s.%d", in->id, in->booted++);
    memcpy(n->node.instance, in->id, sizeof in->id);
    memcpy(n->node.zone, in->zone, sizeof in->zone);
}

static void run_instances(struct world *w)
{
    for (size_t i = 0; i < w->instance_count; i++) {
        struct world_instance *in = &w->instances[i];
        bool up = in->exists && !in->ending && w->boot_ms >= 0 &&
                  mono_sub(w->now, in->made_at) >= w->boot_ms;
        while (up && in->booted < w->policy.nodes_per_instance - w->boots_less)
            boot_node(w, in);
        if (!in->ending || !in->exists || mono_before(w->now, in->ends_at))
            continue;
        in->exists = false;
        for (size_t k = 0; k < w->node_count; k++)
            if (strcmp(w->nodes[k].node.instance, in->id) == 0)
                w->nodes[k].alive = false;
    }
}

/* What the owning LB would do with this node now. */
static void own_node(struct world *w, struct world_node *n)
{
    int64_t in_state = mono_sub(w->now, n->state_at);
    if (n->alive)
        n->reported_at = w->now;
    n->node.report_age_ms = mono_sub(w->now, n->reported_at);
    bool out = n->node.want_own || n->node.want_other;
    enum node_state st = n->node.state;
    if (n->node.report_age_ms > LOST_AFTER_MS && st != NODE_LOST && st != NODE_TERMINATING)
        set_state(w, n, NODE_LOST);
    else if (st == NODE_LOST && n->node.report_age_ms > FORGET_AFTER_MS)
        n->present = false;
    else if (st == NODE_LOST && n->alive)
        set_state(w, n, NODE_JOINING);
    else if (st == NODE_JOINING && in_state >= 200)
        set_state(w, n, out ? NODE_DRAINING : NODE_READY);
    else if (st == NODE_READY && out)
        set_state(w, n, NODE_DRAINING);
    else if ((st == NODE_DRAINING || st == NODE_CLOSING || st == NODE_DRAINED) && !out)
        set_state(w, n, NODE_JOINING);
    else if (st == NODE_DRAINING && n->node.conns == 0 && in_state >= CLOSE_MS)
        set_state(w, n, NODE_CLOSING);
    else if (st == NODE_CLOSING && in_state >= 200)
        set_state(w, n, NODE_DRAINED);
}

static void show(struct world *w, struct world_side *side)
{
    struct fleet_node nodes[WORLD_NODES];
    size_t n = 0;
    for (size_t i = 0; i < w->node_count; i++)
        if (w->nodes[i].present)
            nodes[n++] = w->nodes[i].node;
    struct scale_event ev = {.kind = SCALE_SNAPSHOT, .snapshot = {nodes, n, !side->cut}};
    feed(w, side, &ev);
}

void world_run(struct world *w, int64_t ms)
{
    mono_ms_t until = mono_add(w->now, ms);
    while (mono_before(w->now, until)) {
        w->now = mono_add(w->now, WORLD_STEP_MS);
        run_instances(w);
        for (size_t i = 0; i < w->node_count; i++)
            if (w->nodes[i].present)
                own_node(w, &w->nodes[i]);
        for (int i = 0; i < 2; i++) {
            struct world_side *side = &w->side[i];
            if (!side->scale || side->stopped)
                continue;
            if (w->now.ms % 1000 == 0)
                show(w, side);
            struct scale_event ev = {.kind = SCALE_CLOCK};
            if (!side->stopped && !mono_before(w->now, scale_deadline(side->scale)))
                feed(w, side, &ev);
        }
    }
}

/* ---- for tests ---- */

void world_init(struct world *w, int min, int max)
{
    *w = (struct world){
        .now = {1000}, .wall_offset = INT64_C(1700000000000), .boot_ms = 2000, .fence = 1000};
    policy_defaults(&w->policy, "game");
    w->policy.min = min;
    w->policy.max = max;
    w->policy.nodes_max = WORLD_NODES;
    w->policy.settle_ms = 1000;
    w->policy.list_interval_ms = 500;
    world_boot_side(w, 0);
    world_lead(w, 0);
}

void world_fini(struct world *w)
{
    scale_destroy(w->side[0].scale);
    scale_destroy(w->side[1].scale);
}

void world_boot_side(struct world *w, int which)
{
    scale_destroy(w->side[which].scale);
    w->side[which] = (struct world_side){.scale = scale_create(&w->policy)};
}

void world_lead(struct world *w, int which)
{
    w->side[which].fence = ++w->fence;
    struct scale_event ev = {.kind = SCALE_LEAD, .lead = {true, w->fence}};
    feed(w, &w->side[which], &ev);
}

void world_depose(struct world *w, int which)
{
    struct scale_event ev = {.kind = SCALE_LEAD};
    feed(w, &w->side[which], &ev);
}

void world_operator(struct world *w, int which, bool paused, int size)
{
    struct scale_event ev = {.kind = SCALE_OPERATOR, .operators = {paused, size > 0, size, false}};
    feed(w, &w->side[which], &ev);
}

void world_roll(struct world *w, int which, bool wanted)
{
    struct scale_event ev = {.kind = SCALE_OPERATOR, .operators = {.rolling = wanted}};
    for (size_t i = 0; i < w->node_count; i++)
        w->nodes[i].node.old = wanted && w->nodes[i].present;
    feed(w, &w->side[which], &ev);
}

void world_past(struct world *w, int which, const struct past_entry *entries, size_t count)
{
    struct scale_event ev = {.kind = SCALE_PAST, .past = {entries, count, true}};
    feed(w, &w->side[which], &ev);
}

void world_refusals(struct world *w, const struct scale_refusal *refusals, size_t count)
{
    struct scale_event ev = {.kind = SCALE_NO_ROOM, .no_room = {refusals, count}};
    feed(w, &w->side[0], &ev);
}

void world_refuse(struct world *w, int64_t seats)
{
    const struct scale_refusal refusal = {{w->now.ms + w->wall_offset}, seats};
    world_refusals(w, &refusal, 1);
}

void world_advise(struct world *w, size_t rule, int desired, const char *reason, const char *error)
{
    struct scale_event ev = {.kind = SCALE_ADVICE, .told = {rule, error, desired, reason}};
    feed(w, &w->side[0], &ev);
}

void world_acted(struct world *w, size_t rule, const char *error)
{
    struct scale_event ev = {.kind = SCALE_ACTED, .told = {.rule = rule, .error = error}};
    feed(w, &w->side[0], &ev);
}

void world_load_node(struct world *w, size_t at, int64_t conns)
{
    w->nodes[at].node.conns = w->nodes[at].node.est = conns;
}

void world_load(struct world *w, int64_t conns)
{
    for (size_t i = 0; i < w->node_count; i++)
        if (w->nodes[i].present && w->nodes[i].node.state == NODE_READY)
            world_load_node(w, i, conns);
}

void world_kill_node(struct world *w, size_t at)
{
    w->nodes[at].alive = false;
    for (size_t i = 0; i < w->instance_count; i++)
        if (strcmp(w->instances[i].id, w->nodes[at].node.instance) == 0)
            w->instances[i].exists = false;
}

int world_count(const struct world *w, enum node_state state)
{
    int n = 0;
    for (size_t i = 0; i < w->node_count; i++)
        n += w->nodes[i].present && w->nodes[i].node.state == state;
    return n;
}

int world_instances(const struct world *w)
{
    int n = 0;
    for (size_t i = 0; i < w->instance_count; i++)
        n += w->instances[i].exists;
    return n;
}

int world_logged(const struct world *w, const char *text)
{
    int n = 0;
    for (const char *at = w->log; (at = strstr(at, text)); at++)
        n++;
    return n;
}

struct scale_status world_status(const struct world *w, int which)
{
    struct scale_status status;
    scale_status(w->side[which].scale, &status);
    return status;
}

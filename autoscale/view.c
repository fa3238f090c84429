/* view.c - the pool as its feed tells it: one row per node, made into snapshots for the core. */
#include "autoscale/view.h"

#include "core/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int view_init(struct view *view, size_t nodes_max)
{
    *view = (struct view){.nodes_max = nodes_max, .edition = 1};
    view->rows = memory_table(nodes_max * sizeof *view->rows); /* each is zeroed when it is added */
    view->out = memory_table(nodes_max * sizeof *view->out);
    if (!view->rows || !view->out || strmap_init(&view->by_name, (uint32_t)nodes_max, 0) < 0) {
        view_fini(view);
        return BERTH_ENOMEM;
    }
    return 0;
}

void view_fini(struct view *view)
{
    free(view->rows);
    free(view->out);
    strmap_fini(&view->by_name);
    *view = (struct view){0};
}

static struct view_row *find(struct view *view, const char *name)
{
    uint32_t at = strmap_get(&view->by_name, span_of(name));
    return at == STRMAP_NONE ? NULL : &view->rows[at];
}

static struct view_row *add(struct view *view, const char *name)
{
    if (view->count == view->nodes_max ||
        strmap_put(&view->by_name, span_of(name), (uint32_t)view->count) < 0) {
        view->dropped++;
        return NULL;
    }
    struct view_row *row = &view->rows[view->count++];
    view->edition++;
    *row = (struct view_row){0};
    memcpy(row->name, name, strnlen(name, NAME_SIZE - 1));
    return row;
}

/* The last row takes the place of the one removed. */
static void drop(struct view *view, struct view_row *row)
{
    strmap_remove(&view->by_name, span_of(row->name));
    view->edition++;
    struct view_row *last = &view->rows[--view->count];
    if (row == last)
        return;
    *row = *last;
    if (strmap_put(&view->by_name, span_of(row->name), (uint32_t)(row - view->rows)) < 0)
        assert(!"a name that was in the map fits again");
}

void view_begin(struct view *view)
{
    view->reading = true;
    view->whole = false;
    view->pool = (struct view_pool){0};
    for (size_t i = 0; i < view->count; i++) {
        view->rows[i].seen = false;
        memset(view->rows[i].wants, 0, sizeof view->rows[i].wants);
    }
}

void view_end(struct view *view)
{
    for (size_t i = view->count; i-- > 0;)
        if (!view->rows[i].seen)
            drop(view, &view->rows[i]);
    view->reading = false;
    view->whole = true;
}

void view_lost(struct view *view)
{
    view->reading = view->whole = false;
}

static bool is_newer(const struct node_state_record *a, const struct node_state_record *b)
{
    return a->epoch != b->epoch ? a->epoch > b->epoch : a->since.ms >= b->since.ms;
}

/* In a whole read the store has the word: after a failover it may hold less than we saw. */
static void take_state(struct view *view, struct view_row *row,
                       const struct node_state_record *state)
{
    if (row->has_state && !view->reading && !is_newer(state, &row->state))
        return;
    row->state = *state;
    row->has_state = true;
    view->edition++;
}

static void take_report(struct view_row *row, const struct node_report *r)
{
    bool older =
        r->epoch < row->report_epoch || (r->epoch == row->report_epoch && r->seq < row->report_seq);
    if (older)
        return;
    row->report_epoch = r->epoch;
    row->report_seq = r->seq;
    row->report_at = r->at;
    row->conns = r->conns;
    row->capacity = r->capacity;
    uint32_t count = r->gauge_count < FLEET_GAUGES ? r->gauge_count : FLEET_GAUGES;
    for (uint32_t i = 0; i < count; i++) {
        struct fleet_gauge *g = &row->gauges[i];
        memcpy(g->name, r->gauges[i].name, sizeof g->name - 1);
        g->value = r->gauges[i].value;
    }
    if (count < FLEET_GAUGES)
        row->gauges[count].name[0] = '\0'; /* ends the list */
}

static void take_pool_want(struct view_pool *pool, const struct want *want)
{
    if (strcmp(want->node, WANT_POOL_PAUSED) == 0) {
        pool->paused = want->kind == WANT_PAUSED;
        pool->paused_until = want->until;
    } else if (strcmp(want->node, WANT_POOL_SIZE) == 0) {
        pool->sized = want->kind == WANT_SIZE;
        pool->size = (int)want->size;
        pool->sized_until = want->until;
    } else if (strcmp(want->node, WANT_POOL_ROLL) == 0) {
        pool->rolling = want->kind == WANT_ROLL;
        pool->roll_since = want->since;
        pool->roll_until = want->until;
        memcpy(pool->roll_version, want->version, sizeof pool->roll_version - 1);
    }
}

void view_expect(const struct view *view, struct span node, bool soon)
{
    if (!soon) {
        strmap_expect(&view->by_name, node);
        return;
    }
    uint32_t at = strmap_guess(&view->by_name, node);
    if (at == STRMAP_NONE)
        return;
    __builtin_prefetch(&view->rows[at], 1);
    __builtin_prefetch(&view->rows[at].gauges, 1);
}

void view_item(struct view *view, const struct feed_item *item)
{
    if (item->kind == FEED_WANT && item->want.node[0] == '*') {
        take_pool_want(&view->pool, &item->want);
        return;
    }
    struct view_row *row = find(view, item->node);
    if (!row && item->kind == FEED_GONE)
        return;
    if (!row &&
        (item->kind == FEED_JOIN || view->reading)) /* a full read tells the hashes in any order */
        row = add(view, item->node);
    if (!row)
        return;
    switch (item->kind) {
    case FEED_JOIN:
        if (row->has_info && item->info.epoch < row->info.epoch)
            return;
        row->seen = true;
        row->info = item->info;
        row->epoch = item->info.epoch;
        row->info_capacity = item->info.capacity;
        row->has_info = true;
        view->edition++;
        if (item->has_state)
            take_state(view, row, &item->state);
        break;
    case FEED_REPORT:
        take_report(row, &item->report);
        break;
    case FEED_STATE:
        take_state(view, row, &item->state);
        break;
    case FEED_WANT:
        row->wants[item->want.who].kind = item->want.kind;
        row->wants[item->want.who].until = item->want.until;
        break;
    case FEED_GONE:
        if (item->state.epoch >= row->info.epoch)
            drop(view, row);
        break;
    case FEED_KINDS:
        break;
    }
}

static bool in_force(wall_ms_t until, wall_ms_t now)
{
    return until.ms == 0 || now.ms < until.ms;
}

/* Does this one want the node out of rotation? */
static bool wants_out(const struct view_row *row, enum want_who who, wall_ms_t now)
{
    enum want_kind kind = row->wants[who].kind;
    return (kind == WANT_DRAINING || kind == WANT_HELD) && in_force(row->wants[who].until, now);
}

/* To be replaced? Epochs are issued no lower than Redis's time in ms, so they tell who joined
 * before the wish; one who was pushed above the time by another is new by a few ms at most. */
static bool is_old(const struct view_pool *pool, const struct view_row *row)
{
    return row->info.epoch < pool->roll_since.ms &&
           (!pool->roll_version[0] || strcmp(row->info.version, pool->roll_version) != 0);
}

/* What does not change from one report to the next. */
static void copy_texts(struct fleet_node *out, const struct view_row *row)
{
    *out = (struct fleet_node){.epoch = row->epoch, .state = row->state.state};
    memcpy(out->name, row->name, sizeof out->name);
    memcpy(out->instance, row->info.instance, strnlen(row->info.instance, NAME_SIZE - 1));
    memcpy(out->zone, row->info.zone, strnlen(row->info.zone, NAME_SIZE - 1));
}

static void copy_gauges(struct fleet_node *out, const struct view_row *row)
{
    size_t g = 0;
    for (; g < FLEET_GAUGES && row->gauges[g].name[0] != '\0'; g++)
        out->gauges[g] = row->gauges[g];
    if (g < FLEET_GAUGES)
        out->gauges[g].name[0] = '\0'; /* ends the list */
}

struct fleet_snapshot view_snapshot(struct view *view, wall_ms_t now)
{
    bool rolling = view_operators(view, now).rolling;
    size_t n = 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct view_row *row = &view->rows[i];
        if (!row->has_info || !row->has_state || row->state.epoch > row->epoch)
            continue;
        struct fleet_node *out = &view->out[n++];
        if (view->out_edition != view->edition)
            copy_texts(out, row);
        out->conns = out->est = row->conns; /* pending is known to the LBs alone; it is at most a
                                               ticket's life of arrivals */
        out->capacity = row->capacity > 0 ? row->capacity : row->info_capacity;
        out->report_age_ms = row->report_at.ms > 0 ? wall_sub(now, row->report_at) : 0;
        out->want_own = wants_out(row, WANT_BY_AUTOSCALE, now);
        out->want_other =
            wants_out(row, WANT_BY_NODE, now) || wants_out(row, WANT_BY_OPERATOR, now);
        out->old = rolling && is_old(&view->pool, row);
        copy_gauges(out, row);
    }
    view->out_edition = view->edition;
    return (struct fleet_snapshot){.nodes = view->out,
                                   .count = n,
                                   .complete = view->whole && view->dropped == 0,
                                   .edition = view->edition};
}

struct view_operators view_operators(const struct view *view, wall_ms_t now)
{
    const struct view_pool *p = &view->pool;
    return (struct view_operators){.paused = p->paused && in_force(p->paused_until, now),
                                   .sized = p->sized && in_force(p->sized_until, now),
                                   .rolling = p->rolling && in_force(p->roll_until, now),
                                   .size = p->size};
}

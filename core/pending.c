/* pending.c - lanes of assigned and admitted counts by issue second. */
#include "core/pending.h"
#include "core/mutant.h"

#include "core/memory.h"

#include <assert.h>
#include <stdlib.h>

/* A sweep may lag by so many seconds before a place in the ring would be wanted twice. */
enum { SWEEP_LAG_S = 2 };

static struct pending_lane *lane_at(const struct pending *p, uint32_t i)
{
    return (struct pending_lane *)(void *)(p->lanes + (size_t)i * p->lane_size);
}

int pending_init(struct pending *p, uint32_t nodes_max, uint32_t issuers_max, int64_t window_ms)
{
    assert(nodes_max >= 1 && issuers_max >= 1 && window_ms >= 0);
    /* the seconds of the window, the present one, those ahead, and those a late sweep has not
     * cleared */
    int64_t ring = (window_ms + 999) / 1000 + 1 + PENDING_AHEAD_S + SWEEP_LAG_S + 1;
    struct pending n = {
        .window_ms = window_ms,
        .window_max_ms = window_ms,
        .ring = (uint32_t)ring,
        .nodes_max = nodes_max,
        .issuers_max = issuers_max,
        .lanes_max = nodes_max * issuers_max, /* one for each pair: they cannot run out */
        .lane_size = sizeof(struct pending_lane) + (size_t)ring * sizeof(struct pending_cell),
        .free_head = PENDING_NONE,
        .dirty_max = 2 * nodes_max,
        .tick_to_ms = 0, /* not yet */
        .index_s = -1,
    };
    n.lanes = memory_table(n.lanes_max * n.lane_size);
    n.first = malloc(nodes_max * sizeof *n.first);
    n.issuers = calloc(issuers_max, sizeof *n.issuers);
    n.dirty = malloc(n.dirty_max * sizeof *n.dirty);
    if (!n.lanes || !n.first || !n.issuers || !n.dirty) {
        pending_fini(&n);
        return BERTH_ENOMEM;
    }
    for (uint32_t i = 0; i < nodes_max; i++)
        n.first[i] = (struct pending_first){.lane = PENDING_NONE};
    *p = n;
    return 0;
}

void pending_fini(struct pending *p)
{
    free(p->lanes);
    free(p->first);
    free(p->issuers);
    free(p->dirty);
    *p = (struct pending){0};
}

/* ---- issuers ---- */

static uint32_t find_issuer(const struct pending *p, struct span name, int64_t epoch)
{
    for (uint32_t i = 0; i < p->issuers_max; i++)
        if (p->issuers[i].epoch == epoch && span_is(name, p->issuers[i].name))
            return i;
    return PENDING_NONE;
}

uint32_t pending_issuer(struct pending *p, struct span name, int64_t epoch)
{
    if (name.len == 0 || name.len > PENDING_NAME_MAX)
        return PENDING_NONE;
    uint32_t found = find_issuer(p, name, epoch);
    if (found != PENDING_NONE)
        return found;
    for (uint32_t i = 0; i < p->issuers_max; i++) {
        struct pending_issuer *is = &p->issuers[i];
        if (is->lanes > 0 ||
            i == p->self) /* one without lanes has nothing alive: its place is free */
            continue;
        *is = (struct pending_issuer){.epoch = epoch};
        (void)span_copy(name, is->name, sizeof is->name); /* length checked above */
        return i;
    }
    return PENDING_NONE;
}

void pending_self(struct pending *p, struct span name, int64_t epoch)
{
    assert(name.len >= 1 && name.len <= PENDING_NAME_MAX);
    for (uint32_t i = 0; i < p->nodes_max; i++)
        p->first[i].stamp = 0; /* another lane is our own now */
    struct pending_issuer *own = &p->issuers[p->self];
    if (own->lanes > 0) {
        uint32_t i = pending_issuer(p, name, epoch);
        if (i != PENDING_NONE) {
            p->self = i;
            return;
        }
    } /* else, and when there is no place for one more: the same place under a new name */
    own->epoch = epoch;
    (void)span_copy(name, own->name, sizeof own->name);
}

/* ---- lanes ---- */

static struct pending_lane *find_lane(const struct pending *p, uint32_t slot, uint32_t issuer)
{
    for (uint32_t i = p->first[slot].lane; i != PENDING_NONE;) {
        struct pending_lane *lane = lane_at(p, i);
        if (lane->issuer == issuer)
            return lane;
        i = lane->next;
    }
    return NULL;
}

static uint32_t lane_number(const struct pending *p, const struct pending_lane *lane)
{
    return (uint32_t)((size_t)((const char *)lane - p->lanes) / p->lane_size);
}

static struct pending_lane *add_lane(struct pending *p, uint32_t slot, uint32_t issuer)
{
    uint32_t i = p->free_head;
    if (i != PENDING_NONE)
        p->free_head = lane_at(p, i)->next;
    else
        i = p->lanes_used++;
    assert(i < p->lanes_max);
    struct pending_lane *lane = lane_at(p, i);
    memset(lane, 0, p->lane_size);
    lane->slot = slot;
    lane->issuer = issuer;
    p->issuers[issuer].lanes++;
    uint32_t head = p->first[slot].lane;
    p->first[slot].stamp = 0;
    if (head != PENDING_NONE && lane_at(p, head)->issuer == p->self) {
        lane->next = lane_at(p, head)->next; /* our own stays first: it is wanted most */
        lane_at(p, head)->next = i;
    } else {
        lane->next = head;
        p->first[slot].lane = i;
    }
    return lane;
}

static void free_lane(struct pending *p, uint32_t i)
{
    struct pending_lane *lane = lane_at(p, i);
    p->first[lane->slot].stamp = 0;
    uint32_t *link = &p->first[lane->slot].lane;
    while (*link != i)
        link = &lane_at(p, *link)->next;
    *link = lane->next;
    p->issuers[lane->issuer].lanes--;
    lane->slot = PENDING_NONE;
    lane->next = p->free_head;
    p->free_head = i;
}

static uint32_t ring_index(struct pending *p, int64_t second)
{
    if (second != p->index_s) {
        p->index_s = second;
        p->index = (uint32_t)(second % p->ring);
    }
    return p->index;
}

static int64_t owed(const struct pending_cell *cell)
{
    return cell->assigned > cell->admitted ? (int64_t)cell->assigned - cell->admitted : 0;
}

/* The cell of an alive second, with its lane added if need be. */
static struct pending_cell *reach(struct pending *p, uint32_t slot, uint32_t issuer, int64_t second,
                                  struct pending_lane **ret_lane)
{
    struct pending_lane *lane = find_lane(p, slot, issuer);
    if (!lane)
        lane = add_lane(p, slot, issuer);
    if (lane->newest_s < second)
        lane->newest_s = second;
    *ret_lane = lane;
    return &lane->cells[ring_index(p, second)];
}

/* ---- counts ---- */

bool pending_alive(const struct pending *p, int64_t second)
{
    return second >= p->floor_s && second <= p->now_s + PENDING_AHEAD_S;
}

/* Remember that a count of ours changed in this second. */
static void note_dirty(struct pending *p, struct pending_lane *lane, int64_t second)
{
    if (p->dirty_count == p->dirty_max) {
        p->resync = true;
        return;
    }
    lane->dirty_s = second;
    p->dirty[p->dirty_count++] =
        (struct pending_dirty){.lane = lane_number(p, lane), .second = second};
}

/* The cell of this second in our own lane, with all noted that a change has to note. */
static struct pending_cell *own_cell(struct pending *p, uint32_t slot)
{
    struct pending_lane *lane;
    struct pending_cell *cell = reach(p, slot, p->self, p->now_s, &lane);
    if (lane->dirty_s != p->now_s)
        note_dirty(p, lane, p->now_s);
    struct pending_first *first = &p->first[slot];
    if (lane->dirty_s == p->now_s && first->lane == lane_number(p, lane))
        first->stamp = (uint32_t)p->now_s;
    return cell;
}

/* One entry of the journal. Returns how much less is owed than it says. */
static inline int64_t book(struct pending *p, struct pending_entry_due due, uint32_t stamp)
{
    struct pending_first first = p->first[due.slot];
    struct pending_cell *cell =
        first.stamp == stamp ? &lane_at(p, first.lane)->cells[p->index] : own_cell(p, due.slot);
    uint32_t before = cell->assigned;
    cell->assigned = due.n > UINT32_MAX - before ? UINT32_MAX : before + due.n;
    if (__builtin_expect(cell->admitted <= before, 1))
        return 0;
    uint32_t surplus = cell->admitted - before;
    return surplus < due.n ? surplus : due.n;
}

/* Have the cell of a slot in the cache when its turn comes. */
__attribute__((always_inline)) /* gcc 12 takes a function of prefetches for one without effect */
static inline void
fetch(const struct pending *p, uint32_t slot)
{
    struct pending_first first = p->first[slot];
    if (first.lane == PENDING_NONE)
        return;
    const struct pending_lane *lane = lane_at(p, first.lane);
    __builtin_prefetch(&lane->cells[p->index], 1);
    if (first.stamp != (uint32_t)p->now_s)
        __builtin_prefetch(lane, 1);
}

bool pending_book(struct pending *p, uint32_t *ret_slot, int64_t *ret_less)
{
    enum { FIRST_AHEAD = 64, LANE_AHEAD = 32 };
    (void)ring_index(p, p->now_s); /* p->index */
    uint32_t stamp = (uint32_t)p->now_s;
    for (; p->booked < p->journal_count; p->booked++) {
        uint32_t i = p->booked;
        if (i + FIRST_AHEAD < p->journal_count)
            __builtin_prefetch(&p->first[p->journal[i + FIRST_AHEAD].slot]);
        if (i + LANE_AHEAD < p->journal_count)
            fetch(p, p->journal[i + LANE_AHEAD].slot);
        int64_t less = book(p, p->journal[i], stamp);
        if (less > 0) {
            *ret_slot = p->journal[i].slot;
            *ret_less = less;
            p->booked++;
            return true;
        }
    }
    p->journal_count = p->booked = 0;
    return false;
}

int64_t pending_assign_at(struct pending *p, uint32_t slot, int64_t second, uint32_t n)
{
    assert(pending_alive(p, second));
    struct pending_lane *lane;
    struct pending_cell *cell = reach(p, slot, p->self, second, &lane);
    if (lane->dirty_s != second)
        note_dirty(p, lane, second);
    int64_t before = owed(cell);
    cell->assigned = n > UINT32_MAX - cell->assigned ? UINT32_MAX : cell->assigned + n;
    return owed(cell) - before;
}

int pending_told(struct pending *p, uint32_t slot, struct span issuer, int64_t epoch,
                 int64_t second, uint32_t count, struct pending_change *ret_change)
{
    if (!pending_alive(p, second))
        return BERTH_ESTALE;
    uint32_t i = pending_issuer(p, issuer, epoch);
    if (i == PENDING_NONE)
        return BERTH_EFULL;
    *ret_change = (struct pending_change){0};
    if (i == p->self || count == 0)
        return 0;
    struct pending_lane *lane;
    struct pending_cell *cell = reach(p, slot, i, second, &lane);
    if (count <= cell->assigned)
        return 0;
    int64_t before = owed(cell);
    ret_change->assigned = (int64_t)count - cell->assigned;
    cell->assigned = count;
    ret_change->owed = owed(cell) - before;
    return 0;
}

int pending_admitted(struct pending *p, uint32_t slot, uint32_t issuer, int64_t second,
                     uint32_t count, struct pending_change *ret_change)
{
    assert(issuer < p->issuers_max);
    if (!pending_alive(p, second))
        return BERTH_ESTALE;
    *ret_change = (struct pending_change){0};
    if (count == 0)
        return 0;
    struct pending_lane *lane;
    struct pending_cell *cell = reach(p, slot, issuer, second, &lane);
    if (count <= cell->admitted)
        return 0;
    int64_t before = owed(cell);
    cell->admitted = count;
    ret_change->owed = owed(cell) - before;
    return 0;
}

void pending_drop(struct pending *p, uint32_t slot)
{
    while (p->first[slot].lane != PENDING_NONE)
        free_lane(p, p->first[slot].lane);
}

uint64_t pending_owed(const struct pending *p, uint32_t slot)
{
    uint64_t sum = 0;
    for (uint32_t i = p->first[slot].lane; i != PENDING_NONE; i = lane_at(p, i)->next)
        for (uint32_t c = 0; c < p->ring; c++)
            sum += (uint64_t)owed(&lane_at(p, i)->cells[c]);
    return sum;
}

/* ---- time ---- */

void pending_window(struct pending *p, int64_t window_ms)
{
    assert(window_ms >= 0 && window_ms <= p->window_max_ms);
    p->window_ms = window_ms;
    p->tick_to_ms = 0; /* the next tick looks anew; the floor never goes back */
}

bool pending_tick(struct pending *p, wall_ms_t now)
{
    assert(p->journal_count == 0);
    int64_t ms = now.ms < 0 ? 0 : now.ms;
    int64_t second = ms / 1000;
    /* second s is over when its end is more than the window ago: (s + 1) * 1000 + window < ms */
    int64_t past = MUTANT(pending_never_expires) ? -1 : ms - p->window_ms - 1;
    int64_t floor = past < 0 ? 0 : past / 1000;
    int64_t floor_from = past < 0 ? 0 : floor * 1000 + p->window_ms + 1;
    p->tick_from_ms = second * 1000 > floor_from ? second * 1000 : floor_from;
    int64_t floor_to = (floor + 1) * 1000 + p->window_ms + 1;
    p->tick_to_ms = (second + 1) * 1000 < floor_to ? (second + 1) * 1000 : floor_to;
    p->now_s = second;

    if (p->lanes_used == 0 && p->swept_s < floor) /* nothing was ever counted: nothing to sweep */
        p->swept_s = p->target_s = p->floor_s = floor;
    if (second <
        p->swept_s) { /* set back beyond all that is kept: those seconds mean nothing now */
        p->floor_s = floor;
        p->target_s = INT64_MAX;
        p->sweep_at = 0;
        return true;
    }
    if (floor > p->floor_s)
        p->floor_s = floor;
    return p->floor_s - p->swept_s > SWEEP_LAG_S;
}

bool pending_sweep_due(const struct pending *p)
{
    return p->swept_s < p->floor_s || p->target_s == INT64_MAX;
}

/* Clear the seconds [from, to) of a lane; returns what they owed. */
static uint64_t clear(struct pending *p, struct pending_lane *lane, int64_t from, int64_t to)
{
    uint64_t drop = 0;
    if (to - from > p->ring)
        from = to - p->ring; /* each place once */
    for (int64_t s = from; s < to; s++) {
        struct pending_cell *cell = &lane->cells[s % p->ring];
        drop += (uint64_t)owed(cell);
        *cell = (struct pending_cell){0};
    }
    return drop;
}

/* A sweep begins, or goes on to a later floor from where it began. */
static void aim(struct pending *p)
{
    if (p->sweep_at == 0 && p->target_s != INT64_MAX)
        p->target_s = p->floor_s;
}

bool pending_sweep(struct pending *p, uint32_t *budget, uint32_t *ret_slot, uint64_t *ret_drop)
{
    while (pending_sweep_due(p)) {
        aim(p);
        bool all = p->target_s == INT64_MAX;
        for (; p->sweep_at < p->lanes_used; p->sweep_at++) {
            if (*budget == 0)
                return false;
            --*budget;
            uint32_t i = p->sweep_at;
            struct pending_lane *lane = lane_at(p, i);
            if (lane->slot == PENDING_NONE)
                continue;
            uint32_t slot = lane->slot;
            uint64_t drop =
                all ? clear(p, lane, 0, p->ring) : clear(p, lane, p->swept_s, p->target_s);
            if (all || lane->newest_s < p->target_s)
                free_lane(p, i);
            if (drop == 0)
                continue;
            p->sweep_at++;
            *ret_slot = slot;
            *ret_drop = drop;
            return true;
        }
        p->sweep_at = 0;
        p->swept_s = all ? p->floor_s : p->target_s;
        p->target_s = p->swept_s;
    }
    return false;
}

/* ---- telling ---- */

bool pending_take(struct pending *p, struct pending_entry *ret_entry)
{
    while (p->dirty_head < p->dirty_count) {
        struct pending_dirty d = p->dirty[p->dirty_head++];
        struct pending_lane *lane = lane_at(p, d.lane);
        if (lane->slot == PENDING_NONE || lane->issuer != p->self || !pending_alive(p, d.second))
            continue; /* the node is gone, or the second over */
        if (lane->dirty_s == d.second)
            lane->dirty_s = 0;
        p->first[lane->slot].stamp = 0;
        uint32_t assigned = lane->cells[d.second % p->ring].assigned;
        if (assigned == 0)
            continue;
        *ret_entry = (struct pending_entry){
            .slot = lane->slot, .issuer = p->self, .second = d.second, .assigned = assigned};
        return true;
    }
    p->dirty_head = p->dirty_count = 0;
    return false;
}

bool pending_walk(const struct pending *p, uint64_t *cursor, struct pending_entry *ret_entry)
{
    for (; *cursor / p->ring < p->lanes_used; ++*cursor) {
        const struct pending_lane *lane = lane_at(p, (uint32_t)(*cursor / p->ring));
        if (lane->slot == PENDING_NONE) {
            *cursor += p->ring - 1 - *cursor % p->ring; /* its other seconds too */
            continue;
        }
        int64_t place = (int64_t)(*cursor % p->ring);
        uint32_t assigned = lane->cells[place].assigned;
        /* the one alive second that has this place in the ring */
        int64_t second = p->floor_s + (place - p->floor_s % p->ring + p->ring) % p->ring;
        if (assigned == 0 || !pending_alive(p, second))
            continue;
        *ret_entry = (struct pending_entry){
            .slot = lane->slot, .issuer = lane->issuer, .second = second, .assigned = assigned};
        ++*cursor;
        return true;
    }
    return false;
}

/* pool_search.c - picking: who may be chosen, and the search among them. */
#include "core/pool_search.h"

#include "core/pool_parts.h"

enum {
    FRONTIER_MAX = 96, /* places looked at around those that are not acceptable */
    SAMPLE_TRIES = 8,
};

/* ---- the search that strategies use ---- */

static bool acceptable(const struct pool_search *search, uint32_t slot)
{
    const struct node *n = &search->pool->nodes[slot];
    if (n->capacity - node_est(n) < search->seats) /* in a heap: est < capacity */
        return false;
    for (uint32_t i = 0; i < search->excluded_count; i++)
        if (search->excluded[i] == slot)
            return false;
    return true;
}

static const heap_entry NOTHING = ~(heap_entry)0;

/* Every entry, because too many of the first are not acceptable. */
static heap_entry read_whole(const struct pool_search *search, const struct heap *heap)
{
    heap_entry best = NOTHING;
    for (uint32_t p = HEAP_ROOT; p < heap_end(heap); p++) {
        heap_entry entry = heap_at(heap, p);
        if (entry < best && acceptable(search, heap_slot(entry)))
            best = entry;
    }
    return best;
}

/* The first acceptable entry in order: a heap's next ones are always children of those already
 * seen. */
static heap_entry first_of(const struct pool_search *search, const struct heap *heap)
{
    uint32_t frontier[FRONTIER_MAX] = {HEAP_ROOT};
    uint32_t count = 1;
    while (count > 0) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < count; i++)
            if (heap_at(heap, frontier[i]) < heap_at(heap, frontier[best]))
                best = i;
        uint32_t position = frontier[best];
        heap_entry entry = heap_at(heap, position);
        if (acceptable(search, heap_slot(entry)))
            return entry;
        frontier[best] = frontier[--count];
        uint32_t child = heap_child(position);
        for (uint32_t c = child; c < child + 4 && c < heap_end(heap); c++) {
            if (count == FRONTIER_MAX)
                return read_whole(search, heap);
            frontier[count++] = c;
        }
    }
    return NOTHING;
}

uint32_t search_first(const struct pool_search *search)
{
    heap_entry best = NOTHING;
    for (uint32_t i = 0; i < search->heap_count; i++) {
        const struct heap *heap = search->heaps[i];
        heap_entry entry = heap_first(heap);
        if (entry >= best)
            continue; /* nothing in this group can be better */
        if (!acceptable(search, heap_slot(entry)))
            entry = first_of(search, heap);
        if (entry < best)
            best = entry;
    }
    return best == NOTHING ? POOL_NONE : heap_slot(best);
}

uint32_t search_sample(const struct pool_search *search, struct rng *rng)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < search->heap_count; i++)
        all += search->heaps[i]->count;
    for (int tries = 0; all > 0 && tries < SAMPLE_TRIES; tries++) {
        uint64_t at = rng_below(rng, all);
        uint32_t i = 0;
        while (at >= search->heaps[i]->count)
            at -= search->heaps[i++]->count;
        uint32_t slot = heap_slot(heap_at(search->heaps[i], HEAP_ROOT + (uint32_t)at));
        if (acceptable(search, slot))
            return slot;
    }
    return POOL_NONE;
}

uint64_t search_key(const struct pool_search *search, uint32_t slot)
{
    const struct pool *pool = search->pool;
    return heap_key(heap_at(&pool->groups[pool->nodes[slot].group].heap, pool->store.where[slot]));
}

/* ---- a pick ---- */

static void list_excluded(const struct pool_query *query, struct pool_search *search)
{
    search->excluded_count = 0;
    for (size_t i = 0; i < query->exclude_count && i < POOL_EXCLUDE_MAX; i++) {
        uint32_t slot = pool_find(search->pool, query->exclude[i]);
        if (slot != POOL_NONE)
            search->excluded[search->excluded_count++] = slot;
    }
}

static bool matches(const struct group *g, struct span zone, struct span version)
{
    return g->nodes > 0 && (version.len == 0 || span_is(version, g->version)) &&
           (zone.len == 0 || span_is(zone, g->zone));
}

static uint32_t choose(struct pool *pool, struct pool_search *search, struct span zone,
                       struct span version)
{
    search->heap_count = 0;
    for (uint32_t i = 0; i < pool->groups_used; i++) {
        const struct group *g = &pool->groups[i];
        if (g->heap.count > 0 && matches(g, zone, version))
            search->heaps[search->heap_count++] = &g->heap;
    }
    return search->heap_count ? pool->strategy->choose(search, &pool->rng) : POOL_NONE;
}

/* Everyone else is full: fresh nodes that have had their share get more all the same. Those in the
 * zone first, then by the strategy's order. */
static uint32_t choose_waiting(const struct pool *pool, const struct pool_search *search,
                               const struct pool_query *query)
{
    uint32_t best = POOL_NONE;
    bool best_in_zone = false;
    for (uint32_t p = HEAP_ROOT; p < heap_end(&pool->wait); p++) {
        uint32_t slot = heap_slot(heap_at(&pool->wait, p));
        const struct group *g = &pool->groups[pool->nodes[slot].group];
        if (!matches(g, (struct span){0}, query->version) || !acceptable(search, slot))
            continue;
        bool in_zone = matches(g, query->zone, query->version);
        if (best != POOL_NONE &&
            (in_zone == best_in_zone ? pool_rank(pool, slot) >= pool_rank(pool, best)
                                     : best_in_zone))
            continue;
        best = slot;
        best_in_zone = in_zone;
    }
    return best;
}

/* Nobody was found: is it because all are full, or because there is nobody? */
static int none_left(const struct pool *pool, const struct pool_search *search,
                     const struct pool_query *query)
{
    uint32_t ready = 0;
    for (uint32_t i = 0; i < pool->groups_used; i++)
        if (matches(&pool->groups[i], (struct span){0}, query->version))
            ready += pool->groups[i].ready;
    for (uint32_t i = 0; i < search->excluded_count; i++) {
        const struct node *n = &pool->nodes[search->excluded[i]];
        if (n->state == NODE_READY &&
            matches(&pool->groups[n->group], (struct span){0}, query->version))
            ready--;
    }
    return ready > 0 ? BERTH_EFULL : BERTH_ENOENT;
}

int pool_pick(struct pool *pool, struct pool_now now, const struct pool_query *query,
              struct pool_choice *ret_choice)
{
    pool_reach(pool, now);
    struct pool_search search; /* not cleared: 2 kB, of which little is used */
    search.pool = pool;
    search.seats = query->seats ? query->seats : 1;
    list_excluded(query, &search);
    const char *why = pool->strategy->why;
    uint32_t slot = choose(pool, &search, query->zone, query->version);
    if (slot == POOL_NONE && query->zone.len > 0) {
        slot = choose(pool, &search, (struct span){0}, query->version);
        why = "zone_fallback";
    }
    if (slot == POOL_NONE && pool->wait.count > 0) {
        slot = choose_waiting(pool, &search, query);
        why = "slow_start_only";
    }
    pool->stats.picks++;
    if (slot == POOL_NONE) {
        pool->stats.picks_none++;
        return none_left(pool, &search, query);
    }
    const struct node *n = &pool->nodes[slot];
    *ret_choice = (struct pool_choice){
        .slot = slot, .epoch = n->epoch, .est = node_est(n), .capacity = n->capacity, .why = why};
    return 0;
}

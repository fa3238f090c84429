/* pool_search.c - picking: who may be chosen, and the search among them. */
#include "core/pool_search.h"

#include "core/pool_parts.h"

enum {
    FRONTIER_MAX =
        96,        /* levels looked at around those that have no candidate, before all are read */
    TIED_MAX = 64, /* levels with the same key that are drawn from */
    SAMPLE_TRIES = 32,
};

/* ---- the search that strategies use ---- */

static bool is_excluded(const struct pool_search *search, uint32_t slot)
{
    for (uint32_t i = 0; i < search->excluded_count; i++)
        if (search->excluded[i] == slot)
            return true;
    return false;
}

/* How many members of a level may be chosen. */
static uint32_t candidates(const struct pool_search *search, uint32_t at)
{
    const struct pool *pool = search->pool;
    const struct level *l = &pool->orders.levels[at];
    if (l->capacity - l->est < search->seats) /* in an order: est < capacity */
        return 0;
    uint32_t count = l->bag.count;
    for (uint32_t i = 0; i < search->excluded_count; i++) {
        uint32_t slot = search->excluded[i];
        if (pool->nodes[slot].place == IN_GROUP && bag_place(&pool->orders.bags, slot)->mark == at)
            count--;
    }
    return count;
}

/* The levels found so far that have the smallest key. */
struct tied {
    uint64_t key;
    uint64_t total; /* candidates in them */
    uint32_t levels[TIED_MAX], count;
};

static void offer(struct tied *tied, uint64_t key, uint32_t level, uint32_t candidates)
{
    if (key > tied->key || candidates == 0)
        return;
    if (key < tied->key) { /* better than all so far */
        tied->key = key;
        tied->total = 0;
        tied->count = 0;
    }
    if (tied->count == TIED_MAX)
        return;
    tied->levels[tied->count++] = level;
    tied->total += candidates;
}

/* Is no other level of this order as good as its first? */
static bool is_alone(const struct heap *heap)
{
    uint64_t key = heap_key(heap_first(heap));
    uint32_t end = heap_end(heap);
    for (uint32_t c = heap_child(HEAP_ROOT); c < heap_child(HEAP_ROOT) + 4 && c < end; c++)
        if (heap_key(heap_at(heap, c)) == key)
            return false;
    return true;
}

/* Look at the levels of one order from the first on, as long as they may be as good as what was
 * found. A heap's next ones are always children of those already seen. */
static void look(const struct pool_search *search, const struct heap *heap, struct tied *tied)
{
    heap_entry first = heap_first(heap);
    if (heap_key(first) > tied->key)
        return;
    uint32_t here = candidates(search, heap_slot(first));
    if (here > 0 && is_alone(heap)) { /* as nearly always */
        offer(tied, heap_key(first), heap_slot(first), here);
        return;
    }
    uint32_t frontier[FRONTIER_MAX];
    uint32_t count = 1;
    frontier[0] = HEAP_ROOT;
    while (count > 0) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < count; i++)
            if (heap_at(heap, frontier[i]) < heap_at(heap, frontier[best]))
                best = i;
        uint32_t position = frontier[best];
        heap_entry entry = heap_at(heap, position);
        if (heap_key(entry) > tied->key)
            return;
        uint32_t level = heap_slot(entry);
        offer(tied, heap_key(entry), level, candidates(search, level));
        frontier[best] = frontier[--count];
        uint32_t end = heap_end(heap);
        for (uint32_t c = heap_child(position); c < heap_child(position) + 4 && c < end; c++) {
            if (heap_key(heap_at(heap, c)) > tied->key)
                continue;
            if (count == FRONTIER_MAX) { /* too many without a candidate: read all that are left */
                for (uint32_t p = HEAP_ROOT; p < end; p++) {
                    level = heap_slot(heap_at(heap, p));
                    if (heap_key(heap_at(heap, p)) < tied->key)
                        offer(tied, heap_key(heap_at(heap, p)), level, candidates(search, level));
                }
                return;
            }
            frontier[count++] = c;
        }
    }
}

/* Those that are likely to be picked next: have what they need in the cache by then. With 100,000
 * nodes most picks would wait for memory otherwise. */
__attribute__((always_inline)) /* gcc 12 takes a function of prefetches for one without effect */
static inline void
fetch_ahead(const struct pool *pool, const struct bag *bag)
{
    enum {
        TOGETHER = 8
    }; /* every so many picks, for those after the next so many; a part of a page */
    if (bag->count % TOGETHER != 0 || bag->count < 2 * TOGETHER)
        return;
    const uint32_t *last = bag_at(&pool->orders.bags, bag, bag->count - 1 - TOGETHER);
    for (int i = 0; i < TOGETHER; i++)
        __builtin_prefetch(&pool->nodes[last[-i]], 1);
}

/* A member of this level that may be chosen; there is one. Bags are in random order: the last is
 * drawn. */
static uint32_t draw(const struct pool_search *search, uint32_t level)
{
    const struct order_store *orders = &search->pool->orders;
    const struct bag *bag = &orders->levels[level].bag;
    uint32_t slot = *bag_last(&orders->bags, bag);
    fetch_ahead(search->pool, bag);
    for (uint32_t at = bag->count - 1; is_excluded(search, slot);)
        slot = *bag_at(&orders->bags, bag, --at);
    return slot;
}

uint32_t search_first(struct pool_search *search, struct rng *rng)
{
    struct tied tied;
    tied.key = UINT64_MAX;
    tied.count = 0;
    tied.total = 0;
    for (uint32_t i = 0; i < search->order_count; i++)
        look(search, &search->orders[i]->heap, &tied);
    if (tied.count == 0)
        return POOL_NONE;
    search->alone = tied.count == 1 ? tied.levels[0] : POOL_NONE;
    uint32_t i = 0;
    if (tied.count > 1) { /* each node the same chance: levels by how many they have */
        uint64_t at = rng_below(rng, tied.total);
        for (; i + 1 < tied.count; i++) {
            uint32_t here = candidates(search, tied.levels[i]);
            if (at < here)
                break;
            at -= here;
        }
    }
    return draw(search, tied.levels[i]);
}

uint32_t search_sample(const struct pool_search *search, struct rng *rng)
{
    const struct pool *pool = search->pool;
    for (int tries = 0; tries < SAMPLE_TRIES; tries++) {
        uint32_t slot = (uint32_t)rng_below(rng, pool->slots);
        const struct node *n = &pool->nodes[slot];
        if (!n->used || n->place != IN_GROUP || is_excluded(search, slot))
            continue;
        const struct level *l = order_level(&pool->orders, slot);
        if (l->capacity - l->est < search->seats)
            continue;
        for (uint32_t i = 0; i < search->order_count; i++)
            if (search->orders[i] == &pool->groups[n->group].order)
                return slot;
    }
    return POOL_NONE;
}

uint64_t search_key(const struct pool_search *search, uint32_t slot)
{
    return order_level(&search->pool->orders, slot)->key;
}

/* ---- a pick ---- */

static void list_excluded(const struct pool_query *query, struct pool_search *search)
{
    search->excluded_count = 0;
    for (size_t i = 0; i < query->exclude_count && i < POOL_EXCLUDE_MAX; i++) {
        uint32_t slot = pool_find(search->pool, query->exclude[i]);
        if (slot != POOL_NONE && !is_excluded(search, slot)) /* each once: they are counted */
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
    search->order_count = 0;
    for (uint32_t i = 0; i < pool->groups_used; i++) {
        const struct group *g = &pool->groups[i];
        if (g->order.count > 0 && matches(g, zone, version))
            search->orders[search->order_count++] = &g->order;
    }
    return search->order_count ? pool->strategy->choose(search, &pool->rng) : POOL_NONE;
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
        const struct node *n = &pool->nodes[slot];
        if (!matches(g, (struct span){0}, query->version) || is_excluded(search, slot) ||
            n->capacity - node_est(n) < search->seats)
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

static bool is_any(const struct pool_query *query)
{
    return query->zone.len == 0 && query->version.len == 0 && query->exclude_count == 0 &&
           query->seats <= 1;
}

/* The commonest query, one seat anywhere: the first level is what it was as long as no level came
 * or went. */
static uint32_t choose_again(const struct pool *pool)
{
    if (pool->top_changes != pool->orders.changes)
        return POOL_NONE;
    const struct bag *bag = &pool->orders.levels[pool->top].bag;
    fetch_ahead(pool, bag);
    return *bag_last(&pool->orders.bags, bag);
}

/* Search everything that the query allows. Kept out of pool_pick, whose usual way needs neither its
 * registers nor its stack. Returns 0 or the reason why there is no choice. */
__attribute__((noinline)) static int choose_anew(struct pool *pool, const struct pool_query *query,
                                                 uint32_t *ret_slot, const char **ret_why)
{
    struct pool_search search; /* not cleared: 2 kB, of which little is used */
    search.pool = pool;
    search.seats = query->seats ? query->seats : 1;
    search.alone = POOL_NONE;
    list_excluded(query, &search);
    const char *why = pool->strategy->why;
    uint32_t slot = choose(pool, &search, query->zone, query->version);
    if (slot != POOL_NONE && pool->strategy->first && search.alone != POOL_NONE && is_any(query)) {
        pool->top = search.alone;
        pool->top_changes = pool->orders.changes;
    }
    if (slot == POOL_NONE && query->zone.len > 0) {
        slot = choose(pool, &search, (struct span){0}, query->version);
        why = "zone_fallback";
    }
    if (slot == POOL_NONE && pool->wait.count > 0) {
        slot = choose_waiting(pool, &search, query);
        why = "slow_start_only";
    }
    if (slot == POOL_NONE)
        return none_left(pool, &search, query);
    *ret_slot = slot;
    *ret_why = why;
    return 0;
}

int pool_pick(struct pool *pool, struct pool_now now, const struct pool_query *query,
              struct pool_choice *ret_choice)
{
    pool_reach(pool, now);
    pool->stats.picks++;
    const char *why = pool->strategy->why;
    uint32_t slot = is_any(query) ? choose_again(pool) : POOL_NONE;
    if (slot == POOL_NONE) {
        int rc = choose_anew(pool, query, &slot, &why);
        if (rc < 0) {
            pool->stats.picks_none++;
            return rc;
        }
    }
    const struct node *n = &pool->nodes[slot];
    ret_choice->slot = slot;
    ret_choice->why = why;
    ret_choice->epoch = n->epoch;
    ret_choice->est = node_est(n);
    ret_choice->capacity = n->capacity;
    return 0;
}

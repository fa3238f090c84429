/* place.c - handing out seats: the pick, the repeated answer, the limits. */
#include "core/mutant.h"
#include "lb/place_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    RATE_WINDOW_MS = 60000,
    ASKS_MAX = 65536,
    SHOWN_AHEAD_MS = 1000, /* a ticket from further ahead is refused by its node, too */
};

/* A bucket of asks: full when there are none. */
struct ask_entry {
    double used;
    mono_ms_t at;
};

int place_init(struct lb *lb, struct lb_pool *pool)
{
    const struct lb_config *c = &lb->config;
    if (recent_init(&pool->rooms, (uint32_t)c->rooms_max, sizeof(struct room_entry),
                    rng_next(&lb->rng)) < 0 ||
        recent_init(&pool->answers, (uint32_t)c->players_max, sizeof(struct answer_entry),
                    rng_next(&lb->rng)) < 0)
        return BERTH_ENOMEM;
    return recent_init(&pool->asks, ASKS_MAX, sizeof(struct ask_entry), rng_next(&lb->rng));
}

void place_fini(struct lb_pool *pool)
{
    recent_fini(&pool->rooms);
    recent_fini(&pool->answers);
    recent_fini(&pool->asks);
}

/* ---- refusing ---- */

void place_refuse(struct lb_pool *pool, struct lb_placed *p, const char *why, uint64_t *counter)
{
    (*counter)++;
    p->verdict = LB_REFUSED;
    p->why = why;
    p->retry_after_ms = pool->config.settings->retry_after_ms;
}

/* Seats that one more node would have for this ask: not where only a version or an exclusion stands
 * in the way, nor for more players together than a node holds. */
static size_t seats_of_one_more(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                                const struct lb_placed *p, int code)
{
    const struct pool_sums *sums = pool_sums(pool->table);
    size_t seats = place_seats(ask);
    int64_t nodes = sums->nodes[NODE_READY];
    if (nodes == 0)
        return seats;
    if ((int64_t)seats * nodes > sums->capacity[NODE_READY])
        return 0;
    if (ask->version.len == 0 && ask->exclude_count == 0 && p->stale_count == 0)
        return code == BERTH_EFULL ? seats : 0;
    struct span stale[LB_CLAIMS_MAX];
    for (size_t i = 0; i < p->stale_count; i++)
        stale[i] = span_of(p->stale[i]);
    const struct pool_query query = {
        .exclude = stale, .exclude_count = p->stale_count, .seats = (uint32_t)seats};
    struct pool_choice choice;
    int any = pool_pick(pool->table, view_now(lb, pool), &query, &choice);
    bool none_left = any == BERTH_ENOENT && p->full; /* the store knows that they are full */
    return any == BERTH_EFULL || none_left ? seats : 0;
}

void place_refuse_pick(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                       struct lb_placed *p, int code)
{
    if (pool->refused == pool->refused_told)
        pool->refused_at = lb->now;
    pool->refused++;
    pool->roomless += seats_of_one_more(lb, pool, ask, p, code);
    lb_soon(lb, pool, place_deadline(pool));
    if (code == BERTH_EFULL)
        place_refuse(pool, p, "no_capacity", &pool->stats.no_capacity);
    else
        place_refuse(pool, p, "no_node", &pool->stats.no_node);
}

void place_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (mono_before(lb->now, place_deadline(pool)) || !fx_room(lb, fx, 1))
        return;
    fx_note(fx, LB_WARN, pool->index, "no_capacity", NULL, true, "refused",
            "players=%llu seats=%llu", (unsigned long long)(pool->refused - pool->refused_told),
            (unsigned long long)pool->roomless);
    pool->refused_told = pool->refused;
    pool->roomless = 0;
}

mono_ms_t place_deadline(const struct lb_pool *pool)
{
    return pool->refused == pool->refused_told ? MONO_NEVER
                                               : mono_add(pool->refused_at, REFUSED_NOTE_EVERY_MS);
}

/* ---- seats ---- */

static struct span player_at(const struct lb_ask *ask, size_t i)
{
    return ask->players == NULL ? (struct span){NULL, 0} : ask->players[i];
}

size_t place_seats(const struct lb_ask *ask)
{
    return ask->player_count > 0 ? ask->player_count : 1;
}

static bool is_excluded(const struct lb_ask *ask, const char *node)
{
    for (size_t i = 0; i < ask->exclude_count; i++)
        if (span_is(ask->exclude[i], node))
            return true;
    return false;
}

/* A ticket about to expire would only disappoint. */
static bool lasts(const struct lb *lb, const struct lb_pool *pool, int64_t expires_s)
{
    return (expires_s - 1) * 1000 > view_wall(lb, pool).ms;
}

struct answer_entry *place_told_before(struct lb *lb, struct lb_pool *pool,
                                       const struct lb_ask *ask, struct span player)
{
    struct answer_entry *a = recent_get(&pool->answers, player);
    if (a == NULL || !span_is(ask->room, a->room) || MUTANT(second_ticket_each_ask))
        return NULL;
    return lasts(lb, pool, a->seat.expires_s) ? a : NULL;
}

static bool is_over(const void *arg, const void *entry)
{
    return ((const struct answer_entry *)entry)->seat.expires_s * 1000 <=
           ((const wall_ms_t *)arg)->ms;
}

bool place_shown(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                 const struct lb_node *node)
{
    return ask->shown.node.len > 0 && place_seats(ask) == 1 &&
           span_is(ask->shown.node, node->name) && ask->shown.node_epoch == node->info.epoch &&
           ask->shown.issued_s * 1000 <= view_wall(lb, pool).ms + SHOWN_AHEAD_MS &&
           lasts(lb, pool, ask->shown.expires_s);
}

void place_seat(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask, struct lb_node *node,
                const char *why, int64_t second, struct lb_placed *p)
{
    const struct pool_settings *s = pool->config.settings;
    uint32_t slot = view_slot(pool, node);
    struct pool_node table;
    bool there = pool_node(pool->table, slot, &table);
    assert(there);
    (void)there;
    p->verdict = LB_PLACED;
    p->why = why;
    p->node = node->name;
    p->endpoint = node->info.endpoint;
    p->node_epoch = node->info.epoch;
    p->issuer_epoch = pool->epoch;
    p->est = table.est;
    p->capacity = table.capacity;
    p->seat_count = place_seats(ask);
    int64_t ttl_ms = ask->room.len > 0 ? s->room_ticket_ttl_ms : s->ticket_ttl_ms;
    uint32_t fresh = 0;
    bool shown = place_shown(lb, pool, ask, node);
    if (shown)
        p->seats[0] = (struct lb_seat){.issued_s = ask->shown.issued_s,
                                       .expires_s = ask->shown.expires_s,
                                       .repeated = true,
                                       .shown = true};
    for (size_t i = 0; i < p->seat_count && !shown; i++) {
        struct answer_entry *a = place_told_before(lb, pool, ask, player_at(ask, i));
        bool same = a != NULL && a->epoch == node->info.epoch && strcmp(a->node, node->name) == 0;
        if (same)
            p->seats[i] = a->seat;
        else
            fresh++;
        p->seats[i].repeated = same;
    }
    int64_t issued_s = 0;
    const wall_ms_t wall = view_wall(lb, pool);
    if (fresh > 0 && second > 0)
        issued_s = pool_assign_at(pool->table, view_now(lb, pool), slot, fresh, second);
    else if (fresh > 0)
        issued_s = pool_assign(pool->table, view_now(lb, pool), slot, fresh);
    for (size_t i = 0; i < p->seat_count; i++) {
        if (p->seats[i].repeated) {
            pool->stats.repeated++;
            continue;
        }
        p->seats[i] = (struct lb_seat){.issued_s = issued_s,
                                       .expires_s = issued_s + (ttl_ms + 999) / 1000,
                                       .serial = ++lb->serial};
        recent_trim(&pool->answers, 2, is_over, &wall);
        struct answer_entry *a = recent_put(&pool->answers, player_at(ask, i));
        if (a == NULL)
            continue; /* no name: nothing to remember it by */
        a->seat = p->seats[i];
        a->epoch = node->info.epoch;
        (void)span_copy(ask->room, a->room, sizeof a->room);
        (void)snprintf(a->node, sizeof a->node, "%s", node->name);
    }
    pool->stats.placed += p->seat_count;
    if (fresh > 0 && ask->room.len > 0) {
        lb_rooms_seen(lb, pool);
        pool->rooms_due = true;
    }
    if (fresh > 0)
        peer_note_count(lb, pool);
}

/* ---- one player, no room ---- */

static bool place_repeated(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                           struct lb_placed *p)
{
    if (ask->player_count != 1)
        return false;
    const struct answer_entry *a = place_told_before(lb, pool, ask, ask->players[0]);
    if (a == NULL || is_excluded(ask, a->node))
        return false;
    struct lb_node *node = view_find(pool, span_of(a->node));
    if (node == NULL || node->info.epoch != a->epoch || node->state.state != NODE_READY ||
        node->doubted)
        return false;
    if (ask->version.len > 0 && !span_is(ask->version, node->info.version))
        return false;
    place_seat(lb, pool, ask, node, "repeated", 0, p);
    return true;
}

int place_pick(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
               const struct span *also, size_t also_count, struct pool_choice *ret_choice)
{
    struct span exclude[POOL_EXCLUDE_MAX];
    size_t count = 0;
    assert(also_count <= POOL_EXCLUDE_MAX);
    for (size_t i = 0; i < also_count; i++)
        exclude[count++] = also[i];
    for (size_t i = 0; i < ask->exclude_count && count < POOL_EXCLUDE_MAX; i++)
        exclude[count++] = ask->exclude[i];
    struct pool_query query = {
        .zone = ask->zone,
        .version = ask->version,
        .exclude = exclude,
        .exclude_count = count,
        .seats = (uint32_t)place_seats(ask),
    };
    return pool_pick(pool->table, view_now(lb, pool), &query, ret_choice);
}

/* ---- limits ---- */

/* A leaky bucket of one minute's asks. 0, or how long to wait for room in it. */
static int64_t bucket(struct lb *lb, struct lb_pool *pool, char kind, struct span name,
                      int64_t per_minute)
{
    char key[STRMAP_KEY_MAX];
    if (per_minute <= 0 || name.len == 0)
        return 0;
    size_t len = name.len < sizeof key - 1 ? name.len : sizeof key - 1;
    key[0] = kind;
    memcpy(key + 1, name.ptr, len);
    struct ask_entry *e = recent_put(&pool->asks, (struct span){key, len + 1});
    double each_ms = (double)RATE_WINDOW_MS / (double)per_minute;
    double leaked = (double)mono_sub(lb->now, e->at) / each_ms;
    e->used = e->used > leaked ? e->used - leaked : 0;
    e->at = lb->now;
    double over = e->used + 1 - (double)per_minute;
    if (over > 0)
        return (int64_t)(over * each_ms) + 1;
    e->used += 1;
    return 0;
}

int64_t lb_rate(struct lb *lb, mono_ms_t now, size_t pool, struct span address, struct span player)
{
    struct lb_pool *p = &lb->pools[pool];
    const struct pool_settings *s = p->config.settings;
    assert(!mono_before(now, lb->now));
    lb->now = now;
    int64_t wait = bucket(lb, p, 'a', address, s->address_rate);
    if (wait == 0)
        wait = bucket(lb, p, 'p', player, s->player_rate);
    if (wait > 0)
        p->stats.limited++;
    return wait;
}

/* ---- the door ---- */

static bool is_closed(const struct lb *lb, const struct lb_pool *pool)
{
    const struct want *want = &pool->closed_want;
    if (MUTANT(closed_pool_places))
        return false;
    return pool->config.settings->closed ||
           (want->kind == WANT_CLOSED && !want_expired(want, view_wall(lb, pool)));
}

void lb_place(struct lb *lb, mono_ms_t now, const struct lb_ask *ask, struct lb_placed *p)
{
    struct lb_pool *pool = &lb->pools[ask->pool];
    assert(!mono_before(now, lb->now) && ask->player_count <= LB_SEATS_MAX);
    lb->now = now;
    *p = (struct lb_placed){.node_epoch = 0};
    if (!pool->ready || pool->epoch == 0) {
        place_refuse(pool, p, "no_view", &pool->stats.no_view);
    } else if (pool->name_refused) {
        place_refuse(pool, p, "name_taken", &pool->stats.no_view);
    } else if (is_closed(lb, pool)) {
        place_refuse(pool, p, "closed", &pool->stats.closed);
    } else if (ask->room.len > 0) {
        place_room(lb, pool, ask, p);
    } else if (!place_repeated(lb, pool, ask, p)) {
        struct pool_choice choice;
        int code = place_pick(lb, pool, ask, NULL, 0, &choice);
        if (code < 0)
            place_refuse_pick(lb, pool, ask, p, code);
        else
            place_seat(lb, pool, ask, &pool->nodes[choice.slot], choice.why, 0, p);
    }
}

size_t lb_explain(struct lb *lb, mono_ms_t now, const struct lb_ask *ask,
                  struct pool_candidate *ret_list, size_t max)
{
    struct lb_pool *pool = &lb->pools[ask->pool];
    assert(!mono_before(now, lb->now));
    lb->now = now;
    struct pool_query query = {
        .zone = ask->zone,
        .version = ask->version,
        .exclude = ask->exclude,
        .exclude_count = ask->exclude_count,
        .seats = (uint32_t)place_seats(ask),
    };
    return pool_explain(pool->table, view_now(lb, pool), &query, ret_list, max);
}

const char *lb_slot_name(const struct lb *lb, size_t pool, uint32_t slot)
{
    return lb->pools[pool].nodes[slot].name;
}

const struct lb_place_stats *lb_place_stats(const struct lb *lb, size_t pool)
{
    return &lb->pools[pool].stats;
}

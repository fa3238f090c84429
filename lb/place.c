/* place.c - handing out seats: the pick, the repeated answer, the known room, the claim. */
#include "lb/internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    RATE_WINDOW_MS = 60000,
    LOST_PROBE_VALID_MS = 3000, /* a probe of a lost node says something about now for so long */
    MOVED_SAID_MS = 60000,
    ASKS_MAX = 65536,
};

/* Where a room is, as the store said. */
struct room_entry {
    char node[KEYS_NAME_MAX + 1];
    int64_t epoch;
    mono_ms_t expires_at, moved_until;
};

/* What a player was told last. */
struct answer_entry {
    char room[KEYS_ID_MAX + 1];
    char node[KEYS_NAME_MAX + 1];
    int64_t epoch;
    struct lb_seat seat;
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

static void refuse(struct lb_pool *pool, struct lb_placed *p, const char *why, uint64_t *counter)
{
    (*counter)++;
    p->verdict = LB_REFUSED;
    p->why = why;
    p->retry_after_ms = pool->config.settings->retry_after_ms;
}

static void refuse_pick(struct lb *lb, struct lb_pool *pool, struct lb_placed *p, int code)
{
    if (pool->refused == pool->refused_told)
        pool->refused_at = lb->now;
    pool->refused++;
    if (code == BERTH_EFULL)
        refuse(pool, p, "no_capacity", &pool->stats.no_capacity);
    else
        refuse(pool, p, "no_node", &pool->stats.no_node);
}

void place_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx)
{
    if (mono_before(lb->now, place_deadline(pool)) || !fx_room(lb, fx, 1))
        return;
    fx_note(fx, LB_WARN, pool->index, "no_capacity", NULL, true, "refused", "players=%llu",
            (unsigned long long)(pool->refused - pool->refused_told));
    pool->refused_told = pool->refused;
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

static size_t seats_of(const struct lb_ask *ask)
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

/* What this player was told, if it still holds. */
static struct answer_entry *told_before(struct lb *lb, struct lb_pool *pool,
                                        const struct lb_ask *ask, struct span player)
{
    struct answer_entry *a = recent_get(&pool->answers, player);
    if (a == NULL || !span_is(ask->room, a->room))
        return NULL;
    /* A ticket about to expire would only disappoint. */
    if ((a->seat.expires_s - 1) * 1000 <= view_wall(lb, pool).ms)
        return NULL;
    return a;
}

/* Seats for every player of the ask on this node; those who were told of it before get the same. */
static void seat(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                 struct lb_node *node, const char *why, struct lb_placed *p)
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
    p->seat_count = seats_of(ask);
    int64_t ttl_ms = ask->room.len > 0 ? s->room_ticket_ttl_ms : s->ticket_ttl_ms;
    uint32_t fresh = 0;
    for (size_t i = 0; i < p->seat_count; i++) {
        struct answer_entry *a = told_before(lb, pool, ask, player_at(ask, i));
        bool same = a != NULL && a->epoch == node->info.epoch && strcmp(a->node, node->name) == 0;
        if (same)
            p->seats[i] = a->seat;
        else
            fresh++;
        p->seats[i].repeated = same;
    }
    int64_t issued_s = fresh > 0 ? pool_assign(pool->table, view_now(lb, pool), slot, fresh) : 0;
    for (size_t i = 0; i < p->seat_count; i++) {
        if (p->seats[i].repeated) {
            pool->stats.repeated++;
            continue;
        }
        p->seats[i] = (struct lb_seat){.issued_s = issued_s,
                                       .expires_s = issued_s + (ttl_ms + 999) / 1000,
                                       .serial = ++lb->serial};
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
    const struct answer_entry *a = told_before(lb, pool, ask, ask->players[0]);
    if (a == NULL || is_excluded(ask, a->node))
        return false;
    struct lb_node *node = view_find(pool, span_of(a->node));
    if (node == NULL || node->info.epoch != a->epoch || node->state.state != NODE_READY ||
        node->doubted)
        return false;
    if (ask->version.len > 0 && !span_is(ask->version, node->info.version))
        return false;
    seat(lb, pool, ask, node, "repeated", p);
    return true;
}

/* also: one more name not to choose; empty: none. */
static int pick(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask, struct span also,
                struct pool_choice *ret_choice)
{
    struct span exclude[POOL_EXCLUDE_MAX];
    size_t count = 0;
    if (also.len > 0)
        exclude[count++] = also;
    for (size_t i = 0; i < ask->exclude_count && count < POOL_EXCLUDE_MAX; i++)
        exclude[count++] = ask->exclude[i];
    struct pool_query query = {
        .zone = ask->zone,
        .version = ask->version,
        .exclude = exclude,
        .exclude_count = count,
        .seats = (uint32_t)seats_of(ask),
    };
    return pool_pick(pool->table, view_now(lb, pool), &query, ret_choice);
}

/* ---- rooms ---- */

enum room_site {
    SITE_NONE,    /* not known here */
    SITE_GOOD,    /* on this node */
    SITE_DEAD,    /* its process is no more, or unreachable, or has closed its door */
    SITE_UNKNOWN, /* lost and not probed yet, or about to close: ask again */
};

/* Does the node that has the room still stand? A room moves only when its process is gone, or the
 * node is lost *and* a probe of it failed: silence alone splits no friends. */
static enum room_site site_of(struct lb *lb, struct lb_pool *pool, struct lb_node *node,
                              int64_t epoch)
{
    if (!pool->live && (node == NULL || node->info.epoch != epoch))
        return SITE_UNKNOWN; /* what we see is old */
    if (node == NULL || epoch < node->first_epoch)
        return SITE_DEAD;
    if (epoch > node->info.epoch)
        return SITE_UNKNOWN; /* the store is ahead of what we heard */
    switch (node->state.state) {
    case NODE_JOINING:
    case NODE_READY:
    case NODE_HELD:
    case NODE_DRAINING:
        return SITE_GOOD;
    case NODE_CLOSING: /* it will be drained in a moment, or be found not to be empty */
        return SITE_UNKNOWN;
    case NODE_DRAINED:
    case NODE_TERMINATING:
    case NODE_GONE:
        return SITE_DEAD;
    case NODE_LOST:
        break;
    }
    const struct lb_probe *probe = &node->probe;
    bool recent = mono_sub(lb->now, probe->sent_at) < LOST_PROBE_VALID_MS;
    if (probe->failures > 0)
        return SITE_DEAD;
    if (probe->successes > 0 && recent)
        return SITE_GOOD;
    node->probe.wanted = pool->probes_wanted = true;
    return SITE_UNKNOWN;
}

static struct room_entry *room_get(struct lb *lb, struct lb_pool *pool, struct span room)
{
    struct room_entry *r = recent_get(&pool->rooms, room);
    return r != NULL && mono_before(lb->now, r->expires_at) ? r : NULL;
}

static void room_remember(struct lb *lb, struct lb_pool *pool, struct span room, const char *node,
                          int64_t epoch, bool moved)
{
    struct room_entry *r = recent_put(&pool->rooms, room);
    if (r == NULL)
        return;
    (void)snprintf(r->node, sizeof r->node, "%s", node);
    r->epoch = epoch;
    r->expires_at = mono_add(lb->now, pool->config.settings->room_ttl_ms);
    if (moved) {
        r->moved_until = mono_add(lb->now, MOVED_SAID_MS);
        pool->stats.rooms_moved++;
    }
}

static void give_back(struct lb_pool *pool, const struct lb_reserved *r)
{
    if (r->seats > 0)
        pool_release(pool->table, r->slot, r->epoch, r->seats);
}

/* Ask the store for the room: on the node where we believe it to be, or on the best one. dead:
 * where it cannot be. */
static void claim(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                  struct lb_node *believed, const char *dead_node, int64_t dead_epoch,
                  struct lb_placed *p)
{
    if (!pool->store_up) {
        refuse(pool, p, "store_away", &pool->stats.store_away);
        return;
    }
    if (p->claims >= LB_CLAIMS_MAX) {
        refuse(pool, p, "room_contended", &pool->stats.room_lost);
        return;
    }
    struct lb_claim *c = &p->claim;
    *c = (struct lb_claim){.epoch = 0};
    p->claim_why = "known_room";
    if (believed == NULL) {
        struct pool_choice choice;
        int code = pick(lb, pool, ask, span_of(p->stale_node), &choice);
        if (code < 0) {
            refuse_pick(lb, pool, p, code);
            return;
        }
        believed = &pool->nodes[choice.slot];
        p->claim_why = choice.why;
        p->reserved = (struct lb_reserved){
            .slot = choice.slot, .epoch = believed->info.epoch, .seats = (uint32_t)seats_of(ask)};
        pool_reserve(pool->table, choice.slot, p->reserved.seats);
    }
    (void)snprintf(c->node, sizeof c->node, "%s", believed->name);
    c->epoch = believed->info.epoch;
    c->has_dead = dead_node != NULL;
    if (c->has_dead) {
        (void)snprintf(c->dead_node, sizeof c->dead_node, "%s", dead_node);
        c->dead_epoch = dead_epoch;
    }
    p->claims++;
    pool->stats.claims++;
    p->verdict = LB_CLAIM;
    p->why = "claim";
}

static bool all_told_before(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                            const struct lb_node *node)
{
    for (size_t i = 0; i < ask->player_count; i++) {
        const struct answer_entry *a = told_before(lb, pool, ask, ask->players[i]);
        if (a == NULL || a->epoch != node->info.epoch || strcmp(a->node, node->name) != 0)
            return false;
    }
    return true;
}

static void place_room(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                       struct lb_placed *p)
{
    struct room_entry *r = room_get(lb, pool, ask->room);
    if (r == NULL) {
        claim(lb, pool, ask, NULL, NULL, 0, p);
        return;
    }
    struct lb_node *node = view_find(pool, span_of(r->node));
    switch (site_of(lb, pool, node, r->epoch)) {
    case SITE_GOOD:
        /* Nobody new: memory will do. Somebody new: the store must know who is where; if it is
         * away, memory must do. */
        if (!pool->store_up || all_told_before(lb, pool, ask, node)) {
            p->moved = mono_before(lb->now, r->moved_until);
            seat(lb, pool, ask, node, "known_room", p);
        } else {
            claim(lb, pool, ask, node, NULL, 0, p);
        }
        return;
    case SITE_UNKNOWN:
        refuse(pool, p, "room_node_lost", &pool->stats.room_lost);
        p->retry_after_ms = 1000;
        return;
    case SITE_DEAD:
    case SITE_NONE:
        break;
    }
    char dead[KEYS_NAME_MAX + 1];
    (void)snprintf(dead, sizeof dead, "%s", r->node);
    claim(lb, pool, ask, NULL, dead, r->epoch, p);
}

/* The store says where the room is. */
static void settle(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                   const struct store_answer *answer, struct lb_placed *p)
{
    char name[KEYS_NAME_MAX + 1];
    if (!span_copy(answer->node, name, sizeof name)) {
        refuse(pool, p, "store_away", &pool->stats.store_away);
        return;
    }
    struct lb_node *node = view_find(pool, span_of(name));
    enum room_site site = site_of(lb, pool, node, answer->epoch);
    if (site == SITE_DEAD) {
        claim(lb, pool, ask, NULL, name, answer->epoch, p);
        return;
    }
    bool moved = answer->word == ANSWER_MOVED;
    room_remember(lb, pool, ask->room, name, answer->epoch, moved);
    if (site == SITE_UNKNOWN) {
        refuse(pool, p, "room_node_lost", &pool->stats.room_lost);
        p->retry_after_ms = 1000;
        return;
    }
    p->moved = moved;
    seat(lb, pool, ask, node, answer->word == ANSWER_HAVE ? "known_room" : p->claim_why, p);
}

/* What we proposed is not ready any more, as the feed will say in a moment: choose another. */
static void claim_again(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                        struct lb_placed *p)
{
    struct lb_claim before = p->claim;
    (void)snprintf(p->stale_node, sizeof p->stale_node, "%s", before.node);
    claim(lb, pool, ask, NULL, before.has_dead ? before.dead_node : NULL, before.dead_epoch, p);
}

/* The store did not answer. Where a known room is does not hang on that. */
static void remember_or_refuse(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                               struct lb_placed *p)
{
    struct room_entry *r = room_get(lb, pool, ask->room);
    struct lb_node *node = r == NULL ? NULL : view_find(pool, span_of(r->node));
    if (r == NULL || site_of(lb, pool, node, r->epoch) != SITE_GOOD) {
        refuse(pool, p, "store_away", &pool->stats.store_away);
        return;
    }
    p->moved = mono_before(lb->now, r->moved_until);
    seat(lb, pool, ask, node, "known_room", p);
}

void lb_claimed(struct lb *lb, mono_ms_t now, const struct lb_ask *ask, struct lb_placed *p,
                int code, const struct store_answer *answer)
{
    struct lb_pool *pool = &lb->pools[ask->pool];
    assert(!mono_before(now, lb->now) && p->verdict == LB_CLAIM);
    lb->now = now;
    struct lb_reserved reserved = p->reserved;
    p->reserved = (struct lb_reserved){.seats = 0};
    enum answer_word word = code == 0 ? answer->word : ANSWER_WORDS;
    switch (word) {
    case ANSWER_OK:
    case ANSWER_HAVE:
    case ANSWER_MOVED:
        settle(lb, pool, ask, answer, p);
        break;
    case ANSWER_STALE:
    case ANSWER_UNKNOWN:
        claim_again(lb, pool, ask, p);
        break;
    default:
        remember_or_refuse(lb, pool, ask, p);
        break;
    }
    give_back(pool, &reserved); /* after the seats were counted: nobody slips in between */
}

void lb_abandon(struct lb *lb, const struct lb_ask *ask, struct lb_placed *p)
{
    give_back(&lb->pools[ask->pool], &p->reserved);
    p->reserved = (struct lb_reserved){.seats = 0};
}

void lb_room_over(struct lb *lb, size_t pool, struct span room)
{
    recent_remove(&lb->pools[pool].rooms, room);
}

bool lb_room_known(struct lb *lb, mono_ms_t now, size_t pool, struct span room,
                   const char **ret_node, const char **ret_endpoint)
{
    struct lb_pool *p = &lb->pools[pool];
    assert(!mono_before(now, lb->now));
    lb->now = now;
    struct room_entry *r = room_get(lb, p, room);
    struct lb_node *node = r == NULL ? NULL : view_find(p, span_of(r->node));
    if (r == NULL || site_of(lb, p, node, r->epoch) != SITE_GOOD)
        return false;
    *ret_node = node->name;
    *ret_endpoint = node->info.endpoint;
    return true;
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
        refuse(pool, p, "no_view", &pool->stats.no_view);
    } else if (pool->name_refused) {
        refuse(pool, p, "name_taken", &pool->stats.no_view);
    } else if (is_closed(lb, pool)) {
        refuse(pool, p, "closed", &pool->stats.closed);
    } else if (ask->room.len > 0) {
        place_room(lb, pool, ask, p);
    } else if (!place_repeated(lb, pool, ask, p)) {
        struct pool_choice choice;
        int code = pick(lb, pool, ask, (struct span){NULL, 0}, &choice);
        if (code < 0)
            refuse_pick(lb, pool, p, code);
        else
            seat(lb, pool, ask, &pool->nodes[choice.slot], choice.why, p);
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
        .seats = (uint32_t)seats_of(ask),
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

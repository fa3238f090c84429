/* place_room.c - where a room is: the known one, the claim of a new one, the one whose node is
 * dead. */
#include "lb/place_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    LOST_PROBE_VALID_MS = 3000, /* a probe of a lost node says something about now for so long */
    MOVED_SAID_MS = 60000,
    SETTLE_MS = 500, /* the default of `settle`, without the report interval */
};

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
    probe_want(lb, pool, node);
    return SITE_UNKNOWN;
}

static struct room_entry *room_get(struct lb *lb, struct lb_pool *pool, struct span room)
{
    struct room_entry *r = recent_get(&pool->rooms, room);
    return r != NULL && mono_before(lb->now, r->expires_at) ? r : NULL;
}

static bool is_over(const void *arg, const void *entry)
{
    return !mono_before(*(const mono_ms_t *)arg, ((const struct room_entry *)entry)->expires_at);
}

static void room_remember(struct lb *lb, struct lb_pool *pool, struct span room, const char *node,
                          int64_t epoch, bool moved)
{
    recent_trim(&pool->rooms, 2, is_over, &lb->now);
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

/* How long the store is to count the seats: no longer than the node tells of their tickets. */
static void claim_lasts(const struct lb *lb, const struct lb_pool *pool, const struct lb_node *node,
                        struct lb_claim *c)
{
    const struct pool_settings *s = pool->config.settings;
    c->alive_ms = s->room_ticket_ttl_ms + lb->config.tickets->skew_ms;
    int64_t seen_ms = s->settle_ms == 0 ? SETTLE_MS : s->settle_ms - s->report_interval_ms;
    if (!node->info.tickets)
        c->settle_ms = seen_ms > 0 ? seen_ms : 1;
}

/* Ask the store for the room: on the node where we believe it to be, or on the best one. dead:
 * where it cannot be. */
static void claim(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                  struct lb_node *believed, const char *dead_node, int64_t dead_epoch,
                  struct lb_placed *p)
{
    if (!pool->store_up) {
        place_refuse(pool, p, "store_away", &pool->stats.store_away);
        return;
    }
    if (p->claims >= LB_CLAIMS_MAX) {
        if (p->full)
            place_refuse_pick(lb, pool, ask, p, BERTH_EFULL);
        else
            place_refuse(pool, p, "room_contended", &pool->stats.room_lost);
        return;
    }
    struct lb_claim *c = &p->claim;
    *c = (struct lb_claim){.epoch = 0};
    p->claim_why = "known_room";
    if (believed == NULL) {
        struct pool_choice choice;
        struct span stale[LB_CLAIMS_MAX];
        for (size_t i = 0; i < p->stale_count; i++)
            stale[i] = span_of(p->stale[i]);
        int code = place_pick(lb, pool, ask, stale, p->stale_count, &choice);
        if (code < 0) {
            place_refuse_pick(lb, pool, ask, p, p->full ? BERTH_EFULL : code);
            return;
        }
        believed = &pool->nodes[choice.slot];
        p->claim_why = choice.why;
        p->reserved = (struct lb_reserved){.slot = choice.slot,
                                           .epoch = believed->info.epoch,
                                           .seats = (uint32_t)place_seats(ask)};
        pool_reserve(pool->table, choice.slot, p->reserved.seats);
    }
    (void)snprintf(c->node, sizeof c->node, "%s", believed->name);
    c->epoch = believed->info.epoch;
    c->issuer_epoch = pool->epoch;
    claim_lasts(lb, pool, believed, c);
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
    if (place_shown(lb, pool, ask, node))
        return true;
    for (size_t i = 0; i < ask->player_count; i++) {
        const struct answer_entry *a = place_told_before(lb, pool, ask, ask->players[i]);
        if (a == NULL || a->epoch != node->info.epoch || strcmp(a->node, node->name) != 0)
            return false;
    }
    return true;
}

void place_room(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask, struct lb_placed *p)
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
            place_seat(lb, pool, ask, node, "known_room", 0, p);
        } else {
            claim(lb, pool, ask, node, NULL, 0, p);
        }
        return;
    case SITE_UNKNOWN:
        place_refuse(pool, p, "room_node_lost", &pool->stats.room_lost);
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
        place_refuse(pool, p, "store_away", &pool->stats.store_away);
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
        place_refuse(pool, p, "room_node_lost", &pool->stats.room_lost);
        p->retry_after_ms = 1000;
        return;
    }
    p->moved = moved;
    if (answer->word == ANSWER_HAVE)
        place_seat(lb, pool, ask, node, "known_room", 0, p);
    else
        place_seat(lb, pool, ask, node, p->claim_why, answer->now.ms / 1000, p);
}

/* What we proposed is not ready any more, as the feed will say in a moment, or another LB was
 * faster there and its last places are gone: choose another. */
static void claim_again(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask, bool full,
                        struct lb_placed *p)
{
    struct lb_claim before = p->claim;
    p->full = full;
    if (full)
        pool->stats.claims_full++;
    (void)snprintf(p->stale[p->stale_count++], sizeof p->stale[0], "%s", before.node);
    claim(lb, pool, ask, NULL, before.has_dead ? before.dead_node : NULL, before.dead_epoch, p);
}

/* The store did not answer. Where a known room is does not hang on that. */
static void remember_or_refuse(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                               struct lb_placed *p)
{
    struct room_entry *r = room_get(lb, pool, ask->room);
    struct lb_node *node = r == NULL ? NULL : view_find(pool, span_of(r->node));
    if (r == NULL || site_of(lb, pool, node, r->epoch) != SITE_GOOD) {
        place_refuse(pool, p, "store_away", &pool->stats.store_away);
        return;
    }
    p->moved = mono_before(lb->now, r->moved_until);
    place_seat(lb, pool, ask, node, "known_room", 0, p);
}

void lb_claimed(struct lb *lb, mono_ms_t now, const struct lb_ask *ask, struct lb_placed *p,
                int code, const struct store_answer *answer)
{
    struct lb_pool *pool = &lb->pools[ask->pool];
    assert(!mono_before(now, lb->now) && p->verdict == LB_CLAIM);
    lb->now = now;
    struct lb_reserved reserved = p->reserved;
    p->reserved = (struct lb_reserved){.seats = 0};
    give_back(pool, &reserved); /* first: what is chosen now may need the same last places */
    enum answer_word word = code == 0 ? answer->word : ANSWER_WORDS;
    switch (word) {
    case ANSWER_OK:
    case ANSWER_HAVE:
    case ANSWER_MOVED:
        settle(lb, pool, ask, answer, p);
        break;
    case ANSWER_STALE:
    case ANSWER_UNKNOWN:
    case ANSWER_FULL:
        claim_again(lb, pool, ask, word == ANSWER_FULL, p);
        break;
    default:
        remember_or_refuse(lb, pool, ask, p);
        break;
    }
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

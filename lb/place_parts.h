/* place_parts.h - what lb/place.c and lb/place_room.c share. */
#ifndef BERTH_LB_PLACE_PARTS_H
#define BERTH_LB_PLACE_PARTS_H

#include "lb/internal.h"

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

/* Seats asked for: at least one. */
size_t place_seats(const struct lb_ask *ask);
/* Answered with a refusal; counter: which of the pool's statistics. */
void place_refuse(struct lb_pool *pool, struct lb_placed *p, const char *why, uint64_t *counter);
/* code: of place_pick(). */
void place_refuse_pick(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                       struct lb_placed *p, int code);
/* What this player was told, if it still holds; else NULL. */
struct answer_entry *place_told_before(struct lb *lb, struct lb_pool *pool,
                                       const struct lb_ask *ask, struct span player);
/* The ticket that was shown is for this node, and good for a while: it is the answer. */
bool place_shown(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
                 const struct lb_node *node);
/* Seats for every player of the ask on this node; those who were told of it before get the same.
 * second: under which the store counts them; 0: the present one. */
void place_seat(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask, struct lb_node *node,
                const char *why, int64_t second, struct lb_placed *p);
/* also: more names not to choose. As pool_pick(). */
int place_pick(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask,
               const struct span *also, size_t also_count, struct pool_choice *ret_choice);

/* ---- place_room.c ---- */

void place_room(struct lb *lb, struct lb_pool *pool, const struct lb_ask *ask, struct lb_placed *p);

#endif

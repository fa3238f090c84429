/* ending.h - leaving a room, being away from it, and the end of a match. Used by game.c only. */
#ifndef BERTH_GAMENODE_ENDING_H
#define BERTH_GAMENODE_ENDING_H

#include "gamenode/game.h"

/* The player says so. */
void ending_leave(struct game *game, const struct node_event *ev, uint32_t seat,
                  struct effects *fx);
/* Its socket went without a word: the seat is kept for a while, the others see it. */
void ending_away(struct game *game, const struct node_event *ev, struct effects *fx);
/* The match is over, by the word of a player. */
void ending_finish(struct game *game, const struct node_event *ev, uint32_t seat,
                   struct effects *fx);
/* Two nodes held the room and the other one's claim is the earlier: the players ask again. */
void ending_moved(struct game *game, const struct node_event *ev, struct effects *fx);
/* What fell due: seats, empty rooms, idle ones, finished ones. At most a few a step. */
void ending_tick(struct game *game, const struct node_event *ev, struct effects *fx);

/* {"player": ...} */
struct span ending_payload(const char *player, struct effects *fx);

#endif

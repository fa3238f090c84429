/* join.h - admission into a room, and coming back to one's seat. Used by game.c only. */
#ifndef BERTH_GAMENODE_JOIN_H
#define BERTH_GAMENODE_JOIN_H

#include "gamenode/game.h"

void join_message(struct game *game, const struct node_event *ev, struct effects *fx);
/* The match of this seat's room begins, because its player says so. */
void join_start(struct game *game, const struct node_event *ev, uint32_t seat, struct effects *fx);

#endif

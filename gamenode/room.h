/* room.h - rooms and seats of a game node: taking, leaving, telling the others. Used by game.c
 * only. */
#ifndef BERTH_GAMENODE_ROOM_H
#define BERTH_GAMENODE_ROOM_H

#include "gamenode/game.h"

/* The live or finished room of this id, or GAME_NONE. */
uint32_t room_find(const struct game *game, struct span id);
/* A new live room; GAME_NONE when rooms_max are live (finished ones give way). */
uint32_t room_open(struct game *game, struct span id, mono_ms_t now);
/* Everyone is out already. keep: remember it as finished, so that latecomers are told. */
void room_close(struct game *game, uint32_t room, bool keep, mono_ms_t now);

/* Somebody said something in it. */
void room_heard(struct game *game, uint32_t room, mono_ms_t now);

/* The player's seat in the room, or GAME_NONE. */
uint32_t seat_find(const struct game *game, uint32_t room, const char *player);
/* A new seat without a socket; GAME_NONE when the room or the node has no more. */
uint32_t seat_take(struct game *game, uint32_t room, const char *player);
/* Give the seat and its ticket up for good; the room begins to linger if it was the last. */
void seat_leave(struct game *game, uint32_t seat, const struct node_event *ev);
/* Put a socket on the seat, or take it off (GAME_NONE). */
void seat_set_peer(struct game *game, uint32_t seat, uint32_t peer);

/* Send to everyone in the room who is there, but not to seat `but` (GAME_NONE: to all). */
void room_send(struct game *game, uint32_t room, uint32_t but, const char *event,
               struct span payload, struct effects *fx);

#endif

/* relay.h - what players tell each other: events at once and in order; positions coalesced, the
 * latest of each player in one frame a tick. Used by game.c only.
 *
 * A room's tick begins with the first position after the one before: it has its own phase, so that
 * many rooms do not send together, and a room in which nobody moves costs nothing. Each receiver
 * knows the positions up to a number of the room's clock; a frame holds those of the others that
 * are younger. So a receiver that was left out (it reads too slowly), or has just come, gets the
 * latest of everyone once, and nothing is kept for it but that number. */
#ifndef BERTH_GAMENODE_RELAY_H
#define BERTH_GAMENODE_RELAY_H

#include "gamenode/game.h"

void relay_event(struct game *game, const struct node_event *ev, uint32_t seat, struct effects *fx);
void relay_position(struct game *game, const struct node_event *ev, uint32_t seat,
                    struct effects *fx);
/* NODE_BEHIND: the frame was not sent; it is made anew at the next tick. */
void relay_left_out(struct game *game, const struct node_event *ev, uint32_t seat);
/* The player sees the room for the first time, or again: it gets everyone's position. */
void relay_catch_up(struct game *game, uint32_t seat, mono_ms_t now);
/* The seat is being given up. */
void relay_forget(struct game *game, uint32_t seat);
/* Frames that are due, as many as the effects have room for; the deadline stays due if there are
 * more. */
void relay_tick(struct game *game, mono_ms_t now, struct effects *fx);
/* Bytes of all that one receiver may be sent in one tick. */
size_t relay_text_max(const struct game_config *config);

#endif

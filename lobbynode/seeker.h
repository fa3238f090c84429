/* seeker.h - what a player of this lobby node is looking for, and how the store's answers change
 * it. Used by lobby.c and party.c only. */
#ifndef BERTH_LOBBYNODE_SEEKER_H
#define BERTH_LOBBYNODE_SEEKER_H

#include "lobbynode/lobby.h"

/* The client's events. */
void seeker_seek(struct lobby *lobby, const struct node_event *ev, struct lobby_effects *fx);
void seeker_cancel(struct lobby *lobby, const struct node_event *ev, struct lobby_effects *fx);
/* The socket is gone: the store is asked to forget the seeker, until it has. */
void seeker_gone(struct lobby *lobby, uint32_t peer, struct lobby_effects *fx);
/* The player goes on at another socket. */
void seeker_move(struct lobby *lobby, uint32_t from, uint32_t to, mono_ms_t now);

/* The store's answers. */
void seeker_answered(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx);
void seeker_cancelled(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx);
/* Our stream: RESULT_RESULT, _SEEKING, _CANCELLED, _TIMEOUT, _AGAIN. */
void seeker_result(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx);

void seeker_tick(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx);
mono_ms_t seeker_deadline(const struct lobby *lobby);

struct lobby_player *seeker_find(struct lobby *lobby, struct span player, uint32_t *ret_peer);
/* `error` with that reason. */
void seeker_complain(uint32_t peer, const char *reason, struct lobby_effects *fx);

#endif

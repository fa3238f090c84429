/* party.h - players who want to be matched together, and what players of a match or party say to
 * each other. Used by lobby.c only. */
#ifndef BERTH_LOBBYNODE_PARTY_H
#define BERTH_LOBBYNODE_PARTY_H

#include "lobbynode/lobby.h"

/* party_create, party_join, party_leave, message, group_join. False: none of them. */
bool party_message(struct lobby *lobby, const struct node_event *ev, struct lobby_effects *fx);
/* The player is gone from this node. */
void party_gone(struct lobby *lobby, uint32_t peer, struct lobby_effects *fx);

void party_answered(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx);
void party_group_answered(struct lobby *lobby, const struct lobby_event *ev,
                          struct lobby_effects *fx);
/* Our stream: RESULT_PARTY, _SAY, _HERE, _AWAY. */
void party_told(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx);

#endif

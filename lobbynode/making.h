/* making.h - the matcher's turn: leases, looks at the queues, proposals. Used by lobby.c only. */
#ifndef BERTH_LOBBYNODE_MAKING_H
#define BERTH_LOBBYNODE_MAKING_H

#include "lobbynode/lobby.h"

void making_tick(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx);
mono_ms_t making_deadline(const struct lobby *lobby);
/* One queue of a tick's answer. */
void making_queue(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx);
void making_done(struct lobby *lobby, const struct lobby_event *ev);

#endif

/* match.h - matches this lobby node is finishing: place, retry, write the results. Used by lobby.c
 * only. */
#ifndef BERTH_LOBBYNODE_MATCH_H
#define BERTH_LOBBYNODE_MATCH_H

#include "lobbynode/lobby.h"

/* One more effect; the table of them is big enough for any step (asserted). */
struct lobby_effect *lobby_do(struct lobby_effects *fx, enum lobby_effect_kind kind);

/* A match is ours for retry_ms from now. Known ones and those beyond matches_max are left to the
 * store. */
void match_begin(struct lobby *lobby, const struct seek_match *match, mono_ms_t now,
                 struct lobby_effects *fx);
void match_placed(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx);
void match_finished(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx);
void match_tick(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx);
mono_ms_t match_deadline(const struct lobby *lobby);

#endif

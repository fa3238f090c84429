/* state.h - the states of a node, their words, and who may move a node from which to which
 * (docs/redis.md).
 *
 * Pure. The one table of legal moves for every program; store/move.lua holds the same table. */
#ifndef BERTH_CORE_STATE_H
#define BERTH_CORE_STATE_H

#include "core/span.h"

enum node_state {
    NODE_JOINING,     /* reports, not yet proved */
    NODE_READY,       /* handed out */
    NODE_HELD,        /* healthy, kept out on purpose */
    NODE_DRAINING,    /* no new players; those inside play on */
    NODE_CLOSING,     /* empty; asked to close its door */
    NODE_DRAINED,     /* its door is closed: may be terminated, or taken back */
    NODE_TERMINATING, /* its instance is being unmade */
    NODE_LOST,        /* silent, or unreachable */
    NODE_GONE,        /* forgotten */
};
enum { NODE_STATES = NODE_GONE + 1 };

enum move_role {
    MOVE_OWNER,  /* the LB that holds the pool */
    MOVE_LEADER, /* the autoscaler that leads the pool */
};

/* The word of a state: "joining" ... */
const char *state_word(enum node_state state);

/* False when the word is not a state; then nothing is written. */
bool state_parse(struct span word, enum node_state *ret_state);

/* May this role move a node from `from` to `to`? */
bool state_may_move(enum move_role role, enum node_state from, enum node_state to);

#endif

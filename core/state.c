/* state.c - words of the states and the table of legal moves. */
#include "core/state.h"

#include <assert.h>

static const char *const words[NODE_STATES] = {
    "joining", "ready", "held", "draining", "closing", "drained", "terminating", "lost", "gone",
};

#define TO(state) (1u << NODE_##state)

/* By role and present state: the set of states it may become. */
static const unsigned legal[2][NODE_STATES] = {
    [MOVE_OWNER] =
        {
            [NODE_JOINING] = TO(READY) | TO(HELD) | TO(DRAINING) | TO(LOST),
            [NODE_READY] = TO(HELD) | TO(DRAINING) | TO(LOST),
            [NODE_HELD] = TO(JOINING) | TO(DRAINING) | TO(LOST),
            [NODE_DRAINING] = TO(CLOSING) | TO(JOINING) | TO(LOST),
            [NODE_CLOSING] = TO(DRAINED) | TO(DRAINING) | TO(LOST),
            [NODE_DRAINED] = TO(JOINING) | TO(LOST),
            [NODE_LOST] = TO(JOINING) | TO(DRAINING) | TO(GONE),
        },
    [MOVE_LEADER] =
        {
            [NODE_DRAINED] = TO(TERMINATING),
            [NODE_TERMINATING] = TO(GONE),
            [NODE_LOST] = TO(GONE),
        },
};

const char *state_word(enum node_state state)
{
    assert((unsigned)state < NODE_STATES);
    return words[state];
}

bool state_parse(struct span word, enum node_state *ret_state)
{
    for (unsigned i = 0; i < NODE_STATES; i++)
        if (span_is(word, words[i])) {
            *ret_state = (enum node_state)i;
            return true;
        }
    return false;
}

bool state_may_move(enum move_role role, enum node_state from, enum node_state to)
{
    assert((unsigned)from < NODE_STATES && (unsigned)to < NODE_STATES);
    return (legal[role][from] & (1u << to)) != 0;
}

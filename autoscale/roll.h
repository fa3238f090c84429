/* roll.h - replacing the pool's old nodes by new ones, a few at a time, without ending a session.
 *
 * Pure. The pool keeps its size: `max_step` nodes more are launched, and when they are ready as
 * many old ones are drained; then the next. So there are never fewer ready nodes than before, and
 * never more than max_step old ones on their way out. What the size was is kept in the plan
 * (`roll`), for the next leader. */
#ifndef BERTH_AUTOSCALE_ROLL_H
#define BERTH_AUTOSCALE_ROLL_H

#include "autoscale/arbiter.h"

#define ROLL_FIELD "roll" /* of the plan */

struct roll {
    bool wished; /* by an operator */
    int base;    /* nodes to keep ready; 0: nothing is rolled */
};

enum roll_move {
    ROLL_REST,   /* there is nothing to roll */
    ROLL_BEGIN,  /* remember `base`, then ask again */
    ROLL_LAUNCH, /* `step` nodes */
    ROLL_DRAIN,  /* `step` old nodes */
    ROLL_WAIT,   /* for new ones to come or old ones to go */
    ROLL_HELD,   /* no room below the ceiling */
    ROLL_DONE,   /* forget `base` */
};

struct roll_decision {
    enum roll_move move;
    int step;
    int base;
};

/* `needed` is the size that the votes and limits want of a pool of `base` nodes. */
struct roll_decision roll_decide(const struct roll *roll, const struct policy *policy,
                                 const struct fleet_figures *figures, int needed);

#endif

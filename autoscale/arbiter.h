/* arbiter.h - turns the rules' votes into one size for the pool, and says what was held back and by
 * what.
 *
 * Pure. Order of authority: what holds everything (stale data, a clock jump, a pause) > floor >
 * ceiling > an operator's size > urgent votes > cooldowns > votes. Out beats in; no in while out is
 * under way; max_step bounds each move. */
#ifndef BERTH_AUTOSCALE_ARBITER_H
#define BERTH_AUTOSCALE_ARBITER_H

#include "autoscale/policy.h"

/* What must survive a change of leader: it is kept in the plan, in Redis time. 0: never. */
struct arbiter_memory {
    wall_ms_t out_at, in_at;
};

/* A wish of an operator for the pool's size, until it ends. */
struct arbiter_wish {
    bool given;
    int size;
};

enum arbiter_move { ARBITER_REST, ARBITER_OUT, ARBITER_IN };

struct arbiter_decision {
    enum arbiter_move move; /* what to do now */
    int step;               /* by how many nodes; 0 at rest */
    int desired;            /* where the votes and limits want the pool, cooldowns aside */
    bool urgent;
    bool limited;        /* floor or ceiling overruled the votes */
    int decisive;        /* index of the vote that decided, or -1: floor, ceiling or operator */
    const char *why;     /* constant word, or that vote's reason */
    const char *held_by; /* NULL; or what keeps it from `desired`: cooldown_out cooldown_in
                            out_under_way trust max_step blocked_by_vote */
    int64_t held_for_ms; /* until a cooldown ends; -1: no set time */
};

/* figures->size is what the decision counts from. votes: one per rule of the policy. */
void arbiter_decide(const struct policy *policy, const struct arbiter_memory *memory,
                    const struct fleet_figures *figures, const struct vote *votes,
                    const struct arbiter_wish *wish, wall_ms_t wall,
                    struct arbiter_decision *ret_decision);

#endif

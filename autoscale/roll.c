/* roll.c - replacing the pool's old nodes by new ones, a few at a time, without ending a session.
 */
#include "autoscale/roll.h"

#include "core/mutant.h"

static int less(int a, int b)
{
    return a < b ? a : b;
}

struct roll_decision roll_decide(const struct roll *roll, const struct policy *policy,
                                 const struct fleet_figures *figures, int needed)
{
    const struct fleet_figures *f = figures;
    struct roll_decision d = {.base = roll->base};
    if (!roll->wished || f->old == 0) {
        d.move = roll->base > 0 ? ROLL_DONE : ROLL_REST;
        return d;
    }
    if (roll->base == 0) {
        d.base = less(f->size, policy->max);
        d.move = d.base > 0 ? ROLL_BEGIN : ROLL_REST;
        return d;
    }
    if (needed > d.base)
        d.base = needed;
    d.base = less(d.base, policy->max); /* which may be lower than when the roll began */
    int free_to_drain = policy->max_step - f->old_leaving;
    d.move = ROLL_WAIT;
    if (f->coming > 0 || free_to_drain <= 0)
        return d;
    int per = policy->nodes_per_instance;
    int spare = f->ready - f->silent - d.base + (MUTANT(roll_leaves_less) ? 1 : 0);
    d.step = less(less(spare, f->old), free_to_drain);
    d.step -= d.step > 0 ? d.step % per : 0;
    if (d.step > 0) {
        d.move = ROLL_DRAIN;
        return d;
    }
    d.step = less(less(policy->max_step, f->old), policy->max - f->size);
    d.step -= d.step > 0 ? d.step % per : 0;
    d.move = d.step > 0 ? ROLL_LAUNCH : ROLL_HELD;
    return d;
}

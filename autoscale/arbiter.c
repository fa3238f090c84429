/* arbiter.c - turns the rules' votes into one size for the pool, and says what was held back and by
 * what. */
#include "autoscale/arbiter.h"
#include "core/mutant.h"

/* What the votes ask for, before limits. */
struct poll {
    int at_least, at_most;    /* strongest floor; the most careful "may shrink to" */
    int boldest;              /* the boldest "may shrink to" */
    int by_least, by_boldest; /* whose */
    int urgent_least;         /* strongest floor among the urgent */
};

static struct poll count_votes(const struct policy *policy, const struct vote *votes)
{
    struct poll p = {.boldest = INT_MAX, .by_least = -1, .by_boldest = -1};
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct vote *v = &votes[i];
        if (policy->rules[i].action)
            continue; /* it does not move the pool */
        if (v->at_least > p.at_least) {
            p.at_least = v->at_least;
            p.by_least = (int)i;
        }
        if (v->urgent && v->at_least > p.urgent_least)
            p.urgent_least = v->at_least;
        if (v->at_most == INT_MAX)
            continue;
        if (v->at_most > p.at_most)
            p.at_most = v->at_most;
        if (v->at_most < p.boldest) {
            p.boldest = v->at_most;
            p.by_boldest = (int)i;
        }
    }
    return p;
}

/* What is left of a cooldown that began at `since`; a time in the future counts as now. */
static int64_t cooldown_left(wall_ms_t since, int64_t cooldown_ms, wall_ms_t wall)
{
    if (since.ms <= 0)
        return 0;
    int64_t gone = wall_sub(wall, since);
    if (gone < 0)
        gone = 0;
    return gone < cooldown_ms ? cooldown_ms - gone : 0;
}

/* The size wanted, with its author, before cooldowns. */
static void choose(const struct policy *policy, const struct vote *votes, const struct poll *poll,
                   int size, const struct arbiter_wish *wish, struct arbiter_decision *d)
{
    d->desired = size;
    d->decisive = -1;
    d->why = "rest";
    if (poll->at_least > size) {
        d->desired = poll->at_least;
        d->decisive = poll->by_least;
    } else if (poll->boldest < size) {
        int careful = poll->at_most > poll->at_least ? poll->at_most : poll->at_least;
        d->desired = careful < size ? careful : size;
        d->decisive = poll->by_boldest;
        if (d->desired > poll->boldest) {
            d->held_by = "blocked_by_vote";
            d->held_for_ms = -1;
        }
    }
    if (d->decisive >= 0)
        d->why = votes[d->decisive].reason;
    if (wish->given && !MUTANT(size_ignored)) {
        d->desired = wish->size;
        d->decisive = -1;
        d->why = "operator";
    }
    int asked = d->desired;
    if (d->desired < policy->min && !MUTANT(no_floor)) {
        d->desired = policy->min;
        d->why = size < policy->min ? "floor" : d->why;
    }
    if (d->desired > policy->max && !MUTANT(no_ceiling)) {
        d->desired = policy->max;
        d->why = size > policy->max ? "ceiling" : d->why;
    }
    d->limited = asked != d->desired && asked != size; /* a vote or a wish was cut */
}

static void hold(struct arbiter_decision *d, const char *by, int64_t for_ms)
{
    d->move = ARBITER_REST;
    d->step = 0;
    d->held_by = by;
    d->held_for_ms = for_ms;
}

static bool trusted(const struct policy *policy, const struct fleet_figures *f)
{
    return (int64_t)(f->ready - f->silent) * 100 >= (int64_t)f->ready * policy->trust_percent;
}

static void consider_in(const struct policy *policy, const struct arbiter_memory *memory,
                        const struct fleet_figures *f, bool wished, wall_ms_t wall,
                        struct arbiter_decision *d)
{
    int64_t left = cooldown_left(memory->in_at, policy->in_cooldown_ms, wall);
    int64_t left_out = cooldown_left(memory->out_at, policy->in_cooldown_ms, wall);
    if (f->coming > 0 && !MUTANT(in_while_coming))
        hold(d, "out_under_way", -1);
    else if (!trusted(policy, f))
        hold(d, "trust", -1);
    else if (!wished && (left > 0 || left_out > 0) && !MUTANT(no_cooldown))
        hold(d, "cooldown_in", left > left_out ? left : left_out);
}

/* The floor and urgent votes do not wait for the cooldown; the rest of the step does. */
static void consider_out(const struct policy *policy, const struct arbiter_memory *memory,
                         const struct poll *poll, int size, wall_ms_t wall,
                         struct arbiter_decision *d)
{
    int least = poll->urgent_least > policy->min ? poll->urgent_least : policy->min;
    least = least > policy->max ? policy->max : least;
    int urgent = least > size ? least - size : 0;
    int64_t left = cooldown_left(memory->out_at, policy->out_cooldown_ms, wall);
    if (left > 0 && urgent < d->step) {
        d->held_by = "cooldown_out";
        d->held_for_ms = left;
        d->step = urgent;
        d->move = urgent > 0 ? ARBITER_OUT : ARBITER_REST;
    }
    d->urgent = urgent > 0 && urgent == d->step;
}

void arbiter_decide(const struct policy *policy, const struct arbiter_memory *memory,
                    const struct fleet_figures *figures, const struct vote *votes,
                    const struct arbiter_wish *wish, wall_ms_t wall,
                    struct arbiter_decision *ret_decision)
{
    struct arbiter_decision *d = ret_decision;
    *d = (struct arbiter_decision){.held_for_ms = -1};
    struct poll poll = count_votes(policy, votes);
    int size = figures->size;
    choose(policy, votes, &poll, size, wish, d);

    int gap = d->desired - size;
    if (gap == 0)
        return;
    d->move = gap > 0 ? ARBITER_OUT : ARBITER_IN;
    d->step = gap > 0 ? gap : -gap;
    if (d->move == ARBITER_IN)
        consider_in(policy, memory, figures, wish->given, wall, d);
    else if (wish->given)
        d->urgent = true;
    else
        consider_out(policy, memory, &poll, size, wall, d);
    if (d->step > policy->max_step) {
        d->step = policy->max_step;
        d->held_by = d->held_by ? d->held_by : "max_step";
    }
}

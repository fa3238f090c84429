/* target.c - how many nodes keep a measure near its target: the arithmetic of Kubernetes'
 * HorizontalPodAutoscaler. */
#include "autoscale/target.h"

#include <limits.h>
#include <math.h>

/* ---- how many nodes the measure asks for ---- */

static int whole(double nodes)
{
    return nodes >= INT_MAX ? INT_MAX : nodes <= 0 ? 0 : (int)nodes;
}

static bool is_close(const struct target_question *q, double ratio)
{
    return fabs(1.0 - ratio) <= q->tolerance;
}

/* What is assumed of a node that says nothing. */
struct assumption {
    bool count_missing, count_unready;
    bool missing_full; /* at the target or fully used; else at 0 */
};

struct sums {
    int64_t level, request;
    int counted; /* nodes in the sums */
};

static int64_t full_level(const struct target_question *q, const struct target_node *n)
{
    if (q->measure == TARGET_PER_NODE)
        return q->target;
    return n->request * (q->target > 100 ? q->target : 100) / 100;
}

static struct sums add_up(const struct target_question *q, const struct assumption *assume)
{
    struct sums s = {0};
    for (size_t i = 0; i < q->count; i++) {
        const struct target_node *n = &q->nodes[i];
        int64_t level = n->level;
        if (n->state == TARGET_IGNORED)
            continue;
        if (n->state == TARGET_UNREADY) {
            if (!assume->count_unready)
                continue;
            level = 0;
        } else if (level == TARGET_NONE) {
            if (!assume->count_missing)
                continue;
            level = assume->missing_full ? full_level(q, n) : 0;
        }
        s.level += level;
        s.request += n->request;
        s.counted++;
    }
    return s;
}

/* Measure over target. BERTH_EINVAL: nothing to divide by. */
static int ratio_of(const struct target_question *q, const struct sums *s, double *ret_ratio,
                    struct err *err)
{
    int64_t parts = q->measure == TARGET_UTILISATION ? s->request : s->counted;
    if (parts == 0)
        return err_set(err, BERTH_EINVAL, "no node says how full it is");
    int64_t level = q->measure == TARGET_UTILISATION ? s->level * 100 / parts : s->level / parts;
    *ret_ratio = (double)level / (double)q->target;
    return 0;
}

static int count_state(const struct target_question *q, enum target_state state, bool missing)
{
    int n = 0;
    for (size_t i = 0; i < q->count; i++)
        n += q->nodes[i].state == state &&
             (state != TARGET_READY || (q->nodes[i].level == TARGET_NONE) == missing);
    return n;
}

static int check_nodes(const struct target_question *q, struct err *err)
{
    if (q->count == 0)
        return err_set(err, BERTH_EINVAL, "there are no nodes");
    if (count_state(q, TARGET_READY, false) == 0)
        return err_set(err, BERTH_EINVAL, "no ready node says how full it is");
    for (size_t i = 0; q->measure == TARGET_UTILISATION && i < q->count; i++)
        if (q->nodes[i].request == TARGET_NONE)
            return err_set(err, BERTH_EINVAL,
                           "missing request for a node: its capacity is not known");
    return 0;
}

static int nodes_of_levels(const struct target_question *q, struct err *err)
{
    int rc = check_nodes(q, err);
    if (rc < 0)
        return rc;
    struct assumption assume = {0};
    struct sums s = add_up(q, &assume);
    double ratio = 1.0, careful = 1.0;
    rc = ratio_of(q, &s, &ratio, err);
    if (rc < 0)
        return rc;
    int missing = count_state(q, TARGET_READY, true);
    assume.count_unready = count_state(q, TARGET_UNREADY, false) > 0 && ratio > 1.0;
    if (!assume.count_unready && missing == 0)
        return is_close(q, ratio) ? q->current : whole(ceil(ratio * s.counted));

    /* Ask again with careful assumptions about those that say nothing. */
    assume.missing_full = ratio < 1.0;
    assume.count_missing = missing > 0 && (ratio != 1.0 || q->measure == TARGET_PER_NODE);
    s = add_up(q, &assume);
    rc = ratio_of(q, &s, &careful, err);
    if (rc < 0)
        return rc;
    bool turned = (ratio < 1.0 && careful > 1.0) || (ratio > 1.0 && careful < 1.0);
    if (is_close(q, careful) || turned)
        return q->current;
    int nodes = whole(ceil(careful * s.counted));
    bool backwards = (careful < 1.0 && nodes > q->current) || (careful > 1.0 && nodes < q->current);
    return backwards ? q->current : nodes;
}

static int nodes_of_total(const struct target_question *q)
{
    double ratio = (double)q->total / (double)q->target;
    if (q->current == 0)
        return whole(ceil(ratio));
    if (is_close(q, ratio))
        return q->current;
    int ready = count_state(q, TARGET_READY, false) + count_state(q, TARGET_READY, true);
    return whole(ceil(ratio * ready));
}

static int nodes_of_share(const struct target_question *q)
{
    double ratio = (double)q->total / ((double)q->target * q->current);
    return is_close(q, ratio) ? q->current : whole(ceil((double)q->total / (double)q->target));
}

int target_nodes(const struct target_question *q, struct err *err)
{
    if (q->target <= 0)
        return err_set(err, BERTH_EINVAL, "target = %lld: must be above 0", (long long)q->target);
    if (q->measure == TARGET_TOTAL)
        return nodes_of_total(q);
    if (q->measure == TARGET_TOTAL_PER_NODE)
        return nodes_of_share(q);
    return nodes_of_levels(q, err);
}

/* ---- stabilisation ---- */

int target_stabilise_down(int desired, const struct target_past *past, size_t count,
                          int64_t window_ms)
{
    for (size_t i = 0; i < count; i++)
        if (past[i].age_ms <= window_ms && past[i].value > desired)
            desired = past[i].value;
    return desired;
}

int target_stabilise(int current, int desired, const struct target_past *past, size_t count,
                     int64_t up_ms, int64_t down_ms)
{
    int up = desired, down = desired;
    for (size_t i = 0; i < count; i++) {
        if (past[i].age_ms < up_ms && past[i].value < up)
            up = past[i].value;
        if (past[i].age_ms < down_ms && past[i].value > down)
            down = past[i].value;
    }
    int result = current;
    if (result < up)
        result = up;
    if (result > down)
        result = down;
    return result;
}

/* ---- rates ---- */

int target_changed(const struct target_past *changes, size_t count, int64_t period_ms)
{
    int sum = 0;
    for (size_t i = 0; i < count; i++)
        if (changes[i].age_ms < period_ms)
            sum += changes[i].value;
    return sum;
}

/* How many there were when the period began. */
static int at_start(int current, int64_t period_ms, const struct target_changes *c)
{
    return current - target_changed(c->up, c->up_count, period_ms) +
           target_changed(c->down, c->down_count, period_ms);
}

int target_limit_up(int current, const struct target_rates *rates,
                    const struct target_changes *changes)
{
    if (rates->select == TARGET_DISABLED)
        return current;
    int limit = rates->select == TARGET_LEAST ? INT_MAX : INT_MIN;
    for (size_t i = 0; i < rates->count; i++) {
        const struct target_policy *p = &rates->policies[i];
        int start = at_start(current, p->period_ms, changes);
        double grown = p->percent ? ceil(start * (1 + p->value / 100.0)) : (double)start + p->value;
        int proposed = grown >= INT_MAX ? INT_MAX : (int)grown;
        if (rates->select == TARGET_LEAST ? proposed < limit : proposed > limit)
            limit = proposed;
    }
    return limit;
}

int target_limit_down(int current, const struct target_rates *rates,
                      const struct target_changes *changes)
{
    if (rates->select == TARGET_DISABLED)
        return current;
    int limit = rates->select == TARGET_LEAST ? INT_MIN : INT_MAX;
    for (size_t i = 0; i < rates->count; i++) {
        const struct target_policy *p = &rates->policies[i];
        int start = at_start(current, p->period_ms, changes);
        double shrunk = p->percent ? start * (1 - p->value / 100.0) : (double)start - p->value;
        int proposed = shrunk <= INT_MIN ? INT_MIN : (int)shrunk;
        if (rates->select == TARGET_LEAST ? proposed > limit : proposed < limit)
            limit = proposed;
    }
    return limit;
}

static int bound_up(int current, int desired, int max, int limit, enum target_verdict *ret_verdict)
{
    if (limit < current)
        limit = current; /* the period's share is used up */
    bool limited = max > limit;
    int most = limited ? limit : max;
    if (desired <= most)
        return desired;
    *ret_verdict = limited ? TARGET_UP_LIMIT : TARGET_TOO_MANY;
    return most;
}

static int bound_down(int current, int desired, int min, int limit,
                      enum target_verdict *ret_verdict)
{
    if (limit > current)
        limit = current;
    bool limited = min < limit;
    int least = limited ? limit : min;
    if (desired >= least)
        return desired;
    *ret_verdict = limited ? TARGET_DOWN_LIMIT : TARGET_TOO_FEW;
    return least;
}

int target_bound(int current, int desired, int min, int max, const struct target_rates *up,
                 const struct target_rates *down, const struct target_changes *changes,
                 enum target_verdict *ret_verdict)
{
    *ret_verdict = TARGET_WITHIN;
    if (desired > current)
        return bound_up(current, desired, max, target_limit_up(current, up, changes), ret_verdict);
    if (desired < current)
        return bound_down(current, desired, min, target_limit_down(current, down, changes),
                          ret_verdict);
    return desired;
}

int target_bound_simple(int current, int desired, int min, int max, double factor, double least,
                        enum target_verdict *ret_verdict)
{
    int limit = whole(fmax(factor * current, least));
    int most = max > limit ? limit : max;
    *ret_verdict = TARGET_WITHIN;
    if (desired < min) {
        *ret_verdict = TARGET_TOO_FEW;
        return min;
    }
    if (desired > most) {
        *ret_verdict = max > limit ? TARGET_UP_LIMIT : TARGET_TOO_MANY;
        return most;
    }
    return desired;
}

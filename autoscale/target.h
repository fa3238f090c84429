/* target.h - how many nodes keep a measure near its target: the arithmetic of Kubernetes'
 * HorizontalPodAutoscaler.
 *
 * Pure functions; no memory. Semantics: k8s.io/kubernetes pkg/controller/podautoscaler
 * (replica_calculator.go and horizontal.go, v1.2x), restated: proportional calculation with a
 * tolerance, careful assumptions about nodes that are not ready or whose figures are missing,
 * stabilisation windows over past recommendations, and rate policies over past changes. Levels are
 * whole numbers in any unit, for players: counts. */
#ifndef BERTH_AUTOSCALE_TARGET_H
#define BERTH_AUTOSCALE_TARGET_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- how many nodes the measure asks for ---- */

enum target_measure {
    TARGET_UTILISATION, /* 100 * sum(level) / sum(request), cut to a whole percentage, against the
                           target percentage */
    TARGET_PER_NODE,    /* mean level, cut to a whole number, against the target */
    TARGET_TOTAL,       /* one total; total / target is the factor for the nodes that are ready */
    TARGET_TOTAL_PER_NODE, /* one total, divided among all nodes, against the target */
};

enum target_state {
    TARGET_READY,
    TARGET_UNREADY, /* starting: its level says nothing yet */
    TARGET_IGNORED, /* failed or leaving */
};

#define TARGET_NONE INT64_MIN /* no such figure */

struct target_node {
    enum target_state state;
    int64_t level;   /* TARGET_NONE: missing */
    int64_t request; /* TARGET_UTILISATION: what the level is a part of (capacity) */
};

struct target_question {
    enum target_measure measure;
    int64_t target;   /* > 0 */
    double tolerance; /* no change while the ratio is within 1 +- tolerance */
    int current;      /* nodes now */
    const struct target_node *nodes;
    size_t count;
    int64_t total; /* TARGET_TOTAL, TARGET_TOTAL_PER_NODE */
};

/* The number of nodes, >= 0, or BERTH_EINVAL with err when the figures do not allow one: keep the
 * current number. On the way down missing nodes are taken to be at 100 % (or at the target if that
 * is higher), on the way up at 0, unready ones at 0; if that turns the direction around, nothing
 * changes. */
int target_nodes(const struct target_question *question, struct err *err) BERTH_MUST_USE;

/* ---- stabilisation ---- */

/* Something that was so at a time: a recommendation of so many nodes, or a change by so many. */
struct target_past {
    int value;
    int64_t age_ms; /* >= 0 */
};

/* Shrink only to the largest recommendation of the last window_ms (ages up to and including it). */
int target_stabilise_down(int desired, const struct target_past *past, size_t count,
                          int64_t window_ms);

/* Grow only to the smallest recommendation of the last up_ms, shrink only to the largest of the
 * last down_ms (ages below). */
int target_stabilise(int current, int desired, const struct target_past *past, size_t count,
                     int64_t up_ms, int64_t down_ms);

/* ---- rates ---- */

enum target_select {
    TARGET_MOST,
    TARGET_LEAST,
    TARGET_DISABLED
}; /* of several policies; "Max", "Min", "Disabled" */

struct target_policy {
    bool percent;
    int value;
    int64_t period_ms;
};

struct target_rates {
    enum target_select select;
    const struct target_policy *policies;
    size_t count;
};

/* Sum of the changes younger than period_ms. */
int target_changed(const struct target_past *changes, size_t count, int64_t period_ms);

struct target_changes {
    const struct target_past *up, *down; /* positive values both */
    size_t up_count, down_count;
};

/* As many as the policies allow to grow to, or as few as they allow to shrink to. */
int target_limit_up(int current, const struct target_rates *rates,
                    const struct target_changes *changes);
int target_limit_down(int current, const struct target_rates *rates,
                      const struct target_changes *changes);

enum target_verdict {
    TARGET_WITHIN,
    TARGET_TOO_FEW,
    TARGET_TOO_MANY,
    TARGET_UP_LIMIT,
    TARGET_DOWN_LIMIT
};

/* `desired` within floor, ceiling and rates. */
int target_bound(int current, int desired, int min, int max, const struct target_rates *up,
                 const struct target_rates *down, const struct target_changes *changes,
                 enum target_verdict *ret_verdict);

/* The older rule without policies: at most max(factor * current, least) in one go. */
int target_bound_simple(int current, int desired, int min, int max, double factor, double least,
                        enum target_verdict *ret_verdict);

#endif

/* metrics.h - what Prometheus reads: berth_lb_*, each with its help sentence (exposition format
 * 0.0.4). */
#ifndef BERTH_LB_METRICS_H
#define BERTH_LB_METRICS_H

#include "core/histogram.h"
#include "lb/place.h"

#include <stdio.h>

/* What the shell adds to what the core knows. */
struct metrics_shell {
    const char *name; /* of this LB */
    mono_ms_t now;
    const struct histogram *latency_us;
    const uint64_t *requests; /* by status class, [0, 6) */
    size_t public_connections, admin_connections;
    size_t probes_held;
    uint64_t log_dropped, events_dropped;
};

void metrics_write(FILE *out, const struct lb *lb, const struct metrics_shell *shell);

#endif

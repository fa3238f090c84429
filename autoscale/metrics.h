/* metrics.h - the state of every pool as Prometheus text (berth_autoscale_*).
 *
 * Pure. */
#ifndef BERTH_AUTOSCALE_METRICS_H
#define BERTH_AUTOSCALE_METRICS_H

#include "autoscale/notice.h"
#include "autoscale/scale.h"
#include "core/span.h"

struct metrics_pool {
    const char *name; /* [A-Za-z0-9._~-]{1,63} */
    struct scale_status status;
};

/* What is not of one pool. */
struct metrics_process {
    bool redis_up;
    uint64_t notices[NOTICE_KINDS]; /* told since the start, by kind */
};

/* Bytes that are enough for so many pools. */
size_t metrics_size(size_t count);

/* Returns the text, in buf. size: at least metrics_size(count) (asserted). */
struct span metrics_write(const struct metrics_pool *pools, size_t count,
                          const struct metrics_process *process, char *buf, size_t size);

#endif

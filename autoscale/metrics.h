/* metrics.h - the state of every pool as Prometheus text (berth_autoscale_*).
 *
 * Pure. */
#ifndef BERTH_AUTOSCALE_METRICS_H
#define BERTH_AUTOSCALE_METRICS_H

#include "autoscale/scale.h"
#include "core/span.h"

struct metrics_pool {
    const char *name; /* [A-Za-z0-9._~-]{1,63} */
    struct scale_status status;
};

/* Bytes that are enough for so many pools. */
size_t metrics_size(size_t count);

/* Returns the text, in buf. size: at least metrics_size(count) (asserted). */
struct span metrics_write(const struct metrics_pool *pools, size_t count, bool redis_up, char *buf,
                          size_t size);

#endif

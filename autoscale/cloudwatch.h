/* cloudwatch.h - figures of pools as CloudWatch metrics: a bounded queue, and the request of its
 * front.
 *
 * Pure. A point is one pool at one moment, five metrics: Connections, ReadyNodes,
 * AverageConnections, Pending, DesiredNodes; dimensions Namespace and Pool. */
#ifndef BERTH_AUTOSCALE_CLOUDWATCH_H
#define BERTH_AUTOSCALE_CLOUDWATCH_H

#include "autoscale/scale.h"
#include "aws/form.h"

enum {
    CLOUDWATCH_QUEUE = 2048, /* points: half an hour of 64 pools by the minute */
    CLOUDWATCH_BATCH = 100,  /* points of one request: 500 metrics; AWS takes 1,000 */
    CLOUDWATCH_FORM_MAX = 512 << 10,
};

struct cloudwatch_point {
    char pool[NAME_SIZE];
    int64_t at_s; /* seconds since 1970, by AWS's clock */
    int64_t connections, pending;
    int ready, desired;
    double average;
};

struct cloudwatch {
    struct cloudwatch_point points[CLOUDWATCH_QUEUE]; /* a ring */
    size_t first, count;
    uint64_t dropped; /* the oldest, for want of room */
};

/* Add what a pool's status says. */
void cloudwatch_add(struct cloudwatch *queue, const char *pool, const struct scale_status *status,
                    int64_t at_s);

/* PutMetricData of the first points, at most CLOUDWATCH_BATCH, in a buffer of CLOUDWATCH_FORM_MAX.
 * Returns how many points; 0: there are none. */
size_t cloudwatch_form(const struct cloudwatch *queue, const char *metrics_namespace,
                       const char *name_space, struct form *form, char *buf);

/* The first n are told, or given up. n beyond the count is all of them. */
void cloudwatch_drop(struct cloudwatch *queue, size_t n);

#endif

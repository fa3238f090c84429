/* histogram.h - latencies in a fixed amount of memory: count, sum, max and any percentile
 * within 1.6 %.
 *
 * Pure, no allocation. Log-linear buckets: 64 per power of two (the layout of Tene's HdrHistogram),
 * so a recorded value is reported at most 1/64 too high. Unit: whatever the caller records (berth
 * records microseconds). */
#ifndef BERTH_CORE_HISTOGRAM_H
#define BERTH_CORE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_SUB = 64, HISTOGRAM_BUCKETS = HISTOGRAM_SUB * 36 };

/* Zeroed is empty. About 18 KiB. */
struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Negative values count as 0, values over 2^40 as 2^40. */
void histogram_record(struct histogram *h, int64_t value);

/* The smallest recorded value v such that `quantile` (0..1) of all values are <= v, up to the
 * bucket's width; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double quantile);

/* Values recorded that are <= bound, for cumulative buckets of an exposition format. Exact when
 * bound + 1 is a bucket's edge. */
uint64_t histogram_at_most(const struct histogram *h, uint64_t bound);

/* Add all of `from` to `h`. */
void histogram_merge(struct histogram *h, const struct histogram *from);

#endif

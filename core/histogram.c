/* histogram.c - log-linear buckets. */
#include "core/histogram.h"

#include <math.h>

static const uint64_t value_max = 1ull << 40;

/* Values below 64 have a bucket each; above, every power of two is cut into 64. */
static size_t bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_SUB)
        return (size_t)value;
    int shift = 63 - __builtin_clzll(value) - 6;
    return (size_t)(shift + 1) * HISTOGRAM_SUB + (size_t)((value >> shift) - HISTOGRAM_SUB);
}

/* The largest value that falls into bucket i. */
static uint64_t bucket_top(size_t i)
{
    if (i < HISTOGRAM_SUB)
        return i;
    uint64_t shift = i / HISTOGRAM_SUB - 1;
    return ((HISTOGRAM_SUB + i % HISTOGRAM_SUB + 1) << shift) - 1;
}

void histogram_record(struct histogram *h, int64_t value)
{
    uint64_t v = value < 0 ? 0 : (uint64_t)value;
    if (v > value_max)
        v = value_max;
    h->count++;
    h->sum += v;
    if (v > h->max)
        h->max = v;
    h->buckets[bucket_of(v)]++;
}

uint64_t histogram_quantile(const struct histogram *h, double quantile)
{
    if (h->count == 0)
        return 0;
    uint64_t wanted = (uint64_t)ceil(quantile * (double)h->count);
    if (wanted < 1)
        wanted = 1;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= wanted) {
            uint64_t top = bucket_top(i);
            return top < h->max ? top : h->max;
        }
    }
    return h->max;
}

uint64_t histogram_at_most(const struct histogram *h, uint64_t bound)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && bucket_top(i) <= bound; i++)
        seen += h->buckets[i];
    return seen;
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
    h->count += from->count;
    h->sum += from->sum;
    if (from->max > h->max)
        h->max = from->max;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        h->buckets[i] += from->buckets[i];
}

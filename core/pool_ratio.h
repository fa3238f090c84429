/* pool_ratio.h - the load of a node as one integer that orders as the fraction est / capacity does.
 *
 * Pure. The bits of the IEEE 754 double est / capacity. For 0 <= est < capacity <= 2^24 that is
 * exact, the same as cross-multiplying: two different fractions p/q > r/s differ by at least 1 / (p
 * s) > 2^-48 of the larger, doubles are 2^-52 apart, and division rounds correctly, hence
 * monotonically; equal fractions round to the same double. Doubles that are not negative order as
 * their bits. A division costs less than the three comparisons by products that a heap of four
 * children would make at each level. */
#ifndef BERTH_CORE_POOL_RATIO_H
#define BERTH_CORE_POOL_RATIO_H

#include <stdint.h>
#include <string.h>

static inline uint64_t ratio_bits(uint32_t est, uint32_t capacity)
{
    double ratio = (double)est / (double)capacity;
    uint64_t bits;
    memcpy(&bits, &ratio, sizeof bits);
    return bits;
}

#endif

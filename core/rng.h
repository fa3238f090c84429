/* rng.h - seeded random numbers: the same seed draws the same world.
 *
 * Pure. xoshiro256** 1.0 (Blackman and Vigna, "Scrambled linear pseudorandom number generators",
 * 2018), seeded through splitmix64. Not for secrets. */
#ifndef BERTH_CORE_RNG_H
#define BERTH_CORE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *rng, uint64_t seed);

/* 64 uniform bits. */
uint64_t rng_next(struct rng *rng);

/* Uniform in [0, bound); bound >= 1 (asserted). Unbiased enough for placement: multiply-shift, bias
 * < bound / 2^64. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

/* Uniform in [0, 1). */
double rng_unit(struct rng *rng);

/* Exponentially distributed with the given mean (> 0). */
double rng_exponential(struct rng *rng, double mean);

#endif

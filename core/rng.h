/* rng.h - seeded random numbers: the same seed draws the same world.
 *
 * Pure. xoshiro256** 1.0 (Blackman and Vigna, "Scrambled linear pseudorandom number generators",
 * 2018), seeded through splitmix64. Not for secrets. */
#ifndef BERTH_CORE_RNG_H
#define BERTH_CORE_RNG_H

#include <assert.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *rng, uint64_t seed);

/* 64 uniform bits. */
static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t x = s[1] * 5;
    uint64_t result = (x << 7 | x >> 57) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

/* Uniform in [0, bound); bound >= 1 (asserted). Unbiased enough for placement: multiply-shift, bias
 * < bound / 2^64. */
static inline uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    assert(bound >= 1);
    __extension__ unsigned __int128 wide = (unsigned __int128)rng_next(rng) * bound;
    return (uint64_t)(wide >> 64);
}

/* Uniform in [0, 1). */
double rng_unit(struct rng *rng);

/* Exponentially distributed with the given mean (> 0). */
double rng_exponential(struct rng *rng, double mean);

#endif

/* throttle.c - token buckets as one time each (the generic cell rate algorithm of ITU-T I.371). */
#include "nodekit/throttle.h"

#include <assert.h>

#define NS_PER_S 1000000000
#define NS_PER_MS 1000000

struct throttle throttle_make(int64_t rate, int64_t burst)
{
    assert(rate >= 0 && rate <= THROTTLE_RATE_MAX && burst >= 0 && burst <= THROTTLE_RATE_MAX);
    if (rate == 0)
        return (struct throttle){.one_ns = 0};
    struct throttle throttle = {.one_ns = NS_PER_S / rate};
    throttle.burst_ns = throttle.one_ns * (burst > 0 ? burst : 1);
    int64_t hold_ms = throttle.burst_ns / (2 * NS_PER_MS);
    throttle.hold_ms = hold_ms < 1                      ? 1
                       : hold_ms > THROTTLE_HOLD_MAX_MS ? THROTTLE_HOLD_MAX_MS
                                                        : hold_ms;
    return throttle;
}

int64_t throttle_cost(size_t bytes)
{
    return bytes <= THROTTLE_UNIT ? 1 : (int64_t)((bytes + THROTTLE_UNIT - 1) / THROTTLE_UNIT);
}

bool throttle_take(const struct throttle *throttle, struct throttle_bucket *bucket, int64_t cost,
                   mono_ms_t now)
{
    int64_t now_ns = now.ms * NS_PER_MS;
    if (bucket->full_ns < now_ns)
        bucket->full_ns = now_ns;
    bucket->full_ns += cost * throttle->one_ns;
    return bucket->full_ns - now_ns <= throttle->burst_ns;
}

bool throttle_owes(const struct throttle *throttle, const struct throttle_bucket *bucket,
                   mono_ms_t now)
{
    return bucket->full_ns - now.ms * NS_PER_MS > throttle->burst_ns;
}

bool throttle_full(const struct throttle_bucket *bucket, mono_ms_t now)
{
    return bucket->full_ns <= now.ms * NS_PER_MS;
}

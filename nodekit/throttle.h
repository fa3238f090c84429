/* throttle.h - a limit on how often something may be done: token buckets that all have one rate.
 *
 * Pure, no allocation, no clock: time comes with each call and must not go backwards. A bucket is
 * one number (the time at which it is full again), so thousands of them cost eight bytes each, and
 * one of zeros is full. Taking more than there is puts it into debt: who asked waits until that is
 * paid, and the long run is exactly the rate. */
#ifndef BERTH_NODEKIT_THROTTLE_H
#define BERTH_NODEKIT_THROTTLE_H

#include "core/clock.h"

#include <stddef.h>

#define THROTTLE_RATE_MAX 1000000 /* a second; also of burst */
#define THROTTLE_UNIT 1024        /* bytes of a message that count as one */
#define THROTTLE_HOLD_MAX_MS 100

struct throttle {
    int64_t one_ns;   /* 1 s / rate; 0: no limit */
    int64_t burst_ns; /* what a full bucket holds */
    int64_t hold_ms;  /* look again after this: in [1, THROTTLE_HOLD_MAX_MS], and well before a
                         bucket of this size could be full */
};

struct throttle_bucket {
    int64_t full_ns; /* on the clock of `now`; in the past: full */
};

/* rate: a second, 0..THROTTLE_RATE_MAX; 0: no limit. burst: 1..THROTTLE_RATE_MAX. */
struct throttle throttle_make(int64_t rate, int64_t burst);

/* What a message of so many bytes counts: one for each THROTTLE_UNIT of it, begun. */
int64_t throttle_cost(size_t bytes);

/* Take `cost`, there or not. False: it was not all there, the bucket is in debt. */
bool throttle_take(const struct throttle *throttle, struct throttle_bucket *bucket, int64_t cost,
                   mono_ms_t now);
/* Is it in debt? */
bool throttle_owes(const struct throttle *throttle, const struct throttle_bucket *bucket,
                   mono_ms_t now);
/* Has nothing been taken that has not come back? */
bool throttle_full(const struct throttle_bucket *bucket, mono_ms_t now);

#endif

/* clock.h - monotonic and wall time as two types that the compiler keeps apart.
 *
 * Pure: nothing here reads a clock; io/loop.h does, and hands the value in. Both count
 * milliseconds. Durations are plain int64_t with the unit in the name (`lost_after_ms`). */
#ifndef BERTH_CORE_CLOCK_H
#define BERTH_CORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds on this process's monotonic clock. Never sent anywhere. */
typedef struct {
    int64_t ms;
} mono_ms_t;

/* Milliseconds since 1970 on Redis's clock (Redis TIME): the only wall time decisions are made on.
 */
typedef struct {
    int64_t ms;
} wall_ms_t;

#define MONO_NEVER ((mono_ms_t){INT64_MAX})

static inline mono_ms_t mono_add(mono_ms_t t, int64_t d_ms)
{
    return (mono_ms_t){d_ms > 0 && t.ms > INT64_MAX - d_ms ? INT64_MAX : t.ms + d_ms};
}

/* a - b in milliseconds. */
static inline int64_t mono_sub(mono_ms_t a, mono_ms_t b)
{
    return a.ms - b.ms;
}

static inline bool mono_before(mono_ms_t a, mono_ms_t b)
{
    return a.ms < b.ms;
}

static inline mono_ms_t mono_min(mono_ms_t a, mono_ms_t b)
{
    return a.ms < b.ms ? a : b;
}

static inline wall_ms_t wall_add(wall_ms_t t, int64_t d_ms)
{
    return (wall_ms_t){t.ms + d_ms};
}

static inline int64_t wall_sub(wall_ms_t a, wall_ms_t b)
{
    return a.ms - b.ms;
}

#endif

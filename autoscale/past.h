/* past.h - what a pool was like: the last hour by the second, the last day by the minute; what
 * forecasts begin with.
 *
 * Pure; its memory (about 120 KiB) is had once. Filled by what is seen, and at the start (and after
 * each interruption) by what the pool's history in Redis says; both may tell the same second. */
#ifndef BERTH_AUTOSCALE_PAST_H
#define BERTH_AUTOSCALE_PAST_H

#include "autoscale/fleet.h"

#define PAST_SECONDS 3600
#define PAST_MINUTES 1500 /* a day, and an hour besides */

struct past_second {
    int64_t at_s; /* since 1970, Redis time; 0: not known */
    int32_t players, est, capacity, ready, coming;
};

struct past_minute {
    int64_t minute; /* since 1970; 0: not known */
    int32_t most;   /* players */
};

struct past {
    struct past_second *seconds; /* by at_s % PAST_SECONDS */
    struct past_minute *minutes; /* by minute % PAST_MINUTES */
};

/* One entry of the history. */
struct past_entry {
    bool minute; /* of history:minutes: only at and players (the most) count */
    wall_ms_t at;
    int64_t players, est, capacity;
    int ready, coming;
};

int past_init(struct past *past) BERTH_MUST_USE;
void past_fini(struct past *past);

/* An entry of a second that is known already is ignored; of a minute, the most players count. */
void past_put(struct past *past, const struct past_entry *entry);

/* What is seen now. `players` is what the rules reckon with. */
void past_see(struct past *past, wall_ms_t wall, const struct fleet_figures *figures,
              int64_t players);

/* NULL: not known. */
const struct past_second *past_second(const struct past *past, int64_t at_s);
const struct past_minute *past_minute(const struct past *past, int64_t minute);

#endif

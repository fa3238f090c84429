/* history.h - what is written down of a pool: its figures each second, and once a minute what the
 * minute was like.
 *
 * Pure. docs/redis.md: `history` and `history:minutes`. */
#ifndef BERTH_AUTOSCALE_HISTORY_H
#define BERTH_AUTOSCALE_HISTORY_H

#include "autoscale/fleet.h"

#define HISTORY_SECONDS_MAX 3600       /* entries kept: an hour */
#define HISTORY_MINUTES_MAX (8 * 1440) /* eight days */
#define HISTORY_RECORD_MAX 320         /* a record's size, its terminator included */

/* The minute that is being lived through. Zeroed: none. */
struct history {
    int64_t minute;                        /* since 1970, Redis time */
    int64_t seconds;                       /* looked at in it */
    int64_t players, conns, est, capacity; /* sums over them */
    int64_t players_max;
    struct fleet_figures last;
    int desired;
};

/* The record of this second. */
void history_second(const struct fleet_figures *figures, int desired,
                    char ret_record[HISTORY_RECORD_MAX]);

/* Count this second in; each second once. True when a minute ended with the second before: its
 * record was written to ret_record. `wall` is Redis time, > 0. */
bool history_add(struct history *history, wall_ms_t wall, const struct fleet_figures *figures,
                 int desired, char ret_record[HISTORY_RECORD_MAX]);

#endif

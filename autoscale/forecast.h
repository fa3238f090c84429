/* forecast.h - how many players there will be one boot time from now, and how wrong that has been.
 *
 * Pure, fixed memory (about 6 KiB); a plain struct that may be copied. Three sources, of which the
 * largest counts, never less than the players there are:
 *   trend      over twice `ahead`, half of that, and so on down to 2 s: the steepest growth that is
 *              more than chance (two and a half standard deviations of independent comings and
 *              goings); if there is none, the drift of the longest
 *   yesterday  the most from now until `ahead` and five minutes later a day ago, by as much as
 *              the last half hour differed from yesterday's
 *   a full pool hides who else would come: the trend from before is held, and when nothing more is
 *              coming, half as many again are taken to stand outside
 * The margin is a percentile of the forecast's own errors of the last hour, and at least two
 * standard deviations of chance. */
#ifndef BERTH_AUTOSCALE_FORECAST_H
#define BERTH_AUTOSCALE_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORECAST_PAST 256   /* samples of the recent past, an eighth of a boot time or less apart */
#define FORECAST_ERRORS 240 /* one every quarter of a minute: an hour */
#define FORECAST_DAY 288    /* five minutes each */

struct forecast {
    struct {
        int64_t at_ms;
        int32_t players, foreseen; /* foreseen for at_ms + ahead; -1: nothing */
    } past[FORECAST_PAST];         /* a ring */
    size_t looks;                  /* ever put into it */
    size_t clear_from;             /* looks before this one saw a full pool: no trend leads there */
    int32_t errors[FORECAST_ERRORS]; /* players that came more than foreseen; a ring */
    size_t error_count;
    int64_t error_at_ms;
    /* The most players of each five minutes; -1: not known. */
    int32_t day[FORECAST_DAY];
    int32_t bucket_most;
    int compared;   /* five minutes that yesterday is known of too, until now */
    double scale;   /* today to yesterday in the last half hour; 2 at most */
    int64_t bucket; /* number since 1970 of the one that is being filled; 0: none yet */
    bool full;
    int64_t clear_at_ms; /* not full since; then the flood of those outside is over */
    double held;         /* what was foreseen when the pool became full */
};

struct forecast_view {
    int64_t now_ms, wall_ms;
    int64_t players;
    bool full;   /* no free places, or nearly none: others may stand outside */
    bool coming; /* more nodes are on their way */
};

struct forecast_says {
    double players; /* at now + ahead, or any time before it */
    double margin;
    double trend;     /* players a second */
    double yesterday; /* players more than now; 0: none, or not known */
};

void forecast_init(struct forecast *f);

/* What was seen before it looks for the first time, oldest first: the most players of the minute
 * (or less) that began at wall_ms. For yesterday alone. */
void forecast_remember(struct forecast *f, int64_t wall_ms, int64_t players);

/* Look once; now_ms must not go backwards, but may be negative; about once a second. ahead_ms >=
 * 1000; percentile 50..100. */
struct forecast_says forecast_look(struct forecast *f, const struct forecast_view *view,
                                   int64_t ahead_ms, double percentile);

#endif

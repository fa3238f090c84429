/* forecast.c - how many players there will be one boot time from now, and how wrong that has been.
 */
#include "autoscale/forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET_MS INT64_C(300000)
#define ERROR_EACH_MS (INT64_C(3600000) / FORECAST_ERRORS)
#define ERRORS_LEAST 20 /* fewer say nothing */
#define FLOOD_MS 5000   /* those outside come in, once there are places again */
#define TREND_LEAST_MS 2000
#define CHANCE_TREND 2.5 /* standard deviations */
#define CHANCE_MARGIN 2
#define OUTSIDE 0.5      /* of those inside, when the pool stays full */
#define SCALE_MOST 2     /* today to yesterday */
#define SCALE_PARTS 6    /* smoothed over so many buckets */
#define BLIND_MARGIN 0.1 /* of the players, while errors are not known */

void forecast_init(struct forecast *f)
{
    memset(f, 0, sizeof *f);
    for (size_t i = 0; i < FORECAST_DAY; i++)
        f->day[i] = -1;
    f->error_at_ms = f->clear_at_ms = INT64_MIN / 2; /* never */
}

/* The look that was nearest to, and not after, `ago_ms` ago; NULL: that is too long ago. */
static size_t look_at(const struct forecast *f, int64_t at_ms, size_t first)
{
    size_t low = f->looks > FORECAST_PAST ? f->looks - FORECAST_PAST : 0;
    low = low > first ? low : first;
    for (size_t i = f->looks; i > low; i--)
        if (f->past[(i - 1) % FORECAST_PAST].at_ms <= at_ms)
            return i;
    return 0;
}

/* ---- trend ---- */

/* Half of it, down to the least; 0 after that. */
static int64_t shorter(int64_t window_ms)
{
    if (window_ms <= TREND_LEAST_MS)
        return 0;
    return window_ms / 2 > TREND_LEAST_MS ? window_ms / 2 : TREND_LEAST_MS;
}

static double trend(const struct forecast *f, const struct forecast_view *v, int64_t ahead_ms)
{
    double best = 0, chance = CHANCE_TREND * sqrt((double)v->players + 1);
    for (int64_t window = 2 * ahead_ms; window > 0; window = shorter(window)) {
        size_t at = look_at(f, v->now_ms - window, f->clear_from);
        if (at == 0)
            continue;
        double seconds = (double)(v->now_ms - f->past[(at - 1) % FORECAST_PAST].at_ms) / 1000;
        double grown = (double)(v->players - f->past[(at - 1) % FORECAST_PAST].players);
        bool longest = window == 2 * ahead_ms;
        if (seconds > 0 && (grown > chance || longest) && grown / seconds > best)
            best = grown / seconds;
    }
    return best;
}

/* ---- yesterday ---- */

static void note_day(struct forecast *f, const struct forecast_view *v)
{
    int64_t bucket = v->wall_ms / BUCKET_MS;
    if (bucket != f->bucket) {
        if (f->bucket > 0) {
            int32_t *kept = &f->day[f->bucket % FORECAST_DAY];
            f->compared = *kept >= 0 ? f->compared + 1 : 0;
            double scale = *kept > 0 ? fmin((double)f->bucket_most / *kept, SCALE_MOST) : 1;
            f->scale = f->scale > 0 ? f->scale + (scale - f->scale) / SCALE_PARTS : scale;
            *kept = f->bucket_most;
        }
        /* What was not seen is not known. */
        for (int64_t b = f->bucket + 1; f->bucket > 0 && b < bucket && b < f->bucket + FORECAST_DAY;
             b++)
            f->day[b % FORECAST_DAY] = -1;
        f->bucket = bucket;
        f->bucket_most = 0;
    }
    if (v->players > f->bucket_most)
        f->bucket_most = (int32_t)v->players;
}

void forecast_remember(struct forecast *f, int64_t wall_ms, int64_t players)
{
    note_day(f, &(struct forecast_view){.wall_ms = wall_ms, .players = players});
}

/* Players more than now that yesterday had from now until `ahead` later, if today is to yesterday
 * as the last half hour was; and in the five minutes after that: a full pool recorded a crowd
 * late, and no event begins at the same second. Rows from this bucket on are still yesterday's. */
static double yesterday(const struct forecast *f, const struct forecast_view *v, int64_t ahead_ms)
{
    if (f->compared < SCALE_PARTS)
        return 0; /* not known yet how today is to yesterday */
    int64_t now = v->wall_ms / BUCKET_MS, later = (v->wall_ms + ahead_ms) / BUCKET_MS + 1;
    int32_t most = 0;
    for (int64_t b = now; b <= later && b < now + FORECAST_DAY; b++)
        if (f->day[b % FORECAST_DAY] > most)
            most = f->day[b % FORECAST_DAY];
    return fmax(0, most * f->scale - (double)v->players);
}

/* ---- its own errors ---- */

static void note_error(struct forecast *f, const struct forecast_view *v, int64_t ahead_ms)
{
    if (v->now_ms - f->error_at_ms < ERROR_EACH_MS)
        return;
    size_t at = look_at(f, v->now_ms - ahead_ms, f->clear_from);
    if (at == 0 || f->past[(at - 1) % FORECAST_PAST].foreseen < 0)
        return;
    int64_t error = v->players - f->past[(at - 1) % FORECAST_PAST].foreseen;
    f->errors[f->error_count++ % FORECAST_ERRORS] = error > 0 ? (int32_t)error : 0;
    f->error_at_ms = v->now_ms;
}

static int by_size(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static double margin(const struct forecast *f, int64_t players, double percentile)
{
    double chance = CHANCE_MARGIN * sqrt((double)players);
    size_t n = f->error_count < FORECAST_ERRORS ? f->error_count : FORECAST_ERRORS;
    if (n < ERRORS_LEAST)
        return fmax(chance, BLIND_MARGIN * (double)players);
    int32_t sorted[FORECAST_ERRORS];
    memcpy(sorted, f->errors, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_size);
    size_t at = (size_t)ceil(percentile / 100 * (double)n);
    return fmax(chance, sorted[at > 0 ? at - 1 : 0]);
}

/* ---- all ---- */

static double foresee(struct forecast *f, const struct forecast_view *v, int64_t ahead_ms,
                      struct forecast_says *says)
{
    double now = (double)v->players;
    if (v->full && f->full && !v->coming && f->held <= now)
        f->held = now * (1 + OUTSIDE);
    if (v->full && f->full)
        return fmax(now, f->held);
    says->trend = trend(f, v, ahead_ms);
    double seen = now + fmax(says->trend * (double)ahead_ms / 1000, says->yesterday);
    f->held = seen;
    return seen;
}

struct forecast_says forecast_look(struct forecast *f, const struct forecast_view *view,
                                   int64_t ahead_ms, double percentile)
{
    struct forecast_says says = {0};
    note_day(f, view);
    if (!view->full && f->full)
        f->clear_at_ms = view->now_ms + FLOOD_MS;
    bool hidden = view->full || view->now_ms < f->clear_at_ms;
    if (!hidden)
        note_error(f, view, ahead_ms);
    says.yesterday = yesterday(f, view, ahead_ms);
    says.players = foresee(f, view, ahead_ms, &says);
    if (hidden)
        f->clear_from = f->looks + 1; /* the next trend begins after this look */
    f->full = view->full;
    says.margin = margin(f, view->players, percentile);
    size_t last = f->looks > 0 ? (f->looks - 1) % FORECAST_PAST : 0;
    /* Far apart enough that the ring reaches back two boot times, and a forecast besides. */
    int64_t apart = 5 * ahead_ms / 2 / FORECAST_PAST;
    if (f->looks == 0 || view->now_ms - f->past[last].at_ms >= apart) {
        size_t at = f->looks++ % FORECAST_PAST;
        f->past[at].at_ms = view->now_ms;
        f->past[at].players = (int32_t)view->players;
        f->past[at].foreseen = view->full ? -1 : (int32_t)says.players;
    }
    return says;
}

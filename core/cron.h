/* cron.h - "0 18 * * fri,sat": when something is due, by the clock of a time zone.
 *
 * Pure. Five fields, as crontab(5): minute, hour, day of month, month, day of week; lists, ranges,
 * steps, names of months and weekdays, 7 for Sunday; and @hourly @daily @weekly @monthly @yearly.
 * Day of month and day of week: if both are given, either is enough. Daylight saving time: what
 * falls into the hour that is skipped is due the moment it is skipped; what falls into the hour
 * that comes twice is due the first time. */
#ifndef BERTH_CORE_CRON_H
#define BERTH_CORE_CRON_H

#include "core/zone.h"

struct cron {
    uint64_t minutes; /* bit n: minute n */
    uint32_t hours, days, months, weekdays;
    bool any_day, any_weekday; /* the field was * */
};

/* BERTH_EINVAL with err: "hour = 25: must be 0..23". */
int cron_parse(struct span text, struct cron *ret_cron, struct err *err) BERTH_MUST_USE;

/* The latest time due at or before utc_s and not before utc_s - back_s; -1 if there is none. back_s
 * at most 8 days. */
int64_t cron_last(const struct cron *cron, const struct zone *zone, int64_t utc_s, int64_t back_s);

/* "2026-12-24 18:00" or "2026-12-24T18:00" as the clocks of the zone show it. BERTH_EINVAL with
 * err. */
int cron_date(struct span text, const struct zone *zone, int64_t *ret_utc_s,
              struct err *err) BERTH_MUST_USE;

#endif

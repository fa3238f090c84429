/* zone.h - what the clocks of a place show: time zones with their daylight saving time.
 *
 * Pure: the caller reads the file (/usr/share/zoneinfo/Europe/Berlin) and hands its bytes in.
 * Format: TZif, RFC 8536, versions 2 and later, with the footer's POSIX rule for the time after the
 * last transition. Times are whole seconds since 1970, UTC, without leap seconds; years 1970 to
 * 9999. */
#ifndef BERTH_CORE_ZONE_H
#define BERTH_CORE_ZONE_H

#include "core/err.h"
#include "core/span.h"

#define ZONE_TRANSITIONS_MAX 2048

/* A moment as a clock and a calendar show it. */
struct civil {
    int year;
    int month;   /* 1..12 */
    int day;     /* 1..31 */
    int hour;    /* 0..23 */
    int minute;  /* 0..59 */
    int second;  /* 0..59 */
    int weekday; /* 0 Sunday .. 6 */
};

/* A yearly change: the `week`-th `weekday` of `month` (5: the last), or a day of the year. */
struct zone_rule {
    enum {
        ZONE_RULE_MONTH,
        ZONE_RULE_JULIAN,
        ZONE_RULE_DAY
    } kind; /* Mm.w.d, Jn (1..365, no 29 February), n (0..365) */
    int month, week, weekday, day;
    int at_s; /* seconds of the local day at which it changes */
};

struct zone {
    size_t count;
    int64_t at[ZONE_TRANSITIONS_MAX];     /* from then ... */
    int32_t offset[ZONE_TRANSITIONS_MAX]; /* ... local = UTC + offset */
    int32_t first;                        /* before the first transition */
    int32_t standard, daylight;           /* after the last, by the footer */
    bool has_rules;
    struct zone_rule begins, ends; /* of daylight saving time */
};

/* UTC. */
void zone_utc(struct zone *ret_zone);
/* BERTH_EPROTO with err when the bytes are no such file; BERTH_EFULL: more transitions than there
 * is room for. */
int zone_parse(struct span bytes, struct zone *ret_zone, struct err *err) BERTH_MUST_USE;

int32_t zone_offset(const struct zone *zone, int64_t utc_s);
struct civil zone_civil(const struct zone *zone, int64_t utc_s);
/* When the clock shows this (weekday is ignored). Shown twice: the first time. Never shown (clocks
 * go forward over it): the moment they do. */
int64_t zone_utc_of(const struct zone *zone, const struct civil *local);

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back (weekday included). */
int64_t civil_days(int year, int month, int day);
void civil_of_days(int64_t days, struct civil *ret_civil);

#endif

/* zone.c - what the clocks of a place show: time zones with their daylight saving time. */
#include "core/zone.h"

#include <ctype.h>

#define DAY_S 86400
/* Local time differs from UTC by less than a day: zone_utc_of() looks a day to either side. */
#define OFFSET_OK(s) ((s) > -DAY_S && (s) < DAY_S)
#define RULE_TIME_MAX_S (167 * 3600) /* RFC 8536, section 3.3.1 */

/* ---- the calendar ---- */

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days before `year` since year 0. */
static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1;
    return year * 365 + (y >= 0 ? y / 4 - y / 100 + y / 400 + 1 : 0);
}

static const int days_before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

static int before_month(int year, int month)
{
    return days_before_month[month - 1] + (month > 2 && is_leap(year));
}

int64_t civil_days(int year, int month, int day)
{
    return days_before_year(year) - days_before_year(1970) + before_month(year, month) + day - 1;
}

void civil_of_days(int64_t days, struct civil *ret_civil)
{
    int year = 1970 + (int)(days / 366);
    while (civil_days(year + 1, 1, 1) <= days)
        year++;
    int rest = (int)(days - civil_days(year, 1, 1)), month = 1;
    while (month < 12 && before_month(year, month + 1) <= rest)
        month++;
    ret_civil->year = year;
    ret_civil->month = month;
    ret_civil->day = rest - before_month(year, month) + 1;
    ret_civil->weekday = (int)((days + 4) % 7); /* 1970-01-01 was a Thursday */
}

/* ---- reading TZif (RFC 8536, section 3) ---- */

struct reader {
    const unsigned char *at, *end;
};

static uint64_t take(struct reader *r, size_t bytes)
{
    uint64_t v = 0;
    for (; bytes > 0 && r->at < r->end; bytes--)
        v = v << 8 | *r->at++;
    return v;
}

struct header {
    uint64_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
};

static bool read_header(struct reader *r, struct header *ret_header, int *ret_version)
{
    if (r->end - r->at < 44 || memcmp(r->at, "TZif", 4) != 0)
        return false;
    *ret_version = r->at[4];
    r->at += 20;
    ret_header->isutcnt = take(r, 4);
    ret_header->isstdcnt = take(r, 4);
    ret_header->leapcnt = take(r, 4);
    ret_header->timecnt = take(r, 4);
    ret_header->typecnt = take(r, 4);
    ret_header->charcnt = take(r, 4);
    return ret_header->typecnt > 0 && ret_header->timecnt < 100000 && ret_header->typecnt < 256 &&
           ret_header->charcnt < 100000 && ret_header->leapcnt < 100000;
}

static size_t body_size(const struct header *h, size_t time_size)
{
    return h->timecnt * (time_size + 1) + h->typecnt * 6 + h->charcnt +
           h->leapcnt * (time_size + 4) + h->isstdcnt + h->isutcnt;
}

static int read_body(struct reader *r, const struct header *h, struct zone *z, struct err *err)
{
    if ((size_t)(r->end - r->at) < body_size(h, 8))
        return err_set(err, BERTH_EPROTO, "the file is cut short");
    if (h->timecnt > ZONE_TRANSITIONS_MAX)
        return err_set(err, BERTH_EFULL, "more than %d transitions", ZONE_TRANSITIONS_MAX);
    struct reader times = *r, types = {r->at + h->timecnt * 8, r->end},
                  infos = {types.at + h->timecnt, r->end};
    int32_t offsets[256];
    for (size_t i = 0; i < h->typecnt; i++) {
        offsets[i] = (int32_t)take(&infos, 4);
        infos.at += 2; /* daylight saving time or not, and the name */
        if (!OFFSET_OK(offsets[i]))
            return err_set(err, BERTH_EPROTO, "an offset of %d s: must be less than a day",
                           (int)offsets[i]);
    }
    z->first = offsets[0];
    for (size_t i = 0; i < h->timecnt; i++) {
        size_t type = (size_t)take(&types, 1);
        if (type >= h->typecnt)
            return err_set(err, BERTH_EPROTO, "a transition to a type that is not there");
        z->at[z->count] = (int64_t)take(&times, 8);
        z->offset[z->count++] = offsets[type];
    }
    r->at += body_size(h, 8);
    return 0;
}

/* ---- the footer: a POSIX TZ string, "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static bool skip_name(const char **at)
{
    const char *from = *at;
    if (**at == '<') {
        while (**at && **at != '>')
            ++*at;
        return *(*at)++ == '>';
    }
    while (isalpha((unsigned char)**at))
        ++*at;
    return *at - from >= 3;
}

static bool read_number(const char **at, int *ret_value)
{
    if (!isdigit((unsigned char)**at))
        return false;
    *ret_value = 0;
    for (; isdigit((unsigned char)**at) && *ret_value < 1000; ++*at)
        *ret_value = *ret_value * 10 + (**at - '0');
    return true;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool read_time(const char **at, int *ret_s)
{
    int sign = **at == '-' ? -1 : 1, part = 0, unit = 3600;
    if (**at == '-' || **at == '+')
        ++*at;
    *ret_s = 0;
    do {
        if (!read_number(at, &part))
            return false;
        *ret_s += part * unit;
        unit /= 60;
    } while (unit > 0 && **at == ':' && ++*at);
    *ret_s *= sign;
    return true;
}

static bool read_rule(const char **at, struct zone_rule *ret_rule)
{
    struct zone_rule r = {.at_s = 2 * 3600};
    if (*(*at)++ != ',')
        return false;
    if (**at == 'M') {
        r.kind = ZONE_RULE_MONTH;
        ++*at;
        if (!read_number(at, &r.month) || *(*at)++ != '.' || !read_number(at, &r.week) ||
            *(*at)++ != '.' || !read_number(at, &r.weekday) || r.month < 1 || r.month > 12 ||
            r.week < 1 || r.week > 5 || r.weekday > 6)
            return false;
    } else {
        r.kind = **at == 'J' ? ZONE_RULE_JULIAN : ZONE_RULE_DAY;
        *at += **at == 'J';
        if (!read_number(at, &r.day) || r.day > 365)
            return false;
    }
    if (**at == '/' && (++*at, !read_time(at, &r.at_s)))
        return false;
    if (r.at_s < -RULE_TIME_MAX_S || r.at_s > RULE_TIME_MAX_S)
        return false;
    *ret_rule = r;
    return true;
}

static bool read_footer(const char *at, struct zone *z)
{
    int west;
    if (!*at) { /* no rule: the last offset stays */
        z->standard = z->count ? z->offset[z->count - 1] : z->first;
        return true;
    }
    if (!skip_name(&at) || !read_time(&at, &west))
        return false;
    z->standard = -west;
    if (!OFFSET_OK(z->standard))
        return false;
    if (!*at)
        return true;
    if (!skip_name(&at))
        return false;
    z->daylight = z->standard + 3600;
    if (*at != ',') {
        if (!read_time(&at, &west))
            return false;
        z->daylight = -west;
    }
    if (!OFFSET_OK(z->daylight))
        return false;
    z->has_rules = true;
    return read_rule(&at, &z->begins) && read_rule(&at, &z->ends) && !*at;
}

void zone_utc(struct zone *ret_zone)
{
    *ret_zone = (struct zone){0};
}

int zone_parse(struct span bytes, struct zone *z, struct err *err)
{
    if (bytes.len == 0)
        bytes = SPAN("");
    struct reader r = {(const unsigned char *)bytes.ptr,
                       (const unsigned char *)bytes.ptr + bytes.len};
    struct header h;
    char footer[128];
    int version;
    *z = (struct zone){0};
    if (!read_header(&r, &h, &version))
        return err_set(err, BERTH_EPROTO, "no time zone file (TZif)");
    if (version < '2')
        return err_set(err, BERTH_EPROTO, "a time zone file of version 1: it ends in 2037");
    if ((size_t)(r.end - r.at) < body_size(&h, 4))
        return err_set(err, BERTH_EPROTO, "the file is cut short");
    r.at += body_size(&h, 4); /* the part for version 1 */
    if (!read_header(&r, &h, &version))
        return err_set(err, BERTH_EPROTO, "no second header");
    int rc = read_body(&r, &h, z, err);
    if (rc < 0)
        return rc;
    struct span rest = {(const char *)r.at, (size_t)(r.end - r.at)};
    if (rest.len < 2 || rest.ptr[0] != '\n' || rest.ptr[rest.len - 1] != '\n')
        return err_set(err, BERTH_EPROTO, "no footer");
    struct span line = {rest.ptr + 1, rest.len - 2};
    if (!span_copy(line, footer, sizeof footer) || !read_footer(footer, z))
        return err_set(err, BERTH_EPROTO, "footer %.*s: not understood",
                       (int)(line.len > 60 ? 60 : line.len), line.ptr);
    return 0;
}

/* ---- using it ---- */

/* The local second of this year, as if it were UTC, at which a rule takes effect. */
static int64_t rule_at(const struct zone_rule *rule, int year)
{
    int64_t day = civil_days(year, 1, 1);
    if (rule->kind == ZONE_RULE_JULIAN) {
        day += rule->day - 1 + (is_leap(year) && rule->day >= 60);
    } else if (rule->kind == ZONE_RULE_DAY) {
        day += rule->day;
    } else {
        int64_t first = civil_days(year, rule->month, 1);
        int64_t next =
            rule->month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, rule->month + 1, 1);
        day = first + (rule->weekday - (first + 4) % 7 + 7) % 7 + (int64_t)(rule->week - 1) * 7;
        while (day >= next)
            day -= 7;
    }
    return day * DAY_S + rule->at_s;
}

static int32_t offset_by_rules(const struct zone *z, int64_t utc_s)
{
    if (!z->has_rules)
        return z->standard;
    struct civil c;
    civil_of_days((utc_s + z->standard) / DAY_S, &c);
    int64_t begins = rule_at(&z->begins, c.year) - z->standard;
    int64_t ends = rule_at(&z->ends, c.year) - z->daylight;
    bool daylight =
        begins < ends ? utc_s >= begins && utc_s < ends : utc_s >= begins || utc_s < ends;
    return daylight ? z->daylight : z->standard;
}

int32_t zone_offset(const struct zone *z, int64_t utc_s)
{
    if (z->count == 0 || utc_s >= z->at[z->count - 1])
        return offset_by_rules(z, utc_s);
    if (utc_s < z->at[0])
        return z->first;
    size_t low = 0, high = z->count - 1; /* at[low] <= utc_s < at[high] */
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (z->at[mid] <= utc_s)
            low = mid;
        else
            high = mid;
    }
    return z->offset[low];
}

struct civil zone_civil(const struct zone *z, int64_t utc_s)
{
    struct civil c;
    int64_t local = utc_s + zone_offset(z, utc_s);
    int64_t days = local / DAY_S, rest = local % DAY_S;
    civil_of_days(days, &c);
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest / 60 % 60);
    c.second = (int)(rest % 60);
    return c;
}

int64_t zone_utc_of(const struct zone *z, const struct civil *c)
{
    int64_t local =
        civil_days(c->year, c->month, c->day) * DAY_S + c->hour * 3600 + c->minute * 60 + c->second;
    int32_t before = zone_offset(z, local - DAY_S), after = zone_offset(z, local + DAY_S);
    int64_t early = local - (before > after ? before : after),
            late = local - (before > after ? after : before);
    if (early + zone_offset(z, early) == local)
        return early; /* also the first of two */
    if (late + zone_offset(z, late) == local)
        return late;
    /* Skipped: the clocks go forward somewhere between the two. */
    int64_t low = early, high = late;
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;
        if (mid + zone_offset(z, mid) < local)
            low = mid;
        else
            high = mid;
    }
    return high;
}

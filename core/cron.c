/* cron.c - when something is due, by the clock of a time zone. */
#include "core/cron.h"

#include <strings.h>

struct field {
    const char *name;
    int min, max;
    const char *const *names; /* of min, min + 1 ...; NULL: none */
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct field fields[] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of month", 1, 31, NULL},
    {"month", 1, 12, month_names},
    {"day of week", 0, 7, weekday_names},
};

static int refuse(const struct field *f, struct span text, struct err *err)
{
    return err_set(err, BERTH_EINVAL, "%s = %.*s: must be *, or numbers %d..%d%s, with , - and /",
                   f->name, SPAN_ARG(text), f->min, f->max, f->names ? " or names" : "");
}

static bool read_value(const struct field *f, struct span text, int *ret_value)
{
    int64_t n;
    for (int i = 0; f->names && f->names[i]; i++) {
        if (text.len == 3 && strncasecmp(text.ptr, f->names[i], 3) == 0) {
            *ret_value = f->min + i;
            return true;
        }
    }
    if (!span_int(text, &n) || n < f->min || n > f->max)
        return false;
    *ret_value = (int)n;
    return true;
}

/* One item of a list: "*", "5", "1-5", "x/step". */
static bool read_item(const struct field *f, struct span item, uint64_t *bits)
{
    struct span range = span_cut(&item, '/'), step_text = item;
    int64_t step = 1;
    int low = f->min, high = f->max;
    bool stepped = step_text.ptr != NULL;
    if (stepped && (!span_int(step_text, &step) || step < 1 || step > f->max))
        return false;
    if (span_is(range, "*")) {
        high = f->max == 7 ? 6 : f->max;
    } else {
        struct span from = span_cut(&range, '-');
        if (!read_value(f, from, &low))
            return false;
        high = stepped && !range.ptr ? f->max : low;
        if (range.ptr && (!read_value(f, range, &high) || high < low))
            return false;
    }
    for (int64_t v = low; v <= high; v += step)
        *bits |= UINT64_C(1) << v;
    return true;
}

static int read_field(const struct field *f, struct span text, uint64_t *ret_bits, struct err *err)
{
    uint64_t bits = 0;
    struct span rest = text;
    if (text.len == 0)
        return refuse(f, text, err);
    while (rest.ptr) {
        struct span item = span_cut(&rest, ',');
        if (item.len == 0 || !read_item(f, item, &bits))
            return refuse(f, text, err);
    }
    *ret_bits = bits;
    return 0;
}

static struct span next_word(struct span *rest)
{
    while (rest->len && (*rest->ptr == ' ' || *rest->ptr == '\t'))
        *rest = (struct span){rest->ptr + 1, rest->len - 1};
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != ' ' && rest->ptr[n] != '\t')
        n++;
    struct span word = {rest->ptr, n};
    *rest = (struct span){rest->ptr + n, rest->len - n};
    return word;
}

/* Can these days come in these months at all? (30 February never does.) */
static bool can_come(const struct cron *c)
{
    static const int longest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->any_day || !c->any_weekday)
        return true;
    for (int m = 1; m <= 12; m++)
        for (int d = 1; c->months >> m & 1 && d <= longest[m - 1]; d++)
            if (c->days >> d & 1)
                return true;
    return false;
}

static struct span spelled_out(struct span text)
{
    static const char *const short_forms[][2] = {
        {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
        {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
        {"@annually", "0 0 1 1 *"}};
    for (size_t i = 0; i < sizeof short_forms / sizeof short_forms[0]; i++)
        if (span_is(text, short_forms[i][0]))
            return span_of(short_forms[i][1]);
    return text;
}

int cron_parse(struct span text, struct cron *ret_cron, struct err *err)
{
    struct span rest = spelled_out(text), words[5];
    uint64_t bits[5];
    for (int i = 0; i < 5; i++) {
        words[i] = next_word(&rest);
        if (words[i].len == 0)
            return err_set(err, BERTH_EINVAL,
                           "must have five fields: minute hour day-of-month month day-of-week");
        int rc = read_field(&fields[i], words[i], &bits[i], err);
        if (rc < 0)
            return rc;
    }
    if (next_word(&rest).len)
        return err_set(
            err, BERTH_EINVAL,
            "must have five fields, and no more: minute hour day-of-month month day-of-week");
    struct cron c = {.minutes = bits[0],
                     .hours = (uint32_t)bits[1],
                     .days = (uint32_t)bits[2],
                     .months = (uint32_t)bits[3],
                     .weekdays = (uint32_t)(bits[4] | bits[4] >> 7) & 127, /* 7 is Sunday, too */
                     .any_day = words[2].ptr[0] == '*',
                     .any_weekday = words[4].ptr[0] == '*'};
    if (!can_come(&c))
        return err_set(err, BERTH_EINVAL, "day of month = %.*s: there is no such day in month %.*s",
                       SPAN_ARG(words[2]), SPAN_ARG(words[3]));
    *ret_cron = c;
    return 0;
}

static bool is_day(const struct cron *c, const struct civil *date)
{
    bool day = c->days >> date->day & 1, weekday = c->weekdays >> date->weekday & 1;
    if (!(c->months >> date->month & 1))
        return false;
    if (c->any_day || c->any_weekday)
        return day && weekday;
    return day || weekday;
}

/* The latest time of that local day that is due at or before utc_s; -1: none. */
static int64_t last_of_day(const struct cron *c, const struct zone *zone, struct civil date,
                           int64_t utc_s)
{
    date.second = 0;
    for (date.hour = 23; date.hour >= 0; date.hour--) {
        for (date.minute = 59; c->hours >> date.hour & 1 && date.minute >= 0; date.minute--) {
            if (!(c->minutes >> date.minute & 1))
                continue;
            int64_t at = zone_utc_of(zone, &date);
            if (at <= utc_s)
                return at;
        }
    }
    return -1;
}

int64_t cron_last(const struct cron *c, const struct zone *zone, int64_t utc_s, int64_t back_s)
{
    /* One day for the part of one, and two that clocks may have skipped: their times are those of
     * the moment they did. */
    enum { DAYS_MORE = 3 };
    struct civil today = zone_civil(zone, utc_s);
    int64_t day = civil_days(today.year, today.month, today.day);
    for (int64_t d = day; d >= 0 && d >= day - back_s / 86400 - DAYS_MORE; d--) {
        struct civil date = {0};
        civil_of_days(d, &date);
        int64_t at = is_day(c, &date) ? last_of_day(c, zone, date, utc_s) : -1;
        if (at >= 0)
            return at >= utc_s - back_s ? at : -1;
    }
    return -1;
}

static bool digits(struct span text, size_t at, size_t len, int *ret_value)
{
    int64_t n;
    if (at + len > text.len || !span_int((struct span){text.ptr + at, len}, &n) || n < 0)
        return false;
    *ret_value = (int)n;
    return true;
}

int cron_date(struct span text, const struct zone *zone, int64_t *ret_utc_s, struct err *err)
{
    struct civil c = {0}, back;
    bool ok = text.len == 16 && digits(text, 0, 4, &c.year) && text.ptr[4] == '-' &&
              digits(text, 5, 2, &c.month) && text.ptr[7] == '-' && digits(text, 8, 2, &c.day) &&
              (text.ptr[10] == ' ' || text.ptr[10] == 'T') && digits(text, 11, 2, &c.hour) &&
              text.ptr[13] == ':' && digits(text, 14, 2, &c.minute);
    ok = ok && c.year >= 1970 && c.month >= 1 && c.month <= 12 && c.day >= 1 && c.hour <= 23 &&
         c.minute <= 59;
    if (ok) {
        civil_of_days(civil_days(c.year, c.month, c.day), &back);
        ok = back.month == c.month && back.day == c.day;
    }
    if (!ok)
        return err_set(err, BERTH_EINVAL,
                       "must be a date and time that exist, like 2026-12-24 18:00");
    *ret_utc_s = zone_utc_of(zone, &c);
    return 0;
}

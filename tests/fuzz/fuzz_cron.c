/* fuzz_cron.c - any bytes as schedules, dates and time zones: what is due was due, and not in the
 * future. First a line with the schedule, then one with a date, then a zone file. */
#include "core/cron.h"

#include <stdlib.h>

enum { DAY_S = 86400 };

static void need(bool ok)
{
    if (!ok)
        abort();
}

/* Clocks that are set twice within days show the same time more than twice: no real ones. */
static bool is_wild(const struct zone *zone, int64_t at)
{
    int changes = 0;
    for (int64_t t = at - 4 * DAY_S; t < at + 4 * DAY_S; t += 60)
        changes += zone_offset(zone, t) != zone_offset(zone, t + 60);
    return changes > 1;
}

static void due(const struct cron *cron, const struct zone *zone, int64_t now)
{
    int64_t at = cron_last(cron, zone, now, 2 * DAY_S);
    need(at == -1 || (at <= now && at >= now - 2 * DAY_S));
    if (at >= 0)
        need(cron_last(cron, zone, at, 0) == at || is_wild(zone, at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zone zone;
    struct span rest = {(const char *)data, size};
    struct span schedule = span_cut(&rest, '\n'), date = span_cut(&rest, '\n');
    struct cron cron;
    struct err err = {0};
    int64_t utc_s;
    if (zone_parse(rest, &zone, &err) < 0) {
        need(err.text[0]);
        zone_utc(&zone);
    }
    need(zone.count <= ZONE_TRANSITIONS_MAX);
    err = (struct err){0};
    if (cron_date(date, &zone, &utc_s, &err) == 0)
        (void)zone_civil(&zone, utc_s);
    else
        need(err.text[0]);
    err = (struct err){0};
    if (cron_parse(schedule, &cron, &err) < 0) {
        need(err.text[0]);
        return 0;
    }
    due(&cron, &zone, 1700000000);
    due(&cron, &zone, 1711847000 + (int64_t)size * 60); /* an hour that is skipped in Europe */
    return 0;
}

/* report.c - the periodic report: a table of all pools. */
#include "alerts/report.h"

#include <stdio.h>

const char *report_heading(char ret_buf[REPORT_LINE_MAX])
{
    (void)snprintf(ret_buf, REPORT_LINE_MAX, "%-12s %5s %6s %7s %4s %7s %7s %7s %4s %4s %4s %4s",
                   "pool", "ready", "coming", "leaving", "lost", "desired", "players", "places",
                   "used", "outs", "ins", "died");
    return ret_buf;
}

const char *report_line(const struct report *report, size_t row, char ret_buf[REPORT_LINE_MAX])
{
    const struct report_pool *p = &report->pools[row];
    char desired[24] = "-", used[24] = "-";
    if (p->desired >= 0)
        (void)snprintf(desired, sizeof desired, "%lld", (long long)p->desired);
    if (p->capacity > 0)
        (void)snprintf(used, sizeof used, "%lld%%", (long long)(p->players * 100 / p->capacity));
    (void)snprintf(ret_buf, REPORT_LINE_MAX,
                   "%-12.40s %5lld %6lld %7lld %4lld %7s %7lld %7lld %4s %4lld %4lld %4lld",
                   p->name, (long long)p->ready, (long long)p->coming,
                   (long long)(p->leaving + p->held), (long long)p->lost, desired,
                   (long long)p->players, (long long)p->capacity, used, (long long)p->outs,
                   (long long)p->ins, (long long)p->losses);
    return ret_buf;
}

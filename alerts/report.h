/* report.h - the periodic report: a table of all pools.
 *
 * Pure. */
#ifndef BERTH_ALERTS_REPORT_H
#define BERTH_ALERTS_REPORT_H

#include "core/clock.h"

#include <stddef.h>
#include <stdint.h>

#define REPORT_LINE_MAX 160

struct report_pool {
    char name[64];
    int64_t ready, coming, leaving, lost, held; /* nodes */
    int64_t players, capacity; /* players on all nodes but lost; places on ready ones */
    int64_t desired;           /* -1: nobody scales it */
    /* Since the report before, or since this process sends the alerts. */
    int64_t outs, ins, losses;
};

struct report {
    const struct report_pool *pools;
    size_t count;
    wall_ms_t at, since;
};

/* The heading of the table, or the line of pool `row`. Returns ret_buf. */
const char *report_heading(char ret_buf[REPORT_LINE_MAX]);
const char *report_line(const struct report *report, size_t row, char ret_buf[REPORT_LINE_MAX]);

#endif

/* node_report.h - what a node says of itself each second, as a plain record.
 *
 * Pure. `v=1 epoch=N seq=N conns=N hs=N cap=N rooms=N adm=A closed=0|1 drain=0|1 pid=N g.<name>=X
 * at=N`; docs/redis.md. */
#ifndef BERTH_STORE_NODE_REPORT_H
#define BERTH_STORE_NODE_REPORT_H

#include "core/admitted.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/span.h"
#include "store/keys.h"

#define REPORT_GAUGES_MAX 8
#define REPORT_GAUGE_NAME_MAX 32 /* with terminator */
#define REPORT_TEXT_MAX 4096     /* a record, terminator included */
#define REPORT_CONTRACT 1        /* v= */

struct report_gauge {
    char name[REPORT_GAUGE_NAME_MAX]; /* [a-z0-9_] */
    double value;                     /* finite */
};

struct node_report {
    int64_t contract; /* v= */
    int64_t epoch;
    int64_t seq; /* 0: written by join, the node has not reported yet */
    int64_t conns;
    int64_t handshaking; /* hs= */
    int64_t capacity;    /* cap= */
    int64_t rooms;
    bool closed;
    bool drain;
    int64_t pid;
    wall_ms_t at; /* added by the script; 0 when being written */
    uint32_t admitted_count;
    struct admitted_run admitted[ADMITTED_ISSUERS_MAX];
    uint32_t gauge_count;
    struct report_gauge gauges[REPORT_GAUGES_MAX];
};

/* BERTH_EPROTO with err naming the field. Runs of `adm` and gauges beyond the limits are refused,
 * unknown fields ignored. */
int node_report_parse(struct span record, struct node_report *ret_report,
                      struct err *err) BERTH_MUST_USE;

/* Write without `at` for the report script. Returns the length, or BERTH_EFULL. */
int node_report_write(const struct node_report *report, char *buf, size_t size) BERTH_MUST_USE;

#endif

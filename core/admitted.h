/* admitted.h - how many tickets a node has admitted, by issuer and issue second.
 *
 * Pure, no allocation. Three things: the shape of one run of counts as it stands in `adm=` of a
 * report (docs/redis.md), its text form both ways, and the node's own book of what it admitted.
 *
 * Text: `issuer/issuer_epoch/first_second:count.count.count` joined by commas, `-` when there are
 * none. */
#ifndef BERTH_CORE_ADMITTED_H
#define BERTH_CORE_ADMITTED_H

#include "core/clock.h"
#include "core/err.h"
#include "core/span.h"

enum {
    ADMITTED_ISSUER_MAX = 63,  /* bytes of an issuer's name */
    ADMITTED_ISSUERS_MAX = 8,  /* runs of one report: one per issuer and issuer epoch */
    ADMITTED_SECONDS_MAX = 64, /* seconds of one run */
};

/* Admitted tickets of one issuer (one incarnation of an LB) by the second in which they were
 * issued: absolute counts, so that repeating them is harmless. */
struct admitted_run {
    char issuer[ADMITTED_ISSUER_MAX + 1];
    int64_t issuer_epoch;
    int64_t first_s; /* Unix second (Redis clock) of counts[0] */
    uint32_t count;  /* used entries of counts */
    uint32_t counts[ADMITTED_SECONDS_MAX];
};

/* Parse the value of `adm=`. Returns the number of runs written (0 for "-"), BERTH_EPROTO for
 * anything that is not such text, BERTH_EFULL for more than `max` runs or more than
 * ADMITTED_SECONDS_MAX seconds in one. On failure what is in ret_runs is of no use. */
int admitted_parse(struct span text, struct admitted_run *ret_runs, size_t max) BERTH_MUST_USE;

/* Write runs as the value of `adm=`, terminated. Returns the length, or BERTH_EFULL. */
int admitted_write(const struct admitted_run *runs, size_t count, char *buf,
                   size_t size) BERTH_MUST_USE;

/* The node's book. Zeroed is empty after admitted_init. About 2.8 kB. */
struct admitted {
    struct admitted_run runs[ADMITTED_ISSUERS_MAX];
    uint32_t used;     /* runs in use */
    int64_t window_ms; /* how long after the end of its second a count is still told */
    uint64_t dropped;  /* admissions not counted: ADMITTED_ISSUERS_MAX issuers were alive already */
};

/* window_ms: ticket lifetime + skew allowance + one report interval; at most 60,000 (asserted). */
void admitted_init(struct admitted *book, int64_t window_ms);

/* Count one admission of a ticket of this issuer and second. A second that is over already, or more
 * than 2 s ahead of now, is not counted (BERTH_ESTALE); BERTH_EFULL when too many issuers are alive
 * (`dropped` grows). */
int admitted_count(struct admitted *book, wall_ms_t now, struct span issuer, int64_t issuer_epoch,
                   int64_t issued_s) BERTH_MUST_USE;

/* Forget the seconds that are over, then write what is left as the value of `adm=`. Returns the
 * length, or BERTH_EFULL when it does not fit. */
int admitted_render(struct admitted *book, wall_ms_t now, char *buf, size_t size) BERTH_MUST_USE;

/* Forget the seconds that are over. admitted_count and admitted_render do so by themselves. */
void admitted_advance(struct admitted *book, wall_ms_t now);

#endif

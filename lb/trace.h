/* trace.h - one line of text for one effect: the same bytes in the log of the running program and
 * in tests.
 *
 * Pure. "move pool=game node=gn-1 from=joining to=ready why=proved": a word, then a plain record.
 */
#ifndef BERTH_LB_TRACE_H
#define BERTH_LB_TRACE_H

#include "lb/lb.h"

enum { TRACE_LINE_MAX = 640 };

/* Terminated, cut if need be. Returns buf. */
const char *trace_effect(const struct lb *lb, const struct lb_effect *effect,
                         char buf[TRACE_LINE_MAX]);

/* Is it worth a line in the log of a quiet program? Renewals, beats, sweeps, probes and counts are
 * not. */
bool trace_is_routine(const struct lb_effect *effect);

#endif

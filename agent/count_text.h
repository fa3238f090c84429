/* count_text.h - a number of players out of what a server says: JSON, Prometheus, or bare.
 *
 * Pure. All: returns 0 with *ret_count in [0, 1,000,000,000], or BERTH_EPROTO with err saying what
 * was wrong. Fractions are cut (a gauge may say 12.0). */
#ifndef BERTH_AGENT_COUNT_TEXT_H
#define BERTH_AGENT_COUNT_TEXT_H

#include "core/err.h"
#include "core/span.h"

/* "42\n" */
int count_text_number(struct span text, int64_t *ret_count, struct err *err) BERTH_MUST_USE;

/* The number that an RFC 6901 pointer ("/clients/connected"; "": the whole) names in a JSON text;
 * an array or object there counts as its members. */
int count_text_json(struct span text, const char *pointer, int64_t *ret_count,
                    struct err *err) BERTH_MUST_USE;

/* The sum of the samples of a metric in the Prometheus text format 0.0.4. metric: a name
 * ("socket_io_connected"), or a series with its labels as they stand there
 * ("socket_io_connected{namespace=\"/\"}"). */
int count_text_metric(struct span text, const char *metric, int64_t *ret_count,
                      struct err *err) BERTH_MUST_USE;

#endif

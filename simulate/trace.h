/* trace.h - a demand over time: how many players want to play in each second.
 *
 * Pure. Text form: one line for each time, "second,players" or "second,arrivals"; the first line
 * may say which. Lines that are empty or begin with # are skipped. Seconds only grow.
 *   players   how many want to play at that second; between two lines it changes evenly
 *   arrivals  how many come from that second until the next line, evenly; each stays for a session
 * Arrivals become players by drawing their sessions, so that every policy meets the same demand. */
#ifndef BERTH_SIMULATE_TRACE_H
#define BERTH_SIMULATE_TRACE_H

#include "core/err.h"
#include "core/span.h"

#define TRACE_SECONDS_MAX (40 * 86400)
#define TRACE_PLAYERS_MAX 1000000

struct trace {
    int32_t *players; /* heap; by second */
    int64_t seconds;  /* >= 1 */
};

/* BERTH_EINVAL with err "name:line: what is wrong", BERTH_ENOMEM. session_s and seed are for
 * arrivals: sessions last between half and one and a half of session_s. */
int trace_parse(struct trace *ret_trace, struct span text, const char *name, int64_t session_s,
                uint64_t seed, struct err *err) BERTH_MUST_USE;
void trace_fini(struct trace *trace);

#endif

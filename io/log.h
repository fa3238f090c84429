/* log.h - one line per event on stderr: logfmt, or JSON lines by option.
 *
 * t=2026-11-21T20:15:01.123Z lvl=info prog=berth-lb ev=place node=gn-3 why=least_est est=41/100
 * Values are quoted and escaped where logfmt asks for it. A line is written with one write(2); it
 * never blocks the program for longer than the write, and a full disk or a closed stderr is counted
 * (log_dropped) and survived. */
#ifndef BERTH_IO_LOG_H
#define BERTH_IO_LOG_H

#include "core/err.h"
#include "core/span.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log {
    enum log_level level;
    bool json;
    int fd;              /* stderr */
    const char *program; /* borrowed for life */
    uint64_t dropped;
    bool stuck; /* the last line could not be written */
};

void log_init(struct log *log, const char *program);

/* log_write(log, LOG_INFO, "place", "node=%s why=%s est=%d/%d", ...): the format is a list of
 * name=conversion pairs separated by single spaces; each conversion is formatted on its own, then
 * quoted as needed. Pairs that are constant text are fine. */
void log_write(struct log *log, enum log_level level, const char *event, const char *fmt, ...)
    BERTH_PRINTF(4, 5);

/* The same with the pairs of a plain record (core/record.h): what a core has rendered once for its
 * traces. */
void log_record(struct log *log, enum log_level level, const char *event, struct span record);

#define log_debug(log, ev, ...) log_write((log), LOG_DEBUG, (ev), __VA_ARGS__)
#define log_info(log, ev, ...) log_write((log), LOG_INFO, (ev), __VA_ARGS__)
#define log_warn(log, ev, ...) log_write((log), LOG_WARN, (ev), __VA_ARGS__)
#define log_error(log, ev, ...) log_write((log), LOG_ERROR, (ev), __VA_ARGS__)

#endif

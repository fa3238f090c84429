/* rows.h - a pool's history as lines "second,players" of a trace, for `berth simulate`.
 *
 * Pure. */
#ifndef BERTH_CLI_ROWS_H
#define BERTH_CLI_ROWS_H

#include "core/span.h"

/* Zeroed to begin. */
struct rows {
    int64_t base_ms; /* time of the first line, its second is 0 */
    int64_t second;  /* of the last line */
    bool begun;
};

/* The line of one entry of `history` or `history:minutes` (docs/redis.md): a second's players, or
 * a minute's mean in its middle. Entries come oldest first. Returns the length of the line (its
 * newline included) in ret_line, or 0: it is not later than the last one, or holds no players. */
size_t rows_line(struct rows *rows, struct span id, struct span detail, char ret_line[48]);

#endif

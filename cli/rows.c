/* rows.c - a pool's history as lines "second,players" of a trace, for `berth simulate`. */
#include "cli/rows.h"

#include "core/record.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

size_t rows_line(struct rows *rows, struct span id, struct span detail, char ret_line[48])
{
    int64_t at, players;
    if (!record_int(detail, "players", &players) || players < 0)
        return 0;
    bool minute = record_int(detail, "at", &at);
    if (!minute && !span_int(span_cut(&id, '-'), &at))
        return 0;
    if (at < 0 || at > INT64_MAX / 2)
        return 0; /* no time */
    at += minute ? 30000 : 0;
    if (!rows->begun)
        *rows = (struct rows){.base_ms = at, .second = -1, .begun = true};
    int64_t second = (at - rows->base_ms) / 1000;
    if (second <= rows->second)
        return 0;
    rows->second = second;
    return (size_t)snprintf(ret_line, 48, "%" PRId64 ",%" PRId64 "\n", second, players);
}

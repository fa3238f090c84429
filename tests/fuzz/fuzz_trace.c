/* fuzz_trace.c - any text as a recorded demand (berth simulate): numbers of players in each second,
 * within the limits, or what is wrong in which line. */
#include "simulate/trace.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace trace;
    struct err err = {0};
    if (trace_parse(&trace, (struct span){(const char *)data, size}, "demand.csv", 60, 1, &err) <
        0) {
        if (strncmp(err.text, "demand.csv", 10) != 0)
            abort();
        return 0;
    }
    if (trace.seconds < 1 || trace.seconds > TRACE_SECONDS_MAX)
        abort();
    for (int64_t i = 0; i < trace.seconds; i++)
        if (trace.players[i] < 0 || trace.players[i] > TRACE_PLAYERS_MAX)
            abort();
    trace_fini(&trace);
    return 0;
}

/* run.h - a simulation under way: what simulate.c and its drivers share. Private to this room. */
#ifndef BERTH_SIMULATE_RUN_H
#define BERTH_SIMULATE_RUN_H

#include "autoscale/scale.h"
#include "simulate/harbour.h"
#include "simulate/simulate.h"

struct run {
    const struct simulate_config *config;
    const struct trace *trace;
    const struct simulate_watch *watch;
    struct harbour harbour;
    int64_t second; /* of the trace; below 0: warm-up */
    struct simulate_result result;
    int last_way; /* of the last move: -1 in, 1 out, 0 none yet */
    int64_t last_way_s;
    struct fleet_figures figures;
};

static inline int64_t run_demand(const struct run *run, int64_t second)
{
    if (second < 0)
        second = 0;
    if (second >= run->trace->seconds)
        second = run->trace->seconds - 1;
    return run->trace->players[second];
}

/* A decision was carried out: counted, and told to the watch. */
void run_moved(struct run *run, int way, const char *record);

/* The policy's driver: the autoscaler's core. NULL: no memory. */
struct driven;
struct driven *driven_create(struct run *run);
void driven_destroy(struct driven *driven);
void driven_second(struct driven *driven);

/* The yardsticks'. */
void yardstick_second(struct run *run);

#endif

/* simulate.h - a scaling policy against a demand, in virtual time: the autoscaler's own core
 * (autoscale/scale.h) over a virtual pool (simulate/harbour.h).
 *
 * Pure: no I/O, no clock; the same input gives the same result. What is not in it: networks, lost
 * nodes, a provider that fails, slow start, tickets on their way. A player who finds no place keeps
 * wanting one, so that every policy meets the same demand.
 *
 * Two yardsticks may take the policy's place, with its floor and ceiling and the same boot time:
 *   oracle    knows the whole demand: launches one boot time ahead, holds no place that will not be
 *             needed within one boot time
 *   reactive  knows exactly who wants to play now, and nothing of the future: what nobody without
 *             foresight and without spare places can beat */
#ifndef BERTH_SIMULATE_SIMULATE_H
#define BERTH_SIMULATE_SIMULATE_H

#include "autoscale/policy.h"
#include "simulate/trace.h"

enum simulate_driver { SIMULATE_POLICY, SIMULATE_ORACLE, SIMULATE_REACTIVE };

struct simulate_config {
    const struct policy *policy; /* borrowed; floor and ceiling also for the yardsticks */
    enum simulate_driver driver;
    int64_t boot_s;   /* from launch to ready, >= 2 */
    int64_t capacity; /* players a node */
    int64_t session_s;
    int64_t closing_s; /* empty to closing */
    int64_t warmup_s;  /* of the first second's demand, before anything is counted */
    int64_t flap_s;    /* a reversal within this is a flap */
    int initial; /* ready nodes to begin with; -1: one that is not full, for the first second's
                    demand */
    uint64_t seed;
};

/* One second, as it ended. */
struct simulate_sample {
    int64_t second;
    int64_t demand, refused; /* players; refused: without a place now */
    int64_t capacity;        /* places on ready nodes */
    struct fleet_figures
        figures; /* POLICY: what the core sees; otherwise ready, coming, draining */
};

struct simulate_watch { /* each may be NULL */
    void (*sample)(void *arg, const struct simulate_sample *sample);
    /* A decision: "scale_out" or "scale_in", and its record. */
    void (*event)(void *arg, int64_t second, const char *word, const char *record);
    void *arg;
};

struct simulate_result {
    int64_t seconds;
    double node_hours;         /* from launch to the end of the machine */
    int64_t demand_s;          /* player-seconds wanted */
    int64_t refused_s;         /* player-seconds refused */
    int64_t refused_most;      /* players at once */
    double mean_use, peak_use; /* players on ready nodes / their places */
    int outs, ins, flaps;
    int nodes_most;
    int64_t killed;         /* players whose node was ended under them: 0, or a bug */
    int64_t players_at_end; /* seated and waiting */
    int64_t arrived, left;  /* warm-up included */
};

/* BERTH_ENOMEM with err. */
int simulate_run(const struct simulate_config *config, const struct trace *trace,
                 const struct simulate_watch *watch, struct simulate_result *ret_result,
                 struct err *err) BERTH_MUST_USE;

#endif

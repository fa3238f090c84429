/* simulate.c - a scaling policy against a demand, in virtual time. */
#include "simulate/run.h"

#include <string.h>

void run_moved(struct run *run, int way, const char *record)
{
    if (run->second < 0)
        return;
    struct simulate_result *r = &run->result;
    r->outs += way > 0;
    r->ins += way < 0;
    if (run->last_way != 0 && run->last_way != way &&
        run->second - run->last_way_s < run->config->flap_s)
        r->flaps++;
    run->last_way = way;
    run->last_way_s = run->second;
    if (run->watch && run->watch->event)
        run->watch->event(run->watch->arg, run->second, way > 0 ? "scale_out" : "scale_in", record);
}

static void take_stock(struct run *run, double *use, int64_t *use_s)
{
    struct simulate_result *r = &run->result;
    const struct harbour *h = &run->harbour;
    struct harbour_count c = harbour_count(h);
    r->node_hours += c.exist / 3600.0;
    r->demand_s += run_demand(run, run->second);
    r->refused_s += h->waiting;
    r->refused_most = h->waiting > r->refused_most ? h->waiting : r->refused_most;
    r->nodes_most = c.exist > r->nodes_most ? c.exist : r->nodes_most;
    if (c.capacity > 0) {
        double now = (double)c.on_ready / (double)c.capacity;
        *use += now;
        ++*use_s;
        r->peak_use = now > r->peak_use ? now : r->peak_use;
    }
    if (!run->watch || !run->watch->sample)
        return;
    struct simulate_sample s = {.second = run->second,
                                .demand = run_demand(run, run->second),
                                .refused = h->waiting,
                                .capacity = c.capacity,
                                .figures = run->figures};
    if (run->config->driver != SIMULATE_POLICY)
        s.figures = (struct fleet_figures){
            .ready = c.ready, .coming = c.coming, .draining = c.draining, .conns = c.on_ready};
    run->watch->sample(run->watch->arg, &s);
}

static int begin_with(const struct simulate_config *c, int64_t players)
{
    int64_t nodes = c->initial >= 0 ? c->initial : players / c->capacity + 1;
    if (c->initial < 0 && nodes < c->policy->min)
        nodes = c->policy->min;
    return (int)(nodes < c->policy->max ? nodes : c->policy->max);
}

int simulate_run(const struct simulate_config *config, const struct trace *trace,
                 const struct simulate_watch *watch, struct simulate_result *ret_result,
                 struct err *err)
{
    struct run run = {.config = config, .trace = trace, .watch = watch};
    struct harbour_config hc = {.boot_s = config->boot_s,
                                .session_s = config->session_s,
                                .closing_s = config->closing_s,
                                .capacity = config->capacity,
                                .nodes_max = (size_t)config->policy->nodes_max,
                                .seed = config->seed};
    struct driven *driven = NULL;
    if (harbour_init(&run.harbour, &hc) < 0)
        return err_set(err, BERTH_ENOMEM, "no memory for %zu nodes", hc.nodes_max);
    if (config->driver == SIMULATE_POLICY && !(driven = driven_create(&run))) {
        harbour_fini(&run.harbour);
        return err_set(err, BERTH_ENOMEM, "no memory for the autoscaler");
    }
    harbour_begin_with(&run.harbour, begin_with(config, trace->players[0]));
    double use = 0;
    int64_t use_s = 0;
    for (run.second = -config->warmup_s; run.second < trace->seconds; run.second++) {
        harbour_second(&run.harbour, run_demand(&run, run.second));
        if (driven)
            driven_second(driven);
        else
            yardstick_second(&run);
        if (run.second >= 0)
            take_stock(&run, &use, &use_s);
    }
    run.result.seconds = trace->seconds;
    run.result.mean_use = use_s ? use / (double)use_s : 0;
    run.result.killed = run.harbour.killed;
    run.result.arrived = run.harbour.arrived;
    run.result.left = run.harbour.left;
    run.result.players_at_end = run.harbour.seated + run.harbour.waiting;
    driven_destroy(driven);
    harbour_fini(&run.harbour);
    *ret_result = run.result;
    return 0;
}

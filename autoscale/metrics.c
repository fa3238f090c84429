/* metrics.c - the state of every pool as Prometheus text. */
#include "autoscale/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 160 /* a value: name, pool (63), number */
#define HEAD_MAX_BYTES 256 /* HELP and TYPE of a family */

/* One family of the exposition: a value per pool. */
struct metric {
    const char *name, *type, *help;
    double (*value)(const struct scale_status *status);
};

#define VALUE(fn, expression)                                                                      \
    static double fn(const struct scale_status *s)                                                 \
    {                                                                                              \
        return (double)(expression);                                                               \
    }
VALUE(desired, s->decision.desired)
VALUE(current, s->figures.size)
VALUE(ready, s->figures.ready)
VALUE(booting, s->figures.booting)
VALUE(joining, s->figures.joining)
VALUE(draining, s->figures.draining)
VALUE(terminating, s->figures.terminating)
VALUE(lost, s->figures.lost)
VALUE(limited, s->decision.limited)
VALUE(held, s->held_by != NULL)
VALUE(leading, s->leading)
VALUE(halted, s->halted)
VALUE(connections, s->figures.conns)
VALUE(capacity, s->figures.capacity)
VALUE(instances, s->instances)
VALUE(failures, s->failures)
VALUE(launches, s->launches)
VALUE(boot, (double)s->boot_ms / 1e3)
VALUE(outs, s->outs)
VALUE(ins, s->ins)
VALUE(launched, s->launched_total)
VALUE(terminated, s->terminated_total)

static const struct metric metrics[] = {
    {"desired_nodes", "gauge", "Nodes that votes and limits ask for.", desired},
    {"current_nodes", "gauge", "Nodes ready or coming.", current},
    {"ready_nodes", "gauge", "Nodes that are handed out.", ready},
    {"booting_nodes", "gauge", "Nodes launched that have not reported yet.", booting},
    {"joining_nodes", "gauge", "Nodes that report and are not proved yet.", joining},
    {"draining_nodes", "gauge", "Nodes on their way out by the autoscaler's wish.", draining},
    {"terminating_nodes", "gauge", "Nodes whose instances are being unmade.", terminating},
    {"lost_nodes", "gauge", "Nodes that are silent or unreachable.", lost},
    {"limited", "gauge", "1 while floor or ceiling overrules the votes.", limited},
    {"held", "gauge", "1 while something holds it back (see berth_autoscale_held_by).", held},
    {"leading", "gauge", "1 while this process leads the pool.", leading},
    {"halted", "gauge", "1 while launches are stopped after repeated failures.", halted},
    {"connections", "gauge", "Players on ready nodes.", connections},
    {"capacity", "gauge", "Places on ready nodes.", capacity},
    {"instances", "gauge", "Instances known to provider or pool.", instances},
    {"launches", "gauge", "Launches under way.", launches},
    {"boot_seconds", "gauge",
     "From the launch of a node until it is ready, as measured (three of four of the last 16); 0: "
     "not yet.",
     boot},
    {"launch_failures", "gauge", "Launches that failed, in a row until now.", failures},
    {"outs_total", "counter", "Scale-outs decided.", outs},
    {"ins_total", "counter", "Scale-ins decided.", ins},
    {"launched_instances_total", "counter", "Instances launched.", launched},
    {"terminated_instances_total", "counter", "Instances terminated.", terminated},
};

enum { FAMILIES = sizeof metrics / sizeof metrics[0] + 3 }; /* and held_by, redis_up, notices */

struct text {
    char *buf;
    size_t size, len;
};

static void put(struct text *t, const char *fmt, ...) BERTH_PRINTF(2, 3);
static void put(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
    va_end(ap);
    if (n > 0 && t->len + (size_t)n < t->size)
        t->len += (size_t)n;
}

static void put_head(struct text *t, const char *name, const char *type, const char *help)
{
    put(t, "# HELP berth_autoscale_%s %s\n# TYPE berth_autoscale_%s %s\n", name, help, name, type);
}

size_t metrics_size(size_t count)
{
    return FAMILIES * (HEAD_MAX_BYTES + (count + 1) * LINE_MAX_BYTES) +
           NOTICE_KINDS * LINE_MAX_BYTES;
}

struct span metrics_write(const struct metrics_pool *pools, size_t count,
                          const struct metrics_process *process, char *buf, size_t size)
{
    struct text t = {.buf = buf, .size = size};
    assert(size >= metrics_size(count));
    for (size_t m = 0; m < sizeof metrics / sizeof metrics[0]; m++) {
        put_head(&t, metrics[m].name, metrics[m].type, metrics[m].help);
        for (size_t i = 0; i < count; i++)
            put(&t, "berth_autoscale_%s{pool=\"%s\"} %.17g\n", metrics[m].name, pools[i].name,
                metrics[m].value(&pools[i].status));
    }
    put_head(&t, "held_by", "gauge", "What holds it back, by reason.");
    for (size_t i = 0; i < count; i++)
        if (pools[i].status.held_by)
            put(&t, "berth_autoscale_held_by{pool=\"%s\",by=\"%s\"} 1\n", pools[i].name,
                pools[i].status.held_by);
    put_head(&t, "redis_up", "gauge", "1 while connected to Redis.");
    put(&t, "berth_autoscale_redis_up %d\n", process->redis_up);
    put_head(&t, "notices_total", "counter", "What people were told of, by kind.");
    for (int i = 0; i < NOTICE_KINDS; i++)
        put(&t, "berth_autoscale_notices_total{kind=\"%s\"} %" PRIu64 "\n",
            notice_word((enum notice_kind)i), process->notices[i]);
    return (struct span){t.buf, t.len};
}

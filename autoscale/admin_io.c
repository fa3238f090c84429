/* admin_io.c - the autoscaler's admin listener: /healthz, /readyz, /metrics. */
#include "autoscale/admin_io.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define METRICS_SIZE 65536

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
    {"outs_total", "counter", "Scale-outs decided.", outs},
    {"ins_total", "counter", "Scale-ins decided.", ins},
    {"launched_instances_total", "counter", "Instances launched.", launched},
    {"terminated_instances_total", "counter", "Instances terminated.", terminated},
};

struct text {
    char *buf;
    size_t len;
};

static void put(struct text *t, const char *fmt, ...) BERTH_PRINTF(2, 3);
static void put(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->buf + t->len, METRICS_SIZE - t->len, fmt, ap);
    va_end(ap);
    if (n > 0 && t->len + (size_t)n < METRICS_SIZE)
        t->len += (size_t)n;
}

static void reply_text(struct http_exchange *ex, int status, const char *text)
{
    http_reply(ex, status, "text/plain; charset=utf-8", "Cache-Control: no-store\r\n",
               span_of(text));
}

static void on_healthz(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    reply_text(ex, 200, "ok\n");
}

static void on_readyz(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    const struct admin_io *admin = arg;
    for (size_t i = 0; i < admin->count; i++) {
        if (!pool_io_is_live(admin->pools[i])) {
            http_problem(ex, 503, "not-ready", "Not ready", NULL,
                         "the view of pool %s is not complete: is Redis there?",
                         pool_io_name(admin->pools[i]));
            return;
        }
    }
    reply_text(ex, 200, "ok\n");
}

static void on_metrics(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    const struct admin_io *admin = arg;
    struct text t = {malloc(METRICS_SIZE), 0};
    struct scale_status st;
    if (!t.buf) {
        http_problem(ex, 500, "no-memory", "No memory", NULL, "the metrics need %d bytes",
                     METRICS_SIZE);
        return;
    }
    for (size_t m = 0; m < sizeof metrics / sizeof metrics[0]; m++) {
        const struct metric *metric = &metrics[m];
        put(&t, "# HELP berth_autoscale_%s %s\n# TYPE berth_autoscale_%s %s\n", metric->name,
            metric->help, metric->name, metric->type);
        for (size_t i = 0; i < admin->count; i++) {
            pool_io_status(admin->pools[i], &st);
            put(&t, "berth_autoscale_%s{pool=\"%s\"} %.17g\n", metric->name,
                pool_io_name(admin->pools[i]), metric->value(&st));
        }
    }
    put(&t, "# HELP berth_autoscale_held_by What holds it back, by reason.\n# TYPE "
            "berth_autoscale_held_by gauge\n");
    for (size_t i = 0; i < admin->count; i++) {
        pool_io_status(admin->pools[i], &st);
        if (st.held_by)
            put(&t, "berth_autoscale_held_by{pool=\"%s\",by=\"%s\"} 1\n",
                pool_io_name(admin->pools[i]), st.held_by);
    }
    put(&t,
        "# HELP berth_autoscale_redis_up 1 while connected to Redis.\n# TYPE "
        "berth_autoscale_redis_up gauge\n"
        "berth_autoscale_redis_up %d\n",
        redis_is_up(admin->redis));
    http_reply(ex, 200, "text/plain; version=0.0.4; charset=utf-8", NULL,
               (struct span){t.buf, t.len});
    free(t.buf);
}

static const struct http_route routes[] = {
    {"GET", "/healthz", on_healthz},
    {"GET", "/readyz", on_readyz},
    {"GET", "/metrics", on_metrics},
    {NULL, NULL, NULL},
};

int admin_io_open(struct admin_io *admin, struct web *web, const struct host_port *listen,
                  struct err *err)
{
    struct web_server_config config = {.name = "admin",
                                       .address = listen->host,
                                       .port = listen->port,
                                       .routes = routes,
                                       .http_arg = admin};
    admin->server = web_listen(web, &config, err);
    return admin->server ? 0 : BERTH_ESYS;
}

void admin_io_close(struct admin_io *admin)
{
    web_server_close(admin->server);
    admin->server = NULL;
}

/* cloudwatch.c - figures of pools as CloudWatch metrics: a bounded queue, and the request of its
 * front. */
#include "autoscale/cloudwatch.h"

#include <stdio.h>
#include <time.h>

void cloudwatch_add(struct cloudwatch *queue, const char *pool, const struct scale_status *status,
                    int64_t at_s)
{
    const struct fleet_figures *f = &status->figures;
    if (queue->count == CLOUDWATCH_QUEUE) {
        cloudwatch_drop(queue, 1);
        queue->dropped++;
    }
    struct cloudwatch_point *p = &queue->points[(queue->first + queue->count++) % CLOUDWATCH_QUEUE];
    *p = (struct cloudwatch_point){.at_s = at_s,
                                   .connections = f->players,
                                   .pending = f->est > f->conns ? f->est - f->conns : 0,
                                   .ready = f->ready,
                                   .desired = status->decision.desired,
                                   .average = f->average};
    snprintf(p->pool, sizeof p->pool, "%s", pool);
}

static void add_metric(struct form *form, size_t n, const char *name, double value,
                       const char *time_text, const char *name_space, const char *pool)
{
    char text[40];
    snprintf(text, sizeof text, "%.6g", value);
    form_add(form, name, "MetricData.member.%zu.MetricName", n);
    form_add(form, text, "MetricData.member.%zu.Value", n);
    form_add(form, "Count", "MetricData.member.%zu.Unit", n);
    form_add(form, time_text, "MetricData.member.%zu.Timestamp", n);
    form_add(form, "Namespace", "MetricData.member.%zu.Dimensions.member.1.Name", n);
    form_add(form, name_space, "MetricData.member.%zu.Dimensions.member.1.Value", n);
    form_add(form, "Pool", "MetricData.member.%zu.Dimensions.member.2.Name", n);
    form_add(form, pool, "MetricData.member.%zu.Dimensions.member.2.Value", n);
}

size_t cloudwatch_form(const struct cloudwatch *queue, const char *metrics_namespace,
                       const char *name_space, struct form *form, char *buf)
{
    size_t count = queue->count < CLOUDWATCH_BATCH ? queue->count : CLOUDWATCH_BATCH, n = 0;
    form_begin(form, buf, CLOUDWATCH_FORM_MAX, "PutMetricData", "2010-08-01");
    form_add(form, metrics_namespace, "Namespace");
    for (size_t i = 0; i < count; i++) {
        const struct cloudwatch_point *p = &queue->points[(queue->first + i) % CLOUDWATCH_QUEUE];
        const struct {
            const char *name;
            double value;
        } metrics[] = {{"Connections", (double)p->connections},
                       {"ReadyNodes", p->ready},
                       {"AverageConnections", p->average},
                       {"Pending", (double)p->pending},
                       {"DesiredNodes", p->desired}};
        char at[32] = "1970-01-01T00:00:00Z";
        time_t when = (time_t)p->at_s;
        struct tm tm;
        if (gmtime_r(&when, &tm))
            strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
        for (size_t k = 0; k < sizeof metrics / sizeof metrics[0]; k++)
            add_metric(form, ++n, metrics[k].name, metrics[k].value, at, name_space, p->pool);
    }
    return count;
}

void cloudwatch_drop(struct cloudwatch *queue, size_t n)
{
    if (n > queue->count)
        n = queue->count;
    queue->first = (queue->first + n) % CLOUDWATCH_QUEUE;
    queue->count -= n;
}

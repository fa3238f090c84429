/* cloudwatch_io.c - sends figures of the pools that this process leads to CloudWatch. */
#include "autoscale/cloudwatch_io.h"

#include "autoscale/cloudwatch.h"
#include "aws/aws_io.h"

#include <stdlib.h>

#define LIMIT_MS 20000

struct cloudwatch_io {
    struct cloudwatch_io_config c;
    struct cloudwatch queue;
    struct timer timer;
    struct aws_call *call;
    size_t sending; /* points of the call under way */
    bool failing;   /* said once */
    uint64_t dropped_told;
};

static void send(struct cloudwatch_io *cw);

static void on_sent(void *arg, const struct aws_answer *answer)
{
    struct cloudwatch_io *cw = arg;
    cw->call = NULL;
    bool ok = answer->kind == FAULT_NONE;
    bool later = answer->kind == FAULT_THROTTLED || answer->kind == FAULT_PASSING;
    if (!ok && !cw->failing)
        log_warn(cw->c.log, "cloudwatch_failing", "why=%s error=%s", fault_word(answer->kind),
                 answer->error);
    else if (ok && cw->failing)
        log_info(cw->c.log, "cloudwatch_answers", "waiting=%zu", cw->queue.count);
    cw->failing = !ok;
    if (!later) /* told, or never to be taken */
        cloudwatch_drop(&cw->queue, cw->sending);
    if (ok)
        send(cw); /* what has gathered; after trouble the next interval is soon enough */
}

static void send(struct cloudwatch_io *cw)
{
    struct form form;
    if (cw->call || cw->queue.count == 0)
        return;
    char *buf = malloc(CLOUDWATCH_FORM_MAX);
    if (buf) {
        cw->sending =
            cloudwatch_form(&cw->queue, cw->c.settings->name_space, cw->c.name_space, &form, buf);
        cw->call = aws_send(cw->c.aws, AWS_CLOUDWATCH, &form, LIMIT_MS, AWS_AGAIN, on_sent, cw);
    }
    free(buf);
}

static void on_turn(void *arg)
{
    struct cloudwatch_io *cw = arg;
    struct scale_status status;
    const char *pool;
    for (size_t i = 0; (pool = cw->c.look(cw->c.arg, i, &status)); i++)
        if (status.leading) /* one process tells */
            cloudwatch_add(&cw->queue, pool, &status, aws_wall_s(cw->c.aws));
    if (cw->queue.dropped != cw->dropped_told)
        log_warn(cw->c.log, "cloudwatch_dropped", "points=%llu",
                 (unsigned long long)(cw->queue.dropped - cw->dropped_told));
    cw->dropped_told = cw->queue.dropped;
    send(cw);
}

struct cloudwatch_io *cloudwatch_io_create(const struct cloudwatch_io_config *config,
                                           struct err *err)
{
    struct cloudwatch_io *cw = calloc(1, sizeof *cw);
    if (!cw) {
        err_set(err, BERTH_ENOMEM, "no memory for the CloudWatch queue");
        return NULL;
    }
    cw->c = *config;
    timer_init(&cw->timer, config->loop, on_turn, cw);
    timer_start(&cw->timer, config->settings->interval_ms, config->settings->interval_ms);
    return cw;
}

void cloudwatch_io_destroy(struct cloudwatch_io *cw)
{
    if (!cw)
        return;
    timer_stop(&cw->timer);
    if (cw->call)
        aws_cancel(cw->call);
    free(cw);
}

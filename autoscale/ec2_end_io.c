/* ec2_end_io.c - TerminateInstances: what is asked within a moment goes as one call. */
#include "autoscale/ec2_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_MS 20
#define FORM_MAX (32 << 10)

static void send(struct ec2_batch *batch);

static void unlink_batch(struct ec2_batch *batch)
{
    struct ec2_batch **link = &batch->ec2->batches;
    while (*link != batch)
        link = &(*link)->next;
    *link = batch->next;
}

static void answer(struct ec2_batch *batch, enum scale_outcome outcome, const char *error)
{
    unlink_batch(batch);
    for (size_t i = 0; i < batch->count; i++)
        batch->ends[i].fn(batch->ends[i].arg, outcome, error);
    free(batch);
}

static struct ec2_batch *batch_new(struct ec2 *ec2)
{
    struct ec2_batch *batch = calloc(1, sizeof *batch);
    if (batch)
        batch->ec2 = ec2;
    return batch;
}

static void begin(struct ec2_batch *batch)
{
    batch->next = batch->ec2->batches;
    batch->ec2->batches = batch;
    send(batch);
}

/* One wrong id fails the whole call: each by itself. */
static void split(struct ec2_batch *batch)
{
    unlink_batch(batch);
    for (size_t i = 0; i < batch->count; i++) {
        struct ec2_batch *one = batch_new(batch->ec2);
        if (!one) {
            batch->ends[i].fn(batch->ends[i].arg, SCALE_NOT_DONE, "out of memory");
            continue;
        }
        one->ends[one->count++] = batch->ends[i];
        begin(one);
    }
    free(batch);
}

static void on_ended(void *arg, const struct aws_answer *told)
{
    struct ec2_batch *batch = arg;
    batch->call = NULL;
    bool single = batch->count == 1;
    if (told->kind == FAULT_NONE || (told->kind == FAULT_GONE && single)) {
        for (size_t i = 0; i < batch->count; i++)
            log_info(batch->ec2->env.log, "instance_terminated", "pool=%s id=%s%s",
                     batch->ends[i].pool, batch->ends[i].id,
                     told->kind == FAULT_GONE ? " why=was_gone" : "");
        answer(batch, SCALE_DONE, NULL);
    } else if (!single && !told->unknown &&
               (told->kind == FAULT_GONE || told->kind == FAULT_REFUSED)) {
        split(batch);
    } else {
        provider_aws_log(batch->ec2->env.log, "terminate_failed", batch->ends[0].pool,
                         batch->ends[0].id, told);
        answer(batch, provider_aws_outcome(told), told->error);
    }
}

static void send(struct ec2_batch *batch)
{
    char *buf = malloc(FORM_MAX);
    struct form form;
    if (buf) {
        form_begin(&form, buf, FORM_MAX, "TerminateInstances", EC2_VERSION);
        for (size_t i = 0; i < batch->count; i++)
            form_add(&form, batch->ends[i].id, "InstanceId.%zu", i + 1);
        batch->call = aws_send(batch->ec2->env.aws, AWS_EC2, &form, PROVIDER_AWS_LIMIT_MS,
                               AWS_AGAIN, on_ended, batch);
    }
    free(buf);
    if (!batch->call)
        answer(batch, SCALE_NOT_DONE, "out of memory");
}

static void on_gathered(void *arg)
{
    struct ec2 *ec2 = arg;
    struct ec2_batch *batch = ec2->waiting;
    ec2->waiting = NULL;
    if (batch)
        begin(batch);
}

void ec2_terminate(void *provider, const char *pool, const char *id, provider_done_fn *fn,
                   void *arg)
{
    struct ec2 *ec2 = provider;
    if (ec2->waiting && ec2->waiting->count == EC2_ENDS_MAX)
        return; /* the core asks again */
    if (!ec2->waiting)
        ec2->waiting = batch_new(ec2);
    if (!ec2->waiting)
        return;
    struct ec2_end *end = &ec2->waiting->ends[ec2->waiting->count++];
    *end = (struct ec2_end){.fn = fn, .arg = arg};
    snprintf(end->pool, sizeof end->pool, "%s", pool);
    snprintf(end->id, sizeof end->id, "%s", id);
    if (!timer_active(&ec2->end_timer))
        timer_start(&ec2->end_timer, GATHER_MS, 0);
}

void ec2_terminate_open(struct ec2 *ec2)
{
    timer_init(&ec2->end_timer, ec2->env.loop, on_gathered, ec2);
}

void ec2_terminate_close(struct ec2 *ec2)
{
    timer_stop(&ec2->end_timer);
    if (ec2->waiting) {
        ec2->waiting->next = ec2->batches;
        ec2->batches = ec2->waiting;
        ec2->waiting = NULL;
    }
    while (ec2->batches) {
        struct ec2_batch *batch = ec2->batches;
        bool sent = batch->call != NULL;
        if (sent)
            aws_cancel(batch->call);
        answer(batch, sent ? SCALE_UNKNOWN : SCALE_NOT_DONE, "closing");
    }
}

/* asg_end_io.c - TerminateInstanceInAutoScalingGroup, which also takes one off the desired
 * capacity: so that nobody comes in its place, and never twice for one instance. */
#include "autoscale/asg_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_doubtful(const struct asg_pool *pool, const char *id)
{
    for (size_t i = 0; i < ASG_DOUBTS_MAX; i++)
        if (strcmp(pool->doubts[i], id) == 0)
            return true;
    return false;
}

/* Answer all that ask for the end of this instance. */
static void finish(struct asg_end *end, enum scale_outcome outcome, const char *error)
{
    struct asg *asg = end->pool->asg;
    char id[sizeof end->id];
    memcpy(id, end->id, sizeof id);
    for (struct asg_end **link = &asg->ends; *link;) {
        struct asg_end *e = *link;
        if (strcmp(e->id, id) != 0) {
            link = &e->next;
            continue;
        }
        *link = e->next;
        timer_stop(&e->timer);
        if (e->call)
            aws_cancel(e->call);
        e->fn(e->arg, outcome, error);
        free(e);
        link = &asg->ends; /* fn may have asked for more */
    }
}

static void on_ended(void *arg, const struct aws_answer *answer)
{
    struct asg_end *end = arg;
    struct asg_pool *pool = end->pool;
    end->call = NULL;
    if (answer->kind == FAULT_NONE || answer->kind == FAULT_GONE) {
        log_info(pool->asg->env.log, "instance_terminated", "pool=%s id=%s%s", pool->s->name,
                 end->id, answer->kind == FAULT_GONE ? " why=was_gone" : "");
        finish(end, SCALE_DONE, NULL);
        return;
    }
    if (answer->unknown && !is_doubtful(pool, end->id))
        memcpy(pool->doubts[pool->doubt_next++ % ASG_DOUBTS_MAX], end->id, sizeof end->id);
    provider_aws_log(pool->asg->env.log, "terminate_failed", pool->s->name, end->id, answer);
    finish(end, provider_aws_outcome(answer), answer->error);
}

static void terminate(struct asg_end *end)
{
    char buf[512];
    struct form form;
    form_begin(&form, buf, sizeof buf, "TerminateInstanceInAutoScalingGroup", AUTOSCALING_VERSION);
    form_add(&form, end->id, "InstanceId");
    form_add(&form, "true", "ShouldDecrementDesiredCapacity");
    end->call = aws_send(end->pool->asg->env.aws, AWS_AUTOSCALING, &form, PROVIDER_AWS_LIMIT_MS, 0,
                         on_ended, end);
    if (!end->call)
        finish(end, SCALE_NOT_DONE, "out of memory");
}

/* The answer to the call before was lost: has the instance gone its way? */
static void on_group(void *arg, const struct aws_answer *answer)
{
    struct asg_end *end = arg;
    struct group group;
    enum scale_outcome outcome;
    char error[600];
    end->call = NULL;
    if (asg_take_group(end->pool, answer, &group, &outcome, error, sizeof error) < 0) {
        finish(end, SCALE_UNKNOWN, error);
        return;
    }
    bool stays = false;
    for (size_t i = 0; i < group.count; i++)
        stays = stays || (strcmp(group.members[i].id, end->id) == 0 &&
                          group.members[i].lifecycle != MEMBER_LEAVING);
    group_free(&group);
    if (stays)
        terminate(end);
    else
        finish(end, SCALE_DONE, NULL);
}

static void on_begin(void *arg)
{
    struct asg_end *end = arg;
    if (end->follows)
        return;
    if (!is_doubtful(end->pool, end->id)) {
        terminate(end);
        return;
    }
    end->call = asg_describe(end->pool, PROVIDER_AWS_LIMIT_MS, on_group, end);
    if (!end->call)
        finish(end, SCALE_NOT_DONE, "out of memory");
}

void asg_terminate(void *provider, const char *pool, const char *id, provider_done_fn *fn,
                   void *arg)
{
    struct asg *asg = provider;
    struct asg_end *end = calloc(1, sizeof *end);
    if (!end)
        return; /* the core asks again */
    *end = (struct asg_end){
        .pool = asg_pool_named(asg, pool), .next = asg->ends, .fn = fn, .arg = arg};
    snprintf(end->id, sizeof end->id, "%s", id);
    for (struct asg_end *e = asg->ends; e; e = e->next)
        end->follows = end->follows || strcmp(e->id, end->id) == 0;
    asg->ends = end;
    timer_init(&end->timer, asg->env.loop, on_begin, end);
    timer_start(&end->timer, 0, 0);
}

void asg_terminate_close(struct asg *asg)
{
    while (asg->ends)
        finish(asg->ends, asg->ends->call ? SCALE_UNKNOWN : SCALE_NOT_DONE, "closing");
}

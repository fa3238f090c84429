/* cfn_end_io.c - the end of one instance of a stack: it is marked (tag berth:away), and the stack
 * is deleted when all of it are. */
#include "autoscale/cfn_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void finish(struct cfn_end *end, enum scale_outcome outcome, const char *error)
{
    struct cfn_end **link = &end->pool->cfn->ends;
    while (*link != end)
        link = &(*link)->next;
    *link = end->next;
    timer_stop(&end->timer);
    if (end->call)
        aws_cancel(end->call);
    end->fn(end->arg, outcome, error);
    free(end);
}

static void on_deleted(void *arg, const struct aws_answer *answer)
{
    struct cfn_end *end = arg;
    end->call = NULL;
    if (answer->kind == FAULT_NONE || answer->kind == FAULT_GONE) {
        log_info(end->pool->cfn->env.log, "stack_deleted", "pool=%s stack=%s why=drained",
                 end->pool->s->name, end->stack);
        finish(end, SCALE_DONE, NULL);
        return;
    }
    provider_aws_log(end->pool->cfn->env.log, "terminate_failed", end->pool->s->name, end->stack,
                     answer);
    finish(end, provider_aws_outcome(answer), answer->error);
}

static void on_marked(void *arg, const struct aws_answer *answer)
{
    struct cfn_end *end = arg;
    struct cfn_pool *pool = end->pool;
    struct cfn_known *k = cfn_known_of(pool, end->id);
    end->call = NULL;
    if (answer->kind != FAULT_NONE && answer->kind != FAULT_GONE && answer->kind != FAULT_DENIED &&
        answer->kind != FAULT_REFUSED) {
        finish(end, provider_aws_outcome(answer), answer->error);
        return;
    }
    if (answer->kind == FAULT_DENIED || answer->kind == FAULT_REFUSED)
        provider_aws_log(pool->cfn->env.log, "instance_not_marked", pool->s->name, end->id, answer);
    if (k)
        k->away = true; /* without the tag another process asks for the end once more */
    if (!k || !cfn_all_away(pool, end->stack)) {
        finish(end, SCALE_DONE, NULL);
        return;
    }
    end->call = cfn_send_delete(pool, end->stack, on_deleted, end);
    if (!end->call)
        finish(end, SCALE_NOT_DONE, "out of memory");
}

static void on_begin(void *arg)
{
    struct cfn_end *end = arg;
    const struct cfn_known *k = cfn_known_of(end->pool, end->id);
    char buf[512];
    struct form form;
    if (!k) { /* a list or launch has told of it, and a later list no longer does */
        finish(end, SCALE_DONE, NULL);
        return;
    }
    memcpy(end->stack, k->stack, sizeof end->stack);
    form_begin(&form, buf, sizeof buf, "CreateTags", EC2_VERSION);
    form_add(&form, end->id, "ResourceId.1");
    form_add(&form, TAG_AWAY, "Tag.1.Key");
    form_add(&form, "true", "Tag.1.Value");
    end->call = aws_send(end->pool->cfn->env.aws, AWS_EC2, &form, PROVIDER_AWS_LIMIT_MS / 2,
                         AWS_AGAIN, on_marked, end);
    if (!end->call)
        finish(end, SCALE_NOT_DONE, "out of memory");
}

void cfn_terminate(void *provider, const char *pool, const char *id, provider_done_fn *fn,
                   void *arg)
{
    struct cfn *cfn = provider;
    struct cfn_end *end = calloc(1, sizeof *end);
    if (!end)
        return; /* the core asks again */
    *end = (struct cfn_end){
        .pool = cfn_pool_named(cfn, pool), .next = cfn->ends, .fn = fn, .arg = arg};
    snprintf(end->id, sizeof end->id, "%.31s", id);
    cfn->ends = end;
    timer_init(&end->timer, cfn->env.loop, on_begin, end);
    timer_start(&end->timer, 0, 0);
}

void cfn_terminate_close(struct cfn *cfn)
{
    while (cfn->ends)
        finish(cfn->ends, cfn->ends->call ? SCALE_UNKNOWN : SCALE_NOT_DONE, "closing");
}

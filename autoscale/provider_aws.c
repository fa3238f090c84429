/* provider_aws.c - what the providers on AWS share. */
#include "autoscale/provider_aws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum scale_outcome provider_aws_outcome(const struct aws_answer *answer)
{
    if (answer->kind == FAULT_NONE)
        return SCALE_DONE;
    if (answer->unknown)
        return SCALE_UNKNOWN;
    switch (answer->kind) {
    case FAULT_THROTTLED:
        return SCALE_THROTTLED;
    case FAULT_CAPACITY:
        return SCALE_NO_CAPACITY;
    case FAULT_DENIED:
        return SCALE_DENIED;
    default:
        return SCALE_NOT_DONE;
    }
}

void provider_aws_log(struct log *log, const char *event, const char *pool, const char *name,
                      const struct aws_answer *answer)
{
    log_warn(log, event, "pool=%s name=%s why=%s unknown=%d error=%s", pool, name,
             fault_word(answer->kind), answer->unknown, answer->error ? answer->error : "-");
}

void provider_aws_tags(struct form *form, const char *prefix, const struct provider_env *env,
                       const char *pool, const char *token, const struct text_list *more)
{
    const char *const own[][2] = {
        {TAG_NAMESPACE, env->name_space}, {TAG_POOL, pool}, {TAG_TOKEN, token}};
    int n = 1;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++, n++) {
        form_add(form, own[i][0], "%s.%d.Key", prefix, n);
        form_add(form, own[i][1], "%s.%d.Value", prefix, n);
    }
    for (size_t i = 0; i < more->count; i++, n++) {
        char key[128];
        struct span value = span_of(more->items[i]);
        struct span name = span_cut(&value, '=');
        snprintf(key, sizeof key, "%.*s", SPAN_ARG(name));
        form_add(form, key, "%s.%d.Key", prefix, n);
        form_add(form, value.ptr ? value.ptr : "", "%s.%d.Value", prefix, n);
    }
}

struct provider_aws_waiter {
    provider_launched_fn *fn;
    void *arg;
};

void provider_aws_wait(struct provider_aws_waiters *waiters, provider_launched_fn *fn, void *arg)
{
    struct provider_aws_waiter *who =
        realloc(waiters->who, (waiters->count + 1) * sizeof *waiters->who);
    if (!who)
        return;
    waiters->who = who;
    who[waiters->count++] = (struct provider_aws_waiter){fn, arg};
}

void provider_aws_answer(struct provider_aws_waiters *waiters, enum scale_outcome outcome,
                         const char (*ids)[NAME_SIZE], size_t count, const char *error)
{
    bool done = outcome == SCALE_DONE;
    for (size_t i = 0; i < waiters->count; i++)
        waiters->who[i].fn(waiters->who[i].arg, outcome, done ? ids : NULL, done ? count : 0,
                           done ? NULL : error);
    free(waiters->who);
    *waiters = (struct provider_aws_waiters){.who = NULL};
}

struct fleet_listed provider_aws_listed(const struct instance *instance, const char *token,
                                        int64_t now_s)
{
    int64_t age_s = instance->launched_s > 0 ? now_s - instance->launched_s : -1;
    struct fleet_listed item = {.age_ms = instance->launched_s > 0 && age_s < 0 ? 0 : age_s * 1000,
                                .ending = instance->state != INSTANCE_LIVE};
    if (instance->launched_s == 0)
        item.age_ms = -1;
    snprintf(item.id, sizeof item.id, "%s", instance->id);
    snprintf(item.token, sizeof item.token, "%s", token);
    snprintf(item.zone, sizeof item.zone, "%s", instance->zone);
    return item;
}

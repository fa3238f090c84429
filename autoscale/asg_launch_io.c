/* asg_launch_io.c - SetDesiredCapacity: n instances more, once, and then whom the group made.
 *
 * A capacity is absolute, so asking for the same again is harmless; what must not happen twice is
 * to add. So the target (desired + n) is fixed first: in memory, and for another process as tags of
 * the group (berth:token, which new instances inherit, and berth:target). Launches of one group go
 * one after another. */
#include "autoscale/asg_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_FIRST_MS 500
#define POLL_MS 2000

struct asg_launch {
    struct asg_pool *pool;
    struct asg_launch *next;
    char token[NAME_SIZE];
    int count;  /* instances; fewer where the group's ceiling is near */
    int target; /* desired capacity to be; 0: not fixed yet */
    bool set;   /* the group has been told */
    bool giving_up;
    struct timer timer;
    struct aws_call *call;
    mono_ms_t until;
    int polls;
    char ids[LAUNCH_INSTANCES_MAX][NAME_SIZE];
    size_t id_count;
    enum scale_outcome outcome; /* when giving up */
    char error[600];
    struct provider_aws_waiters waiters;
};

static void on_turn(void *arg);

/* ---- the end ---- */

static void finish(struct asg_launch *l, enum scale_outcome outcome)
{
    struct asg_pool *pool = l->pool;
    struct asg_launch **link = &pool->launches;
    while (*link != l)
        link = &(*link)->next;
    *link = l->next;
    timer_stop(&l->timer);
    if (l->call)
        aws_cancel(l->call);
    if (outcome != SCALE_DONE)
        log_warn(pool->asg->env.log, "launch_failed", "pool=%s token=%s error=%s", pool->s->name,
                 l->token, l->error);
    provider_aws_answer(&l->waiters, outcome, (const char(*)[NAME_SIZE])l->ids, l->id_count,
                        l->error);
    free(l);
    if (pool->launches && !pool->launches->call && !timer_active(&pool->launches->timer))
        timer_start(&pool->launches->timer, 0, 0);
}

static void on_set(void *arg, const struct aws_answer *answer);

static bool set_desired(struct asg_launch *l, int desired)
{
    char buf[1024];
    struct form form;
    form_begin(&form, buf, sizeof buf, "SetDesiredCapacity", AUTOSCALING_VERSION);
    form_add(&form, l->pool->s->group, "AutoScalingGroupName");
    form_add_int(&form, desired, "DesiredCapacity");
    form_add(&form, "false", "HonorCooldown");
    l->call = aws_send(l->pool->asg->env.aws, AWS_AUTOSCALING, &form, PROVIDER_AWS_LIMIT_MS,
                       AWS_AGAIN, on_set, l);
    return l->call != NULL;
}

/* The group has not made them. What it was asked for too much is taken back, or it would make them
 * when nobody waits any more. */
static void give_up(struct asg_launch *l, const struct group *group)
{
    int missing = l->count - (int)l->id_count;
    int desired = group->desired - missing;
    l->outcome = l->id_count > 0 ? SCALE_DONE : SCALE_NO_CAPACITY;
    snprintf(l->error, sizeof l->error,
             "Auto Scaling group %s made %zu of %d instances in %llds: see its scaling activities",
             l->pool->s->group, l->id_count, l->count,
             (long long)(l->pool->asg->env.settings->asg.launch_timeout_ms / 1000));
    l->giving_up = true;
    if (desired < group->min)
        desired = group->min;
    if (missing <= 0 || desired >= group->desired || !set_desired(l, desired))
        finish(l, l->outcome);
}

static void on_set(void *arg, const struct aws_answer *answer)
{
    struct asg_launch *l = arg;
    l->call = NULL;
    if (l->giving_up) {
        if (answer->kind != FAULT_NONE)
            provider_aws_log(l->pool->asg->env.log, "asg_not_set_back", l->pool->s->name,
                             l->pool->s->group, answer);
        finish(l, l->outcome);
        return;
    }
    if (answer->kind != FAULT_NONE && !answer->unknown) {
        snprintf(l->error, sizeof l->error, "%s", answer->error);
        finish(l, provider_aws_outcome(answer));
        return;
    }
    /* Of unknown end: the group tells at the next look whether it was told. */
    l->set = answer->kind == FAULT_NONE;
    timer_start(&l->timer, POLL_FIRST_MS, 0);
}

/* ---- whom it made ---- */

static bool has_id(const struct asg_launch *l, const char *id)
{
    for (size_t i = 0; i < l->id_count; i++)
        if (strcmp(l->ids[i], id) == 0)
            return true;
    return false;
}

void asg_launch_claim(struct asg_pool *pool, const struct group *group)
{
    struct asg_launch *l = pool->launches;
    if (!l || l->target == 0)
        return;
    for (size_t i = 0; i < group->count && (int)l->id_count < l->count; i++) {
        const struct group_member *m = &group->members[i];
        struct asg_known *k = asg_known_of(pool, m->id, false);
        bool mine = !k || (k->told && strcmp(k->token, l->token) == 0);
        if (m->lifecycle == MEMBER_LEAVING || !mine || has_id(l, m->id))
            continue;
        if (!k)
            k = asg_known_of(pool, m->id, true);
        if (!k)
            continue;
        if (!k->told)
            memcpy(k->token, l->token, sizeof k->token);
        k->told = true;
        snprintf(l->ids[l->id_count++], NAME_SIZE, "%s", m->id);
    }
}

/* ---- fixing the target ---- */

static void on_tagged(void *arg, const struct aws_answer *answer)
{
    struct asg_launch *l = arg;
    l->call = NULL;
    if (answer->kind != FAULT_NONE && !l->pool->tags_told) { /* it goes without: only another
                                                                process would have read them */
        provider_aws_log(l->pool->asg->env.log, "asg_not_tagged", l->pool->s->name,
                         l->pool->s->group, answer);
        l->pool->tags_told = true;
    }
    if (!set_desired(l, l->target)) {
        snprintf(l->error, sizeof l->error, "out of memory");
        finish(l, SCALE_NOT_DONE);
    }
}

static void tag(struct asg_launch *l)
{
    const struct provider_env *env = &l->pool->asg->env;
    char buf[4096], target[16];
    struct form form;
    snprintf(target, sizeof target, "%d", l->target);
    const struct {
        const char *key, *value, *propagate;
    } tags[] = {{TAG_TOKEN, l->token, "true"},
                {TAG_TARGET, target, "false"},
                {TAG_NAMESPACE, env->name_space, "true"},
                {TAG_POOL, l->pool->s->name, "true"}};
    form_begin(&form, buf, sizeof buf, "CreateOrUpdateTags", AUTOSCALING_VERSION);
    for (int i = 0; i < 4; i++) {
        form_add(&form, l->pool->s->group, "Tags.member.%d.ResourceId", i + 1);
        form_add(&form, "auto-scaling-group", "Tags.member.%d.ResourceType", i + 1);
        form_add(&form, tags[i].key, "Tags.member.%d.Key", i + 1);
        form_add(&form, tags[i].value, "Tags.member.%d.Value", i + 1);
        form_add(&form, tags[i].propagate, "Tags.member.%d.PropagateAtLaunch", i + 1);
    }
    l->call = aws_send(env->aws, AWS_AUTOSCALING, &form, 5000, AWS_AGAIN, on_tagged, l);
    if (l->call)
        return;
    snprintf(l->error, sizeof l->error, "out of memory");
    finish(l, SCALE_NOT_DONE);
}

/* False: it has ended. */
static bool fix_target(struct asg_launch *l, const struct group *group)
{
    struct asg_pool *pool = l->pool;
    if (strcmp(group->token, l->token) == 0 && group->target > 0) {
        l->target = group->target; /* another process asked for it */
        return true;
    }
    /* Whom the group made of its own accord (in the place of one that died) and no list has told
     * yet is as good as one that it is asked for. */
    int live = 0, fresh = 0;
    for (size_t i = 0; i < group->count; i++) {
        bool is_live = group->members[i].lifecycle != MEMBER_LEAVING;
        live += is_live;
        fresh += is_live && pool->listed && !asg_known_of(pool, group->members[i].id, false);
    }
    int target = live + (l->count > fresh ? l->count - fresh : 0);
    if (target < group->desired)
        target = group->desired;
    if (target > group->max) {
        log_warn(pool->asg->env.log, "asg_ceiling", "pool=%s group=%s max=%d desired=%d wanted=%d",
                 pool->s->name, pool->s->group, group->max, group->desired, target);
        l->count -= target - group->max;
        target = group->max;
    }
    if (l->count <= 0) {
        snprintf(l->error, sizeof l->error,
                 "Auto Scaling group %s is at its MaxSize (%d): raise it to the pool's max",
                 pool->s->group, group->max);
        finish(l, SCALE_NO_CAPACITY);
        return false;
    }
    for (size_t i = 0; i < group->count && !pool->listed; i++) /* not what it will make */
        (void)asg_known_of(pool, group->members[i].id, true);
    l->target = target;
    return true;
}

/* ---- one look ---- */

static void on_group(void *arg, const struct aws_answer *answer)
{
    struct asg_launch *l = arg;
    struct asg_pool *pool = l->pool;
    struct group group;
    enum scale_outcome outcome;
    l->call = NULL;
    if (asg_take_group(pool, answer, &group, &outcome, l->error, sizeof l->error) < 0) {
        if (l->target > 0 && outcome != SCALE_DENIED &&
            mono_before(loop_now(pool->asg->env.loop), l->until))
            timer_start(&l->timer, POLL_MS, 0); /* it is on its way: look again */
        else
            finish(l, l->target > 0 ? SCALE_UNKNOWN : outcome);
        return;
    }
    asg_observe(pool, &group);
    bool fixed = l->target > 0;
    if (!fixed && !fix_target(l, &group)) {
        group_free(&group);
        return;
    }
    if (!fixed)
        asg_launch_claim(pool, &group);
    if ((int)l->id_count >= l->count)
        finish(l, SCALE_DONE);
    else if (!fixed)
        tag(l);
    else if (!l->set && group.desired < l->target)
        tag(l);
    else if (!mono_before(loop_now(pool->asg->env.loop), l->until))
        give_up(l, &group);
    else
        timer_start(&l->timer, ++l->polls < 3 ? POLL_FIRST_MS : POLL_MS, 0);
    group_free(&group);
}

static void on_turn(void *arg)
{
    struct asg_launch *l = arg;
    if (l->pool->launches != l) /* not yet its turn */
        return;
    if (l->until.ms == 0)
        l->until = mono_add(loop_now(l->pool->asg->env.loop),
                            l->pool->asg->env.settings->asg.launch_timeout_ms);
    l->call = asg_describe(l->pool, PROVIDER_AWS_LIMIT_MS, on_group, l);
    if (l->call)
        return;
    snprintf(l->error, sizeof l->error, "out of memory");
    finish(l, SCALE_NOT_DONE);
}

void asg_launch(void *provider, const char *pool, const char *token, int count, const char *zone,
                provider_launched_fn *fn, void *arg)
{
    struct asg *asg = provider;
    struct asg_pool *p = asg_pool_named(asg, pool);
    struct asg_launch **link = &p->launches;
    while (*link && strcmp((*link)->token, token) != 0)
        link = &(*link)->next;
    struct asg_launch *l = *link;
    if (!l) {
        l = *link = calloc(1, sizeof *l);
        if (!l)
            return; /* the core asks again */
        l->pool = p;
        l->count = count < LAUNCH_INSTANCES_MAX ? count : LAUNCH_INSTANCES_MAX;
        snprintf(l->token, sizeof l->token, "%s", token);
        timer_init(&l->timer, asg->env.loop, on_turn, l);
        timer_start(&l->timer, 0, 0);
    }
    provider_aws_wait(&l->waiters, fn, arg);
}

void asg_launch_close(struct asg_pool *pool)
{
    while (pool->launches) {
        struct asg_launch *l = pool->launches;
        snprintf(l->error, sizeof l->error, "closing");
        finish(l, l->target > 0 ? SCALE_UNKNOWN : SCALE_NOT_DONE);
    }
}

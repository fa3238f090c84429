/* provider_asg.c - sizes Auto Scaling groups, and never lets AWS choose whom to end.
 *
 * docs/providers.md tells how it behaves. */
#include "autoscale/asg_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROTECT_MAX 50          /* instances of one SetInstanceProtection */
#define DESCRIBE_AGAIN_MS 10000 /* for whom EC2 did not list yet */
#define DESCRIBE_REST_MS 60000  /* after EC2 did not tell */
#define AGE_UNKNOWN_MS                                                                             \
    (INT64_C(7) * 86400000) /* so that nobody takes it for one that never came up */

struct asg_pool *asg_pool_named(struct asg *asg, const char *name)
{
    for (size_t i = 0; i < asg->pool_count; i++)
        if (strcmp(asg->pools[i].s->name, name) == 0)
            return &asg->pools[i];
    return NULL;
}

struct aws_call *asg_describe(struct asg_pool *pool, int64_t limit_ms, aws_fn *fn, void *arg)
{
    char buf[1024];
    struct form form;
    form_begin(&form, buf, sizeof buf, "DescribeAutoScalingGroups", AUTOSCALING_VERSION);
    form_add(&form, pool->s->group, "AutoScalingGroupNames.member.1");
    return aws_send(pool->asg->env.aws, AWS_AUTOSCALING, &form, limit_ms, AWS_AGAIN, fn, arg);
}

int asg_take_group(struct asg_pool *pool, const struct aws_answer *answer, struct group *ret_group,
                   enum scale_outcome *ret_outcome, char *ret_error, size_t size)
{
    struct err err = {0};
    *ret_group = (struct group){0};
    *ret_outcome = provider_aws_outcome(answer);
    if (answer->kind != FAULT_NONE) {
        snprintf(ret_error, size, "%s", answer->error);
        return BERTH_ESYS;
    }
    if (group_read(ret_group, answer->body, &err) < 0) {
        *ret_outcome = SCALE_NOT_DONE;
        snprintf(ret_error, size, "DescribeAutoScalingGroups: %.400s", err.text);
    } else if (!ret_group->found) {
        *ret_outcome = SCALE_DENIED;
        snprintf(ret_error, size, "autoscale.asg.groups.%s: there is no Auto Scaling group %s",
                 pool->s->name, pool->s->group);
    } else {
        return 0;
    }
    group_free(ret_group);
    return BERTH_ENOENT;
}

/* ---- what is known of instances ---- */

struct asg_known *asg_known_of(struct asg_pool *pool, const char *id, bool make)
{
    for (size_t i = 0; i < pool->known_count; i++)
        if (strcmp(pool->known[i].id, id) == 0)
            return &pool->known[i];
    if (!make || pool->known_count == ASG_KNOWN_MAX)
        return NULL;
    struct asg_known *k = &pool->known[pool->known_count++];
    *k = (struct asg_known){.seen_at = loop_now(pool->asg->env.loop)};
    snprintf(k->id, sizeof k->id, "%s", id);
    return k;
}

static bool has_member(const struct group *group, const char *id)
{
    for (size_t i = 0; i < group->count; i++)
        if (strcmp(group->members[i].id, id) == 0)
            return true;
    return false;
}

void asg_observe(struct asg_pool *pool, const struct group *group)
{
    size_t kept = 0;
    for (size_t i = 0; i < pool->known_count; i++)
        if (has_member(group, pool->known[i].id))
            pool->known[kept++] = pool->known[i];
    pool->known_count = kept;
    asg_launch_claim(pool, group);
}

/* ---- protection ---- */

static void on_protected(void *arg, const struct aws_answer *answer)
{
    struct asg_pool *pool = arg;
    pool->protect = NULL;
    if (answer->kind != FAULT_NONE)
        provider_aws_log(pool->asg->env.log, "protect_failed", pool->s->name, pool->s->group,
                         answer);
}

/* Whoever is in service is not for AWS to end. What is asked and fails is asked at the next list.
 */
static void protect(struct asg_pool *pool, const struct group *group)
{
    char buf[8192];
    struct form form;
    int n = 0;
    if (!group->new_protected && !pool->unprotected_told) {
        log_warn(pool->asg->env.log, "asg_new_instances_unprotected",
                 "pool=%s group=%s advice=set_NewInstancesProtectedFromScaleIn", pool->s->name,
                 pool->s->group);
        pool->unprotected_told = true;
    }
    if (pool->protect)
        return;
    form_begin(&form, buf, sizeof buf, "SetInstanceProtection", AUTOSCALING_VERSION);
    form_add(&form, pool->s->group, "AutoScalingGroupName");
    form_add(&form, "true", "ProtectedFromScaleIn");
    for (size_t i = 0; i < group->count && n < PROTECT_MAX; i++)
        if (group->members[i].lifecycle == MEMBER_SERVES && !group->members[i].protected)
            form_add(&form, group->members[i].id, "InstanceIds.member.%d", ++n);
    if (n > 0)
        pool->protect = aws_send(pool->asg->env.aws, AWS_AUTOSCALING, &form, PROVIDER_AWS_LIMIT_MS,
                                 AWS_AGAIN, on_protected, pool);
}

/* ---- list ---- */

static void list_end(struct asg_list *op)
{
    struct asg_list **link = &op->pool->asg->lists;
    while (*link != op)
        link = &(*link)->next;
    *link = op->next;
    timer_stop(&op->timer);
    if (op->call)
        aws_cancel(op->call);
    if (op->describe)
        describe_cancel(op->describe);
    group_free(&op->group);
    free(op);
}

static void list_fail(struct asg_list *op, const char *error)
{
    provider_listed_fn *fn = op->fn;
    void *arg = op->arg;
    list_end(op);
    fn(arg, NULL, 0, error);
}

static struct fleet_listed listed_of(const struct asg_pool *pool, const struct group_member *m)
{
    const struct asg_known *k = asg_known_of((struct asg_pool *)pool, m->id, false);
    mono_ms_t now = loop_now(pool->asg->env.loop);
    struct fleet_listed item = {.age_ms = AGE_UNKNOWN_MS, .ending = m->lifecycle == MEMBER_LEAVING};
    snprintf(item.id, sizeof item.id, "%s", m->id);
    snprintf(item.zone, sizeof item.zone, "%s", m->zone);
    if (!k)
        return item;
    snprintf(item.token, sizeof item.token, "%s", k->token);
    if (k->launched_s > 0)
        item.age_ms = (aws_wall_s(pool->asg->env.aws) - k->launched_s) * 1000;
    else if (k->told)
        item.age_ms = mono_sub(now, k->seen_at);
    if (item.age_ms < 0)
        item.age_ms = 0;
    return item;
}

static void list_answer(struct asg_list *op)
{
    struct fleet_listed *items = calloc(op->group.count + 1, sizeof *items);
    if (!items) {
        list_fail(op, "out of memory");
        return;
    }
    size_t n = op->group.count;
    for (size_t i = 0; i < n; i++) {
        (void)asg_known_of(op->pool, op->group.members[i].id, true);
        items[i] = listed_of(op->pool, &op->group.members[i]);
    }
    op->pool->listed = true;
    provider_listed_fn *fn = op->fn;
    void *arg = op->arg;
    list_end(op);
    fn(arg, items, n, NULL);
    free(items);
}

/* EC2 tells how old they are and which launch they are of. Without it (no permission) the list
 * stands, with less to go by. */
static void on_described(void *arg, const struct instances *list, const struct aws_answer *answer)
{
    struct asg_list *op = arg;
    op->describe = NULL;
    if (answer->kind != FAULT_NONE && !op->pool->tags_told) {
        provider_aws_log(op->pool->asg->env.log, "asg_tags_not_known", op->pool->s->name,
                         op->pool->s->group, answer);
        op->pool->tags_told = true;
    }
    op->pool->describe_at =
        mono_add(loop_now(op->pool->asg->env.loop),
                 answer->kind == FAULT_NONE ? DESCRIBE_AGAIN_MS : DESCRIBE_REST_MS);
    for (size_t i = 0; answer->kind == FAULT_NONE && i < list->count; i++) {
        const struct instance *in = &list->items[i];
        struct asg_known *k =
            has_member(&op->group, in->id) ? asg_known_of(op->pool, in->id, true) : NULL;
        if (!k)
            continue;
        k->launched_s = in->launched_s;
        if (!k->told)
            memcpy(k->token, in->token, sizeof in->token);
        k->told = true;
    }
    list_answer(op);
}

static void on_group(void *arg, const struct aws_answer *answer)
{
    struct asg_list *op = arg;
    struct asg_pool *pool = op->pool;
    enum scale_outcome outcome;
    char error[600];
    op->call = NULL;
    if (asg_take_group(pool, answer, &op->group, &outcome, error, sizeof error) < 0) {
        list_fail(op, error);
        return;
    }
    asg_observe(pool, &op->group);
    protect(pool, &op->group);
    bool unknown = false;
    for (size_t i = 0; i < op->group.count; i++) {
        const struct asg_known *k = asg_known_of(pool, op->group.members[i].id, false);
        unknown = unknown || !k || !k->told;
    }
    const char *const name[] = {pool->s->group};
    const struct describe_filter filter = {"tag:aws:autoscaling:groupName", name, 1};
    if (unknown && !mono_before(loop_now(pool->asg->env.loop), pool->describe_at))
        op->describe = describe_start(pool->asg->env.aws, &filter, 1, PROVIDER_AWS_LIMIT_MS / 3,
                                      on_described, op);
    if (!op->describe)
        list_answer(op);
}

static void on_list_begin(void *arg)
{
    struct asg_list *op = arg;
    op->call = asg_describe(op->pool, PROVIDER_AWS_LIMIT_MS / 2, on_group, op);
    if (!op->call)
        list_fail(op, "out of memory");
}

static void asg_list(void *provider, const char *pool, provider_listed_fn *fn, void *arg)
{
    struct asg *asg = provider;
    struct asg_list *op = calloc(1, sizeof *op);
    if (!op)
        return; /* the core asks again */
    *op = (struct asg_list){
        .pool = asg_pool_named(asg, pool), .next = asg->lists, .fn = fn, .arg = arg};
    asg->lists = op;
    timer_init(&op->timer, asg->env.loop, on_list_begin, op);
    timer_start(&op->timer, 0, 0);
}

/* ---- life ---- */

static int asg_check(void *provider, const char *pool, struct err *err)
{
    if (!asg_pool_named(provider, pool))
        return err_set(
            err, BERTH_EINVAL,
            "autoscale.asg.groups has no Auto Scaling group for pool %s, which is scaled by asg",
            pool);
    return 0;
}

static void *asg_open(const struct provider_env *env, struct err *err)
{
    const struct section_items *groups = &env->settings->asg.groups;
    struct asg *asg = calloc(1, sizeof *asg);
    if (asg)
        asg->pools = calloc(groups->count + 1, sizeof *asg->pools);
    if (!asg || !asg->pools) {
        free(asg);
        err_set(err, BERTH_ENOMEM, "no memory for the asg provider");
        return NULL;
    }
    asg->env = *env;
    for (size_t i = 0; i < groups->count; i++) {
        struct asg_pool *pool = &asg->pools[asg->pool_count++];
        pool->asg = asg;
        pool->s = SECTION_AT(*groups, struct asg_group_settings, i);
    }
    return asg;
}

static void asg_close(void *provider)
{
    struct asg *asg = provider;
    if (!asg)
        return;
    for (size_t i = 0; i < asg->pool_count; i++) {
        asg_launch_close(&asg->pools[i]);
        if (asg->pools[i].protect)
            aws_cancel(asg->pools[i].protect);
    }
    asg_terminate_close(asg);
    while (asg->lists)
        list_fail(asg->lists, "closing");
    free(asg->pools);
    free(asg);
}

const struct provider_kind provider_asg = {
    .name = "asg",
    .settle_ms = 10000,
    .list_interval_ms = 3000,
    .open = asg_open,
    .close = asg_close,
    .check = asg_check,
    .launch = asg_launch,
    .terminate = asg_terminate,
    .list = asg_list,
};

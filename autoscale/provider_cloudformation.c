/* provider_cloudformation.c - a stack per batch of instances, deleted when nobody of it is needed.
 *
 * docs/providers.md tells how it behaves. */
#include "autoscale/cfn_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_MAX 51200 /* CloudFormation's own limit of a TemplateBody */
#define DELETE_AGAIN_MS 300000
#define EMPTY_AFTER_S 300 /* a stack without a live instance is left alone so long */

struct cfn_pool *cfn_pool_named(struct cfn *cfn, const char *name)
{
    for (size_t i = 0; i < cfn->pool_count; i++)
        if (strcmp(cfn->pools[i].s->name, name) == 0)
            return &cfn->pools[i];
    return NULL;
}

/* ---- what is known ---- */

struct cfn_known *cfn_known_of(struct cfn_pool *pool, const char *id)
{
    for (size_t i = 0; i < pool->known_count; i++)
        if (strcmp(pool->known[i].id, id) == 0)
            return &pool->known[i];
    return NULL;
}

void cfn_learn(struct cfn_pool *pool, const struct instance *items, size_t count)
{
    struct cfn_known *known = realloc(pool->known, (pool->known_count + count + 1) * sizeof *known);
    if (!known)
        return;
    pool->known = known;
    for (size_t i = 0; i < count; i++) {
        struct cfn_known *k = cfn_known_of(pool, items[i].id);
        if (items[i].state != INSTANCE_LIVE)
            continue;
        if (!k) {
            k = &pool->known[pool->known_count++];
            *k = (struct cfn_known){0};
            memcpy(k->id, items[i].id, sizeof k->id);
        }
        memcpy(k->stack, items[i].stack, sizeof k->stack);
        k->away = k->away || items[i].away;
    }
}

bool cfn_all_away(const struct cfn_pool *pool, const char *stack)
{
    bool any = false;
    for (size_t i = 0; i < pool->known_count; i++) {
        if (strcmp(pool->known[i].stack, stack) != 0)
            continue;
        if (!pool->known[i].away)
            return false;
        any = true;
    }
    return any;
}

/* ---- deleting ---- */

struct aws_call *cfn_send_delete(struct cfn_pool *pool, const char *stack, aws_fn *fn, void *arg)
{
    char buf[8192];
    struct form form;
    form_begin(&form, buf, sizeof buf, "DeleteStack", CLOUDFORMATION_VERSION);
    form_add(&form, stack, "StackName");
    if (pool->s->role_arn)
        form_add(&form, pool->s->role_arn, "RoleARN");
    return aws_send(pool->cfn->env.aws, AWS_CLOUDFORMATION, &form, PROVIDER_AWS_LIMIT_MS, AWS_AGAIN,
                    fn, arg);
}

static void on_deleted(void *arg, const struct aws_answer *answer)
{
    struct cfn_delete *d = arg;
    d->call = NULL; /* the list tells what became of it */
}

void cfn_delete(struct cfn_pool *pool, const char *stack, const char *why, const char *reason)
{
    mono_ms_t now = loop_now(pool->cfn->env.loop);
    struct cfn_delete *at = NULL;
    for (size_t i = 0; i < CFN_DELETES_MAX; i++) {
        struct cfn_delete *d = &pool->deletes[i];
        if (strcmp(d->stack, stack) == 0 && (d->call || mono_before(now, d->not_before)))
            return;
        if (!d->call && (strcmp(d->stack, stack) == 0 || !at))
            at = d;
        if (!d->call && at && mono_before(d->not_before, at->not_before))
            at = d;
    }
    if (!at)
        return; /* the next list finds it again */
    log_warn(pool->cfn->env.log, "stack_deleted", "pool=%s stack=%s why=%s reason=%s",
             pool->s->name, stack, why, reason[0] ? reason : "-");
    snprintf(at->stack, sizeof at->stack, "%s", stack);
    at->not_before = mono_add(now, DELETE_AGAIN_MS);
    at->call = cfn_send_delete(pool, stack, on_deleted, at);
}

/* ---- list ---- */

static void list_end(struct cfn_list *op)
{
    struct cfn_list **link = &op->pool->cfn->lists;
    while (*link != op)
        link = &(*link)->next;
    *link = op->next;
    timer_stop(&op->timer);
    if (op->call)
        aws_cancel(op->call);
    if (op->describe)
        describe_cancel(op->describe);
    stacks_free(&op->stacks);
    free(op);
}

static void list_fail(struct cfn_list *op, const char *error)
{
    provider_listed_fn *fn = op->fn;
    void *arg = op->arg;
    list_end(op);
    fn(arg, NULL, 0, error);
}

static const struct stack *stack_of(const struct cfn_list *op, const char *name)
{
    for (size_t i = 0; i < op->stacks.count; i++)
        if (strcmp(op->stacks.items[i].name, name) == 0)
            return &op->stacks.items[i];
    return NULL;
}

static bool has_live(const struct cfn_pool *pool, const char *stack)
{
    for (size_t i = 0; i < pool->known_count; i++)
        if (strcmp(pool->known[i].stack, stack) == 0)
            return true;
    return false;
}

/* Stacks that nobody waits for and nobody needs go. */
static void tidy(struct cfn_pool *pool, const struct stacks *stacks)
{
    int64_t now_s = aws_wall_s(pool->cfn->env.aws);
    for (size_t i = 0; i < stacks->count; i++) {
        const struct stack *s = &stacks->items[i];
        if (cfn_is_launching(pool, s->name))
            continue;
        if (s->state == STACK_FAILED)
            cfn_delete(pool, s->name, s->status, s->reason);
        else if (s->state == STACK_DELETE_FAILED)
            cfn_delete(pool, s->name, s->status, s->reason);
        else if (s->state == STACK_COMPLETE && cfn_all_away(pool, s->name))
            cfn_delete(pool, s->name, "nobody_needed", "");
        else if (s->state == STACK_COMPLETE && !has_live(pool, s->name) &&
                 now_s - s->created_s > EMPTY_AFTER_S)
            cfn_delete(pool, s->name, "empty", "");
    }
}

static void answer_list(struct cfn_list *op, const struct instances *list)
{
    struct cfn_pool *pool = op->pool;
    size_t n = 0, count = list ? list->count : 0;
    struct fleet_listed *items = calloc(count + 1, sizeof *items);
    if (!items) {
        list_fail(op, "out of memory");
        return;
    }
    /* Whom a list no longer shows is not known any more; `away` stays with those it shows. */
    size_t kept = 0;
    for (size_t i = 0; i < pool->known_count; i++) {
        bool shown = cfn_is_launching(pool, pool->known[i].stack);
        for (size_t k = 0; k < count && !shown; k++)
            shown = strcmp(list->items[k].id, pool->known[i].id) == 0 &&
                    list->items[k].state == INSTANCE_LIVE;
        if (shown)
            pool->known[kept++] = pool->known[i];
    }
    pool->known_count = kept;
    if (count > 0)
        cfn_learn(pool, list->items, count);
    for (size_t i = 0; i < count; i++) {
        const struct instance *in = &list->items[i];
        const struct stack *stack = stack_of(op, in->stack);
        const struct cfn_known *k = cfn_known_of(pool, in->id);
        if (in->state == INSTANCE_ENDED || !stack)
            continue;
        items[n] = provider_aws_listed(in, stack->token, aws_wall_s(pool->cfn->env.aws));
        items[n].ending = items[n].ending || (k && k->away) ||
                          (stack->state != STACK_COMPLETE && stack->state != STACK_CREATING);
        n++;
    }
    tidy(pool, &op->stacks);
    provider_listed_fn *fn = op->fn;
    void *arg = op->arg;
    list_end(op);
    fn(arg, items, n, NULL);
    free(items);
}

static void on_described(void *arg, const struct instances *list, const struct aws_answer *answer)
{
    struct cfn_list *op = arg;
    char error[600];
    op->describe = NULL;
    if (answer->kind == FAULT_NONE) {
        answer_list(op, list);
        return;
    }
    snprintf(error, sizeof error, "%s", answer->error);
    list_fail(op, error);
}

/* Only the pool's own, and not those that are gone. */
static void keep_own(struct cfn_list *op)
{
    size_t kept = 0;
    for (size_t i = 0; i < op->stacks.count; i++) {
        const struct stack *s = &op->stacks.items[i];
        if (strcmp(s->name_space, op->pool->cfn->env.name_space) == 0 &&
            strcmp(s->pool, op->pool->s->name) == 0 && s->state != STACK_GONE)
            op->stacks.items[kept++] = *s;
    }
    op->stacks.count = kept;
}

static void ask_instances(struct cfn_list *op)
{
    const char *names[CFN_STACKS_MAX];
    const struct describe_filter filter = {"tag:aws:cloudformation:stack-name", names,
                                           op->stacks.count};
    if (op->stacks.count == 0) {
        answer_list(op, NULL);
        return;
    }
    if (op->stacks.count > CFN_STACKS_MAX) {
        list_fail(op, "the pool has more than 200 stacks");
        return;
    }
    for (size_t i = 0; i < op->stacks.count; i++)
        names[i] = op->stacks.items[i].name;
    op->describe = describe_start(op->pool->cfn->env.aws, &filter, 1, PROVIDER_AWS_LIMIT_MS / 2,
                                  on_described, op);
    if (!op->describe)
        list_fail(op, "out of memory");
}

static void on_stacks(void *arg, const struct aws_answer *answer);

static void ask_stacks(struct cfn_list *op)
{
    char buf[8192];
    struct form form;
    int64_t left = mono_sub(op->until, loop_now(op->pool->cfn->env.loop));
    form_begin(&form, buf, sizeof buf, "DescribeStacks", CLOUDFORMATION_VERSION);
    if (op->stacks.next[0])
        form_add(&form, op->stacks.next, "NextToken");
    op->call = left > 0 ? aws_send(op->pool->cfn->env.aws, AWS_CLOUDFORMATION, &form, left,
                                   AWS_AGAIN, on_stacks, op)
                        : NULL;
    if (!op->call)
        list_fail(op, "DescribeStacks: not all pages in time");
}

static void on_stacks(void *arg, const struct aws_answer *answer)
{
    struct cfn_list *op = arg;
    struct err err = {0};
    char error[600];
    op->call = NULL;
    if (answer->kind != FAULT_NONE || stacks_read(&op->stacks, answer->body, &err) < 0) {
        snprintf(error, sizeof error, "%s", answer->error ? answer->error : err.text);
        list_fail(op, error);
    } else if (op->stacks.next[0]) {
        ask_stacks(op);
    } else {
        keep_own(op);
        ask_instances(op);
    }
}

static void on_list_begin(void *arg)
{
    ask_stacks(arg);
}

static void cfn_list(void *provider, const char *pool, provider_listed_fn *fn, void *arg)
{
    struct cfn *cfn = provider;
    struct cfn_list *op = calloc(1, sizeof *op);
    if (!op)
        return; /* the core asks again */
    *op = (struct cfn_list){.pool = cfn_pool_named(cfn, pool),
                            .next = cfn->lists,
                            .until = mono_add(loop_now(cfn->env.loop), PROVIDER_AWS_LIMIT_MS / 2),
                            .fn = fn,
                            .arg = arg};
    cfn->lists = op;
    timer_init(&op->timer, cfn->env.loop, on_list_begin, op);
    timer_start(&op->timer, 0, 0);
}

/* ---- life ---- */

static int cfn_check(void *provider, const char *pool, struct err *err)
{
    struct cfn *cfn = provider;
    char name[129];
    struct cfn_pool *p = cfn_pool_named(cfn, pool);
    if (!p)
        return err_set(
            err, BERTH_EINVAL,
            "autoscale.cloudformation.stacks has no template for pool %s, which is scaled "
            "by cloudformation",
            pool);
    if (!stacks_name(name, cfn->env.name_space, pool, "zzzzzzzzzzzz-999999"))
        return err_set(err, BERTH_EINVAL,
                       "redis.namespace and the pool's name (%s) are too long for a stack's name",
                       pool);
    return 0;
}

/* The template's text. 0, or negative with err. */
static int read_template(struct cfn_pool *pool, struct err *err)
{
    const char *path = pool->s->template_file;
    if (!path)
        return 0;
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_set(err, BERTH_ENOENT,
                       "autoscale.cloudformation.stacks.%s.template_file = %s: %s", pool->s->name,
                       path, strerror(errno));
    pool->body = calloc(1, TEMPLATE_MAX + 2);
    size_t n = pool->body ? fread(pool->body, 1, TEMPLATE_MAX + 1, f) : 0;
    fclose(f);
    if (n == 0 || n > TEMPLATE_MAX)
        return err_set(
            err, BERTH_EINVAL,
            "autoscale.cloudformation.stacks.%s.template_file = %s: must hold 1..%d bytes; "
            "larger ones go to S3 (template_url)",
            pool->s->name, path, TEMPLATE_MAX);
    return 0;
}

static void free_pools(struct cfn *cfn)
{
    for (size_t i = 0; i < cfn->pool_count; i++) {
        free(cfn->pools[i].body);
        free(cfn->pools[i].known);
    }
    free(cfn->pools);
    free(cfn);
}

static void *cfn_open(const struct provider_env *env, struct err *err)
{
    const struct section_items *stacks = &env->settings->cloudformation.stacks;
    struct cfn *cfn = calloc(1, sizeof *cfn);
    if (cfn)
        cfn->pools = calloc(stacks->count + 1, sizeof *cfn->pools);
    if (!cfn || !cfn->pools) {
        free(cfn);
        err_set(err, BERTH_ENOMEM, "no memory for the cloudformation provider");
        return NULL;
    }
    cfn->env = *env;
    for (size_t i = 0; i < stacks->count; i++) {
        struct cfn_pool *pool = &cfn->pools[cfn->pool_count++];
        pool->cfn = cfn;
        pool->s = SECTION_AT(*stacks, struct stack_settings, i);
        if (read_template(pool, err) < 0) {
            free_pools(cfn);
            return NULL;
        }
    }
    return cfn;
}

static void cfn_close(void *provider)
{
    struct cfn *cfn = provider;
    if (!cfn)
        return;
    for (size_t i = 0; i < cfn->pool_count; i++) {
        cfn_launch_close(&cfn->pools[i]);
        for (size_t k = 0; k < CFN_DELETES_MAX; k++)
            if (cfn->pools[i].deletes[k].call)
                aws_cancel(cfn->pools[i].deletes[k].call);
    }
    cfn_terminate_close(cfn);
    while (cfn->lists)
        list_fail(cfn->lists, "closing");
    free_pools(cfn);
}

const struct provider_kind provider_cloudformation = {
    .name = "cloudformation",
    .settle_ms = 10000,
    .list_interval_ms = 5000,
    .open = cfn_open,
    .close = cfn_close,
    .check = cfn_check,
    .launch = cfn_launch,
    .terminate = cfn_terminate,
    .list = cfn_list,
};

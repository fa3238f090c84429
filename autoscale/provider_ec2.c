/* provider_ec2.c - makes and unmakes EC2 instances from launch templates.
 *
 * An instance carries the tags berth:namespace, berth:pool and berth:token; these alone say whose
 * it is. docs/providers.md tells how it behaves. */
#include "autoscale/ec2_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ec2_pool *ec2_pool_named(struct ec2 *ec2, const char *name)
{
    for (size_t i = 0; i < ec2->pool_count; i++)
        if (strcmp(ec2->pools[i].s->name, name) == 0)
            return &ec2->pools[i];
    return NULL;
}

size_t ec2_place_count(const struct ec2_pool *pool)
{
    if (pool->s->subnets.count > 0)
        return pool->s->subnets.count;
    return pool->s->zones.count > 0 ? pool->s->zones.count : 1;
}

int ec2_place_of(const struct ec2_pool *pool, const struct instance *instance)
{
    const struct text_list *subnets = &pool->s->subnets, *zones = &pool->s->zones;
    for (size_t i = 0; i < subnets->count; i++)
        if (strcmp(subnets->items[i], instance->subnet) == 0)
            return (int)i;
    for (size_t i = 0; i < zones->count; i++)
        if (strcmp(zones->items[i], instance->zone) == 0)
            return (int)i;
    return subnets->count == 0 && zones->count == 0 ? 0 : -1;
}

struct describe *ec2_describe(struct ec2 *ec2, const struct ec2_pool *pool, describe_fn *fn,
                              void *arg)
{
    const char *const ns[] = {ec2->env.name_space}, *const name[] = {pool->s->name};
    const struct describe_filter filters[] = {{"tag:" TAG_NAMESPACE, ns, 1},
                                              {"tag:" TAG_POOL, name, 1}};
    return describe_start(ec2->env.aws, filters, 2, PROVIDER_AWS_LIMIT_MS, fn, arg);
}

/* ---- list ---- */

void ec2_remember(struct ec2 *ec2, struct ec2_pool *pool, const struct instances *list)
{
    struct ec2_known *known = calloc(list->count + 1, sizeof *known);
    if (!known)
        return;
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct instance *in = &list->items[i];
        int place = ec2_place_of(pool, in);
        if (place >= 0 && place < EC2_PLACES_MAX && in->zone[0])
            memcpy(pool->place_zone[place], in->zone, sizeof in->zone);
        for (size_t k = 0; k < EC2_RECENT_MAX; k++)
            if (strcmp(pool->recent[k].instance.id, in->id) == 0)
                pool->recent[k].seen = true;
        if (in->state != INSTANCE_LIVE)
            continue;
        memcpy(known[n].id, in->id, sizeof in->id);
        memcpy(known[n].token, in->token, sizeof in->token);
        known[n++].place = place;
    }
    free(pool->known);
    pool->known = known;
    pool->known_count = n;
    pool->listed = true;
    pool->listed_at = loop_now(ec2->env.loop);
}

static void list_end(struct ec2_list *op)
{
    struct ec2_list **link = &op->ec2->lists;
    while (*link != op)
        link = &(*link)->next;
    *link = op->next;
    timer_stop(&op->timer);
    if (op->describe)
        describe_cancel(op->describe);
    free(op);
}

static void list_fail(struct ec2_list *op, const char *error)
{
    provider_listed_fn *fn = op->fn;
    void *arg = op->arg;
    list_end(op);
    fn(arg, NULL, 0, error);
}

/* A list lags: what was launched just now and no list has shown yet is there all the same. */
static size_t add_recent(struct ec2_list *op, struct fleet_listed *items)
{
    struct ec2_pool *pool = op->pool;
    mono_ms_t now = loop_now(op->ec2->env.loop);
    size_t n = 0;
    for (size_t i = 0; i < EC2_RECENT_MAX; i++) {
        const struct ec2_recent *r = &pool->recent[i];
        if (!r->instance.id[0] || r->seen || mono_sub(now, r->at) >= EC2_LAG_MS)
            continue;
        items[n] =
            provider_aws_listed(&r->instance, r->instance.token, aws_wall_s(op->ec2->env.aws));
        items[n++].age_ms = mono_sub(now, r->at);
    }
    return n;
}

static void on_listed(void *arg, const struct instances *list, const struct aws_answer *answer)
{
    struct ec2_list *op = arg;
    op->describe = NULL;
    if (answer->kind != FAULT_NONE) {
        char error[600];
        snprintf(error, sizeof error, "%s", answer->error);
        list_fail(op, error);
        return;
    }
    ec2_remember(op->ec2, op->pool, list);
    struct fleet_listed *items = calloc(list->count + EC2_RECENT_MAX, sizeof *items);
    if (!items) {
        list_fail(op, "out of memory");
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].state != INSTANCE_ENDED)
            items[n++] = provider_aws_listed(&list->items[i], list->items[i].token,
                                             aws_wall_s(op->ec2->env.aws));
    n += add_recent(op, items + n);
    provider_listed_fn *fn = op->fn;
    void *whose = op->arg;
    list_end(op);
    fn(whose, items, n, NULL);
    free(items);
}

static void on_list_begin(void *arg)
{
    struct ec2_list *op = arg;
    op->describe = ec2_describe(op->ec2, op->pool, on_listed, op);
    if (!op->describe)
        list_fail(op, "out of memory");
}

static void ec2_list(void *provider, const char *pool, provider_listed_fn *fn, void *arg)
{
    struct ec2 *ec2 = provider;
    struct ec2_list *op = calloc(1, sizeof *op);
    if (!op)
        return; /* the core asks again */
    *op = (struct ec2_list){
        .ec2 = ec2, .next = ec2->lists, .pool = ec2_pool_named(ec2, pool), .fn = fn, .arg = arg};
    ec2->lists = op;
    timer_init(&op->timer, ec2->env.loop, on_list_begin, op);
    timer_start(&op->timer, 0, 0);
}

/* ---- life ---- */

static int ec2_check(void *provider, const char *pool, struct err *err)
{
    if (!ec2_pool_named(provider, pool))
        return err_set(
            err, BERTH_EINVAL,
            "autoscale.ec2.templates has no launch template for pool %s, which is scaled "
            "by ec2",
            pool);
    return 0;
}

static void *ec2_open(const struct provider_env *env, struct err *err)
{
    const struct section_items *templates = &env->settings->ec2.templates;
    struct ec2 *ec2 = calloc(1, sizeof *ec2);
    if (ec2)
        ec2->pools = calloc(templates->count + 1, sizeof *ec2->pools);
    if (!ec2 || !ec2->pools) {
        free(ec2);
        err_set(err, BERTH_ENOMEM, "no memory for the ec2 provider");
        return NULL;
    }
    ec2->env = *env;
    for (size_t i = 0; i < templates->count; i++)
        ec2->pools[ec2->pool_count++].s = SECTION_AT(*templates, struct ec2_template_settings, i);
    ec2_terminate_open(ec2);
    return ec2;
}

static void ec2_close(void *provider)
{
    struct ec2 *ec2 = provider;
    if (!ec2)
        return;
    ec2_launch_close(ec2);
    ec2_terminate_close(ec2);
    while (ec2->lists)
        list_fail(ec2->lists, "closing");
    for (size_t i = 0; i < ec2->pool_count; i++)
        free(ec2->pools[i].known);
    free(ec2->pools);
    free(ec2);
}

const struct provider_kind provider_ec2 = {
    .name = "ec2",
    .settle_ms = 10000,
    .list_interval_ms = 2000,
    .open = ec2_open,
    .close = ec2_close,
    .check = ec2_check,
    .launch = ec2_launch,
    .terminate = ec2_terminate,
    .list = ec2_list,
};

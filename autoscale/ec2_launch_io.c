/* ec2_launch_io.c - RunInstances: a launch of n instances over places and types, and its way out of
 * trouble.
 *
 * Each call carries a ClientToken made of all that it asks for, so that asking again never makes a
 * second set; a shortage is an attempt elsewhere with a token of its own. What the launch's token
 * stands for already (tag berth:token) is looked up first. A call whose answer was lost is kept:
 * the same launch asked again begins with the same calls. */
#include "autoscale/ec2_io.h"
#include "aws/idem.h"
#include "aws/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS_MAX (EC2_PLACES_MAX * EC2_TYPES_MAX)
#define FORM_MAX (64 << 10)
#define KNOWN_FRESH_MS 120000 /* a list older than this is asked for anew */
#define ATTEMPT_LEAST_MS 1000

enum attempt_state { ATTEMPT_SENT, ATTEMPT_OVER, ATTEMPT_UNKNOWN };

struct attempt {
    struct ec2_launch *launch;
    enum attempt_state state;
    size_t place, type;
    int count;
    struct aws_call *call;
};

struct ec2_launch {
    struct ec2 *ec2;
    struct ec2_pool *pool;
    struct ec2_launch *next;
    char token[NAME_SIZE], zone[NAME_SIZE];
    int count;
    bool kept; /* answered UNKNOWN: a record, until it is asked again */
    struct timer timer;
    struct describe *describe;
    struct aws_call *subnets;
    mono_ms_t until;
    struct attempt attempts[ATTEMPTS_MAX];
    size_t attempt_count, under_way;
    struct ec2_shortage shortage;
    char ids[LAUNCH_INSTANCES_MAX][NAME_SIZE];
    size_t id_count;
    enum scale_outcome outcome; /* of what has failed; DONE: nothing has */
    bool fatal;                 /* no use in trying elsewhere */
    char error[600];
    provider_launched_fn *fn;
    void *arg;
};

static void next_round(struct ec2_launch *l);

/* ---- the end ---- */

static void unlink_launch(struct ec2_launch *l)
{
    struct ec2_launch **link = &l->ec2->launches;
    while (*link != l)
        link = &(*link)->next;
    *link = l->next;
    timer_stop(&l->timer);
    if (l->describe)
        describe_cancel(l->describe);
    if (l->subnets)
        aws_cancel(l->subnets);
    for (size_t i = 0; i < l->attempt_count; i++)
        if (l->attempts[i].call)
            aws_cancel(l->attempts[i].call);
}

/* The oldest record gives way. */
static void bound_records(struct ec2 *ec2)
{
    struct ec2_launch *oldest = NULL;
    size_t n = 0;
    for (struct ec2_launch *l = ec2->launches; l; l = l->next)
        if (l->kept) {
            oldest = l;
            n++;
        }
    if (n > EC2_RECORDS_MAX) {
        unlink_launch(oldest);
        free(oldest);
    }
}

static void finish(struct ec2_launch *l)
{
    struct ec2 *ec2 = l->ec2;
    provider_launched_fn *fn = l->fn;
    void *arg = l->arg;
    bool unknown = false;
    for (size_t i = 0; i < l->attempt_count; i++)
        unknown = unknown || l->attempts[i].state == ATTEMPT_UNKNOWN;
    timer_stop(&l->timer);
    if ((size_t)l->count > l->id_count)
        log_warn(ec2->env.log, "launch_incomplete", "pool=%s token=%s made=%zu of=%d error=%s",
                 l->pool->s->name, l->token, l->id_count, l->count, l->error);
    if (unknown) {
        l->kept = true;
        l->fn = NULL;
        char error[sizeof l->error];
        memcpy(error, l->error, sizeof error);
        bound_records(ec2);
        fn(arg, SCALE_UNKNOWN, NULL, 0, error);
        return;
    }
    unlink_launch(l);
    if (l->id_count > 0)
        fn(arg, SCALE_DONE, (const char(*)[NAME_SIZE])l->ids, l->id_count, NULL);
    else
        fn(arg, l->outcome == SCALE_DONE ? SCALE_NO_CAPACITY : l->outcome, NULL, 0, l->error);
    free(l);
}

/* ---- one RunInstances ---- */

static void remember(struct ec2_launch *l, const struct instance *in)
{
    struct ec2_recent *r = &l->pool->recent[l->pool->recent_next++ % EC2_RECENT_MAX];
    *r = (struct ec2_recent){.instance = *in, .at = loop_now(l->ec2->env.loop)};
    r->instance.state = INSTANCE_LIVE;
    snprintf(r->instance.token, sizeof r->instance.token, "%s", l->token);
}

static bool is_known(const struct ec2_launch *l, const char *id)
{
    for (size_t i = 0; i < l->id_count; i++)
        if (strcmp(l->ids[i], id) == 0)
            return true;
    return false;
}

static int take_instances(struct attempt *a, struct span xml, struct err *err)
{
    struct ec2_launch *l = a->launch;
    struct instances list = {0};
    int made = 0;
    int rc = instances_read(&list, xml, err);
    for (size_t i = 0; rc == 0 && i < list.count && l->id_count < LAUNCH_INSTANCES_MAX; i++) {
        const struct instance *in = &list.items[i];
        if (is_known(l, in->id))
            continue; /* the very call that made it, asked again */
        made++;       /* also one that died since: the list will tell */
        snprintf(l->ids[l->id_count++], NAME_SIZE, "%s", in->id);
        remember(l, in);
        if (in->zone[0])
            memcpy(l->pool->place_zone[a->place], in->zone, sizeof in->zone);
    }
    instances_free(&list);
    return rc < 0 ? rc : made;
}

static void on_run(void *arg, const struct aws_answer *answer)
{
    struct attempt *a = arg;
    struct ec2_launch *l = a->launch;
    struct err err = {0};
    a->call = NULL;
    a->state = ATTEMPT_OVER;
    l->under_way--;
    if (answer->kind == FAULT_NONE) {
        int made = take_instances(a, answer->body, &err);
        if (made < a->count)
            l->shortage.out[a->place][a->type] = true;
        if (made < 0) { /* made, but who? asking again tells */
            a->state = ATTEMPT_UNKNOWN;
            snprintf(l->error, sizeof l->error, "RunInstances: %.500s", err.text);
        } else {
            log_info(l->ec2->env.log, "instances_made", "pool=%s token=%s made=%d of=%d zone=%s",
                     l->pool->s->name, l->token, made, a->count, l->pool->place_zone[a->place]);
        }
    } else {
        snprintf(l->error, sizeof l->error, "%s", answer->error);
        l->outcome = provider_aws_outcome(answer);
        l->shortage.out[a->place][a->type] = true;
        if (answer->unknown)
            a->state = ATTEMPT_UNKNOWN;
        else if (answer->kind != FAULT_CAPACITY && answer->kind != FAULT_GONE)
            l->fatal = true;
        provider_aws_log(l->ec2->env.log, "run_instances_failed", l->pool->s->name, l->token,
                         answer);
    }
    if (l->under_way == 0)
        next_round(l);
}

static const char *type_of(const struct ec2_launch *l, size_t type)
{
    return l->pool->s->instance_types.count > 0 ? l->pool->s->instance_types.items[type] : "";
}

static const char *place_name(const struct ec2_launch *l, size_t place)
{
    if (l->pool->s->subnets.count > 0)
        return l->pool->s->subnets.items[place];
    return l->pool->s->zones.count > 0 ? l->pool->s->zones.items[place] : "";
}

static void make_form(const struct attempt *a, struct form *form, char *buf)
{
    const struct ec2_launch *l = a->launch;
    const struct ec2_template_settings *s = l->pool->s;
    char count[16], idem[IDEM_SIZE], name[160];
    const char *place = place_name(l, a->place), *type = type_of(l, a->type);
    snprintf(count, sizeof count, "%d", a->count);
    const char *const parts[] = {l->ec2->env.name_space, s->name,    l->token, place, type, count,
                                 s->launch_template,     s->version, NULL};
    idem_make(idem, parts);
    snprintf(name, sizeof name, "%s-%s", l->ec2->env.name_space, s->name);
    form_begin(form, buf, FORM_MAX, "RunInstances", EC2_VERSION);
    form_add(form, s->launch_template,
             strncmp(s->launch_template, "lt-", 3) == 0 ? "LaunchTemplate.LaunchTemplateId"
                                                        : "LaunchTemplate.LaunchTemplateName");
    form_add(form, s->version, "LaunchTemplate.Version");
    form_add(form, "1", "MinCount"); /* some are better than none */
    form_add_int(form, a->count, "MaxCount");
    form_add(form, idem, "ClientToken");
    if (s->subnets.count > 0)
        form_add(form, place, "SubnetId");
    else if (s->zones.count > 0)
        form_add(form, place, "Placement.AvailabilityZone");
    if (type[0])
        form_add(form, type, "InstanceType");
    form_add(form, "instance", "TagSpecification.1.ResourceType");
    provider_aws_tags(form, "TagSpecification.1.Tag", &l->ec2->env, s->name, l->token, &s->tags);
    for (size_t i = 0; i < s->tags.count; i++)
        if (strncmp(s->tags.items[i], "Name=", 5) == 0)
            return;
    form_add(form, "Name", "TagSpecification.1.Tag.%zu.Key", s->tags.count + 4);
    form_add(form, name, "TagSpecification.1.Tag.%zu.Value", s->tags.count + 4);
}

static void run(struct attempt *a)
{
    struct ec2_launch *l = a->launch;
    char *buf = malloc(FORM_MAX);
    struct form form;
    int64_t left = mono_sub(l->until, loop_now(l->ec2->env.loop));
    if (buf) {
        make_form(a, &form, buf);
        a->call = aws_send(l->ec2->env.aws, AWS_EC2, &form, left, AWS_AGAIN, on_run, a);
    }
    free(buf);
    if (a->call) {
        a->state = ATTEMPT_SENT;
        l->under_way++;
        return;
    }
    a->state = ATTEMPT_OVER;
    l->fatal = true;
    l->outcome = SCALE_NOT_DONE;
    snprintf(l->error, sizeof l->error, "RunInstances: out of memory, or too many tags");
}

/* ---- rounds ---- */

static void loads(const struct ec2_launch *l, struct ec2_place places[EC2_PLACES_MAX])
{
    const struct ec2_pool *pool = l->pool;
    mono_ms_t now = loop_now(l->ec2->env.loop);
    for (size_t i = 0; i < pool->known_count; i++)
        if (pool->known[i].place >= 0)
            places[pool->known[i].place].load++;
    for (size_t i = 0; i < EC2_RECENT_MAX; i++) {
        const struct ec2_recent *r = &pool->recent[i];
        int place = r->instance.id[0] ? ec2_place_of(pool, &r->instance) : -1;
        if (place >= 0 && !r->seen && mono_sub(now, r->at) < EC2_LAG_MS)
            places[place].load++;
    }
    for (size_t i = 0; i < ec2_place_count(pool); i++) {
        const char *zone = pool->s->zones.count > 0 ? pool->s->zones.items[i] : pool->place_zone[i];
        places[i].preferred = l->zone[0] && strcmp(zone, l->zone) == 0;
    }
}

static void next_round(struct ec2_launch *l)
{
    struct ec2_place places[EC2_PLACES_MAX] = {0};
    int share[EC2_PLACES_MAX];
    size_t type = 0, types = l->pool->s->instance_types.count;
    int missing = l->count - (int)l->id_count;
    int64_t left = mono_sub(l->until, loop_now(l->ec2->env.loop));
    bool unknown = false;
    for (size_t i = 0; i < l->attempt_count; i++)
        unknown = unknown || l->attempts[i].state == ATTEMPT_UNKNOWN;
    if (missing <= 0 || unknown || l->fatal || left < ATTEMPT_LEAST_MS) {
        finish(l);
        return;
    }
    loads(l, places);
    size_t count = ec2_place_count(l->pool);
    if (ec2_spread(places, count, types ? types : 1, &l->shortage, missing, &type, share) == 0) {
        finish(l);
        return;
    }
    size_t first = l->attempt_count;
    for (size_t i = 0; i < count; i++)
        if (share[i] > 0 && l->attempt_count < ATTEMPTS_MAX)
            l->attempts[l->attempt_count++] = (struct attempt){
                .launch = l, .place = i, .type = type, .count = share[i], .state = ATTEMPT_OVER};
    for (size_t i = first; i < l->attempt_count; i++)
        run(&l->attempts[i]);
    if (l->under_way == 0)
        finish(l);
}

/* ---- the beginning ---- */

/* subnetSet/item: subnetId, availabilityZone. */
struct subnets {
    struct ec2_pool *pool;
    char id[48], zone[64];
};

static void on_subnet(void *arg, bool begins, const char *path, const char *text)
{
    struct subnets *s = arg;
    if (begins)
        return;
    if (strcmp(path, "subnetSet/item/subnetId") == 0)
        snprintf(s->id, sizeof s->id, "%.47s", text);
    else if (strcmp(path, "subnetSet/item/availabilityZone") == 0)
        snprintf(s->zone, sizeof s->zone, "%.63s", text);
    if (strcmp(path, "subnetSet/item") != 0)
        return;
    for (size_t i = 0; i < s->pool->s->subnets.count; i++)
        if (strcmp(s->pool->s->subnets.items[i], s->id) == 0)
            memcpy(s->pool->place_zone[i], s->zone, sizeof s->zone);
}

static void on_subnets(void *arg, const struct aws_answer *answer)
{
    struct ec2_launch *l = arg;
    struct subnets s = {.pool = l->pool};
    struct err err = {0};
    l->subnets = NULL;
    if (answer->kind != FAULT_NONE || xml_read(answer->body, on_subnet, &s, &err) < 0)
        log_warn(l->ec2->env.log, "zones_not_known", "pool=%s error=%s", l->pool->s->name,
                 answer->error ? answer->error : err.text);
    next_round(l);
}

/* In which zone is each subnet? Only asked when the plan wants one. */
static bool ask_zones(struct ec2_launch *l)
{
    char buf[2048];
    struct form form;
    if (!l->zone[0] || l->pool->s->subnets.count == 0 || l->pool->zones_asked)
        return false;
    l->pool->zones_asked = true;
    form_begin(&form, buf, sizeof buf, "DescribeSubnets", EC2_VERSION);
    for (size_t i = 0; i < l->pool->s->subnets.count; i++)
        form_add(&form, l->pool->s->subnets.items[i], "SubnetId.%zu", i + 1);
    l->subnets = aws_send(l->ec2->env.aws, AWS_EC2, &form, 5000, AWS_AGAIN, on_subnets, l);
    return l->subnets != NULL;
}

static void begin(struct ec2_launch *l)
{
    const struct ec2_pool *pool = l->pool;
    for (size_t i = 0; i < pool->known_count && l->id_count < (size_t)l->count; i++)
        if (strcmp(pool->known[i].token, l->token) == 0)
            memcpy(l->ids[l->id_count++], pool->known[i].id, sizeof pool->known[i].id);
    if (!ask_zones(l))
        next_round(l);
}

static void on_known(void *arg, const struct instances *list, const struct aws_answer *answer)
{
    struct ec2_launch *l = arg;
    l->describe = NULL;
    if (answer->kind == FAULT_NONE) {
        ec2_remember(l->ec2, l->pool, list);
        begin(l);
        return;
    }
    l->outcome = provider_aws_outcome(answer);
    snprintf(l->error, sizeof l->error, "%s", answer->error);
    finish(l);
}

static void on_begin(void *arg)
{
    struct ec2_launch *l = arg;
    bool again = false;
    for (size_t i = 0; i < l->attempt_count; i++) {
        if (l->attempts[i].state != ATTEMPT_UNKNOWN)
            continue;
        run(&l->attempts[i]);
        again = true;
    }
    if (again) {
        if (l->under_way == 0)
            finish(l);
        return;
    }
    if (l->pool->listed &&
        mono_sub(loop_now(l->ec2->env.loop), l->pool->listed_at) < KNOWN_FRESH_MS) {
        begin(l);
        return;
    }
    l->describe = ec2_describe(l->ec2, l->pool, on_known, l);
    if (l->describe)
        return;
    l->outcome = SCALE_NOT_DONE;
    snprintf(l->error, sizeof l->error, "out of memory");
    finish(l);
}

void ec2_launch(void *provider, const char *pool, const char *token, int count, const char *zone,
                provider_launched_fn *fn, void *arg)
{
    struct ec2 *ec2 = provider;
    struct ec2_launch *l = ec2->launches;
    while (l && !(l->kept && strcmp(l->token, token) == 0 && strcmp(l->pool->s->name, pool) == 0))
        l = l->next;
    if (!l) {
        l = calloc(1, sizeof *l);
        if (!l)
            return; /* the core asks again */
        l->ec2 = ec2;
        l->pool = ec2_pool_named(ec2, pool);
        l->next = ec2->launches;
        ec2->launches = l;
        snprintf(l->token, sizeof l->token, "%s", token);
        snprintf(l->zone, sizeof l->zone, "%s", zone);
        timer_init(&l->timer, ec2->env.loop, on_begin, l);
    }
    l->kept = l->fatal = false;
    l->outcome = SCALE_DONE;
    l->count = count < LAUNCH_INSTANCES_MAX ? count : LAUNCH_INSTANCES_MAX;
    l->fn = fn;
    l->arg = arg;
    l->until = mono_add(loop_now(ec2->env.loop), PROVIDER_AWS_LIMIT_MS);
    timer_start(&l->timer, 0, 0);
}

void ec2_launch_close(struct ec2 *ec2)
{
    while (ec2->launches) {
        struct ec2_launch *l = ec2->launches;
        bool sent = l->under_way > 0 || l->id_count > 0;
        provider_launched_fn *fn = l->fn;
        void *arg = l->arg;
        unlink_launch(l);
        free(l);
        if (fn)
            fn(arg, sent ? SCALE_UNKNOWN : SCALE_NOT_DONE, NULL, 0, "closing");
    }
}

/* cfn_launch_io.c - CreateStack, and waiting for what becomes of it.
 *
 * The stack's name is made of the launch's token, so asking again finds the same stack. One that
 * fails tells why by its events and is deleted. */
#include "autoscale/cfn_io.h"
#include "aws/idem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_FIRST_MS 500
#define POLL_MS 3000
#define LAG_MS 15000 /* stacks and instances may be seen so late */
#define FORM_MAX (256 << 10)
#define EVENT_PAGES_MAX 10

struct cfn_launch {
    struct cfn_pool *pool;
    struct cfn_launch *next;
    char token[NAME_SIZE], stack[129];
    int count;
    struct timer timer;
    struct aws_call *call;
    struct describe *describe;
    mono_ms_t until, created_at, complete_at;
    bool created;
    int polls, event_pages;
    char ids[LAUNCH_INSTANCES_MAX][NAME_SIZE];
    size_t id_count;
    enum scale_outcome outcome;
    char error[600];
    char reason[400]; /* of the events */
    struct provider_aws_waiters waiters;
};

bool cfn_is_launching(const struct cfn_pool *pool, const char *stack)
{
    for (const struct cfn_launch *l = pool->launches; l; l = l->next)
        if (strcmp(l->stack, stack) == 0)
            return true;
    return false;
}

static mono_ms_t now(const struct cfn_launch *l)
{
    return loop_now(l->pool->cfn->env.loop);
}

/* ---- the end ---- */

static void finish(struct cfn_launch *l, enum scale_outcome outcome)
{
    struct cfn_launch **link = &l->pool->launches;
    while (*link != l)
        link = &(*link)->next;
    *link = l->next;
    timer_stop(&l->timer);
    if (l->call)
        aws_cancel(l->call);
    if (l->describe)
        describe_cancel(l->describe);
    if (outcome != SCALE_DONE)
        log_warn(l->pool->cfn->env.log, "launch_failed", "pool=%s token=%s error=%s",
                 l->pool->s->name, l->token, l->error);
    provider_aws_answer(&l->waiters, outcome, (const char(*)[NAME_SIZE])l->ids, l->id_count,
                        l->error);
    free(l);
}

static void fail_memory(struct cfn_launch *l)
{
    snprintf(l->error, sizeof l->error, "out of memory, or too many parameters");
    finish(l, l->created ? SCALE_UNKNOWN : SCALE_NOT_DONE);
}

static void on_removed(void *arg, const struct aws_answer *answer)
{
    struct cfn_launch *l = arg;
    l->call = NULL; /* if it could not be deleted, the list finds it again */
    finish(l, l->outcome);
}

/* It has failed: delete it, then say so. */
static void remove_stack(struct cfn_launch *l)
{
    bool capacity = strstr(l->reason, "apacity") && strstr(l->reason, "sufficient");
    l->outcome = capacity ? SCALE_NO_CAPACITY : SCALE_NOT_DONE;
    l->call = cfn_send_delete(l->pool, l->stack, on_removed, l);
    if (!l->call)
        finish(l, l->outcome);
}

/* ---- why it failed ---- */

static void on_events(void *arg, const struct aws_answer *answer);

static void ask_events(struct cfn_launch *l, const char *token)
{
    char buf[8192];
    struct form form;
    form_begin(&form, buf, sizeof buf, "DescribeStackEvents", CLOUDFORMATION_VERSION);
    form_add(&form, l->stack, "StackName");
    if (token[0])
        form_add(&form, token, "NextToken");
    l->call = aws_send(l->pool->cfn->env.aws, AWS_CLOUDFORMATION, &form, PROVIDER_AWS_LIMIT_MS / 2,
                       AWS_AGAIN, on_events, l);
    if (!l->call)
        remove_stack(l);
}

static void on_events(void *arg, const struct aws_answer *answer)
{
    struct cfn_launch *l = arg;
    char next[2048] = "";
    l->call = NULL;
    if (answer->kind == FAULT_NONE) {
        stacks_read_reason(answer->body, l->reason, sizeof l->reason);
        stacks_read_next(answer->body, next, sizeof next);
    }
    if (next[0] && ++l->event_pages < EVENT_PAGES_MAX) {
        ask_events(l, next);
        return;
    }
    size_t len = strlen(l->error);
    snprintf(l->error + len, sizeof l->error - len, ": %s",
             l->reason[0] ? l->reason : "its events do not say why");
    remove_stack(l);
}

/* ---- what became of it ---- */

static void look_again(struct cfn_launch *l)
{
    if (mono_before(now(l), l->until)) {
        timer_start(&l->timer, ++l->polls < 6 ? POLL_FIRST_MS : POLL_MS, 0);
        return;
    }
    snprintf(l->error, sizeof l->error, "stack %s is not complete after %llds", l->stack,
             (long long)(l->pool->cfn->env.settings->cloudformation.create_timeout_ms / 1000));
    ask_events(l, "");
}

static void on_instances(void *arg, const struct instances *list, const struct aws_answer *answer)
{
    struct cfn_launch *l = arg;
    l->describe = NULL;
    l->id_count = 0;
    for (size_t i = 0; answer->kind == FAULT_NONE && i < list->count; i++)
        if (list->items[i].state == INSTANCE_LIVE && l->id_count < LAUNCH_INSTANCES_MAX)
            snprintf(l->ids[l->id_count++], NAME_SIZE, "%s", list->items[i].id);
    bool late = mono_sub(now(l), l->complete_at) >= LAG_MS;
    if (answer->kind != FAULT_NONE || (int)l->id_count < (l->id_count > 0 && late ? 1 : l->count)) {
        look_again(l);
        return;
    }
    cfn_learn(l->pool, list->items, list->count);
    log_info(l->pool->cfn->env.log, "stack_complete", "pool=%s stack=%s instances=%zu of=%d",
             l->pool->s->name, l->stack, l->id_count, l->count);
    finish(l, SCALE_DONE);
}

static void ask_instances(struct cfn_launch *l)
{
    const char *const name[] = {l->stack};
    const struct describe_filter filter = {"tag:aws:cloudformation:stack-name", name, 1};
    if (l->complete_at.ms == 0)
        l->complete_at = now(l);
    l->describe =
        describe_start(l->pool->cfn->env.aws, &filter, 1, PROVIDER_AWS_LIMIT_MS, on_instances, l);
    if (!l->describe)
        fail_memory(l);
}

static void judge(struct cfn_launch *l, const struct stack *stack)
{
    switch (stack->state) {
    case STACK_CREATING:
    case STACK_ROLLING_BACK:
        look_again(l);
        break;
    case STACK_COMPLETE:
        ask_instances(l);
        break;
    case STACK_FAILED:
        snprintf(l->error, sizeof l->error, "stack %s: %s", l->stack, stack->status);
        ask_events(l, "");
        break;
    case STACK_DELETING:
    case STACK_DELETE_FAILED:
    case STACK_GONE:
        snprintf(l->error, sizeof l->error, "stack %s: %s: somebody deleted it", l->stack,
                 stack->status);
        finish(l, SCALE_NOT_DONE);
        break;
    }
}

static void on_stack(void *arg, const struct aws_answer *answer)
{
    struct cfn_launch *l = arg;
    struct stacks list = {0};
    struct err err = {0};
    l->call = NULL;
    if (answer->kind == FAULT_NONE && stacks_read(&list, answer->body, &err) == 0 &&
        list.count == 1) {
        judge(l, &list.items[0]);
    } else if (answer->kind == FAULT_GONE && mono_sub(now(l), l->created_at) >= LAG_MS) {
        snprintf(l->error, sizeof l->error, "stack %s is gone", l->stack);
        finish(l, SCALE_NOT_DONE);
    } else {
        look_again(l);
    }
    stacks_free(&list);
}

static void look(struct cfn_launch *l)
{
    char buf[512];
    struct form form;
    form_begin(&form, buf, sizeof buf, "DescribeStacks", CLOUDFORMATION_VERSION);
    form_add(&form, l->stack, "StackName");
    l->call = aws_send(l->pool->cfn->env.aws, AWS_CLOUDFORMATION, &form, PROVIDER_AWS_LIMIT_MS,
                       AWS_AGAIN, on_stack, l);
    if (!l->call)
        fail_memory(l);
}

/* ---- creating ---- */

static void on_created(void *arg, const struct aws_answer *answer)
{
    struct cfn_launch *l = arg;
    l->call = NULL;
    if (answer->kind != FAULT_NONE && answer->kind != FAULT_EXISTS) {
        snprintf(l->error, sizeof l->error, "%s", answer->error);
        finish(l, provider_aws_outcome(answer));
        return;
    }
    l->created = true;
    l->created_at = now(l);
    look_again(l);
}

static void make_form(const struct cfn_launch *l, struct form *form, char *buf)
{
    const struct cfn_pool *pool = l->pool;
    const struct stack_settings *s = pool->s;
    const char *const parts[] = {pool->cfn->env.name_space, s->name, l->token, NULL};
    char idem[IDEM_SIZE];
    size_t n = 1;
    idem_make(idem, parts);
    form_begin(form, buf, FORM_MAX, "CreateStack", CLOUDFORMATION_VERSION);
    form_add(form, l->stack, "StackName");
    form_add(form, idem, "ClientRequestToken");
    form_add(form, pool->body ? pool->body : s->template_url,
             pool->body ? "TemplateBody" : "TemplateURL");
    form_add(form, s->count_parameter, "Parameters.member.1.ParameterKey");
    form_add_int(form, l->count, "Parameters.member.1.ParameterValue");
    for (size_t i = 0; i < s->parameters.count; i++) {
        const struct stack_parameter_settings *p =
            SECTION_AT(s->parameters, struct stack_parameter_settings, i);
        n++;
        form_add(form, p->name, "Parameters.member.%zu.ParameterKey", n);
        form_add(form, p->value, "Parameters.member.%zu.ParameterValue", n);
    }
    for (size_t i = 0; i < s->capabilities.count; i++)
        form_add(form, s->capabilities.items[i], "Capabilities.member.%zu", i + 1);
    if (s->role_arn)
        form_add(form, s->role_arn, "RoleARN");
    provider_aws_tags(form, "Tags.member", &pool->cfn->env, s->name, l->token, &s->tags);
}

static void create(struct cfn_launch *l)
{
    char *buf = malloc(FORM_MAX);
    struct form form;
    if (buf) {
        make_form(l, &form, buf);
        l->call = aws_send(l->pool->cfn->env.aws, AWS_CLOUDFORMATION, &form, PROVIDER_AWS_LIMIT_MS,
                           AWS_AGAIN, on_created, l);
    }
    free(buf);
    if (!l->call)
        fail_memory(l);
}

static void on_turn(void *arg)
{
    struct cfn_launch *l = arg;
    if (l->created)
        look(l);
    else
        create(l);
}

void cfn_launch(void *provider, const char *pool, const char *token, int count, const char *zone,
                provider_launched_fn *fn, void *arg)
{
    struct cfn *cfn = provider;
    struct cfn_pool *p = cfn_pool_named(cfn, pool);
    struct cfn_launch *l = p->launches;
    while (l && strcmp(l->token, token) != 0)
        l = l->next;
    if (!l) {
        l = calloc(1, sizeof *l);
        if (!l)
            return; /* the core asks again */
        l->pool = p;
        l->next = p->launches;
        p->launches = l;
        l->count = count < LAUNCH_INSTANCES_MAX ? count : LAUNCH_INSTANCES_MAX;
        l->until =
            mono_add(loop_now(cfn->env.loop), cfn->env.settings->cloudformation.create_timeout_ms);
        snprintf(l->token, sizeof l->token, "%s", token);
        (void)stacks_name(l->stack, cfn->env.name_space, pool, token); /* check() made sure */
        timer_init(&l->timer, cfn->env.loop, on_turn, l);
        timer_start(&l->timer, 0, 0);
    }
    provider_aws_wait(&l->waiters, fn, arg);
}

void cfn_launch_close(struct cfn_pool *pool)
{
    while (pool->launches) {
        struct cfn_launch *l = pool->launches;
        snprintf(l->error, sizeof l->error, "closing");
        finish(l, l->created || l->call ? SCALE_UNKNOWN : SCALE_NOT_DONE);
    }
}

/* stacks.c - CloudFormation stacks, as DescribeStacks tells them, and why one failed. */
#include "aws/stacks.h"

#include "aws/credentials.h"
#include "aws/xml.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static enum stack_state state_of(const char *status)
{
    static const struct {
        const char *status;
        enum stack_state state;
    } rows[] = {
        {"CREATE_IN_PROGRESS", STACK_CREATING}, {"REVIEW_IN_PROGRESS", STACK_CREATING},
        {"CREATE_FAILED", STACK_FAILED},        {"ROLLBACK_IN_PROGRESS", STACK_ROLLING_BACK},
        {"ROLLBACK_COMPLETE", STACK_FAILED},    {"ROLLBACK_FAILED", STACK_FAILED},
        {"DELETE_IN_PROGRESS", STACK_DELETING}, {"DELETE_FAILED", STACK_DELETE_FAILED},
        {"DELETE_COMPLETE", STACK_GONE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(status, rows[i].status) == 0)
            return rows[i].state;
    return STACK_COMPLETE; /* CREATE_COMPLETE; and what people did to it since */
}

static void add(struct stacks *list)
{
    if (!list->one.name[0])
        return;
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct stack *items = room > STACKS_MAX ? NULL : realloc(list->items, room * sizeof *items);
        if (!items) {
            list->failed = true;
            return;
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = list->one;
}

static void take_tag(struct stack *one, const char *key, const char *value)
{
    if (strcmp(key, TAG_NAMESPACE) == 0)
        (void)span_copy(span_of(value), one->name_space, sizeof one->name_space);
    else if (strcmp(key, TAG_POOL) == 0)
        (void)span_copy(span_of(value), one->pool, sizeof one->pool);
    else if (strcmp(key, TAG_TOKEN) == 0)
        (void)span_copy(span_of(value), one->token, sizeof one->token);
}

static void on_element(void *arg, bool begins, const char *path, const char *text)
{
    static const char prefix[] = "DescribeStacksResult/Stacks/member";
    struct stacks *list = arg;
    struct stack *one = &list->one;
    if (!begins && strcmp(path, "DescribeStacksResult/NextToken") == 0 &&
        !span_copy(span_of(text), list->next, sizeof list->next))
        list->failed = true;
    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return;
    path += sizeof prefix - 1;
    if (*path == 0 && begins)
        *one = (struct stack){0};
    else if (*path == 0)
        add(list);
    else if (begins)
        return;
    else if (strcmp(path, "/StackName") == 0)
        (void)span_copy(span_of(text), one->name, sizeof one->name);
    else if (strcmp(path, "/StackStatus") == 0) {
        snprintf(one->status, sizeof one->status, "%.31s", text);
        one->state = state_of(text);
    } else if (strcmp(path, "/StackStatusReason") == 0)
        snprintf(one->reason, sizeof one->reason, "%.199s", text);
    else if (strcmp(path, "/CreationTime") == 0)
        (void)credentials_time(span_of(text), &one->created_s);
    else if (strcmp(path, "/Tags/member/Key") == 0)
        snprintf(list->key, sizeof list->key, "%.129s", text);
    else if (strcmp(path, "/Tags/member/Value") == 0)
        take_tag(one, list->key, text);
}

int stacks_read(struct stacks *list, struct span xml, struct err *err)
{
    list->next[0] = 0;
    list->failed = false;
    int rc = xml_read(xml, on_element, list, err);
    if (rc == 0 && list->failed)
        rc = err_set(err, BERTH_EFULL, "more than %d stacks", STACKS_MAX);
    return rc;
}

void stacks_free(struct stacks *list)
{
    free(list->items);
    *list = (struct stacks){0};
}

/* ---- events ---- */

struct event_reader {
    char *reason;
    size_t size;
    char resource[129], status[64], why[400];
};

static void on_event(void *arg, bool begins, const char *path, const char *text)
{
    struct event_reader *r = arg;
    if (begins) {
        if (xml_ends(path, "StackEvents/member"))
            r->resource[0] = r->status[0] = r->why[0] = 0;
        return;
    }
    if (xml_ends(path, "member/LogicalResourceId"))
        snprintf(r->resource, sizeof r->resource, "%.128s", text);
    else if (xml_ends(path, "member/ResourceStatus"))
        snprintf(r->status, sizeof r->status, "%.63s", text);
    else if (xml_ends(path, "member/ResourceStatusReason"))
        snprintf(r->why, sizeof r->why, "%.399s", text);
    if (!xml_ends(path, "StackEvents/member"))
        return;
    size_t len = strlen(r->status);
    bool failed = len > 7 && strcmp(r->status + len - 7, "_FAILED") == 0;
    if (failed && r->why[0] && !strstr(r->why, "cancelled"))
        snprintf(r->reason, r->size, "%s: %s", r->resource, r->why);
}

void stacks_read_reason(struct span xml, char *ret_reason, size_t size)
{
    struct event_reader r = {.reason = ret_reason, .size = size};
    struct err err = {0};
    (void)!xml_read(xml, on_event, &r, &err);
}

struct next_reader {
    char *next;
    size_t size;
};

static void on_next(void *arg, bool begins, const char *path, const char *text)
{
    struct next_reader *r = arg;
    if (!begins && xml_ends(path, "DescribeStackEventsResult/NextToken"))
        (void)span_copy(span_of(text), r->next, r->size);
}

void stacks_read_next(struct span xml, char *ret_next, size_t size)
{
    struct next_reader r = {ret_next, size};
    struct err err = {0};
    ret_next[0] = 0;
    if (xml_read(xml, on_next, &r, &err) < 0)
        ret_next[0] = 0;
}

bool stacks_name(char ret_name[129], const char *name_space, const char *pool, const char *token)
{
    int n = snprintf(ret_name, 129, "%s%s-%s-%s", isalpha((unsigned char)name_space[0]) ? "" : "b-",
                     name_space, pool, token);
    for (char *c = ret_name; *c; c++)
        if (!isalnum((unsigned char)*c))
            *c = '-';
    return n > 0 && n <= 128;
}

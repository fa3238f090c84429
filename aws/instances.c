/* instances.c - EC2 instances, as DescribeInstances and RunInstances tell them. */
#include "aws/instances.h"

#include "aws/credentials.h"
#include "aws/xml.h"

#include <stdio.h>
#include <stdlib.h>

static void add(struct instances *list)
{
    if (!list->one.id[0])
        return;
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct instance *items =
            room > INSTANCES_MAX ? NULL : realloc(list->items, room * sizeof *items);
        if (!items) {
            list->failed = true;
            return;
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = list->one;
}

static void take_tag(struct instance *one, const char *key, const char *value)
{
    if (strcmp(key, TAG_TOKEN) == 0)
        (void)span_copy(span_of(value), one->token, sizeof one->token);
    else if (strcmp(key, TAG_AWAY) == 0)
        one->away = true;
    else if (strcmp(key, "aws:cloudformation:stack-name") == 0)
        (void)span_copy(span_of(value), one->stack, sizeof one->stack);
}

static enum instance_state state_of(const char *name)
{
    if (strcmp(name, "terminated") == 0)
        return INSTANCE_ENDED;
    return strcmp(name, "shutting-down") == 0 ? INSTANCE_ENDING : INSTANCE_LIVE;
}

/* One element below instancesSet/item. */
static void take(struct instances *list, const char *path, const char *text)
{
    struct instance *one = &list->one;
    if (strcmp(path, "instanceId") == 0)
        (void)span_copy(span_of(text), one->id, sizeof one->id);
    else if (strcmp(path, "instanceState/name") == 0)
        one->state = state_of(text);
    else if (strcmp(path, "placement/availabilityZone") == 0)
        (void)span_copy(span_of(text), one->zone, sizeof one->zone);
    else if (strcmp(path, "subnetId") == 0)
        (void)span_copy(span_of(text), one->subnet, sizeof one->subnet);
    else if (strcmp(path, "launchTime") == 0)
        (void)credentials_time(span_of(text), &one->launched_s);
    else if (strcmp(path, "tagSet/item/key") == 0)
        snprintf(list->key, sizeof list->key, "%.129s", text);
    else if (strcmp(path, "tagSet/item/value") == 0)
        take_tag(one, list->key, text);
}

static void on_element(void *arg, bool begins, const char *path, const char *text)
{
    static const char prefix[] = "instancesSet/item";
    struct instances *list = arg;
    if (!begins && strcmp(path, "nextToken") == 0) {
        if (!span_copy(span_of(text), list->next, sizeof list->next))
            list->failed = true;
        return;
    }
    if (strncmp(path, "reservationSet/item/", 20) == 0) /* DescribeInstances */
        path += 20;
    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return;
    path += sizeof prefix - 1;
    if (*path == 0 && begins)
        list->one = (struct instance){0};
    else if (*path == 0)
        add(list);
    else if (!begins && *path == '/')
        take(list, path + 1, text);
}

int instances_read(struct instances *list, struct span xml, struct err *err)
{
    list->next[0] = 0;
    list->failed = false;
    int rc = xml_read(xml, on_element, list, err);
    if (rc == 0 && list->failed)
        rc = err_set(err, BERTH_EFULL, "more than %d instances", INSTANCES_MAX);
    return rc;
}

void instances_free(struct instances *list)
{
    free(list->items);
    *list = (struct instances){0};
}

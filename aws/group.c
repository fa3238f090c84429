/* group.c - an Auto Scaling group, as DescribeAutoScalingGroups tells it. */
#include "aws/group.h"

#include "aws/xml.h"

#include <stdio.h>
#include <stdlib.h>

static enum group_lifecycle lifecycle_of(const char *state)
{
    static const struct {
        const char *begins;
        enum group_lifecycle lifecycle;
    } rows[] = {{"InService", MEMBER_SERVES},    {"Pending", MEMBER_COMING},
                {"Terminating", MEMBER_LEAVING}, {"Detaching", MEMBER_LEAVING},
                {"Terminated", MEMBER_GONE},     {"Detached", MEMBER_GONE},
                {"Warmed", MEMBER_GONE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strncmp(state, rows[i].begins, strlen(rows[i].begins)) == 0)
            return rows[i].lifecycle;
    return MEMBER_ASIDE;
}

static void add(struct group *group)
{
    if (!group->one.id[0] || group->one.lifecycle == MEMBER_GONE)
        return;
    if (group->count == group->room) {
        size_t room = group->room ? 2 * group->room : 64;
        struct group_member *members =
            room > GROUP_MEMBERS_MAX ? NULL : realloc(group->members, room * sizeof *members);
        if (!members) {
            group->failed = true;
            return;
        }
        group->members = members;
        group->room = room;
    }
    group->members[group->count++] = group->one;
}

static void take_member(struct group_member *one, const char *path, const char *text)
{
    if (strcmp(path, "/InstanceId") == 0)
        (void)span_copy(span_of(text), one->id, sizeof one->id);
    else if (strcmp(path, "/AvailabilityZone") == 0)
        (void)span_copy(span_of(text), one->zone, sizeof one->zone);
    else if (strcmp(path, "/LifecycleState") == 0)
        one->lifecycle = lifecycle_of(text);
    else if (strcmp(path, "/ProtectedFromScaleIn") == 0)
        one->protected = strcmp(text, "true") == 0;
}

static void take_tag(struct group *group, const char *value)
{
    if (strcmp(group->key, TAG_TOKEN) == 0)
        (void)span_copy(span_of(value), group->token, sizeof group->token);
    else if (strcmp(group->key, TAG_TARGET) == 0)
        group->target = atoi(value);
}

static void on_element(void *arg, bool begins, const char *path, const char *text)
{
    static const char prefix[] = "DescribeAutoScalingGroupsResult/AutoScalingGroups/member";
    static const char member[] = "/Instances/member";
    struct group *group = arg;
    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return;
    path += sizeof prefix - 1;
    if (strncmp(path, member, sizeof member - 1) == 0) {
        path += sizeof member - 1;
        if (*path == 0 && begins)
            group->one = (struct group_member){.lifecycle = MEMBER_ASIDE};
        else if (*path == 0)
            add(group);
        else if (!begins)
            take_member(&group->one, path, text);
        return;
    }
    if (begins)
        return;
    group->found = true;
    if (strcmp(path, "/MinSize") == 0)
        group->min = atoi(text);
    else if (strcmp(path, "/MaxSize") == 0)
        group->max = atoi(text);
    else if (strcmp(path, "/DesiredCapacity") == 0)
        group->desired = atoi(text);
    else if (strcmp(path, "/NewInstancesProtectedFromScaleIn") == 0)
        group->new_protected = strcmp(text, "true") == 0;
    else if (strcmp(path, "/Tags/member/Key") == 0)
        snprintf(group->key, sizeof group->key, "%.129s", text);
    else if (strcmp(path, "/Tags/member/Value") == 0)
        take_tag(group, text);
}

int group_read(struct group *ret_group, struct span xml, struct err *err)
{
    int rc = xml_read(xml, on_element, ret_group, err);
    if (rc == 0 && ret_group->failed)
        rc = err_set(err, BERTH_EFULL, "more than %d instances in the group", GROUP_MEMBERS_MAX);
    return rc;
}

void group_free(struct group *group)
{
    free(group->members);
    *group = (struct group){0};
}

/* group.h - an Auto Scaling group, as DescribeAutoScalingGroups tells it.
 *
 * Pure. */
#ifndef BERTH_AWS_GROUP_H
#define BERTH_AWS_GROUP_H

#include "aws/instances.h"

enum group_lifecycle {
    MEMBER_COMING,  /* Pending, with or without a hook */
    MEMBER_SERVES,  /* InService */
    MEMBER_ASIDE,   /* standby, and what else is neither coming nor going */
    MEMBER_LEAVING, /* Terminating, Detaching */
    MEMBER_GONE,    /* Terminated, Detached; or of a warm pool: not a member */
};

struct group_member {
    char id[32], zone[64];
    enum group_lifecycle lifecycle;
    bool protected;
};

enum { GROUP_MEMBERS_MAX = 2048 };

struct group {
    bool found;
    int min, max, desired;
    bool new_protected;
    char token[65]; /* of its tags: TAG_TOKEN, TAG_TARGET; "", 0 */
    int target;
    struct group_member *members; /* heap */
    size_t count, room;
    /* while reading */
    struct group_member one;
    char key[130];
    bool failed;
};

#define TAG_TARGET "berth:target" /* the desired capacity that the launch TAG_TOKEN asked for */

/* ret_group begins zeroed. BERTH_EPROTO, BERTH_EFULL or BERTH_ENOMEM with err. */
int group_read(struct group *ret_group, struct span xml, struct err *err) BERTH_MUST_USE;
void group_free(struct group *group);

#endif

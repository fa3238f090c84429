/* instances.h - EC2 instances, as DescribeInstances and RunInstances tell them.
 *
 * Pure. */
#ifndef BERTH_AWS_INSTANCES_H
#define BERTH_AWS_INSTANCES_H

#include "core/err.h"
#include "core/span.h"

/* Tags that berth gives. */
#define TAG_NAMESPACE "berth:namespace"
#define TAG_POOL "berth:pool"
#define TAG_TOKEN "berth:token"
#define TAG_AWAY "berth:away" /* of a stack: no node of it is needed any more */

enum instance_state {
    INSTANCE_LIVE,   /* pending, running; stopped, too: it can come back, and costs */
    INSTANCE_ENDING, /* shutting-down */
    INSTANCE_ENDED,  /* terminated; AWS tells it for an hour */
};

struct instance {
    char id[32];
    enum instance_state state;
    char zone[64], subnet[48];
    char token[65];  /* TAG_TOKEN; "" */
    char stack[129]; /* aws:cloudformation:stack-name; "" */
    bool away;
    int64_t launched_s; /* seconds since 1970; 0: not told */
};

enum { INSTANCES_MAX = 8192 };

struct instances {
    struct instance *items; /* heap */
    size_t count, room;
    char next[2048]; /* NextToken; "": that was all */
    /* while reading */
    struct instance one;
    char key[130];
    bool failed;
};

/* Add those of one answer to the list, which begins zeroed; `next` becomes the answer's.
 * BERTH_EPROTO, BERTH_EFULL or BERTH_ENOMEM with err. */
int instances_read(struct instances *list, struct span xml, struct err *err) BERTH_MUST_USE;
void instances_free(struct instances *list);

#endif

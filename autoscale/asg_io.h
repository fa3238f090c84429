/* asg_io.h - the inside of the asg provider: its groups, what it knows of their instances, its
 * three calls.
 *
 * Shell. */
#ifndef BERTH_AUTOSCALE_ASG_IO_H
#define BERTH_AUTOSCALE_ASG_IO_H

#include "autoscale/provider_aws.h"
#include "aws/group.h"

enum { ASG_KNOWN_MAX = 2048, ASG_DOUBTS_MAX = 64 };

/* An instance of a group, as far as it is known. */
struct asg_known {
    char id[32];
    char token[NAME_SIZE];
    bool told;          /* by a launch or by EC2: token and age are right */
    mono_ms_t seen_at;  /* first */
    int64_t launched_s; /* 0: by a launch of this process; seen_at tells */
};

struct asg_launch;

struct asg_pool {
    struct asg *asg;
    const struct asg_group_settings *s;
    struct asg_known known[ASG_KNOWN_MAX];
    size_t known_count;
    struct asg_launch *launches; /* the first is under way, the others wait */
    struct aws_call *protect;
    bool unprotected_told, tags_told;
    bool listed;                     /* the core has been told whom the group has: known */
    mono_ms_t describe_at;           /* EC2 is not asked before */
    char doubts[ASG_DOUBTS_MAX][32]; /* ends whose answer was lost: a ring */
    size_t doubt_next;
};

struct asg_end {
    struct asg_pool *pool;
    struct asg_end *next;
    char id[32];
    struct timer timer;
    struct aws_call *call;
    bool follows; /* another one of the same id is under way: its answer is this one's */
    provider_done_fn *fn;
    void *arg;
};

struct asg_list {
    struct asg_pool *pool;
    struct asg_list *next;
    struct timer timer;
    struct aws_call *call;
    struct describe *describe;
    struct group group;
    provider_listed_fn *fn;
    void *arg;
};

struct asg {
    struct provider_env env;
    struct asg_pool *pools;
    size_t pool_count;
    struct asg_list *lists;
    struct asg_end *ends;
};

struct asg_pool *asg_pool_named(struct asg *asg, const char *name);
/* Ask for the group. */
struct aws_call *asg_describe(struct asg_pool *pool, int64_t limit_ms, aws_fn *fn, void *arg);
/* Read it; a group that is not there, or an answer that cannot be read, is an error to say. */
int asg_take_group(struct asg_pool *pool, const struct aws_answer *answer, struct group *ret_group,
                   enum scale_outcome *ret_outcome, char *ret_error, size_t size);
/* The row of this instance; a new one if need be. NULL: no room. */
struct asg_known *asg_known_of(struct asg_pool *pool, const char *id, bool make);
/* Give what is new in the group to the launch under way; forget what is no longer in it. */
void asg_observe(struct asg_pool *pool, const struct group *group);

void asg_launch(void *provider, const char *pool, const char *token, int count, const char *zone,
                provider_launched_fn *fn, void *arg);
/* The launch under way takes those of the group that are its own. */
void asg_launch_claim(struct asg_pool *pool, const struct group *group);
void asg_launch_close(struct asg_pool *pool);
void asg_terminate(void *provider, const char *pool, const char *id, provider_done_fn *fn,
                   void *arg);
void asg_terminate_close(struct asg *asg);

#endif

/* cfn_io.h - the inside of the cloudformation provider: its templates, what it knows of stacks and
 * their instances, its three calls.
 *
 * Shell. */
#ifndef BERTH_AUTOSCALE_CFN_IO_H
#define BERTH_AUTOSCALE_CFN_IO_H

#include "autoscale/provider_aws.h"
#include "aws/stacks.h"

enum { CFN_STACKS_MAX = 200, CFN_DELETES_MAX = 64 }; /* of a pool: values of one filter */

struct cfn_launch;

/* A live instance of a stack. */
struct cfn_known {
    char id[32];
    char stack[129];
    bool away; /* nobody needs it any more */
};

/* A stack that is being deleted on the provider's own account. */
struct cfn_delete {
    char stack[129];
    struct aws_call *call; /* NULL: not under way */
    mono_ms_t not_before;
};

struct cfn_pool {
    struct cfn *cfn;
    const struct stack_settings *s;
    char *body;              /* of template_file; NULL: template_url */
    struct cfn_known *known; /* heap */
    size_t known_count;
    struct cfn_delete deletes[CFN_DELETES_MAX];
    struct cfn_launch *launches;
};

struct cfn_end {
    struct cfn_pool *pool;
    struct cfn_end *next;
    char id[32], stack[129];
    struct timer timer;
    struct aws_call *call;
    provider_done_fn *fn;
    void *arg;
};

struct cfn_list {
    struct cfn_pool *pool;
    struct cfn_list *next;
    struct timer timer;
    struct aws_call *call;
    struct describe *describe;
    mono_ms_t until;
    struct stacks stacks; /* all, then only the pool's */
    provider_listed_fn *fn;
    void *arg;
};

struct cfn {
    struct provider_env env;
    struct cfn_pool *pools;
    size_t pool_count;
    struct cfn_list *lists;
    struct cfn_end *ends;
};

struct cfn_pool *cfn_pool_named(struct cfn *cfn, const char *name);
/* Put instances of a stack into what is known, live ones only. */
void cfn_learn(struct cfn_pool *pool, const struct instance *items, size_t count);
struct cfn_known *cfn_known_of(struct cfn_pool *pool, const char *id);
/* Is nobody of this stack needed any more? False also when no instance of it is known. */
bool cfn_all_away(const struct cfn_pool *pool, const char *stack);
/* Is a launch waiting for this stack? */
bool cfn_is_launching(const struct cfn_pool *pool, const char *stack);
struct aws_call *cfn_send_delete(struct cfn_pool *pool, const char *stack, aws_fn *fn, void *arg);
/* Delete it on our own account; at most once in five minutes. */
void cfn_delete(struct cfn_pool *pool, const char *stack, const char *why, const char *reason);

void cfn_launch(void *provider, const char *pool, const char *token, int count, const char *zone,
                provider_launched_fn *fn, void *arg);
void cfn_launch_close(struct cfn_pool *pool);
void cfn_terminate(void *provider, const char *pool, const char *id, provider_done_fn *fn,
                   void *arg);
void cfn_terminate_close(struct cfn *cfn);

#endif

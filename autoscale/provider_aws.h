/* provider_aws.h - what the providers on AWS share.
 *
 * Shell. */
#ifndef BERTH_AUTOSCALE_PROVIDER_AWS_H
#define BERTH_AUTOSCALE_PROVIDER_AWS_H

#include "autoscale/launches.h"
#include "autoscale/provider.h"
#include "aws/describe_io.h"

/* A call is answered within this: the core takes it for lost after 30 s. */
#define PROVIDER_AWS_LIMIT_MS 24000

/* What the core makes of an answer. */
enum scale_outcome provider_aws_outcome(const struct aws_answer *answer);

/* "launch failed" in the log. */
void provider_aws_log(struct log *log, const char *event, const char *pool, const char *name,
                      const struct aws_answer *answer);

/* The tags that mark a machine as this installation's: TAG_NAMESPACE, TAG_POOL and TAG_TOKEN, then
 * `more` ("key=value"), from number *next on: "PREFIX.N.Key", "PREFIX.N.Value". */
void provider_aws_tags(struct form *form, const char *prefix, const struct provider_env *env,
                       const char *pool, const char *token, const struct text_list *more);

/* Those who asked for one launch, which takes longer than the core waits for an answer: it asks
 * again every 30 s, and each gets the same answer in the end. All zero: nobody. */
struct provider_aws_waiters {
    struct provider_aws_waiter *who; /* owned */
    size_t count;
};

/* One more. Without memory it is not answered, as if its answer were lost. */
void provider_aws_wait(struct provider_aws_waiters *waiters, provider_launched_fn *fn, void *arg);
/* The answer for all of them, and the end of the list. ids: of a launch that is done. */
void provider_aws_answer(struct provider_aws_waiters *waiters, enum scale_outcome outcome,
                         const char (*ids)[NAME_SIZE], size_t count, const char *error);

/* One instance as the core knows it. aws_wall_s is for its age. */
struct fleet_listed provider_aws_listed(const struct instance *instance, const char *token,
                                        int64_t now_s);

#endif

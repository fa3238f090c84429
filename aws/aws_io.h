/* aws_io.h - calls to AWS's Query API, on the loop: signed, repeated while that is of use, answered
 * once.
 *
 * Shell. A form is sent by POST to path "/" of the service's endpoint. Throttled calls are repeated
 * with exponential back-off and full jitter; keys that have ended are fetched anew; a clock that
 * differs from AWS's is corrected by its Date; trouble that passes is repeated when the call says
 * that it may be. */
#ifndef BERTH_AWS_AWS_IO_H
#define BERTH_AWS_AWS_IO_H

#include "aws/fault.h"
#include "aws/form.h"
#include "io/fetch.h"
#include "settings/settings.h"

struct aws;
struct aws_call;

enum aws_service { AWS_EC2, AWS_AUTOSCALING, AWS_CLOUDFORMATION, AWS_CLOUDWATCH };

#define EC2_VERSION "2016-11-15"
#define AUTOSCALING_VERSION "2011-01-01"
#define CLOUDFORMATION_VERSION "2010-05-15"
#define CLOUDWATCH_VERSION "2010-08-01"

/* Borrows all for life. NULL with err on failure. */
struct aws *aws_create(struct loop *loop, struct log *log, struct fetcher *fetcher,
                       const struct aws_settings *settings, struct err *err);
/* Answers what is under way (FAULT_PASSING, unknown). NULL is a no-op. */
void aws_destroy(struct aws *aws);

struct aws_answer {
    enum fault_kind kind; /* FAULT_NONE: done, body is the XML */
    bool unknown;         /* not done as far as is known, but perhaps carried out */
    const char *code;     /* AWS's own; "" */
    const char *error;    /* "RunInstances: InsufficientInstanceCapacity: ..."; NULL when done */
    struct span body;
};
typedef void aws_fn(void *arg, const struct aws_answer *answer);

enum aws_flags {
    AWS_AGAIN = 1, /* asking twice does not do it twice: repeat also when it may have been done */
};

/* Copies the form. limit_ms: for all attempts together; fn is then called at the latest (and a
 * second). fn is called once, later. NULL: out of memory, or the form was cut (fn is not called).
 */
struct aws_call *aws_send(struct aws *aws, enum aws_service service, const struct form *form,
                          int64_t limit_ms, unsigned flags, aws_fn *fn, void *arg);
/* fn is not called. Not after it was. */
void aws_cancel(struct aws_call *call);

/* The loop's clock, and AWS's: seconds since 1970, ours corrected by what its answers said. */
mono_ms_t aws_now(const struct aws *aws);
int64_t aws_wall_s(const struct aws *aws);

/* For the log and tests: requests that were sent, those that were throttled. */
void aws_counts(const struct aws *aws, uint64_t *ret_sent, uint64_t *ret_throttled);

#endif

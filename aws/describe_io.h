/* describe_io.h - DescribeInstances by filters, all pages of it.
 *
 * Shell. */
#ifndef BERTH_AWS_DESCRIBE_IO_H
#define BERTH_AWS_DESCRIBE_IO_H

#include "aws/aws_io.h"
#include "aws/instances.h"

struct describe;

struct describe_filter {
    const char *name;
    const char *const *values;
    size_t count; /* 1..200 */
};

/* answer: of the last page, or of the one that failed; list is whole only with FAULT_NONE. Both
 * borrowed for the call. */
typedef void describe_fn(void *arg, const struct instances *list, const struct aws_answer *answer);

/* Copies what it is given. fn is called once, later. NULL: it cannot be asked. */
struct describe *describe_start(struct aws *aws, const struct describe_filter *filters,
                                size_t filter_count, int64_t limit_ms, describe_fn *fn, void *arg);
/* fn is not called. Not after it was. */
void describe_cancel(struct describe *describe);

#endif

/* cloudwatch_io.h - sends figures of the pools that this process leads to CloudWatch.
 *
 * Shell. On a queue of its own: nothing waits for it, and what AWS does not take for long is
 * dropped, oldest first. */
#ifndef BERTH_AUTOSCALE_CLOUDWATCH_IO_H
#define BERTH_AUTOSCALE_CLOUDWATCH_IO_H

#include "autoscale/scale.h"
#include "io/log.h"
#include "io/loop.h"
#include "settings/settings.h"

struct aws;
struct cloudwatch_io;

struct cloudwatch_io_config {
    struct loop *loop;
    struct log *log;
    struct aws *aws; /* outlives it */
    const struct cloudwatch_settings *settings;
    const char *name_space;
    /* Pool number i: its name and status; NULL: there are no more. */
    const char *(*look)(void *arg, size_t i, struct scale_status *ret_status);
    void *arg;
};

/* Borrows what config points to for life. NULL with err on failure. */
struct cloudwatch_io *cloudwatch_io_create(const struct cloudwatch_io_config *config,
                                           struct err *err);
/* NULL is a no-op. What waits is lost. */
void cloudwatch_io_destroy(struct cloudwatch_io *cw);

#endif

/* act_io.h - what the rules of one pool ask of others: services that advise, commands run, services
 * told.
 *
 * Shell. Nothing here waits: a question that is under way is not asked again, each has its time
 * limit, and their ends are events for the core. */
#ifndef BERTH_AUTOSCALE_ACT_IO_H
#define BERTH_AUTOSCALE_ACT_IO_H

#include "autoscale/scale.h"
#include "io/fetch.h"

struct act_io_config {
    struct loop *loop;
    struct log *log;
    struct fetcher *fetcher;
    const struct policy *policy;
    /* May services be asked now (does this process lead, is its view whole)? */
    bool (*may_ask)(void *arg);
    /* The pool as it is; *ret_snapshot is borrowed until the next call. */
    void (*look)(void *arg, struct scale_status *ret_status, struct fleet_snapshot *ret_snapshot);
    /* SCALE_ADVICE and SCALE_ACTED. Never from within act_io_do(). */
    void (*event)(void *arg, struct scale_event *event);
    void *arg;
};

struct act_io;

/* Borrows what config points at, for life. NULL: no memory. */
struct act_io *act_io_create(const struct act_io_config *config);
/* What is under way is given up, commands are ended. NULL is a no-op. */
void act_io_destroy(struct act_io *act);

/* Around a change of the policy it borrows: give up what is under way; begin anew. */
void act_io_stop(struct act_io *act);
void act_io_start(struct act_io *act);

/* Carry out an EFFECT_ACT. */
void act_io_do(struct act_io *act, const struct effect *effect);

#endif

/* harbour.h - a whole berth installation on this machine: redis-server, LBs, autoscaler, and the
 * nodes it starts.
 *
 * For `berth up` and `berth demo`. Every process has a log file in <directory>/log. One that ends
 * by itself is said and started again after a pause (1 s, doubling to 30 s). Node processes belong
 * to the autoscaler; this process makes itself their reaper, so that they can be found and stopped
 * when all is to end. If this process is killed the others end too (the nodes go on: the next `up`
 * adopts them). */
#ifndef BERTH_CLI_HARBOUR_H
#define BERTH_CLI_HARBOUR_H

#include "io/log.h"
#include "io/loop.h"
#include "settings/settings.h"

struct harbour;

struct harbour_config {
    const char *directory;           /* absolute; made if absent, with log/ and local/ in it */
    const char *config_file;         /* absolute path of the berth.yaml the programs read */
    const struct settings *settings; /* of that file: which LBs there are */
    const char *redis_program;       /* "redis-server" */
    const char *redis_socket;        /* where redis listens; at most 100 bytes */
    void (*say)(void *arg,
                const char *line); /* progress for a person; borrowed line without newline */
    void (*stopped)(void *arg);    /* everything has ended after harbour_stop() */
    void *arg;
};

/* Start everything. NULL with err set when something could not be started (what was is stopped). */
struct harbour *harbour_open(struct loop *loop, struct log *log,
                             const struct harbour_config *config, struct err *err);

/* Begin to stop: autoscaler, nodes, LBs, redis, each with a time limit after which it is killed;
 * then `stopped`. Calling it again hastens: no more patience with what is left. */
void harbour_stop(struct harbour *harbour);

/* Frees; what still runs is killed. NULL is a no-op. */
void harbour_close(struct harbour *harbour);

/* Is there a process of that name ("lb-a", "autoscale", "redis"), and which? 0: not running. */
int harbour_pid(const struct harbour *harbour, const char *name);

#endif

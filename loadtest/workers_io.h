/* workers_io.h - the players of a run shared by several processes of this program: started,
 * listened to, added up.
 *
 * Each worker is this program with --swarm.worker true: once a second it says `progress ...` on its
 * standard output, at the end its tally (tally_write()). */
#ifndef BERTH_LOADTEST_WORKERS_IO_H
#define BERTH_LOADTEST_WORKERS_IO_H

#include "io/log.h"
#include "io/loop.h"
#include "loadtest/tally.h"

enum { WORKERS_MAX = 256 };

struct workers_config {
    size_t count;   /* 1..WORKERS_MAX */
    size_t players; /* of all */
    size_t first;   /* number of the first player */
    const char *prefix;
    char *const *argv; /* the arguments we were started with; borrowed */
    int argc;
};

/* What the players of all workers do now. */
struct workers_progress {
    int64_t started, asking, seeking, joining, playing, done, failed, retries, events;
};

struct workers;

/* done(arg) is called once, when all have ended. NULL with err. */
struct workers *workers_start(struct loop *loop, struct log *log,
                              const struct workers_config *config, void (*done)(void *arg),
                              void *arg, struct err *err);
struct workers_progress workers_progress(const struct workers *workers);
/* Valid once done. A worker that ended without its tally counts as `worker_lost` failures. */
const struct tally *workers_tally(const struct workers *workers);
/* Bring everyone home: SIGTERM to each. */
void workers_interrupt(struct workers *workers);
/* NULL is a no-op. */
void workers_destroy(struct workers *workers);

#endif

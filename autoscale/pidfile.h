/* pidfile.h - the processes that the local provider has started, as files that outlive it.
 *
 * Impure (files, /proc). `<directory>/<id>.pid` holds a plain record `pid= start= pool= token=`;
 * start is field 22 of /proc/PID/stat, so that a number used again is not taken for the process.
 * Written to a temporary name and renamed. A process whose starter died before it could write the
 * file is found by its arguments (`--instance <id>`). */
#ifndef BERTH_AUTOSCALE_PIDFILE_H
#define BERTH_AUTOSCALE_PIDFILE_H

#include "autoscale/fleet.h"
#include "core/err.h"

#include <sys/types.h>

struct pidfile {
    char id[NAME_SIZE], pool[NAME_SIZE], token[NAME_SIZE];
    pid_t pid;
    unsigned long long start;
};

/* Make the directory and its parents (0750). */
int pidfile_open(const char *directory, struct err *err) BERTH_MUST_USE;

int pidfile_write(const char *directory, const struct pidfile *file,
                  struct err *err) BERTH_MUST_USE;

/* The file of one instance. BERTH_ENOENT: none (or not readable as one). */
int pidfile_read(const char *directory, const char *id, struct pidfile *ret_file) BERTH_MUST_USE;

/* Every file of the pool whose process lives; those of dead processes are removed. Returns how many
 * were written to ret_files (at most max), or BERTH_ESYS with err. */
int pidfile_scan(const char *directory, const char *pool, struct pidfile *ret_files, size_t max,
                 struct err *err) BERTH_MUST_USE;

void pidfile_remove(const char *directory, const char *id);

/* Is it the very process that was started? */
bool pidfile_alive(const struct pidfile *file);
/* Milliseconds since the process was started. */
int64_t pidfile_age_ms(const struct pidfile *file);

/* A live process that was started with `--instance id`: its pid, or 0. Reads all of /proc: a few
 * milliseconds. */
pid_t pidfile_find_stray(const char *id);

/* Keep `<directory>/<id>.log` below max bytes: what is older goes to .log.1, whose former content
 * goes. The writer appends (O_APPEND), so it goes on at the new end. */
void pidfile_bound_log(const char *directory, const char *id, int64_t max);
/* Remove the oldest logs of processes that are gone, beyond the newest `keep`. */
void pidfile_prune_logs(const char *directory, size_t keep);

#endif

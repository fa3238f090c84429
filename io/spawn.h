/* spawn.h - start a program as a child process, without a shell.
 *
 * fork and exec: the child gets a clean signal mask and default handlers, /dev/null as standard
 * input unless told otherwise, its own session when it shall outlive us, and nothing of ours but
 * the three standard descriptors. */
#ifndef BERTH_IO_SPAWN_H
#define BERTH_IO_SPAWN_H

#include "core/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum { SPAWN_PASSED = 3 };

struct spawn {
    const char *const *argv; /* argv[0]: a path, or a name looked up beside this program and then in
                                PATH; ended by NULL */
    const char *const *env;  /* "NAME=value" added to our environment; ended by NULL; or NULL */
    const char *output; /* file that standard output and error are appended to (0640); NULL: ours */
    int output_fd; /* > 2: standard output goes there instead of `output` (error still to `output`)
                    */
    int error_fd;  /* > 2: standard error goes there */
    int input_fd;  /* > 2: standard input comes from there */
    int pass_fd;   /* > 2: the child has it as descriptor 3 (SPAWN_PASSED) */
    const char *directory; /* working directory; NULL: ours */
    bool own_session;      /* setsid: survives us and our terminal's Ctrl-C */
    int die_with_parent;   /* signal the child gets when we die (PR_SET_PDEATHSIG); 0: none */
};

/* Returns the pid, or BERTH_ESYS / BERTH_ENOENT with err (also when the exec failed: it is waited
 * for). Borrows spec for the call. */
pid_t spawn_process(const struct spawn *spec, struct err *err) BERTH_MUST_USE;

/* The path of a program: `name` itself if it holds a '/', else beside this program, else the name
 * (PATH decides). Returns ret_path. */
const char *spawn_find(const char *name, char *ret_path, size_t size);

/* When the process was started (field 22 of /proc/PID/stat, clock ticks since boot), so that a pid
 * file is not mistaken for another process that has its number now. 0: no such process, or a
 * zombie. */
unsigned long long spawn_start_time(pid_t pid);

#endif

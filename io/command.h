/* command.h - run a program of somebody else's: input, output, a time limit, and its complaints in
 * the log.
 *
 * Never waits. The program has a session of its own; when its time is over, or what it says is too
 * long, it and everything it started that is still in that session are killed. Each line it writes
 * on standard error becomes a log line (`ev=command`), at most COMMAND_LINES_MAX of them. */
#ifndef BERTH_IO_COMMAND_H
#define BERTH_IO_COMMAND_H

#include "core/span.h"
#include "io/log.h"
#include "io/loop.h"

enum { COMMAND_LINES_MAX = 100 };

struct command_spec {
    const char *const *argv; /* as for spawn_process() */
    const char *const *env;  /* "NAME=value" added, ended by NULL; or NULL */
    struct span input;       /* its standard input; may be empty */
    int64_t timeout_ms;      /* 0: 10,000 */
    int64_t grace_ms; /* after its time: SIGTERM, and SIGKILL so much later. 0: SIGKILL at once */
    bool leave_children; /* what it started lives on when it ends by itself with exit code 0 */
    size_t output_max;   /* bytes of standard output kept; 0: 64 KiB. More is a failure */
    const char *name;    /* in log lines; NULL: argv[0] */
};

struct command_result {
    /* 0: it ended by itself with exit code 0. BERTH_ETIMEOUT; BERTH_EFULL: too much output;
     * BERTH_EPROTO: another exit code, or a signal. */
    int code;
    int exit_code;      /* -1 when it was ended by a signal */
    struct span output; /* borrowed for the callback; followed by a NUL */
    const char *why;    /* "ok", "exit code 3", "signal 9", "killed after 5000 ms" ...; borrowed */
};

typedef void command_done_fn(void *arg, const struct command_result *result);

struct command;

/* Copies input. Returns NULL with err when it cannot be started; otherwise fn is called once, from
 * the loop. */
struct command *command_start(struct loop *loop, struct log *log, const struct command_spec *spec,
                              command_done_fn *fn, void *arg, struct err *err);
/* Kill it; fn is not called. Not after it was. NULL is a no-op. */
void command_cancel(struct command *command);
/* Forget it, having asked it to end (SIGTERM): for what must not be cut off in the middle when we
 * end ourselves. fn is not called. */
void command_leave(struct command *command);

#endif

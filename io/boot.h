/* boot.h - the life of a daemon: stages opened in order, the loop, stages closed in reverse.
 *
 *     static const struct boot_stage stages[] = {
 *         {"config", open_config, close_config},
 *         {"loop", open_loop, close_loop},
 *         {NULL, NULL, NULL},
 *     };
 *     int main(int argc, char **argv) { struct app app = {...}; return boot_run(&app.boot, stages,
 * &app); }
 *
 * SIGTERM or SIGINT: `stop` once (drain, then call boot_exit()); a second one ends the loop at
 * once. SIGHUP: `reload`, from the first moment on; SIGUSR2: `restart`. systemd is told READY=1
 * after the last stage, STOPPING=1 at the first signal, and is fed its watchdog from the loop. */
#ifndef BERTH_IO_BOOT_H
#define BERTH_IO_BOOT_H

#include "core/err.h"
#include "io/log.h"
#include "io/loop.h"
#include "io/notify.h"

struct boot_stage {
    const char *name;
    int (*open)(void *app, struct err *err); /* 0, or negative with err; BOOT_DONE: end now with
                                                boot->exit_code, no error */
    void (*close)(void *app);                /* may be NULL. Called only if open returned 0 */
};

/* A stage's way to say "nothing more to do" (--help was printed). */
enum { BOOT_DONE = 1 };

struct boot {
    /* Set by the program before boot_run() or in its stages. */
    struct loop *loop; /* a stage creates it; boot runs it after the last stage */
    struct log *log;   /* may be NULL: then errors go to stderr as plain text */
    void (*stop)(
        void *app); /* graceful; must lead to boot_exit(). NULL: the first signal ends the loop */
    void (*reload)(void *app);  /* SIGHUP. NULL: ignored */
    void (*restart)(void *app); /* SIGUSR2: succeed this process by a new one. NULL: ignored */
    bool of_terminal;           /* SIGHUP means that the person has gone: as SIGTERM, unless it was
                                   ignored before (nohup) */
    int exit_code;
    /* Its own. */
    void *app;
    struct notify notify;
    struct timer watchdog;
    bool ending; /* boot_exit() was called */
    int signals; /* SIGTERM and SIGINT so far */
};

/* Returns the exit code: boot->exit_code after a run, 1 when a stage failed (its name prefixes the
 * error), 128 + signal when stopped by a second signal. stages end with name == NULL. */
int boot_run(struct boot *boot, const struct boot_stage *stages, void *app);

/* End the loop; boot_run() closes the stages and returns `exit_code`. */
void boot_exit(struct boot *boot, int exit_code);

/* Do what a first SIGTERM does (idempotent). */
void boot_stop(struct boot *boot);

#endif

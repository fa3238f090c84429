/* program.h - what every program does alike: its configuration, its log, and SIGHUP. */
#ifndef BERTH_IO_PROGRAM_H
#define BERTH_IO_PROGRAM_H

#include "io/boot.h"
#include "io/config.h"

/* Read the configuration and set up `log` by it. NULL: the program is to end, with boot->exit_code
 * set; the stage returns BOOT_DONE. As config_open() else. Until boot->log is set, errors of the
 * stages that follow go to stderr as plain text. */
struct config *program_open(struct boot *boot, struct log *log,
                            const struct config_program *program, int argc, char *const argv[]);

/* SIGHUP. Reads everything again; NULL when it is wrong, which was said on stderr and in the log:
 * the program goes on with the old one. */
struct config *program_reload(struct log *log, struct config *live);

/* Take what may be taken of it while running (rows marked OPT_LIVE) into `live`; each change is
 * said in the log, and what needs a restart too. False: nothing was taken (said likewise) and
 * `fresh` is closed. */
bool program_take(struct log *log, struct config *live, struct config *fresh);

/* For programs that take otherwise: the log's level and format of these settings. */
void program_set_log(struct log *log, const struct log_settings *settings);

/* Refuse it: say why, close it. */
void program_refuse(struct log *log, struct config *fresh, const char *why);

#endif

/* config.h - the configuration of a program: berth.yaml < environment < flags, checked against the
 * tables of settings/.
 *
 * Any option may be set by the file, by the environment (BERTH_REDIS__PORT=6380,
 * BERTH_POOLS__GAME__LOST_AFTER=5s) and by a flag
 * (--redis.port 6380, --redis.port=6380, or an alias the program declares); later ones win.
 * Elements of lists are numbered:
 * --tickets.keys.0.secret. Which file: --config FILE, or BERTH_CONFIG, or /etc/berth/berth.yaml if
 * it is there; otherwise none.
 *
 * A program names the sections it reads. Others that berth knows are accepted unread;
 * --check-config validates them too. Unknown keys, duplicates, wrong types and values out of range
 * are errors that say where, what is allowed, and the nearest known key; all of them (up to
 * CONFIG_ERRORS_MAX) are reported at once. */
#ifndef BERTH_IO_CONFIG_H
#define BERTH_IO_CONFIG_H

#include "settings/settings.h"

#include <stdio.h>

enum { CONFIG_ERRORS_MAX = 20 };

struct config_alias {
    const char *flag; /* "--name"; or a letter, "-n" */
    const char *path; /* "gamenode.name" */
};

struct config_program {
    const char *name;                   /* "berth-lb" */
    const char *summary;                /* one sentence for --help */
    const char *const *reads;           /* names of sections, ended by NULL */
    const struct config_alias *aliases; /* ended by flag == NULL; or NULL */
    const char
        *operands; /* "[COMMAND ...]" if the program takes words that are no flags; NULL: refused */
};

struct config;

/* Load, for main(). --help, --version, --check-config, --print-config and --print-manual are
 * carried out here, on `out`; errors go to `errors`, one a line. Returns NULL when the program is
 * to end now with *ret_exit (0: done what was asked; 1: the configuration is wrong; 2: the command
 * line is). argv[0] is skipped. Borrows program, argv and envp for the life of the configuration.
 */
struct config *config_open(const struct config_program *program, int argc, char *const argv[],
                           char *const envp[], FILE *out, FILE *errors, int *ret_exit);

/* Read everything again (SIGHUP). NULL when it is wrong (errors were written): go on with the old
 * one. The old one stays valid. */
struct config *config_reload(const struct config *config, FILE *errors);

/* One option or section that differs: was it taken, or does it need a restart? */
typedef void config_told(void *arg, const char *path, bool taken);

/* Take what may change while running (rows marked OPT_LIVE, sections marked live) from `fresh` into
 * `live`; told (NULL: nobody is) hears of every difference. Takes `fresh`; it stays as long as
 * `live`, or until the next. BERTH_EINVAL with err, nothing taken and `fresh` still the caller's,
 * when a named element (a pool) is no longer there. Values that were borrowed from a section marked
 * live, or from an earlier `fresh`, are gone: ask config_settings() again. */
int config_take(struct config *live, struct config *fresh, config_told *told, void *arg,
                struct err *err) BERTH_MUST_USE;

/* NULL is a no-op. Everything that came from it goes with it. */
void config_close(struct config *config);

const struct settings *config_settings(const struct config *config);
/* The file that was read, or NULL. */
const char *config_file(const struct config *config);
/* The words that were no flags, ended by NULL. */
const char *const *config_operands(const struct config *config, size_t *ret_count);

/* Where the value at this address (of a field of config_settings()) came from: "berth.yaml:12",
 * "environment BERTH_REDIS__PORT", "flag --name" or "default". For a program's own complaints. */
const char *config_where(const struct config *config, const void *value);
/* Was it set by anyone? */
bool config_is_set(const struct config *config, const void *value);

/* docs/configuration.md, made from the tables. */
void config_print_manual(FILE *out);

#endif

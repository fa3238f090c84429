/* config_run.h - one reading of a configuration: what config_open() made of a file with a text, of
 * flags and an environment. */
#ifndef BERTH_TESTS_UNIT_IO_CONFIG_RUN_H
#define BERTH_TESTS_UNIT_IO_CONFIG_RUN_H

#include "io/config.h"

/* Reads redis, log, tickets, pools and lb; --name and -n stand for lb.name. */
extern const struct config_program config_run_program;

struct config_run {
    struct config *config;
    const struct settings *s;
    char *out, *errors;
    size_t out_len, errors_len;
    int exit_code;
    char file[64];
    const char *argv[16]; /* borrowed by the configuration */
};

/* The program p on a file with this text. flags: ended by NULL, or NULL; envp likewise. */
struct config_run *config_run_with(const struct config_program *p, const char *yaml,
                                   char *const *envp, const char *const *flags);
/* config_run_program, on the file alone. */
struct config_run *config_run_yaml(const char *yaml);
/* Closes the configuration, removes the file. */
void config_run_end(struct config_run *run);
/* The errors with the file's name cut to "F". Valid until the end. */
const char *config_run_errors(struct config_run *run);

#endif

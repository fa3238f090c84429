/* config_run.c - one reading of a configuration. */
#include "tests/unit/io/config_run.h"

#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const reads[] = {"redis", "log", "tickets", "pools", "lb", NULL};
static const struct config_alias aliases[] = {
    {"--name", "lb.name"}, {"-n", "lb.name"}, {NULL, NULL}};
const struct config_program config_run_program = {"berth-test", "a program for the tests", reads,
                                                  aliases, NULL};

struct config_run *config_run_with(const struct config_program *p, const char *yaml,
                                   char *const *envp, const char *const *flags)
{
    struct config_run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    const char **argv = run->argv;
    int argc = 0;
    argv[argc++] = "berth-test";
    argv[argc++] = "-c";
    argv[argc++] = run->file;
    (void)snprintf(run->file, sizeof run->file, "/tmp/berth-config-XXXXXX");
    int fd = mkstemp(run->file);
    assert_true(fd >= 0);
    assert_true(write(fd, yaml, strlen(yaml)) == (ssize_t)strlen(yaml));
    close(fd);
    for (; flags && *flags; flags++)
        argv[argc++] = *flags;
    FILE *out = open_memstream(&run->out, &run->out_len),
         *errors = open_memstream(&run->errors, &run->errors_len);
    assert_true(out && errors);
    run->exit_code = -1;
    run->config =
        config_open(p, argc, (char *const *)(uintptr_t)argv, envp, out, errors, &run->exit_code);
    fclose(out);
    fclose(errors);
    if (run->config)
        run->s = config_settings(run->config);
    return run;
}

struct config_run *config_run_yaml(const char *yaml)
{
    return config_run_with(&config_run_program, yaml, NULL, NULL);
}

void config_run_end(struct config_run *run)
{
    config_close(run->config);
    unlink(run->file);
    free(run->out);
    free(run->errors);
    free(run);
}

const char *config_run_errors(struct config_run *run)
{
    char *hit;
    size_t len = strlen(run->file);
    while ((hit = strstr(run->errors, run->file))) {
        *hit = 'F';
        memmove(hit + 1, hit + len, strlen(hit + len) + 1);
    }
    return run->errors;
}

/* program.c - what every program does alike: its configuration, its log, and SIGHUP. */
#include "io/program.h"

#include <unistd.h>

void program_set_log(struct log *log, const struct log_settings *settings)
{
    log->level = (enum log_level)settings->level;
    log->json = settings->format == 1;
}

struct config *program_open(struct boot *boot, struct log *log,
                            const struct config_program *program, int argc, char *const argv[])
{
    int exit_code = 0;
    struct config *config = config_open(program, argc, argv, environ, stdout, stderr, &exit_code);
    if (!config) {
        boot->exit_code = exit_code;
        return NULL;
    }
    log_init(log, program->name);
    program_set_log(log, &config_settings(config)->log);
    return config;
}

struct config *program_reload(struct log *log, struct config *live)
{
    struct config *fresh = config_reload(live, stderr);
    if (!fresh)
        log_error(log, "reload_refused", "why=the_file_is_wrong goes_on_with=the_old_one");
    return fresh;
}

void program_refuse(struct log *log, struct config *fresh, const char *why)
{
    log_error(log, "reload_refused", "why=%s goes_on_with=the_old_one", why);
    config_close(fresh);
}

static void on_change(void *arg, const char *path, bool taken)
{
    struct log *log = arg;
    if (taken)
        log_info(log, "option_changed", "option=%s", path);
    else
        log_warn(log, "option_not_taken", "option=%s why=needs_a_restart", path);
}

bool program_take(struct log *log, struct config *live, struct config *fresh)
{
    struct err err = {0};
    if (config_take(live, fresh, on_change, log, &err) < 0) {
        program_refuse(log, fresh, err.text);
        return false;
    }
    program_set_log(log, &config_settings(live)->log);
    log_info(log, "reloaded", "file=%s", config_file(live) ? config_file(live) : "-");
    return true;
}

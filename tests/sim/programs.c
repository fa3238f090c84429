/* programs.c - starting and ending the real programs; their configuration. */
#include "tests/sim/programs.h"

#include "io/config.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The linker gives the programs these instead of the real ones (--wrap). */
struct config *__real_config_open(const struct config_program *program, int argc,
                                  char *const argv[], char *const envp[], FILE *out, FILE *errors,
                                  int *ret_exit);
const struct settings *__real_config_settings(const struct config *config);
void __real_config_close(struct config *config);
struct config *__wrap_config_open(const struct config_program *program, int argc,
                                  char *const argv[], char *const envp[], FILE *out, FILE *errors,
                                  int *ret_exit);
const struct settings *__wrap_config_settings(const struct config *config);
void __wrap_config_close(struct config *config);
const char *__wrap_config_file(const struct config *config);
const char *__wrap_config_where(const struct config *config, const void *value);
bool __wrap_config_is_set(const struct config *config, const void *value);
struct config *__wrap_config_reload(const struct config *config, FILE *errors);
struct lb *__real_lb_create(const struct lb_config *config, mono_ms_t now, struct err *err);
struct lb *__wrap_lb_create(const struct lb_config *config, mono_ms_t now, struct err *err);

enum { ROOMS_REMEMBERED = 4096 };

static struct config *base;

struct copy {
    struct settings settings;
};

int programs_configure(const char *yaml, struct err *err)
{
    static const char *const reads[] = {"redis",     "log",      "tickets",   "pools", "lb",
                                        "autoscale", "gamenode", "lobbynode", NULL};
    static const struct config_program program = {.name = "berth-sim", .reads = reads};
    char path[64], option[] = "--config", name[] = "berth-sim";
    int fd = memfd_create("berth.yaml", 0), exit_code;
    size_t len = strlen(yaml);
    if (fd < 0 || write(fd, yaml, len) != (ssize_t)len)
        return err_set(err, BERTH_ESYS, "cannot write the configuration");
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    char *argv[] = {name, option, path, NULL}, *envp[] = {NULL};
    base = __real_config_open(&program, 3, argv, envp, stdout, stderr, &exit_code);
    (void)close(fd);
    return base != NULL ? 0 : err_set(err, BERTH_EINVAL, "the configuration of the world is wrong");
}

void programs_unconfigure(void)
{
    __real_config_close(base);
    base = NULL;
}

const struct settings *programs_settings(void)
{
    return __real_config_settings(base);
}

static void set_node(struct node_settings *node, const char *flag, const char *value)
{
    if (strcmp(flag, "--name") == 0)
        node->name = value;
    else if (strcmp(flag, "--instance") == 0)
        node->instance = value;
    else if (strcmp(flag, "--zone") == 0)
        node->zone = value;
}

struct config *__wrap_config_open(const struct config_program *program, int argc,
                                  char *const argv[], char *const envp[], FILE *out, FILE *errors,
                                  int *ret_exit)
{
    struct copy *copy = malloc(sizeof *copy);
    assert(copy != NULL);
    copy->settings = *programs_settings();
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--name") == 0)
            copy->settings.lb.name = copy->settings.autoscale.name = argv[i + 1];
        if (strcmp(argv[i], "--admin-port") == 0)
            copy->settings.autoscale.admin.port = (int)strtol(argv[i + 1], NULL, 10);
        set_node(&copy->settings.gamenode.node, argv[i], argv[i + 1]);
        set_node(&copy->settings.lobbynode.node, argv[i], argv[i + 1]);
    }
    return (struct config *)copy;
}

const struct settings *__wrap_config_settings(const struct config *config)
{
    return &((const struct copy *)config)->settings;
}

void __wrap_config_close(struct config *config)
{
    free(config);
}

const char *__wrap_config_file(const struct config *config)
{
    return NULL;
}

const char *__wrap_config_where(const struct config *config, const void *value)
{
    return "the world";
}

bool __wrap_config_is_set(const struct config *config, const void *value)
{
    return false;
}

struct config *__wrap_config_reload(const struct config *config, FILE *errors)
{
    return NULL;
}

/* Tables of the size of this world. */
struct lb *__wrap_lb_create(const struct lb_config *config, mono_ms_t now, struct err *err)
{
    struct lb_config small = *config;
    small.rooms_max = small.players_max = ROOMS_REMEMBERED;
    return __real_lb_create(&small, now, err);
}

/* ---- tasks ---- */

static void close_stages(void *arg)
{
    struct task *t = arg;
    while (t->opened > 0) {
        t->opened--;
        if (t->program->stages[t->opened].close)
            t->program->stages[t->opened].close(t->app);
    }
}

static void open_stages(void *arg)
{
    struct task *t = arg;
    struct boot *boot = t->app;
    boot->app = t->app;
    boot->notify.fd = -1;
    for (; t->program->stages[t->opened].name; t->opened++) {
        struct err err = {0};
        int rc = t->program->stages[t->opened].open(t->app, &err);
        if (rc != 0) {
            sim_trace(t->proc.name, "boot stage=%s error=%s", t->program->stages[t->opened].name,
                      err.text);
            t->proc.exiting = true;
            return;
        }
    }
}

static void finish(struct task *t)
{
    t->proc.up = false;
    free(t->app);
    t->app = NULL;
    proc_cut(&t->proc, t->proc.muted);
    proc_fini(&t->proc);
}

static void on_exit_task(void *arg)
{
    struct task *t = arg;
    struct boot *boot = t->app;
    t->exit_code = boot->exit_code;
    sim_trace(t->proc.name, "exit code=%d", t->exit_code);
    t->proc.on_exit = NULL;
    proc_run(&t->proc, close_stages, t);
    finish(t);
    if (t->on_end != NULL)
        t->on_end(t->end_arg);
}

bool task_start(struct task *t, const char *proc_name, const struct program *program,
                const struct flag *flags, size_t flag_count)
{
    proc_init(&t->proc, proc_name);
    t->program = program;
    t->opened = 0;
    t->started_us = sim->now_us;
    t->app = calloc(1, program->size);
    assert(t->app != NULL && flag_count <= FLAGS_MAX);
    t->argc = 0;
    (void)snprintf(t->words[0], sizeof t->words[0], "%s", program->name);
    t->argv[t->argc++] = t->words[0];
    for (size_t i = 0; i < flag_count; i++) {
        (void)snprintf(t->words[t->argc], sizeof t->words[0], "%s", flags[i].name);
        t->argv[t->argc] = t->words[t->argc];
        t->argc++;
        (void)snprintf(t->words[t->argc], sizeof t->words[0], "%s", flags[i].value);
        t->argv[t->argc] = t->words[t->argc];
        t->argc++;
    }
    t->argv[t->argc] = NULL;
    program->init(t->app, t->argc, t->argv);
    t->proc.on_exit = NULL;
    sim_trace(proc_name, "start program=%s", program->name);
    proc_run(&t->proc, open_stages, t);
    if (t->proc.exiting) {
        proc_run(&t->proc, close_stages, t);
        finish(t);
        return false;
    }
    t->proc.on_exit = on_exit_task;
    t->proc.exit_arg = t;
    return true;
}

static void term(void *arg)
{
    struct task *t = arg;
    boot_stop(t->app);
}

void task_term(struct task *t)
{
    sim_trace(t->proc.name, "signal TERM");
    proc_run(&t->proc, term, t);
}

void task_kill(struct task *t, bool silently)
{
    sim_trace(t->proc.name, "killed silently=%d", silently);
    t->proc.on_exit = NULL;
    t->proc.exiting = false;
    proc_cut(&t->proc, silently);
    t->proc.muted = true;
    proc_run(&t->proc, close_stages, t);
    t->proc.muted = true;
    finish(t);
}

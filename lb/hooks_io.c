/* hooks_io.c - what happens to this balancer, told to the programs in lb.hooks.
 *
 * Each executable of the directory is run for each event, in the order of their names, one at a
 * time: BERTH_EVENT and what the event says are in the environment. Its output becomes log lines;
 * it is killed when its time is over. Events that come while QUEUE_MAX wait are dropped, and that
 * is told. A directory or a file that others may write, or that belongs to neither root nor us, is
 * refused: whoever can write it would be us. */
#include "core/record.h"
#include "io/command.h"
#include "lb/app.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { QUEUE_MAX = 64, FILES_MAX = 32, ENV_MAX = 24, PATH_SIZE = 1024, OUTPUT_MAX = 65536 };

struct hook {
    char env[ENV_MAX][LB_TEXT_MAX + 48];
    size_t count;
    const char *event;
};

struct hooks {
    struct app *app;
    const char *directory;
    struct hook queue[QUEUE_MAX];
    size_t first, count;
    char files[FILES_MAX][PATH_SIZE]; /* of the event under way */
    size_t file_count, file_next;
    struct command *command;
    uint64_t dropped;
};

/* ---- which programs ---- */

static const char *fault_of(const struct stat *st)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return "owned_by_another";
    return st->st_mode & S_IWOTH ? "others_may_write" : NULL;
}

static bool take(struct hooks *hooks, const char *name)
{
    char *path = hooks->files[hooks->file_count];
    struct stat st;
    size_t len = strlen(name);
    if (name[0] == '.' || name[len - 1] == '~' || strstr(name, ".dpkg-") != NULL)
        return false;
    if (snprintf(path, PATH_SIZE, "%s/%s", hooks->directory, name) >= PATH_SIZE ||
        stat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
        !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        return false;
    const char *fault = fault_of(&st);
    if (fault != NULL)
        log_error(&hooks->app->log, "hook_refused", "file=%s why=%s", path, fault);
    return fault == NULL;
}

/* Looked up for each event: what is put there takes part from then on. */
static void list(struct hooks *hooks)
{
    struct dirent **names = NULL;
    struct stat st;
    hooks->file_count = hooks->file_next = 0;
    const char *fault = stat(hooks->directory, &st) < 0 ? strerror(errno) : fault_of(&st);
    int count = fault != NULL ? 0 : scandir(hooks->directory, &names, NULL, alphasort);
    if (fault != NULL || count < 0)
        log_error(&hooks->app->log, "hook_refused", "directory=%s why=%s", hooks->directory,
                  fault ? fault : strerror(errno));
    for (int i = 0; i < count; i++) {
        if (hooks->file_count < FILES_MAX && take(hooks, names[i]->d_name))
            hooks->file_count++;
        free(names[i]);
    }
    free(names);
}

/* ---- running ---- */

static void run(struct hooks *hooks);

static void on_done(void *arg, const struct command_result *result)
{
    struct hooks *hooks = arg;
    struct log *log = &hooks->app->log;
    const struct hook *hook = &hooks->queue[hooks->first];
    const char *file = hooks->files[hooks->file_next - 1];
    struct span rest = result->output;
    hooks->command = NULL;
    while (rest.len > 0) {
        struct span line = span_cut(&rest, '\n');
        log_info(log, "hook_output", "file=%s line=%.*s", file, SPAN_ARG(line));
    }
    if (result->code == 0)
        log_info(log, "hook", "event=%s file=%s why=ok", hook->event, file);
    else
        log_error(log, "hook", "event=%s file=%s why=%s", hook->event, file, result->why);
    run(hooks);
}

/* The next program of this event, or the next event. */
static void run(struct hooks *hooks)
{
    struct app *app = hooks->app;
    while (hooks->count > 0 && hooks->command == NULL) {
        const struct hook *hook = &hooks->queue[hooks->first];
        if (hooks->file_next == hooks->file_count) {
            hooks->first = (hooks->first + 1) % QUEUE_MAX;
            hooks->count--;
            if (hooks->count > 0)
                list(hooks);
            continue;
        }
        const char *file = hooks->files[hooks->file_next++];
        const char *env[ENV_MAX + 1] = {NULL};
        const char *const argv[] = {file, hook->event, NULL};
        for (size_t i = 0; i < hook->count; i++)
            env[i] = hook->env[i];
        const struct command_spec spec = {.argv = argv,
                                          .env = env,
                                          .timeout_ms = app->settings->lb.hook_timeout_ms,
                                          .output_max = OUTPUT_MAX,
                                          .name = "hook"};
        struct err err = {0};
        hooks->command = command_start(app->loop, &app->log, &spec, on_done, hooks, &err);
        if (hooks->command == NULL)
            log_error(&app->log, "hook", "event=%s file=%s why=%s", hook->event, file, err.text);
    }
}

/* ---- events ---- */

static void put(struct hook *hook, struct span name, const char *value)
{
    if (hook->count == ENV_MAX)
        return;
    char *text = hook->env[hook->count++];
    (void)snprintf(text, sizeof hook->env[0], "BERTH_%.*s=%s", (int)(name.len < 32 ? name.len : 32),
                   name.ptr, value);
    for (char *c = text; *c != '='; c++)
        *c = (char)toupper((unsigned char)*c);
}

void hooks_event(struct hooks *hooks, const struct lb_effect *fx)
{
    if (hooks == NULL)
        return;
    struct app *app = hooks->app;
    if (hooks->count == QUEUE_MAX) {
        if (hooks->dropped++ % QUEUE_MAX == 0)
            log_error(&app->log, "hook", "event=%s why=queue_full dropped=%llu", fx->hook,
                      (unsigned long long)hooks->dropped);
        return;
    }
    struct hook *hook = &hooks->queue[(hooks->first + hooks->count) % QUEUE_MAX];
    *hook = (struct hook){.event = fx->hook};
    put(hook, SPAN("event"), fx->hook);
    put(hook, SPAN("lb"), app->me->name);
    put(hook, SPAN("pool"), app->pools[fx->pool].settings->name);
    put(hook, SPAN("node"), fx->node);
    put(hook, SPAN("why"), fx->why);
    struct span rest = span_of(fx->text), name, value;
    char text[LB_TEXT_MAX];
    while (record_next(&rest, &name, &value))
        if (record_decode(value, text, sizeof text) >= 0)
            put(hook, name, text);
    if (hooks->count++ == 0)
        list(hooks);
    run(hooks);
}

struct hooks *hooks_create(struct app *app, struct err *err)
{
    struct hooks *hooks = calloc(1, sizeof *hooks);
    if (hooks == NULL) {
        (void)err_set(err, BERTH_ENOMEM, "no memory for hooks");
        return NULL;
    }
    hooks->app = app;
    hooks->directory = app->settings->lb.hooks;
    return hooks;
}

void hooks_destroy(struct hooks *hooks)
{
    if (hooks == NULL)
        return;
    command_cancel(hooks->command);
    free(hooks);
}

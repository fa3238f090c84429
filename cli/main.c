/* main.c - `berth`: for people. `berth VERB [flags]`. */
#include "cli/berth.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct verb *const verbs[] = {&verb_up, &verb_demo, &verb_status};
enum { VERBS = sizeof verbs / sizeof *verbs };

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void berth_remove_directory(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void list_verbs(FILE *out)
{
    (void)fprintf(out, "verbs:\n");
    for (size_t i = 0; i < VERBS; i++)
        (void)fprintf(out, "  %-10s %s\n", verbs[i]->name, verbs[i]->help);
}

static int open_config(void *app, struct err *err)
{
    static const char *const reads[] = {"redis", "log", "pools", "lb", "autoscale", "up", NULL};
    static const struct config_alias aliases[] = {{"--directory", "up.directory"}, {NULL, NULL}};
    static const struct config_program program = {
        .name = "berth",
        .summary = "berth up: everything on this machine; berth demo: see it work; berth status: "
                   "the fleet",
        .reads = reads,
        .aliases = aliases,
        .operands = "VERB (up, demo, status)",
    };
    struct berth *b = app;
    b->config =
        config_open(&program, b->argc, b->argv, environ, stdout, stderr, &b->boot.exit_code);
    if (!b->config)
        return BOOT_DONE;
    b->settings = config_settings(b->config);
    log_init(&b->log, "berth");
    b->log.level = (enum log_level)b->settings->log.level;
    b->log.json = b->settings->log.format == 1;
    size_t count = 0;
    const char *const *words = config_operands(b->config, &count);
    for (size_t i = 0; count == 1 && i < VERBS; i++)
        if (strcmp(words[0], verbs[i]->name) == 0)
            b->verb = verbs[i];
    if (b->verb)
        return 0;
    if (count > 0)
        (void)fprintf(stderr, "berth: %s: there is no such verb\n",
                      count > 1 ? words[1] : words[0]);
    list_verbs(count ? stderr : stdout);
    config_close(b->config);
    b->config = NULL;
    b->boot.exit_code = 2;
    return BOOT_DONE;
}

static void close_config(void *app)
{
    struct berth *b = app;
    config_close(b->config);
}

static int open_loop(void *app, struct err *err)
{
    struct berth *b = app;
    b->loop = b->boot.loop = loop_create(err);
    return b->loop ? 0 : err->code;
}

static void close_loop(void *app)
{
    struct berth *b = app;
    loop_destroy(b->loop);
}

static int open_fetch(void *app, struct err *err)
{
    struct berth *b = app;
    b->fetcher = fetcher_create(b->loop, &b->log, err);
    return b->fetcher ? 0 : err->code;
}

static void close_fetch(void *app)
{
    struct berth *b = app;
    fetcher_destroy(b->fetcher);
}

static int open_verb(void *app, struct err *err)
{
    struct berth *b = app;
    int code = b->verb->open(b, err);
    if (code < 0)
        b->verb->close(b);
    return code;
}

static void close_verb(void *app)
{
    struct berth *b = app;
    b->verb->close(b);
}

static void stop(void *app)
{
    struct berth *b = app;
    b->verb->stop(b);
}

int main(int argc, char **argv)
{
    static const struct boot_stage stages[] = {
        {"config", open_config, close_config},
        {"loop", open_loop, close_loop},
        {"fetch", open_fetch, close_fetch},
        {"verb", open_verb, close_verb},
        {NULL, NULL, NULL},
    };
    struct berth berth = {.argc = argc, .argv = argv, .boot = {.stop = stop}};
    return boot_run(&berth.boot, stages, &berth);
}

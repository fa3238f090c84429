/* main.c - `berth`: for people. `berth VERB [flags]`. */
#include "cli/berth.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct verb *const verbs[] = {&verb_up,     &verb_demo,  &verb_status,
                                           &verb_events, &verb_why,   &verb_simulate,
                                           &verb_record, &verb_alert, &verb_doctor};
enum { VERBS = sizeof verbs / sizeof *verbs };

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void berth_remove_directory(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* The verb number i of all, or NULL after the last. */
static const struct verb *verb_at(size_t i)
{
    if (i < VERBS)
        return verbs[i];
    return wish_verbs[i - VERBS].name ? &wish_verbs[i - VERBS] : NULL;
}

static void list_verbs(FILE *out)
{
    (void)fprintf(out, "verbs:\n");
    for (size_t i = 0; verb_at(i); i++) {
        char usage[64];
        (void)snprintf(usage, sizeof usage, "%s %s", verb_at(i)->name, verb_at(i)->args);
        (void)fprintf(out, "  %-18s %s\n", usage, verb_at(i)->help);
    }
    (void)fprintf(out, "flags: --config FILE; --help for all\n");
}

static size_t words_in(const char *args)
{
    size_t n = *args != '\0';
    for (; *args; args++)
        n += *args == ' ';
    return n;
}

/* Which verb do the words name? NULL: told why on `errors`. */
static const struct verb *choose(const char *const *words, size_t count, FILE *errors)
{
    const struct verb *verb = NULL;
    for (size_t i = 0; count > 0 && verb_at(i); i++)
        if (strcmp(words[0], verb_at(i)->name) == 0)
            verb = verb_at(i);
    if (verb && words_in(verb->args) == count - 1)
        return verb;
    if (verb)
        (void)fprintf(errors, "berth: %s: %s, not %zu word%s; usage: berth %s%s%s\n", verb->name,
                      *verb->args ? verb->args : "takes no word", count - 1, count == 2 ? "" : "s",
                      verb->name, *verb->args ? " " : "", verb->args);
    else if (count > 0)
        (void)fprintf(errors, "berth: %s: there is no such verb\n", words[0]);
    if (!verb)
        list_verbs(errors);
    return NULL;
}

static int open_config(void *app, struct err *err)
{
    static const char *const reads[] = {"redis", "log", "pools",    "lb",     "autoscale",
                                        "up",    "cli", "simulate", "alerts", NULL};
    static const struct config_alias aliases[] = {{"--directory", "up.directory"},
                                                  {"--until", "cli.until"},
                                                  {"--why", "cli.why"},
                                                  {"--message", "cli.why"},
                                                  {"--keep", "cli.keep"},
                                                  {"--lines", "cli.lines"},
                                                  {"--follow", "cli.follow"},
                                                  {"--test", "cli.test"},
                                                  {"--json", "cli.json"},
                                                  {"--policy", "simulate.policy"},
                                                  {"--trace", "simulate.trace"},
                                                  {"--pool", "simulate.pool"},
                                                  {"--timeline", "simulate.timeline"},
                                                  {"--plot", "simulate.plot"},
                                                  {"--as", "simulate.as"},
                                                  {"--events", "simulate.events"},
                                                  {"--boot", "simulate.boot"},
                                                  {"--session", "simulate.session"},
                                                  {"--warmup", "simulate.warmup"},
                                                  {"--flap-window", "simulate.flap_window"},
                                                  {"--capacity", "simulate.capacity"},
                                                  {"--initial", "simulate.initial"},
                                                  {"--seed", "simulate.seed"},
                                                  {NULL, NULL}};
    static const struct config_program program = {
        .name = "berth",
        .summary = "berth up: everything on this machine; berth demo: see it work; berth status: "
                   "the fleet",
        .reads = reads,
        .aliases = aliases,
        .operands = "VERB [WORD ...]",
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
    b->verb = choose(words, count, stderr);
    if (b->verb) {
        b->words = words + 1;
        b->word_count = count - 1;
        return 0;
    }
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
        {"berth", open_verb, close_verb},
        {NULL, NULL, NULL},
    };
    struct berth berth = {.argc = argc, .argv = argv, .boot = {.stop = stop, .of_terminal = true}};
    int code = boot_run(&berth.boot, stages, &berth);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    struct pollfd reader = {.fd = STDOUT_FILENO};
    if (poll(&reader, 1, 0) <= 0 || !(reader.revents & POLLERR)) /* it had enough: `| head` */
        (void)fputs("berth: standard output cannot be written\n", stderr);
    return code ? code : 1;
}

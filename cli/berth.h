/* berth.h - what the verbs of `berth` share: one process, its loop and configuration. */
#ifndef BERTH_CLI_BERTH_H
#define BERTH_CLI_BERTH_H

#include "io/boot.h"
#include "io/config.h"
#include "io/fetch.h"

struct berth {
    struct boot boot;
    int argc;
    char **argv;
    struct config *config;
    const struct settings *settings;
    struct log log;
    struct loop *loop;
    struct fetcher *fetcher;
    const struct verb *verb;
    const char *const *words; /* after the verb */
    size_t word_count;
    void *state; /* the verb's own */
};

struct verb {
    const char *name;
    const char *args; /* "POOL NODE": what follows the verb, for --help; as many words as it has */
    const char *help;
    int (*open)(struct berth *berth, struct err *err); /* 0, or negative with err */
    void (*stop)(struct berth *berth); /* the first Ctrl-C; must lead to boot_exit() */
    void (*close)(struct berth *berth);
};

extern const struct verb verb_up, verb_demo, verb_status, verb_events, verb_why, verb_simulate,
    verb_record, verb_alert, verb_doctor;
/* The wishes: drain, hold, release, pause, resume, scale, close, open; ended by name == NULL. */
extern const struct verb wish_verbs[];

/* Remove a directory and all in it. */
void berth_remove_directory(const char *path);

#endif

/* provider.h - how machines are made and unmade: one small table of functions per kind.
 *
 * Shell: not for the core. All calls are asynchronous: the callback comes later from the loop,
 * exactly once, never from within the call; what is outstanding at close() is answered then. A
 * launch is idempotent by its token: called again with it, the provider makes only what is missing,
 * and answers with everything that the token stands for. */
#ifndef BERTH_AUTOSCALE_PROVIDER_H
#define BERTH_AUTOSCALE_PROVIDER_H

#include "autoscale/scale.h"
#include "io/fetch.h"
#include "io/log.h"
#include "io/loop.h"

struct aws;

struct provider_env {
    struct loop *loop;
    struct log *log;
    const struct autoscale_settings *settings;
    const char *config_file; /* handed to what is started; NULL: none */
    struct fetcher *fetcher; /* requests out; outlives the provider */
    const char *name_space;  /* of this installation: marks what is its own */
    struct aws *aws;         /* for those on AWS; outlives the provider */
};

/* outcome DONE: the instances; else error says why (ids NULL). */
typedef void provider_launched_fn(void *arg, enum scale_outcome outcome,
                                  const char (*ids)[NAME_SIZE], size_t count, const char *error);
typedef void provider_done_fn(void *arg, enum scale_outcome outcome, const char *error);
/* error NULL: the list is whole. */
typedef void provider_listed_fn(void *arg, const struct fleet_listed *items, size_t count,
                                const char *error);

struct provider_kind {
    const char *name;         /* as in the configuration */
    int64_t settle_ms;        /* its list must be stable this long before a new leader launches */
    int64_t list_interval_ms; /* how often it may be asked while something is under way */
    /* NULL with err on failure. Borrows env's members for life. */
    void *(*open)(const struct provider_env *env, struct err *err);
    void (*close)(void *provider); /* NULL is a no-op. Instances live on */
    /* Is this pool's configuration enough to launch from? */
    int (*check)(void *provider, const char *pool, struct err *err);
    void (*launch)(void *provider, const char *pool, const char *token, int count, const char *zone,
                   provider_launched_fn *fn, void *arg);
    void (*terminate)(void *provider, const char *pool, const char *id, provider_done_fn *fn,
                      void *arg);
    void (*list)(void *provider, const char *pool, provider_listed_fn *fn, void *arg);
};

extern const struct provider_kind provider_exec, provider_docker;
extern const struct provider_kind provider_local, provider_ec2, provider_asg,
    provider_cloudformation;

/* NULL with err naming those there are. */
const struct provider_kind *provider_named(const char *name, struct err *err);

/* ---- the providers of one process: one of each kind that a pool uses ---- */

enum { PROVIDERS_MAX = 16 };

struct provider {
    const struct provider_kind *kind;
    void *self;
};

struct providers {
    struct provider item[PROVIDERS_MAX];
    size_t count;
};

/* The provider of that name, opened if it is not yet. NULL with err. */
const struct provider *providers_open(struct providers *providers, const char *name,
                                      const struct provider_env *env, struct err *err);
/* One that was opened, or NULL. */
const struct provider *providers_named(const struct providers *providers, const char *name);
/* All of them, the last one first. */
void providers_close(struct providers *providers);

#endif

/* app.h - the state of berth-autoscale, made in main(), and what its files do for each other. */
#ifndef BERTH_AUTOSCALE_APP_H
#define BERTH_AUTOSCALE_APP_H

#include "autoscale/admin_io.h"
#include "autoscale/cloudwatch_io.h"
#include "aws/aws_io.h"
#include "io/boot.h"
#include "io/redis.h"
#include "store/store.h"

/* A pool's Redis. */
struct store_of {
    struct app *app;
    struct keys keys;
    const struct redis_settings *server;
    struct redis_config config;
    struct redis *redis;
    bool lost;
    char why[128];
};

struct app {
    struct boot boot; /* first: boot_run's */
    int argc;
    char **argv;
    struct config *config;
    const struct settings *settings;
    struct config *reloaded; /* the last that was taken after SIGHUP: the pools go by it */
    struct log log;
    struct loop *loop;
    struct web *web;
    struct store_of stores[POOLS_MAX]; /* of the pools that are scaled, in their order */
    size_t store_count;
    struct fetcher *fetcher;
    struct aws *aws;
    struct cloudwatch_io *cloudwatch; /* NULL: off */
    struct providers providers;       /* one of each kind that a pool uses */
    struct pool_io *pools[POOLS_MAX];
    size_t pool_count;
    size_t resigning;
    struct admin_io admin;
    struct alerts_io *alerts;
    uint64_t notices[NOTICE_KINDS]; /* people were told */
    char nonce[33];
    char url[128];
};

static inline const struct pool_settings *app_pool_at(const struct app *app, size_t i)
{
    return SECTION_AT(app->settings->pools, struct pool_settings, i);
}

/* Everything that people should hear about comes by here (autoscale/notice.h). arg: the app. */
void app_notice(void *arg, const struct notice *notice);

/* ---- stores_io.c: the stage "store" ---- */

int stores_open(void *app, struct err *err);
void stores_close(void *app);
/* Of the pool of this name; NULL: it is not scaled. */
struct redis *stores_redis(void *app, const char *pool);

/* ---- tell_io.c: the stages "alerts" and "cloudwatch" ---- */

int tell_alerts_open(void *app, struct err *err);
void tell_alerts_close(void *app);
int tell_cloudwatch_open(void *app, struct err *err);
void tell_cloudwatch_close(void *app);

#endif

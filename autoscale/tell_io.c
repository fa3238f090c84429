/* tell_io.c - who is told of the pools from outside: alerts, and figures for CloudWatch. */
#include "autoscale/app.h"
#include "autoscale/pool_io.h"

#include <string.h>

/* ---- alerts ---- */

static struct pool_io *pool_called(const struct app *app, const char *name)
{
    for (size_t i = 0; i < app->pool_count; i++)
        if (strcmp(pool_io_name(app->pools[i]), name) == 0)
            return app->pools[i];
    return NULL;
}

static bool leads_pool(void *arg, const char *name)
{
    const struct pool_io *pool = pool_called(arg, name);
    struct scale_status status = {0};
    if (pool)
        pool_io_status(pool, &status);
    return status.leading;
}

static bool sees_pool(void *arg, const char *name)
{
    const struct pool_io *pool = pool_called(arg, name);
    return pool && pool_io_is_live(pool);
}

int tell_alerts_open(void *arg, struct err *err)
{
    struct app *app = arg;
    const struct alerts_io_config config = {.loop = app->loop,
                                            .log = &app->log,
                                            .redis_of = stores_redis,
                                            .fetcher = app->fetcher,
                                            .settings = app->settings,
                                            .sender = app->settings->autoscale.name,
                                            .leading = leads_pool,
                                            .view_live = sees_pool,
                                            .arg = app};
    app->alerts = alerts_io_create(&config, err);
    app->admin.alerts = app->alerts;
    return app->alerts ? 0 : BERTH_EINVAL;
}

void tell_alerts_close(void *arg)
{
    struct app *app = arg;
    app->admin.alerts = NULL;
    alerts_io_destroy(app->alerts);
}

/* ---- cloudwatch ---- */

static const char *look_at(void *arg, size_t i, struct scale_status *ret_status)
{
    const struct app *app = arg;
    if (i >= app->pool_count)
        return NULL;
    pool_io_status(app->pools[i], ret_status);
    return pool_io_name(app->pools[i]);
}

int tell_cloudwatch_open(void *arg, struct err *err)
{
    struct app *app = arg;
    const struct cloudwatch_io_config config = {.loop = app->loop,
                                                .log = &app->log,
                                                .aws = app->aws,
                                                .settings = &app->settings->autoscale.cloudwatch,
                                                .name_space = app->settings->redis.name_space,
                                                .look = look_at,
                                                .arg = app};
    if (!config.settings->enabled)
        return 0;
    app->cloudwatch = cloudwatch_io_create(&config, err);
    return app->cloudwatch ? 0 : BERTH_ENOMEM;
}

void tell_cloudwatch_close(void *arg)
{
    struct app *app = arg;
    cloudwatch_io_destroy(app->cloudwatch);
    app->cloudwatch = NULL;
}

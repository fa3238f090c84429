/* alert_io.c - an LB tells people what happens while no autoscaler leads: alerts/ does the work. */
#include "alerts/alerts_io.h"
#include "lb/app.h"

static bool owns_pool(void *arg, const char *name)
{
    const struct app *app = arg;
    struct lb_pool_view view;
    int pool = lb_pool_find(app->lb, span_of(name));
    if (pool < 0 || app->closing)
        return false;
    lb_pool_view(app->lb, (size_t)pool, loop_now(app->loop), &view);
    return view.owner;
}

static struct redis *redis_of(void *arg, const char *name)
{
    const struct app *app = arg;
    int pool = lb_pool_find(app->lb, span_of(name));
    return pool < 0 ? NULL : app->pools[pool].redis;
}

int app_open_alerts(void *arg, struct err *err)
{
    struct app *app = arg;
    const struct alerts_io_config config = {.loop = app->loop,
                                            .log = &app->log,
                                            .redis_of = redis_of,
                                            .fetcher = app->fetcher,
                                            .settings = app->settings,
                                            .sender = app->me->name,
                                            .leading = owns_pool,
                                            .standby = true,
                                            .arg = app};
    app->alerts = alerts_io_create(&config, err);
    return app->alerts ? 0 : BERTH_EINVAL;
}

void app_close_alerts(void *arg)
{
    struct app *app = arg;
    alerts_io_destroy(app->alerts);
    app->alerts = NULL;
}

/* stores_io.c - the Redis of each pool that is scaled, and people hear when one is lost or back. */
#include "autoscale/app.h"
#include "autoscale/pool_io.h"

#include <stdio.h>
#include <string.h>

/* One of the process itself. */
static void tell(struct app *app, struct notice notice)
{
    snprintf(notice.who, sizeof notice.who, "%s", app->settings->autoscale.name);
    app_notice(app, &notice);
}

/* Can every pool's Redis be asked? */
static bool redis_up(void *arg)
{
    const struct app *app = arg;
    for (size_t i = 0; i < app->store_count; i++)
        if (!redis_is_up(app->stores[i].redis))
            return false;
    return true;
}

static const char *why_of(const struct store_of *store)
{
    return store->why[0] ? store->why : NULL;
}

/* Is another pool of the same Redis without it, too? Then people have been told. */
static bool told_already(const struct app *app, const struct store_of *store)
{
    for (size_t i = 0; i < app->store_count; i++) {
        const struct store_of *other = &app->stores[i];
        bool same = other->server == store->server;
        if (other != store && same && other->lost)
            return true;
    }
    return false;
}

static void on_redis_up(void *arg)
{
    struct store_of *store = arg;
    struct app *app = store->app;
    size_t pool = (size_t)(store - app->stores);
    bool was_lost = store->lost;
    store->lost = false;
    if (was_lost && !told_already(app, store))
        tell(app, notice_make(NOTICE_STORE_BACK, NOTICE_INFO, NULL));
    if (pool < app->pool_count)
        pool_io_redis_up(app->pools[pool]);
}

static void on_redis_down(void *arg, const char *why)
{
    struct store_of *store = arg;
    (void)snprintf(store->why, sizeof store->why, "%s", why);
    if (!store->lost && !told_already(store->app, store))
        tell(store->app, notice_make(NOTICE_STORE_LOST, NOTICE_WARNING, why_of(store)));
    store->lost = true;
}

void stores_close(void *arg)
{
    struct app *app = arg;
    for (size_t i = 0; i < app->store_count; i++)
        redis_destroy(app->stores[i].redis);
    app->store_count = 0;
}

/* A connection for each pool: they may be in different places. */
int stores_open(void *arg, struct err *err)
{
    struct app *app = arg;
    for (size_t i = 0; i < app->settings->pools.count; i++) {
        const struct pool_settings *pool = app_pool_at(app, i);
        struct store_of *store = &app->stores[app->store_count];
        struct redis_events events = {on_redis_up, on_redis_down, store};
        if (!pool->scale.provider)
            continue;
        int code = keys_init(&store->keys, app->settings->redis.name_space, pool->name, err);
        if (code == 0) {
            store->app = app;
            store->server = settings_redis(app->settings, pool->redis);
            store->config = store_redis_config(app->settings, pool->redis, &store->keys);
            store->redis =
                redis_create(app->loop, &app->log, &store->config, scripts_table, &events, err);
            code = store->redis ? 0 : BERTH_ESYS;
        }
        if (code < 0) {
            stores_close(app);
            return code;
        }
        app->store_count++;
    }
    app->admin.redis_up = redis_up;
    app->admin.redis_arg = app;
    return 0;
}

struct redis *stores_redis(void *arg, const char *name)
{
    const struct app *app = arg;
    for (size_t i = 0; i < app->store_count; i++)
        if (strcmp(app->stores[i].keys.pool, name) == 0)
            return app->stores[i].redis;
    return NULL;
}

/* main.c - berth-autoscale: grows and shrinks the pools, one leader a pool, without killing a
 * session. */
#include "autoscale/admin_io.h"
#include "autoscale/cloudwatch_io.h"
#include "aws/aws_io.h"
#include "io/boot.h"
#include "io/program.h"
#include "io/redis.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

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
    uint64_t notices[NOTICE_KINDS];
    /* people were told */
    char nonce[33];
    char url[128];
};

static const struct pool_settings *pool_at(const struct app *app, size_t i)
{
    return SECTION_AT(app->settings->pools, struct pool_settings, i);
}

/* ---- config ---- */

static int open_config(void *arg, struct err *err)
{
    static const char *const reads[] = {"redis", "log", "pools", "autoscale", "alerts", NULL};
    static const struct config_alias aliases[] = {
        {"--name", "autoscale.name"}, {"--admin", "autoscale.admin"}, {NULL, NULL}};
    static const struct config_program program = {
        .name = "berth-autoscale",
        .summary = "Watches the pools, starts nodes before they are full, and drains them when "
                   "they are not needed.",
        .reads = reads,
        .aliases = aliases,
    };
    struct app *app = arg;
    app->config = program_open(&app->boot, &app->log, &program, app->argc, app->argv);
    if (!app->config)
        return BOOT_DONE;
    app->settings = config_settings(app->config);
    app->boot.log = &app->log;
    return 0;
}

static void close_config(void *arg)
{
    struct app *app = arg;
    app->boot.log = NULL;
    config_close(app->reloaded);
    config_close(app->config);
}

/* ---- loop ---- */

static int open_loop(void *arg, struct err *err)
{
    struct app *app = arg;
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_set(err, BERTH_ESYS, "getrandom failed");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(app->nonce + 2 * i, 3, "%02x", random[i]);
    app->loop = app->boot.loop = loop_create(err);
    return app->loop ? 0 : BERTH_ESYS;
}

static void close_loop(void *arg)
{
    struct app *app = arg;
    loop_destroy(app->loop);
    app->loop = app->boot.loop = NULL;
}

/* ---- web ---- */

static int open_web(void *arg, struct err *err)
{
    struct app *app = arg;
    const struct host_port *listen = &app->settings->autoscale.admin;
    app->web = web_create(app->loop, &app->log, err);
    if (!app->web)
        return BERTH_ESYS;
    app->admin.pools = app->pools;
    app->admin.notices = app->notices;
    if (admin_io_open(&app->admin, app->web, listen, err) < 0) {
        web_destroy(app->web);
        return BERTH_ESYS;
    }
    int port = web_server_port(app->admin.server);
    snprintf(app->url, sizeof app->url,
             strchr(listen->host, ':') ? "http://[%s]:%d" : "http://%s:%d", listen->host, port);
    log_info(&app->log, "listening", "url=%s", app->url);
    return 0;
}

static void close_web(void *arg)
{
    struct app *app = arg;
    admin_io_close(&app->admin);
    web_destroy(app->web);
}

/* ---- aws ---- */

/* Nothing is asked before somebody uses it. */
static int open_aws(void *arg, struct err *err)
{
    struct app *app = arg;
    app->aws = aws_create(app->loop, &app->log, app->fetcher, &app->settings->autoscale.aws, err);
    return app->aws ? 0 : BERTH_ESYS;
}

static void close_aws(void *arg)
{
    struct app *app = arg;
    aws_destroy(app->aws);
}

/* ---- provider ---- */

static int open_providers(void *arg, struct err *err)
{
    struct app *app = arg;
    const struct provider_env env = {.loop = app->loop,
                                     .log = &app->log,
                                     .settings = &app->settings->autoscale,
                                     .config_file = config_file(app->config),
                                     .fetcher = app->fetcher,
                                     .name_space = app->settings->redis.name_space,
                                     .aws = app->aws};
    for (size_t i = 0; i < app->settings->pools.count; i++) {
        const struct pool_settings *pool = pool_at(app, i);
        if (!pool->scale.provider)
            continue;
        const struct provider *made =
            providers_open(&app->providers, pool->scale.provider, &env, err);
        if (!made)
            err_prefix(err, "%s: pools.%s.scale", config_where(app->config, &pool->scale.provider),
                       pool->name);
        if (!made || made->kind->check(made->self, pool->name, err) < 0) {
            providers_close(&app->providers);
            return BERTH_EINVAL;
        }
    }
    if (app->providers.count == 0)
        log_warn(&app->log, "nothing_to_scale", "why=no_pool_has_scale.provider");
    return 0;
}

static void close_providers(void *arg)
{
    struct app *app = arg;
    providers_close(&app->providers);
}

/* ---- notices ---- */

/* Everything that people should hear about comes by here (autoscale/notice.h). */
static void on_notice(void *arg, const struct notice *notice)
{
    struct app *app = arg;
    app->notices[notice->kind]++;
}

/* One of the process itself. */
static void tell(struct app *app, struct notice notice)
{
    snprintf(notice.who, sizeof notice.who, "%s", app->settings->autoscale.name);
    on_notice(app, &notice);
}

/* ---- store and pools ---- */

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

static void close_store(void *arg)
{
    struct app *app = arg;
    for (size_t i = 0; i < app->store_count; i++)
        redis_destroy(app->stores[i].redis);
    app->store_count = 0;
}

/* A connection for each pool: they may be in different places. */
static int open_store(void *arg, struct err *err)
{
    struct app *app = arg;
    for (size_t i = 0; i < app->settings->pools.count; i++) {
        const struct pool_settings *pool = pool_at(app, i);
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
            close_store(app);
            return code;
        }
        app->store_count++;
    }
    app->admin.redis_up = redis_up;
    app->admin.redis_arg = app;
    return 0;
}

static int open_fetch(void *arg, struct err *err)
{
    struct app *app = arg;
    app->fetcher = fetcher_create(app->loop, &app->log, err);
    return app->fetcher ? 0 : BERTH_ESYS;
}

static void close_fetch(void *arg)
{
    struct app *app = arg;
    fetcher_destroy(app->fetcher);
}

static void on_resigned(void *arg)
{
    struct app *app = arg;
    if (--app->resigning == 0)
        boot_exit(&app->boot, 0);
}

static void close_pools(void *arg)
{
    struct app *app = arg;
    app->admin.count = 0;
    for (size_t i = 0; i < app->pool_count; i++)
        pool_io_destroy(app->pools[i]);
    app->pool_count = 0;
}

static int open_pools(void *arg, struct err *err)
{
    struct app *app = arg;
    for (size_t i = 0; i < app->settings->pools.count; i++) {
        if (!pool_at(app, i)->scale.provider)
            continue;
        const struct provider *provider =
            providers_named(&app->providers, pool_at(app, i)->scale.provider);
        struct pool_io_config config = {.loop = app->loop,
                                        .log = &app->log,
                                        .redis = app->stores[app->pool_count].redis,
                                        .redis_config = &app->stores[app->pool_count].config,
                                        .name_space = app->settings->redis.name_space,
                                        .autoscale = &app->settings->autoscale,
                                        .pool = pool_at(app, i),
                                        .kind = provider->kind,
                                        .provider = provider->self,
                                        .fetcher = app->fetcher,
                                        .nonce = app->nonce,
                                        .url = app->url,
                                        .notices = {on_notice, app},
                                        .resigned = on_resigned,
                                        .arg = app};
        app->pools[app->pool_count] = pool_io_create(&config, err);
        if (!app->pools[app->pool_count]) {
            close_pools(app);
            return BERTH_EINVAL;
        }
        app->admin.count = ++app->pool_count;
    }
    return 0;
}

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

static struct redis *redis_of(void *arg, const char *name)
{
    const struct app *app = arg;
    for (size_t i = 0; i < app->store_count; i++)
        if (strcmp(app->stores[i].keys.pool, name) == 0)
            return app->stores[i].redis;
    return NULL;
}

static int open_alerts(void *arg, struct err *err)
{
    struct app *app = arg;
    const struct alerts_io_config config = {.loop = app->loop,
                                            .log = &app->log,
                                            .redis_of = redis_of,
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

static void close_alerts(void *arg)
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

static int open_cloudwatch(void *arg, struct err *err)
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

static void close_cloudwatch(void *arg)
{
    struct app *app = arg;
    cloudwatch_io_destroy(app->cloudwatch);
    app->cloudwatch = NULL;
}

/* SIGTERM: give the leadership back so that the other takes over at once. Instances live on. */
static void stop(void *arg)
{
    struct app *app = arg;
    if (app->pool_count == 0)
        boot_exit(&app->boot, 0);
    app->resigning = app->pool_count;
    for (size_t i = 0; i < app->pool_count; i++)
        pool_io_resign(app->pools[i]);
}

/* Can every pool go by this configuration? */
static int prepare_all(struct app *app, const struct settings *settings, struct err *err)
{
    for (size_t i = 0; i < app->pool_count; i++) {
        const char *name = pool_io_name(app->pools[i]);
        const struct pool_settings *pool = settings_pool(settings, span_of(name));
        const struct pool_settings *was = settings_pool(app->settings, span_of(name));
        if (!pool || !pool->scale.provider ||
            strcmp(pool->scale.provider, was->scale.provider) != 0)
            return err_set(err, BERTH_EINVAL,
                           "pools.%s.scale: needs a restart: the pool or its provider is another",
                           name);
        int rc = pool_io_prepare(app->pools[i], pool, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* SIGHUP: how the pools are scaled is read anew, by all pools or none. */
static void reload(void *arg)
{
    struct app *app = arg;
    struct err err = {0};
    struct config *fresh = program_reload(&app->log, app->config);
    if (!fresh)
        return;
    if (prepare_all(app, config_settings(fresh), &err) < 0) {
        for (size_t i = 0; i < app->pool_count; i++)
            pool_io_forget(app->pools[i]);
        program_refuse(&app->log, fresh, err.text);
        return;
    }
    for (size_t i = 0; i < app->pool_count; i++)
        pool_io_commit(app->pools[i]);
    config_close(app->reloaded);
    app->reloaded = fresh;
    program_set_log(&app->log, &config_settings(fresh)->log);
    log_info(&app->log, "reloaded", "pools=%zu", app->pool_count);
}

static const struct boot_stage stages[] = {
    {"config", open_config, close_config}, /* arguments, file, environment */
    {"loop", open_loop, close_loop},       /* event loop, signals, clock */
    {"fetch", open_fetch, close_fetch},    /* HTTP requests of providers and rules */
    {"aws", open_aws, close_aws},
    {"provider", open_providers, close_providers}, /* who makes and unmakes instances */
    {"store", open_store, close_store},            /* Redis */
    {"web", open_web, close_web},                  /* /healthz, /metrics */
    {"pools", open_pools, close_pools},            /* last: one core a pool, following its feed */
    {"alerts", open_alerts, close_alerts},         /* who hears of it */
    {"cloudwatch", open_cloudwatch, close_cloudwatch}, /* figures for AWS */
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    static struct app app;
    app.argc = argc;
    app.argv = argv;
    app.boot.stop = stop;
    app.boot.reload = reload;
    return boot_run(&app.boot, stages, &app);
}

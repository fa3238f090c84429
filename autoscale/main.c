/* main.c - berth-autoscale: grows and shrinks the pools, one leader a pool, without killing a
 * session. */
#include "autoscale/app.h"
#include "io/program.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

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
        const struct pool_settings *pool = app_pool_at(app, i);
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

void app_notice(void *arg, const struct notice *notice)
{
    struct app *app = arg;
    app->notices[notice->kind]++;
}

/* ---- pools ---- */

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
        if (!app_pool_at(app, i)->scale.provider)
            continue;
        const struct provider *provider =
            providers_named(&app->providers, app_pool_at(app, i)->scale.provider);
        struct pool_io_config config = {.loop = app->loop,
                                        .log = &app->log,
                                        .redis = app->stores[app->pool_count].redis,
                                        .redis_config = &app->stores[app->pool_count].config,
                                        .name_space = app->settings->redis.name_space,
                                        .autoscale = &app->settings->autoscale,
                                        .pool = app_pool_at(app, i),
                                        .kind = provider->kind,
                                        .provider = provider->self,
                                        .fetcher = app->fetcher,
                                        .nonce = app->nonce,
                                        .url = app->url,
                                        .notices = {app_notice, app},
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
    {"provider", open_providers, close_providers},   /* who makes and unmakes instances */
    {"store", stores_open, stores_close},            /* Redis */
    {"web", open_web, close_web},                    /* /healthz, /metrics */
    {"pools", open_pools, close_pools},              /* last: one core a pool, following its feed */
    {"alerts", tell_alerts_open, tell_alerts_close}, /* who hears of it */
    {"cloudwatch", tell_cloudwatch_open, tell_cloudwatch_close}, /* figures for AWS */
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

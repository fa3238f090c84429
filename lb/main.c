/* main.c - berth-lb: tells players where to go, and watches the nodes they are sent to. */
#include "core/hex.h"
#include "io/program.h"
#include "lb/app.h"
#include "lb/reload_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ROOMS_MAX = 262144, PLAYERS_MAX = 131072, STOP_WAIT_MS = 500 };

struct berth_lb {
    struct app app; /* first: the stages take it for the app */
    int argc;
    char **argv;
};

static const struct pool_settings *pool_at(const struct app *app, size_t i)
{
    return SECTION_AT(app->settings->pools, struct pool_settings, i);
}

static const struct lb_peer_settings *peer_at(const struct app *app, size_t i)
{
    return SECTION_AT(app->settings->lb.peers, struct lb_peer_settings, i);
}

/* ---- config ---- */

static int find_me(struct app *app, struct err *err)
{
    const struct lb_settings *s = &app->settings->lb;
    for (size_t i = 0; i < s->peers.count; i++)
        if (s->name != NULL && strcmp(peer_at(app, i)->name, s->name) == 0) {
            app->me = peer_at(app, i);
            app->my_peer = i;
            return 0;
        }
    if (s->name == NULL)
        return err_set(err, BERTH_EINVAL, "lb.name (--name): must say which of lb.peers this is");
    return err_set(err, BERTH_EINVAL, "lb.name = %s: must be one of lb.peers", s->name);
}

static int check(struct app *app, struct err *err)
{
    int code = find_me(app, err);
    if (code == 0 && app->settings->pools.count == 0)
        code = err_set(err, BERTH_EINVAL, "pools: must name at least one pool");
    return code;
}

static int open_config(void *arg, struct err *err)
{
    static const char *const reads[] = {"redis", "log", "tickets", "pools", "lb", "alerts", NULL};
    static const struct config_alias aliases[] = {{"--name", "lb.name"}, {NULL, NULL}};
    static const struct config_program program = {
        .name = "berth-lb",
        .summary = "Answers where a player is to connect; probes nodes and moves their states.",
        .reads = reads,
        .aliases = aliases,
    };
    struct berth_lb *me = arg;
    struct app *app = &me->app;
    app->config = program_open(&app->boot, &app->log, &program, me->argc, me->argv);
    if (app->config == NULL)
        return BOOT_DONE;
    app->settings = config_settings(app->config);
    int code = check(app, err);
    if (code < 0)
        config_close(app->config);
    return code;
}

static void close_config(void *arg)
{
    struct app *app = arg;
    config_close(app->config);
}

/* ---- loop ---- */

static void on_stop_timer(void *arg)
{
    struct app *app = arg;
    boot_exit(&app->boot, 0);
}

/* Give back leases and names, tell the peer, and wait for the store to have heard it. */
static void stop(void *arg)
{
    struct app *app = arg;
    log_info(&app->log, "stopping", "lb=%s", app->me->name);
    app->stopping = true;
    service_look(app->service);
    web_server_stop_accepting(app->public_server);
    app_event(app, (struct lb_event){.kind = LB_STOP});
    timer_start(&app->stop_timer, STOP_WAIT_MS, 0);
}

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int open_loop(void *arg, struct err *err)
{
    struct app *app = arg;
    unsigned char nonce[(APP_NONCE_SIZE - 1) / 2];
    if (getrandom(nonce, sizeof nonce, 0) != (ssize_t)sizeof nonce ||
        getrandom(&app->jti_start, sizeof app->jti_start, 0) != (ssize_t)sizeof app->jti_start)
        return err_set(err, BERTH_ESYS, "getrandom failed");
    hex_encode((struct span){(const char *)nonce, sizeof nonce}, app->nonce, sizeof app->nonce);
    raise_descriptors();
    app->loop = loop_create(err);
    if (app->loop == NULL)
        return err->code;
    app->boot.loop = app->loop;
    app->boot.log = &app->log;
    app->boot.stop = stop;
    app->boot.reload = reload_all;
    timer_init(&app->timer, app->loop, app_on_timer, app);
    timer_init(&app->stop_timer, app->loop, on_stop_timer, app);
    return 0;
}

static void close_loop(void *arg)
{
    struct app *app = arg;
    timer_stop(&app->timer);
    timer_stop(&app->stop_timer);
    loop_destroy(app->loop);
    app->loop = NULL;
}

/* ---- pools and keys ---- */

static void close_pools(void *arg)
{
    struct app *app = arg;
    for (size_t i = 0; app->pools != NULL && i < app->pool_count; i++)
        ticket_keys_destroy(app->pools[i].player_keys);
    ticket_keys_destroy(app->keys);
    free(app->pools);
    app->pools = NULL;
}

static int open_pools(void *arg, struct err *err)
{
    struct app *app = arg;
    app->pool_count = app->settings->pools.count;
    app->pools = calloc(app->pool_count, sizeof *app->pools);
    if (app->pools == NULL)
        return err_set(err, BERTH_ENOMEM, "no memory");
    int code = 0;
    for (size_t i = 0; code == 0 && i < app->pool_count; i++) {
        struct app_pool *pool = &app->pools[i];
        pool->app = app;
        pool->index = i;
        pool->settings = pool_at(app, i);
        code = keys_init(&pool->keys, app->settings->redis.name_space, pool->settings->name, err);
        if (code == 0)
            code = reload_player_keys(pool->settings, &pool->player_keys, err);
    }
    if (code == 0)
        code = reload_ticket_keys(&app->settings->tickets, &app->keys, err);
    if (code < 0)
        close_pools(app);
    return code;
}

/* ---- web ---- */

static void close_web(void *arg)
{
    struct app *app = arg;
    probes_destroy(app->probes);
    app->probes = NULL;
    fetcher_destroy(app->fetcher);
    web_destroy(app->web);
}

static int open_web(void *arg, struct err *err)
{
    struct app *app = arg;
    app->web = web_create(app->loop, &app->log, err);
    if (app->web != NULL)
        app->fetcher = fetcher_create(app->loop, &app->log, err);
    if (app->fetcher != NULL)
        app->probes = probes_create(app, err);
    if (app->probes != NULL)
        return 0;
    close_web(app);
    return err->code;
}

/* ---- core ---- */

static int open_core(void *arg, struct err *err)
{
    struct app *app = arg;
    struct lb_pool_config pools[POOLS_MAX];
    for (size_t i = 0; i < app->pool_count; i++)
        pools[i] = (struct lb_pool_config){.settings = app->pools[i].settings};
    const struct lb_config config = {
        .name = app->me->name,
        .lb = &app->settings->lb,
        .tickets = &app->settings->tickets,
        .pools = pools,
        .pool_count = app->pool_count,
        .nodes_max = (size_t)app->settings->lb.nodes_max,
        .rooms_max = ROOMS_MAX,
        .players_max = PLAYERS_MAX,
        .seed = app->jti_start,
    };
    app->lb = lb_create(&config, loop_now(app->loop), err);
    return app->lb == NULL ? err->code : 0;
}

static void close_core(void *arg)
{
    struct app *app = arg;
    lb_destroy(app->lb);
    app->lb = NULL;
}

/* ---- peers ---- */

static int open_peers(void *arg, struct err *err)
{
    struct app *app = arg;
    app->peers = peers_create(app, err);
    return app->peers == NULL ? err->code : 0;
}

static void close_peers(void *arg)
{
    struct app *app = arg;
    peers_destroy(app->peers);
    app->peers = NULL;
}

/* ---- store ---- */

static void close_store(void *arg)
{
    struct app *app = arg;
    app->closing = true; /* no more steps: whoever waits is told that no answer came */
    for (size_t i = 0; i < app->pool_count; i++)
        store_follow_destroy(app->pools[i].follow);
    for (size_t i = 0; i < app->pool_count; i++) {
        barrier_destroy(app->pools[i].barrier);
        redis_destroy(app->pools[i].redis);
        app->pools[i].barrier = NULL;
        app->pools[i].redis = NULL;
    }
    asked_close(app);
}

/* A connection for each pool: they may be in different places. */
static int open_store(void *arg, struct err *err)
{
    struct app *app = arg;
    int code = 0;
    for (size_t i = 0; code == 0 && i < app->pool_count; i++) {
        struct app_pool *pool = &app->pools[i];
        const struct redis_config config =
            store_redis_config(app->settings, pool->settings->redis, &pool->keys);
        const struct redis_events events = app_redis_events(pool);
        pool->redis = redis_create(app->loop, &app->log, &config, scripts_table, &events, err);
        if (pool->redis != NULL)
            pool->barrier = barrier_create(app->loop, &app->log, &config, err);
        code = pool->barrier == NULL ? err->code : app_follow(app, pool, &config, err);
    }
    if (code < 0)
        close_store(app);
    else
        app_rearm(app);
    return code;
}

/* ---- http ---- */

static void close_http(void *arg)
{
    struct app *app = arg;
    if (app->public_server != NULL)
        web_server_close(app->public_server);
    if (app->admin_server != NULL)
        web_server_close(app->admin_server);
    app->public_server = app->admin_server = NULL;
}

/* "*" in any pool opens the listener for all pages: it is one listener for all pools. */
static int origins_of(const struct app *app, const char **list, size_t max, struct err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < app->pool_count; i++) {
        const struct text_list *origins = &app->pools[i].settings->cors_origins;
        for (size_t j = 0; j < origins->count; j++) {
            if (count + 1 >= max)
                return err_set(err, BERTH_EFULL, "cors_origins: at most %zu in all pools", max - 1);
            list[count++] = origins->items[j];
        }
    }
    list[count] = NULL;
    return (int)count;
}

static int open_http(void *arg, struct err *err)
{
    struct app *app = arg;
    const struct lb_settings *s = &app->settings->lb;
    struct host_port public_at = s->public_listen.host ? s->public_listen : app->me->public_listen;
    struct host_port admin_at = s->admin_listen.host ? s->admin_listen : app->me->admin_listen;
    const char *origins[257];
    int origin_count = origins_of(app, origins, sizeof origins / sizeof *origins, err);
    if (origin_count < 0)
        return origin_count;
    const struct ws_route links[] = {{"/v1/peer", peers_handlers(app->peers)}, {.path = NULL}};
    const struct web_server_config admin = {.name = "admin",
                                            .address = admin_at.host,
                                            .port = admin_at.port,
                                            .routes = admin_routes,
                                            .http_arg = app,
                                            .ws = links,
                                            .body_max = (size_t)s->body_max_bytes,
                                            .idle_ms = s->idle_ms};
    const struct web_server_config public = {.name = "public",
                                             .address = public_at.host,
                                             .port = public_at.port,
                                             .routes = public_routes,
                                             .http_arg = app,
                                             .cors_origins = origin_count > 0 ? origins : NULL,
                                             .body_max = (size_t)s->body_max_bytes,
                                             .connections_max = (size_t)s->connections_max,
                                             .idle_ms = s->idle_ms,
                                             .tls_cert = s->tls_cert,
                                             .tls_key = s->tls_key};
    app->admin_server = web_listen(app->web, &admin, err);
    if (app->admin_server != NULL)
        app->public_server = web_listen(app->web, &public, err);
    if (app->public_server == NULL) {
        close_http(app);
        return err->code;
    }
    log_info(&app->log, "listening", "lb=%s public=%s:%d admin=%s:%d", app->me->name,
             public_at.host, web_server_port(app->public_server), admin_at.host,
             web_server_port(app->admin_server));
    return 0;
}

/* ---- service and hooks ---- */

static void close_service(void *arg)
{
    struct app *app = arg;
    service_destroy(app->service);
    app->service = NULL;
}

static int open_service(void *arg, struct err *err)
{
    struct app *app = arg;
    app->service = service_create(app, err);
    return app->service == NULL ? err->code : 0;
}

static void close_hooks(void *arg)
{
    struct app *app = arg;
    hooks_destroy(app->hooks);
    app->hooks = NULL;
}

static int open_hooks(void *arg, struct err *err)
{
    struct app *app = arg;
    if (app->settings->lb.hooks != NULL && (app->hooks = hooks_create(app, err)) == NULL)
        return err->code;
    return 0;
}

static const struct boot_stage stages[] = {
    {"config", open_config,
     close_config},                     /* arguments, file, environment; who of the peers we are */
    {"loop", open_loop, close_loop},    /* event loop, log, timers */
    {"pools", open_pools, close_pools}, /* key names, ticket keys */
    {"web", open_web, close_web},       /* libwebsockets, curl, probes */
    {"hooks", open_hooks, close_hooks}, /* programs that want to know */
    {"core", open_core, close_core},    /* what decides */
    {"store", open_store, close_store}, /* Redis, and a follower a pool */
    {"peers", open_peers, close_peers}, /* links to the other LBs */
    {"alerts", app_open_alerts,
     app_close_alerts},                       /* people hear of it while no autoscaler tells them */
    {"service", open_service, close_service}, /* in or out, and the health port */
    {"http", open_http, close_http}, /* last: answers from the first moment, ready when it knows */
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    static struct berth_lb me;
    me.argc = argc;
    me.argv = argv;
    return boot_run(&me.app.boot, stages, &me);
}

/* main.c - berth-agent: counts, checks and reports for a server that berth did not write. */
#include "agent/agent_io.h"

#include <stdio.h>
#include <string.h>

/* ---- the core's effects ---- */

/* Reports begin: from now on the node is a node. */
static void register_node(struct agentd *d)
{
    struct err err = {0};
    d->shell.players_host = d->settings->server.host;
    d->shell.players_port = d->server_port;
    if (node_open_store(d, &err) < 0) {
        log_error(&d->shell.log, "store", "why=%s", err.text);
        boot_exit(&d->shell.boot, 1);
        return;
    }
    d->store_open = true;
}

static void wish(struct agentd *d, enum reporter_wish kind, bool on, const char *why)
{
    log_info(&d->shell.log, "wish", "out_of_rotation=%d why=%s", on, why);
    if (d->store_open)
        node_report_event(&d->shell,
                          (struct reporter_event){.kind = REPORTER_WISH, .wish = kind, .on = on});
}

static void carry_out(struct agentd *d, const struct agent_effect *effect)
{
    switch (effect->kind) {
    case AGENT_DO_COUNT:
        count_start(d);
        break;
    case AGENT_DO_CHECK:
        check_start(d);
        break;
    case AGENT_DO_REGISTER:
        register_node(d);
        if (d->core.asked)
            wish(d, REPORTER_WISH_ASKED, true, "asked");
        break;
    case AGENT_DO_WISH:
        wish(d, REPORTER_WISH_UNHEALTHY, effect->on, effect->why);
        break;
    case AGENT_DO_ASK:
        wish(d, REPORTER_WISH_ASKED, effect->on, effect->why);
        break;
    case AGENT_DO_TELL:
        server_tell(d, effect->on, effect->why);
        break;
    }
}

void agentd_event(struct agentd *d, struct agent_event ev)
{
    struct agent_effects fx;
    ev.now = loop_now(d->shell.loop);
    agent_step(&d->core, &ev, &fx);
    for (size_t i = 0; i < fx.count; i++)
        carry_out(d, &fx.items[i]); /* may come back here: a count of the kernel is there at once */
    timer_at(&d->timer, agent_deadline(&d->core));
}

static void on_timer(void *arg)
{
    agentd_event(arg, (struct agent_event){.kind = AGENT_TICK});
}

/* ---- what nodekit asks of a program ---- */

static void step(void *app, const struct node_event *ev)
{
    struct agentd *d = app;
    if (ev->kind != NODE_STATE)
        return;
    if (ev->epoch)
        door_epoch(&d->shell.door, ev->epoch);
    agentd_event(d, (struct agent_event){.kind = AGENT_STATE, .state = ev->state});
}

static mono_ms_t deadline(const void *app)
{
    return MONO_NEVER;
}

static struct node_load load(const void *app)
{
    const struct agentd *d = app;
    return (struct node_load){.conns = d->core.conns, .capacity = d->shell.capacity};
}

static size_t rooms(void *app, struct span *ret_rooms, size_t max)
{
    return 0;
}

static size_t metrics(const void *app, char *buf, size_t size)
{
    const struct agentd *d = app;
    const char *fault = agent_fault(&d->core, loop_now(d->shell.loop));
    int n = snprintf(buf, size,
                     "# HELP berth_agent_up 1 while the server is counted and works.\n"
                     "# TYPE berth_agent_up gauge\nberth_agent_up{pool=\"%s\",node=\"%s\"} %d\n",
                     d->shell.node->pool, d->shell.name, fault == NULL);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static const struct node_app app_functions = {
    .step = step, .deadline = deadline, .load = load, .rooms = rooms, .metrics = metrics};

static const struct node_settings *pick(const struct settings *settings)
{
    return &settings->agent.node;
}

/* ---- stages ---- */

static int open_loop(void *app, struct err *err)
{
    struct agentd *d = app;
    d->settings = &d->shell.settings->agent;
    d->check.fd = -1;
    if (d->settings->server.port == 0 && d->settings->run.count == 0)
        return err_set(err, BERTH_EINVAL,
                       "agent.server: must be host:port, since agent.run is not set (--server)");
    return node_open_loop(app, err);
}

static int open_api(void *app, struct err *err)
{
    struct agentd *d = app;
    const struct node_settings *node = d->shell.node;
    d->shell.front = &d->front;
    d->shell.effects = &d->effects;
    timer_init(&d->shell.core_timer, d->shell.loop, on_timer, d);
    d->shell.web = web_create(d->shell.loop, &d->shell.log, err);
    const struct web_server_config config = {
        .name = "api",
        .address = node->listen.host,
        .port = node->port >= 0 ? (int)node->port : node->listen.port,
        .routes = api_routes,
        .http_arg = d,
    };
    if (d->shell.web)
        d->shell.server = web_listen(d->shell.web, &config, err);
    if (d->shell.server)
        return 0;
    web_destroy(d->shell.web);
    d->shell.web = NULL;
    return err->code ? err->code : BERTH_ESYS;
}

static void close_api(void *app)
{
    struct agentd *d = app;
    web_destroy(d->shell.web);
    d->shell.web = NULL;
    d->shell.server = d->shell.health = NULL;
    timer_stop(&d->shell.core_timer);
}

static int open_watch(void *app, struct err *err)
{
    struct agentd *d = app;
    const struct agent_settings *s = d->settings;
    const struct agent_config config = {.asks = s->count.kind != COUNT_TOLD,
                                        .checks = s->check.kind != CHECK_NONE,
                                        .count_interval_ms = s->count.interval_ms,
                                        .stale_ms = s->count.stale_ms,
                                        .check_interval_ms = s->check.interval_ms,
                                        .rise = (int)s->check.rise,
                                        .fall = (int)s->check.fall};
    d->fetcher = fetcher_create(d->shell.loop, &d->shell.log, err);
    if (!d->fetcher)
        return err->code ? err->code : BERTH_ESYS;
    agent_init(&d->core, &config, loop_now(d->shell.loop));
    timer_init(&d->timer, d->shell.loop, on_timer, d);
    timer_start(&d->timer, 0, 0);
    log_info(&d->shell.log, "watching", "node=%s pool=%s server=%s:%d api=%d", d->shell.name,
             d->shell.node->pool, s->server.host, d->server_port, web_server_port(d->shell.server));
    return 0;
}

static void close_watch(void *app)
{
    struct agentd *d = app;
    timer_stop(&d->timer);
    count_stop(d);
    check_stop(d);
    if (d->store_open)
        node_close_store(d);
    d->store_open = false;
}

/* Outlives the server, which may be told something until it ends. */
static void close_server(void *app)
{
    struct agentd *d = app;
    server_close(d);
    fetcher_destroy(d->fetcher);
    d->fetcher = NULL;
}

static const struct boot_stage stages[] = {
    {"config", node_open_config, node_close_config}, /* arguments, file, environment; who we are */
    {"loop", open_loop, node_close_loop},            /* event loop and log */
    {"tickets", node_open_door, node_close_door},    /* for POST /admit */
    {"api", open_api, close_api},                    /* the server may call as soon as it runs */
    {"server", server_open, close_server},           /* started, if it is ours to start */
    {"watch", open_watch,
     close_watch}, /* count and check; the node is registered when both are well */
    {NULL, NULL, NULL},
};

/* SIGTERM: drain; nothing was registered: nothing to drain. */
static void stop(void *app)
{
    struct agentd *d = app;
    agentd_event(d, (struct agent_event){.kind = AGENT_LEAVING});
    if (d->store_open)
        node_stop(d);
    else
        boot_exit(&d->shell.boot, 0);
}

int main(int argc, char **argv)
{
    static const char *const reads[] = {"redis", "log", "tickets", "pools", "agent", NULL};
    static const struct config_alias aliases[] = {
        {"--name", "agent.name"},
        {"--pool", "agent.pool"},
        {"--port", "agent.port"},
        {"--listen", "agent.listen"},
        {"--instance", "agent.instance"},
        {"--capacity", "agent.capacity"},
        {"--zone", "agent.zone"},
        {"--server", "agent.server"},
        {"--run", "agent.run"},
        {"--advertise", "agent.advertise"},
        {NULL, NULL},
    };
    static const struct config_program program = {
        .name = "berth-agent",
        .summary = "Counts, checks and reports for a server that berth did not write.",
        .reads = reads,
        .aliases = aliases,
    };
    static struct agentd d;
    d.shell = (struct node_shell){.argc = argc,
                                  .argv = argv,
                                  .program = &program,
                                  .app = &app_functions,
                                  .pick = pick,
                                  .foreign = true,
                                  .stop = stop};
    return boot_run(&d.shell.boot, stages, &d);
}

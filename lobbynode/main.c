/* main.c - berth-lobbynode: a node where players wait for a match. */
#include "lobbynode/lobby_io.h"

#include <stdio.h>

#define MATCHES_MAX 2048
#define TAKE_INTERVAL_MS 1000

static void step(void *app, const struct node_event *ev)
{
    struct lobbynode *l = app;
    struct lobby_event event = {.kind = LOBBY_NODE, .now = ev->now, .node = *ev};
    l->fx.count = l->fx.result_count = l->carried = 0;
    lobby_step(&l->lobby, &event, &l->fx);
    lobby_io_carry_out(l);
}

static mono_ms_t deadline(const void *app)
{
    return lobby_deadline(&((const struct lobbynode *)app)->lobby);
}

static struct node_load load(const void *app)
{
    return lobby_load(&((const struct lobbynode *)app)->lobby);
}

static size_t rooms(void *app, struct span *ret_rooms, size_t max)
{
    return 0;
}

static void store_up(void *app)
{
    lobby_io_event(app, (struct lobby_event){.kind = LOBBY_STORE_UP});
}

static void store_down(void *app)
{
    lobby_io_event(app, (struct lobby_event){.kind = LOBBY_STORE_DOWN});
}

static size_t metrics(const void *app, char *buf, size_t size)
{
    const struct lobbynode *l = app;
    const struct lobby *lobby = &l->lobby;
    const struct {
        const char *name, *help;
        uint64_t value;
    } rows[] = {
        {"matches", "Matches this node began to finish.", lobby->matches_total},
        {"matches_finished", "Matches whose results this node wrote.", lobby->finished_total},
        {"matches_delivered", "Players told of their match.", lobby->delivered_total},
        {"seek_timeouts", "Players for whom nobody was found in time.", lobby->timeouts_total},
        {"place_failures", "Asks for a room that failed.", lobby->place_failures_total},
        {"seeks", "Searches this node told the store of, repeated ones included.",
         lobby->seeks_total},
        {"groups", "Groups this node proposed as the matcher.", lobby->groups_total},
        {"groups_smaller", "Of those, smaller ones after a timeout.", lobby->smaller_total},
        {"groups_refused", "Of those, not made: a player had left or was matched.",
         l->making.refused_total},
        {"bots", "Places filled with bots after a timeout.", lobby->bots_total},
        {"matches_broken", "Matches undone because a player had left.", lobby->broken_total},
    };
    size_t len = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int n = snprintf(buf + len, size - len,
                         "# HELP berth_node_%s_total %s\n# TYPE berth_node_%s_total counter\n"
                         "berth_node_%s_total %llu\n",
                         rows[i].name, rows[i].help, rows[i].name, rows[i].name,
                         (unsigned long long)rows[i].value);
        if (n < 0 || (size_t)n >= size - len)
            break;
        len += (size_t)n;
    }
    return len;
}

static const struct node_app app_functions = {.step = step,
                                              .restarts = true,
                                              .deadline = deadline,
                                              .load = load,
                                              .rooms = rooms,
                                              .store_up = store_up,
                                              .store_down = store_down,
                                              .metrics = metrics};

static const struct node_settings *pick(const struct settings *settings)
{
    return &settings->lobbynode.node;
}

/* The modes of the configuration behind the one for all others. */
static size_t read_modes(struct lobbynode *l)
{
    const struct lobbynode_settings *s = l->settings;
    l->modes[0] = (struct lobby_mode){.rules = {.size = s->match_size,
                                                .size_min = 1,
                                                .party_max = s->match_size,
                                                .region_after_ms = 10000,
                                                .timeout_ms = s->seek_timeout_ms}};
    for (size_t i = 0; i < s->modes.count; i++) {
        const struct match_mode_settings *mode =
            SECTION_AT(s->modes, struct match_mode_settings, i);
        l->modes[i + 1] = (struct lobby_mode){
            .rules = {.size = mode->size,
                      .size_min = mode->size_min < mode->size ? mode->size_min : mode->size,
                      .party_max = mode->party_max ? mode->party_max : mode->size,
                      .window_start = mode->window_start,
                      .window_growth = mode->window_growth,
                      .window_max = mode->window_max,
                      .region_after_ms = mode->region_after_ms,
                      .timeout_ms = mode->timeout_ms,
                      .on_timeout = (enum match_on_timeout)mode->on_timeout,
                      .on_leave = (enum match_on_leave)mode->on_leave}};
        (void)snprintf(l->modes[i + 1].name, sizeof l->modes[0].name, "%s", mode->name);
    }
    return s->modes.count + 1;
}

static int open_lobby(void *app, struct err *err)
{
    struct lobbynode *l = app;
    l->settings = &l->shell.settings->lobbynode;
    struct lobby_config config = {.front = node_front_config(&l->shell),
                                  .modes = l->modes,
                                  .mode_count = read_modes(l),
                                  .modes_listed = l->settings->modes.count > 0,
                                  .matches_max = MATCHES_MAX,
                                  .lb_count = (uint32_t)l->settings->lb.count,
                                  .frame_max = (size_t)l->settings->node.frame_max_bytes,
                                  .match_interval_ms = l->settings->match_interval_ms,
                                  .lease_ms = l->settings->lobby_lease_ms,
                                  .groups = l->settings->group_ttl_ms > 0,
                                  .retry_ms = l->settings->match_retry_ms,
                                  .match_ttl_ms = l->settings->match_ttl_ms,
                                  .take_interval_ms = TAKE_INTERVAL_MS,
                                  .seed = l->shell.seed};
    (void)snprintf(l->draining, sizeof l->draining, "{\"move\":true,\"keep_ms\":%lld}",
                   (long long)l->settings->seek_keep_ms);
    config.front.draining = span_of(l->draining);
    memcpy(l->sweep_cursor, "0", 2);
    seeks_open(l);
    size_t items, text;
    lobby_effects_size(&config, &items, &text);
    if (effects_init(&l->fx.out, items, text) < 0)
        return err_set(err, BERTH_ENOMEM, "no memory for %zu effects", items);
    if (lobby_init(&l->lobby, &config, &l->shell.door) < 0) {
        effects_fini(&l->fx.out);
        return err_set(err, BERTH_ENOMEM, "no memory for %u players", config.front.peers_max);
    }
    l->shell.front = &l->lobby.front;
    l->shell.effects = &l->fx.out;
    return 0;
}

static void close_lobby(void *app)
{
    struct lobbynode *l = app;
    timer_stop(&l->batch.timer);
    lobby_fini(&l->lobby);
    effects_fini(&l->fx.out);
}

static int open_fetch(void *app, struct err *err)
{
    struct lobbynode *l = app;
    l->fetcher = fetcher_create(l->shell.loop, &l->shell.log, err);
    return l->fetcher ? 0 : BERTH_ESYS;
}

static void close_fetch(void *app)
{
    struct lobbynode *l = app;
    fetcher_destroy(l->fetcher);
}

static int open_results(void *app, struct err *err)
{
    return results_open(app, err);
}

static void close_results(void *app)
{
    results_close(app);
}

static const struct boot_stage stages[] = {
    {"config", node_open_config, node_close_config}, /* arguments, file, environment; who we are */
    {"loop", node_open_loop, node_close_loop},       /* event loop and log */
    {"tickets", node_open_door, node_close_door},    /* keys, what was used, what was admitted */
    {"lobby", open_lobby, close_lobby},              /* players and matches */
    {"web", node_open_web, node_close_web},          /* players, probes, /healthz, /metrics */
    {"fetch", open_fetch, close_fetch},              /* requests to the endpoint API */
    {"store", node_open_store, node_close_store},    /* once known, players are sent here */
    {"results", open_results, close_results},        /* the stream of results */
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    static const char *const reads[] = {"redis", "log", "tickets", "pools", "lobbynode", NULL};
    static const struct config_alias aliases[] = {
        {"--name", "lobbynode.name"},         {"--pool", "lobbynode.pool"},
        {"--port", "lobbynode.port"},         {"--listen", "lobbynode.listen"},
        {"--instance", "lobbynode.instance"}, {"--capacity", "lobbynode.capacity"},
        {"--zone", "lobbynode.zone"},         {NULL, NULL},
    };
    static const struct config_program program = {
        .name = "berth-lobbynode",
        .summary = "Matches players across all lobby nodes, reports its count each second.",
        .reads = reads,
        .aliases = aliases,
    };
    static struct lobbynode l;
    l.shell = (struct node_shell){
        .argc = argc, .argv = argv, .program = &program, .app = &app_functions, .pick = pick};
    return boot_run(&l.shell.boot, stages, &l);
}

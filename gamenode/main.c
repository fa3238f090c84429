/* main.c - berth-gamenode: a node that holds rooms of players. */
#include "gamenode/game.h"
#include "gamenode/result_io.h"
#include "nodekit/shell_io.h"
#include "socketio/echo_io.h"

#include <stdio.h>

struct gamenode {
    struct node_shell shell; /* first: the stages of nodekit take the program's struct as theirs */
    struct game game;
    struct effects effects;
    struct results *results;
};

static void step(void *app, const struct node_event *ev)
{
    struct gamenode *g = app;
    game_step(&g->game, ev, &g->effects);
}

static mono_ms_t deadline(const void *app)
{
    return game_deadline(&((const struct gamenode *)app)->game);
}

static struct node_load load(const void *app)
{
    const struct gamenode *g = app;
    struct node_load load = game_load(&g->game);
    load.rooms += results_pending(g->results); /* not over before its result is told */
    return load;
}

static void list(const void *app, void (*put)(void *arg, struct span text), void *arg)
{
    const struct gamenode *g = app;
    game_list(&g->game, g->shell.endpoint, put, arg);
}

static uint64_t list_version(const void *app)
{
    return game_list_version(&((const struct gamenode *)app)->game);
}

static void result(void *app, struct span json)
{
    results_add(((struct gamenode *)app)->results, json);
}

static size_t rooms(void *app, struct span *ret_rooms, size_t max)
{
    return game_rooms_slice(&((struct gamenode *)app)->game, ret_rooms, max);
}

static size_t metrics(const void *app, char *buf, size_t size)
{
    const struct gamenode *g = app;
    const struct game *game = &g->game;
    const struct {
        const char *name, *help;
        uint64_t value;
    } counters[] = {
        {"relayed_total", "Events passed on, one per receiver.", game->relayed_total},
        {"positions_total", "Positions that players sent.", game->positions_total},
        {"position_frames_total", "Frames of positions, one per receiver and tick.",
         game->position_frames_total},
        {"matches_finished_total", "Rooms ended by a finish.", game->finished_total},
        {"rooms_total", "Rooms ever opened.", game->rooms_total},
        {"rooms_idle_total", "Rooms closed because nobody said a word.", game->idle_total},
        {"results_delivered_total", "Results of matches that the hook took.",
         results_delivered_total(g->results)},
        {"results_lost_total", "Results of matches that it never took.",
         results_lost_total(g->results)},
    };
    size_t len = 0;
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        int n = snprintf(buf + len, size - len,
                         "# HELP berth_node_%s %s\n# TYPE berth_node_%s counter\n"
                         "berth_node_%s %llu\n",
                         counters[i].name, counters[i].help, counters[i].name, counters[i].name,
                         (unsigned long long)counters[i].value);
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
                                              .result = result,
                                              .list = list,
                                              .list_version = list_version,
                                              .metrics = metrics};

static const struct node_settings *pick(const struct settings *settings)
{
    return &settings->gamenode.node;
}

static int open_game(void *app, struct err *err)
{
    struct gamenode *g = app;
    const struct gamenode_settings *s = &g->shell.settings->gamenode;
    struct game_config config = {.front = node_front_config(&g->shell),
                                 .rooms_max = (uint32_t)s->rooms_max,
                                 .room_players_max = (uint32_t)s->room_players_max,
                                 .frame_max = (size_t)s->node.frame_max_bytes,
                                 .grace_ms = s->grace_ms,
                                 .room_linger_ms = s->room_linger_ms,
                                 .tick_ms = s->tick_ms,
                                 .position_max = (uint32_t)s->position_max_bytes,
                                 .positions_max =
                                     (size_t)s->node.send_max_bytes / (2 * NODE_BEHIND_PART),
                                 .late_join = s->late_join,
                                 .start_players = (uint32_t)s->start_players,
                                 .room_idle_ms = s->room_idle_ms,
                                 .over_ms = g->shell.pool->room_ticket_ttl_ms,
                                 .seed = g->shell.seed};
    size_t items, text;
    game_effects_size(&config, &items, &text);
    if (effects_init(&g->effects, items, text) < 0)
        return err_set(err, BERTH_ENOMEM, "no memory for %zu effects", items);
    if (game_init(&g->game, &config, &g->shell.door) < 0) {
        effects_fini(&g->effects);
        return err_set(err, BERTH_ENOMEM, "no memory for %u rooms", config.rooms_max);
    }
    g->shell.front = &g->game.front;
    g->shell.effects = &g->effects;
    return 0;
}

static void close_game(void *app)
{
    struct gamenode *g = app;
    game_fini(&g->game);
    effects_fini(&g->effects);
}

static int open_results(void *app, struct err *err)
{
    struct gamenode *g = app;
    const struct gamenode_settings *s = &g->shell.settings->gamenode;
    struct results_config config = {.url = s->result_url, .command = &s->result_command};
    g->results = results_create(g->shell.loop, &g->shell.log, &config, err);
    return g->results ? 0 : err->code;
}

static void close_results(void *app)
{
    struct gamenode *g = app;
    results_destroy(g->results);
    g->results = NULL;
}

static const struct boot_stage stages[] = {
    {"config", node_open_config, node_close_config}, /* arguments, file, environment; who we are */
    {"loop", node_open_loop, node_close_loop},       /* event loop and log */
    {"tickets", node_open_door, node_close_door},    /* keys, what was used, what was admitted */
    {"results", open_results, close_results},        /* the result hook */
    {"game", open_game, close_game},                 /* rooms and seats */
    {"web", node_open_web, node_close_web},          /* players, probes, /healthz, /metrics */
    {"store", node_open_store, node_close_store},    /* last: once known, players are sent here */
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    static const char *const reads[] = {"redis", "log", "tickets", "pools", "gamenode", NULL};
    static const struct config_alias aliases[] = {
        {"--name", "gamenode.name"},         {"--pool", "gamenode.pool"},
        {"--port", "gamenode.port"},         {"--listen", "gamenode.listen"},
        {"--instance", "gamenode.instance"}, {"--capacity", "gamenode.capacity"},
        {"--zone", "gamenode.zone"},         {NULL, NULL},
    };
    static const struct config_program program = {
        .name = "berth-gamenode",
        .summary = "Holds rooms of players, relays their input, reports its count each second.",
        .reads = reads,
        .aliases = aliases,
    };
    if (echo_wanted(argc, argv))
        return echo_main(argc, argv);
    static struct gamenode g;
    g.shell = (struct node_shell){
        .argc = argc, .argv = argv, .program = &program, .app = &app_functions, .pick = pick};
    return boot_run(&g.shell.boot, stages, &g);
}

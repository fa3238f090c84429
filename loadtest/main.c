/* main.c - berth-swarm: N players make the whole journey, and a verdict.
 *
 * More players than one process has descriptors for are shared by workers (workers_io.c). Progress
 * goes to stderr once a second (in place on a terminal, each 5 s as a log line otherwise); the
 * table of steps and the closing line `swarm: players=... verdict=passed|failed` go to stdout. Exit
 * code 0: passed, 1: not passed, 2: bad arguments, 130: interrupted.
 *
 * berth-swarm --merge FILE...: the verdict over what the swarms of several machines wrote
 * (--swarm.worker true). */
#include "io/boot.h"
#include "io/program.h"
#include "loadtest/merge.h"
#include "loadtest/swarm_io.h"
#include "loadtest/workers_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct app {
    struct boot boot;
    int argc;
    char **argv;
    struct config *config;
    const struct swarm_settings *settings;
    struct log log;
    struct web *web;
    struct fetcher *fetcher;
    struct swarm *swarm;     /* one of these: our own players, */
    struct workers *workers; /* or theirs */
    size_t worker_count;
    struct timer progress;
    mono_ms_t began;
    char prefix[32];
    bool terminal, interrupted;
    int64_t ticks;
};

/* ---- progress and verdict ---- */

static const struct tally *seen(const struct app *app)
{
    return app->workers ? workers_tally(app->workers) : swarm_tally(app->swarm);
}

static struct workers_progress progress_now(const struct app *app)
{
    if (app->workers)
        return workers_progress(app->workers);
    const struct tally *t = swarm_tally(app->swarm);
    return (struct workers_progress){
        .started = (int64_t)t->started,
        .asking = (int64_t)(t->state[PLAYER_ASK_LOBBY] + t->state[PLAYER_CONNECT_LOBBY]),
        .seeking = (int64_t)t->state[PLAYER_SEEK],
        .joining = (int64_t)(t->state[PLAYER_ASK_GAME] + t->state[PLAYER_CONNECT_GAME] +
                             t->state[PLAYER_MEET]),
        .playing = (int64_t)t->state[PLAYER_PLAY],
        .done = (int64_t)t->done,
        .failed = (int64_t)t->failed,
        .retries = (int64_t)t->retried,
        .events = (int64_t)t->events_in};
}

static void progress_text(const struct app *app, char *buf, size_t size)
{
    struct workers_progress p = progress_now(app);
    (void)snprintf(buf, size,
                   "started=%" PRId64 " asking=%" PRId64 " seeking=%" PRId64 " joining=%" PRId64
                   " playing=%" PRId64 " done=%" PRId64 " failed=%" PRId64 " retries=%" PRId64
                   " events=%" PRId64,
                   p.started, p.asking, p.seeking, p.joining, p.playing, p.done, p.failed,
                   p.retries, p.events);
}

static void on_progress(void *arg)
{
    struct app *app = arg;
    char text[512];
    int64_t t_s = mono_sub(loop_now(app->boot.loop), app->began) / 1000;
    progress_text(app, text, sizeof text);
    if (app->settings->worker) {
        (void)printf("progress %s\n", text);
        (void)fflush(stdout);
    } else if (app->terminal) {
        (void)fprintf(stderr, "\r\033[Kt=%" PRId64 "s %s", t_s, text);
    } else if (app->ticks++ % 5 == 0) {
        (void)fprintf(stderr, "t=%" PRId64 "s %s\n", t_s, text);
    }
}

static void say_line(void *arg, const char *line)
{
    (void)printf("%s\n", line);
}

static void on_done(void *arg)
{
    struct app *app = arg;
    const struct tally *t = seen(app);
    double seconds = (double)mono_sub(loop_now(app->boot.loop), app->began) / 1000;
    timer_stop(&app->progress);
    if (app->terminal && !app->settings->worker)
        (void)fprintf(stderr, "\r\033[K");
    if (app->settings->worker)
        tally_write(t, say_line, NULL);
    else
        merge_print(t, seconds, app->interrupted);
    (void)fflush(stdout);
    bool passed = tally_passed(t) && !app->interrupted;
    boot_exit(&app->boot, app->interrupted ? 130 : passed ? 0 : 1);
}

/* ---- stages ---- */

static int open_config(void *arg, struct err *err)
{
    static const char *const reads[] = {"log", "swarm", NULL};
    static const struct config_alias aliases[] = {{"--players", "swarm.players"},
                                                  {"--lb", "swarm.lb"},
                                                  {"--ramp", "swarm.ramp"},
                                                  {"--hold", "swarm.hold"},
                                                  {"--leave", "swarm.leave"},
                                                  {"--mode", "swarm.mode"},
                                                  {"--seed", "swarm.seed"},
                                                  {"--token", "swarm.token"},
                                                  {"--prefix", "swarm.prefix"},
                                                  {"--workers", "swarm.workers"},
                                                  {NULL, NULL}};
    static const struct config_program program = {
        .name = "berth-swarm",
        .summary = "N players make the whole journey: lobby, match, room, game node; latencies by "
                   "step and a verdict",
        .reads = reads,
        .aliases = aliases,
    };
    struct app *app = arg;
    app->config = program_open(&app->boot, &app->log, &program, app->argc, app->argv);
    if (!app->config)
        return BOOT_DONE;
    app->settings = &config_settings(app->config)->swarm;
    app->boot.log = &app->log;
    return 0;
}

static void close_config(void *arg)
{
    struct app *app = arg;
    config_close(app->config);
}

/* Two sockets and a question a player, and some for ourselves; beyond the limit others share. */
static int open_limits(void *arg, struct err *err)
{
    enum { A_PLAYER = 3, OURSELVES = 64 };
    struct app *app = arg;
    const struct swarm_settings *s = app->settings;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return err_set(err, BERTH_ESYS, "the limit of descriptors cannot be read");
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    size_t most = limit.rlim_cur > OURSELVES + A_PLAYER
                      ? (size_t)((limit.rlim_cur - OURSELVES) / A_PLAYER)
                      : 1;
    size_t players = (size_t)s->players;
    assert(players > 0); /* the option's range */
    app->worker_count = s->worker ? 1 : (size_t)s->workers;
    if (app->worker_count == 0)
        app->worker_count = (players + most - 1) / most;
    if (app->worker_count > players)
        app->worker_count = players;
    if (app->worker_count <= WORKERS_MAX &&
        (players + app->worker_count - 1) / app->worker_count <= most)
        return 0;
    return err_set(err, BERTH_EINVAL,
                   "players = %zu in %zu processes: the limit of %llu descriptors (ulimit -n) "
                   "allows %zu each, in at most %d processes",
                   players, app->worker_count, (unsigned long long)limit.rlim_cur, most,
                   WORKERS_MAX);
}

static int open_loop(void *arg, struct err *err)
{
    struct app *app = arg;
    app->boot.loop = loop_create(err);
    return app->boot.loop ? 0 : err->code;
}

static void close_loop(void *arg)
{
    struct app *app = arg;
    loop_destroy(app->boot.loop);
}

static int open_web(void *arg, struct err *err)
{
    struct app *app = arg;
    app->web = web_create(app->boot.loop, &app->log, err);
    return app->web ? 0 : err->code;
}

static void close_web(void *arg)
{
    struct app *app = arg;
    web_destroy(app->web);
}

static int open_fetch(void *arg, struct err *err)
{
    struct app *app = arg;
    app->fetcher = fetcher_create(app->boot.loop, &app->log, err);
    return app->fetcher ? 0 : err->code;
}

static void close_fetch(void *arg)
{
    struct app *app = arg;
    fetcher_destroy(app->fetcher);
}

static int open_swarm(void *arg, struct err *err)
{
    struct app *app = arg;
    const struct swarm_settings *s = app->settings;
    if (s->prefix)
        (void)snprintf(app->prefix, sizeof app->prefix, "%.24s", s->prefix);
    else
        (void)snprintf(app->prefix, sizeof app->prefix, "sw%" PRIx64,
                       (uint64_t)(loop_wall_us() / 1000));
    const struct swarm_config config = {
        .players = (size_t)s->players,
        .first = (size_t)s->first,
        .prefix = app->prefix,
        .lb = s->lb.items,
        .lb_count = s->lb.count,
        .lobby_pool = s->lobby_pool,
        .game_pool = s->game_pool,
        .token = s->token,
        .api_timeout_ms = s->api_timeout_ms,
        .connect_timeout_ms = s->connect_timeout_ms,
        .ramp_ms = s->ramp_ms,
        .seed = (uint64_t)s->seed,
        .plan = {.step_timeout_ms = s->step_timeout_ms,
                 .match_timeout_ms = s->match_timeout_ms,
                 .event_interval_ms = s->event_interval_ms,
                 .linger_max_ms = s->linger_ms,
                 .leave_from = {s->ramp_ms + s->hold_ms},
                 .leave_over_ms = s->leave_ms,
                 .mode = s->mode},
    };
    const struct workers_config shared = {.count = app->worker_count,
                                          .players = (size_t)s->players,
                                          .first = (size_t)s->first,
                                          .prefix = app->prefix,
                                          .argv = app->argv,
                                          .argc = app->argc};
    app->began = loop_now(app->boot.loop);
    app->terminal = isatty(STDERR_FILENO);
    if (app->worker_count > 1)
        app->workers = workers_start(app->boot.loop, &app->log, &shared, on_done, app, err);
    else
        app->swarm = swarm_start(app->boot.loop, &app->log, app->web, app->fetcher, &config,
                                 on_done, app, err);
    if (!app->swarm && !app->workers)
        return err->code ? err->code : BERTH_ESYS;
    timer_init(&app->progress, app->boot.loop, on_progress, app);
    timer_start(&app->progress, 1000, 1000);
    return 0;
}

static void close_swarm(void *arg)
{
    struct app *app = arg;
    timer_stop(&app->progress);
    swarm_destroy(app->swarm);
    workers_destroy(app->workers);
}

static void stop(void *arg)
{
    struct app *app = arg;
    app->interrupted = true;
    if (app->workers)
        workers_interrupt(app->workers);
    else
        swarm_interrupt(app->swarm);
    /* both lead to on_done() */
}

int main(int argc, char **argv)
{
    static const struct boot_stage stages[] = {
        {"config", open_config, close_config},
        {"limits", open_limits, NULL},
        {"loop", open_loop, close_loop},
        {"web", open_web, close_web},
        {"fetch", open_fetch, close_fetch},
        {"swarm", open_swarm, close_swarm},
        {NULL, NULL, NULL},
    };
    if (argc > 1 && strcmp(argv[1], "--merge") == 0)
        return merge_main(argc - 2, argv + 2);
    struct app app = {.argc = argc, .argv = argv, .boot = {.stop = stop, .of_terminal = true}};
    return boot_run(&app.boot, stages, &app);
}

/* main.c - berth-swarm: N players make the whole journey, and a verdict.
 *
 * Progress goes to stderr once a second (in place on a terminal, each 5 s as a log line otherwise);
 * the table of steps and the closing line `swarm: players=... verdict=passed|failed` go to stdout.
 * Exit code 0: passed, 1: not passed, 2: bad arguments, 130: interrupted. */
#include "io/boot.h"
#include "io/config.h"
#include "loadtest/swarm_io.h"

#include <inttypes.h>
#include <stdio.h>
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
    struct swarm *swarm;
    struct timer progress;
    mono_ms_t began;
    char prefix[32];
    bool terminal, interrupted;
    int64_t ticks;
};

/* ---- progress and verdict ---- */

static void progress_text(const struct app *app, char *buf, size_t size)
{
    const struct tally *t = swarm_tally(app->swarm);
    uint64_t asking = t->state[PLAYER_ASK_LOBBY] + t->state[PLAYER_CONNECT_LOBBY];
    uint64_t joining =
        t->state[PLAYER_ASK_GAME] + t->state[PLAYER_CONNECT_GAME] + t->state[PLAYER_MEET];
    (void)snprintf(buf, size,
                   "t=%" PRId64 "s started=%" PRIu64 " asking=%" PRIu64 " seeking=%" PRIu64
                   " joining=%" PRIu64 " playing=%" PRIu64 " done=%" PRIu64 " failed=%" PRIu64
                   " retries=%" PRIu64 " events=%" PRIu64,
                   mono_sub(loop_now(app->boot.loop), app->began) / 1000, t->started, asking,
                   t->state[PLAYER_SEEK], joining, t->state[PLAYER_PLAY], t->done, t->failed,
                   t->retried, t->events_in);
}

static void on_progress(void *arg)
{
    struct app *app = arg;
    char text[512];
    progress_text(app, text, sizeof text);
    if (app->terminal)
        (void)fprintf(stderr, "\r\033[K%s", text);
    else if (app->ticks++ % 5 == 0)
        (void)fprintf(stderr, "%s\n", text);
}

static void on_done(void *arg)
{
    struct app *app = arg;
    const struct tally *t = swarm_tally(app->swarm);
    char text[8192];
    timer_stop(&app->progress);
    if (app->terminal)
        (void)fprintf(stderr, "\r\033[K");
    (void)tally_report(t, text, sizeof text);
    (void)fputs(text, stdout);
    (void)tally_line(t, text, sizeof text);
    bool passed = tally_passed(t) && !app->interrupted;
    (void)printf("swarm: %s seconds=%.1f verdict=%s\n", text,
                 (double)mono_sub(loop_now(app->boot.loop), app->began) / 1000,
                 app->interrupted ? "interrupted"
                 : passed         ? "passed"
                                  : "failed");
    (void)fflush(stdout);
    boot_exit(&app->boot, app->interrupted ? 130 : passed ? 0 : 1);
}

/* ---- stages ---- */

static int open_config(void *arg, struct err *err)
{
    static const char *const reads[] = {"log", "swarm", NULL};
    static const struct config_alias aliases[] = {
        {"--players", "swarm.players"}, {"--lb", "swarm.lb"},
        {"--ramp", "swarm.ramp"},       {"--hold", "swarm.hold"},
        {"--leave", "swarm.leave"},     {"--mode", "swarm.mode"},
        {"--seed", "swarm.seed"},       {"--token", "swarm.token"},
        {"--prefix", "swarm.prefix"},   {NULL, NULL}};
    static const struct config_program program = {
        .name = "berth-swarm",
        .summary = "N players make the whole journey: lobby, match, room, game node; latencies by "
                   "step and a verdict",
        .reads = reads,
        .aliases = aliases,
    };
    struct app *app = arg;
    app->config =
        config_open(&program, app->argc, app->argv, environ, stdout, stderr, &app->boot.exit_code);
    if (!app->config)
        return BOOT_DONE;
    const struct settings *s = config_settings(app->config);
    app->settings = &s->swarm;
    log_init(&app->log, program.name);
    app->log.level = (enum log_level)s->log.level;
    app->log.json = s->log.format == 1;
    app->boot.log = &app->log;
    return 0;
}

static void close_config(void *arg)
{
    struct app *app = arg;
    config_close(app->config);
}

/* Two sockets and a question a player, and some for ourselves. */
static int open_limits(void *arg, struct err *err)
{
    struct app *app = arg;
    struct rlimit limit;
    rlim_t wanted = (rlim_t)app->settings->players * 3 + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return err_set(err, BERTH_ESYS, "the limit of descriptors cannot be read");
    if (limit.rlim_cur >= wanted)
        return 0;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)app->settings->players * 2 + 64)
        return err_set(err, BERTH_EINVAL,
                       "players = %" PRId64
                       ": the limit of %llu descriptors (ulimit -n) allows %llu",
                       app->settings->players, (unsigned long long)limit.rlim_cur,
                       (unsigned long long)(limit.rlim_cur - 64) / 2);
    return 0;
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
    app->began = loop_now(app->boot.loop);
    app->terminal = isatty(STDERR_FILENO);
    app->swarm =
        swarm_start(app->boot.loop, &app->log, app->web, app->fetcher, &config, on_done, app, err);
    if (!app->swarm)
        return err->code;
    timer_init(&app->progress, app->boot.loop, on_progress, app);
    timer_start(&app->progress, 1000, 1000);
    return 0;
}

static void close_swarm(void *arg)
{
    struct app *app = arg;
    timer_stop(&app->progress);
    swarm_destroy(app->swarm);
}

static void stop(void *arg)
{
    struct app *app = arg;
    app->interrupted = true;
    swarm_interrupt(app->swarm); /* leads to on_done() */
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
    struct app app = {.argc = argc, .argv = argv, .boot = {.stop = stop}};
    return boot_run(&app.boot, stages, &app);
}

/* demo.c - `berth demo`: the main job in under three minutes, and whether it was done.
 *
 * An installation on free ports in a temporary directory with small nodes and short cooldowns; a
 * swarm of 400 players. The fleet must grow, all four of every match meet on one node, the swarm
 * leaves, the fleet shrinks to where it was by draining. The closing line and the exit code are the
 * verdict. */
#include "cli/berth.h"
#include "cli/harbour.h"
#include "cli/watch.h"
#include "io/port.h"
#include "io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PLAYERS = 400, MATCH_SIZE = 4, PORTS = 5 };

static const int64_t boot_limit_ms = 45000;   /* until the first fleet is ready */
static const int64_t swarm_limit_ms = 110000; /* until the swarm has its verdict */
static const int64_t shrink_limit_ms = 90000; /* until the fleet is back where it was */
static const int64_t steady_ms = 2000; /* a fleet that has not changed for so long has settled */

enum demo_phase { PHASE_BOOT, PHASE_SWARM, PHASE_SHRINK, PHASE_STOP };

/* What the swarm's closing line says. */
struct swarm_result {
    int64_t players, matched, rooms, split_rooms, failed, killed;
};

struct demo {
    struct berth *berth;
    char directory[128];
    char config_file[160], redis_socket[160], swarm_out[160], swarm_log[160];
    int ports[PORTS];
    struct config *config; /* of the demo's own file */
    struct harbour *harbour;
    struct watch *watch;
    struct child swarm;
    pid_t swarm_pid;
    enum demo_phase phase;
    mono_ms_t began, phase_began, changed;
    struct fleet fleet;
    char shown[1024];
    int64_t nodes_start, nodes_peak, nodes_end;
    struct swarm_result result;
    bool interrupted;
    bool complained; /* it did not get through; why was said */
};

/* Small nodes, short cooldowns: what takes hours in a studio takes seconds here. */
static const char config_text[] =
    "redis: {host: \"%s\"}\n"
    "tickets:\n"
    "  keys:\n"
    "    - {kid: demo, secret: demo-secret-demo-secret-demo-secret}\n"
    "pools:\n"
    "  lobby:\n"
    "    capacity: 200\n"
    "    ticket_ttl: 5s\n"
    "    scale:\n"
    "      {provider: local, min: 2, max: 4, max_step: 1, out_cooldown: 3s, in_cooldown: 4s,\n"
    "       boot_timeout: 20s, rules: [{rule: min_ready, ready: 2},\n"
    "       {rule: average_connections, above: 120, below: 30, hold: 1s}]}\n"
    "  game:\n"
    "    capacity: 60\n"
    "    ticket_ttl: 5s\n"
    "    room_ticket_ttl: 5s\n"
    "    slow_start: 2s\n"
    "    retry_after: 1s\n"
    "    scale:\n"
    "      {provider: local, min: 2, max: 12, max_step: 4, out_cooldown: 3s, in_cooldown: 4s,\n"
    "       boot_timeout: 20s, rules: [{rule: min_ready, ready: 2},\n"
    "       {rule: average_connections, above: 36, below: 12, hold: 1s, step: 3}]}\n"
    "lb:\n"
    "  peers:\n"
    "    lb-a: {public: \"127.0.0.1:%d\", admin: \"127.0.0.1:%d\", owns: [lobby]}\n"
    "    lb-b: {public: \"127.0.0.1:%d\", admin: \"127.0.0.1:%d\", owns: [game]}\n"
    "autoscale:\n"
    "  admin: \"127.0.0.1:%d\"\n"
    "  local:\n"
    "    directory: %s/local\n"
    "    programs: {lobby: [berth-lobbynode], game: [berth-gamenode]}\n"
    "gamenode: {listen: \"127.0.0.1:0\"}\n"
    "lobbynode:\n"
    "  listen: \"127.0.0.1:0\"\n"
    "  match_size: %d\n"
    "  game_pool: game\n"
    "  lb: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"]\n";

static void say(void *arg, const char *line)
{
    const struct demo *d = arg;
    int64_t ms = mono_sub(loop_now(d->berth->loop), d->began);
    (void)printf("%6.1f s  %s\n", (double)ms / 1000, line);
    (void)fflush(stdout);
}

static void enter(struct demo *d, enum demo_phase phase)
{
    d->phase = phase;
    d->phase_began = d->changed = loop_now(d->berth->loop);
}

/* ---- preparing ---- */

static int find_ports(int *ret_ports, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        ret_ports[i] = port_find_free(err);
        if (ret_ports[i] < 0)
            return ret_ports[i];
    }
    return 0;
}

static int write_config(struct demo *d, struct err *err)
{
    FILE *f = fopen(d->config_file, "we");
    if (!f)
        return err_set(err, BERTH_ESYS, "%s: %s", d->config_file, strerror(errno));
    const int *p = d->ports;
    (void)fprintf(f, config_text, d->redis_socket, p[0], p[1], p[2], p[3], p[4], d->directory,
                  MATCH_SIZE, p[0], p[2]);
    if (fclose(f) != 0)
        return err_set(err, BERTH_ESYS, "%s: %s", d->config_file, strerror(errno));
    return 0;
}

/* Read it back, as every program will. */
static int read_config(struct demo *d, struct err *err)
{
    static const char *const reads[] = {"redis", "log", "pools", "lb", "autoscale", NULL};
    static const struct config_program program = {
        .name = "berth", .summary = "demo", .reads = reads};
    char flag[] = "--config", name[] = "berth";
    char *argv[] = {name, flag, d->config_file, NULL};
    char *env[] = {NULL};
    int exit_code = 0;
    d->config = config_open(&program, 3, argv, env, stdout, stderr, &exit_code);
    return d->config ? 0 : err_set(err, BERTH_EINVAL, "%s: is wrong", d->config_file);
}

static int prepare(struct demo *d, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(d->directory, sizeof d->directory, "%.60s/berth-demo-XXXXXX",
                   tmp && *tmp == '/' ? tmp : "/tmp");
    if (!mkdtemp(d->directory)) {
        int code = err_set(err, BERTH_ESYS, "%s: %s", d->directory, strerror(errno));
        d->directory[0] = '\0';
        return code;
    }
    (void)snprintf(d->config_file, sizeof d->config_file, "%s/berth.yaml", d->directory);
    (void)snprintf(d->redis_socket, sizeof d->redis_socket, "%s/redis.sock", d->directory);
    (void)snprintf(d->swarm_out, sizeof d->swarm_out, "%s/swarm.out", d->directory);
    (void)snprintf(d->swarm_log, sizeof d->swarm_log, "%s/log/swarm.log", d->directory);
    int code = find_ports(d->ports, PORTS, err);
    if (code < 0)
        return code;
    code = write_config(d, err);
    return code < 0 ? code : read_config(d, err);
}

/* ---- the swarm ---- */

static int64_t value_of(const char *line, const char *name)
{
    char key[64];
    (void)snprintf(key, sizeof key, " %s=", name);
    const char *at = strstr(line, key);
    return at ? strtoll(at + strlen(key), NULL, 10) : -1;
}

/* The last line that begins with "swarm:". */
static bool read_result(struct demo *d)
{
    char line[1024];
    bool found = false;
    FILE *f = fopen(d->swarm_out, "re");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "swarm:", 6) != 0)
            continue;
        found = true;
        d->result =
            (struct swarm_result){value_of(line, "players"), value_of(line, "matched"),
                                  value_of(line, "rooms"),   value_of(line, "split_rooms"),
                                  value_of(line, "failed"),  value_of(line, "killed_sessions")};
    }
    if (f)
        (void)fclose(f);
    return found;
}

static void finish(struct demo *d, const char *complaint)
{
    if (d->phase == PHASE_STOP)
        return;
    d->complained = complaint != NULL;
    if (complaint)
        say(d, complaint);
    enter(d, PHASE_STOP);
    if (d->swarm_pid) {
        child_unwatch(&d->swarm);
        (void)kill(d->swarm_pid, SIGKILL);
        (void)waitpid(d->swarm_pid, NULL, 0);
        d->swarm_pid = 0;
    }
    watch_close(d->watch);
    d->watch = NULL;
    harbour_stop(d->harbour);
}

static void on_swarm_end(void *arg, int pid, int status)
{
    struct demo *d = arg;
    child_unwatch(&d->swarm);
    d->swarm_pid = 0;
    if (!read_result(d)) {
        finish(d, "the swarm ended without a verdict");
        return;
    }
    say(d, WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "the swarm has gone home: passed"
                                                         : "the swarm has gone home: NOT passed");
    enter(d, PHASE_SHRINK);
}

static void send_swarm(struct demo *d)
{
    char players[16], lb[128];
    (void)snprintf(players, sizeof players, "%d", PLAYERS);
    (void)snprintf(lb, sizeof lb, "http://127.0.0.1:%d,http://127.0.0.1:%d", d->ports[0],
                   d->ports[2]);
    int out = open(d->swarm_out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    const char *const argv[] = {"berth-swarm", "--players", players, "--lb",    lb,   "--ramp",
                                "30s",         "--hold",    "15s",   "--leave", "8s", NULL};
    const struct spawn spec = {.argv = argv,
                               .output = d->swarm_log,
                               .output_fd = out,
                               .die_with_parent = SIGKILL,
                               .own_session = true};
    struct err err = {0};
    d->swarm_pid = spawn_process(&spec, &err);
    (void)close(out);
    if (d->swarm_pid < 0) {
        d->swarm_pid = 0;
        finish(d, err.text);
        return;
    }
    say(d, "400 players are coming over 30 s, stay 15 s, leave over 8 s");
    child_watch(&d->swarm, d->berth->loop, d->swarm_pid, on_swarm_end, d);
}

/* ---- following the fleet ---- */

static bool all_ready(const struct fleet *fleet)
{
    const struct fleet_pool *lobby = fleet_pool(fleet, "lobby"), *game = fleet_pool(fleet, "game");
    return lobby && game && lobby->nodes[FLEET_READY] >= 2 && game->nodes[FLEET_READY] >= 2 &&
           fleet_ready(fleet) == fleet_nodes(fleet);
}

static bool late(const struct demo *d, int64_t limit_ms)
{
    return mono_sub(loop_now(d->berth->loop), d->phase_began) > limit_ms;
}

static void follow(struct demo *d)
{
    bool steady = mono_sub(loop_now(d->berth->loop), d->changed) >= steady_ms;
    int64_t ready = fleet_ready(&d->fleet);
    switch (d->phase) {
    case PHASE_BOOT:
        if (all_ready(&d->fleet) && steady) {
            d->nodes_start = d->nodes_peak = ready;
            enter(d, PHASE_SWARM);
            send_swarm(d);
        } else if (late(d, boot_limit_ms)) {
            finish(d, "the first nodes did not get ready in time");
        }
        break;
    case PHASE_SWARM:
        if (ready > d->nodes_peak)
            d->nodes_peak = ready;
        if (late(d, swarm_limit_ms))
            finish(d, "the swarm did not come to its verdict in time");
        break;
    case PHASE_SHRINK:
        d->nodes_end = fleet_nodes(&d->fleet);
        if (d->nodes_end == d->nodes_start && all_ready(&d->fleet) && steady)
            finish(d, NULL);
        else if (late(d, shrink_limit_ms))
            finish(d, "the fleet did not shrink to where it was in time");
        break;
    case PHASE_STOP:
        break;
    }
}

/* What a timeline tells: nodes by state. Connections change all the time and do not count as a
 * change. */
static bool nodes_differ(const struct fleet *a, const struct fleet *b)
{
    if (a->count != b->count)
        return true;
    for (size_t i = 0; i < a->count; i++)
        if (memcmp(a->pools[i].nodes, b->pools[i].nodes, sizeof a->pools[i].nodes) != 0)
            return true;
    return false;
}

static void on_fleet(void *arg, const struct fleet *fleet, const struct err *err)
{
    struct demo *d = arg;
    if (fleet) {
        char line[1024];
        mono_ms_t now = loop_now(d->berth->loop);
        bool differ = nodes_differ(fleet, &d->fleet);
        d->fleet = *fleet;
        if (differ)
            d->changed = now;
        (void)fleet_line(fleet, line, sizeof line);
        if (differ || (d->phase == PHASE_SWARM && now.ms % 5000 < 500)) {
            if (strcmp(line, d->shown) != 0)
                say(d, line);
            memcpy(d->shown, line, sizeof line);
        }
    }
    follow(d); /* also without news: the limits hold */
}

/* ---- the verdict ---- */

static void on_stopped(void *arg)
{
    struct demo *d = arg;
    const struct swarm_result *r = &d->result;
    bool passed = !d->complained && !d->interrupted && r->players == PLAYERS &&
                  r->matched == PLAYERS && r->rooms == PLAYERS / MATCH_SIZE &&
                  r->split_rooms == 0 && r->failed == 0 && r->killed == 0 &&
                  d->nodes_peak > d->nodes_start && d->nodes_end == d->nodes_start;
    if (!passed)
        (void)printf("the logs are in %s\n", d->directory);
    (void)printf("demo: players=%" PRId64 " matched=%" PRId64 " rooms=%" PRId64
                 " split_rooms=%" PRId64 " failed=%" PRId64 " nodes_start=%" PRId64
                 " nodes_peak=%" PRId64 " nodes_end=%" PRId64 " killed_sessions=%" PRId64 "\n",
                 r->players, r->matched, r->rooms, r->split_rooms, r->failed, d->nodes_start,
                 d->nodes_peak, d->nodes_end, r->killed);
    if (passed)
        berth_remove_directory(d->directory);
    boot_exit(&d->berth->boot, d->interrupted ? 130 : passed ? 0 : 1);
}

static void demo_close(struct berth *berth)
{
    struct demo *d = berth->state;
    if (!d)
        return;
    watch_close(d->watch);
    harbour_close(d->harbour);
    config_close(d->config);
    free(d);
    berth->state = NULL;
}

static int demo_open(struct berth *berth, struct err *err)
{
    struct demo *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(err, BERTH_ENOMEM, "no memory");
    d->berth = berth;
    d->began = loop_now(berth->loop);
    berth->state = d;
    int code = prepare(d, err);
    if (code < 0)
        return code;
    enter(d, PHASE_BOOT);
    const struct harbour_config config = {.directory = d->directory,
                                          .config_file = d->config_file,
                                          .settings = config_settings(d->config),
                                          .redis_program = berth->settings->up.redis_server,
                                          .redis_socket = d->redis_socket,
                                          .say = say,
                                          .stopped = on_stopped,
                                          .arg = d};
    d->harbour = harbour_open(berth->loop, &berth->log, &config, err);
    if (!d->harbour)
        return err->code;
    d->watch =
        watch_open(berth->loop, berth->fetcher, config_settings(d->config), 500, on_fleet, d);
    return d->watch ? 0 : err_set(err, BERTH_ENOMEM, "no memory");
}

static void demo_stop(struct berth *berth)
{
    struct demo *d = berth->state;
    d->interrupted = true;
    finish(d, "interrupted: stopping (Ctrl-C again: at once)");
}

const struct verb verb_demo = {
    .name = "demo",
    .args = "",
    .help = "see the main job work: 400 players, a fleet that grows and shrinks; under 3 minutes",
    .open = demo_open,
    .stop = demo_stop,
    .close = demo_close};

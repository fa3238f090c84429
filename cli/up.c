/* up.c - `berth up`: everything on this machine from one file, with a live status, until Ctrl-C. */
#include "cli/berth.h"
#include "cli/harbour.h"
#include "cli/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct up {
    struct berth *berth;
    char directory[400];
    char config_file[4096];
    char redis_socket[512];
    struct harbour *harbour;
    struct watch *watch;
    char told[8192];  /* to a file, last */
    bool screen;      /* a terminal: the status is redrawn in place */
    size_t lines;     /* of the status on the screen now */
    bool announced;   /* the URLs were said */
    bool unreachable; /* was said */
};

/* Remove the status from the screen, so that a line can be said above it. */
static void wipe(struct up *up)
{
    if (up->lines)
        (void)printf("\r\033[%zuA\033[J", up->lines);
    up->lines = 0;
}

static void say(void *arg, const char *line)
{
    struct up *up = arg;
    wipe(up);
    (void)printf("%s\n", line);
    (void)fflush(stdout);
}

static void announce(struct up *up)
{
    const struct settings *s = up->berth->settings;
    const struct lb_peer_settings *first = SECTION_AT(s->lb.peers, struct lb_peer_settings, 0);
    (void)printf("\nberth is up.\n");
    for (size_t i = 0; i < s->lb.peers.count; i++) {
        const struct lb_peer_settings *p = SECTION_AT(s->lb.peers, struct lb_peer_settings, i);
        (void)printf(
            "  %-12s endpoint API http://%s:%d   admin http://%s:%d (/v1/pools, /metrics)\n",
            p->name, p->public_listen.host, p->public_listen.port, p->admin_listen.host,
            p->admin_listen.port);
    }
    (void)printf("  %-12s metrics http://%s:%d/metrics\n", "autoscale", s->autoscale.admin.host,
                 s->autoscale.admin.port);
    (void)printf("  %-12s redis-cli -s %s\n", "redis", up->redis_socket);
    (void)printf("  %-12s %s/log\n", "logs", up->directory);
    const char *pool =
        s->pools.count ? SECTION_AT(s->pools, struct pool_settings, 0)->name : "lobby";
    (void)printf("\ntry:  curl 'http://%s:%d/v1/pools/%s/endpoint?player=ann'\n",
                 first->public_listen.host, first->public_listen.port, pool);
    (void)printf("      berth why %s --config %s --redis.host %s\n", pool, up->config_file,
                 up->redis_socket);
    (void)printf("Ctrl-C stops everything.\n\n");
}

static void show(struct up *up, const struct fleet *fleet)
{
    char text[8192];
    if (up->screen) {
        wipe(up);
        (void)fleet_table(fleet, text, sizeof text);
        for (const char *p = text; *p; p++)
            up->lines += *p == '\n';
        (void)fputs(text, stdout);
    } else { /* a file: a line when something changed */
        (void)fleet_line(fleet, text, sizeof text);
        if (strcmp(text, up->told) != 0)
            (void)printf("%s\n", text);
        memcpy(up->told, text, sizeof text);
    }
    (void)fflush(stdout);
}

static void on_fleet(void *arg, const struct fleet *fleet, const struct err *err)
{
    struct up *up = arg;
    if (!fleet) {
        if (up->announced && !up->unreachable)
            say(up, err->text);
        up->unreachable = true;
        return;
    }
    up->unreachable = false;
    if (!up->announced) {
        up->announced = true;
        announce(up);
    }
    show(up, fleet);
}

static void on_stopped(void *arg)
{
    struct up *up = arg;
    say(up, "all stopped.");
    boot_exit(&up->berth->boot, 0);
}

static int place(struct up *up, struct err *err)
{
    const struct berth *b = up->berth;
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (b->settings->up.directory)
        (void)snprintf(up->directory, sizeof up->directory, "%s", b->settings->up.directory);
    else if (runtime && *runtime == '/')
        (void)snprintf(up->directory, sizeof up->directory, "%s/berth", runtime);
    else
        (void)snprintf(up->directory, sizeof up->directory, "/tmp/berth-%u", (unsigned)getuid());
    if (up->directory[0] != '/')
        return err_set(err, BERTH_EINVAL, "up.directory = %s: must be an absolute path",
                       up->directory);
    if (!config_file(b->config))
        return err_set(err, BERTH_EINVAL,
                       "which configuration? give --config FILE (there is none in /etc/berth)");
    if (!realpath(config_file(b->config), up->config_file))
        return err_set(err, BERTH_ESYS, "%s: cannot be read", config_file(b->config));
    const struct redis_settings *redis = &b->settings->redis;
    if (redis->sentinels.count || redis->cluster.count || redis->servers.count || redis->tls)
        return err_set(err, BERTH_EINVAL,
                       "redis: berth up runs a private Redis, and this configuration leads to "
                       "others (%s); give one "
                       "without that",
                       redis->sentinels.count ? "sentinels"
                       : redis->cluster.count ? "cluster"
                       : redis->servers.count ? "servers"
                                              : "tls");
    (void)snprintf(up->redis_socket, sizeof up->redis_socket, "%s/redis.sock", up->directory);
    /* Every program this starts, and every program those start, uses the private redis and keeps
     * its files here. */
    char local[512];
    (void)snprintf(local, sizeof local, "%s/local", up->directory);
    (void)setenv("BERTH_REDIS__HOST", up->redis_socket, 1);
    (void)setenv("BERTH_AUTOSCALE__LOCAL__DIRECTORY", local, 1);
    return 0;
}

static void up_close(struct berth *berth)
{
    struct up *up = berth->state;
    if (!up)
        return;
    watch_close(up->watch);
    harbour_close(up->harbour);
    free(up);
    berth->state = NULL;
}

static int up_open(struct berth *berth, struct err *err)
{
    struct up *up = calloc(1, sizeof *up);
    if (!up)
        return err_set(err, BERTH_ENOMEM, "no memory");
    up->berth = berth;
    up->screen = isatty(STDOUT_FILENO);
    berth->state = up;
    int code = place(up, err);
    if (code < 0)
        return code;
    const struct harbour_config config = {.directory = up->directory,
                                          .config_file = up->config_file,
                                          .settings = berth->settings,
                                          .redis_program = berth->settings->up.redis_server,
                                          .redis_socket = up->redis_socket,
                                          .say = say,
                                          .stopped = on_stopped,
                                          .arg = up};
    up->harbour = harbour_open(berth->loop, &berth->log, &config, err);
    if (!up->harbour)
        return err->code;
    up->watch = watch_open(berth->loop, berth->fetcher, berth->settings, 1000, on_fleet, up);
    return up->watch ? 0 : err_set(err, BERTH_ENOMEM, "no memory");
}

static void up_stop(struct berth *berth)
{
    struct up *up = berth->state;
    say(up, "stopping (Ctrl-C again: at once)");
    watch_close(up->watch);
    up->watch = NULL;
    harbour_stop(up->harbour);
}

const struct verb verb_up = {
    .name = "up",
    .args = "",
    .help =
        "start a private redis-server, the LBs, the autoscaler and its first nodes; show the fleet",
    .open = up_open,
    .stop = up_stop,
    .close = up_close};

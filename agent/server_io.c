/* server_io.c - the server itself: started, told to drain, ended. */
#include "agent/agent_io.h"

#include "io/port.h"
#include "io/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

int server_pid(const struct agentd *d, struct err *err)
{
    if (d->server.pid > 0)
        return d->server.pid;
    const char *path = d->settings->count.pid_file;
    FILE *file = path ? fopen(path, "re") : NULL;
    if (!file) {
        (void)err_set(err, BERTH_ENOENT, "%s: %s", path ? path : "the server",
                      path ? strerror(errno) : "is not running");
        return 0;
    }
    char text[32] = "";
    const char *read = fgets(text, sizeof text, file);
    (void)fclose(file);
    long pid = read ? strtol(text, NULL, 10) : 0;
    if (pid > 1 && pid < INT32_MAX)
        return (int)pid;
    (void)err_set(err, BERTH_EPROTO, "%s holds no pid", path);
    return 0;
}

/* ---- starting ---- */

static void on_ended(void *arg, int pid, int status)
{
    struct agentd *d = arg;
    d->server.pid = 0;
    log_error(&d->shell.log, "server_ended", "pid=%d exit_code=%d signal=%d", pid,
              WIFEXITED(status) ? WEXITSTATUS(status) : -1,
              WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    boot_exit(&d->shell.boot, 1); /* whoever started us starts both again */
}

static int start(struct agentd *d, struct err *err)
{
    const struct text_list *run = &d->settings->run;
    const char *argv[40];
    char port[32], api[64], node[96], pool[96];
    size_t n = 0;
    for (; n < run->count && n < 32; n++)
        argv[n] = run->items[n];
    argv[n] = NULL;
    (void)snprintf(port, sizeof port, "PORT=%d", d->server_port);
    (void)snprintf(api, sizeof api, "BERTH_AGENT=http://127.0.0.1:%d",
                   web_server_port(d->shell.server));
    (void)snprintf(node, sizeof node, "BERTH_NODE=%s", d->shell.name);
    (void)snprintf(pool, sizeof pool, "BERTH_POOL=%s", d->shell.node->pool);
    const char *const env[] = {port, api, node, pool, NULL};
    const struct spawn spec = {.argv = argv, .env = env, .die_with_parent = SIGTERM};
    d->server.pid = spawn_process(&spec, err);
    if (d->server.pid < 0)
        return d->server.pid;
    child_watch(&d->server.child, d->shell.loop, d->server.pid, on_ended, d);
    log_info(&d->shell.log, "server_started", "pid=%d port=%d command=%s", d->server.pid,
             d->server_port, argv[0]);
    return 0;
}

int server_open(void *app, struct err *err)
{
    struct agentd *d = app;
    d->server_port = d->settings->server.port;
    if (d->server_port == 0)
        d->server_port = port_find_free(err);
    if (d->server_port < 0)
        return d->server_port;
    return d->settings->run.count ? start(d, err) : 0;
}

/* The loop has ended: wait here. */
void server_close(void *app)
{
    struct agentd *d = app;
    if (d->server.fetch)
        fetch_cancel(d->server.fetch);
    command_cancel(d->server.command);
    d->server.fetch = NULL;
    d->server.command = NULL;
    if (d->server.pid <= 0)
        return;
    child_unwatch(&d->server.child);
    (void)kill(d->server.pid, SIGTERM);
    const struct timespec pause = {.tv_nsec = 10000000};
    for (int64_t waited_ms = 0; waited_ms < d->settings->stop_timeout_ms; waited_ms += 10) {
        if (waitpid(d->server.pid, NULL, WNOHANG) != 0)
            return;
        (void)nanosleep(&pause, NULL);
    }
    log_warn(&d->shell.log, "server_killed", "pid=%d why=stop_timeout", d->server.pid);
    (void)kill(d->server.pid, SIGKILL);
    (void)waitpid(d->server.pid, NULL, 0);
}

/* ---- telling ---- */

static void tell_signal(struct agentd *d)
{
    static const int signals[] = {0,       SIGHUP,  SIGINT,  SIGQUIT,
                                  SIGUSR1, SIGUSR2, SIGTERM, SIGWINCH}; /* as in the option's row */
    struct err err = {0};
    int number = signals[d->settings->drain.signal];
    if (number == 0)
        return;
    int pid = server_pid(d, &err);
    if (pid == 0 || kill(pid, number) < 0)
        log_error(&d->shell.log, "drain_signal", "why=%s", pid ? strerror(errno) : err.text);
}

static void on_told(void *arg, int code, const struct fetch_response *response,
                    const struct err *err)
{
    struct agentd *d = arg;
    d->server.fetch = NULL;
    if (code < 0)
        log_error(&d->shell.log, "drain_url", "why=%s", err->text);
    else if (response->status / 100 != 2)
        log_error(&d->shell.log, "drain_url", "status=%d", response->status);
}

static void tell_url(struct agentd *d, bool draining, const char *why)
{
    static const char *const headers[] = {"Content-Type: application/json", "Connection: close",
                                          NULL};
    char body[256];
    struct err err = {0};
    if (!d->settings->drain.url)
        return;
    if (d->server.fetch)
        fetch_cancel(d->server.fetch); /* the newer word counts */
    (void)snprintf(body, sizeof body,
                   "{\"draining\":%s,\"reason\":\"%s\",\"node\":\"%s\",\"pool\":\"%s\"}",
                   draining ? "true" : "false", why, d->shell.name, d->shell.node->pool);
    const struct fetch_request request = {.method = "POST",
                                          .url = d->settings->drain.url,
                                          .headers = headers,
                                          .body = span_of(body),
                                          .timeout_ms = d->settings->drain.timeout_ms};
    d->server.fetch = fetch_start(d->fetcher, &request, on_told, d, &err);
    if (!d->server.fetch)
        log_error(&d->shell.log, "drain_url", "why=%s", err.text);
}

static void on_command(void *arg, const struct command_result *result)
{
    struct agentd *d = arg;
    d->server.command = NULL;
    if (result->code < 0)
        log_error(&d->shell.log, "drain_command", "why=%s", result->why);
}

static void tell_command(struct agentd *d, bool draining, const char *why)
{
    const struct text_list *command = &d->settings->drain.command;
    const char *argv[40];
    char reason[96];
    size_t n = 0;
    struct err err = {0};
    if (command->count == 0)
        return;
    for (; n < command->count && n < 32; n++)
        argv[n] = command->items[n];
    argv[n] = NULL;
    (void)snprintf(reason, sizeof reason, "BERTH_REASON=%s", why);
    const char *const env[] = {draining ? "BERTH_DRAINING=1" : "BERTH_DRAINING=0", reason, NULL};
    const struct command_spec spec = {
        .argv = argv, .env = env, .timeout_ms = d->settings->drain.timeout_ms, .name = "drain"};
    command_cancel(d->server.command);
    d->server.command = command_start(d->shell.loop, &d->shell.log, &spec, on_command, d, &err);
    if (!d->server.command)
        log_error(&d->shell.log, "drain_command", "why=%s", err.text);
}

void server_tell(struct agentd *d, bool draining, const char *why)
{
    log_info(&d->shell.log, "tell", "draining=%d why=%s", draining, why);
    if (draining)
        tell_signal(d);
    tell_url(d, draining, why);
    tell_command(d, draining, why);
}

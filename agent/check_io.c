/* check_io.c - the server checked as a player would: a connection, a WebSocket, a Socket.IO
 * handshake, an HTTP answer. */
#include "agent/agent_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void check_stop(struct agentd *d)
{
    timer_stop(&d->check.timer);
    if (d->check.fetch)
        fetch_cancel(d->check.fetch);
    if (d->check.ws) {
        ws_set_user(d->check.ws, NULL);
        ws_close(d->check.ws, 1000, "checked");
    }
    if (d->check.fd >= 0) {
        ev_io_stop(loop_ev(d->shell.loop), &d->check.io);
        (void)close(d->check.fd);
    }
    d->check.fetch = NULL;
    d->check.ws = NULL;
    d->check.fd = -1;
}

static void finish(struct agentd *d, bool ok, const char *why)
{
    check_stop(d);
    if (!ok)
        log_warn(&d->shell.log, "check_failed", "why=%s", why);
    agentd_event(d, (struct agent_event){.kind = AGENT_CHECKED, .ok = ok, .why = why});
}

static void on_timeout(void *arg)
{
    finish(arg, false, "timeout");
}

/* ---- tcp ---- */

static void on_connected(struct ev_loop *loop, ev_io *io, int events)
{
    struct agentd *d = io->data;
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(d->check.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    finish(d, error == 0, error == 0 ? "ok" : "refused");
}

/* The server's host is numeric, or localhost: it is beside us. */
static bool start_tcp(struct agentd *d, struct err *err)
{
    char port[8];
    struct addrinfo *at = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    const char *host = d->settings->server.host;
    (void)snprintf(port, sizeof port, "%d", d->server_port);
    if (getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, &hints, &at) != 0)
        return err_set(err, BERTH_EINVAL, "server: %s is not a numeric address", host) == 0;
    d->check.fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = d->check.fd < 0 ? -1 : connect(d->check.fd, at->ai_addr, at->ai_addrlen);
    int error = errno;
    freeaddrinfo(at);
    if (d->check.fd < 0 || (rc < 0 && error != EINPROGRESS)) {
        if (d->check.fd >= 0)
            (void)close(d->check.fd);
        d->check.fd = -1;
        return err_set(err, BERTH_ESYS, "%s", strerror(error)) == 0;
    }
    ev_io_init(&d->check.io, on_connected, d->check.fd, EV_WRITE);
    d->check.io.data = d;
    ev_io_start(loop_ev(d->shell.loop), &d->check.io);
    return true;
}

/* ---- ws, socketio ---- */

static void on_open(void *arg, struct ws *ws)
{
    struct agentd *d = ws_user(ws);
    if (d && d->settings->check.kind == CHECK_WS)
        finish(d, true, "ok");
}

/* Socket.IO's server speaks first: the Engine.IO open packet. */
static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct agentd *d = ws_user(ws);
    if (!d)
        return;
    bool open = !binary && data.len > 2 && memcmp(data.ptr, "0{", 2) == 0;
    finish(d, open, open ? "ok" : "not_engine_io");
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct agentd *d = ws_user(ws);
    if (!d)
        return;
    d->check.ws = NULL;
    finish(d, false, why);
}

static bool start_ws(struct agentd *d, const char *url, struct err *err)
{
    static const struct ws_handlers handlers = {
        .open = on_open, .message = on_message, .close = on_close};
    const struct ws_client_config config = {.url = url,
                                            .connect_timeout_ms = d->settings->check.timeout_ms};
    d->check.ws = ws_connect(d->shell.web, &config, &handlers, err);
    if (d->check.ws)
        ws_set_user(d->check.ws, d);
    return d->check.ws != NULL;
}

/* ---- http ---- */

static void on_answer(void *arg, int code, const struct fetch_response *response,
                      const struct err *err)
{
    struct agentd *d = arg;
    d->check.fetch = NULL;
    bool ok = code == 0 && response->status / 100 == 2;
    finish(d, ok, ok ? "ok" : code < 0 ? err_word(code) : "status");
}

static bool start_http(struct agentd *d, const char *url, struct err *err)
{
    static const char *const headers[] = {"Connection: close", NULL};
    const struct fetch_request request = {.method = "GET",
                                          .url = url,
                                          .headers = headers,
                                          .timeout_ms = d->settings->check.timeout_ms};
    d->check.fetch = fetch_start(d->fetcher, &request, on_answer, d, err);
    return d->check.fetch != NULL;
}

/* ---- */

static void default_url(const struct agentd *d, char *buf, size_t size)
{
    static const struct {
        const char *scheme, *path;
    } urls[] = {[CHECK_WS] = {"ws", "/"},
                [CHECK_SOCKETIO] = {"ws", "/socket.io/?EIO=4&transport=websocket"},
                [CHECK_HTTP] = {"http", "/"}};
    const char *host = d->settings->server.host;
    bool six = strchr(host, ':') != NULL;
    (void)snprintf(buf, size, "%s://%s%s%s:%d%s", urls[d->settings->check.kind].scheme,
                   six ? "[" : "", host, six ? "]" : "", d->server_port,
                   urls[d->settings->check.kind].path);
}

static void on_not_started(void *arg)
{
    finish(arg, false, "not_started");
}

void check_start(struct agentd *d)
{
    char made[600];
    struct err err = {0};
    enum agent_check_kind kind = (enum agent_check_kind)d->settings->check.kind;
    const char *url = d->settings->check.url;
    if (!url && kind != CHECK_TCP) {
        default_url(d, made, sizeof made);
        url = made;
    }
    bool started = kind == CHECK_TCP    ? start_tcp(d, &err)
                   : kind == CHECK_HTTP ? start_http(d, url, &err)
                                        : start_ws(d, url, &err);
    if (!started)
        log_warn(&d->shell.log, "check", "why=%s", err.text);
    timer_init(&d->check.timer, d->shell.loop, started ? on_timeout : on_not_started, d);
    timer_start(&d->check.timer, started ? d->settings->check.timeout_ms : 0, 0);
}

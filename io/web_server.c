/* web_server.c - listening: addresses, accepting, limits, the end. */
#include "io/web_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_MAX = 64, /* accepted in one go before others get their turn */
    BACKLOG = 4096,
    STARVED_TELL_MS = 10000,
};

static void name_peer(const struct sockaddr_storage *addr, char peer[46])
{
    const void *at = addr->ss_family == AF_INET6
                         ? (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr
                         : (const void *)&((const struct sockaddr_in *)addr)->sin_addr;
    if (!inet_ntop(addr->ss_family, at, peer, 46))
        peer[0] = '\0';
    else if (strncmp(peer, "::ffff:", 7) == 0 &&
             strchr(peer, '.')) /* IPv4 on a socket of both kinds */
        memmove(peer, peer + 7, strlen(peer + 7) + 1);
}

static void welcome(struct web_server *server, int fd, const struct sockaddr_storage *addr)
{
    struct web *web = server->web;
    size_t max = server->config.connections_max;
    if ((max && server->connections >= max) || web->count >= web->conns_max) {
        (void)close(fd);
        if (!server->crowded)
            log_warn(web->log, "connections_max", "server=%s connections=%zu", server->name,
                     server->connections);
        server->crowded = true;
        return;
    }
    server->crowded = false;
    struct conn *conn = conn_create(web, server);
    if (!conn) {
        (void)close(fd);
        return;
    }
    conn->mode = CONN_HTTP;
    name_peer(addr, conn->peer);
    if (server->tls && tls_accept(conn, server->tls) < 0) {
        (void)close(fd);
        conn_free(conn);
        return;
    }
    (void)conn_adopt(conn, fd);
}

/* It may last for hours, and is tried each tick. */
static void tell_starved(struct web_server *server)
{
    const char *why = strerror(errno);
    int64_t now_ms = server->web->now_ms;
    server->starved_count++;
    if (server->starved_told_ms != 0 && now_ms - server->starved_told_ms < STARVED_TELL_MS)
        return;
    server->starved_told_ms = now_ms;
    log_error(server->web->log, "accept_starved", "server=%s tries=%llu why=%s", server->name,
              (unsigned long long)server->starved_count, why);
}

static void on_accept(struct ev_loop *ev, ev_io *watcher, int events)
{
    (void)events;
    struct web_server *server = watcher->data;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage addr = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof addr;
        int fd = accept4(server->fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(server, fd, &addr);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            tell_starved(server);
            server->starved =
                true; /* a level-triggered listener would spin: the next tick tries again */
            ev_io_stop(ev, watcher);
        }
        return;
    }
}

static int open_socket(struct web_server *server, const char *address, int port, struct err *err)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    bool is_four = inet_pton(AF_INET, address, &four.sin_addr) == 1;
    if (!is_four && inet_pton(AF_INET6, address, &six.sin6_addr) != 1)
        return err_set(err, BERTH_EINVAL, "listen address %s: must be an IPv4 or IPv6 address",
                       address);
    if (port < 0 || port > 65535)
        return err_set(err, BERTH_EINVAL, "listen port %d: must be 0..65535", port);
    int fd = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, BERTH_ESYS, "socket: %s", strerror(errno));
    int on = 1, off = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
                     sizeof on); /* accepted sockets inherit these */
    int unsent = (int)server->config.unsent_max;
    if (unsent > 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    if (!is_four)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    struct sockaddr *addr = is_four ? (struct sockaddr *)&four : (struct sockaddr *)&six;
    socklen_t len = is_four ? sizeof four : sizeof six;
    if (bind(fd, addr, len) < 0 || listen(fd, BACKLOG) < 0 || getsockname(fd, addr, &len) < 0) {
        int r =
            err_set(err, BERTH_ESYS, "listen on %s port %d: %s", address, port, strerror(errno));
        (void)close(fd);
        return r;
    }
    server->fd = fd;
    server->port = ntohs(is_four ? four.sin_port : six.sin6_port);
    return 0;
}

/* One that listens already, from another process. */
static int inherit_socket(struct web_server *server, int fd, struct err *err)
{
    struct sockaddr_in6 addr = {.sin6_family = AF_UNSPEC}; /* the port of IPv4 is at its place */
    socklen_t len = sizeof addr;
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens)
        return err_set(err, BERTH_EINVAL, "descriptor %d does not listen", fd);
    server->fd = fd;
    server->port = ntohs(addr.sin6_port);
    return 0;
}

/* Own copies of what the configuration points to. */
static int copy_config(struct web_server *server, const struct web_server_config *config)
{
    struct web_server_config *c = &server->config;
    *c = *config;
    (void)strncpy(server->name, config->name ? config->name : "web", sizeof server->name - 1);
    c->name = server->name;
    c->body_max = c->body_max ? c->body_max : 64 * 1024;
    c->message_max = c->message_max ? c->message_max : 16 * 1024;
    c->send_max = c->send_max ? c->send_max : 256 * 1024;
    c->idle_ms = c->idle_ms ? c->idle_ms : 60000;
    for (const struct ws_route *r = config->ws; r && r->path; r++)
        server->ws_count++;
    size_t origins = 0;
    while (config->cors_origins && config->cors_origins[origins])
        origins++;
    server->ws = calloc(server->ws_count + 1, sizeof *server->ws);
    server->cors = config->cors_origins ? calloc(origins + 1, sizeof *server->cors) : NULL;
    if (!server->ws || (config->cors_origins && !server->cors))
        return BERTH_ENOMEM;
    if (config->ws)
        memcpy(server->ws, config->ws, server->ws_count * sizeof *server->ws);
    for (size_t i = 0; i < origins; i++)
        if (!(server->cors[i] = strdup(config->cors_origins[i])))
            return BERTH_ENOMEM;
    c->ws = server->ws;
    c->cors_origins = (const char *const *)server->cors;
    return 0;
}

static void server_free(struct web_server *server)
{
    for (char **origin = server->cors; origin && *origin; origin++)
        free(*origin);
    free(server->cors);
    free(server->ws);
    tls_context_free(server->tls);
    free(server);
}

struct web_server *web_listen(struct web *web, const struct web_server_config *config,
                              struct err *err)
{
    struct web_server *server = calloc(1, sizeof *server);
    if (!server || copy_config(server, config) < 0) {
        (void)err_set(err, BERTH_ENOMEM, "no memory to listen");
        goto err_after_server;
    }
    server->web = web;
    if (config->tls_cert || config->tls_key) {
        if (!config->tls_cert || !config->tls_key) {
            (void)err_set(err, BERTH_EINVAL, "TLS needs both a certificate and a key");
            goto err_after_server;
        }
        server->tls = tls_server_context(config->tls_cert, config->tls_key, err);
        if (!server->tls)
            goto err_after_server;
    }
    int opened = config->listening_fd > 0 ? inherit_socket(server, config->listening_fd, err)
                                          : open_socket(server, config->address, config->port, err);
    if (opened < 0)
        goto err_after_server;
    web_sweep_at_least(web, server->config.idle_ms / 4);
    if (server->config.ping_ms)
        web_sweep_at_least(web, server->config.ping_ms / 4);
    server->accepting = true;
    ev_io_init(&server->accept, on_accept, server->fd, EV_READ);
    server->accept.data = server;
    server->paused = config->paused;
    if (!config->paused)
        ev_io_start(loop_ev(web->loop), &server->accept);
    server->next = web->servers;
    web->servers = server;
    return server;

err_after_server:
    if (server)
        server_free(server);
    return NULL;
}

int web_server_port(const struct web_server *server)
{
    return server->port;
}

size_t web_server_connections(const struct web_server *server)
{
    return server->connections;
}

int web_server_fd(const struct web_server *server)
{
    return server->fd;
}

void web_server_pause(struct web_server *server, bool pause)
{
    if (!server->accepting || server->paused == pause)
        return;
    server->paused = pause;
    if (pause)
        ev_io_stop(loop_ev(server->web->loop), &server->accept);
    else
        ev_io_start(loop_ev(server->web->loop), &server->accept);
}

void web_server_stop_accepting(struct web_server *server)
{
    if (!server->accepting)
        return;
    server->accepting = false;
    ev_io_stop(loop_ev(server->web->loop), &server->accept);
    (void)close(server->fd);
    server->fd = -1;
}

void web_server_close(struct web_server *server)
{
    if (!server)
        return;
    struct web *web = server->web;
    web_server_stop_accepting(server);
    for (size_t i = web->count;
         i-- > 0;) { /* from the end: a freed one is replaced by the last, which was seen */
        struct conn *conn = web->conns[i];
        if (conn->server != server)
            continue;
        if (conn->ws)
            ws_shutdown(conn->ws);
        conn_close(conn);
    }
    struct web_server **at = &web->servers;
    while (*at != server)
        at = &(*at)->next;
    *at = server->next;
    server_free(server);
}

/* web_ws_client.c - WebSocket client: name, address, connect(2), TLS, handshake, each within one
 * deadline. */
#include "io/resolve.h"
#include "io/web_impl.h"
#include "io/web_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct ws_client { /* from ws_connect() to the finished handshake */
    struct conn *conn;
    struct timer deadline;
    struct resolve *question;
    char (*addresses)[46];
    size_t count, next;
    char *host, *path, *bearer;
    char key[25];
    int port;
    bool secure, insecure;
};

static void fail(struct conn *conn, int code, const char *why)
{
    ws_reason(conn->ws, code, why);
    conn_die(conn);
}

static void on_deadline(void *arg)
{
    struct conn *conn = arg;
    fail(conn, 1006, "timeout");
}

void ws_client_free(struct ws *ws)
{
    struct ws_client *client = ws->client;
    if (!client)
        return;
    timer_stop(&client->deadline);
    if (client->question)
        resolve_cancel(client->question);
    free(client->addresses);
    free(client->host);
    free(client->path);
    free(client->bearer);
    free(client);
    ws->client = NULL;
}

static struct ws_client *client_create(struct conn *conn, const struct text_url *url,
                                       const struct ws_client_config *config)
{
    struct ws_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    conn->ws->client = client;
    client->conn = conn;
    client->port = url->port;
    client->secure = url->secure;
    client->insecure = config->insecure;
    client->host = strndup(url->host.ptr, url->host.len);
    client->path = strndup(url->path.ptr, url->path.len);
    client->bearer = config->bearer ? strdup(config->bearer) : NULL;
    unsigned char random[16];
    web_random(conn->web, random, sizeof random);
    (void)EVP_EncodeBlock((unsigned char *)client->key, random, sizeof random);
    timer_init(&client->deadline, conn->web->loop, on_deadline, conn);
    timer_start(&client->deadline, config->connect_timeout_ms ? config->connect_timeout_ms : 3000,
                0);
    return client->host && client->path && (client->bearer || !config->bearer) ? client : NULL;
}

static void no_close(void *arg, struct ws *ws, int code, const char *why)
{
    (void)arg;
    (void)ws;
    (void)code;
    (void)why;
}

struct ws *ws_connect(struct web *web, const struct ws_client_config *config,
                      const struct ws_handlers *handlers, struct err *err)
{
    struct text_url url;
    if (text_ws_url(config->url, &url, err) < 0)
        return NULL;
    if (config->bearer && strpbrk(config->bearer, "\r\n")) {
        (void)err_set(err, BERTH_EINVAL, "bearer: must not hold line ends");
        return NULL;
    }
    struct conn *conn = conn_create(web, NULL);
    struct ws *ws = conn ? ws_create(conn, handlers) : NULL;
    if (!ws || !client_create(conn, &url, config)) {
        (void)err_set(err, BERTH_ENOMEM, "no memory to connect");
        if (ws)
            ws->handlers.close = no_close; /* it was never handed out */
        if (conn)
            conn_free(conn);
        return NULL;
    }
    ws->message_max = config->message_max ? config->message_max : 16 * 1024;
    ws->send_max = config->send_max ? config->send_max : 256 * 1024;
    ws->ping_ms = config->ping_ms;
    if (ws->ping_ms)
        web_sweep_at_least(web, ws->ping_ms / 4);
    conn->mode = CONN_RESOLVING;
    (void)web_dirty(conn);
    return ws;
}

static void on_resolved(void *arg, int code, const struct resolve_answer *answer,
                        const struct err *err)
{
    (void)err;
    struct conn *conn = arg;
    struct ws_client *client = conn->ws->client;
    client->question = NULL;
    if (code == 0)
        client->addresses = calloc(answer->count, sizeof *client->addresses);
    if (code < 0 || !client->addresses) {
        fail(conn, 1006, code == BERTH_ETIMEOUT ? "timeout" : "unresolved");
        return;
    }
    client->count = answer->count;
    for (size_t i = 0; i < answer->count; i++)
        memcpy(client->addresses[i], answer->addresses[i], sizeof client->addresses[i]);
    (void)web_dirty(conn);
}

static socklen_t address_of(const char *text, int port, struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return sizeof *four;
    }
    if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        return sizeof *six;
    }
    return 0;
}

/* Ask for the addresses, unless the host is one. */
static void find_addresses(struct conn *conn)
{
    struct ws_client *client = conn->ws->client;
    struct web *web = conn->web;
    struct sockaddr_storage addr;
    if (address_of(client->host, client->port, &addr)) {
        client->addresses = calloc(1, sizeof *client->addresses);
        if (!client->addresses) {
            fail(conn, 1006, "memory");
            return;
        }
        memcpy(client->addresses[0], client->host, strlen(client->host) + 1);
        client->count = 1;
        return;
    }
    if (!web->resolver)
        web->resolver = resolver_create(web->loop, NULL);
    client->question = web->resolver
                           ? resolve_start(web->resolver, client->host, 0, on_resolved, conn, NULL)
                           : NULL;
    if (!client->question)
        fail(conn, 1006, "unresolved");
}

void ws_client_start(struct conn *conn)
{
    struct ws_client *client = conn->ws->client;
    if (client->count == 0 && !client->question)
        find_addresses(conn);
    if (conn->dying || client->count == 0)
        return;
    while (client->next < client->count) {
        const char *address = client->addresses[client->next++];
        struct sockaddr_storage addr;
        socklen_t len = address_of(address, client->port, &addr);
        int fd = len ? socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
        if (fd < 0)
            continue;
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (connect(fd, (struct sockaddr *)&addr, len) < 0 && errno != EINPROGRESS) {
            (void)close(fd);
            continue;
        }
        memcpy(conn->peer, address, sizeof conn->peer);
        conn->mode = CONN_CONNECTING;
        if (conn_adopt(conn, fd) == 0)
            lws_callback_on_writable(conn->wsi);
        return;
    }
    fail(conn, 1006, "refused");
}

bool ws_client_next(struct conn *conn)
{
    struct ws_client *client = conn->ws->client;
    conn->mode = CONN_RESOLVING;
    if (client->next < client->count) {
        (void)web_dirty(conn);
        return true;
    }
    ws_reason(conn->ws, 1006, "refused");
    return false;
}

int ws_client_connected(struct conn *conn)
{
    struct ws_client *client = conn->ws->client;
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error)
        return -1;
    conn->mode = CONN_HANDSHAKE;
    if (!client->secure)
        ws_client_secured(conn);
    else if (tls_connect(conn, client->host, client->insecure) < 0)
        fail(conn, 1006, "tls");
    conn_flush(conn);
    return 0;
}

void ws_client_secured(struct conn *conn)
{
    struct ws_client *client = conn->ws->client;
    bool six = strchr(client->host, ':') != NULL;
    char lines[512];
    int n = snprintf(lines, sizeof lines,
                     " HTTP/1.1\r\nHost: %s%s%s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
                     six ? "[" : "", client->host, six ? "]" : "", client->port, client->key);
    (void)conn_put(conn, "GET ", 4);
    (void)conn_put(conn, client->path, strlen(client->path));
    (void)conn_put(conn, lines, (size_t)n);
    if (client->bearer) {
        (void)conn_put(conn, "Authorization: Bearer ", 22);
        (void)conn_put(conn, client->bearer, strlen(client->bearer));
        (void)conn_put(conn, "\r\n", 2);
    }
    (void)conn_put(conn, "\r\n", 2);
}

size_t ws_client_feed(struct conn *conn, char *p, size_t *n)
{
    struct ws *ws = conn->ws;
    struct wire_answer answer;
    int r = wire_response(p, *n, HEAD_MAX, &answer);
    if (r == 0)
        return 0;
    char accept[29];
    wire_ws_accept(span_of(ws->client->key), accept);
    if (r < 0)
        fail(conn, 1006, "protocol");
    else if (answer.status != 101)
        fail(conn, answer.status, "rejected");
    else if (!answer.upgrade_websocket || !span_is(answer.ws_accept, accept))
        fail(conn, 1006, "protocol");
    else {
        ws_client_free(ws);
        conn->mode = CONN_WS;
        ws_opened(ws, NULL);
        return answer.len;
    }
    return *n;
}

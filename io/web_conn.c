/* web_conn.c - connections as libwebsockets' raw-skt role gives them: bytes in, bytes out, one way
 * to die. */
#include "io/web_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { SPARE_MAX = 64 * 1024, BUF_MIN = 512 };

bool buf_reserve(struct buf *buf, size_t len)
{
    if (buf->ptr && buf->cap - buf->off - buf->len >= len)
        return true;
    if (buf->ptr && buf->off) {
        memmove(buf->ptr, buf->ptr + buf->off, buf->len);
        buf->off = 0;
        if (buf->cap - buf->len >= len)
            return true;
    }
    size_t cap = buf->cap ? buf->cap : BUF_MIN;
    while (cap - buf->len < len)
        cap *= 2;
    char *ptr = realloc(buf->ptr, cap);
    if (!ptr)
        return false;
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

bool buf_append(struct buf *buf, const char *data, size_t len)
{
    if (len == 0)
        return true;
    if (!buf_reserve(buf, len))
        return false;
    memcpy(buf->ptr + buf->off + buf->len, data, len);
    buf->len += len;
    return true;
}

void buf_take(struct buf *buf, size_t len)
{
    buf->off += len;
    buf->len -= len;
    if (buf->len == 0)
        buf->off = 0;
}

void buf_free(struct buf *buf)
{
    free(buf->ptr);
    *buf = (struct buf){.ptr = NULL};
}

struct conn *conn_create(struct web *web, struct web_server *server)
{
    if (web->count == web->cap) {
        size_t cap = web->cap ? web->cap * 2 : 64;
        struct conn **conns = realloc(web->conns, cap * sizeof(struct conn *));
        if (!conns)
            return NULL;
        web->conns = conns;
        web->cap = cap;
    }
    struct conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->web = web;
    conn->server = server;
    conn->fd = -1;
    conn->ex.conn = conn;
    conn->seen_ms = web->now_ms;
    conn->slot = (uint32_t)web->count;
    web->conns[web->count++] = conn;
    if (server)
        server->connections++;
    return conn;
}

void conn_free(struct conn *conn)
{
    struct web *web = conn->web;
    conn->dying = true; /* callbacks below can queue nothing any more */
    if (conn->ws)
        ws_gone(conn);
    http_gone(conn);
    if (web->adopting == conn)
        web->adopting = NULL;
    web->conns[conn->slot] = web->conns[--web->count];
    web->conns[conn->slot]->slot = conn->slot;
    if (conn->dirty)
        web->dirty[conn->dirty - 1] = NULL;
    if (conn->server)
        conn->server->connections--;
    tls_free(conn);
    buf_free(&conn->in);
    buf_free(&conn->out);
    free(conn);
}

int conn_adopt(struct conn *conn, int fd)
{
    struct web *web = conn->web;
    web->adopting = conn;
    conn->fd = fd;
    lws_adopt_desc_t info = {.vh = web->vhost,
                             .type = LWS_ADOPT_SOCKET,
                             .fd.sockfd = fd,
                             .vh_prot_name = web_protocols[0].name,
                             .opaque = conn};
    struct lws *wsi = lws_adopt_descriptor_vhost_via_info(&info);
    bool gone = web->adopting != conn;
    web->adopting = NULL;
    if (wsi) {
        conn->wsi = wsi;
        return 0;
    }
    if (!gone) {
        conn->wsi = NULL;
        conn_free(conn);
    }
    return BERTH_ESYS;
}

bool conn_put(struct conn *conn, const char *data, size_t len)
{
    if (conn->dying)
        return false;
    struct web *web = conn->web;
    if (!conn->out.ptr && web->spare.ptr) {
        conn->out = web->spare;
        web->spare = (struct buf){.ptr = NULL};
    }
    if (conn->out.len == 0)
        conn->seen_ms = web->now_ms;
    if (!buf_append(&conn->out, data, len)) {
        conn_die(conn);
        return false;
    }
    if (!conn->busy)
        web_dirty(conn);
    return true;
}

void conn_die(struct conn *conn)
{
    conn->dying = true;
    web_dirty(conn);
}

void conn_finish(struct conn *conn, bool linger)
{
    conn->finish = true;
    conn->linger = linger;
    web_dirty(conn);
}

void conn_close(struct conn *conn)
{
    conn->dying = true;
    if (conn->wsi)
        lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK,
                        LWS_TO_KILL_SYNC); /* -> RAW_CLOSE -> conn_free() */
    else
        conn_free(conn);
}

void conn_hold(struct conn *conn, bool hold)
{
    if (conn->held == hold || !conn->wsi)
        return;
    conn->held = hold;
    if (lws_rx_flow_control(conn->wsi, !hold) < 0)
        conn_die(conn);
}

/* All queued bytes are gone. */
static void drained(struct conn *conn)
{
    struct web *web = conn->web;
    if (!web->spare.ptr && conn->out.cap <= SPARE_MAX) {
        web->spare = conn->out;
        web->spare.off = 0;
        conn->out = (struct buf){.ptr = NULL};
    } else
        buf_free(&conn->out);
    if (conn->finish && conn->mode != CONN_LINGER) {
        if (!conn->linger) {
            conn_die(conn);
            return;
        }
        conn->mode = CONN_LINGER;
        conn->seen_ms = web->now_ms;
        buf_free(&conn->in);
        conn_hold(conn, false);
        (void)shutdown(conn->fd, SHUT_WR);
    } else if (conn->mode == CONN_HTTP && conn->in.len && !conn->ex.pending && !conn->busy) {
        conn->resume = true; /* requests waited for room */
        web_dirty(conn);
    }
}

static bool plain_flush(struct conn *conn)
{
    while (conn->out.len) {
        ssize_t n = send(conn->fd, conn->out.ptr + conn->out.off, conn->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            lws_callback_on_writable(conn->wsi);
            return false;
        }
        if (n < 0) {
            conn_die(conn);
            return false;
        }
        conn->seen_ms = conn->web->now_ms;
        buf_take(&conn->out, (size_t)n);
    }
    return true;
}

void conn_flush(struct conn *conn)
{
    if (conn->dying || conn->fd < 0 || conn->mode <= CONN_CONNECTING)
        return;
    if (conn->tls ? !tls_flush(conn) : !plain_flush(conn))
        return;
    if (conn->tls && conn->finish) {
        tls_end(conn);
        if (!tls_flush(conn))
            return;
    }
    if (conn->out.ptr || conn->finish)
        drained(conn);
}

static size_t feed_once(struct conn *conn, char *p, size_t *n)
{
    switch (conn->mode) {
    case CONN_HTTP:
        return http_feed(conn, p, n);
    case CONN_WS:
        return ws_feed(conn, p, n);
    case CONN_HANDSHAKE:
        return ws_client_feed(conn, p, n);
    case CONN_RESOLVING:
    case CONN_CONNECTING:
    case CONN_LINGER:
        break;
    }
    return *n;
}

void conn_feed(struct conn *conn, char *data, size_t len)
{
    if (conn->dying)
        return;
    bool own = conn->in.len > 0;
    if (own && !buf_append(&conn->in, data, len)) {
        conn_die(conn);
        return;
    }
    if (!own && len && conn->mode == CONN_HTTP && !conn->ex.pending)
        conn->seen_ms =
            conn->web->now_ms; /* a request begins: from here it has idle_ms to be complete */
    char *p = own ? conn->in.ptr + conn->in.off : data;
    size_t n = own ? conn->in.len : len;
    bool outer = conn->busy;
    conn->busy = true;
    while (n && !conn->dying) {
        enum conn_mode mode = conn->mode;
        size_t used = feed_once(conn, p, &n);
        p += used;
        n -= used;
        if (used == 0 && mode == conn->mode)
            break;
    }
    conn->busy = outer;
    if (own && conn->in.ptr) {
        conn->in.off = (size_t)(p - conn->in.ptr);
        conn->in.len = n;
        if (n == 0)
            buf_free(&conn->in);
    } else if (!own && n && !conn->dying && !buf_append(&conn->in, p, n))
        conn_die(conn);
}

/* Nothing more is understood for now. */
static bool waits(const struct conn *conn)
{
    return conn->mode == CONN_WS ? conn->ws->held : http_waits(conn);
}

void conn_turn(struct conn *conn)
{
    if (conn->mode == CONN_RESOLVING && !conn->dying) {
        ws_client_start(conn);
        return;
    }
    if (conn->resume && !conn->dying) {
        conn->resume = false;
        conn_feed(conn, NULL, 0);
        if (!waits(conn))
            conn_hold(conn, false); /* also with much read ahead: the rest of a body, perhaps */
    }
    if (!conn->dying && (conn->out.len || conn->finish))
        conn_flush(conn);
    if (conn->dying)
        conn_close(conn);
}

void conn_sweep(struct conn *conn, int64_t now_ms)
{
    if (conn->mode == CONN_LINGER) {
        if (now_ms - conn->seen_ms > LINGER_MS)
            conn_die(conn);
    } else if (conn->mode == CONN_HTTP)
        http_sweep(conn, now_ms);
    else if (conn->mode == CONN_WS)
        ws_sweep(conn, now_ms);
}

static void on_read(struct conn *conn, char *data, size_t len)
{
    if (conn->dying)
        return;
    if (conn->tls && conn->mode != CONN_CONNECTING)
        tls_feed(conn, data, len);
    else
        conn_feed(conn, data, len);
    if (conn->out.len || conn->finish || conn->tls)
        conn_flush(conn);
}

static int raw_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                        size_t len)
{
    struct conn *conn = lws_get_opaque_user_data(wsi);
    if (!conn)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_RAW_ADOPT:
        conn->wsi = wsi;
        break;
    case LWS_CALLBACK_RAW_RX:
        on_read(conn, in, len);
        break;
    case LWS_CALLBACK_RAW_WRITEABLE:
        if (conn->mode == CONN_CONNECTING)
            return conn->dying ? 0 : ws_client_connected(conn);
        conn_flush(conn);
        break;
    case LWS_CALLBACK_RAW_CLOSE:
        lws_set_opaque_user_data(wsi, NULL);
        conn->wsi = NULL;
        conn->fd = -1;
        if (conn->mode == CONN_CONNECTING && !conn->dying && ws_client_next(conn))
            break; /* another address of the same name */
        conn_free(conn);
        break;
    default:
        break;
    }
    return 0;
}

const struct lws_protocols web_protocols[] = {
    {.name = "berth", .callback = raw_callback},
    {.name = NULL},
};

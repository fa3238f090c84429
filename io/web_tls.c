/* web_tls.c - TLS on a connection's bytes: io/secure.c filters, the socket stays with web_conn.c.
 *
 * libwebsockets 4.1 could do the server side of this in its raw-skt role, but not the client side
 * (it never says RAW_CONNECTED after a TLS handshake), and its timeouts of the handshake go on into
 * the connection's life. One filter serves both. */
#include "io/secure.h"
#include "io/web_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

struct tls {
    struct secure *secure;
    struct buf cipher; /* encrypted, not yet sent */
};

void *tls_server_context(const char *cert, const char *key, struct err *err)
{
    return secure_server(cert, key, err);
}

void tls_context_free(void *context)
{
    secure_context_free(context);
}

static int begin(struct conn *conn, struct secure *secure)
{
    struct tls *tls = secure ? calloc(1, sizeof *tls) : NULL;
    if (!tls) {
        secure_free(secure);
        return BERTH_ENOMEM;
    }
    tls->secure = secure;
    conn->tls = tls;
    return 0;
}

int tls_accept(struct conn *conn, void *context)
{
    return begin(conn, secure_accept(context));
}

int tls_connect(struct conn *conn, const char *host, bool insecure)
{
    struct web *web = conn->web;
    if (!web->tls_client)
        web->tls_client = secure_client(NULL, NULL, NULL, NULL);
    if (!web->tls_client)
        return BERTH_ESYS;
    int r = begin(conn, secure_connect(web->tls_client, host, !insecure));
    if (r == 0)
        tls_feed(conn, NULL, 0); /* writes the hello */
    return r;
}

static bool handshake(struct conn *conn)
{
    int r = secure_handshake(conn->tls->secure, NULL);
    if (r == 1 && !conn->server)
        ws_client_secured(conn);
    if (r >= 0)
        return r == 1;
    if (conn->ws)
        ws_reason(conn->ws, 1006, "tls");
    (void)tls_flush(conn); /* the alert tells the other side */
    conn_die(conn);
    return false;
}

void tls_feed(struct conn *conn, const char *data, size_t len)
{
    struct tls *tls = conn->tls;
    if (!secure_put(tls->secure, data, len)) {
        conn_die(conn);
        return;
    }
    if (!secure_is_up(tls->secure) && !handshake(conn))
        return;
    char plain[SECURE_RECORD];
    while (!conn->dying) {
        int n = secure_read(tls->secure, plain, sizeof plain);
        if (n == 0)
            break;
        if (n < 0)
            conn_die(conn);
        else
            conn_feed(conn, plain, (size_t)n);
    }
}

/* Take what is to be sent. */
static bool collect(struct tls *tls)
{
    size_t n = secure_waiting(tls->secure);
    if (n == 0)
        return true;
    if (!buf_reserve(&tls->cipher, n))
        return false;
    tls->cipher.len +=
        secure_take(tls->secure, tls->cipher.ptr + tls->cipher.off + tls->cipher.len, n);
    return true;
}

bool tls_flush(struct conn *conn)
{
    struct tls *tls = conn->tls;
    for (;;) {
        while (secure_is_up(tls->secure) && conn->out.len &&
               tls->cipher.len < (size_t)4 * SECURE_RECORD) {
            int n = secure_write(tls->secure, conn->out.ptr + conn->out.off, conn->out.len);
            if (n < 0) {
                conn_die(conn);
                return false;
            }
            buf_take(&conn->out, (size_t)n);
            if (!collect(tls))
                break;
        }
        if (!collect(tls)) {
            conn_die(conn);
            return false;
        }
        if (tls->cipher.len == 0) {
            buf_free(&tls->cipher);
            return conn->out.len == 0;
        }
        ssize_t n =
            send(conn->fd, tls->cipher.ptr + tls->cipher.off, tls->cipher.len, MSG_NOSIGNAL);
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
        buf_take(&tls->cipher, (size_t)n);
    }
}

void tls_end(struct conn *conn)
{
    secure_end(conn->tls->secure);
}

void tls_free(struct conn *conn)
{
    struct tls *tls = conn->tls;
    if (!tls)
        return;
    secure_free(tls->secure);
    buf_free(&tls->cipher);
    free(tls);
    conn->tls = NULL;
}

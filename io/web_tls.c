/* web_tls.c - TLS as a filter on a connection's bytes: OpenSSL over memory, the socket stays with
 * web_conn.c.
 *
 * libwebsockets 4.1 could do the server side of this in its raw-skt role, but not the client side
 * (it never says RAW_CONNECTED after a TLS handshake), and its timeouts of the handshake go on into
 * the connection's life. One filter serves both. */
#include "io/web_impl.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { RECORD = 16 * 1024 };

struct tls {
    SSL *ssl;
    struct buf cipher; /* encrypted, not yet sent */
    bool up, ended;
};

static int alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    static const unsigned char http11[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_len, http11, sizeof http11 - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text ? text : "unknown reason";
}

static SSL_CTX *context(const SSL_METHOD *method, struct err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        (void)err_set(err, BERTH_ESYS, "TLS: %s", reason());
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

void *tls_server_context(const char *cert, const char *key, struct err *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = context(TLS_server_method(), err);
    if (!ctx)
        return NULL;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        (void)err_set(err, BERTH_EINVAL, "tls certificate %s: %s", cert, reason());
    else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        (void)err_set(err, BERTH_EINVAL, "tls key %s: %s", key, reason());
    else {
        SSL_CTX_set_alpn_select_cb(ctx, alpn, NULL);
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

void tls_context_free(void *ctx)
{
    SSL_CTX_free(ctx);
}

static int begin(struct conn *conn, SSL_CTX *ctx)
{
    struct tls *tls = calloc(1, sizeof *tls);
    SSL *ssl = tls ? SSL_new(ctx) : NULL;
    BIO *in = ssl ? BIO_new(BIO_s_mem()) : NULL;
    BIO *out = in ? BIO_new(BIO_s_mem()) : NULL;
    if (!out) {
        BIO_free(in);
        SSL_free(ssl);
        free(tls);
        return BERTH_ENOMEM;
    }
    SSL_set_bio(ssl, in, out); /* takes both */
    tls->ssl = ssl;
    conn->tls = tls;
    return 0;
}

int tls_accept(struct conn *conn, void *ctx)
{
    int r = begin(conn, ctx);
    if (r == 0)
        SSL_set_accept_state(conn->tls->ssl);
    return r;
}

int tls_connect(struct conn *conn, const char *host, bool insecure)
{
    struct web *web = conn->web;
    if (!web->tls_client) {
        web->tls_client = context(TLS_client_method(), NULL);
        if (!web->tls_client)
            return BERTH_ESYS;
        (void)SSL_CTX_set_default_verify_paths(web->tls_client);
    }
    if (begin(conn, web->tls_client) < 0)
        return BERTH_ENOMEM;
    SSL *ssl = conn->tls->ssl;
    SSL_set_connect_state(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) !=
        1) { /* a name, not an address */
        ERR_clear_error();
        if (SSL_set_tlsext_host_name(ssl, host) != 1 || SSL_set1_host(ssl, host) != 1)
            return BERTH_ESYS;
    }
    SSL_set_verify(ssl, insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    tls_feed(conn, NULL, 0); /* writes the hello */
    return 0;
}

static bool handshake(struct conn *conn)
{
    struct tls *tls = conn->tls;
    ERR_clear_error();
    int r = SSL_do_handshake(tls->ssl);
    if (r == 1) {
        tls->up = true;
        if (!conn->server)
            ws_client_secured(conn);
        return true;
    }
    int why = SSL_get_error(tls->ssl, r);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return false;
    if (conn->ws)
        ws_reason(conn->ws, 1006, "tls");
    (void)tls_flush(conn); /* the alert tells the other side */
    conn_die(conn);
    return false;
}

void tls_feed(struct conn *conn, const char *data, size_t len)
{
    struct tls *tls = conn->tls;
    if (len && BIO_write(SSL_get_rbio(tls->ssl), data, (int)len) != (int)len) {
        conn_die(conn);
        return;
    }
    if (!tls->up && !handshake(conn))
        return;
    char plain[RECORD];
    while (!conn->dying) {
        ERR_clear_error();
        int n = SSL_read(tls->ssl, plain, sizeof plain);
        if (n > 0) {
            conn_feed(conn, plain, (size_t)n);
            continue;
        }
        if (SSL_get_error(tls->ssl, n) != SSL_ERROR_WANT_READ)
            conn_die(conn);
        break;
    }
}

/* Take what OpenSSL has made. */
static bool collect(struct tls *tls)
{
    BIO *bio = SSL_get_wbio(tls->ssl);
    size_t n = BIO_ctrl_pending(bio);
    if (n == 0)
        return true;
    if (!buf_reserve(&tls->cipher, n))
        return false;
    int got = BIO_read(bio, tls->cipher.ptr + tls->cipher.off + tls->cipher.len, (int)n);
    if (got > 0)
        tls->cipher.len += (size_t)got;
    return true;
}

bool tls_flush(struct conn *conn)
{
    struct tls *tls = conn->tls;
    for (;;) {
        while (tls->up && conn->out.len && tls->cipher.len < 4 * RECORD) {
            ERR_clear_error();
            int n = SSL_write(tls->ssl, conn->out.ptr + conn->out.off,
                              (int)(conn->out.len < RECORD ? conn->out.len : RECORD));
            if (n <= 0) {
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
    struct tls *tls = conn->tls;
    if (!tls->up || tls->ended)
        return;
    tls->ended = true;
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl);
}

void tls_free(struct conn *conn)
{
    struct tls *tls = conn->tls;
    if (!tls)
        return;
    SSL_free(tls->ssl);
    buf_free(&tls->cipher);
    free(tls);
    conn->tls = NULL;
}

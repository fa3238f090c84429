/* secure.c - OpenSSL over memory. */
#include "io/secure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct secure_context {
    SSL_CTX *ctx;
};

struct secure {
    SSL *ssl;
    bool up, ended;
};

static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text ? text : "unknown reason";
}

static struct secure_context *context(const SSL_METHOD *method, struct err *err)
{
    ERR_clear_error();
    struct secure_context *c = calloc(1, sizeof *c);
    SSL_CTX *ctx = c ? SSL_CTX_new(method) : NULL;
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        (void)err_set(err, BERTH_ESYS, "TLS: %s", reason());
        SSL_CTX_free(ctx);
        free(c);
        return NULL;
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    c->ctx = ctx;
    return c;
}

void secure_context_free(struct secure_context *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->ctx);
    free(c);
}

static int use_files(SSL_CTX *ctx, const char *cert, const char *key, struct err *err)
{
    if (cert && SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return err_set(err, BERTH_EINVAL, "tls certificate %s: %s", cert, reason());
    if (key && SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return err_set(err, BERTH_EINVAL, "tls key %s: %s", key, reason());
    return 0;
}

struct secure_context *secure_client(const char *ca, const char *cert, const char *key,
                                     struct err *err)
{
    struct secure_context *c = context(TLS_client_method(), err);
    if (!c)
        return NULL;
    int code = 0;
    if (ca && SSL_CTX_load_verify_locations(c->ctx, ca, NULL) != 1)
        code = err_set(err, BERTH_EINVAL, "tls authorities %s: %s", ca, reason());
    else if (!ca)
        (void)SSL_CTX_set_default_verify_paths(c->ctx);
    if (code == 0)
        code = use_files(c->ctx, cert, key, err);
    if (code == 0)
        return c;
    secure_context_free(c);
    return NULL;
}

static int choose_http11(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                         const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char http11[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_len, http11, sizeof http11 - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

struct secure_context *secure_server(const char *cert, const char *key, struct err *err)
{
    struct secure_context *c = context(TLS_server_method(), err);
    if (!c)
        return NULL;
    if (use_files(c->ctx, cert, key, err) < 0) {
        secure_context_free(c);
        return NULL;
    }
    SSL_CTX_set_alpn_select_cb(c->ctx, choose_http11, NULL);
    return c;
}

/* ---- one connection ---- */

static struct secure *begin(struct secure_context *context)
{
    struct secure *s = calloc(1, sizeof *s);
    SSL *ssl = s ? SSL_new(context->ctx) : NULL;
    BIO *in = ssl ? BIO_new(BIO_s_mem()) : NULL;
    BIO *out = in ? BIO_new(BIO_s_mem()) : NULL;
    if (!out) {
        BIO_free(in);
        SSL_free(ssl);
        free(s);
        return NULL;
    }
    SSL_set_bio(ssl, in, out); /* takes both */
    s->ssl = ssl;
    return s;
}

struct secure *secure_connect(struct secure_context *context, const char *name, bool verify)
{
    struct secure *s = begin(context);
    if (!s)
        return NULL;
    SSL_set_connect_state(s->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s->ssl), name) != 1) {
        ERR_clear_error(); /* a name, not an address */
        if (SSL_set_tlsext_host_name(s->ssl, name) != 1 || SSL_set1_host(s->ssl, name) != 1) {
            secure_free(s);
            return NULL;
        }
    }
    SSL_set_verify(s->ssl, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    return s;
}

struct secure *secure_accept(struct secure_context *context)
{
    struct secure *s = begin(context);
    if (s)
        SSL_set_accept_state(s->ssl);
    return s;
}

void secure_free(struct secure *s)
{
    if (!s)
        return;
    SSL_free(s->ssl);
    free(s);
}

bool secure_put(struct secure *s, const char *bytes, size_t len)
{
    return len == 0 || BIO_write(SSL_get_rbio(s->ssl), bytes, (int)len) == (int)len;
}

int secure_handshake(struct secure *s, struct err *err)
{
    ERR_clear_error();
    int r = SSL_do_handshake(s->ssl);
    if (r == 1) {
        s->up = true;
        return 1;
    }
    int why = SSL_get_error(s->ssl, r);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return 0;
    long verdict = SSL_get_verify_result(s->ssl);
    return err_set(err, BERTH_EPROTO, "TLS: %s",
                   verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : reason());
}

bool secure_is_up(const struct secure *s)
{
    return s->up;
}

int secure_read(struct secure *s, char *buf, size_t size)
{
    ERR_clear_error();
    int n = SSL_read(s->ssl, buf, (int)size);
    if (n > 0)
        return n;
    return SSL_get_error(s->ssl, n) == SSL_ERROR_WANT_READ ? 0 : BERTH_ECLOSED;
}

int secure_write(struct secure *s, const char *bytes, size_t len)
{
    ERR_clear_error();
    int n = SSL_write(s->ssl, bytes, (int)(len < SECURE_RECORD ? len : SECURE_RECORD));
    return n > 0 ? n : BERTH_ECLOSED;
}

size_t secure_waiting(const struct secure *s)
{
    return BIO_ctrl_pending(SSL_get_wbio(s->ssl));
}

size_t secure_take(struct secure *s, char *buf, size_t size)
{
    int n = BIO_read(SSL_get_wbio(s->ssl), buf, (int)size);
    return n > 0 ? (size_t)n : 0;
}

void secure_end(struct secure *s)
{
    if (!s->up || s->ended)
        return;
    s->ended = true;
    ERR_clear_error();
    (void)SSL_shutdown(s->ssl);
}

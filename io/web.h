/* web.h - the libwebsockets context of a process: HTTP and WebSocket servers and WebSocket clients
 * on the loop.
 *
 * One `struct web` a process. Servers route to const tables of handlers. libwebsockets' own timers
 * are kept alive by a 100 ms tick (its libev plugin forgets them otherwise). Threads: the loop's.
 */
#ifndef BERTH_IO_WEB_H
#define BERTH_IO_WEB_H

#include "core/span.h"
#include "io/log.h"
#include "io/loop.h"

struct web;
struct web_server;
struct ws;            /* one WebSocket, server or client side */
struct http_exchange; /* one request being answered */

struct web *web_create(struct loop *loop, struct log *log, struct err *err);
void web_destroy(struct web *web);

/* ---- HTTP ---- */

struct http_request {
    struct span method; /* "GET" */
    struct span path;   /* decoded, begins with '/', no query */
    struct span query;  /* raw, without '?'; http_query() reads it */
    struct span body;   /* whole; at most body_max */
    struct span authorization;
    struct span origin;
    struct span accept;
    char peer[64]; /* address of the other side, numeric */
};

/* Find a query parameter, percent-decoded into ret_buf. Returns its length, BERTH_ENOENT if absent,
 * BERTH_EINVAL if malformed or longer than size - 1. */
int http_query(const struct http_request *req, const char *name, char *ret_buf,
               size_t size) BERTH_MUST_USE;

/* Called when the request is complete. Answer with http_reply(ex, ...), now or later (ex stays
 * valid until answered or until `gone` was called). req is borrowed for the call only. */
typedef void http_handler_fn(void *arg, const struct http_request *req, struct http_exchange *ex);

struct http_route {
    const char *method; /* "GET" */
    const char *prefix; /* "/v1/pools/": the longest matching prefix wins; exact when it does not
                           end in '/' */
    http_handler_fn *fn;
};

/* headers: NULL, or extra lines each ended by \r\n ("Retry-After: 2\r\n"). Copies everything.
 * Content-Length is added. */
void http_reply(struct http_exchange *ex, int status, const char *content_type, const char *headers,
                struct span body);
/* RFC 9457 problem+json. type is the last part of the URI ("no-capacity"), title short, detail for
 * a person. */
void http_problem(struct http_exchange *ex, int status, const char *type, const char *title,
                  const char *headers, const char *detail_fmt, ...) BERTH_PRINTF(6, 7);
/* fn is called if the client goes away before the answer; after that ex must not be used. */
void http_on_gone(struct http_exchange *ex, void (*fn)(void *arg), void *arg);

/* ---- WebSocket ---- */

struct ws_handlers {
    /* Server: a client has connected on a path of ws_paths. Client: the handshake is done. Set user
     * data with ws_set_user(). */
    void (*open)(void *arg, struct ws *ws);
    /* A whole message (fragments are joined up to message_max; beyond it the socket is closed with
     * 1009 before this). */
    void (*message)(void *arg, struct ws *ws, struct span data, bool binary);
    /* Always the last call for a ws that had `open` (or for a client that never got so far). why:
     * "peer", "timeout", "refused", "too_large", "slow_reader", "local", ... */
    void (*close)(void *arg, struct ws *ws, int code, const char *why);
    void *arg;
};

void ws_set_user(struct ws *ws, void *user);
void *ws_user(const struct ws *ws);
const char *ws_peer(const struct ws *ws); /* numeric address */

/* Queue a text message (copied). BERTH_EFULL: over send_max bytes are queued, nothing was added
 * (the caller decides: tell, drop). Several messages queued in one turn of the loop leave in as few
 * writes as possible. */
int ws_send(struct ws *ws, struct span text) BERTH_MUST_USE;
/* Send what is queued, then close with this code and reason; `close` comes later. */
void ws_close(struct ws *ws, int code, const char *reason);

/* ---- servers ---- */

struct web_server_config {
    const char *name;                /* for logs: "public", "admin", "ws" */
    const char *address;             /* "127.0.0.1", "0.0.0.0", "::" */
    int port;                        /* 0: any free one; web_server_port() tells */
    const struct http_route *routes; /* ended by prefix == NULL; NULL: none */
    void *http_arg;
    const char *ws_path;          /* "/ws"; NULL: no WebSockets */
    const struct ws_handlers *ws; /* copied */
    size_t body_max;              /* request body; beyond it 413. default 64 KiB */
    size_t message_max;           /* WebSocket message; default 16 KiB */
    size_t send_max;              /* bytes queued per WebSocket; default 256 KiB */
    size_t connections_max;       /* default 0: what descriptors allow */
    int64_t ping_ms; /* WebSocket ping interval; 0: none. A socket silent for ping_ms + 2 s is
                        closed ("timeout") */
    int64_t idle_ms; /* an HTTP connection without a request is closed after this; default 60,000 */
    const char *tls_cert, *tls_key; /* NULL: plain */
};

struct web_server *web_listen(struct web *web, const struct web_server_config *config,
                              struct err *err);
int web_server_port(const struct web_server *server);
size_t web_server_connections(const struct web_server *server);
/* Stop accepting; live sockets go on. */
void web_server_stop_accepting(struct web_server *server);
void web_server_close(struct web_server *server);

/* ---- WebSocket client ---- */

struct ws_client_config {
    const char *url; /* ws:// or wss://host:port/path; the host is resolved with c-ares, kept for
                        Host and SNI */
    int64_t connect_timeout_ms; /* from the call to the finished handshake; default 3,000 */
    size_t message_max, send_max;
    int64_t ping_ms;
    const char *bearer; /* Authorization: Bearer ..., or NULL */
    bool insecure;      /* do not verify the certificate (tests) */
};

/* NULL only for a malformed URL or no memory (err says); otherwise `open` or `close` follows, never
 * from within the call. */
struct ws *ws_connect(struct web *web, const struct ws_client_config *config,
                      const struct ws_handlers *handlers, struct err *err);

#endif

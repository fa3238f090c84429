/* web.h - HTTP and WebSocket servers and WebSocket clients of a process, on the loop.
 *
 * One `struct web` a process. libwebsockets holds the sockets (raw-skt role, its libev plugin);
 * HTTP/1.1, WebSocket and TLS are read above it by web_http.c, web_ws.c and web_tls.c. Servers
 * route to const tables of handlers. One sweep a process sees to idle connections, pings and
 * stalled readers: it looks at each connection at least once a second, or four times in the
 * shortest ping_ms or idle_ms. Threads: the loop's. */
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
/* Closes what is still open (servers and clients, with their `close` callbacks), frees. Not from
 * within a callback. NULL is a no-op. */
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
    struct span content_type;
    struct span forwarded_for; /* X-Forwarded-For: believe it only behind one's own proxy */
    struct span last_event_id; /* of a text/event-stream client that came back */
    const char *peer;          /* address of the other side, numeric */
};

/* Find a query parameter, percent-decoded into ret_buf. Returns its length, BERTH_ENOENT if absent,
 * BERTH_EINVAL if malformed or longer than size - 1. */
int http_query(const struct http_request *req, const char *name, char *ret_buf,
               size_t size) BERTH_MUST_USE;

/* The same on a bare query string ("a=1&b=2"). */
int query_get(struct span query, const char *name, char *ret_buf, size_t size) BERTH_MUST_USE;

/* Is the request's Authorization "Bearer <token>" with this token? Takes the same time wherever
 * they differ. False for an empty token. */
bool http_bearer_is(const struct http_request *req, const char *token);
/* The token of "Bearer <token>", empty when there is none. */
struct span http_bearer(const struct http_request *req);

/* Called when the request is complete. HEAD is routed to the GET handler and its body is left out
 * by itself. Answer with http_reply(ex, ...), now or later (ex stays valid until answered or until
 * `gone` was called). req is borrowed for the call only. */
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
/* fn is called if the client goes away before the answer (or before the end of a stream); after
 * that ex must not be used. */
void http_on_gone(struct http_exchange *ex, void (*fn)(void *arg), void *arg);

/* An answer without end (text/event-stream): begin, write as often as wished, end. BERTH_EFULL: the
 * client reads too slowly and send_max bytes are queued; nothing was added. After http_stream_end()
 * ex must not be used. Without http_on_gone() a stream whose client went away would be used after
 * its end: set it first. */
void http_stream_begin(struct http_exchange *ex, int status, const char *content_type,
                       const char *headers);
int http_stream_write(struct http_exchange *ex, struct span data) BERTH_MUST_USE;
void http_stream_end(struct http_exchange *ex);

/* ---- WebSocket ---- */

struct ws_handlers { /* each may be NULL: then nothing is called */
    /* Server: may this request become a WebSocket? 0, or the HTTP status to refuse it
     * with (401, 403, 503). */
    int (*upgrade)(void *arg, const struct http_request *req);
    /* Server: a client has connected; ws_request() tells path, query and headers. Client: the
     * handshake is done. Set user data with ws_set_user(). */
    void (*open)(void *arg, struct ws *ws);
    /* A whole message (fragments are joined up to message_max; beyond it the socket is closed with
     * 1009 before this). */
    void (*message)(void *arg, struct ws *ws, struct span data, bool binary);
    /* A frame that ends no message: a ping or pong (answered already), a fragment. */
    void (*frame)(void *arg, struct ws *ws);
    /* Always the last call, exactly once, for a ws that had `open`, and for a client that never got
     * so far. code: of the Close frame; 1006 when there was none; a client's "rejected": the HTTP
     * status. why: "peer" (it closed, or vanished), "local" (ws_close()), "timeout", "slow_reader",
     * "too_large", "bad_utf8", "protocol", "shutdown"; of a client also "refused" (no connection),
     * "unresolved", "tls", "rejected" (an answer other than 101), "memory". */
    void (*close)(void *arg, struct ws *ws, int code, const char *why);
    void *arg;
};

void ws_set_user(struct ws *ws, void *user);
void *ws_user(const struct ws *ws);
const char *ws_peer(const struct ws *ws); /* numeric address */
/* The request that became this WebSocket. Server side, only within `open`; NULL otherwise. */
const struct http_request *ws_request(const struct ws *ws);

/* Queue a text message (copied). BERTH_EFULL: over send_max bytes are queued, nothing was added
 * (the caller decides: tell, drop). Several messages queued in one turn of the loop leave in as few
 * writes as possible. */
int ws_send(struct ws *ws, struct span text) BERTH_MUST_USE;
int ws_send_binary(struct ws *ws, struct span data) BERTH_MUST_USE;
/* Bytes queued and not yet handed to the kernel. */
size_t ws_queued(const struct ws *ws);
/* Hand what is queued to the kernel now, as far as it takes it, instead of at the end of the turn:
 * ws_queued() then tells what the other side is behind with. */
void ws_flush(struct ws *ws);
/* Read nothing more of it until it is let go on: what it sends waits in the kernels on the way, and
 * then with itself. No `message` comes meanwhile, and its silence is not its own: no "timeout".
 * That it hung up is seen when all before it was read, so hold for a short while at a time.
 * ws_close() lets it go on. */
void ws_hold(struct ws *ws, bool hold);
/* Send what is queued, then close with this code and reason (at most 123 bytes); `close` comes
 * later, never from within the call, at the latest after 2 s. No `message` comes after it. Sending
 * afterwards is BERTH_ECLOSED. Closing twice is a no-op. */
void ws_close(struct ws *ws, int code, const char *reason);

/* ---- servers ---- */

struct ws_route {
    const char *path; /* "/ws": exact; ends in '/': a prefix */
    struct ws_handlers handlers;
};

struct web_server_config {
    const char *name;                /* for logs: "public", "admin", "ws" */
    const char *address;             /* "127.0.0.1", "0.0.0.0", "::" */
    int port;                        /* 0: any free one; web_server_port() tells */
    int listening_fd;                /* > 0: instead of both, a socket that listens already; taken
                                        when web_listen() succeeds */
    bool paused;                     /* nobody is accepted before web_server_pause(server, false) */
    const struct http_route *routes; /* ended by prefix == NULL; NULL: none */
    void *http_arg;
    /* Ended by path == NULL; NULL: no WebSockets. Copied. A path may be an http route's too. */
    const struct ws_route *ws;
    /* Ended by NULL; "*": any. NULL: no CORS. Preflights are answered, answers get the header. */
    const char *const *cors_origins;
    size_t body_max;        /* request body; beyond it 413. default 64 KiB */
    size_t message_max;     /* WebSocket message; default 16 KiB */
    size_t send_max;        /* bytes queued per WebSocket or stream; default 256 KiB */
    size_t connections_max; /* one more is closed at once; default 0: what descriptors allow */
    int64_t ping_ms;        /* WebSocket ping interval; 0: none. A socket silent for ping_ms + 2 s
                               is closed ("timeout") */
    size_t unsent_max; /* bytes the kernel holds unsent for a connection (TCP_NOTSENT_LOWAT), so
                          that ws_queued() soon tells of a slow reader; default 0: its own */
    int64_t idle_ms;   /* an HTTP connection without a request (or whose request does not get
                          complete) is closed after this; default 60,000 */
    const char *tls_cert, *tls_key; /* NULL: plain */
};

struct web_server *web_listen(struct web *web, const struct web_server_config *config,
                              struct err *err);
int web_server_port(const struct web_server *server);
size_t web_server_connections(const struct web_server *server);
/* The socket that listens, for another process; borrowed. */
int web_server_fd(const struct web_server *server);
/* Accept nobody for a while: who connects waits in the listener's queue. */
void web_server_pause(struct web_server *server, bool pause);
/* Stop accepting; live sockets go on. */
void web_server_stop_accepting(struct web_server *server);
/* Ends every connection of it (`close` callbacks run with 1001 "shutdown", `gone` callbacks too)
 * before it returns. Not from within a callback of one of its connections. */
void web_server_close(struct web_server *server);

/* ---- WebSocket client ---- */

struct ws_client_config {
    const char *url; /* ws:// or wss://host:port/path; the host is resolved with c-ares, kept for
                        Host and SNI */
    int64_t connect_timeout_ms;   /* from the call to the finished handshake; default 3,000 */
    size_t message_max, send_max; /* defaults 16 KiB, 256 KiB */
    int64_t ping_ms;              /* 0: none */
    const char *bearer;           /* Authorization: Bearer ..., or NULL */
    bool insecure;                /* do not verify the certificate (tests) */
};

/* NULL only for a malformed URL or no memory (err says); otherwise `open` or `close` follows, never
 * from within the call. */
struct ws *ws_connect(struct web *web, const struct ws_client_config *config,
                      const struct ws_handlers *handlers, struct err *err);

#endif

/* web_impl.h - what the files of web_*.c share: connections, exchanges, sockets' buffers. Private
 * to them.
 *
 * Layers, each one file: web_conn.c moves bytes (libwebsockets' raw-skt role, TLS in between),
 * web_http.c reads requests and writes answers, web_ws.c speaks WebSocket on both sides,
 * web_ws_client.c connects, web_server.c listens, web.c owns all and sweeps. A connection is only
 * ever freed in conn_free(), called when its wsi is closed or (if it had none) at the end of a
 * turn: callbacks may therefore close anything at any time. */
#ifndef BERTH_IO_WEB_IMPL_H
#define BERTH_IO_WEB_IMPL_H

#include "io/web.h"
#include "io/wire_http.h"
#include "io/wire_ws.h"

#include <libwebsockets.h>

enum {
    HEAD_MAX = 8192,          /* request head */
    PIPELINE_MAX = 64 * 1024, /* bytes read ahead while an answer is awaited; then reading stops */
    READ_MAX = 16 * 1024,     /* bytes of one read */
    LINGER_MS = 2000,         /* a refused request's sender may go on sending this long */
    CLOSE_MS = 2000,          /* for the other side to answer a Close frame */
    STALL_MS = 30000,         /* queued bytes that do not move for so long: a dead reader */
    SWEEP_MS = 100,
};

struct buf {
    char *ptr;
    size_t off, len, cap; /* the bytes are ptr[off, off + len) */
};

struct tls; /* web_tls.c */

enum conn_mode {
    CONN_RESOLVING,  /* client: no socket yet */
    CONN_CONNECTING, /* client: connect(2) is under way */
    CONN_HANDSHAKE,  /* client: the upgrade's answer is awaited */
    CONN_HTTP,
    CONN_WS,
    CONN_LINGER, /* the last answer is out; what comes in is dropped until the other side closes */
};

struct http_exchange {
    struct conn *conn;
    void (*gone)(void *arg);
    void *gone_arg;
    char *origin; /* to be echoed for CORS, heap; NULL: none */
    bool pending; /* a request is with its handler */
    bool keep_alive;
    bool head;      /* HEAD: no body */
    bool streaming; /* http_stream_begin() was called */
    bool http10;
};

struct conn {
    struct web *web;
    struct web_server *server; /* NULL: client side */
    struct lws *wsi;           /* NULL before the socket is made */
    struct ws *ws;             /* NULL unless client or upgraded */
    struct tls *tls;           /* NULL: plain */
    struct buf in, out;        /* plain bytes not yet understood; plain bytes not yet sent */
    struct http_exchange ex;
    struct wire_chunked chunk;
    size_t chunk_out; /* decoded bytes of a chunked body so far */
    int64_t seen_ms;  /* the last progress, on web->now_ms */
    uint32_t slot;    /* in web->conns */
    uint32_t dirty;   /* 1 + place in web->dirty; 0: not there */
    int fd;
    enum conn_mode mode;
    bool dying;     /* to be closed at the end of this turn */
    bool finish;    /* to be closed once `out` is empty */
    bool linger;    /* ... but only our direction at first: bytes may still be coming */
    bool resume;    /* look at `in` again at the end of this turn */
    bool held;      /* not reading for now */
    bool continued; /* 100 Continue was sent for the present request */
    bool busy;      /* within its own receive path */
    char peer[46];
};

struct web_server {
    struct web *web;
    struct web_server *next;
    struct web_server_config
        config; /* pointers inside: into the fields below, or borrowed routes */
    char name[32];
    struct ws_route *ws;
    size_t ws_count;
    char **cors;
    ev_io accept;
    int fd;
    int port;
    bool accepting;
    bool paused;
    bool starved;            /* out of descriptors: tried again at the next tick */
    int64_t starved_told_ms; /* it was said then; 0: never */
    uint64_t starved_count;
    bool crowded; /* the last one was turned away */
    size_t connections;
    void *tls; /* SSL_CTX */
};

struct web {
    struct loop *loop;
    struct log *log;
    struct lws_context *lws;
    struct lws_vhost *vhost;
    struct web_server *servers;
    struct conn **conns;
    size_t count, cap, cursor;
    size_t conns_max; /* what descriptors allow */
    struct conn **dirty;
    size_t dirty_count, dirty_cap;
    struct conn *adopting;
    struct buf spare;          /* one output buffer kept for the next answer */
    struct resolver *resolver; /* made at the first name */
    void *tls_client;          /* SSL_CTX, made at the first wss:// */
    ev_prepare prepare;
    struct timer tick;
    int64_t now_ms;   /* loop_now() at the last tick: 100 ms coarse */
    int64_t sweep_ms; /* one pass over all connections */
    char date[64];    /* "Date: ...\r\n" */
    size_t date_len;
    time_t date_s;
    uint8_t random[256];
    size_t random_left;
    char path[HEAD_MAX];
};

/* web.c */
int web_dirty(struct conn *conn);
void web_random(struct web *web, void *out, size_t len);
void web_sweep_at_least(struct web *web, int64_t ms);

/* web_conn.c */
extern const struct lws_protocols web_protocols[];
struct conn *conn_create(struct web *web, struct web_server *server);
/* Give the socket to libwebsockets. On failure the connection is gone already (its close callback,
 * if any, was called). */
int conn_adopt(struct conn *conn, int fd);
void conn_free(struct conn *conn);
/* Queue bytes; false when there is no memory (then it is dying). */
bool conn_put(struct conn *conn, const char *data, size_t len);
void conn_flush(struct conn *conn);
/* Send what is queued, then close. */
void conn_finish(struct conn *conn, bool linger);
void conn_die(struct conn *conn);
/* Now. conn is gone afterwards. Never within its own receive path. */
void conn_close(struct conn *conn);
void conn_hold(struct conn *conn, bool hold);
/* Understand what is in `in` and in data. */
void conn_feed(struct conn *conn, char *data, size_t len);
/* Called at the end of a turn for a dirty connection. */
void conn_turn(struct conn *conn);
void conn_sweep(struct conn *conn, int64_t now_ms);

bool buf_append(struct buf *buf, const char *data, size_t len);
bool buf_reserve(struct buf *buf, size_t len);
void buf_take(struct buf *buf, size_t len); /* off the front */
void buf_free(struct buf *buf);

/* web_http.c: how many bytes were understood; *n may shrink as a chunked body is decoded in place
 */
size_t http_feed(struct conn *conn, char *p, size_t *n);
/* Nothing more is understood before an answer is given, or sent. */
bool http_waits(const struct conn *conn);
void http_gone(struct conn *conn);
void http_sweep(struct conn *conn, int64_t now_ms);

/* web_ws.c */
struct ws {
    struct conn *conn;
    struct ws_handlers handlers;
    void *user;
    const struct http_request *request; /* during open */
    struct ws_client *client;           /* until the handshake is done */
    struct buf message;                 /* fragments so far */
    size_t message_max, send_max;
    int64_t ping_ms;
    int64_t heard_ms, pinged_ms, closing_ms; /* closing_ms 0: open */
    int code;
    const char *why; /* constant text */
    uint8_t opcode;  /* of the fragmented message; 0: none */
    bool opened, close_sent, why_set;
    bool held; /* ws_hold() */
};
struct ws *ws_create(struct conn *conn, const struct ws_handlers *handlers);
size_t ws_feed(struct conn *conn, char *p, size_t *n);
void ws_opened(struct ws *ws, const struct http_request *req);
void ws_gone(struct conn *conn); /* close callback, free */
void ws_sweep(struct conn *conn, int64_t now_ms);
/* The first reason wins. */
void ws_reason(struct ws *ws, int code, const char *why);
/* Close frame now, socket when it is out. */
void ws_fail(struct ws *ws, int code, const char *why);
/* 1001 as far as the socket takes it at once; the caller closes the connection next. */
void ws_shutdown(struct ws *ws);

/* web_ws_client.c */
size_t ws_client_feed(struct conn *conn, char *p, size_t *n);
void ws_client_start(struct conn *conn);    /* at the end of the turn of ws_connect() */
int ws_client_connected(struct conn *conn); /* writable: connect(2) is done; -1: it failed */
void ws_client_secured(struct conn *conn);  /* TLS is up, or not needed: send the request */
/* connect(2) failed: is there another address to try? */
bool ws_client_next(struct conn *conn);
void ws_client_free(struct ws *ws);

/* web_tls.c */
void *tls_server_context(const char *cert, const char *key, struct err *err);
void tls_context_free(void *context);
int tls_accept(struct conn *conn, void *context);
int tls_connect(struct conn *conn, const char *host, bool insecure);
/* Decrypt what came in and feed it on. */
void tls_feed(struct conn *conn, const char *data, size_t len);
/* Encrypt and send `out`. True when all is gone, false when the socket is full or the connection is
 * dying. */
bool tls_flush(struct conn *conn);
/* Queue close_notify. */
void tls_end(struct conn *conn);
void tls_free(struct conn *conn);

#endif

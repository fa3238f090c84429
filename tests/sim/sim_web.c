/* sim_web.c - io/web.h over the simulated network: requests, answers and frames are messages of a
 * connection. */
#include "tests/sim/sim_web.h"
#include "io/web.h"
#include "io/web_text.h"
#include "io/wire_http.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

enum {
    ROUTES_MAX = 8,
    REQUEST_TEXT = 8192,
    LINGER_MS = 2,
    PING_GRACE_MS = 2000,
    KERNEL_BYTES = 65536
};

struct web {
    struct proc *proc;
    struct loop *loop;
    struct web_server *servers;
    struct ws *sockets;
};

struct web_server {
    struct web *web;
    struct web_server *next;
    struct web_server_config config;
    struct ws_route ws[ROUTES_MAX];
    int port;
    struct exchange *exchanges; /* connections that are or may become requests */
};

/* A connection that has not become a WebSocket; the first member is the public face. */
struct http_exchange {
    struct exchange *of;
};
struct exchange {
    struct http_exchange face;
    struct web_server *server;
    struct exchange *prev, *next;
    struct conn_end end;
    bool asked, answered;
    void (*gone)(void *arg);
    void *gone_arg;
    char peer[24];
};

enum ws_phase { WS_DIALLING, WS_WAITING, WS_OPEN, WS_CLOSING };

struct ws {
    struct web *web;
    struct web_server *server; /* NULL: client */
    struct ws *prev, *next;
    struct ws_handlers handlers;
    struct conn_end end;
    enum ws_phase phase;
    bool opened; /* `open` was called */
    void *user;
    char peer[24];
    char url_path[256], bearer[1100];
    const struct http_request *request;
    int close_code;
    char close_why[32];
    struct timer timer; /* connecting; closing; pings */
    int64_t ping_ms;
    mono_ms_t heard_at;
    struct msg *kept, **kept_end; /* messages that came while it was held */
    struct timer let_go;
    unsigned busy;
    bool held, dead;
};

struct msg *web_msg(int kind, int number, const char *fmt, ...)
{
    char text[REQUEST_TEXT];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < sizeof text);
    struct msg *m = msg_new(kind, (struct span){text, (size_t)n});
    m->number = number;
    return m;
}

/* ---- sockets ---- */

static void on_let_go(void *arg);

static struct ws *ws_new(struct web *web, const struct ws_handlers *handlers)
{
    struct ws *ws = calloc(1, sizeof *ws);
    assert(ws != NULL);
    ws->web = web;
    ws->handlers = *handlers;
    ws->kept_end = &ws->kept;
    timer_init(&ws->let_go, web->loop, on_let_go, ws);
    ws->next = web->sockets;
    if (ws->next != NULL)
        ws->next->prev = ws;
    web->sockets = ws;
    return ws;
}

static void ws_leave(struct ws *ws)
{
    if (--ws->busy > 0 || !ws->dead)
        return;
    for (struct msg *m = ws->kept, *next; m != NULL; m = next) {
        next = m->next;
        free(m);
    }
    free(ws);
}

/* The last call to the user, and the end. */
static void ws_end(struct ws *ws, int code, const char *why)
{
    if (ws->dead)
        return;
    ws->dead = true;
    ws->busy++;
    timer_stop(&ws->timer);
    timer_stop(&ws->let_go);
    conn_close(&ws->end);
    if (ws->prev != NULL)
        ws->prev->next = ws->next;
    else
        ws->web->sockets = ws->next;
    if (ws->next != NULL)
        ws->next->prev = ws->prev;
    if (ws->handlers.close && (ws->opened || ws->server == NULL))
        ws->handlers.close(ws->handlers.arg, ws, code, why);
    ws_leave(ws);
}

static void on_ws_timer(void *arg)
{
    struct ws *ws = arg;
    mono_ms_t now = loop_now(ws->web->loop);
    if (ws->phase == WS_CLOSING) {
        ws_end(ws, ws->close_code, ws->close_why);
    } else if (ws->phase != WS_OPEN) {
        ws_end(ws, 1006, "timeout");
    } else if (mono_sub(now, ws->heard_at) > ws->ping_ms + PING_GRACE_MS) {
        ws_end(ws, 1006, "timeout");
    } else {
        conn_send(&ws->end, msg_new(MSG_PING, (struct span){NULL, 0}));
        timer_start(&ws->timer, ws->ping_ms, 0);
    }
}

static void ws_opened(struct ws *ws)
{
    ws->phase = WS_OPEN;
    ws->opened = true;
    ws->heard_at = loop_now(ws->web->loop);
    timer_stop(&ws->timer);
    if (ws->ping_ms > 0)
        timer_start(&ws->timer, ws->ping_ms, 0);
    if (ws->handlers.open)
        ws->handlers.open(ws->handlers.arg, ws);
}

static void deliver(struct ws *ws, const struct msg *m)
{
    if (ws->phase == WS_OPEN && ws->handlers.message)
        ws->handlers.message(ws->handlers.arg, ws, (struct span){m->text, m->len},
                             m->kind == MSG_BINARY);
}

/* Messages wait; pings and the other side's end do not, which is kinder than a socket. */
static void keep(struct ws *ws, const struct msg *m)
{
    struct msg *copy = msg_new(m->kind, (struct span){m->text, m->len});
    copy->next = NULL;
    *ws->kept_end = copy;
    ws->kept_end = &copy->next;
}

static void on_let_go(void *arg)
{
    struct ws *ws = arg;
    ws->busy++;
    while (ws->kept != NULL && !ws->held && !ws->dead) {
        struct msg *m = ws->kept;
        ws->kept = m->next;
        if (ws->kept == NULL)
            ws->kept_end = &ws->kept;
        deliver(ws, m);
        free(m);
    }
    ws_leave(ws);
}

void ws_hold(struct ws *ws, bool hold)
{
    ws->held = hold;
    if (!hold && !ws->dead)
        timer_start(&ws->let_go, 0, 0);
}

static void ws_data(void *user, struct msg *m)
{
    struct ws *ws = user;
    ws->busy++;
    ws->heard_at = loop_now(ws->web->loop);
    switch (m->kind) {
    case MSG_ACCEPT:
        if (ws->phase == WS_WAITING)
            ws_opened(ws);
        break;
    case MSG_REJECT:
        ws_end(ws, m->number, "rejected");
        break;
    case MSG_TEXT:
    case MSG_BINARY:
        if (ws->held || ws->kept != NULL)
            keep(ws, m);
        else
            deliver(ws, m);
        break;
    case MSG_PING:
        conn_send(&ws->end, msg_new(MSG_PONG, (struct span){NULL, 0}));
        break;
    case MSG_BYE:
        ws_end(ws, m->number, ws->phase == WS_CLOSING ? ws->close_why : "peer");
        break;
    default:
        break;
    }
    ws_leave(ws);
}

static void ws_closed(void *user, const char *why)
{
    struct ws *ws = user;
    bool refused = strcmp(why, "refused") == 0 && !ws->opened;
    if (ws->phase == WS_CLOSING)
        ws_end(ws, ws->close_code, ws->close_why);
    else
        ws_end(ws, 1006, refused ? "refused" : "peer");
}

static void ws_dialled(void *user)
{
    struct ws *ws = user;
    ws->phase = WS_WAITING;
    conn_send(&ws->end, web_msg(MSG_UPGRADE, 0, "%s\n%s", ws->url_path, ws->bearer));
}

static const struct conn_ops ws_ops = {.open = ws_dialled, .data = ws_data, .closed = ws_closed};

struct ws *ws_connect(struct web *web, const struct ws_client_config *config,
                      const struct ws_handlers *handlers, struct err *err)
{
    struct text_url url;
    if (text_ws_url(config->url, &url, err) < 0)
        return NULL;
    struct ws *ws = ws_new(web, handlers);
    ws->ping_ms = config->ping_ms;
    (void)snprintf(ws->url_path, sizeof ws->url_path, "%.*s", SPAN_ARG(url.path));
    (void)snprintf(ws->bearer, sizeof ws->bearer, "%s", config->bearer ? config->bearer : "");
    (void)snprintf(ws->peer, sizeof ws->peer, "127.0.0.1");
    timer_init(&ws->timer, web->loop, on_ws_timer, ws);
    timer_start(&ws->timer, config->connect_timeout_ms > 0 ? config->connect_timeout_ms : 3000, 0);
    conn_dial(&ws->end, web->proc, url.port, &ws_ops, ws);
    return ws;
}

void ws_set_user(struct ws *ws, void *user)
{
    ws->user = user;
}

void *ws_user(const struct ws *ws)
{
    return ws->user;
}

const char *ws_peer(const struct ws *ws)
{
    return ws->peer;
}

const struct http_request *ws_request(const struct ws *ws)
{
    return ws->request;
}

static int ws_send_kind(struct ws *ws, int kind, struct span text)
{
    if (ws->phase != WS_OPEN || ws->dead)
        return BERTH_ECLOSED;
    size_t max = ws->server != NULL && ws->server->config.send_max > 0 ? ws->server->config.send_max
                                                                       : 256 * 1024;
    if (conn_queued(&ws->end) + text.len > max)
        return BERTH_EFULL;
    conn_send(&ws->end, msg_new(kind, text));
    return 0;
}

int ws_send(struct ws *ws, struct span text)
{
    return ws_send_kind(ws, MSG_TEXT, text);
}

int ws_send_binary(struct ws *ws, struct span data)
{
    return ws_send_kind(ws, MSG_BINARY, data);
}

/* What the kernel's buffers hold is on its way already. */
size_t ws_queued(const struct ws *ws)
{
    size_t bytes = conn_queued(&ws->end);
    return bytes > KERNEL_BYTES ? bytes - KERNEL_BYTES : 0;
}

void ws_flush(struct ws *ws)
{
}

void ws_close(struct ws *ws, int code, const char *reason)
{
    if (ws->phase == WS_CLOSING || ws->dead)
        return;
    struct msg *m = msg_new(MSG_BYE, span_of(reason));
    m->number = code;
    if (ws->phase == WS_OPEN)
        conn_send(&ws->end, m);
    else
        free(m);
    ws_hold(ws, false);
    ws->phase = WS_CLOSING;
    ws->close_code = code;
    (void)snprintf(ws->close_why, sizeof ws->close_why, "local");
    timer_start(&ws->timer, LINGER_MS, 0);
}

/* ---- requests ---- */

static void exchange_free(struct exchange *x)
{
    if (x->prev != NULL)
        x->prev->next = x->next;
    else
        x->server->exchanges = x->next;
    if (x->next != NULL)
        x->next->prev = x->prev;
    free(x);
}

static void respond(struct exchange *x, int status, const char *headers, struct span body)
{
    if (x->answered)
        return;
    x->answered = true;
    x->gone = NULL;
    const char *retry = headers != NULL ? strstr(headers, "Retry-After: ") : NULL;
    struct msg *m = msg_new(MSG_RESPONSE, body);
    m->number = status | (retry != NULL ? (int)strtol(retry + 13, NULL, 10) + 1 : 0) << 12;
    conn_send(&x->end, m);
}

void http_reply(struct http_exchange *ex, int status, const char *content_type, const char *headers,
                struct span body)
{
    respond(ex->of, status, headers, body);
}

void http_problem(struct http_exchange *ex, int status, const char *type, const char *title,
                  const char *headers, const char *detail_fmt, ...)
{
    char body[256];
    int n = snprintf(body, sizeof body, "{\"type\":\"%s\",\"status\":%d}", type, status);
    respond(ex->of, status, headers, (struct span){body, (size_t)n});
}

void http_on_gone(struct http_exchange *ex, void (*fn)(void *arg), void *arg)
{
    ex->of->gone = fn;
    ex->of->gone_arg = arg;
}

void http_stream_begin(struct http_exchange *ex, int status, const char *content_type,
                       const char *headers)
{
    assert(!"nobody asks for a stream in the simulator");
}

int http_stream_write(struct http_exchange *ex, struct span data)
{
    return BERTH_ECLOSED;
}

void http_stream_end(struct http_exchange *ex)
{
}

/* "METHOD\nTARGET\nAUTHORIZATION\nBODY" */
static void read_request(struct span text, char *path, size_t size, struct http_request *ret)
{
    *ret = (struct http_request){.method = span_cut(&text, '\n'), .peer = "127.0.0.1"};
    struct span target = span_cut(&text, '\n');
    ret->authorization = span_cut(&text, '\n');
    ret->body = text;
    ret->content_type = SPAN("application/json");
    struct span raw = span_cut(&target, '?');
    int n = wire_unescape(raw, false, path, size);
    ret->path = (struct span){path, n > 0 ? (size_t)n : 0};
    ret->query = target;
}

static void on_request(struct exchange *x, struct msg *m)
{
    struct web_server *s = x->server;
    struct http_request req;
    const struct http_route *route;
    char path[1024], allow[64];
    read_request((struct span){m->text, m->len}, path, sizeof path, &req);
    x->asked = true;
    int code = text_route(s->config.routes, req.method, req.path, &route, allow, sizeof allow);
    if (code < 0)
        respond(x, code == BERTH_EDENIED ? 405 : 404, NULL, (struct span){NULL, 0});
    else
        route->fn(s->config.http_arg, &req, &x->face);
}

static void on_upgrade(struct exchange *x, struct msg *m)
{
    struct web_server *s = x->server;
    struct span rest = {m->text, m->len}, target = span_cut(&rest, '\n'), query = target;
    char path[256], authorization[1200];
    int n = wire_unescape(span_cut(&query, '?'), false, path, sizeof path);
    (void)snprintf(authorization, sizeof authorization, "Bearer %.*s", SPAN_ARG(rest));
    struct http_request req = {.method = SPAN("GET"),
                               .path = {path, n > 0 ? (size_t)n : 0},
                               .query = query,
                               .peer = "127.0.0.1"};
    if (rest.len > 0)
        req.authorization = span_of(authorization);
    const struct ws_route *r = s->ws;
    while (r->path != NULL && !text_path_matches(r->path, req.path))
        r++;
    int status = r->path == NULL ? 404 : 0;
    if (status == 0 && r->handlers.upgrade)
        status = r->handlers.upgrade(r->handlers.arg, &req);
    if (status != 0) {
        conn_send(&x->end, web_msg(MSG_REJECT, status, "%s", ""));
        conn_close(&x->end);
        exchange_free(x);
        return;
    }
    struct ws *ws = ws_new(s->web, &r->handlers);
    ws->server = s;
    ws->ping_ms = s->config.ping_ms;
    (void)snprintf(ws->peer, sizeof ws->peer, "127.0.0.1");
    timer_init(&ws->timer, s->web->loop, on_ws_timer, ws);
    ws->end = x->end;
    conn_set(&ws->end, &ws_ops, ws);
    exchange_free(x);
    conn_send(&ws->end, msg_new(MSG_ACCEPT, (struct span){NULL, 0}));
    ws->request = &req;
    ws->busy++;
    ws_opened(ws);
    ws->request = NULL;
    ws_leave(ws);
}

static void on_server_data(void *user, struct msg *m)
{
    struct exchange *x = user;
    if (m->kind == MSG_REQUEST && !x->asked)
        on_request(x, m);
    else if (m->kind == MSG_UPGRADE && !x->asked)
        on_upgrade(x, m);
}

static void on_server_closed(void *user, const char *why)
{
    struct exchange *x = user;
    if (x->asked && !x->answered && x->gone != NULL) {
        x->gone(x->gone_arg);
        exchange_free(x);
    } else if (x->asked && !x->answered) { /* it will still be answered: to nobody */
        x->answered = true;
        x->end.conn = NULL;
    } else {
        exchange_free(x);
    }
}

static const struct conn_ops server_ops = {.data = on_server_data, .closed = on_server_closed};

static void on_accept(void *arg, struct conn_end *end)
{
    struct web_server *s = arg;
    struct exchange *x = calloc(1, sizeof *x);
    assert(x != NULL);
    x->face.of = x;
    x->server = s;
    x->next = s->exchanges;
    if (x->next != NULL)
        x->next->prev = x;
    s->exchanges = x;
    x->end = *end;
    conn_set(&x->end, &server_ops, x);
}

/* ---- servers ---- */

struct web *web_create(struct loop *loop, struct log *log, struct err *err)
{
    struct web *web = calloc(1, sizeof *web);
    assert(web != NULL && sim->current != NULL);
    web->proc = sim->current;
    web->loop = loop;
    return web;
}

struct web_server *web_listen(struct web *web, const struct web_server_config *config,
                              struct err *err)
{
    struct web_server *s = calloc(1, sizeof *s);
    assert(s != NULL);
    s->web = web;
    s->config = *config;
    s->port = net_listen(config->port, web->proc, on_accept, s);
    if (s->port == 0) {
        (void)err_set(err, BERTH_ESYS, "port %d is taken", config->port);
        free(s);
        return NULL;
    }
    for (size_t i = 0; config->ws != NULL && config->ws[i].path != NULL; i++) {
        assert(i + 1 < ROUTES_MAX);
        s->ws[i] = config->ws[i];
    }
    s->next = web->servers;
    web->servers = s;
    return s;
}

int web_server_port(const struct web_server *server)
{
    return server->port;
}

int web_server_fd(const struct web_server *server)
{
    return -1; /* nobody hands a socket on here */
}

void web_server_pause(struct web_server *server, bool pause)
{
}

size_t web_server_connections(const struct web_server *server)
{
    size_t n = 0;
    for (const struct ws *ws = server->web->sockets; ws != NULL; ws = ws->next)
        n += ws->server == server;
    return n;
}

void web_server_stop_accepting(struct web_server *server)
{
    net_mute(server->port);
}

void web_server_close(struct web_server *server)
{
    struct web *web = server->web;
    for (bool again = true; again;) {
        struct ws *ws = web->sockets;
        while (ws != NULL && ws->server != server)
            ws = ws->next;
        again = ws != NULL;
        if (again)
            ws_end(ws, 1001, "shutdown");
    }
    while (server->exchanges != NULL) {
        struct exchange *x = server->exchanges;
        conn_close(&x->end);
        if (x->asked && !x->answered && x->gone != NULL)
            x->gone(x->gone_arg);
        exchange_free(x);
    }
    if (!web->proc->muted)
        net_unlisten(server->port);
    for (struct web_server **at = &web->servers; *at != NULL; at = &(*at)->next)
        if (*at == server) {
            *at = server->next;
            break;
        }
    free(server);
}

void web_destroy(struct web *web)
{
    if (web == NULL)
        return;
    while (web->servers != NULL)
        web_server_close(web->servers);
    while (web->sockets != NULL)
        ws_end(web->sockets, 1001, "shutdown");
    free(web);
}

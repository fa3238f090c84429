/* web_http.c - HTTP/1.x on a connection: requests to their handlers, answers to the wire. */
#include "io/web_impl.h"
#include "io/web_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct text { /* a head being written */
    char at[768];
    size_t n;
};

static void add(struct text *t, const char *s, size_t len)
{
    if (len > sizeof t->at - t->n)
        len = sizeof t->at - t->n;
    if (len)
        memcpy(t->at + t->n, s, len);
    t->n += len;
}
#define ADD(t, lit) add((t), (lit), sizeof(lit) - 1)

static void add_number(struct text *t, size_t value)
{
    char digits[20];
    size_t n = sizeof digits;
    do
        digits[--n] = (char)('0' + value % 10);
    while (value /= 10);
    add(t, digits + n, sizeof digits - n);
}

enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE };

/* Status line and header lines, the empty line included. */
static void put_head(struct http_exchange *ex, int status, const char *content_type,
                     const char *headers, enum body_kind kind, size_t body_len)
{
    struct conn *conn = ex->conn;
    struct text t = {.n = 0};
    if (status == 200)
        ADD(&t, "HTTP/1.1 200 OK\r\n");
    else {
        const char *word = wire_status_text(status);
        ADD(&t, "HTTP/1.1 ");
        add_number(&t, (size_t)status);
        ADD(&t, " ");
        add(&t, word, strlen(word));
        ADD(&t, "\r\n");
    }
    add(&t, conn->web->date, conn->web->date_len);
    if (content_type && kind != BODY_NONE) {
        ADD(&t, "Content-Type: ");
        add(&t, content_type, strnlen(content_type, 256));
        ADD(&t, "\r\n");
    }
    if (kind == BODY_LENGTH) {
        ADD(&t, "Content-Length: ");
        add_number(&t, body_len);
        ADD(&t, "\r\n");
    } else if (kind == BODY_CHUNKED)
        ADD(&t, "Transfer-Encoding: chunked\r\n");
    if (!ex->keep_alive)
        ADD(&t, "Connection: close\r\n");
    else if (ex->http10)
        ADD(&t, "Connection: keep-alive\r\n");
    size_t more = headers ? strlen(headers) : 0;
    if (!ex->origin && more + 2 <= sizeof t.at - t.n) { /* nearly always: all in one piece */
        add(&t, headers, more);
        ADD(&t, "\r\n");
        (void)conn_put(conn, t.at, t.n);
        return;
    }
    (void)conn_put(conn, t.at, t.n);
    if (ex->origin) {
        (void)conn_put(conn, "Access-Control-Allow-Origin: ", 29);
        (void)conn_put(conn, ex->origin, strlen(ex->origin));
        (void)conn_put(conn, "\r\nVary: Origin\r\n", 16);
    }
    (void)conn_put(conn, headers, more);
    (void)conn_put(conn, "\r\n", 2);
}

/* The exchange is over: the connection is free for the next request, or done. */
static void conclude(struct http_exchange *ex)
{
    struct conn *conn = ex->conn;
    free(ex->origin);
    ex->origin = NULL;
    ex->gone = NULL;
    ex->pending = false;
    ex->streaming = false;
    conn->continued = false;
    conn->seen_ms = conn->web->now_ms;
    if (!ex->keep_alive)
        conn_finish(conn, conn->in.len > 0);
    else if (!conn->busy && conn->in.len) {
        conn->resume = true;
        (void)web_dirty(conn);
    }
}

void http_reply(struct http_exchange *ex, int status, const char *content_type, const char *headers,
                struct span body)
{
    bool bare = status == 204 || status == 304 || status < 200;
    put_head(ex, status, content_type, headers, bare ? BODY_NONE : BODY_LENGTH, body.len);
    if (!bare && !ex->head)
        (void)conn_put(ex->conn, body.ptr, body.len);
    conclude(ex);
}

void http_problem(struct http_exchange *ex, int status, const char *type, const char *title,
                  const char *headers, const char *detail_fmt, ...)
{
    char detail[1024], body[2600], escaped[2048];
    va_list ap;
    va_start(ap, detail_fmt);
    (void)vsnprintf(detail, sizeof detail, detail_fmt, ap);
    va_end(ap);
    text_json_escape(span_of(detail), escaped, sizeof escaped);
    int n = snprintf(
        body, sizeof body,
        "{\"type\":\"urn:berth:problem:%s\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\"}\n",
        type, title, status, escaped);
    http_reply(ex, status, "application/problem+json", headers, (struct span){body, (size_t)n});
}

void http_on_gone(struct http_exchange *ex, void (*fn)(void *arg), void *arg)
{
    ex->gone = fn;
    ex->gone_arg = arg;
}

void http_stream_begin(struct http_exchange *ex, int status, const char *content_type,
                       const char *headers)
{
    if (ex->http10)
        ex->keep_alive = false;
    put_head(ex, status, content_type, headers, ex->http10 ? BODY_UNTIL_CLOSE : BODY_CHUNKED, 0);
    ex->streaming = true;
}

int http_stream_write(struct http_exchange *ex, struct span data)
{
    struct conn *conn = ex->conn;
    if (conn->out.len + data.len > conn->server->config.send_max)
        return BERTH_EFULL;
    if (data.len == 0 || ex->head)
        return 0;
    if (!ex->http10) {
        char line[24];
        int n = snprintf(line, sizeof line, "%zx\r\n", data.len);
        (void)conn_put(conn, line, (size_t)n);
    }
    bool ok = conn_put(conn, data.ptr, data.len);
    if (!ex->http10)
        ok = conn_put(conn, "\r\n", 2);
    return ok ? 0 : BERTH_ECLOSED;
}

void http_stream_end(struct http_exchange *ex)
{
    if (!ex->http10 && !ex->head)
        (void)conn_put(ex->conn, "0\r\n\r\n", 5);
    conclude(ex);
}

/* Answer what cannot be handled; whatever else comes on this connection is not understood any more.
 */
static void refuse(struct conn *conn, int status, const char *type, const char *detail)
{
    conn->ex.keep_alive = false;
    http_problem(&conn->ex, status, type, wire_status_text(status), NULL, "%s", detail);
    conn_finish(conn, true);
}

static void refuse_head(struct conn *conn, int status)
{
    static const struct {
        int status;
        const char *type, *detail;
    } texts[] = {
        {414, "uri-too-long", "the request line does not fit in 8192 bytes"},
        {431, "headers-too-large",
         "the header lines do not fit in 8192 bytes, or are more than 64"},
        {501, "not-implemented", "the only transfer coding understood is chunked"},
        {505, "http-version", "this server speaks HTTP/1.0 and HTTP/1.1"},
        {400, "bad-request", "this is not a well-formed HTTP/1.1 request"},
    };
    size_t i = 0;
    while (texts[i].status != status && texts[i].status != 400)
        i++;
    refuse(conn, status, texts[i].type, texts[i].detail);
}

/* What the browser may read: the origin to be echoed, if this one is allowed. */
static void allow_origin(struct conn *conn, struct span origin)
{
    if (!conn->server->cors || !origin.len)
        return;
    const char *allowed = text_origin_allowed((const char *const *)conn->server->cors, origin);
    if (allowed)
        conn->ex.origin = *allowed == '*' ? strdup("*") : strndup(origin.ptr, origin.len);
}

static void preflight(struct conn *conn)
{
    if (conn->ex.origin)
        http_reply(&conn->ex, 204, NULL,
                   "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE\r\n"
                   "Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID\r\n"
                   "Access-Control-Max-Age: 600\r\n",
                   (struct span){NULL, 0});
    else
        http_problem(&conn->ex, 403, "origin-not-allowed", "Forbidden", NULL,
                     "this origin may not call this API");
}

static void dispatch(struct conn *conn, const struct wire_head *head, struct http_request *req)
{
    struct http_exchange *ex = &conn->ex;
    const struct web_server_config *config = &conn->server->config;
    if (head->cors_preflight && config->cors_origins && span_is(head->method, "OPTIONS")) {
        preflight(conn);
        return;
    }
    char allow[128];
    struct span method = ex->head ? SPAN("GET") : head->method;
    const struct http_route *route = NULL;
    int r = text_route(config->routes, method, req->path, &route, allow, sizeof allow);
    if (r == 0)
        route->fn(config->http_arg, req, ex);
    else if (r == BERTH_EDENIED) {
        char line[160];
        (void)snprintf(line, sizeof line, "Allow: %s\r\n", allow);
        http_problem(ex, 405, "method-not-allowed", "Method Not Allowed", line, "%.*s takes %s",
                     SPAN_ARG(req->path), allow);
    } else
        http_problem(ex, 404, "not-found", "Not Found", NULL, "nothing is served at %.*s",
                     SPAN_ARG(req->path));
}

static const struct ws_route *ws_route_of(const struct web_server *server, struct span path)
{
    for (size_t i = 0; i < server->ws_count; i++)
        if (text_path_matches(server->ws[i].path, path))
            return &server->ws[i];
    return NULL;
}

/* 101 and the connection is a WebSocket; or a refusal. */
static void upgrade(struct conn *conn, const struct wire_head *head, const struct http_request *req,
                    const struct ws_route *route)
{
    struct http_exchange *ex = &conn->ex;
    if (!span_is(head->ws_version, "13")) {
        http_problem(ex, 426, "websocket-version", "Upgrade Required",
                     "Sec-WebSocket-Version: 13\r\n", "the WebSocket version must be 13");
        return;
    }
    if (!wire_ws_key(head->ws_key)) {
        refuse(conn, 400, "websocket-key", "Sec-WebSocket-Key must be the base64 of 16 bytes");
        return;
    }
    int status = route->handlers.upgrade ? route->handlers.upgrade(route->handlers.arg, req) : 0;
    if (status) {
        http_problem(ex, status, "websocket-refused", wire_status_text(status), NULL,
                     "no WebSocket for this request");
        return;
    }
    struct ws *ws = ws_create(conn, &route->handlers);
    if (!ws) {
        conn_die(conn);
        return;
    }
    char answer[160], accept[29];
    wire_ws_accept(head->ws_key, accept);
    int n =
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\n\r\n",
                 accept);
    (void)conn_put(conn, answer, (size_t)n);
    free(ex->origin);
    ex->origin = NULL;
    ex->pending = false;
    conn->mode = CONN_WS;
    ws_opened(ws, req);
}

/* Bytes of the body in hand? 1 yes with ret_body and ret_end (offset behind it), 0 more are needed,
 * -status. */
static int read_body(struct conn *conn, const struct wire_head *head, char *p, size_t *n,
                     struct span *ret_body, size_t *ret_end)
{
    size_t body_max = conn->server->config.body_max;
    if (!head->chunked) {
        size_t len = head->content_length > 0 ? (size_t)head->content_length : 0;
        if (len > body_max)
            return -413;
        *ret_body = (struct span){p + head->len, len};
        *ret_end = head->len + len;
        return *n - head->len >= len;
    }
    char *raw = p + head->len + conn->chunk_out;
    size_t used, made;
    int r =
        wire_chunked_decode(&conn->chunk, raw, *n - head->len - conn->chunk_out, raw, &used, &made);
    if (r < 0)
        return -400;
    conn->chunk_out += made;
    if (conn->chunk_out > body_max)
        return -413;
    *ret_body = (struct span){p + head->len, conn->chunk_out};
    *ret_end = (size_t)(raw - p) + used;
    if (r == 0)
        *n = head->len + conn->chunk_out; /* all encoded bytes were taken: what follows is only the
                                             decoded ones */
    return r;
}

static size_t begin_exchange(struct conn *conn, const struct wire_head *head, struct span body,
                             size_t end)
{
    struct web *web = conn->web;
    struct http_exchange *ex = &conn->ex;
    ex->pending = true;
    ex->keep_alive = head->keep_alive;
    ex->http10 = head->minor == 0;
    ex->head = span_is(head->method, "HEAD");
    conn->chunk = (struct wire_chunked){.state = 0};
    conn->chunk_out = 0;
    conn->seen_ms = web->now_ms;
    allow_origin(conn, head->origin);
    struct span path = head->path;
    if (memchr(path.ptr, '%', path.len)) {
        int len = wire_unescape(path, false, web->path, sizeof web->path);
        if (len < 0) {
            refuse(conn, 400, "bad-request", "the path is not well percent-encoded");
            return end;
        }
        path = (struct span){web->path, (size_t)len};
    }
    struct http_request req = {
        .method = head->method,
        .path = path,
        .query = head->query,
        .body = body,
        .authorization = head->authorization,
        .origin = head->origin,
        .accept = head->accept,
        .content_type = head->content_type,
        .forwarded_for = head->forwarded_for,
        .last_event_id = head->last_event_id,
        .peer = conn->peer,
    };
    const struct ws_route *ws =
        head->upgrade_websocket && body.len == 0 ? ws_route_of(conn->server, req.path) : NULL;
    if (ws)
        upgrade(conn, head, &req, ws);
    else
        dispatch(conn, head, &req);
    return end;
}

bool http_waits(const struct conn *conn)
{
    return conn->ex.pending || conn->out.len > PIPELINE_MAX;
}

size_t http_feed(struct conn *conn, char *p, size_t *n)
{
    if (conn->finish)
        return *n;
    if (http_waits(conn)) {
        if (*n > PIPELINE_MAX)
            conn_hold(conn, true);
        return 0;
    }
    struct wire_head head;
    int r = wire_request(p, *n, HEAD_MAX, &head);
    if (r == 0)
        return 0;
    conn->ex.head = false;
    conn->ex.http10 = false;
    if (r < 0) {
        refuse_head(conn, -r);
        return *n;
    }
    struct span body;
    size_t end;
    r = read_body(conn, &head, p, n, &body, &end);
    if (r < 0) {
        if (r == -413)
            refuse(conn, 413, "body-too-large", "the request's body is over the limit");
        else
            refuse(conn, 400, "bad-request", "the chunked body is malformed");
        return *n;
    }
    if (r == 0) {
        if (head.expect_continue && !conn->continued) {
            conn->continued = true;
            (void)conn_put(conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        }
        return 0;
    }
    return begin_exchange(conn, &head, body, end);
}

void http_gone(struct conn *conn)
{
    struct http_exchange *ex = &conn->ex;
    void (*gone)(void *arg) = ex->pending ? ex->gone : NULL;
    ex->pending = false;
    ex->gone = NULL;
    free(ex->origin);
    ex->origin = NULL;
    if (gone)
        gone(ex->gone_arg);
}

void http_sweep(struct conn *conn, int64_t now_ms)
{
    int64_t quiet_ms = now_ms - conn->seen_ms;
    if (conn->out.len) { /* it does not read what it asked for */
        if (quiet_ms > (conn->ex.streaming ? STALL_MS : conn->server->config.idle_ms))
            conn_die(conn);
    } else if (!conn->ex.pending && quiet_ms > conn->server->config.idle_ms) {
        if (conn->in.len && !conn->finish)
            refuse(conn, 408, "request-timeout", "the request was not complete in time");
        else
            conn_die(conn);
    }
}

/* web_ws.c - WebSocket messages on a connection, server and client side alike (RFC 6455). */
#include "io/web_impl.h"

#include <stdlib.h>

struct ws *ws_create(struct conn *conn, const struct ws_handlers *handlers)
{
    struct ws *ws = calloc(1, sizeof *ws);
    if (!ws)
        return NULL;
    ws->conn = conn;
    ws->handlers = *handlers;
    if (conn->server) {
        ws->message_max = conn->server->config.message_max;
        ws->send_max = conn->server->config.send_max;
        ws->ping_ms = conn->server->config.ping_ms;
    }
    conn->ws = ws;
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
    return ws->conn->peer;
}

const struct http_request *ws_request(const struct ws *ws)
{
    return ws->request;
}

size_t ws_queued(const struct ws *ws)
{
    return ws->conn->out.len;
}

void ws_flush(struct ws *ws)
{
    if (!ws->conn->busy && !ws->conn->finish)
        conn_flush(ws->conn);
}

void ws_hold(struct ws *ws, bool hold)
{
    struct conn *conn = ws->conn;
    if (ws->held == hold || conn->dying)
        return;
    ws->held = hold;
    if (hold) {
        conn_hold(conn, true);
        return;
    }
    ws->heard_ms = conn->web->now_ms;
    conn->resume = true; /* what was read already comes first */
    web_dirty(conn);
}

void ws_opened(struct ws *ws, const struct http_request *req)
{
    ws->opened = true;
    ws->heard_ms = ws->pinged_ms = ws->conn->web->now_ms;
    ws->request = req;
    if (ws->handlers.open)
        ws->handlers.open(ws->handlers.arg, ws);
    ws->request = NULL;
}

static bool put_frame(struct ws *ws, enum ws_opcode opcode, struct span data)
{
    struct conn *conn = ws->conn;
    char head[WIRE_WS_HEAD_MAX];
    uint8_t mask[4];
    bool client = !conn->server;
    if (client)
        web_random(conn->web, mask, sizeof mask);
    size_t n = wire_frame_write(head, opcode, true, data.len, client ? mask : NULL);
    if (!conn_put(conn, head, n) || !conn_put(conn, data.ptr, data.len))
        return false;
    if (client)
        wire_mask(conn->out.ptr + conn->out.off + conn->out.len - data.len, data.len, mask);
    return true;
}

static int send_message(struct ws *ws, enum ws_opcode opcode, struct span data)
{
    struct conn *conn = ws->conn;
    if (!ws->opened || ws->closing_ms || ws->close_sent || conn->dying || conn->finish)
        return BERTH_ECLOSED;
    if (conn->out.len + data.len > ws->send_max)
        return BERTH_EFULL;
    return put_frame(ws, opcode, data) ? 0 : BERTH_ECLOSED;
}

int ws_send(struct ws *ws, struct span text)
{
    return send_message(ws, WS_TEXT, text);
}

int ws_send_binary(struct ws *ws, struct span data)
{
    return send_message(ws, WS_BINARY, data);
}

void ws_reason(struct ws *ws, int code, const char *why)
{
    if (ws->why_set)
        return;
    ws->why_set = true;
    ws->code = code;
    ws->why = why;
}

static void put_close(struct ws *ws, int code, const char *text)
{
    if (ws->close_sent)
        return;
    ws->close_sent = true;
    if (!ws->closing_ms)
        ws->closing_ms = ws->conn->web->now_ms;
    char payload[125];
    size_t len = strnlen(text, sizeof payload - 2);
    while (len && ((unsigned char)text[len] & 0xc0) == 0x80) /* cut between characters */
        len--;
    payload[0] = (char)(code >> 8);
    payload[1] = (char)code;
    memcpy(payload + 2, text, len);
    (void)put_frame(ws, WS_CLOSE, (struct span){payload, wire_close_code(code) ? len + 2 : 0});
}

void ws_close(struct ws *ws, int code, const char *reason)
{
    if (ws->closing_ms || ws->conn->dying || ws->conn->finish)
        return;
    ws_reason(ws, code, "local");
    ws->closing_ms = ws->conn->web->now_ms;
    ws_hold(ws, false); /* the answer is behind what it sent before */
    if (ws->opened)
        put_close(ws, code, reason ? reason : "");
    else
        conn_die(ws->conn);
}

void ws_fail(struct ws *ws, int code, const char *why)
{
    ws_reason(ws, code, why);
    put_close(ws, code, why);
    conn_finish(ws->conn, true);
}

void ws_shutdown(struct ws *ws)
{
    ws_reason(ws, 1001, "shutdown");
    if (ws->opened && !ws->conn->dying) {
        put_close(ws, 1001, "shutdown");
        conn_flush(ws->conn);
    }
}

void ws_gone(struct conn *conn)
{
    struct ws *ws = conn->ws;
    ws_reason(ws, 1006, "peer");
    if (ws->handlers.close)
        ws->handlers.close(ws->handlers.arg, ws, ws->code, ws->why);
    ws_client_free(ws);
    buf_free(&ws->message);
    free(ws);
    conn->ws = NULL;
}

static void deliver(struct ws *ws, uint8_t opcode, struct span data)
{
    if (ws->closing_ms)
        return;
    if (opcode == WS_TEXT && !wire_utf8(data.ptr, data.len))
        ws_fail(ws, 1007, "bad_utf8");
    else if (ws->handlers.message)
        ws->handlers.message(ws->handlers.arg, ws, data, opcode == WS_BINARY);
}

static void take_data(struct ws *ws, const struct wire_frame *f, struct span data)
{
    if ((f->opcode == WS_CONTINUATION) != (ws->opcode != 0)) {
        ws_fail(ws, 1002, "protocol");
        return;
    }
    if (f->fin && !ws->opcode) { /* the common case: whole, and not copied */
        deliver(ws, f->opcode, data);
        return;
    }
    if (!buf_append(&ws->message, data.ptr, data.len)) {
        conn_die(ws->conn);
        return;
    }
    if (f->opcode)
        ws->opcode = f->opcode;
    if (!f->fin)
        return;
    uint8_t opcode = ws->opcode;
    struct buf whole = ws->message;
    ws->opcode = 0;
    ws->message = (struct buf){.ptr = NULL};
    deliver(ws, opcode, (struct span){whole.ptr + whole.off, whole.len});
    buf_free(&whole);
}

static void take_close(struct ws *ws, struct span data)
{
    struct conn *conn = ws->conn;
    int code = data.len >= 2 ? (uint8_t)data.ptr[0] << 8 | (uint8_t)data.ptr[1] : 1005;
    if (data.len == 1 || (data.len >= 2 && !wire_close_code(code))) {
        ws_fail(ws, 1002, "protocol");
        return;
    }
    if (data.len > 2 && !wire_utf8(data.ptr + 2, data.len - 2)) {
        ws_fail(ws, 1007, "bad_utf8");
        return;
    }
    ws_reason(ws, code, "peer");
    put_close(ws, code, "");
    conn_finish(conn, !conn->server); /* the server closes first (RFC 6455 7.1.1) */
}

size_t ws_feed(struct conn *conn, char *p, size_t *n)
{
    struct ws *ws = conn->ws;
    ws->heard_ms = conn->web->now_ms;
    if (conn->finish)
        return *n;
    if (ws->held)
        return 0;
    struct wire_frame f;
    int r = wire_frame_read(p, *n, conn->server != NULL, &f);
    if (r < 0) {
        ws_fail(ws, 1002, "protocol");
        return *n;
    }
    if (r == 0)
        return 0;
    bool control = f.opcode & 8;
    if (!control && f.len > ws->message_max - ws->message.len) {
        ws_fail(ws, 1009, "too_large");
        return *n;
    }
    if (*n - f.head < f.len)
        return 0;
    struct span data = {p + f.head, (size_t)f.len};
    if (f.masked)
        wire_mask(p + f.head, data.len, f.mask);
    if (!control)
        take_data(ws, &f, data);
    else if (f.opcode == WS_CLOSE)
        take_close(ws, data);
    else if (f.opcode == WS_PING && !ws->close_sent && conn->out.len <= ws->send_max)
        (void)put_frame(ws, WS_PONG, data);
    if ((control || !f.fin) && !ws->closing_ms && ws->handlers.frame)
        ws->handlers.frame(ws->handlers.arg, ws);
    return f.head + data.len;
}

void ws_sweep(struct conn *conn, int64_t now_ms)
{
    struct ws *ws = conn->ws;
    if (ws->closing_ms) {
        if (now_ms - ws->closing_ms > CLOSE_MS)
            conn_die(conn);
    } else if (conn->out.len &&
               now_ms - conn->seen_ms > (ws->ping_ms ? ws->ping_ms + 2000 : STALL_MS)) {
        ws_reason(ws, 1006, "slow_reader");
        conn_die(conn);
    } else if (ws->ping_ms && !ws->held && now_ms - ws->heard_ms > ws->ping_ms + 2000) {
        ws_reason(ws, 1006, "timeout");
        conn_die(conn);
    } else if (ws->ping_ms && now_ms - ws->pinged_ms >= ws->ping_ms) {
        ws->pinged_ms = now_ms;
        (void)put_frame(ws, WS_PING, (struct span){NULL, 0});
    }
}

/* engine_ws_io.c - Engine.IO over WebSocket: sessions that begin there, and sockets that probe. */
#include "socketio/engine_impl.h"

static uint32_t slot_of(const struct ws *ws)
{
    return (uint32_t)((uintptr_t)ws_user(ws) - 1); /* no user: SESSION_NONE */
}

static void set_slot(struct ws *ws, uint32_t slot)
{
    ws_set_user(ws, (void *)((uintptr_t)slot + 1)); // NOLINT(performance-no-int-to-ptr)
}

static enum session_via via_of(const struct engine *engine, uint32_t slot, const struct ws *ws)
{
    return engine->clients[slot].ws == ws ? SESSION_WEBSOCKET : SESSION_PROBE;
}

static int on_upgrade(void *arg, const struct http_request *req)
{
    struct engine *engine = arg;
    uint32_t slot;
    engine_tick(engine);
    if (engine_judge(engine, req, true, &slot) != SESSION_OK)
        return 400;
    return slot == SESSION_NONE && engine->sessions.free_count == 0 ? 503 : 0;
}

static void ws_handshake(struct engine *engine, struct ws *ws)
{
    uint32_t slot = engine_open_session(engine, SESSION_WEBSOCKET);
    if (slot == SESSION_NONE) {
        ws_close(ws, 1013, "full");
        return;
    }
    engine->clients[slot].ws = ws;
    set_slot(ws, slot);
    char text[256];
    (void)!ws_send(ws, engine_handshake(engine, slot, text, sizeof text)); /* the first: it fits */
    engine->config.handlers.open(engine->config.handlers.arg, slot);
    engine_arm(engine);
}

static void on_open(void *arg, struct ws *ws)
{
    struct engine *engine = arg;
    uint32_t slot;
    if (engine_judge(engine, ws_request(ws), true, &slot) != SESSION_OK) {
        ws_close(ws, 1002, "protocol");
        return;
    }
    if (slot == SESSION_NONE) {
        ws_handshake(engine, ws);
        return;
    }
    const struct session *session = &engine->sessions.table[slot];
    if (session->websocket || session->probe || session->closing) {
        ws_close(ws, 1008, "one_socket");
        return;
    }
    engine->clients[slot].probe = ws;
    set_slot(ws, slot);
    engine_step(engine, (struct session_event){.kind = SESSION_PROBES, .slot = slot},
                (struct at_hand){.code = 1000});
}

static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct engine *engine = arg;
    uint32_t slot = slot_of(ws);
    if (slot == SESSION_NONE)
        return;
    struct eio_packet packet = {.type = EIO_MESSAGE, .binary = true, .data = data};
    int rc = binary ? 0 : eio_packet_read(data, &packet);
    engine_step(engine,
                (struct session_event){.kind = rc < 0 ? SESSION_MALFORMED : SESSION_PACKET,
                                       .slot = slot,
                                       .via = via_of(engine, slot, ws),
                                       .packet = packet},
                (struct at_hand){.packet = &packet,
                                 .code = rc == 0 && packet.type == EIO_CLOSE ? 1000 : 1002});
    if (packet.type != EIO_MESSAGE)
        engine_other(engine, slot);
}

static void on_frame(void *arg, struct ws *ws)
{
    uint32_t slot = slot_of(ws);
    if (slot != SESSION_NONE)
        engine_other(arg, slot);
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct engine *engine = arg;
    uint32_t slot = slot_of(ws);
    if (slot == SESSION_NONE)
        return;
    struct client *client = &engine->clients[slot];
    enum session_via via = via_of(engine, slot, ws);
    if (via == SESSION_WEBSOCKET)
        client->ws = NULL;
    else
        client->probe = NULL;
    engine_step(
        engine,
        (struct session_event){.kind = SESSION_SOCKET_GONE, .slot = slot, .via = via, .why = why},
        (struct at_hand){.code = 1000});
}

struct ws_handlers engine_ws(struct engine *engine)
{
    return (struct ws_handlers){.upgrade = on_upgrade,
                                .open = on_open,
                                .message = on_message,
                                .frame = on_frame,
                                .close = on_close,
                                .arg = engine};
}

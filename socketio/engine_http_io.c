/* engine_http_io.c - Engine.IO over HTTP: handshakes, GETs that wait for packets, POSTs of some. */
#include "socketio/engine_impl.h"

#include "io/wire_ws.h"

#include <stdio.h>

const char *engine_headers(const struct engine *engine)
{
    return engine->config.cors ? HEADERS_CORS : HEADERS;
}

void engine_reply_error(const struct engine *engine, struct http_exchange *ex, int status, int code,
                        const char *message)
{
    char body[96];
    int n = snprintf(body, sizeof body, "{\"code\":%d,\"message\":\"%s\"}", code, message);
    http_reply(ex, status, "application/json", engine_headers(engine),
               (struct span){body, (size_t)n});
}

static void http_handshake(struct engine *engine, struct http_exchange *ex)
{
    uint32_t slot = engine_open_session(engine, SESSION_POLLING);
    if (slot == SESSION_NONE) {
        engine_reply_error(engine, ex, 503, SESSION_FORBIDDEN, "No session left");
        return;
    }
    char text[256];
    http_reply(ex, 200, TEXT_TYPE, engine_headers(engine),
               engine_handshake(engine, slot, text, sizeof text));
    engine->config.handlers.open(engine->config.handlers.arg, slot);
    engine_arm(engine);
}

static void on_get_gone(void *arg)
{
    struct client *client = arg;
    struct engine *engine = client->engine;
    client->get = NULL;
    engine_step(engine,
                (struct session_event){.kind = SESSION_GET_GONE,
                                       .slot = (uint32_t)(client - engine->clients)},
                (struct at_hand){.code = 1000});
}

static void http_get(struct engine *engine, uint32_t slot, struct http_exchange *ex)
{
    struct client *client = &engine->clients[slot];
    if (!client->get) {
        client->get = ex;
        http_on_gone(ex, on_get_gone, client);
    }
    engine_step(
        engine,
        (struct session_event){.kind = SESSION_GET, .slot = slot, .queued = client->queue_len > 0},
        (struct at_hand){.ex = ex, .code = 1000});
}

void engine_answer_post(struct engine *engine, uint32_t slot)
{
    struct client *client = &engine->clients[slot];
    struct http_exchange *ex = client->post;
    client->post = NULL;
    if (ex)
        http_reply(ex, 200, TEXT_TYPE, engine_headers(engine), SPAN("ok"));
}

static void on_post_gone(void *arg)
{
    struct client *client = arg;
    client->post = NULL;
}

static void refuse_post(struct engine *engine, uint32_t slot, struct http_exchange *ex)
{
    engine_reply_error(engine, ex, 400, SESSION_BAD_REQUEST,
                       session_error_text(SESSION_BAD_REQUEST));
    if (session_sends(&engine->sessions, slot))
        engine_step(
            engine,
            (struct session_event){.kind = SESSION_MALFORMED, .slot = slot, .via = SESSION_POLLING},
            (struct at_hand){.code = 1002});
}

static void http_post(struct engine *engine, uint32_t slot, struct span body,
                      struct http_exchange *ex)
{
    struct span rest = body.len > 0 ? body : SPAN("");
    struct eio_packet packet;
    struct client *client = &engine->clients[slot];
    int rc = wire_utf8(body.ptr, body.len) && !client->held ? 1 : BERTH_EPROTO;
    while (rc > 0 && engine->sessions.table[slot].live) {
        rc = eio_payload_next(&rest, engine->scratch, engine->scratch_size, &packet);
        if (rc > 0)
            engine_step(
                engine,
                (struct session_event){
                    .kind = SESSION_PACKET, .slot = slot, .via = SESSION_POLLING, .packet = packet},
                (struct at_hand){.packet = &packet, .code = 1002});
        if (rc > 0 && packet.type != EIO_MESSAGE)
            engine_other(engine, slot);
    }
    if (rc < 0) {
        refuse_post(engine, slot, ex);
        return;
    }
    client->post = ex;
    http_on_gone(ex, on_post_gone, client);
    if (!client->held)
        engine_answer_post(engine, slot);
}

void engine_http(struct engine *engine, const struct http_request *req, struct http_exchange *ex)
{
    uint32_t slot;
    engine_tick(engine);
    if (span_is(req->method, "OPTIONS") && engine->config.cors) {
        http_reply(ex, 204, NULL,
                   HEADERS_CORS "Access-Control-Allow-Methods: GET, POST\r\n"
                                "Access-Control-Allow-Headers: Content-Type, Authorization\r\n"
                                "Access-Control-Max-Age: 600\r\n",
                   (struct span){NULL, 0});
        return;
    }
    enum session_error error = engine_judge(engine, req, false, &slot);
    if (error != SESSION_OK)
        engine_reply_error(engine, ex, 400, (int)error, session_error_text(error));
    else if (slot == SESSION_NONE)
        http_handshake(engine, ex);
    else if (span_is(req->method, "POST"))
        http_post(engine, slot, req->body, ex);
    else
        http_get(engine, slot, ex);
}

/* engine_io.c - sockets and requests become events of session.h, its effects become packets. */
#include "socketio/engine_io.h"

#include "io/wire_ws.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct client {
    struct engine *engine;
    struct ws *ws, *probe;
    struct http_exchange *get; /* waits for packets */
    char *queue;               /* owned: a payload for the next GET; NULL while empty */
    uint32_t queue_len, queue_cap;
    bool dirty; /* in engine->dirty */
};

struct engine {
    struct engine_config config;
    struct loop *loop;
    struct sessions sessions;
    struct client *clients; /* by slot */
    uint32_t *dirty, dirty_count;
    char *scratch; /* binary data out of base64 */
    size_t scratch_size;
    struct timer deadline, flush;
    mono_ms_t armed;
};

#define HEADERS "Cache-Control: no-store\r\n"
#define HEADERS_CORS HEADERS "Access-Control-Allow-Origin: *\r\n"
#define TEXT_TYPE "text/plain; charset=UTF-8"

static const char *headers_of(const struct engine *engine)
{
    return engine->config.cors ? HEADERS_CORS : HEADERS;
}

static void reply_error(const struct engine *engine, struct http_exchange *ex, int status, int code,
                        const char *message)
{
    char body[96];
    int n = snprintf(body, sizeof body, "{\"code\":%d,\"message\":\"%s\"}", code, message);
    http_reply(ex, status, "application/json", headers_of(engine), (struct span){body, (size_t)n});
}

/* ---- what is queued for a GET ---- */

static void mark_dirty(struct engine *engine, uint32_t slot)
{
    struct client *client = &engine->clients[slot];
    if (!client->get || client->dirty)
        return;
    client->dirty = true;
    engine->dirty[engine->dirty_count++] = slot;
    if (!timer_active(&engine->flush))
        timer_start(&engine->flush, 0, 0); /* what is queued in this turn leaves in one answer */
}

static int queue_reserve(struct engine *engine, struct client *client, size_t more)
{
    size_t need = client->queue_len + more;
    if (need > engine->config.send_max)
        return BERTH_EFULL;
    if (need <= client->queue_cap)
        return 0;
    size_t cap = 2 * need < 128 ? 128 : 2 * need;
    char *queue = realloc(client->queue, cap);
    if (!queue)
        return BERTH_EFULL;
    client->queue = queue;
    client->queue_cap = (uint32_t)cap;
    return 0;
}

static int queue_put(struct engine *engine, uint32_t slot, struct span data, bool binary)
{
    struct client *client = &engine->clients[slot];
    size_t len = client->queue_len;
    int rc = queue_reserve(engine, client,
                           binary ? eio_payload_binary_size(len, data.len)
                                  : eio_payload_text_size(len, data.len));
    if (rc < 0)
        return rc;
    if (binary)
        eio_payload_put_binary(client->queue, &len, data);
    else
        eio_payload_put_text(client->queue, &len, data);
    client->queue_len = (uint32_t)len;
    mark_dirty(engine, slot);
    return 0;
}

static void queue_free(struct client *client)
{
    free(client->queue);
    client->queue = NULL;
    client->queue_len = client->queue_cap = 0;
}

/* ---- effects ---- */

static int send_any(struct engine *engine, uint32_t slot, struct span data, bool binary)
{
    struct client *client = &engine->clients[slot];
    if (!client->ws)
        return queue_put(engine, slot, data, binary);
    return binary ? ws_send_binary(client->ws, data) : ws_send(client->ws, data);
}

static void send_type(struct engine *engine, uint32_t slot, enum eio_type type)
{
    char text = (char)('0' + type);
    if (send_any(engine, slot, (struct span){&text, 1}, false) == BERTH_EFULL)
        engine_close(engine, slot, 1008, "slow_reader");
}

static void answer_get(struct engine *engine, struct client *client)
{
    struct http_exchange *ex = client->get;
    client->get = NULL;
    http_reply(ex, 200, TEXT_TYPE, headers_of(engine),
               (struct span){client->queue, client->queue_len});
    queue_free(client);
}

static void close_probe(struct client *client)
{
    ws_set_user(client->probe, NULL);
    ws_close(client->probe, 1000, "probe");
    client->probe = NULL;
}

/* The probing socket takes over, with what nobody has fetched. */
static void upgrade(struct engine *engine, uint32_t slot)
{
    struct client *client = &engine->clients[slot];
    client->ws = client->probe;
    client->probe = NULL;
    struct span rest = {client->queue, client->queue_len};
    struct eio_packet packet;
    int rc = 0;
    while (rc == 0 && eio_payload_next(&rest, engine->scratch, engine->scratch_size, &packet) > 0)
        rc = packet.binary
                 ? ws_send_binary(client->ws, packet.data)
                 : ws_send(client->ws, (struct span){packet.data.ptr - 1, packet.data.len + 1});
    queue_free(client);
    if (rc == BERTH_EFULL)
        engine_close(engine, slot, 1008, "slow_reader");
}

static void forget(struct engine *engine, uint32_t slot, const char *why)
{
    struct client *client = &engine->clients[slot];
    if (client->ws)
        ws_set_user(client->ws, NULL);
    client->ws = NULL;
    queue_free(client);
    const struct engine_handlers *h = &engine->config.handlers;
    h->close(h->arg, slot, why);
}

struct at_hand { /* what an effect may be about */
    struct http_exchange *ex;
    const struct eio_packet *packet;
    int code;
};

static void carry_out(struct engine *engine, const struct session_effect *effect,
                      const struct at_hand *at)
{
    struct client *client = &engine->clients[effect->slot];
    const struct engine_handlers *h = &engine->config.handlers;
    switch (effect->kind) {
    case SESSION_DO_SEND:
        send_type(engine, effect->slot, effect->type);
        break;
    case SESSION_DO_FLUSH:
        answer_get(engine, client);
        break;
    case SESSION_DO_REFUSE:
        reply_error(engine, at->ex, 400, (int)effect->error, session_error_text(effect->error));
        break;
    case SESSION_DO_MESSAGE:
        assert(at->packet);
        h->message(h->arg, effect->slot, at->packet->data, at->packet->binary);
        break;
    case SESSION_DO_PROBE_ANSWER:
        (void)!ws_send(client->probe, SPAN("3probe")); /* a full queue: it times out */
        break;
    case SESSION_DO_PROBE_CLOSE:
        close_probe(client);
        break;
    case SESSION_DO_UPGRADE:
        upgrade(engine, effect->slot);
        break;
    case SESSION_DO_SOCKET_CLOSE:
        ws_close(client->ws, at->code, effect->why);
        break;
    case SESSION_DO_END:
        forget(engine, effect->slot, effect->why);
        break;
    }
}

static void arm(struct engine *engine)
{
    mono_ms_t at = session_deadline(&engine->sessions);
    if (at.ms == engine->armed.ms)
        return;
    engine->armed = at;
    timer_at(&engine->deadline, at);
}

static void step(struct engine *engine, struct session_event ev, struct at_hand at)
{
    struct session_effects fx;
    ev.now = loop_now(engine->loop);
    session_step(&engine->sessions, &ev, &fx);
    for (size_t i = 0; i < fx.count; i++)
        carry_out(engine, &fx.items[i], &at);
    arm(engine);
}

static void tick(struct engine *engine)
{
    while (!mono_before(loop_now(engine->loop), session_deadline(&engine->sessions)))
        step(engine, (struct session_event){.kind = SESSION_TICK}, (struct at_hand){.code = 1001});
}

static void on_deadline(void *arg)
{
    struct engine *engine = arg;
    engine->armed = MONO_NEVER;
    tick(engine);
    arm(engine);
}

static void on_flush(void *arg)
{
    struct engine *engine = arg;
    while (engine->dirty_count > 0) {
        uint32_t slot = engine->dirty[--engine->dirty_count];
        engine->clients[slot].dirty = false;
        if (engine->sessions.table[slot].live)
            step(engine,
                 (struct session_event){.kind = SESSION_QUEUED,
                                        .slot = slot,
                                        .queued = engine->clients[slot].queue_len > 0},
                 (struct at_hand){.code = 1000});
    }
}

/* ---- opening ---- */

static struct span query_span(const struct http_request *req, const char *name, char *buf,
                              size_t size)
{
    int n = http_query(req, name, buf, size);
    return n < 0 ? (struct span){n == BERTH_ENOENT ? NULL : "", 0} : (struct span){buf, (size_t)n};
}

static enum session_error judge(struct engine *engine, const struct http_request *req,
                                bool websocket, uint32_t *ret_slot)
{
    char transport[16], version[8], id[SESSION_ID_LEN + 1];
    struct session_request request = {
        .method = req->method,
        .transport = query_span(req, "transport", transport, sizeof transport),
        .version = query_span(req, "EIO", version, sizeof version),
        .id = query_span(req, "sid", id, sizeof id),
        .websocket = websocket,
    };
    return session_judge(&engine->sessions, &request, ret_slot);
}

static uint32_t open_session(struct engine *engine, enum session_via via)
{
    unsigned char bytes[SESSION_RANDOM];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return SESSION_NONE;
    uint32_t slot = session_open(&engine->sessions, via, bytes, loop_now(engine->loop));
    if (slot != SESSION_NONE) {
        struct client *client = &engine->clients[slot];
        *client = (struct client){.engine = engine, .dirty = client->dirty};
    }
    return slot;
}

static struct span handshake(const struct engine *engine, uint32_t slot, char *buf, size_t size)
{
    const struct session_config *config = &engine->config.session;
    char id[SESSION_ID_LEN + 1];
    session_id(&engine->sessions, slot, id);
    int n = snprintf(buf, size,
                     "0{\"sid\":\"%s\",\"upgrades\":[%s],\"pingInterval\":%lld,"
                     "\"pingTimeout\":%lld,\"maxPayload\":%zu}",
                     id, engine->sessions.table[slot].websocket ? "" : "\"websocket\"",
                     (long long)config->ping_interval_ms, (long long)config->ping_timeout_ms,
                     engine->config.max_payload);
    return (struct span){buf, (size_t)n};
}

/* ---- HTTP ---- */

static void http_handshake(struct engine *engine, struct http_exchange *ex)
{
    uint32_t slot = open_session(engine, SESSION_POLLING);
    if (slot == SESSION_NONE) {
        reply_error(engine, ex, 503, SESSION_FORBIDDEN, "No session left");
        return;
    }
    char text[256];
    http_reply(ex, 200, TEXT_TYPE, headers_of(engine), handshake(engine, slot, text, sizeof text));
    engine->config.handlers.open(engine->config.handlers.arg, slot);
    arm(engine);
}

static void on_get_gone(void *arg)
{
    struct client *client = arg;
    struct engine *engine = client->engine;
    client->get = NULL;
    step(engine,
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
    step(engine,
         (struct session_event){.kind = SESSION_GET, .slot = slot, .queued = client->queue_len > 0},
         (struct at_hand){.ex = ex, .code = 1000});
}

static void http_post(struct engine *engine, uint32_t slot, struct span body,
                      struct http_exchange *ex)
{
    struct span rest = body.len > 0 ? body : SPAN("");
    struct eio_packet packet;
    int rc = wire_utf8(body.ptr, body.len) ? 1 : BERTH_EPROTO;
    while (rc > 0 && engine->sessions.table[slot].live) {
        rc = eio_payload_next(&rest, engine->scratch, engine->scratch_size, &packet);
        if (rc > 0)
            step(
                engine,
                (struct session_event){
                    .kind = SESSION_PACKET, .slot = slot, .via = SESSION_POLLING, .packet = packet},
                (struct at_hand){.packet = &packet, .code = 1002});
    }
    if (rc >= 0) {
        http_reply(ex, 200, TEXT_TYPE, headers_of(engine), SPAN("ok"));
        return;
    }
    reply_error(engine, ex, 400, SESSION_BAD_REQUEST, session_error_text(SESSION_BAD_REQUEST));
    if (session_sends(&engine->sessions, slot))
        step(
            engine,
            (struct session_event){.kind = SESSION_MALFORMED, .slot = slot, .via = SESSION_POLLING},
            (struct at_hand){.code = 1002});
}

void engine_http(struct engine *engine, const struct http_request *req, struct http_exchange *ex)
{
    uint32_t slot;
    tick(engine);
    if (span_is(req->method, "OPTIONS") && engine->config.cors) {
        http_reply(ex, 204, NULL,
                   HEADERS_CORS "Access-Control-Allow-Methods: GET, POST\r\n"
                                "Access-Control-Allow-Headers: Content-Type, Authorization\r\n"
                                "Access-Control-Max-Age: 600\r\n",
                   (struct span){NULL, 0});
        return;
    }
    enum session_error error = judge(engine, req, false, &slot);
    if (error != SESSION_OK)
        reply_error(engine, ex, 400, (int)error, session_error_text(error));
    else if (slot == SESSION_NONE)
        http_handshake(engine, ex);
    else if (span_is(req->method, "POST"))
        http_post(engine, slot, req->body, ex);
    else
        http_get(engine, slot, ex);
}

/* ---- WebSocket ---- */

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
    tick(engine);
    if (judge(engine, req, true, &slot) != SESSION_OK)
        return 400;
    return slot == SESSION_NONE && engine->sessions.free_count == 0 ? 503 : 0;
}

static void ws_handshake(struct engine *engine, struct ws *ws)
{
    uint32_t slot = open_session(engine, SESSION_WEBSOCKET);
    if (slot == SESSION_NONE) {
        ws_close(ws, 1013, "full");
        return;
    }
    engine->clients[slot].ws = ws;
    set_slot(ws, slot);
    char text[256];
    (void)!ws_send(ws, handshake(engine, slot, text, sizeof text)); /* the first: it fits */
    engine->config.handlers.open(engine->config.handlers.arg, slot);
    arm(engine);
}

static void on_open(void *arg, struct ws *ws)
{
    struct engine *engine = arg;
    uint32_t slot;
    if (judge(engine, ws_request(ws), true, &slot) != SESSION_OK) {
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
    step(engine, (struct session_event){.kind = SESSION_PROBES, .slot = slot},
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
    step(engine,
         (struct session_event){.kind = rc < 0 ? SESSION_MALFORMED : SESSION_PACKET,
                                .slot = slot,
                                .via = via_of(engine, slot, ws),
                                .packet = packet},
         (struct at_hand){.packet = &packet,
                          .code = rc == 0 && packet.type == EIO_CLOSE ? 1000 : 1002});
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
    step(engine,
         (struct session_event){.kind = SESSION_SOCKET_GONE, .slot = slot, .via = via, .why = why},
         (struct at_hand){.code = 1000});
}

struct ws_handlers engine_ws(struct engine *engine)
{
    return (struct ws_handlers){.upgrade = on_upgrade,
                                .open = on_open,
                                .message = on_message,
                                .close = on_close,
                                .arg = engine};
}

/* ---- what the application does ---- */

int engine_send(struct engine *engine, uint32_t slot, struct span packet)
{
    return session_sends(&engine->sessions, slot) ? send_any(engine, slot, packet, false)
                                                  : BERTH_ECLOSED;
}

int engine_send_binary(struct engine *engine, uint32_t slot, struct span data)
{
    return session_sends(&engine->sessions, slot) ? send_any(engine, slot, data, true)
                                                  : BERTH_ECLOSED;
}

size_t engine_queued(const struct engine *engine, uint32_t slot)
{
    const struct client *client = &engine->clients[slot];
    return client->ws ? ws_queued(client->ws) : client->queue_len;
}

void engine_flush(struct engine *engine, uint32_t slot)
{
    if (engine->clients[slot].ws)
        ws_flush(engine->clients[slot].ws);
}

void engine_close(struct engine *engine, uint32_t slot, int code, const char *why)
{
    if (session_sends(&engine->sessions, slot))
        step(engine,
             (struct session_event){.kind = SESSION_ENDS,
                                    .slot = slot,
                                    .queued = engine->clients[slot].queue_len > 0,
                                    .why = why},
             (struct at_hand){.code = code});
}

void engine_connected(struct engine *engine, uint32_t slot)
{
    if (engine->sessions.table[slot].live)
        step(engine, (struct session_event){.kind = SESSION_CONNECTED, .slot = slot},
             (struct at_hand){.code = 1000});
}

const char *engine_peer(const struct engine *engine, uint32_t slot)
{
    const struct ws *ws = engine->clients[slot].ws;
    return ws ? ws_peer(ws) : "polling";
}

uint32_t engine_sessions(const struct engine *engine)
{
    return engine->sessions.count;
}

/* ---- life ---- */

struct engine *engine_create(struct loop *loop, const struct engine_config *config, struct err *err)
{
    uint32_t max = config->session.sessions_max;
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        (void)err_set(err, BERTH_ENOMEM, "no memory for an Engine.IO server");
        return NULL;
    }
    *engine = (struct engine){.config = *config, .loop = loop, .armed = MONO_NEVER};
    timer_init(&engine->deadline, loop, on_deadline, engine);
    timer_init(&engine->flush, loop, on_flush, engine);
    engine->scratch_size =
        config->max_payload > config->send_max ? config->max_payload : config->send_max;
    engine->clients = calloc(max, sizeof *engine->clients);
    engine->dirty = malloc(max * sizeof *engine->dirty);
    engine->scratch = malloc(engine->scratch_size);
    if (engine->clients && engine->dirty && engine->scratch &&
        sessions_init(&engine->sessions, &config->session) == 0)
        return engine;
    engine_destroy(engine);
    (void)err_set(err, BERTH_ENOMEM, "no memory for %u sessions", max);
    return NULL;
}

void engine_destroy(struct engine *engine)
{
    if (!engine)
        return;
    timer_stop(&engine->deadline);
    timer_stop(&engine->flush);
    for (uint32_t i = 0; engine->clients && i < engine->config.session.sessions_max; i++)
        queue_free(&engine->clients[i]);
    sessions_fini(&engine->sessions);
    free(engine->scratch);
    free(engine->dirty);
    free(engine->clients);
    free(engine);
}

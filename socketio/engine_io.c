/* engine_io.c - sockets and requests become events of session.h, its effects become packets. */
#include "socketio/engine_impl.h"

#include <assert.h>
#include <stdlib.h>

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
    http_reply(ex, 200, TEXT_TYPE, engine_headers(engine),
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
    if (client->held)
        ws_hold(client->ws, true);
    if (rc == BERTH_EFULL)
        engine_close(engine, slot, 1008, "slow_reader");
}

static void forget(struct engine *engine, uint32_t slot, const char *why)
{
    struct client *client = &engine->clients[slot];
    if (client->ws)
        ws_set_user(client->ws, NULL);
    client->ws = NULL;
    client->held = false;
    engine_answer_post(engine, slot);
    queue_free(client);
    const struct engine_handlers *h = &engine->config.handlers;
    h->close(h->arg, slot, why);
}

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
        engine_reply_error(engine, at->ex, 400, (int)effect->error,
                           session_error_text(effect->error));
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

void engine_arm(struct engine *engine)
{
    mono_ms_t at = session_deadline(&engine->sessions);
    if (at.ms == engine->armed.ms)
        return;
    engine->armed = at;
    timer_at(&engine->deadline, at);
}

void engine_step(struct engine *engine, struct session_event ev, struct at_hand at)
{
    struct session_effects fx;
    ev.now = loop_now(engine->loop);
    session_step(&engine->sessions, &ev, &fx);
    for (size_t i = 0; i < fx.count; i++)
        carry_out(engine, &fx.items[i], &at);
    engine_arm(engine);
}

void engine_other(struct engine *engine, uint32_t slot)
{
    const struct engine_handlers *h = &engine->config.handlers;
    if (h->other && session_sends(&engine->sessions, slot))
        h->other(h->arg, slot);
}

void engine_tick(struct engine *engine)
{
    while (!mono_before(loop_now(engine->loop), session_deadline(&engine->sessions)))
        engine_step(engine, (struct session_event){.kind = SESSION_TICK},
                    (struct at_hand){.code = 1001});
}

static void on_deadline(void *arg)
{
    struct engine *engine = arg;
    engine->armed = MONO_NEVER;
    engine_tick(engine);
    engine_arm(engine);
}

static void on_flush(void *arg)
{
    struct engine *engine = arg;
    while (engine->dirty_count > 0) {
        uint32_t slot = engine->dirty[--engine->dirty_count];
        engine->clients[slot].dirty = false;
        if (engine->sessions.table[slot].live)
            engine_step(engine,
                        (struct session_event){.kind = SESSION_QUEUED,
                                               .slot = slot,
                                               .queued = engine->clients[slot].queue_len > 0},
                        (struct at_hand){.code = 1000});
    }
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

void engine_hold(struct engine *engine, uint32_t slot, bool hold)
{
    struct client *client = &engine->clients[slot];
    if (!engine->sessions.table[slot].live)
        return;
    client->held = hold;
    if (client->ws)
        ws_hold(client->ws, hold);
    if (!hold)
        engine_answer_post(engine, slot);
}

void engine_close(struct engine *engine, uint32_t slot, int code, const char *why)
{
    if (session_sends(&engine->sessions, slot))
        engine_step(engine,
                    (struct session_event){.kind = SESSION_ENDS,
                                           .slot = slot,
                                           .queued = engine->clients[slot].queue_len > 0,
                                           .why = why},
                    (struct at_hand){.code = code});
}

void engine_connected(struct engine *engine, uint32_t slot)
{
    if (engine->sessions.table[slot].live)
        engine_step(engine, (struct session_event){.kind = SESSION_CONNECTED, .slot = slot},
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

/* engine_open_io.c - a request becomes a session, or says to which one it belongs. */
#include "socketio/engine_impl.h"

#include <stdio.h>
#include <sys/random.h>

static struct span query_span(const struct http_request *req, const char *name, char *buf,
                              size_t size)
{
    int n = http_query(req, name, buf, size);
    return n < 0 ? (struct span){n == BERTH_ENOENT ? NULL : "", 0} : (struct span){buf, (size_t)n};
}

enum session_error engine_judge(struct engine *engine, const struct http_request *req,
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

uint32_t engine_open_session(struct engine *engine, enum session_via via)
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

struct span engine_handshake(const struct engine *engine, uint32_t slot, char *buf, size_t size)
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

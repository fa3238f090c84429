/* engine_io.h - an Engine.IO server on io/web.h: HTTP long-polling and WebSocket as one kind of
 * session.
 *
 * The embedder routes requests here: engine_http() for GET, POST and all other methods of a path,
 * engine_ws() for its WebSockets. Sessions are known by slot in [0, sessions_max); a slot is used
 * again only after its `close`. No callback comes from within engine_send() or engine_close(). */
#ifndef BERTH_SOCKETIO_ENGINE_IO_H
#define BERTH_SOCKETIO_ENGINE_IO_H

#include "io/web.h"
#include "socketio/session.h"

struct engine;

struct engine_handlers {
    void (*open)(void *arg, uint32_t slot);
    /* A message of the client, at most max_payload bytes. */
    void (*message)(void *arg, uint32_t slot, struct span data, bool binary);
    /* Something else came of it that costs time: a ping, an upgrade, a fragment. May be NULL. */
    void (*other)(void *arg, uint32_t slot);
    /* Always the last call of a session that had `open`. why: what engine_close() said; "peer",
     * "ping_timeout", "connect_timeout", "protocol", "malformed", "two_polls", or the word of a
     * WebSocket's end (io/web.h). */
    void (*close)(void *arg, uint32_t slot, const char *why);
    void *arg;
};

struct engine_config {
    struct session_config session;
    size_t max_payload; /* told to clients; the web server's body_max and message_max enforce it */
    size_t send_max;    /* bytes queued for a client that polls */
    bool cors;          /* browsers of any origin may read the answers (no cookies are used) */
    struct engine_handlers handlers;
};

struct engine *engine_create(struct loop *loop, const struct engine_config *config,
                             struct err *err);
/* After the web server's end. NULL is a no-op. */
void engine_destroy(struct engine *engine);

/* Any request for the path. */
void engine_http(struct engine *engine, const struct http_request *req, struct http_exchange *ex);
/* For the path's row in web_server_config.ws. */
struct ws_handlers engine_ws(struct engine *engine);

/* Send a message. packet: its text with the type in front ("4hello"); data: the bytes alone.
 * BERTH_EFULL: send_max bytes are queued, nothing was added; BERTH_ECLOSED: the session is ending.
 */
int engine_send(struct engine *engine, uint32_t slot, struct span packet) BERTH_MUST_USE;
int engine_send_binary(struct engine *engine, uint32_t slot, struct span data) BERTH_MUST_USE;

/* Bytes queued and not yet handed to the kernel. */
size_t engine_queued(const struct engine *engine, uint32_t slot);
/* Hand them over now, as far as it can be done (ws_flush). */
void engine_flush(struct engine *engine, uint32_t slot);

/* Read nothing more of it, until it is let go on: ws_hold() for a WebSocket; of a client that polls
 * the POST at hand is understood whole and answered only then, and another one meanwhile ends the
 * session. What is sent to it is not held up. */
void engine_hold(struct engine *engine, uint32_t slot, bool hold);

/* What is queued is sent, then the session ends: `close` comes later, for a client that polls at
 * the latest after linger_ms. code: for the Close frame of a WebSocket. why: constant
 * text. Closing twice is a no-op. */
void engine_close(struct engine *engine, uint32_t slot, int code, const char *why);

/* The client is let in: connect_timeout_ms no longer counts. */
void engine_connected(struct engine *engine, uint32_t slot);

/* Numeric address while it has a WebSocket, else "polling". */
const char *engine_peer(const struct engine *engine, uint32_t slot);
uint32_t engine_sessions(const struct engine *engine);

#endif

/* engine_impl.h - what the files of engine_*io.c share. Private to them.
 *
 * engine_io.c holds the sessions, carries out their effects and sends; engine_open_io.c opens them;
 * engine_http_io.c is their long-polling side, engine_ws_io.c their WebSockets. */
#ifndef BERTH_SOCKETIO_ENGINE_IMPL_H
#define BERTH_SOCKETIO_ENGINE_IMPL_H

#include "socketio/engine_io.h"

struct client {
    struct engine *engine;
    struct ws *ws, *probe;
    struct http_exchange *get;  /* waits for packets */
    struct http_exchange *post; /* was understood; answered once the client is let go on */
    char *queue;                /* owned: a payload for the next GET; NULL while empty */
    uint32_t queue_len, queue_cap;
    bool dirty; /* in engine->dirty */
    bool held;  /* engine_hold() */
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

struct at_hand { /* what an effect may be about */
    struct http_exchange *ex;
    const struct eio_packet *packet;
    int code;
};

/* engine_io.c: one event of the sessions, and what follows from it. */
void engine_step(struct engine *engine, struct session_event ev, struct at_hand at);
/* Tell of what was no message, if the session goes on. */
void engine_other(struct engine *engine, uint32_t slot);
/* What fell due, before a session is looked up. */
void engine_tick(struct engine *engine);
void engine_arm(struct engine *engine);

/* engine_open_io.c */
enum session_error engine_judge(struct engine *engine, const struct http_request *req,
                                bool websocket, uint32_t *ret_slot);
/* SESSION_NONE: none is left. */
uint32_t engine_open_session(struct engine *engine, enum session_via via);
/* The open packet. */
struct span engine_handshake(const struct engine *engine, uint32_t slot, char *buf, size_t size);

/* engine_http_io.c */
/* Answer the POST that waits, if one does. */
void engine_answer_post(struct engine *engine, uint32_t slot);
const char *engine_headers(const struct engine *engine);
void engine_reply_error(const struct engine *engine, struct http_exchange *ex, int status, int code,
                        const char *message);

#endif

/* sio_io.h - a Socket.IO server: Engine.IO sessions (engine_io.h) whose messages are Socket.IO
 * packets (sio.h).
 *
 * Clients are known by their session's slot. No callback comes from within sio_send() and the like.
 */
#ifndef BERTH_SOCKETIO_SIO_IO_H
#define BERTH_SOCKETIO_SIO_IO_H

#include "socketio/engine_io.h"
#include "socketio/sio.h"

struct sio_server;

struct sio_handlers {
    void (*open)(void *arg, uint32_t slot); /* a session; in no namespace yet. May be NULL */
    /* In namespace ns (an index). auth: a JSON object, "{}" when there was none. */
    void (*connect)(void *arg, uint32_t slot, unsigned ns, struct span auth);
    /* in->packet.data: ["name", ...]. With in->packet.id >= 0 an SIO_ACK or SIO_BINARY_ACK with
     * this id is awaited. */
    void (*event)(void *arg, uint32_t slot, const struct sio_input *in);
    void (*ack)(void *arg, uint32_t slot, const struct sio_input *in); /* of our id. May be NULL */
    void (*leave)(void *arg, uint32_t slot, unsigned ns);              /* May be NULL */
    /* Something that is no event was read. May be NULL. */
    void (*other)(void *arg, uint32_t slot);
    void (*close)(void *arg, uint32_t slot, const char *why); /* as engine_handlers. May be NULL */
    void *arg;
};

struct sio_server_config {
    struct engine_config engine; /* its handlers are not looked at */
    const char *const *namespaces;
    struct sio_handlers handlers;
};

struct sio_server *sio_server_create(struct loop *loop, struct log *log,
                                     const struct sio_server_config *config, struct err *err);
void sio_server_destroy(struct sio_server *server);
/* For engine_http(), engine_ws(), engine_send() of a packet made with sio_encode(), engine_peer().
 */
struct engine *sio_server_engine(struct sio_server *server);

/* Send a packet with its attachments (packet->attachments of them). BERTH_EFULL, BERTH_ECLOSED as
 * engine_send(); where attachments no longer fit, the session is closed as a slow reader. */
int sio_send(struct sio_server *server, uint32_t slot, const struct sio_packet *packet,
             const struct span *attachments) BERTH_MUST_USE;
/* Put the client out of a namespace; it is told. The session stays. */
void sio_disconnect(struct sio_server *server, uint32_t slot, unsigned ns);

/* The text of a packet for engine_send(). Returns its length or BERTH_EFULL. */
int sio_encode(const struct sio_packet *packet, char *ret_buf, size_t size) BERTH_MUST_USE;

bool sio_connected(const struct sio_server *server, uint32_t slot, unsigned ns);

#endif

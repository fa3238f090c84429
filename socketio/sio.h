/* sio.h - what one client's Socket.IO messages mean: namespaces it is in, binary packets put
 * together.
 *
 * Pure: a message in, one thing to do out. No memory but for a binary packet whose attachments are
 * still coming (at most pending_max bytes a client, given back when it is whole). */
#ifndef BERTH_SOCKETIO_SIO_H
#define BERTH_SOCKETIO_SIO_H

#include "socketio/sio_packet.h"

#define SIO_NAMESPACES_MAX 8

struct sio_config {
    const char *const *namespaces; /* ended by NULL, at most SIO_NAMESPACES_MAX; borrowed */
    size_t pending_max;            /* bytes of one binary packet with its attachments */
};

struct sio_pending;

/* Of one client; zeroed is new. */
struct sio_client {
    struct sio_pending *pending; /* owned */
    uint8_t inside;              /* bit i: connected to namespaces[i] */
};

enum sio_action {
    SIO_NOTHING,    /* more is to come */
    SIO_DO_CONNECT, /* it is in namespace `ns` now; packet.data: its auth, or none */
    SIO_DO_REFUSE,  /* there is no namespace packet.ns: answer CONNECT_ERROR */
    SIO_DO_EVENT,   /* packet.data: ["name", ...]; packet.id >= 0: an acknowledgement is awaited */
    SIO_DO_ACK,     /* packet.data: [...] for our packet.id */
    SIO_DO_LEAVE,   /* it has left namespace `ns` */
    SIO_DO_CLOSE,   /* the protocol was broken; why */
};

struct sio_input {
    enum sio_action action;
    unsigned ns; /* index */
    struct sio_packet packet;
    struct span attachments[SIO_ATTACHMENTS_MAX]; /* packet.attachments of them */
    struct err why;
};

/* Take a message. What *ret_input points to is borrowed from data or from the client and holds
 * until the next call for this client. */
void sio_take(struct sio_client *client, const struct sio_config *config, struct span data,
              bool binary, struct sio_input *ret_input);

static inline bool sio_inside(const struct sio_client *client, unsigned ns)
{
    return client->inside >> ns & 1;
}
/* The server puts it out of a namespace (DISCONNECT is to be sent). */
void sio_leave(struct sio_client *client, unsigned ns);

/* Gives its memory back. */
void sio_client_fini(struct sio_client *client);

#endif

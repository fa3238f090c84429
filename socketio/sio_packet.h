/* sio_packet.h - Socket.IO packets as text (Socket.IO protocol, revision 5).
 *
 *     <type>[<attachments>-][<namespace>,][<id>][<JSON>]
 *
 * Pure, no allocation. What is read is checked whole: JSON grammar, UTF-8, the payload's shape by
 * type, limits. Spans borrow the text. */
#ifndef BERTH_SOCKETIO_SIO_PACKET_H
#define BERTH_SOCKETIO_SIO_PACKET_H

#include "core/err.h"
#include "core/span.h"

enum sio_type {
    SIO_CONNECT,
    SIO_DISCONNECT,
    SIO_EVENT,
    SIO_ACK,
    SIO_CONNECT_ERROR,
    SIO_BINARY_EVENT,
    SIO_BINARY_ACK,
};

#define SIO_ATTACHMENTS_MAX 16
#define SIO_NAMESPACE_MAX 64
#define SIO_EVENT_MAX 64                      /* bytes of an event's name */
#define SIO_ID_MAX 9007199254740991           /* what a client in JavaScript can count to */
#define SIO_HEAD_MAX (SIO_NAMESPACE_MAX + 32) /* bytes of a packet before its JSON */

struct sio_packet {
    enum sio_type type;
    uint32_t attachments; /* binary types: messages that follow; 0..SIO_ATTACHMENTS_MAX */
    struct span ns;       /* "/" when the text names none */
    int64_t id;           /* -1: none */
    struct span data; /* checked JSON: an object (CONNECT), an array (events, acks); {NULL, 0} if
                         there is none */
};

/* Read what a client may send. BERTH_EPROTO: err says what is wrong. */
int sio_packet_read(struct span text, struct sio_packet *ret_packet,
                    struct err *err) BERTH_MUST_USE;

/* Write a packet; data is not looked at. Returns the length or BERTH_EFULL. */
int sio_packet_write(const struct sio_packet *packet, char *ret_buf, size_t size) BERTH_MUST_USE;

/* The elements of a checked array, taken apart one by one: begin, then next until it says false.
 * *ret_item is the raw JSON of one element. */
struct span sio_args_begin(struct span array);
bool sio_args_next(struct span *rest, struct span *ret_item);

#endif

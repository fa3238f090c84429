/* eio_packet.h - Engine.IO packets and payloads as text (Engine.IO protocol, revision 4).
 *
 * Pure, no allocation. A packet is one digit and its data. On WebSocket a text frame is one packet
 * and a binary frame is one binary message. On HTTP long-polling a body is a payload: packets
 * separated by the byte 0x1e, binary messages as 'b' and base64. */
#ifndef BERTH_SOCKETIO_EIO_PACKET_H
#define BERTH_SOCKETIO_EIO_PACKET_H

#include "core/err.h"
#include "core/span.h"

enum eio_type {
    EIO_OPEN,
    EIO_CLOSE,
    EIO_PING,
    EIO_PONG,
    EIO_MESSAGE,
    EIO_UPGRADE,
    EIO_NOOP,
};

#define EIO_SEPARATOR '\x1e'

struct eio_packet {
    enum eio_type type;
    bool binary;      /* of a message only */
    struct span data; /* what follows the type; of a binary message its bytes */
};

/* Read the text of one packet. BERTH_EPROTO: it does not begin with a type. */
int eio_packet_read(struct span text, struct eio_packet *ret_packet) BERTH_MUST_USE;

/* Cut the first packet off a payload. Binary data is decoded into scratch, which the next call
 * overwrites; text is borrowed from the payload. 1: *ret_packet; 0: there are no more;
 * BERTH_EPROTO: an empty or malformed packet; BERTH_EFULL: binary data does not fit in scratch. An
 * empty payload is one empty packet. */
int eio_payload_next(struct span *rest, char *scratch, size_t size,
                     struct eio_packet *ret_packet) BERTH_MUST_USE;

/* Bytes that a packet takes in a payload that is `len` bytes long so far, with its separator. */
size_t eio_payload_text_size(size_t len, size_t text_len);
size_t eio_payload_binary_size(size_t len, size_t data_len);

/* Append to a payload of *len bytes; the caller has the room told above. */
void eio_payload_put_text(char *payload, size_t *len, struct span text);
void eio_payload_put_binary(char *payload, size_t *len, struct span data);

#endif

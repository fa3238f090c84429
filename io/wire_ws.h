/* wire_ws.h - WebSocket frames as bytes (RFC 6455), no extensions.
 *
 * Pure: no I/O, no clock, no allocation. */
#ifndef BERTH_IO_WIRE_WS_H
#define BERTH_IO_WIRE_WS_H

#include "core/span.h"

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

#define WIRE_WS_HEAD_MAX 14 /* bytes of the longest frame head */

struct wire_frame {
    uint64_t len; /* of the payload */
    size_t head;  /* bytes before the payload */
    uint8_t opcode;
    bool fin;
    bool masked;
    uint8_t mask[4];
};

/* Read a frame head from the front of buf. masked: what this side must demand (a server true, a
 * client false). 1 with ret; 0 more bytes are needed; -1 a protocol error (close with 1002):
 * reserved bits or opcode, wrong masking, a control frame that is long or fragmented, a length not
 * in its shortest form. */
int wire_frame_read(const char *buf, size_t len, bool masked, struct wire_frame *ret);

/* Write a frame head of at most WIRE_WS_HEAD_MAX bytes; its length. mask: four bytes, or NULL for a
 * server. */
size_t wire_frame_write(char *out, enum ws_opcode opcode, bool fin, uint64_t len,
                        const uint8_t *mask);

/* XOR in place; the first byte of data is byte 0 of the payload. */
void wire_mask(char *data, size_t len, const uint8_t mask[4]);

bool wire_utf8(const char *data, size_t len);

/* May this code stand in a Close frame that is received (RFC 6455 7.4)? */
bool wire_close_code(int code);

/* Sec-WebSocket-Accept for a key: 28 characters and a terminator. */
void wire_ws_accept(struct span key, char ret[29]);

/* Is this a Sec-WebSocket-Key: base64 of 16 bytes? */
bool wire_ws_key(struct span key);

#endif

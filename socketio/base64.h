/* base64.h - bytes as base64 with padding and strictly back (RFC 4648 section 4): binary packets on
 * HTTP long-polling.
 *
 * Pure. */
#ifndef BERTH_SOCKETIO_BASE64_H
#define BERTH_SOCKETIO_BASE64_H

#include "core/err.h"
#include "core/span.h"

/* Length of the text of `len` bytes. */
static inline size_t base64_length(size_t len)
{
    return (len + 2) / 3 * 4;
}

/* Writes base64_length(len) characters and no terminator; the caller has the room. Returns the
 * length. */
size_t base64_encode(struct span bytes, char *ret_text);

/* Returns the number of bytes, at most text.len / 4 * 3. BERTH_EPROTO: wrong length, padding or
 * character, or left-over bits that are not zero. BERTH_EFULL: more than `size` bytes. */
int base64_decode(struct span text, char *ret_bytes, size_t size) BERTH_MUST_USE;

#endif

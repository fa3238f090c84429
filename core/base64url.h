/* base64url.h - bytes as base64url text without padding, and strictly back (RFC 4648 section 5, RFC
 * 7515 section 2).
 *
 * Pure. */
#ifndef BERTH_CORE_BASE64URL_H
#define BERTH_CORE_BASE64URL_H

#include "core/err.h"
#include "core/span.h"

/* Length of the text of `len` bytes. */
static inline size_t base64url_length(size_t len)
{
    return len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0);
}

/* Writes base64url_length(len) characters and no terminator; the caller has the room. Returns the
 * length. */
size_t base64url_encode(const void *bytes, size_t len, char *ret_text);

/* Returns the number of bytes; BERTH_EPROTO for padding, for any other character, for a length that
 * no bytes have, and for left-over bits that are not zero (so that one value has one text);
 * BERTH_EFULL: more than `size` bytes. */
int base64url_decode(struct span text, void *ret_bytes, size_t size) BERTH_MUST_USE;

#endif

/* redis_out.h - commands on their way to Redis: formatted into one growing buffer, written as the
 * socket takes them.
 *
 * No sockets here. out_* functions that append need out_reserve() first: they assert that there is
 * room. */
#ifndef BERTH_IO_REDIS_OUT_H
#define BERTH_IO_REDIS_OUT_H

#include "core/span.h"

#define REDIS_OUT_MAX (64u << 20) /* bytes waiting to be written */

/* Zeroed is empty. Bytes [sent, len) of text are still to be written. */
struct redis_out {
    char *text;
    size_t len, sent, size;
};

void redis_out_fini(struct redis_out *out);
void redis_out_clear(struct redis_out *out);

/* Make room for `more` bytes. False: over REDIS_OUT_MAX, or no memory; then nothing changed. */
bool redis_out_reserve(struct redis_out *out, size_t more);
/* What parts take at most once they are formatted. */
size_t redis_out_size(const struct span *parts, size_t count);

void redis_out_count(struct redis_out *out, size_t parts); /* *N: so many parts follow */
void redis_out_part(struct redis_out *out, struct span part);
void redis_out_raw(struct redis_out *out, const char *bytes, size_t len); /* already formatted */

#endif

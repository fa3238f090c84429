/* redis_reply.h - bytes from Redis become `struct resp` trees: hiredis's parser over an arena that
 * is used again.
 *
 * No sockets here: io/redis.c and the tests feed it. */
#ifndef BERTH_IO_REDIS_REPLY_H
#define BERTH_IO_REDIS_REPLY_H

#include "core/err.h"
#include "core/resp.h"

#define REDIS_REPLY_MAX (64u << 20) /* bytes of one parsed reply */

struct redis_reply_reader;

/* NULL: no memory. */
struct redis_reply_reader *redis_reply_reader_create(void);
/* NULL is a no-op. */
void redis_reply_reader_destroy(struct redis_reply_reader *reader);

/* Hand in what was received (copied). 0, or BERTH_EPROTO after an earlier protocol error. */
int redis_reply_feed(struct redis_reply_reader *reader, const char *bytes,
                     size_t len) BERTH_MUST_USE;

/* 1: *ret_reply is the next whole reply, valid until the next call of this function. 0: more bytes
 * are needed. BERTH_EPROTO: not the Redis protocol; BERTH_EFULL: a reply over REDIS_REPLY_MAX;
 * after both the reader is of no further use. */
int redis_reply_next(struct redis_reply_reader *reader,
                     const struct resp **ret_reply) BERTH_MUST_USE;

#endif

/* store.h - sends the calls of store/calls.h to Redis. The shell side of the store: not for cores.
 */
#ifndef BERTH_STORE_STORE_H
#define BERTH_STORE_STORE_H

#include "io/redis.h"
#include "store/calls.h"

/* How to reach the Redis of a pool, whose keys these are. Borrows from both. */
struct redis_config store_redis_config(const struct settings *settings, const char *pool_redis,
                                       const struct keys *keys);

/* code 0: *answer is what the script said. BERTH_EPROTO, BERTH_EINVAL: Redis or the script refused,
 * err says what (an error reply such as READONLY begins err->text after the script's name).
 * BERTH_ETIMEOUT, BERTH_ECLOSED: whether it was carried out is not known. answer is NULL unless
 * code is 0. */
typedef void store_fn(void *arg, int code, const struct store_answer *answer,
                      const struct err *err);

/* The redis must have been created with scripts_table. The call is copied. Errors as redis_command:
 * then fn is not called. Otherwise fn is called exactly once, never from within. fn may be NULL. */
int store_send(struct redis *redis, const struct store_call *call, store_fn *fn,
               void *arg) BERTH_MUST_USE;

#endif

/* redis.h - one pipelined asynchronous connection to the primary of a pool, that comes back by
 * itself.
 *
 * The primary is found as the configuration says (io/redis_find.h): by its host, through sentinels,
 * or in a cluster, and followed wherever it goes. `up` means: connected, authenticated, it says
 * that it is a primary, the scripts are loaded, and a write was taken. A server that cannot write
 * (a replica, a full disk or memory, too few replicas) is a fault like one that is gone, and is
 * noticed within 1.5 s also when nothing is asked. Reconnects with jittered exponential back-off
 * (from 100 ms). Every command has a deadline; one that passes it fails with BERTH_ETIMEOUT and the
 * connection is dropped and made anew (a half-dead connection must not swallow a second one). Host
 * names are resolved with c-ares, never with a blocking call, anew for each connection and at
 * intervals.
 *
 * In a cluster: MOVED is followed without losing a command, ASK is asked aside, TRYAGAIN is asked
 * again until the deadline. TLS is OpenSSL over memory (io/secure.h), whatever hiredis can. */
#ifndef BERTH_IO_REDIS_H
#define BERTH_IO_REDIS_H

#include "core/resp.h"
#include "core/script.h"
#include "io/log.h"
#include "io/loop.h"
#include "io/redis_config.h"

struct redis;

struct redis_events {
    void (*up)(void *arg);                    /* connected, authenticated, scripts loaded */
    void (*down)(void *arg, const char *why); /* was up, is not; reconnecting by itself */
    void *arg;
};

/* code: 0 with the reply (which may be RESP_ERROR: that is an answer), or BERTH_ETIMEOUT /
 * BERTH_ECLOSED with reply NULL: then whether the command was carried out is not known. Called
 * exactly once per accepted command, never from within redis_command. */
typedef void redis_reply_fn(void *arg, int code, const struct resp *reply);

/* Copies the configuration. Starts connecting at once. Borrows log, loop, scripts (a table ended by
 * name == NULL). */
struct redis *redis_create(struct loop *loop, struct log *log, const struct redis_config *config,
                           const struct redis_script *scripts, const struct redis_events *events,
                           struct err *err);
/* Fails every pending command with BERTH_ECLOSED (their callbacks run), closes, frees. NULL is a
 * no-op. */
void redis_destroy(struct redis *redis);

bool redis_is_up(const struct redis *redis);
/* Why it is not up, or went down last; "" : it never was refused. */
const char *redis_why(const struct redis *redis);
/* "10.0.0.7:6379", where it leads or led last; "-:0": nowhere yet. Returns buf. */
const char *redis_address(const struct redis *redis, char *buf, size_t size);

/* Send argv (copied). BERTH_EAGAIN when not up or over pending_max; then fn is not called. block_ms
 * is added to the deadline (XREAD BLOCK); 0 otherwise. fn may be NULL. */
int redis_command(struct redis *redis, const struct span *argv, size_t argc, int64_t block_ms,
                  redis_reply_fn *fn, void *arg) BERTH_MUST_USE;

/* EVALSHA of a script by its index in the table; falls back to EVAL on NOSCRIPT by itself. */
int redis_eval(struct redis *redis, size_t script, const struct span *keys, size_t nkeys,
               const struct span *argv, size_t argc, redis_reply_fn *fn, void *arg) BERTH_MUST_USE;

/* Drop the connection now and connect again (a fault was seen elsewhere). */
void redis_reconnect(struct redis *redis, const char *why);

#endif

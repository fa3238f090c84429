/* redis.h - one pipelined asynchronous connection to Redis that comes back by itself.
 *
 * hiredis 0.14 on the loop. Reconnects with jittered exponential back-off (100 ms .. 3 s), AUTHs
 * and SELECTs, loads the scripts, then says `up`. Every command has a deadline on one wheel; a
 * command that passes it fails with BERTH_ETIMEOUT and the connection is dropped and made anew (a
 * half-dead connection must not swallow a second one). Host names are resolved with c-ares, never
 * with a blocking call; the address is resolved again at each reconnect. */
#ifndef BERTH_IO_REDIS_H
#define BERTH_IO_REDIS_H

#include "core/resp.h"
#include "core/script.h"
#include "io/log.h"
#include "io/loop.h"

struct redis;

struct redis_config {
    const char
        *host; /* name, IPv4 or IPv6 address; or a path beginning with '/' for a unix socket */
    int port;
    const char *user;     /* NULL: none (Redis 6 ACL) */
    const char *password; /* NULL: none */
    int db;
    int64_t connect_timeout_ms; /* default 1,000 */
    int64_t command_timeout_ms; /* default 1,000; blocking reads add their own block time */
    size_t pending_max; /* commands in flight; beyond it redis_command refuses with BERTH_EAGAIN.
                           default 65,536 */
};

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

/* Send argv (copied). BERTH_EAGAIN when not up or over pending_max; then fn is not called. block_ms
 * is added to the deadline (XREAD BLOCK); 0 otherwise. fn may be NULL. */
int redis_command(struct redis *redis, const struct span *argv, size_t argc, int64_t block_ms,
                  redis_reply_fn *fn, void *arg) BERTH_MUST_USE;

/* EVALSHA of a script by its index in the table; falls back to EVAL on NOSCRIPT by itself. */
int redis_eval(struct redis *redis, size_t script, const struct span *keys, size_t nkeys,
               const struct span *argv, size_t argc, redis_reply_fn *fn, void *arg) BERTH_MUST_USE;

/* Drop the connection now and connect again (a fault was seen elsewhere: READONLY, failed write
 * probe). */
void redis_reconnect(struct redis *redis, const char *why);

#endif

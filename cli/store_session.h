/* store_session.h - a verb's short conversation with Redis: connect, ask, end; or say why not. */
#ifndef BERTH_CLI_STORE_SESSION_H
#define BERTH_CLI_STORE_SESSION_H

#include "cli/berth.h"
#include "io/redis.h"
#include "store/store.h"

struct store_session {
    struct berth *berth;
    struct redis *redis;
    const struct pool_settings *pool; /* that the verb is about */
    struct keys keys;                 /* of it */
    struct timer limit;
    void (*up)(struct store_session *session);
    bool begun;
};

/* Connect. `up` is called once, when Redis can be asked; without Redis after 5 s the program ends
 * with code 1. The pool must be configured: BERTH_EINVAL with err naming those that are. */
int store_session_open(struct store_session *session, struct berth *berth, const char *pool,
                       void (*up)(struct store_session *session), struct err *err) BERTH_MUST_USE;
void store_session_close(struct store_session *session);

/* Say it on stderr and end with code 1. */
void store_session_fail(struct store_session *session, const char *fmt, ...) BERTH_PRINTF(2, 3);

#endif

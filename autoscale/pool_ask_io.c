/* pool_ask_io.c - what one pool's autoscaler asks of Redis and of the provider, and whose answer it
 * is. */
#include "autoscale/pool_parts.h"

#include <stdio.h>
#include <stdlib.h>

struct pool_ask *pool_io_ask_new(struct pool_io *p, const char *name)
{
    struct pool_ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return NULL;
    ask->pool = p;
    snprintf(ask->name, sizeof ask->name, "%s", name);
    p->waits++;
    return ask;
}

/* The answer has come. Returns the pool, or NULL if it is gone meanwhile. */
struct pool_io *pool_io_ask_end(struct pool_ask *ask, struct pool_ask *ret_ask)
{
    struct pool_io *p = ask->pool;
    *ret_ask = *ask;
    free(ask);
    p->waits--;
    if (!p->dead)
        return p;
    if (p->waits == 0)
        free(p);
    return NULL;
}

/* Send p->call; fn gets an ask. False: not now (nothing will be answered). */
bool pool_io_ask_send(struct pool_io *p, const char *name, store_fn *fn)
{
    struct pool_ask *ask = pool_io_ask_new(p, name);
    if (ask && store_send(p->c.redis, &p->call, fn, ask) == 0)
        return true;
    if (ask) {
        struct pool_ask gone;
        (void)pool_io_ask_end(ask, &gone);
    }
    return false;
}

bool pool_io_ask_unfit(struct pool_io *p, int rc, const char *what, const struct err *err)
{
    if (rc < 0)
        log_error(p->c.log, "call_refused", "pool=%s call=%s error=%s", p->policy.pool, what,
                  err->text);
    return rc < 0;
}

void pool_io_ask_holder(struct pool_io *p, char buf[CALL_HOLDER_MAX])
{
    calls_holder(p->c.autoscale->name, p->epoch, lease_token(&p->lease), buf);
}

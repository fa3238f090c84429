/* pool_io.h - one pool's autoscaler on the loop: its core, its view of the feed, its lease, and the
 * effects carried out.
 *
 * Shell. Decides nothing: it turns answers of Redis and of the provider into events for
 * scale_step() and lease_step(). */
#ifndef BERTH_AUTOSCALE_POOL_IO_H
#define BERTH_AUTOSCALE_POOL_IO_H

#include "autoscale/notice.h"
#include "autoscale/provider.h"
#include "io/fetch.h"
#include "io/redis.h"

struct pool_io;

struct pool_io_config {
    struct loop *loop;
    struct log *log;
    struct redis *redis;                     /* of this pool; made with scripts_table */
    const struct redis_config *redis_config; /* for the follower's own connection */
    const char *name_space;
    const struct autoscale_settings *autoscale;
    const struct pool_settings *pool;
    const struct provider_kind *kind;
    void *provider;
    struct fetcher *fetcher;     /* for the rules that ask and tell services */
    const char *nonce;           /* of this process */
    const char *url;             /* of its admin listener, told to peers */
    struct notice_sink notices;  /* what people should hear about this pool */
    void (*resigned)(void *arg); /* after pool_io_resign(): leadership and name are given back, or
                                    could not be */
    void *arg;
};

/* Borrows what config points at, for life. NULL with err: bad policy, no memory. */
struct pool_io *pool_io_create(const struct pool_io_config *config, struct err *err);
/* NULL is a no-op. */
void pool_io_destroy(struct pool_io *pool);

/* The shared connection came up or went away. */
void pool_io_redis_up(struct pool_io *pool);

/* Stop leading; `resigned` is called once. Instances live on. */
void pool_io_resign(struct pool_io *pool);

/* A new configuration, in two steps, so that it is taken by all pools or none: prepare looks
 * whether this pool can go by `settings` (BERTH_EINVAL with err when not), then commit goes by it,
 * or forget drops it. After commit the former configuration is borrowed no more, but for what
 * create was given beside `pool`. */
int pool_io_prepare(struct pool_io *pool, const struct pool_settings *settings,
                    struct err *err) BERTH_MUST_USE;
void pool_io_commit(struct pool_io *pool);
void pool_io_forget(struct pool_io *pool);

const char *pool_io_name(const struct pool_io *pool);
void pool_io_status(const struct pool_io *pool, struct scale_status *ret_status);
/* Its view is whole and the link stands. */
bool pool_io_is_live(const struct pool_io *pool);

#endif

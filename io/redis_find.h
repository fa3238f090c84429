/* redis_find.h - where the primary is: one const table for each way to find out.
 *
 * redis_host: the host is the primary, and its name is looked up again. redis_sentinel: sentinels
 * know, and tell of a failover. redis_cluster: any node knows who serves the pool's slot. A finder
 * never calls back from within a call, and may be destroyed from within any callback. */
#ifndef BERTH_IO_REDIS_FIND_H
#define BERTH_IO_REDIS_FIND_H

#include "io/log.h"
#include "io/redis_link.h"

struct redis_find_config {
    struct loop *loop;
    struct log *log;
    struct resolver *resolver;
    struct secure_context *secure;    /* NULL: plain */
    const struct redis_config *redis; /* borrowed for life */
    uint64_t seed;
};

struct redis_find_events {
    void (*found)(void *arg, const struct wire_redis_place *place);
    void (*failed)(void *arg, const char *why);
    /* While followed: the primary is another one now, or may be: look again. */
    void (*moved)(void *arg, const char *why);
    void *arg;
};

struct redis_finder {
    /* Heap; NULL with err. Copies config and events. */
    void *(*create)(const struct redis_find_config *config, const struct redis_find_events *events,
                    struct err *err);
    void (*destroy)(void *finder); /* NULL is a no-op */
    void (*start)(void *finder);   /* one search, ended by found or failed */
    /* What was found last is being connected to (address is ""), or the connection stands, at this
     * address: tell when that changes. */
    void (*follow)(void *finder, const char *address);
    void (*stop)(void *finder); /* neither search nor follow */
    int64_t backoff_max_ms;     /* between two attempts in vain */
};

extern const struct redis_finder redis_host, redis_sentinel, redis_cluster;

#endif

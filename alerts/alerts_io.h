/* alerts_io.h - the sender of alerts: follows the events of all pools, posts to every destination,
 * and remembers in Redis how far it came.
 *
 * Shell. One process of an installation sends at a time: the autoscaler that leads the first scaled
 * pool; while none does, the LB that owns it (or the first pool, where none is scaled). Nothing
 * here waits for anything: a destination that hangs holds up its own messages only. docs/alerts.md.
 */
#ifndef BERTH_ALERTS_ALERTS_IO_H
#define BERTH_ALERTS_ALERTS_IO_H

#include "io/fetch.h"
#include "io/redis.h"
#include "settings/settings.h"

struct alerts_io_config {
    struct loop *loop;
    struct log *log;
    /* The connection to that pool's Redis, made with scripts_table; NULL: there is none, then it
     * makes one of its own. */
    struct redis *(*redis_of)(void *arg, const char *pool);
    struct fetcher *fetcher;
    const struct settings *settings; /* alerts, pools, redis.name_space */
    const char *sender;              /* "as-1": told in every message */
    /* Does this process lead (an LB: own) that pool? Asked each half second. */
    bool (*leading)(void *arg, const char *pool);
    /* Does it see that pool whole? NULL: not asked. */
    bool (*view_live)(void *arg, const char *pool);
    bool standby; /* an LB: sends only while no autoscaler leads */
    void *arg;
};

struct alerts_io;

/* Borrows what config points at, for life. NULL with err: no memory, an unreadable url_file, a zone
 * that does not exist. Without a destination it does nothing. */
struct alerts_io *alerts_io_create(const struct alerts_io_config *config, struct err *err);
/* Messages under way are given up; the next sender tells them. NULL is a no-op. */
void alerts_io_destroy(struct alerts_io *alerts);

#define ALERTS_METRICS_MAX 12288

/* Prometheus text of the destinations' counters, appended to buf (terminated, cut at a line).
 * Returns its length. */
size_t alerts_io_metrics(const struct alerts_io *alerts, const char *prefix, char *buf,
                         size_t size);

#endif

/* store_follow.h - keeps a reader up to date with a pool: one full read, then the feed as it comes.
 *
 * Has a Redis connection of its own (a blocking XREAD would hold up everyone else's commands).
 * After each reconnect, and when it fell so far behind that entries were trimmed, it starts again
 * with a full read. Shell: not for cores. */
#ifndef BERTH_STORE_STORE_FOLLOW_H
#define BERTH_STORE_STORE_FOLLOW_H

#include "io/redis.h"
#include "store/feed.h"

struct store_follow;

/* Order: begin_snapshot, item..., end_snapshot, item..., and again from begin_snapshot when it
 * starts anew; lost when the connection goes away (a snapshot under way is then void). Nodes that
 * were held but do not come in a snapshot are gone. Rules for items that come twice or late:
 * store/feed.h. Any callback may destroy the follower. */
struct store_follow_events {
    void (*begin_snapshot)(void *arg);
    void (*end_snapshot)(void *arg);
    void (*item)(void *arg, const struct feed_item *item); /* borrowed for the call */
    void (*lost)(void *arg, const char *why);
    void *arg;
    /* NULL, or: an item of this node will come, some eight items from now, and again when there are
     * some four to go (soon). */
    void (*expect)(void *arg, struct span node, bool soon);
};

/* Copies keys and events; borrows the rest for life. NULL with err on failure. */
struct store_follow *store_follow_create(struct loop *loop, struct log *log,
                                         const struct redis_config *config, const struct keys *keys,
                                         const struct store_follow_events *events, struct err *err);
/* No callback is called any more. NULL is a no-op. */
void store_follow_destroy(struct store_follow *follow);

/* Begin anew with a whole read, on a new connection: what was heard meanwhile may be half the
 * truth. */
void store_follow_restart(struct store_follow *follow, const char *why);

/* A snapshot was read and the connection stands. */
bool store_follow_is_live(const struct store_follow *follow);
/* Malformed rows and entries that were skipped since creation. */
uint64_t store_follow_skipped(const struct store_follow *follow);

#endif

/* watch.h - what no event tells, because what would tell it is silent: Redis away, a pool that no
 * LB owns or no autoscaler leads, a view that does not come, a drain that does not end.
 *
 * Pure. What is looked at goes in; what has been bad for long enough comes out as an alert, once,
 * and once more when it is well again. */
#ifndef BERTH_ALERTS_WATCH_H
#define BERTH_ALERTS_WATCH_H

#include "alerts/alert.h"

#define WATCH_POOLS_MAX 64
#define WATCH_DRAINS_MAX 512

enum watch_what { WATCH_REDIS, WATCH_OWNER, WATCH_LEADER, WATCH_VIEW, WATCH_WHATS };

struct watch_state {
    bool bad, told;
    mono_ms_t since;
};

struct watch {
    int64_t redis_after_ms, silent_after_ms, drain_stuck_ms;
    struct watch_state pools[WATCH_POOLS_MAX][WATCH_WHATS];
    struct {
        uint64_t key; /* of pool, node and when its drain began; 0: free */
        mono_ms_t told_at;
    } drains[WATCH_DRAINS_MAX];
};

void watch_init(struct watch *watch, int64_t redis_after_ms, int64_t silent_after_ms,
                int64_t drain_stuck_ms);

/* What was just seen. WATCH_REDIS: pool is the first that is in this Redis, pool_name the server's
 * name ("": the common one). True: *ret_alert is to be told. */
bool watch_see(struct watch *watch, enum watch_what what, int pool, const char *pool_name,
               bool well, wall_ms_t wall, mono_ms_t now, struct alert *ret_alert);

/* A node that is draining or closing since `since` (Redis time). The same again after
 * drain_stuck_ms. */
bool watch_drain(struct watch *watch, int pool, const char *pool_name, struct span node,
                 struct span state, wall_ms_t since, wall_ms_t wall, mono_ms_t now,
                 struct alert *ret_alert);

/* Another looks from now on: what is bad counts anew. Redis stays. */
void watch_forget_pools(struct watch *watch);

/* How long it has been bad; -1: it is well. */
int64_t watch_bad_ms(const struct watch *watch, enum watch_what what, int pool, mono_ms_t now);

#endif

/* usual_pool.h - the settings of a pool as tests of the balancer's core begin with it: the shipped
 * values where they matter to it, probes by WebSocket. */
#ifndef BERTH_TESTS_SUPPORT_USUAL_POOL_H
#define BERTH_TESTS_SUPPORT_USUAL_POOL_H

#include "settings/settings.h"

/* name is borrowed. */
static inline struct pool_settings usual_pool(const char *name)
{
    return (struct pool_settings){
        .name = name,
        .capacity = 100,
        .report_interval_ms = 1000,
        .lost_after_ms = 3000,
        .forget_after_ms = 60000,
        .ticket_ttl_ms = 10000,
        .room_ticket_ttl_ms = 30000,
        .room_ttl_ms = 3600000,
        .rise = 2,
        .fall = 3,
        .guard_percent = 34,
        .guard_release_ms = 300000,
        .retry_after_ms = 2000,
        .probe = {.kind = PROBE_WS,
                  .joining_interval_ms = 1000,
                  .ready_interval_ms = 10000,
                  .timeout_ms = 2000,
                  .hold = true},
    };
}

#endif

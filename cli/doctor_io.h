/* doctor_io.h - the parts of gathering what `berth doctor` looks at. Shell. */
#ifndef BERTH_CLI_DOCTOR_IO_H
#define BERTH_CLI_DOCTOR_IO_H

#include "cli/doctor_talk_io.h"

/* ---- doctor_redis_io.c ---- */

/* A Redis as configured, and how to speak to its servers. */
struct doctor_redis {
    struct redis_config *config; /* owned */
    struct secure_context *secure;
};
int doctor_redis_open(struct doctor_redis *redis, const struct redis_config *config,
                      struct err *err) BERTH_MUST_USE;
void doctor_redis_close(struct doctor_redis *redis);
/* Where the primary of the pool is. False: why. */
bool doctor_redis_find(struct talk *talk, const struct doctor_redis *redis,
                       struct wire_redis_place *ret_place, char *ret_why, size_t size);
/* Look at a server and at its replicas, unless that was done. */
void doctor_redis_server(struct talk *talk, struct doctor *d, const struct doctor_redis *redis,
                         const struct wire_redis_place *place);
/* Look at the sentinels, unless that was done. */
void doctor_redis_sentinels(struct talk *talk, struct doctor *d, const struct doctor_redis *redis);

/* ---- doctor_pool_io.c ---- */

void doctor_pool_read(struct talk *talk, struct doctor_pool *pool, const struct doctor_redis *redis,
                      const struct wire_redis_place *place, const struct keys *keys);
/* Connect to the nodes that report. */
void doctor_pool_dial(struct talk *talk, struct doctor_pool *pool);

/* ---- doctor_lb_io.c ---- */

void doctor_lb_read(struct talk *talk, struct doctor *d, const struct settings *settings);

#endif

/* barrier.h - waits until what was written to a pool's primary is on a replica, too.
 *
 * Redis replicates after it has answered: a failover may take back what was answered OK. Before an
 * act that cannot be taken back (an instance is ended) or that rests on a record (a lease, an
 * intent) one passes a barrier: a write of its own to the probe key, then WAIT 1
 * (https://redis.io/commands/wait). Replication is one stream in order, so that a replica which has
 * this write has all that were made before it, by whomever. WAIT holds up its connection: the
 * barrier has one of its own.
 *
 * A primary without replicas (ROLE) has nothing to wait for; one that may not be asked (ACL)
 * neither, which is logged once. With config.replica_wait_ms = 0 nothing is ever waited for. The
 * shell side of the store: not for cores. */
#ifndef BERTH_STORE_BARRIER_H
#define BERTH_STORE_BARRIER_H

#include "io/redis.h"

struct barrier;

enum barrier_end {
    BARRIER_PASSED, /* a replica has all that was written before barrier_pass(), or there is none */
    BARRIER_LATE,   /* within replica_wait_ms no replica is known to have it */
    BARRIER_FAILED, /* Redis went away meanwhile: what was written may be lost by now */
};

/* why: what was missing, for people; "" when it passed. */
typedef void barrier_fn(void *arg, enum barrier_end end, const char *why);

/* config.pool_key is the key that is written; it is copied with the rest. Borrows loop and log.
 * NULL with err. */
struct barrier *barrier_create(struct loop *loop, struct log *log,
                               const struct redis_config *config, struct err *err);
/* Who waits is told that it failed. Not from within a barrier_fn. NULL is a no-op. */
void barrier_destroy(struct barrier *barrier);

/* fn is called exactly once, never from within: after replica_wait_ms and three round trips at
 * most, or when a command has timed out. BERTH_ENOMEM: then it is not called. */
int barrier_pass(struct barrier *barrier, barrier_fn *fn, void *arg) BERTH_MUST_USE;

#endif

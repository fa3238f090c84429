/* swarm_io.h - the players of one process on real sockets: HTTP by io/fetch.h, WebSockets by
 * io/web.h.
 *
 * Turns what the network does into player events and carries out the players' effects. No decision
 * is made here. */
#ifndef BERTH_LOADTEST_SWARM_IO_H
#define BERTH_LOADTEST_SWARM_IO_H

#include "io/fetch.h"
#include "io/web.h"
#include "loadtest/tally.h"

struct swarm;

struct swarm_config {
    size_t players;
    size_t first;          /* number of the first player; names are prefix-number */
    const char *prefix;    /* the run's name */
    const char *const *lb; /* base URLs of the endpoint API, asked in turn */
    size_t lb_count;       /* at least 1 */
    const char *lobby_pool, *game_pool;
    const char *token;      /* bearer for pools that only serve API servers; NULL: none */
    int64_t api_timeout_ms; /* one try at one LB */
    int64_t connect_timeout_ms;
    int64_t ramp_ms; /* players start evenly over this time */
    uint64_t seed;
    struct player_plan plan; /* leave_from is relative to the start of the run here */
};

/* Start: players begin at once. Borrows everything. NULL with err set on failure. done(arg) is
 * called once, when every player has finished or failed. */
struct swarm *swarm_start(struct loop *loop, struct log *log, struct web *web,
                          struct fetcher *fetcher, const struct swarm_config *config,
                          void (*done)(void *arg), void *arg, struct err *err);

const struct tally *swarm_tally(const struct swarm *swarm);

/* Bring everyone home now: players in a game leave, the others stop (counted as failed,
 * "interrupted"). */
void swarm_interrupt(struct swarm *swarm);

/* Close what is open, free. NULL is a no-op. */
void swarm_destroy(struct swarm *swarm);

#endif

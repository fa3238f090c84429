/* fleet.h - the fleet as an LB's admin API tells it (GET /v1/pools), and how it is shown.
 *
 * Pure: text in, numbers and text out. */
#ifndef BERTH_CLI_FLEET_H
#define BERTH_CLI_FLEET_H

#include "core/err.h"
#include "core/span.h"

#include <stdbool.h>

enum fleet_state {
    FLEET_JOINING,
    FLEET_READY,
    FLEET_HELD,
    FLEET_DRAINING,
    FLEET_CLOSING,
    FLEET_DRAINED,
    FLEET_TERMINATING,
    FLEET_LOST,
    FLEET_STATES
};
const char *fleet_state_word(enum fleet_state state);

enum { FLEET_POOLS_MAX = 64 };

struct fleet_pool {
    char name[64];
    char owner[64];              /* the LB that moves its nodes' states; "" when nobody does */
    int64_t nodes[FLEET_STATES]; /* by state */
    int64_t connections, pending, capacity; /* of the ready nodes */
    bool guarded;    /* the mass-loss guard holds nodes back from being lost */
    int64_t doubted; /* ready, but silent: not handed out */
};

struct fleet {
    size_t count;
    struct fleet_pool pools[FLEET_POOLS_MAX];
};

/* Parse the body of GET /v1/pools. BERTH_EPROTO with err when it is not what it should be. */
int fleet_parse(struct fleet *ret_fleet, struct span json, struct err *err) BERTH_MUST_USE;

/* The pool of that name, or NULL. */
const struct fleet_pool *fleet_pool(const struct fleet *fleet, const char *name);

/* All ready nodes, of all pools. */
int64_t fleet_ready(const struct fleet *fleet);
/* Nodes in any state but lost. */
int64_t fleet_nodes(const struct fleet *fleet);

/* A table for a person, one line a pool and one for what calls for a person, each ended by \n.
 * Returns the length, cut at size. */
size_t fleet_table(const struct fleet *fleet, char *buf, size_t size);

/* "lobby 1 ready | game 2 ready 1 joining conns=12/200", on one line. */
size_t fleet_line(const struct fleet *fleet, char *buf, size_t size);

#endif

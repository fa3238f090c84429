/* harbour.h - a virtual pool: instances that boot, nodes that move through their states, players
 * who come, play and leave.
 *
 * Pure: no clock, no random numbers but a seeded generator's; memory is had at init. One step is
 * one second. Every player wants to play for a session of his own (between half and one and a half
 * of session_s); one who finds no place waits for it, and each second of waiting is one
 * player-second refused. Placement: the emptiest ready node, ties by age. What demand falls faster
 * than sessions end leaves early, picked at random.
 *
 * An instance has one node. Launched, it reports after boot_s less two seconds, is proved and
 * ready after boot_s; wanted out, it drains; empty for closing_s it closes and is drained. */
#ifndef BERTH_SIMULATE_HARBOUR_H
#define BERTH_SIMULATE_HARBOUR_H

#include "autoscale/fleet.h"
#include "core/rng.h"

struct harbour_config {
    int64_t boot_s, session_s, closing_s; /* >= 1 */
    int64_t capacity;
    size_t nodes_max; /* that exist at once */
    uint64_t seed;
};

struct harbour_node {
    char id[NAME_SIZE]; /* of instance and node */
    char token[NAME_SIZE];
    enum node_state state;
    bool booted; /* reports; until then `state` means nothing */
    bool want_own;
    bool ending;
    bool exists; /* the instance does */
    int64_t epoch;
    int64_t launched_s, state_s, busy_s, ends_s; /* busy: last second with a player */
    int32_t players;
    int32_t *leaving; /* by second, a ring of `ring` */
};

struct harbour {
    struct harbour_config config;
    int64_t now_s;
    struct harbour_node *nodes; /* by age */
    size_t count;
    int64_t ring;
    int32_t *waiting_leaving; /* as of a node: those who wait */
    int32_t waiting;
    int32_t *rings; /* the memory of all rings */
    int32_t **spare;
    size_t spare_count;
    int64_t seated; /* on all nodes */
    uint64_t made;
    struct rng rng;
    /* Ever. */
    int64_t arrived, left, killed; /* killed: were on a node that was ended */
};

/* BERTH_ENOMEM. The clock stands at 0. */
int harbour_init(struct harbour *h, const struct harbour_config *config) BERTH_MUST_USE;
void harbour_fini(struct harbour *h);

/* An instance that is ready now. Only before the first second. */
void harbour_begin_with(struct harbour *h, int nodes);

/* One second passes, at whose end `players` want to play. */
void harbour_second(struct harbour *h, int64_t players);

/* A new instance, or NULL: nodes_max exist. */
const struct harbour_node *harbour_launch(struct harbour *h, const char *token);
/* Its machine goes away a second later, players or not. */
void harbour_terminate(struct harbour *h, const char *id);
void harbour_want(struct harbour *h, const char *id, bool out);
/* The autoscaler moves it; false: the table of states does not allow it, or it is elsewhere. */
bool harbour_move(struct harbour *h, const char *id, enum node_state from, enum node_state to);

struct harbour_count {
    int exist, ready, coming, draining;
    int64_t capacity; /* of ready nodes */
    int64_t on_ready; /* players there */
};
struct harbour_count harbour_count(const struct harbour *h);

#endif

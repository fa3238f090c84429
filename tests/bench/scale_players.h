/* scale_players.h - ten million players of `make bench-scale`, each with an end of their session:
 * who is on which node until when, and who is about to ask for a node.
 *
 * A session stands in a wheel of slices of 100 ms, as four bytes in a chunk of its slice. Those who
 * ask are a number for each millisecond: they have no names. */
#ifndef BERTH_TESTS_BENCH_SCALE_PLAYERS_H
#define BERTH_TESTS_BENCH_SCALE_PLAYERS_H

#include "core/rng.h"

#include <stdint.h>

enum {
    PLAYERS_SLICE_MS = 100,
    PLAYERS_SLICES = 1 << 17, /* 3.6 hours; a longer session is cut to that */
    PLAYERS_ASKS_MS = 4096,   /* they ask within so long */
};

struct players_chunk;

struct players {
    struct rng rng;
    double session_ms; /* mean */
    uint32_t *wheel;   /* first chunk + 1 of each slice */
    struct players_chunk *chunks;
    uint32_t chunks_max, chunks_used, chunk_free; /* + 1 */
    uint32_t asks[PLAYERS_ASKS_MS];
    uint64_t playing, asking;
};

/* For that many at most. 0, or -1: no memory. */
int players_init(struct players *players, uint32_t max, double session_ms, uint64_t seed);
void players_fini(struct players *players);

/* A session on this node begins. */
void players_begin(struct players *players, int64_t now_ms, uint32_t node);
/* To be called once for each slice, at its begin: the sessions that are over leave their nodes
 * (left), and who had them asks again within again_ms. */
void players_leave(struct players *players, int64_t now_ms, uint32_t again_ms,
                   void (*left)(uint32_t node));

/* Another one will ask, in [least_ms, most_ms) from now. */
void players_ask_within(struct players *players, int64_t now_ms, uint32_t least_ms,
                        uint32_t most_ms);
/* So many ask in this millisecond; from now on they are the caller's. */
uint32_t players_take_asks(struct players *players, int64_t now_ms);

#endif

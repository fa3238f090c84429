/* tally.h - what a swarm has seen: latencies by step, rooms and where their players met, failures
 * by reason, the verdict.
 *
 * Pure. Memory is taken at init for players_max players; a reason table of 32 words. */
#ifndef BERTH_LOADTEST_TALLY_H
#define BERTH_LOADTEST_TALLY_H

#include "core/err.h"
#include "core/histogram.h"
#include "core/strmap.h"
#include "loadtest/player.h"

enum { TALLY_REASONS_MAX = 32 };

struct tally_reason {
    char why[40]; /* "": none */
    uint64_t count;
};

struct tally_room {
    char id[PLAYER_ID_MAX];
    char node[PLAYER_ID_MAX]; /* where its first player joined */
    uint32_t met;             /* players that saw all of their match there */
    bool split;               /* two players of one room were on two nodes */
};

struct tally {
    size_t players;
    uint64_t started, matched, met, done, failed, killed, retried, events_in;
    uint64_t state[PLAYER_STATES];        /* players in each state now */
    struct histogram timed[PLAYER_TIMED]; /* milliseconds */
    struct tally_reason failures[TALLY_REASONS_MAX], retries[TALLY_REASONS_MAX],
        kills[TALLY_REASONS_MAX];
    struct strmap room_of;
    struct tally_room *rooms; /* players long: no run has more rooms than players */
    size_t rooms_count, split_rooms;
};

int tally_init(struct tally *tally, size_t players) BERTH_MUST_USE;
void tally_fini(struct tally *tally);

/* Take account of one effect of a player (all effects are handed in; those without meaning here are
 * ignored). */
void tally_effect(struct tally *tally, const struct player *player,
                  const struct player_effect *effect);

/* A player went from one state to another. */
void tally_moved(struct tally *tally, enum player_state from, enum player_state to);

/* Everyone met, nothing failed, no room was split, no session killed. */
bool tally_passed(const struct tally *tally);

/* What was seen, in lines for another process: write(arg, line) is called for each, in order; lines
 * are plain records (core/record.h) after a word, without an end of line. */
void tally_write(const struct tally *tally, void (*write)(void *arg, const char *line), void *arg);
/* Add such a line of another tally. players of `tally` is what init said: the sum over all.
 * BERTH_EPROTO with err: not such a line; BERTH_EFULL: more rooms than players. */
int tally_add(struct tally *tally, struct span line, struct err *err) BERTH_MUST_USE;

/* The table of steps and the reasons, as text for a person. Returns the length; cut at size. */
size_t tally_report(const struct tally *tally, char *buf, size_t size);

/* "players=400 matched=400 rooms=100 split_rooms=0 failed=0 killed_sessions=0" */
size_t tally_line(const struct tally *tally, char *buf, size_t size);

#endif

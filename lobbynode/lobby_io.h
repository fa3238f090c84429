/* lobby_io.h - the lobby's shell: seek calls to the store, the stream of results, rooms from the
 * endpoint API. */
#ifndef BERTH_LOBBYNODE_LOBBY_IO_H
#define BERTH_LOBBYNODE_LOBBY_IO_H

#include "io/fetch.h"
#include "lobbynode/lobby.h"
#include "nodekit/shell_io.h"

/* Seeks of this turn of the loop, to be sent in one call. */
struct seek_batch {
    size_t count;
    struct lobby_effect seeks[CALL_SEEKS_MAX];
    struct timer timer;
};

/* The matcher's calls under way: the tick is over when all are answered. */
struct making_calls {
    size_t pending;
    bool ok, lapsed, matching;
    struct store_call call;
    uint64_t made_total, refused_total;
};

struct lobbynode {
    struct node_shell shell; /* first: the stages of nodekit take the program's struct as theirs */
    struct lobby lobby;
    struct lobby_effects fx;
    size_t carried; /* items of fx that are done */
    const struct lobbynode_settings *settings;
    struct fetcher *fetcher;
    struct redis *results; /* a connection of its own: it blocks */
    bool reading;          /* an XREAD is under way */
    char last_id[48];      /* of the stream */
    char sweep_cursor[24];
    struct seek_batch batch;
    struct making_calls making;
    struct lobby_mode modes[MATCH_MODES_MAX + 1];
    char draining[64]; /* told to players: move, your waiting time is kept so long */
};

/* Step the core with an event of the lobby's own, and carry everything out. */
void lobby_io_event(struct lobbynode *l, struct lobby_event ev);
/* Step the core alone, while effects are being carried out: what it adds is carried out after them.
 */
void lobby_io_step(struct lobbynode *l, struct lobby_event ev);
/* The lobby's effects alone; those to the clients are the shell's. */
void lobby_io_carry_out(struct lobbynode *l);

/* How streams of lobby nodes are bounded. */
struct call_stream lobby_io_stream(void);

/* seeks_io.c: add to the batch; send it now. */
void seeks_add(struct lobbynode *l, const struct lobby_effect *effect);
void seeks_flush(struct lobbynode *l);
void seeks_open(struct lobbynode *l);

/* make_io.c: renew the lease and look at the queues; make matches; drop the dead. */
void make_tick(struct lobbynode *l);
void make_matches(struct lobbynode *l, const struct lobby_effect *effect);
void make_drop(struct lobbynode *l, const struct lobby_effect *effect);

/* results_io.c: the stream of results. */
int results_open(struct lobbynode *l, struct err *err);
void results_close(struct lobbynode *l);

/* place_io.c: ask endpoint API number `lb` for a room for this match. */
void place_start(struct lobbynode *l, const struct lobby_match *match, uint32_t lb);
/* POST finish of the room of a match that was undone. */
void place_release(struct lobbynode *l, const struct lobby_effect *effect);

#endif

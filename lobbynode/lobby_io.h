/* lobby_io.h - the lobby's shell: seek calls to the store, the stream of results, rooms from the
 * endpoint API. */
#ifndef BERTH_LOBBYNODE_LOBBY_IO_H
#define BERTH_LOBBYNODE_LOBBY_IO_H

#include "io/fetch.h"
#include "lobbynode/lobby.h"
#include "nodekit/shell_io.h"

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
};

/* Step the core with an event of the lobby's own, and carry everything out. */
void lobby_io_event(struct lobbynode *l, struct lobby_event ev);
/* The lobby's effects alone; those to the clients are the shell's. */
void lobby_io_carry_out(struct lobbynode *l);

/* results_io.c: the stream of results. */
int results_open(struct lobbynode *l, struct err *err);
void results_close(struct lobbynode *l);

/* place_io.c: ask endpoint API number `lb` for a room for this match. */
void place_start(struct lobbynode *l, const struct lobby_match *match, uint32_t lb);

#endif

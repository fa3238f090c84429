/* handover_io.h - restart in place: the shell of handover.h, and the side of the process that
 * succeeds.
 *
 * The two talk over a pair of sockets (SEQPACKET) that the new process has as descriptor 3, with
 * BERTH_HANDOVER=1 in its environment. One packet is one message:
 *   old -> new  hello   lines name= nonce= epochs=, with the listening sockets (players', health)
 *   new -> old  up      everything is open, the store is there
 *   old -> new  go      the name is free; with a file of the rooms that stay with the old process
 *   new -> old  taken   it has the name and accepts
 *   old -> new  rooms   they changed; with a file like that of go
 * Whoever's end closes is gone. */
#ifndef BERTH_NODEKIT_HANDOVER_IO_H
#define BERTH_NODEKIT_HANDOVER_IO_H

#include "io/loop.h"
#include "io/web.h"
#include "nodekit/handover.h"
#include "store/keys.h"

struct node_shell;

struct node_handover {
    struct node_shell *shell;
    char program[4096]; /* this program's file, as it was when we started */

    /* As the one that is succeeded. */
    struct handover core;
    int channel; /* to the new process; -1: none */
    ev_io channel_watch;
    struct child child;
    int pid;
    struct timer timer;      /* the core's deadline */
    struct timer list_timer; /* rooms that changed */
    uint64_t listed;
    struct web_server *own; /* our listener once the shared one is given away */
    char name[KEYS_NAME_MAX + 1], endpoint[256]; /* what they were */

    /* As the one that succeeds. */
    int from; /* from the old process; -1: none */
    ev_io from_watch;
    struct timer patience;
    bool heir, said_up, taken;
    int listener, health; /* inherited; -1: none, or taken */
    char epochs[256];     /* of those before, the youngest first */
};

/* In the stage `config`, before the name is made: is this process to succeed another? Then its name
 * and nonce are set. */
int handover_receive(struct node_shell *shell, struct err *err);
/* In the stage `store`, when the loop runs. */
void handover_open(struct node_shell *shell);
void handover_close(struct node_shell *shell);
/* The store is reachable. */
void handover_store_up(struct node_shell *shell);
/* The store gave us our name (and epoch). */
void handover_joined(struct node_shell *shell);
/* SIGUSR2, by boot. */
void handover_restart(void *app);

#endif

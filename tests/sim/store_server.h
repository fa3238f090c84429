/* store_server.h - the simulated Redis server: one process of the world, reached over connections.
 */
#ifndef BERTH_SIM_STORE_SERVER_H
#define BERTH_SIM_STORE_SERVER_H

#include "store/calls.h"
#include "tests/sim/kernel.h"
#include "tests/sim/keyspace_lua.h"

enum { STORE_PORT = FIRST_PORT + 1 };

/* Messages of a connection to the store. */
enum { MSG_COMMAND = 1, MSG_EVAL, MSG_REPLY };

/* The words of a command, as an object of a message. */
struct words {
    size_t script, nkeys; /* of EVAL: words are keys, then arguments */
    size_t count;
    struct span list[]; /* the bytes follow */
};
struct words *words_new(const struct span *a, size_t a_count, const struct span *b, size_t b_count);

struct store_server {
    struct proc proc;
    struct keyspace *ks;
    struct keyspace_lua *lua;
    struct client *clients;
    int64_t wall_skew_us; /* of Redis TIME */
    bool open;            /* takes connections */
    int lagging;          /* failovers to come whose replica hears no more: WAIT waits in vain */
    uint64_t calls;
    /* Told after each script, before its answer leaves: what was asked and what was said. */
    void (*watch)(void *arg, const struct words *words, const struct resp *answer);
    void *watch_arg;
};

void store_server_start(struct store_server *s, struct keyspace_lua *lua);
void store_server_stop(struct store_server *s);
/* Every connection breaks, and none is taken until it is opened again. */
void store_server_close(struct store_server *s);
void store_server_open(struct store_server *s);
/* Another server takes its place: `ks` is taken; NULL: an empty one. */
void store_server_replace(struct store_server *s, struct keyspace *ks);
int64_t store_server_now_us(const struct store_server *s);
/* A script that no program of this world asked for; seen like any other. */
void store_server_eval(struct store_server *s, const struct store_call *call, struct reply *reply);

#endif

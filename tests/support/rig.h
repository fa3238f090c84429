/* rig.h - real nodes on a real redis-server, and players with real sockets, for whole-program
 * tests.
 *
 * Everything fails the test when it goes wrong; every wait has a deadline. */
#ifndef BERTH_TESTS_SUPPORT_RIG_H
#define BERTH_TESTS_SUPPORT_RIG_H

#include "core/ticket.h"
#include "tests/support/redis_client.h"
#include "tests/support/redis_server.h"

#include <sys/types.h>

struct rig {
    struct redis_server redis;
    struct redis_client *client;
    struct ticket_keys *keys;
    char config[128]; /* berth.yaml in the redis-server's directory */
    uint64_t serial;  /* of tickets */
};

struct rig_node {
    pid_t pid;
    int port;
    char name[64], pool[64], log[160];
    int64_t epoch;
};

/* yaml: more configuration (sections beside redis and tickets). tickets: required, or off. */
void rig_start(struct rig *rig, bool tickets, const char *yaml);
void rig_stop(struct rig *rig);
/* After a kill or restart of the redis-server. */
void rig_reconnect(struct rig *rig);

/* Start berth-<kind>node and wait until it is registered. args: more flags, ended by NULL; or NULL.
 */
struct rig_node rig_node_start(struct rig *rig, const char *kind, const char *name,
                               const char *const *args);
/* Wait for its end: the exit code, or -signal. */
int rig_node_wait(struct rig_node *node, int64_t limit_ms);
bool rig_node_runs(const struct rig_node *node);
/* SIGKILL, and wait. A node that is not running is fine. */
void rig_node_kill(struct rig_node *node);
/* SIGTERM, twice, and wait: it must have ended by that (and, under ASan, without a leak). */
void rig_node_end(struct rig_node *node);

/* Wait until the node's report says name=value ("conns=2"). */
void rig_wait_report(struct rig *rig, const struct rig_node *node, const char *pair);
/* Wait until the row of the node in a hash of its pool ("states", "wants") contains this text. */
void rig_wait_row(struct rig *rig, const struct rig_node *node, const char *hash, const char *field,
                  const char *text);
/* Play the owner of the pool: take the lease if need be, and move the node. */
void rig_move(struct rig *rig, const struct rig_node *node, enum node_state from,
              enum node_state to);

/* A ticket for this node, in a buffer that lives until the next call. room: "" for none. */
const char *rig_ticket(struct rig *rig, const struct rig_node *node, const char *room,
                       const char *player);

/* ---- players: a socket each ---- */

int player_connect(const struct rig_node *node);
/* A frame of this text. */
void player_say(int fd, const char *fmt, ...) BERTH_PRINTF(2, 3);
/* The next frame must be of this type; its text lives until the next call. */
const char *player_hear(int fd, const char *type);
/* The same, and it must contain this text. */
const char *player_hear_with(int fd, const char *type, const char *text);
/* The next frame, of whatever type. */
const char *player_hear_any(int fd);
/* Nothing comes for so long. */
void player_hear_nothing(int fd, int ms);
/* The node closes with this code. */
void player_closed(int fd, int code);
/* Hang up without a word. */
void player_drop(int fd);
/* Connect and join a room, without a ticket. */
int player_join(const struct rig_node *node, const char *room, const char *player);
/* Connect and say hello, without a ticket. */
int player_hello(const struct rig_node *node, const char *player);

int64_t rig_now_ms(void);
void rig_sleep_ms(int ms);

#endif

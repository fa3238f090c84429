/* keys.h - the one place where the names of Redis keys are made.
 *
 * Pure. Every key of a pool is `<namespace>:{<pool>}:<what>`: the braces make one slot of a pool in
 * a Redis Cluster. docs/redis.md lists the keys and the patterns that names must match. */
#ifndef BERTH_STORE_KEYS_H
#define BERTH_STORE_KEYS_H

#include "core/err.h"
#include "core/span.h"

#define KEYS_NAMESPACE_MAX 32 /* characters */
#define KEYS_NAME_MAX 63      /* pools, nodes, LBs, autoscalers, modes: [A-Za-z0-9._~-] */
#define KEYS_ID_MAX 64        /* rooms, players: [A-Za-z0-9._:~@-] */
#define KEYS_TEXT_MAX 192     /* a whole key name, terminator included */

/* The keys of a pool whose names are fixed. */
enum key_id {
    KEY_LOAD,
    KEY_NODES,
    KEY_EPOCH,
    KEY_REPORTS,
    KEY_BEATS,
    KEY_STATES,
    KEY_WANTS,
    KEY_FEED,
    KEY_OWNER,
    KEY_LEADER,
    KEY_FENCE,
    KEY_PEERS,
    KEY_PLAN,
    KEY_EVENTS,
    KEY_HISTORY,
    KEY_HISTORY_MINUTES,
    KEY_PROBE,
    KEY_ALERTS,
    KEY_SEEKERS,
    KEY_MATCHES,
    KEY_MATCH_PREFIX, /* seek:match: */
    KEY_QUEUE_PREFIX, /* seek:queue: */
    KEY_LOBBIES,
    KEY_MATCHER,
    KEY_MODES,
    KEY_RESULTS_PREFIX, /* seek:results: */
    KEY_PARTY_PREFIX,   /* seek:party: */
    KEY_TOLD_PREFIX,    /* seek:told: */
    KEY_COUNT
};

/* All key names of one pool. Holds its own text; copying it is fine (ask keys_get of the copy). */
struct keys {
    char space[KEYS_NAMESPACE_MAX + 1];
    char pool[KEYS_NAME_MAX + 1];
    unsigned char len[KEY_COUNT];
    char text[KEY_COUNT][128];
};

/* Whether a name or an id matches its pattern and length. */
bool keys_name_ok(struct span name);
bool keys_id_ok(struct span id);
/* A name; or "*" and a name: what is wished for a whole pool (WANT_POOL_*). */
bool keys_about_ok(struct span name);

/* BERTH_EINVAL with err when the namespace (a name of at most 32 characters) or the pool's name is
 * not allowed. */
int keys_init(struct keys *keys, const char *space, const char *pool,
              struct err *err) BERTH_MUST_USE;

/* Borrowed from keys. */
struct span keys_get(const struct keys *keys, enum key_id id);

/* Keys with a part that varies, written to buf and returned; an empty span (len 0) when the part is
 * not allowed. */
struct span keys_room(const struct keys *keys, struct span room, char buf[KEYS_TEXT_MAX]);
/* Of one process of a node. */
struct span keys_claims(const struct keys *keys, struct span node, int64_t epoch,
                        char buf[KEYS_TEXT_MAX]);
struct span keys_player(const struct keys *keys, struct span player, char buf[KEYS_TEXT_MAX]);
struct span keys_queue(const struct keys *keys, struct span mode, char buf[KEYS_TEXT_MAX]);
struct span keys_match(const struct keys *keys, struct span room, char buf[KEYS_TEXT_MAX]);
struct span keys_party(const struct keys *keys, struct span code, char buf[KEYS_TEXT_MAX]);
struct span keys_group(const struct keys *keys, struct span room, char buf[KEYS_TEXT_MAX]);
struct span keys_results(const struct keys *keys, struct span lobby_node, char buf[KEYS_TEXT_MAX]);

#endif

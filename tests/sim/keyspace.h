/* keyspace.h - a Redis in memory: strings with expiry, hashes, sorted sets and streams, as far as
 * berth uses them.
 *
 * Pure: its clock is set by the caller. Semantics are those of Redis 7, and tests/contract/
 * test_sim_keyspace.c holds it against one; a command that it does not know is answered with an
 * error that says so. Scripts: tests/sim/keyspace_lua.h. */
#ifndef BERTH_SIM_KEYSPACE_H
#define BERTH_SIM_KEYSPACE_H

#include "tests/sim/dict.h"
#include "tests/sim/reply.h"

struct stream_entry {
    int64_t ms, seq;
    uint64_t number; /* since the stream began: Redis drops whole nodes of 100 */
    size_t count;    /* field names and values */
    size_t len;
    char *text; /* each as length (size_t) and bytes */
};

enum object_kind { OBJECT_STRING, OBJECT_HASH, OBJECT_ZSET, OBJECT_STREAM };

struct object {
    enum object_kind kind;
    int64_t expire_ms; /* 0: never */
    char *text;        /* STRING */
    size_t text_len;
    struct dict dict;          /* HASH, ZSET */
    struct dict_entry **order; /* ZSET: by score, then member */
    size_t order_size;
    struct stream_entry *entries; /* STREAM: [first, end) */
    size_t first, end, size;
    uint64_t added;
    int64_t last_ms, last_seq;
};

struct keyspace {
    struct dict keys;
    int64_t now_us;     /* Redis TIME */
    uint64_t additions; /* entries added to streams: whoever waits for one looks again */
    uint64_t commands;
};

struct keyspace *keyspace_create(void);
void keyspace_destroy(struct keyspace *ks); /* NULL is a no-op */
struct keyspace *keyspace_clone(const struct keyspace *ks);

/* Set the clock; it may go backwards, as a server's does. */
void keyspace_set_time(struct keyspace *ks, int64_t now_us);

/* Carry out one command. XREAD never waits here: nil when there is nothing. */
void keyspace_command(struct keyspace *ks, const struct span *argv, size_t argc,
                      struct reply *reply, struct resp *ret);

/* For bookkeeping from outside: NULL when there is no such key or field, or it is of another kind.
 */
const struct object *keyspace_get(struct keyspace *ks, struct span key);
struct span keyspace_string(struct keyspace *ks, struct span key);
struct span keyspace_field(struct keyspace *ks, struct span key, struct span field);
/* Remove what has expired; returns how many keys are left. */
size_t keyspace_purge(struct keyspace *ks);
/* Bytes of keys and values, roughly. */
size_t keyspace_bytes(struct keyspace *ks);

#endif

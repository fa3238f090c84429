/* keyspace_internal.h - shared by the files of the simulated keyspace: keyspace.c (keys, strings),
 * keyspace_sets.c (hashes, sorted sets), keyspace_streams.c. */
#ifndef BERTH_SIM_KEYSPACE_INTERNAL_H
#define BERTH_SIM_KEYSPACE_INTERNAL_H

#include "tests/sim/keyspace.h"

struct cmd {
    struct keyspace *ks;
    const struct span *argv;
    size_t argc;
    struct reply *reply;
    struct resp *ret; /* nil until it is set */
    bool status;      /* the text is a status ("OK") */
};

int64_t now_ms(const struct keyspace *ks);
struct object *key_find(struct keyspace *ks, struct span key);
struct object *key_open(struct keyspace *ks, struct span key, enum object_kind kind);
bool key_remove(struct keyspace *ks, struct span key);
bool number_of(struct span text, double *ret);
bool word_is(struct span s, const char *word);
void bad_syntax(struct reply *reply, struct resp *ret);
void not_integer(struct reply *reply, struct resp *ret);

bool zset_add(struct object *o, struct span member, double score);

void hash_get(struct cmd *c);
void hash_mget(struct cmd *c);
void hash_set(struct cmd *c);
void hash_del(struct cmd *c);
void hash_incrby(struct cmd *c);
void hash_exists(struct cmd *c);
void hash_len(struct cmd *c);
void hash_getall(struct cmd *c);
void hash_scan(struct cmd *c);
void zset_do_add(struct cmd *c);
void zset_rem(struct cmd *c);
void zset_card(struct cmd *c);
void zset_count(struct cmd *c);
void zset_score(struct cmd *c);
void zset_mscore(struct cmd *c);
void zset_rem_by_score(struct cmd *c);
void zset_rank(struct cmd *c);
void zset_incrby(struct cmd *c);
void zset_range(struct cmd *c);
void zset_by_score(struct cmd *c);
void stream_do_add(struct cmd *c);
void stream_len(struct cmd *c);
void stream_range(struct cmd *c);
void stream_read(struct cmd *c);

#endif

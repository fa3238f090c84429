/* dict.h - texts to values, remembering the order in which they came: what the simulated keyspace
 * is made of.
 *
 * Pure. Heap. */
#ifndef BERTH_SIM_DICT_H
#define BERTH_SIM_DICT_H

#include "core/span.h"

struct dict_entry {
    struct dict_entry *chain; /* in the bucket */
    struct dict_entry *older, *newer;
    uint64_t hash;
    double score; /* sorted sets */
    void *object; /* the keyspace */
    char *value;  /* hashes; owned */
    size_t value_len;
    size_t key_len;
    char key[];
};

struct dict {
    struct dict_entry **buckets;
    size_t mask, count;
    struct dict_entry *oldest, *newest;
};

void dict_fini(struct dict *dict); /* objects are the caller's */
struct dict_entry *dict_find(const struct dict *dict, struct span key);
/* The entry, new (and *ret_new true) if it was not there. */
struct dict_entry *dict_put(struct dict *dict, struct span key, bool *ret_new);
void dict_set_value(struct dict_entry *entry, struct span value);
void dict_remove(struct dict *dict, struct dict_entry *entry);

static inline struct span dict_key(const struct dict_entry *e)
{
    return (struct span){e->key, e->key_len};
}

static inline struct span dict_value(const struct dict_entry *e)
{
    return (struct span){e->value, e->value_len};
}

#endif

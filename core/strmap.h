/* strmap.h - which slot holds the thing of this name: id text -> uint32_t.
 *
 * Pure. Fixed capacity, memory taken once at init (65 bytes an id of up to 64 bytes, and 18-36
 * bytes of index). Open addressing with linear probing; a removal shifts its followers back, so
 * there are no tombstones and the table is as fast after a billion changes as on the first day. Not
 * ordered: iterate over your own slots where order matters. */
#ifndef BERTH_CORE_STRMAP_H
#define BERTH_CORE_STRMAP_H

#include "core/err.h"
#include "core/span.h"

enum { STRMAP_KEY_MAX = 64 }; /* bytes */
#define STRMAP_NONE UINT32_MAX

struct strmap_entry {
    uint8_t len;
    char key[STRMAP_KEY_MAX];
};

/* The hash stands beside the number, so that only the entry that is meant is read, and the value
 * too, so that nobody has to wait for the entry to go and see what it is about. */
struct strmap_place {
    uint32_t entry; /* its number + 1; 0: empty */
    uint32_t hash;
    uint32_t value;
};

struct strmap {
    struct strmap_entry *entries; /* dense, [0, count) */
    struct strmap_place *index;   /* mask + 1 long */
    uint32_t mask;
    uint32_t count, capacity;
    uint32_t seed;
};

/* capacity 1..2^28. seed: any number; a random one keeps players from choosing ids that collide.
 * Returns 0 or BERTH_ENOMEM. */
int strmap_init(struct strmap *map, uint32_t capacity, uint64_t seed) BERTH_MUST_USE;
/* A zeroed map is fine. */
void strmap_fini(struct strmap *map);

/* The value, or STRMAP_NONE. */
uint32_t strmap_get(const struct strmap *map, struct span key);
/* This key will be looked up in a while: have in the cache where a guess begins. */
void strmap_expect(const struct strmap *map, struct span key);
/* What it probably is: right unless the key is not there. Has in the cache what strmap_get() reads.
 */
uint32_t strmap_guess(const struct strmap *map, struct span key);
/* Add or overwrite (copies the key). BERTH_EFULL at capacity, BERTH_EINVAL for an empty key or one
 * over STRMAP_KEY_MAX. */
int strmap_put(struct strmap *map, struct span key, uint32_t value) BERTH_MUST_USE;
/* Remove; returns the value it had, or STRMAP_NONE. */
uint32_t strmap_remove(struct strmap *map, struct span key);
void strmap_clear(struct strmap *map);

#endif

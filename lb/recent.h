/* recent.h - the last things heard under a name: a bounded table that forgets what was used least
 * recently.
 *
 * Pure. Memory is taken once at init (calloc: pages that were never used cost nothing). Keys
 * are 1..64 bytes. */
#ifndef BERTH_LB_RECENT_H
#define BERTH_LB_RECENT_H

#include "core/strmap.h"

struct recent_link {
    uint32_t newer, older;
    uint8_t key_len;
    char key[STRMAP_KEY_MAX];
};

struct recent {
    struct strmap map; /* key -> index */
    struct recent_link *links;
    unsigned char *entries;
    size_t size; /* of an entry */
    uint32_t capacity, used;
    uint32_t newest, oldest, free; /* indices; STRMAP_NONE: none */
    uint64_t evicted;              /* entries that had to make room */
};

/* capacity >= 1. BERTH_ENOMEM. */
int recent_init(struct recent *recent, uint32_t capacity, size_t size,
                uint64_t seed) BERTH_MUST_USE;
/* A zeroed table is fine. */
void recent_fini(struct recent *recent);

/* The entry, now the most recently used; NULL: none. Valid until the next put or remove. */
void *recent_get(struct recent *recent, struct span key);
/* Likewise, and if there is none a zeroed new one; the least recently used makes room. NULL for a
 * key that is empty or too long. */
void *recent_put(struct recent *recent, struct span key);
void recent_remove(struct recent *recent, struct span key);
/* Forgets the least recently used as long as they are over, `most` of them: with two before each
 * put the table is as large as what still holds, not as what ever was. */
void recent_trim(struct recent *recent, unsigned most,
                 bool (*over)(const void *arg, const void *entry), const void *arg);

#endif

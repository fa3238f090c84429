/* strmap.c - fixed-capacity hash map from id text to slot. */
#include "core/strmap.h"

#include <assert.h>
#include <stdlib.h>

int strmap_init(struct strmap *map, uint32_t capacity, uint64_t seed)
{
    assert(capacity >= 1 && capacity <= 1u << 28);
    uint32_t size = 8;
    while (size < capacity + capacity / 2) /* load factor at most 2/3 */
        size *= 2;
    struct strmap m = {
        .mask = size - 1, .capacity = capacity, .seed = (uint32_t)(seed ^ (seed >> 32))};
    m.entries = malloc(capacity * sizeof *m.entries);
    m.hashes = malloc(capacity * sizeof *m.hashes);
    m.index = calloc(size, sizeof *m.index);
    if (!m.entries || !m.hashes || !m.index) {
        strmap_fini(&m);
        return BERTH_ENOMEM;
    }
    *map = m;
    return 0;
}

void strmap_fini(struct strmap *map)
{
    free(map->entries);
    free(map->hashes);
    free(map->index);
    *map = (struct strmap){0};
}

/* MurmurHash3's mixing steps (Appleby, 2011), eight bytes at a time: seeded, so that no one outside
 * can aim at one bucket. */
static uint32_t hash(const struct strmap *map, struct span key)
{
    uint64_t h = map->seed * 0x9e3779b97f4a7c15u + key.len;
    for (size_t i = 0; i < key.len; i += 8) {
        uint64_t w = 0;
        memcpy(&w, key.ptr + i, key.len - i < 8 ? key.len - i : 8);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    h *= 0xc4ceb9fe1a85ec53u;
    h ^= h >> 33;
    return (uint32_t)h;
}

/* The index position of the key, or of the empty place where it would go. */
static uint32_t find(const struct strmap *map, struct span key, uint32_t h)
{
    uint32_t at = h & map->mask;
    for (;; at = (at + 1) & map->mask) {
        uint32_t e = map->index[at];
        if (e == 0)
            return at;
        const struct strmap_entry *entry = &map->entries[e - 1];
        if (map->hashes[e - 1] == h && span_eq((struct span){entry->key, entry->len}, key))
            return at;
    }
}

uint32_t strmap_get(const struct strmap *map, struct span key)
{
    if (map->count == 0 || key.len == 0 || key.len > STRMAP_KEY_MAX)
        return STRMAP_NONE;
    uint32_t e = map->index[find(map, key, hash(map, key))];
    return e ? map->entries[e - 1].value : STRMAP_NONE;
}

int strmap_put(struct strmap *map, struct span key, uint32_t value)
{
    if (key.len == 0 || key.len > STRMAP_KEY_MAX)
        return BERTH_EINVAL;
    uint32_t h = hash(map, key);
    uint32_t at = find(map, key, h);
    if (map->index[at]) {
        map->entries[map->index[at] - 1].value = value;
        return 0;
    }
    if (map->count == map->capacity)
        return BERTH_EFULL;
    struct strmap_entry *entry = &map->entries[map->count];
    entry->value = value;
    entry->len = (uint8_t)key.len;
    memcpy(entry->key, key.ptr, key.len);
    map->hashes[map->count] = h;
    map->index[at] = ++map->count;
    return 0;
}

/* Close the gap at `hole`: every follower of the same run that may move back does. */
static void close_gap(struct strmap *map, uint32_t hole)
{
    uint32_t at = hole;
    for (;;) {
        at = (at + 1) & map->mask;
        uint32_t e = map->index[at];
        if (e == 0)
            break;
        uint32_t home = map->hashes[e - 1] & map->mask;
        if (((at - home) & map->mask) >=
            ((at - hole) & map->mask)) { /* its way from home passes the hole */
            map->index[hole] = e;
            hole = at;
        }
    }
    map->index[hole] = 0;
}

uint32_t strmap_remove(struct strmap *map, struct span key)
{
    if (map->count == 0 || key.len == 0 || key.len > STRMAP_KEY_MAX)
        return STRMAP_NONE;
    uint32_t at = find(map, key, hash(map, key));
    uint32_t e = map->index[at];
    if (e == 0)
        return STRMAP_NONE;
    uint32_t value = map->entries[e - 1].value;
    close_gap(map, at);
    uint32_t last = --map->count;
    if (e - 1 != last) { /* keep the entries dense: the last one takes the free place */
        const struct strmap_entry *moved = &map->entries[last];
        uint32_t its = find(map, (struct span){moved->key, moved->len}, map->hashes[last]);
        map->index[its] = e;
        map->entries[e - 1] = *moved;
        map->hashes[e - 1] = map->hashes[last];
    }
    return value;
}

void strmap_clear(struct strmap *map)
{
    map->count = 0;
    if (map->index)
        memset(map->index, 0, ((size_t)map->mask + 1) * sizeof *map->index);
}

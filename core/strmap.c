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
    m.index = calloc(size, sizeof *m.index);
    if (!m.entries || !m.index) {
        strmap_fini(&m);
        return BERTH_ENOMEM;
    }
    *map = m;
    return 0;
}

void strmap_fini(struct strmap *map)
{
    free(map->entries);
    free(map->index);
    *map = (struct strmap){0};
}

/* Bytes as a number; n a constant. */
static inline uint64_t load(const char *p, size_t n)
{
    uint64_t w = 0;
    memcpy(&w, p, n);
    return w;
}

/* The last 1..7 bytes, two overlapping loads instead of a loop. */
static inline uint64_t tail(const char *p, size_t n)
{
    if (n >= 4)
        return load(p, 4) | load(p + n - 4, 4) << 32;
    return load(p, 1) | load(p + n / 2, 1) << 8 | load(p + n - 1, 1) << 16;
}

static inline uint64_t mix(uint64_t h, uint64_t w)
{
    h = (h ^ w) * 0xff51afd7ed558ccdu;
    return h ^ h >> 32;
}

/* MurmurHash3's mixing steps (Appleby, 2011), eight bytes at a time: seeded, so that no one outside
 * can aim at one bucket. */
static uint32_t hash(const struct strmap *map, struct span key)
{
    uint64_t h = map->seed * 0x9e3779b97f4a7c15u + key.len;
    size_t i = 0;
    for (; i + 8 <= key.len; i += 8)
        h = mix(h, load(key.ptr + i, 8));
    if (i < key.len)
        h = mix(h, tail(key.ptr + i, key.len - i));
    h *= 0xc4ceb9fe1a85ec53u;
    h ^= h >> 33;
    return (uint32_t)h;
}

/* The index position of the key, or of the empty place where it would go. */
static uint32_t find(const struct strmap *map, struct span key, uint32_t h)
{
    uint32_t at = h & map->mask;
    for (;; at = (at + 1) & map->mask) {
        struct strmap_place place = map->index[at];
        if (place.entry == 0)
            return at;
        if (place.hash != h)
            continue;
        const struct strmap_entry *entry = &map->entries[place.entry - 1];
        if (span_eq((struct span){entry->key, entry->len}, key))
            return at;
    }
}

uint32_t strmap_get(const struct strmap *map, struct span key)
{
    if (map->count == 0 || key.len == 0 || key.len > STRMAP_KEY_MAX)
        return STRMAP_NONE;
    const struct strmap_place *place = &map->index[find(map, key, hash(map, key))];
    return place->entry ? place->value : STRMAP_NONE;
}

void strmap_expect(const struct strmap *map, struct span key)
{
    __builtin_prefetch(&map->index[hash(map, key) & map->mask]);
}

uint32_t strmap_guess(const struct strmap *map, struct span key)
{
    uint32_t h = hash(map, key), at = h & map->mask;
    while (map->index[at].entry != 0 && map->index[at].hash != h)
        at = (at + 1) & map->mask;
    if (map->index[at].entry == 0)
        return STRMAP_NONE;
    __builtin_prefetch(&map->entries[map->index[at].entry - 1]);
    return map->index[at].value;
}

int strmap_put(struct strmap *map, struct span key, uint32_t value)
{
    if (key.len == 0 || key.len > STRMAP_KEY_MAX)
        return BERTH_EINVAL;
    uint32_t h = hash(map, key);
    uint32_t at = find(map, key, h);
    if (map->index[at].entry) {
        map->index[at].value = value;
        return 0;
    }
    if (map->count == map->capacity)
        return BERTH_EFULL;
    struct strmap_entry *entry = &map->entries[map->count];
    entry->len = (uint8_t)key.len;
    memcpy(entry->key, key.ptr, key.len);
    map->index[at] = (struct strmap_place){.entry = ++map->count, .hash = h, .value = value};
    return 0;
}

/* Close the gap at `hole`: every follower of the same run that may move back does. */
static void close_gap(struct strmap *map, uint32_t hole)
{
    uint32_t at = hole;
    for (;;) {
        at = (at + 1) & map->mask;
        struct strmap_place place = map->index[at];
        if (place.entry == 0)
            break;
        uint32_t home = place.hash & map->mask;
        if (((at - home) & map->mask) >=
            ((at - hole) & map->mask)) { /* its way from home passes the hole */
            map->index[hole] = place;
            hole = at;
        }
    }
    map->index[hole] = (struct strmap_place){.entry = 0};
}

uint32_t strmap_remove(struct strmap *map, struct span key)
{
    if (map->count == 0 || key.len == 0 || key.len > STRMAP_KEY_MAX)
        return STRMAP_NONE;
    uint32_t at = find(map, key, hash(map, key));
    uint32_t e = map->index[at].entry;
    if (e == 0)
        return STRMAP_NONE;
    uint32_t value = map->index[at].value;
    close_gap(map, at);
    uint32_t last = --map->count;
    if (e - 1 != last) { /* keep the entries dense: the last one takes the free place */
        const struct strmap_entry *moved = &map->entries[last];
        struct span key_of_moved = {moved->key, moved->len};
        map->index[find(map, key_of_moved, hash(map, key_of_moved))].entry = e;
        map->entries[e - 1] = *moved;
    }
    return value;
}

void strmap_clear(struct strmap *map)
{
    map->count = 0;
    if (map->index)
        memset(map->index, 0, ((size_t)map->mask + 1) * sizeof *map->index);
}

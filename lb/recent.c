/* recent.c - a hash of names over slots that form a list by time of use. */
#include "lb/recent.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int recent_init(struct recent *recent, uint32_t capacity, size_t size, uint64_t seed)
{
    assert(capacity >= 1 && size >= 1);
    *recent = (struct recent){.size = size,
                              .capacity = capacity,
                              .newest = STRMAP_NONE,
                              .oldest = STRMAP_NONE,
                              .free = STRMAP_NONE};
    recent->links = calloc(capacity, sizeof *recent->links);
    recent->entries = calloc(capacity, size);
    if (recent->links == NULL || recent->entries == NULL ||
        strmap_init(&recent->map, capacity, seed) < 0) {
        recent_fini(recent);
        return BERTH_ENOMEM;
    }
    return 0;
}

void recent_fini(struct recent *recent)
{
    strmap_fini(&recent->map);
    free(recent->links);
    free(recent->entries);
    *recent = (struct recent){.capacity = 0};
}

static void unlink_entry(struct recent *recent, uint32_t i)
{
    struct recent_link *link = &recent->links[i];
    if (link->newer != STRMAP_NONE)
        recent->links[link->newer].older = link->older;
    else
        recent->newest = link->older;
    if (link->older != STRMAP_NONE)
        recent->links[link->older].newer = link->newer;
    else
        recent->oldest = link->newer;
}

static void link_newest(struct recent *recent, uint32_t i)
{
    struct recent_link *link = &recent->links[i];
    link->newer = STRMAP_NONE;
    link->older = recent->newest;
    if (recent->newest != STRMAP_NONE)
        recent->links[recent->newest].newer = i;
    else
        recent->oldest = i;
    recent->newest = i;
}

void *recent_get(struct recent *recent, struct span key)
{
    uint32_t i = key.len == 0 ? STRMAP_NONE : strmap_get(&recent->map, key);
    if (i == STRMAP_NONE)
        return NULL;
    if (recent->newest != i) {
        unlink_entry(recent, i);
        link_newest(recent, i);
    }
    return recent->entries + (size_t)i * recent->size;
}

static void release(struct recent *recent, uint32_t i)
{
    struct recent_link *link = &recent->links[i];
    (void)strmap_remove(&recent->map, (struct span){link->key, link->key_len});
    unlink_entry(recent, i);
    link->older = recent->free;
    recent->free = i;
}

void *recent_put(struct recent *recent, struct span key)
{
    if (key.len == 0 || key.len > STRMAP_KEY_MAX)
        return NULL;
    void *known = recent_get(recent, key);
    if (known != NULL)
        return known;
    if (recent->free == STRMAP_NONE && recent->used == recent->capacity) {
        release(recent, recent->oldest);
        recent->evicted++;
    }
    uint32_t i = recent->free;
    if (i != STRMAP_NONE)
        recent->free = recent->links[i].older;
    else
        i = recent->used++;
    struct recent_link *link = &recent->links[i];
    link->key_len = (uint8_t)key.len;
    memcpy(link->key, key.ptr, key.len);
    int put = strmap_put(&recent->map, key, i);
    assert(put == 0); /* as many keys as slots */
    (void)put;
    link_newest(recent, i);
    unsigned char *entry = recent->entries + (size_t)i * recent->size;
    memset(entry, 0, recent->size);
    return entry;
}

void recent_remove(struct recent *recent, struct span key)
{
    uint32_t i = key.len == 0 ? STRMAP_NONE : strmap_get(&recent->map, key);
    if (i != STRMAP_NONE)
        release(recent, i);
}

void recent_trim(struct recent *recent, unsigned most,
                 bool (*over)(const void *arg, const void *entry), const void *arg)
{
    for (unsigned i = 0; i < most && recent->oldest != STRMAP_NONE; i++) {
        if (!over(arg, recent->entries + (size_t)recent->oldest * recent->size))
            return;
        release(recent, recent->oldest);
    }
}

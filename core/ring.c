/* ring.c - a bounded queue of fixed-size elements. */
#include "core/ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int ring_init(struct ring *ring, size_t size, size_t capacity)
{
    assert(size >= 1 && capacity >= 1);
    unsigned char *data = calloc(capacity, size);
    if (!data)
        return BERTH_ENOMEM;
    *ring = (struct ring){.data = data, .size = size, .capacity = capacity};
    return 0;
}

void ring_fini(struct ring *ring)
{
    free(ring->data);
    *ring = (struct ring){0};
}

static unsigned char *slot(const struct ring *ring, size_t i)
{
    size_t at = ring->head + i; /* both below capacity */
    if (at >= ring->capacity)
        at -= ring->capacity;
    return ring->data + at * ring->size;
}

void *ring_emplace(struct ring *ring)
{
    if (ring->count == ring->capacity)
        return NULL;
    void *element = slot(ring, ring->count);
    memset(element, 0, ring->size);
    ring->count++;
    ring->pushed++;
    return element;
}

int ring_push(struct ring *ring, const void *element)
{
    if (ring->count == ring->capacity)
        return BERTH_EFULL;
    memcpy(slot(ring, ring->count), element, ring->size);
    ring->count++;
    ring->pushed++;
    return 0;
}

bool ring_push_over(struct ring *ring, const void *element)
{
    bool dropped = ring->count == ring->capacity && ring_pop(ring, NULL);
    int rc = ring_push(ring, element);
    assert(rc == 0);
    (void)rc;
    return dropped;
}

bool ring_pop(struct ring *ring, void *ret_element)
{
    if (ring->count == 0)
        return false;
    if (ret_element)
        memcpy(ret_element, slot(ring, 0), ring->size);
    ring->head = ring->head + 1 == ring->capacity ? 0 : ring->head + 1;
    ring->count--;
    return true;
}

void *ring_at(const struct ring *ring, size_t i)
{
    assert(i < ring->count);
    return slot(ring, i);
}

void ring_clear(struct ring *ring)
{
    ring->head = 0;
    ring->count = 0;
}

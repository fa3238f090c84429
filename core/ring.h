/* ring.h - a bounded queue of fixed-size elements, first in first out.
 *
 * Pure. Memory for the elements is the caller's or malloc'ed once at init; nothing is allocated
 * after that. */
#ifndef BERTH_CORE_RING_H
#define BERTH_CORE_RING_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
    unsigned char *data; /* capacity * size bytes */
    size_t size;         /* of one element */
    size_t capacity;     /* elements */
    size_t head;         /* index of the oldest */
    size_t count;
    uint64_t pushed; /* ever; so pushed - count is the sequence number of the oldest */
};

/* size and capacity >= 1. Returns 0 or BERTH_ENOMEM. */
int ring_init(struct ring *ring, size_t size, size_t capacity) BERTH_MUST_USE;
/* A zeroed ring is fine. */
void ring_fini(struct ring *ring);

/* Copy an element to the end. BERTH_EFULL when there is no room (nothing changes). */
int ring_push(struct ring *ring, const void *element) BERTH_MUST_USE;
/* Copy an element to the end, dropping the oldest when full. Returns true if one was dropped. */
bool ring_push_over(struct ring *ring, const void *element);
/* A new element at the end, to be filled in place (zeroed); NULL when full. Valid until it is
 * popped. */
void *ring_emplace(struct ring *ring);
/* Copy the oldest out (ret_element may be NULL) and drop it. False when empty. */
bool ring_pop(struct ring *ring, void *ret_element);
/* The i-th oldest, 0 <= i < count (asserted). Valid until it is popped or overwritten. */
void *ring_at(const struct ring *ring, size_t i);
void ring_clear(struct ring *ring);

#endif

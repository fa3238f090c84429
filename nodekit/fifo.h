/* fifo.h - things that fall due in the order they came: one time limit shared by many, O(1) each
 * way.
 *
 * Pure. A fifo links indices [0, max) of its owner's table; an index is in it at most once. Because
 * all entries share one time limit, the head is always the next one due. */
#ifndef BERTH_NODEKIT_FIFO_H
#define BERTH_NODEKIT_FIFO_H

#include "core/clock.h"
#include "core/err.h"

#define FIFO_NONE UINT32_MAX

struct fifo_link {
    uint32_t prev, next; /* FIFO_NONE at the ends */
    bool in;
    mono_ms_t due;
};

struct fifo {
    struct fifo_link *links; /* owned */
    uint32_t max, head, tail, count;
};

/* Heap at init only. BERTH_ENOMEM. */
int fifo_init(struct fifo *fifo, uint32_t max) BERTH_MUST_USE;
void fifo_fini(struct fifo *fifo);

/* Append; due must not be earlier than that of the last entry (asserted). An index that is in
 * already moves to the end. */
void fifo_push(struct fifo *fifo, uint32_t index, mono_ms_t due);
/* Not being in it is fine. */
void fifo_remove(struct fifo *fifo, uint32_t index);
/* The first index whose time has come, or FIFO_NONE. It stays in. */
uint32_t fifo_due(const struct fifo *fifo, mono_ms_t now);
/* When the first one falls due; MONO_NEVER if empty. */
mono_ms_t fifo_deadline(const struct fifo *fifo);
bool fifo_has(const struct fifo *fifo, uint32_t index);

#endif

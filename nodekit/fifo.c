/* fifo.c - an intrusive doubly linked list over indices, with the time each falls due. */
#include "nodekit/fifo.h"

#include <assert.h>
#include <stdlib.h>

int fifo_init(struct fifo *fifo, uint32_t max)
{
    *fifo = (struct fifo){.max = max, .head = FIFO_NONE, .tail = FIFO_NONE};
    fifo->links = calloc(max ? max : 1, sizeof *fifo->links);
    return fifo->links ? 0 : BERTH_ENOMEM;
}

void fifo_fini(struct fifo *fifo)
{
    free(fifo->links);
    fifo->links = NULL;
}

void fifo_push(struct fifo *fifo, uint32_t index, mono_ms_t due)
{
    assert(index < fifo->max);
    fifo_remove(fifo, index);
    assert(fifo->tail == FIFO_NONE || fifo->links[fifo->tail].due.ms <= due.ms);
    fifo->links[index] =
        (struct fifo_link){.prev = fifo->tail, .next = FIFO_NONE, .in = true, .due = due};
    if (fifo->tail == FIFO_NONE)
        fifo->head = index;
    else
        fifo->links[fifo->tail].next = index;
    fifo->tail = index;
    fifo->count++;
}

void fifo_remove(struct fifo *fifo, uint32_t index)
{
    assert(index < fifo->max);
    struct fifo_link *link = &fifo->links[index];
    if (!link->in)
        return;
    if (link->prev == FIFO_NONE)
        fifo->head = link->next;
    else
        fifo->links[link->prev].next = link->next;
    if (link->next == FIFO_NONE)
        fifo->tail = link->prev;
    else
        fifo->links[link->next].prev = link->prev;
    link->in = false;
    fifo->count--;
}

uint32_t fifo_due(const struct fifo *fifo, mono_ms_t now)
{
    if (fifo->head == FIFO_NONE || mono_before(now, fifo->links[fifo->head].due))
        return FIFO_NONE;
    return fifo->head;
}

mono_ms_t fifo_deadline(const struct fifo *fifo)
{
    return fifo->head == FIFO_NONE ? MONO_NEVER : fifo->links[fifo->head].due;
}

bool fifo_has(const struct fifo *fifo, uint32_t index)
{
    assert(index < fifo->max);
    return fifo->links[index].in;
}

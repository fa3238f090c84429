/* scale_players.c - a wheel of sessions, and numbers of those who ask. */
#include "tests/bench/scale_players.h"

#include <assert.h>
#include <stdlib.h>

enum { CHUNK = 126 };

struct players_chunk {
    uint32_t next; /* + 1; 0: the last */
    uint32_t count;
    uint32_t nodes[CHUNK];
};

int players_init(struct players *players, uint32_t max, double session_ms, uint64_t seed)
{
    /* every slice may have one that is not full */
    *players =
        (struct players){.session_ms = session_ms, .chunks_max = max / CHUNK + 1 + PLAYERS_SLICES};
    rng_seed(&players->rng, seed);
    players->wheel = calloc(PLAYERS_SLICES, sizeof *players->wheel);
    players->chunks = calloc(players->chunks_max, sizeof *players->chunks);
    return players->wheel == NULL || players->chunks == NULL ? -1 : 0;
}

void players_fini(struct players *players)
{
    free(players->wheel);
    free(players->chunks);
    *players = (struct players){.playing = 0};
}

/* A chunk of this slice that has room. */
static struct players_chunk *chunk_of(struct players *p, uint32_t *head)
{
    struct players_chunk *chunk = *head == 0 ? NULL : &p->chunks[*head - 1];
    if (chunk != NULL && chunk->count < CHUNK)
        return chunk;
    uint32_t taken = p->chunk_free;
    if (taken != 0)
        p->chunk_free = p->chunks[taken - 1].next;
    else
        taken = ++p->chunks_used;
    assert(taken <= p->chunks_max);
    chunk = &p->chunks[taken - 1];
    chunk->next = *head;
    chunk->count = 0;
    *head = taken;
    return chunk;
}

void players_begin(struct players *p, int64_t now_ms, uint32_t node)
{
    double ms = rng_exponential(&p->rng, p->session_ms);
    uint64_t slices = 1 + (uint64_t)(ms / PLAYERS_SLICE_MS);
    if (slices >= PLAYERS_SLICES)
        slices = PLAYERS_SLICES - 1;
    uint64_t slice = (uint64_t)now_ms / PLAYERS_SLICE_MS + slices;
    struct players_chunk *chunk = chunk_of(p, &p->wheel[slice % PLAYERS_SLICES]);
    chunk->nodes[chunk->count++] = node;
    p->playing++;
}

void players_leave(struct players *p, int64_t now_ms, uint32_t again_ms,
                   void (*left)(uint32_t node))
{
    uint32_t *head = &p->wheel[(uint64_t)now_ms / PLAYERS_SLICE_MS % PLAYERS_SLICES];
    while (*head != 0) {
        uint32_t taken = *head;
        struct players_chunk *chunk = &p->chunks[taken - 1];
        for (uint32_t i = 0; i < chunk->count; i++) {
            left(chunk->nodes[i]);
            players_ask_within(p, now_ms, 1, again_ms);
        }
        p->playing -= chunk->count;
        *head = chunk->next;
        chunk->next = p->chunk_free;
        p->chunk_free = taken;
    }
}

void players_ask_within(struct players *p, int64_t now_ms, uint32_t least_ms, uint32_t most_ms)
{
    assert(least_ms >= 1 && least_ms < most_ms && most_ms <= PLAYERS_ASKS_MS);
    int64_t at_ms = now_ms + least_ms + (int64_t)rng_below(&p->rng, most_ms - least_ms);
    p->asks[at_ms % PLAYERS_ASKS_MS]++;
    p->asking++;
}

uint32_t players_take_asks(struct players *p, int64_t now_ms)
{
    uint32_t *asks = &p->asks[now_ms % PLAYERS_ASKS_MS], count = *asks;
    *asks = 0;
    p->asking -= count;
    return count;
}

/* agenda.h - which nodes of a pool are to be looked at: a set of slots, walked in order.
 *
 * Pure, no allocation after init. Adding and removing are O(1); a walk costs a word for every 4,096
 * slots and one for every 64 that hold something. */
#ifndef BERTH_LB_AGENDA_H
#define BERTH_LB_AGENDA_H

#include "core/err.h"

#include <stdint.h>

#define AGENDA_NONE UINT32_MAX

struct agenda {
    uint64_t *words;  /* a bit for each slot */
    uint64_t *groups; /* a bit for each word: set where the word may have one */
    uint32_t group_count;
};

/* For slots [0, slots_max); slots_max >= 1. BERTH_ENOMEM. */
int agenda_init(struct agenda *agenda, uint32_t slots_max) BERTH_MUST_USE;
/* A zeroed one is fine. */
void agenda_fini(struct agenda *agenda);

/* All slots below `slots`, besides those that are there already. */
void agenda_add_all(struct agenda *agenda, uint32_t slots);

static inline void agenda_add(struct agenda *agenda, uint32_t slot)
{
    agenda->words[slot / 64] |= UINT64_C(1) << slot % 64;
    agenda->groups[slot / 4096] |= UINT64_C(1) << slot / 64 % 64;
}

static inline void agenda_remove(struct agenda *agenda, uint32_t slot)
{
    agenda->words[slot / 64] &= ~(UINT64_C(1) << slot % 64);
}

/* The first slot of the set that is not below `from`; AGENDA_NONE: no more. */
uint32_t agenda_next(struct agenda *agenda, uint32_t from);

#endif

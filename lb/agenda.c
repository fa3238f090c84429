/* agenda.c - a set of slots as bits in two levels. */
#include "lb/agenda.h"

#include <stdlib.h>

int agenda_init(struct agenda *agenda, uint32_t slots_max)
{
    struct agenda a = {.group_count = (slots_max + 4095) / 4096};
    a.words = calloc((size_t)a.group_count * 64, sizeof *a.words);
    a.groups = calloc(a.group_count, sizeof *a.groups);
    if (a.words == NULL || a.groups == NULL) {
        agenda_fini(&a);
        return BERTH_ENOMEM;
    }
    *agenda = a;
    return 0;
}

void agenda_fini(struct agenda *agenda)
{
    free(agenda->words);
    free(agenda->groups);
    *agenda = (struct agenda){.words = NULL};
}

void agenda_add_all(struct agenda *agenda, uint32_t slots)
{
    for (uint32_t slot = 0; slot < slots; slot++)
        agenda_add(agenda, slot);
}

/* The lowest bit of a word that is not below `bit`; 64: none. */
static uint32_t lowest(uint64_t word, uint32_t bit)
{
    word &= bit < 64 ? ~UINT64_C(0) << bit : 0;
    return word == 0 ? 64 : (uint32_t)__builtin_ctzll(word);
}

uint32_t agenda_next(struct agenda *agenda, uint32_t from)
{
    uint32_t word = from / 64, bit = from % 64;
    for (uint32_t group = word / 64; group < agenda->group_count; group++) {
        uint32_t at = lowest(agenda->groups[group], word % 64);
        for (; at < 64; at = lowest(agenda->groups[group], at + 1)) {
            uint32_t here = group * 64 + at;
            uint32_t found = lowest(agenda->words[here], here == from / 64 ? bit : 0);
            if (found < 64)
                return here * 64 + found;
            if (agenda->words[here] == 0)
                agenda->groups[group] &= ~(UINT64_C(1) << at);
        }
        word = 0;
    }
    return AGENDA_NONE;
}

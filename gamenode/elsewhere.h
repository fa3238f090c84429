/* elsewhere.h - rooms that a process which this one succeeds still holds (restart in place): who
 * comes for one is sent there. Used by game.c only.
 *
 * Pure, no allocation after init. At most rooms_max rooms; more are not known. */
#ifndef BERTH_GAMENODE_ELSEWHERE_H
#define BERTH_GAMENODE_ELSEWHERE_H

#include "core/err.h"
#include "core/span.h"
#include "core/strmap.h"

enum { ELSEWHERE_ENDPOINTS = 8, ELSEWHERE_URL_MAX = 256 };

struct elsewhere {
    struct strmap rooms; /* room -> index of its endpoint */
    char endpoints[ELSEWHERE_ENDPOINTS][ELSEWHERE_URL_MAX];
};

int elsewhere_init(struct elsewhere *elsewhere, uint32_t rooms_max, uint64_t seed) BERTH_MUST_USE;
void elsewhere_fini(struct elsewhere *elsewhere);

/* What is known from now on: lines, "@URL" and then the ids of the rooms there. What does not fit
 * or is none of this is left out. */
void elsewhere_set(struct elsewhere *elsewhere, struct span text);

/* Where the room is; NULL: not elsewhere. */
const char *elsewhere_find(const struct elsewhere *elsewhere, struct span room);

/* The same lines, one after the other, for the next process. */
typedef void elsewhere_put_fn(void *arg, struct span line);
void elsewhere_list(const struct elsewhere *elsewhere, elsewhere_put_fn *put, void *arg);

#endif

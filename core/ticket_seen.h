/* ticket_seen.h - which tickets were used here, so that one ticket is one seat.
 *
 * Pure, no allocation after init. A ticket (by its jti) is remembered while its seat is held, for
 * the reconnect grace after the seat's socket went away, and in any case until the ticket has
 * expired. The same ticket resumes its seat while it is held or within the grace; after that it is
 * used up. */
#ifndef BERTH_CORE_TICKET_SEEN_H
#define BERTH_CORE_TICKET_SEEN_H

#include "core/clock.h"
#include "core/err.h"
#include "core/strmap.h"

struct ticket_seen_entry {
    char jti[STRMAP_KEY_MAX + 1];
    uint64_t seat;       /* the caller's name for the seat */
    wall_ms_t forget_at; /* when not held: may be forgotten from then on */
    wall_ms_t grace_end; /* when not held: resumes until then */
    bool held;
    uint32_t next; /* free list */
};

struct ticket_seen {
    struct strmap map; /* jti -> entry */
    struct ticket_seen_entry *entries;
    uint32_t capacity, free_head, sweep_at;
    int64_t grace_ms;
};

enum ticket_use {
    TICKET_USE_NEW,    /* first use: admit and count it */
    TICKET_USE_RESUME, /* the seat it already has: the newest socket wins; do not count it again */
    TICKET_USE_SPENT,  /* its seat was given up */
    TICKET_USE_FULL,   /* no memory for another ticket: refuse */
};

/* capacity: tickets remembered at once (seats of the node + those that come and go within a
 * ticket's life; twice the node's capacity + 256 is ample). grace_ms >= 0. BERTH_ENOMEM. */
int ticket_seen_init(struct ticket_seen *seen, uint32_t capacity, int64_t grace_ms,
                     uint64_t seed) BERTH_MUST_USE;
void ticket_seen_fini(struct ticket_seen *seen);

/* Use a verified ticket. `seat` is what a new seat shall be called; *ret_seat is the seat's name,
 * new or resumed; *ret_entry names the entry for ticket_seen_left. Both are written for NEW and
 * RESUME. expires: when the ticket can no longer be verified (exp + skew). Asserts 1..64 bytes of
 * jti. */
enum ticket_use ticket_seen_use(struct ticket_seen *seen, wall_ms_t now, struct span jti,
                                wall_ms_t expires, uint64_t seat, uint64_t *ret_seat,
                                uint32_t *ret_entry) BERTH_MUST_USE;

/* Can this ticket resume a seat now? For tickets that have expired. */
bool ticket_seen_resumes(const struct ticket_seen *seen, wall_ms_t now, struct span jti);

/* The seat's socket went away: the ticket resumes it within the grace. final: the player left for
 * good, or the room is over: never again. */
void ticket_seen_left(struct ticket_seen *seen, wall_ms_t now, uint32_t entry, bool final);

/* Tickets remembered now. */
uint32_t ticket_seen_count(const struct ticket_seen *seen);

#endif

/* pending.h - which tickets are out: assigned and admitted by node, issuer and issue second.
 *
 * Pure, no allocation after init. For each (node, issuer) with anything alive there is one lane: a
 * ring of seconds, each with what was assigned and what was admitted. What a second owes is max(0,
 * assigned - admitted). Both counts are absolute and only grow (a told count is merged by maximum),
 * so repeats, losses and reordering are harmless; a second that is over is dropped whole. Lanes
 * come from a slab for nodes_max * issuers_max of them, whose pages the system makes real only when
 * they are first touched: 32 bytes and 8 a second for each lane in use.
 *
 * The caller keeps the sums per node: each change is returned as a difference. */
#ifndef BERTH_CORE_PENDING_H
#define BERTH_CORE_PENDING_H

#include "core/clock.h"
#include "core/err.h"
#include "core/span.h"

enum { PENDING_NAME_MAX = 63, PENDING_AHEAD_S = 2 }; /* an issuer's clock may be ahead by so much */
#define PENDING_NONE UINT32_MAX

struct pending_cell {
    uint32_t assigned, admitted;
};

struct pending_lane {
    uint32_t slot; /* PENDING_NONE: free */
    uint32_t next; /* of the same slot, or free */
    uint32_t issuer;
    int64_t newest_s; /* the latest second that has counts */
    int64_t dirty_s;  /* of our own: the second last put on the list of changes; 0: none */
    struct pending_cell cells[];
};

struct pending_issuer {
    char name[PENDING_NAME_MAX + 1]; /* "": free */
    int64_t epoch;
    uint32_t lanes;
};

/* Of a slot: its first lane; and the second for which that is known to be our own lane, with
 * everything noted that a change of ours has to note (0: not known). Then booking touches nothing
 * but the cell. */
struct pending_first {
    uint32_t lane;
    uint32_t stamp;
};

struct pending_dirty {
    uint32_t lane;
    int64_t second;
};

/* What we handed out in this second and have not booked into its lane yet. */
struct pending_entry_due {
    uint32_t slot, n;
};
enum { PENDING_JOURNAL = 256 };

struct pending {
    char *lanes; /* lane_size bytes each */
    size_t lane_size;
    struct pending_first *first;               /* by slot */
    uint32_t lanes_max, lanes_used, free_head; /* lanes_used: high-water mark */
    struct pending_issuer *issuers;
    uint32_t nodes_max, issuers_max, self;
    int64_t window_ms, window_max_ms;
    uint32_t ring; /* seconds a lane holds */

    int64_t tick_from_ms, tick_to_ms; /* in between neither second nor floor changes */
    int64_t now_s, floor_s;           /* alive: [floor_s, now_s + PENDING_AHEAD_S] */
    int64_t swept_s;                  /* seconds before are clear in every lane; <= floor_s */
    int64_t target_s;                 /* the sweep under way clears up to here */
    uint32_t sweep_at;                /* next lane of the sweep under way */
    struct pending_entry_due journal[PENDING_JOURNAL];
    uint32_t journal_count, booked; /* booked: of those, so many */
    int64_t index_s;                /* a second and its place in the ring, remembered */
    uint32_t index;

    struct pending_dirty *dirty; /* our own changes, [dirty_head, dirty_count) */
    uint32_t dirty_head, dirty_count, dirty_max;
    bool resync; /* some change could not be listed */
};

/* window_ms: how long after its end a second is kept. BERTH_ENOMEM. */
int pending_init(struct pending *p, uint32_t nodes_max, uint32_t issuers_max,
                 int64_t window_ms) BERTH_MUST_USE;
void pending_fini(struct pending *p);

/* Who we are. The earlier incarnation's counts stay alive as another issuer's. */
void pending_self(struct pending *p, struct span name, int64_t epoch);

/* The time is now. True: so much time has passed that pending_sweep must be called until it is
 * done, before anything else. */
bool pending_tick(struct pending *p, wall_ms_t now);
/* Keep seconds for this long after their end from now on; 0..the window of pending_init. What a
 * shorter one has dropped does not come back. */
void pending_window(struct pending *p, int64_t window_ms);
/* Is it still the second, and the floor, of the last tick? */
static inline bool pending_same_tick(const struct pending *p, wall_ms_t now)
{
    return now.ms >= p->tick_from_ms && now.ms < p->tick_to_ms;
}

/* Is anything to be swept? */
bool pending_sweep_due(const struct pending *p);
/* Sweep at most *budget lanes (counted down) up to the first that owed something. True: *ret_slot
 * now owes *ret_drop less; call again. False: nothing is left to sweep, or the budget is spent. */
bool pending_sweep(struct pending *p, uint32_t *budget, uint32_t *ret_slot, uint64_t *ret_drop);

/* Is it a second that still counts? */
bool pending_alive(const struct pending *p, int64_t second);

/* A change of one cell. */
struct pending_change {
    int64_t assigned; /* so many more are assigned; >= 0 */
    int64_t owed;     /* so many more (or fewer) are owed */
};

/* We handed out n now: n more are owed. It is written down and booked later, many together, so that
 * a pick does not wait for the memory of a lane. False: the journal is full; call pending_book
 * until it is done, then again. */
static inline bool pending_assign(struct pending *p, uint32_t slot, uint32_t n)
{
    if (p->journal_count == PENDING_JOURNAL)
        return false;
    p->journal[p->journal_count++] = (struct pending_entry_due){slot, n};
    return true;
}
/* Book what is in the journal. True: *ret_slot owes *ret_less less than was assumed, because more
 * had come in than we knew of; call again. False: all is booked. To be called before the second
 * changes, before a slot is dropped, before its admitted counts are told, and before pending_self.
 */
bool pending_book(struct pending *p, uint32_t *ret_slot, int64_t *ret_less);
/* The same for a second that is alive (asserted), be it not the present one; booked at once.
 * Returns how many more are owed. */
int64_t pending_assign_at(struct pending *p, uint32_t slot, int64_t second, uint32_t n);
/* This issuer had handed out `count` in that second, at least. BERTH_ESTALE: not alive;
 * BERTH_EFULL: too many issuers. */
int pending_told(struct pending *p, uint32_t slot, struct span issuer, int64_t epoch,
                 int64_t second, uint32_t count, struct pending_change *ret_change) BERTH_MUST_USE;
/* Of these, `count` were admitted, at least. */
int pending_admitted(struct pending *p, uint32_t slot, uint32_t issuer, int64_t second,
                     uint32_t count, struct pending_change *ret_change) BERTH_MUST_USE;

/* The number of an issuer, added if need be; PENDING_NONE: too many. */
uint32_t pending_issuer(struct pending *p, struct span name, int64_t epoch);

/* Admitted counts of this slot are about to be told. */
static inline void pending_prefetch(const struct pending *p, uint32_t slot)
{
    uint32_t lane = p->first[slot].lane;
    const char *at = p->lanes + (size_t)lane * p->lane_size;
    if (lane != PENDING_NONE)
        for (size_t i = 0; i < p->lane_size; i += 64)
            __builtin_prefetch(at + i);
}

/* Drop everything of a slot. */
void pending_drop(struct pending *p, uint32_t slot);
/* What a slot owes, added up. */
uint64_t pending_owed(const struct pending *p, uint32_t slot);

/* One count as it stands. */
struct pending_entry {
    uint32_t slot, issuer;
    int64_t second;
    uint32_t assigned;
};
/* Take one change of our own; false: none left. */
bool pending_take(struct pending *p, struct pending_entry *ret_entry);
/* All counts alive, from *cursor (0 at first) on: false at the end. */
bool pending_walk(const struct pending *p, uint64_t *cursor, struct pending_entry *ret_entry);

#endif

/* matcher.h - who plays with whom: waiting entries of one mode in, groups out.
 *
 * Pure, no clock, no random, no allocation after init. An entry is a player or a party that is
 * matched whole, as the store's queue holds it:
 * `since|rating|region|keyword|player/lobby/epoch,...` (docs/redis.md).
 *
 * Entries may be in one group when each accepts every other:
 *   rating   |a - b| is within both windows; a window is window_start + window_growth for each
 *            second waited, at most window_max;
 *   region   the same, or both have waited region_after (who names no region accepts all at once);
 *   keyword  the same; who gives one meets exactly those who give it, whatever rating and region.
 * A group has exactly `size` players. Who waited for timeout gets what there is: a smaller group of
 * at least size_min, or one filled with bots, or is told (`timeouts`).
 *
 * Those who waited half of their time choose first, the oldest first, each its nearest; then the
 * groups with the smallest spread of ratings are taken first. */
#ifndef BERTH_LOBBYNODE_MATCHER_H
#define BERTH_LOBBYNODE_MATCHER_H

#include "core/err.h"
#include "core/span.h"

enum { MATCHER_SIZE_MAX = 32, MATCHER_RATING_MAX = 1000000 }; /* ratings: +- */

enum match_on_timeout { MATCH_TIMEOUT_EVENT, MATCH_TIMEOUT_SMALLER, MATCH_TIMEOUT_BOTS };
enum match_on_leave { MATCH_LEAVE_REQUEUE, MATCH_LEAVE_SMALLER };

/* Of one mode. */
struct match_rules {
    int64_t size;      /* players of a match, 1..MATCHER_SIZE_MAX */
    int64_t size_min;  /* of a smaller one, 1..size */
    int64_t party_max; /* players of a party, 1..size */
    int64_t window_start, window_growth,
        window_max; /* rating; growth a second; max 0: any rating */
    int64_t region_after_ms;
    int64_t timeout_ms;
    enum match_on_timeout on_timeout;
    enum match_on_leave on_leave; /* for who makes the match; not used here */
};

struct matcher_entry {
    struct span text;                     /* borrowed until the next begin */
    struct span region, keyword, players; /* parts of it */
    int64_t since_ms, rating, window;
    uint32_t player_count;
    bool widened; /* accepts any region */
    bool taken, late;
};

struct matcher_group {
    uint32_t first, count; /* picks[first .. first + count): entry numbers, the oldest first */
    uint32_t players, bots;
};

struct matcher {
    uint32_t max, count, group_count, pick_count, timeout_count;
    struct matcher_entry *entries; /* owned, as the arrays below; each `max` long */
    uint32_t *order, *mixed, *seeds, *picks, *timeouts;
    int64_t *spreads;
    struct matcher_group *groups;
    struct match_rules rules;
    int64_t now_ms;
};

/* entries_max: of one mode at once. BERTH_ENOMEM. */
int matcher_init(struct matcher *matcher, uint32_t entries_max) BERTH_MUST_USE;
void matcher_fini(struct matcher *matcher);

/* The rules of a mode, and the store's time: waiting counts from `since` to it. Copies. */
void matcher_begin(struct matcher *matcher, const struct match_rules *rules, int64_t now_ms);
/* Borrows text until the next begin. BERTH_EPROTO: not an entry. BERTH_EFULL: one too many. */
int matcher_add(struct matcher *matcher, struct span text) BERTH_MUST_USE;
/* Fills groups, picks and timeouts (entry numbers). */
void matcher_run(struct matcher *matcher);

/* The next `player/lobby/epoch` of a players list (cut off its front). False at the end, or when it
 * is none (then *ret_bad is true). */
struct matcher_player {
    struct span player, lobby, peer; /* peer: lobby/epoch, as in seek:lobbies */
    int64_t epoch;
};
bool matcher_next_player(struct span *list, struct matcher_player *ret_player, bool *ret_bad);

/* Largest minus smallest rating of a group. */
int64_t matcher_spread(const struct matcher *matcher, const struct matcher_group *group);

#endif

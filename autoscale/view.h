/* view.h - the pool as its feed tells it: one row per node, made into snapshots for the core.
 *
 * Pure. Items may come twice or late (store/feed.h): an older one never overwrites a newer one.
 * Bounded: nodes beyond `nodes_max` are counted in `dropped` and make the snapshot incomplete. */
#ifndef BERTH_AUTOSCALE_VIEW_H
#define BERTH_AUTOSCALE_VIEW_H

#include "autoscale/fleet.h"
#include "store/feed.h"

/* First what reports change and snapshots read. */
struct view_row {
    int64_t report_epoch, report_seq, conns, capacity;
    wall_ms_t report_at;
    bool has_info, has_state, seen; /* seen: in the snapshot that is being read */
    struct {
        enum want_kind kind;
        wall_ms_t until;
    } wants[WANT_WHOS];
    int64_t epoch, info_capacity; /* of info */
    struct fleet_gauge gauges[FLEET_GAUGES];
    struct node_state_record state;
    char name[NAME_SIZE];
    struct node_info info;
};

/* What operators want of the whole pool. */
struct view_pool {
    bool paused;
    wall_ms_t paused_until; /* 0: for ever */
    bool sized;
    int size;
    wall_ms_t sized_until;
    bool rolling; /* nodes that joined before roll_since and have not roll_version are old */
    wall_ms_t roll_since, roll_until;
    char roll_version[NAME_SIZE]; /* "": whatever the version */
};

struct view {
    size_t nodes_max;
    struct view_row *rows;
    struct fleet_node *out; /* for view_snapshot() */
    uint64_t edition;       /* grows when rows come, go or change in more than numbers; from 1 */
    uint64_t out_edition;   /* of the texts in `out` */
    size_t count;
    struct strmap by_name;
    struct view_pool pool;
    bool reading, whole; /* a full read is under way; one was finished and the link stands */
    uint64_t dropped;
};

int view_init(struct view *view, size_t nodes_max) BERTH_MUST_USE;
void view_fini(struct view *view);

/* As store_follow tells it. */
void view_begin(struct view *view);
void view_item(struct view *view, const struct feed_item *item);
/* For speed alone: an item of this node will come (store/store_follow.h). */
void view_expect(const struct view *view, struct span node, bool soon);
void view_end(struct view *view);
void view_lost(struct view *view);

/* The pool at this moment. Nodes whose join or state is still to come are left out. Borrowed until
 * the next call. */
struct fleet_snapshot view_snapshot(struct view *view, wall_ms_t now);

/* What operators want now; expired wants are left out. */
struct view_operators {
    bool paused, sized, rolling;
    int size;
};
struct view_operators view_operators(const struct view *view, wall_ms_t now);

#endif

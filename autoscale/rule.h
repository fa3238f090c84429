/* rule.h - a scaling rule: a pipeline from what is seen of the pool to votes on its size.
 *
 * Pure. A rule is one file that fills a const table (rule_<name>.c) and one row of rule.c; its
 * settings are a struct of settings/rules.h. It says how big the pool should be and why; it knows
 * nothing of cooldowns, limits, plans or providers: those are the arbiter's and the plan's.
 *
 * All rules of a pool listen to one hot stream of sights (core/rx.h), each through a pipeline of
 * its own that reads from top to bottom. A value of the stream of sights is rx_ptr(const struct
 * rule_sight *), valid for the call; a value of a stream of votes is an rx_box of struct vote. */
#ifndef BERTH_AUTOSCALE_RULE_H
#define BERTH_AUTOSCALE_RULE_H

#include "autoscale/fleet.h"
#include "autoscale/past.h"
#include "autoscale/target.h"
#include "core/cron.h"
#include "core/rx.h"
#include "settings/rules.h"
#include "settings/settings.h"

#include <limits.h>

#define RULES_MAX (SCALE_RULES_MAX + 1) /* and the one that every policy has (policy_from()) */

/* What one rule wants, in nodes. Zeroed with at_most INT_MAX: no opinion (vote_none()). */
struct vote {
    int at_least; /* the pool should have this many; also keeps others from shrinking it below; 0:
                     no opinion */
    int at_most;  /* the pool may shrink to this; INT_MAX: no opinion */
    bool urgent;  /* cooldowns do not hold this back */
    char reason[64];  /* words joined by _, of the contract: "average_above" */
    char inputs[128]; /* a plain record of what it looked at */
};

static inline struct vote vote_none(void)
{
    return (struct vote){.at_most = INT_MAX};
}

/* Players whom the balancers turned away for want of room, as they last said. */
struct rule_refusals {
    int64_t seats; /* in one second; 0: they never said so */
    mono_ms_t at;  /* the end of that second */
};

/* The pool at one moment. */
struct rule_sight {
    struct fleet_figures figures;
    const struct fleet *fleet; /* borrowed for the call */
    const struct past *past;   /* likewise: what was seen before this moment */
    struct rule_refusals refusals;
    int64_t boot_ms; /* from launch to ready, as measured; 0: not yet */
    mono_ms_t now;
    wall_ms_t wall; /* Redis time */
};

/* What the pool's own service last answered (rule webhook). */
struct rule_advice {
    bool given;
    int desired;
    mono_ms_t at;
    char reason[64]; /* one value of a plain record */
};

/* A rule at work in one pool. */
struct rule_scope {
    struct rx *rx;
    const void *settings; /* the rule's struct */
    int64_t hold_ms;      /* for rule_zones() */
    struct target_node
        *scratch; /* room for a list of nodes, shared by the rules of a pool; for one call */
    size_t scratch_max;
    const struct zone *zone;          /* schedule: where its clock stands */
    struct cron cron;                 /* schedule: when it begins, read once */
    int64_t date_s;                   /* or this, UTC; -1: cron */
    const struct rule_advice *advice; /* webhook: the last answer */
};

struct rule_kind {
    const char *name; /* as in the configuration */
    /* Build the rule's pipeline. scope is borrowed for the life of the stream; `sights` is hot. */
    struct rx_stream *(*votes)(struct rule_scope *scope, struct rx_stream *sights);
    /* The time zone whose file the shell is to load for it; NULL: it needs none. */
    const char *(*zone_name)(const void *settings);
    bool advised; /* the shell is to ask a service (SCALE_ADVICE) */
};

/* One rule of a policy. */
struct rule {
    const struct rule_kind *kind;
    const void *settings;    /* borrowed from the configuration for the life of the policy */
    const struct zone *zone; /* borrowed likewise; NULL unless kind->zone_name asks for one */
    const struct rule_action *action; /* borrowed likewise; what its votes do instead of moving the
                                         pool; NULL: they move it */
};

extern const struct rule_kind rule_min_ready;
extern const struct rule_kind rule_average_connections;
extern const struct rule_kind rule_gauge;
extern const struct rule_kind rule_headroom;
extern const struct rule_kind rule_predict;
extern const struct rule_kind rule_refused;
extern const struct rule_kind rule_schedule;
extern const struct rule_kind rule_target;
extern const struct rule_kind rule_webhook;

/* Every kind, ended by NULL. */
extern const struct rule_kind *const rule_kinds[];

/* NULL if there is none of that name. */
const struct rule_kind *rule_kind_named(const char *name);

/* Where a measure has been for scope->hold_ms: -1 below, 0 between, 1 above its thresholds
 * (rx_int). zone_of (given a sight, with the scope as ctx) says where it is now. A change is 0 at
 * once and the new zone when it has lasted. */
struct rx_stream *rule_zones(struct rule_scope *scope, struct rx_stream *sights, rx_map_fn zone_of);

/* In a map over rx_with_latest_from(zones): the sight and the zone of the list. */
static inline const struct rule_sight *rule_sight_of(struct rx_value list)
{
    return list.items[0].ptr;
}
static inline int rule_zone_of(struct rx_value list)
{
    return (int)list.items[1].integer;
}

/* A vote as a value. */
static inline struct rx_value rule_vote(struct rule_scope *scope, const struct vote *vote)
{
    return rx_box(scope->rx, vote, sizeof *vote);
}

#endif

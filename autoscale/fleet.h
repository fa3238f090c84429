/* fleet.h - what the autoscaler knows of one pool: its nodes, the instances they live on, and what
 * it has asked of each.
 *
 * Pure: no I/O, no clock, no allocation after init. Two sources meet here: snapshots of the pool
 * (from the store's feed) and the provider's list of instances. Both are overwritten whole, so a
 * lost or repeated one is harmless; what the autoscaler itself asked of a node or an instance is
 * carried over until a source shows that it happened. */
#ifndef BERTH_AUTOSCALE_FLEET_H
#define BERTH_AUTOSCALE_FLEET_H

#include "core/clock.h"
#include "core/state.h"
#include "core/strmap.h"

#include <stdbool.h>

#define NAME_SIZE 65 /* a node, pool, zone, token or instance, terminated */

#define FLEET_GAUGES 8

struct fleet_gauge {
    char name[32]; /* "" ends the list */
    double value;
};

/* One node of a snapshot. */
struct fleet_node {
    char name[NAME_SIZE];
    char instance[NAME_SIZE]; /* "" if nobody said: such a node is counted, never chosen for
                                 scale-in */
    char zone[NAME_SIZE];
    int64_t epoch;
    enum node_state state;
    int64_t conns;
    int64_t est; /* conns + pending; the shell says conns where pending is not known */
    int64_t capacity;
    int64_t report_age_ms; /* at the snapshot, by Redis times */
    bool want_other;       /* the node itself or an operator wants it out of rotation */
    bool want_own;         /* the autoscaler wants it draining */
    bool old;              /* a roll that is on replaces it */
    struct fleet_gauge gauges[FLEET_GAUGES];
};

struct fleet_snapshot {
    const struct fleet_node *nodes; /* borrowed for the call */
    size_t count;
    bool complete;    /* the follower holds the whole pool and its link to the store is up */
    uint64_t edition; /* snapshots of one number differ in conns, est, capacity, report_age_ms,
                         wants, old and gauges alone; 0: nothing is said */
};

/* One instance as the provider lists it. */
struct fleet_listed {
    char id[NAME_SIZE];
    char token[NAME_SIZE]; /* of the launch that made it; "" if not known */
    char zone[NAME_SIZE];
    int64_t age_ms; /* since it was launched; -1 if not known */
    bool ending;    /* being terminated, still there */
};

/* What was asked of a node and is not yet seen to have happened. */
enum fleet_ask {
    FLEET_ASK_NONE,
    FLEET_ASK_DRAIN,     /* want draining */
    FLEET_ASK_TAKE_BACK, /* want cleared */
    FLEET_ASK_END,       /* move drained -> terminating */
    FLEET_ASK_FORGET,    /* move -> gone */
};

/* A node and what is asked of it. */
struct fleet_slot {
    struct fleet_node node;
    enum fleet_ask ask;
    mono_ms_t ask_again_at; /* not seen by then: ask again */
    int instance;           /* row of `instances`, or -1: not of this provider */
    bool silent;            /* its last report is older than the policy's stale_after */
    mono_ms_t lost_at;      /* seen to be lost since; 0: it is not, or was before the first sight */
    bool lost_told;         /* people know */
};

struct fleet_instance {
    char id[NAME_SIZE];
    char token[NAME_SIZE];
    char zone[NAME_SIZE];
    mono_ms_t since;        /* launched, or first seen less its age */
    mono_ms_t silent_since; /* no node of it is in the pool since */
    mono_ms_t
        leaving_since; /* all its nodes are on their way out by our want since; 0: they are not */
    mono_ms_t decided_at; /* its launch was, or (found in a list) it was made; 0: not known */
    bool found, watched, measured; /* boot_time.c: first seen in a list; looked at; counted */
    bool reported;                 /* a node of it has been in the pool */
    bool unsure; /* found by a new leader, or so old when it was first listed that a node of it may
                    have been in the pool before */
    int most;    /* nodes of it at once, ever seen */
    bool silent_told, stuck_told;
    bool listed; /* in the provider's last list */
    bool was_listed;
    bool ending;         /* the provider says so, or accepted our wish */
    bool end_asked;      /* a terminate call is under way */
    const char *end_why; /* constant word: why it is to be terminated though not drained; NULL */
    mono_ms_t end_again_at;
    /* Counted at each snapshot. */
    int nodes, ready, in_service, own_out, drained, terminating, other_out, lost;
    int silent;          /* their reports are overdue */
    bool old;            /* a node of it is */
    int end_asked_nodes; /* asked to move to terminating, not seen yet */
    int64_t conns, est;
};

/* The pool in numbers, for rules, arbiter and metrics. In nodes, unless it says players. */
struct fleet_figures {
    int ready;     /* state ready and not on their way out */
    int booting;   /* of instances that were launched and have not reported */
    int joining;   /* report, not yet proved */
    int returning; /* taken back, not yet ready again */
    int coming;    /* booting + joining + returning */
    int size;      /* ready + coming: what the pool will be if nothing is done */
    int draining;  /* the autoscaler's own on their way out, not yet terminating */
    int terminating;
    int out; /* wanted out by others, or held */
    int lost;
    int silent;       /* ready, but their reports are overdue */
    int old;          /* in service on instances that a roll replaces */
    int old_leaving;  /* of those, on their way out by our want, not yet terminating */
    int64_t players;  /* on all nodes but those lost, on their way out or not */
    int64_t conns;    /* players on ready nodes */
    int64_t est;      /* conns + pending on ready nodes */
    int64_t capacity; /* places on ready nodes */
    double average;   /* est / ready; 0 with none */
};

struct fleet {
    size_t nodes_max;
    size_t instances_max;
    int nodes_per_instance;
    int64_t boot_timeout_ms;
    int64_t stale_after_ms;
    struct fleet_slot *nodes, *spare; /* present and previous snapshot, swapped */
    struct strmap by_name;
    size_t count;
    uint64_t edition; /* of the snapshot that `nodes` came from, if it was kept whole */
    struct fleet_instance *instances;
    struct strmap by_id;
    size_t instance_count;
    bool complete;     /* of the last snapshot; false also when it had more nodes than nodes_max */
    bool ever;         /* a snapshot was seen */
    bool inherits;     /* a new leader's first lists: what they show was made by others */
    mono_ms_t seen_at; /* of the last complete snapshot */
    uint64_t overflowed; /* nodes or instances dropped for want of room */
    int died; /* instances that went away before they ever reported; the reader sets it to 0 */
    char died_id[NAME_SIZE]; /* the last of them */
};

/* BERTH_ENOMEM if memory cannot be had. */
int fleet_init(struct fleet *fleet, size_t nodes_max, int nodes_per_instance,
               int64_t boot_timeout_ms, int64_t stale_after_ms) BERTH_MUST_USE;
void fleet_fini(struct fleet *fleet);

/* Take a new snapshot: everything in it replaces what was held. */
void fleet_see(struct fleet *fleet, const struct fleet_snapshot *snapshot, mono_ms_t now);

/* Take the provider's list, asked for at `asked_at`: what was launched before that and is not in it
 * is gone, unless it is younger than `settle_ms` (lists of clouds lag). */
void fleet_list(struct fleet *fleet, const struct fleet_listed *items, size_t count,
                mono_ms_t asked_at, int64_t settle_ms, mono_ms_t now);

/* An instance that the provider has just launched. */
void fleet_launched(struct fleet *fleet, const char *id, const char *token, const char *zone,
                    mono_ms_t decided_at, mono_ms_t now);

/* Forget what was asked and expected: another leads now. Nodes and instances stay, to be counted.
 */
void fleet_forget_asks(struct fleet *fleet);

/* Silence counts from now: the data were not trustworthy until now. */
void fleet_restart_silence(struct fleet *fleet, mono_ms_t now);

/* Count. `launching` is the nodes of launches that the provider has not yet answered. */
void fleet_count(const struct fleet *fleet, int launching, mono_ms_t now,
                 struct fleet_figures *ret_figures);

/* Players on all nodes, those on their way out too (they come back to the others), with those who
 * hold a ticket where that is known. */
int64_t fleet_players(const struct fleet *fleet);

/* Nodes yet to come of this instance: 0 once its boot_timeout is over. */
int fleet_coming(const struct fleet *fleet, const struct fleet_instance *instance, mono_ms_t now);

/* How many instances of that launch are known, and how many of them have reported. */
int fleet_of_token(const struct fleet *fleet, const char *token, int *ret_reported);

struct fleet_slot *fleet_node_named(struct fleet *fleet, const char *name);
struct fleet_instance *fleet_instance_of(struct fleet *fleet, const char *id);

/* On its way out by the autoscaler's own want, asked or seen. */
bool fleet_leaving(const struct fleet_slot *slot);
/* The autoscaler wanted it out, does no more, and it is not back yet. */
bool fleet_returning(const struct fleet_slot *slot);

#endif

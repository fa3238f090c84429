/* launches.h - the plan: instances that are being launched, from the written intent to the first
 * report.
 *
 * Pure. One row per launch, kept in Redis (`plan`, one field per launch, named by its token) before
 * the provider is called. The token is the provider's idempotency token: calling again with it
 * never makes a second set. A new leader reads the rows and carries on with the same tokens.
 *
 *     WRITING --written--> CALLING --launched--> BOOTING --all reported, or given up--> (removed)
 *        |                  |    ^
 *        |                  |    +-- unknown outcome: the same token again after back-off
 *        |                  +------- refused: removed, the pool waits out the back-off
 *        +-- not written: removed
 *     RESUMING (read from Redis by a new leader) --provider's list stable--> CALLING (same token),
 * BOOTING (the provider had answered: nothing is made again, whatever became of those instances),
 * or removed (too old)
 *
 * In BOOTING the row in Redis also says how many were made and which have reported: the next
 * leader neither makes again what has ended meanwhile, nor takes one whose nodes are cut off for
 * one that never came up.
 *
 * After launch_failures_max failures in a row launches are halted: one attempt each halt_retry_ms,
 * or until resumed. */
#ifndef BERTH_AUTOSCALE_LAUNCHES_H
#define BERTH_AUTOSCALE_LAUNCHES_H

#include "autoscale/effects.h"
#include "autoscale/policy.h"

#define LAUNCHES_MAX 16         /* under way at once in a pool */
#define LAUNCH_INSTANCES_MAX 64 /* instances of one launch */

enum launch_state { LAUNCH_WRITING, LAUNCH_CALLING, LAUNCH_AGAIN, LAUNCH_BOOTING, LAUNCH_RESUMING };

struct launch {
    char token[NAME_SIZE]; /* [a-z0-9-] */
    char zone[NAME_SIZE];  /* "" anywhere */
    char why[48];
    int count; /* instances */
    enum launch_state state;
    int calls;            /* with this token */
    mono_ms_t again_at;   /* AGAIN */
    mono_ms_t sent_at;    /* WRITING, CALLING */
    mono_ms_t decided_at; /* or called again: boot times count from here; 0: by a former leader */
    wall_ms_t at;         /* when it was decided, Redis time */
    /* What the next leader must know, kept in the plan (launch_record.h). */
    int made;                          /* instances, by the provider's answer; 0: not known */
    uint32_t up[LAUNCH_INSTANCES_MAX]; /* checksums of those that have reported */
    int up_count;
    bool unsaved;      /* the plan does not hold all that yet */
    mono_ms_t save_at; /* not before */
};

struct launches {
    struct launch row[LAUNCHES_MAX];
    size_t count;
    uint64_t next;        /* number of the next plan of this leadership */
    uint64_t first;       /* the first one since it began, or was last interrupted */
    int64_t fence;        /* this leadership's fencing token: makes plan ids unique */
    int failures;         /* in a row */
    mono_ms_t not_before; /* back-off: no new launch until then */
    bool halted;
    bool halt_told;
};

/* A leadership begins, or goes on after an interruption (the same fence: nobody led in between):
 * nothing is under way but what fleet and plan will say. A token is never used twice. */
void launches_begin(struct launches *ls, int64_t fence);

/* Add a row for `count` instances and ask for its intent to be written. BERTH_EFULL: too many under
 * way or no room in fx. */
int launches_start(struct launches *ls, const struct policy *policy, int count, const char *zone,
                   const char *why, wall_ms_t wall, mono_ms_t now,
                   struct effects *fx) BERTH_MUST_USE;

/* One field of the plan as Redis holds it: one of a former leader is resumed, one of ours that is
 * done is removed again (its removal was lost). Returns BERTH_EINVAL for a record that is not a
 * launch. */
int launches_load(struct launches *ls, const char *token, const char *record,
                  struct effects *fx) BERTH_MUST_USE;

/* The intent, or what became of it, is written (ok); or is not and will not be. */
void launches_written(struct launches *ls, const char *token, bool ok, mono_ms_t now,
                      struct effects *fx);

/* The provider has answered: the instances that this token stands for, at least one. */
void launches_made(struct launches *ls, struct fleet *fleet, const char *token,
                   const char (*ids)[NAME_SIZE], size_t count, mono_ms_t now, struct effects *fx);

/* Why there is no instance. All but LOST: certainly none was made. */
enum launch_refusal {
    LAUNCH_REFUSED,
    LAUNCH_LOST,        /* nobody knows what became of the call */
    LAUNCH_THROTTLED,   /* asked too often: backs off, but is no failure of the launch */
    LAUNCH_NO_CAPACITY, /* the cloud has no machine left */
    LAUNCH_DENIED,      /* no use before a person changes something: halts at once */
};

/* The provider has not done it. */
void launches_refused(struct launches *ls, const struct policy *policy, const char *token,
                      enum launch_refusal refusal, const char *error, mono_ms_t now,
                      struct effects *fx);

/* An instance never came up: counts as a failed launch. */
void launches_failed(struct launches *ls, const struct policy *policy, mono_ms_t now,
                     struct effects *fx);

/* Move on what time and the fleet have moved: call again, finish, resume. `settled`: the provider's
 * list can be trusted. */
void launches_step(struct launches *ls, struct fleet *fleet, const struct policy *policy,
                   bool settled, wall_ms_t wall, mono_ms_t now, struct effects *fx);

/* Nodes of launches whose instances the fleet does not know yet. */
int launches_pending_nodes(const struct launches *ls, const struct fleet *fleet,
                           const struct policy *policy);

/* Is this launch still being waited for? */
bool launches_has(const struct launches *ls, const char *token);

/* Has this instance of it reported, to whichever leader? */
bool launches_saw(const struct launches *ls, const char *token, const char *instance);

/* Why no launch may start now: "backoff", "halted", "plan_full", or NULL. */
const char *launches_blocked(const struct launches *ls, mono_ms_t now);

/* An operator (or a node that came up) says: try again. */
void launches_resume(struct launches *ls);

/* When launches_step() is next due. */
mono_ms_t launches_deadline(const struct launches *ls);

#endif

/* scale.h - the autoscaler of one pool: what it sees goes in as events, what it wants done comes
 * out as effects.
 *
 * Pure: no I/O, no clock, no random number, no allocation after scale_create(). Threads: loop
 * thread only.
 *
 * It acts only while it leads (SCALE_LEAD), its view is complete and fresh, its clock is steady,
 * nobody paused it, and, as a new leader, after it has read the plan and the provider's list has
 * been stable for policy.settle_ms. Whatever holds it back is said (EFFECT_NOTE scale_held) once,
 * when it would otherwise have moved. docs/autoscaling.md tells the whole story. */
#ifndef BERTH_AUTOSCALE_SCALE_H
#define BERTH_AUTOSCALE_SCALE_H

#include "autoscale/arbiter.h"
#include "autoscale/effects.h"
#include "autoscale/past.h"

enum scale_event_kind {
    SCALE_CLOCK,      /* time has passed */
    SCALE_SNAPSHOT,   /* the pool as the feed tells it */
    SCALE_LEAD,       /* this process leads the pool from now on, or does no longer */
    SCALE_PLAN,       /* the plan as read (EFFECT_PLAN_READ) */
    SCALE_WRITTEN,    /* a plan field is written, or is not (EFFECT_PLAN_SET) */
    SCALE_LISTED,     /* the provider's list (EFFECT_LIST) */
    SCALE_LAUNCHED,   /* the provider's answer (EFFECT_LAUNCH) */
    SCALE_TERMINATED, /* the provider's answer (EFFECT_TERMINATE) */
    SCALE_REFUSED,    /* a want or move was refused: look again soon */
    SCALE_OPERATOR,   /* what operators want of the pool */
    SCALE_ADVICE,     /* a rule's service has answered, or has not */
    SCALE_PAST,       /* some of the pool's history, as Redis kept it */
    SCALE_ACTED,      /* a rule's action is done, or has failed (EFFECT_ACT) */
    SCALE_NO_ROOM,    /* balancers turned players away for want of room */
};

enum scale_outcome {
    SCALE_DONE,
    SCALE_NOT_DONE, /* refused: certainly not carried out */
    SCALE_UNKNOWN,  /* no answer: perhaps carried out */
    /* Refused too, and why is known: */
    SCALE_THROTTLED,   /* asked too often: later */
    SCALE_NO_CAPACITY, /* the cloud has no such machine left, anywhere that was allowed */
    SCALE_DENIED, /* credentials, permissions, configuration: until a person changes something */
};

struct scale_plan_field {
    const char *name, *record;
};

/* What one balancer refused in about a second. */
struct scale_refusal {
    wall_ms_t at;  /* the end of that second */
    int64_t seats; /* that one more node would have had */
};

struct scale_event {
    enum scale_event_kind kind;
    mono_ms_t now;  /* must not go backwards (asserted) */
    wall_ms_t wall; /* Redis time now; 0 while it is not known */
    union {
        struct fleet_snapshot snapshot;
        struct {
            bool leading;
            int64_t fence; /* the lease's token */
        } lead;
        struct {
            const struct scale_plan_field *fields;
            size_t count;
        } plan;
        struct {
            const char *name; /* plan field; token; instance; node */
            enum scale_outcome outcome;
            const char *error; /* NULL when DONE */
            const char (
                *ids)[NAME_SIZE]; /* LAUNCHED, DONE: every instance that this token stands for */
            size_t count;
        } answer;
        struct {
            const struct fleet_listed *items;
            size_t count;
            bool ok;
            mono_ms_t asked_at; /* of the effect that asked */
            const char *error;
        } listed;
        struct {
            const struct past_entry *entries; /* in any order */
            size_t count;
            bool last; /* that was all: the rules begin anew with it */
        } past;
        struct {
            const struct scale_refusal *refusals; /* in any order */
            size_t count;
        } no_room;
        struct {
            bool paused;
            bool sized; /* `size` nodes are wanted, by a want that ends by itself */
            int size;
            bool rolling; /* nodes that are `old` are to be replaced */
        } operators;
        struct {
            size_t rule;       /* number in the policy */
            const char *error; /* NULL: it answered (ADVICE), is done (ACTED) */
            int desired;       /* ADVICE: nodes */
            const char *reason;
        } told;
    };
};

struct scale;

/* Borrows policy for life. NULL: no memory. */
struct scale *scale_create(const struct policy *policy);
void scale_destroy(struct scale *scale);

/* Go by another policy from now on (borrowed likewise); what is under way and the cooldowns stay,
 * hold times begin anew. `now` as in events. Its nodes_max must not be above the first one's. */
void scale_change(struct scale *scale, const struct policy *policy, mono_ms_t now);
/* The only other way state changes. *fx is emptied first. */
void scale_step(struct scale *scale, const struct scale_event *event, struct effects *fx);

/* Step again (SCALE_CLOCK) no later than this. */
mono_ms_t scale_deadline(const struct scale *scale);

/* For metrics and status. */
struct scale_status {
    struct fleet_figures figures;
    struct arbiter_decision decision;
    const char *held_by; /* NULL: nothing holds it; also leading, settling ... */
    bool leading;
    int launches, failures;
    bool halted;
    size_t instances;
    int64_t boot_ms; /* from the launch until ready, as measured; 0: not yet */
    uint64_t outs, ins, launched_total, terminated_total;
};
void scale_status(const struct scale *scale, struct scale_status *ret_status);

#endif

/* scale_parts.h - what the files of the autoscaler's core share (scale*.c).
 *
 * Pure, private to them. */
#ifndef BERTH_AUTOSCALE_SCALE_PARTS_H
#define BERTH_AUTOSCALE_SCALE_PARTS_H

#include "autoscale/actions.h"
#include "autoscale/boot_time.h"
#include "autoscale/launches.h"
#include "autoscale/past.h"
#include "autoscale/roll.h"
#include "autoscale/scale.h"
#include "autoscale/signals.h"

#define SCALE_TICK_MS 1000          /* looks at the clock at least so often */
#define SCALE_LIST_REST_MS 30000    /* the longest pause between lists */
#define SCALE_MEMORY_FIELD "memory" /* plan field of the cooldowns */

struct scale {
    const struct policy *policy;
    struct fleet fleet;
    struct launches launches;
    struct signals signals;
    struct actions actions;
    bool advice_fails[RULES_MAX];
    struct arbiter_memory memory;
    struct arbiter_wish wish;
    struct roll roll;
    struct boot_time boot;
    struct past past;
    struct rule_refusals refusals;
    bool paused;

    bool leading, plan_read, settled;
    mono_ms_t lead_at, plan_asked_at;
    /* The provider's list. */
    bool list_pending;
    bool listed; /* since this leadership began */
    mono_ms_t list_asked_at, list_next_at, list_ok_at, list_changed_at;
    uint64_t list_sum;
    bool list_failing;

    mono_ms_t stepped_at;
    bool has_offset;
    int64_t offset_ms; /* wall - mono */
    mono_ms_t hold_until;
    const char *hold_why;
    mono_ms_t now;
    wall_ms_t wall;

    struct fleet_figures figures;
    struct arbiter_decision decision;
    const char *held_by;
    /* What people were told of (scale_watch.c). */
    bool full_told, halted_seen, limited_told;
    mono_ms_t limited_at; /* the rules last wanted more than the ceiling */
    char told[128];       /* what the last scale_held said, so that it is said once */
    bool again;           /* effects did not fit: step again at once */
    uint64_t outs, ins, launched_total, terminated_total;
};

/* ---- scale_event.c ---- */

void scale_take_event(struct scale *s, const struct scale_event *ev, struct effects *fx);

/* ---- scale_hold.c: what holds everything ---- */

/* Time or data were not to be trusted: nothing is done for jump_hold, all hold times begin
 * anew. */
void scale_hold_for(struct scale *s, const char *why);
/* Does a new leader know enough? */
void scale_settle(struct scale *s);
/* A constant word, or NULL: nothing. */
const char *scale_what_holds(const struct scale *s);

/* ---- scale_move.c: deciding ---- */

/* Carry on what is under way, then decide. */
void scale_act(struct scale *s, struct effects *fx);
void scale_count(struct scale *s);
/* Say once what is held back, until it is something else. */
void scale_tell_held(struct scale *s, const char *by, struct effects *fx);

/* ---- scale_watch.c ---- */

/* Say what people should hear about though nothing is to be decided. */
void scale_watch(struct scale *s, struct effects *fx);

#endif

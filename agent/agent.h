/* agent.h - the watch over a server that berth did not write: is its count known, does it work,
 * what is it told.
 *
 * Pure: no I/O, no clock, no allocation. The node that the agent reports for is registered once the
 * server was counted and found to work; after that it is out of rotation while the count is older
 * than stale_ms or the check failed `fall` times in a row, and when somebody asked for it. */
#ifndef BERTH_AGENT_AGENT_H
#define BERTH_AGENT_AGENT_H

#include "core/clock.h"
#include "core/state.h"

#include <stddef.h>

struct agent_config {
    bool asks;   /* the agent counts; false: the server tells (PUT /count) */
    bool checks; /* the server is checked as a player would */
    int64_t count_interval_ms, stale_ms;
    int64_t check_interval_ms;
    int rise, fall; /* 1..: checks in a row that change the verdict */
};

enum agent_event_kind {
    AGENT_TICK,
    AGENT_COUNTED,      /* conns */
    AGENT_COUNT_FAILED, /* why */
    AGENT_CHECKED,      /* ok, why */
    AGENT_STATE,        /* state, as the store says */
    AGENT_ASKED,        /* on: somebody wants the server drained (POST /drain), or no longer */
    AGENT_ADMITTED,     /* a ticket was redeemed: the count has changed */
    AGENT_LEAVING,      /* SIGTERM */
};

struct agent_event {
    enum agent_event_kind kind;
    mono_ms_t now; /* must not go backwards */
    int64_t conns;
    bool ok, on;
    const char *why; /* constant text */
    enum node_state state;
};

enum agent_effect_kind {
    AGENT_DO_COUNT,    /* ask for the count; COUNTED or COUNT_FAILED follows */
    AGENT_DO_CHECK,    /* CHECKED follows */
    AGENT_DO_REGISTER, /* the first time all is well: report for it from now on */
    AGENT_DO_WISH,     /* on: out of rotation because it does not work (why), or back */
    AGENT_DO_ASK,      /* on: out of rotation because somebody asked, or back */
    AGENT_DO_TELL,     /* on: tell the server that it is draining; off: that it serves again */
};

struct agent_effect {
    enum agent_effect_kind kind;
    bool on;
    const char *why; /* constant text */
};

#define AGENT_EFFECTS_MAX 6

struct agent_effects {
    struct agent_effect items[AGENT_EFFECTS_MAX];
    size_t count;
};

struct agent {
    struct agent_config config;
    bool counting, checking; /* asked, no answer yet */
    bool registered, wished, asked, told, leaving;
    bool known;    /* a count has come */
    int64_t conns; /* the last one */
    bool up;       /* the check's verdict; true if nothing is checked */
    int in_a_row;  /* checks that contradict it */
    const char *check_why, *count_why;
    enum node_state state;
    mono_ms_t counted_at, next_count, next_check;
};

void agent_init(struct agent *agent, const struct agent_config *config, mono_ms_t now);
void agent_step(struct agent *agent, const struct agent_event *ev, struct agent_effects *ret_fx);
mono_ms_t agent_deadline(const struct agent *agent);

/* NULL: all is well. Else why not: "not_counted", "count_stale", "not_checked", "check_failed". */
const char *agent_fault(const struct agent *agent, mono_ms_t now);

#endif

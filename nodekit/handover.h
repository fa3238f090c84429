/* handover.h - restart in place, as the process sees it that is succeeded: when to do which step,
 * and when to go back.
 *
 * Pure. The steps, so that nobody is refused and no room is split:
 *   starting   the new process opens everything but the door, reaches the store, and waits
 *   renaming   we stop accepting (who connects now waits in the listener's queue), open a listener
 *              of our own, and join the store as <node>~<epoch>
 *   passing    the new process takes the name, accepts from the very same listener, says so
 *   given      we drain
 * Until it is given, everything can be undone: the new process is ended and we go on. */
#ifndef BERTH_NODEKIT_HANDOVER_H
#define BERTH_NODEKIT_HANDOVER_H

#include "core/clock.h"

enum handover_state {
    HANDOVER_NONE,
    HANDOVER_STARTING,
    HANDOVER_RENAMING,
    HANDOVER_PASSING,
    HANDOVER_GIVEN,
};

enum handover_event_kind {
    HANDOVER_ASKED,   /* SIGUSR2. refuse: constant text, why it cannot be now; NULL: it can */
    HANDOVER_UP,      /* the new process is ready to take over */
    HANDOVER_RENAMED, /* the store knows us by the new name */
    HANDOVER_TAKEN,   /* the new process has the name and accepts */
    HANDOVER_LOST,    /* the new process ended, or could not be started */
    HANDOVER_TICK,
};

struct handover_event {
    enum handover_event_kind kind;
    mono_ms_t now;
    const char *refuse;
};

enum handover_effect_kind {
    HANDOVER_DO_REFUSE, /* why */
    HANDOVER_DO_START,  /* the new process */
    HANDOVER_DO_RENAME, /* stop accepting, take the other name */
    HANDOVER_DO_PASS,   /* tell the new process to go */
    HANDOVER_DO_LEAVE,  /* give up the listener, drain */
    HANDOVER_DO_END,    /* the new process, if it still runs */
    HANDOVER_DO_BACK,   /* the name and the listener are ours again */
};

struct handover_effect {
    enum handover_effect_kind kind;
    const char *why; /* constant text */
};

#define HANDOVER_EFFECTS_MAX 3

struct handover_effects {
    struct handover_effect items[HANDOVER_EFFECTS_MAX];
    int count;
};

struct handover {
    enum handover_state state;
    int64_t start_limit_ms; /* for the new process to be up; 30,000 */
    int64_t name_limit_ms;  /* for each of the two joins, while nobody accepts; 3,000 */
    mono_ms_t limit;
};

void handover_init(struct handover *h, int64_t start_limit_ms, int64_t name_limit_ms);
void handover_step(struct handover *h, const struct handover_event *ev,
                   struct handover_effects *ret_fx);
mono_ms_t handover_deadline(const struct handover *h);

#endif

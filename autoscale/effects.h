/* effects.h - what the autoscaler's core asks of its shell, in order.
 *
 * Pure. A bounded list; a full one means that the rest is asked for at the next step, which is then
 * due at once. */
#ifndef BERTH_AUTOSCALE_EFFECTS_H
#define BERTH_AUTOSCALE_EFFECTS_H

#include "autoscale/fleet.h"

enum effect_kind {
    EFFECT_PLAN_SET,  /* plan field `name` = `record`; answered by SCALE_PLAN_WRITTEN */
    EFFECT_PLAN_DEL,  /* remove plan field `name`; not answered */
    EFFECT_PLAN_READ, /* read the whole plan; answered by SCALE_PLAN */
    EFFECT_LAUNCH, /* provider: `count` instances, token `name`, zone; answered by SCALE_LAUNCHED */
    EFFECT_TERMINATE, /* provider: instance `name`; answered by SCALE_TERMINATED */
    EFFECT_LIST,      /* provider: list mine; answered by SCALE_LISTED */
    EFFECT_WANT, /* node `name`: autoscale wants `want`; asked again by the core if it does not show
                  */
    EFFECT_MOVE, /* node `name` of `epoch`: `from` -> `to` as leader; asked again if it does not
                    show */
    EFFECT_ACT,  /* have the action of rule number `count` done; `record` says why; answered by
                    SCALE_ACTED */
    EFFECT_NOTE, /* event `kind_word` about node or instance `name` ("-": the pool) with `record` */
    EFFECT_TELL, /* likewise, but others write it to the pool's events: only people are told */
};

struct effect {
    enum effect_kind kind;
    char name[NAME_SIZE];
    char zone[NAME_SIZE];
    int count;
    int64_t epoch;
    mono_ms_t asked_at; /* LIST: comes back with the answer */
    enum node_state from, to;
    const char *want;      /* "draining" or "none" */
    const char *why;       /* a constant word */
    const char *kind_word; /* NOTE, TELL: scale_out, scale_in, scale_held, launch_failed ... */
    bool alert;            /* NOTE, TELL: a person should know */
    char record[448];      /* plain record */
};

#define EFFECTS_MAX 64

struct effects {
    struct effect item[EFFECTS_MAX];
    size_t count;
    bool full; /* something did not fit */
};

/* A zeroed effect of that kind at the end of the list, or NULL (and fx->full) when there is no
 * room. */
struct effect *effects_add(struct effects *fx, enum effect_kind kind, const char *name,
                           const char *why);

/* Room for n more? Sets fx->full if not. */
bool effects_room(struct effects *fx, size_t n);

void effects_note(struct effects *fx, const char *kind_word, const char *name, bool alert,
                  const char *fmt, ...) BERTH_PRINTF(5, 6);

/* An EFFECT_TELL, likewise. */
void effects_tell(struct effects *fx, const char *kind_word, const char *name, bool alert,
                  const char *fmt, ...) BERTH_PRINTF(5, 6);

/* Free text as one value of a plain record: blanks and what is not printable as %20. Cut to size.
 */
void effects_value(const char *text, char *ret_value, size_t size);

/* One line for logs and traces, for example "want node=game-1 want=draining why=in". Returns
 * ret_buf. */
const char *effects_render(const struct effect *effect, char *ret_buf, size_t size);

#endif

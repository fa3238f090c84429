/* handover.c - the steps of a restart in place. */
#include "nodekit/handover.h"

#include <assert.h>
#include <stddef.h>

void handover_init(struct handover *h, int64_t start_limit_ms, int64_t name_limit_ms)
{
    *h = (struct handover){
        .start_limit_ms = start_limit_ms, .name_limit_ms = name_limit_ms, .limit = MONO_NEVER};
}

static void add(struct handover_effects *fx, enum handover_effect_kind kind, const char *why)
{
    assert(fx->count < HANDOVER_EFFECTS_MAX);
    fx->items[fx->count++] = (struct handover_effect){kind, why};
}

static void enter(struct handover *h, enum handover_state state, mono_ms_t limit)
{
    h->state = state;
    h->limit = limit;
}

static void undo(struct handover *h, const char *why, struct handover_effects *fx)
{
    add(fx, HANDOVER_DO_END, why);
    if (h->state == HANDOVER_RENAMING || h->state == HANDOVER_PASSING)
        add(fx, HANDOVER_DO_BACK, why);
    enter(h, HANDOVER_NONE, MONO_NEVER);
}

static void asked(struct handover *h, const struct handover_event *ev, struct handover_effects *fx)
{
    const char *refuse = h->state == HANDOVER_GIVEN  ? "succeeded_already"
                         : h->state != HANDOVER_NONE ? "under_way"
                                                     : ev->refuse;
    if (refuse) {
        add(fx, HANDOVER_DO_REFUSE, refuse);
        return;
    }
    enter(h, HANDOVER_STARTING, mono_add(ev->now, h->start_limit_ms));
    add(fx, HANDOVER_DO_START, "asked");
}

void handover_step(struct handover *h, const struct handover_event *ev,
                   struct handover_effects *ret_fx)
{
    ret_fx->count = 0;
    bool under_way = h->state != HANDOVER_NONE && h->state != HANDOVER_GIVEN;
    mono_ms_t name_limit = mono_add(ev->now, h->name_limit_ms);
    switch (ev->kind) {
    case HANDOVER_ASKED:
        asked(h, ev, ret_fx);
        break;
    case HANDOVER_UP:
        if (h->state != HANDOVER_STARTING)
            break;
        enter(h, HANDOVER_RENAMING, name_limit);
        add(ret_fx, HANDOVER_DO_RENAME, "restart");
        break;
    case HANDOVER_RENAMED:
        if (h->state != HANDOVER_RENAMING)
            break;
        enter(h, HANDOVER_PASSING, name_limit);
        add(ret_fx, HANDOVER_DO_PASS, "restart");
        break;
    case HANDOVER_TAKEN:
        if (h->state != HANDOVER_PASSING)
            break;
        enter(h, HANDOVER_GIVEN, MONO_NEVER);
        add(ret_fx, HANDOVER_DO_LEAVE, "restart");
        break;
    case HANDOVER_LOST:
        if (under_way)
            undo(h, "new_process_ended", ret_fx);
        break;
    case HANDOVER_TICK:
        if (under_way && !mono_before(ev->now, h->limit))
            undo(h, "too_slow", ret_fx);
        break;
    }
}

mono_ms_t handover_deadline(const struct handover *h)
{
    return h->limit;
}

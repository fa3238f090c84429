/* fx.c - writing effects. */
#include "lb/internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void fx_hook(struct lb_effect *note, const char *hook)
{
    if (note != NULL)
        note->hook = hook;
}

bool fx_room(struct lb *lb, const struct lb_effects *fx, size_t wanted)
{
    if (fx->count + wanted <= LB_EFFECTS_MAX)
        return true;
    lb->again = true;
    return false;
}

struct lb_effect *fx_add(struct lb_effects *fx, enum lb_effect_kind kind, size_t pool,
                         const char *why)
{
    assert(fx->count < LB_EFFECTS_MAX);
    struct lb_effect *effect = &fx->items[fx->count++];
    *effect = (struct lb_effect){.kind = kind, .pool = pool, .event = ""};
    (void)snprintf(effect->why, sizeof effect->why, "%s", why);
    return effect;
}

struct lb_effect *fx_note(struct lb_effects *fx, enum lb_level level, size_t pool,
                          const char *event, const char *node, bool record, const char *why,
                          const char *fmt, ...)
{
    if (fx->count >= LB_EFFECTS_MAX)
        return NULL;
    struct lb_effect *effect = fx_add(fx, LB_DO_NOTE, pool, why);
    effect->level = level;
    effect->event = event;
    effect->record = record;
    (void)snprintf(effect->node, sizeof effect->node, "%s", node ? node : "-");
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(effect->text, sizeof effect->text, fmt, args);
    va_end(args);
    return effect;
}

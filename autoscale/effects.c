/* effects.c - what the autoscaler's core asks of its shell, in order. */
#include "autoscale/effects.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct effect *effects_add(struct effects *fx, enum effect_kind kind, const char *name,
                           const char *why)
{
    if (fx->count == EFFECTS_MAX) {
        fx->full = true;
        return NULL;
    }
    struct effect *e = &fx->item[fx->count++];
    *e = (struct effect){.kind = kind, .why = why};
    memcpy(e->name, name, strnlen(name, sizeof e->name - 1));
    return e;
}

bool effects_room(struct effects *fx, size_t n)
{
    if (EFFECTS_MAX - fx->count >= n)
        return true;
    fx->full = true;
    return false;
}

static void say(struct effects *fx, enum effect_kind kind, const char *kind_word, const char *name,
                bool alert, const char *fmt, va_list ap)
{
    struct effect *e = effects_add(fx, kind, name, kind_word);
    if (!e)
        return;
    e->kind_word = kind_word;
    e->alert = alert;
    vsnprintf(e->record, sizeof e->record, fmt, ap);
}

void effects_note(struct effects *fx, const char *kind_word, const char *name, bool alert,
                  const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(fx, EFFECT_NOTE, kind_word, name, alert, fmt, ap);
    va_end(ap);
}

void effects_tell(struct effects *fx, const char *kind_word, const char *name, bool alert,
                  const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(fx, EFFECT_TELL, kind_word, name, alert, fmt, ap);
    va_end(ap);
}

void effects_value(const char *text, char *ret_value, size_t size)
{
    size_t n = 0;
    for (; *text && n + 4 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c <= ' ' || c == '%' || c == 127)
            n += (size_t)snprintf(ret_value + n, size - n, "%%%02X", c);
        else
            ret_value[n++] = (char)c;
    }
    ret_value[n] = 0;
}

const char *effects_render(const struct effect *e, char *ret_buf, size_t size)
{
    switch (e->kind) {
    case EFFECT_PLAN_SET:
        snprintf(ret_buf, size, "plan_set field=%s %s", e->name, e->record);
        break;
    case EFFECT_PLAN_DEL:
        snprintf(ret_buf, size, "plan_del field=%s why=%s", e->name, e->why);
        break;
    case EFFECT_PLAN_READ:
        snprintf(ret_buf, size, "plan_read");
        break;
    case EFFECT_LAUNCH:
        snprintf(ret_buf, size, "launch token=%s count=%d why=%s", e->name, e->count, e->why);
        break;
    case EFFECT_TERMINATE:
        snprintf(ret_buf, size, "terminate instance=%s why=%s", e->name, e->why);
        break;
    case EFFECT_LIST:
        snprintf(ret_buf, size, "list");
        break;
    case EFFECT_WANT:
        snprintf(ret_buf, size, "want node=%s want=%s why=%s", e->name, e->want, e->why);
        break;
    case EFFECT_MOVE:
        snprintf(ret_buf, size, "move node=%s from=%s to=%s why=%s", e->name, state_word(e->from),
                 state_word(e->to), e->why);
        break;
    case EFFECT_ACT:
        snprintf(ret_buf, size, "act rule=%s %s", e->name, e->record);
        break;
    case EFFECT_NOTE:
    case EFFECT_TELL:
        snprintf(ret_buf, size, "%s name=%s %s", e->kind_word, e->name, e->record);
        break;
    }
    return ret_buf;
}

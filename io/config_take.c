/* config_take.c - what a running program takes of a configuration that was read again. */
#include "io/config_tree.h"

#include <stdlib.h>

struct take {
    struct config *live, *fresh;
    config_told *told;
    void *arg;
    const char *missing; /* an element that is no longer there; NULL: none */
    bool looking;        /* nothing is changed */
};

static size_t size_of(const struct option *option)
{
    static const size_t sizes[] = {
        [OPT_BOOL] = sizeof(bool),
        [OPT_INT] = sizeof(int64_t),
        [OPT_DURATION] = sizeof(int64_t),
        [OPT_SIZE] = sizeof(int64_t),
        [OPT_NUMBER] = sizeof(double),
        [OPT_TEXT] = sizeof(const char *),
        [OPT_NAME] = sizeof(const char *),
        [OPT_CHOICE] = sizeof(int),
        [OPT_LIST] = sizeof(struct text_list),
        [OPT_HOSTPORT] = sizeof(struct host_port),
    };
    return sizes[option->type];
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_value(const struct option *option, const void *a, const void *b)
{
    const struct text_list *la = a, *lb = b;
    const struct host_port *ha = a, *hb = b;
    switch (option->type) {
    case OPT_TEXT:
    case OPT_NAME:
        return same_text(*(const char *const *)a, *(const char *const *)b);
    case OPT_LIST:
        for (size_t i = 0; la->count == lb->count && i < la->count; i++)
            if (!same_text(la->items[i], lb->items[i]))
                return false;
        return la->count == lb->count;
    case OPT_HOSTPORT:
        return ha->port == hb->port && same_text(ha->host, hb->host);
    default:
        return memcmp(a, b, size_of(option)) == 0;
    }
}

static void tell(struct take *t, const struct scope *scope, const char *name, bool taken)
{
    char path[2 * CONFIG_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s%s%s", scope->path, *name ? "." : "", name);
    if (!t->looking && t->told)
        t->told(t->arg, path, taken);
}

static void take_options(struct take *t, const struct scope *live, const struct scope *fresh)
{
    for (const struct option *o = live->options; o && o->name; o++) {
        void *to = live->base + o->offset;
        const void *from = fresh->base + o->offset;
        bool same = same_value(o, to, from), may = (o->flags & OPT_LIVE) != 0;
        if (may && !t->looking)
            memcpy(to, from,
                   size_of(o)); /* the same too: nothing is to stay in what was taken before */
        if (!same)
            tell(t, live, o->name, may);
    }
}

static bool same_items(const struct scope *live, const struct scope *fresh,
                       const struct section *section);

/* Do two scopes hold the same, with everything inside? */
static bool same_scope(const struct scope *a, const struct scope *b)
{
    if (a->options != b->options)
        return false;
    for (const struct option *o = a->options; o && o->name; o++)
        if (!same_value(o, a->base + o->offset, b->base + o->offset))
            return false;
    for (const struct section *s = a->sections; s && s->name; s++)
        if (!same_items(a, b, s))
            return false;
    return true;
}

static bool same_items(const struct scope *a, const struct scope *b, const struct section *section)
{
    if (section->shape == SECTION_ONE) {
        struct scope x = scope_one(a, section), y = scope_one(b, section);
        return same_scope(&x, &y);
    }
    size_t count = scope_items(a, section)->count;
    for (size_t i = 0; count == scope_items(b, section)->count && i < count; i++) {
        struct scope x = scope_element(a, section, i), y = scope_element(b, section, i);
        if (!same_scope(&x, &y))
            return false;
    }
    return count == scope_items(b, section)->count;
}

static void take_scope(struct take *t, const struct scope *live, const struct scope *fresh);

/* Elements with names, each by itself. */
static void take_map(struct take *t, const struct scope *live, const struct scope *fresh,
                     const struct section *section)
{
    size_t found = 0, count = scope_items(fresh, section)->count;
    for (size_t i = 0; i < scope_items(live, section)->count; i++) {
        struct scope to = scope_element(live, section, i), from;
        bool there = false;
        for (size_t k = 0; k < count && !there; k++) {
            from = scope_element(fresh, section, k);
            there = same_text(*(const char **)(void *)to.base, *(const char **)(void *)from.base);
        }
        found += there;
        if (there)
            take_scope(t, &to, &from);
        else if (!t->missing)
            t->missing = config_printf(t->fresh, "%s", to.path);
    }
    if (found < count)
        tell(t, live, section->name, false);
}

static void take_scope(struct take *t, const struct scope *live, const struct scope *fresh)
{
    take_options(t, live, fresh);
    for (const struct section *s = live->sections; s && s->name; s++) {
        if (live->sections == settings_sections && !config_reads(t->live, s))
            continue;
        if (s->shape == SECTION_ONE) {
            struct scope to = scope_one(live, s), from = scope_one(fresh, s);
            take_scope(t, &to, &from);
        } else if (s->shape == SECTION_MAP) {
            take_map(t, live, fresh, s);
        } else {
            bool same = same_items(live, fresh, s);
            if (s->live && !t->looking)
                *scope_items(live, s) = *scope_items(fresh, s);
            if (!same)
                tell(t, live, s->name, s->live);
        }
    }
}

int config_take(struct config *live, struct config *fresh, config_told *told, void *arg,
                struct err *err)
{
    struct take t = {live, fresh, told, arg, NULL, true};
    struct scope to = scope_top(live), from = scope_top(fresh);
    take_scope(&t, &to, &from);
    if (t.missing)
        return err_set(err, BERTH_EINVAL, "%s: is no longer there: needs a restart", t.missing);
    t.looking = false;
    take_scope(&t, &to, &from);
    config_close(live->taken);
    live->taken = fresh;
    return 0;
}

/* config_tree.c - scopes: defaults, elements, values and where they came from, checks. */
#include "io/config_tree.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

struct config_chunk {
    struct config_chunk *next;
    size_t used, size;
    _Alignas(max_align_t) char data[];
};

void *config_alloc(struct config *config, size_t size)
{
    enum { CHUNK_BYTES = 64 << 10 };
    size = (size + 15) & ~(size_t)15;
    struct config_chunk *chunk = config->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        chunk = calloc(1, sizeof *chunk + room);
        if (!chunk) {
            (void)fputs("out of memory while reading the configuration\n", stderr);
            exit(1);
        }
        chunk->size = room;
        chunk->next = config->chunks;
        config->chunks = chunk;
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += size;
    return memory;
}

void config_close(struct config *config)
{
    if (!config)
        return;
    config_close(config->taken);
    for (struct config_chunk *chunk = config->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(config);
}

static void *alloc_option(void *arg, size_t size)
{
    return config_alloc(arg, size);
}

const char *config_printf(struct config *config, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t size = strlen(text) + 1;
    return memcpy(config_alloc(config, size), text, size);
}

void config_complain(struct config *config, const char *where, const char *path, const char *fmt,
                     ...)
{
    if (config->error_count++ >= CONFIG_ERRORS_MAX)
        return;
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)fprintf(config->errors, "%s: %s%s%s\n", where, path, *path ? ": " : "", text);
}

bool config_reads(const struct config *config, const struct section *section)
{
    if (config->read_all)
        return true;
    for (const char *const *name = config->program->reads; *name; name++)
        if (strcmp(*name, section->name) == 0)
            return true;
    return false;
}

/* ---- origins ---- */

void config_note(struct config *config, const void *address, const struct option *option,
                 const char *where)
{
    for (size_t i = 0; i < config->origin_count; i++) {
        struct config_origin *origin = &config->origins[i];
        if (origin->address == address && origin->option == option) {
            origin->where = where;
            return;
        }
    }
    if (config->origin_count == config->origin_room) {
        size_t room = config->origin_room ? 2 * config->origin_room : 64;
        struct config_origin *bigger =
            config_alloc(config, room * sizeof *bigger); /* the old ones stay in the arena */
        if (config->origin_count)
            memcpy(bigger, config->origins, config->origin_count * sizeof *bigger);
        config->origins = bigger;
        config->origin_room = room;
    }
    config->origins[config->origin_count++] = (struct config_origin){address, option, where};
}

const struct config_origin *config_origin(const struct config *config, const void *address,
                                          const struct option *option)
{
    for (size_t i = 0; i < config->origin_count; i++)
        if (config->origins[i].address == address && config->origins[i].option == option)
            return &config->origins[i];
    return NULL;
}

/* ---- scopes ---- */

static size_t append(char *path, size_t len, const char *text, size_t text_len)
{
    size_t room = CONFIG_PATH_MAX - 1 - len,
           n = text_len < room ? text_len : room; /* cut, for display only */
    memcpy(path + len, text, n);
    path[len + n] = '\0';
    return len + n;
}

static void path_join(char *ret_path, const char *parent, struct span name)
{
    size_t len = append(ret_path, 0, parent, strlen(parent));
    if (len)
        len = append(ret_path, len, ".", 1);
    if (name.len)
        (void)append(ret_path, len, name.ptr, name.len);
}

struct scope scope_top(struct config *config)
{
    return (struct scope){.sections = settings_sections, .base = (char *)&config->settings};
}

struct scope scope_one(const struct scope *parent, const struct section *section)
{
    struct scope scope = {section->options, section->sections, NULL, parent->base + section->offset,
                          ""};
    path_join(scope.path, parent->path, span_of(section->name));
    return scope;
}

struct section_items *scope_items(const struct scope *parent, const struct section *section)
{
    return (struct section_items *)(void *)(parent->base + section->offset);
}

static const struct section_kind *find_kind(const struct section *section, struct span name)
{
    for (const struct section_kind *kind = section->kinds; kind->name; kind++)
        if (span_is(name, kind->name))
            return kind;
    return NULL;
}

struct scope scope_element(const struct scope *parent, const struct section *section, size_t i)
{
    struct section_items *items = scope_items(parent, section);
    struct scope scope = {.options = section->options, .sections = section->sections};
    char name[96];
    assert(i < items->count);
    if (section->shape == SECTION_KIND) {
        struct section_kind_item *item = SECTION_AT(*items, struct section_kind_item, i);
        scope.base = item->values;
        scope.options = find_kind(section, span_of(item->kind))->options;
        scope.select = section->select;
    } else {
        scope.base = (char *)items->items + i * section->size;
    }
    if (section->shape == SECTION_MAP)
        (void)snprintf(name, sizeof name, "%s.%s", section->name,
                       *(const char **)(void *)scope.base);
    else
        (void)snprintf(name, sizeof name, "%s.%zu", section->name, i);
    path_join(scope.path, parent->path, span_of(name));
    return scope;
}

void scope_defaults(struct config *config, const struct scope *scope)
{
    struct option_memory memory = {alloc_option, config};
    struct err err = {0};
    for (const struct option *option = scope->options; option && option->name; option++) {
        if (!option->initial || (option->flags & OPT_REQUIRED))
            continue;
        int rc = option_set(option, scope->base, span_of(option->initial), &memory, &err);
        assert(rc == 0); /* a fault of the table; a unit test walks all rows */
        (void)rc;
    }
    for (const struct section *section = scope->sections; section && section->name; section++) {
        if (section->shape != SECTION_ONE)
            continue;
        struct scope inner = scope_one(scope, section);
        scope_defaults(config, &inner);
    }
}

bool scope_add(struct config *config, const struct scope *parent, const struct section *section,
               struct span name, const char *where, struct scope *ret_scope)
{
    struct section_items *items = scope_items(parent, section);
    char path[CONFIG_PATH_MAX];
    path_join(path, parent->path, span_of(section->name));
    if (items->count == section->max) {
        config_complain(config, where, path, "there may be at most %zu", section->max);
        return false;
    }
    const struct section_kind *kind = NULL;
    if (section->shape == SECTION_KIND && !(kind = find_kind(section, name))) {
        char known[300];
        size_t len = 0;
        for (kind = section->kinds; kind->name && len < sizeof known; kind++)
            len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", len ? "|" : "",
                                    kind->name);
        config_complain(config, where, path, "%s = %.*s: must be one of %s", section->select,
                        SPAN_ARG(name), known);
        return false;
    }
    if (section->shape == SECTION_MAP && !option_is_name(name)) {
        config_complain(config, where, path,
                        "%.*s: must be a name of 1..63 letters, digits, or . _ ~ -",
                        SPAN_ARG(name));
        return false;
    }
    size_t size = kind ? sizeof(struct section_kind_item) : section->size;
    if (!items->items) /* all at once, so that no element ever moves */
        items->items = config_alloc(config, section->max * size);
    size_t i = items->count++;
    if (kind)
        *SECTION_AT(*items, struct section_kind_item, i) =
            (struct section_kind_item){kind->name, config_alloc(config, kind->size)};
    else if (section->shape == SECTION_MAP)
        *(const char **)(void *)((char *)items->items + i * size) =
            config_printf(config, "%.*s", SPAN_ARG(name));
    *ret_scope = scope_element(parent, section, i);
    scope_defaults(config, ret_scope);
    config_note(config, ret_scope->base, NULL, where);
    return true;
}

const struct option *scope_option(const struct scope *scope, struct span name)
{
    for (const struct option *option = scope->options; option && option->name; option++)
        if (span_is(name, option->name))
            return option;
    return NULL;
}

const struct section *scope_section(const struct scope *scope, struct span name)
{
    for (const struct section *section = scope->sections; section && section->name; section++)
        if (span_is(name, section->name))
            return section;
    return NULL;
}

static void consider(const char *name, struct span key, unsigned *best, const char **nearest)
{
    unsigned distance = option_distance(span_of(name), key);
    if (distance < *best) {
        *best = distance;
        *nearest = name;
    }
}

void scope_no_option(struct config *config, const char *where, const char *path,
                     const struct section *section)
{
    const char *first = section->options && section->options->name ? section->options->name : "...";
    config_complain(config, where, path, "must be followed by one of its options, as in %s.%s",
                    path, first);
}

void scope_unknown(struct config *config, const struct scope *scope, const char *where,
                   const char *prefix, struct span key)
{
    static const char *const steps[] = {
        [SECTION_ONE] = "", [SECTION_MAP] = ".NAME", [SECTION_LIST] = ".0", [SECTION_KIND] = ".0"};
    char path[CONFIG_PATH_MAX], full[CONFIG_PATH_MAX];
    const char *nearest = NULL;
    struct span rest = key,
                head = span_cut(&rest, '.'); /* of a dotted path the first word names the section */
    (void)snprintf(full, sizeof full, "%s%.*s", prefix, SPAN_ARG(key));
    const struct section *ended = *prefix ? NULL : scope_section(scope, key);
    if (ended) {
        path_join(path, scope->path, span_of(ended->name));
        size_t len = strlen(path);
        (void)snprintf(path + len, sizeof path - len, "%s", steps[ended->shape]);
        scope_no_option(config, where, path, ended);
        return;
    }
    unsigned best = (unsigned)strlen(full) / 3 + 1; /* further away is no typing mistake */
    for (const struct option *option = scope->options; option && option->name; option++)
        consider(option->name, span_of(full), &best, &nearest);
    for (const struct section *section = scope->sections; section && section->name; section++)
        consider(section->name, head, &best, &nearest);
    path_join(path, scope->path, span_of(full));
    if (nearest) {
        config_complain(config, where, path, "no such option; did you mean %s?", nearest);
        return;
    }
    char known[400] = "";
    size_t len = 0;
    for (const struct option *option = scope->options; option && option->name && len < sizeof known;
         option++)
        len += (size_t)snprintf(known + len, sizeof known - len, " %s", option->name);
    for (const struct section *section = scope->sections;
         section && section->name && len < sizeof known; section++)
        len += (size_t)snprintf(known + len, sizeof known - len, " %s", section->name);
    config_complain(config, where, path, "no such option; known here:%s", known);
}

/* ---- values ---- */

static void complain_value(struct config *config, const struct scope *scope,
                           const struct option *option, struct span text, const char *where,
                           const struct err *err)
{
    char path[CONFIG_PATH_MAX];
    path_join(path, scope->path, span_of(option->name));
    if (option->flags & OPT_SECRET)
        config_complain(config, where, path, "%s", err->text);
    else
        config_complain(config, where, "", "%s = %.*s%s: %s", path,
                        (int)(text.len < 60 ? text.len : 60), text.ptr ? text.ptr : "",
                        text.len > 60 ? "..." : "", err->text);
}

void scope_set(struct config *config, const struct scope *scope, const struct option *option,
               struct span text, const char *where)
{
    struct option_memory memory = {alloc_option, config};
    struct err err = {0};
    if (option_set(option, scope->base, text, &memory, &err) < 0)
        complain_value(config, scope, option, text, where, &err);
    config_note(config, scope->base + option->offset, option,
                where); /* also when wrong: it was given */
}

void scope_set_list(struct config *config, const struct scope *scope, const struct option *option,
                    const struct span *items, size_t count, const char *where)
{
    struct option_memory memory = {alloc_option, config};
    struct err err = {0};
    if (option_set_list(option, scope->base, items, count, &memory, &err) < 0)
        complain_value(config, scope, option, SPAN("[...]"), where, &err);
    config_note(config, scope->base + option->offset, option, where);
}

/* ---- the whole ---- */

static const char *place(const struct config *config, const struct scope *scope)
{
    const struct config_origin *origin = config_origin(config, scope->base, NULL);
    return origin ? origin->where : config->file ? config->file : "configuration";
}

static void run_check(struct config *config, const struct scope *scope,
                      int (*check)(const void *values, struct err *err))
{
    struct err err = {0};
    if (!check || check(scope->base, &err) >= 0)
        return;
    struct span name = {err.text,
                        strcspn(err.text, " :")}; /* the text begins with the option's name */
    const struct option *option = scope_option(scope, name);
    const struct config_origin *origin =
        option ? config_origin(config, scope->base + option->offset, option) : NULL;
    config_complain(config, origin ? origin->where : place(config, scope), "", "%s%s%s",
                    scope->path, *scope->path ? "." : "", err.text);
}

static void finish_scope(struct config *config, const struct scope *scope,
                         int (*check)(const void *values, struct err *err))
{
    size_t before = config->error_count;
    for (const struct option *option = scope->options; option && option->name; option++) {
        if (!(option->flags & OPT_REQUIRED) ||
            config_origin(config, scope->base + option->offset, option))
            continue;
        char path[CONFIG_PATH_MAX], expects[200];
        path_join(path, scope->path, span_of(option->name));
        config_complain(config, place(config, scope), path, "is missing: must be %s",
                        option_expects(option, expects, sizeof expects));
    }
    if (config->error_count == before)
        config_finish(config, scope);
    if (config->error_count == before)
        run_check(config, scope, check);
}

void config_finish(struct config *config, const struct scope *scope)
{
    for (const struct section *section = scope->sections; section && section->name; section++) {
        if (scope->sections == settings_sections && !config_reads(config, section))
            continue;
        if (section->shape == SECTION_ONE) {
            struct scope inner = scope_one(scope, section);
            finish_scope(config, &inner, section->check);
            continue;
        }
        for (size_t i = 0; i < scope_items(scope, section)->count; i++) {
            struct scope inner = scope_element(scope, section, i);
            const struct section_kind *kind =
                section->kinds ? find_kind(section, span_of(SECTION_AT(*scope_items(scope, section),
                                                                       struct section_kind_item, i)
                                                                ->kind))
                               : NULL;
            finish_scope(config, &inner, kind ? kind->check : section->check);
        }
    }
}

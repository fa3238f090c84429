/* config.c - file < environment < flags: the order of a program's configuration, and what it is
 * asked on the command line. */
#include "io/config_tree.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const char default_file[] = "/etc/berth/berth.yaml";

/* What the command line asks for besides options. */
struct request {
    const char *file;
    bool help, version, check, print, manual;
};

/* ---- dotted paths ---- */

static bool same_letter(char a, char b, bool loose)
{
    if (!loose)
        return a == b;
    a = a == '-' ? '_' : (char)tolower((unsigned char)a);
    b = b == '-' ? '_' : (char)tolower((unsigned char)b);
    return a == b;
}

/* Does `path` begin with `name`, followed by a dot or the end? */
static bool begins_with(struct span path, const char *name, bool loose)
{
    size_t len = strlen(name);
    if (path.len < len || (path.len > len && path.ptr[len] != '.'))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!same_letter(path.ptr[i], name[i], loose))
            return false;
    return true;
}

static struct span after(struct span path, size_t len)
{
    return path.len > len ? (struct span){path.ptr + len + 1, path.len - len - 1}
                          : (struct span){"", 0};
}

/* Where a path leads. */
struct target {
    struct scope scope;
    const struct option *option;
};

struct walk {
    struct config *config;
    const char *where; /* NULL: only looking, add and complain about nothing */
    struct span value;
    bool loose;
};

static bool walk_scope(struct walk *w, const struct scope *scope, struct span rest,
                       struct target *ret);

static bool walk_map(struct walk *w, const struct scope *parent, const struct section *section,
                     struct span rest, struct target *ret)
{
    const struct section_items *items = scope_items(parent, section);
    struct scope element;
    for (size_t i = 0; i < items->count; i++) { /* names may hold dots, so known ones first */
        element = scope_element(parent, section, i);
        const char *name = *(const char **)(void *)element.base;
        if (w->where && !section->value && rest.len == strlen(name) &&
            begins_with(rest, name, w->loose)) {
            scope_no_option(w->config, w->where, element.path, section);
            return false;
        }
        if (begins_with(rest, name, w->loose))
            return walk_scope(
                w, &element,
                rest.len > strlen(name) ? after(rest, strlen(name)) : span_of(section->value), ret);
    }
    struct span tail = rest, name = span_cut(&tail, '.');
    char lower[64];
    if (tail.len == 0)
        tail = span_of(section->value);
    if (w->where && tail.len) {
        bool fits = name.len < sizeof lower; /* else it is too long for a name */
        for (size_t i = 0; fits && i < name.len; i++)
            lower[i] = w->loose ? (char)tolower((unsigned char)name.ptr[i]) : name.ptr[i];
        return scope_add(w->config, parent, section, fits ? (struct span){lower, name.len} : name,
                         w->where, &element) &&
               walk_scope(w, &element, tail, ret);
    }
    if (w->where) {
        struct scope self = scope_one(parent, section);
        scope_no_option(w->config, w->where,
                        config_printf(w->config, "%s.%.*s", self.path, SPAN_ARG(rest)), section);
    }
    if (!w->where && section->options) { /* looking only: any element would do */
        element = (struct scope){.options = section->options, .sections = section->sections};
        return walk_scope(w, &element, tail, ret);
    }
    return false;
}

static bool walk_list(struct walk *w, const struct scope *parent, const struct section *section,
                      struct span rest, struct target *ret)
{
    struct scope self = scope_one(parent, section), element;
    const struct section_items *items = scope_items(parent, section);
    struct span tail = rest, number = span_cut(&tail, '.');
    int64_t i;
    if (!span_int(number, &i) || i < 0 || (size_t)i > items->count ||
        ((size_t)i == items->count && section->shape == SECTION_KIND)) {
        if (w->where)
            config_complain(w->config, w->where, self.path,
                            "%.*s: must be the number of an item, 0..%zu", SPAN_ARG(number),
                            items->count - (section->shape == SECTION_KIND && items->count > 0));
        return false;
    }
    if ((size_t)i < items->count)
        element = scope_element(parent, section, (size_t)i);
    else if (!w->where || !scope_add(w->config, parent, section, SPAN(""), w->where, &element))
        return false;
    return walk_scope(w, &element, tail, ret);
}

static bool walk_scope(struct walk *w, const struct scope *scope, struct span rest,
                       struct target *ret)
{
    for (const struct option *option = scope->options; option && option->name; option++) {
        if (rest.len == strlen(option->name) && begins_with(rest, option->name, w->loose)) {
            *ret = (struct target){*scope, option};
            return true;
        }
    }
    for (const struct section *section = scope->sections; section && section->name; section++) {
        struct scope inner;
        if (!begins_with(rest, section->name, w->loose) || rest.len == strlen(section->name))
            continue;
        struct span tail = after(rest, strlen(section->name));
        if (scope->sections == settings_sections && !config_reads(w->config, section)) {
            if (w->where && !w->loose)
                config_complain(w->config, w->where, section->name, "%s does not read this section",
                                w->config->program->name);
            return false;
        }
        if (!scope->base && section->shape != SECTION_ONE)
            return false;
        if (section->shape == SECTION_MAP)
            return walk_map(w, scope, section, tail, ret);
        if (section->shape != SECTION_ONE)
            return walk_list(w, scope, section, tail, ret);
        if (scope->base)
            inner = scope_one(scope, section);
        else
            inner = (struct scope){.options = section->options, .sections = section->sections};
        return walk_scope(w, &inner, tail, ret);
    }
    if (w->where)
        scope_unknown(w->config, scope, w->where, "", rest);
    return false;
}

void config_set_path(struct config *config, struct span path, struct span value, const char *where,
                     bool loose)
{
    struct walk walk = {config, where, value, loose};
    struct scope top = scope_top(config);
    struct target target;
    if (walk_scope(&walk, &top, path, &target))
        scope_set(config, &target.scope, target.option, value, where);
}

const struct option *config_find_path(struct config *config, struct span path)
{
    struct walk walk = {.config = config};
    struct scope top = scope_top(config);
    struct target target;
    return walk_scope(&walk, &top, path, &target) ? target.option : NULL;
}

/* ---- environment ---- */

/* BERTH_POOLS__GAME__LOST_AFTER=5s: two underscores are a dot. Variables without two underscores
 * are not ours. */
static void read_environment(struct config *config)
{
    static const char prefix[] = "BERTH_";
    for (char *const *entry = config->envp; entry && *entry; entry++) {
        const char *eq = strchr(*entry, '=');
        if (!eq || strncmp(*entry, prefix, sizeof prefix - 1) != 0)
            continue;
        char path[CONFIG_PATH_MAX];
        size_t len = 0;
        bool dotted = false;
        for (const char *at = *entry + sizeof prefix - 1; at < eq && len + 1 < sizeof path; at++) {
            if (at[0] == '_' && at[1] == '_') {
                path[len++] = '.';
                dotted = true;
                at++;
            } else {
                path[len++] = (char)tolower((unsigned char)*at);
            }
        }
        if (dotted)
            config_set_path(config, (struct span){path, len}, span_of(eq + 1),
                            config_printf(config, "environment %.*s", (int)(eq - *entry), *entry),
                            true);
    }
}

/* ---- flags ---- */

static const char *alias_path(const struct config *config, struct span flag)
{
    for (const struct config_alias *alias = config->program->aliases; alias && alias->flag; alias++)
        if (span_is(flag, alias->flag))
            return alias->path;
    return NULL;
}

static bool is_truth(const char *word)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off"};
    for (size_t i = 0; word && i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

static bool is_request(struct span flag, struct request *request)
{
    if (span_is(flag, "--help") || span_is(flag, "-h"))
        request->help = true;
    else if (span_is(flag, "--version"))
        request->version = true;
    else if (span_is(flag, "--check-config"))
        request->check = true;
    else if (span_is(flag, "--print-config"))
        request->print = true;
    else if (span_is(flag, "--print-manual"))
        request->manual = true;
    else
        return false;
    return true;
}

static void usage_error(struct config *config, const char *flag, const char *text)
{
    config->usage_error = true;
    config_complain(config, flag, "", "%s", text);
}

/* Complains of a flag that is nearly one of the program's own short ones. */
static bool unknown_flag(struct config *config, struct span flag)
{
    const char *nearest = NULL;
    unsigned least = 3; /* more edits are another word */
    for (const struct config_alias *alias = config->program->aliases; alias && alias->flag;
         alias++) {
        unsigned distance = option_distance(flag, span_of(alias->flag));
        if (distance < least && distance * 3 < flag.len) {
            least = distance;
            nearest = alias->flag;
        }
    }
    if (!nearest)
        return false;
    usage_error(config, config_printf(config, "%.*s", SPAN_ARG(flag)),
                config_printf(config, "no such option; did you mean %s?", nearest));
    return true;
}

/* One flag at argv[i], with its value if it has one; returns how many words it took. With request,
 * only what comes before reading the file is taken (--config, --help ...); without, only options
 * are set. */
static int read_flag(struct config *config, int i, struct request *request)
{
    const char *word = config->argv[i], *next = i + 1 < config->argc ? config->argv[i + 1] : NULL;
    const char *eq = strchr(word, '=');
    struct span flag = {word, eq ? (size_t)(eq - word) : strlen(word)}, path;
    struct request ignored = {0};
    if (!eq && is_request(flag, request ? request : &ignored))
        return 1;
    if (eq && is_request(flag, &ignored)) {
        if (!request)
            usage_error(config, config_printf(config, "%.*s", SPAN_ARG(flag)), "takes no value");
        return 1;
    }
    bool is_file = span_is(flag, "--config") || span_is(flag, "-c");
    const char *alias = alias_path(config, flag);
    if (!is_file && !alias && (flag.len < 3 || word[1] != '-')) {
        if (!request)
            usage_error(config, word, "no such flag; --help tells them");
        return 1;
    }
    path = alias ? span_of(alias) : (struct span){flag.ptr + 2, flag.len > 2 ? flag.len - 2 : 0};
    const char *value = eq ? eq + 1 : next;
    int taken = eq ? 1 : 2;
    const struct option *option = is_file ? NULL : config_find_path(config, path);
    if (!eq && option && option->type == OPT_BOOL && !is_truth(next)) {
        value = "true"; /* a switch may stand alone */
        taken = 1;
    }
    if (!is_file && !option && !request && unknown_flag(config, flag))
        return eq || !next || next[0] == '-' ? 1 : 2;
    if (!value || (is_file && !*value)) {
        if (!request && (is_file || option))
            usage_error(config, word, is_file ? "needs a file" : "needs a value");
        else if (!request) { /* complains, and names the nearest */
            config_set_path(config, path, SPAN(""), config_printf(config, "flag %s", word), false);
            config->usage_error = true;
        }
        return 1;
    }
    if (is_file && request)
        request->file = value;
    if (!is_file && !request) {
        size_t before = config->error_count;
        config_set_path(config, path, span_of(value),
                        config_printf(config, "flag %.*s", SPAN_ARG(flag)), false);
        config->usage_error = config->usage_error || config->error_count > before;
    }
    return taken;
}

static void read_flags(struct config *config, struct request *request)
{
    bool flags = true;
    for (int i = 1; i < config->argc;) {
        const char *word = config->argv[i];
        if (flags && strcmp(word, "--") == 0) {
            flags = false;
            i++;
        } else if (flags && word[0] == '-' && word[1]) {
            i += read_flag(config, i, request);
        } else {
            if (!request && !config->program->operands)
                usage_error(config, word,
                            "unexpected word; options begin with --, and --help tells them");
            else if (!request)
                config->operands[config->operand_count++] = word;
            i++;
        }
    }
}

/* ---- all together ---- */

/* A pool's Redis must be one of redis.servers. */
static void check_servers(struct config *config)
{
    if (config->error_count || !config_reads(config, &settings_sections[0])) /* redis */
        return;
    const struct settings *settings = &config->settings;
    for (size_t i = 0; i < settings->pools.count; i++) {
        const struct pool_settings *pool = SECTION_AT(settings->pools, struct pool_settings, i);
        if (!settings_redis(settings, pool->redis))
            config_complain(config, config_where(config, &pool->redis), "",
                            "pools.%s.redis = %s: must be one of redis.servers", pool->name,
                            pool->redis);
    }
}

static struct config *load(const struct config_program *program, int argc, char *const argv[],
                           char *const envp[], FILE *errors, struct request *ret_request)
{
    struct config *config = calloc(1, sizeof *config);
    if (!config)
        return NULL;
    *config = (struct config){
        .program = program, .argc = argc, .argv = argv, .envp = envp, .errors = errors};
    config->operands = config_alloc(config, ((size_t)argc + 1) * sizeof *config->operands);
    struct scope top = scope_top(config);
    scope_defaults(config, &top);

    struct request request = {0};
    for (char *const *entry = envp; entry && *entry; entry++)
        if (strncmp(*entry, "BERTH_CONFIG=", 13) == 0 && (*entry)[13])
            request.file = *entry + 13;
    config->read_all = true; /* so that a flag of any section is told from a word while the first
                                pass looks for --config */
    read_flags(config, &request);
    config->read_all = request.check;
    if (!request.file && access(default_file, R_OK) == 0)
        request.file = default_file;
    *ret_request = request;
    if (request.help || request.version || request.manual)
        return config;

    if (request.file) {
        config->file = config_printf(config, "%s", request.file);
        config_read_yaml(config, config->file);
    }
    read_environment(config);
    read_flags(config, NULL);
    config_finish(config, &top);
    check_servers(config);
    if (config->error_count > CONFIG_ERRORS_MAX)
        (void)fprintf(errors, "... and %zu more\n", config->error_count - CONFIG_ERRORS_MAX);
    return config;
}

static int carry_out(const struct config *config, const struct request *request, FILE *out)
{
    size_t set = 0;
    if (request->help)
        config_print_help(config->program, out);
    else if (request->version)
        (void)fprintf(out, "%s %s\n", config->program->name, BERTH_VERSION);
    else if (request->manual)
        config_print_manual(out);
    else if (config->error_count)
        return config->usage_error ? 2 : 1;
    else if (request->print)
        config_print(config, out);
    else {
        for (size_t i = 0; i < config->origin_count; i++)
            set += config->origins[i].option != NULL;
        (void)fprintf(out, "%s: ok, %zu options set\n", config->file ? config->file : "no file",
                      set);
    }
    if (fflush(out) == 0 && !ferror(out))
        return 0;
    (void)fprintf(config->errors, "standard output cannot be written: %s\n", strerror(errno));
    return 1;
}

struct config *config_open(const struct config_program *program, int argc, char *const argv[],
                           char *const envp[], FILE *out, FILE *errors, int *ret_exit)
{
    struct request request;
    struct config *config = load(program, argc, argv, envp, errors, &request);
    *ret_exit = 1;
    if (!config) {
        (void)fputs("out of memory\n", errors);
        return NULL;
    }
    bool asked =
        request.help || request.version || request.manual || request.check || request.print;
    if (!asked && config->error_count == 0)
        return config;
    *ret_exit = carry_out(config, &request, out);
    config_close(config);
    return NULL;
}

struct config *config_reload(const struct config *config, FILE *errors)
{
    struct request request;
    struct config *fresh =
        load(config->program, config->argc, config->argv, config->envp, errors, &request);
    if (fresh && fresh->error_count) {
        config_close(fresh);
        return NULL;
    }
    return fresh;
}

const struct settings *config_settings(const struct config *config)
{
    return &config->settings;
}

const char *config_file(const struct config *config)
{
    return config->file;
}

const char *const *config_operands(const struct config *config, size_t *ret_count)
{
    if (ret_count)
        *ret_count = config->operand_count;
    return config->operands;
}

static const struct config_origin *find_value(const struct config *config, const void *value)
{
    for (size_t i = 0; i < config->origin_count; i++)
        if (config->origins[i].option && config->origins[i].address == value)
            return &config->origins[i];
    return NULL;
}

const char *config_where(const struct config *config, const void *value)
{
    const struct config_origin *origin = find_value(config, value);
    return origin ? origin->where : "default";
}

bool config_is_set(const struct config *config, const void *value)
{
    return find_value(config, value) != NULL;
}

/* config_print.c - the configuration for people: what is in force, --help, and the manual. */
#include "io/config_tree.h"

/* ---- --print-config ---- */

static void print_scope(const struct config *config, const struct scope *scope, FILE *out)
{
    char value[700], path[2 * CONFIG_PATH_MAX], pair[1300];
    for (const struct option *option = scope->options; option && option->name; option++) {
        const struct config_origin *origin =
            config_origin(config, scope->base + option->offset, option);
        (void)snprintf(path, sizeof path, "%s.%s", scope->path, option->name);
        (void)snprintf(pair, sizeof pair, "%s = %s", path,
                       option_format(option, scope->base, value, sizeof value));
        (void)fprintf(out, "%-64s # %s\n", pair, origin ? origin->where : "default");
    }
    for (const struct section *section = scope->sections; section && section->name; section++) {
        struct scope inner;
        if (scope->sections == settings_sections && !config_reads(config, section))
            continue;
        if (section->shape == SECTION_ONE) {
            inner = scope_one(scope, section);
            print_scope(config, &inner, out);
            continue;
        }
        const struct section_items *items = scope_items(scope, section);
        for (size_t i = 0; i < items->count; i++) {
            inner = scope_element(scope, section, i);
            if (section->shape == SECTION_KIND) {
                const struct config_origin *origin = config_origin(config, inner.base, NULL);
                (void)snprintf(pair, sizeof pair, "%s.%s = %s", inner.path, section->select,
                               SECTION_AT(*items, struct section_kind_item, i)->kind);
                (void)fprintf(out, "%-64s # %s\n", pair, origin ? origin->where : "default");
            }
            print_scope(config, &inner, out);
        }
    }
}

void config_print(const struct config *config, FILE *out)
{
    struct scope top = scope_top((struct config *)(uintptr_t)config); /* only read through */
    (void)fprintf(out, "# file: %s\n", config->file ? config->file : "none");
    print_scope(config, &top, out);
}

/* ---- a walk over the tables alone ---- */

struct printer {
    FILE *out;
    void (*section)(struct printer *printer, const char *path, const struct section *section,
                    const char *help);
    void (*option)(struct printer *printer, const char *path, const struct option *option);
    void (*end)(struct printer *printer);
    bool in_table; /* the head of the manual's present table is printed */
};

static void walk(struct printer *p, const char *parent, const struct section *section);

static void walk_options(struct printer *p, const char *path, const struct option *options)
{
    for (const struct option *option = options; option && option->name; option++)
        p->option(p, path, option);
    p->end(p);
}

static void walk(struct printer *p, const char *parent, const struct section *section)
{
    char path[CONFIG_PATH_MAX], kind_path[2 * CONFIG_PATH_MAX];
    const char *element = section->shape == SECTION_MAP   ? ".NAME"
                          : section->shape == SECTION_ONE ? ""
                                                          : ".N";
    (void)snprintf(path, sizeof path, "%s%s%s%s", parent, *parent ? "." : "", section->name,
                   element);
    p->section(p, path, section, section->help);
    if (section->shape != SECTION_KIND)
        walk_options(p, path, section->options);
    for (const struct section_kind *kind = section->kinds; kind && kind->name; kind++) {
        (void)snprintf(kind_path, sizeof kind_path, "%s (%s: %s)", path, section->select,
                       kind->name);
        p->section(p, kind_path, section, kind->help);
        walk_options(p, kind_path, kind->options);
    }
    for (const struct section *inner = section->sections; inner && inner->name; inner++)
        walk(p, path, inner);
}

/* What may stand there, short: "500ms..1h", "logfmt|json", "text". */
static const char *type_text(const struct option *option, char *buf, size_t size)
{
    static const char *const words[] = {
        [OPT_BOOL] = "true|false",   [OPT_INT] = "integer",   [OPT_DURATION] = "duration",
        [OPT_SIZE] = "size",         [OPT_NUMBER] = "number", [OPT_TEXT] = "text",
        [OPT_NAME] = "name",         [OPT_CHOICE] = "",       [OPT_LIST] = "list",
        [OPT_HOSTPORT] = "host:port"};
    bool range = option->allowed && option->type != OPT_TEXT && option->type != OPT_LIST &&
                 option->type != OPT_CHOICE;
    const char *word = option->type == OPT_CHOICE ? option->allowed : words[option->type];
    (void)snprintf(buf, size, "%s%s%s", word, range ? " " : "", range ? option->allowed : "");
    return buf;
}

static const char *default_text(const struct option *option)
{
    if (option->flags & OPT_REQUIRED)
        return "required";
    if (!option->initial)
        return "not set";
    return *option->initial ? option->initial : "empty";
}

/* ---- --help ---- */

static void help_section(struct printer *p, const char *path, const struct section *section,
                         const char *help)
{
    (void)fprintf(p->out, "\n%s: %s\n", path, help);
}

static void help_option(struct printer *p, const char *path, const struct option *option)
{
    char left[3 * CONFIG_PATH_MAX], type[160];
    if (strchr(path, ' '))
        (void)snprintf(left, sizeof left, "  %s", option->name);
    else
        (void)snprintf(left, sizeof left, "  --%s.%s", path, option->name);
    (void)fprintf(p->out, "%s\n        %s\n        %s; default: %s\n", left, option->help,
                  type_text(option, type, sizeof type), default_text(option));
}

static void help_end(struct printer *p)
{
}

void config_print_help(const struct config_program *program, FILE *out)
{
    struct printer p = {out, help_section, help_option, help_end, false};
    (void)fprintf(out,
                  "%s %s - %s\n\nusage: %s [--config FILE] [--SECTION.OPTION VALUE ...]%s%s\n\n",
                  program->name, BERTH_VERSION, program->summary, program->name,
                  program->operands ? " " : "", program->operands ? program->operands : "");
    (void)fputs("  -c, --config FILE   the configuration; default: BERTH_CONFIG, or "
                "/etc/berth/berth.yaml if it is there\n"
                "  --check-config      say whether the whole file is right (exit code 0 or 1)\n"
                "  --print-config      every option in force, its value, and where it came from\n"
                "  --help, --version\n",
                out);
    for (const struct config_alias *alias = program->aliases; alias && alias->flag; alias++)
        (void)fprintf(out, "  %-18s  short for --%s\n", alias->flag, alias->path);
    (void)fputs("\nAny option below can be given as a flag, as a variable (BERTH_REDIS__PORT=6380) "
                "or in the file; the flag wins over the\n"
                "variable, the variable over the file.\n",
                out);
    for (const struct section *section = settings_sections; section->name; section++)
        for (const char *const *name = program->reads; *name; name++)
            if (strcmp(*name, section->name) == 0)
                walk(&p, "", section);
}

/* ---- docs/configuration.md ---- */

static void manual_section(struct printer *p, const char *path, const struct section *section,
                           const char *help)
{
    (void)fprintf(p->out, "\n## %s\n\n%s\n", path, help);
    if (section->shape == SECTION_KIND && !strchr(path, ' '))
        (void)fprintf(p->out, "A list; `%s` chooses the kind of each item, at most %zu items.\n",
                      section->select, section->max);
    else if (section->shape == SECTION_LIST)
        (void)fprintf(p->out, "A list of at most %zu items.%s\n", section->max,
                      section->live ? " *SIGHUP changes it.*" : "");
    else if (section->shape == SECTION_MAP)
        (void)fprintf(p->out, "At most %zu names.\n", section->max);
}

static void put_cell(FILE *out, const char *text)
{
    for (; *text; text++)
        (void)fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

static void manual_option(struct printer *p, const char *path, const struct option *option)
{
    char type[160];
    if (!p->in_table)
        (void)fputs("\n| option | value | default | meaning |\n| --- | --- | --- | --- |\n",
                    p->out);
    p->in_table = true;
    (void)fprintf(p->out, "| `%s` | ", option->name);
    put_cell(p->out, type_text(option, type, sizeof type));
    (void)fputs(" | ", p->out);
    put_cell(p->out, default_text(option));
    (void)fputs(" | ", p->out);
    put_cell(p->out, option->help);
    (void)fputs(option->flags & OPT_LIVE ? " *SIGHUP changes it.* |\n" : " |\n", p->out);
}

static void manual_end(struct printer *p)
{
    p->in_table = false;
}

void config_print_manual(FILE *out)
{
    struct printer p = {out, manual_section, manual_option, manual_end, false};
    (void)fputs("# Configuration\n\n"
                "Made by `make manual` from the option tables in `settings/`; do not edit. "
                "`infra/etc/berth.yaml` is the commented example.\n\n"
                "One file serves all programs. Any option can also be given as a flag "
                "(`--redis.port 6380`, `--pools.game.lost_after 5s`,\n"
                "`--tickets.keys.0.secret ...`) or as a variable (`BERTH_REDIS__PORT=6380`, "
                "`BERTH_POOLS__GAME__LOST_AFTER=5s`: two underscores\n"
                "stand for the dot). The flag wins over the variable, the variable over the file, "
                "the file over the default. `PROGRAM --check-config`\n"
                "says whether the whole file is right; `PROGRAM --print-config` shows what is in "
                "force and where each value came from.\n\n"
                "Durations are a number and a unit (`250ms` `3s` `5m` `1h` `2d`), sizes are bytes "
                "or carry a unit (`64KiB` `1MiB`).\n\n"
                "SIGHUP makes a program read everything again: what is marked below changes while "
                "it runs, other changes are named in its log and need a restart.\n"
                "A file that is wrong is refused with every error, and the program goes on with "
                "the old one. `berth-autoscale` also takes a pool's whole `scale` section.\n",
                out);
    for (const struct section *section = settings_sections; section->name; section++)
        walk(&p, "", section);
}

/* config_tree.h - the inside of a configuration, shared by the io/config_*.c files only.
 *
 * A `scope` is one struct that is being filled: its options, its nested sections, where it lies and
 * how a person calls it. */
#ifndef BERTH_IO_CONFIG_TREE_H
#define BERTH_IO_CONFIG_TREE_H

#include "io/config.h"

enum { CONFIG_PATH_MAX = 256, CONFIG_FILE_MAX_BYTES = 1 << 20 };

struct config_chunk; /* memory of the arena */

/* Where a value (or a whole element) was set. */
struct config_origin {
    const void *address;
    const struct option *option; /* NULL: a section's struct */
    const char *where;
};

struct config {
    const struct config_program *program;
    int argc;
    char *const *argv;
    char *const *envp;
    struct settings settings;
    const char *file; /* NULL: none */
    const char **operands;
    size_t operand_count;
    struct config_chunk *chunks;
    struct config_origin *origins;
    size_t origin_count, origin_room;
    struct config *taken; /* the last that config_take() took from; owned */
    FILE *errors;
    size_t error_count;
    bool usage_error; /* at least one error was about the command line */
    bool read_all;    /* --check-config: other programs' sections too */
};

struct scope {
    const struct option *options;   /* may be NULL */
    const struct section *sections; /* may be NULL */
    const char *select;             /* KIND: the key already consumed */
    char *base;
    char path[CONFIG_PATH_MAX]; /* "pools.game", "" at the top */
};

/* Report one error: "where: path: text". Counted beyond CONFIG_ERRORS_MAX, not printed. */
void config_complain(struct config *config, const char *where, const char *path, const char *fmt,
                     ...) BERTH_PRINTF(4, 5);

/* Zeroed memory for the life of the configuration; exits the process when there is none (start-up
 * only). */
void *config_alloc(struct config *config, size_t size);
const char *config_printf(struct config *config, const char *fmt, ...) BERTH_PRINTF(2, 3);

bool config_reads(const struct config *config, const struct section *section);

/* The scope of the whole file. */
struct scope scope_top(struct config *config);
/* The scope of an embedded section (SECTION_ONE). */
struct scope scope_one(const struct scope *parent, const struct section *section);
/* The element `i` of a map, list or kind list. */
struct scope scope_element(const struct scope *parent, const struct section *section, size_t i);
struct section_items *scope_items(const struct scope *parent, const struct section *section);
/* Add an element with its defaults: `name` is the key of a map, or the kind. NULL with a complaint
 * when full or unknown. */
bool scope_add(struct config *config, const struct scope *parent, const struct section *section,
               struct span name, const char *where, struct scope *ret_scope);
/* Write the defaults of a scope and its embedded sections. */
void scope_defaults(struct config *config, const struct scope *scope);

const struct option *scope_option(const struct scope *scope, struct span name);
const struct section *scope_section(const struct scope *scope, struct span name);
/* Complain about a path that ends at this section where an option is to follow. */
void scope_no_option(struct config *config, const char *where, const char *path,
                     const struct section *section);
/* Complain about a key nobody knows, naming the nearest. `prefix` is what came before it inside the
 * scope ("probe."). */
void scope_unknown(struct config *config, const struct scope *scope, const char *where,
                   const char *prefix, struct span key);

/* Set one value; complains itself. */
void scope_set(struct config *config, const struct scope *scope, const struct option *option,
               struct span text, const char *where);
void scope_set_list(struct config *config, const struct scope *scope, const struct option *option,
                    const struct span *items, size_t count, const char *where);
void config_note(struct config *config, const void *address, const struct option *option,
                 const char *where);
const struct config_origin *config_origin(const struct config *config, const void *address,
                                          const struct option *option);

/* Required options and the checks of whole sections. */
void config_finish(struct config *config, const struct scope *top);

/* Set by a dotted path (flags, environment). loose: case and -/_ do not matter, and sections of
 * other programs are skipped. */
void config_set_path(struct config *config, struct span path, struct span value, const char *where,
                     bool loose);
/* The option a dotted path means if it exists as a row somewhere; NULL otherwise. (To know whether
 * a flag is a bool.) */
const struct option *config_find_path(struct config *config, struct span path);

/* io/config_yaml.c: the file into the settings. */
void config_read_yaml(struct config *config, const char *file);

/* io/config_print.c */
void config_print(const struct config *config, FILE *out);
void config_print_help(const struct config_program *program, FILE *out);

#endif

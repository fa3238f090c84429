/* option.h - what a setting is: its name, type, range, default and help, in one const row.
 *
 * Pure. The option tables (settings/) are rows of `struct option`; this file parses, checks and
 * prints single values against a row, so that the file, the environment, the flags, --print-config
 * and the manual all agree. io/config.c walks whole files.
 *
 * The C type behind each option type, at `offset` of the section's struct:
 *
 *   OPT_BOOL      bool                 true false yes no on off
 *   OPT_INT       int64_t              decimal
 *   OPT_DURATION  int64_t (ms)         a number and a unit: 250ms 3s 5m 1h 2d; a bare 0 is fine
 *   OPT_SIZE      int64_t (bytes)      a number and an optional unit: 512 64KiB 1MiB 1GiB (also K M
 * G, kB MB GB) OPT_NUMBER    double OPT_TEXT      const char *         NULL when the default is
 * NULL and nothing was set. `allowed` is a range of the length in bytes OPT_NAME      const char *
 * a name of a pool, node or program: [A-Za-z0-9._~-]{1,63} OPT_CHOICE    int                  index
 * into `allowed`, words separated by '|' OPT_LIST      struct text_list     in a flag or variable:
 * items separated by commas. `allowed` is a range of the count OPT_HOSTPORT  struct host_port
 * host:port, [v6]:port; host NULL when the default is NULL and nothing was set
 *
 * `allowed` of numbers is "low..high" as a person would type it ("500ms..1h"), parsed by the same
 * code and quoted in errors. */
#ifndef BERTH_CORE_OPTION_H
#define BERTH_CORE_OPTION_H

#include "core/err.h"
#include "core/span.h"

enum option_type {
    OPT_BOOL,
    OPT_INT,
    OPT_DURATION,
    OPT_SIZE,
    OPT_NUMBER,
    OPT_TEXT,
    OPT_NAME,
    OPT_CHOICE,
    OPT_LIST,
    OPT_HOSTPORT,
};

struct text_list {
    const char *const *items; /* owned by the configuration */
    size_t count;
};

struct host_port {
    const char *host; /* without brackets; owned by the configuration */
    int port;         /* 0..65535 */
};

enum option_flag {
    OPT_SECRET = 1,   /* printed as *** */
    OPT_REQUIRED = 2, /* must be set somewhere; the default is ignored */
    OPT_LIVE = 4,     /* SIGHUP changes it in a running program */
};

struct option {
    const char *name; /* dotted path inside its section: "probe.interval"; NULL ends a table */
    enum option_type type;
    size_t offset;       /* offsetof() the value in the section's struct */
    const char *initial; /* the default as a user would type it; NULL: not set (zero) */
    const char *allowed; /* range or choices as above; NULL: anything of the type */
    const char *help;    /* one sentence */
    unsigned flags;      /* OPT_SECRET | OPT_REQUIRED | OPT_LIVE */
};

/* Memory for text values: alloc(arg, n) returns n bytes that live as long as the configuration, or
 * NULL. */
struct option_memory {
    void *(*alloc)(void *arg, size_t size);
    void *arg;
};

/* How many items a list may have. */
enum { OPTION_LIST_MAX = 256 };

/* Parse `text` as a value of `option` and write it at base + option->offset. Nothing is written on
 * failure: BERTH_EINVAL with err "must be 500ms..1h" (what is allowed; the caller prefixes where
 * and what), or BERTH_ENOMEM. */
int option_set(const struct option *option, void *base, struct span text,
               const struct option_memory *memory, struct err *err) BERTH_MUST_USE;
/* The same for OPT_LIST given as separate items. */
int option_set_list(const struct option *option, void *base, const struct span *items, size_t count,
                    const struct option_memory *memory, struct err *err) BERTH_MUST_USE;

/* Print the value at base + option->offset as a user would type it ("3s", "64KiB", "a,b", "***" for
 * a secret that is set, "-" when not set). Cut to size, always terminated. Returns buf. */
const char *option_format(const struct option *option, const void *base, char *buf, size_t size);

/* "a duration 500ms..1h", "one of logfmt|json": the sentence part after "must be". Returns buf. */
const char *option_expects(const struct option *option, char *buf, size_t size);

/* Parse "250ms" / "64KiB" alone (range bounds, tools). */
bool option_duration(struct span text, int64_t *ret_ms);
bool option_size(struct span text, int64_t *ret_bytes);
bool option_host_port(struct span text, struct span *ret_host, int *ret_port);
/* [A-Za-z0-9._~-]{1,63} */
bool option_is_name(struct span text);

/* Number of single-character edits (insert, delete, replace, swap of neighbours) from a to b; texts
 * beyond 63 bytes are cut. */
unsigned option_distance(struct span a, struct span b);

/* ---- sections ---- */

enum section_shape {
    SECTION_ONE,  /* a struct embedded at `offset` */
    SECTION_MAP,  /* named structs: struct section_items at `offset`; each begins with `const char
                   *name`, its key (an OPT_NAME) */
    SECTION_LIST, /* a list of structs: struct section_items at `offset` */
    SECTION_KIND, /* a list of structs of different kinds: struct section_items of struct
                     section_kind_item at `offset`; the key `select` of each ("rule") chooses the
                     row of `kinds` whose options it has */
};

/* The memory form of SECTION_MAP and SECTION_LIST. Never moves once loaded. */
struct section_items {
    void *items; /* an array of the section's struct */
    size_t count;
};

/* One element of a SECTION_KIND list: values points at the kind's struct. */
struct section_kind_item {
    const char *kind; /* the row's name */
    void *values;
};

struct section_kind {
    const char *name; /* NULL ends a table */
    const char *help;
    size_t size; /* of the struct */
    const struct option *options;
    int (*check)(const void *values, struct err *err);
};

struct section {
    const char *name; /* one word, "redis"; NULL ends a table */
    enum section_shape shape;
    size_t offset; /* in the parent's struct */
    size_t size;   /* of this section's struct (one element of a map or list) */
    size_t max;    /* MAP, LIST, KIND: at most so many */
    const struct option *options;
    const struct section *sections; /* nested ones, or NULL */
    const char *value;  /* MAP: an element given as a bare value means this option ("lobby:
                           [berth-lobbynode]"); or NULL */
    const char *select; /* KIND only: the key that chooses */
    const struct section_kind *kinds;
    /* Looks at the finished struct as a whole ("min must not be above max"); 0 or BERTH_EINVAL with
     * err naming the option. */
    int (*check)(const void *values, struct err *err);
    const char *help;
    bool live; /* LIST, KIND: SIGHUP changes it as a whole */
};

/* The element i of a map or list of `type`. */
#define SECTION_AT(list, type, i) (&((type *)(list).items)[i])

#endif

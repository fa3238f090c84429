/* template.h - URLs with a few words filled in: "ws://{host}:{port}/ws".
 *
 * Pure. */
#ifndef BERTH_NODEKIT_TEMPLATE_H
#define BERTH_NODEKIT_TEMPLATE_H

#include "core/err.h"

#include <stddef.h>

struct template_word {
    const char *name;  /* "host"; NULL ends the table */
    const char *value; /* NULL: not known here */
};

/* Write `text` with each {name} replaced, terminated. Returns the length; BERTH_EINVAL: a {name}
 * that is not in words or not known here, or an open brace (err says which); BERTH_EFULL: longer
 * than size - 1. */
int template_expand(const char *text, const struct template_word *words, char *ret_buf, size_t size,
                    struct err *err) BERTH_MUST_USE;

#endif

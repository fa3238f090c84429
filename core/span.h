/* span.h - a borrowed run of bytes: pointer and length, no terminator promised.
 *
 * Pure. A span never owns; whoever hands it out says how long it stays valid (usually: for the
 * call). */
#ifndef BERTH_CORE_SPAN_H
#define BERTH_CORE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *ptr;
    size_t len;
};

/* printf("%.*s", SPAN_ARG(s)) */
#define SPAN_ARG(s) (int)(s).len, (s).ptr
/* A span over a string literal. */
#define SPAN(lit) ((struct span){(lit), sizeof(lit) - 1})

static inline struct span span_of(const char *cstr)
{
    return (struct span){cstr, cstr ? strlen(cstr) : 0};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_is(struct span a, const char *cstr)
{
    return span_eq(a, span_of(cstr));
}

/* Cut the part before the first `sep` off the front of *rest and return it; the whole rest if there
 * is none (then *rest becomes empty with ptr NULL). */
struct span span_cut(struct span *rest, char sep);

/* Parse a whole span as a decimal integer. Returns false on anything else, overflow included. */
bool span_int(struct span s, int64_t *ret_value);

/* Copy into a char array of `size`, terminated. Returns false (and writes nothing) when it does not
 * fit. */
bool span_copy(struct span s, char *ret_buf, size_t size);

#endif

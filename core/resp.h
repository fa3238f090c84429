/* resp.h - a reply of the store, free of any client library.
 *
 * Pure. A tree of values with borrowed text. io/redis.c makes it from hiredis replies, the
 * simulator from Lua values; store/calls.c reads it. Valid only for the callback it is handed to.
 */
#ifndef BERTH_CORE_RESP_H
#define BERTH_CORE_RESP_H

#include "core/span.h"

enum resp_type {
    RESP_NIL,
    RESP_INT,   /* integer */
    RESP_TEXT,  /* text: a bulk string or a status */
    RESP_ERROR, /* text: "NOSCRIPT No matching script ..." */
    RESP_LIST,  /* items, count */
};

struct resp {
    enum resp_type type;
    int64_t integer;
    struct span text;
    const struct resp *items; /* borrowed, count long */
    size_t count;
};

#endif

/* json_scan.h - the members of one JSON object, in place and without memory.
 *
 * Pure. For small texts on hot paths (tickets); everything else uses jansson. Strict (RFC 8259) but
 * for UTF-8, which is not looked at: strings are bytes. Nested values are checked and handed out as
 * their text. */
#ifndef BERTH_CORE_JSON_SCAN_H
#define BERTH_CORE_JSON_SCAN_H

#include "core/err.h"
#include "core/span.h"

enum { JSON_SCAN_DEPTH_MAX = 8 }; /* nesting that is accepted */

enum json_scan_kind { JSON_STRING, JSON_NUMBER, JSON_LITERAL, JSON_OBJECT, JSON_ARRAY };

struct json_scan {
    const char *at, *end;
    char close; /* '}' or ']' */
    bool begun;
};

/* A member of an object or, with an empty name, an element of an array. Borrowed from the text. */
struct json_scan_item {
    struct span name; /* between its quotes; escapes not decoded */
    enum json_scan_kind kind;
    struct span
        text;   /* of a string: between its quotes, escapes not decoded; else the whole value */
    bool plain; /* neither the name nor a string value holds an escape: they are what they say */
};

/* text: the whole of a JSON text that is an object, or an array. BERTH_EPROTO when it does not
 * begin as one. */
int json_scan_begin(struct json_scan *scan, struct span text) BERTH_MUST_USE;
/* 1: *ret_item is the next; 0: that was all, and nothing but white space follows; BERTH_EPROTO. */
int json_scan_next(struct json_scan *scan, struct json_scan_item *ret_item) BERTH_MUST_USE;

#endif

/* err.c - error texts: set, prefix, name. */
#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;
    err->code = code;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    return code;
}

void err_prefix(struct err *err, const char *fmt, ...)
{
    if (!err)
        return;
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 2 >= sizeof err->text)
        return;
    size_t room = sizeof err->text - (size_t)n;
    (void)snprintf(err->text + n, room, ": %.*s", (int)(room - 3), old);
}

const char *err_word(int code)
{
    static const char *const words[] = {"ok",       "invalid", "full",   "absent",  "exists",
                                        "stale",    "fenced",  "denied", "timeout", "closed",
                                        "protocol", "system",  "memory", "again"};
    if (code >= 0)
        return words[0];
    size_t i = (size_t)-code;
    return i < sizeof words / sizeof *words ? words[i] : "unknown";
}

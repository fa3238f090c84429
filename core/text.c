/* text.c - appending to a bounded buffer. */
#include "core/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void text_init(struct text *text, char *buf, size_t size)
{
    assert(size > 0);
    *text = (struct text){.buf = buf, .size = size};
    buf[0] = '\0';
}

void text_add(struct text *text, const char *fmt, ...)
{
    size_t room = text->size - text->len;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text->buf + text->len, room, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= room) {
        text->cut = true;
        text->len = n < 0 ? text->len : text->size - 1;
        text->buf[text->len] = '\0';
        return;
    }
    text->len += (size_t)n;
}

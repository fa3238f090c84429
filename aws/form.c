/* form.c - the body of a request to AWS's Query API. */
#include "aws/form.h"

#include <stdarg.h>
#include <stdio.h>

static void put(struct form *form, const char *text, size_t len)
{
    if (form->cut || form->size - form->len < len) {
        form->cut = true;
        return;
    }
    memcpy(form->buf + form->len, text, len);
    form->len += len;
}

/* All but RFC 3986's unreserved characters as %XX: also the blank. */
static void put_encoded(struct form *form, const char *value)
{
    static const char hex[] = "0123456789ABCDEF";
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || *c == '_' || *c == '.' || *c == '~';
        char escape[3] = {'%', hex[*c >> 4], hex[*c & 15]};
        if (plain)
            put(form, (const char *)c, 1);
        else
            put(form, escape, sizeof escape);
    }
}

static void add(struct form *form, const char *value, const char *name, va_list ap)
{
    char text[128];
    int len = vsnprintf(text, sizeof text, name, ap);
    if (len < 0 || (size_t)len >= sizeof text) {
        form->cut = true;
        return;
    }
    if (form->len > 0)
        put(form, "&", 1);
    put(form, text, (size_t)len);
    put(form, "=", 1);
    put_encoded(form, value);
}

void form_add(struct form *form, const char *value, const char *name, ...)
{
    va_list ap;
    va_start(ap, name);
    add(form, value, name, ap);
    va_end(ap);
}

void form_add_int(struct form *form, int64_t value, const char *name, ...)
{
    char text[24];
    va_list ap;
    snprintf(text, sizeof text, "%lld", (long long)value);
    va_start(ap, name);
    add(form, text, name, ap);
    va_end(ap);
}

void form_begin(struct form *form, char *buf, size_t size, const char *action, const char *version)
{
    *form = (struct form){.buf = buf, .size = size};
    form_add(form, action, "Action");
    form_add(form, version, "Version");
}

/* record.c - plain records: read and write `name=value` pairs. */
#include "core/record.h"

#include "core/hex.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool record_next(struct span *rest, struct span *ret_name, struct span *ret_value)
{
    while (rest->len) {
        struct span word = span_cut(rest, ' ');
        const char *eq = word.len ? memchr(word.ptr, '=', word.len) : NULL;
        if (!eq || eq == word.ptr)
            continue;
        size_t n = (size_t)(eq - word.ptr);
        *ret_name = (struct span){word.ptr, n};
        *ret_value = (struct span){eq + 1, word.len - n - 1};
        return true;
    }
    return false;
}

bool record_raw(struct span record, const char *name, struct span *ret_value)
{
    struct span want = span_of(name), key, value;
    while (record_next(&record, &key, &value)) {
        if (span_eq(key, want)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

int record_decode(struct span value, char *ret_buf, size_t size)
{
    size_t n = 0;
    assert(size >= 1);
    ret_buf[0] = '\0';
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\0') {
            ret_buf[0] = '\0';
            return BERTH_EINVAL;
        }
        if (c == '%') {
            int high = i + 2 < value.len ? hex_digit(value.ptr[i + 1]) : -1;
            int low = i + 2 < value.len ? hex_digit(value.ptr[i + 2]) : -1;
            if (high < 0 || low < 0 || (high | low) == 0) {
                ret_buf[0] = '\0';
                return BERTH_EINVAL;
            }
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (n + 1 >= size) {
            ret_buf[0] = '\0';
            return BERTH_EFULL;
        }
        ret_buf[n++] = c;
    }
    ret_buf[n] = '\0';
    return (int)n;
}

int record_text(struct span record, const char *name, char *ret_buf, size_t size)
{
    struct span value;
    if (!record_raw(record, name, &value)) {
        ret_buf[0] = '\0';
        return BERTH_ENOENT;
    }
    return record_decode(value, ret_buf, size);
}

bool record_int(struct span record, const char *name, int64_t *ret_value)
{
    struct span value;
    return record_raw(record, name, &value) && span_int(value, ret_value);
}

int64_t record_int_or(struct span record, const char *name, int64_t otherwise)
{
    int64_t value;
    return record_int(record, name, &value) ? value : otherwise;
}

bool record_number(struct span record, const char *name, double *ret_value)
{
    struct span value;
    char text[64], *end;
    if (!record_raw(record, name, &value) || value.len == 0 || !span_copy(value, text, sizeof text))
        return false;
    if (strspn(text, "+-.0123456789eE") != value.len) /* no hex, inf, nan, white space */
        return false;
    double x = strtod(text, &end);
    if (*end != '\0' || !isfinite(x))
        return false;
    *ret_value = x;
    return true;
}

void record_begin(struct record_writer *w, char *buf, size_t size)
{
    assert(size >= 1);
    *w = (struct record_writer){.buf = buf, .size = size};
    buf[0] = '\0';
}

static bool must_encode(unsigned char c)
{
    return c <= ' ' || c == '%' || c == 0x7f;
}

void record_put(struct record_writer *w, const char *name, struct span value)
{
    size_t name_len = strlen(name), len = w->len;
    size_t need = (len ? 1 : 0) + name_len + 1 + value.len;
    for (size_t i = 0; i < value.len; i++)
        need += must_encode((unsigned char)value.ptr[i]) ? 2 : 0;
    if (need >= w->size - len) {
        w->full = true;
        return;
    }
    if (len)
        w->buf[len++] = ' ';
    memcpy(w->buf + len, name, name_len);
    len += name_len;
    w->buf[len++] = '=';
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (must_encode(c)) {
            char hex[3];
            hex_encode((struct span){value.ptr + i, 1}, hex, sizeof hex);
            w->buf[len++] = '%';
            w->buf[len++] = hex[0];
            w->buf[len++] = hex[1];
        } else {
            w->buf[len++] = (char)c;
        }
    }
    w->buf[len] = '\0';
    w->len = len;
}

void record_put_text(struct record_writer *w, const char *name, const char *value)
{
    record_put(w, name, span_of(value));
}

void record_put_int(struct record_writer *w, const char *name, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    record_put(w, name, (struct span){text, (size_t)n});
}

void record_put_number(struct record_writer *w, const char *name, double value)
{
    char text[40];
    assert(isfinite(value));
    int n = snprintf(text, sizeof text, "%.15g", value);
    record_put(w, name, (struct span){text, (size_t)n});
}

struct span record_end(const struct record_writer *w)
{
    return (struct span){w->buf, w->len};
}

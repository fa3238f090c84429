/* message_out.c - writing a JSON object into a bounded buffer. */
#include "nodekit/message.h"

#include <inttypes.h>
#include <stdio.h>

static void put(struct message_out *out, const char *ptr, size_t len)
{
    if (out->full || out->size - out->len < len) {
        out->full = true;
        return;
    }
    memcpy(out->buf + out->len, ptr, len);
    out->len += len;
}

static void put_quoted(struct message_out *out, struct span text)
{
    put(out, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        char esc[8];
        if (c == '"' || c == '\\') {
            esc[0] = '\\';
            esc[1] = (char)c;
            put(out, esc, 2);
        } else if (c < 0x20) {
            put(out, esc, (size_t)snprintf(esc, sizeof esc, "\\u%04x", c));
        } else {
            put(out, text.ptr + i, 1);
        }
    }
    put(out, "\"", 1);
}

static void put_name(struct message_out *out, const char *name)
{
    if (out->comma)
        put(out, ",", 1);
    out->comma = true;
    put_quoted(out, span_of(name));
    put(out, ":", 1);
}

void message_begin(struct message_out *out, char *buf, size_t size)
{
    *out = (struct message_out){.buf = buf, .size = size};
    put(out, "{", 1);
}

void message_put_text(struct message_out *out, const char *name, struct span value)
{
    put_name(out, name);
    put_quoted(out, value);
}

void message_put_raw(struct message_out *out, const char *name, struct span json)
{
    put_name(out, name);
    put(out, json.ptr, json.len);
}

void message_put_int(struct message_out *out, const char *name, int64_t value)
{
    char text[24];
    put_name(out, name);
    put(out, text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}

void message_put_members(struct message_out *out, struct span object)
{
    if (object.len <= 2)
        return;
    if (out->comma)
        put(out, ",", 1);
    out->comma = true;
    put(out, object.ptr + 1, object.len - 2);
}

void message_open_list(struct message_out *out, const char *name)
{
    put_name(out, name);
    put(out, "[", 1);
    out->comma = false;
}

void message_item_text(struct message_out *out, struct span value)
{
    if (out->comma)
        put(out, ",", 1);
    out->comma = true;
    put_quoted(out, value);
}

void message_close_list(struct message_out *out)
{
    put(out, "]", 1);
    out->comma = true;
}

void message_open_object(struct message_out *out, const char *name)
{
    put_name(out, name);
    put(out, "{", 1);
    out->comma = false;
}

void message_close_object(struct message_out *out)
{
    put(out, "}", 1);
    out->comma = true;
}

struct span message_end(struct message_out *out)
{
    put(out, "}", 1);
    return out->full ? (struct span){NULL, 0} : (struct span){out->buf, out->len};
}

int message_frame(const char *name, struct span payload, char *ret_buf, size_t size)
{
    struct message_out out;
    message_begin(&out, ret_buf, size);
    message_put_text(&out, "type", span_of(name));
    const char *p = payload.ptr + 1, *end = payload.ptr + payload.len;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    if (*p != '}')
        put(&out, ",", 1);
    put(&out, p, (size_t)(end - p));
    return out.full ? BERTH_EFULL : (int)out.len;
}

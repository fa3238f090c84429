/* redis_out.c - formats commands in the Redis protocol. */
#include "io/redis_out.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void redis_out_fini(struct redis_out *out)
{
    free(out->text);
    *out = (struct redis_out){0};
}

void redis_out_clear(struct redis_out *out)
{
    out->len = out->sent = 0;
}

bool redis_out_reserve(struct redis_out *out, size_t more)
{
    if (out->len + more <= out->size)
        return true;
    if (out->sent) { /* what was written already makes room first */
        memmove(out->text, out->text + out->sent, out->len - out->sent);
        out->len -= out->sent;
        out->sent = 0;
    }
    if (more > REDIS_OUT_MAX - out->len)
        return false;
    size_t size = out->size ? out->size : 4096;
    while (size < out->len + more)
        size *= 2;
    if (size > out->size) {
        char *bigger = realloc(out->text, size);
        if (!bigger)
            return false;
        out->text = bigger;
        out->size = size;
    }
    return true;
}

size_t redis_out_size(const struct span *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].len + 32;
    return size;
}

void redis_out_raw(struct redis_out *out, const char *bytes, size_t len)
{
    assert(out->len + len <= out->size);
    if (len)
        memcpy(out->text + out->len, bytes, len);
    out->len += len;
}

static void number(struct redis_out *out, char mark, size_t n)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%c%zu\r\n", mark, n);
    redis_out_raw(out, text, (size_t)len);
}

void redis_out_count(struct redis_out *out, size_t parts)
{
    number(out, '*', parts);
}

void redis_out_part(struct redis_out *out, struct span part)
{
    number(out, '$', part.len);
    redis_out_raw(out, part.ptr, part.len);
    redis_out_raw(out, "\r\n", 2);
}

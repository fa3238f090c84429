/* reply.c - answers of the simulated store. */
#include "tests/sim/reply.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 1024 };

struct reply_block {
    struct reply_block *next;
    size_t used, size;
    max_align_t data[];
};

struct reply *reply_new(void)
{
    struct reply *reply = calloc(1, sizeof *reply);
    assert(reply != NULL);
    return reply;
}

void reply_free(struct reply *reply)
{
    if (reply == NULL)
        return;
    for (struct reply_block *b = reply->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    free(reply);
}

void *reply_take(struct reply *reply, size_t size)
{
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct reply_block *b = reply->blocks;
    if (b == NULL || b->size - b->used < size) {
        size_t bytes = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        b = malloc(sizeof *b + bytes);
        assert(b != NULL);
        *b = (struct reply_block){.next = reply->blocks, .size = bytes};
        reply->blocks = b;
    }
    void *at = (char *)b->data + b->used;
    b->used += size;
    return at;
}

void reply_nil(struct resp *at)
{
    *at = (struct resp){.type = RESP_NIL};
}

void reply_int(struct resp *at, int64_t value)
{
    *at = (struct resp){.type = RESP_INT, .integer = value};
}

void reply_text(struct reply *reply, struct resp *at, struct span text)
{
    char *copy = reply_take(reply, text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *at = (struct resp){.type = RESP_TEXT, .text = {copy, text.len}};
}

void reply_error(struct reply *reply, struct resp *at, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    reply_text(reply, at, span_of(text));
    at->type = RESP_ERROR;
}

struct resp *reply_list(struct reply *reply, struct resp *at, size_t n)
{
    struct resp *items = reply_take(reply, (n > 0 ? n : 1) * sizeof *items);
    memset(items, 0, n * sizeof *items);
    *at = (struct resp){.type = RESP_LIST, .items = items, .count = n};
    return items;
}

/* redis_reply.c - hiredis's protocol parser builds resp trees in a chunked arena. */
#include "io/redis_reply.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (64u << 10)
#define KEEP_BYTES (1u << 20) /* memory kept between replies; a larger one is given back */

struct chunk {
    struct chunk *next;
    size_t size, used;
    _Alignas(16) char bytes[];
};

struct redis_reply_reader {
    redisReader *parser;
    struct chunk *chunks; /* the newest first */
    size_t held;          /* bytes of all chunks */
    bool full;            /* the reply under way is too large, or memory could not be had */
    bool delivered;       /* the arena holds a reply that was handed out */
};

static void *take(struct redis_reply_reader *r, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct chunk *c = r->chunks;
    if (!c || c->size - c->used < size) {
        size_t bytes = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        c = r->held + bytes > REDIS_REPLY_MAX ? NULL : malloc(sizeof *c + bytes);
        if (!c) {
            r->full = true;
            return NULL;
        }
        *c = (struct chunk){.next = r->chunks, .size = bytes};
        r->chunks = c;
        r->held += bytes;
    }
    void *at = c->bytes + c->used;
    c->used += size;
    return at;
}

static void reset(struct redis_reply_reader *r, size_t keep)
{
    size_t held = 0;
    struct chunk *kept = NULL;
    for (struct chunk *c = r->chunks, *next; c; c = next) {
        next = c->next;
        if (!kept && c->size <= keep) { /* one chunk is enough: most replies are short */
            c->used = 0;
            c->next = NULL;
            kept = c;
            held = c->size;
        } else {
            free(c);
        }
    }
    r->chunks = kept;
    r->held = held;
}

/* Where the value of this task goes: into its parent's items, or a new root. */
static struct resp *place(const redisReadTask *task)
{
    if (task->parent) {
        struct resp *list = task->parent->obj;
        return (struct resp *)&list->items[task->idx];
    }
    struct resp *root = take(task->privdata, sizeof *root);
    return root;
}

static void *make_text(const redisReadTask *task, char *text, size_t len)
{
    struct resp *v = place(task);
    char *copy = v ? take(task->privdata, len + 1) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *v = (struct resp){.type = task->type == REDIS_REPLY_ERROR ? RESP_ERROR : RESP_TEXT,
                       .text = {copy, len}};
    return v;
}

static void *make_list(const redisReadTask *task, int count)
{
    struct resp *v = place(task);
    size_t n = count > 0 ? (size_t)count : 0;
    if (n > REDIS_REPLY_MAX / sizeof *v) {
        ((struct redis_reply_reader *)task->privdata)->full = true;
        return NULL;
    }
    struct resp *items = v ? take(task->privdata, (n ? n : 1) * sizeof *items) : NULL;
    if (!items)
        return NULL;
    *v = (struct resp){.type = RESP_LIST, .items = items, .count = n};
    return v;
}

static void *make_int(const redisReadTask *task, long long value)
{
    struct resp *v = place(task);
    if (v)
        *v = (struct resp){.type = RESP_INT, .integer = value};
    return v;
}

static void *make_nil(const redisReadTask *task)
{
    struct resp *v = place(task);
    if (v)
        *v = (struct resp){.type = RESP_NIL};
    return v;
}

static void make_nothing(void *object)
{
}

struct redis_reply_reader *redis_reply_reader_create(void)
{
    static redisReplyObjectFunctions makers = {make_text, make_list, make_int, make_nil,
                                               make_nothing};
    struct redis_reply_reader *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->parser = redisReaderCreateWithFunctions(&makers);
    if (!r->parser) {
        free(r);
        return NULL;
    }
    r->parser->privdata = r;
    return r;
}

void redis_reply_reader_destroy(struct redis_reply_reader *r)
{
    if (!r)
        return;
    reset(r, 0);
    redisReaderFree(r->parser);
    free(r);
}

int redis_reply_feed(struct redis_reply_reader *r, const char *bytes, size_t len)
{
    return redisReaderFeed(r->parser, bytes, len) == REDIS_OK ? 0 : BERTH_EPROTO;
}

int redis_reply_next(struct redis_reply_reader *r, const struct resp **ret_reply)
{
    void *reply = NULL;
    if (r->delivered) {
        reset(r, KEEP_BYTES);
        r->delivered = false;
    }
    if (redisReaderGetReply(r->parser, &reply) != REDIS_OK)
        return r->full ? BERTH_EFULL : BERTH_EPROTO;
    if (!reply)
        return 0;
    r->delivered = true;
    *ret_reply = reply;
    return 1;
}

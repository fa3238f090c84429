/* keyspace.c - the objects of the simulated Redis, and its commands on strings and keys. */
#include "tests/sim/keyspace_internal.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- objects ---- */

static struct object *object_new(enum object_kind kind)
{
    struct object *o = calloc(1, sizeof *o);
    assert(o != NULL);
    o->kind = kind;
    return o;
}

static void object_free(struct object *o)
{
    dict_fini(&o->dict);
    free(o->order);
    free(o->text);
    for (size_t i = o->first; i < o->end; i++)
        free(o->entries[i].text);
    free(o->entries);
    free(o);
}

static char *copy_bytes(const char *ptr, size_t len)
{
    char *copy = malloc(len + 1);
    assert(copy != NULL);
    if (len > 0)
        memcpy(copy, ptr, len);
    copy[len] = '\0';
    return copy;
}

static struct object *object_clone(const struct object *o)
{
    struct object *to = object_new(o->kind);
    bool is_new;
    to->expire_ms = o->expire_ms;
    if (o->kind == OBJECT_STRING) {
        to->text = copy_bytes(o->text, o->text_len);
        to->text_len = o->text_len;
    }
    for (const struct dict_entry *e = o->dict.oldest; e != NULL; e = e->newer) {
        if (o->kind == OBJECT_ZSET)
            zset_add(to, dict_key(e), e->score);
        else
            dict_set_value(dict_put(&to->dict, dict_key(e), &is_new), dict_value(e));
    }
    if (o->kind == OBJECT_STREAM) {
        to->size = o->end - o->first;
        to->entries = calloc(to->size > 0 ? to->size : 1, sizeof *to->entries);
        assert(to->entries != NULL);
        for (size_t i = o->first; i < o->end; i++) {
            struct stream_entry *e = &to->entries[to->end++];
            *e = o->entries[i];
            e->text = copy_bytes(o->entries[i].text, e->len);
        }
        to->added = o->added;
        to->last_ms = o->last_ms;
        to->last_seq = o->last_seq;
    }
    return to;
}

struct keyspace *keyspace_create(void)
{
    struct keyspace *ks = calloc(1, sizeof *ks);
    assert(ks != NULL);
    return ks;
}

void keyspace_destroy(struct keyspace *ks)
{
    if (ks == NULL)
        return;
    for (struct dict_entry *e = ks->keys.oldest; e != NULL; e = e->newer)
        object_free(e->object);
    dict_fini(&ks->keys);
    free(ks);
}

struct keyspace *keyspace_clone(const struct keyspace *ks)
{
    struct keyspace *to = keyspace_create();
    bool is_new;
    for (const struct dict_entry *e = ks->keys.oldest; e != NULL; e = e->newer)
        dict_put(&to->keys, dict_key(e), &is_new)->object = object_clone(e->object);
    to->now_us = ks->now_us;
    return to;
}

void keyspace_set_time(struct keyspace *ks, int64_t now_us)
{
    ks->now_us = now_us;
}

int64_t now_ms(const struct keyspace *ks)
{
    return ks->now_us / 1000;
}

static void drop(struct keyspace *ks, struct dict_entry *e)
{
    object_free(e->object);
    dict_remove(&ks->keys, e);
}

struct object *key_find(struct keyspace *ks, struct span key)
{
    struct dict_entry *e = dict_find(&ks->keys, key);
    if (e == NULL)
        return NULL;
    struct object *o = e->object;
    if (o->expire_ms > 0 && o->expire_ms <= now_ms(ks)) {
        drop(ks, e);
        return NULL;
    }
    return o;
}

struct object *key_open(struct keyspace *ks, struct span key, enum object_kind kind)
{
    struct object *o = key_find(ks, key);
    bool is_new;
    if (o == NULL) {
        o = object_new(kind);
        dict_put(&ks->keys, key, &is_new)->object = o;
    }
    return o;
}

bool key_remove(struct keyspace *ks, struct span key)
{
    if (key_find(ks, key) == NULL)
        return false;
    drop(ks, dict_find(&ks->keys, key));
    return true;
}

/* ---- from outside ---- */

const struct object *keyspace_get(struct keyspace *ks, struct span key)
{
    return key_find(ks, key);
}

struct span keyspace_string(struct keyspace *ks, struct span key)
{
    const struct object *o = key_find(ks, key);
    return o != NULL && o->kind == OBJECT_STRING ? (struct span){o->text, o->text_len}
                                                 : (struct span){NULL, 0};
}

struct span keyspace_field(struct keyspace *ks, struct span key, struct span field)
{
    const struct object *o = key_find(ks, key);
    const struct dict_entry *e =
        o != NULL && o->kind == OBJECT_HASH ? dict_find(&o->dict, field) : NULL;
    return e != NULL ? dict_value(e) : (struct span){NULL, 0};
}

size_t keyspace_purge(struct keyspace *ks)
{
    for (struct dict_entry *e = ks->keys.oldest, *next; e != NULL; e = next) {
        const struct object *o = e->object;
        next = e->newer;
        if (o->expire_ms > 0 && o->expire_ms <= now_ms(ks))
            drop(ks, e);
    }
    return ks->keys.count;
}

size_t keyspace_bytes(struct keyspace *ks)
{
    size_t bytes = 0;
    for (const struct dict_entry *e = ks->keys.oldest; e != NULL; e = e->newer) {
        const struct object *o = e->object;
        bytes += e->key_len + o->text_len;
        for (const struct dict_entry *f = o->dict.oldest; f != NULL; f = f->newer)
            bytes += f->key_len + f->value_len + sizeof f->score;
        for (size_t i = o->first; i < o->end; i++)
            bytes += o->entries[i].len + 2 * sizeof(int64_t);
    }
    return bytes;
}

/* ---- numbers ---- */

bool number_of(struct span text, double *ret)
{
    char buf[64], *end;
    if (text.len == 0 || !span_copy(text, buf, sizeof buf))
        return false;
    *ret = strtod(buf, &end);
    return *end == '\0' && !isnan(*ret);
}

bool word_is(struct span s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

void bad_syntax(struct reply *reply, struct resp *ret)
{
    reply_error(reply, ret, "ERR syntax error");
}

void not_integer(struct reply *reply, struct resp *ret)
{
    reply_error(reply, ret, "ERR value is not an integer or out of range");
}

/* ---- strings and keys ---- */

static void do_get(struct cmd *c)
{
    const struct object *o = key_find(c->ks, c->argv[1]);
    if (o != NULL)
        reply_text(c->reply, c->ret, (struct span){o->text, o->text_len});
}

static void set_text(struct keyspace *ks, struct span key, struct span text, int64_t expire_ms)
{
    (void)key_remove(ks, key);
    struct object *o = key_open(ks, key, OBJECT_STRING);
    o->text = copy_bytes(text.ptr, text.len);
    o->text_len = text.len;
    o->expire_ms = expire_ms;
}

static void do_set(struct cmd *c)
{
    int64_t px = 0;
    bool nx = false, xx = false, keep = false;
    for (size_t i = 3; i < c->argc; i++) {
        bool seconds = word_is(c->argv[i], "EX");
        if (word_is(c->argv[i], "NX")) {
            nx = true;
        } else if (word_is(c->argv[i], "XX")) {
            xx = true;
        } else if (word_is(c->argv[i], "KEEPTTL")) {
            keep = true;
        } else if ((seconds || word_is(c->argv[i], "PX")) && i + 1 < c->argc) {
            if (!span_int(c->argv[++i], &px)) {
                not_integer(c->reply, c->ret);
                return;
            }
            if (px <= 0) {
                reply_error(c->reply, c->ret, "ERR invalid expire time in 'set' command");
                return;
            }
            px *= seconds ? 1000 : 1;
        } else {
            bad_syntax(c->reply, c->ret);
            return;
        }
    }
    const struct object *old = key_find(c->ks, c->argv[1]);
    if ((nx && old != NULL) || (xx && old == NULL))
        return;
    int64_t kept = keep && old != NULL ? old->expire_ms : 0;
    set_text(c->ks, c->argv[1], c->argv[2], px > 0 ? now_ms(c->ks) + px : kept);
    reply_text(c->reply, c->ret, SPAN("OK"));
    c->status = true;
}

static void do_incrby(struct cmd *c)
{
    int64_t by = 1, value = 0;
    char text[24];
    const struct object *o = key_find(c->ks, c->argv[1]);
    if ((c->argc == 3 && !span_int(c->argv[2], &by)) ||
        (o != NULL && !span_int((struct span){o->text, o->text_len}, &value))) {
        not_integer(c->reply, c->ret);
        return;
    }
    int64_t expire_ms = o != NULL ? o->expire_ms : 0;
    (void)snprintf(text, sizeof text, "%lld", (long long)(value + by));
    set_text(c->ks, c->argv[1], span_of(text), expire_ms);
    reply_int(c->ret, value + by);
}

static void do_del(struct cmd *c)
{
    int64_t n = 0;
    for (size_t i = 1; i < c->argc; i++)
        n += key_remove(c->ks, c->argv[i]);
    reply_int(c->ret, n);
}

static void do_exists(struct cmd *c)
{
    int64_t n = 0;
    for (size_t i = 1; i < c->argc; i++)
        n += key_find(c->ks, c->argv[i]) != NULL;
    reply_int(c->ret, n);
}

static void do_pexpire(struct cmd *c)
{
    int64_t ms;
    struct object *o = key_find(c->ks, c->argv[1]);
    if (!span_int(c->argv[2], &ms)) {
        not_integer(c->reply, c->ret);
        return;
    }
    if (word_is(c->argv[0], "EXPIRE"))
        ms *= 1000;
    reply_int(c->ret, o != NULL);
    if (o != NULL && ms <= 0)
        (void)key_remove(c->ks, c->argv[1]);
    else if (o != NULL)
        o->expire_ms = now_ms(c->ks) + ms;
}

static void do_pttl(struct cmd *c)
{
    const struct object *o = key_find(c->ks, c->argv[1]);
    reply_int(c->ret, o == NULL ? -2 : o->expire_ms == 0 ? -1 : o->expire_ms - now_ms(c->ks));
}

static void do_type(struct cmd *c)
{
    static const char *const words[] = {"string", "hash", "zset", "stream"};
    const struct object *o = key_find(c->ks, c->argv[1]);
    reply_text(c->reply, c->ret, span_of(o == NULL ? "none" : words[o->kind]));
    c->status = true;
}

static void do_time(struct cmd *c)
{
    char text[32];
    struct resp *items = reply_list(c->reply, c->ret, 2);
    (void)snprintf(text, sizeof text, "%lld", (long long)(c->ks->now_us / 1000000));
    reply_text(c->reply, &items[0], span_of(text));
    (void)snprintf(text, sizeof text, "%lld", (long long)(c->ks->now_us % 1000000));
    reply_text(c->reply, &items[1], span_of(text));
}

static void do_ping(struct cmd *c)
{
    reply_text(c->reply, c->ret, SPAN("PONG"));
    c->status = true;
}

/* ---- the table ---- */

enum { KIND_ANY = -1 };

static const struct command {
    const char *name;
    int args_min, args_max; /* the name included; max -1: any number */
    int kind;               /* that the key must be of, if it is there */
    void (*fn)(struct cmd *c);
} commands[] = {
    {"GET", 2, 2, OBJECT_STRING, do_get},
    {"SET", 3, 7, KIND_ANY, do_set},
    {"INCR", 2, 2, OBJECT_STRING, do_incrby},
    {"INCRBY", 3, 3, OBJECT_STRING, do_incrby},
    {"DEL", 2, -1, KIND_ANY, do_del},
    {"UNLINK", 2, -1, KIND_ANY, do_del},
    {"EXISTS", 2, -1, KIND_ANY, do_exists},
    {"PEXPIRE", 3, 3, KIND_ANY, do_pexpire},
    {"EXPIRE", 3, 3, KIND_ANY, do_pexpire},
    {"PTTL", 2, 2, KIND_ANY, do_pttl},
    {"TYPE", 2, 2, KIND_ANY, do_type},
    {"TIME", 1, 1, KIND_ANY, do_time},
    {"PING", 1, 1, KIND_ANY, do_ping},
    {"HGET", 3, 3, OBJECT_HASH, hash_get},
    {"HMGET", 3, -1, OBJECT_HASH, hash_mget},
    {"HSET", 4, -1, OBJECT_HASH, hash_set},
    {"HDEL", 3, -1, OBJECT_HASH, hash_del},
    {"HINCRBY", 4, 4, OBJECT_HASH, hash_incrby},
    {"HEXISTS", 3, 3, OBJECT_HASH, hash_exists},
    {"HLEN", 2, 2, OBJECT_HASH, hash_len},
    {"HGETALL", 2, 2, OBJECT_HASH, hash_getall},
    {"HKEYS", 2, 2, OBJECT_HASH, hash_getall},
    {"HVALS", 2, 2, OBJECT_HASH, hash_getall},
    {"HSCAN", 3, 5, OBJECT_HASH, hash_scan},
    {"ZADD", 4, -1, OBJECT_ZSET, zset_do_add},
    {"ZREM", 3, -1, OBJECT_ZSET, zset_rem},
    {"ZCARD", 2, 2, OBJECT_ZSET, zset_card},
    {"ZCOUNT", 4, 4, OBJECT_ZSET, zset_count},
    {"ZSCORE", 3, 3, OBJECT_ZSET, zset_score},
    {"ZMSCORE", 3, -1, OBJECT_ZSET, zset_mscore},
    {"ZREMRANGEBYSCORE", 4, 4, OBJECT_ZSET, zset_rem_by_score},
    {"ZRANK", 3, 3, OBJECT_ZSET, zset_rank},
    {"ZINCRBY", 4, 4, OBJECT_ZSET, zset_incrby},
    {"ZRANGE", 4, 5, OBJECT_ZSET, zset_range},
    {"ZREVRANGE", 4, 5, OBJECT_ZSET, zset_range},
    {"ZRANGEBYSCORE", 4, 8, OBJECT_ZSET, zset_by_score},
    {"ZREVRANGEBYSCORE", 4, 8, OBJECT_ZSET, zset_by_score},
    {"XADD", 5, -1, OBJECT_STREAM, stream_do_add},
    {"XLEN", 2, 2, OBJECT_STREAM, stream_len},
    {"XRANGE", 4, 6, OBJECT_STREAM, stream_range},
    {"XREVRANGE", 4, 6, OBJECT_STREAM, stream_range},
    {"XREAD", 4, -1, KIND_ANY, stream_read},
    {NULL, 0, 0, 0, NULL},
};

void keyspace_command(struct keyspace *ks, const struct span *argv, size_t argc,
                      struct reply *reply, struct resp *ret)
{
    struct cmd c = {.ks = ks, .argv = argv, .argc = argc, .reply = reply, .ret = ret};
    const struct command *cmd = commands;
    reply_nil(ret);
    ks->commands++;
    while (cmd->name != NULL && !(argc > 0 && word_is(argv[0], cmd->name)))
        cmd++;
    if (cmd->name == NULL) {
        reply_error(reply, ret, "ERR the simulated store does not know '%.*s': add it to %s",
                    argc > 0 ? (int)argv[0].len : 0, argc > 0 ? argv[0].ptr : "",
                    "tests/sim/keyspace.c");
        return;
    }
    if ((int)argc < cmd->args_min || (cmd->args_max >= 0 && (int)argc > cmd->args_max)) {
        reply_error(reply, ret, "ERR wrong number of arguments for '%s' command", cmd->name);
        return;
    }
    if (cmd->kind != KIND_ANY) {
        const struct object *o = key_find(ks, argv[1]);
        if (o != NULL && (int)o->kind != cmd->kind) {
            reply_error(reply, ret,
                        "WRONGTYPE Operation against a key holding the wrong kind of value");
            return;
        }
    }
    cmd->fn(&c);
}

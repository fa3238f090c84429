/* keyspace_streams.c - streams of the simulated Redis. */
#include "tests/sim/keyspace_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { NODE_ENTRIES = 100 /* stream-node-max-entries: `MAXLEN ~` drops whole nodes */ };

static int compare(int64_t ms, int64_t seq, const struct stream_entry *e)
{
    if (ms != e->ms)
        return ms < e->ms ? -1 : 1;
    return seq < e->seq ? -1 : seq > e->seq;
}

static void drop_oldest(struct object *o, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(o->entries[o->first++].text);
}

static void trim(struct object *o, int64_t max, bool about)
{
    size_t count = o->end - o->first;
    if (!about && count > (size_t)max)
        drop_oldest(o, count - (size_t)max);
    while (about && o->end - o->first > (size_t)max) {
        uint64_t node = o->entries[o->first].number / NODE_ENTRIES;
        size_t n = 0;
        while (o->first + n < o->end && o->entries[o->first + n].number / NODE_ENTRIES == node)
            n++;
        if (o->end - o->first - n < (size_t)max)
            break;
        drop_oldest(o, n);
    }
}

static struct stream_entry *append(struct object *o)
{
    if (o->end == o->size) {
        size_t count = o->end - o->first;
        size_t size = count * 2 < 16 ? 16 : count * 2;
        struct stream_entry *to = malloc(size * sizeof *to);
        assert(to != NULL);
        if (count > 0)
            memcpy(to, o->entries + o->first, count * sizeof *to);
        free(o->entries);
        o->entries = to;
        o->first = 0;
        o->end = count;
        o->size = size;
    }
    return &o->entries[o->end++];
}

static void put_id(struct cmd *c, struct resp *at, int64_t ms, int64_t seq)
{
    char text[48];
    (void)snprintf(text, sizeof text, "%lld-%lld", (long long)ms, (long long)seq);
    reply_text(c->reply, at, span_of(text));
}

void stream_do_add(struct cmd *c)
{
    size_t i = 2;
    int64_t max = -1;
    bool about = false;
    if (word_is(c->argv[i], "MAXLEN")) {
        about = span_is(c->argv[++i], "~");
        i += about || span_is(c->argv[i], "=");
        if (i + 1 >= c->argc || !span_int(c->argv[i], &max) || max < 0) {
            not_integer(c->reply, c->ret);
            return;
        }
        i++;
    }
    if (i >= c->argc || !span_is(c->argv[i], "*") || (c->argc - i - 1) % 2 != 0 ||
        i + 1 == c->argc) {
        reply_error(c->reply, c->ret, "ERR wrong number of arguments for 'xadd' command");
        return;
    }
    struct object *o = key_open(c->ks, c->argv[1], OBJECT_STREAM);
    int64_t ms = now_ms(c->ks), seq = 0;
    if (ms <= o->last_ms && o->added > 0) { /* the clock stood, or went back */
        ms = o->last_ms;
        seq = o->last_seq + 1;
    }
    struct stream_entry *e = append(o);
    *e =
        (struct stream_entry){.ms = ms, .seq = seq, .number = o->added++, .count = c->argc - i - 1};
    for (size_t j = i + 1; j < c->argc; j++)
        e->len += sizeof(size_t) + c->argv[j].len;
    e->text = malloc(e->len + 1);
    assert(e->text != NULL);
    char *at = e->text;
    for (size_t j = i + 1; j < c->argc; j++) {
        memcpy(at, &c->argv[j].len, sizeof(size_t));
        at += sizeof(size_t);
        if (c->argv[j].len > 0)
            memcpy(at, c->argv[j].ptr, c->argv[j].len);
        at += c->argv[j].len;
    }
    o->last_ms = ms;
    o->last_seq = seq;
    c->ks->additions++;
    if (max >= 0)
        trim(o, max, about);
    put_id(c, c->ret, ms, seq);
}

void stream_len(struct cmd *c)
{
    const struct object *o = key_find(c->ks, c->argv[1]);
    reply_int(c->ret, o != NULL ? (int64_t)(o->end - o->first) : 0);
}

static void put_entry(struct cmd *c, struct resp *at, const struct stream_entry *e)
{
    struct resp *both = reply_list(c->reply, at, 2);
    put_id(c, &both[0], e->ms, e->seq);
    struct resp *fields = reply_list(c->reply, &both[1], e->count);
    const char *p = e->text;
    for (size_t i = 0; i < e->count; i++) {
        size_t len;
        memcpy(&len, p, sizeof len);
        p += sizeof len;
        reply_text(c->reply, &fields[i], (struct span){p, len});
        p += len;
    }
}

/* "-", "+", "ms", "ms-seq". */
static bool id_of(struct span text, int64_t seq_if_none, int64_t *ret_ms, int64_t *ret_seq)
{
    if (span_is(text, "-")) {
        *ret_ms = *ret_seq = 0;
        return true;
    }
    if (span_is(text, "+")) {
        *ret_ms = *ret_seq = INT64_MAX;
        return true;
    }
    *ret_seq = seq_if_none;
    struct span rest = text, ms = span_cut(&rest, '-');
    return span_int(ms, ret_ms) && (rest.ptr == NULL || span_int(rest, ret_seq));
}

static void bad_id(struct cmd *c)
{
    reply_error(c->reply, c->ret, "ERR Invalid stream ID specified as stream command argument");
}

void stream_range(struct cmd *c)
{
    const struct object *o = key_find(c->ks, c->argv[1]);
    bool reverse = word_is(c->argv[0], "XREVRANGE");
    int64_t from_ms, from_seq, to_ms, to_seq, limit = INT64_MAX;
    /* "(id": after it */
    struct span from = c->argv[reverse ? 3 : 2], to = c->argv[reverse ? 2 : 3];
    bool after = from.len > 0 && *from.ptr == '(';
    if (after)
        from = (struct span){from.ptr + 1, from.len - 1};
    if (!id_of(from, 0, &from_ms, &from_seq) || !id_of(to, INT64_MAX, &to_ms, &to_seq)) {
        bad_id(c);
        return;
    }
    if (c->argc > 4 &&
        (!word_is(c->argv[4], "COUNT") || c->argc != 6 || !span_int(c->argv[5], &limit))) {
        bad_syntax(c->reply, c->ret);
        return;
    }
    size_t count = o != NULL ? o->end - o->first : 0, n = 0;
    struct resp *items = reply_list(c->reply, c->ret, count);
    for (size_t k = 0; k < count && n < (size_t)limit; k++) {
        const struct stream_entry *e = &o->entries[reverse ? o->end - 1 - k : o->first + k];
        int low = compare(from_ms, from_seq, e);
        if ((after ? low < 0 : low <= 0) && compare(to_ms, to_seq, e) >= 0)
            put_entry(c, &items[n++], e);
    }
    c->ret->count = n;
}

/* One stream is enough for us: XREAD [COUNT n] [BLOCK ms] STREAMS key id */
void stream_read(struct cmd *c)
{
    int64_t limit = INT64_MAX, block, ms, seq;
    size_t i = 1;
    for (; i + 1 < c->argc && !word_is(c->argv[i], "STREAMS"); i += 2) {
        bool is_count = word_is(c->argv[i], "COUNT");
        if (!(is_count || word_is(c->argv[i], "BLOCK")) ||
            !span_int(c->argv[i + 1], is_count ? &limit : &block)) {
            bad_syntax(c->reply, c->ret);
            return;
        }
    }
    if (i + 3 != c->argc) {
        reply_error(c->reply, c->ret, "ERR the simulated store reads one stream at a time");
        return;
    }
    const struct object *o = key_find(c->ks, c->argv[i + 1]);
    if (o != NULL && o->kind != OBJECT_STREAM) {
        reply_error(c->reply, c->ret,
                    "WRONGTYPE Operation against a key holding the wrong kind of value");
        return;
    }
    struct span id = c->argv[i + 2];
    if (span_is(id, "$")) {
        ms = o != NULL ? o->last_ms : 0;
        seq = o != NULL ? o->last_seq : 0;
    } else if (!id_of(id, 0, &ms, &seq)) {
        bad_id(c);
        return;
    }
    if (o == NULL || o->end == o->first || compare(ms, seq, &o->entries[o->end - 1]) >= 0)
        return;
    size_t first = o->end;
    while (first > o->first && compare(ms, seq, &o->entries[first - 1]) < 0)
        first--;
    size_t n = o->end - first;
    if ((int64_t)n > limit && limit > 0)
        n = (size_t)limit;
    struct resp *streams = reply_list(c->reply, c->ret, 1);
    struct resp *both = reply_list(c->reply, &streams[0], 2);
    reply_text(c->reply, &both[0], c->argv[i + 1]);
    struct resp *items = reply_list(c->reply, &both[1], n);
    for (size_t k = 0; k < n; k++)
        put_entry(c, &items[k], &o->entries[first + k]);
}

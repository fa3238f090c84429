/* keyspace_sets.c - hashes and sorted sets of the simulated Redis. */
#include "tests/sim/keyspace_internal.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- hashes ---- */

static struct dict_entry *field(struct cmd *c, struct span name)
{
    struct object *o = key_find(c->ks, c->argv[1]);
    return o != NULL ? dict_find(&o->dict, name) : NULL;
}

void hash_get(struct cmd *c)
{
    const struct dict_entry *e = field(c, c->argv[2]);
    if (e != NULL)
        reply_text(c->reply, c->ret, dict_value(e));
}

void hash_mget(struct cmd *c)
{
    struct resp *items = reply_list(c->reply, c->ret, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        const struct dict_entry *e = field(c, c->argv[i]);
        if (e != NULL)
            reply_text(c->reply, &items[i - 2], dict_value(e));
    }
}

void hash_set(struct cmd *c)
{
    int64_t added = 0;
    bool is_new;
    if (c->argc % 2 != 0) {
        reply_error(c->reply, c->ret, "ERR wrong number of arguments for 'hset' command");
        return;
    }
    struct object *o = key_open(c->ks, c->argv[1], OBJECT_HASH);
    for (size_t i = 2; i < c->argc; i += 2) {
        dict_set_value(dict_put(&o->dict, c->argv[i], &is_new), c->argv[i + 1]);
        added += is_new;
    }
    reply_int(c->ret, added);
}

static void drop_if_empty(struct cmd *c, const struct object *o)
{
    if (o->dict.count == 0)
        (void)key_remove(c->ks, c->argv[1]);
}

void hash_del(struct cmd *c)
{
    struct object *o = key_find(c->ks, c->argv[1]);
    int64_t n = 0;
    for (size_t i = 2; o != NULL && i < c->argc; i++) {
        struct dict_entry *e = dict_find(&o->dict, c->argv[i]);
        if (e != NULL) {
            dict_remove(&o->dict, e);
            n++;
        }
    }
    reply_int(c->ret, n);
    if (o != NULL)
        drop_if_empty(c, o);
}

void hash_incrby(struct cmd *c)
{
    int64_t by, value = 0;
    char text[24];
    bool is_new;
    const struct dict_entry *e = field(c, c->argv[2]);
    if (!span_int(c->argv[3], &by) || (e != NULL && !span_int(dict_value(e), &value))) {
        not_integer(c->reply, c->ret);
        return;
    }
    (void)snprintf(text, sizeof text, "%lld", (long long)(value + by));
    struct object *o = key_open(c->ks, c->argv[1], OBJECT_HASH);
    dict_set_value(dict_put(&o->dict, c->argv[2], &is_new), span_of(text));
    reply_int(c->ret, value + by);
}

void hash_exists(struct cmd *c)
{
    reply_int(c->ret, field(c, c->argv[2]) != NULL);
}

void hash_len(struct cmd *c)
{
    const struct object *o = key_find(c->ks, c->argv[1]);
    reply_int(c->ret, o != NULL ? (int64_t)o->dict.count : 0);
}

void hash_getall(struct cmd *c)
{
    const struct object *o = key_find(c->ks, c->argv[1]);
    bool names = !word_is(c->argv[0], "HVALS"), values = !word_is(c->argv[0], "HKEYS");
    size_t per = (size_t)names + (size_t)values, n = 0;
    struct resp *items = reply_list(c->reply, c->ret, o != NULL ? o->dict.count * per : 0);
    for (const struct dict_entry *e = o != NULL ? o->dict.oldest : NULL; e != NULL; e = e->newer) {
        if (names)
            reply_text(c->reply, &items[n++], dict_key(e));
        if (values)
            reply_text(c->reply, &items[n++], dict_value(e));
    }
}

static int by_hash(const void *a, const void *b)
{
    const struct dict_entry *x = *(struct dict_entry *const *)a,
                            *y = *(struct dict_entry *const *)b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Like Redis: whatever is there from the first call to the last is given at least once. A page goes
 * on by the hash of the fields, so what comes and goes meanwhile disturbs nothing. */
void hash_scan(struct cmd *c)
{
    const struct object *o = key_find(c->ks, c->argv[1]);
    int64_t limit = 10, cursor;
    if (!span_int(c->argv[2], &cursor)) {
        reply_error(c->reply, c->ret, "ERR invalid cursor");
        return;
    }
    if (c->argc == 5 &&
        (!word_is(c->argv[3], "COUNT") || !span_int(c->argv[4], &limit) || limit < 1)) {
        bad_syntax(c->reply, c->ret);
        return;
    }
    size_t count = o != NULL ? o->dict.count : 0, n = 0, from = 0;
    struct dict_entry **list = calloc(count + 1, sizeof *list);
    assert(list != NULL);
    for (struct dict_entry *e = o != NULL ? o->dict.oldest : NULL; e != NULL; e = e->newer)
        list[n++] = e;
    if (count > (size_t)limit || cursor != 0)
        qsort(list, n, sizeof *list, by_hash);
    while (from < n && cursor != 0 && list[from]->hash >> 2 < (uint64_t)cursor)
        from++;
    size_t to = n - from > (size_t)limit ? from + (size_t)limit : n;
    while (to > from && to < n && list[to]->hash >> 2 == list[to - 1]->hash >> 2)
        to++; /* a page never ends between equal ones */
    char text[24];
    (void)snprintf(text, sizeof text, "%llu",
                   (unsigned long long)(to < n ? list[to]->hash >> 2 : 0));
    struct resp *both = reply_list(c->reply, c->ret, 2);
    reply_text(c->reply, &both[0], span_of(text));
    struct resp *rows = reply_list(c->reply, &both[1], (to - from) * 2);
    for (size_t i = from; i < to; i++) {
        reply_text(c->reply, &rows[2 * (i - from)], dict_key(list[i]));
        reply_text(c->reply, &rows[2 * (i - from) + 1], dict_value(list[i]));
    }
    free(list);
}

/* ---- sorted sets ---- */

static int compare(double score, struct span member, const struct dict_entry *e)
{
    if (score != e->score)
        return score < e->score ? -1 : 1;
    size_t n = member.len < e->key_len ? member.len : e->key_len;
    int c = n > 0 ? memcmp(member.ptr, e->key, n) : 0;
    return c != 0 ? c : member.len < e->key_len ? -1 : member.len > e->key_len;
}

/* The first place whose entry is not before (score, member). */
static size_t place(const struct object *o, double score, struct span member)
{
    size_t lo = 0, hi = o->dict.count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (compare(score, member, o->order[mid]) > 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Out of the order; the dict still has it. */
static void unplace(struct object *o, const struct dict_entry *e, size_t count)
{
    size_t i = 0, lo = 0, hi = count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (compare(e->score, dict_key(e), o->order[mid]) > 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    i = lo;
    assert(o->order[i] == e);
    memmove(&o->order[i], &o->order[i + 1], (count - i - 1) * sizeof *o->order);
}

bool zset_add(struct object *o, struct span member, double score)
{
    bool is_new;
    struct dict_entry *e = dict_find(&o->dict, member);
    size_t count = o->dict.count;
    if (e != NULL && e->score == score)
        return false;
    is_new = e == NULL;
    if (!is_new) {
        unplace(o, e, count);
        o->dict.count--; /* for place() */
    }
    size_t at = place(o, score, member);
    size_t in_order = o->dict.count;
    if (!is_new)
        o->dict.count++;
    else
        e = dict_put(&o->dict, member, &is_new);
    if (in_order + 1 > o->order_size) {
        o->order_size = o->order_size == 0 ? 8 : o->order_size * 2;
        o->order = realloc(o->order, o->order_size * sizeof *o->order);
        assert(o->order != NULL);
    }
    memmove(&o->order[at + 1], &o->order[at], (in_order - at) * sizeof *o->order);
    o->order[at] = e;
    e->score = score;
    return is_new;
}

void zset_do_add(struct cmd *c)
{
    size_t i = 2;
    bool nx = word_is(c->argv[i], "NX"), xx = word_is(c->argv[i], "XX");
    int64_t added = 0;
    i += nx || xx;
    if ((c->argc - i) % 2 != 0 || c->argc == i) {
        bad_syntax(c->reply, c->ret);
        return;
    }
    for (size_t j = i; j < c->argc; j += 2) {
        double score;
        if (!number_of(c->argv[j], &score)) {
            reply_error(c->reply, c->ret, "ERR value is not a valid float");
            return;
        }
    }
    if (xx && key_find(c->ks, c->argv[1]) == NULL) {
        reply_int(c->ret, 0);
        return;
    }
    struct object *o = key_open(c->ks, c->argv[1], OBJECT_ZSET);
    for (; i < c->argc; i += 2) {
        double score = 0;
        (void)number_of(c->argv[i], &score);
        bool there = dict_find(&o->dict, c->argv[i + 1]) != NULL;
        if ((nx && there) || (xx && !there))
            continue;
        added += zset_add(o, c->argv[i + 1], score);
    }
    reply_int(c->ret, added);
}

void zset_rem(struct cmd *c)
{
    struct object *o = key_find(c->ks, c->argv[1]);
    int64_t n = 0;
    for (size_t i = 2; o != NULL && i < c->argc; i++) {
        struct dict_entry *e = dict_find(&o->dict, c->argv[i]);
        if (e == NULL)
            continue;
        unplace(o, e, o->dict.count);
        dict_remove(&o->dict, e);
        n++;
    }
    reply_int(c->ret, n);
    if (o != NULL)
        drop_if_empty(c, o);
}

void zset_card(struct cmd *c)
{
    hash_len(c);
}

static void put_score(struct cmd *c, struct resp *at, double score)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%.17g", score);
    reply_text(c->reply, at, span_of(text));
}

void zset_score(struct cmd *c)
{
    const struct dict_entry *e = field(c, c->argv[2]);
    if (e != NULL)
        put_score(c, c->ret, e->score);
}

void zset_mscore(struct cmd *c)
{
    struct resp *items = reply_list(c->reply, c->ret, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        const struct dict_entry *e = field(c, c->argv[i]);
        if (e != NULL)
            put_score(c, &items[i - 2], e->score);
    }
}

void zset_rank(struct cmd *c)
{
    const struct object *o = key_find(c->ks, c->argv[1]);
    const struct dict_entry *e = field(c, c->argv[2]);
    if (e != NULL)
        reply_int(c->ret, (int64_t)place(o, e->score, c->argv[2]));
}

void zset_incrby(struct cmd *c)
{
    double by;
    if (!number_of(c->argv[2], &by)) {
        reply_error(c->reply, c->ret, "ERR value is not a valid float");
        return;
    }
    struct object *o = key_open(c->ks, c->argv[1], OBJECT_ZSET);
    const struct dict_entry *e = dict_find(&o->dict, c->argv[3]);
    double score = by + (e != NULL ? e->score : 0);
    (void)zset_add(o, c->argv[3], score);
    put_score(c, c->ret, score);
}

static void put_members(struct cmd *c, const struct object *o, const size_t *list, size_t n,
                        bool with_scores)
{
    struct resp *items = reply_list(c->reply, c->ret, n * (with_scores ? 2 : 1));
    assert(o != NULL || n == 0);
    for (size_t i = 0; i < n; i++) {
        const struct dict_entry *e = o->order[list[i]];
        reply_text(c->reply, items++, dict_key(e));
        if (with_scores)
            put_score(c, items++, e->score);
    }
}

void zset_range(struct cmd *c)
{
    const struct object *o = key_find(c->ks, c->argv[1]);
    bool reverse = word_is(c->argv[0], "ZREVRANGE");
    bool with_scores = c->argc == 5 && word_is(c->argv[4], "WITHSCORES");
    int64_t from, to, count = o != NULL ? (int64_t)o->dict.count : 0;
    if (!span_int(c->argv[2], &from) || !span_int(c->argv[3], &to)) {
        not_integer(c->reply, c->ret);
        return;
    }
    if (c->argc == 5 && !with_scores) {
        bad_syntax(c->reply, c->ret);
        return;
    }
    from = from < 0 ? from + count : from;
    to = to < 0 ? to + count : to;
    from = from < 0 ? 0 : from;
    to = to >= count ? count - 1 : to;
    size_t n = 0, *list = calloc((size_t)count + 1, sizeof *list);
    assert(list != NULL);
    for (int64_t i = from; i <= to; i++)
        list[n++] = (size_t)(reverse ? count - 1 - i : i);
    put_members(c, o, list, n, with_scores);
    free(list);
}

struct bound {
    double at;
    bool open;
};

static bool bound_of(struct span text, struct bound *ret)
{
    ret->open = text.len > 0 && *text.ptr == '(';
    if (ret->open)
        text = (struct span){text.ptr + 1, text.len - 1};
    if (span_is(text, "-inf") || span_is(text, "+inf")) {
        ret->at = *text.ptr == '-' ? -INFINITY : INFINITY;
        return true;
    }
    return number_of(text, &ret->at);
}

static bool inside(double score, const struct bound *min, const struct bound *max)
{
    return (min->open ? score > min->at : score >= min->at) &&
           (max->open ? score < max->at : score <= max->at);
}

void zset_count(struct cmd *c)
{
    const struct object *o = key_find(c->ks, c->argv[1]);
    struct bound min, max;
    int64_t n = 0;
    if (!bound_of(c->argv[2], &min) || !bound_of(c->argv[3], &max)) {
        reply_error(c->reply, c->ret, "ERR min or max is not a float");
        return;
    }
    for (size_t i = 0; o != NULL && i < o->dict.count; i++)
        n += inside(o->order[i]->score, &min, &max);
    reply_int(c->ret, n);
}

void zset_rem_by_score(struct cmd *c)
{
    struct object *o = key_find(c->ks, c->argv[1]);
    struct bound min, max;
    int64_t n = 0;
    if (!bound_of(c->argv[2], &min) || !bound_of(c->argv[3], &max)) {
        reply_error(c->reply, c->ret, "ERR min or max is not a float");
        return;
    }
    for (size_t i = 0; o != NULL && i < o->dict.count;) {
        struct dict_entry *e = o->order[i];
        if (!inside(e->score, &min, &max)) {
            i++;
            continue;
        }
        unplace(o, e, o->dict.count);
        dict_remove(&o->dict, e);
        n++;
    }
    reply_int(c->ret, n);
    if (o != NULL)
        drop_if_empty(c, o);
}

void zset_by_score(struct cmd *c)
{
    const struct object *o = key_find(c->ks, c->argv[1]);
    bool reverse = word_is(c->argv[0], "ZREVRANGEBYSCORE"), with_scores = false;
    struct bound min, max;
    int64_t skip = 0, limit = -1;
    if (!bound_of(c->argv[reverse ? 3 : 2], &min) || !bound_of(c->argv[reverse ? 2 : 3], &max)) {
        reply_error(c->reply, c->ret, "ERR min or max is not a float");
        return;
    }
    for (size_t i = 4; i < c->argc; i++) {
        if (word_is(c->argv[i], "WITHSCORES")) {
            with_scores = true;
        } else if (word_is(c->argv[i], "LIMIT") && i + 2 < c->argc) {
            if (!span_int(c->argv[i + 1], &skip) || !span_int(c->argv[i + 2], &limit)) {
                not_integer(c->reply, c->ret);
                return;
            }
            i += 2;
        } else {
            bad_syntax(c->reply, c->ret);
            return;
        }
    }
    size_t count = o != NULL ? o->dict.count : 0, n = 0, *list = calloc(count + 1, sizeof *list);
    assert(list != NULL);
    for (size_t k = 0; k < count && (limit < 0 || n < (size_t)limit); k++) {
        size_t i = reverse ? count - 1 - k : k;
        if (inside(o->order[i]->score, &min, &max) && skip-- <= 0)
            list[n++] = i;
    }
    put_members(c, o, list, n, with_scores);
    free(list);
}

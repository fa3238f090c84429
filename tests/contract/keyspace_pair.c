/* keyspace_pair.c - the two stores, what is said to both, and what is compared. */
#include "tests/contract/keyspace_pair.h"

#include <stdio.h>
#include <stdlib.h>

struct pair pair;

uint64_t pair_below(uint64_t n)
{
    return rng_below(&pair.rng, n);
}

/* ---- a command being built ---- */

void pair_begin(void)
{
    pair.argc = pair.used = 0;
}

void pair_word(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(pair.text + pair.used, sizeof pair.text - pair.used, fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && (size_t)n < sizeof pair.text - pair.used && pair.argc < PAIR_ARGS_MAX);
    pair.argv[pair.argc++] = (struct span){pair.text + pair.used, (size_t)n};
    pair.used += (size_t)n + 1;
}

/* ---- answers as text ---- */

static bool is_entry_id(struct span s)
{
    struct span rest = s, ms = span_cut(&rest, '-');
    int64_t number;
    return ms.len == 13 && span_int(ms, &number) && span_int(rest, &number);
}

size_t pair_render(const struct resp *r, char *buf, size_t size)
{
    size_t n = 0;
    switch (r->type) {
    case RESP_NIL:
        n = (size_t)snprintf(buf, size, "nil");
        break;
    case RESP_INT:
        n = (size_t)snprintf(buf, size, ":%lld", (long long)r->integer);
        break;
    case RESP_ERROR: /* which of several wrong things is told first is nobody's contract */
        n = (size_t)snprintf(buf, size, "-error");
        break;
    case RESP_TEXT:
        if (is_entry_id(r->text))
            n = (size_t)snprintf(buf, size, "ID");
        else
            n = (size_t)snprintf(buf, size, "\"%.*s\"", SPAN_ARG(r->text));
        break;
    case RESP_LIST:
        n = (size_t)snprintf(buf, size, "[");
        for (size_t i = 0; i < r->count; i++) {
            n += pair_render(&r->items[i], buf + n, size - n);
            n += (size_t)snprintf(buf + n, size - n, i + 1 < r->count ? " " : "");
        }
        n += (size_t)snprintf(buf + n, size - n, "]");
        break;
    }
    assert_true(n < size);
    return n;
}

static int by_text(const void *x, const void *y)
{
    const struct span *a = x, *b = y;
    size_t n = a->len < b->len ? a->len : b->len;
    int c = n > 0 ? memcmp(a->ptr, b->ptr, n) : 0;
    return c != 0 ? c : a->len < b->len ? -1 : a->len > b->len;
}

/* A list of texts, or of pairs when `step` is 2, in order: what Redis gives in any order. */
static void render_sorted(const struct resp *r, size_t step, char *buf, size_t size)
{
    static struct span list[20000][2];
    size_t n = 0, len = 0;
    for (size_t i = 0; i + step <= r->count; i += step, n++) {
        list[n][0] = r->items[i].text;
        list[n][1] = step == 2 ? r->items[i + 1].text : (struct span){"", 0};
    }
    qsort(list, n, sizeof list[0], by_text);
    buf[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(buf + len, size - len, "%.*s=%.*s|", SPAN_ARG(list[i][0]),
                                SPAN_ARG(list[i][1]));
    assert_true(len < size);
}

void pair_same(const char *what)
{
    if (strcmp(pair.a, pair.b) == 0)
        return;
    fprintf(stderr, "call %llu, %s:", pair.calls, what);
    for (size_t i = 0; i < pair.argc && i < 24; i++)
        fprintf(stderr, " %.*s", pair.argv[i].len > 90 ? 90 : (int)pair.argv[i].len,
                pair.argv[i].ptr);
    fprintf(stderr, "\n real: %s\n sim:  %s\n", pair.a, pair.b);
    fail_msg("the simulated store answers differently");
}

/* pair.argv to the simulated one. */
static struct reply *simulated(void)
{
    struct reply *reply = reply_new();
    keyspace_command(pair.ks, pair.argv, pair.argc, reply, &reply->root);
    return reply;
}

void pair_both(const char *what)
{
    const struct resp *real = redis_client_argv(pair.client, pair.argv, pair.argc);
    assert_non_null(real);
    struct reply *reply = simulated();
    bool any_order = real->type == RESP_LIST &&
                     (span_is(pair.argv[0], "HGETALL") || span_is(pair.argv[0], "HKEYS"));
    if (any_order) {
        size_t step = span_is(pair.argv[0], "HGETALL") ? 2 : 1;
        render_sorted(real, step, pair.a, sizeof pair.a);
        render_sorted(&reply->root, step, pair.b, sizeof pair.b);
    } else {
        pair_render(real, pair.a, sizeof pair.a);
        pair_render(&reply->root, pair.b, sizeof pair.b);
    }
    pair_same(what);
    reply_free(reply);
    pair.calls++;
}

/* ---- contents ---- */

static void compare_key(struct span key)
{
    char name[256];
    assert_true(span_copy(key, name, sizeof name));
    pair_begin();
    pair_word("TYPE");
    pair_word("%s", name);
    pair_both("type");
    const struct object *o = keyspace_get(pair.ks, key);
    assert_non_null(o);
    static const char *const ask[] = {"GET", "HGETALL", "ZRANGE", "XRANGE"};
    pair_begin();
    pair_word("%s", ask[o->kind]);
    pair_word("%s", name);
    if (o->kind == OBJECT_ZSET) {
        pair_word("0");
        pair_word("-1");
        pair_word("WITHSCORES");
    } else if (o->kind == OBJECT_STREAM) {
        pair_word("-");
        pair_word("+");
    }
    pair_both("contents");
    bool lives = o->expire_ms > 0;
    bool real_lives = redis_client_int(pair.client, "PTTL", name, NULL) >= 0;
    if (lives != real_lives)
        fail_msg("%s: has a lifetime: real %d, simulated %d", name, real_lives, lives);
}

void pair_compare(void)
{
    struct span names[4096];
    static char text[4096][200];
    size_t n = 0;
    (void)keyspace_purge(pair.ks);
    for (const struct dict_entry *e = pair.ks->keys.oldest; e != NULL; e = e->newer, n++) {
        assert_true(n < 4096 && span_copy(dict_key(e), text[n], sizeof text[n]));
        names[n] = span_of(text[n]);
    }
    qsort(names, n, sizeof *names, by_text);
    size_t len = 0;
    pair.b[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(pair.b + len, sizeof pair.b - len, "%.*s=|", SPAN_ARG(names[i]));
    render_sorted(redis_client_ask(pair.client, "KEYS", "*", NULL), 1, pair.a, sizeof pair.a);
    pair_same("keys");
    for (size_t i = 0; i < n; i++)
        compare_key(names[i]);
}

/* Virtual time goes on; what expires by it goes away in the real one too. */
void pair_advance(int64_t ms)
{
    keyspace_set_time(pair.ks, pair.ks->now_us + ms * 1000 + (int64_t)pair_below(1000));
    for (struct dict_entry *e = pair.ks->keys.oldest; e != NULL; e = e->newer) {
        const struct object *o = e->object;
        if (o->expire_ms > 0 && o->expire_ms <= pair.ks->now_us / 1000)
            assert_int_equal(redis_client_int(pair.client, "DEL", e->key, NULL), 1);
    }
    (void)keyspace_purge(pair.ks);
}

const char *pair_some(const char *const *list, size_t n)
{
    return list[pair_below(n)];
}

/* ---- both stores ---- */

int pair_setup(void **state)
{
    struct err err = {0};
    pair.server = (struct redis_server){0};
    if (redis_server_start(&pair.server, &err) < 0)
        return -1;
    pair.client = redis_client_open(pair.server.path, NULL);
    assert_non_null(pair.client);
    (void)redis_client_text(pair.client, "CONFIG", "SET", "stream-node-max-bytes", "0", NULL);
    (void)redis_client_text(pair.client, "CONFIG", "SET", "stream-node-max-entries", "100", NULL);
    pair.ks = keyspace_create();
    keyspace_set_time(pair.ks, 1700000000000000);
    pair.lua = keyspace_lua_create(scripts_table, &err);
    assert_non_null(pair.lua);
    rng_seed(&pair.rng, 17);
    pair.calls = 0;
    return 0;
}

int pair_teardown(void **state)
{
    redis_client_close(pair.client);
    redis_server_stop(&pair.server);
    keyspace_destroy(pair.ks);
    keyspace_lua_destroy(pair.lua);
    return 0;
}

/* The simulated keyspace against a real Redis: the same random commands and script calls to both,
 * the same answers, and the same contents afterwards.
 *
 * The scripts are the ones that are shipped, but for TIME: both take the test's own. Time is
 * virtual: what expires by it is deleted in the real one, whose own clock never gets so far. */
#include "core/rng.h"
#include "store/scripts.h"
#include "tests/sim/keyspace_lua.h"
#include "tests/support/redis_client.h"
#include "tests/support/redis_server.h"

#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

enum { CALLS = 6000, COMMANDS = 6000, ARGS_MAX = 128, TEXT_MAX = 65536 };

static struct diff {
    struct redis_server server;
    struct redis_client *client;
    struct keyspace *ks;
    struct keyspace_lua *lua;
    struct rng rng;
    struct span argv[ARGS_MAX];
    size_t argc;
    char text[TEXT_MAX]; /* of argv */
    size_t used;
    char a[TEXT_MAX * 4], b[TEXT_MAX * 4];
    unsigned long long calls;
} d;

static uint64_t below(uint64_t n)
{
    return rng_below(&d.rng, n);
}

/* ---- a command being built ---- */

static void begin(void)
{
    d.argc = d.used = 0;
}

static void word(const char *fmt, ...) BERTH_PRINTF(1, 2);
static void word(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(d.text + d.used, sizeof d.text - d.used, fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && (size_t)n < sizeof d.text - d.used && d.argc < ARGS_MAX);
    d.argv[d.argc++] = (struct span){d.text + d.used, (size_t)n};
    d.used += (size_t)n + 1;
}

/* ---- answers as text ---- */

static bool is_entry_id(struct span s)
{
    struct span rest = s, ms = span_cut(&rest, '-');
    int64_t number;
    return ms.len == 13 && span_int(ms, &number) && span_int(rest, &number);
}

static size_t render(const struct resp *r, char *buf, size_t size)
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
            n += render(&r->items[i], buf + n, size - n);
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

static void same(const char *what)
{
    if (strcmp(d.a, d.b) == 0)
        return;
    fprintf(stderr, "call %llu, %s:", d.calls, what);
    for (size_t i = 0; i < d.argc && i < 24; i++)
        fprintf(stderr, " %.*s", d.argv[i].len > 90 ? 90 : (int)d.argv[i].len, d.argv[i].ptr);
    fprintf(stderr, "\n real: %s\n sim:  %s\n", d.a, d.b);
    fail_msg("the simulated store answers differently");
}

/* d.argv to the simulated one. */
static struct reply *simulated(void)
{
    struct reply *reply = reply_new();
    keyspace_command(d.ks, d.argv, d.argc, reply, &reply->root);
    return reply;
}

static void both(const char *what)
{
    const struct resp *real = redis_client_argv(d.client, d.argv, d.argc);
    assert_non_null(real);
    struct reply *reply = simulated();
    bool any_order =
        real->type == RESP_LIST && (span_is(d.argv[0], "HGETALL") || span_is(d.argv[0], "HKEYS"));
    if (any_order) {
        size_t step = span_is(d.argv[0], "HGETALL") ? 2 : 1;
        render_sorted(real, step, d.a, sizeof d.a);
        render_sorted(&reply->root, step, d.b, sizeof d.b);
    } else {
        render(real, d.a, sizeof d.a);
        render(&reply->root, d.b, sizeof d.b);
    }
    same(what);
    reply_free(reply);
    d.calls++;
}

/* ---- contents ---- */

static void compare_key(struct span key)
{
    char name[256];
    assert_true(span_copy(key, name, sizeof name));
    begin();
    word("TYPE");
    word("%s", name);
    both("type");
    const struct object *o = keyspace_get(d.ks, key);
    assert_non_null(o);
    static const char *const ask[] = {"GET", "HGETALL", "ZRANGE", "XRANGE"};
    begin();
    word("%s", ask[o->kind]);
    word("%s", name);
    if (o->kind == OBJECT_ZSET) {
        word("0");
        word("-1");
        word("WITHSCORES");
    } else if (o->kind == OBJECT_STREAM) {
        word("-");
        word("+");
    }
    both("contents");
    bool lives = o->expire_ms > 0;
    bool real_lives = redis_client_int(d.client, "PTTL", name, NULL) >= 0;
    if (lives != real_lives)
        fail_msg("%s: has a lifetime: real %d, simulated %d", name, real_lives, lives);
}

static void compare_all(void)
{
    struct span names[4096];
    static char text[4096][200];
    size_t n = 0;
    (void)keyspace_purge(d.ks);
    for (const struct dict_entry *e = d.ks->keys.oldest; e != NULL; e = e->newer, n++) {
        assert_true(n < 4096 && span_copy(dict_key(e), text[n], sizeof text[n]));
        names[n] = span_of(text[n]);
    }
    qsort(names, n, sizeof *names, by_text);
    size_t len = 0;
    d.b[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(d.b + len, sizeof d.b - len, "%.*s=|", SPAN_ARG(names[i]));
    render_sorted(redis_client_ask(d.client, "KEYS", "*", NULL), 1, d.a, sizeof d.a);
    same("keys");
    for (size_t i = 0; i < n; i++)
        compare_key(names[i]);
}

/* Virtual time goes on; what expires by it goes away in the real one too. */
static void advance(int64_t ms)
{
    keyspace_set_time(d.ks, d.ks->now_us + ms * 1000 + (int64_t)below(1000));
    for (struct dict_entry *e = d.ks->keys.oldest; e != NULL; e = e->newer) {
        const struct object *o = e->object;
        if (o->expire_ms > 0 && o->expire_ms <= d.ks->now_us / 1000)
            assert_int_equal(redis_client_int(d.client, "DEL", e->key, NULL), 1);
    }
    (void)keyspace_purge(d.ks);
}

/* ---- plain commands ---- */

static const char *some(const char *const *list, size_t n)
{
    return list[below(n)];
}
#define SOME(...)                                                                                  \
    some((const char *const[]){__VA_ARGS__},                                                       \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void score(void)
{
    switch (below(4)) {
    case 0:
        word("%lld", (long long)below(2000000000));
        break;
    case 1:
        word("%.3f", (double)below(100000) / 7);
        break;
    case 2:
        word("%s", SOME("0", "-1", "1e3", "17", "17", "nonsense", "-inf", "+inf", "1000000005"));
        break;
    default:
        word("%llu", (unsigned long long)below(20));
    }
}

static void bound(void)
{
    if (below(3) == 0)
        word("%s%llu", below(2) ? "(" : "", (unsigned long long)below(20));
    else
        word("%s", SOME("-inf", "+inf", "0", "(1000", "1000000000", "(17", "x"));
}

static void random_command(void)
{
    static const char *const names[] = {
        "GET",
        "SET",
        "DEL",
        "EXISTS",
        "HGET",
        "HSET",
        "HDEL",
        "HEXISTS",
        "HLEN",
        "HGETALL",
        "ZADD",
        "ZADD",
        "ZADD",
        "ZREM",
        "ZCARD",
        "ZSCORE",
        "ZRANGE",
        "ZRANGEBYSCORE",
        "ZREVRANGEBYSCORE",
        "XADD",
        "XADD",
        "XLEN",
        "XRANGE",
        "XREVRANGE",
        "INCR",
        "INCRBY",
        "HINCRBY",
        "HMGET",
        "HKEYS",
        "ZCOUNT",
        "ZREVRANGE",
        "TYPE",
        "PEXPIRE",
    };
    const char *name = names[below(sizeof names / sizeof *names)];
    const char *kind = *name == 'Z' ? "z" : *name == 'X' ? "x" : *name == 'H' ? "h" : "s";
    if (below(12) == 0)
        kind = SOME("z", "x", "h", "s"); /* of the wrong kind, perhaps */
    begin();
    word("%s", name);
    word("%s%llu", kind, (unsigned long long)below(3));
#define IS(text) (strcmp(name, text) == 0)
    if (IS("SET")) {
        word("%s", SOME("", "x", "17", "a longer text with blanks"));
        if (below(3) == 0)
            word("%s", SOME("NX", "XX"));
        if (below(3) == 0) {
            word("PX");
            word("%s", SOME("1000000", "2000000", "0", "x"));
        }
    } else if (IS("PEXPIRE")) {
        word("%s", SOME("1000000", "5000000", "x", "0", "-5"));
    } else if (IS("INCRBY")) {
        word("%s", SOME("1", "-5", "x"));
    } else if (IS("HINCRBY")) {
        word("f%llu", (unsigned long long)below(5));
        word("%s", SOME("1", "-5", "x"));
    } else if (*name == 'H' && !IS("HLEN") && !IS("HGETALL") && !IS("HKEYS")) {
        for (uint64_t i = 0, n = IS("HGET") || IS("HEXISTS") ? 1 : 1 + below(3); i < n; i++) {
            word("f%llu", (unsigned long long)below(200));
            if (IS("HSET"))
                word("%llu", (unsigned long long)below(10));
        }
    } else if (IS("ZADD")) {
        if (below(4) == 0)
            word("%s", SOME("NX", "XX"));
        for (uint64_t i = 0, n = 1 + below(3); i < n; i++) {
            score();
            word("m%llu", (unsigned long long)below(150));
        }
    } else if (IS("ZREM") || IS("ZSCORE")) {
        word("m%llu", (unsigned long long)below(150));
    } else if (IS("ZRANGE") || IS("ZREVRANGE")) {
        word("%d", (int)below(20) - 8);
        word("%d", (int)below(20) - 8);
        if (below(2))
            word("WITHSCORES");
    } else if (IS("ZRANGEBYSCORE") || IS("ZREVRANGEBYSCORE") || IS("ZCOUNT")) {
        bound();
        bound();
        if (!IS("ZCOUNT") && below(2))
            word("WITHSCORES");
        if (!IS("ZCOUNT") && below(2)) {
            word("LIMIT");
            word("%llu", (unsigned long long)below(3));
            word("%d", (int)below(6) - 1);
        }
    } else if (IS("XADD")) {
        if (below(3)) {
            word("MAXLEN");
            if (below(3))
                word("~");
            word("%s", SOME("150", "420", "0", "1"));
        }
        word("*");
        for (uint64_t i = 0, n = 1 + below(3); i < n; i++) {
            word("k%llu", (unsigned long long)i);
            word("%llu", (unsigned long long)below(100));
        }
    } else if (IS("XRANGE") || IS("XREVRANGE")) {
        bool reverse = IS("XREVRANGE");
        word("%s", reverse ? "+" : "-");
        word("%s", reverse ? "-" : "+");
        if (below(2)) {
            word("COUNT");
            word("%llu", (unsigned long long)below(5) + 1);
        }
    }
#undef IS
    both("command");
}

static void test_commands_answer_alike(void **state)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (below(20) == 0)
            advance((int64_t)below(20000));
        random_command();
        if (i % 500 == 499)
            compare_all();
    }
}

/* ---- scripts ---- */

static const char *node(void)
{
    static char buf[8];
    (void)snprintf(buf, sizeof buf, "n%d", (int)below(6));
    return buf;
}

static void keys(const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        word("b:{p}:%s", names[i]);
}
#define KEYS(...)                                                                                  \
    (word("%zu", sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)),                     \
     keys((const char *const[]){__VA_ARGS__},                                                      \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

/* The epoch or holder that is in force, or another. */
static void held_epoch(const char *name)
{
    struct span row = keyspace_field(d.ks, SPAN("b:{p}:states"), span_of(name));
    const char *at = row.ptr != NULL ? strstr(row.ptr, "epoch=") : NULL;
    long long epoch = at != NULL ? strtoll(at + 6, NULL, 10) : 0;
    word("%lld", below(8) ? epoch : epoch + (long long)below(3) - 1);
}

static void holder(const char *lease)
{
    char key[32];
    (void)snprintf(key, sizeof key, "b:{p}:%s", lease);
    struct span text = keyspace_string(d.ks, span_of(key));
    if (text.ptr != NULL && below(8))
        word("%.*s", SPAN_ARG(text));
    else
        word("%s", SOME("lb-a 1 2", "as-a 5 5", "nonsense"));
}

static void now_word(int64_t more_ms)
{
    word("%lld", (long long)(d.ks->now_us / 1000 + more_ms));
}

static void build_node_call(enum script_id id)
{
    const char *name = node();
    switch (id) {
    case SCRIPT_JOIN:
        KEYS("nodes", "epoch", "reports", "beats", "states", "load", "wants", "feed", "events");
        word("%s", name);
        word("%s", SOME("nonce-a", "nonce-b", "nonce-c", "bad nonce"));
        word("%s", SOME("{\"endpoint\":\"ws://h:1/ws\",\"capacity\":5}", "{\"capacity\":3}", "{}",
                        "no", "{\"epoch\":1}"));
        word("1");
        word("%s", SOME("0", "0", "0", "1700000000000", "1800000000000000", "x"));
        word("%s", SOME("3000", "3000", "10000", "0"));
        word("%s", SOME("150", "1000"));
        break;
    case SCRIPT_REPORT: {
        bool rooms = below(2);
        int64_t conns = (int64_t)below(7);
        if (rooms)
            KEYS("reports", "beats", "states", "load", "feed", "room:r1", "room:r2", "room:r3");
        else
            KEYS("reports", "beats", "states", "load", "feed");
        word("%s", name);
        held_epoch(name);
        word("%llu", (unsigned long long)(d.calls + below(20) - below(20)));
        word("v=1 epoch=1 seq=%llu conns=%lld hs=0 cap=5 rooms=0 adm=- closed=0 drain=0 pid=1",
             d.calls, (long long)conns);
        word("%lld", (long long)conns);
        word("%s", conns >= 5 ? "1" : "0");
        word("%s", SOME("150", "1000", "0"));
        word("%s", SOME("500000", "900000"));
        break;
    }
    case SCRIPT_WANT:
        KEYS("nodes", "wants", "feed", "events", "leader");
        word("%s", below(4) ? name : SOME("*closed", "*size", "*roll", "*paused"));
        word("%s", SOME("node", "operator", "autoscale", "operator", "nobody"));
        word("%s", SOME("draining", "ready", "held", "none", "closed", "size:4", "roll", "roll:1.2",
                        "paused", "none"));
        word("%s", SOME("because", "test", "", "two words"));
        if (below(3))
            word("0");
        else
            now_word((int64_t)below(30000) - 5000);
        word("1000");
        if (below(2))
            word("-");
        else
            holder("leader");
        break;
    case SCRIPT_MOVE: {
        bool owner = below(4) > 0;
        KEYS("owner", "leader", "states", "nodes", "reports", "beats", "load", "wants", "feed",
             "events");
        word("%s", owner ? "owner" : SOME("leader", "other"));
        holder(owner ? "owner" : "leader");
        word("%s", name);
        held_epoch(name);
        struct span row = keyspace_field(d.ks, SPAN("b:{p}:states"), span_of(name));
        struct span from = {row.ptr + 6, row.ptr != NULL ? strcspn(row.ptr + 6, " ") : 0};
        if (row.ptr != NULL && below(5))
            word("%.*s", SPAN_ARG(from));
        else
            word("%s", SOME("ready", "joining", "lost"));
        word("%s", SOME("ready", "ready", "joining", "draining", "closing", "drained", "lost",
                        "held", "gone", "terminating"));
        word("%s", SOME("probed", "wanted", "bad why"));
        word("1000");
        break;
    }
    default:
        KEYS("owner", "nodes", "states", "beats", "reports", "load", "wants", "feed", "events");
        holder("owner");
        word("%s", SOME("3000", "10000", "20000"));
        word("%s", SOME("60000", "100000", "20000"));
        word("%s", SOME("0", "34", "60", "101"));
        word("%s", SOME("200", "1", "2"));
        word("1000");
    }
}

static void build_lease_call(enum script_id id)
{
    if (id == SCRIPT_LEASE) {
        const char *lease = SOME("owner", "leader");
        struct span held = keyspace_string(
            d.ks, strcmp(lease, "owner") == 0 ? SPAN("b:{p}:owner") : SPAN("b:{p}:leader"));
        word("2");
        word("b:{p}:%s", lease);
        word("b:{p}:fence");
        word("%s", SOME("acquire", "acquire", "renew", "release", "steal"));
        if (held.ptr != NULL && below(3)) {
            struct span name = span_cut(&held, ' '), epoch = span_cut(&held, ' ');
            word("%.*s", SPAN_ARG(name));
            word("%.*s", SPAN_ARG(epoch));
            word("%.*s", SPAN_ARG(held));
        } else {
            word("%s", SOME("lb-a", "lb-b", "bad name"));
            word("%s", SOME("1", "2"));
            word("0");
        }
        word("%s", SOME("100000", "200000"));
    } else if (id == SCRIPT_ENROLL) {
        KEYS("peers", "epoch");
        word("%s", SOME("lb/a", "lb/b", "autoscale/a", "bad"));
        word("%s", SOME("nonce-a", "nonce-b"));
        word("http://h:%d", (int)below(3));
        word("%s", SOME("3000", "20000"));
        word("%s", SOME("enroll", "enroll", "enroll", "leave", "other"));
    } else if (id == SCRIPT_PLAN) {
        KEYS("leader", "plan");
        holder("leader");
        word("%s", SOME("64", "3"));
        for (uint64_t i = 0, n = 1 + below(3); i < n; i++) {
            word("token-%d", (int)below(6));
            word("%s", SOME("op=launch count=2", "", "op=roll base=3"));
        }
    } else {
        word("1");
        word("b:{p}:%s", SOME("events", "history"));
        word("%s", SOME("alert", "bad kind"));
        word("%s", SOME("-", "n1", "*size"));
        word("%s", SOME("why=x", "a=b c=d"));
        word("%s", SOME("150", "300"));
    }
}

static void build_room_call(enum script_id id)
{
    static const char *const names[] = {"room:r1", "room:r2", "room:r3"};
    size_t room = below(3);
    const char *name = node();
    word("%d", id == SCRIPT_ROOM ? 6 : 3);
    word("b:{p}:%s", names[room]);
    if (id == SCRIPT_ROOM) {
        word("b:{p}:states");
        word("b:{p}:reports");
        word("b:{p}:claims:%s:%d", name, (int)below(2));
    }
    word("b:{p}:player:u%d", (int)below(5));
    word("b:{p}:player:u%d", (int)below(5));
    word("%s", names[room] + 5);
    word("%s", id == SCRIPT_ROOM_END && below(3) == 0 ? "-" : name);
    held_epoch(name);
    if (id == SCRIPT_ROOM_END)
        return;
    word("%s", SOME("4", "1"));
    word("%s", SOME("400000", "900000"));
    word("%s", below(2) ? "-" : name);
    held_epoch(name);
    word("%s", SOME("lb-a/7", "lb-a/8", "lb-b/7", "lb-b"));
    word("%s", SOME("1000", "31000", "31000", "0"));
    word("%s", SOME("0", "500", "0", "x"));
}

/* A lobby node and its epoch, as arguments. */
static const char *lobby_words(void)
{
    const char *name = SOME("n0", "n1");
    word("%s", name);
    word("%s", SOME("7", "7", "7", "8"));
    return name;
}

static void stream_words(void)
{
    word("%s", SOME("100", "3"));
    word("%s", SOME("300000", "900000"));
}

/* Up to `most` entries of a queue as they are, or one that is not there. Returns how many. */
static size_t entries_of(const char *mode, size_t most, char (*ret)[256])
{
    char key[64];
    (void)snprintf(key, sizeof key, "b:{p}:seek:queue:%s", mode);
    const struct object *o = keyspace_get(d.ks, span_of(key));
    size_t n = o == NULL ? 0 : o->dict.count < most ? o->dict.count : most;
    for (size_t i = 0; i < n; i++)
        (void)snprintf(ret[i], sizeof ret[i], "%s", o->order[i]->key);
    if (n == 0 || below(8) == 0) {
        (void)snprintf(ret[0], sizeof ret[0], "1700000000000|1500|eu|-|u%d/n0/7", (int)below(12));
        n = n > 0 ? n : 1;
    }
    return n;
}

static void build_match_call(enum script_id id, const char *mode)
{
    char entries[4][256];
    size_t n = entries_of(mode, 1 + below(4), entries);
    word("%d", id == SCRIPT_SEEK_MAKE ? 6 : 4);
    word("b:{p}:seek:queue:%s", mode);
    word("b:{p}:seek:seekers");
    if (id == SCRIPT_SEEK_MAKE)
        word("b:{p}:seek:matches");
    word("b:{p}:seek:lobbies");
    if (id == SCRIPT_SEEK_MAKE)
        word("b:{p}:seek:match:");
    word("b:{p}:seek:results:");
    word("%s", below(10) ? mode : "a mode");
    if (id == SCRIPT_SEEK_MAKE) {
        word("%s", SOME("3000", "10000"));
        word("%s", SOME("120000", "200000"));
        word("%s", SOME("requeue", "smaller"));
        word("%d", (int)(1 + below(2)));
        word("100");
        word("m%llu", d.calls);
        word("%d", (int)below(2));
        word("%zu", n);
    } else {
        word("%s", SOME("timeout", "lost", "lost", "other"));
        stream_words();
    }
    for (size_t i = 0; i < n; i++)
        word("%s", entries[i]);
}

static void build_finish_call(void)
{
    const struct object *o = keyspace_get(d.ks, SPAN("b:{p}:seek:matches"));
    char room[64] = "m0";
    if (o != NULL && o->dict.count > 0 && below(6))
        (void)snprintf(room, sizeof room, "%s", o->order[below(o->dict.count)]->key);
    word("9");
    word("b:{p}:seek:matches");
    word("b:{p}:seek:match:%s", room);
    word("b:{p}:seek:seekers");
    word("b:{p}:seek:lobbies");
    word("b:{p}:seek:modes");
    word("b:{p}:seek:group:%s", room);
    word("b:{p}:seek:queue:");
    word("b:{p}:seek:results:");
    word("b:{p}:seek:told:");
    word("%s", room);
    word("100");
    word("%s", SOME("0", "400000"));
    for (int i = 0; i < 12; i++) {
        word("u%d", i);
        word("{\"text\":%d}", i);
    }
}

static void build_talk_call(enum script_id id)
{
    const char *code = SOME("c1", "c2");
    word("%d", id == SCRIPT_PARTY ? 3 : 2);
    word("b:{p}:seek:party:%s", code);
    if (id == SCRIPT_PARTY)
        word("b:{p}:seek:lobbies");
    word("b:{p}:seek:results:");
    if (id == SCRIPT_PARTY)
        word("%s", SOME("create", "join", "join", "leave", "other"));
    else
        word("%s", SOME("say", "say", "here", "away", "other"));
    word("%s", code);
    word("u%d", (int)below(4));
    (void)lobby_words();
    if (id == SCRIPT_PARTY) {
        word("%s", SOME("2", "4"));
        word("%s", SOME("400000", "900000"));
    } else {
        word("%s", SOME("hello", "{\"a\":1}"));
    }
    stream_words();
}

static void build_seek_words(void)
{
    KEYS("seek:seekers", "seek:lobbies", "seek:modes",
         "seek:queue:", "seek:match:", "seek:results:", "seek:party:", "seek:told:");
    (void)lobby_words();
    word("%s", SOME("60000", "1500"));
    word("%s", SOME("100", "5"));
    word("30000");
    word("%s", SOME("8", "1"));
    stream_words();
    for (uint64_t i = 0, n = 1 + below(3); i < n; i++)
        word("u%d %s %d %s %s %s 4 %d", (int)below(12), SOME("duel", "team"),
             (int)(1000 + below(1000)), SOME("eu", "us", "-"), SOME("-", "-", "friends"),
             SOME("-", "-", "c1"), (int)below(5000));
}

static void build_seek_call(enum script_id id)
{
    const char *mode = SOME("duel", "team");
    switch (id) {
    case SCRIPT_SEEK:
        build_seek_words();
        break;
    case SCRIPT_SEEK_CANCEL:
        KEYS("seek:seekers", "seek:queue:", "seek:match:", "seek:results:");
        word("u%d", (int)below(12));
        (void)lobby_words();
        word("%s", SOME("cancel", "gone", "gone", "other"));
        stream_words();
        break;
    case SCRIPT_SEEK_TAKE:
        KEYS("seek:matches", "seek:match:");
        word("%s", SOME("3000", "10000"));
        word("%s", SOME("10", "1", "0"));
        break;
    case SCRIPT_SEEK_FINISH:
        build_finish_call();
        break;
    case SCRIPT_SEEK_SWEEP:
        KEYS("seek:seekers", "seek:queue:", "seek:match:");
        word("0");
        word("1000");
        word("%s", SOME("3000", "30000"));
        break;
    case SCRIPT_SEEK_TICK: {
        const char *name = SOME("n0", "n1");
        word("5");
        word("b:{p}:seek:lobbies");
        word("b:{p}:seek:matcher");
        word("b:{p}:seek:modes");
        word("b:{p}:seek:results:%s", name);
        word("b:{p}:seek:queue:");
        word("%s", name);
        word("7");
        word("%s", SOME("60000", "1500"));
        word("%s", SOME("400000", "900000"));
        word("%s", SOME("100", "2"));
        word("%s", SOME("300000", "900000"));
        if (below(2)) {
            word("%s", mode);
            word("%d", (int)below(3));
        }
        break;
    }
    case SCRIPT_SEEK_MAKE:
    case SCRIPT_SEEK_DROP:
        build_match_call(id, mode);
        break;
    default:
        build_talk_call(id);
    }
}

/* Forward now and then, since the least is drawn again and again. */
static void build_alerted_call(void)
{
    KEYS("alerts");
    word("%s", SOME("ops", "*report", "bad name"));
    word("%llu-%d", below(3) ? 1700000000000 + d.calls : 1700000000000, (int)below(3));
    word("%s", SOME("100000", "200000", "0"));
}

static void build_call(enum script_id id)
{
    if (id <= SCRIPT_SWEEP)
        build_node_call(id);
    else if (id <= SCRIPT_ENROLL || id == SCRIPT_PLAN || id == SCRIPT_EVENT)
        build_lease_call(id);
    else if (id == SCRIPT_ROOM || id == SCRIPT_ROOM_END)
        build_room_call(id);
    else if (id == SCRIPT_ALERTED)
        build_alerted_call();
    else
        build_seek_call(id);
}

/* The script with the test's own time in place of TIME. */
static void script_text(enum script_id id, char *buf, size_t size)
{
    static const char what[] = "redis.call('TIME')";
    const char *at = scripts_table[id].text, *hit;
    size_t n = 0;
    while ((hit = strstr(at, what)) != NULL) {
        n += (size_t)snprintf(buf + n, size - n, "%.*s{'%lld','%lld'}", (int)(hit - at), at,
                              (long long)(d.ks->now_us / 1000000),
                              (long long)(d.ks->now_us % 1000000));
        at = hit + sizeof what - 1;
    }
    n += (size_t)snprintf(buf + n, size - n, "%s", at);
    assert_true(n < size);
}

static void hide_pttl(const struct resp *r, char *text)
{
    char *last;
    if (r->type == RESP_LIST && r->count == 4 && span_is(r->items[0].text, "HELD") &&
        (last = strrchr(text, ':')) != NULL)
        *last = '\0';
}

static int64_t expiry_of(struct span key)
{
    const struct object *o = keyspace_get(d.ks, key);
    return o != NULL ? o->expire_ms : 0;
}

/* A lifetime that this call set is the same in both. before: those of these keys. */
static void compare_lifetimes(const struct span *names, size_t n, const int64_t *before)
{
    for (size_t i = 0; i < n; i++) {
        char name[256];
        int64_t expire_ms = expiry_of(names[i]);
        if (expire_ms == 0 || expire_ms == before[i] || !span_copy(names[i], name, sizeof name))
            continue;
        int64_t real = redis_client_int(d.client, "PTTL", name, NULL);
        int64_t left = expire_ms - d.ks->now_us / 1000;
        if (real > left || real < left - 5000)
            fail_msg("%s: lives %lld ms, simulated %lld", name, (long long)real, (long long)left);
    }
}

static void call_script(enum script_id id, unsigned *ret_ok)
{
    static char text[TEXT_MAX];
    begin();
    script_text(id, text, sizeof text);
    word("EVAL");
    word("%s", text);
    build_call(id);
    int64_t nkeys;
    assert_true(span_int(d.argv[2], &nkeys));
    int64_t before[ARGS_MAX] = {0};
    for (int64_t i = 0; i < nkeys; i++)
        before[i] = expiry_of(d.argv[3 + i]);
    const struct resp *real = redis_client_argv(d.client, d.argv, d.argc);
    assert_non_null(real);
    struct reply *reply = reply_new();
    keyspace_eval(d.lua, d.ks, id, d.argv + 3, (size_t)nkeys, d.argv + 3 + nkeys,
                  d.argc - 3 - (size_t)nkeys, reply, &reply->root);
    render(real, d.a, sizeof d.a);
    render(&reply->root, d.b, sizeof d.b);
    hide_pttl(real, d.a);
    hide_pttl(&reply->root, d.b);
    d.argv[1] = span_of(scripts_table[id].name);
    same("script");
    *ret_ok += reply->root.type == RESP_LIST && !span_is(reply->root.items[0].text, "BAD");
    reply_free(reply);
    compare_lifetimes(d.argv + 3, (size_t)nkeys, before);
    d.calls++;
}

static void test_scripts_answer_alike_and_leave_the_same(void **state)
{
    unsigned ok[SCRIPT_COUNT] = {0};
    for (int i = 0; i < CALLS; i++) {
        advance(below(6) ? (int64_t)below(500) : (int64_t)below(20000));
        enum script_id id = (enum script_id)below(SCRIPT_COUNT);
        if (below(3) == 0) /* what the others need */
            id = (enum script_id)(below(2) ? SCRIPT_JOIN : below(2) ? SCRIPT_LEASE : SCRIPT_WANT);
        call_script(id, &ok[id]);
        if (i % 500 == 499)
            compare_all();
    }
    for (size_t id = 0; id < SCRIPT_COUNT; id++)
        if (ok[id] < 30)
            fail_msg("%s was carried out %u times only: make more good calls of it in build_call()",
                     scripts_table[id].name, ok[id]);
}

/* Another text where the scripts have theirs is seen by this test. */
static void test_a_difference_would_be_seen(void **state)
{
    struct err err = {0};
    struct reply *reply = reply_new();
    const struct span argv[] = {SPAN("7")};
    assert_int_equal(
        keyspace_lua_replace(d.lua, 0, "x",
                             "return {1.9, 'a' .. 2^53, false, true, 10000000000000000, "
                             "redis.call('SET', 'k', 3.5), redis.call('GET', 'k'), nil, 1}",
                             &err),
        0);
    keyspace_eval(d.lua, d.ks, 0, NULL, 0, argv, 1, reply, &reply->root);
    render(&reply->root, d.b, sizeof d.b);
    render(redis_client_ask(d.client, "EVAL",
                            "return {1.9, 'a' .. 2^53, false, true, 10000000000000000, "
                            "redis.call('SET', 'k', 3.5), redis.call('GET', 'k'), nil, 1}",
                            "0", NULL),
           d.a, sizeof d.a);
    assert_string_equal(d.a,
                        "[:1 \"a9.007199254741e+15\" nil :1 :10000000000000000 \"OK\" \"3.5\"]");
    assert_string_equal(d.a, d.b);
    reply_free(reply);
}

/* ---- both stores ---- */

static int setup(void **state)
{
    struct err err = {0};
    d.server = (struct redis_server){0};
    if (redis_server_start(&d.server, &err) < 0)
        return -1;
    d.client = redis_client_open(d.server.path, NULL);
    assert_non_null(d.client);
    (void)redis_client_text(d.client, "CONFIG", "SET", "stream-node-max-bytes", "0", NULL);
    (void)redis_client_text(d.client, "CONFIG", "SET", "stream-node-max-entries", "100", NULL);
    d.ks = keyspace_create();
    keyspace_set_time(d.ks, 1700000000000000);
    d.lua = keyspace_lua_create(scripts_table, &err);
    assert_non_null(d.lua);
    rng_seed(&d.rng, 17);
    d.calls = 0;
    return 0;
}

static int teardown(void **state)
{
    redis_client_close(d.client);
    redis_server_stop(&d.server);
    keyspace_destroy(d.ks);
    keyspace_lua_destroy(d.lua);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commands_answer_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scripts_answer_alike_and_leave_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_difference_would_be_seen, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The simulated keyspace against a real Redis: the same random commands and script calls to both,
 * the same answers, and the same contents afterwards.
 *
 * The scripts are the ones that are shipped, but for TIME: both take the test's own. */
#include "tests/contract/keyspace_calls.h"
#include "tests/contract/keyspace_pair.h"

#include <stdio.h>

enum { CALLS = 6000, COMMANDS = 6000 };

/* ---- plain commands ---- */

static void score(void)
{
    switch (pair_below(4)) {
    case 0:
        pair_word("%lld", (long long)pair_below(2000000000));
        break;
    case 1:
        pair_word("%.3f", (double)pair_below(100000) / 7);
        break;
    case 2:
        pair_word("%s",
                  SOME("0", "-1", "1e3", "17", "17", "nonsense", "-inf", "+inf", "1000000005"));
        break;
    default:
        pair_word("%llu", (unsigned long long)pair_below(20));
    }
}

static void bound(void)
{
    if (pair_below(3) == 0)
        pair_word("%s%llu", pair_below(2) ? "(" : "", (unsigned long long)pair_below(20));
    else
        pair_word("%s", SOME("-inf", "+inf", "0", "(1000", "1000000000", "(17", "x"));
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
    const char *name = names[pair_below(sizeof names / sizeof *names)];
    const char *kind = *name == 'Z' ? "z" : *name == 'X' ? "x" : *name == 'H' ? "h" : "s";
    if (pair_below(12) == 0)
        kind = SOME("z", "x", "h", "s"); /* of the wrong kind, perhaps */
    pair_begin();
    pair_word("%s", name);
    pair_word("%s%llu", kind, (unsigned long long)pair_below(3));
#define IS(text) (strcmp(name, text) == 0)
    if (IS("SET")) {
        pair_word("%s", SOME("", "x", "17", "a longer text with blanks"));
        if (pair_below(3) == 0)
            pair_word("%s", SOME("NX", "XX"));
        if (pair_below(3) == 0) {
            pair_word("PX");
            pair_word("%s", SOME("1000000", "2000000", "0", "x"));
        }
    } else if (IS("PEXPIRE")) {
        pair_word("%s", SOME("1000000", "5000000", "x", "0", "-5"));
    } else if (IS("INCRBY")) {
        pair_word("%s", SOME("1", "-5", "x"));
    } else if (IS("HINCRBY")) {
        pair_word("f%llu", (unsigned long long)pair_below(5));
        pair_word("%s", SOME("1", "-5", "x"));
    } else if (*name == 'H' && !IS("HLEN") && !IS("HGETALL") && !IS("HKEYS")) {
        for (uint64_t i = 0, n = IS("HGET") || IS("HEXISTS") ? 1 : 1 + pair_below(3); i < n; i++) {
            pair_word("f%llu", (unsigned long long)pair_below(200));
            if (IS("HSET"))
                pair_word("%llu", (unsigned long long)pair_below(10));
        }
    } else if (IS("ZADD")) {
        if (pair_below(4) == 0)
            pair_word("%s", SOME("NX", "XX"));
        for (uint64_t i = 0, n = 1 + pair_below(3); i < n; i++) {
            score();
            pair_word("m%llu", (unsigned long long)pair_below(150));
        }
    } else if (IS("ZREM") || IS("ZSCORE")) {
        pair_word("m%llu", (unsigned long long)pair_below(150));
    } else if (IS("ZRANGE") || IS("ZREVRANGE")) {
        pair_word("%d", (int)pair_below(20) - 8);
        pair_word("%d", (int)pair_below(20) - 8);
        if (pair_below(2))
            pair_word("WITHSCORES");
    } else if (IS("ZRANGEBYSCORE") || IS("ZREVRANGEBYSCORE") || IS("ZCOUNT")) {
        bound();
        bound();
        if (!IS("ZCOUNT") && pair_below(2))
            pair_word("WITHSCORES");
        if (!IS("ZCOUNT") && pair_below(2)) {
            pair_word("LIMIT");
            pair_word("%llu", (unsigned long long)pair_below(3));
            pair_word("%d", (int)pair_below(6) - 1);
        }
    } else if (IS("XADD")) {
        if (pair_below(3)) {
            pair_word("MAXLEN");
            if (pair_below(3))
                pair_word("~");
            pair_word("%s", SOME("150", "420", "0", "1"));
        }
        pair_word("*");
        for (uint64_t i = 0, n = 1 + pair_below(3); i < n; i++) {
            pair_word("k%llu", (unsigned long long)i);
            pair_word("%llu", (unsigned long long)pair_below(100));
        }
    } else if (IS("XRANGE") || IS("XREVRANGE")) {
        bool reverse = IS("XREVRANGE");
        pair_word("%s", reverse ? "+" : "-");
        pair_word("%s", reverse ? "-" : "+");
        if (pair_below(2)) {
            pair_word("COUNT");
            pair_word("%llu", (unsigned long long)pair_below(5) + 1);
        }
    }
#undef IS
    pair_both("command");
}

static void test_commands_answer_alike(void **state)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (pair_below(20) == 0)
            pair_advance((int64_t)pair_below(20000));
        random_command();
        if (i % 500 == 499)
            pair_compare();
    }
}

/* ---- scripts ---- */

/* The script with the test's own time in place of TIME. */
static void script_text(enum script_id id, char *buf, size_t size)
{
    static const char what[] = "redis.call('TIME')";
    const char *at = scripts_table[id].text, *hit;
    size_t n = 0;
    while ((hit = strstr(at, what)) != NULL) {
        n += (size_t)snprintf(buf + n, size - n, "%.*s{'%lld','%lld'}", (int)(hit - at), at,
                              (long long)(pair.ks->now_us / 1000000),
                              (long long)(pair.ks->now_us % 1000000));
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
    const struct object *o = keyspace_get(pair.ks, key);
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
        int64_t real = redis_client_int(pair.client, "PTTL", name, NULL);
        int64_t left = expire_ms - pair.ks->now_us / 1000;
        if (real > left || real < left - 5000)
            fail_msg("%s: lives %lld ms, simulated %lld", name, (long long)real, (long long)left);
    }
}

static void call_script(enum script_id id, unsigned *ret_ok)
{
    static char text[PAIR_TEXT_MAX];
    pair_begin();
    script_text(id, text, sizeof text);
    pair_word("EVAL");
    pair_word("%s", text);
    keyspace_call(id);
    int64_t nkeys;
    assert_true(span_int(pair.argv[2], &nkeys));
    int64_t before[PAIR_ARGS_MAX] = {0};
    for (int64_t i = 0; i < nkeys; i++)
        before[i] = expiry_of(pair.argv[3 + i]);
    const struct resp *real = redis_client_argv(pair.client, pair.argv, pair.argc);
    assert_non_null(real);
    struct reply *reply = reply_new();
    keyspace_eval(pair.lua, pair.ks, id, pair.argv + 3, (size_t)nkeys, pair.argv + 3 + nkeys,
                  pair.argc - 3 - (size_t)nkeys, reply, &reply->root);
    pair_render(real, pair.a, sizeof pair.a);
    pair_render(&reply->root, pair.b, sizeof pair.b);
    hide_pttl(real, pair.a);
    hide_pttl(&reply->root, pair.b);
    pair.argv[1] = span_of(scripts_table[id].name);
    pair_same("script");
    *ret_ok += reply->root.type == RESP_LIST && !span_is(reply->root.items[0].text, "BAD");
    reply_free(reply);
    compare_lifetimes(pair.argv + 3, (size_t)nkeys, before);
    pair.calls++;
}

static void test_scripts_answer_alike_and_leave_the_same(void **state)
{
    unsigned ok[SCRIPT_COUNT] = {0};
    for (int i = 0; i < CALLS; i++) {
        pair_advance(pair_below(6) ? (int64_t)pair_below(500) : (int64_t)pair_below(20000));
        enum script_id id = (enum script_id)pair_below(SCRIPT_COUNT);
        if (pair_below(3) == 0) /* what the others need */
            id = (enum script_id)(pair_below(2)   ? SCRIPT_JOIN
                                  : pair_below(2) ? SCRIPT_LEASE
                                                  : SCRIPT_WANT);
        call_script(id, &ok[id]);
        if (i % 500 == 499)
            pair_compare();
    }
    for (size_t id = 0; id < SCRIPT_COUNT; id++)
        if (ok[id] < 30)
            fail_msg(
                "%s was carried out %u times only: make more good calls of it in keyspace_call()",
                scripts_table[id].name, ok[id]);
}

/* Another text where the scripts have theirs is seen by this test. */
static void test_a_difference_would_be_seen(void **state)
{
    struct err err = {0};
    struct reply *reply = reply_new();
    const struct span argv[] = {SPAN("7")};
    assert_int_equal(
        keyspace_lua_replace(pair.lua, 0, "x",
                             "return {1.9, 'a' .. 2^53, false, true, 10000000000000000, "
                             "redis.call('SET', 'k', 3.5), redis.call('GET', 'k'), nil, 1}",
                             &err),
        0);
    keyspace_eval(pair.lua, pair.ks, 0, NULL, 0, argv, 1, reply, &reply->root);
    pair_render(&reply->root, pair.b, sizeof pair.b);
    pair_render(redis_client_ask(pair.client, "EVAL",
                                 "return {1.9, 'a' .. 2^53, false, true, 10000000000000000, "
                                 "redis.call('SET', 'k', 3.5), redis.call('GET', 'k'), nil, 1}",
                                 "0", NULL),
                pair.a, sizeof pair.a);
    assert_string_equal(pair.a,
                        "[:1 \"a9.007199254741e+15\" nil :1 :10000000000000000 \"OK\" \"3.5\"]");
    assert_string_equal(pair.a, pair.b);
    reply_free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commands_answer_alike, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_scripts_answer_alike_and_leave_the_same, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_a_difference_would_be_seen, pair_setup, pair_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* keyspace_pair.h - a real Redis and the simulated keyspace side by side: the same words to both,
 * the same answers, and the same contents.
 *
 * Time is virtual: what expires by it is deleted in the real one, whose own clock never gets so
 * far. */
#ifndef BERTH_TESTS_CONTRACT_KEYSPACE_PAIR_H
#define BERTH_TESTS_CONTRACT_KEYSPACE_PAIR_H

#include "core/rng.h"
#include "store/scripts.h"
#include "tests/sim/keyspace_lua.h"
#include "tests/support/redis_client.h"
#include "tests/support/redis_server.h"

#include "tests/support/cmocka.h"

enum { PAIR_ARGS_MAX = 128, PAIR_TEXT_MAX = 65536 };

struct pair {
    struct redis_server server;
    struct redis_client *client;
    struct keyspace *ks;
    struct keyspace_lua *lua;
    struct rng rng;
    struct span argv[PAIR_ARGS_MAX];
    size_t argc;
    char text[PAIR_TEXT_MAX]; /* of argv */
    size_t used;
    char a[PAIR_TEXT_MAX * 4], b[PAIR_TEXT_MAX * 4];
    unsigned long long calls;
};
extern struct pair pair;

int pair_setup(void **state);
int pair_teardown(void **state);

/* 0..n-1, drawn. */
uint64_t pair_below(uint64_t n);
/* One of these, drawn. */
const char *pair_some(const char *const *list, size_t n);
#define SOME(...)                                                                                  \
    pair_some((const char *const[]){__VA_ARGS__},                                                  \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* A command in pair.argv, word by word. */
void pair_begin(void);
void pair_word(const char *fmt, ...) BERTH_PRINTF(1, 2);

/* An answer as text. */
size_t pair_render(const struct resp *r, char *buf, size_t size);
/* pair.a (the real one's) and pair.b are the same, or the test fails and tells the command. */
void pair_same(const char *what);
/* The command to both, and the same answer. */
void pair_both(const char *what);
/* The same keys with the same contents, and a lifetime where the other has one. */
void pair_compare(void);
/* Time goes on. */
void pair_advance(int64_t ms);

#endif

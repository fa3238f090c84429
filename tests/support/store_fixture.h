/* store_fixture.h - a Redis of the test's own, and every script as one line.
 *
 * For cmocka tests: setup and teardown of a group, a clean store before each test. One per
 * executable. */
#ifndef BERTH_TESTS_SUPPORT_STORE_FIXTURE_H
#define BERTH_TESTS_SUPPORT_STORE_FIXTURE_H

#include "store/calls.h"
#include "store/node_report.h"
#include "tests/support/cmocka.h"
#include "tests/support/redis_client.h"
#include "tests/support/redis_server.h"

struct store_fixture {
    struct redis_server server;
    struct redis_client *client;
    struct keys keys; /* pool "p" */
    struct store_call call;
    struct err err;
    int64_t now; /* of the last answer */
};
extern struct store_fixture fx;

int store_group_setup(void **state);
int store_group_teardown(void **state);
/* Empties the store. As a test's setup. */
int store_clean(void **state);

/* Runs fx.call and decodes; the test fails when it is no answer. Valid until the next question. */
struct store_answer store_run(void);

/* SAY(join, .node = "n", ...): encode, run, decode. */
#define SAY(name, ...)                                                                             \
    (store_encoded(                                                                                \
         calls_##name(&fx.call, &fx.keys, &(const struct call_##name){__VA_ARGS__}, &fx.err)),     \
     store_run())
void store_encoded(int code);

#define TEST_INFO SPAN("{\"endpoint\":\"ws://127.0.0.1:1/ws\",\"capacity\":100}")

/* A process joins with a nonce of its own; its epoch. The node must get in. */
int64_t store_join(const char *node, const char *nonce);
/* A report with these conns; the answer. */
struct store_answer store_report(const char *node, int64_t epoch, int64_t seq, int64_t conns);
/* LB "lb-a" takes the owner lease (or "as-1" the leader's) and this is what it holds. */
const char *store_hold(enum move_role role);
/* The state word of a node; "" when it is not there. Valid until the next question. */
const char *store_state(const char *node);
/* Puts the last beat of a node ms into the past. */
void store_age(const char *node, int64_t ms);
/* Move along a way of states, ended by NODE_GONE + 1; asserted to work. */
void store_move_along(const char *node, int64_t epoch, const enum node_state *way);
/* One integer field of a record text, -1 when absent. */
int64_t store_field(const char *record, const char *name);
/* The load of a node; -1: none. */
int64_t store_load(const char *node);
/* Kind and record of the last entry of the feed: "state state=ready since=..." */
const char *store_last_feed(void);

#define STORE_RED 1000000000

#endif

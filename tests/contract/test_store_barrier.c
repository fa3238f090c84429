/* The barrier on a real primary and a real replica: what it lets through, and when it does not. */
#include "store/barrier.h"
#include "store/keys.h"
#include "tests/support/cmocka.h"
#include "tests/support/redis_client.h"
#include "tests/support/redis_server.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 1000, LIMIT_MS = 8000 };

static const char key[] = "berth:{p}:probe";
static struct redis_server primary, replica;
static struct redis_client *client, *behind;
static struct loop *loop;
static struct log quiet;

struct crossing {
    int ends;
    enum barrier_end end;
    char why[160];
    int64_t began_ms, took_ms;
};

static int64_t now_ms(void)
{
    return loop_now(loop).ms;
}

static void on_end(void *arg, enum barrier_end end, const char *why)
{
    struct crossing *c = arg;
    c->ends++;
    c->end = end;
    c->took_ms = now_ms() - c->began_ms;
    (void)snprintf(c->why, sizeof c->why, "%s", why);
}

struct until {
    const int *value;
    int64_t end_ms;
};

static void on_look(void *arg)
{
    const struct until *u = arg;
    if (*u->value > 0 || now_ms() > u->end_ms)
        loop_stop(loop);
}

static bool ended(const struct crossing *c, int64_t limit_ms)
{
    struct until u = {&c->ends, now_ms() + limit_ms};
    struct timer look;
    timer_init(&look, loop, on_look, &u);
    timer_start(&look, 0, 2);
    loop_run(loop);
    timer_stop(&look);
    return c->ends == 1;
}

static void begin(struct barrier *b, struct crossing *c)
{
    *c = (struct crossing){.began_ms = now_ms()};
    assert_int_equal(barrier_pass(b, on_end, c), 0);
    assert_int_equal(c->ends, 0); /* never from within */
}

static struct barrier *open_barrier(int64_t wait_ms, const char *user)
{
    struct err err = {0};
    const struct redis_config config = {.host = "127.0.0.1",
                                        .port = primary.port,
                                        .pool_key = key,
                                        .user = user,
                                        .password = user ? "secret" : NULL,
                                        .command_timeout_ms = 1000,
                                        .replica_wait_ms = wait_ms};
    struct barrier *b = barrier_create(loop, &quiet, &config, &err);
    if (!b)
        fail_msg("%s", err.text);
    return b;
}

/* Crosses until the connection stands and the replica keeps up: the first may be late. */
static void cross(struct barrier *b, struct crossing *c)
{
    int64_t limit = now_ms() + LIMIT_MS;
    do {
        begin(b, c);
        assert_true(ended(c, LIMIT_MS));
    } while (c->end == BARRIER_LATE && now_ms() < limit);
    if (c->end != BARRIER_PASSED)
        fail_msg("it ended with %d: %s", (int)c->end, c->why);
}

static void follow(void)
{
    char port[16];
    (void)snprintf(port, sizeof port, "%d", primary.port);
    assert_string_equal(redis_client_text(behind, "REPLICAOF", "127.0.0.1", port, NULL), "OK");
    int64_t limit = now_ms() + LIMIT_MS;
    do {
        if (now_ms() > limit)
            fail_msg("the replica does not follow");
        (void)redis_client_ask(client, "SET", key, "0", NULL);
    } while (redis_client_int(client, "WAIT", "1", "100", NULL) < 1);
}

static int setup(void **state)
{
    struct err err = {0};
    memset(&primary, 0, sizeof primary);
    memset(&replica, 0, sizeof replica);
    if (redis_server_start(&primary, &err) < 0 || redis_server_start(&replica, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    client = redis_client_open(primary.path, NULL);
    behind = redis_client_open(replica.path, NULL);
    (void)redis_client_ask(client, "CONFIG", "SET", "repl-diskless-sync-delay", "0", NULL);
    return client && behind ? 0 : -1;
}

static int teardown(void **state)
{
    redis_client_close(client);
    redis_client_close(behind);
    redis_server_stop(&replica);
    redis_server_stop(&primary);
    return 0;
}

static int group_setup(void **state)
{
    loop = loop_create(NULL);
    log_init(&quiet, "test");
    quiet.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return loop && quiet.fd >= 0 ? 0 : -1;
}

static int group_teardown(void **state)
{
    loop_destroy(loop);
    (void)close(quiet.fd);
    return 0;
}

static void test_without_replicas_nothing_is_waited_for(void **state)
{
    struct crossing c;
    struct barrier *b = open_barrier(WAIT_MS, NULL);
    cross(b, &c);
    begin(b, &c);
    assert_true(ended(&c, LIMIT_MS));
    assert_int_equal(c.end, BARRIER_PASSED);
    assert_true(c.took_ms < WAIT_MS);
    barrier_destroy(b);
}

static void test_what_was_written_before_is_on_the_replica(void **state)
{
    struct crossing c;
    struct barrier *b = open_barrier(WAIT_MS, NULL);
    char value[16];
    follow();
    cross(b, &c);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(value, sizeof value, "%d", i);
        (void)redis_client_ask(client, "SET", "berth:{p}:plan", value, NULL);
        begin(b, &c);
        assert_true(ended(&c, LIMIT_MS));
        assert_int_equal(c.end, BARRIER_PASSED);
        assert_string_equal(redis_client_text(behind, "GET", "berth:{p}:plan", NULL), value);
    }
    barrier_destroy(b);
}

static void test_a_replica_that_stands_still_is_waited_for_in_vain(void **state)
{
    struct crossing c;
    struct barrier *b = open_barrier(WAIT_MS, NULL);
    follow();
    cross(b, &c);
    redis_server_pause(&replica);
    begin(b, &c);
    assert_true(ended(&c, LIMIT_MS));
    assert_int_equal(c.end, BARRIER_LATE);
    assert_string_equal(c.why, "no replica has it in time");
    assert_true(c.took_ms >= WAIT_MS);
    redis_server_resume(&replica);
    cross(b, &c);
    barrier_destroy(b);
}

static void test_a_primary_that_goes_away_fails_it(void **state)
{
    struct crossing c;
    struct barrier *b = open_barrier(1000, NULL);
    follow();
    cross(b, &c);
    redis_server_pause(&replica);
    begin(b, &c);
    assert_false(ended(&c, 100)); /* it waits for the replica */
    redis_server_kill(&primary);
    assert_true(ended(&c, LIMIT_MS));
    assert_int_equal(c.end, BARRIER_FAILED);
    begin(b, &c);
    assert_true(ended(&c, LIMIT_MS));
    assert_int_equal(c.end, BARRIER_LATE);
    assert_string_equal(c.why, "no connection to Redis");
    begin(b, &c);
    barrier_destroy(b); /* who waits is told */
    assert_int_equal(c.ends, 1);
    assert_int_equal(c.end, BARRIER_FAILED);
    redis_server_resume(&replica);
}

static void test_who_may_not_ask_is_not_held_up(void **state)
{
    struct crossing c;
    follow();
    redis_server_pause(&replica);
    (void)redis_client_ask(client, "ACL", "SETUSER", "shy", "on", ">secret", "~berth:*", "+set",
                           "+select", NULL);
    for (int i = 0; i < 2; i++) {
        struct barrier *b = open_barrier(WAIT_MS, "shy");
        cross(b, &c);
        barrier_destroy(b);
        (void)redis_client_ask(client, "ACL", "SETUSER", "shy", "+role", NULL); /* but not WAIT */
    }
    redis_server_resume(&replica);
}

static void test_zero_waits_for_nothing(void **state)
{
    struct crossing c;
    follow();
    redis_server_pause(&replica);
    struct barrier *b = open_barrier(0, NULL);
    begin(b, &c);
    assert_true(ended(&c, LIMIT_MS));
    assert_int_equal(c.end, BARRIER_PASSED);
    barrier_destroy(b);
    redis_server_resume(&replica);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(test_without_replicas_nothing_is_waited_for),
        EACH(test_what_was_written_before_is_on_the_replica),
        EACH(test_a_replica_that_stands_still_is_waited_for_in_vain),
        EACH(test_a_primary_that_goes_away_fails_it),
        EACH(test_who_may_not_ask_is_not_held_up),
        EACH(test_zero_waits_for_nothing),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

/* The connection to Redis: comes back by itself, ends every command exactly once, survives being
 * destroyed anywhere. */
#include "io/redis.h"
#include "store/scripts.h"
#include "tests/support/cmocka.h"
#include "tests/support/redis_client.h"
#include "tests/support/redis_server.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct redis_server server;
static struct loop *loop;
static struct log quiet;

static int group_setup(void **state)
{
    struct err err = {0};
    if (redis_server_start(&server, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    loop = loop_create(NULL);
    log_init(&quiet, "test");
    quiet.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return loop && quiet.fd >= 0 ? 0 : -1;
}

static int group_teardown(void **state)
{
    loop_destroy(loop);
    (void)close(quiet.fd);
    redis_server_stop(&server);
    return 0;
}

/* ---- running the loop until something is so ---- */

struct wait {
    bool (*done)(void *arg);
    void *arg;
    mono_ms_t until;
};

static void on_look(void *arg)
{
    struct wait *w = arg;
    if (w->done(w->arg) || !mono_before(loop_now(loop), w->until))
        loop_stop(loop);
}

static bool run_until(bool (*done)(void *arg), void *arg, int64_t limit_ms)
{
    struct wait w = {done, arg, mono_add(loop_now(loop), limit_ms)};
    struct timer look;
    timer_init(&look, loop, on_look, &w);
    timer_start(&look, 0, 2);
    loop_run(loop);
    timer_stop(&look);
    return done(arg);
}

/* ---- a redis that is watched ---- */

struct watched {
    struct redis *redis;
    int up, down;
    int answers, failures, last_code;
    int64_t last_int;
    char last_text[64];
    bool destroy_in_answer, destroy_in_down, command_in_answer;
};

static void on_up(void *arg)
{
    ((struct watched *)arg)->up++;
}

static void on_down(void *arg, const char *why)
{
    struct watched *w = arg;
    w->down++;
    assert_true(why[0] != '\0');
    if (w->destroy_in_down) {
        redis_destroy(w->redis);
        w->redis = NULL;
    }
}

static void on_answer(void *arg, int code, const struct resp *reply)
{
    struct watched *w = arg;
    w->last_code = code;
    if (code == 0) {
        w->answers++;
        w->last_int = reply->integer;
        (void)snprintf(w->last_text, sizeof w->last_text, "%.*s", SPAN_ARG(reply->text));
    } else {
        assert_null(reply);
        w->failures++;
    }
    if (w->destroy_in_answer && w->redis) {
        redis_destroy(w->redis);
        w->redis = NULL;
    }
    if (w->command_in_answer) {
        struct span ping[] = {SPAN("PING")};
        w->command_in_answer = false;
        assert_int_equal(redis_command(w->redis, ping, 1, 0, on_answer, w), 0);
    }
}

static void open_redis(struct watched *w, struct redis_config config)
{
    struct err err = {0};
    const struct redis_events events = {on_up, on_down, w};
    w->redis = redis_create(loop, &quiet, &config, scripts_table, &events, &err);
    if (!w->redis)
        fail_msg("%s", err.text);
}

static struct redis_config by_port(void)
{
    return (struct redis_config){.host = "127.0.0.1", .port = server.port};
}

static bool is_up(void *arg)
{
    return redis_is_up(((struct watched *)arg)->redis);
}

static bool is_down(void *arg)
{
    return !is_up(arg);
}

static bool has_ended(void *arg) /* any command */
{
    struct watched *w = arg;
    return w->answers + w->failures > 0;
}

static void send(struct watched *w, const char *a, const char *b)
{
    struct span argv[] = {span_of(a), span_of(b)};
    assert_int_equal(redis_command(w->redis, argv, b ? 2 : 1, 0, on_answer, w), 0);
}

/* ---- tests ---- */

static void test_comes_up_with_all_scripts_loaded(void **state)
{
    struct watched w = {0};
    struct redis_client *client = redis_client_open(server.path, NULL);
    (void)redis_client_ask(client, "SCRIPT", "FLUSH", NULL);
    open_redis(&w, by_port());
    assert_false(redis_is_up(w.redis));
    assert_int_equal(w.up, 0); /* never from within the call */
    struct span ping[] = {SPAN("PING")};
    assert_int_equal(redis_command(w.redis, ping, 1, 0, on_answer, &w), BERTH_EAGAIN);
    assert_true(run_until(is_up, &w, 5000));
    assert_int_equal(w.up, 1);
    for (int i = 0; i < SCRIPT_COUNT; i++) {
        const struct resp *r =
            redis_client_ask(client, "SCRIPT", "EXISTS", scripts_table[i].sha1, NULL);
        assert_int_equal(r->items[0].integer, 1);
    }
    assert_int_equal(w.answers + w.failures, 0);
    redis_destroy(w.redis);
    redis_client_close(client);
}

static void test_answers_of_every_kind(void **state)
{
    struct watched w = {0};
    struct redis_config config = {.host = server.path};
    open_redis(&w, config); /* by unix socket */
    assert_true(run_until(is_up, &w, 5000));
    send(&w, "PING", "hello");
    assert_true(run_until(has_ended, &w, 5000));
    assert_string_equal(w.last_text, "hello");
    w.answers = 0;
    send(&w, "NO-SUCH-COMMAND", NULL);
    assert_true(run_until(has_ended, &w, 5000));
    assert_int_equal(w.last_code, 0); /* an error reply is an answer */
    assert_memory_equal(w.last_text, "ERR", 3);
    redis_destroy(w.redis);
}

static void test_connects_by_name(void **state)
{
    struct watched w = {0};
    struct redis_config config = {.host = "localhost", .port = server.port};
    open_redis(&w, config);
    assert_true(run_until(is_up, &w, 8000)); /* ::1 may be tried first and refuse */
    redis_destroy(w.redis);
}

static void test_destroyed_while_resolving(void **state)
{
    struct watched w = {0};
    struct redis_config config = {.host = "no-such-host.invalid", .port = 1};
    open_redis(&w, config);
    (void)run_until(is_up, &w, 20);
    redis_destroy(w.redis);
    (void)run_until(has_ended, &w, 20);
    assert_int_equal(w.up, 0);
}

static void test_refuses_a_path_that_is_too_long(void **state)
{
    char path[200];
    struct err err = {0};
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    const struct redis_config config = {.host = path};
    assert_null(redis_create(loop, &quiet, &config, NULL, NULL, &err));
    assert_int_equal(err.code, BERTH_EINVAL);
}

static void test_authenticates_and_selects(void **state)
{
    struct redis_server locked = {.password = "s3cret"};
    struct err err = {0};
    assert_int_equal(redis_server_start(&locked, &err), 0);
    struct watched w = {0}, wrong = {0};
    struct redis_config config = {
        .host = "127.0.0.1", .port = locked.port, .password = "s3cret", .db = 3};
    open_redis(&w, config);
    config.password = "wrong";
    open_redis(&wrong, config);
    assert_true(run_until(is_up, &w, 5000));
    struct span set[] = {SPAN("SET"), SPAN("k"), SPAN("v")};
    assert_int_equal(redis_command(w.redis, set, 3, 0, on_answer, &w), 0);
    assert_true(run_until(has_ended, &w, 5000));
    struct redis_client *client = redis_client_open(locked.path, "s3cret");
    (void)redis_client_ask(client, "SELECT", "3", NULL);
    assert_string_equal(redis_client_text(client, "GET", "k", NULL), "v");
    assert_int_equal(wrong.up, 0);
    redis_client_close(client);
    redis_destroy(w.redis);
    redis_destroy(wrong.redis);
    redis_server_stop(&locked);
}

static void test_comes_back_after_redis_was_killed(void **state)
{
    struct watched w = {0};
    struct err err = {0};
    open_redis(&w, by_port());
    assert_true(run_until(is_up, &w, 5000));
    send(&w, "PING", NULL); /* in flight */
    redis_server_kill(&server);
    assert_true(run_until(is_down, &w, 5000));
    assert_int_equal(w.down, 1);
    assert_int_equal(w.answers + w.failures, 1); /* exactly once, either way */
    assert_int_equal(redis_server_restart(&server, &err), 0);
    assert_true(run_until(is_up, &w, 8000));
    assert_int_equal(w.up, 2);
    w.answers = w.failures = 0;
    send(&w, "PING", NULL);
    assert_true(run_until(has_ended, &w, 5000));
    assert_int_equal(w.answers, 1);
    redis_destroy(w.redis);
}

/* Sockets of ours to this port that were closed, and whose bytes the kernel still sees to. */
static int closing_sockets(int port)
{
    FILE *f = fopen("/proc/net/tcp", "re");
    char line[256];
    int count = 0;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        unsigned local, remote, tcp_state;
        bool read = sscanf(line, " %*d: %*8x:%4x %*8x:%4x %2x", &local, &remote, &tcp_state) == 3;
        count += read && remote == (unsigned)port && (tcp_state == 4 || tcp_state == 5);
    }
    (void)fclose(f);
    return count;
}

static void test_a_paused_redis_is_a_timeout_and_a_new_connection(void **state)
{
    struct watched w = {0};
    struct redis_config config = by_port();
    config.command_timeout_ms = 100;
    config.connect_timeout_ms = 200;
    open_redis(&w, config);
    assert_true(run_until(is_up, &w, 5000));
    redis_server_pause(&server);
    mono_ms_t sent = loop_now(loop);
    send(&w, "PING", NULL);
    assert_true(run_until(has_ended, &w, 5000));
    int64_t took = mono_sub(loop_now(loop), sent);
    assert_int_equal(w.last_code, BERTH_ETIMEOUT);
    assert_int_equal(w.failures, 1);
    assert_in_range(took, 95, 1000);
    assert_false(redis_is_up(w.redis));
    assert_int_equal(w.down, 1);
    assert_int_equal(closing_sockets(server.port), 0); /* what was given up is not sent later */
    redis_server_resume(&server);
    assert_true(run_until(is_up, &w, 8000));
    assert_int_equal(w.failures, 1); /* the late answer of the old connection is nobody's */
    assert_int_equal(w.answers, 0);
    redis_destroy(w.redis);
}

static void test_a_blocking_read_has_its_block_time_on_top(void **state)
{
    struct watched w = {0};
    struct redis_config config = by_port();
    config.command_timeout_ms = 150;
    open_redis(&w, config);
    assert_true(run_until(is_up, &w, 5000));
    struct span read[] = {SPAN("XREAD"),   SPAN("BLOCK"),        SPAN("300"),
                          SPAN("STREAMS"), SPAN("nothing-here"), SPAN("$")};
    assert_int_equal(redis_command(w.redis, read, 6, 300, on_answer, &w), 0);
    send(&w, "PING", NULL); /* waits behind it and is not late before it */
    assert_true(run_until(has_ended, &w, 5000));
    assert_int_equal(w.failures, 0);
    assert_int_equal(w.down, 0);
    redis_destroy(w.redis);
}

static void test_a_script_that_redis_forgot_is_sent_whole(void **state)
{
    struct watched w = {0};
    struct redis_client *client = redis_client_open(server.path, NULL);
    open_redis(&w, by_port());
    assert_true(run_until(is_up, &w, 5000));
    (void)redis_client_ask(client, "SCRIPT", "FLUSH", NULL);
    struct keys keys;
    struct store_call call;
    assert_int_equal(keys_init(&keys, "berth", "noscript", NULL), 0);
    const struct call_event event = {
        .kind = "test", .name = "n", .detail = SPAN("a=b"), .stream_max = 10};
    assert_int_equal(calls_event(&call, &keys, &event, NULL), 0);
    for (int i = 0; i < 2; i++) /* both find no script: both fall back */
        assert_int_equal(redis_eval(w.redis, call.script, call.keys, call.nkeys, call.argv,
                                    call.argc, on_answer, &w),
                         0);
    send(&w, "PING", NULL);
    while (w.answers < 3 && run_until(has_ended, &w, 2000))
        (void)run_until(is_down, &w, 20);
    assert_int_equal(w.answers, 3);
    assert_int_equal(redis_client_int(client, "XLEN", "berth:{noscript}:events", NULL), 2);
    redis_destroy(w.redis);
    redis_client_close(client);
}

static void test_refuses_one_command_over_pending_max(void **state)
{
    struct watched w = {0};
    struct redis_config config = by_port();
    config.pending_max = 3;
    struct span ping[] = {SPAN("PING")};
    open_redis(&w, config);
    assert_true(run_until(is_up, &w, 5000));
    for (int i = 0; i < 3; i++)
        assert_int_equal(redis_command(w.redis, ping, 1, 0, on_answer, &w), 0);
    assert_int_equal(redis_command(w.redis, ping, 1, 0, on_answer, &w), BERTH_EAGAIN);
    assert_int_equal(w.answers, 0);
    assert_true(run_until(has_ended, &w, 5000));
    assert_int_equal(w.answers, 3);
    assert_int_equal(redis_command(w.redis, ping, 1, 0, NULL, NULL),
                     0); /* room again; nobody listens */
    redis_destroy(w.redis);
}

static void test_destroy_ends_what_is_pending_once(void **state)
{
    struct watched w = {0};
    open_redis(&w, by_port());
    assert_true(run_until(is_up, &w, 5000));
    for (int i = 0; i < 5; i++)
        send(&w, "PING", NULL);
    redis_destroy(w.redis);
    assert_int_equal(w.failures, 5);
    assert_int_equal(w.last_code, BERTH_ECLOSED);
    assert_int_equal(w.down, 0);
}

static void test_destroyed_from_within_an_answer(void **state)
{
    struct watched w = {.destroy_in_answer = true};
    open_redis(&w, by_port());
    assert_true(run_until(is_up, &w, 5000));
    for (int i = 0; i < 3; i++)
        send(&w, "PING", NULL);
    assert_true(run_until(has_ended, &w, 5000));
    assert_int_equal(w.answers, 1);
    assert_int_equal(w.failures, 2);
}

static void test_destroyed_from_within_down(void **state)
{
    struct watched w = {.destroy_in_down = true};
    struct err err = {0};
    open_redis(&w, by_port());
    assert_true(run_until(is_up, &w, 5000));
    send(&w, "PING", NULL);
    redis_server_kill(&server);
    while (w.down == 0)
        (void)run_until(has_ended, &w, 100);
    assert_null(w.redis);
    assert_int_equal(redis_server_restart(&server, &err), 0);
}

static void test_commands_from_within_an_answer(void **state)
{
    struct watched w = {.command_in_answer = true};
    open_redis(&w, by_port());
    assert_true(run_until(is_up, &w, 5000));
    send(&w, "PING", NULL);
    for (int i = 0; i < 200 && w.answers < 2; i++)
        (void)run_until(is_down, &w, 10);
    assert_int_equal(w.answers, 2);
    redis_destroy(w.redis);
}

static void test_reconnects_when_told(void **state)
{
    struct watched w = {0};
    open_redis(&w, by_port());
    assert_true(run_until(is_up, &w, 5000));
    send(&w, "PING", NULL);
    redis_reconnect(w.redis, "READONLY");
    assert_int_equal(w.failures, 0); /* not from within the call */
    assert_false(redis_is_up(w.redis));
    assert_true(run_until(has_ended, &w, 5000));
    assert_true(run_until(is_up, &w, 5000));
    assert_int_equal(w.down, 1);
    assert_int_equal(w.up, 2);
    redis_destroy(w.redis);
}

static void test_large_commands_and_replies(void **state)
{
    enum { BYTES = 3000000 };
    static char large[BYTES];
    struct watched w = {0};
    struct redis_client *client = redis_client_open(server.path, NULL);
    struct redis_config config = by_port();
    config.command_timeout_ms = 10000;
    memset(large, 'x', sizeof large);
    open_redis(&w, config);
    assert_true(run_until(is_up, &w, 5000));
    struct span set[] = {SPAN("SET"), SPAN("large"), {large, sizeof large}};
    struct span len[] = {SPAN("STRLEN"), SPAN("large")};
    struct span get[] = {SPAN("GET"), SPAN("large")};
    assert_int_equal(redis_command(w.redis, set, 3, 0, on_answer, &w), 0);
    assert_int_equal(redis_command(w.redis, get, 2, 0, on_answer, &w), 0);
    assert_int_equal(redis_command(w.redis, len, 2, 0, on_answer, &w), 0);
    for (int i = 0; i < 1000 && w.answers < 3; i++)
        (void)run_until(is_down, &w, 10);
    assert_int_equal(w.answers, 3);
    assert_int_equal(w.last_int, BYTES);
    (void)redis_client_ask(client, "DEL", "large", NULL);
    redis_destroy(w.redis);
    redis_client_close(client);
}

/* ---- the end of a turn ---- */

static void on_pong(void *arg, int code, const struct resp *reply)
{
    on_answer(arg, code, reply);
    loop_stop(loop);
}

static void ask_late(struct ev_loop *ev, ev_prepare *prepare, int events)
{
    struct watched *w = prepare->data;
    struct span ping[] = {SPAN("PING")};
    ev_prepare_stop(ev, prepare);
    assert_int_equal(redis_command(w->redis, ping, 1, 0, on_pong, w), 0);
}

/* Where what a turn has asked is written, and nothing else will wake the loop. */
static void test_a_command_at_the_end_of_a_turn_is_not_left_lying(void **state)
{
    struct watched w = {0};
    ev_prepare late;
    open_redis(&w, by_port());
    assert_true(run_until(is_up, &w, 5000));
    for (int i = 0; i < 3; i++) {
        ev_prepare_init(&late, ask_late);
        late.data = &w;
        ev_prepare_start(loop_ev(loop), &late);
        loop_run(loop); /* the command's own deadline ends it, with a failure */
    }
    assert_int_equal(w.answers, 3);
    assert_int_equal(w.failures, 0);
    redis_destroy(w.redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_up_with_all_scripts_loaded),
        cmocka_unit_test(test_answers_of_every_kind),
        cmocka_unit_test(test_connects_by_name),
        cmocka_unit_test(test_destroyed_while_resolving),
        cmocka_unit_test(test_refuses_a_path_that_is_too_long),
        cmocka_unit_test(test_authenticates_and_selects),
        cmocka_unit_test(test_comes_back_after_redis_was_killed),
        cmocka_unit_test(test_a_paused_redis_is_a_timeout_and_a_new_connection),
        cmocka_unit_test(test_a_blocking_read_has_its_block_time_on_top),
        cmocka_unit_test(test_a_script_that_redis_forgot_is_sent_whole),
        cmocka_unit_test(test_refuses_one_command_over_pending_max),
        cmocka_unit_test(test_destroy_ends_what_is_pending_once),
        cmocka_unit_test(test_destroyed_from_within_an_answer),
        cmocka_unit_test(test_destroyed_from_within_down),
        cmocka_unit_test(test_commands_from_within_an_answer),
        cmocka_unit_test(test_reconnects_when_told),
        cmocka_unit_test(test_large_commands_and_replies),
        cmocka_unit_test(test_a_command_at_the_end_of_a_turn_is_not_left_lying),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

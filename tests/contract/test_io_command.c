/* test_io_command.c - other people's programs: what they say, how they end, and that they do end.
 */
#include "io/command.h"
#include "tests/support/cmocka.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct world {
    struct loop *loop;
    struct log log;
    int pipe[2]; /* the log */
    int ends, code, exit_code;
    char output[256], why[64];
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct err err;
    w->loop = loop_create(&err);
    log_init(&w->log, "test");
    if (!w->loop || pipe(w->pipe) < 0)
        return -1;
    w->log.fd = w->pipe[1];
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    loop_destroy(w->loop);
    (void)close(w->pipe[0]);
    (void)close(w->pipe[1]);
    free(w);
    return 0;
}

static void on_done(void *arg, const struct command_result *r)
{
    struct world *w = arg;
    w->ends++;
    w->code = r->code;
    w->exit_code = r->exit_code;
    (void)snprintf(w->output, sizeof w->output, "%.200s", r->output.ptr);
    (void)snprintf(w->why, sizeof w->why, "%s", r->why);
    loop_stop(w->loop);
}

static void run(struct world *w, const char *script, const char *input, int64_t timeout_ms,
                size_t output_max)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const char *const env[] = {"BERTH_WORD=hello", NULL};
    const struct command_spec spec = {.argv = argv,
                                      .env = env,
                                      .input = span_of(input),
                                      .timeout_ms = timeout_ms,
                                      .output_max = output_max,
                                      .name = "it"};
    struct err err = {0};
    w->ends = 0;
    assert_non_null(command_start(w->loop, &w->log, &spec, on_done, w, &err));
    assert_int_equal(w->ends, 0);
    loop_run(w->loop);
    assert_int_equal(w->ends, 1);
}

static void test_input_environment_output(void **state)
{
    struct world *w = *state;
    run(w, "read x; echo \"$x $BERTH_WORD\"", "a line\n", 0, 0);
    assert_int_equal(w->code, 0);
    assert_string_equal(w->output, "a line hello\n");
    assert_string_equal(w->why, "ok");
}

static void test_no_input_is_an_empty_one(void **state)
{
    struct world *w = *state;
    run(w, "wc -c", "", 0, 0);
    assert_int_equal(atoi(w->output), 0);
    assert_int_equal(w->code, 0);
}

static void test_exit_code_and_complaints(void **state)
{
    struct world *w = *state;
    char text[1024] = {0};
    run(w, "echo half; echo no such fleet >&2; exit 3", "", 0, 0);
    assert_int_equal(w->code, BERTH_EPROTO);
    assert_int_equal(w->exit_code, 3);
    assert_string_equal(w->why, "exit code 3");
    assert_string_equal(w->output, "half\n");
    assert_true(read(w->pipe[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "ev=command name=it says=\"no such fleet\""));
}

static void test_signal(void **state)
{
    struct world *w = *state;
    run(w, "kill -9 $$", "", 0, 0);
    assert_int_equal(w->code, BERTH_EPROTO);
    assert_int_equal(w->exit_code, -1);
    assert_string_equal(w->why, "signal 9");
}

/* It writes faster than it is read, and for ever: the time limit still comes. */
static void test_time_limit_ends_who_complains_without_end(void **state)
{
    struct world *w = *state;
    run(w, "cat /dev/zero >&2 & cat /dev/zero >&2", "", 200, 0);
    assert_int_equal(w->code, BERTH_ETIMEOUT);
}

/* What it started holds the pipe open and would outlive it. */
static void test_time_limit_ends_all_of_it(void **state)
{
    struct world *w = *state;
    run(w, "sleep 1000 & echo $!; wait", "", 200, 0);
    assert_int_equal(w->code, BERTH_ETIMEOUT);
    assert_string_equal(w->why, "killed after 200 ms");
    int pid = atoi(w->output);
    assert_true(pid > 0);
    for (int i = 0; i < 500 && kill(pid, 0) == 0; i++)
        (void)usleep(10000); /* init reaps it */
    assert_int_not_equal(kill(pid, 0), 0);
}

static void test_what_it_leaves_behind_does_not_hold_it_up(void **state)
{
    struct world *w = *state;
    run(w, "sleep 1000 & echo done", "", 5000, 0);
    assert_int_equal(w->code, 0);
    assert_string_equal(w->output, "done\n");
}

static void test_too_much_output(void **state)
{
    struct world *w = *state;
    run(w, "printf 12345678", "", 0, 8);
    assert_int_equal(w->code, 0);
    assert_string_equal(w->output, "12345678");
    run(w, "yes", "", 0, 8);
    assert_int_equal(w->code, BERTH_EFULL);
    assert_string_equal(w->why, "more than 8 bytes of output");
}

static void test_missing_program(void **state)
{
    struct world *w = *state;
    const char *const argv[] = {"berth-no-such-program", NULL};
    const struct command_spec spec = {.argv = argv};
    struct err err = {0};
    assert_null(command_start(w->loop, &w->log, &spec, on_done, w, &err));
    assert_int_equal(err.code, BERTH_ENOENT);
}

static void test_cancelled_says_nothing(void **state)
{
    struct world *w = *state;
    const char *const argv[] = {"sleep", "1000", NULL};
    const struct command_spec spec = {.argv = argv};
    struct err err = {0};
    struct command *c = command_start(w->loop, &w->log, &spec, on_done, w, &err);
    assert_non_null(c);
    command_cancel(c);
    command_cancel(NULL);
    run(w, "echo next", "", 0, 0); /* the loop turns, and only this one ends */
    assert_string_equal(w->output, "next\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(input_environment_output),
        T(no_input_is_an_empty_one),
        T(exit_code_and_complaints),
        T(signal),
        T(time_limit_ends_all_of_it),
        T(time_limit_ends_who_complains_without_end),
        T(what_it_leaves_behind_does_not_hold_it_up),
        T(too_much_output),
        T(missing_program),
        T(cancelled_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The life of a daemon: order of stages, failures, signals, and what systemd is told. Each case is
 * a child process of its own. */
#include "io/boot.h"
#include "tests/support/cmocka.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the daemon ---- */

struct app {
    struct boot boot;
    const char *fail_at; /* the stage that fails */
    bool done;           /* the last stage says BOOT_DONE */
    bool stuck;          /* stop() does not end it */
    bool hung_up;        /* SIGHUP comes while it starts */
};

static void say(const char *word)
{
    char line[64];
    int n = snprintf(line, sizeof line, "%s\n", word);
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        _exit(99);
}

static int open_stage(struct app *app, const char *name, struct err *err)
{
    if (app->fail_at && strcmp(app->fail_at, name) == 0)
        return err_set(err, BERTH_EINVAL, "it is wrong");
    say(name);
    if (app->hung_up)
        (void)raise(SIGHUP);
    return 0;
}

static int open_loop(void *arg, struct err *err)
{
    struct app *app = arg;
    app->boot.loop = loop_create(err);
    return app->boot.loop ? open_stage(app, "+loop", err) : BERTH_ESYS;
}

static void close_loop(void *arg)
{
    struct app *app = arg;
    say("-loop");
    loop_destroy(app->boot.loop);
}

static int open_store(void *arg, struct err *err)
{
    return open_stage(arg, "+store", err);
}

static void close_store(void *arg)
{
    say("-store");
}

static int open_last(void *arg, struct err *err)
{
    struct app *app = arg;
    return app->done ? BOOT_DONE : open_stage(app, "+last", err);
}

static void on_stop(void *arg)
{
    struct app *app = arg;
    say("stop");
    if (!app->stuck)
        boot_exit(&app->boot, 0);
}

static void on_reload(void *arg)
{
    say("reload");
}

static const struct boot_stage stages[] = {
    {"loop", open_loop, close_loop},
    {"store", open_store, close_store},
    {"last", open_last, NULL},
    {NULL, NULL, NULL},
};

/* ---- running it ---- */

struct daemon {
    pid_t pid;
    FILE *out, *errors;
};

static struct daemon start(struct app app)
{
    int out[2], errors[2];
    struct daemon d;
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(errors), 0);
    app.boot.stop = on_stop;
    app.boot.reload = on_reload;
    d.pid = fork();
    assert_true(d.pid >= 0);
    if (d.pid == 0) {
        (void)dup2(out[1], STDOUT_FILENO);
        (void)dup2(errors[1], STDERR_FILENO);
        for (int i = 0; i < 2; i++) {
            close(out[i]);
            close(errors[i]);
        }
        _exit(boot_run(&app.boot, stages, &app));
    }
    close(out[1]);
    close(errors[1]);
    d.out = fdopen(out[0], "r");
    d.errors = fdopen(errors[0], "r");
    assert_true(d.out && d.errors);
    return d;
}

static void expect(struct daemon *d, const char *word)
{
    char line[64] = "(end)";
    if (fgets(line, sizeof line, d->out))
        line[strcspn(line, "\n")] = '\0';
    assert_string_equal(line, word);
}

static void expect_end(struct daemon *d, int exit_code, const char *error)
{
    char text[256] = "";
    int status;
    expect(d, "(end)");
    if (!fgets(text, sizeof text, d->errors))
        text[0] = '\0';
    assert_string_equal(text, error);
    assert_int_equal(waitpid(d->pid, &status, 0), d->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), exit_code);
    fclose(d->out);
    fclose(d->errors);
}

/* ---- systemd ---- */

static char directory[] = "/tmp/berth-boot-XXXXXX";
static char socket_path[64];
static int notify_fd;

static int setup(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    assert_non_null(mkdtemp(directory));
    (void)snprintf(socket_path, sizeof socket_path, "%s/notify", directory);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", socket_path);
    notify_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(notify_fd, (struct sockaddr *)&at, sizeof at), 0);
    setenv("NOTIFY_SOCKET", socket_path, 1);
    return 0;
}

static int teardown(void **state)
{
    close(notify_fd);
    unlink(socket_path);
    rmdir(directory);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    memcpy(directory + sizeof directory - 7, "XXXXXX", 6);
    return 0;
}

static void expect_told(const char *text)
{
    char got[600] = "";
    struct pollfd ready = {.fd = notify_fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 5000), 1);
    assert_true(recv(notify_fd, got, sizeof got - 1, 0) > 0);
    assert_string_equal(got, text);
}

static void test_stages_open_in_order_and_close_in_reverse(void **state)
{
    struct daemon d = start((struct app){0});
    expect(&d, "+loop");
    expect(&d, "+store");
    expect(&d, "+last");
    expect_told("READY=1"); /* only after the last stage */
    kill(d.pid, SIGTERM);
    expect(&d, "stop");
    expect(&d, "-store");
    expect(&d, "-loop");
    expect_told("STOPPING=1");
    expect_end(&d, 0, "");
}

static void test_a_failed_stage_closes_the_open_ones(void **state)
{
    struct daemon d = start((struct app){.fail_at = "+store"});
    expect(&d, "+loop");
    expect(&d, "-loop");
    expect_end(&d, 1, "store: it is wrong\n");
}

static void test_a_stage_may_say_nothing_more_to_do(void **state)
{
    struct daemon d = start((struct app){.done = true, .boot.exit_code = 3});
    expect(&d, "+loop");
    expect(&d, "+store");
    expect(&d, "-store");
    expect(&d, "-loop");
    expect_end(&d, 3, "");
}

static void test_a_second_signal_stops_now(void **state)
{
    struct daemon d = start((struct app){.stuck = true});
    for (int i = 0; i < 3; i++)
        (void)expect(&d, (const char *[]){"+loop", "+store", "+last"}[i]);
    expect_told("READY=1");
    kill(d.pid, SIGINT);
    expect(&d, "stop");
    kill(d.pid, SIGTERM);
    expect(&d, "-store");
    expect(&d, "-loop");
    expect_end(&d, 128 + SIGTERM, "");
}

static void test_sighup_reloads(void **state)
{
    struct daemon d = start((struct app){0});
    for (int i = 0; i < 3; i++)
        (void)expect(&d, (const char *[]){"+loop", "+store", "+last"}[i]);
    expect_told("READY=1");
    kill(d.pid, SIGHUP);
    expect(&d, "reload");
    kill(d.pid, SIGHUP);
    expect(&d, "reload");
    kill(d.pid, SIGTERM);
    expect(&d, "stop");
    expect(&d, "-store");
    expect(&d, "-loop");
    expect_end(&d, 0, "");
}

static void test_sighup_at_the_start_ends_nothing(void **state)
{
    struct daemon d = start((struct app){.hung_up = true});
    for (int i = 0; i < 3; i++)
        (void)expect(&d, (const char *[]){"+loop", "+store", "+last"}[i]);
    expect_told("READY=1");
    kill(d.pid, SIGTERM);
    expect(&d, "stop");
    expect(&d, "-store");
    expect(&d, "-loop");
    expect_end(&d, 0, "");
}

/* Closing the window of `berth up` stops what it started; `nohup berth up` outlives the window. */
static void test_a_program_of_a_terminal_ends_with_it_unless_told_otherwise(void **state)
{
    for (int nohup = 0; nohup < 2; nohup++) {
        (void)signal(SIGHUP, nohup ? SIG_IGN : SIG_DFL);
        struct daemon d = start((struct app){.boot.of_terminal = true});
        (void)signal(SIGHUP, SIG_DFL);
        for (int i = 0; i < 3; i++)
            (void)expect(&d, (const char *[]){"+loop", "+store", "+last"}[i]);
        expect_told("READY=1");
        kill(d.pid, SIGHUP);
        if (nohup)
            kill(d.pid, SIGTERM);
        expect(&d, "stop");
        expect(&d, "-store");
        expect(&d, "-loop");
        expect_told("STOPPING=1");
        expect_end(&d, 0, "");
    }
}

static void test_the_watchdog_is_fed(void **state)
{
    setenv("WATCHDOG_USEC", "100000", 1);
    struct daemon d = start((struct app){0});
    expect_told("READY=1");
    for (int i = 0; i < 3; i++)
        expect_told("WATCHDOG=1");
    kill(d.pid, SIGKILL);
    (void)waitpid(d.pid, NULL, 0);
    fclose(d.out);
    fclose(d.errors);
}

static void test_notify_speaks_only_when_asked(void **state)
{
    struct notify notify;
    struct err err = {0};
    setenv("WATCHDOG_USEC", "3000000", 1);
    setenv("WATCHDOG_PID", "1", 1); /* somebody else's */
    assert_int_equal(notify_init(&notify, &err), 0);
    assert_int_equal(notify.watchdog_ms, 0);
    notify_status(&notify, "%d players\nREADY=0", 7);
    expect_told("STATUS=7 players"); /* one line: nothing can be smuggled in */
    notify_fini(&notify);
    unsetenv("WATCHDOG_PID");
    assert_int_equal(notify_init(&notify, &err), 0);
    assert_int_equal(notify.watchdog_ms, 1500);
    notify_fini(&notify);
    setenv("NOTIFY_SOCKET", "relative/path", 1);
    assert_int_equal(notify_init(&notify, &err), BERTH_EINVAL);
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_init(&notify, &err), 0);
    assert_int_equal(notify.fd, -1);
    notify_ready(&notify); /* nobody listens: nothing happens */
    notify_fini(&notify);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stages_open_in_order_and_close_in_reverse),
        TEST(test_a_failed_stage_closes_the_open_ones),
        TEST(test_a_stage_may_say_nothing_more_to_do),
        TEST(test_a_second_signal_stops_now),
        TEST(test_sighup_reloads),
        TEST(test_sighup_at_the_start_ends_nothing),
        TEST(test_a_program_of_a_terminal_ends_with_it_unless_told_otherwise),
        TEST(test_the_watchdog_is_fed),
        TEST(test_notify_speaks_only_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_provider_local.c - processes are started, adopted, ended, and never twice. Real processes.
 */
#include "autoscale/pidfile.h"
#include "autoscale/provider.h"
#include "tests/support/cmocka.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 10000

struct harness {
    char directory[64], script[96];
    struct loop *loop;
    struct log log;
    struct autoscale_settings settings;
    struct local_program_settings program;
    const char *command[1];
    struct provider_env env;
    void *provider;
    /* The last answer. */
    bool answered;
    enum scale_outcome outcome;
    size_t count;
    char ids[16][NAME_SIZE];
    struct fleet_listed listed[16];
    char error[256];
    struct timer deadline;
};

static void on_deadline(void *arg)
{
    (void)arg;
    fail_msg("no answer in time");
}

static void open_provider(struct harness *h)
{
    struct err err = {0};
    h->provider = provider_local.open(&h->env, &err);
    if (!h->provider)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    struct harness *h = calloc(1, sizeof *h);
    struct err err = {0};
    *state = h;
    snprintf(h->directory, sizeof h->directory, "/tmp/berth-local-XXXXXX");
    assert_non_null(mkdtemp(h->directory));
    snprintf(h->script, sizeof h->script, "%s/node.sh", h->directory);
    FILE *f = fopen(h->script, "w");
    fputs("#!/bin/sh\necho started \"$@\"\ntrap 'exit 0' TERM\nwhile :; do sleep 0.05; done\n", f);
    fclose(f);
    chmod(h->script, 0755);
    h->loop = loop_create(&err);
    assert_non_null(h->loop);
    log_init(&h->log, "test");
    h->log.level = LOG_ERROR;
    h->command[0] = h->script;
    h->program = (struct local_program_settings){"game", {h->command, 1}};
    h->settings.local = (struct local_settings){h->directory, {&h->program, 1}};
    h->env = (struct provider_env){.loop = h->loop,
                                   .log = &h->log,
                                   .settings = &h->settings,
                                   .config_file = "/etc/berth.yaml"};
    timer_init(&h->deadline, h->loop, on_deadline, h);
    open_provider(h);
    return 0;
}

static void wait_answer(struct harness *h)
{
    timer_start(&h->deadline, DEADLINE_MS, 0);
    h->answered = false;
    loop_run(h->loop);
    assert_true(h->answered);
    timer_stop(&h->deadline);
}

static void on_launched(void *arg, enum scale_outcome outcome, const char (*ids)[NAME_SIZE],
                        size_t count, const char *error)
{
    struct harness *h = arg;
    h->answered = true;
    h->outcome = outcome;
    h->count = count;
    for (size_t i = 0; i < count && i < 16; i++)
        memcpy(h->ids[i], ids[i], NAME_SIZE);
    snprintf(h->error, sizeof h->error, "%s", error ? error : "");
    loop_stop(h->loop);
}

static void on_done(void *arg, enum scale_outcome outcome, const char *error)
{
    on_launched(arg, outcome, NULL, 0, error);
}

static void on_listed(void *arg, const struct fleet_listed *items, size_t count, const char *error)
{
    struct harness *h = arg;
    h->answered = true;
    h->count = count;
    memcpy(h->listed, items, (count < 16 ? count : 16) * sizeof *items);
    snprintf(h->error, sizeof h->error, "%s", error ? error : "");
    loop_stop(h->loop);
}

static void launch(struct harness *h, const char *pool, const char *token, int count)
{
    provider_local.launch(h->provider, pool, token, count, "", on_launched, h);
    wait_answer(h);
}

static size_t list(struct harness *h)
{
    provider_local.list(h->provider, "game", on_listed, h);
    wait_answer(h);
    assert_string_equal(h->error, "");
    return h->count;
}

static void terminate(struct harness *h, const char *id)
{
    provider_local.terminate(h->provider, "game", id, on_done, h);
    wait_answer(h);
    assert_int_equal(h->outcome, SCALE_DONE);
}

static void on_pause(void *arg)
{
    struct harness *h = arg;
    loop_stop(h->loop);
}

/* Run the loop until the list has `count` entries. */
static void wait_listed(struct harness *h, size_t count)
{
    for (int i = 0; i < 200 && list(h) != count; i++) {
        struct timer pause;
        timer_init(&pause, h->loop, on_pause, h);
        timer_start(&pause, 50, 0);
        loop_run(h->loop);
    }
    assert_int_equal(list(h), count);
}

static pid_t pid_of(struct harness *h, const char *id)
{
    struct pidfile file;
    assert_int_equal(pidfile_read(h->directory, id, &file), 0);
    return file.pid;
}

static int teardown(void **state)
{
    struct harness *h = *state;
    char command[128];
    size_t n = list(h);
    for (size_t i = 0; i < n; i++)
        kill(pid_of(h, h->listed[i].id), SIGKILL);
    provider_local.close(h->provider);
    loop_destroy(h->loop);
    snprintf(command, sizeof command, "rm -rf %s", h->directory);
    assert_int_equal(system(command), 0);
    free(h);
    return 0;
}

static void test_launch_is_idempotent_by_token(void **state)
{
    struct harness *h = *state;
    launch(h, "game", "abc-1", 2);
    assert_int_equal(h->outcome, SCALE_DONE);
    assert_int_equal(h->count, 2);
    assert_string_equal(h->ids[1], "game-abc-1-2");
    pid_t first = pid_of(h, h->ids[0]);
    launch(h, "game", "abc-1", 3);
    assert_int_equal(h->count, 3);
    assert_int_equal(pid_of(h, h->ids[0]), first);
    assert_int_equal(list(h), 3);
    assert_string_equal(h->listed[0].token, "abc-1");
}

static void test_restart_adopts(void **state)
{
    struct harness *h = *state;
    launch(h, "game", "abc-1", 2);
    provider_local.close(h->provider);
    open_provider(h);
    assert_int_equal(list(h), 2);
    assert_true(h->listed[0].age_ms < 60000);
    terminate(h, "game-abc-1-1");
    wait_listed(h, 1);
    assert_string_equal(h->listed[0].id, "game-abc-1-2");
}

static void test_process_without_its_file_is_found_again(void **state)
{
    struct harness *h = *state;
    launch(h, "game", "abc-1", 1);
    pid_t pid = pid_of(h, "game-abc-1-1");
    pidfile_remove(h->directory, "game-abc-1-1"); /* as if the starter had died in between */
    assert_int_equal(list(h), 0);
    launch(h, "game", "abc-1", 1);
    assert_int_equal(pid_of(h, "game-abc-1-1"), pid);
}

static void test_terminated_is_listed_until_it_is_gone(void **state)
{
    struct harness *h = *state;
    launch(h, "game", "abc-1", 1);
    terminate(h, "game-abc-1-1");
    size_t n = list(h);
    assert_true(n == 0 || h->listed[0].ending);
    wait_listed(h, 0);
    terminate(h, "game-abc-1-1"); /* again: it is gone, which is what was wanted */
}

static void test_killed_process_leaves_the_list(void **state)
{
    struct harness *h = *state;
    launch(h, "game", "abc-1", 2);
    kill(pid_of(h, "game-abc-1-2"), SIGKILL);
    wait_listed(h, 1);
}

static void test_reused_pid_is_not_ours(void **state)
{
    struct harness *h = *state;
    struct pidfile file = {
        .id = "game-old-1-1", .pool = "game", .token = "old-1", .pid = getpid(), .start = 12345};
    struct err err = {0};
    assert_int_equal(pidfile_write(h->directory, &file, &err), 0);
    assert_int_equal(list(h), 0);
    terminate(h, "game-old-1-1"); /* and we live on */
}

/* A former leader goes on in the middle of its write while the next one writes the same file. */
static void test_two_write_one_pid_file_at_the_same_time(void **state)
{
    enum { WRITERS = 3, TIMES = 150 };
    struct harness *h = *state;
    struct pidfile file = {
        .id = "game-two-1-1", .pool = "game", .token = "two-1", .pid = getpid(), .start = 12345};
    struct err err = {0};
    pid_t writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        assert_true(writers[i] >= 0);
        for (int n = 0; writers[i] == 0 && n < TIMES; n++)
            if (pidfile_write(h->directory, &file, &err) < 0)
                _exit(1);
        if (writers[i] == 0)
            _exit(0);
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(writers[i], &status, 0), writers[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(pidfile_read(h->directory, file.id, &file), 0);
    pidfile_remove(h->directory, file.id);
}

static void test_pools_do_not_see_each_other(void **state)
{
    struct harness *h = *state;
    launch(h, "game", "abc-1", 1);
    provider_local.list(h->provider, "lobby", on_listed, h);
    wait_answer(h);
    assert_int_equal(h->count, 0);
}

static void test_launch_that_cannot_be_is_refused(void **state)
{
    struct harness *h = *state;
    launch(h, "nosuch", "abc-1", 1);
    assert_int_equal(h->outcome, SCALE_NOT_DONE);
    assert_non_null(strstr(h->error, "no command for pool nosuch"));
    h->command[0] = "/nonexistent/node";
    launch(h, "game", "abc-2", 1);
    assert_int_equal(h->outcome, SCALE_NOT_DONE);
    assert_non_null(strstr(h->error, "/nonexistent/node"));
    assert_int_equal(list(h), 0);
}

static void test_log_is_bounded(void **state)
{
    struct harness *h = *state;
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/x.log", h->directory);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("0123456789\n", f);
    fclose(f);
    pidfile_bound_log(h->directory, "x", 1000);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 0);
    snprintf(path, sizeof path, "%s/x.log.1", h->directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 1000);
}

/* Who was stopped between being asked and acting leaves it to the one that may lead by now. */
static void test_standing_still_starts_and_ends_nothing(void **state)
{
    struct harness *h = *state;
    provider_local.launch(h->provider, "game", "tok", 2, "", on_launched, h);
    usleep(1000000);
    wait_answer(h);
    assert_int_equal(h->outcome, SCALE_UNKNOWN);
    assert_int_equal(list(h), 0);
    launch(h, "game", "tok", 2); /* asked again, the same token makes it */
    assert_int_equal(h->outcome, SCALE_DONE);
    assert_int_equal(list(h), 2);
    provider_local.terminate(h->provider, "game", h->ids[0], on_done, h);
    usleep(1000000);
    wait_answer(h);
    assert_int_equal(h->outcome, SCALE_UNKNOWN);
    assert_int_equal(list(h), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_standing_still_starts_and_ends_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_launch_is_idempotent_by_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart_adopts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_process_without_its_file_is_found_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_terminated_is_listed_until_it_is_gone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_killed_process_leaves_the_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reused_pid_is_not_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_write_one_pid_file_at_the_same_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pools_do_not_see_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_launch_that_cannot_be_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

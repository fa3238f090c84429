/* test_io_spawn.c - child processes: found, started, told apart, and their failures explained. */
#include "io/spawn.h"
#include "tests/support/cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/berth-spawn-XXXXXX";

static int make_directory(void **state)
{
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/out", directory);
    (void)unlink(path);
    return rmdir(directory);
}

static int wait_code(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_output_environment_and_directory(void **state)
{
    char path[64], text[256] = {0};
    (void)snprintf(path, sizeof path, "%s/out", directory);
    const char *const argv[] = {"sh", "-c", "echo \"$BERTH_WORD in $PWD\"; echo bad >&2; exit 7",
                                NULL};
    const char *const env[] = {"BERTH_WORD=hello", NULL};
    const struct spawn spec = {.argv = argv, .env = env, .output = path, .directory = "/"};
    struct err err = {0};
    pid_t pid = spawn_process(&spec, &err);
    assert_true(pid > 0);
    assert_int_equal(wait_code(pid), 7);
    int fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    (void)close(fd);
    assert_string_equal(text, "hello in /\nbad\n");
}

static void test_missing_program_is_an_error_that_names_it(void **state)
{
    const char *const argv[] = {"berth-no-such-program", NULL};
    const struct spawn spec = {.argv = argv};
    struct err err = {0};
    assert_int_equal(spawn_process(&spec, &err), BERTH_ENOENT);
    assert_string_equal(err.text, "berth-no-such-program: No such file or directory");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left behind */
    assert_int_equal(errno, ECHILD);
}

static void test_unwritable_output_is_an_error_that_names_it(void **state)
{
    const char *const argv[] = {"true", NULL};
    const struct spawn spec = {.argv = argv, .output = "/no/such/directory/log"};
    struct err err = {0};
    assert_int_equal(spawn_process(&spec, &err), BERTH_ENOENT);
    assert_string_equal(err.text, "/no/such/directory/log: No such file or directory");
}

static void test_child_has_default_signals_and_no_descriptors_of_ours(void **state)
{
    char path[64], text[256] = {0};
    (void)snprintf(path, sizeof path, "%s/out", directory);
    (void)unlink(path);
    int leak = open("/dev/null", O_RDONLY); /* without CLOEXEC on purpose */
    (void)signal(SIGPIPE, SIG_IGN);
    /* no pipeline: the shell's own pipe would be seen now and then */
    const char *const argv[] = {"sh", "-c",
                                "set -- /proc/$$/fd/*; echo $#; grep SigIgn /proc/$$/status", NULL};
    const struct spawn spec = {.argv = argv, .output = path, .own_session = true};
    struct err err = {0};
    pid_t pid = spawn_process(&spec, &err);
    assert_true(pid > 0);
    assert_int_equal(wait_code(pid), 0);
    (void)close(leak);
    (void)signal(SIGPIPE, SIG_DFL);
    int fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    (void)close(fd);
    assert_in_range(atoi(text), 3, 4); /* the three, and the directory that is being read */
    const char *ignored = strstr(text, "SigIgn:\t");
    assert_non_null(ignored);
    const unsigned long long ours_to_reset = ~(3ull << 31); /* 32 and 33 belong to the C library */
    assert_int_equal(strtoull(ignored + strlen("SigIgn:\t"), NULL, 16) & ours_to_reset, 0);
}

static void test_start_time_tells_processes_apart(void **state)
{
    const char *const argv[] = {"sleep", "30", NULL};
    const struct spawn spec = {.argv = argv};
    struct err err = {0};
    pid_t pid = spawn_process(&spec, &err);
    assert_true(pid > 0);
    unsigned long long started = spawn_start_time(pid);
    assert_true(started >= spawn_start_time(getpid()));
    assert_true(started > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    siginfo_t info; /* a zombie counts as gone */
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(spawn_start_time(pid), 0);
    (void)wait_code(pid);
    assert_int_equal(spawn_start_time(pid), 0);
}

static void test_child_dies_with_its_parent(void **state)
{
    int tell[2];
    assert_int_equal(pipe(tell), 0);
    pid_t middle = fork();
    if (middle == 0) {
        const char *const argv[] = {"sleep", "60", NULL};
        const struct spawn spec = {.argv = argv, .die_with_parent = SIGKILL};
        pid_t pid = spawn_process(&spec, NULL);
        (void)!write(tell[1], &pid, sizeof pid);
        _exit(0);
    }
    pid_t grandchild = 0;
    assert_int_equal(read(tell[0], &grandchild, sizeof grandchild), sizeof grandchild);
    (void)wait_code(middle);
    for (int i = 0; i < 5000 && spawn_start_time(grandchild) != 0; i++)
        (void)usleep(1000);
    assert_int_equal(spawn_start_time(grandchild), 0);
    (void)close(tell[0]);
    (void)close(tell[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_environment_and_directory),
        cmocka_unit_test(test_missing_program_is_an_error_that_names_it),
        cmocka_unit_test(test_unwritable_output_is_an_error_that_names_it),
        cmocka_unit_test(test_child_has_default_signals_and_no_descriptors_of_ours),
        cmocka_unit_test(test_start_time_tells_processes_apart),
        cmocka_unit_test(test_child_dies_with_its_parent),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

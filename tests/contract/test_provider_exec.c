/* test_provider_exec.c - instances made by commands: real scripts that work, hang, lie, shout, die
 * half-way. */
#include "autoscale/exec_json.h"
#include "autoscale/provider.h"
#include "tests/support/cmocka.h"
#include "tests/support/provider_ear.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct harness {
    char directory[64], script[96];
    struct loop *loop;
    struct log log;
    int pipe[2];
    struct autoscale_settings settings;
    struct exec_pool_settings pool;
    const char *command[1];
    void *provider;
    struct heard a, b;
    struct provider_ear ear;
};

/* A script that keeps its instances as files of its directory: DIR/ID holds the token. */
static const char body[] =
    "#!/bin/sh\n"
    "dir=$(dirname \"$0\")\n"
    "input=$(cat)\n"
    "echo \"$1 $BERTH_TOKEN$BERTH_ID $input\" >>\"$dir/log\"\n"
    "case $(cat \"$dir/mode\" 2>/dev/null) in\n"
    "hang) echo \"hangs $1\" >>\"$dir/log\"; sleep 60 ;;\n"
    "shout) head -c 3000000 /dev/zero | tr '\\0' x; exit 0 ;;\n"
    "fail) echo 'quota: 0 of 10 left' >&2; exit 1 ;;\n"
    "refuse) echo 'no such template' >&2; exit 3 ;;\n"
    "garbage) echo '{\"instances\": [{\"id\": \"a\",}]}'; exit 0 ;;\n"
    "badstate) echo '{\"instances\": [{\"id\": \"a\"}, {\"id\": \"b\", \"state\": \"RUNNING\"}]}'; "
    "exit 0 ;;\n"
    "none) echo '{\"instances\": []}'; exit 0 ;;\n"
    "slow) sleep 0.4 ;;\n"
    "esac\n"
    "one() { printf '%s{\"id\": \"%s\", \"zone\": \"z-1\", \"state\": \"%s\", \"token\": \"%s\", "
    "\"address\": \"10.0.0.1\", \"age_s\": 12}' \"$sep\" \"$1\" \"${3:-running}\" \"$2\"; sep=', "
    "'; }\n"
    "case $1 in\n"
    "launch)\n"
    "  sleep 30 >/dev/null 2>&1 & echo $! >\"$dir/child\"\n"
    "  n=$BERTH_COUNT; [ \"$(cat \"$dir/mode\" 2>/dev/null)\" = partial ] && n=1\n"
    "  i=1; while [ $i -le $n ]; do echo \"$BERTH_TOKEN\" >\"$dir/i-$BERTH_TOKEN-$i\"; i=$((i + "
    "1)); "
    "done\n"
    "  [ \"$(cat \"$dir/mode\" 2>/dev/null)\" = lose ] && exit 1\n"
    "  printf '{\"instances\": ['; for f in \"$dir\"/i-$BERTH_TOKEN-*; do one \"${f##*/}\" "
    "\"$BERTH_TOKEN\"; done; echo ']}' ;;\n"
    "terminate) rm -f \"$dir/$BERTH_ID\" ;;\n"
    "list) printf '{\"instances\": ['; for f in \"$dir\"/i-*; do [ -f \"$f\" ] && one \"${f##*/}\" "
    "\"$(cat \"$f\")\" ending; done; one old '' gone; echo ']}' ;;\n"
    "esac\n";

static void set_mode(struct harness *h, const char *mode)
{
    char path[96];
    snprintf(path, sizeof path, "%s/mode", h->directory);
    FILE *f = fopen(path, "w");
    fputs(mode, f);
    fclose(f);
}

/* How often the script was called for this operation. */
static int calls(struct harness *h, const char *operation, char *ret_line, size_t size)
{
    char path[96], line[512];
    int n = 0;
    snprintf(path, sizeof path, "%s/log", h->directory);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, operation, strlen(operation)) == 0) {
            n++;
            if (ret_line)
                snprintf(ret_line, size, "%s", line);
        }
    if (f)
        fclose(f);
    return n;
}

static int setup(void **state)
{
    struct harness *h = calloc(1, sizeof *h);
    struct err err = {0};
    *state = h;
    snprintf(h->directory, sizeof h->directory, "/tmp/berth-exec-XXXXXX");
    assert_non_null(mkdtemp(h->directory));
    snprintf(h->script, sizeof h->script, "%s/provider", h->directory);
    FILE *f = fopen(h->script, "w");
    fputs(body, f);
    fclose(f);
    chmod(h->script, 0755);
    h->loop = loop_create(&err);
    assert_non_null(h->loop);
    log_init(&h->log, "test");
    assert_int_equal(pipe(h->pipe), 0);
    h->log.fd = h->pipe[1];
    h->command[0] = h->script;
    h->pool = (struct exec_pool_settings){.name = "game", .command = {h->command, 1}};
    h->settings.exec = (struct exec_settings){.launch_timeout_ms = 5000,
                                              .terminate_timeout_ms = 5000,
                                              .list_timeout_ms = 5000,
                                              .commands_max = 4,
                                              .output_max_bytes = 65536,
                                              .pools = {&h->pool, 1}};
    const struct provider_env env = {.loop = h->loop,
                                     .log = &h->log,
                                     .settings = &h->settings,
                                     .config_file = "/etc/berth.yaml",
                                     .name_space = "berth"};
    h->provider = provider_exec.open(&env, &err);
    assert_non_null(h->provider);
    h->a.ear = h->b.ear = &h->ear;
    provider_ear_init(&h->ear, h->loop);
    return 0;
}

static int teardown(void **state)
{
    struct harness *h = *state;
    char command[128];
    provider_exec.close(h->provider);
    timer_stop(&h->ear.deadline);
    loop_destroy(h->loop);
    close(h->pipe[0]);
    close(h->pipe[1]);
    snprintf(command, sizeof command, "rm -rf %s", h->directory);
    assert_int_equal(system(command), 0);
    free(h);
    return 0;
}

static void launch(struct harness *h, const char *token, int count)
{
    provider_exec.launch(h->provider, "game", token, count, "", heard_launched, &h->a);
    provider_ear_await(&h->ear, 1);
}

static size_t list(struct harness *h)
{
    provider_exec.list(h->provider, "game", heard_listed, &h->a);
    provider_ear_await(&h->ear, 1);
    return h->a.n;
}

static void test_launch_list_terminate(void **state)
{
    struct harness *h = *state;
    char line[512];
    provider_exec.launch(h->provider, "game", "tok-1", 2, "z-9", heard_launched, &h->a);
    assert_int_equal(h->a.count, 0); /* never from within */
    provider_ear_await(&h->ear, 1);
    assert_int_equal(h->a.outcome, SCALE_DONE);
    assert_int_equal(h->a.n, 2);
    assert_string_equal(h->a.ids[1], "i-tok-1-2");
    assert_int_equal(calls(h, "launch", line, sizeof line), 1);
    assert_string_equal(line,
                        "launch tok-1 {\"version\":1,\"operation\":\"launch\",\"namespace\":"
                        "\"berth\",\"pool\":\"game\",\"token\":\"tok-1\",\"count\":2,\"zone\":"
                        "\"z-9\",\"config\":\"/etc/berth.yaml\"}\n");
    assert_int_equal(list(h), 2); /* the one that is gone is left out */
    assert_string_equal(h->a.listed[0].token, "tok-1");
    assert_string_equal(h->a.listed[0].zone, "z-1");
    assert_int_equal(h->a.listed[0].age_ms, 12000);
    assert_true(h->a.listed[0].ending);
    provider_exec.terminate(h->provider, "game", "i-tok-1-1", heard_done, &h->a);
    provider_ear_await(&h->ear, 1);
    assert_int_equal(h->a.outcome, SCALE_DONE);
    calls(h, "terminate", line, sizeof line);
    assert_string_equal(line, "terminate i-tok-1-1 {\"version\":1,\"operation\":\"terminate\","
                              "\"namespace\":\"berth\",\"pool\":\"game\",\"id\":\"i-tok-1-1\"}\n");
    assert_int_equal(list(h), 1);
}

/* `node &` in a script: not yet in a session of its own when the script has ended. */
static void test_what_a_launch_starts_lives_on(void **state)
{
    struct harness *h = *state;
    char path[96], stat[64] = "", letter = 'Z';
    int pid = 0;
    launch(h, "tok-1", 1);
    assert_int_equal(h->a.outcome, SCALE_DONE);
    snprintf(path, sizeof path, "%s/child", h->directory);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    usleep(50000); /* a signal would have come at once */
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(stat, sizeof stat, f));
    fclose(f);
    assert_int_equal(sscanf(stat, "%*d (sleep) %c", &letter), 1);
    assert_int_not_equal(letter, 'Z');
    kill(pid, SIGKILL);
}

static void test_a_lost_answer_is_not_known_and_found_again(void **state)
{
    struct harness *h = *state;
    set_mode(h, "lose");
    launch(h, "tok-1", 2);
    assert_int_equal(h->a.outcome, SCALE_UNKNOWN);
    assert_string_equal(h->a.error, "exit code 1");
    set_mode(h, "");
    launch(h, "tok-1", 2);
    assert_int_equal(h->a.outcome, SCALE_DONE);
    assert_int_equal(h->a.n, 2);
    assert_int_equal(list(h), 2);
}

static void test_a_partial_launch_says_what_there_is(void **state)
{
    struct harness *h = *state;
    set_mode(h, "partial");
    launch(h, "tok-1", 3);
    assert_int_equal(h->a.outcome, SCALE_DONE);
    assert_int_equal(h->a.n, 1);
}

static void test_what_ends_mean(void **state)
{
    struct harness *h = *state;
    static const struct {
        const char *mode;
        enum scale_outcome outcome;
        const char *error;
    } rows[] = {
        {"fail", SCALE_UNKNOWN, "exit code 1"},
        {"refuse", SCALE_NOT_DONE, "refused (exit code 3)"},
        {"none", SCALE_NOT_DONE, "it made no instance"},
        {"garbage", SCALE_UNKNOWN, "standard output: line 1 column "},
        {"badstate", SCALE_UNKNOWN,
         "instances[1].state = \"RUNNING\": must be one of pending, running, ending, gone"},
        {"shout", SCALE_UNKNOWN, "more than 65536 bytes of output"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        set_mode(h, rows[i].mode);
        launch(h, "tok", 1);
        assert_int_equal(h->a.outcome, rows[i].outcome);
        if (!strstr(h->a.error, rows[i].error))
            fail_msg("%s: %s", rows[i].mode, h->a.error);
    }
}

static void test_its_complaints_are_in_the_log(void **state)
{
    struct harness *h = *state;
    char text[4096];
    set_mode(h, "fail");
    launch(h, "tok", 1);
    ssize_t n = read(h->pipe[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    assert_non_null(strstr(text, "ev=command name=\"game launch\" says=\"quota: 0 of 10 left\""));
    assert_non_null(strstr(text, "ev=command_failed pool=game operation=launch name=tok"));
}

static void test_one_that_hangs_is_ended_and_delays_no_other(void **state)
{
    struct harness *h = *state;
    h->settings.exec.launch_timeout_ms = 600;
    set_mode(h, "hang");
    provider_exec.launch(h->provider, "game", "tok", 1, "", heard_launched, &h->a);
    provider_ear_expect(&h->ear, 2);
    while (calls(h, "hangs launch", NULL, 0) == 0)
        ev_run(loop_ev(h->loop), EVRUN_NOWAIT);
    set_mode(h, "");
    provider_exec.list(h->provider, "game", heard_listed, &h->b);
    while (h->b.count == 0)
        ev_run(loop_ev(h->loop), EVRUN_ONCE);
    assert_int_equal(h->a.count, 0); /* the list came first */
    while (h->a.count == 0)
        ev_run(loop_ev(h->loop), EVRUN_ONCE);
    assert_int_equal(h->a.outcome, SCALE_UNKNOWN);
    assert_string_equal(h->a.error, "killed after 600 ms");
}

static void test_the_same_asked_again_joins_what_runs(void **state)
{
    struct harness *h = *state;
    set_mode(h, "slow");
    provider_exec.launch(h->provider, "game", "tok", 2, "", heard_launched, &h->a);
    provider_exec.launch(h->provider, "game", "tok", 2, "", heard_launched, &h->b);
    provider_ear_await(&h->ear, 2);
    assert_int_equal(calls(h, "launch", NULL, 0), 1);
    assert_int_equal(h->b.outcome, SCALE_DONE);
    assert_int_equal(h->b.n, 2);
}

static void test_so_many_at_once_and_no_more(void **state)
{
    struct harness *h = *state;
    h->settings.exec.commands_max = 1;
    set_mode(h, "slow");
    provider_exec.launch(h->provider, "game", "one", 1, "", heard_launched, &h->a);
    provider_exec.launch(h->provider, "game", "two", 1, "", heard_launched, &h->b);
    provider_ear_await(&h->ear, 1);
    assert_int_equal(h->a.count + h->b.count, 1);
    assert_true(calls(h, "launch", NULL, 0) <= 2);
    provider_ear_await(&h->ear, 1);
    assert_int_equal(h->b.outcome, SCALE_DONE);
}

static void test_closing_answers_everything(void **state)
{
    struct harness *h = *state;
    set_mode(h, "hang");
    h->ear.awaited = 99;
    provider_exec.launch(h->provider, "game", "one", 1, "", heard_launched, &h->a);
    while (calls(h, "launch", NULL, 0) == 0)
        ev_run(loop_ev(h->loop), EVRUN_NOWAIT);
    provider_exec.terminate(h->provider, "game", "x", heard_done, &h->b);
    provider_exec.close(h->provider);
    h->provider = NULL;
    assert_int_equal(h->a.count, 1);
    assert_int_equal(h->a.outcome, SCALE_UNKNOWN); /* it ran */
    assert_int_equal(h->b.outcome, SCALE_NOT_DONE);
}

static void test_a_program_that_is_not_there(void **state)
{
    struct harness *h = *state;
    h->command[0] = "/nonexistent/provider";
    launch(h, "tok", 1);
    assert_int_equal(h->a.outcome, SCALE_NOT_DONE);
    assert_non_null(strstr(h->a.error, "/nonexistent/provider: No such file"));
}

static void test_pool_without_a_command_is_refused(void **state)
{
    struct harness *h = *state;
    struct err err = {0};
    assert_int_equal(provider_exec.check(h->provider, "game", &err), 0);
    assert_int_equal(provider_exec.check(h->provider, "lobby", &err), BERTH_EINVAL);
    assert_string_equal(err.text, "autoscale.exec.pools has no command for pool lobby");
}

/* Asked, then stopped: whoever leads by now goes on. */
static void test_standing_still_runs_nothing(void **state)
{
    struct harness *h = *state;
    provider_exec.launch(h->provider, "game", "tok", 1, "", heard_launched, &h->a);
    usleep(1000000);
    provider_ear_await(&h->ear, 1);
    assert_int_equal(h->a.outcome, SCALE_UNKNOWN);
    assert_int_equal(calls(h, "launch", NULL, 0), 0);
}

/* ---- what answers may look like ---- */

static void test_answers_are_read_with_care(void **state)
{
    static const struct {
        const char *text;
        int n;
        const char *error;
    } rows[] = {
        {"{\"instances\": []}", 0, NULL},
        {"{\"instances\": [{\"id\": \"a\"}]}", 1, NULL},
        {"{\"instances\": [{\"id\": \"a\", \"zone\": null, \"token\": null, \"age_s\": 1.5}], "
         "\"more\": 1}",
         1, NULL},
        {"", BERTH_EPROTO, "line 1 column 0"},
        {"[]", BERTH_EPROTO, "instances: must be a list"},
        {"{\"instances\": {}}", BERTH_EPROTO, "instances: must be a list"},
        {"{\"instances\": [1]}", BERTH_EPROTO, "instances[0]: must be an object"},
        {"{\"instances\": [{}]}", BERTH_EPROTO, "instances[0].id = (missing): must be"},
        {"{\"instances\": [{\"id\": \"a b\"}]}", BERTH_EPROTO,
         "instances[0].id = \"a b\": must be"},
        {"{\"instances\": [{\"id\": \"a\"}, {\"id\": \"a\"}]}", BERTH_EPROTO,
         "instances[1].id = a: comes twice"},
        {"{\"instances\": [{\"id\": \"a\", \"zone\": 7}]}", BERTH_EPROTO,
         "instances[0].zone = 7: "},
        {"{\"instances\": [{\"id\": \"a\", \"age_s\": -1}]}", BERTH_EPROTO,
         "instances[0].age_s = -1: must be a number of seconds"},
        {"{\"instances\": [{\"id\": \"a\"}, {\"id\": \"b\"}, {\"id\": \"c\"}, {\"id\": \"d\"}]}",
         BERTH_EFULL, "more than 3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fleet_listed items[3];
        struct err err = {0};
        int n = exec_json_read(span_of(rows[i].text), items, 3, &err);
        if (n != rows[i].n || (rows[i].error && !strstr(err.text, rows[i].error)))
            fail_msg("%s: %d %s", rows[i].text, n, err.text);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_launch_list_terminate),
        TEST(test_what_a_launch_starts_lives_on),
        TEST(test_a_lost_answer_is_not_known_and_found_again),
        TEST(test_a_partial_launch_says_what_there_is),
        TEST(test_what_ends_mean),
        TEST(test_its_complaints_are_in_the_log),
        TEST(test_one_that_hangs_is_ended_and_delays_no_other),
        TEST(test_the_same_asked_again_joins_what_runs),
        TEST(test_so_many_at_once_and_no_more),
        TEST(test_closing_answers_everything),
        TEST(test_a_program_that_is_not_there),
        TEST(test_pool_without_a_command_is_refused),
        TEST(test_standing_still_runs_nothing),
        cmocka_unit_test(test_answers_are_read_with_care),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

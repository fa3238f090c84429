/* test_act_io.c - rules that ask a service, run commands and tell services, for real. */
#include "autoscale/act_io.h"
#include "autoscale/act_json.h"
#include "tests/support/cmocka.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;
static struct log logger;
static struct fetcher *fetcher;
static pid_t server;
static char base[64];

/* What the core would hear. */
static struct {
    int advices, acts;
    int desired;
    char reason[128], error[512];
    bool failed;
} heard;
static bool leading;
static struct policy policy;
static struct fleet_node nodes[2];
static struct timer deadline;

static bool may_ask(void *arg)
{
    return leading;
}

static void look(void *arg, struct scale_status *ret_status, struct fleet_snapshot *ret_snapshot)
{
    *ret_status = (struct scale_status){.figures = {.ready = 3, .size = 3}};
    *ret_snapshot = (struct fleet_snapshot){.nodes = nodes, .count = 2, .complete = true};
}

static void on_event(void *arg, struct scale_event *ev)
{
    heard.failed = ev->told.error != NULL;
    snprintf(heard.error, sizeof heard.error, "%s", heard.failed ? ev->told.error : "");
    heard.acts += ev->kind == SCALE_ACTED;
    if (ev->kind == SCALE_ADVICE) {
        heard.advices++;
        heard.desired = ev->told.desired;
        snprintf(heard.reason, sizeof heard.reason, "%s", ev->told.reason);
    }
    loop_stop(loop);
}

static void give_up(void *arg)
{
    loop_stop(loop);
}

static int start_server(void **state)
{
    char script[512];
    int fds[2], port = -1;
    const char *source = getenv("BERTH_SOURCE");
    (void)snprintf(script, sizeof script, "%s/tests/contract/fetch_server.py",
                   source ? source : ".");
    assert_int_equal(pipe(fds), 0);
    server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execlp("python3", "python3", script, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *said = fdopen(fds[0], "r");
    assert_non_null(said);
    assert_int_equal(fscanf(said, "%d", &port), 1);
    fclose(said);
    (void)snprintf(base, sizeof base, "http://127.0.0.1:%d", port);
    log_init(&logger, "test");
    logger.level = LOG_ERROR;
    loop = loop_create(NULL);
    assert_non_null(loop);
    fetcher = fetcher_create(loop, &logger, NULL);
    assert_non_null(fetcher);
    timer_init(&deadline, loop, give_up, NULL);
    return 0;
}

static int stop_server(void **state)
{
    (void)kill(server, SIGTERM);
    (void)waitpid(server, NULL, 0);
    fetcher_destroy(fetcher);
    loop_destroy(loop);
    return 0;
}

static int clean(void **state)
{
    memset(&heard, 0, sizeof heard);
    leading = true;
    policy_defaults(&policy, "game");
    return 0;
}

static struct act_io *open_with(const struct rule *rule)
{
    policy.rules[0] = *rule;
    policy.rule_count = 1;
    const struct act_io_config config = {.loop = loop,
                                         .log = &logger,
                                         .fetcher = fetcher,
                                         .policy = &policy,
                                         .may_ask = may_ask,
                                         .look = look,
                                         .event = on_event};
    struct act_io *act = act_io_create(&config);
    assert_non_null(act);
    return act;
}

/* Until the next event, or for ms. */
static void run(int64_t ms)
{
    timer_start(&deadline, ms, 0);
    loop_run(loop);
    timer_stop(&deadline);
}

/* ---- asking ---- */

static void ask(const char *path)
{
    char url[128];
    (void)snprintf(url, sizeof url, "%s%s", base, path);
    const struct webhook_settings settings = {
        .interval_ms = 60000,
        .max_age_ms = 120000,
        .max = 100,
        .action = {.url = url, .token = "secret", .timeout_ms = 500}};
    struct act_io *act =
        open_with(&(const struct rule){.kind = &rule_webhook, .settings = &settings});
    run(10000);
    act_io_destroy(act);
    assert_int_equal(heard.advices, 1);
}

static void test_the_service_is_asked_with_the_pool_as_json(void **state)
{
    ask("/desired");
    assert_false(heard.failed);
    assert_int_equal(heard.desired, 5); /* three ready, two nodes listed */
    assert_string_equal(heard.reason, "ask Bearer secret");
}

static void test_what_is_no_answer_is_told_as_a_failure(void **state)
{
    static const char *const cases[][2] = {
        {"/slow", ""},       {"/nowhere", "HTTP 404"}, {"/echo", "the answer is no JSON"},
        {"/big?100000", ""}, {"/hangup", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(&heard, 0, sizeof heard);
        ask(cases[i][0]);
        assert_true(heard.failed);
        assert_memory_equal(heard.error, cases[i][1], strlen(cases[i][1]));
        assert_true(strlen(heard.error) > 0);
    }
}

static void test_who_does_not_lead_does_not_ask(void **state)
{
    char url[128];
    (void)snprintf(url, sizeof url, "%s/desired", base);
    const struct webhook_settings settings = {
        .interval_ms = 60000, .max_age_ms = 120000, .action = {.url = url, .timeout_ms = 500}};
    leading = false;
    struct act_io *act =
        open_with(&(const struct rule){.kind = &rule_webhook, .settings = &settings});
    run(700);
    assert_int_equal(heard.advices, 0);
    leading = true; /* asked soon, not after the interval */
    run(10000);
    assert_int_equal(heard.advices, 1);
    act_io_destroy(act);
}

static void test_an_answer_is_read_strictly(void **state)
{
    static const char *const wrong[] = {"",
                                        "5",
                                        "[]",
                                        "{}",
                                        "{\"desired\":\"5\"}",
                                        "{\"desired\":-1}",
                                        "{\"desired\":2.5}",
                                        "{\"desired\":1e9}",
                                        "{\"desired\":10000000}",
                                        "{\"desired\":1,\"reason\":7}",
                                        "{\"desired\":1,\"desired\":2}",
                                        "{\"desired\":1} x"};
    struct act_advice advice = {.desired = 42};
    struct err err;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(act_json_read(span_of(wrong[i]), &advice, &err), BERTH_EPROTO);
        assert_int_equal(advice.desired, 42);
    }
    assert_int_equal(act_json_read(SPAN("{\"more\":[1],\"desired\":7}"), &advice, &err), 0);
    assert_int_equal(advice.desired, 7);
    assert_string_equal(advice.reason, "");
}

/* ---- acting ---- */

static struct effect vote = {.kind = EFFECT_ACT,
                             .name = "min_ready",
                             .record = "move=out size=2 at_least=4 at_most=- reason=too%20few"};

static void act_with(const struct rule_action *action)
{
    static const struct min_ready_settings settings = {.ready = 4};
    struct act_io *act = open_with(
        &(const struct rule){.kind = &rule_min_ready, .settings = &settings, .action = action});
    act_io_do(act, &vote);
    assert_int_equal(heard.acts, 0); /* never from within */
    run(10000);
    act_io_destroy(act);
    assert_int_equal(heard.acts, 1);
}

static void shell(const char *script, int64_t timeout_ms)
{
    const char *argv[] = {"/bin/sh", "-c", script};
    const struct rule_action action = {
        .kind = ACTION_COMMAND, .command = {argv, 3}, .timeout_ms = timeout_ms, .every_ms = 1000};
    memset(&heard, 0, sizeof heard);
    act_with(&action);
}

static void test_a_command_has_the_vote_in_its_environment(void **state)
{
    shell("[ \"$BERTH_POOL $BERTH_RULE $BERTH_MOVE $BERTH_SIZE $BERTH_AT_LEAST $BERTH_AT_MOST "
          "$BERTH_REASON\" = 'game min_ready out 2 4 - too few' ]",
          5000);
    assert_string_equal(heard.error, "");
    assert_false(heard.failed);
}

static void test_a_command_that_fails_is_told(void **state)
{
    shell("exit 7", 5000);
    assert_string_equal(heard.error, "exit code 7");
    shell("kill -9 $$", 5000);
    assert_string_equal(heard.error, "signal 9");
    const char *argv[] = {"/no/such/program"};
    const struct rule_action action = {
        .kind = ACTION_COMMAND, .command = {argv, 1}, .timeout_ms = 1000};
    memset(&heard, 0, sizeof heard);
    act_with(&action);
    assert_true(heard.failed);
    assert_non_null(strstr(heard.error, "/no/such/program"));
}

static void test_a_command_that_takes_too_long_is_killed_with_its_children(void **state)
{
    char path[] = "/tmp/berth-act-XXXXXX", script[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)snprintf(script, sizeof script, "sleep 60 & echo $! > %s; wait", path);
    shell(script, 300);
    assert_string_equal(heard.error, "killed after 300 ms");
    FILE *file = fopen(path, "r");
    int pid = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    close(fd);
    unlink(path);
    for (int i = 0; i < 500 && kill(pid, 0) == 0; i++)
        usleep(10000); /* until init has taken it */
    assert_int_equal(kill(pid, 0), -1);
}

static void test_a_service_is_told(void **state)
{
    char url[128];
    (void)snprintf(url, sizeof url, "%s/told", base);
    struct rule_action action = {.kind = ACTION_WEBHOOK, .url = url, .timeout_ms = 2000};
    act_with(&action);
    assert_string_equal(heard.error, "");
    (void)snprintf(url, sizeof url, "%s/busy", base);
    memset(&heard, 0, sizeof heard);
    act_with(&action);
    assert_string_equal(heard.error, "HTTP 503");
    action.url = "http://127.0.0.1:1/";
    memset(&heard, 0, sizeof heard);
    act_with(&action);
    assert_true(heard.failed);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup(fn, clean)
    const struct CMUnitTest tests[] = {
        T(test_the_service_is_asked_with_the_pool_as_json),
        T(test_what_is_no_answer_is_told_as_a_failure),
        T(test_who_does_not_lead_does_not_ask),
        T(test_an_answer_is_read_strictly),
        T(test_a_command_has_the_vote_in_its_environment),
        T(test_a_command_that_fails_is_told),
        T(test_a_command_that_takes_too_long_is_killed_with_its_children),
        T(test_a_service_is_told),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

/* test_provider_docker.c - containers by the Engine API: made once, found again, stopped with
 * grace, removed. The engine of the test checks every request. */
#include "autoscale/docker_json.h"
#include "autoscale/provider.h"
#include "tests/support/cmocka.h"
#include "tests/support/provider_ear.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct harness {
    char directory[64], socket[96];
    pid_t server;
    struct loop *loop;
    struct log log;
    struct fetcher *fetcher;
    struct autoscale_settings settings;
    struct docker_pool_settings pool;
    const char *command[1], *env[1], *binds[1];
    void *provider;
    struct provider_ear ear;
    struct heard a;
};

static void start_server(struct harness *h)
{
    const char *source = getenv("BERTH_SOURCE");
    char script[512], word[16] = "";
    int fds[2];
    snprintf(script, sizeof script, "%s/tests/support/docker_server.py", source ? source : ".");
    assert_int_equal(pipe(fds), 0);
    h->server = fork();
    assert_true(h->server >= 0);
    if (h->server == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execlp("python3", "python3", "-B", script, h->socket, h->directory, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *said = fdopen(fds[0], "r");
    assert_int_equal(fscanf(said, "%15s", word), 1);
    assert_string_equal(word, "ready");
    fclose(said);
}

static void open_provider(struct harness *h)
{
    struct err err = {0};
    const struct provider_env env = {.loop = h->loop,
                                     .log = &h->log,
                                     .settings = &h->settings,
                                     .fetcher = h->fetcher,
                                     .name_space = "berth"};
    h->provider = provider_docker.open(&env, &err);
    assert_non_null(h->provider);
}

static int setup(void **state)
{
    struct harness *h = calloc(1, sizeof *h);
    struct err err = {0};
    *state = h;
    snprintf(h->directory, sizeof h->directory, "/tmp/berth-docker-XXXXXX");
    assert_non_null(mkdtemp(h->directory));
    snprintf(h->socket, sizeof h->socket, "%s/docker.sock", h->directory);
    start_server(h);
    h->loop = loop_create(&err);
    assert_non_null(h->loop);
    log_init(&h->log, "test");
    h->log.level = LOG_ERROR;
    h->fetcher = fetcher_create(h->loop, &h->log, &err);
    assert_non_null(h->fetcher);
    h->command[0] = "berth-gamenode";
    h->env[0] = "LEVEL=3";
    h->binds[0] = "/etc/berth:/etc/berth:ro";
    h->pool = (struct docker_pool_settings){.name = "game",
                                            .image = "berth:test",
                                            .command = {h->command, 1},
                                            .env = {h->env, 1},
                                            .binds = {h->binds, 1},
                                            .network = "host",
                                            .memory_bytes = 64 << 20,
                                            .cpus = 0.5};
    h->settings.docker = (struct docker_settings){.socket = h->socket,
                                                  .remove = true,
                                                  .pull_timeout_ms = 5000,
                                                  .stop_grace_ms = 5000,
                                                  .pools = {&h->pool, 1}};
    provider_ear_init(&h->ear, h->loop);
    h->a.ear = &h->ear;
    open_provider(h);
    return 0;
}

static bool file_of(struct harness *h, const char *name, char *ret_text, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", h->directory, name);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(ret_text, 1, size - 1, f) : 0;
    ret_text[n] = 0;
    if (f)
        fclose(f);
    return f != NULL;
}

static int teardown(void **state)
{
    struct harness *h = *state;
    char text[2000], command[128];
    provider_docker.close(h->provider);
    fetcher_destroy(h->fetcher);
    loop_destroy(h->loop);
    kill(h->server, SIGTERM);
    (void)waitpid(h->server, NULL, 0);
    bool wrong = file_of(h, "wrong", text, sizeof text);
    snprintf(command, sizeof command, "rm -rf %s", h->directory);
    assert_int_equal(system(command), 0);
    free(h);
    if (wrong)
        print_error("the engine was asked wrongly: %s\n", text);
    return wrong;
}

/* ---- talking ---- */

static void set_mode(struct harness *h, const char *mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/mode", h->directory);
    FILE *f = fopen(path, "w");
    fputs(mode, f);
    fclose(f);
}

static void launch(struct harness *h, const char *token, int count)
{
    provider_docker.launch(h->provider, "game", token, count, "", heard_launched, &h->a);
    provider_ear_await(&h->ear, 1);
}

static void terminate(struct harness *h, const char *id)
{
    provider_docker.terminate(h->provider, "game", id, heard_done, &h->a);
    provider_ear_await(&h->ear, 1);
}

static size_t list(struct harness *h)
{
    provider_docker.list(h->provider, "game", heard_listed, &h->a);
    provider_ear_await(&h->ear, 1);
    return h->a.n;
}

/* How many requests begin so. */
static int asked(struct harness *h, const char *beginning)
{
    static char text[65536];
    int n = 0;
    (void)file_of(h, "requests", text, sizeof text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        n += strncmp(line, beginning, strlen(beginning)) == 0;
    return n;
}

/* ---- tests ---- */

static void test_launch_list_terminate(void **state)
{
    struct harness *h = *state;
    static char text[65536];
    launch(h, "tok-1", 2);
    assert_int_equal(h->a.outcome, SCALE_DONE);
    assert_int_equal(h->a.n, 2);
    assert_string_equal(h->a.ids[1], "game-tok-1-2");
    assert_int_equal(asked(h, "POST /v1.43/containers/create?name=berth.game-tok-1-1 "), 1);
    assert_int_equal(asked(h, "POST /v1.43/containers/berth.game-tok-1-2/start "), 1);
    (void)file_of(h, "requests", text, sizeof text);
    assert_non_null(strstr(text,
                           "\"Cmd\":[\"berth-gamenode\",\"--name\",\"game-tok-1-1\",\"--pool\","
                           "\"game\",\"--instance\",\"game-tok-1-1\"]"));
    assert_non_null(strstr(text, "\"Env\":[\"LEVEL=3\",\"BERTH_POOL=game\""));
    assert_non_null(strstr(text, "\"NanoCpus\":500000000"));
    assert_int_equal(list(h), 2);
    assert_string_equal(h->a.listed[0].token, "tok-1");
    assert_in_range(h->a.listed[0].age_ms, 5000, 60000);
    assert_false(h->a.listed[0].ending);
    terminate(h, "game-tok-1-1");
    assert_int_equal(h->a.outcome, SCALE_DONE);
    assert_int_equal(asked(h, "POST /v1.43/containers/berth.game-tok-1-1/stop?t=5 "), 1);
    assert_int_equal(list(h), 1);
    terminate(h, "game-tok-1-1"); /* gone: what was wanted */
    assert_int_equal(h->a.outcome, SCALE_DONE);
    assert_int_equal(asked(h, "GET /version "), 1); /* agreed upon once */
}

static void test_the_token_never_makes_a_second_set(void **state)
{
    struct harness *h = *state;
    launch(h, "tok-1", 2);
    launch(h, "tok-1", 2);
    assert_int_equal(h->a.outcome, SCALE_DONE);
    assert_int_equal(h->a.n, 2);
    assert_int_equal(list(h), 2);
}

static void test_a_lost_answer_is_found_again(void **state)
{
    struct harness *h = *state;
    set_mode(h, "create=lose create=lose"); /* libcurl itself asks once more on a new connection */
    launch(h, "tok-1", 1);
    assert_int_equal(h->a.outcome, SCALE_UNKNOWN);
    assert_int_equal(list(h), 1); /* made, not started */
    launch(h, "tok-1", 1);
    assert_int_equal(h->a.outcome, SCALE_DONE);
    assert_int_equal(list(h), 1);
    set_mode(h, "stop=lose stop=lose");
    terminate(h, "game-tok-1-1");
    assert_int_equal(h->a.outcome, SCALE_UNKNOWN);
    terminate(h, "game-tok-1-1");
    assert_int_equal(h->a.outcome, SCALE_DONE);
    assert_int_equal(list(h), 0);
}

static void test_no_image(void **state)
{
    struct harness *h = *state;
    h->pool.image = "nosuch:1";
    launch(h, "tok-1", 1);
    assert_int_equal(h->a.outcome, SCALE_NOT_DONE);
    assert_string_equal(h->a.error,
                        "HTTP 404: No such image: nosuch:1 (autoscale.docker.pull = no: "
                        "berth does not pull images)");
    h->settings.docker.pull = true;
    launch(h, "tok-2", 1);
    assert_int_equal(h->a.outcome, SCALE_NOT_DONE);
    assert_string_equal(h->a.error, "HTTP 404: pull access denied for nosuch:1");
    assert_int_equal(asked(h, "POST /v1.43/images/create?fromImage=nosuch%3A1 "), 1);
}

static void test_an_image_is_pulled(void **state)
{
    struct harness *h = *state;
    h->pool.image = "registry.example:5000/studio/node";
    h->settings.docker.pull = true;
    launch(h, "tok-1", 2);
    assert_int_equal(h->a.outcome, SCALE_DONE);
    assert_int_equal(h->a.n, 2);
    assert_int_equal(asked(h, "POST /v1.43/images/create?fromImage="
                              "registry.example%3A5000%2Fstudio%2Fnode&tag=latest "),
                     1);
}

static void test_a_part_is_told_as_it_is(void **state)
{
    struct harness *h = *state;
    launch(h, "tok-1", 1);
    set_mode(h, "create=500");
    launch(h, "tok-2", 3);
    assert_int_equal(h->a.outcome, SCALE_NOT_DONE);
    assert_string_equal(h->a.error, "HTTP 500: driver failed programming external connectivity");
    set_mode(h, "start=500");
    launch(h, "tok-3", 2);
    assert_int_equal(h->a.outcome, SCALE_NOT_DONE);
    set_mode(h, "");
    launch(h, "tok-3", 2); /* asked again: the one that was made is started */
    assert_int_equal(h->a.n, 2);
}

static void test_those_that_ended_by_themselves_are_removed(void **state)
{
    struct harness *h = *state;
    char command[256];
    launch(h, "tok-1", 2);
    snprintf(command, sizeof command,
             "curl -s -X POST --unix-socket %s http://docker/test/berth.game-tok-1-2/exit",
             h->socket);
    assert_int_equal(system(command), 0);
    assert_int_equal(list(h), 1);
    for (int i = 0; i < 100 && asked(h, "DELETE ") == 0; i++)
        list(h);
    assert_int_equal(asked(h, "DELETE /v1.43/containers/berth.game-tok-1-2?v=true "), 1);
    assert_int_equal(list(h), 1);
}

static void test_the_same_asked_again_joins_what_runs(void **state)
{
    struct harness *h = *state;
    set_mode(h, "create=slow");
    provider_docker.launch(h->provider, "game", "tok-1", 1, "", heard_launched, &h->a);
    provider_docker.launch(h->provider, "game", "tok-1", 1, "", heard_launched, &h->a);
    provider_ear_await(&h->ear, 2);
    assert_int_equal(h->a.n, 1);
    assert_int_equal(asked(h, "POST /v1.43/containers/create"), 1);
}

static void test_no_engine(void **state)
{
    struct harness *h = *state;
    h->settings.docker.socket = "/nonexistent/docker.sock";
    launch(h, "tok-1", 1);
    assert_int_equal(h->a.outcome, SCALE_NOT_DONE);
    assert_true(strlen(h->a.error) > 0);
    provider_docker.list(h->provider, "game", heard_listed, &h->a);
    provider_ear_await(&h->ear, 1);
    assert_true(strlen(h->a.error) > 0);
}

static void test_list_fails_as_a_whole(void **state)
{
    struct harness *h = *state;
    launch(h, "tok-1", 1);
    set_mode(h, "list=500");
    provider_docker.list(h->provider, "game", heard_listed, &h->a);
    provider_ear_await(&h->ear, 1);
    assert_non_null(strstr(h->a.error, "HTTP 500"));
    assert_int_equal(list(h), 1);
}

static void test_closing_answers_everything(void **state)
{
    struct harness *h = *state;
    set_mode(h, "create=slow");
    h->ear.awaited = 99;
    provider_docker.launch(h->provider, "game", "tok-1", 1, "", heard_launched, &h->a);
    while (asked(h, "POST /v1.43/containers/create") == 0)
        ev_run(loop_ev(h->loop), EVRUN_NOWAIT);
    provider_docker.close(h->provider);
    h->provider = NULL;
    assert_int_equal(h->a.count, 1);
    assert_int_equal(h->a.outcome, SCALE_UNKNOWN);
}

static void test_pool_without_an_image_is_refused(void **state)
{
    struct harness *h = *state;
    struct err err = {0};
    assert_int_equal(provider_docker.check(h->provider, "game", &err), 0);
    assert_int_equal(provider_docker.check(h->provider, "lobby", &err), BERTH_EINVAL);
    assert_string_equal(err.text, "autoscale.docker.pools has no image for pool lobby");
}

static void test_versions(void **state)
{
    static const struct {
        const char *text;
        int minor;
    } rows[] = {
        {"{\"ApiVersion\": \"1.41\", \"MinAPIVersion\": \"1.12\"}", 41},
        {"{\"ApiVersion\": \"1.47\", \"MinAPIVersion\": \"1.24\"}", 47},
        {"{\"ApiVersion\": \"1.52\", \"MinAPIVersion\": \"1.44\"}", 47},
        {"{\"ApiVersion\": \"1.52\", \"MinAPIVersion\": \"1.50\"}", BERTH_EPROTO},
        {"{\"ApiVersion\": \"1.40\"}", BERTH_EPROTO},
        {"{\"ApiVersion\": \"2.0\"}", BERTH_EPROTO},
        {"<html>", BERTH_EPROTO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        assert_int_equal(docker_json_version(span_of(rows[i].text), &err), rows[i].minor);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_launch_list_terminate),
        TEST(test_the_token_never_makes_a_second_set),
        TEST(test_a_lost_answer_is_found_again),
        TEST(test_no_image),
        TEST(test_an_image_is_pulled),
        TEST(test_a_part_is_told_as_it_is),
        TEST(test_those_that_ended_by_themselves_are_removed),
        TEST(test_the_same_asked_again_joins_what_runs),
        TEST(test_no_engine),
        TEST(test_list_fails_as_a_whole),
        TEST(test_closing_answers_everything),
        TEST(test_pool_without_an_image_is_refused),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

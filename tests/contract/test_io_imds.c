/* test_io_imds.c - instance metadata from a real HTTP server that wants version 2
 * (imds_endpoint.py).
 */
#include "io/imds.h"
#include "tests/support/cmocka.h"
#include "tests/support/py_server.h"

#include <stdio.h>
#include <stdlib.h>

static struct py_server server;
static struct loop *loop;
static struct log logger;
static struct fetcher *fetcher;
static struct imds *imds;

struct answer {
    int code, calls;
    char body[256], why[512];
};

static int waiting;

static void on_answer(void *arg, int code, struct span body, const struct err *err)
{
    struct answer *answer = arg;
    answer->code = code;
    answer->calls++;
    snprintf(answer->body, sizeof answer->body, "%.*s", SPAN_ARG(body));
    snprintf(answer->why, sizeof answer->why, "%s", err ? err->text : "");
    if (--waiting == 0)
        loop_stop(loop);
}

static void ask(struct answer *answer, const char *path)
{
    *answer = (struct answer){0};
    assert_int_equal(imds_get(imds, path, on_answer, answer), 0);
    assert_int_equal(answer->calls, 0); /* never from within */
    waiting++;
}

static struct answer get(const char *path)
{
    struct answer answer;
    ask(&answer, path);
    loop_run(loop);
    assert_int_equal(answer.calls, 1);
    return answer;
}

static int start(void **state)
{
    py_server_start(&server, "tests/support/imds_endpoint.py", NULL);
    return 0;
}

static int stop(void **state)
{
    py_server_stop(&server);
    return 0;
}

static int setup(void **state)
{
    loop = loop_create(NULL);
    log_init(&logger, "test");
    fetcher = fetcher_create(loop, &logger, NULL);
    imds = imds_create(loop, fetcher, server.url, NULL);
    assert_non_null(imds);
    py_server_post(
        &server, "/control",
        "{\"items\": {\"/latest/meta-data/instance-id\": \"i-0abc\"}, \"refuse\": false}");
    return 0;
}

static int teardown(void **state)
{
    imds_destroy(imds);
    fetcher_destroy(fetcher);
    loop_destroy(loop);
    return 0;
}

static void test_asks_with_one_token_for_all(void **state)
{
    struct answer many[8];
    int64_t before = py_server_number(&server, "/control", "tokens");
    for (size_t i = 0; i < 8; i++)
        ask(&many[i], "/latest/meta-data/instance-id");
    loop_run(loop);
    for (size_t i = 0; i < 8; i++)
        assert_string_equal(many[i].body, "i-0abc");
    assert_int_equal(py_server_number(&server, "/control", "tokens"), before + 1);
    assert_int_equal(py_server_number(&server, "/control", "unsigned"), 0);
}

static void test_what_is_not_there_is_said_at_once(void **state)
{
    struct answer answer = get("/latest/meta-data/spot/instance-action");
    assert_int_equal(answer.code, BERTH_ENOENT);
}

static void test_renews_a_token_that_is_no_longer_good(void **state)
{
    assert_int_equal(get("/latest/meta-data/instance-id").code, 0);
    py_server_post(&server, "/control", "{\"drop_tokens\": true}");
    struct answer answer = get("/latest/meta-data/instance-id");
    assert_int_equal(answer.code, 0);
    assert_string_equal(answer.body, "i-0abc");
}

static void test_bridges_a_short_outage_and_gives_up_on_a_long_one(void **state)
{
    py_server_post(&server, "/control", "{\"fail_next\": 2}");
    assert_int_equal(get("/latest/meta-data/instance-id").code, 0);
    py_server_post(&server, "/control", "{\"fail_next\": 3, \"drop_tokens\": true}");
    assert_int_equal(get("/latest/meta-data/instance-id").code, BERTH_EPROTO);
    py_server_post(&server, "/control", "{\"fail_next\": 0}");
    assert_int_equal(get("/latest/meta-data/instance-id").code, 0);
}

static void test_refused_is_not_asked_again(void **state)
{
    py_server_post(&server, "/control", "{\"refuse\": true}");
    assert_int_equal(get("/latest/meta-data/instance-id").code, BERTH_EDENIED);
}

static void test_disabled_by_the_environment(void **state)
{
    imds_destroy(imds);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    imds = imds_create(loop, fetcher, server.url, NULL);
    unsetenv("AWS_EC2_METADATA_DISABLED");
    struct answer answer = get("/latest/meta-data/instance-id");
    assert_int_equal(answer.code, BERTH_ENOENT);
    assert_non_null(strstr(answer.why, "AWS_EC2_METADATA_DISABLED"));
}

static void test_endpoint_from_the_environment(void **state)
{
    imds_destroy(imds);
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url, 1);
    imds = imds_create(loop, fetcher, NULL, NULL);
    unsetenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    assert_string_equal(get("/latest/meta-data/instance-id").body, "i-0abc");
}

static void test_closing_answers_what_waits(void **state)
{
    struct answer answer;
    ask(&answer, "/latest/meta-data/instance-id");
    imds_destroy(imds);
    imds = NULL;
    assert_int_equal(answer.code, BERTH_ECLOSED);
}

static void test_refuses_what_is_no_path_and_too_many(void **state)
{
    struct answer answer = {0};
    assert_int_equal(imds_get(imds, "latest", on_answer, &answer), BERTH_EINVAL);
    for (int i = 0; i < IMDS_WAITING_MAX; i++)
        ask(&answer, "/latest/meta-data/instance-id");
    assert_int_equal(imds_get(imds, "/latest", on_answer, &answer), BERTH_EAGAIN);
    answer.calls = 0;
    loop_run(loop);
    assert_int_equal(answer.calls, IMDS_WAITING_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_asks_with_one_token_for_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_there_is_said_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renews_a_token_that_is_no_longer_good, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_bridges_a_short_outage_and_gives_up_on_a_long_one,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_is_not_asked_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disabled_by_the_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_endpoint_from_the_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closing_answers_what_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_what_is_no_path_and_too_many, setup, teardown),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* fetch against a real HTTP server (fetch_server.py): answers, limits, timeouts, reuse, unix
 * sockets, signatures. */
#include "io/fetch.h"
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
static char directory[] = "/tmp/berth-fetch-XXXXXX";
static char unix_path[64];
static int port;
static pid_t servers[2];

/* ---- the servers ---- */

static int start_server(size_t i, const char *argument)
{
    char script[512];
    int fds[2];
    const char *source = getenv("BERTH_SOURCE");
    (void)snprintf(script, sizeof script, "%s/tests/contract/fetch_server.py",
                   source ? source : ".");
    assert_int_equal(pipe(fds), 0);
    servers[i] = fork();
    assert_true(servers[i] >= 0);
    if (servers[i] == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execlp("python3", "python3", script, argument, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *said = fdopen(fds[0], "r");
    int number = -1;
    assert_non_null(said);
    assert_int_equal(fscanf(said, "%d", &number), 1);
    fclose(said);
    return number;
}

static int start_all(void **state)
{
    assert_non_null(mkdtemp(directory));
    (void)snprintf(unix_path, sizeof unix_path, "%s/http.sock", directory);
    port = start_server(0, NULL);
    (void)start_server(1, unix_path);
    return 0;
}

static int stop_all(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        kill(servers[i], SIGKILL);
        waitpid(servers[i], NULL, 0);
    }
    unlink(unix_path);
    rmdir(directory);
    return 0;
}

static int setup(void **state)
{
    loop = loop_create(NULL);
    log_init(&logger, "test");
    fetcher = fetcher_create(loop, &logger, NULL);
    return loop && fetcher ? 0 : -1;
}

static int teardown(void **state)
{
    fetcher_destroy(fetcher);
    loop_destroy(loop);
    return 0;
}

/* ---- one request ---- */

struct answer {
    int calls, code, status;
    int64_t retry_after_ms;
    size_t len;
    char body[512], why[512];
    int *waiting; /* the loop ends when it reaches 0 */
};

static void on_done(void *arg, int code, const struct fetch_response *response,
                    const struct err *err)
{
    struct answer *answer = arg;
    answer->calls++;
    answer->code = code;
    if (response) {
        answer->status = response->status;
        answer->retry_after_ms = response->retry_after_ms;
        answer->len = response->body.len;
        size_t n = response->body.len < sizeof answer->body - 1 ? response->body.len
                                                                : sizeof answer->body - 1;
        memcpy(answer->body, response->body.ptr, n);
        answer->body[n] = '\0';
    }
    if (err)
        (void)snprintf(answer->why, sizeof answer->why, "%s", err->text);
    if (!answer->waiting || --*answer->waiting == 0)
        loop_stop(loop);
}

static const char *url(const char *path)
{
    static char text[256];
    (void)snprintf(text, sizeof text, "http://127.0.0.1:%d%s", port, path);
    return text;
}

static struct answer ask(struct fetch_request request)
{
    struct answer answer = {0};
    struct err err = {0};
    if (!request.method)
        request.method = "GET";
    struct fetch *fetch = fetch_start(fetcher, &request, on_done, &answer, &err);
    if (!fetch)
        fail_msg("%s", err.text);
    assert_int_equal(answer.calls, 0); /* never from within fetch_start */
    loop_run(loop);
    assert_int_equal(answer.calls, 1);
    return answer;
}

static void test_methods_headers_and_bodies(void **state)
{
    const char *headers[] = {"X-Test: yes", "Content-Type: application/json", NULL};
    struct answer a = ask((struct fetch_request){.url = url("/echo?a=1"), .headers = headers});
    assert_int_equal(a.code, 0);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "GET /echo?a=1 x=yes type=application/json ");
    a = ask((struct fetch_request){
        .method = "POST", .url = url("/echo"), .headers = headers, .body = SPAN("{\"n\":1}")});
    assert_string_equal(a.body, "POST /echo x=yes type=application/json {\"n\":1}");
    a = ask((struct fetch_request){.method = "POST", .url = url("/echo"), .headers = headers});
    assert_string_equal(a.body, "POST /echo x=yes type=application/json ");
    a = ask((struct fetch_request){
        .method = "PUT", .url = url("/echo"), .headers = headers, .body = SPAN("x")});
    assert_string_equal(a.body, "PUT /echo x=yes type=application/json x");
    a = ask((struct fetch_request){.method = "DELETE", .url = url("/echo"), .headers = headers});
    assert_string_equal(a.body, "DELETE /echo x=yes type=application/json ");
    a = ask((struct fetch_request){.method = "HEAD", .url = url("/echo")});
    assert_int_equal(a.status, 200);
    assert_int_equal(a.len, 0);
}

static void test_any_status_is_an_answer(void **state)
{
    struct answer a = ask((struct fetch_request){.url = url("/nothing")});
    assert_int_equal(a.code, 0);
    assert_int_equal(a.status, 404);
    assert_string_equal(a.body, "no such page");
    assert_int_equal(a.retry_after_ms, -1);
    a = ask((struct fetch_request){.url = url("/redirect")});
    assert_int_equal(a.status, 302); /* not followed */
}

static void test_retry_after_in_seconds_and_as_a_date(void **state)
{
    assert_int_equal(ask((struct fetch_request){.url = url("/busy")}).retry_after_ms, 7000);
    int64_t ms = ask((struct fetch_request){.url = url("/busy-date")}).retry_after_ms;
    assert_true(ms > 50000 && ms <= 60000);
    assert_int_equal(ask((struct fetch_request){.url = url("/busy-odd")}).retry_after_ms, -1);
}

static void test_connections_are_used_again(void **state)
{
    struct answer first = ask((struct fetch_request){.url = url("/connection")});
    for (int i = 0; i < 3; i++)
        assert_string_equal(ask((struct fetch_request){.url = url("/connection")}).body,
                            first.body);
}

static void test_an_answer_over_the_limit_is_cut_off(void **state)
{
    struct answer a = ask((struct fetch_request){.url = url("/big?1000"), .response_max = 1000});
    assert_int_equal(a.code, 0);
    assert_int_equal(a.len, 1000);
    a = ask((struct fetch_request){.url = url("/big?1001"), .response_max = 1000});
    assert_int_equal(a.code, BERTH_EFULL);
    assert_non_null(strstr(a.why, "larger than 1000 bytes"));
    assert_null(strstr(a.why, "?1001")); /* no query in a text that is logged */
    a = ask((struct fetch_request){
        .url = url("/big?100000"), .response_max = 1000, .response_cut = true});
    assert_int_equal(a.code, 0);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.len, 1000);
    a = ask((struct fetch_request){.url = url("/big?1000000")});
    assert_int_equal(a.len, 1000000);
}

static void test_faults_have_codes(void **state)
{
    struct answer a = ask((struct fetch_request){.url = url("/slow"), .timeout_ms = 200});
    assert_int_equal(a.code, BERTH_ETIMEOUT);
    a = ask((struct fetch_request){.url = url("/hangup")});
    assert_true(a.code == BERTH_EPROTO || a.code == BERTH_ESYS);
    a = ask((struct fetch_request){.url = "http://127.0.0.1:1/"});
    assert_int_equal(a.code, BERTH_ESYS);
    assert_non_null(strstr(a.why, "127.0.0.1"));
    a = ask((struct fetch_request){.url = "file:///etc/passwd"});
    assert_int_equal(a.code, BERTH_EINVAL);
}

static void test_many_at_once_and_a_limit(void **state)
{
    enum { MANY = 256 };
    static struct answer answers[MANY];
    struct err err = {0};
    int waiting = MANY;
    struct fetch_request request = {.method = "GET", .url = url("/echo"), .timeout_ms = 20000};
    memset(answers, 0, sizeof answers);
    for (int i = 0; i < MANY; i++) {
        answers[i].waiting = &waiting;
        assert_non_null(fetch_start(fetcher, &request, on_done, &answers[i], &err));
    }
    assert_null(fetch_start(fetcher, &request, on_done, &answers[0], &err));
    assert_int_equal(err.code, BERTH_EAGAIN);
    loop_run(loop);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(answers[i].calls, 1);
        assert_int_equal(answers[i].code, 0);
    }
}

static void test_cancelled_ones_are_silent_and_destroy_tells_the_rest(void **state)
{
    struct answer cancelled = {0}, left = {0};
    struct fetch_request request = {.method = "GET", .url = url("/slow")};
    struct fetch *fetch = fetch_start(fetcher, &request, on_done, &cancelled, NULL);
    assert_non_null(fetch);
    assert_non_null(fetch_start(fetcher, &request, on_done, &left, NULL));
    (void)ask((struct fetch_request){.url = url("/echo")}); /* both are on their way */
    fetch_cancel(fetch);
    fetcher_destroy(fetcher);
    assert_int_equal(cancelled.calls, 0);
    assert_int_equal(left.calls, 1);
    assert_int_equal(left.code, BERTH_ECLOSED);
    fetcher = fetcher_create(loop, &logger, NULL);
    assert_non_null(fetcher);
}

static void test_unix_socket(void **state)
{
    struct answer a =
        ask((struct fetch_request){.url = "http://localhost/echo", .unix_socket = unix_path});
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "GET /echo"));
}

static void test_signs_for_aws(void **state)
{
    struct answer a = ask((struct fetch_request){.method = "POST",
                                                 .url = url("/signed"),
                                                 .body = SPAN("Action=DescribeInstances"),
                                                 .aws_sigv4 = "aws:amz:eu-west-1:ec2",
                                                 .user_password = "AKIDEXAMPLE:secret"});
    assert_non_null(strstr(a.body, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
    assert_non_null(strstr(a.body, "/eu-west-1/ec2/aws4_request"));
    assert_null(strstr(a.body, "secret"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_methods_headers_and_bodies),
        TEST(test_any_status_is_an_answer),
        TEST(test_retry_after_in_seconds_and_as_a_date),
        TEST(test_connections_are_used_again),
        TEST(test_an_answer_over_the_limit_is_cut_off),
        TEST(test_faults_have_codes),
        TEST(test_many_at_once_and_a_limit),
        TEST(test_cancelled_ones_are_silent_and_destroy_tells_the_rest),
        TEST(test_unix_socket),
        TEST(test_signs_for_aws),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}

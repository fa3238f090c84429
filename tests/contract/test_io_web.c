/* test_io_web.c - an HTTP server as a client on the wire sees it. */
#include "core/rng.h"
#include "tests/support/cmocka.h"
#include "tests/support/test_cert.h"
#include "tests/support/web_app.h"
#include "tests/support/wire_client.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct web_app app;

static int start(void **state)
{
    (void)state;
    app = web_app_start(web_app_limits());
    return 0;
}

static int stop(void **state)
{
    (void)state;
    web_app_stop(&app);
    return 0;
}

static void test_answers_each_request(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status, *part;
    } cases[] = {
        {"GET /hello HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 200 OK\r\n", "X-App: berth\r\n"},
        {"GET http://t/hello?x=1 HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 200 OK\r\n",
         "\r\n\r\nhello"},
        {"\r\nGET /hello HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 200 OK\r\n",
         "Content-Length: 5\r\n"},
        {"GET /hello HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "Connection: close\r\n"},
        {"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200 OK\r\n",
         "Connection: keep-alive\r\n"},
        {"GET /v1/pools/a%20b HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 200 OK\r\n",
         "\r\n\r\n/v1/pools/a b"},
        {"GET /nowhere HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 404 Not Found\r\n",
         "\"type\":\"urn:berth:problem:not-found\""},
        {"GET /hellos HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 404 ", "application/problem+json"},
        {"DELETE /echo HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n",
         "Allow: POST, PUT\r\n"},
        {"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200 ",
         "\r\n\r\nabc"},
        {"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: "
         "chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: r\r\n\r\n",
         "HTTP/1.1 200 ", "\r\n\r\nabc"},
        {"GET /peer HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 200 ", "\r\n\r\n127.0.0.1"},
        {"GET /later HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 200 ", "\r\n\r\nlate"},
        {"GET /stream HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 200 ",
         "\r\n\r\ndata: 1\n\ndata: 2\n\n"},
        {"GET /secret HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer sesame\r\n\r\n", "HTTP/1.1 204 ",
         "\r\n\r\n"},
        {"GET /secret HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer sesam\r\n\r\n", "HTTP/1.1 401 ",
         "\\\"bearer\\\""},
        {"GET /secret HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 401 ",
         "WWW-Authenticate: Bearer\r\n"},
        {"GET /hello HTTP/1.1\r\nHost: t\r\nOrigin: https://play.example\r\n\r\n", "HTTP/1.1 200 ",
         "Access-Control-Allow-Origin: https://play.example\r\nVary: Origin\r\n"},
        {"OPTIONS /hello HTTP/1.1\r\nHost: t\r\nOrigin: "
         "https://play.example\r\nAccess-Control-Request-Method: POST\r\n\r\n",
         "HTTP/1.1 204 ", "Access-Control-Allow-Methods: "},
        {"OPTIONS /hello HTTP/1.1\r\nHost: t\r\nOrigin: "
         "https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n",
         "HTTP/1.1 403 ", "origin-not-allowed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *answer = wire_ask(app.port, cases[i].request);
        if (strncmp(answer, cases[i].status, strlen(cases[i].status)) != 0)
            fail_msg("%s\nwas answered\n%s", cases[i].request, answer);
        wire_has(answer, cases[i].part);
    }
}

static void test_refuses_and_closes(void **state)
{
    (void)state;
    char *long_header = malloc(20000), *long_line = malloc(20000);
    assert_non_null(long_header);
    assert_non_null(long_line);
    int n = snprintf(long_header, 100, "GET /hello HTTP/1.1\r\nHost: t\r\nX: ");
    memset(long_header + n, 'x', (size_t)(12000 - n));
    strcpy(long_header + 12000, "\r\n\r\n");
    n = snprintf(long_line, 100, "GET /");
    memset(long_line + n, 'x', (size_t)(12000 - n));
    strcpy(long_line + 12000, " HTTP/1.1\r\nHost: t\r\n\r\n");
    const struct {
        const char *request, *status;
    } cases[] = {
        {"nonsense\r\n\r\n", "400"},
        {"GET /hello HTTP/1.1\r\n\r\n", "400"}, /* no Host */
        {"GET /hello HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n", "400"},
        {"GET /hello HTTP/1.1\nHost: t\n\n", "400"},
        {"GET /hello HTTP/1.1\r\nHost: t\r\nX : y\r\n\r\n", "400"},
        {"GET /hello HTTP/1.1\r\nHost: t\r\n folded\r\n\r\n", "400"},
        {"GET /%zz HTTP/1.1\r\nHost: t\r\n\r\n", "400"},
        {"GET /a%00b HTTP/1.1\r\nHost: t\r\n\r\n", "400"},
        {"GET /hello HTTP/2.0\r\nHost: t\r\n\r\n", "505"},
        {"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
         "400"},
        {"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n",
         "400"},
        {"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n", "400"},
        {"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
        {"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
        {"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1001\r\n\r\n", "413"},
        {"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
         NULL}, /* 1000 then one more */
        {long_header, "431"},
        {long_line, "414"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = wire_connect(app.port);
        wire_say(fd, cases[i].request);
        if (!cases[i].status) {
            char body[1010];
            memset(body, 'b', sizeof body);
            wire_send(fd, (struct span){body, 1000});
            wire_say(fd, "\r\n1\r\nb\r\n0\r\n\r\n");
        }
        const char *answer = wire_response_text(fd, false, NULL);
        if (strncmp(answer + 9, cases[i].status ? cases[i].status : "413", 3) != 0)
            fail_msg("%.200s\nwas answered\n%s", cases[i].request, answer);
        wire_has(answer, "Connection: close\r\n");
        wire_has(answer, "application/problem+json");
        assert_int_equal(wire_expect_end(fd), 0);
    }
    free(long_header);
    free(long_line);
}

static void test_head_has_the_length_and_no_body(void **state)
{
    (void)state;
    int fd = wire_connect(app.port);
    wire_say(fd, "HEAD /hello HTTP/1.1\r\nHost: t\r\n\r\nGET /hello HTTP/1.1\r\nHost: t\r\n\r\n");
    wire_has(wire_response_text(fd, true, NULL), "Content-Length: 5\r\n");
    wire_has(wire_response_text(fd, false, NULL), "\r\n\r\nhello"); /* nothing lay between */
    close(fd);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    int fd = wire_connect(app.port);
    wire_say(
        fd,
        "GET /v1/pools/1 HTTP/1.1\r\nHost: t\r\n\r\nGET /later HTTP/1.1\r\nHost: t\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n"
        "GET /v1/pools/3 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\nGET /v1/pools/4 "
        "HTTP/1.1\r\nHost: t\r\n\r\n");
    wire_has(wire_response_text(fd, false, NULL), "\r\n\r\n/v1/pools/1");
    wire_has(wire_response_text(fd, false, NULL), "\r\n\r\nlate");
    wire_has(wire_response_text(fd, false, NULL), "\r\n\r\nfour");
    wire_has(wire_response_text(fd, false, NULL), "\r\n\r\n/v1/pools/3");
    assert_int_equal(wire_expect_end(fd),
                     0); /* close was asked for: the last one is not answered */
}

static void test_thousands_of_pipelined_requests(void **state)
{
    (void)state;
    int fd = wire_connect(app.port);
    enum { N = 3000 };
    if (fork() == 0) { /* somebody must read while we write */
        for (int i = 0; i < N; i++) {
            char one[64];
            (void)snprintf(one, sizeof one, "GET /v1/pools/%d HTTP/1.1\r\nHost: t\r\n\r\n", i);
            wire_say(fd, one);
        }
        _exit(0);
    }
    for (int i = 0; i < N; i++) {
        char want[32];
        const char *body;
        (void)snprintf(want, sizeof want, "/v1/pools/%d", i);
        (void)wire_response_text(fd, false, &body);
        assert_string_equal(body, want);
    }
    close(fd);
}

/* More is read ahead than is kept while an answer is awaited, and it is not a whole request yet. */
static void test_a_large_body_may_be_pipelined(void **state)
{
    (void)state;
    enum { BODY = 300000 };
    struct web_app large =
        web_app_start((struct web_server_config){.body_max = BODY, .idle_ms = 5000});
    char *text = malloc(BODY + 200);
    assert_non_null(text);
    int n = snprintf(text, 200,
                     "GET /later HTTP/1.1\r\nHost: t\r\n\r\n"
                     "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n",
                     BODY);
    memset(text + n, 'b', BODY);
    int fd = wire_connect(large.port);
    wire_send(fd, (struct span){text, (size_t)n + BODY});
    wire_has(wire_response_text(fd, false, NULL), "\r\n\r\nlate");
    const char *body;
    (void)wire_response_text(fd, false, &body);
    assert_int_equal(strspn(body, "b"), BODY);
    (void)close(fd);
    free(text);
    web_app_stop(&large);
}

static void test_a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: "
        "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
    };
    int fd = wire_connect(app.port);
    for (size_t i = 0; i < 2; i++) {
        for (const char *p = requests[i]; *p; p++) {
            wire_send(fd, (struct span){p, 1});
            usleep(500);
        }
        wire_has(wire_response_text(fd, false, NULL), "\r\n\r\nabc");
    }
    close(fd);
}

static void test_says_continue_when_it_is_expected(void **state)
{
    (void)state;
    int fd = wire_connect(app.port);
    wire_say(fd,
             "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    wire_has(wire_response_text(fd, false, NULL), "HTTP/1.1 100 Continue\r\n\r\n");
    wire_say(fd, "ok");
    wire_has(wire_response_text(fd, false, NULL), "\r\n\r\nok");
    close(fd);
}

static void test_cuts_off_the_idle_and_the_slow(void **state)
{
    (void)state;
    int idle = wire_connect(app.port), used = wire_connect(app.port), slow = wire_connect(app.port);
    wire_say(used, "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n");
    (void)wire_response_text(used, false, NULL);
    wire_say(slow, "GET /hello HTTP/1.1\r\nHo");
    assert_int_equal(wire_expect_end(idle), 0);
    assert_int_equal(wire_expect_end(used), 0);
    wire_has(wire_response_text(slow, false, NULL), "HTTP/1.1 408 ");
    assert_int_equal(wire_expect_end(slow), 0);
}

static void test_tells_the_handler_that_its_client_went_away(void **state)
{
    (void)state;
    int before = web_app_stat(&app, "gone=");
    int fd = wire_connect(app.port);
    wire_say(fd, "GET /never HTTP/1.1\r\nHost: t\r\n\r\n");
    usleep(900000); /* longer than idle_ms: an awaited answer is not idleness */
    assert_int_equal(web_app_stat(&app, "gone="), before);
    close(fd);
    web_app_wait(&app, "gone=", before + 1);
}

static void test_a_large_answer_reaches_a_slow_reader(void **state)
{
    (void)state;
    int fd = wire_connect(app.port);
    wire_say(fd, "GET /big HTTP/1.1\r\nHost: t\r\n\r\nGET /hello HTTP/1.1\r\nHost: t\r\n\r\n");
    usleep(100000);
    const char *body;
    (void)wire_response_text(fd, false, &body);
    assert_int_equal(strspn(body, "b"), 8 << 20);
    wire_has(wire_response_text(fd, false, NULL), "\r\n\r\nhello");
    close(fd);
}

/* Requests and frames with bytes changed, cut and doubled at random (seeded): the server under test
 * must survive all of it, leak nothing and go on answering. */
static void test_survives_garbage(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "GET /hello HTTP/1.1\r\nHost: t\r\n\r\nGET /later HTTP/1.1\r\nHost: t\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: "
        "chunked\r\n\r\n2\r\nab\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabcGET "
        "/stream HTTP/1.0\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: "
        "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: "
        "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
        "\x01\x82\x01\x01\x01\x01zz\x80\x81\x01\x01\x01\x01z\x89\x80zzzz\x88\x82\x01\x01\x01\x01"
        "\x02\xe9",
    };
    struct rng rng;
    rng_seed(&rng, 20151);
    for (int i = 0; i < 3000; i++) {
        char text[1024];
        struct span seed = span_of(seeds[rng_below(&rng, sizeof seeds / sizeof *seeds)]);
        memcpy(text, seed.ptr, seed.len);
        for (uint64_t n = rng_below(&rng, 4); n; n--)
            text[rng_below(&rng, seed.len)] = (char)rng_next(&rng);
        size_t first = rng_below(&rng, seed.len + 1),
               last = first + rng_below(&rng, seed.len - first + 1);
        int fd = wire_connect(app.port);
        (void)!send(fd, text, first, MSG_NOSIGNAL);
        if (i % 16 == 0)
            usleep(1000);
        (void)!send(fd, text + first, last - first, MSG_NOSIGNAL);
        char drop[4096];
        if (i % 3 == 0)
            (void)!recv(fd, drop, sizeof drop, MSG_DONTWAIT);
        close(fd);
    }
    wire_has(wire_ask(app.port, "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n"), "\r\n\r\nhello");
    web_app_wait(&app, "open=", web_app_stat(&app, "closed="));
}

/* The same application over TLS, asked by curl: a client that we did not write. */
static void test_serves_tls(void **state)
{
    (void)state;
    char dir[] = "/tmp/berth-tls-XXXXXX", cert[64], key[64], command[512], answer[256] = "";
    assert_non_null(mkdtemp(dir));
    test_cert_write(dir);
    (void)snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    (void)snprintf(key, sizeof key, "%s/key.pem", dir);
    struct web_app tls =
        web_app_start((struct web_server_config){.tls_cert = cert, .tls_key = key, .idle_ms = 600});
    (void)snprintf(command, sizeof command,
                   "curl -sS --max-time 10 --cacert %s https://localhost:%d/hello -d abc "
                   "https://localhost:%d/echo "
                   "--next -sS --cacert %s https://localhost:%d/big -o %s/big && wc -c <%s/big",
                   cert, tls.port, tls.port, cert, tls.port, dir, dir);
    FILE *curl = popen(command, "r");
    assert_non_null(curl);
    size_t n = fread(answer, 1, sizeof answer - 1, curl);
    answer[n] = '\0';
    assert_int_equal(pclose(curl), 0);
    wire_has(answer, "method-not-allowed"); /* POST /hello */
    wire_has(answer, "}\nabc8388608\n");
    int plain = wire_connect(tls.port), silent = wire_connect(tls.port);
    wire_say(plain, "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n");
    (void)wire_expect_end(plain);
    (void)wire_expect_end(silent); /* no handshake within idle_ms */
    web_app_stop(&tls);
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_each_request),
        cmocka_unit_test(test_refuses_and_closes),
        cmocka_unit_test(test_head_has_the_length_and_no_body),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_thousands_of_pipelined_requests),
        cmocka_unit_test(test_a_large_body_may_be_pipelined),
        cmocka_unit_test(test_a_request_may_come_byte_by_byte),
        cmocka_unit_test(test_says_continue_when_it_is_expected),
        cmocka_unit_test(test_cuts_off_the_idle_and_the_slow),
        cmocka_unit_test(test_tells_the_handler_that_its_client_went_away),
        cmocka_unit_test(test_a_large_answer_reaches_a_slow_reader),
        cmocka_unit_test(test_survives_garbage),
        cmocka_unit_test(test_serves_tls),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* test_io_web.c - HTTP and WebSocket servers as a client on the wire sees them. */
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
    static const char *const origins[] = {"https://play.example", NULL};
    app = web_app_start((struct web_server_config){.body_max = 1000,
                                                   .message_max = 2000,
                                                   .send_max = 300000,
                                                   .connections_max = 1200,
                                                   .ping_ms = 400,
                                                   .idle_ms = 600,
                                                   .cors_origins = origins});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    web_app_stop(&app);
    return 0;
}

static void has(const char *answer, const char *part)
{
    if (!strstr(answer, part))
        fail_msg("no '%s' in:\n%s", part, answer);
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
        has(answer, cases[i].part);
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
        has(answer, "Connection: close\r\n");
        has(answer, "application/problem+json");
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
    has(wire_response_text(fd, true, NULL), "Content-Length: 5\r\n");
    has(wire_response_text(fd, false, NULL), "\r\n\r\nhello"); /* nothing lay between */
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
    has(wire_response_text(fd, false, NULL), "\r\n\r\n/v1/pools/1");
    has(wire_response_text(fd, false, NULL), "\r\n\r\nlate");
    has(wire_response_text(fd, false, NULL), "\r\n\r\nfour");
    has(wire_response_text(fd, false, NULL), "\r\n\r\n/v1/pools/3");
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
    has(wire_response_text(fd, false, NULL), "\r\n\r\nlate");
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
        has(wire_response_text(fd, false, NULL), "\r\n\r\nabc");
    }
    close(fd);
}

static void test_says_continue_when_it_is_expected(void **state)
{
    (void)state;
    int fd = wire_connect(app.port);
    wire_say(fd,
             "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    has(wire_response_text(fd, false, NULL), "HTTP/1.1 100 Continue\r\n\r\n");
    wire_say(fd, "ok");
    has(wire_response_text(fd, false, NULL), "\r\n\r\nok");
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
    has(wire_response_text(slow, false, NULL), "HTTP/1.1 408 ");
    assert_int_equal(wire_expect_end(slow), 0);
}

static int stat_of(const char *name)
{
    const char *answer = wire_ask(app.port, "GET /stats HTTP/1.1\r\nHost: t\r\n\r\n");
    const char *at = strstr(answer, name);
    assert_non_null(at);
    return atoi(at + strlen(name));
}

static void wait_for(const char *name, int value)
{
    for (int i = 0; i < 500 && stat_of(name) != value; i++)
        usleep(10000);
    assert_int_equal(stat_of(name), value);
}

static void test_tells_the_handler_that_its_client_went_away(void **state)
{
    (void)state;
    int before = stat_of("gone=");
    int fd = wire_connect(app.port);
    wire_say(fd, "GET /never HTTP/1.1\r\nHost: t\r\n\r\n");
    usleep(900000); /* longer than idle_ms: an awaited answer is not idleness */
    assert_int_equal(stat_of("gone="), before);
    close(fd);
    wait_for("gone=", before + 1);
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
    has(wire_response_text(fd, false, NULL), "\r\n\r\nhello");
    close(fd);
}

/* ---- WebSocket ---- */

static void expect_frame(int fd, int first_byte, const char *payload)
{
    struct span got;
    int first;
    do
        first = wire_ws_read(fd, &got);
    while (first == 0x89); /* pings may come at any time */
    assert_int_equal(first, first_byte);
    assert_int_equal(got.len, strlen(payload));
    assert_memory_equal(got.ptr, payload, got.len);
}

static void expect_close(int fd, int code)
{
    struct span got;
    int first;
    do
        first = wire_ws_read(fd, &got);
    while (first >= 0 && first != 0x88);
    assert_int_equal(first, 0x88);
    assert_true(got.len >= 2);
    assert_int_equal((unsigned char)got.ptr[0] << 8 | (unsigned char)got.ptr[1], code);
}

static void test_ws_echoes_text_binary_and_fragments(void **state)
{
    (void)state;
    int fd = wire_ws_connect(app.port, "/ws?a=b");
    wire_ws_frame(fd, 0x81, SPAN("hello"));
    expect_frame(fd, 0x81, "hello");
    wire_ws_frame(fd, 0x82, SPAN("\x01\x02"));
    expect_frame(fd, 0x82, "\x01\x02");
    wire_ws_frame(fd, 0x01, SPAN("frag"));
    wire_ws_frame(fd, 0x89, SPAN("now"));
    wire_ws_frame(fd, 0x00, SPAN("men"));
    wire_ws_frame(fd, 0x80, SPAN("ted"));
    expect_frame(fd, 0x8a, "now"); /* a pong between the fragments */
    expect_frame(fd, 0x81, "fragmented");
    wire_ws_frame(fd, 0x81, SPAN(""));
    expect_frame(fd, 0x81, "");
    wire_ws_frame(fd, 0x81, SPAN("request"));
    expect_frame(fd, 0x81, "/ws?a=b");
    char longer[1500];
    memset(longer, 'l', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    wire_ws_frame(fd, 0x81, span_of(longer));
    expect_frame(fd, 0x81, longer);
    wire_ws_frame(fd, 0x88, SPAN("\x03\xe8"));
    expect_close(fd, 1000);
    assert_int_equal(wire_expect_end(fd), 0);
}

static void test_ws_messages_leave_in_order_before_the_close(void **state)
{
    (void)state;
    int fd = wire_ws_connect(app.port, "/sockets/x");
    wire_ws_frame(fd, 0x81, SPAN("three"));
    expect_frame(fd, 0x81, "one");
    expect_frame(fd, 0x81, "two");
    expect_frame(fd, 0x81, "three");
    expect_close(fd, 1000);
    wire_ws_frame(fd, 0x88, SPAN("\x03\xe8"));
    assert_int_equal(wire_expect_end(fd), 0);
}

static void test_ws_closes_what_breaks_the_protocol(void **state)
{
    (void)state;
    char big[2001];
    memset(big, 'x', sizeof big);
    const struct {
        int first, second;
        struct span payload;
        int code;
    } cases[] = {
        {0x81, 0, {big, 2001}, 1009},
        {0x01, 0x80, {big, 1500}, 1009},
        {0x81, 0, SPAN("\xff\xfe"), 1007},
        {0x81, 0, SPAN("\xed\xa0\x80"), 1007},
        {0xc1, 0, SPAN("x"), 1002},
        {0x83, 0, SPAN("x"), 1002},
        {0x80, 0, SPAN("x"), 1002},
        {0x09, 0, SPAN("x"), 1002},
        {0x89, 0, {big, 126}, 1002},
        {0x01, 0x01, SPAN("x"), 1002},
        {0x88, 0, SPAN("x"), 1002},
        {0x88, 0, SPAN("\x03\xed"), 1002},
        {0x88, 0, SPAN("\x03\xe8\xff"), 1007},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = wire_ws_connect(app.port, "/ws");
        wire_ws_frame(fd, cases[i].first, cases[i].payload);
        if (cases[i].second)
            wire_ws_frame(fd, cases[i].second, cases[i].payload);
        expect_close(fd, cases[i].code);
        assert_int_equal(wire_expect_end(fd), 0);
    }
    int fd = wire_ws_connect(app.port, "/ws");
    wire_say(fd, "\x81\x01x"); /* not masked */
    expect_close(fd, 1002);
    assert_int_equal(wire_expect_end(fd), 0);
}

static void test_ws_says_close_once_with_code_and_reason(void **state)
{
    (void)state;
    int closed = stat_of("closed=");
    int fd = wire_ws_connect(app.port, "/ws");
    wire_ws_frame(fd, 0x81, SPAN("close"));
    expect_frame(fd, 0x88,
                 "\x0f\xa1"
                 "bye");
    assert_int_equal(stat_of("closed="), closed); /* the other side has not answered yet */
    wire_ws_frame(fd, 0x81, SPAN("late"));
    wire_ws_frame(fd, 0x88, SPAN("\x0f\xa1"));
    assert_int_equal(wire_expect_end(fd), 0);
    wait_for("closed=", closed + 1);
    assert_int_equal(stat_of("code="), 4001);
    has(wire_ask(app.port, "GET /stats HTTP/1.1\r\nHost: t\r\n\r\n"), "why=local");

    fd = wire_ws_connect(app.port, "/ws"); /* one that never answers the close is cut off */
    wire_ws_frame(fd, 0x81, SPAN("close"));
    expect_close(fd, 4001);
    assert_int_equal(wire_expect_end(fd), 0);

    fd = wire_ws_connect(app.port, "/ws"); /* and one that just vanishes */
    struct linger abort = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close(fd);
    wait_for("closed=", closed + 3);
    assert_int_equal(stat_of("code="), 1006);
}

static void test_ws_half_open_is_timed_out(void **state)
{
    (void)state;
    int silent = wire_ws_connect(app.port, "/ws");
    (void)wire_expect_end(silent); /* it was pinged and never answered */
    has(wire_ask(app.port, "GET /stats HTTP/1.1\r\nHost: t\r\n\r\n"), "why=timeout");
    int alive = wire_ws_connect(app.port, "/ws");
    for (int pings = 0; pings < 4; pings++) {
        struct span got;
        assert_int_equal(wire_ws_read(alive, &got), 0x89);
        wire_ws_frame(alive, 0x8a, got);
    }
    wire_ws_frame(alive, 0x81, SPAN("still here"));
    expect_frame(alive, 0x81, "still here");
    close(alive);
}

static void test_ws_slow_reader_is_closed_and_bounded(void **state)
{
    (void)state;
    int fd = wire_ws_connect(app.port, "/ws");
    for (int i = 0; i < 100; i++) { /* 256 kB each time, until the kernel's buffers are full */
        wire_ws_frame(fd, 0x81, SPAN("flood"));
        usleep(2000);
    }
    for (int i = 0; i < 500; i++) {
        if (strstr(wire_ask(app.port, "GET /stats HTTP/1.1\r\nHost: t\r\n\r\n"), "why=slow_reader"))
            break;
        usleep(10000);
        if (i % 10 == 0)
            wire_ws_frame(fd, 0x8a, SPAN("")); /* it is alive, it only does not read */
    }
    has(wire_ask(app.port, "GET /stats HTTP/1.1\r\nHost: t\r\n\r\n"), "why=slow_reader");
    close(fd);
}

static void test_ws_refuses_bad_upgrades(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status;
    } cases[] = {
        {"GET /ws HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: "
         "Upgrade\r\nSec-WebSocket-Version: 8\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         "HTTP/1.1 426 "},
        {"GET /ws HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: "
         "Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
         "HTTP/1.1 400 "},
        {"GET /guarded HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: "
         "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         "HTTP/1.1 403 "},
        {"GET /nows HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: "
         "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         "HTTP/1.1 404 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        has(wire_ask(app.port, cases[i].request), cases[i].status);
    close(wire_ws_connect(app.port, "/guarded?key=1"));
}

static void test_a_thousand_sockets_and_no_more_than_allowed(void **state)
{
    (void)state;
    enum { N = 1000 };
    static int fds[N];
    for (int i = 0; i < N; i++)
        fds[i] = wire_ws_connect(app.port, "/ws");
    for (int i = 0; i < N; i++)
        wire_ws_frame(fds[i], 0x81, SPAN("hello"));
    for (int i = 0; i < N; i++)
        expect_frame(fds[i], 0x81, "hello");
    static int more[400];
    int refused = 0;
    for (int i = 0; i < 400; i++)
        more[i] = wire_connect(app.port);
    usleep(100000);
    for (int i = 0; i < 400; i++) {
        char c;
        refused += recv(more[i], &c, 1, MSG_DONTWAIT) == 0;
        close(more[i]);
    }
    assert_in_range(refused, 150, 250); /* connections_max is 1,200 */
    for (int i = 0; i < N; i++)
        close(fds[i]);
    wait_for("open=", stat_of("closed="));
}

/* Requests and frames with bytes changed, cut and doubled at random (seeded): the server under test
 * must survive all of it, leak nothing and go on answering. */
/* A route may leave out every handler: the socket is opened, read and closed all the same. */
static void test_ws_without_handlers_is_served(void **state)
{
    (void)state;
    struct err err = {0};
    struct loop *loop = loop_create(&err);
    struct log log;
    log_init(&log, "test");
    struct web *web = web_create(loop, &log, &err);
    static const struct ws_route routes[] = {{.path = "/mute"}, {.path = NULL}};
    const struct web_server_config config = {.name = "mute", .address = "127.0.0.1", .ws = routes};
    struct web_server *server = web_listen(web, &config, &err);
    assert_non_null(server);
    char url[64];
    (void)snprintf(url, sizeof url, "ws://127.0.0.1:%d/mute", web_server_port(server));
    const struct ws_client_config client = {.url = url};
    const struct ws_handlers none = {.arg = NULL};
    struct ws *ws = ws_connect(web, &client, &none, &err);
    assert_non_null(ws);
    while (web_server_connections(server) == 0)
        ev_run(loop_ev(loop), EVRUN_ONCE);
    while (ws_send(ws, SPAN("into the void")) == BERTH_ECLOSED) /* not open yet */
        ev_run(loop_ev(loop), EVRUN_ONCE);
    ws_close(ws, 1000, "done");
    while (web_server_connections(server) > 0)
        ev_run(loop_ev(loop), EVRUN_ONCE);
    web_destroy(web);
    loop_destroy(loop);
}

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
    has(wire_ask(app.port, "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n"), "\r\n\r\nhello");
    wait_for("open=", stat_of("closed="));
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
    has(answer, "method-not-allowed"); /* POST /hello */
    has(answer, "}\nabc8388608\n");
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
        cmocka_unit_test(test_ws_echoes_text_binary_and_fragments),
        cmocka_unit_test(test_ws_messages_leave_in_order_before_the_close),
        cmocka_unit_test(test_ws_closes_what_breaks_the_protocol),
        cmocka_unit_test(test_ws_says_close_once_with_code_and_reason),
        cmocka_unit_test(test_ws_half_open_is_timed_out),
        cmocka_unit_test(test_ws_slow_reader_is_closed_and_bounded),
        cmocka_unit_test(test_ws_refuses_bad_upgrades),
        cmocka_unit_test(test_a_thousand_sockets_and_no_more_than_allowed),
        cmocka_unit_test(test_ws_without_handlers_is_served),
        cmocka_unit_test(test_survives_garbage),
        cmocka_unit_test(test_serves_tls),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

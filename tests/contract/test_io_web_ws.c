/* test_io_web_ws.c - a WebSocket server as a client on the wire sees it. */
#include "tests/support/cmocka.h"
#include "tests/support/web_app.h"
#include "tests/support/wire_client.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

static void test_ws_that_is_held_is_read_no_more_until_it_is_let_go(void **state)
{
    (void)state;
    int fd = wire_ws_connect(app.port, "/ws");
    int messages = web_app_stat(&app, "messages="), closed = web_app_stat(&app, "closed=");
    static char
        frames[600000]; /* more than one read, and than one receive buffer may take at once */
    size_t len = 0;
    int count = 0;
    for (; len + 40 < sizeof frames; count++) {
        int n = snprintf(frames + len + 6, 34, "%s %d", count ? "message" : "hold", count);
        if (count == 0)
            n = 4;
        memcpy(frames + len, (char[]){(char)0x81, (char)(0x80 | n), 0, 0, 0, 0}, 6);
        len += 6 + (size_t)n;
    }
    pid_t writer = fork(); /* it has to wait, perhaps */
    assert_true(writer >= 0);
    if (writer == 0) {
        wire_send(fd, (struct span){frames, len});
        _exit(0);
    }
    expect_frame(fd, 0x81, "hold");
    usleep(2700000); /* longer than a silent socket is kept */
    assert_int_equal(web_app_stat(&app, "messages="), messages + 1);
    assert_int_equal(web_app_stat(&app, "closed="), closed);
    wire_has(wire_ask(app.port, "GET /release HTTP/1.1\r\nHost: t\r\n\r\n"), "204");
    for (int i = 1; i < count; i++) { /* all of them, in order */
        char text[32];
        (void)snprintf(text, sizeof text, "message %d", i);
        expect_frame(fd, 0x81, text);
    }
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    close(fd);
}

static void test_ws_that_is_closed_while_it_is_held_says_goodbye(void **state)
{
    (void)state;
    int fd = wire_ws_connect(app.port, "/ws");
    int messages = web_app_stat(&app, "messages=");
    wire_ws_frame(fd, 0x81, SPAN("hold close"));
    wire_ws_frame(fd, 0x81, SPAN("nobody hears this"));
    expect_frame(fd, 0x81, "hold close");
    expect_close(fd, 1000);
    wire_ws_frame(fd, 0x88, SPAN("\x03\xe8"));
    assert_int_equal(wire_expect_end(fd), 0);
    web_app_wait(&app, "code=", 1000);
    assert_int_equal(web_app_stat(&app, "messages="), messages + 1);
}

static void test_ws_tells_of_frames_that_end_no_message(void **state)
{
    (void)state;
    int fd = wire_ws_connect(app.port, "/ws");
    int frames = web_app_stat(&app, "frames=");
    wire_ws_frame(fd, 0x89, SPAN("ping"));
    wire_ws_frame(fd, 0x01, SPAN("frag"));
    wire_ws_frame(fd, 0x80, SPAN("ment"));
    wire_ws_frame(fd, 0x81, SPAN("whole"));
    expect_frame(fd, 0x8a, "ping");
    expect_frame(fd, 0x81, "fragment");
    expect_frame(fd, 0x81, "whole");
    assert_int_equal(web_app_stat(&app, "frames="), frames + 2);
    close(fd);
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
    int closed = web_app_stat(&app, "closed=");
    int fd = wire_ws_connect(app.port, "/ws");
    wire_ws_frame(fd, 0x81, SPAN("close"));
    expect_frame(fd, 0x88,
                 "\x0f\xa1"
                 "bye");
    assert_int_equal(web_app_stat(&app, "closed="),
                     closed); /* the other side has not answered yet */
    wire_ws_frame(fd, 0x81, SPAN("late"));
    wire_ws_frame(fd, 0x88, SPAN("\x0f\xa1"));
    assert_int_equal(wire_expect_end(fd), 0);
    web_app_wait(&app, "closed=", closed + 1);
    assert_int_equal(web_app_stat(&app, "code="), 4001);
    wire_has(wire_ask(app.port, "GET /stats HTTP/1.1\r\nHost: t\r\n\r\n"), "why=local");

    fd = wire_ws_connect(app.port, "/ws"); /* one that never answers the close is cut off */
    wire_ws_frame(fd, 0x81, SPAN("close"));
    expect_close(fd, 4001);
    assert_int_equal(wire_expect_end(fd), 0);

    fd = wire_ws_connect(app.port, "/ws"); /* and one that just vanishes */
    struct linger abort = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close(fd);
    web_app_wait(&app, "closed=", closed + 3);
    assert_int_equal(web_app_stat(&app, "code="), 1006);
}

static void test_ws_half_open_is_timed_out(void **state)
{
    (void)state;
    int silent = wire_ws_connect(app.port, "/ws");
    (void)wire_expect_end(silent); /* it was pinged and never answered */
    wire_has(wire_ask(app.port, "GET /stats HTTP/1.1\r\nHost: t\r\n\r\n"), "why=timeout");
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
    wire_has(wire_ask(app.port, "GET /stats HTTP/1.1\r\nHost: t\r\n\r\n"), "why=slow_reader");
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
        wire_has(wire_ask(app.port, cases[i].request), cases[i].status);
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
    web_app_wait(&app, "open=", web_app_stat(&app, "closed="));
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ws_echoes_text_binary_and_fragments),
        cmocka_unit_test(test_ws_messages_leave_in_order_before_the_close),
        cmocka_unit_test(test_ws_closes_what_breaks_the_protocol),
        cmocka_unit_test(test_ws_says_close_once_with_code_and_reason),
        cmocka_unit_test(test_ws_half_open_is_timed_out),
        cmocka_unit_test(test_ws_slow_reader_is_closed_and_bounded),
        cmocka_unit_test(test_ws_that_is_held_is_read_no_more_until_it_is_let_go),
        cmocka_unit_test(test_ws_that_is_closed_while_it_is_held_says_goodbye),
        cmocka_unit_test(test_ws_tells_of_frames_that_end_no_message),
        cmocka_unit_test(test_ws_refuses_bad_upgrades),
        cmocka_unit_test(test_a_thousand_sockets_and_no_more_than_allowed),
        cmocka_unit_test(test_ws_without_handlers_is_served),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

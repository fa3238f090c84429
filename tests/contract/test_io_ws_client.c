/* test_io_ws_client.c - WebSocket clients against our own server and against bad ones, in one loop.
 */
#include "tests/support/cmocka.h"
#include "tests/support/test_cert.h"
#include "tests/support/web_app.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct log log;
    struct web *web;
    struct web_app_state app;
    struct timer limit;
};

/* What one client has seen. */
struct seen {
    struct fixture *f;
    int open, closed, messages;
    int code;
    char why[32], text[64];
    bool binary;
    size_t bytes;
};

static void on_open(void *arg, struct ws *ws)
{
    struct seen *seen = arg;
    assert_null(ws_request(ws));
    seen->open++;
}

static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct seen *seen = arg;
    (void)ws;
    seen->messages++;
    seen->binary = binary;
    seen->bytes += data.len;
    (void)span_copy(data, seen->text, sizeof seen->text);
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct seen *seen = arg;
    (void)ws;
    seen->closed++;
    seen->code = code;
    (void)snprintf(seen->why, sizeof seen->why, "%s", why);
}

static struct ws *connect_url(struct fixture *f, struct seen *seen, struct ws_client_config config)
{
    *seen = (struct seen){.f = f};
    struct ws_handlers handlers = {
        .open = on_open, .message = on_message, .close = on_close, .arg = seen};
    struct err err = {0};
    struct ws *ws = ws_connect(f->web, &config, &handlers, &err);
    if (!ws)
        fail_msg("%s", err.text);
    assert_int_equal(seen->open + seen->closed, 0); /* never from within the call */
    return ws;
}

static void on_limit(void *arg)
{
    (void)arg;
    fail_msg("what was waited for did not happen in 10 s");
}

/* Run the loop until *value >= least. */
static void wait_for(struct fixture *f, const int *value, int least)
{
    timer_start(&f->limit, 10000, 0);
    while (*value < least)
        ev_run(loop_ev(f->loop), EVRUN_ONCE);
    timer_stop(&f->limit);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    log_init(&f->log, "test");
    f->loop = loop_create(NULL);
    f->web = web_create(f->loop, &f->log, NULL);
    assert_non_null(f->web);
    f->app.loop = f->loop;
    timer_init(&f->limit, f->loop, on_limit, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    web_destroy(f->web);
    assert_int_equal(f->app.open, f->app.closed);
    loop_destroy(f->loop);
    free(f);
    return 0;
}

static const char *url_of(const char *fmt, int port)
{
    static char url[200];
    (void)snprintf(url, sizeof url, fmt, port);
    return url;
}

static void test_talks_and_closes_both_ways(void **state)
{
    struct fixture *f = *state;
    int port =
        web_server_port(web_app_listen(f->web, &f->app, (struct web_server_config){.name = NULL}));
    struct seen seen;
    struct ws *ws = connect_url(
        f, &seen, (struct ws_client_config){.url = url_of("ws://127.0.0.1:%d/ws?x=y", port)});
    assert_int_equal(ws_send(ws, SPAN("too early")), BERTH_ECLOSED);
    wait_for(f, &seen.open, 1);
    assert_string_equal(ws_peer(ws), "127.0.0.1");
    assert_int_equal(ws_send(ws, SPAN("hello")), 0);
    wait_for(f, &seen.messages, 1);
    assert_string_equal(seen.text, "hello");
    assert_false(seen.binary);
    assert_int_equal(ws_send_binary(ws, SPAN("\x01\x02\x03")), 0);
    wait_for(f, &seen.messages, 2);
    assert_true(seen.binary);
    assert_int_equal(ws_send(ws, SPAN("request")), 0);
    wait_for(f, &seen.messages, 3);
    assert_string_equal(seen.text, "/ws?x=y");
    ws_close(ws, 4321, "enough");
    ws_close(ws, 1000, "again");
    assert_int_equal(ws_send(ws, SPAN("too late")), BERTH_ECLOSED);
    wait_for(f, &seen.closed, 1);
    assert_int_equal(seen.code, 4321);
    assert_string_equal(seen.why, "local");
    wait_for(f, &f->app.closed, 1);
    assert_int_equal(f->app.last_code, 4321);
    assert_string_equal(f->app.last_why, "peer");

    ws = connect_url(f, &seen,
                     (struct ws_client_config){.url = url_of("ws://127.0.0.1:%d/ws", port)});
    wait_for(f, &seen.open, 1);
    assert_int_equal(ws_send(ws, SPAN("close")), 0);
    wait_for(f, &seen.closed, 1);
    assert_int_equal(seen.code, 4001);
    assert_string_equal(seen.why, "peer");
    assert_int_equal(f->app.last_code, 4001);
}

static void test_reaches_a_name(void **state)
{
    struct fixture *f = *state;
    int port =
        web_server_port(web_app_listen(f->web, &f->app, (struct web_server_config){.name = NULL}));
    static struct seen seen; /* still connected when the web is destroyed */
    /* localhost may be ::1 first: nobody listens there, so the second address must be tried */
    (void)connect_url(f, &seen,
                      (struct ws_client_config){.url = url_of("ws://localhost:%d/ws", port)});
    wait_for(f, &seen.open, 1);
}

static void test_says_why_it_could_not_connect(void **state)
{
    struct fixture *f = *state;
    struct web_server *server =
        web_app_listen(f->web, &f->app, (struct web_server_config){.name = NULL});
    int port = web_server_port(server);
    struct seen seen;
    (void)connect_url(f, &seen,
                      (struct ws_client_config){.url = url_of("ws://127.0.0.1:%d/nowhere", port)});
    wait_for(f, &seen.closed, 1);
    assert_int_equal(seen.code, 404);
    assert_string_equal(seen.why, "rejected");
    (void)connect_url(f, &seen,
                      (struct ws_client_config){.url = url_of("ws://127.0.0.1:%d/guarded", port)});
    wait_for(f, &seen.closed, 1);
    assert_int_equal(seen.code, 403);
    web_server_close(server);
    (void)connect_url(f, &seen,
                      (struct ws_client_config){.url = url_of("ws://127.0.0.1:%d/ws", port)});
    wait_for(f, &seen.closed, 1);
    assert_string_equal(seen.why, "refused");
    assert_int_equal(seen.open, 0);
}

static void test_gives_up_on_one_that_does_not_answer(void **state)
{
    struct fixture *f = *state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof addr;
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    struct seen seen;
    int64_t began = loop_now(f->loop).ms;
    (void)connect_url(
        f, &seen,
        (struct ws_client_config){.url = url_of("ws://127.0.0.1:%d/", ntohs(addr.sin_port)),
                                  .connect_timeout_ms = 200});
    wait_for(f, &seen.closed, 1);
    assert_string_equal(seen.why, "timeout");
    assert_in_range(loop_now(f->loop).ms - began, 190, 1000);
    close(fd);
}

static void test_closing_before_it_is_open(void **state)
{
    struct fixture *f = *state;
    int port =
        web_server_port(web_app_listen(f->web, &f->app, (struct web_server_config){.name = NULL}));
    struct seen seen;
    struct ws *ws = connect_url(
        f, &seen, (struct ws_client_config){.url = url_of("ws://127.0.0.1:%d/ws", port)});
    ws_close(ws, 1000, "changed my mind");
    wait_for(f, &seen.closed, 1);
    assert_string_equal(seen.why, "local");
    assert_int_equal(seen.open, 0);
}

static void test_refuses_malformed_urls(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {
        "http://x/",  "ws://",         "ws://:1/",     "ws://h:0/", "ws://h:65536/",
        "ws://h:x/",  "ws://[::1/",    "ws://[::1]x/", "ws://u@h/", "ws://h/a b",
        "ws://h?q=1", "ws://h/\r\nX:", "wss//h"};
    struct ws_handlers handlers = {.open = on_open, .message = on_message, .close = on_close};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct err err = {0};
        struct ws_client_config config = {.url = urls[i]};
        if (ws_connect(f->web, &config, &handlers, &err) || err.code != BERTH_EINVAL)
            fail_msg("%s was taken", urls[i]);
        assert_non_null(strstr(err.text, "url = "));
    }
}

static void test_servers_end_closes_its_sockets(void **state)
{
    struct fixture *f = *state;
    struct web_server *server =
        web_app_listen(f->web, &f->app, (struct web_server_config){.name = NULL});
    int port = web_server_port(server);
    struct seen seen;
    (void)connect_url(f, &seen,
                      (struct ws_client_config){.url = url_of("ws://127.0.0.1:%d/ws", port)});
    wait_for(f, &seen.open, 1);
    web_server_stop_accepting(server);
    struct seen late;
    (void)connect_url(f, &late,
                      (struct ws_client_config){.url = url_of("ws://127.0.0.1:%d/ws", port)});
    wait_for(f, &late.closed, 1);
    assert_string_equal(late.why, "refused");
    assert_int_equal(web_server_connections(server), 1);
    web_server_close(server);
    assert_int_equal(f->app.closed, 1); /* before it returns */
    assert_string_equal(f->app.last_why, "shutdown");
    wait_for(f, &seen.closed, 1);
    assert_int_equal(seen.code, 1001);
}

static void test_speaks_tls_and_verifies(void **state)
{
    struct fixture *f = *state;
    char dir[] = "/tmp/berth-tls-XXXXXX", cert[64], key[64];
    assert_non_null(mkdtemp(dir));
    test_cert_write(dir);
    (void)snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    (void)snprintf(key, sizeof key, "%s/key.pem", dir);
    int port = web_server_port(web_app_listen(
        f->web, &f->app, (struct web_server_config){.tls_cert = cert, .tls_key = key}));
    struct seen seen;
    (void)connect_url(f, &seen,
                      (struct ws_client_config){.url = url_of("wss://127.0.0.1:%d/ws", port)});
    wait_for(f, &seen.closed, 1);
    assert_string_equal(seen.why, "tls"); /* nobody signed it */
    struct ws *ws =
        connect_url(f, &seen,
                    (struct ws_client_config){.url = url_of("wss://localhost:%d/ws", port),
                                              .insecure = true,
                                              .message_max = 1 << 20});
    wait_for(f, &seen.open, 1);
    static char big[16000];
    memset(big, 'x', sizeof big);
    for (int i = 0; i < 10; i++)
        assert_int_equal(ws_send(ws, (struct span){big, sizeof big}), 0);
    wait_for(f, &seen.messages, 10);
    assert_int_equal(seen.bytes, 160000);
    ws_close(ws, 1000, "");
    wait_for(f, &seen.closed, 1);
    (void)connect_url(f, &seen,
                      (struct ws_client_config){.url = url_of("ws://127.0.0.1:%d/ws", port)});
    wait_for(f, &seen.closed, 1); /* plain text to a TLS port */
    assert_int_equal(seen.open, 0);
    (void)unlink(cert);
    (void)unlink(key);
    (void)rmdir(dir);
}

static void test_a_thousand_clients(void **state)
{
    struct fixture *f = *state;
    enum { N = 1000 };
    int port =
        web_server_port(web_app_listen(f->web, &f->app, (struct web_server_config){.name = NULL}));
    static struct seen seen[N];
    static struct ws *ws[N];
    const char *url = url_of("ws://127.0.0.1:%d/ws", port);
    for (int i = 0; i < N; i++)
        ws[i] = connect_url(f, &seen[i],
                            (struct ws_client_config){.url = url, .connect_timeout_ms = 10000});
    for (int i = 0; i < N; i++) {
        wait_for(f, &seen[i].open, 1);
        assert_int_equal(ws_send(ws[i], SPAN("hello")), 0);
    }
    for (int i = 0; i < N; i++)
        wait_for(f, &seen[i].messages, 1);
    assert_int_equal(f->app.open, N);
    web_destroy(f->web); /* with all of them open, on both sides */
    f->web = NULL;
    for (int i = 0; i < N; i++)
        assert_int_equal(seen[i].closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_talks_and_closes_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reaches_a_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_says_why_it_could_not_connect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gives_up_on_one_that_does_not_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closing_before_it_is_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_malformed_urls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_servers_end_closes_its_sockets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_speaks_tls_and_verifies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_thousand_clients, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_io_ws_interop.c - our WebSocket against libwebsockets' own, as its client and as its server:
 * an implementation that shares no line with ours. */
#include "tests/support/cmocka.h"
#include "tests/support/web_app.h"

#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BIG = 50000 };

/* ---- libwebsockets' client, our server ---- */

struct theirs {
    int sent, got, opened, closed, failed;
    size_t bytes;
    bool binary, sound;
};

static int put(struct lws *wsi, const char *data, size_t len, int flags)
{
    unsigned char *buf = malloc(LWS_PRE + len);
    assert_non_null(buf);
    memcpy(buf + LWS_PRE, data, len);
    int n = lws_write(wsi, buf + LWS_PRE, len, flags);
    free(buf);
    return n < (int)len ? -1 : 0;
}

/* A text in three fragments, then a large binary message, then a close. */
static int their_turn(struct lws *wsi, struct theirs *t)
{
    static char big[BIG];
    switch (t->sent++) {
    case 0:
        lws_callback_on_writable(wsi);
        return put(wsi, "one ", 4, LWS_WRITE_TEXT | LWS_WRITE_NO_FIN);
    case 1:
        lws_callback_on_writable(wsi);
        return put(wsi, "two ", 4, LWS_WRITE_CONTINUATION | LWS_WRITE_NO_FIN);
    case 2:
        return put(wsi, "three", 5, LWS_WRITE_CONTINUATION);
    case 3:
        memset(big, 'b', sizeof big);
        return put(wsi, big, sizeof big, LWS_WRITE_BINARY);
    default:
        lws_close_reason(wsi, 4010, (unsigned char *)"done", 4);
        return -1;
    }
}

static int their_client(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                        size_t len)
{
    (void)user;
    struct theirs *t = lws_get_opaque_user_data(wsi);
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        t->opened++;
        lws_callback_on_writable(wsi);
        break;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return their_turn(wsi, t);
    case LWS_CALLBACK_CLIENT_RECEIVE:
        t->binary = lws_frame_is_binary(wsi);
        if (!t->binary)
            t->sound = len == 13 && memcmp(in, "one two three", 13) == 0;
        t->bytes += len;
        if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0) {
            t->got++;
            lws_callback_on_writable(wsi);
        }
        break;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        t->failed++;
        break;
    case LWS_CALLBACK_CLIENT_CLOSED:
        t->closed++;
        break;
    default:
        break;
    }
    return 0;
}

static void test_their_client_plays_on_our_server(void **state)
{
    (void)state;
    struct web_app app = web_app_start((struct web_server_config){.message_max = BIG});
    static const struct lws_protocols protocols[] = {
        {.name = "t", .callback = their_client, .rx_buffer_size = BIG}, {.name = NULL}};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN, .protocols = protocols, .gid = -1, .uid = -1};
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = lws_create_context(&info);
    assert_non_null(context);
    struct theirs t = {.sent = 0};
    struct lws_client_connect_info to = {.context = context,
                                         .address = "127.0.0.1",
                                         .host = "127.0.0.1",
                                         .port = app.port,
                                         .path = "/ws",
                                         .opaque_user_data = &t,
                                         .local_protocol_name = "t"};
    assert_non_null(lws_client_connect_via_info(&to));
    for (int i = 0; i < 2000 && !t.closed && !t.failed; i++)
        (void)lws_service(context, 0);
    assert_int_equal(t.failed, 0);
    assert_int_equal(t.opened, 1);
    assert_true(t.sound);
    assert_int_equal(t.got, 2);
    assert_true(t.binary);
    assert_int_equal(t.bytes, 13 + BIG);
    assert_int_equal(t.closed, 1);
    lws_context_destroy(context);
    web_app_stop(&app);
}

/* ---- our client, libwebsockets' server ---- */

struct session {
    char data[LWS_PRE + BIG];
    size_t len;
    bool binary;
};

static int their_server(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                        size_t len)
{
    struct session *s = user;
    switch (reason) {
    case LWS_CALLBACK_RECEIVE:
        if (lws_is_first_fragment(wsi))
            s->len = 0;
        if (s->len + len > BIG)
            return -1;
        memcpy(s->data + LWS_PRE + s->len, in, len);
        s->len += len;
        s->binary = lws_frame_is_binary(wsi);
        if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0)
            lws_callback_on_writable(wsi);
        break;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        if (s->len == 4 && memcmp(s->data + LWS_PRE, "quit", 4) == 0) {
            lws_close_reason(wsi, 4020, (unsigned char *)"asked", 5);
            return -1;
        }
        if (s->len)
            (void)lws_write(wsi, (unsigned char *)s->data + LWS_PRE, s->len,
                            s->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
        break;
    default:
        break;
    }
    return 0;
}

static int serve(int out)
{
    static const struct lws_protocols protocols[] = {
        {.name = "t",
         .callback = their_server,
         .per_session_data_size = sizeof(struct session),
         .rx_buffer_size = BIG},
        {.name = NULL}};
    struct lws_context_creation_info info = {.port = 0,
                                             .iface = "127.0.0.1",
                                             .protocols = protocols,
                                             .gid = -1,
                                             .uid = -1,
                                             .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                                                        LWS_SERVER_OPTION_DISABLE_IPV6};
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *vhost = context ? lws_create_vhost(context, &info) : NULL;
    int port = vhost ? lws_get_vhost_listen_port(vhost) : -1;
    if (write(out, &port, sizeof port) != sizeof port)
        return 1;
    for (;;)
        (void)lws_service(context, 0);
}

struct ours {
    int open, messages, closed, code;
    size_t bytes;
    bool binary;
};

static void on_open(void *arg, struct ws *ws)
{
    struct ours *o = arg;
    o->open++;
    assert_int_equal(ws_send(ws, SPAN("hello")), 0);
}

static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    static char big[BIG];
    struct ours *o = arg;
    o->binary = binary;
    o->bytes += data.len;
    if (++o->messages == 1) {
        assert_true(span_is(data, "hello"));
        assert_int_equal(ws_send_binary(ws, (struct span){big, sizeof big}), 0);
    } else
        assert_int_equal(ws_send(ws, SPAN("quit")), 0);
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    (void)ws;
    struct ours *o = arg;
    o->closed++;
    o->code = code;
    assert_string_equal(why, "peer");
}

static void on_limit(void *arg)
{
    (void)arg;
    fail_msg("nothing happened for 10 s");
}

static void test_our_client_plays_on_their_server(void **state)
{
    (void)state;
    int ends[2], port = 0, status;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(serve(ends[1]));
    assert_int_equal(read(ends[0], &port, sizeof port), sizeof port);
    assert_true(port > 0);
    struct log log;
    log_init(&log, "test");
    struct loop *loop = loop_create(NULL);
    struct web *web = web_create(loop, &log, NULL);
    assert_non_null(web);
    char url[64];
    (void)snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    struct ours o = {.open = 0};
    struct ws_handlers handlers = {
        .open = on_open, .message = on_message, .close = on_close, .arg = &o};
    struct ws_client_config config = {.url = url, .message_max = BIG};
    assert_non_null(ws_connect(web, &config, &handlers, NULL));
    struct timer limit;
    timer_init(&limit, loop, on_limit, NULL);
    timer_start(&limit, 10000, 0);
    while (!o.closed)
        ev_run(loop_ev(loop), EVRUN_ONCE);
    timer_stop(&limit);
    assert_int_equal(o.open, 1);
    assert_int_equal(o.messages, 2);
    assert_true(o.binary);
    assert_int_equal(o.bytes, 5 + BIG);
    assert_int_equal(o.code, 4020);
    web_destroy(web);
    loop_destroy(loop);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_their_client_plays_on_our_server),
        cmocka_unit_test(test_our_client_plays_on_their_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

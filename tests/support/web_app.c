/* web_app.c - the application of web_app.h. */
#include "tests/support/web_app.h"

#include "tests/support/cmocka.h"
#include "tests/support/wire_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void hello(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)arg;
    (void)req;
    http_reply(ex, 200, "text/plain", "X-App: berth\r\n", SPAN("hello"));
}

struct later {
    struct timer timer;
    struct http_exchange *ex;
};

static void answer_later(void *arg)
{
    struct later *later = arg;
    http_reply(later->ex, 200, "text/plain", NULL, SPAN("late"));
    free(later);
}

static void abandon(void *arg)
{
    struct later *later = arg;
    timer_stop(&later->timer);
    free(later);
}

static void later(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)req;
    struct web_app_state *state = arg;
    struct later *l = calloc(1, sizeof *l);
    assert_non_null(l);
    l->ex = ex;
    http_on_gone(ex, abandon, l);
    timer_init(&l->timer, state->loop, answer_later, l);
    timer_start(&l->timer, 50, 0);
}

static void count_gone(void *arg)
{
    struct web_app_state *state = arg;
    state->gone++;
}

static void never(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)req;
    http_on_gone(ex, count_gone, arg);
}

static void stats(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)req;
    struct web_app_state *state = arg;
    char text[160];
    int n = snprintf(text, sizeof text,
                     "open=%d closed=%d gone=%d messages=%d frames=%d code=%d why=%s", state->open,
                     state->closed, state->gone, state->messages, state->frames, state->last_code,
                     state->last_why);
    http_reply(ex, 200, "text/plain", NULL, (struct span){text, (size_t)n});
}

static void release(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)req;
    struct web_app_state *state = arg;
    if (state->held)
        ws_hold(state->held, false);
    state->held = NULL;
    http_reply(ex, 204, NULL, NULL, SPAN(""));
}

static void stream(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)req;
    http_on_gone(ex, count_gone, arg);
    http_stream_begin(ex, 200, "text/event-stream", NULL);
    assert_int_equal(http_stream_write(ex, SPAN("data: 1\n\n")), 0);
    assert_int_equal(http_stream_write(ex, SPAN("data: 2\n\n")), 0);
    http_stream_end(ex);
}

static void echo(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)arg;
    http_reply(ex, 200, "application/octet-stream", NULL, req->body);
}

static void pools(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)arg;
    http_reply(ex, 200, "text/plain", NULL, req->path);
}

static void peer(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)arg;
    http_reply(ex, 200, "text/plain", NULL, span_of(req->peer));
}

static void secret(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)arg;
    if (http_bearer_is(req, "sesame"))
        http_reply(ex, 204, NULL, NULL, SPAN(""));
    else
        http_problem(ex, 401, "token-missing", "Unauthorized", "WWW-Authenticate: Bearer\r\n",
                     "a \"bearer\" token is needed");
}

static void big(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)arg;
    (void)req;
    static const size_t size = 8 << 20;
    char *body = calloc(1, size);
    assert_non_null(body);
    memset(body, 'b', size);
    http_reply(ex, 200, "text/plain", NULL, (struct span){body, size});
    free(body);
}

static const struct http_route routes[] = {
    {"GET", "/hello", hello},   {"GET", "/later", later},     {"GET", "/never", never},
    {"GET", "/stats", stats},   {"GET", "/stream", stream},   {"POST", "/echo", echo},
    {"PUT", "/echo", echo},     {"GET", "/v1/pools/", pools}, {"GET", "/peer", peer},
    {"GET", "/secret", secret}, {"GET", "/big", big},         {"GET", "/release", release},
    {NULL, NULL, NULL},
};

static void on_open(void *arg, struct ws *ws)
{
    struct web_app_state *state = arg;
    state->open++;
    const struct http_request *req = ws_request(ws);
    char *text = NULL;
    assert_true(asprintf(&text, "%.*s?%.*s", SPAN_ARG(req->path), SPAN_ARG(req->query)) > 0);
    ws_set_user(ws, text);
}

static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct web_app_state *state = arg;
    state->messages++;
    if (span_is(data, "close"))
        ws_close(ws, 4001, "bye");
    else if (span_is(data, "flood")) {
        static char much[65536];
        while (ws_send_binary(ws, (struct span){much, sizeof much}) == 0)
            ;
    } else if (span_is(data, "hold") || span_is(data, "hold close")) {
        (void)!ws_send(ws, data);
        ws_hold(ws, true);
        state->held = ws;
        if (!span_is(data, "hold"))
            ws_close(ws, 1000, "");
    } else if (span_is(data, "request"))
        (void)!ws_send(ws, span_of(ws_user(ws)));
    else if (span_is(data, "three")) {
        (void)!ws_send(ws, SPAN("one"));
        (void)!ws_send(ws, SPAN("two"));
        (void)!ws_send(ws, SPAN("three"));
        ws_close(ws, 1000, "");
        assert_int_equal(ws_send(ws, SPAN("four")), BERTH_ECLOSED);
    } else
        (void)!(binary ? ws_send_binary(ws, data) : ws_send(ws, data));
}

static void on_frame(void *arg, struct ws *ws)
{
    (void)ws;
    struct web_app_state *state = arg;
    state->frames++;
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct web_app_state *state = arg;
    state->closed++;
    if (state->held == ws)
        state->held = NULL;
    state->last_code = code;
    (void)snprintf(state->last_why, sizeof state->last_why, "%s", why);
    free(ws_user(ws));
}

static int guard(void *arg, const struct http_request *req)
{
    (void)arg;
    char key[8];
    return http_query(req, "key", key, sizeof key) == 1 && key[0] == '1' ? 0 : 403;
}

struct web_server *web_app_listen(struct web *web, struct web_app_state *state,
                                  struct web_server_config config)
{
    struct ws_handlers open = {
        .open = on_open, .message = on_message, .frame = on_frame, .close = on_close, .arg = state};
    struct ws_handlers guarded = open;
    guarded.upgrade = guard;
    const struct ws_route ws[] = {
        {"/ws", open}, {"/guarded", guarded}, {"/sockets/", open}, {.path = NULL}};
    config.name = "test";
    config.address = config.address ? config.address : "127.0.0.1";
    config.routes = routes;
    config.http_arg = state;
    config.ws = ws;
    struct err err = {0};
    struct web_server *server = web_listen(web, &config, &err);
    if (!server)
        fail_msg("%s", err.text);
    return server;
}

static void on_term(void *arg, int signum)
{
    (void)signum;
    loop_stop(arg);
}

static int serve(struct web_server_config config, int out)
{
    struct log log;
    log_init(&log, "web_app");
    struct web_app_state state = {.loop = loop_create(NULL)};
    struct web *web = web_create(state.loop, &log, NULL);
    if (!web || loop_on_signal(state.loop, SIGTERM, on_term, state.loop) < 0)
        return 1;
    int port = web_server_port(web_app_listen(web, &state, config));
    if (write(out, &port, sizeof port) != sizeof port)
        return 1;
    loop_run(state.loop);
    web_destroy(web);
    loop_destroy(state.loop);
    return state.open == state.closed ? 0 : 2;
}

struct web_server_config web_app_limits(void)
{
    static const char *const origins[] = {"https://play.example", NULL};
    return (struct web_server_config){.body_max = 1000,
                                      .message_max = 2000,
                                      .send_max = 300000,
                                      .connections_max = 1200,
                                      .ping_ms = 400,
                                      .idle_ms = 600,
                                      .cors_origins = origins};
}

struct web_app web_app_start(struct web_server_config config)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct web_app app = {.pid = fork()};
    assert_true(app.pid >= 0);
    if (app.pid == 0) {
        close(ends[0]);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails must not leave it behind */
        exit(serve(config, ends[1]));
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &app.port, sizeof app.port), sizeof app.port);
    close(ends[0]);
    return app;
}

void web_app_stop(struct web_app *app)
{
    int status = -1;
    assert_int_equal(kill(app->pid, SIGTERM), 0);
    assert_int_equal(waitpid(app->pid, &status, 0), app->pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the server ended with status 0x%x", (unsigned)status);
}

int web_app_stat(const struct web_app *app, const char *name)
{
    const char *answer = wire_ask(app->port, "GET /stats HTTP/1.1\r\nHost: t\r\n\r\n");
    const char *at = strstr(answer, name);
    assert_non_null(at);
    return atoi(at + strlen(name));
}

void web_app_wait(const struct web_app *app, const char *name, int value)
{
    for (int i = 0; i < 500 && web_app_stat(app, name) != value; i++)
        usleep(10000);
    assert_int_equal(web_app_stat(app, name), value);
}

/* fake_lb.c - a small HTTP server that places every match on one node. */
#include "tests/support/fake_lb.h"

#include "io/web.h"
#include "tests/support/cmocka.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct server {
    enum fake_lb_mood mood;
    const char *token;
    struct loop *loop;
};

static void on_gone(void *arg)
{
    (void)arg;
}

static void place(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    const struct server *s = arg;
    if (s->mood == FAKE_LB_HANGS) {
        http_on_gone(ex, on_gone, NULL);
        return;
    }
    if (s->mood == FAKE_LB_FULL) {
        http_problem(ex, 503, "no-capacity", "nothing left", "Retry-After: 1\r\n", "full");
        return;
    }
    if (s->token && !http_bearer_is(req, s->token)) {
        http_problem(ex, 401, "unauthorized", "no token", NULL, "bearer");
        return;
    }
    json_t *body = json_loadb(req->body.ptr, req->body.len, 0, NULL);
    const char *room = json_string_value(json_object_get(body, "room"));
    json_t *tickets = json_object(), *player;
    size_t i;
    json_array_foreach(json_object_get(body, "players"), i, player)
    {
        (void)json_object_set_new(tickets, json_string_value(player),
                                  json_sprintf("t-%s", json_string_value(player)));
    }
    json_t *answer = json_pack("{s:s, s:s, s:s, s:s, s:o, s:i}", "pool", "game", "room",
                               room ? room : "", "node", "gn-test", "endpoint",
                               "ws://127.0.0.1:1/ws", "tickets", tickets, "expires_in", 30);
    char *text = json_dumps(answer, JSON_COMPACT);
    http_reply(ex, room ? 200 : 400, "application/json", NULL, span_of(text));
    free(text);
    json_decref(answer);
    json_decref(body);
}

static const struct http_route routes[] = {{"POST", "/v1/pools/game/rooms", place},
                                           {NULL, NULL, NULL}};

static void on_term(void *arg, int signum)
{
    (void)signum;
    loop_stop(arg);
}

static int serve(struct server *s, int out)
{
    struct log log;
    struct err err = {0};
    log_init(&log, "fake_lb");
    s->loop = loop_create(&err);
    struct web *web = s->loop ? web_create(s->loop, &log, &err) : NULL;
    if (!web || loop_on_signal(s->loop, SIGTERM, on_term, s->loop) < 0)
        return 1;
    struct web_server_config config = {
        .name = "fake", .address = "127.0.0.1", .routes = routes, .http_arg = s};
    struct web_server *server = web_listen(web, &config, &err);
    int port = server ? web_server_port(server) : 0;
    if (write(out, &port, sizeof port) != sizeof port || !server)
        return 1;
    loop_run(s->loop);
    web_destroy(web);
    loop_destroy(s->loop);
    return 0;
}

struct fake_lb fake_lb_start(enum fake_lb_mood mood, const char *token)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct fake_lb lb = {.pid = fork()};
    assert_true(lb.pid >= 0);
    if (lb.pid == 0) {
        struct server server = {.mood = mood, .token = token};
        close(ends[0]);
        _exit(serve(&server, ends[1]));
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &lb.port, sizeof lb.port), sizeof lb.port);
    close(ends[0]);
    assert_true(lb.port > 0);
    (void)snprintf(lb.url, sizeof lb.url, "http://127.0.0.1:%d", lb.port);
    return lb;
}

void fake_lb_stop(struct fake_lb *lb)
{
    int status = -1;
    (void)kill(lb->pid, SIGTERM);
    assert_int_equal(waitpid(lb->pid, &status, 0), lb->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

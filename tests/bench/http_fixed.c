/* http_fixed.c - a web server with one route and a fixed body: what io/web.h itself costs.
 *
 *   http_fixed PORT BODY-BYTES */
#include "io/web.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct fixed {
    struct loop *loop;
    struct span body;
};

static void answer(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)req;
    const struct fixed *fixed = arg;
    http_reply(ex, 200, "application/json", "Cache-Control: no-store\r\n", fixed->body);
}

static void on_signal(void *arg, int signum)
{
    (void)signum;
    struct fixed *fixed = arg;
    loop_stop(fixed->loop);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: http_fixed PORT BODY-BYTES\n");
        return 2;
    }
    size_t len = strtoul(argv[2], NULL, 10);
    char *body = malloc(len + 1);
    if (!body)
        return 2;
    memset(body, 'x', len);
    struct fixed fixed = {.loop = loop_create(NULL), .body = {body, len}};
    struct log log;
    log_init(&log, "http_fixed");
    struct err err = {0};
    struct web *web = web_create(fixed.loop, &log, &err);
    const struct http_route routes[] = {{"GET", "/v1/pools/", answer}, {NULL, NULL, NULL}};
    struct web_server_config config = {.name = "fixed",
                                       .address = "127.0.0.1",
                                       .port = atoi(argv[1]),
                                       .routes = routes,
                                       .http_arg = &fixed,
                                       .idle_ms = 600000};
    if (!web || !web_listen(web, &config, &err) ||
        loop_on_signal(fixed.loop, SIGTERM, on_signal, &fixed) < 0) {
        (void)fprintf(stderr, "http_fixed: %s\n", err.text);
        free(body);
        return 1;
    }
    loop_run(fixed.loop);
    web_destroy(web);
    loop_destroy(fixed.loop);
    free(body);
    return 0;
}

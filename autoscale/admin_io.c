/* admin_io.c - the autoscaler's admin listener: /healthz, /readyz, /metrics. */
#include "autoscale/admin_io.h"

#include "autoscale/metrics.h"

#include <stdlib.h>
#include <string.h>

static void reply_text(struct http_exchange *ex, int status, const char *text)
{
    http_reply(ex, status, "text/plain; charset=utf-8", "Cache-Control: no-store\r\n",
               span_of(text));
}

static void on_healthz(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    reply_text(ex, 200, "ok\n");
}

static void on_readyz(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    const struct admin_io *admin = arg;
    for (size_t i = 0; i < admin->count; i++) {
        if (!pool_io_is_live(admin->pools[i])) {
            http_problem(ex, 503, "not-ready", "Not ready", NULL,
                         "the view of pool %s is not complete: is Redis there?",
                         pool_io_name(admin->pools[i]));
            return;
        }
    }
    reply_text(ex, 200, "ok\n");
}

static void on_metrics(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    const struct admin_io *admin = arg;
    struct metrics_pool *pools = calloc(admin->count + 1, sizeof *pools);
    size_t size = metrics_size(admin->count) + ALERTS_METRICS_MAX;
    char *text = malloc(size);
    if (!pools || !text) {
        http_problem(ex, 500, "no-memory", "No memory", NULL, "the metrics need %zu bytes", size);
        free(pools);
        free(text);
        return;
    }
    for (size_t i = 0; i < admin->count; i++) {
        pools[i].name = pool_io_name(admin->pools[i]);
        pool_io_status(admin->pools[i], &pools[i].status);
    }
    struct metrics_process process = {.redis_up = admin->redis_up(admin->redis_arg)};
    memcpy(process.notices, admin->notices, sizeof process.notices);
    struct span metrics =
        metrics_write(pools, admin->count, &process, text, size - ALERTS_METRICS_MAX);
    if (admin->alerts)
        metrics.len += alerts_io_metrics(admin->alerts, "berth_autoscale", text + metrics.len,
                                         size - metrics.len);
    http_reply(ex, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, metrics);
    free(pools);
    free(text);
}

static const struct http_route routes[] = {
    {"GET", "/healthz", on_healthz},
    {"GET", "/readyz", on_readyz},
    {"GET", "/metrics", on_metrics},
    {NULL, NULL, NULL},
};

int admin_io_open(struct admin_io *admin, struct web *web, const struct host_port *listen,
                  struct err *err)
{
    struct web_server_config config = {.name = "admin",
                                       .address = listen->host,
                                       .port = listen->port,
                                       .routes = routes,
                                       .http_arg = admin};
    admin->server = web_listen(web, &config, err);
    return admin->server ? 0 : BERTH_ESYS;
}

void admin_io_close(struct admin_io *admin)
{
    web_server_close(admin->server);
    admin->server = NULL;
}

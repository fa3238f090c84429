/* metrics_io.c - GET /healthz and /metrics of a node. */
#include "nodekit/shell_io.h"

#include <stdarg.h>
#include <stdio.h>

#define METRICS_SIZE 16384

struct text {
    char buf[METRICS_SIZE];
    size_t len;
};

/* Cut at the end of the buffer, by whole lines. */
BERTH_PRINTF(2, 3) static void put(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->buf + t->len, sizeof t->buf - t->len, fmt, ap);
    va_end(ap);
    if (n > 0 && (size_t)n < sizeof t->buf - t->len)
        t->len += (size_t)n;
}

static void head(struct text *t, const char *name, const char *type, const char *help)
{
    put(t, "# HELP berth_node_%s %s\n# TYPE berth_node_%s %s\n", name, help, name, type);
}

static void one(struct text *t, const struct node_shell *shell, const char *name, const char *type,
                const char *help, int64_t value)
{
    head(t, name, type, help);
    put(t, "berth_node_%s{pool=\"%s\",node=\"%s\"} %lld\n", name, shell->node->pool, shell->name,
        (long long)value);
}

static void put_counters(struct text *t, const struct node_shell *shell)
{
    const struct front *front = shell->front;
    one(t, shell, "admitted_total", "counter", "Players admitted.", (int64_t)front->admitted_total);
    one(t, shell, "resumed_total", "counter", "Players who came back to their place.",
        (int64_t)front->resumed_total);
    one(t, shell, "probes_total", "counter", "Health probes answered.",
        (int64_t)front->probes_total);
    one(t, shell, "slow_readers_total", "counter", "Sockets dropped because they read too slowly.",
        (int64_t)front->slow_total);
    one(t, shell, "behind_total", "counter", "Times that a socket fell behind and was told.",
        (int64_t)front->behind_total);
    one(t, shell, "throttled_total", "counter",
        "Times that a socket sent more than message_rate and was made to wait.",
        (int64_t)front->throttled_total);
    one(t, shell, "joins_total", "counter", "Registrations with the store.",
        (int64_t)shell->joins_total);
    one(t, shell, "reports_total", "counter", "Reports that the store took.",
        (int64_t)shell->reports_total);
    one(t, shell, "report_failures_total", "counter", "Reports without an answer.",
        (int64_t)shell->report_failures_total);
    head(t, "refused_total", "counter", "Sockets not admitted, by reason.");
    for (int i = REFUSE_NOT + 1; i < REFUSES; i++)
        put(t, "berth_node_refused_total{pool=\"%s\",node=\"%s\",reason=\"%s\"} %llu\n",
            shell->node->pool, shell->name, refuse_word((enum refuse)i),
            (unsigned long long)front->refused_total[i]);
}

static void get_metrics(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct node_shell *shell = arg;
    struct node_load load = shell->app->load(shell);
    struct text t = {.len = 0};
    one(&t, shell, "connections", "gauge", "Admitted live player sockets.", load.conns);
    one(&t, shell, "handshaking", "gauge", "Sockets not yet admitted.", load.handshaking);
    one(&t, shell, "throttled", "gauge", "Sockets of which nothing is read for the moment.",
        shell->front->held.count);
    one(&t, shell, "rooms", "gauge", "Live rooms; in a lobby, matches being finished.", load.rooms);
    one(&t, shell, "capacity", "gauge", "Players it takes.", load.capacity);
    one(&t, shell, "door_closed", "gauge", "1 while every ticket is refused.",
        shell->reporter.closed);
    head(&t, "state", "gauge", "1 for the state the node is in.");
    put(&t, "berth_node_state{pool=\"%s\",node=\"%s\",state=\"%s\"} 1\n", shell->node->pool,
        shell->name, reporter_state_word(&shell->reporter));
    put_counters(&t, shell);
    if (shell->app->metrics)
        t.len += shell->app->metrics(shell, t.buf + t.len, sizeof t.buf - t.len);
    http_reply(ex, 200, "text/plain; version=0.0.4", NULL, (struct span){t.buf, t.len});
}

/* 200 as long as the process works; whether it is in rotation is said, not judged. */
static void get_health(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct node_shell *shell = arg;
    struct node_load load = shell->app->load(shell);
    char text[512];
    struct message_out out;
    message_begin(&out, text, sizeof text);
    message_put_text(&out, "status", SPAN("ok"));
    message_put_text(&out, "node", span_of(shell->name));
    message_put_text(&out, "pool", span_of(shell->node->pool));
    message_put_text(&out, "state", span_of(reporter_state_word(&shell->reporter)));
    message_put_int(&out, "epoch", shell->reporter.epoch);
    message_put_int(&out, "connections", load.conns);
    message_put_int(&out, "capacity", load.capacity);
    http_reply(ex, 200, "application/json", NULL, message_end(&out));
}

const struct http_route node_routes[] = {
    {"GET", "/healthz", get_health},
    {"GET", "/metrics", get_metrics},
    {NULL, NULL, NULL},
};

const struct http_route node_player_routes[] = {
    {"GET", "/healthz", get_health},           {"GET", "/metrics", get_metrics},
    {"GET", "/socket.io/", node_sio_http},     {"POST", "/socket.io/", node_sio_http},
    {"PUT", "/socket.io/", node_sio_http},     {"DELETE", "/socket.io/", node_sio_http},
    {"OPTIONS", "/socket.io/", node_sio_http}, {NULL, NULL, NULL},
};

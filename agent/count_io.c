/* count_io.c - asking for the server's count: the kernel, a URL, a command. */
#include "agent/agent_io.h"
#include "agent/count_text.h"

#include <stdio.h>

enum { PORTS_KEPT_MS = 5000 };

static void failed(struct agentd *d, const char *why)
{
    log_warn(&d->shell.log, "count_failed", "why=%s", why);
    agentd_event(d, (struct agent_event){.kind = AGENT_COUNT_FAILED, .why = "count_failed"});
}

static void counted(struct agentd *d, int rc, int64_t conns, const struct err *err)
{
    if (rc < 0)
        failed(d, err->text);
    else
        agentd_event(d, (struct agent_event){.kind = AGENT_COUNTED, .conns = conns});
}

/* ---- the kernel ---- */

static void count_ports(struct agentd *d, const int *ports, size_t n)
{
    struct err err = {0};
    int64_t conns = tcp_count(ports, n, &d->settings->count.exclude, &err);
    counted(d, conns < 0 ? (int)conns : 0, conns, &err);
}

/* The ports are looked up anew now and then: a server may open another. */
static void count_process(struct agentd *d)
{
    struct err err = {0};
    mono_ms_t now = loop_now(d->shell.loop);
    int pid = server_pid(d, &err);
    if (pid == 0) {
        failed(d, err.text);
        return;
    }
    if (d->count.port_count == 0 || mono_sub(now, d->count.ports_at) >= PORTS_KEPT_MS) {
        int n = tcp_ports_of(pid, d->count.ports, AGENT_PORTS_MAX, &err);
        if (n == 0)
            (void)err_set(&err, BERTH_ENOENT, "process %d listens on no port", pid);
        if (n <= 0) {
            d->count.port_count = 0;
            failed(d, err.text);
            return;
        }
        d->count.port_count = (size_t)n;
        d->count.ports_at = now;
    }
    count_ports(d, d->count.ports, d->count.port_count);
}

/* ---- a URL ---- */

static void on_answer(void *arg, int code, const struct fetch_response *response,
                      const struct err *err)
{
    struct agentd *d = arg;
    struct err wrong = {0};
    int64_t conns = 0;
    d->count.fetch = NULL;
    if (code < 0) {
        failed(d, err->text);
        return;
    }
    int rc;
    if (response->status != 200)
        rc = err_set(&wrong, BERTH_EPROTO, "HTTP %d", response->status);
    else if (d->settings->count.kind == COUNT_PROMETHEUS)
        rc = count_text_metric(response->body, d->settings->count.value, &conns, &wrong);
    else
        rc = count_text_json(response->body,
                             d->settings->count.value ? d->settings->count.value : "", &conns,
                             &wrong);
    counted(d, rc, conns, &wrong);
}

static void count_url(struct agentd *d)
{
    /* a connection kept open might be taken for a player */
    static const char *const headers[] = {"Connection: close", NULL};
    const struct fetch_request request = {.method = "GET",
                                          .url = d->settings->count.url,
                                          .headers = headers,
                                          .timeout_ms = d->settings->count.timeout_ms};
    struct err err = {0};
    d->count.fetch = fetch_start(d->fetcher, &request, on_answer, d, &err);
    if (!d->count.fetch)
        failed(d, err.text);
}

/* ---- a command ---- */

static void on_command(void *arg, const struct command_result *result)
{
    struct agentd *d = arg;
    struct err wrong = {0};
    int64_t conns = 0;
    d->count.command = NULL;
    if (result->code < 0) {
        failed(d, result->why);
        return;
    }
    int rc = count_text_number(result->output, &conns, &wrong);
    counted(d, rc, conns, &wrong);
}

static void count_command(struct agentd *d)
{
    const char *argv[40];
    size_t n = 0;
    for (; n < d->settings->count.command.count && n < 32; n++)
        argv[n] = d->settings->count.command.items[n];
    argv[n] = NULL;
    const struct command_spec spec = {.argv = argv,
                                      .timeout_ms = d->settings->count.timeout_ms,
                                      .output_max = 4096,
                                      .name = "count"};
    struct err err = {0};
    d->count.command = command_start(d->shell.loop, &d->shell.log, &spec, on_command, d, &err);
    if (!d->count.command)
        failed(d, err.text);
}

void count_start(struct agentd *d)
{
    switch ((enum agent_count_kind)d->settings->count.kind) {
    case COUNT_TCP:
        count_ports(d, &d->server_port, 1);
        break;
    case COUNT_PROCESS:
        count_process(d);
        break;
    case COUNT_JSON:
    case COUNT_PROMETHEUS:
        count_url(d);
        break;
    case COUNT_COMMAND:
        count_command(d);
        break;
    case COUNT_TOLD:
        break; /* the core does not ask */
    }
}

void count_stop(struct agentd *d)
{
    if (d->count.fetch)
        fetch_cancel(d->count.fetch);
    command_cancel(d->count.command);
    d->count.fetch = NULL;
    d->count.command = NULL;
}

/* probe_exec_io.c - kind exec: a command of the studio's own, for servers that speak UDP or a
 * protocol of theirs. /bin/sh runs it with the node in the environment; exit code 0 is a success,
 * and more time than the probe has ends it.
 *
 * At most PROBE_EXEC_MAX run at a time; the others wait for their turn, and one whose time is over
 * by then says nothing: the core asks again. */
#include "lb/probe_io.h"

#include <inttypes.h>
#include <stdio.h>

static bool start_exec(struct probe *p, const struct probe_settings *s, struct err *err);

void probe_exec_next(struct probes *probes)
{
    struct probe *oldest = NULL;
    for (struct probe *p = probes->first; p != NULL; p = p->next)
        if (p->waiting)
            oldest = p; /* new ones are put in front */
    if (oldest == NULL || probes->commands >= PROBE_EXEC_MAX)
        return;
    struct err err = {0};
    const struct probe_settings *s = probe_settings(oldest);
    oldest->waiting = false;
    timer_start(&oldest->timer, s->timeout_ms, 0);
    if (!start_exec(oldest, s, &err))
        probe_end(oldest, false, "not_started");
}

static void on_done(void *arg, const struct command_result *result)
{
    struct probe *p = arg;
    p->command = NULL;
    struct probes *probes = p->owner;
    probes->commands--;
    probe_end(p, result->code == 0,
              result->code == 0                ? "ok"
              : result->code == BERTH_ETIMEOUT ? "timeout"
                                               : "exit_code");
    probe_exec_next(probes);
}

static bool start_exec(struct probe *p, const struct probe_settings *s, struct err *err)
{
    char node[96], pool[96], epoch[48], url[NODE_URL_MAX + 24], endpoint[NODE_URL_MAX + 24];
    char ticket[TICKET_TEXT_MAX + 24];
    if (p->owner->commands >= PROBE_EXEC_MAX) {
        p->waiting = true;
        return true;
    }
    (void)snprintf(node, sizeof node, "BERTH_NODE=%s", p->node);
    (void)snprintf(pool, sizeof pool, "BERTH_POOL=%s",
                   p->owner->app->pools[p->pool].settings->name);
    (void)snprintf(epoch, sizeof epoch, "BERTH_EPOCH=%" PRId64, p->epoch);
    (void)snprintf(url, sizeof url, "BERTH_PROBE_URL=%s", p->url);
    (void)snprintf(endpoint, sizeof endpoint, "BERTH_ENDPOINT=%s", p->endpoint);
    (void)snprintf(ticket, sizeof ticket, "BERTH_TICKET=%s", p->ticket);
    const char *const env[] = {node, pool, epoch, url, endpoint, ticket, NULL};
    const char *const argv[] = {"/bin/sh", "-c", s->command, NULL};
    const struct command_spec spec = {
        .argv = argv, .env = env, .timeout_ms = s->timeout_ms, .name = "probe"};
    struct app *app = p->owner->app;
    p->command = command_start(app->loop, &app->log, &spec, on_done, p, err);
    p->owner->commands += p->command != NULL;
    return p->command != NULL;
}

const struct probe_way probe_exec = {.start = start_exec};

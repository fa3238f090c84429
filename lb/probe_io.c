/* probe_io.c - proving that a node works: begin and end of every probe, sockets that are held, and
 * the kind http.
 *
 * A probe shows a ticket of the player `berth-probe` where its kind can carry one, so that servers
 * which are strict about tickets let it in, and know it for what it is. */
#include "lb/probe_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROBE_SAY_MS = 2000, PROBE_TICKET_S = 30 };

static const char probe_player[] = "berth-probe";

static const struct probe_way *const ways[] = {
    [PROBE_WS] = &probe_ws,     [PROBE_SOCKETIO] = &probe_socketio, [PROBE_TCP] = &probe_tcp,
    [PROBE_HTTP] = &probe_http, [PROBE_EXEC] = &probe_exec,         [PROBE_NONE] = NULL,
};

/* ---- the end of one ---- */

static void drop(struct probe *p)
{
    *p->link = p->next;
    if (p->next != NULL)
        p->next->link = p->link;
    p->owner->held -= p->held;
    timer_stop(&p->timer);
    if (p->ws != NULL) {
        ws_set_user(p->ws, NULL);
        ws_close(p->ws, 1000, "probed");
    }
    if (p->fetch != NULL)
        fetch_cancel(p->fetch);
    if (p->resolve != NULL)
        resolve_cancel(p->resolve);
    if (p->fd >= 0) {
        ev_io_stop(loop_ev(p->owner->app->loop), &p->io);
        (void)close(p->fd);
    }
    if (p->command != NULL) {
        p->owner->commands--;
        command_cancel(p->command);
    }
    free(p);
}

/* A socket of this node that is held from before: the newer one is as good. */
static void drop_older(struct probe *newer)
{
    for (struct probe *p = newer->owner->first, *next; p != NULL; p = next) {
        next = p->next;
        if (p != newer && p->held && p->pool == newer->pool && strcmp(p->node, newer->node) == 0)
            drop(p);
    }
}

static void keep(struct probe *p)
{
    drop_older(p);
    p->held = true;
    p->owner->held++;
    timer_start(&p->timer, PROBE_SAY_MS, PROBE_SAY_MS);
}

void probe_end(struct probe *p, bool ok, const char *why)
{
    struct app *app = p->owner->app;
    char node[KEYS_NAME_MAX + 1];
    (void)snprintf(node, sizeof node, "%s", p->node);
    struct lb_event ev = {.kind = p->held ? LB_PROBE_CUT : LB_PROBE_REPLY,
                          .pool = p->pool,
                          .node = span_of(node),
                          .node_epoch = p->epoch,
                          .ok = ok,
                          .why = why};
    if (ok && !p->held && p->hold && p->owner->held < (size_t)app->settings->lb.probe_hold_max)
        keep(p);
    else
        drop(p);
    app_event(app, ev);
}

static void on_timer(void *arg)
{
    struct probe *p = arg;
    struct probes *probes = p->owner;
    struct app *app = probes->app;
    if (p->waiting) {
        drop(p);
        return;
    }
    if (!p->held) {
        probe_end(p, false, "timeout");
        probe_exec_next(probes);
        return;
    }
    if (!lb_probe_holds(app->lb, p->pool, span_of(p->node), p->epoch, loop_now(app->loop)))
        drop(p);
    else if (ways[probe_settings(p)->kind]->say != NULL)
        ways[probe_settings(p)->kind]->say(p);
}

/* ---- http ---- */

static void on_response(void *arg, int code, const struct fetch_response *response,
                        const struct err *err)
{
    struct probe *p = arg;
    p->fetch = NULL;
    if (code < 0)
        probe_end(p, false, err_word(code));
    else
        probe_end(p, response->status / 100 == 2, response->status / 100 == 2 ? "ok" : "status");
}

void probe_url(const char *url, const char *plain, const char *tls, const char *path, char *buf,
               size_t size)
{
    const char *rest = strstr(url, "://");
    bool secure = strncmp(url, "wss:", 4) == 0 || strncmp(url, "https:", 6) == 0;
    rest = rest == NULL ? url : rest + 3;
    (void)snprintf(buf, size, "%s://%.*s%s", secure ? tls : plain, (int)strcspn(rest, "/?"), rest,
                   path);
}

static bool start_http(struct probe *p, const struct probe_settings *s, struct err *err)
{
    char url[PROBE_URL_MAX], bearer[TICKET_TEXT_MAX + 32];
    probe_url(p->url, "http", "https", s->path, url, sizeof url);
    (void)snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", p->ticket);
    const char *const headers[] = {p->ticket[0] ? bearer : NULL, NULL};
    const struct fetch_request request = {.method = "GET",
                                          .url = url,
                                          .headers = headers,
                                          .timeout_ms = s->timeout_ms,
                                          .response_max = PROBE_MESSAGE_MAX,
                                          .response_cut = true};
    p->fetch = fetch_start(p->owner->app->fetcher, &request, on_response, p, err);
    return p->fetch != NULL;
}

const struct probe_way probe_http = {.start = start_http};

/* ---- all ---- */

struct probes *probes_create(struct app *app, struct err *err)
{
    struct probes *probes = calloc(1, sizeof *probes);
    if (probes == NULL) {
        (void)err_set(err, BERTH_ENOMEM, "no memory for probes");
        return NULL;
    }
    probes->app = app;
    probes->resolver = resolver_create(app->loop, err);
    if (probes->resolver != NULL)
        return probes;
    free(probes);
    return NULL;
}

void probes_destroy(struct probes *probes)
{
    if (probes == NULL)
        return;
    while (probes->first != NULL)
        drop(probes->first); /* takes itself off the list */
    resolver_destroy(probes->resolver);
    free(probes);
}

size_t probes_held(const struct probes *probes)
{
    return probes->held;
}

static void make_ticket(struct probe *p)
{
    struct app *app = p->owner->app;
    char jti[TICKET_JTI_SIZE];
    struct lb_pool_view view;
    lb_pool_view(app->lb, p->pool, loop_now(app->loop), &view);
    ticket_jti(jti, ~app->jti_start, ++p->owner->serial);
    int64_t now_s = lb_store_now(app->lb, p->pool, loop_now(app->loop)).ms / 1000;
    const struct ticket_grant grant = {.issuer = span_of(app->me->name),
                                       .node = span_of(p->node),
                                       .pool = span_of(view.name),
                                       .player = span_of(probe_player),
                                       .jti = span_of(jti),
                                       .issuer_epoch = view.epoch,
                                       .node_epoch = p->epoch,
                                       .issued_s = now_s,
                                       .expires_s = now_s + PROBE_TICKET_S};
    if (app->keys == NULL || ticket_sign(app->keys, &grant, p->ticket, sizeof p->ticket) < 0)
        p->ticket[0] = '\0';
}

void probes_start(struct probes *probes, const struct lb_effect *fx)
{
    struct app *app = probes->app;
    const struct probe_settings *s = &app->pools[fx->pool].settings->probe;
    struct probe *p = calloc(1, sizeof *p);
    if (p == NULL)
        return; /* the core asks again */
    *p = (struct probe){.owner = probes,
                        .next = probes->first,
                        .pool = fx->pool,
                        .epoch = fx->move.epoch,
                        .hold = fx->hold,
                        .fd = -1};
    (void)snprintf(p->node, sizeof p->node, "%s", fx->move.node);
    (void)snprintf(p->endpoint, sizeof p->endpoint, "%s", fx->info->endpoint);
    (void)snprintf(p->url, sizeof p->url, "%s",
                   fx->info->probe_url[0] ? fx->info->probe_url : fx->info->endpoint);
    p->link = &probes->first;
    if (p->next != NULL)
        p->next->link = &p->next;
    probes->first = p;
    timer_init(&p->timer, app->loop, on_timer, p);
    timer_start(&p->timer, s->timeout_ms, 0);
    make_ticket(p);
    struct err err = {0};
    if (!ways[s->kind]->start(p, s, &err)) {
        log_warn(&app->log, "probe", "node=%s url=%s why=%s", p->node, p->url, err.text);
        probe_end(p, false, "bad_url");
    }
}

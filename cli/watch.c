/* watch.c - polling GET /v1/pools on the LBs' admin listeners. */
#include "cli/watch.h"

#include <stdio.h>
#include <stdlib.h>

struct watch {
    struct loop *loop;
    struct fetcher *fetcher;
    const struct settings *settings;
    watch_fn *fn;
    void *arg;
    struct timer timer;
    struct fetch *fetch;
    size_t peer;  /* whom to ask */
    size_t tried; /* in this round */
};

static void ask(struct watch *w);

static void next_peer(struct watch *w, const struct err *err)
{
    w->peer = (w->peer + 1) % w->settings->lb.peers.count;
    if (++w->tried < w->settings->lb.peers.count)
        ask(w);
    else
        w->fn(w->arg, NULL, err);
}

static void on_answer(void *arg, int code, const struct fetch_response *response,
                      const struct err *err)
{
    struct watch *w = arg;
    struct fleet fleet;
    struct err problem = {0};
    w->fetch = NULL;
    if (code == 0 && response->status != 200)
        code = err_set(&problem, BERTH_EPROTO, "the LB answers with status %d", response->status);
    else if (code == 0)
        code = fleet_parse(&fleet, response->body, &problem);
    else
        problem = *err;
    if (code < 0)
        next_peer(w, &problem);
    else
        w->fn(w->arg, &fleet, NULL);
}

static void ask(struct watch *w)
{
    const struct lb_peer_settings *peer =
        SECTION_AT(w->settings->lb.peers, struct lb_peer_settings, w->peer);
    char url[512];
    bool v6 = strchr(peer->admin_listen.host, ':') != NULL;
    (void)snprintf(url, sizeof url, "http://%s%s%s:%d/v1/pools", v6 ? "[" : "",
                   peer->admin_listen.host, v6 ? "]" : "", peer->admin_listen.port);
    const struct fetch_request request = {.method = "GET", .url = url, .timeout_ms = 1000};
    struct err err = {0};
    w->fetch = fetch_start(w->fetcher, &request, on_answer, w, &err);
    if (!w->fetch)
        w->fn(w->arg, NULL, &err);
}

static void on_timer(void *arg)
{
    struct watch *w = arg;
    if (w->fetch)
        return;
    w->tried = 0;
    ask(w);
}

struct watch *watch_open(struct loop *loop, struct fetcher *fetcher,
                         const struct settings *settings, int64_t interval_ms, watch_fn *fn,
                         void *arg)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (struct watch){
        .loop = loop, .fetcher = fetcher, .settings = settings, .fn = fn, .arg = arg};
    timer_init(&w->timer, loop, on_timer, w);
    timer_start(&w->timer, 0, interval_ms);
    return w;
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    timer_stop(&watch->timer);
    if (watch->fetch)
        fetch_cancel(watch->fetch);
    free(watch);
}

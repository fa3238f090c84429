/* sim_fetch.c - io/fetch.h over the simulated network. */
#include "io/fetch.h"
#include "tests/sim/sim_web.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

struct fetcher {
    struct proc *proc;
    struct loop *loop;
    struct fetch *first;
};

struct fetch {
    struct fetcher *fetcher;
    struct fetch *prev, *next;
    struct conn_end end;
    struct msg *request;
    struct timer timer;
    fetch_done_fn *fn;
    void *arg;
    mono_ms_t began;
};

struct fetcher *fetcher_create(struct loop *loop, struct log *log, struct err *err)
{
    struct fetcher *f = calloc(1, sizeof *f);
    assert(f != NULL);
    f->proc = sim->current;
    f->loop = loop;
    return f;
}

static void fetch_free(struct fetch *f)
{
    if (f->prev != NULL)
        f->prev->next = f->next;
    else
        f->fetcher->first = f->next;
    if (f->next != NULL)
        f->next->prev = f->prev;
    timer_stop(&f->timer);
    conn_close(&f->end);
    free(f->request);
    free(f);
}

static void fetch_end(struct fetch *f, int code, const struct fetch_response *response,
                      const char *why)
{
    fetch_done_fn *fn = f->fn;
    void *arg = f->arg;
    struct err err = {0};
    if (code < 0)
        (void)err_set(&err, code, "%s", why);
    fetch_free(f);
    fn(arg, code, response, &err);
}

void fetcher_destroy(struct fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    while (fetcher->first != NULL)
        fetch_end(fetcher->first, BERTH_ECLOSED, NULL, "closed");
    free(fetcher);
}

void fetch_cancel(struct fetch *fetch)
{
    fetch_free(fetch);
}

static void on_fetch_open(void *user)
{
    struct fetch *f = user;
    struct msg *m = f->request;
    f->request = NULL;
    conn_send(&f->end, m);
}

static void on_fetch_data(void *user, struct msg *m)
{
    struct fetch *f = user;
    const struct fetch_response response = {
        .status = m->number & 0xfff,
        .body = {m->text, m->len},
        .retry_after_ms = m->number >> 12 > 0 ? ((m->number >> 12) - 1) * 1000 : -1};
    fetch_end(f, 0, &response, "");
}

static void on_fetch_closed(void *user, const char *why)
{
    fetch_end(user, BERTH_ESYS, NULL, why);
}

static void on_fetch_timeout(void *arg)
{
    fetch_end(arg, BERTH_ETIMEOUT, NULL, "no answer in time");
}

static const struct conn_ops fetch_ops = {
    .open = on_fetch_open, .data = on_fetch_data, .closed = on_fetch_closed};

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                          fetch_done_fn *fn, void *arg, struct err *err)
{
    static const char scheme[] = "http://";
    const char *authorization = "";
    char host[128];
    if (strncmp(request->url, scheme, sizeof scheme - 1) != 0) {
        (void)err_set(err, BERTH_EINVAL, "url = %s: the simulator knows http:// only",
                      request->url);
        return NULL;
    }
    struct span target = span_of(request->url + sizeof scheme - 1),
                authority = {target.ptr, strcspn(target.ptr, "/")};
    (void)span_copy(authority, host, sizeof host);
    const char *colon = strrchr(host, ':');
    int port = colon != NULL ? (int)strtol(colon + 1, NULL, 10) : 80;
    for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++)
        if (strncasecmp(request->headers[i], "Authorization: ", 15) == 0)
            authorization = request->headers[i] + 15;
    struct fetch *f = calloc(1, sizeof *f);
    assert(f != NULL);
    *f = (struct fetch){.fetcher = fetcher, .next = fetcher->first, .fn = fn, .arg = arg};
    if (f->next != NULL)
        f->next->prev = f;
    fetcher->first = f;
    f->request = web_msg(MSG_REQUEST, 0, "%s\n%s\n%s\n%.*s", request->method,
                         target.ptr + authority.len, authorization, (int)request->body.len,
                         request->body.len > 0 ? request->body.ptr : "");
    timer_init(&f->timer, fetcher->loop, on_fetch_timeout, f);
    timer_start(&f->timer, request->timeout_ms > 0 ? request->timeout_ms : 5000, 0);
    conn_dial(&f->end, fetcher->proc, port, &fetch_ops, f);
    return f;
}

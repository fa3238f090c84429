/* web.c - the libwebsockets context on the loop, the turn's end, the sweep over all connections. */
#include "io/web_impl.h"

#include "io/resolve.h"

#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>

/* The end of a turn: what was queued leaves, what was doomed dies. */
static void web_turn(struct ev_loop *ev, ev_prepare *watcher, int events)
{
    (void)ev;
    (void)events;
    struct web *web = watcher->data;
    for (size_t i = 0; i < web->dirty_count; i++) { /* grows as callbacks run */
        struct conn *conn = web->dirty[i];
        if (!conn)
            continue;
        web->dirty[i] = NULL;
        conn->dirty = 0;
        conn_turn(conn);
    }
    web->dirty_count = 0;
}

int web_dirty(struct conn *conn)
{
    struct web *web = conn->web;
    if (conn->dirty)
        return 0;
    if (web->dirty_count == web->dirty_cap) {
        size_t cap = web->dirty_cap ? web->dirty_cap * 2 : 256;
        struct conn **dirty = realloc(web->dirty, cap * sizeof(struct conn *));
        if (!dirty)
            return BERTH_ENOMEM; /* the sweep finds it */
        web->dirty = dirty;
        web->dirty_cap = cap;
    }
    web->dirty[web->dirty_count++] = conn;
    conn->dirty = (uint32_t)web->dirty_count;
    return 0;
}

void web_random(struct web *web, void *out, size_t len)
{
    if (web->random_left < len) {
        if (getrandom(web->random, sizeof web->random, 0) != sizeof web->random)
            abort(); /* up to 256 bytes never fail once the kernel's pool is ready */
        web->random_left = sizeof web->random;
    }
    web->random_left -= len;
    memcpy(out, web->random + web->random_left, len);
}

static void keep_date(struct web *web)
{
    time_t now = time(NULL);
    if (now == web->date_s)
        return;
    struct tm tm;
    web->date_s = now;
    (void)gmtime_r(&now, &tm);
    web->date_len =
        strftime(web->date, sizeof web->date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
}

static void on_tick(void *arg)
{
    struct web *web = arg;
    web->now_ms = loop_now(web->loop).ms;
    keep_date(web);
    for (struct web_server *s = web->servers; s; s = s->next)
        if (s->starved && s->accepting && !s->paused) {
            s->starved = false;
            ev_io_start(loop_ev(web->loop), &s->accept);
        }
    size_t share = web->count * SWEEP_MS / (size_t)web->sweep_ms + 1;
    for (size_t i = 0; i < share && web->count; i++) {
        if (web->cursor >= web->count)
            web->cursor = 0;
        struct conn *conn = web->conns[web->cursor++];
        if (conn->dying || conn->resume || conn->finish)
            (void)web_dirty(conn);
        conn_sweep(conn, web->now_ms);
    }
    lws_cancel_service(web->lws); /* its own timers do not run on a foreign loop by themselves */
}

void web_sweep_at_least(struct web *web, int64_t ms)
{
    if (ms < SWEEP_MS)
        ms = SWEEP_MS;
    if (ms < web->sweep_ms)
        web->sweep_ms = ms;
}

static const lws_retry_bo_t no_validity_checks = {.secs_since_valid_ping = 0,
                                                  .secs_since_valid_hangup = 0};

static int open_lws(struct web *web, struct err *err)
{
    lws_set_log_level(LLL_ERR, NULL);
    void *loops[1] = {loop_ev(web->loop)};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = web_protocols,
        .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .gid = -1,
        .uid = -1,
        .pt_serv_buf_size = READ_MAX + LWS_PRE,
        .retry_and_idle_policy = &no_validity_checks,
        .vhost_name = "berth",
    };
    web->lws = lws_create_context(&info);
    if (!web->lws)
        return err_set(err, BERTH_ESYS,
                       "libwebsockets gives no context (is libwebsockets-evlib-ev installed?)");
    web->vhost = lws_create_vhost(web->lws, &info);
    if (!web->vhost) {
        lws_context_destroy(web->lws);
        return err_set(err, BERTH_ESYS, "libwebsockets gives no vhost");
    }
    return 0;
}

struct web *web_create(struct loop *loop, struct log *log, struct err *err)
{
    struct web *web = calloc(1, sizeof *web);
    if (!web) {
        (void)err_set(err, BERTH_ENOMEM, "no memory for the web context");
        return NULL;
    }
    web->loop = loop;
    web->log = log;
    web->sweep_ms = 1000;
    web->now_ms = loop_now(loop).ms;
    struct rlimit files;
    web->conns_max =
        getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > 256 ? files.rlim_cur - 128 : 128;
    if (open_lws(web, err) < 0) {
        free(web);
        return NULL;
    }
    keep_date(web);
    ev_prepare_init(&web->prepare, web_turn);
    web->prepare.data = web;
    ev_prepare_start(loop_ev(loop), &web->prepare);
    timer_init(&web->tick, loop, on_tick, web);
    timer_start(&web->tick, SWEEP_MS, SWEEP_MS);
    return web;
}

void web_destroy(struct web *web)
{
    if (!web)
        return;
    while (web->servers)
        web_server_close(web->servers);
    while (web->count) { /* clients */
        struct conn *conn = web->conns[web->count - 1];
        if (conn->ws)
            ws_shutdown(conn->ws);
        conn_close(conn);
    }
    resolver_destroy(web->resolver);
    timer_stop(&web->tick);
    ev_prepare_stop(loop_ev(web->loop), &web->prepare);
    lws_context_destroy(web->lws);
    tls_context_free(web->tls_client);
    buf_free(&web->spare);
    free(web->conns);
    free(web->dirty);
    free(web);
}

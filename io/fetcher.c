/* fetcher.c - libcurl's multi interface on libev: its sockets and its one timer are the loop's. */
#include "io/fetch_parts.h"

#include <assert.h>
#include <stdlib.h>

enum { CONNECTIONS_KEPT = 64 };

struct socket_watch {
    ev_io ev;
    curl_socket_t fd;
    struct fetcher *fetcher;
    struct socket_watch *next, **link;
};

/* Callbacks may start and cancel fetches, so the list of what is finished is asked anew after each.
 */
static void on_collect(void *arg)
{
    struct fetcher *fetcher = arg;
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetcher->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct fetch *fetch = NULL;
        CURLcode rc = message->data.result; /* the message goes with the handle */
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
        fetch_detach(fetch);
        fetch_finish(fetch, rc);
        fetch_release(fetch);
    }
}

/* ---- libcurl's sockets and timer ---- */

static void act(struct fetcher *fetcher, curl_socket_t fd, int events)
{
    int running;
    (void)curl_multi_socket_action(fetcher->multi, fd, events, &running);
    if (!timer_active(&fetcher->collect))
        timer_start(&fetcher->collect, 0, 0);
}

static void on_socket(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct socket_watch *watch = watcher->data; /* may be freed within act() */
    act(watch->fetcher, watch->fd,
        (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *arg)
{
    struct fetcher *fetcher = arg;
    if (timeout_ms < 0)
        timer_stop(&fetcher->timer);
    else
        timer_start(&fetcher->timer, timeout_ms,
                    0); /* also for 0: libcurl must not be entered again from here */
    return 0;
}

static void watch_free(struct socket_watch *watch)
{
    ev_io_stop(loop_ev(watch->fetcher->loop), &watch->ev);
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    free(watch);
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct fetcher *fetcher = arg;
    struct socket_watch *watch = socket_arg;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            watch_free(watch);
        return 0;
    }
    if (!watch) {
        watch = calloc(1, sizeof *watch);
        if (!watch)
            return -1;
        *watch = (struct socket_watch){
            .fd = fd, .fetcher = fetcher, .next = fetcher->sockets, .link = &fetcher->sockets};
        if (watch->next)
            watch->next->link = &watch->next;
        fetcher->sockets = watch;
        ev_init(&watch->ev, on_socket);
        watch->ev.data = watch;
        (void)curl_multi_assign(fetcher->multi, fd, watch);
    }
    ev_io_stop(loop_ev(fetcher->loop), &watch->ev);
    ev_io_set(&watch->ev, fd,
              (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
    ev_io_start(loop_ev(fetcher->loop), &watch->ev);
    return 0;
}

struct fetcher *fetcher_create(struct loop *loop, struct log *log, struct err *err)
{
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (!fetcher || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(err, BERTH_ENOMEM, "libcurl cannot start");
        free(fetcher);
        return NULL;
    }
    fetcher->loop = loop;
    fetcher->log = log;
    fetcher->multi = curl_multi_init();
    if (!fetcher->multi) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        curl_global_cleanup();
        free(fetcher);
        return NULL;
    }
    timer_init(&fetcher->timer, loop, on_timer, fetcher);
    timer_init(&fetcher->collect, loop, on_collect, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    return fetcher;
}

void fetcher_destroy(struct fetcher *fetcher)
{
    if (!fetcher)
        return;
    struct fetch *fetch;
    while ((fetch = fetcher->fetches)) {
        fetch_done_fn *fn = fetch->fn;
        void *arg = fetch->arg;
        struct err err = {0};
        err_set(&err, BERTH_ECLOSED, "the program is closing");
        fetch_cancel(fetch);
        assert(fetcher->fetches != fetch); /* it was unlinked */
        fn(arg, BERTH_ECLOSED, NULL, &err);
    }
    timer_stop(&fetcher->timer);
    timer_stop(&fetcher->collect);
    curl_multi_cleanup(
        fetcher
            ->multi); /* closes the kept connections: their watches go through on_socket_wanted */
    timer_stop(&fetcher->timer);
    struct socket_watch *watch;
    while ((watch = fetcher->sockets)) {
        watch_free(watch);
        assert(fetcher->sockets != watch);
    }
    curl_global_cleanup();
    free(fetcher);
}

/* loop.c - libev behind loop.h: clocks, timers, signals, children. */
#include "io/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { LOOP_SIGNALS_MAX = 8 };

struct signal_watch {
    ev_signal ev;
    struct loop *loop;
    void (*fn)(void *arg, int signum);
    void *arg;
};

struct loop {
    struct ev_loop *ev;
    struct signal_watch signals[LOOP_SIGNALS_MAX];
    size_t signal_count;
};

struct loop *loop_create(struct err *err)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    loop->ev = ev_default_loop(EVFLAG_AUTO); /* the default one: only it may watch children */
    if (!loop->ev) {
        err_set(err, BERTH_ESYS, "libev found no usable backend (epoll, poll, select)");
        free(loop);
        return NULL;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a peer that hung up is an error code, not the end */
    return loop;
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    for (size_t i = 0; i < loop->signal_count; i++)
        ev_signal_stop(loop->ev, &loop->signals[i].ev);
    ev_loop_destroy(loop->ev);
    free(loop);
}

struct ev_loop *loop_ev(struct loop *loop)
{
    return loop->ev;
}

int64_t loop_now_us(const struct loop *loop)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock and a valid pointer */
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

mono_ms_t loop_now(const struct loop *loop)
{
    return (mono_ms_t){loop_now_us(loop) / 1000};
}

int64_t loop_wall_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void loop_run(struct loop *loop)
{
    ev_ref(loop->ev); /* go on even when nothing is watched but signals */
    ev_run(loop->ev, 0);
    ev_unref(loop->ev);
}

void loop_stop(struct loop *loop)
{
    ev_break(loop->ev, EVBREAK_ALL);
}

/* ---- timers ---- */

static void on_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
    struct timer *timer = watcher->data;
    timer->fn(timer->arg); /* may stop, restart or free the timer: it is not touched after this */
}

void timer_init(struct timer *timer, struct loop *loop, void (*fn)(void *arg), void *arg)
{
    *timer = (struct timer){.fn = fn, .arg = arg, .loop = loop};
    ev_init(&timer->ev, on_timer);
    timer->ev.data = timer;
}

void timer_start(struct timer *timer, int64_t delay_ms, int64_t repeat_ms)
{
    struct ev_loop *ev = timer->loop->ev;
    ev_timer_stop(ev, &timer->ev);
    ev_now_update(ev); /* delays count from now, not from when this turn of the loop began */
    ev_timer_set(&timer->ev, (double)(delay_ms > 0 ? delay_ms : 0) / 1e3,
                 (double)(repeat_ms > 0 ? repeat_ms : 0) / 1e3);
    ev_timer_start(ev, &timer->ev);
}

void timer_at(struct timer *timer, mono_ms_t at)
{
    if (at.ms == INT64_MAX) {
        timer_stop(timer);
        return;
    }
    /* `at` is whole milliseconds of a clock that has microseconds: round up, so that a core asked
     * at its deadline finds it reached. */
    int64_t wait_us = at.ms * 1000 - loop_now_us(timer->loop);
    timer_start(timer, wait_us > 0 ? (wait_us + 999) / 1000 : 0, 0);
}

void timer_stop(struct timer *timer)
{
    if (timer->loop)
        ev_timer_stop(timer->loop->ev, &timer->ev);
}

bool timer_active(const struct timer *timer)
{
    return ev_is_active(&timer->ev);
}

/* ---- signals and children ---- */

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int events)
{
    struct signal_watch *watch = watcher->data;
    watch->fn(watch->arg, watcher->signum);
}

int loop_on_signal(struct loop *loop, int signum, void (*fn)(void *arg, int signum), void *arg)
{
    if (loop->signal_count == LOOP_SIGNALS_MAX)
        return BERTH_EFULL;
    struct signal_watch *watch = &loop->signals[loop->signal_count++];
    *watch = (struct signal_watch){.loop = loop, .fn = fn, .arg = arg};
    ev_signal_init(&watch->ev, on_signal, signum);
    watch->ev.data = watch;
    ev_signal_start(loop->ev, &watch->ev);
    ev_unref(loop->ev); /* waiting for a signal is no reason to go on running */
    return 0;
}

static void on_child(struct ev_loop *ev, ev_child *watcher, int events)
{
    struct child *child = watcher->data;
    int pid = watcher->rpid, status = watcher->rstatus;
    ev_child_stop(ev, watcher);
    child->fn(child->arg, pid, status);
}

void child_watch(struct child *child, struct loop *loop, int pid,
                 void (*fn)(void *arg, int pid, int status), void *arg)
{
    assert(pid > 0);
    *child = (struct child){.fn = fn, .arg = arg, .loop = loop};
    ev_child_init(&child->ev, on_child, pid, 0);
    child->ev.data = child;
    ev_child_start(loop->ev, &child->ev);
}

void child_unwatch(struct child *child)
{
    if (child->loop)
        ev_child_stop(child->loop->ev, &child->ev);
}

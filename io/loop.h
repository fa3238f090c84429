/* loop.h - the one event loop of a process: libev, its clocks, timers and signals.
 *
 * libwebsockets, hiredis and libcurl all run on the same ev_loop, which loop_ev() gives to the few
 * files of io/ that bind them. Threads: everything in io/ belongs to the loop's thread. */
#ifndef BERTH_IO_LOOP_H
#define BERTH_IO_LOOP_H

#include "core/clock.h"
#include "core/err.h"

#include <ev.h>

struct loop;

/* Heap; NULL with err set on failure. */
struct loop *loop_create(struct err *err);
/* Stops nothing that others still own: close them first. NULL is a no-op. */
void loop_destroy(struct loop *loop);

struct ev_loop *loop_ev(struct loop *loop);

/* CLOCK_MONOTONIC now, read fresh (not libev's cached time). */
mono_ms_t loop_now(const struct loop *loop);
/* Microseconds of the same clock, for latency measurements. */
int64_t loop_now_us(const struct loop *loop);
/* CLOCK_REALTIME, only for log lines and file names. */
int64_t loop_wall_us(void);

/* Run until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* A timer lives in its owner's memory. One-shot unless repeat_ms > 0. */
struct timer {
    ev_timer ev;
    void (*fn)(void *arg);
    void *arg;
    struct loop *loop;
};
void timer_init(struct timer *timer, struct loop *loop, void (*fn)(void *arg), void *arg);
void timer_start(struct timer *timer, int64_t delay_ms, int64_t repeat_ms);
/* Start (or restart) so that it fires at `at`; MONO_NEVER stops it. This is how shells follow
 * x_deadline(). */
void timer_at(struct timer *timer, mono_ms_t at);
void timer_stop(struct timer *timer);
bool timer_active(const struct timer *timer);

/* Signals. fn is called in the loop's thread. SIGPIPE is ignored by loop_create(). At most 8
 * signals a loop. */
int loop_on_signal(struct loop *loop, int signum, void (*fn)(void *arg, int signum),
                   void *arg) BERTH_MUST_USE;

/* A child process's end. fn gets the pid and the wait status. Default loop only (libev's rule),
 * which ours is. */
struct child {
    ev_child ev;
    void (*fn)(void *arg, int pid, int status);
    void *arg;
    struct loop *loop;
};
void child_watch(struct child *child, struct loop *loop, int pid,
                 void (*fn)(void *arg, int pid, int status), void *arg);
void child_unwatch(struct child *child);

#endif

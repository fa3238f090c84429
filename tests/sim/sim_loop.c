/* sim_loop.c - io/loop.h and io/log.h in virtual time, and libc's sources of chance. */
#include "core/record.h"
#include "io/log.h"
#include "io/loop.h"
#include "tests/sim/kernel_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORK_US = 50 /* what a turn of the loop takes, at least */ };

/* Of a timer that waits; timer->ev.data points to it. */
struct waiting {
    struct sim_event event;
    struct timer *timer;
    int64_t due_us; /* on the process's clock */
    int64_t repeat_us;
    struct waiting *prev, *next;
};

struct loop {
    struct proc *proc;
    struct waiting *first;
};

/* ---- the loop ---- */

struct loop *loop_create(struct err *err)
{
    struct loop *loop = calloc(1, sizeof *loop);
    assert(loop != NULL && sim->current != NULL);
    loop->proc = sim->current;
    loop->proc->loop = loop;
    return loop;
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->first != NULL)
        timer_stop(loop->first->timer);
    loop->proc->loop = NULL;
    free(loop);
}

struct ev_loop *loop_ev(struct loop *loop)
{
    (void)loop;
    assert(!"the simulator has no libev loop");
    return NULL;
}

mono_ms_t loop_now(const struct loop *loop)
{
    return (mono_ms_t){proc_clock_us(loop->proc) / 1000};
}

int64_t loop_now_us(const struct loop *loop)
{
    return proc_clock_us(loop->proc);
}

int64_t loop_wall_us(void)
{
    return SIM_EPOCH_US + sim->now_us + (sim->current != NULL ? sim->current->wall_skew_us : 0);
}

void loop_run(struct loop *loop)
{
    assert(!"programs do not run their loop here");
}

void loop_stop(struct loop *loop)
{
    loop->proc->exiting = true;
}

int loop_on_signal(struct loop *loop, int signum, void (*fn)(void *arg, int signum), void *arg)
{
    return 0;
}

void child_watch(struct child *child, struct loop *loop, int pid,
                 void (*fn)(void *arg, int pid, int status), void *arg)
{
    assert(!"the simulator has no children");
}

void child_unwatch(struct child *child)
{
}

/* ---- timers ---- */

void timer_init(struct timer *timer, struct loop *loop, void (*fn)(void *arg), void *arg)
{
    *timer = (struct timer){.fn = fn, .arg = arg, .loop = loop};
}

static void on_due(void *arg);

static void arm(struct waiting *w)
{
    const struct proc *p = w->timer->loop->proc;
    double left = (double)(w->due_us - proc_clock_us(p));
    sim_after(&w->event, left <= WORK_US ? WORK_US : (int64_t)(left / p->rate) + 1, on_due, w);
}

static void fire(void *arg)
{
    struct timer *timer = arg;
    timer->fn(timer->arg);
}

static void on_due(void *arg)
{
    struct waiting *w = arg;
    struct timer *timer = w->timer;
    struct proc *p = timer->loop->proc;
    if (proc_paused(p)) {
        sim_at(&w->event, p->paused_until_us + draw(&sim->net_rng, 0, 2000), on_due, w);
        return;
    }
    if (proc_clock_us(p) < w->due_us) {
        arm(w);
        return;
    }
    if (w->repeat_us > 0) {
        w->due_us += w->repeat_us;
        if (w->due_us <= proc_clock_us(p)) /* libev does not make up for what was missed */
            w->due_us = proc_clock_us(p) + w->repeat_us;
        arm(w);
    } else {
        timer_stop(timer);
    }
    proc_run(p, fire, timer);
}

void timer_stop(struct timer *timer)
{
    struct waiting *w = timer->ev.data;
    if (w == NULL)
        return;
    timer->ev.data = NULL;
    sim_cancel(&w->event);
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        timer->loop->first = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    free(w);
}

static void start_at(struct timer *timer, int64_t due_us, int64_t repeat_us)
{
    struct waiting *w = timer->ev.data;
    if (w == NULL) {
        w = calloc(1, sizeof *w);
        assert(w != NULL);
        w->timer = timer;
        w->next = timer->loop->first;
        if (w->next != NULL)
            w->next->prev = w;
        timer->loop->first = w;
        timer->ev.data = w;
    }
    w->due_us = due_us;
    w->repeat_us = repeat_us;
    arm(w);
}

void timer_start(struct timer *timer, int64_t delay_ms, int64_t repeat_ms)
{
    start_at(timer, proc_clock_us(timer->loop->proc) + delay_ms * 1000, repeat_ms * 1000);
}

void timer_at(struct timer *timer, mono_ms_t at)
{
    if (at.ms == MONO_NEVER.ms)
        timer_stop(timer);
    else
        start_at(timer, at.ms * 1000, 0);
}

bool timer_active(const struct timer *timer)
{
    return timer->ev.data != NULL;
}

void loop_clock_changed(struct loop *loop)
{
    for (struct waiting *w = loop != NULL ? loop->first : NULL; w != NULL; w = w->next)
        arm(w);
}

/* ---- the log is the trace ---- */

void log_init(struct log *log, const char *program)
{
    *log = (struct log){.level = LOG_INFO, .program = program};
}

static const char *speaker(const struct log *log)
{
    return sim->current != NULL ? sim->current->name : log->program;
}

void log_write(struct log *log, enum log_level level, const char *event, const char *fmt, ...)
{
    char text[TRACE_LINE];
    if (!sim->tracing || level < log->level)
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sim_trace(speaker(log), "%s %s", event, text);
}

void log_record(struct log *log, enum log_level level, const char *event, struct span record)
{
    if (sim->tracing && level >= log->level)
        sim_trace(speaker(log), "%s %.*s", event, SPAN_ARG(record));
}

/* ---- chance ---- */

ssize_t getrandom(void *buf, size_t size, unsigned flags)
{
    unsigned char *p = buf;
    if (sim == NULL) /* libraries, before the world begins */
        return syscall(SYS_getrandom, buf, size, flags);
    for (size_t i = 0; i < size; i++)
        p[i] = (unsigned char)rng_below(&sim->secret_rng, 256);
    return (ssize_t)size;
}

pid_t getpid(void)
{
    return 4242;
}

/* kernel.c - virtual time: the heap of what happens next, processes and their clocks, the trace. */
#include "tests/sim/kernel.h"

#include "tests/sim/kernel_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

enum { RUNS_MAX = 20000 }; /* of one process within a second; what spins runs 40,000 times */

struct sim *sim;

static struct heap {
    struct sim_event **list; /* from 1 */
    size_t count, size;
    uint64_t order;
} heap;
static struct proc *procs[HOSTS_MAX];

/* ---- the heap ---- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void put(size_t place, struct sim_event *ev)
{
    heap.list[place] = ev;
    ev->place = place;
}

static void up(size_t i, struct sim_event *ev)
{
    while (i > 1 && before(ev, heap.list[i / 2])) {
        put(i, heap.list[i / 2]);
        i /= 2;
    }
    put(i, ev);
}

static void down(size_t i, struct sim_event *ev)
{
    for (size_t c; (c = 2 * i) <= heap.count; i = c) {
        if (c < heap.count && before(heap.list[c + 1], heap.list[c]))
            c++;
        if (!before(heap.list[c], ev))
            break;
        put(i, heap.list[c]);
    }
    put(i, ev);
}

void sim_cancel(struct sim_event *ev)
{
    size_t i = ev->place;
    if (i == 0)
        return;
    ev->place = 0;
    struct sim_event *last = heap.list[heap.count--];
    if (last == ev)
        return;
    if (i > 1 && before(last, heap.list[i / 2]))
        up(i, last);
    else
        down(i, last);
}

void sim_at(struct sim_event *ev, int64_t at_us, void (*fn)(void *arg), void *arg)
{
    sim_cancel(ev);
    ev->at_us = at_us < sim->now_us ? sim->now_us : at_us;
    ev->order = heap.order++;
    ev->fn = fn;
    ev->arg = arg;
    if (heap.count + 2 > heap.size) {
        heap.size = heap.size == 0 ? 1024 : heap.size * 2;
        heap.list = realloc(heap.list, heap.size * sizeof *heap.list);
        assert(heap.list != NULL);
    }
    up(++heap.count, ev);
}

void sim_after(struct sim_event *ev, int64_t delay_us, void (*fn)(void *arg), void *arg)
{
    sim_at(ev, sim->now_us + delay_us, fn, arg);
}

/* ---- the world ---- */

void sim_init(uint64_t seed)
{
    sim = calloc(1, sizeof *sim);
    assert(sim != NULL);
    sim->tail = calloc(TAIL_LINES, sizeof *sim->tail);
    assert(sim->tail != NULL);
    sim->seed = seed;
    sim->digest = 14695981039346656037u;
    sim->weather = (struct net_weather){.base_us = 200, .more_us = 300};
    rng_seed(&sim->rng, seed);
    rng_seed(&sim->net_rng, seed ^ 0x6e6574);
    rng_seed(&sim->secret_rng, seed ^ 0x736563726574);
    heap = (struct heap){0};
    memset(procs, 0, sizeof procs);
}

void sim_fini(void)
{
    net_fini();
    free(heap.list);
    heap = (struct heap){0};
    free(sim->tail);
    free(sim);
    sim = NULL;
}

void sim_run(int64_t until_us)
{
    while (!sim->failed && heap.count > 0 && heap.list[1]->at_us <= until_us) {
        struct sim_event *ev = heap.list[1];
        sim_cancel(ev);
        assert(ev->at_us >= sim->now_us);
        sim->now_us = ev->at_us;
        sim->steps++;
        ev->fn(ev->arg);
        if (sim->after_step != NULL && !sim->failed)
            sim->after_step(sim->after_arg);
    }
    if (!sim->failed && sim->now_us < until_us)
        sim->now_us = until_us;
}

void sim_digest(const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    uint64_t h = sim->digest;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 1099511628211u;
    sim->digest = h;
}

static void line(const char *text)
{
    memcpy(sim->tail[sim->tail_count++ % TAIL_LINES], text, TRACE_LINE);
    if (sim->trace_out != NULL)
        (void)fprintf(sim->trace_out, "%s\n", text);
}

void sim_trace(const char *who, const char *fmt, ...)
{
    char text[TRACE_LINE];
    if (!sim->tracing)
        return;
    int n = snprintf(text, sizeof text, "[%9.3f] %s > ", (double)sim->now_us / 1e6, who);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap);
    va_end(ap);
    line(text);
}

void sim_fail(const char *fmt, ...)
{
    if (sim->failed)
        return;
    sim->failed = true;
    int n = snprintf(sim->failure, sizeof sim->failure, "[%9.3f] ", (double)sim->now_us / 1e6);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(sim->failure + n, sizeof sim->failure - (size_t)n, fmt, ap);
    va_end(ap);
}

int64_t draw(struct rng *rng, int64_t a, int64_t b)
{
    return a + (int64_t)rng_below(rng, (uint64_t)(b - a + 1));
}

bool chance(struct rng *rng, double p)
{
    return rng_unit(rng) < p;
}

/* ---- processes ---- */

void proc_init(struct proc *p, const char *name)
{
    *p = (struct proc){.up = true, .rate = 1.0, .from_us = sim->now_us, .trouble_us = -1};
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    p->base_us = 1000 * SIM_S + draw(&sim->rng, 0, 1000) * SIM_S;
    while (p->host < HOSTS_MAX && procs[p->host] != NULL)
        p->host++;
    assert(p->host < HOSTS_MAX);
    procs[p->host] = p;
    net_host_new(p->host);
}

void proc_fini(struct proc *p)
{
    assert(p->conns == NULL);
    procs[p->host] = NULL;
}

/* A timer that is overdue for ever: a process that spins. */
static void count_run(struct proc *p)
{
    int64_t second = sim->now_us / SIM_S;
    if (p->busy_s != second)
        p->runs = 0;
    p->busy_s = second;
    if (++p->runs > RUNS_MAX)
        sim_fail("busy: %s has run %u times within a second", p->name, p->runs);
}

void proc_run(struct proc *p, void (*fn)(void *arg), void *arg)
{
    count_run(p);
    struct proc *was = sim->current;
    sim->current = p;
    fn(arg);
    sim->current = was;
    if (p->exiting && p->on_exit != NULL && was == NULL) {
        p->exiting = false;
        p->on_exit(p->exit_arg);
    }
}

bool proc_paused(const struct proc *p)
{
    return p->paused_until_us > sim->now_us;
}

int64_t proc_clock_us(const struct proc *p)
{
    return p->base_us + (int64_t)((double)(sim->now_us - p->from_us) * p->rate);
}

void proc_pause(struct proc *p, int64_t for_us)
{
    p->paused_until_us = sim->now_us + for_us;
}

void proc_set_clock(struct proc *p, double rate, int64_t ahead_us)
{
    p->base_us = proc_clock_us(p) + ahead_us;
    p->from_us = sim->now_us;
    p->rate = rate;
    loop_clock_changed(p->loop);
}

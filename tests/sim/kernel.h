/* kernel.h - one thread, virtual time: what happens next, processes with clocks of their own, and a
 * network between them.
 *
 * Everything is drawn from the seed, so a run is the same each time. True time is in microseconds
 * since the world began; a process sees its own clock, which may run fast or slow and jump ahead.
 * The edges of berth (io/loop.h, io/log.h, io/redis.h, io/web.h, io/fetch.h) are implemented over
 * this in sim_*.c, so that the real programs run unchanged above them.
 *
 * There is one global: `sim`, the world under way. The edges' interfaces know no world, and libc's
 * getrandom() is one of them. */
#ifndef BERTH_SIM_KERNEL_H
#define BERTH_SIM_KERNEL_H

#include "core/clock.h"
#include "core/err.h"
#include "core/rng.h"
#include "core/span.h"

#include <stdio.h>

#define SIM_MS 1000LL
#define SIM_S 1000000LL
#define SIM_EPOCH_US 1700000000000000LL /* wall time at the beginning */

enum { HOSTS_MAX = 512, FIRST_PORT = 10000, PORTS_MAX = 4096, TRACE_LINE = 400, TAIL_LINES = 60 };

/* ---- what happens next ---- */

struct sim_event {
    int64_t at_us;
    uint64_t order; /* of those at the same time, the one that was asked for first */
    size_t place;   /* in the heap, from 1; 0: not waiting */
    void (*fn)(void *arg);
    void *arg;
};

/* Again moves it. at_us in the past: now. */
void sim_at(struct sim_event *ev, int64_t at_us, void (*fn)(void *arg), void *arg);
void sim_after(struct sim_event *ev, int64_t delay_us, void (*fn)(void *arg), void *arg);
void sim_cancel(struct sim_event *ev);

/* ---- processes ---- */

struct program; /* tests/sim/programs.h */
struct loop;

struct proc {
    char name[64];
    int host;                /* [0, HOSTS_MAX): each process has a host of its own */
    bool up;                 /* runs (or is paused) */
    bool muted;              /* ends by force: nothing it says any more is heard */
    int64_t paused_until_us; /* stands still until then */
    /* Its clock: base + (true - from) * rate, in microseconds. */
    double rate;
    int64_t base_us, from_us;
    int64_t wall_skew_us;
    struct loop *loop; /* NULL: none */
    bool exiting;      /* loop_stop() was called */
    void (*on_exit)(void *arg);
    void *exit_arg;
    struct proc *next; /* of all */
    struct conn *conns;
    int64_t busy_s;     /* of this second: */
    unsigned runs;      /* how often something ran in it */
    int64_t trouble_us; /* when something last happened to it that is not its own doing */
};

void proc_init(struct proc *p, const char *name);
/* Its host's number is free again. */
void proc_fini(struct proc *p);
/* fn runs as this process. */
void proc_run(struct proc *p, void (*fn)(void *arg), void *arg);
bool proc_paused(const struct proc *p);
int64_t proc_clock_us(const struct proc *p);
void proc_pause(struct proc *p, int64_t for_us);
void proc_resume(struct proc *p);
/* Its clock goes at another rate, and jumps ahead. */
void proc_set_clock(struct proc *p, double rate, int64_t ahead_us);
/* Its connections break: with a reset that the others see, or (a machine without power) silently.
 */
void proc_cut(struct proc *p, bool silently);

/* ---- the network ---- */

struct msg {
    struct msg *next;
    int64_t at_us; /* there at the earliest */
    int kind;      /* the edges' own */
    int number;    /* likewise */
    void *object;  /* owned: freed by drop if it was never taken */
    void (*drop)(void *object);
    size_t len;
    char text[]; /* len bytes and a terminator */
};

struct msg *msg_new(int kind, struct span text);

struct conn_ops {
    void (*open)(void *user);                    /* dialler: it stands */
    void (*data)(void *user, struct msg *m);     /* borrowed for the call */
    void (*closed)(void *user, const char *why); /* by the other side, or broken; the last call */
};

struct conn;

/* One end of a connection, held by its user. */
struct conn_end {
    struct conn *conn; /* NULL: closed */
    int side;
};

/* Who listens: accept is called in the process of the listener; it sets the user and ops of its
 * end, or leaves ops NULL to refuse. */
struct listener {
    struct proc *proc;
    void (*accept)(void *arg, struct conn_end *end);
    void *arg;
};

/* The port, or 0 when none is free. port 0: any. Ports are of the whole world. */
int net_listen(int port, struct proc *proc, void (*accept)(void *arg, struct conn_end *end),
               void *arg);
void net_unlisten(int port);
/* Stops accepting, but keeps the port. */
void net_mute(int port);

/* *end is filled in at once; open, or closed, follows. */
void conn_dial(struct conn_end *end, struct proc *from, int port, const struct conn_ops *ops,
               void *user);
void conn_set(struct conn_end *end, const struct conn_ops *ops, void *user);
/* The message is taken. A closed end drops it. */
void conn_send(struct conn_end *end, struct msg *m);
/* What was sent still arrives; nothing comes any more. A closed end is fine. */
void conn_close(struct conn_end *end);
/* The same by a reset: what is still on its way never arrives. */
void conn_abort(struct conn_end *end);
/* Bytes on their way from this end. */
size_t conn_queued(const struct conn_end *end);
struct proc *conn_other(const struct conn_end *end);

/* No packet gets from one host to the other. */
void net_block(int from, int to, bool blocked);
bool net_blocked(int from, int to);
/* A message's way takes so long: base + exponential(more); lost once with probability `loss`. */
struct net_weather {
    int64_t base_us, more_us;
    double loss;
};
int64_t net_delay_us(void);

/* ---- the world ---- */

struct sim {
    uint64_t seed;
    int64_t now_us;
    struct rng rng, net_rng, secret_rng;
    struct net_weather weather;
    struct proc *current;
    bool tracing;    /* lines are made at all */
    FILE *trace_out; /* NULL: kept only */
    char (*tail)[TRACE_LINE];
    size_t tail_count;
    bool failed;
    char failure[512];
    uint64_t digest; /* of everything that was delivered */
    uint64_t steps;
    void (*after_step)(void *arg);
    void *after_arg;
};
extern struct sim *sim;

void sim_init(uint64_t seed);
void sim_fini(void);
/* Until true time `until_us`, or a failure. */
void sim_run(int64_t until_us);
void sim_trace(const char *who, const char *fmt, ...) BERTH_PRINTF(2, 3);
/* The first one counts. */
void sim_fail(const char *fmt, ...) BERTH_PRINTF(1, 2);
void sim_digest(const void *bytes, size_t len);

/* Between a and b, both included, in the world's own dice. */
int64_t draw(struct rng *rng, int64_t a, int64_t b);
bool chance(struct rng *rng, double p);

#endif

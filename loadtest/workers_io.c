/* workers_io.c - pipes to the workers, line by line. */
#include "loadtest/workers_io.h"

#include "core/record.h"
#include "io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 65536 };

struct worker {
    struct workers *owner;
    int pid; /* 0: ended */
    struct child child;
    ev_io io; /* fd -1: at its end */
    size_t players;
    bool told; /* its `tally` line came: it saw all it was to see */
    struct workers_progress progress;
    char *line; /* LINE_BYTES; owned */
    size_t len;
};

struct workers {
    struct loop *loop;
    struct log *log;
    void (*done)(void *arg);
    void *arg;
    struct tally tally;
    size_t count, running;
    struct worker list[WORKERS_MAX];
};

/* ---- what they say ---- */

static void take_progress(struct worker *w, struct span record)
{
    struct workers_progress *p = &w->progress;
    p->started = record_int_or(record, "started", p->started);
    p->asking = record_int_or(record, "asking", p->asking);
    p->seeking = record_int_or(record, "seeking", p->seeking);
    p->joining = record_int_or(record, "joining", p->joining);
    p->playing = record_int_or(record, "playing", p->playing);
    p->done = record_int_or(record, "done", p->done);
    p->failed = record_int_or(record, "failed", p->failed);
    p->retries = record_int_or(record, "retries", p->retries);
    p->events = record_int_or(record, "events", p->events);
}

static void take_line(struct worker *w, struct span line)
{
    struct err err = {0};
    if (line.len >= 9 && memcmp(line.ptr, "progress ", 9) == 0)
        take_progress(w, (struct span){line.ptr + 9, line.len - 9});
    else if (tally_add(&w->owner->tally, line, &err) < 0)
        log_warn(w->owner->log, "worker", "pid=%d why=%s", w->pid, err.text);
    else if (memcmp(line.ptr, "tally ", 6) == 0)
        w->told = true;
}

static void take_lines(struct worker *w)
{
    char *start = w->line, *end;
    while ((end = memchr(start, '\n', w->len - (size_t)(start - w->line))) != NULL) {
        take_line(w, (struct span){start, (size_t)(end - start)});
        start = end + 1;
    }
    w->len -= (size_t)(start - w->line);
    memmove(w->line, start, w->len);
    if (w->len == LINE_BYTES)
        w->len = 0; /* no line of ours is so long */
}

static void end_worker(struct worker *w)
{
    struct workers *all = w->owner;
    if (w->pid > 0 || w->io.fd >= 0)
        return;
    if (!w->told) {
        char line[96];
        struct err err = {0};
        (void)snprintf(line, sizeof line, "reason kind=failures why=worker_lost count=%zu",
                       w->players);
        if (tally_add(&all->tally, span_of(line), &err) < 0)
            log_error(all->log, "worker", "why=%s", err.text);
        all->tally.failed += w->players;
    }
    if (--all->running == 0)
        all->done(all->arg);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    struct worker *w = io->data;
    ssize_t n = read(io->fd, w->line + w->len, LINE_BYTES - w->len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        w->len += (size_t)n;
        take_lines(w);
        return;
    }
    ev_io_stop(loop, io);
    (void)close(io->fd);
    io->fd = -1;
    end_worker(w);
}

static void on_ended(void *arg, int pid, int status)
{
    struct worker *w = arg;
    w->pid = 0;
    end_worker(w);
}

/* ---- beginning and end ---- */

static int start(struct workers *all, struct worker *w, const struct workers_config *config,
                 size_t first, struct err *err)
{
    const char *argv[160];
    char players[32], from[32], self[4096];
    int n = 0, out[2];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    argv[n++] = self;
    for (int i = 1; i < config->argc && n < 140; i++)
        argv[n++] = config->argv[i];
    (void)snprintf(players, sizeof players, "%zu", w->players);
    (void)snprintf(from, sizeof from, "%zu", first);
    const char *const own[] = {"--swarm.worker", "true", "--swarm.players", players,
                               "--swarm.first",  from,   "--swarm.prefix",  config->prefix};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        argv[n++] = own[i];
    argv[n] = NULL;
    if (pipe2(out, O_CLOEXEC) < 0)
        return err_set(err, BERTH_ESYS, "pipe: %s", strerror(errno));
    const struct spawn spec = {.argv = argv, .output_fd = out[1], .die_with_parent = SIGTERM};
    w->pid = spawn_process(&spec, err);
    (void)close(out[1]);
    if (w->pid < 0) {
        (void)close(out[0]);
        return w->pid;
    }
    (void)fcntl(out[0], F_SETFL, O_NONBLOCK);
    ev_io_init(&w->io, on_readable, out[0], EV_READ);
    w->io.data = w;
    ev_io_start(loop_ev(all->loop), &w->io);
    child_watch(&w->child, all->loop, w->pid, on_ended, w);
    all->running++;
    return 0;
}

struct workers *workers_start(struct loop *loop, struct log *log,
                              const struct workers_config *config, void (*done)(void *arg),
                              void *arg, struct err *err)
{
    struct workers *all = calloc(1, sizeof *all);
    if (!all || tally_init(&all->tally, config->players) < 0) {
        free(all);
        (void)err_set(err, BERTH_ENOMEM, "no memory for %zu players", config->players);
        return NULL;
    }
    all->loop = loop;
    all->log = log;
    all->done = done;
    all->arg = arg;
    size_t first = 0;
    for (size_t i = 0; i < config->count; i++) {
        struct worker *w = &all->list[all->count++];
        *w = (struct worker){.owner = all, .io.fd = -1};
        w->players = config->players / config->count + (i < config->players % config->count);
        w->line = malloc(LINE_BYTES);
        if (!w->line || start(all, w, config, config->first + first, err) < 0) {
            if (!w->line)
                (void)err_set(err, BERTH_ENOMEM, "no memory for a worker");
            workers_destroy(all);
            return NULL;
        }
        first += w->players;
    }
    return all;
}

struct workers_progress workers_progress(const struct workers *all)
{
    struct workers_progress sum = {0};
    for (size_t i = 0; i < all->count; i++) {
        const struct workers_progress *p = &all->list[i].progress;
        sum.started += p->started;
        sum.asking += p->asking;
        sum.seeking += p->seeking;
        sum.joining += p->joining;
        sum.playing += p->playing;
        sum.done += p->done;
        sum.failed += p->failed;
        sum.retries += p->retries;
        sum.events += p->events;
    }
    return sum;
}

const struct tally *workers_tally(const struct workers *all)
{
    return &all->tally;
}

void workers_interrupt(struct workers *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].pid > 0)
            (void)kill(all->list[i].pid, SIGTERM);
}

void workers_destroy(struct workers *all)
{
    if (!all)
        return;
    workers_interrupt(all);
    for (size_t i = 0; i < all->count; i++) {
        struct worker *w = &all->list[i];
        child_unwatch(&w->child);
        if (w->io.fd >= 0) {
            ev_io_stop(loop_ev(all->loop), &w->io);
            (void)close(w->io.fd);
        }
        free(w->line);
    }
    tally_fini(&all->tally);
    free(all);
}

/* command.c - pipes, a child and a timer; whichever ends first. */
#include "io/command.h"

#include "io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 512,
    OUTPUT_MAX_BYTES = 65536,
    TIMEOUT_MS = 10000,
    READS_PER_TURN = 16, /* of standard error, 64 KiB in all: as much as a pipe holds */
};

struct command {
    struct loop *loop;
    struct log *log;
    command_done_fn *fn;
    void *arg;
    int pid;
    struct child child;
    struct timer timer;
    ev_io out, complaints; /* fd -1 once at its end */
    int64_t timeout_ms, grace_ms;
    bool leave_children;
    char *text; /* owned: standard output so far */
    size_t len, size;
    char line[LINE_MAX_BYTES];
    size_t line_len;
    int lines;
    int failed; /* why it was killed: BERTH_ETIMEOUT, BERTH_EFULL; 0: it was not */
    char name[64];
};

static void end_reading(struct command *c, ev_io *io)
{
    if (io->fd < 0)
        return;
    ev_io_stop(loop_ev(c->loop), io);
    (void)close(io->fd);
    io->fd = -1;
}

static void kill_all(const struct command *c)
{
    if (c->pid > 0)
        (void)kill(-c->pid, SIGKILL); /* it leads a session of its own */
}

static void destroy(struct command *c)
{
    timer_stop(&c->timer);
    end_reading(c, &c->out);
    end_reading(c, &c->complaints);
    free(c->text);
    free(c);
}

/* ---- what it says ---- */

static void take_output(struct command *c)
{
    ssize_t n = 0;
    while (c->out.fd >= 0) {
        if (c->len == c->size) { /* one byte beyond what is kept was reached */
            c->failed = c->failed ? c->failed : BERTH_EFULL;
            kill_all(c);
            end_reading(c, &c->out);
            return;
        }
        n = read(c->out.fd, c->text + c->len, c->size - c->len);
        if (n > 0)
            c->len += (size_t)n;
        else if (n == 0 || errno != EINTR)
            break;
    }
    if (c->out.fd >= 0 && (n == 0 || errno != EAGAIN))
        end_reading(c, &c->out);
}

static void say_line(struct command *c)
{
    if (c->line_len > 0 && c->lines++ < COMMAND_LINES_MAX)
        log_info(c->log, "command", "name=%s says=%.*s", c->name, (int)c->line_len, c->line);
    c->line_len = 0;
}

/* A bounded part of what is there: who complains faster than we read must not keep the loop from
 * the timer that ends him. */
static void take_complaints(struct command *c)
{
    char buf[4096];
    for (int reads = 0; c->complaints.fd >= 0 && reads < READS_PER_TURN; reads++) {
        ssize_t n = read(c->complaints.fd, buf, sizeof buf);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            end_reading(c, &c->complaints);
        if (n <= 0)
            return; /* interrupted or empty: the loop comes back */
        for (ssize_t i = 0; i < n; i++) {
            if (buf[i] == '\n')
                say_line(c);
            else if (c->line_len < sizeof c->line)
                c->line[c->line_len++] = buf[i];
        }
    }
}

static void on_output(struct ev_loop *loop, ev_io *io, int events)
{
    take_output(io->data);
}

static void on_complaint(struct ev_loop *loop, ev_io *io, int events)
{
    take_complaints(io->data);
}

/* ---- its end ---- */

static void on_ended(void *arg, int pid, int status)
{
    struct command *c = arg;
    char why[64] = "ok";
    take_output(c); /* what is in the pipes still counts; what others write into them later not */
    take_complaints(c);
    say_line(c);
    struct command_result result = {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                                    .code = c->failed};
    if (c->failed == BERTH_ETIMEOUT)
        (void)snprintf(why, sizeof why, "killed after %lld ms", (long long)c->timeout_ms);
    else if (c->failed == BERTH_EFULL)
        (void)snprintf(why, sizeof why, "more than %zu bytes of output", c->size - 1);
    else if (WIFSIGNALED(status))
        (void)snprintf(why, sizeof why, "signal %d", WTERMSIG(status));
    else if (result.exit_code != 0)
        (void)snprintf(why, sizeof why, "exit code %d", result.exit_code);
    if (result.code == 0 && result.exit_code != 0)
        result.code = BERTH_EPROTO;
    c->len = c->len < c->size ? c->len : c->size - 1;
    c->text[c->len] = '\0';
    result.output = (struct span){c->text, c->len};
    result.why = why;
    if (result.code != 0 || !c->leave_children)
        kill_all(c); /* whatever it left behind in its session */
    c->pid = 0;
    c->fn(c->arg, &result);
    destroy(c);
}

static void on_timeout(void *arg)
{
    struct command *c = arg;
    bool first = c->failed != BERTH_ETIMEOUT;
    c->failed = c->failed ? c->failed : BERTH_ETIMEOUT;
    if (!first || c->grace_ms == 0 || c->pid <= 0) {
        kill_all(c);
        return;
    }
    (void)kill(-c->pid, SIGTERM);
    timer_start(&c->timer, c->grace_ms, 0);
}

void command_leave(struct command *c)
{
    if (!c)
        return;
    if (c->pid > 0)
        (void)kill(-c->pid, SIGTERM);
    child_unwatch(&c->child);
    destroy(c);
}

void command_cancel(struct command *c)
{
    if (!c)
        return;
    kill_all(c);
    child_unwatch(&c->child);
    (void)waitpid(c->pid, NULL, 0); /* it was killed: at once */
    destroy(c);
}

/* ---- its beginning ---- */

/* The input as a file without a name: nobody has to feed a pipe. */
static int input_file(struct span input, struct err *err)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, BERTH_ESYS, "memfd_create: %s", strerror(errno));
    for (size_t done = 0; done < input.len;) {
        ssize_t n = write(fd, input.ptr + done, input.len - done);
        if (n < 0 && errno != EINTR) {
            (void)close(fd);
            return err_set(err, BERTH_ESYS, "input: %s", strerror(errno));
        }
        done += n > 0 ? (size_t)n : 0;
    }
    (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

static int start(struct command *c, const struct command_spec *spec, const int out[2],
                 const int complaints[2], struct err *err)
{
    int input = spec->input.len ? input_file(spec->input, err) : 0;
    if (input < 0)
        return input;
    const struct spawn spawn = {.argv = spec->argv,
                                .env = spec->env,
                                .own_session = true,
                                .output_fd = out[1],
                                .error_fd = complaints[1],
                                .input_fd = input};
    c->pid = spawn_process(&spawn, err);
    if (input > 2)
        (void)close(input);
    return c->pid < 0 ? c->pid : 0;
}

static void watch(struct command *c, ev_io *io, int fd,
                  void (*fn)(struct ev_loop *loop, ev_io *io, int events))
{
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    ev_io_init(io, fn, fd, EV_READ);
    io->data = c;
    ev_io_start(loop_ev(c->loop), io);
}

struct command *command_start(struct loop *loop, struct log *log, const struct command_spec *spec,
                              command_done_fn *fn, void *arg, struct err *err)
{
    int out[2], complaints[2];
    struct command *c = calloc(1, sizeof *c);
    size_t size = (spec->output_max ? spec->output_max : OUTPUT_MAX_BYTES) + 1;
    char *text = malloc(size);
    if (!c || !text) {
        (void)err_set(err, BERTH_ENOMEM, "no memory");
        goto err_after_memory;
    }
    *c = (struct command){.loop = loop, .log = log, .fn = fn, .arg = arg, .text = text};
    c->size = size;
    c->timeout_ms = spec->timeout_ms ? spec->timeout_ms : TIMEOUT_MS;
    c->grace_ms = spec->grace_ms;
    c->leave_children = spec->leave_children;
    (void)snprintf(c->name, sizeof c->name, "%s", spec->name ? spec->name : spec->argv[0]);
    if (pipe2(out, O_CLOEXEC) < 0) {
        (void)err_set(err, BERTH_ESYS, "pipe: %s", strerror(errno));
        goto err_after_memory;
    }
    if (pipe2(complaints, O_CLOEXEC) < 0) {
        (void)err_set(err, BERTH_ESYS, "pipe: %s", strerror(errno));
        goto err_after_out;
    }
    if (start(c, spec, out, complaints, err) < 0)
        goto err_after_complaints;
    (void)close(out[1]);
    (void)close(complaints[1]);
    watch(c, &c->out, out[0], on_output);
    watch(c, &c->complaints, complaints[0], on_complaint);
    child_watch(&c->child, loop, c->pid, on_ended, c);
    timer_init(&c->timer, loop, on_timeout, c);
    timer_start(&c->timer, c->timeout_ms, 0);
    return c;

err_after_complaints:
    (void)close(complaints[0]);
    (void)close(complaints[1]);
err_after_out:
    (void)close(out[0]);
    (void)close(out[1]);
err_after_memory:
    free(text);
    free(c);
    return NULL;
}

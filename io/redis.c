/* redis.c - one pipelined connection to Redis: connect, greet, send, receive, give up, come back.
 *
 * hiredis parses (io/redis_reply.c); the socket, the queue and the deadlines are ours, so that a
 * command ends exactly once and everything may be destroyed from within any callback. */
#include "io/redis.h"

#include "core/rng.h"
#include "io/redis_out.h"
#include "io/redis_reply.h"
#include "io/redis_socket.h"
#include "io/resolve.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 3000
#define STEADY_MS 5000 /* up for this long: the next fault begins again at BACKOFF_MIN_MS */
#define READ_BYTES (64u << 10)
#define READS_PER_TURN 16 /* then others of the loop get their turn */
#define NO_SCRIPT SIZE_MAX

enum phase {
    REDIS_WAITING,    /* for the back-off to end */
    REDIS_RESOLVING,  /* the host's name */
    REDIS_CONNECTING, /* the socket */
    REDIS_GREETING,   /* AUTH, SELECT, SCRIPT LOAD */
    REDIS_UP,
    REDIS_DROPPING, /* redis_reconnect() was called: at the next turn of the loop */
};

struct command {
    struct command *next;
    redis_reply_fn *fn;
    void *arg;
    mono_ms_t deadline;
    int64_t block_ms;
    bool greeting;
    size_t script; /* NO_SCRIPT, or an EVALSHA that is sent again as EVAL when Redis does not know
                      the script */
    size_t tail_parts, tail_len;
    char tail[]; /* of a script: what follows the digest, formatted */
};

struct redis {
    struct loop *loop;
    struct log *log;
    struct redis_config config;
    char *host, *user, *password;
    const struct redis_script *scripts;
    struct redis_events events;
    enum phase phase;
    struct resolver *resolver; /* NULL: the host is an address */
    struct resolve *question;  /* while resolving */
    int fd;
    ev_io readable, writable;
    ev_prepare flush;            /* active while there are commands that no write was tried for */
    struct timer phase_timer;    /* back-off, or the limit of connecting and greeting */
    struct timer deadline_timer; /* the oldest command's */
    struct redis_reply_reader *reader;
    struct command *oldest, **newest;
    size_t pending;
    struct redis_out out;
    unsigned attempts; /* since it was last steady */
    mono_ms_t up_since;
    struct rng rng;
    uint64_t connection; /* number of this connection: tells callbacks' callers that it changed */
    unsigned busy;       /* callbacks on the stack */
    bool dead;           /* destroyed, freed when the last callback has returned */
    char why[160];       /* of redis_reconnect() */
};

static void drop(struct redis *r, const char *why);

/* ---- memory and life ---- */

static void free_all(struct redis *r)
{
    free(r->host);
    free(r->user);
    free(r->password);
    redis_out_fini(&r->out);
    redis_reply_reader_destroy(r->reader);
    resolver_destroy(r->resolver);
    free(r);
}

static void enter(struct redis *r)
{
    r->busy++;
}

static void leave(struct redis *r)
{
    if (--r->busy == 0 && r->dead)
        free_all(r);
}

/* ---- commands out ---- */

static void enqueue(struct redis *r, struct command *c)
{
    mono_ms_t deadline = mono_add(loop_now(r->loop), r->config.command_timeout_ms + c->block_ms);
    /* Replies come in order, so nobody is late before the one in front of it is. */
    if (r->oldest) {
        const struct command *last =
            (const struct command *)((const char *)r->newest - offsetof(struct command, next));
        if (mono_before(deadline, last->deadline))
            deadline = last->deadline;
    }
    c->deadline = deadline;
    c->next = NULL;
    *r->newest = c;
    r->newest = &c->next;
    r->pending++;
    if (!timer_active(&r->deadline_timer))
        timer_at(&r->deadline_timer, deadline);
    /* The commands of one turn leave in one write at its end, without asking whether the socket is
     * writable; a command that comes after `flush` has had its turn waits for `writable`. */
    ev_prepare_start(loop_ev(r->loop), &r->flush);
    ev_io_start(loop_ev(r->loop), &r->writable);
}

static struct command *command_new(size_t tail_len, redis_reply_fn *fn, void *arg)
{
    struct command *c = malloc(sizeof *c + tail_len);
    if (c)
        *c = (struct command){.fn = fn, .arg = arg, .script = NO_SCRIPT, .tail_len = tail_len};
    return c;
}

static int send_parts(struct redis *r, const struct span *parts, size_t count, int64_t block_ms,
                      bool greeting, redis_reply_fn *fn, void *arg)
{
    if (!redis_out_reserve(&r->out, redis_out_size(parts, count) + 32))
        return BERTH_EAGAIN;
    struct command *c = command_new(0, fn, arg);
    if (!c)
        return BERTH_EAGAIN;
    redis_out_count(&r->out, count);
    for (size_t i = 0; i < count; i++)
        redis_out_part(&r->out, parts[i]);
    c->block_ms = block_ms;
    c->greeting = greeting;
    enqueue(r, c);
    return 0;
}

int redis_command(struct redis *r, const struct span *argv, size_t argc, int64_t block_ms,
                  redis_reply_fn *fn, void *arg)
{
    assert(argc > 0 && block_ms >= 0);
    if (r->phase != REDIS_UP || r->dead || r->pending >= r->config.pending_max)
        return BERTH_EAGAIN;
    return send_parts(r, argv, argc, block_ms, false, fn, arg);
}

int redis_eval(struct redis *r, size_t script, const struct span *keys, size_t nkeys,
               const struct span *argv, size_t argc, redis_reply_fn *fn, void *arg)
{
    char number[24];
    int number_len = snprintf(number, sizeof number, "%zu", nkeys);
    struct span count = {number, (size_t)number_len};
    if (r->phase != REDIS_UP || r->dead || r->pending >= r->config.pending_max)
        return BERTH_EAGAIN;
    size_t most =
        redis_out_size(&count, 1) + redis_out_size(keys, nkeys) + redis_out_size(argv, argc) + 128;
    if (!redis_out_reserve(&r->out, most))
        return BERTH_EAGAIN;
    size_t begin = r->out.len;
    redis_out_count(&r->out, 3 + nkeys + argc);
    redis_out_part(&r->out, SPAN("EVALSHA"));
    redis_out_part(&r->out, span_of(r->scripts[script].sha1));
    size_t tail = r->out.len;
    redis_out_part(&r->out, count);
    for (size_t i = 0; i < nkeys; i++)
        redis_out_part(&r->out, keys[i]);
    for (size_t i = 0; i < argc; i++)
        redis_out_part(&r->out, argv[i]);
    struct command *c = command_new(r->out.len - tail, fn, arg);
    if (!c) {
        r->out.len = begin;
        return BERTH_EAGAIN;
    }
    c->script = script;
    c->tail_parts = 1 + nkeys + argc;
    memcpy(c->tail, r->out.text + tail, c->tail_len);
    enqueue(r, c);
    return 0;
}

/* Redis does not know the script (it was restarted or flushed): send the text. False: it could not
 * be sent. */
static bool send_text(struct redis *r, struct command *c)
{
    struct span text = span_of(r->scripts[c->script].text);
    if (!redis_out_reserve(&r->out, text.len + c->tail_len + 128))
        return false;
    redis_out_count(&r->out, 2 + c->tail_parts);
    redis_out_part(&r->out, SPAN("EVAL"));
    redis_out_part(&r->out, text);
    redis_out_raw(&r->out, c->tail, c->tail_len);
    c->script = NO_SCRIPT; /* not a second time */
    enqueue(r, c);
    return true;
}

/* ---- the end of a connection ---- */

static void close_socket(struct redis *r)
{
    ev_io_stop(loop_ev(r->loop), &r->readable);
    ev_io_stop(loop_ev(r->loop), &r->writable);
    ev_prepare_stop(loop_ev(r->loop), &r->flush);
    timer_stop(&r->phase_timer);
    timer_stop(&r->deadline_timer);
    if (r->question)
        resolve_cancel(r->question);
    r->question = NULL;
    if (r->fd >= 0)
        (void)close(r->fd);
    r->fd = -1;
    redis_out_clear(&r->out);
    r->connection++;
}

/* Ends every command. The connection is closed already, so nothing new can be queued meanwhile. */
static void fail_pending(struct redis *r)
{
    mono_ms_t now = loop_now(r->loop);
    struct command *list = r->oldest;
    r->oldest = NULL;
    r->newest = &r->oldest;
    r->pending = 0;
    while (list) {
        struct command *c = list;
        list = c->next;
        if (c->fn)
            c->fn(c->arg, mono_before(now, c->deadline) ? BERTH_ECLOSED : BERTH_ETIMEOUT, NULL);
        free(c);
    }
}

static void wait_and_retry(struct redis *r)
{
    int64_t limit = BACKOFF_MIN_MS;
    for (unsigned i = 0; i < r->attempts && limit < BACKOFF_MAX_MS; i++)
        limit *= 2;
    if (limit > BACKOFF_MAX_MS)
        limit = BACKOFF_MAX_MS;
    r->attempts++;
    /* Half fixed, half random: a thousand nodes must not come back at the same instant. */
    int64_t delay = limit / 2 + (int64_t)rng_below(&r->rng, (uint64_t)(limit / 2 + 1));
    r->phase = REDIS_WAITING;
    timer_start(&r->phase_timer, delay, 0);
}

static void drop(struct redis *r, const char *why)
{
    char text[160];
    (void)snprintf(text, sizeof text, "%s", why); /* why may live in what is closed now */
    bool was_up = r->phase == REDIS_UP || r->phase == REDIS_DROPPING;
    if (was_up && mono_sub(loop_now(r->loop), r->up_since) >= STEADY_MS)
        r->attempts = 0;
    close_socket(r);
    wait_and_retry(r);
    log_warn(r->log, was_up ? "redis_down" : "redis_connect_failed", "host=%s port=%d why=%s",
             r->host, r->config.port, text);
    enter(r);
    fail_pending(r);
    if (was_up && !r->dead && r->events.down)
        r->events.down(r->events.arg, text);
    leave(r);
}

void redis_reconnect(struct redis *r, const char *why)
{
    if (r->phase != REDIS_UP || r->dead)
        return;
    (void)snprintf(r->why, sizeof r->why, "%s", why);
    r->phase = REDIS_DROPPING;
    timer_start(&r->phase_timer, 0, 0);
}

/* ---- greeting ---- */

static int greet(struct redis *r, const struct span *parts, size_t count)
{
    return send_parts(r, parts, count, 0, true, NULL, NULL);
}

static void begin_greeting(struct redis *r)
{
    char db[16];
    int code = 0;
    r->phase = REDIS_GREETING;
    if (r->password) {
        struct span with_user[] = {SPAN("AUTH"), span_of(r->user), span_of(r->password)};
        struct span without[] = {SPAN("AUTH"), span_of(r->password)};
        code = r->user ? greet(r, with_user, 3) : greet(r, without, 2);
    }
    (void)snprintf(db, sizeof db, "%d", r->config.db);
    struct span select[] = {SPAN("SELECT"), span_of(db)};
    if (code == 0)
        code =
            greet(r, select, 2); /* also without a choice: there is always one answer to wait for */
    for (const struct redis_script *s = r->scripts; s && s->name && code == 0; s++) {
        struct span load[] = {SPAN("SCRIPT"), SPAN("LOAD"), span_of(s->text)};
        code = greet(r, load, 3);
    }
    if (code < 0)
        drop(r, "no memory for the greeting");
}

/* An answer to the greeting; when it was the last one, the connection is up. */
static void greeted(struct redis *r, const struct resp *reply)
{
    if (reply->type == RESP_ERROR) {
        char why[160];
        (void)snprintf(why, sizeof why, "%.*s", SPAN_ARG(reply->text));
        drop(r, why);
        return;
    }
    if (r->pending)
        return;
    timer_stop(&r->phase_timer);
    r->phase = REDIS_UP;
    r->up_since = loop_now(r->loop);
    log_info(r->log, "redis_up", "host=%s port=%d", r->host, r->config.port);
    if (r->events.up)
        r->events.up(r->events.arg);
}

/* ---- bytes ---- */

static void answer(struct redis *r, const struct resp *reply)
{
    struct command *c = r->oldest;
    if (!c) {
        drop(r, "a reply that nobody asked for");
        return;
    }
    r->oldest = c->next;
    if (!r->oldest)
        r->newest = &r->oldest;
    r->pending--;
    bool unknown = reply->type == RESP_ERROR && reply->text.len >= 8 &&
                   memcmp(reply->text.ptr, "NOSCRIPT", 8) == 0;
    if (unknown && c->script != NO_SCRIPT && send_text(r, c))
        return;
    bool greeting = c->greeting;
    redis_reply_fn *fn = c->fn;
    void *arg = c->arg;
    free(c);
    if (greeting)
        greeted(r, reply);
    else if (fn)
        fn(arg, 0, reply);
}

/* Hands out every whole reply. False: the connection is not the same any more. */
static bool answer_all(struct redis *r, uint64_t connection)
{
    const struct resp *reply;
    int code;
    while ((code = redis_reply_next(r->reader, &reply)) == 1) {
        answer(r, reply);
        if (r->dead || r->connection != connection)
            return false;
        if (r->phase == REDIS_DROPPING)
            return true; /* the rest fails in a moment */
    }
    if (code < 0) {
        drop(r, code == BERTH_EFULL ? "a reply over the limit" : "not the Redis protocol");
        return false;
    }
    return true;
}

static void receive(struct redis *r)
{
    char bytes[READ_BYTES];
    uint64_t connection = r->connection;
    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t n = read(r->fd, bytes, sizeof bytes);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            drop(r, n == 0 ? "closed by Redis" : strerror(errno));
            return;
        }
        if (redis_reply_feed(r->reader, bytes, (size_t)n) < 0) {
            drop(r, "not the Redis protocol");
            return;
        }
        if (!answer_all(r, connection) || (size_t)n < sizeof bytes)
            return;
    }
}

static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    struct redis *r = w->data;
    enter(r);
    receive(r);
    leave(r);
}

static void write_out(struct redis *r)
{
    ev_prepare_stop(loop_ev(r->loop), &r->flush);
    while (r->fd >= 0 && r->out.sent < r->out.len) {
        ssize_t n = write(r->fd, r->out.text + r->out.sent, r->out.len - r->out.sent);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0) {
            drop(r, strerror(errno));
            break;
        }
        r->out.sent += (size_t)n;
    }
    if (r->out.sent == r->out.len) {
        r->out.sent = r->out.len = 0;
        ev_io_stop(loop_ev(r->loop), &r->writable);
    }
}

static void on_turn_end(struct ev_loop *ev, ev_prepare *w, int events)
{
    struct redis *r = w->data;
    enter(r);
    write_out(r);
    leave(r);
}

static void on_writable(struct ev_loop *ev, ev_io *w, int events)
{
    struct redis *r = w->data;
    enter(r);
    int error = r->phase == REDIS_CONNECTING ? redis_socket_error(r->fd) : 0;
    if (error) {
        drop(r, strerror(error));
    } else {
        if (r->phase == REDIS_CONNECTING)
            begin_greeting(r);
        write_out(r);
    }
    leave(r);
}

/* ---- connecting ---- */

static void connect_to(struct redis *r, const char *address)
{
    struct err err = {0};
    r->phase = REDIS_CONNECTING;
    int fd = redis_socket_open(address, r->config.port, &err);
    if (fd < 0) {
        drop(r, err.text);
        return;
    }
    r->fd = fd;
    ev_io_set(&r->readable, fd, EV_READ);
    ev_io_set(&r->writable, fd, EV_WRITE);
    ev_io_start(loop_ev(r->loop), &r->readable);
    ev_io_start(loop_ev(r->loop), &r->writable);
}

/* Nobody else's code runs in here: there are no commands yet, so the resolver is not destroyed
 * under its own callback. */
static void on_resolved(void *arg, int code, const struct resolve_answer *found,
                        const struct err *err)
{
    struct redis *r = arg;
    r->question = NULL;
    if (code < 0)
        drop(r, err->text);
    else
        connect_to(r, found->addresses[r->attempts % found->count]);
}

static void start_connecting(struct redis *r)
{
    struct err err = {0};
    redis_reply_reader_destroy(r->reader);
    r->reader = redis_reply_reader_create();
    if (!r->reader) {
        drop(r, "out of memory");
        return;
    }
    timer_start(&r->phase_timer, r->config.connect_timeout_ms, 0);
    if (!r->resolver) {
        connect_to(r, r->host);
        return;
    }
    r->phase = REDIS_RESOLVING;
    r->question =
        resolve_start(r->resolver, r->host, r->config.connect_timeout_ms, on_resolved, r, &err);
    if (!r->question)
        drop(r, err.text);
}

static void on_phase_timer(void *arg)
{
    struct redis *r = arg;
    enter(r);
    if (r->phase == REDIS_WAITING)
        start_connecting(r);
    else if (r->phase == REDIS_DROPPING)
        drop(r, r->why);
    else
        drop(r, r->phase == REDIS_RESOLVING    ? "resolve timeout"
                : r->phase == REDIS_CONNECTING ? "connect timeout"
                                               : "greeting timeout");
    leave(r);
}

static void on_deadline(void *arg)
{
    struct redis *r = arg;
    uint64_t connection = r->connection;
    enter(r);
    /* If it was us who did not run for a while, the answer may be waiting in the socket. */
    if (r->oldest && !mono_before(loop_now(r->loop), r->oldest->deadline))
        receive(r);
    /* enter() keeps it alive until leave(), which the analyzer loses sight of. */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    if (!r->dead && r->connection == connection && r->oldest) {
        if (mono_before(loop_now(r->loop), r->oldest->deadline))
            timer_at(&r->deadline_timer, r->oldest->deadline);
        else
            drop(r, "command timeout");
    }
    leave(r); /* NOLINT(clang-analyzer-unix.Malloc): as above */
}

/* ---- create and destroy ---- */

static char *copy_text(const char *text, bool *ok)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        *ok = false;
    return copy;
}

struct redis *redis_create(struct loop *loop, struct log *log, const struct redis_config *config,
                           const struct redis_script *scripts, const struct redis_events *events,
                           struct err *err)
{
    if (!config->host || config->host[0] == '\0') {
        err_set(err, BERTH_EINVAL, "redis.host: must not be empty");
        return NULL;
    }
    struct redis *r = calloc(1, sizeof *r);
    bool ok = r != NULL;
    if (r) {
        r->host = copy_text(config->host, &ok);
        r->user = copy_text(config->user, &ok);
        r->password = copy_text(config->password, &ok);
    }
    if (!ok) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        if (r)
            free_all(r);
        return NULL;
    }
    if (!redis_socket_address_ok(r->host)) {
        r->resolver = r->host[0] == '/' ? NULL : resolver_create(loop, err);
        if (r->host[0] == '/')
            err_set(err, BERTH_EINVAL, "redis.host '%s': this path is too long for a socket",
                    r->host);
        if (!r->resolver) {
            free_all(r);
            return NULL;
        }
    }
    r->loop = loop;
    r->log = log;
    r->config = *config;
    if (r->config.connect_timeout_ms <= 0)
        r->config.connect_timeout_ms = 1000;
    if (r->config.command_timeout_ms <= 0)
        r->config.command_timeout_ms = 1000;
    if (r->config.pending_max == 0)
        r->config.pending_max = 65536;
    r->scripts = scripts;
    if (events)
        r->events = *events;
    r->fd = -1;
    r->newest = &r->oldest;
    rng_seed(&r->rng, (uint64_t)loop_wall_us() ^ ((uint64_t)getpid() << 40));
    ev_init(&r->readable, on_readable);
    ev_init(&r->writable, on_writable);
    ev_prepare_init(&r->flush, on_turn_end);
    r->readable.data = r->writable.data = r->flush.data = r;
    timer_init(&r->phase_timer, loop, on_phase_timer, r);
    timer_init(&r->deadline_timer, loop, on_deadline, r);
    r->phase = REDIS_WAITING;
    timer_start(&r->phase_timer, 0, 0); /* never from within this call */
    return r;
}

void redis_destroy(struct redis *r)
{
    if (!r || r->dead)
        return;
    enter(r);
    r->dead = true;
    r->phase = REDIS_WAITING;
    close_socket(r);
    fail_pending(r);
    leave(r);
}

bool redis_is_up(const struct redis *r)
{
    return r->phase == REDIS_UP && !r->dead;
}

/* redis_link.c - connect, greet, send, receive, end. hiredis parses (io/redis_reply.c); the socket,
 * the queue and the deadlines are ours. */
#include "io/redis_link_parts.h"

#include "io/redis_socket.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (64u << 10)
#define READS_PER_TURN 16 /* then others of the loop get their turn */
/* ---- memory and life ---- */

static void free_all(struct redis_link *l)
{
    redis_commands_free(&l->waiting);
    redis_commands_free(&l->greeting);
    redis_out_fini(&l->out);
    redis_out_fini(&l->cipher);
    redis_reply_reader_destroy(l->reader);
    secure_free(l->secure);
    free(l);
}

static void enter(struct redis_link *l)
{
    l->busy++;
}

static void leave(struct redis_link *l)
{
    if (--l->busy == 0 && l->dead)
        free_all(l);
}

static void close_socket(struct redis_link *l)
{
    struct ev_loop *ev = loop_ev(l->config.loop);
    ev_io_stop(ev, &l->readable);
    ev_io_stop(ev, &l->writable);
    ev_prepare_stop(ev, &l->flush);
    timer_stop(&l->phase_timer);
    timer_stop(&l->deadline_timer);
    if (l->question)
        resolve_cancel(l->question);
    l->question = NULL;
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
}

/* Commands that were given up must not arrive later: while a way is cut the kernel keeps what was
 * written and delivers it when the way is back, long after the socket was closed, and after
 * whatever was said over the next one. A reset throws it away. */
static void give_up_unsent(const struct redis_link *l)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (l->fd >= 0 && l->waiting.count > 0)
        (void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void redis_link_end(struct redis_link *l, const char *why)
{
    char text[WHY_MAX];
    if (l->phase == ENDED || l->dead)
        return;
    (void)snprintf(text, sizeof text, "%s", why); /* why may live in what is closed now */
    give_up_unsent(l);
    close_socket(l);
    l->phase = ENDED;
    enter(l);
    l->events.ended(l->events.arg, text);
    leave(l);
}

/* The same at the next turn of the loop. */
static void end_soon(struct redis_link *l, const char *why)
{
    (void)snprintf(l->why, sizeof l->why, "%.190s", why);
    l->phase = ENDING;
    timer_start(&l->phase_timer, 0, 0);
}

void redis_link_destroy(struct redis_link *l)
{
    if (!l || l->dead)
        return;
    enter(l);
    l->dead = true;
    l->phase = ENDED;
    close_socket(l);
    leave(l);
}

/* ---- commands out ---- */

void redis_link_wake(struct redis_link *l)
{
    /* The commands of one turn leave in one write at its end, without asking whether the socket is
     * writable; a command that comes after `flush` has had its turn waits for `writable`. */
    ev_prepare_start(loop_ev(l->config.loop), &l->flush);
    ev_io_start(loop_ev(l->config.loop), &l->writable);
}

bool redis_link_send(struct redis_link *l, struct redis_command *c)
{
    if (l->phase != UP || l->dead || !redis_command_format(c, l->config.scripts, &l->out))
        return false;
    /* Replies come in order, so nobody is late before the one in front of it is. */
    if (l->waiting.last && mono_before(c->deadline, l->waiting.last->deadline))
        c->deadline = l->waiting.last->deadline;
    redis_commands_add(&l->waiting, c);
    if (!timer_active(&l->deadline_timer))
        timer_at(&l->deadline_timer, c->deadline);
    redis_link_wake(l);
    return true;
}

bool redis_link_send_asking(struct redis_link *l, struct redis_command *c)
{
    struct span word = SPAN("ASKING");
    if (l->phase != UP || l->dead)
        return false;
    struct redis_command *asking = redis_command_new(&word, 1);
    if (!asking)
        return false;
    asking->deadline = c->deadline;
    asking->tag = FOR_ASKING;
    asking->fn = NULL;
    asking->arg = l; /* ours */
    if (!redis_link_send(l, asking)) {
        free(asking);
        return false;
    }
    l->askings++;
    return redis_link_send(l, c);
}

size_t redis_link_pending(const struct redis_link *l)
{
    return l->waiting.count - l->askings;
}

void redis_link_take(struct redis_link *l, struct redis_commands *to)
{
    struct redis_command *c;
    while ((c = redis_commands_take(&l->waiting)) != NULL) {
        if (c->arg == l && c->tag == FOR_ASKING)
            free(c);
        else
            redis_commands_add(to, c);
    }
    l->askings = 0;
}

const char *redis_link_address(const struct redis_link *l)
{
    return l->address;
}

bool redis_link_is_up(const struct redis_link *l)
{
    return l->phase == UP && !l->dead;
}

/* ---- bytes in ---- */

static void answer(struct redis_link *l, const struct resp *reply)
{
    struct redis_command *c = redis_commands_take(&l->greeting);
    if (c) {
        enum purpose purpose = (enum purpose)c->tag;
        free(c);
        redis_greet_answer(l, purpose, reply);
        return;
    }
    c = redis_commands_take(&l->waiting);
    if (!c && l->events.push && l->phase == UP) {
        l->events.push(l->events.arg, reply);
    } else if (!c) {
        redis_link_end(l, "a reply that nobody asked for");
    } else if (c->arg == l && c->tag == FOR_ASKING) {
        l->askings--;
        free(c);
    } else {
        l->events.answer(l->events.arg, c, reply);
    }
}

/* Hands out every whole reply. False: it has ended. */
static bool answer_all(struct redis_link *l)
{
    const struct resp *reply;
    int code;
    while ((code = redis_reply_next(l->reader, &reply)) == 1) {
        answer(l, reply);
        if (l->phase == ENDED)
            return false;
        if (l->phase == ENDING)
            return true; /* the rest fails in a moment */
    }
    if (code < 0) {
        redis_link_end(l,
                       code == BERTH_EFULL ? "a reply over the limit" : "not the Redis protocol");
        return false;
    }
    return true;
}

static bool understand(struct redis_link *l, const char *bytes, size_t len)
{
    if (redis_reply_feed(l->reader, bytes, len) < 0) {
        redis_link_end(l, "not the Redis protocol");
        return false;
    }
    return answer_all(l);
}

/* Encrypted bytes. False: it has ended. */
static bool decrypt(struct redis_link *l, const char *bytes, size_t len)
{
    char plain[SECURE_RECORD];
    struct err err = {0};
    if (!secure_put(l->secure, bytes, len)) {
        redis_link_end(l, "out of memory");
        return false;
    }
    if (!secure_is_up(l->secure)) {
        int done = secure_handshake(l->secure, &err);
        if (done < 0) {
            redis_link_end(l, err.text);
            return false;
        }
        redis_link_wake(l); /* what the handshake has to say */
        if (done == 0)
            return true;
        redis_greet_begin(l);
    }
    while (l->phase != ENDED) {
        int n = secure_read(l->secure, plain, sizeof plain);
        if (n == 0)
            return true;
        if (n < 0)
            redis_link_end(l, "closed by Redis");
        else if (!understand(l, plain, (size_t)n))
            return false;
    }
    return false;
}

static void receive(struct redis_link *l)
{
    char bytes[READ_BYTES];
    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t n = read(l->fd, bytes, sizeof bytes);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            redis_link_end(l, n == 0 ? "closed by Redis" : strerror(errno));
            return;
        }
        bool on = l->secure ? decrypt(l, bytes, (size_t)n) : understand(l, bytes, (size_t)n);
        if (!on || (size_t)n < sizeof bytes)
            return;
    }
}

static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    struct redis_link *l = w->data;
    enter(l);
    receive(l);
    leave(l);
}

/* ---- bytes out ---- */

/* Plain bytes become encrypted ones. False: no room, or TLS has ended. */
static bool encrypt(struct redis_link *l)
{
    while (secure_is_up(l->secure) && l->out.sent < l->out.len) {
        int n = secure_write(l->secure, l->out.text + l->out.sent, l->out.len - l->out.sent);
        if (n < 0)
            return false;
        l->out.sent += (size_t)n;
    }
    if (l->out.sent == l->out.len)
        l->out.sent = l->out.len = 0;
    size_t more = secure_waiting(l->secure);
    if (!redis_out_reserve(&l->cipher, more))
        return false;
    l->cipher.len += secure_take(l->secure, l->cipher.text + l->cipher.len, more);
    return true;
}

static void write_out(struct redis_link *l)
{
    struct redis_out *out = l->secure ? &l->cipher : &l->out;
    ev_prepare_stop(loop_ev(l->config.loop), &l->flush);
    if (l->fd < 0 || l->phase == CONNECTING)
        return;
    if (l->secure && !encrypt(l)) {
        redis_link_end(l, "TLS could not write");
        return;
    }
    while (l->fd >= 0 && out->sent < out->len) {
        ssize_t n = write(l->fd, out->text + out->sent, out->len - out->sent);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0) {
            redis_link_end(l, strerror(errno));
            return;
        }
        out->sent += (size_t)n;
    }
    if (out->sent == out->len) {
        out->sent = out->len = 0;
        ev_io_stop(loop_ev(l->config.loop), &l->writable);
    }
}

static void on_turn_end(struct ev_loop *ev, ev_prepare *w, int events)
{
    struct redis_link *l = w->data;
    enter(l);
    write_out(l);
    leave(l);
}

/* The TLS handshake begins with us. */
static void begin_secure(struct redis_link *l)
{
    const char *name =
        l->config.redis->server_name ? l->config.redis->server_name : l->config.place.host;
    struct err err = {0};
    l->phase = SECURING;
    l->secure = secure_connect(l->config.secure, name, true);
    if (!l->secure || secure_handshake(l->secure, &err) < 0)
        redis_link_end(l, l->secure ? err.text : "TLS: out of memory");
    else
        redis_link_wake(l);
}

static void on_writable(struct ev_loop *ev, ev_io *w, int events)
{
    struct redis_link *l = w->data;
    enter(l);
    int error = l->phase == CONNECTING ? redis_socket_error(l->fd) : 0;
    if (error) {
        redis_link_end(l, strerror(error));
    } else {
        if (l->phase == CONNECTING && l->config.secure)
            begin_secure(l);
        else if (l->phase == CONNECTING)
            redis_greet_begin(l);
        if (l->phase != ENDED)
            write_out(l);
    }
    leave(l);
}

/* ---- connecting ---- */

static void connect_to(struct redis_link *l, const char *address)
{
    struct err err = {0};
    (void)snprintf(l->address, sizeof l->address, "%s", address);
    l->phase = CONNECTING;
    int fd = redis_socket_open(address, l->config.place.port, &err);
    if (fd < 0) {
        end_soon(l, err.text);
        return;
    }
    l->fd = fd;
    ev_io_set(&l->readable, fd, EV_READ);
    ev_io_set(&l->writable, fd, EV_WRITE);
    ev_io_start(loop_ev(l->config.loop), &l->readable);
    ev_io_start(loop_ev(l->config.loop), &l->writable);
}

static void on_resolved(void *arg, int code, const struct resolve_answer *found,
                        const struct err *err)
{
    struct redis_link *l = arg;
    l->question = NULL;
    if (code < 0)
        end_soon(l, err->text); /* not under the resolver's feet: who hears of it may destroy it */
    else
        connect_to(l, found->addresses[l->config.attempt % found->count]);
}

static void start(struct redis_link *l)
{
    const char *host = l->config.place.host;
    struct err err = {0};
    timer_start(&l->phase_timer, l->config.limit_ms, 0);
    if (redis_socket_address_ok(host)) {
        connect_to(l, host);
        return;
    }
    l->phase = RESOLVING;
    l->question = resolve_start(l->config.resolver, host, l->config.limit_ms, on_resolved, l, &err);
    if (!l->question)
        redis_link_end(l, err.text);
}

static void on_phase_timer(void *arg)
{
    struct redis_link *l = arg;
    enter(l);
    if (l->phase == STARTING)
        start(l);
    else if (l->phase == ENDING)
        redis_link_end(l, l->why);
    else
        redis_link_end(l, l->phase == RESOLVING    ? "resolve timeout"
                          : l->phase == CONNECTING ? "connect timeout"
                          : l->phase == SECURING   ? "TLS timeout"
                                                   : "greeting timeout");
    leave(l);
}

static void on_deadline(void *arg)
{
    struct redis_link *l = arg;
    enter(l);
    /* If it was us who did not run for a while, the answer may be waiting in the socket. */
    if (l->waiting.first && !mono_before(loop_now(l->config.loop), l->waiting.first->deadline))
        receive(l);
    if (l->phase == UP && l->waiting.first) {
        if (mono_before(loop_now(l->config.loop), l->waiting.first->deadline))
            timer_at(&l->deadline_timer, l->waiting.first->deadline);
        else
            redis_link_end(l, "command timeout");
    }
    leave(l);
}

struct redis_link *redis_link_create(const struct redis_link_config *config,
                                     const struct redis_link_events *events)
{
    struct redis_link *l = calloc(1, sizeof *l);
    struct redis_reply_reader *reader = l ? redis_reply_reader_create() : NULL;
    if (!reader) {
        free(l);
        return NULL;
    }
    l->config = *config;
    l->events = *events;
    l->reader = reader;
    l->fd = -1;
    ev_init(&l->readable, on_readable);
    ev_init(&l->writable, on_writable);
    ev_prepare_init(&l->flush, on_turn_end);
    l->readable.data = l->writable.data = l->flush.data = l;
    timer_init(&l->phase_timer, config->loop, on_phase_timer, l);
    timer_init(&l->deadline_timer, config->loop, on_deadline, l);
    timer_start(&l->phase_timer, 0, 0); /* never from within this call */
    return l;
}

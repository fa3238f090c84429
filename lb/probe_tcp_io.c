/* probe_tcp_io.c - kind tcp: somebody accepts connections where players connect. A socket that is
 * held is closed by the kernel when its process ends. */
#include "io/redis_socket.h"
#include "lb/probe_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void on_io(struct ev_loop *ev, ev_io *io, int events)
{
    struct probe *p = io->data;
    char waste[4096];
    if (!p->held) {
        int error = redis_socket_error(p->fd);
        if (error != 0) {
            probe_end(p, false, error == ECONNREFUSED ? "refused" : "unreachable");
            return;
        }
        ev_io_stop(ev, io);
        ev_io_set(io, p->fd, EV_READ);
        ev_io_start(ev, io);
        probe_end(p, true, "ok");
        return;
    }
    ssize_t n = recv(p->fd, waste, sizeof waste, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        probe_end(p, false, "closed");
}

static void on_address(void *arg, int code, const struct resolve_answer *answer,
                       const struct err *err)
{
    struct probe *p = arg;
    struct err why = {0};
    p->resolve = NULL;
    if (code == 0)
        p->fd = redis_socket_open(answer->addresses[0], (int)p->step, &why);
    if (code < 0 || p->fd < 0) {
        p->fd = -1;
        probe_end(p, false, code < 0 ? err_word(code) : "unreachable");
        return;
    }
    ev_io_init(&p->io, on_io, p->fd, EV_WRITE);
    p->io.data = p;
    ev_io_start(loop_ev(p->owner->app->loop), &p->io);
}

/* "scheme://host:port/path", "host:port", "[v6]:port"; without a port that of the scheme. */
static bool parse(const char *url, char *host, size_t size, unsigned *ret_port)
{
    const char *at = strstr(url, "://");
    bool tls = strncmp(url, "wss:", 4) == 0 || strncmp(url, "https:", 6) == 0;
    unsigned long port = tls ? 443 : 80;
    at = at == NULL ? url : at + 3;
    size_t len = strcspn(at, "/?");
    size_t name = *at == '[' ? strcspn(at, "]") : strcspn(at, ":/?");
    const char *rest = at + name + (*at == '[');
    if (rest < at + len && *rest == ':')
        port = strtoul(rest + 1, NULL, 10);
    struct span text = *at == '[' ? (struct span){at + 1, name - 1} : (struct span){at, name};
    *ret_port = (unsigned)port;
    return name > 0 && port > 0 && port < 65536 && span_copy(text, host, size);
}

static bool start_tcp(struct probe *p, const struct probe_settings *s, struct err *err)
{
    char host[256];
    if (!parse(p->url, host, sizeof host, &p->step)) {
        (void)err_set(err, BERTH_EINVAL, "must be scheme://host:port or host:port");
        return false;
    }
    p->resolve = resolve_start(p->owner->resolver, host, s->timeout_ms, on_address, p, err);
    return p->resolve != NULL;
}

const struct probe_way probe_tcp = {.start = start_tcp};

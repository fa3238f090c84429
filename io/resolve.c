/* resolve.c - c-ares on libev. */
#include "io/resolve.h"

#include "core/span.h"

#include <ares.h>
#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <stdlib.h>
#include <strings.h>

struct socket_watch {
    ev_io ev;
    ares_socket_t fd;
    struct resolver *resolver;
    struct socket_watch *next;
};

struct resolver {
    struct loop *loop;
    ares_channel channel;
    struct socket_watch *sockets;
    struct timer retry; /* c-ares's own timeouts */
    struct resolve *questions;
};

struct resolve {
    struct resolver *resolver;
    struct resolve *next, **link;
    struct timer timer; /* the deadline of the whole question; for numeric names: the next turn of
                           the loop */
    int64_t timeout_ms;
    resolve_fn *fn; /* NULL: cancelled or answered, c-ares still holds it */
    void *arg;
    bool asked;   /* c-ares has it and will call back exactly once */
    bool numeric; /* the name is the answer */
    char name[256];
};

/* ---- c-ares's sockets and timeouts ---- */

static void rearm(struct resolver *resolver)
{
    struct timeval wait;
    if (ares_timeout(resolver->channel, NULL, &wait))
        timer_start(&resolver->retry, (int64_t)wait.tv_sec * 1000 + wait.tv_usec / 1000 + 1, 0);
    else
        timer_stop(&resolver->retry);
}

static void on_retry(void *arg)
{
    struct resolver *resolver = arg;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    rearm(resolver);
}

static void on_socket(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct socket_watch *watch = watcher->data;
    struct resolver *resolver = watch->resolver; /* the watch may be freed by c-ares's call below */
    ares_process_fd(resolver->channel, events & EV_READ ? watch->fd : ARES_SOCKET_BAD,
                    events & EV_WRITE ? watch->fd : ARES_SOCKET_BAD);
    rearm(resolver);
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = arg;
    struct ev_loop *ev = loop_ev(resolver->loop);
    struct socket_watch **at = &resolver->sockets;
    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    struct socket_watch *watch = *at;
    if (watch)
        ev_io_stop(ev, &watch->ev);
    if (!readable && !writable) {
        if (watch) {
            *at = watch->next;
            free(watch);
        }
        return;
    }
    if (!watch) {
        watch = calloc(1, sizeof *watch);
        if (!watch)
            return; /* the question then ends by its deadline */
        *watch = (struct socket_watch){.fd = fd, .resolver = resolver, .next = resolver->sockets};
        resolver->sockets = watch;
        ev_init(&watch->ev, on_socket);
        watch->ev.data = watch;
    }
    ev_io_set(&watch->ev, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    ev_io_start(ev, &watch->ev);
}

struct resolver *resolver_create(struct loop *loop, struct err *err)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    struct ares_options options = {.sock_state_cb = on_socket_state,
                                   .sock_state_cb_data = resolver,
                                   .timeout = 1000,
                                   .tries = 3};
    int rc = ares_library_init(ARES_LIB_INIT_ALL);
    if (rc == ARES_SUCCESS)
        rc = ares_init_options(&resolver->channel, &options,
                               ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (rc != ARES_SUCCESS) {
        err_set(err, BERTH_ESYS, "the resolver cannot start: %s", ares_strerror(rc));
        free(resolver);
        return NULL;
    }
    resolver->loop = loop;
    timer_init(&resolver->retry, loop, on_retry, resolver);
    return resolver;
}

int resolver_use_servers(struct resolver *resolver, const char *servers, struct err *err)
{
    int rc = ares_set_servers_ports_csv(resolver->channel, servers);
    if (rc != ARES_SUCCESS)
        return err_set(err, BERTH_EINVAL, "name servers %s: %s", servers, ares_strerror(rc));
    return 0;
}

/* ---- questions ---- */

static void unlink_question(struct resolve *question)
{
    *question->link = question->next;
    if (question->next)
        question->next->link = question->link;
    timer_stop(&question->timer);
}

/* Hand out the answer. Frees the question unless c-ares still holds it: its callback does then. */
static void finish(struct resolve *question, int code, const struct resolve_answer *answer,
                   const struct err *err)
{
    resolve_fn *fn = question->fn;
    void *arg = question->arg;
    unlink_question(question);
    question->fn = NULL;
    if (!question->asked)
        free(question);
    fn(arg, code, answer, err);
}

static void fail(struct resolve *question, int code, const char *why)
{
    struct err err = {0};
    err_set(&err, code, "%s: %s", question->name, why);
    finish(question, code, NULL, &err);
}

static int collect(const struct ares_addrinfo *info, struct resolve_answer *ret_answer)
{
    ret_answer->count = 0;
    for (const struct ares_addrinfo_node *node = info->nodes;
         node && ret_answer->count < RESOLVE_ADDRESSES_MAX; node = node->ai_next) {
        const void *address =
            node->ai_family == AF_INET
                ? (const void *)&((const struct sockaddr_in *)(const void *)node->ai_addr)->sin_addr
            : node->ai_family == AF_INET6
                ? (const void *)&((const struct sockaddr_in6 *)(const void *)node->ai_addr)
                      ->sin6_addr
                : NULL;
        char *to = ret_answer->addresses[ret_answer->count];
        if (address && inet_ntop(node->ai_family, address, to, sizeof ret_answer->addresses[0]))
            ret_answer->count++;
    }
    return ret_answer->count ? 0 : BERTH_ENOENT;
}

static int code_of(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME:
    case ARES_EBADNAME:
        return BERTH_ENOENT;
    case ARES_ETIMEOUT:
        return BERTH_ETIMEOUT;
    case ARES_ENOMEM:
        return BERTH_ENOMEM;
    default:
        return BERTH_ESYS;
    }
}

/* localhost and what ends in .localhost are this machine (RFC 6761, section 6.3), also where no
 * hosts file says so: in a bare container, say. */
static bool is_localhost(const char *name)
{
    size_t len = strlen(name), tail = sizeof ".localhost" - 1;
    return strcasecmp(name, "localhost") == 0 ||
           (len > tail && strcasecmp(name + len - tail, ".localhost") == 0);
}

static const struct resolve_answer loopback = {.count = 1, .addresses = {"127.0.0.1"}};

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct resolve *question = arg;
    struct resolve_answer answer;
    question->asked = false;
    if (!question->fn) {
        free(question);
    } else if (status != ARES_SUCCESS && is_localhost(question->name)) {
        finish(question, 0, &loopback, NULL);
    } else if (status != ARES_SUCCESS) {
        fail(question, code_of(status), ares_strerror(status));
    } else if (collect(info, &answer) < 0) {
        fail(question, BERTH_ENOENT, "has no address");
    } else {
        finish(question, 0, &answer, NULL);
    }
    if (info)
        ares_freeaddrinfo(info);
}

static void on_timer(void *arg)
{
    struct resolve *question = arg;
    struct resolve_answer answer = {.count = 1};
    if (!question->numeric && is_localhost(question->name)) {
        finish(question, 0, &loopback, NULL);
        return;
    }
    if (!question->numeric) {
        fail(question, BERTH_ETIMEOUT, "no answer from the name servers in time");
        return;
    }
    if (span_copy(span_of(question->name), answer.addresses[0], sizeof answer.addresses[0]))
        finish(question, 0, &answer, NULL);
    else
        fail(question, BERTH_EINVAL, "is too long for an address");
}

/* The first turn of the loop after resolve_start(): c-ares may answer from /etc/hosts within the
 * call, which must not happen within ours. */
static void on_ask(void *arg)
{
    struct resolve *question = arg;
    struct resolver *resolver = question->resolver;
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    question->asked = true;
    timer_init(&question->timer, resolver->loop, on_timer, question);
    timer_start(&question->timer, question->timeout_ms, 0);
    ares_getaddrinfo(resolver->channel, question->name, NULL, &hints, on_answer, question);
    rearm(resolver);
}

struct resolve *resolve_start(struct resolver *resolver, const char *name, int64_t timeout_ms,
                              resolve_fn *fn, void *arg, struct err *err)
{
    size_t len = strlen(name);
    unsigned char address[16];
    if (len < 1 || len > 253) {
        err_set(err, BERTH_EINVAL, "a host name must be of 1..253 bytes, not %zu", len);
        return NULL;
    }
    struct resolve *question = calloc(1, sizeof *question);
    if (!question) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    *question = (struct resolve){.resolver = resolver,
                                 .timeout_ms = timeout_ms > 0 ? timeout_ms : 2000,
                                 .fn = fn,
                                 .arg = arg,
                                 .next = resolver->questions,
                                 .link = &resolver->questions};
    memcpy(question->name, name, len + 1);
    question->numeric =
        inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    if (question->next)
        question->next->link = &question->next;
    resolver->questions = question;
    timer_init(&question->timer, resolver->loop, question->numeric ? on_timer : on_ask, question);
    timer_start(&question->timer, 0, 0);
    return question;
}

void resolve_cancel(struct resolve *question)
{
    unlink_question(question);
    question->fn = NULL;
    if (!question->asked)
        free(question);
}

void resolver_destroy(struct resolver *resolver)
{
    if (!resolver)
        return;
    struct resolve *question;
    while ((question = resolver->questions)) {
        fail(question, BERTH_ECLOSED, "the resolver is closing");
        assert(resolver->questions != question); /* it was unlinked */
    }
    ares_destroy(resolver->channel); /* calls back for what it still holds, closes its sockets */
    timer_stop(&resolver->retry);
    ares_library_cleanup();
    free(resolver);
}

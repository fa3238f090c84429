/* http_load.c - a closed-loop HTTP/1.1 load generator: N keep-alive connections, each with one
 * request under way.
 *
 *   http_load ADDRESS PORT PATH CONNECTIONS SECONDS IDLE [SECRET]
 *
 * Opens IDLE connections first, which ask once and then keep still, then CONNECTIONS that ask again
 * as soon as they have been answered, for 0.3 s unmeasured and SECONDS measured. Prints "measuring"
 * when it begins to, and at the end one line: requests, rate, p50, p90, p99 and max in
 * microseconds, and errors: answers other than 200 and broken connections. PATH may hold one %d:
 * the number of the request. Exit 1 on any error.
 *
 * With SECRET the answers are berth's: they are counted by node ("node NAME COUNT" lines, warming
 * up included), and every 1,000th ticket is verified (key k1, for the node that was named).
 */
#include "core/histogram.h"
#include "core/ticket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_MAX = 16 * 1024, EVENTS = 512, NODES_MAX = 64, VERIFY_EACH = 1000 };

struct peer {
    int fd;
    bool idle; /* asks once */
    size_t have;
    int64_t asked_us;
    char *in;
};

struct load {
    struct sockaddr_in addr;
    const char *path;
    int ep;
    long asked, answered, errors;
    int64_t from_us, until_us; /* measured in between */
    struct histogram latency;
    struct ticket_keys *keys; /* NULL: any answer will do */
    long whole, verified;
    struct {
        char name[64];
        long picks;
    } nodes[NODES_MAX];
};

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(2);
}

static void ask(struct load *l, struct peer *p)
{
    char request[512];
    char path[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(path, sizeof path, l->path, l->asked++);
#pragma GCC diagnostic pop
    int n = snprintf(
        request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: http_load\r\nAccept: */*\r\n\r\n", path);
    p->asked_us = now_us();
    if (send(p->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        l->errors++;
}

static void open_peer(struct load *l, struct peer *p, bool idle)
{
    int on = 1;
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    p->idle = idle;
    p->in = malloc(idle ? 1024 : IN_MAX);
    if (p->fd < 0 || !p->in || connect(p->fd, (struct sockaddr *)&l->addr, sizeof l->addr) < 0)
        die("connect");
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};
    if (epoll_ctl(l->ep, EPOLL_CTL_ADD, p->fd, &ev) < 0)
        die("epoll_ctl");
    ask(l, p);
}

/* Length of the first whole answer in hand, 0 if there is none yet; -1 if it is not a 200 with a
 * length. */
static long whole_answer(const char *in, size_t have)
{
    const char *end = memmem(in, have, "\r\n\r\n", 4);
    if (!end)
        return have < IN_MAX / 2 ? 0 : -1;
    const char *length = memmem(in, (size_t)(end - in) + 2, "\r\nContent-Length: ", 18);
    if (have < 12 || memcmp(in + 8, " 200", 4) != 0 || !length)
        return -1;
    long total = end + 4 - in + strtol(length + 18, NULL, 10);
    return (size_t)total <= have ? total : 0;
}

/* The text of a JSON member: `name` with its quotes and colon, as berth writes them. */
static struct span member(const char *in, size_t have, const char *name)
{
    const char *at = memmem(in, have, name, strlen(name));
    const char *text = at ? at + strlen(name) : in + have;
    const char *end = memchr(text, '"', (size_t)(in + have - text));
    return (struct span){text, end ? (size_t)(end - text) : 0};
}

/* Count whom the answer named; now and then verify its ticket. */
static void check_answer(struct load *l, const char *in, size_t have)
{
    struct span node = member(in, have, "\"node\":\"");
    size_t i = 0;
    while (i < NODES_MAX && l->nodes[i].name[0] && !span_is(node, l->nodes[i].name))
        i++;
    if (i == NODES_MAX || node.len == 0 ||
        !span_copy(node, l->nodes[i].name, sizeof l->nodes[i].name)) {
        l->errors++;
        return;
    }
    l->nodes[i].picks++;
    if (l->whole++ % VERIFY_EACH)
        return;
    struct ticket ticket;
    struct ticket_expect expect = {.node = node};
    struct err err = {0};
    enum ticket_refusal r =
        ticket_verify(l->keys, member(in, have, "\"ticket\":\""),
                      (wall_ms_t){(int64_t)time(NULL) * 1000}, &expect, &ticket, &err);
    l->verified++;
    if (r == TICKET_OK)
        return;
    (void)fprintf(stderr, "http_load: ticket of %.*s: %s: %s\n", SPAN_ARG(node),
                  ticket_refusal_word(r), err.text);
    l->errors++;
}

static void on_readable(struct load *l, struct peer *p, int64_t now)
{
    ssize_t n = recv(p->fd, p->in + p->have, (p->idle ? 1024 : IN_MAX) - p->have, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        l->errors++;
        (void)epoll_ctl(l->ep, EPOLL_CTL_DEL, p->fd, NULL);
        return;
    }
    p->have += (size_t)n;
    long len = whole_answer(p->in, p->have);
    if (len == 0)
        return;
    if (len < 0 || (size_t)len != p->have)
        l->errors++;
    else if (l->keys)
        check_answer(l, p->in, p->have);
    p->have = 0;
    if (p->idle)
        return;
    if (p->asked_us >= l->from_us && now < l->until_us) {
        histogram_record(&l->latency, now - p->asked_us);
        l->answered++;
    }
    if (now < l->until_us)
        ask(l, p);
}

static void run_until(struct load *l, int64_t end_us)
{
    struct epoll_event events[EVENTS];
    while (now_us() < end_us) {
        int n = epoll_wait(l->ep, events, EVENTS, 20);
        int64_t now = now_us();
        for (int i = 0; i < n; i++)
            on_readable(l, events[i].data.ptr, now);
    }
}

int main(int argc, char **argv)
{
    if (argc != 7 && argc != 8) {
        (void)fprintf(stderr,
                      "usage: http_load ADDRESS PORT PATH CONNECTIONS SECONDS IDLE [SECRET]\n");
        return 2;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    static struct load l;
    l.addr =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    if (inet_pton(AF_INET, argv[1], &l.addr.sin_addr) != 1)
        die(argv[1]);
    l.path = argv[3];
    size_t count = strtoul(argv[4], NULL, 10), idle = strtoul(argv[6], NULL, 10);
    double seconds = strtod(argv[5], NULL);
    struct err err = {0};
    struct ticket_key key = {.kid = SPAN("k1"), .secret = span_of(argc == 8 ? argv[7] : NULL)};
    if (argc == 8 && ticket_keys_create(&key, 1, &l.keys, &err) < 0)
        die(err.text);
    l.ep = epoll_create1(0);
    struct peer *peers = calloc(count + idle, sizeof *peers);
    if (l.ep < 0 || !peers)
        die("memory");
    l.from_us = l.until_us = INT64_MAX;
    for (size_t i = 0; i < idle; i++) {
        open_peer(&l, &peers[i], true);
        if (i % 100 == 99)
            run_until(&l, now_us() + 1000);
    }
    run_until(&l, now_us() + (idle ? 500000 : 0));
    for (size_t i = 0; i < count; i++)
        open_peer(&l, &peers[idle + i], false);
    run_until(&l, now_us() + 300000);
    (void)printf("measuring\n"); /* whoever looks at the server's CPU time begins here */
    (void)fflush(stdout);
    l.from_us = now_us();
    l.until_us = l.from_us + (int64_t)(seconds * 1e6);
    run_until(&l, l.until_us);
    for (size_t i = 0; i < count + idle; i++)
        free(peers[i].in);
    free(peers);
    for (size_t i = 0; i < NODES_MAX && l.nodes[i].name[0]; i++)
        (void)printf("node %s %ld\n", l.nodes[i].name, l.nodes[i].picks);
    (void)printf("requests=%ld rate=%.0f p50_us=%lu p90_us=%lu p99_us=%lu max_us=%lu errors=%ld "
                 "verified=%ld\n",
                 l.answered, (double)l.answered / seconds, histogram_quantile(&l.latency, 0.5),
                 histogram_quantile(&l.latency, 0.9), histogram_quantile(&l.latency, 0.99),
                 l.latency.max, l.errors, l.verified);
    return l.errors ? 1 : 0;
}

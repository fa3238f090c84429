/* room_load.c - matches for the endpoint API: POST rooms of 4 players each, every room a new one.
 *
 *   room_load PORT POOL TAG CONNECTIONS SECONDS RATE SECRET
 *
 * RATE 0: closed loop, each keep-alive connection asks again as soon as it was answered. Otherwise
 * open loop: one match is due each 1/RATE s whether or not the last one was answered, it waits for
 * a free connection if need be, and its latency counts from when it was due. 0.5 s unmeasured, then
 * SECONDS measured. Prints "measuring" when it begins to; at the end "room ID NODE" for every
 * 500th room, "node NAME COUNT", and one line of figures; latencies in microseconds.
 *
 * Every answer must be a 200 that names the room asked for, a node, and a ticket for each of the 4
 * players; each 500th has its tickets verified (key k1). Exit 1 when one was not, or a connection
 * broke, or a match was never answered.
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PLAYERS = 4,
    IN_MAX = 16 * 1024,
    EVENTS = 512,
    NODES_MAX = 64,
    SAMPLE_EACH = 500,
    SAMPLES_MAX = 4096,
    WARM_US = 500000,
    LAST_US = 2000000, /* for the answers still under way at the end */
};

struct peer {
    int fd;
    bool asking;
    size_t have;
    long number;    /* of the room it asks for */
    int64_t due_us; /* when it should have been asked for */
    char in[IN_MAX];
};

struct load {
    struct sockaddr_in addr;
    const char *pool, *tag;
    int ep;
    struct peer *peers;
    size_t count;
    struct peer **idle; /* a stack */
    size_t idle_count;
    double rate; /* 0: closed loop */
    int64_t begin_us, from_us, until_us;
    int64_t cpu_us; /* used before it was measured */
    long due, asked, answered, errors, verified, measured;
    struct histogram latency;
    struct ticket_keys *keys;
    struct {
        char name[64];
        long rooms;
    } nodes[NODES_MAX];
    struct {
        long number;
        char node[64];
    } samples[SAMPLES_MAX];
    size_t sample_count;
};

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(2);
}

static void wrong(struct load *l, const struct peer *p, const char *what)
{
    if (l->errors++ < 5)
        (void)fprintf(stderr, "room_load: room %ld: %s: %.*s\n", p->number, what,
                      (int)(p->have < 400 ? p->have : 400), p->in);
}

/* ---- asking ---- */

static void ask(struct load *l, struct peer *p, int64_t due_us)
{
    char body[512], request[1024];
    p->number = l->asked++;
    p->due_us = due_us;
    p->asking = true;
    int len =
        snprintf(body, sizeof body,
                 "{\"room\":\"%s-%ld\",\"players\":[\"%s-p%ld-0\",\"%s-p%ld-1\",\"%s-p%ld-2\","
                 "\"%s-p%ld-3\"]}",
                 l->tag, p->number, l->tag, p->number, l->tag, p->number, l->tag, p->number, l->tag,
                 p->number);
    int n = snprintf(request, sizeof request,
                     "POST /v1/pools/%s/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                     "application/json\r\nContent-Length: %d\r\n\r\n%s",
                     l->pool, len, body);
    if (send(p->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        wrong(l, p, "not sent");
}

/* Open loop: how many matches should have been asked for by now? */
static void ask_due(struct load *l, int64_t now)
{
    if (now > l->until_us)
        now = l->until_us;
    l->due = (long)((double)(now - l->begin_us) * l->rate / 1e6);
    while (l->asked < l->due && l->idle_count > 0)
        ask(l, l->idle[--l->idle_count],
            l->begin_us + (int64_t)((double)(l->asked + 1) * 1e6 / l->rate));
}

/* ---- answers ---- */

/* Length of the first whole answer in hand, 0 if there is none yet; -1 if it is not a 200 with a
 * length. */
static long whole_answer(const char *in, size_t have, const char **ret_body)
{
    const char *end = memmem(in, have, "\r\n\r\n", 4);
    if (!end)
        return have < IN_MAX / 2 ? 0 : -1;
    const char *length = memmem(in, (size_t)(end - in) + 2, "\r\nContent-Length: ", 18);
    if (have < 12 || memcmp(in + 8, " 200", 4) != 0 || !length)
        return -1;
    *ret_body = end + 4;
    long total = end + 4 - in + strtol(length + 18, NULL, 10);
    return (size_t)total <= have ? total : 0;
}

/* The text of a JSON member: `name` with its quotes and colon, as berth writes them. */
static struct span member(struct span in, const char *name)
{
    const char *at = memmem(in.ptr, in.len, name, strlen(name));
    const char *text = at ? at + strlen(name) : in.ptr + in.len;
    const char *end = memchr(text, '"', (size_t)(in.ptr + in.len - text));
    return (struct span){text, end ? (size_t)(end - text) : 0};
}

static bool verify(struct load *l, struct span room, struct span node, struct span player,
                   struct span token)
{
    struct ticket ticket;
    struct err err = {0};
    struct ticket_expect expect = {.node = node, .pool = span_of(l->pool)};
    enum ticket_refusal r = ticket_verify(l->keys, token, (wall_ms_t){(int64_t)time(NULL) * 1000},
                                          &expect, &ticket, &err);
    l->verified++;
    if (r != TICKET_OK)
        (void)fprintf(stderr, "room_load: ticket: %s: %s\n", ticket_refusal_word(r), err.text);
    return r == TICKET_OK && span_is(room, ticket.room) && span_is(player, ticket.player);
}

static void count_node(struct load *l, struct peer *p, struct span node)
{
    size_t i = 0;
    while (i < NODES_MAX && l->nodes[i].name[0] && !span_is(node, l->nodes[i].name))
        i++;
    if (i == NODES_MAX || !span_copy(node, l->nodes[i].name, sizeof l->nodes[i].name))
        wrong(l, p, "too many nodes");
    else
        l->nodes[i].rooms++;
}

static void check(struct load *l, struct peer *p, struct span body)
{
    char text[128];
    struct span node = member(body, "\"node\":\"");
    int n = snprintf(text, sizeof text, "%s-%ld", l->tag, p->number);
    struct span room = {text, (size_t)n};
    if (!span_eq(member(body, "\"room\":\""), room) || node.len == 0 ||
        member(body, "\"endpoint\":\"").len == 0) {
        wrong(l, p, "not this room on a node");
        return;
    }
    count_node(l, p, node);
    bool sample = p->number % SAMPLE_EACH == 0;
    for (int i = 0; i < PLAYERS; i++) {
        char key[160];
        int len = snprintf(key, sizeof key, "\"%s-p%ld-%d\":\"", l->tag, p->number, i);
        struct span token = member(body, key);
        struct span player = {key + 1, (size_t)len - 4};
        if (token.len < 100 || (sample && !verify(l, room, node, player, token))) {
            wrong(l, p, "no ticket for a player");
            return;
        }
    }
    if (sample && l->sample_count < SAMPLES_MAX) {
        l->samples[l->sample_count].number = p->number;
        (void)span_copy(node, l->samples[l->sample_count++].node, sizeof l->samples[0].node);
    }
}

static void on_readable(struct load *l, struct peer *p)
{
    ssize_t n = recv(p->fd, p->in + p->have, IN_MAX - p->have, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        wrong(l, p, "the connection broke");
        (void)epoll_ctl(l->ep, EPOLL_CTL_DEL, p->fd, NULL);
        return;
    }
    p->have += (size_t)n;
    const char *body = p->in;
    long len = whole_answer(p->in, p->have, &body);
    if (len == 0)
        return;
    int64_t now = now_us();
    if (!p->asking || len < 0 || (size_t)len != p->have)
        wrong(l, p, "not a 200");
    else
        check(l, p, (struct span){body, (size_t)(p->in + len - body)});
    if (p->due_us >= l->from_us && p->due_us < l->until_us) {
        histogram_record(&l->latency, now - p->due_us);
        if (now < l->until_us)
            l->measured++;
    }
    l->answered++;
    p->have = 0;
    p->asking = false;
    if (l->rate == 0 && now < l->until_us)
        ask(l, p, now);
    else
        l->idle[l->idle_count++] = p;
}

/* ---- running ---- */

static int wait_for_events(struct load *l, struct epoll_event *events, int64_t now, int64_t end_us)
{
    int64_t wait_us = end_us - now;
    if (l->rate > 0 && l->idle_count > 0 && now < l->until_us) {
        int64_t next_us = l->begin_us + (int64_t)((double)(l->asked + 1) * 1e6 / l->rate);
        wait_us = next_us - now < wait_us ? next_us - now : wait_us;
    }
    wait_us = wait_us < 0 ? 0 : wait_us;
    struct timespec t = {wait_us / 1000000, (wait_us % 1000000) * 1000};
    return epoll_pwait2(l->ep, events, EVENTS, &t, NULL);
}

static void run_until(struct load *l, int64_t end_us, bool settle)
{
    struct epoll_event events[EVENTS];
    int64_t now;
    while ((now = now_us()) < end_us) {
        if (l->rate > 0)
            ask_due(l, now);
        if (settle && l->answered == l->asked)
            return;
        int n = wait_for_events(l, events, now, end_us);
        for (int i = 0; i < n; i++)
            on_readable(l, events[i].data.ptr);
    }
}

static void open_peer(struct load *l, struct peer *p)
{
    int on = 1;
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&l->addr, sizeof l->addr) < 0)
        die("connect");
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};
    if (epoll_ctl(l->ep, EPOLL_CTL_ADD, p->fd, &ev) < 0)
        die("epoll_ctl");
    l->idle[l->idle_count++] = p;
}

static void say(const struct load *l, double seconds)
{
    for (size_t i = 0; i < l->sample_count; i++)
        (void)printf("room %s-%ld %s\n", l->tag, l->samples[i].number, l->samples[i].node);
    for (size_t i = 0; i < NODES_MAX && l->nodes[i].name[0]; i++)
        (void)printf("node %s %ld\n", l->nodes[i].name, l->nodes[i].rooms);
    (void)printf("rooms=%ld rate=%.0f p50_us=%lu p90_us=%lu p99_us=%lu max_us=%lu cpu_us=%ld "
                 "errors=%ld verified=%ld\n",
                 l->answered, (double)l->measured / seconds, histogram_quantile(&l->latency, 0.5),
                 histogram_quantile(&l->latency, 0.9), histogram_quantile(&l->latency, 0.99),
                 l->latency.max, cpu_us() - l->cpu_us, l->errors, l->verified);
}

int main(int argc, char **argv)
{
    static struct load l;
    struct err err = {0};
    if (argc != 8) {
        (void)fprintf(stderr, "usage: room_load PORT POOL TAG CONNECTIONS SECONDS RATE SECRET\n");
        return 2;
    }
    l.addr =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    l.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    l.pool = argv[2];
    l.tag = argv[3];
    l.count = strtoul(argv[4], NULL, 10);
    double seconds = strtod(argv[5], NULL);
    l.rate = strtod(argv[6], NULL);
    struct ticket_key key = {.kid = SPAN("k1"), .secret = span_of(argv[7])};
    if (ticket_keys_create(&key, 1, &l.keys, &err) < 0)
        die(err.text);
    l.ep = epoll_create1(0);
    l.peers = calloc(l.count, sizeof *l.peers);
    l.idle = calloc(l.count, sizeof(struct peer *));
    if (l.ep < 0 || !l.peers || !l.idle)
        die("memory");
    for (size_t i = 0; i < l.count; i++)
        open_peer(&l, &l.peers[i]);
    l.begin_us = now_us();
    l.from_us = l.begin_us + WARM_US;
    l.until_us = l.from_us + (int64_t)(seconds * 1e6);
    while (l.rate == 0 && l.idle_count > 0)
        ask(&l, l.idle[--l.idle_count], now_us());
    run_until(&l, l.from_us, false);
    (void)printf("measuring\n"); /* whoever looks at a server's CPU time begins here */
    (void)fflush(stdout);
    l.cpu_us = cpu_us();
    run_until(&l, l.until_us, false);
    run_until(&l, l.until_us + LAST_US, true);
    if (l.answered != l.asked) {
        (void)fprintf(stderr, "room_load: %ld matches were not answered\n", l.asked - l.answered);
        l.errors++;
    }
    say(&l, seconds);
    ticket_keys_destroy(l.keys);
    free(l.peers);
    free((void *)l.idle);
    return l.errors ? 1 : 0;
}

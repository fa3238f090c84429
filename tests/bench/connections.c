/* connections.c - players who sit there, then play: opens them on one node, measures its memory,
 * handshakes and relay.
 *
 *   connections KIND PORT PID N SECONDS     KIND: plain (/ws) or socketio (WebSocket)
 *
 * Opens N connections, WINDOW at a time, each admitted into a room of 4 before it counts. Memory is
 * the growth of the node's RssAnon (whole_process_per_conn: all of it, tables made at the start
 * included). Then SECONDS of positions of 60 bytes in all rooms: each player sends its next one
 * when the frame of the last tick has come (relay: frames written, each with what the 3 others
 * sent). Then SECONDS of events of 60 bytes, passed on at once: in each of ACTIVE rooms one player
 * sends as soon as the last one has arrived, BURST at a time (events). Prints one line. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    WINDOW = 256,
    ACTIVE = 256,
    BURST = 4,
    IN_MAX = 2048,
    EVENTS = 512,
    EDGE = 5000,
    PORTS_EACH = 8000
};

enum stage { CONNECTING, UPGRADING, JOINING, IN };

enum phase { OPENING, AT_ONCE, BY_TICKS };

struct player {
    int fd;
    enum stage stage;
    uint32_t have;
    uint32_t burst; /* of the present burst, heard */
    char in[IN_MAX];
};

struct load {
    bool sio;
    int port, ep, pid;
    size_t n, opened, in;
    struct player *players;
    int64_t begin_us, edge_us, last_edge_us, done_us;
    double begin_cpu, edge_cpu, last_edge_cpu, done_cpu; /* of the node */
    enum phase phase;
    uint64_t frames; /* in this phase */
};

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "connections: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long rss_anon_kib(int pid)
{
    char path[64], line[256];
    long kib = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        die(path);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtol(line + 8, NULL, 10);
    (void)fclose(f);
    return kib;
}

/* Processor time it has used, in seconds: what counts where other work shares the machine. */
static double cpu_s(int pid)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f || !fgets(text, sizeof text, f))
        die(path);
    (void)fclose(f);
    const char *p = strrchr(text, ')') + 1;
    for (int field = 3; *p && field < 14; field++)
        p = strchr(p + 1, ' ');
    char *end;
    user = strtoul(p, &end, 10);
    system = strtoul(end, NULL, 10);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void put(int fd, const char *data, size_t len)
{
    if (write(fd, data, len) != (ssize_t)len)
        die("write");
}

/* A text frame masked with zeros: the payload as it is. */
static size_t frame(char *out, const char *text)
{
    size_t len = strlen(text), n = 2;
    out[0] = (char)0x81;
    if (len < 126)
        out[1] = (char)(0x80 | len);
    else {
        out[1] = (char)(0x80 | 126);
        out[2] = (char)(len >> 8);
        out[3] = (char)len;
        n = 4;
    }
    memset(out + n, 0, 4);
    memcpy(out + n + 4, text, len);
    return n + 4 + len;
}

static void open_one(struct load *l)
{
    size_t i = l->opened++;
    struct player *p = &l->players[i];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)l->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (p->fd < 0)
        die("socket");
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* From several addresses: finding a free port gets slow once half of them are taken. */
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr =
                                   htonl(INADDR_LOOPBACK + 1 + (uint32_t)(i / PORTS_EACH))};
    (void)setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(p->fd, (struct sockaddr *)&from, sizeof from) < 0)
        die("bind");
    if (connect(p->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        die("connect");
    struct epoll_event ev = {.events = EPOLLOUT, .data.u64 = i};
    if (epoll_ctl(l->ep, EPOLL_CTL_ADD, p->fd, &ev) < 0)
        die("epoll_ctl");
}

static void upgrade(struct load *l, size_t i)
{
    char text[256];
    int n =
        snprintf(text, sizeof text,
                 "GET %s HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                 "\r\n",
                 l->sio ? "/socket.io/?EIO=4&transport=websocket" : "/ws");
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = i};
    (void)epoll_ctl(l->ep, EPOLL_CTL_MOD, l->players[i].fd, &ev);
    put(l->players[i].fd, text, (size_t)n);
    l->players[i].stage = UPGRADING;
}

static void join(struct load *l, size_t i)
{
    char text[128], out[160];
    (void)snprintf(text, sizeof text,
                   l->sio ? "40{\"room\":\"sio%zu\",\"player\":\"p%zu\"}"
                          : "{\"type\":\"join\",\"room\":\"ws%zu\",\"player\":\"p%zu\"}",
                   i / 4, i);
    put(l->players[i].fd, out, frame(out, text));
    l->players[i].stage = JOINING;
}

static void mark(const struct load *l, int64_t *ret_us, double *ret_cpu)
{
    *ret_us = now_us();
    *ret_cpu = cpu_s(l->pid);
}

static void joined(struct load *l, size_t i)
{
    l->players[i].stage = IN;
    l->in++;
    if (l->in == EDGE)
        mark(l, &l->edge_us, &l->edge_cpu);
    if (l->in + EDGE == l->n)
        mark(l, &l->last_edge_us, &l->last_edge_cpu);
    if (l->in == l->n)
        mark(l, &l->done_us, &l->done_cpu);
}

static const char data[] =
    "{\"x\":1234.567,\"y\":-89.012,\"z\":3.4,\"h\":271.3,\"v\":[1.25,0.5,0.0]}";

static void send_burst(struct load *l, size_t i)
{
    char text[160], out[BURST * 200];
    size_t n = 0;
    (void)snprintf(text, sizeof text,
                   l->sio ? "42[\"event\",{\"data\":%s}]" : "{\"type\":\"event\",\"data\":%s}",
                   data);
    for (int k = 0; k < BURST; k++)
        n += frame(out + n, text);
    put(l->players[i].fd, out, n);
}

static void send_position(struct load *l, size_t i)
{
    char text[160], out[200];
    (void)snprintf(
        text, sizeof text,
        l->sio ? "42[\"position\",{\"data\":%s}]" : "{\"type\":\"position\",\"data\":%s}", data);
    put(l->players[i].fd, out, frame(out, text));
}

static void heard(struct load *l, size_t i, const char *text, size_t len)
{
    struct player *p = &l->players[i];
    if (p->stage == JOINING && memmem(text, len, "\"joined\"", 8))
        joined(l, i);
    if (l->phase == BY_TICKS && memmem(text, len < 40 ? len : 40, "\"positions\"", 11)) {
        l->frames++;
        send_position(l, i);
    }
    if (l->phase != AT_ONCE || !memmem(text, len, "\"event\"", 7))
        return;
    l->frames++;
    if (i % 4 == 1 && ++p->burst == BURST) {
        p->burst = 0;
        send_burst(l, i - 1);
    }
}

/* Take whole frames off the front. */
static void understand(struct load *l, size_t i)
{
    struct player *p = &l->players[i];
    size_t at = 0;
    if (p->stage == UPGRADING) {
        char *end = memmem(p->in, p->have, "\r\n\r\n", 4);
        if (!end)
            return;
        if (strncmp(p->in, "HTTP/1.1 101", 12) != 0) {
            (void)fprintf(stderr, "connections: refused: %.80s\n", p->in);
            exit(1);
        }
        at = (size_t)(end + 4 - p->in);
        join(l, i);
    }
    while (p->have - at >= 2) {
        size_t len = (unsigned char)p->in[at + 1], head = 2;
        if (len == 126) {
            if (p->have - at < 4)
                break;
            len = (size_t)(unsigned char)p->in[at + 2] << 8 | (unsigned char)p->in[at + 3];
            head = 4;
        }
        if (p->have - at < head + len)
            break;
        heard(l, i, p->in + at + head, len);
        at += head + len;
    }
    p->have -= (uint32_t)at;
    memmove(p->in, p->in + at, p->have);
}

static void turn(struct load *l, int wait_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(l->ep, events, EVENTS, wait_ms);
    for (int k = 0; k < n; k++) {
        size_t i = (size_t)events[k].data.u64;
        struct player *p = &l->players[i];
        if (p->stage == CONNECTING) {
            upgrade(l, i);
            continue;
        }
        ssize_t got = read(p->fd, p->in + p->have, IN_MAX - p->have);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            die("the node hung up");
        if (got > 0) {
            p->have += (uint32_t)got;
            understand(l, i);
        }
    }
}

/* Frames a second, and a second of the node's processor time. */
static void measure(struct load *l, int64_t seconds, double *ret_rate, double *ret_cpu_rate)
{
    int64_t from = now_us(), until = from + seconds * 1000000;
    double cpu = cpu_s(l->pid);
    l->frames = 0;
    while (now_us() < until)
        turn(l, 100);
    *ret_rate = (double)l->frames * 1e6 / (double)(now_us() - from);
    *ret_cpu_rate = (double)l->frames / (cpu_s(l->pid) - cpu);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    struct load l = {.sio = strcmp(argv[1], "socketio") == 0,
                     .port = (int)strtol(argv[2], NULL, 10),
                     .pid = (int)strtol(argv[3], NULL, 10),
                     .n = strtoul(argv[4], NULL, 10)};
    int64_t seconds = strtol(argv[5], NULL, 10);
    struct rlimit files;
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    l.players = calloc(l.n, sizeof *l.players);
    l.ep = epoll_create1(0);
    if (!l.players || l.ep < 0 || l.n < (size_t)2 * EDGE)
        die("N must be at least 10000");
    long before = rss_anon_kib(l.pid);
    mark(&l, &l.begin_us, &l.begin_cpu);
    while (l.in < l.n) {
        while (l.opened < l.n && l.opened - l.in < WINDOW)
            open_one(&l);
        turn(&l, 1000);
        if (now_us() - l.begin_us > 120000000)
            die("not all are in after 120 s");
    }
    (void)usleep(300000); /* what is still to be written is written */
    long after = rss_anon_kib(l.pid);
    double relay, relay_cpu, ticked, ticked_cpu;
    l.phase = AT_ONCE;
    for (size_t r = 0; r < ACTIVE; r++)
        send_burst(&l, r * 4);
    measure(&l, seconds, &relay, &relay_cpu);
    l.phase = BY_TICKS;
    for (size_t i = 0; i < l.n; i++)
        send_position(&l, i);
    measure(&l, seconds, &ticked, &ticked_cpu);
    printf("kind=%s n=%zu bytes_per_conn=%ld whole_process_per_conn=%ld handshakes_per_s=%.0f "
           "handshakes_per_cpu_s=%.0f "
           "first_%d_per_cpu_s=%.0f last_%d_per_cpu_s=%.0f relay_per_s=%.0f "
           "relay_per_cpu_s=%.0f ticked_per_s=%.0f ticked_per_cpu_s=%.0f\n",
           argv[1], l.n, (after - before) * 1024 / (long)l.n, after * 1024 / (long)l.n,
           (double)l.n * 1e6 / (double)(l.done_us - l.begin_us),
           (double)l.n / (l.done_cpu - l.begin_cpu), EDGE, EDGE / (l.edge_cpu - l.begin_cpu), EDGE,
           EDGE / (l.done_cpu - l.last_edge_cpu), relay, relay_cpu, ticked, ticked_cpu);
    return 0;
}

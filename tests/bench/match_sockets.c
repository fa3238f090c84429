/* match_sockets.c - players who seek through real sockets, at a steady rate: how long a match
 * takes.
 *
 *   match_sockets RATE SECONDS PLAYERS PORT...
 *
 * PLAYERS sockets on the lobby nodes at PORTs (plain WebSocket, no tickets), kept. Open loop: one
 * seek is due each 1/RATE s, by a player who is free; its latency counts from when it was due until
 * ALL_CONNECTED. Ratings are normal around 1500 with deviation 300. 2 s unmeasured, then SECONDS,
 * then as many go on coming for 1 s.
 *
 * Prints `p50_ms= p90_ms= p99_ms= max_ms= matched= unmatched= starved= spread= random= oracle=`:
 * spread is the mean of largest minus smallest rating of a match; random: of the same players in
 * fours as they came; oracle: of all of them sorted and cut into fours, as if everyone had come
 * before the first match. unmatched: no ALL_CONNECTED 3 s after SECONDS. Exit 1 when there are
 * such. */
#include "core/histogram.h"
#include "core/rng.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <math.h>
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
    IN_MAX = 8192,
    EVENTS = 256,
    WARM_US = 2000000,
    COOL_US = 1000000,
    LAST_US = 3000000,
    SIZE = 4
};

struct player {
    int fd;
    bool seeking, measured;
    int64_t due_us, rating;
    size_t have;
    unsigned char in[IN_MAX];
};

static struct {
    struct player *players;
    size_t count, free_first, free_count;
    uint32_t *free; /* a ring: who has been free longest seeks next */
    struct histogram latency;
    struct rng rng;
    int64_t *ratings; /* of the measured seeks, as they came */
    size_t rating_count, rating_max;
    long matched, measured, starved, matches;
    double spread;
} run;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A text frame of up to 65,535 bytes, masked with zeros. */
static void say(const struct player *p, const char *text)
{
    size_t len = strlen(text), head = 2;
    unsigned char frame[1024] = {0x81, (unsigned char)(0x80 | len)};
    if (len > 125) {
        frame[1] = 0x80 | 126;
        frame[2] = (unsigned char)(len >> 8);
        frame[3] = (unsigned char)len;
        head = 4;
    }
    memcpy(frame + head + 4, text, len);
    if (send(p->fd, frame, head + 4 + len, MSG_NOSIGNAL) != (ssize_t)(head + 4 + len))
        die("send");
}

static void set_free(uint32_t number)
{
    assert(run.count > 0);
    run.free[(run.free_first + run.free_count++) % run.count] = number;
}

/* Of the players in "players":["p1","p2",...]: counted by the first of them. */
static void count_match(uint32_t number, const char *text, const char *end)
{
    const char *at = strstr(text, "\"players\":[\"p");
    int64_t least = INT64_MAX, most = INT64_MIN;
    bool measured = true;
    if (!at || at > end || strtoul(at + 13, NULL, 10) != number)
        return;
    for (at += 11; at && at < end && at[0] == '"'; at = strchr(at + 1, '"') + 2) {
        const struct player *p = &run.players[strtoul(at + 2, NULL, 10)];
        least = p->rating < least ? p->rating : least;
        most = p->rating > most ? p->rating : most;
        measured = measured && p->measured;
    }
    run.matches += measured;
    run.spread += measured ? (double)(most - least) : 0;
}

static void on_text(uint32_t number, char *text, size_t len)
{
    struct player *p = &run.players[number];
    text[len] = '\0';
    if (strncmp(text, "{\"type\":\"ALL_CONNECTED\"", 23) != 0)
        return;
    count_match(number, text, text + len);
    if (!p->seeking)
        die("ALL_CONNECTED twice");
    if (p->measured) {
        histogram_record(&run.latency, now_us() - p->due_us);
        run.matched++;
    }
    p->seeking = false;
}

/* Whole frames out of the buffer. */
static void on_bytes(uint32_t number)
{
    struct player *p = &run.players[number];
    size_t at = 0;
    for (;;) {
        size_t left = p->have - at, head = 2;
        const unsigned char *f = p->in + at;
        if (left < 2)
            break;
        size_t len = f[1] & 127;
        if (len == 126 && left >= 4) {
            len = (size_t)(f[2] << 8 | f[3]);
            head = 4;
        } else if (len == 126) {
            break;
        }
        if (left < head + len)
            break;
        char text[IN_MAX + 1];
        memcpy(text, f + head, len);
        if ((f[0] & 15) == 1)
            on_text(number, text, len);
        at += head + len;
    }
    memmove(p->in, p->in + at, p->have - at);
    p->have -= at;
}

static void on_readable(uint32_t number)
{
    struct player *p = &run.players[number];
    bool was = p->seeking;
    ssize_t n = recv(p->fd, p->in + p->have, IN_MAX - p->have, MSG_DONTWAIT);
    if (n <= 0)
        die("a lobby node hung up");
    p->have += (size_t)n;
    on_bytes(number);
    if (was && !p->seeking)
        set_free(number); /* after all of this read: its rating stands until then */
}

static void connect_one(uint32_t number, int port)
{
    struct player *p = &run.players[number];
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char text[512];
    int one = 1;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("connect");
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int n = snprintf(text, sizeof text,
                     "GET /ws HTTP/1.1\r\nHost: l\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "\r\n");
    if (send(p->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        die("send");
    for (size_t have = 0; have < 4 || memcmp(text + have - 4, "\r\n\r\n", 4) != 0; have++)
        if (have == sizeof text || recv(p->fd, text + have, 1, 0) != 1)
            die("handshake");
    (void)snprintf(text, sizeof text, "{\"type\":\"hello\",\"player\":\"p%u\"}", number);
    say(p, text);
    set_free(number);
}

static void seek(int64_t due_us, bool measured)
{
    if (run.free_count == 0) {
        run.starved += measured;
        return;
    }
    struct player *p = &run.players[run.free[run.free_first]];
    assert(run.count > 0);
    run.free_first = (run.free_first + 1) % run.count;
    run.free_count--;
    double u = rng_unit(&run.rng), v = rng_unit(&run.rng);
    p->rating = llround(1500 + 300 * sqrt(-2 * log(1 - u)) * cos(2 * M_PI * v));
    p->due_us = due_us;
    p->seeking = true;
    p->measured = measured;
    char text[128];
    (void)snprintf(text, sizeof text, "{\"type\":\"seek\",\"mode\":\"ranked\",\"rating\":%lld}",
                   (long long)p->rating);
    say(p, text);
    run.measured += measured;
    if (measured && run.rating_count < run.rating_max)
        run.ratings[run.rating_count++] = p->rating;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The mean spread of fours of neighbours. */
static double fours(void)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i + SIZE <= run.rating_count; i += SIZE, n++) {
        int64_t least = run.ratings[i], most = least;
        for (size_t k = 1; k < SIZE; k++) {
            int64_t r = run.ratings[i + k];
            least = r < least ? r : least;
            most = r > most ? r : most;
        }
        sum += (double)(most - least);
    }
    return n ? sum / (double)n : 0;
}

static void play(int ep, double rate, double seconds)
{
    struct epoll_event events[EVENTS];
    int64_t begin = now_us(), from = begin + WARM_US, until = from + (int64_t)(seconds * 1e6);
    for (long due = 0;;) {
        int64_t now = now_us(), at = begin + (int64_t)((double)due * 1e6 / rate);
        for (; at <= now && at < until + COOL_US;
             at = begin + (int64_t)((double)++due * 1e6 / rate))
            seek(at, at >= from && at < until);
        if (now > until + LAST_US || (now > until && run.matched == run.measured))
            return;
        int n = epoll_wait(ep, events, EVENTS, 1);
        for (int i = 0; i < n; i++)
            on_readable(events[i].data.u32);
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        (void)fprintf(stderr, "match_sockets RATE SECONDS PLAYERS PORT...\n");
        return 2;
    }
    double rate = atof(argv[1]), seconds = atof(argv[2]);
    run.count = (size_t)atol(argv[3]);
    run.rating_max = (size_t)(rate * seconds) + 1;
    run.players = calloc(run.count, sizeof *run.players);
    run.free = calloc(run.count, sizeof *run.free);
    run.ratings = calloc(run.rating_max, sizeof *run.ratings);
    int ep = epoll_create1(0);
    if (!run.players || !run.free || !run.ratings || ep < 0)
        die("start");
    rng_seed(&run.rng, 1);
    for (uint32_t i = 0; i < run.count; i++) {
        connect_one(i, atoi(argv[4 + (int)i % (argc - 4)]));
        struct epoll_event ev = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, run.players[i].fd, &ev) < 0)
            die("epoll");
    }
    play(ep, rate, seconds);
    double came = fours();
    qsort(run.ratings, run.rating_count, sizeof *run.ratings, by_value);
    const double quantiles[] = {0.5, 0.9, 0.99, 1};
    double ms[4];
    for (int i = 0; i < 4; i++)
        ms[i] = (double)histogram_quantile(&run.latency, quantiles[i]) / 1000;
    printf("p50_ms=%.1f p90_ms=%.1f p99_ms=%.1f max_ms=%.1f matched=%ld unmatched=%ld starved=%ld "
           "spread=%.1f random=%.1f oracle=%.2f\n",
           ms[0], ms[1], ms[2], ms[3], run.matched, run.measured - run.matched, run.starved,
           run.matches ? run.spread / (double)run.matches : 0, came, fours());
    return run.matched == run.measured ? 0 : 1;
}

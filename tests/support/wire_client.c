/* wire_client.c - blocking sockets for tests. */
#include "tests/support/wire_client.h"

#include "tests/support/cmocka.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char text[16 << 20];

int wire_connect(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct timeval limit = {.tv_sec = 5};
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

void wire_send(int fd, struct span data)
{
    while (data.len) {
        ssize_t n = send(fd, data.ptr, data.len, MSG_NOSIGNAL);
        assert_true(n > 0);
        data.ptr += n;
        data.len -= (size_t)n;
    }
}

void wire_say(int fd, const char *say)
{
    wire_send(fd, span_of(say));
}

static void read_exactly(int fd, char *at, size_t len)
{
    while (len) {
        ssize_t n = recv(fd, at, len, 0);
        if (n <= 0)
            fail_msg("the connection ended or stood still, %zu bytes short", len);
        at += n;
        len -= (size_t)n;
    }
}

static size_t read_line_end(int fd, size_t at, const char *end)
{
    size_t len = strlen(end), from = at;
    do {
        assert_true(at + 2 < sizeof text);
        read_exactly(fd, text + at++, 1);
    } while (at - from < len || memcmp(text + at - len, end, len) != 0);
    return at;
}

const char *wire_response_text(int fd, bool head, const char **ret_body)
{
    size_t n = read_line_end(fd, 0, "\r\n\r\n");
    text[n] = '\0';
    const char *length = strcasestr(text, "\r\nContent-Length: ");
    int status = atoi(text + 9);
    char *body = text + n;
    if (head || status < 200 || status == 204 || status == 304)
        ;
    else if (length) {
        size_t len = strtoul(length + 18, NULL, 10);
        assert_true(n + len < sizeof text);
        read_exactly(fd, body, len);
        n += len;
    } else if (strcasestr(text, "\r\nTransfer-Encoding: chunked")) {
        for (size_t len = 1; len;) {
            size_t line = n;
            size_t end = read_line_end(fd, line, "\r\n");
            text[end] = '\0';
            len = strtoul(text + line, NULL, 16);
            read_exactly(fd, text + line, len + 2);
            n = line + len;
        }
    }
    text[n] = '\0';
    if (ret_body)
        *ret_body = body;
    return text;
}

const char *wire_ask(int port, const char *say)
{
    int fd = wire_connect(port);
    wire_say(fd, say);
    const char *answer = wire_response_text(fd, false, NULL);
    close(fd);
    return answer;
}

void wire_has(const char *answer, const char *part)
{
    if (!strstr(answer, part))
        fail_msg("no '%s' in:\n%s", part, answer);
}

size_t wire_expect_end(int fd)
{
    size_t dropped = 0;
    for (;;) {
        ssize_t n = recv(fd, text, sizeof text, 0);
        if (n == 0)
            break;
        if (n < 0)
            fail_msg("the other side did not close in time");
        dropped += (size_t)n;
    }
    close(fd);
    return dropped;
}

int wire_ws_connect(int port, const char *path)
{
    int fd = wire_connect(port);
    char say[512];
    (void)snprintf(
        say, sizeof say,
        "GET %s HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        path);
    wire_say(fd, say);
    const char *answer = wire_response_text(fd, false, NULL);
    if (!strstr(answer, " 101 ") || !strstr(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        fail_msg("no upgrade: %s", answer);
    return fd;
}

void wire_ws_frame(int fd, int first_byte, struct span payload)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned char *frame = malloc(payload.len + 14);
    assert_non_null(frame);
    size_t n = 2;
    frame[0] = (unsigned char)first_byte;
    if (payload.len < 126)
        frame[1] = (unsigned char)(0x80 | payload.len);
    else {
        size_t extra = payload.len < 65536 ? 2 : 8;
        frame[1] = extra == 2 ? 0x80 | 126 : 0x80 | 127;
        for (size_t i = 0; i < extra; i++)
            frame[n++] = (unsigned char)(payload.len >> 8 * (extra - 1 - i));
    }
    memcpy(frame + n, mask, 4);
    n += 4;
    for (size_t i = 0; i < payload.len; i++)
        frame[n++] = (unsigned char)payload.ptr[i] ^ mask[i % 4];
    wire_send(fd, (struct span){(char *)frame, n});
    free(frame);
}

int wire_ws_read(int fd, struct span *ret)
{
    unsigned char head[2];
    if (recv(fd, head, 1, 0) <= 0)
        return -1;
    read_exactly(fd, (char *)head + 1, 1);
    assert_int_equal(head[1] & 0x80, 0);
    size_t len = head[1], extra = len == 126 ? 2 : len == 127 ? 8 : 0;
    if (extra) {
        unsigned char wide[8];
        read_exactly(fd, (char *)wide, extra);
        len = 0;
        for (size_t i = 0; i < extra; i++)
            len = len << 8 | wide[i];
    }
    assert_true(len < sizeof text);
    read_exactly(fd, text, len);
    *ret = (struct span){text, len};
    return head[0];
}

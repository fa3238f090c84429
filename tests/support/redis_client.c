/* redis_client.c - a blocking Redis connection. */
#include "tests/support/redis_client.h"

#include "io/redis_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { WORDS_MAX = 256 };

struct redis_client {
    int fd;
    struct redis_reply_reader *reader;
};

struct redis_client *redis_client_open(const char *path, const char *password)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const struct timeval limit = {10, 0};
    if (strlen(path) >= sizeof a.sun_path)
        return NULL;
    memcpy(a.sun_path, path, strlen(path) + 1);
    struct redis_client *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c->reader = redis_reply_reader_create();
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (c->fd < 0 || !c->reader || connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0) {
        redis_client_close(c);
        return NULL;
    }
    if (password) {
        const struct resp *reply = redis_client_ask(c, "AUTH", password, NULL);
        if (!reply || reply->type == RESP_ERROR) {
            redis_client_close(c);
            return NULL;
        }
    }
    return c;
}

void redis_client_close(struct redis_client *c)
{
    if (!c)
        return;
    redis_reply_reader_destroy(c->reader);
    if (c->fd >= 0)
        (void)close(c->fd);
    free(c);
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static const struct resp *read_reply(struct redis_client *c)
{
    char bytes[16384];
    for (;;) {
        const struct resp *reply;
        int code = redis_reply_next(c->reader, &reply);
        if (code != 0)
            return code == 1 ? reply : NULL;
        ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
        if (n <= 0 || redis_reply_feed(c->reader, bytes, (size_t)n) < 0)
            return NULL;
    }
}

const struct resp *redis_client_argv(struct redis_client *c, const struct span *argv, size_t argc)
{
    size_t size = 32;
    for (size_t i = 0; i < argc; i++)
        size += argv[i].len + 32;
    char *text = malloc(size);
    if (!text)
        return NULL;
    size_t len = (size_t)snprintf(text, size, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        len += (size_t)snprintf(text + len, size - len, "$%zu\r\n", argv[i].len);
        if (argv[i].len)
            memcpy(text + len, argv[i].ptr, argv[i].len);
        memcpy(text + len + argv[i].len, "\r\n", 2);
        len += argv[i].len + 2;
    }
    bool sent = send_all(c->fd, text, len);
    free(text);
    return sent ? read_reply(c) : NULL;
}

static const struct resp *ask_list(struct redis_client *c, const char *word, va_list ap)
{
    struct span argv[WORDS_MAX];
    size_t argc = 0;
    for (const char *w = word; w && argc < WORDS_MAX; w = va_arg(ap, const char *))
        argv[argc++] = span_of(w);
    return redis_client_argv(c, argv, argc);
}

const struct resp *redis_client_ask(struct redis_client *c, const char *word, ...)
{
    va_list ap;
    va_start(ap, word);
    const struct resp *reply = ask_list(c, word, ap);
    va_end(ap);
    return reply;
}

const char *redis_client_text(struct redis_client *c, const char *word, ...)
{
    va_list ap;
    va_start(ap, word);
    const struct resp *reply = ask_list(c, word, ap);
    va_end(ap);
    return reply && reply->text.ptr ? reply->text.ptr : "";
}

int64_t redis_client_int(struct redis_client *c, const char *word, ...)
{
    va_list ap;
    int64_t value = -1;
    va_start(ap, word);
    const struct resp *reply = ask_list(c, word, ap);
    va_end(ap);
    if (!reply)
        return -1;
    if (reply->type == RESP_INT)
        return reply->integer;
    return span_int(reply->text, &value) ? value : -1;
}

const struct resp *redis_client_call(struct redis_client *c, const struct store_call *call)
{
    struct span argv[3 + CALL_KEYS_MAX + CALL_ARGS_MAX];
    char count[24];
    int n = snprintf(count, sizeof count, "%zu", call->nkeys);
    size_t argc = 0;
    argv[argc++] = SPAN("EVAL");
    argv[argc++] = span_of(scripts_table[call->script].text);
    argv[argc++] = (struct span){count, (size_t)n};
    for (size_t i = 0; i < call->nkeys; i++)
        argv[argc++] = call->keys[i];
    for (size_t i = 0; i < call->argc; i++)
        argv[argc++] = call->argv[i];
    return redis_client_argv(c, argv, argc);
}

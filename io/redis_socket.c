/* redis_socket.c - opens the socket to Redis. */
#include "io/redis_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    struct sockaddr_un path;
};

/* Fills the address; returns its length, or 0 when host is none. */
static socklen_t make_address(const char *host, int port, union address *a)
{
    memset(a, 0, sizeof *a);
    if (host[0] == '/') {
        if (strlen(host) >= sizeof a->path.sun_path)
            return 0;
        a->path.sun_family = AF_UNIX;
        memcpy(a->path.sun_path, host, strlen(host) + 1);
        return sizeof a->path;
    }
    if (inet_pton(AF_INET, host, &a->ip4.sin_addr) == 1) {
        a->ip4.sin_family = AF_INET;
        a->ip4.sin_port = htons((uint16_t)port);
        return sizeof a->ip4;
    }
    if (inet_pton(AF_INET6, host, &a->ip6.sin6_addr) == 1) {
        a->ip6.sin6_family = AF_INET6;
        a->ip6.sin6_port = htons((uint16_t)port);
        return sizeof a->ip6;
    }
    return 0;
}

bool redis_socket_address_ok(const char *host)
{
    union address a;
    return make_address(host, 0, &a) != 0;
}

int redis_socket_open(const char *host, int port, struct err *err)
{
    union address a;
    socklen_t len = make_address(host, port, &a);
    if (len == 0)
        return err_set(err, BERTH_EINVAL, "'%s' is not an address", host);
    int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, BERTH_ESYS, "socket: %s", strerror(errno));
    if (a.any.sa_family != AF_UNIX) {
        int on = 1; /* hints: it works without them */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    if (connect(fd, &a.any, len) < 0 && errno != EINPROGRESS) {
        int error = errno;
        (void)close(fd);
        return err_set(err, BERTH_ESYS, "connect: %s", strerror(error));
    }
    return fd;
}

int redis_socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return errno;
    return error;
}

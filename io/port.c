/* port.c - trying ports, from a place that differs between processes. */
#include "io/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT_FIRST = 10000, PORT_COUNT = 22000 };

static int try_port(int port)
{
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int rc = bind(fd, (const struct sockaddr *)&at, sizeof at);
    (void)close(fd);
    return rc;
}

int port_find_free(struct err *err)
{
    static unsigned next; /* so that two calls do not give the same */
    if (next == 0) {
        struct timespec t = {0};
        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        next = (unsigned)getpid() * 7919u + (unsigned)(t.tv_nsec / 1000);
    }
    for (int i = 0; i < PORT_COUNT; i++) {
        int port = PORT_FIRST + (int)(next++ % PORT_COUNT);
        if (try_port(port) == 0)
            return port;
    }
    return err_set(err, BERTH_ESYS, "no free port on 127.0.0.1 in %d..%d: %s", PORT_FIRST,
                   PORT_FIRST + PORT_COUNT - 1, strerror(errno));
}

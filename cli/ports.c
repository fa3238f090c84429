/* ports.c - are the ports of an installation free? */
#include "cli/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Would a program that listens there find it taken? What cannot be tried is for the program to say.
 */
static bool port_taken(const struct host_port *at)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)at->port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)at->port)};
    bool is_four = inet_pton(AF_INET, at->host, &four.sin_addr) == 1;
    if (at->port == 0 || (!is_four && inet_pton(AF_INET6, at->host, &six.sin6_addr) != 1))
        return false;
    int fd = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const struct sockaddr *address =
        is_four ? (const struct sockaddr *)&four : (const struct sockaddr *)&six;
    socklen_t len = is_four ? sizeof four : sizeof six;
    bool taken = bind(fd, address, len) < 0 && errno == EADDRINUSE;
    (void)close(fd);
    return taken;
}

static int want_port(const char *who, const struct host_port *at, struct err *err)
{
    if (!at->host || !port_taken(at))
        return 0;
    return err_set(err, BERTH_EEXIST,
                   "%s:%d, where %s is to listen, is in use already: by another `berth up`?",
                   at->host, at->port, who);
}

int ports_free(const struct settings *settings, struct err *err)
{
    for (size_t i = 0; i < settings->lb.peers.count; i++) {
        const struct lb_peer_settings *p =
            SECTION_AT(settings->lb.peers, struct lb_peer_settings, i);
        if (want_port(p->name, &p->public_listen, err) < 0 ||
            want_port(p->name, &p->admin_listen, err) < 0)
            return err->code;
    }
    return want_port("the autoscaler", &settings->autoscale.admin, err);
}

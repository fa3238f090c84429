/* tcp_count_io.c - TCP sockets counted by the kernel: sock_diag(7), one dump for each family.
 *
 * The kernel filters by port (a small program of INET_DIAG_BC_* operations), so that the cost is
 * that of the server's own sockets, whatever else the machine holds. */
#include "agent/agent_io.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DUMP_BYTES = 65536, LISTENERS_MAX = 1024, WAIT_S = 2 };

struct address {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
};

static struct address mapped(int family, const void *raw)
{
    struct address a = {.bytes = {[10] = 0xff, [11] = 0xff}};
    if (family == AF_INET6)
        memcpy(a.bytes, raw, 16);
    else
        memcpy(a.bytes + 12, raw, 4);
    return a;
}

/* What a dump is asked for, and what is done with each socket. */
struct dump {
    uint32_t states; /* bits 1 << TCP_... */
    int port;        /* 0: all */
    void (*found)(struct dump *dump, const struct inet_diag_msg *socket);
    /* counting */
    const struct address *exclude;
    size_t exclude_count;
    int64_t count;
    /* listing */
    struct listener {
        uint32_t inode;
        int port;
    } * listeners;
    size_t listener_count;
};

static int ask(int fd, const struct dump *dump, int family)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 req;
        struct rtattr attr;
        struct inet_diag_bc_op ops[2];
    } msg = {
        .head = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct inet_diag_req_v2)),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .req = {.sdiag_family = (uint8_t)family,
                .sdiag_protocol = IPPROTO_TCP,
                .idiag_states = dump->states},
        .attr = {.rta_type = INET_DIAG_REQ_BYTECODE, .rta_len = RTA_LENGTH(2 * 4)},
        /* local port == port: accept; else jump beyond the end, which rejects */
        .ops = {{.code = INET_DIAG_BC_S_EQ, .yes = 8, .no = 12}, {.no = (uint16_t)dump->port}},
    };
    if (dump->port)
        msg.head.nlmsg_len = sizeof msg;
    return send(fd, &msg, msg.head.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* One buffer of answers. 1: the end; 0: more to come; negative errno. */
static int take(struct dump *dump, const char *buf, size_t size)
{
    for (size_t at = 0; at + sizeof(struct nlmsghdr) <= size;) {
        // NOLINTNEXTLINE(clang-diagnostic-cast-align): netlink aligns its messages
        const struct nlmsghdr *head = (const struct nlmsghdr *)(const void *)(buf + at);
        if (head->nlmsg_len < sizeof *head || head->nlmsg_len > size - at)
            return -EPROTO;
        at += NLMSG_ALIGN((size_t)head->nlmsg_len);
        if (head->nlmsg_type == NLMSG_DONE)
            return 1;
        if (head->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *error = NLMSG_DATA(head);
            return error->error ? error->error : -EPROTO;
        }
        if (head->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
            head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            dump->found(dump, NLMSG_DATA(head));
    }
    return 0;
}

static int run_family(int fd, struct dump *dump, int family)
{
    static _Thread_local _Alignas(16) char buf[DUMP_BYTES];
    int rc = ask(fd, dump, family);
    while (rc == 0) {
        ssize_t n = recv(fd, buf, sizeof buf, 0);
        if (n < 0 && errno == EINTR)
            continue;
        rc = n < 0 ? -errno : n == 0 ? -EPROTO : take(dump, buf, (size_t)n);
    }
    return rc == 1 ? 0 : rc;
}

static int run(struct dump *dump, struct err *err)
{
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return err_set(err, BERTH_ESYS, "netlink: %s", strerror(errno));
    const struct timeval limit = {.tv_sec = WAIT_S};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    int rc = run_family(fd, dump, AF_INET);
    if (rc == 0)
        rc = run_family(fd, dump, AF_INET6);
    (void)close(fd);
    return rc == 0 ? 0 : err_set(err, BERTH_ESYS, "sock_diag: %s", strerror(-rc));
}

/* ---- counting ---- */

static void count_one(struct dump *dump, const struct inet_diag_msg *socket)
{
    struct address other = mapped(socket->idiag_family, socket->id.idiag_dst);
    if (ntohs(socket->id.idiag_sport) != dump->port)
        return;
    for (size_t i = 0; i < dump->exclude_count; i++)
        if (memcmp(&dump->exclude[i], &other, sizeof other) == 0)
            return;
    dump->count++;
}

static int read_addresses(const struct text_list *list, struct address *ret, size_t max,
                          struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < list->count && n < max; i++) {
        struct in_addr four;
        struct in6_addr six;
        if (inet_pton(AF_INET, list->items[i], &four) == 1)
            ret[n++] = mapped(AF_INET, &four);
        else if (inet_pton(AF_INET6, list->items[i], &six) == 1)
            ret[n++] = mapped(AF_INET6, &six);
        else
            return err_set(err, BERTH_EINVAL,
                           "count.exclude: %s is not a numeric IPv4 or IPv6 address",
                           list->items[i]);
    }
    return (int)n;
}

int64_t tcp_count(const int *ports, size_t port_count, const struct text_list *exclude,
                  struct err *err)
{
    struct address addresses[64];
    int n = read_addresses(exclude, addresses, sizeof addresses / sizeof *addresses, err);
    if (n < 0)
        return n;
    struct dump dump = {.states = 1u << TCP_ESTABLISHED,
                        .found = count_one,
                        .exclude = addresses,
                        .exclude_count = (size_t)n};
    for (size_t i = 0; i < port_count; i++) {
        dump.port = ports[i];
        int rc = run(&dump, err);
        if (rc < 0)
            return rc;
    }
    return dump.count;
}

/* ---- the ports of a process ---- */

static void list_one(struct dump *dump, const struct inet_diag_msg *socket)
{
    if (dump->listener_count < LISTENERS_MAX)
        dump->listeners[dump->listener_count++] =
            (struct listener){socket->idiag_inode, ntohs(socket->id.idiag_sport)};
}

/* The socket behind /proc/PID/fd/NAME; 0: it is none. */
static uint32_t socket_inode(int directory, const char *name)
{
    char target[64];
    ssize_t n = readlinkat(directory, name, target, sizeof target - 1);
    if (n <= 8)
        return 0;
    target[n] = '\0';
    return strncmp(target, "socket:[", 8) == 0 ? (uint32_t)strtoul(target + 8, NULL, 10) : 0;
}

static size_t add_port(int *ports, size_t count, size_t max, int port)
{
    for (size_t i = 0; i < count; i++)
        if (ports[i] == port)
            return count;
    if (count < max)
        ports[count++] = port;
    return count;
}

int tcp_ports_of(int pid, int *ret_ports, size_t max, struct err *err)
{
    static _Thread_local struct listener listeners[LISTENERS_MAX];
    struct dump dump = {.states = 1u << TCP_LISTEN, .found = list_one, .listeners = listeners};
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *directory = opendir(path);
    if (!directory)
        return err_set(err, errno == ENOENT ? BERTH_ENOENT : BERTH_ESYS, "process %d: %s", pid,
                       strerror(errno));
    int rc = run(&dump, err);
    size_t count = 0;
    const struct dirent *entry;
    while (rc == 0 && (entry = readdir(directory)) != NULL) {
        uint32_t inode = socket_inode(dirfd(directory), entry->d_name);
        for (size_t i = 0; inode && i < dump.listener_count; i++)
            if (listeners[i].inode == inode)
                count = add_port(ret_ports, count, max, listeners[i].port);
    }
    (void)closedir(directory);
    return rc < 0 ? rc : (int)count;
}

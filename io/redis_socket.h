/* redis_socket.h - a non-blocking stream socket to Redis: TCP by numeric address, or a unix path.
 */
#ifndef BERTH_IO_REDIS_SOCKET_H
#define BERTH_IO_REDIS_SOCKET_H

#include "core/err.h"

#include <stdbool.h>

/* A numeric IPv4 or IPv6 address, or a path that begins with '/' and is short enough. */
bool redis_socket_address_ok(const char *host);

/* Begin to connect. Returns the descriptor (close-on-exec, non-blocking, TCP_NODELAY), or
 * BERTH_ESYS / BERTH_EINVAL with err. It is writable when connecting has ended;
 * redis_socket_error() says how. */
int redis_socket_open(const char *host, int port, struct err *err) BERTH_MUST_USE;

/* The pending error (errno value) of a socket; 0: none. */
int redis_socket_error(int fd);

#endif

/* notify.h - tell systemd how we are (sd_notify(3)) over NOTIFY_SOCKET, without libsystemd.
 *
 * Without NOTIFY_SOCKET every call is a no-op. A message that cannot be sent is dropped: it must
 * never stop the program. */
#ifndef BERTH_IO_NOTIFY_H
#define BERTH_IO_NOTIFY_H

#include "core/err.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_len;
    int64_t watchdog_ms; /* feed it at least so often (half of WATCHDOG_USEC); 0: no watchdog is
                            set, or it is not for this process */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Returns 0, also when there is nobody;
 * BERTH_EINVAL or BERTH_ESYS with err when the variables are there and cannot be used (fd is -1
 * then). */
int notify_init(struct notify *notify, struct err *err);
void notify_fini(struct notify *notify);

void notify_ready(const struct notify *notify);
void notify_stopping(const struct notify *notify);
void notify_watchdog(const struct notify *notify);
/* MAINPID=...: from now on another process is the service. */
void notify_main_pid(const struct notify *notify, pid_t pid);
/* STATUS=...: one line for `systemctl status`. */
void notify_status(const struct notify *notify, const char *fmt, ...) BERTH_PRINTF(2, 3);

#endif

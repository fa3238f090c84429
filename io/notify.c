/* notify.c - sd_notify(3) messages as datagrams to NOTIFY_SOCKET. */
#include "io/notify.h"

#include "core/span.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* WATCHDOG_USEC is for us if WATCHDOG_PID is absent or names us. */
static int64_t read_watchdog(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t us, of;
    if (!usec || !span_int(span_of(usec), &us) || us < 2000)
        return 0;
    if (pid && (!span_int(span_of(pid), &of) || of != getpid()))
        return 0;
    return us / 2000; /* half of it, in milliseconds */
}

int notify_init(struct notify *notify, struct err *err)
{
    *notify = (struct notify){.fd = -1};
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || !*path)
        return 0;
    size_t len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof notify->to.sun_path)
        return err_set(
            err, BERTH_EINVAL,
            "NOTIFY_SOCKET = %s: must be an absolute path or begin with @, of at most %zu bytes",
            path, sizeof notify->to.sun_path - 1);
    notify->to.sun_family = AF_UNIX;
    memcpy(notify->to.sun_path, path, len);
    if (path[0] == '@') /* Linux's abstract names begin with a zero byte */
        notify->to.sun_path[0] = '\0';
    notify->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->fd < 0)
        return err_set(err, BERTH_ESYS, "cannot make a socket for NOTIFY_SOCKET: %s",
                       strerror(errno));
    notify->watchdog_ms = read_watchdog();
    return 0;
}

void notify_fini(struct notify *notify)
{
    if (notify->fd > 0)
        (void)close(notify->fd);
    *notify = (struct notify){.fd = -1};
}

static void send_text(const struct notify *notify, const char *text, size_t len)
{
    if (notify->fd >= 0)
        (void)sendto(notify->fd, text, len, MSG_NOSIGNAL, (const struct sockaddr *)&notify->to,
                     notify->to_len);
}

void notify_ready(const struct notify *notify)
{
    send_text(notify, "READY=1", 7);
}

void notify_stopping(const struct notify *notify)
{
    send_text(notify, "STOPPING=1", 10);
}

void notify_watchdog(const struct notify *notify)
{
    send_text(notify, "WATCHDOG=1", 10);
}

void notify_main_pid(const struct notify *notify, pid_t pid)
{
    char text[32];
    int n = snprintf(text, sizeof text, "MAINPID=%d", (int)pid);
    send_text(notify, text, (size_t)n);
}

void notify_status(const struct notify *notify, const char *fmt, ...)
{
    char text[512] = "STATUS=";
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text + 7, sizeof text - 7, fmt, ap);
    va_end(ap);
    size_t len = strcspn(text, "\n"); /* a line feed would begin another assignment */
    send_text(notify, text, len);
}

/* handover_io.c - restart in place: a new process takes over the name and the listening socket. */
#include "nodekit/shell_io.h"

#include "io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_LIMIT_MS 30000
#define NAME_LIMIT_MS 3000
#define LIST_EVERY_MS 1000
#define HELLO_LIMIT_S 5
#define MESSAGE_MAX 1024
#define LIST_BYTES_MAX (64 << 20)

static void step(struct node_shell *shell, enum handover_event_kind kind, const char *refuse);

/* ---- messages ---- */

static bool send_message(int fd, const char *text, const int *fds, size_t fd_count)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd_count > 0) {
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
    }
    return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)iov.iov_len;
}

/* Returns the length; 0: the other end is gone; negative: nothing now, or an error. fds not sent
 * are -1. */
static ssize_t receive_message(int fd, int flags, char ret_text[MESSAGE_MAX], int ret_fds[2])
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct iovec iov = {ret_text, MESSAGE_MAX - 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
    ret_text[n > 0 ? n : 0] = '\0';
    ret_fds[0] = ret_fds[1] = -1;
    for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL; c; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            memcpy(ret_fds, CMSG_DATA(c),
                   c->cmsg_len - CMSG_LEN(0) < 2 * sizeof(int) ? c->cmsg_len - CMSG_LEN(0)
                                                               : 2 * sizeof(int));
    return n;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void write_line(void *arg, struct span text)
{
    (void)fwrite(text.ptr, 1, text.len, arg);
}

/* A file in memory with the rooms that are here: any number of them in one message. */
static int list_file(struct node_shell *shell)
{
    int fd = memfd_create("berth-rooms", MFD_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(dup(fd), "we");
    if (!f) {
        close_fd(&fd);
        return -1;
    }
    if (shell->app->list)
        shell->app->list(shell, write_line, f);
    if (fclose(f) != 0)
        close_fd(&fd);
    return fd;
}

const char *node_first_name(const struct node_shell *shell)
{
    return shell->handover.name[0] ? shell->handover.name : shell->name;
}

static bool send_list(struct node_shell *shell, const char *message)
{
    struct node_handover *h = &shell->handover;
    int fd = list_file(shell);
    bool sent = fd >= 0 && send_message(h->channel, message, &fd, 1);
    close_fd(&fd);
    if (sent && shell->app->list_version)
        h->listed = shell->app->list_version(shell);
    return sent;
}

/* What the process before says that it holds. fd: -1: nothing. */
static void learn_rooms(struct node_shell *shell, int fd)
{
    struct stat st = {.st_size = 0};
    if (fd >= 0)
        (void)fstat(fd, &st);
    size_t size = st.st_size > 0 && st.st_size <= LIST_BYTES_MAX ? (size_t)st.st_size : 0;
    void *map = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    bool mapped = map != MAP_FAILED;
    node_step(shell, (struct node_event){.kind = NODE_ELSEWHERE,
                                         .rooms = {mapped ? map : "", mapped ? size : 0}});
    if (mapped)
        (void)munmap(map, size);
}

/* ---- the one that is succeeded ---- */

static void on_channel(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct node_shell *shell = watcher->data;
    char text[MESSAGE_MAX];
    int fds[2];
    ssize_t n = receive_message(shell->handover.channel, MSG_DONTWAIT, text, fds);
    close_fd(&fds[0]);
    close_fd(&fds[1]);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        ev_io_stop(ev, watcher);
        close_fd(&shell->handover.channel);
        step(shell, HANDOVER_LOST, NULL);
    } else if (strcmp(text, "up") == 0) {
        step(shell, HANDOVER_UP, NULL);
    } else if (strcmp(text, "taken") == 0) {
        step(shell, HANDOVER_TAKEN, NULL);
    }
}

static void close_channel(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    if (h->channel >= 0)
        ev_io_stop(loop_ev(shell->loop), &h->channel_watch);
    close_fd(&h->channel);
}

static void on_child_end(void *arg, int pid, int status)
{
    struct node_shell *shell = arg;
    shell->handover.pid = 0;
    log_info(&shell->log, "restart", "what=new_process_ended pid=%d status=%d", pid, status);
    step(shell, HANDOVER_LOST, NULL);
}

static void say_hello(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    char text[MESSAGE_MAX];
    int fds[2] = {web_server_fd(shell->server), shell->health ? web_server_fd(shell->health) : -1};
    (void)snprintf(text, sizeof text, "hello 1\nname=%s\nnonce=%.16s\nepochs=%lld%s%s\n",
                   shell->name, shell->nonce, (long long)shell->reporter.epoch,
                   h->epochs[0] ? "," : "", h->epochs);
    if (!send_message(h->channel, text, fds, fds[1] >= 0 ? 2 : 1))
        step(shell, HANDOVER_LOST, NULL);
}

static void start(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    int pair[2];
    struct err err = {0};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        log_error(&shell->log, "restart", "what=failed why=%s", strerror(errno));
        step(shell, HANDOVER_LOST, NULL);
        return;
    }
    const char **argv = calloc((size_t)shell->argc + 1, sizeof *argv);
    static const char *const env[] = {"BERTH_HANDOVER=1", NULL};
    pid_t pid = BERTH_ENOMEM;
    if (argv) {
        argv[0] = h->program;
        for (int i = 1; i < shell->argc; i++)
            argv[i] = shell->argv[i];
        (void)unsetenv("WATCHDOG_PID"); /* it is for us; what we feed is known already */
        struct spawn spec = {.argv = argv, .env = env, .pass_fd = pair[1]};
        pid = spawn_process(&spec, &err);
        free((void *)argv);
    }
    (void)close(pair[1]);
    h->channel = pair[0];
    ev_io_init(&h->channel_watch, on_channel, h->channel, EV_READ);
    h->channel_watch.data = shell;
    ev_io_start(loop_ev(shell->loop), &h->channel_watch);
    if (pid < 0) {
        log_error(&shell->log, "restart", "what=failed why=%s",
                  err.text[0] ? err.text : err_word((int)pid));
        step(shell, HANDOVER_LOST, NULL);
        return;
    }
    h->pid = pid;
    child_watch(&h->child, shell->loop, pid, on_child_end, shell);
    log_info(&shell->log, "restart", "what=started pid=%d program=%s", (int)pid, h->program);
    say_hello(shell);
}

/* Under `name` in the store from now on. */
static void go_by(struct node_shell *shell, const char *name, const char *endpoint, bool succeeded)
{
    (void)snprintf(shell->name, sizeof shell->name, "%s", name);
    (void)snprintf(shell->endpoint, sizeof shell->endpoint, "%s", endpoint);
    if (shell->door.tickets)
        (void)!ticket_door_rename(&shell->door.book, span_of(name)); /* its length was looked at */
    node_report_event(shell, (struct reporter_event){.kind = REPORTER_RENAMED, .on = succeeded});
}

static void rename_us(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    struct err err = {0};
    char name[sizeof shell->name + 24], endpoint[sizeof shell->endpoint];
    web_server_pause(shell->server, true);
    h->own = node_listen(shell, 0, 0, false, &err);
    int rc = h->own ? node_endpoint(shell, web_server_port(h->own), endpoint, &err) : BERTH_ESYS;
    if (rc < 0) {
        log_error(&shell->log, "restart", "what=failed why=%s", err.text);
        step(shell, HANDOVER_LOST, NULL);
        return;
    }
    (void)snprintf(h->name, sizeof h->name, "%s", shell->name);
    (void)snprintf(h->endpoint, sizeof h->endpoint, "%s", shell->endpoint);
    (void)snprintf(name, sizeof name, "%s~%lld", shell->name, (long long)shell->reporter.epoch);
    if (strcmp(endpoint, shell->endpoint) == 0)
        log_warn(
            &shell->log, "restart",
            "what=same_endpoint detail=\"advertise has no {port}: who comes back to a room here "
            "cannot reach it\"");
    go_by(shell, name, endpoint, true);
}

static void back(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    if (h->name[0]) {
        char endpoint[sizeof h->endpoint];
        memcpy(endpoint, h->endpoint, sizeof endpoint);
        go_by(shell, h->name, endpoint, false);
        h->name[0] = '\0';
    }
    web_server_close(h->own);
    h->own = NULL;
    web_server_pause(shell->server, false);
}

static void on_list_timer(void *arg)
{
    struct node_shell *shell = arg;
    struct node_handover *h = &shell->handover;
    if (h->channel >= 0 && shell->app->list_version && shell->app->list_version(shell) != h->listed)
        (void)send_list(shell, "rooms");
}

static void leave(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    web_server_stop_accepting(shell->server); /* our copy: the socket goes on in the new process */
    if (shell->health)
        web_server_stop_accepting(shell->health);
    if (h->pid > 0)
        notify_main_pid(&shell->boot.notify, h->pid);
    timer_start(&h->list_timer, LIST_EVERY_MS, LIST_EVERY_MS);
    log_info(&shell->log, "restart", "what=succeeded pid=%d node=%s endpoint=%s", h->pid,
             shell->name, shell->endpoint);
}

static void carry_out(struct node_shell *shell, const struct handover_effect *effect)
{
    struct node_handover *h = &shell->handover;
    switch (effect->kind) {
    case HANDOVER_DO_REFUSE:
        log_warn(&shell->log, "restart", "what=refused why=%s", effect->why);
        break;
    case HANDOVER_DO_START:
        start(shell);
        break;
    case HANDOVER_DO_RENAME:
        rename_us(shell);
        break;
    case HANDOVER_DO_PASS:
        if (!send_list(shell, "go"))
            step(shell, HANDOVER_LOST, NULL);
        break;
    case HANDOVER_DO_LEAVE:
        leave(shell);
        break;
    case HANDOVER_DO_END:
        log_error(&shell->log, "restart", "what=undone why=%s", effect->why);
        close_channel(shell);
        if (h->pid > 0)
            (void)kill(h->pid, SIGKILL);
        break;
    case HANDOVER_DO_BACK:
        back(shell);
        break;
    }
}

static void step(struct node_shell *shell, enum handover_event_kind kind, const char *refuse)
{
    struct node_handover *h = &shell->handover;
    struct handover_effects fx;
    handover_step(
        &h->core,
        &(struct handover_event){.kind = kind, .now = loop_now(shell->loop), .refuse = refuse},
        &fx);
    for (int i = 0; i < fx.count; i++)
        carry_out(shell, &fx.items[i]);
    timer_at(&h->timer, handover_deadline(&h->core));
}

static void on_timer(void *arg)
{
    step(arg, HANDOVER_TICK, NULL);
}

void handover_restart(void *app)
{
    struct node_shell *shell = app;
    const struct reporter *r = &shell->reporter;
    bool fits = strlen(shell->name) + 21 <= KEYS_NAME_MAX;
    const char *refuse = !shell->redis                       ? "starting"
                         : r->wishes & REPORTER_WISH_SIGTERM ? "leaving"
                         : !r->up || !r->joined              ? "store_away"
                         : !fits                             ? "name_too_long"
                         : shell->handover.pid > 0           ? "under_way"
                                                             : NULL;
    log_info(&shell->log, "restart", "what=asked");
    step(shell, HANDOVER_ASKED, refuse);
}

/* ---- the one that succeeds ---- */

/* What follows "\nname=" in a hello, up to the end of its line; NULL: it is not there. */
static const char *hello_value(const char *text, const char *name, char *ret_buf, size_t size)
{
    const char *at = strstr(text, name);
    size_t len = strlen(name);
    const char *end = at ? strchr(at + len, '\n') : NULL;
    if (!end || !span_copy((struct span){at + len, (size_t)(end - at) - len}, ret_buf, size))
        return NULL;
    return ret_buf;
}

int handover_receive(struct node_shell *shell, struct err *err)
{
    struct node_handover *h = &shell->handover;
    h->shell = shell;
    h->channel = h->from = h->listener = h->health = -1;
    ssize_t len = readlink("/proc/self/exe", h->program, sizeof h->program - 1);
    h->program[len > 0 ? len : 0] = '\0';
    const char *told = getenv("BERTH_HANDOVER");
    if (!told || strcmp(told, "1") != 0)
        return 0;
    (void)unsetenv("BERTH_HANDOVER"); /* not for our own children */
    char text[MESSAGE_MAX], nonce[17], own[17];
    int fds[2];
    struct timeval limit = {.tv_sec = HELLO_LIMIT_S};
    (void)fcntl(SPAWN_PASSED, F_SETFD, FD_CLOEXEC);
    (void)setsockopt(SPAWN_PASSED, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ssize_t n = receive_message(SPAWN_PASSED, 0, text, fds);
    if (n <= 0 || strncmp(text, "hello 1\n", 8) != 0 || fds[0] < 0 ||
        !hello_value(text, "\nname=", shell->name, sizeof shell->name) ||
        !hello_value(text, "\nnonce=", nonce, sizeof nonce) ||
        !hello_value(text, "\nepochs=", h->epochs, sizeof h->epochs))
        return err_set(err, BERTH_EPROTO, "BERTH_HANDOVER is set, but descriptor %d tells nothing",
                       SPAWN_PASSED);
    memcpy(own, shell->nonce, 16);
    own[16] = '\0';
    (void)snprintf(shell->nonce, sizeof shell->nonce, "%s~%s", own, nonce);
    h->from = SPAWN_PASSED;
    h->listener = fds[0];
    h->health = fds[1];
    h->heir = true;
    return 0;
}

static void on_from(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct node_shell *shell = watcher->data;
    struct node_handover *h = &shell->handover;
    char text[MESSAGE_MAX];
    int fds[2];
    ssize_t n = receive_message(h->from, MSG_DONTWAIT, text, fds);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* the process before us has ended */
        ev_io_stop(ev, watcher);
        close_fd(&h->from);
        learn_rooms(shell, -1);
        if (!h->taken) {
            log_error(&shell->log, "restart", "what=failed why=old_process_gone");
            boot_exit(&shell->boot, 1);
        }
        return;
    }
    if (strcmp(text, "go") == 0 || strcmp(text, "rooms") == 0)
        learn_rooms(shell, fds[0]);
    close_fd(&fds[0]);
    close_fd(&fds[1]);
    if (strcmp(text, "go") == 0)
        node_report_event(shell, (struct reporter_event){.kind = REPORTER_GO});
}

static void on_patience(void *arg)
{
    struct node_shell *shell = arg;
    log_error(&shell->log, "restart", "what=failed why=never_told_to_go");
    boot_exit(&shell->boot, 1);
}

void handover_store_up(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    if (!h->heir || h->said_up || h->from < 0)
        return;
    h->said_up = true;
    if (!send_message(h->from, "up", NULL, 0))
        log_error(&shell->log, "restart", "what=failed why=%s", strerror(errno));
}

void handover_joined(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    if (h->heir && !h->taken) {
        h->taken = true;
        timer_stop(&h->patience);
        web_server_pause(shell->server, false);
        log_info(&shell->log, "restart", "what=taken node=%s", shell->name);
        if (h->from < 0 || !send_message(h->from, "taken", NULL, 0))
            log_warn(&shell->log, "restart", "what=old_process_gone");
    } else if (h->core.state == HANDOVER_RENAMING) {
        step(shell, HANDOVER_RENAMED, NULL);
    }
}

/* Tickets for the processes before us are good here too. */
static void succeed_epochs(struct node_shell *shell)
{
    struct span list = span_of(shell->handover.epochs);
    int64_t epochs[TICKET_FORMER_MAX];
    size_t count = 0;
    while (list.len > 0 && count < TICKET_FORMER_MAX) {
        const char *comma = memchr(list.ptr, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.ptr) : list.len;
        if (span_int((struct span){list.ptr, len}, &epochs[count]))
            count++;
        size_t skip = len + (comma != NULL);
        list = (struct span){list.ptr + skip, list.len - skip};
    }
    char *at = shell->handover.epochs; /* as it is told to the next: not too many */
    size_t room = sizeof shell->handover.epochs;
    *at = '\0';
    for (size_t i = 0; i < count && i + 1 < TICKET_FORMER_MAX; i++) {
        int n = snprintf(at, room, "%s%lld", i ? "," : "", (long long)epochs[i]);
        at += n;
        room -= (size_t)n;
    }
    while (shell->door.tickets && count-- > 0)
        ticket_door_succeed(&shell->door.book, epochs[count]);
}

void handover_open(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    handover_init(&h->core, START_LIMIT_MS, NAME_LIMIT_MS);
    timer_init(&h->timer, shell->loop, on_timer, shell);
    timer_init(&h->list_timer, shell->loop, on_list_timer, shell);
    timer_init(&h->patience, shell->loop, on_patience, shell);
    if (!h->heir)
        return;
    succeed_epochs(shell);
    ev_io_init(&h->from_watch, on_from, h->from, EV_READ);
    h->from_watch.data = shell;
    ev_io_start(loop_ev(shell->loop), &h->from_watch);
    timer_start(&h->patience, START_LIMIT_MS + 2 * NAME_LIMIT_MS, 0);
}

void handover_close(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    timer_stop(&h->timer);
    timer_stop(&h->list_timer);
    timer_stop(&h->patience);
    if (h->pid > 0) {
        child_unwatch(&h->child);
        if (h->core.state != HANDOVER_GIVEN)
            (void)kill(h->pid, SIGKILL); /* we end in the middle of it: so does the new process */
    }
    close_channel(shell);
    if (h->from >= 0)
        ev_io_stop(loop_ev(shell->loop), &h->from_watch);
    close_fd(&h->from);
    close_fd(&h->listener);
    close_fd(&h->health);
}

/* handover_heir_io.c - restart in place, the new process: it is given the listening socket and then
 * the name, and learns which rooms stay behind. */
#include "nodekit/handover_parts.h"

#include "io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELLO_LIMIT_S 5
#define LIST_BYTES_MAX (64 << 20)

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
    char text[HANDOVER_MESSAGE_MAX], nonce[17], own[17];
    int fds[2];
    struct timeval limit = {.tv_sec = HELLO_LIMIT_S};
    (void)fcntl(SPAWN_PASSED, F_SETFD, FD_CLOEXEC);
    (void)setsockopt(SPAWN_PASSED, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ssize_t n = handover_take(SPAWN_PASSED, 0, text, fds);
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

static void on_from(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct node_shell *shell = watcher->data;
    struct node_handover *h = &shell->handover;
    char text[HANDOVER_MESSAGE_MAX];
    int fds[2];
    ssize_t n = handover_take(h->from, MSG_DONTWAIT, text, fds);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* the process before us has ended */
        ev_io_stop(ev, watcher);
        handover_close_fd(&h->from);
        learn_rooms(shell, -1);
        if (!h->taken) {
            log_error(&shell->log, "restart", "what=failed why=old_process_gone");
            boot_exit(&shell->boot, 1);
        }
        return;
    }
    if (strcmp(text, "go") == 0 || strcmp(text, "rooms") == 0)
        learn_rooms(shell, fds[0]);
    handover_close_fd(&fds[0]);
    handover_close_fd(&fds[1]);
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
    if (!handover_send(h->from, "up", NULL, 0))
        log_error(&shell->log, "restart", "what=failed why=%s", strerror(errno));
}

void handover_heir_joined(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    h->taken = true;
    timer_stop(&h->patience);
    web_server_pause(shell->server, false);
    log_info(&shell->log, "restart", "what=taken node=%s", shell->name);
    if (h->from < 0 || !handover_send(h->from, "taken", NULL, 0))
        log_warn(&shell->log, "restart", "what=old_process_gone");
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

void handover_heir_open(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    timer_init(&h->patience, shell->loop, on_patience, shell);
    if (!h->heir)
        return;
    succeed_epochs(shell);
    ev_io_init(&h->from_watch, on_from, h->from, EV_READ);
    h->from_watch.data = shell;
    ev_io_start(loop_ev(shell->loop), &h->from_watch);
    timer_start(&h->patience, HANDOVER_START_LIMIT_MS + 2 * HANDOVER_NAME_LIMIT_MS, 0);
}

void handover_heir_close(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    timer_stop(&h->patience);
    if (h->from >= 0)
        ev_io_stop(loop_ev(shell->loop), &h->from_watch);
    handover_close_fd(&h->from);
    handover_close_fd(&h->listener);
    handover_close_fd(&h->health);
}

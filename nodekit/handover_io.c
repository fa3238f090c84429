/* handover_io.c - restart in place, the old process: a new one takes over the name and the
 * listening socket, and this one goes on with its rooms under another. */
#include "nodekit/handover_parts.h"

#include "io/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIST_EVERY_MS 1000

static void step(struct node_shell *shell, enum handover_event_kind kind, const char *refuse);

/* ---- the rooms that stay here ---- */

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
        handover_close_fd(&fd);
        return -1;
    }
    if (shell->app->list)
        shell->app->list(shell, write_line, f);
    if (fclose(f) != 0)
        handover_close_fd(&fd);
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
    bool sent = fd >= 0 && handover_send(h->channel, message, &fd, 1);
    handover_close_fd(&fd);
    if (sent && shell->app->list_version)
        h->listed = shell->app->list_version(shell);
    return sent;
}

/* ---- the new process ---- */

static void on_channel(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct node_shell *shell = watcher->data;
    char text[HANDOVER_MESSAGE_MAX];
    int fds[2];
    ssize_t n = handover_take(shell->handover.channel, MSG_DONTWAIT, text, fds);
    handover_close_fd(&fds[0]);
    handover_close_fd(&fds[1]);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        ev_io_stop(ev, watcher);
        handover_close_fd(&shell->handover.channel);
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
    handover_close_fd(&h->channel);
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
    char text[HANDOVER_MESSAGE_MAX];
    int fds[2] = {web_server_fd(shell->server), shell->health ? web_server_fd(shell->health) : -1};
    (void)snprintf(text, sizeof text, "hello 1\nname=%s\nnonce=%.16s\nepochs=%lld%s%s\n",
                   shell->name, shell->nonce, (long long)shell->reporter.epoch,
                   h->epochs[0] ? "," : "", h->epochs);
    if (!handover_send(h->channel, text, fds, fds[1] >= 0 ? 2 : 1))
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

void handover_joined(struct node_shell *shell)
{
    const struct node_handover *h = &shell->handover;
    if (h->heir && !h->taken)
        handover_heir_joined(shell);
    else if (h->core.state == HANDOVER_RENAMING)
        step(shell, HANDOVER_RENAMED, NULL);
}

/* ---- life ---- */

void handover_open(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    handover_init(&h->core, HANDOVER_START_LIMIT_MS, HANDOVER_NAME_LIMIT_MS);
    timer_init(&h->timer, shell->loop, on_timer, shell);
    timer_init(&h->list_timer, shell->loop, on_list_timer, shell);
    handover_heir_open(shell);
}

void handover_close(struct node_shell *shell)
{
    struct node_handover *h = &shell->handover;
    timer_stop(&h->timer);
    timer_stop(&h->list_timer);
    if (h->pid > 0) {
        child_unwatch(&h->child);
        if (h->core.state != HANDOVER_GIVEN)
            (void)kill(h->pid, SIGKILL); /* we end in the middle of it: so does the new process */
    }
    close_channel(shell);
    handover_heir_close(shell);
}

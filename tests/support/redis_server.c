/* redis_server.c - start, kill, pause and stop a redis-server. */
#include "tests/support/redis_server.h"

#include "io/port.h"
#include "io/spawn.h"
#include "tests/support/redis_client.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Waits until it answers, ends, or ten seconds are over. */
static int wait_ready(struct redis_server *s, struct err *err)
{
    const struct timespec pause = {0, 5000000};
    for (int i = 0; i < 2000; i++) {
        int status;
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            return err_set(err, BERTH_EAGAIN, "redis-server ended at once, see %s/log", s->dir);
        }
        struct redis_client *client = redis_client_open(s->path, NULL);
        if (client) {
            const struct resp *reply = redis_client_ask(client, "PING", NULL);
            bool loading =
                reply && reply->type == RESP_ERROR && strncmp(reply->text.ptr, "LOADING", 7) == 0;
            redis_client_close(client);
            if (reply && !loading)
                return 0;
        }
        (void)nanosleep(&pause, NULL);
    }
    redis_server_kill(s);
    return err_set(err, BERTH_ETIMEOUT, "redis-server does not answer, see %s/log", s->dir);
}

static int launch(struct redis_server *s, struct err *err)
{
    char port[16], log[96];
    (void)snprintf(port, sizeof port, "%d", s->port);
    (void)snprintf(log, sizeof log, "%s/log", s->dir);
    (void)unlink(s->path);
    const char *argv[] = {"redis-server",
                          "--port",
                          port,
                          "--bind",
                          "127.0.0.1",
                          "--unixsocket",
                          s->path,
                          "--dir",
                          s->dir,
                          "--save",
                          "",
                          "--appendonly",
                          s->durable ? "yes" : "no",
                          "--appendfsync",
                          "always",
                          "--logfile",
                          log,
                          "--daemonize",
                          "no",
                          s->password ? "--requirepass" : NULL,
                          s->password,
                          NULL};
    const struct spawn spec = {.argv = argv, .output = log, .die_with_parent = SIGKILL};
    pid_t pid = spawn_process(&spec, err);
    if (pid < 0)
        return (int)pid;
    s->pid = pid;
    return wait_ready(s, err);
}

int redis_server_start(struct redis_server *s, struct err *err)
{
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/berth-test-redis-XXXXXX");
    if (!mkdtemp(s->dir))
        return err_set(err, BERTH_ESYS, "mkdtemp: %s", strerror(errno));
    (void)snprintf(s->path, sizeof s->path, "%s/redis.sock", s->dir);
    int code = BERTH_EAGAIN;
    for (int i = 0; i < 5 && code == BERTH_EAGAIN; i++) { /* the port may be taken meanwhile */
        s->port = port_find_free(NULL);
        code = launch(s, err);
    }
    return code;
}

static void end(struct redis_server *s, int signum)
{
    int status;
    if (s->pid <= 0)
        return;
    (void)kill(s->pid, SIGCONT);
    (void)kill(s->pid, signum);
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
}

void redis_server_kill(struct redis_server *s)
{
    end(s, SIGKILL);
}

int redis_server_restart(struct redis_server *s, struct err *err)
{
    return launch(s, err);
}

void redis_server_pause(struct redis_server *s)
{
    (void)kill(s->pid, SIGSTOP);
}

void redis_server_resume(struct redis_server *s)
{
    (void)kill(s->pid, SIGCONT);
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    char name[512];
    while (dir && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR)
            remove_tree(name);
        else
            (void)unlink(name);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(path);
}

void redis_server_stop(struct redis_server *s)
{
    end(s, SIGKILL);
    if (s->dir[0])
        remove_tree(s->dir);
    s->dir[0] = '\0';
}

/* harbour.c - starting, watching and stopping the processes of one installation. */
#include "cli/harbour.h"

#include "cli/berth.h"

#include "cli/ports.h"
#include "io/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum berth_kind { KIND_REDIS, KIND_LB, KIND_AUTOSCALE };
enum { ARGS_MAX = 16, PROCS_MAX = LB_PEERS_MAX + 2, PAUSE_FIRST_MS = 1000, PAUSE_MAX_MS = 30000 };

struct proc {
    struct harbour *harbour;
    enum berth_kind kind;
    char name[64];
    char log_file[512];
    const char *argv[ARGS_MAX];
    pid_t pid; /* 0: not running */
    int64_t pause_ms;
    mono_ms_t started;
    struct child child;
    struct timer again;
};

/* What is being stopped; later ones only when the earlier have ended. */
enum stop_stage { STOP_NOT, STOP_AUTOSCALE, STOP_NODES, STOP_LBS, STOP_REDIS, STOP_DONE };

struct harbour {
    struct loop *loop;
    struct log *log;
    struct harbour_config config;
    struct proc procs[PROCS_MAX];
    size_t count;
    enum stop_stage stage;
    mono_ms_t stage_began;
    int signals; /* sent in this stage */
    bool hurry;
    struct timer stop_timer;
};

static void say(struct harbour *h, const char *fmt, ...) BERTH_PRINTF(2, 3);
static void say(struct harbour *h, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    h->config.say(h->config.arg, line);
}

/* ---- one process ---- */

static int start(struct proc *p, struct err *err);

static void on_again(void *arg)
{
    struct proc *p = arg;
    struct err err = {0};
    if (start(p, &err) < 0) {
        say(p->harbour, "%s does not start: %s", p->name, err.text);
        timer_start(&p->again, PAUSE_MAX_MS, 0);
    }
}

static void on_end(void *arg, int pid, int status)
{
    struct proc *p = arg;
    struct harbour *h = p->harbour;
    child_unwatch(&p->child);
    p->pid = 0;
    if (h->stage != STOP_NOT)
        return; /* the stop timer looks */
    if (mono_sub(loop_now(h->loop), p->started) > 60000)
        p->pause_ms = PAUSE_FIRST_MS;
    if (WIFSIGNALED(status))
        say(h, "%s (pid %d) was ended by signal %d; starting it again in %lld ms", p->name, pid,
            WTERMSIG(status), (long long)p->pause_ms);
    else
        say(h, "%s (pid %d) ended with code %d (see %s); starting it again in %lld ms", p->name,
            pid, WEXITSTATUS(status), p->log_file, (long long)p->pause_ms);
    timer_start(&p->again, p->pause_ms, 0);
    p->pause_ms = p->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : p->pause_ms * 2;
}

static int start(struct proc *p, struct err *err)
{
    const struct spawn spec = {
        .argv = p->argv, .output = p->log_file, .own_session = true, .die_with_parent = SIGTERM};
    pid_t pid = spawn_process(&spec, err);
    if (pid < 0)
        return (int)pid;
    p->pid = pid;
    p->started = loop_now(p->harbour->loop);
    child_watch(&p->child, p->harbour->loop, pid, on_end, p);
    return 0;
}

static struct proc *add(struct harbour *h, enum berth_kind kind, const char *name)
{
    struct proc *p = &h->procs[h->count++];
    *p = (struct proc){.harbour = h, .kind = kind, .pause_ms = PAUSE_FIRST_MS};
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    (void)snprintf(p->log_file, sizeof p->log_file, "%s/log/%s.log", h->config.directory, name);
    timer_init(&p->again, h->loop, on_again, p);
    return p;
}

static void set_args(struct proc *p, const char *const *args, size_t count)
{
    for (size_t i = 0; i < count && i + 1 < ARGS_MAX; i++)
        p->argv[i] = args[i];
}

/* ---- starting ---- */

static int make_directory(const char *path, struct err *err)
{
    if (mkdir(path, 0750) < 0 && errno != EEXIST)
        return err_set(err, BERTH_ESYS, "%s: %s", path, strerror(errno));
    return 0;
}

static bool redis_accepts(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool accepts = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return accepts;
}

/* The programs survive without it, but a person reads fewer warnings when it is there first. At
 * most 5 s. */
static int wait_for_redis(struct harbour *h, struct err *err)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    for (int i = 0; i < 250; i++) {
        if (redis_accepts(h->config.redis_socket))
            return 0;
        (void)nanosleep(&pause, NULL);
    }
    return err_set(err, BERTH_ETIMEOUT,
                   "redis-server does not answer on %s after 5 s; see %s/log/redis.log",
                   h->config.redis_socket, h->config.directory);
}

static void add_all(struct harbour *h)
{
    const struct harbour_config *c = &h->config;
    struct proc *redis = add(h, KIND_REDIS, "redis");
    const char *const redis_args[] = {
        c->redis_program, "--port", "0",     "--unixsocket", c->redis_socket, "--save", "",
        "--appendonly",   "yes",    "--dir", c->directory};
    char before[600]; /* of an installation that is over */
    (void)snprintf(before, sizeof before, "%s/appendonlydir", c->directory);
    berth_remove_directory(before);
    set_args(redis, redis_args, sizeof redis_args / sizeof *redis_args);
    for (size_t i = 0; i < c->settings->lb.peers.count; i++) {
        const struct lb_peer_settings *peer =
            SECTION_AT(c->settings->lb.peers, struct lb_peer_settings, i);
        struct proc *lb = add(h, KIND_LB, peer->name);
        const char *const args[] = {"berth-lb", "--config", c->config_file, "--name", peer->name};
        set_args(lb, args, sizeof args / sizeof *args);
    }
    struct proc *autoscale = add(h, KIND_AUTOSCALE, "autoscale");
    const char *const args[] = {"berth-autoscale", "--config", c->config_file};
    set_args(autoscale, args, sizeof args / sizeof *args);
}

static int start_all(struct harbour *h, struct err *err)
{
    for (size_t i = 0; i < h->count; i++) {
        struct proc *p = &h->procs[i];
        int code = start(p, err);
        if (code < 0) {
            err_prefix(err, "%s", p->name);
            return code;
        }
        say(h, "started %s (pid %d)", p->name, (int)p->pid);
        if (p->kind == KIND_REDIS) {
            code = wait_for_redis(h, err);
            if (code < 0)
                return code;
        }
    }
    return 0;
}

static void on_stop_timer(void *arg);

struct harbour *harbour_open(struct loop *loop, struct log *log,
                             const struct harbour_config *config, struct err *err)
{
    char path[512];
    struct harbour *h = calloc(1, sizeof *h);
    if (!h) {
        err_set(err, BERTH_ENOMEM, "no memory");
        return NULL;
    }
    h->loop = loop;
    h->log = log;
    h->config = *config;
    timer_init(&h->stop_timer, loop, on_stop_timer, h);
    (void)snprintf(path, sizeof path, "%s/log", config->directory);
    if (strlen(config->redis_socket) > 100) {
        err_set(err, BERTH_EINVAL,
                "%s: too long for a unix socket (at most 100 bytes): choose a shorter directory",
                config->redis_socket);
        goto err_after_alloc;
    }
    if (make_directory(config->directory, err) < 0 || make_directory(path, err) < 0)
        goto err_after_alloc;
    if (redis_accepts(config->redis_socket)) {
        err_set(err, BERTH_EEXIST,
                "%s: a redis-server is there already: is another `berth up` using %s?",
                config->redis_socket, config->directory);
        goto err_after_alloc;
    }
    if (ports_free(config->settings, err) < 0)
        goto err_after_alloc;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        err_set(err, BERTH_ESYS, "prctl: %s", strerror(errno));
        goto err_after_alloc;
    }
    add_all(h);
    if (start_all(h, err) < 0)
        goto err_after_start;
    return h;
err_after_start:
    harbour_close(h);
    return NULL;
err_after_alloc:
    free(h);
    return NULL;
}

/* ---- stopping ---- */

/* Signal the node processes: our children that are none of ours by name. Returns how many there
 * are. */
static size_t signal_nodes(struct harbour *h, int signum)
{
    size_t found = 0;
    DIR *dir = opendir("/proc");
    if (!dir)
        return 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char name[300], text[512];
        int ppid = 0;
        char state = 0;
        int pid = atoi(e->d_name);
        if (pid <= 0)
            continue;
        (void)snprintf(name, sizeof name, "/proc/%d/stat", pid);
        FILE *f = fopen(name, "re");
        if (!f)
            continue;
        size_t n = fread(text, 1, sizeof text - 1, f);
        (void)fclose(f);
        text[n] = '\0';
        char *after_name = strrchr(text, ')');
        if (!after_name || sscanf(after_name + 1, " %c %d", &state, &ppid) != 2 ||
            ppid != (int)getpid() || state == 'Z')
            continue;
        bool ours = false;
        for (size_t i = 0; i < h->count; i++)
            ours = ours || h->procs[i].pid == pid;
        if (ours)
            continue;
        found++;
        if (signum)
            (void)kill(pid, signum);
    }
    (void)closedir(dir);
    return found;
}

static size_t signal_kind(struct harbour *h, enum berth_kind kind, int signum)
{
    size_t found = 0;
    for (size_t i = 0; i < h->count; i++) {
        struct proc *p = &h->procs[i];
        if (p->kind != kind || p->pid == 0)
            continue;
        found++;
        if (signum)
            (void)kill(p->pid, signum);
    }
    return found;
}

static size_t signal_stage(struct harbour *h, int signum)
{
    switch (h->stage) {
    case STOP_AUTOSCALE:
        return signal_kind(h, KIND_AUTOSCALE, signum);
    case STOP_NODES:
        return signal_nodes(h, signum);
    case STOP_LBS:
        return signal_kind(h, KIND_LB, signum);
    case STOP_REDIS:
        return signal_kind(h, KIND_REDIS, signum);
    default:
        return 0;
    }
}

/* Which signal is due in this stage now: a polite one, a second that means "now", then the last. 0:
 * wait. */
static int signal_due(const struct harbour *h)
{
    static const int64_t second_ms[] = {
        [STOP_AUTOSCALE] = 5000, [STOP_NODES] = 1000, [STOP_LBS] = 3000, [STOP_REDIS] = 3000};
    int64_t age_ms = mono_sub(loop_now(h->loop), h->stage_began);
    int64_t second = h->hurry ? 0 : second_ms[h->stage];
    if (h->signals == 0)
        return SIGTERM;
    if (h->signals == 1 && age_ms >= second)
        return SIGTERM;
    return age_ms >= second + (h->hurry ? 1000 : 4000) ? SIGKILL : 0;
}

static void on_stop_timer(void *arg)
{
    struct harbour *h = arg;
    static const char *const doing[] = {[STOP_AUTOSCALE] = "stopping the autoscaler",
                                        [STOP_NODES] = "stopping the nodes",
                                        [STOP_LBS] = "stopping the LBs",
                                        [STOP_REDIS] = "stopping redis"};
    while (h->stage < STOP_DONE && signal_stage(h, 0) == 0) {
        h->stage++;
        h->stage_began = loop_now(h->loop);
        h->signals = 0;
    }
    if (h->stage == STOP_DONE) {
        timer_stop(&h->stop_timer);
        h->config.stopped(h->config.arg);
        return;
    }
    int signum = signal_due(h);
    if (signum) {
        if (h->signals == 0)
            say(h, "%s", doing[h->stage]);
        h->signals++;
        (void)signal_stage(h, signum);
    }
}

void harbour_stop(struct harbour *harbour)
{
    if (harbour->stage != STOP_NOT) {
        harbour->hurry = true;
        return;
    }
    for (size_t i = 0; i < harbour->count; i++)
        timer_stop(&harbour->procs[i].again);
    harbour->stage = STOP_AUTOSCALE;
    harbour->stage_began = loop_now(harbour->loop);
    timer_start(&harbour->stop_timer, 0, 50);
}

void harbour_close(struct harbour *harbour)
{
    if (!harbour)
        return;
    timer_stop(&harbour->stop_timer);
    for (size_t i = 0; i < harbour->count; i++) {
        struct proc *p = &harbour->procs[i];
        timer_stop(&p->again);
        if (p->pid == 0)
            continue;
        child_unwatch(&p->child);
        (void)kill(p->pid, SIGKILL);
        (void)waitpid(p->pid, NULL, 0);
    }
    (void)signal_nodes(harbour, SIGKILL);
    free(harbour);
}

int harbour_pid(const struct harbour *harbour, const char *name)
{
    for (size_t i = 0; i < harbour->count; i++)
        if (strcmp(harbour->procs[i].name, name) == 0)
            return harbour->procs[i].pid;
    return 0;
}

/* spawn.c - fork and exec with an error path. */
#include "io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *spawn_find(const char *name, char *ret_path, size_t size)
{
    char self[4096];
    (void)snprintf(ret_path, size, "%s", name);
    if (strchr(name, '/'))
        return ret_path;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return ret_path;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash)
        return ret_path;
    *slash = '\0';
    char beside[sizeof self + 256];
    int len = snprintf(beside, sizeof beside, "%s/%s", self, name);
    if (len > 0 && (size_t)len < size && access(beside, X_OK) == 0)
        memcpy(ret_path, beside, (size_t)len + 1);
    return ret_path;
}

/* In the child, before exec: only async-signal-safe calls. Returns the step that failed, or NULL.
 */
static const char *settle_child(const struct spawn *spec, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            (void)signal(s, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (spec->own_session && setsid() < 0)
        return "setsid";
    if (spec->die_with_parent) {
        if (prctl(PR_SET_PDEATHSIG, spec->die_with_parent) < 0)
            return "prctl";
        if (getppid() != parent)
            _exit(1); /* it died before we asked */
    }
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return "/dev/null";
    if (spec->output) {
        int out = open(spec->output, O_WRONLY | O_CREAT | O_APPEND, 0640);
        if (out < 0)
            return spec->output;
        (void)dup2(out, STDERR_FILENO);
        (void)dup2(out, STDOUT_FILENO);
    }
    if (spec->output_fd > 2)
        (void)dup2(spec->output_fd, STDOUT_FILENO);
    if (spec->error_fd > 2)
        (void)dup2(spec->error_fd, STDERR_FILENO);
    if (spec->input_fd > 2)
        (void)dup2(spec->input_fd, STDIN_FILENO);
    if (spec->directory && chdir(spec->directory) < 0)
        return spec->directory;
    return NULL;
}

static void run_child(const struct spawn *spec, const char *path, pid_t parent, int report)
{
    const char *failed = settle_child(spec, parent);
    int error = errno;
    if (!failed) {
        int first = 3;
        if (spec->pass_fd > 2) {
            if (report == SPAWN_PASSED)
                report = fcntl(report, F_DUPFD_CLOEXEC, SPAWN_PASSED + 1);
            if (spec->pass_fd == SPAWN_PASSED)
                (void)fcntl(SPAWN_PASSED, F_SETFD, 0);
            else
                (void)dup2(spec->pass_fd, SPAWN_PASSED);
            first = SPAWN_PASSED + 1;
        }
        (void)close_range((unsigned)report + 1, ~0u, 0);
        for (int fd = first; fd < report; fd++)
            (void)close(fd);
        execvp(path, (char *const *)(uintptr_t)spec->argv);
        failed = path;
        error = errno;
    }
    (void)!write(report, &error, sizeof error);
    (void)!write(report, failed, strlen(failed));
    _exit(127);
}

pid_t spawn_process(const struct spawn *spec, struct err *err)
{
    char path[4096];
    int report[2];
    (void)spawn_find(spec->argv[0], path, sizeof path);
    if (pipe2(report, O_CLOEXEC) < 0)
        return err_set(err, BERTH_ESYS, "pipe: %s", strerror(errno));
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        for (const char *const *e = spec->env; e && *e; e++)
            (void)putenv((char *)(uintptr_t)*e);
        run_child(spec, path, parent, report[1]);
    }
    int fork_error = errno;
    (void)close(report[1]);
    if (pid < 0) {
        (void)close(report[0]);
        return err_set(err, BERTH_ESYS, "fork: %s", strerror(fork_error));
    }
    int error = 0;
    char what[256];
    ssize_t n;
    do
        n = read(report[0], &error, sizeof error);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof error) { /* exec did not happen */
        ssize_t m = read(report[0], what, sizeof what - 1);
        what[m > 0 ? m : 0] = '\0';
        (void)close(report[0]);
        (void)waitpid(pid, NULL, 0);
        return err_set(err, error == ENOENT ? BERTH_ENOENT : BERTH_ESYS, "%s: %s", what,
                       strerror(error));
    }
    (void)close(report[0]);
    return pid;
}

unsigned long long spawn_start_time(pid_t pid)
{
    char name[64], text[1024];
    (void)snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    char *p = strrchr(text, ')'); /* the name may hold anything */
    if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
        return 0;
    p += 2; /* field 3 */
    for (int field = 3; field < 22 && p; field++) {
        p = strchr(p, ' ');
        if (p)
            p++;
    }
    return p ? strtoull(p, NULL, 10) : 0;
}

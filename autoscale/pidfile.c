/* pidfile.c - the processes that the local provider has started, as files that outlive it. */
#include "autoscale/pidfile.h"

#include "core/record.h"
#include "io/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 512
#define LOGS_MAX 1024

static bool make_path(char ret_path[PATH_SIZE], const char *directory, const char *id,
                      const char *suffix)
{
    int n = snprintf(ret_path, PATH_SIZE, "%s/%s%s", directory, id, suffix);
    return n > 0 && n < PATH_SIZE;
}

int pidfile_open(const char *directory, struct err *err)
{
    char path[PATH_SIZE];
    if (!span_copy(span_of(directory), path, sizeof path))
        return err_set(err, BERTH_EINVAL, "directory = %s: is too long", directory);
    for (char *at = path + 1;; at++) {
        bool end = *at == '\0';
        if (*at != '/' && !end)
            continue;
        *at = '\0';
        if (mkdir(path, 0750) < 0 && errno != EEXIST)
            return err_set(err, BERTH_ESYS, "%s: %s", path, strerror(errno));
        if (end)
            break;
        *at = '/';
    }
    if (access(directory, W_OK | X_OK) < 0)
        return err_set(err, BERTH_ESYS, "%s: %s", directory, strerror(errno));
    return 0;
}

int pidfile_write(const char *directory, const struct pidfile *file, struct err *err)
{
    char path[PATH_SIZE], temporary[PATH_SIZE], text[512], ending[32];
    /* Two autoscalers may write it at the same time: one that stood still in here, and the next. */
    (void)snprintf(ending, sizeof ending, ".%d.new", (int)getpid());
    if (!make_path(path, directory, file->id, ".pid") ||
        !make_path(temporary, directory, file->id, ending))
        return err_set(err, BERTH_EINVAL, "%s/%s.pid: the path is too long", directory, file->id);
    struct record_writer w;
    record_begin(&w, text, sizeof text);
    record_put_int(&w, "pid", file->pid);
    record_put_int(&w, "start", (int64_t)file->start);
    record_put_text(&w, "pool", file->pool);
    record_put_text(&w, "token", file->token);
    struct span record = record_end(&w);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_set(err, BERTH_ESYS, "%s: %s", temporary, strerror(errno));
    bool ok = write(fd, record.ptr, record.len) == (ssize_t)record.len && fsync(fd) == 0;
    ok = close(fd) == 0 && ok && rename(temporary, path) == 0;
    if (ok)
        return 0;
    err_set(err, BERTH_ESYS, "%s: %s", path, strerror(errno));
    unlink(temporary);
    return BERTH_ESYS;
}

int pidfile_read(const char *directory, const char *id, struct pidfile *ret_file)
{
    char path[PATH_SIZE], text[512];
    struct pidfile f = {0};
    if (!make_path(path, directory, id, ".pid") || !span_copy(span_of(id), f.id, sizeof f.id))
        return BERTH_ENOENT;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return BERTH_ENOENT;
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    struct span record = {text, n > 0 ? (size_t)n : 0};
    int64_t pid = record_int_or(record, "pid", 0);
    f.pid = (pid_t)pid;
    f.start = (unsigned long long)record_int_or(record, "start", 0);
    if (pid <= 1 || f.start == 0 || record_text(record, "pool", f.pool, sizeof f.pool) < 0 ||
        record_text(record, "token", f.token, sizeof f.token) < 0)
        return BERTH_ENOENT;
    *ret_file = f;
    return 0;
}

void pidfile_remove(const char *directory, const char *id)
{
    char path[PATH_SIZE];
    if (make_path(path, directory, id, ".pid"))
        unlink(path);
}

bool pidfile_alive(const struct pidfile *file)
{
    return file->pid > 1 && spawn_start_time(file->pid) == file->start;
}

int64_t pidfile_age_ms(const struct pidfile *file)
{
    struct timespec up;
    clock_gettime(CLOCK_BOOTTIME, &up);
    int64_t started_ms = (int64_t)file->start * 1000 / sysconf(_SC_CLK_TCK);
    int64_t age = (int64_t)up.tv_sec * 1000 + up.tv_nsec / 1000000 - started_ms;
    return age > 0 ? age : 0;
}

/* "name.pid" -> "name"; false for other files. */
static bool stem_of(const char *name, const char *suffix, char ret_id[NAME_SIZE])
{
    size_t len = strlen(name), cut = strlen(suffix);
    return len > cut && strcmp(name + len - cut, suffix) == 0 &&
           span_copy((struct span){name, len - cut}, ret_id, NAME_SIZE);
}

int pidfile_scan(const char *directory, const char *pool, struct pidfile *ret_files, size_t max,
                 struct err *err)
{
    DIR *dir = opendir(directory);
    if (!dir)
        return err_set(err, BERTH_ESYS, "%s: %s", directory, strerror(errno));
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char id[NAME_SIZE];
        struct pidfile f;
        if (!stem_of(entry->d_name, ".pid", id) || pidfile_read(directory, id, &f) < 0 ||
            strcmp(f.pool, pool) != 0)
            continue;
        if (!pidfile_alive(&f)) {
            pidfile_remove(directory, id);
            continue;
        }
        if (count == max) {
            closedir(dir);
            return err_set(err, BERTH_EFULL, "%s: more than %zu processes of pool %s", directory,
                           max, pool);
        }
        ret_files[count++] = f;
    }
    closedir(dir);
    return (int)count;
}

/* Do these arguments (each ended by NUL) hold "--instance" followed by id? */
static bool names_instance(const char *args, size_t len, const char *id)
{
    bool next = false;
    for (size_t at = 0; at < len;) {
        size_t n = strnlen(args + at, len - at);
        struct span arg = {args + at, n};
        if (next && span_is(arg, id))
            return true;
        next = span_is(arg, "--instance");
        at += n + 1;
    }
    return false;
}

pid_t pidfile_find_stray(const char *id)
{
    DIR *dir = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *entry; dir && !found && (entry = readdir(dir));) {
        int64_t pid;
        char path[64], args[4096];
        if (!span_int(span_of(entry->d_name), &pid) || pid <= 1 || pid == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/%lld/cmdline", (long long)pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        ssize_t n = read(fd, args, sizeof args);
        close(fd);
        if (n > 0 && names_instance(args, (size_t)n, id) && spawn_start_time((pid_t)pid) != 0)
            found = (pid_t)pid;
    }
    if (dir)
        closedir(dir);
    return found;
}

/* ---- logs ---- */

void pidfile_bound_log(const char *directory, const char *id, int64_t max)
{
    char path[PATH_SIZE], older[PATH_SIZE], block[65536];
    struct stat st;
    if (!make_path(path, directory, id, ".log") || !make_path(older, directory, id, ".log.1") ||
        stat(path, &st) < 0 || st.st_size <= max)
        return;
    int from = open(path, O_RDWR | O_CLOEXEC);
    int to = open(older, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    off_t at = st.st_size - max; /* the newest part */
    for (ssize_t n; from >= 0 && to >= 0 && (n = pread(from, block, sizeof block, at)) > 0; at += n)
        if (write(to, block, (size_t)n) != n)
            break; /* the disk is full: the bound matters more than the copy */
    if (from >= 0 && ftruncate(from, 0) < 0)
        unlink(path); /* better no log than a full disk */
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
}

struct old_log {
    char id[NAME_SIZE];
    int64_t at; /* last written */
};

static int by_age(const void *a, const void *b)
{
    const struct old_log *x = a, *y = b;
    return x->at != y->at ? (x->at < y->at) - (x->at > y->at) : strcmp(x->id, y->id);
}

void pidfile_prune_logs(const char *directory, size_t keep)
{
    struct old_log *logs = calloc(LOGS_MAX, sizeof *logs);
    DIR *dir = opendir(directory);
    size_t count = 0;
    for (struct dirent *entry; dir && logs && count < LOGS_MAX && (entry = readdir(dir));) {
        char path[PATH_SIZE];
        struct stat st;
        struct pidfile f;
        struct old_log *log = &logs[count];
        if (!stem_of(entry->d_name, ".log", log->id) || pidfile_read(directory, log->id, &f) == 0 ||
            !make_path(path, directory, log->id, ".log") || stat(path, &st) < 0)
            continue;
        log->at = (int64_t)st.st_mtime;
        count++;
    }
    if (dir)
        closedir(dir);
    if (logs)
        qsort(logs, count, sizeof *logs, by_age);
    for (size_t i = keep; i < count; i++) {
        char path[PATH_SIZE];
        if (make_path(path, directory, logs[i].id, ".log"))
            unlink(path);
        if (make_path(path, directory, logs[i].id, ".log.1"))
            unlink(path);
    }
    free(logs);
}

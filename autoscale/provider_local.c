/* provider_local.c - makes and unmakes instances as processes of this machine.
 *
 * An instance is one node process, started as
 *     PROGRAM [ARGUMENTS] --name ID --pool POOL --config FILE --instance ID
 * in a session of its own, so that it survives the autoscaler; its pid file lets the next one adopt
 * it. ID is the pool's name, the token and a number, so a launch that is repeated finds what it
 * made before, even what it had no time to write down. It is ended by SIGTERM and is listed until
 * it is gone; SIGKILL comes only KILL_AFTER_MS later, to a node that was drained and yet does not
 * go. */
#include "autoscale/launches.h"
#include "autoscale/pidfile.h"
#include "autoscale/provider.h"
#include "io/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define PROCESSES_MAX 1024
#define CALLS_MAX 1024
#define KILL_AFTER_MS 30000
#define LOOK_MS 1000
#define LOG_BYTES_MAX (4 << 20)
#define LOGS_KEPT 20
#define STALL_MS 800 /* stood still for longer in the middle of a call: another may lead by now */

enum call_kind { CALL_LAUNCH, CALL_TERMINATE, CALL_LIST };

/* One call, carried out from the loop. */
struct call {
    enum call_kind kind;
    char pool[NAME_SIZE], name[NAME_SIZE]; /* token or id */
    int count;
    mono_ms_t at; /* asked */
    union {
        provider_launched_fn *launched;
        provider_done_fn *done;
        provider_listed_fn *listed;
    } fn;
    void *arg;
};

/* A process that was told to end. */
struct ending {
    struct pidfile file;
    mono_ms_t kill_at;
};

struct local {
    struct loop *loop;
    struct log *log;
    const struct local_settings *settings;
    const char *config_file;
    struct timer turn; /* carries out the calls */
    struct timer look; /* ends that take too long, logs that grow */
    struct call calls[CALLS_MAX];
    size_t call_count;
    struct ending endings[PROCESSES_MAX];
    size_t ending_count;
    struct pidfile found[PROCESSES_MAX];
    struct fleet_listed listed[PROCESSES_MAX];
    struct {
        struct child watch;
        char id[NAME_SIZE];
        struct local *local;
        bool used;
    } children[PROCESSES_MAX]; /* started by this very process */
};

static const struct local_program_settings *program_of(const struct local *local, const char *pool)
{
    for (size_t i = 0; i < local->settings->programs.count; i++) {
        const struct local_program_settings *p =
            SECTION_AT(local->settings->programs, struct local_program_settings, i);
        if (strcmp(p->name, pool) == 0)
            return p;
    }
    return NULL;
}

static struct ending *ending_of(struct local *local, const char *id)
{
    for (size_t i = 0; i < local->ending_count; i++)
        if (strcmp(local->endings[i].file.id, id) == 0)
            return &local->endings[i];
    return NULL;
}

/* ---- launch ---- */

static void on_child(void *arg, int pid, int status)
{
    struct local *local = arg;
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        if (!local->children[i].used || local->children[i].watch.ev.pid != pid)
            continue;
        bool asked = ending_of(local, local->children[i].id) != NULL;
        log_write(local->log, asked ? LOG_INFO : LOG_WARN, "process_ended",
                  "id=%s pid=%d status=%d signal=%d asked=%d", local->children[i].id, pid,
                  WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                  WIFSIGNALED(status) ? WTERMSIG(status) : 0, asked);
        child_unwatch(&local->children[i].watch);
        local->children[i].used = false;
        return;
    }
}

static void watch(struct local *local, const char *id, pid_t pid)
{
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        if (local->children[i].used)
            continue;
        local->children[i].used = true;
        snprintf(local->children[i].id, NAME_SIZE, "%s", id);
        child_watch(&local->children[i].watch, local->loop, pid, on_child, local);
        return;
    }
}

static int start_process(struct local *local, const struct local_program_settings *program,
                         const char *pool, const char *id, struct err *err)
{
    const char *argv[48];
    char log_path[512];
    size_t n = 0;
    for (size_t i = 0; i < program->command.count && n < 36; i++)
        argv[n++] = program->command.items[i];
    const char *const fixed[] = {"--name",     id, "--pool",   pool,
                                 "--instance", id, "--config", local->config_file};
    for (size_t i = 0; i < (local->config_file ? 8 : 6); i++)
        argv[n++] = fixed[i];
    argv[n] = NULL;
    int len = snprintf(log_path, sizeof log_path, "%s/%s.log", local->settings->directory, id);
    if (len < 0 || (size_t)len >= sizeof log_path)
        return err_set(err, BERTH_EINVAL, "%s: the path is too long", local->settings->directory);
    struct spawn spec = {.argv = argv, .output = log_path, .own_session = true};
    return spawn_process(&spec, err);
}

/* Did this process stand still since *at? A new leader acts settle_ms after the lease has ended, so
 * what was asked before may be its business now. *at becomes now. */
static bool stood_still(const struct local *local, mono_ms_t *at)
{
    mono_ms_t now = loop_now(local->loop);
    int64_t ms = mono_sub(now, *at);
    *at = now;
    if (ms > STALL_MS)
        log_warn(local->log, "stood_still", "ms=%lld", (long long)ms);
    return ms > STALL_MS;
}

/* One instance of a launch: there already, found without its file, or started now. BERTH_ESTALE:
 * this process stood still since *at, nothing was done. It is asked last thing before the start:
 * looking through all processes takes milliseconds, in which one can be stopped. */
static int ensure(struct local *local, const struct local_program_settings *program,
                  const struct call *call, const char *id, mono_ms_t *at, struct err *err)
{
    struct pidfile file;
    if (pidfile_read(local->settings->directory, id, &file) == 0 && pidfile_alive(&file))
        return 0;
    pid_t pid = pidfile_find_stray(id);
    bool started = pid == 0;
    if (stood_still(local, at))
        return err_set(err, BERTH_ESTALE, "stood still in the middle");
    if (started) {
        pid = start_process(local, program, call->pool, id, err);
        if (pid < 0)
            return (int)pid;
        watch(local, id, pid);
    }
    file = (struct pidfile){.pid = pid, .start = spawn_start_time(pid)};
    snprintf(file.id, sizeof file.id, "%s", id);
    snprintf(file.pool, sizeof file.pool, "%s", call->pool);
    snprintf(file.token, sizeof file.token, "%s", call->name);
    log_info(local->log, started ? "process_started" : "process_adopted", "id=%s pid=%d", id,
             (int)pid);
    if (file.start == 0)
        return err_set(err, BERTH_ESYS, "%s ended at once; see %s/%s.log", id,
                       local->settings->directory, id);
    int rc = pidfile_write(local->settings->directory, &file, err);
    if (rc < 0 && started)
        kill(pid, SIGTERM); /* without its file it would be lost to the next autoscaler */
    return rc;
}

static void do_launch(struct local *local, const struct call *call)
{
    char ids[LAUNCH_INSTANCES_MAX][NAME_SIZE];
    struct err err = {0};
    const struct local_program_settings *program = program_of(local, call->pool);
    size_t made = 0;
    mono_ms_t at = call->at;
    int count = call->count < LAUNCH_INSTANCES_MAX ? call->count : LAUNCH_INSTANCES_MAX;
    if (!program)
        err_set(&err, BERTH_EINVAL, "autoscale.local.programs has no command for pool %s",
                call->pool);
    for (int k = 1; program && k <= count; k++) {
        int n = snprintf(ids[made], NAME_SIZE, "%s-%s-%d", call->pool, call->name, k);
        if (n >= NAME_SIZE - 1) {
            err_set(&err, BERTH_EINVAL, "pool %s: the name is too long for an instance",
                    call->pool);
            break;
        }
        int code = ensure(local, program, call, ids[made], &at, &err);
        if (code == BERTH_ESTALE) {
            call->fn.launched(call->arg, SCALE_UNKNOWN, NULL, 0, err.text);
            return;
        }
        if (code < 0)
            break;
        made++;
    }
    if (made == 0) {
        log_warn(local->log, "launch_failed", "pool=%s token=%s error=%s", call->pool, call->name,
                 err.text);
        call->fn.launched(call->arg, SCALE_NOT_DONE, NULL, 0, err.text);
        return;
    }
    if (err.code)
        log_warn(local->log, "launch_incomplete", "pool=%s token=%s made=%zu of=%d error=%s",
                 call->pool, call->name, made, count, err.text);
    call->fn.launched(call->arg, SCALE_DONE, (const char(*)[NAME_SIZE])ids, made, NULL);
}

/* ---- terminate ---- */

static void do_terminate(struct local *local, const struct call *call)
{
    struct pidfile file;
    mono_ms_t at = call->at;
    if (stood_still(local, &at)) {
        call->fn.done(call->arg, SCALE_UNKNOWN, "stood still before it");
        return;
    }
    if (pidfile_read(local->settings->directory, call->name, &file) < 0 || !pidfile_alive(&file)) {
        call->fn.done(call->arg, SCALE_DONE, NULL); /* gone already */
        return;
    }
    struct ending *ending = ending_of(local, call->name);
    if (!ending && local->ending_count < PROCESSES_MAX) {
        ending = &local->endings[local->ending_count++];
        *ending = (struct ending){file, mono_add(loop_now(local->loop), KILL_AFTER_MS)};
    }
    if (!ending || kill(file.pid, SIGTERM) < 0) {
        call->fn.done(call->arg, SCALE_NOT_DONE, ending ? strerror(errno) : "too many are ending");
        return;
    }
    log_info(local->log, "process_told_to_end", "id=%s pid=%d", file.id, (int)file.pid);
    call->fn.done(call->arg, SCALE_DONE, NULL);
}

static void on_look(void *arg)
{
    struct local *local = arg;
    mono_ms_t now = loop_now(local->loop);
    for (size_t i = 0; i < local->ending_count;) {
        struct ending *ending = &local->endings[i];
        if (!pidfile_alive(&ending->file)) {
            pidfile_remove(local->settings->directory, ending->file.id);
            *ending = local->endings[--local->ending_count];
            continue;
        }
        if (!mono_before(now, ending->kill_at)) {
            log_warn(local->log, "process_killed", "id=%s pid=%d after_ms=%d", ending->file.id,
                     (int)ending->file.pid, KILL_AFTER_MS);
            kill(ending->file.pid, SIGKILL);
            ending->kill_at = mono_add(now, KILL_AFTER_MS);
        }
        i++;
    }
}

/* ---- list ---- */

static void do_list(struct local *local, const struct call *call)
{
    struct err err = {0};
    int n = pidfile_scan(local->settings->directory, call->pool, local->found, PROCESSES_MAX, &err);
    if (n < 0) {
        call->fn.listed(call->arg, NULL, 0, err.text);
        return;
    }
    for (int i = 0; i < n; i++) {
        const struct pidfile *file = &local->found[i];
        struct fleet_listed *item = &local->listed[i];
        *item = (struct fleet_listed){.age_ms = pidfile_age_ms(file),
                                      .ending = ending_of(local, file->id) != NULL};
        memcpy(item->id, file->id, sizeof item->id);
        memcpy(item->token, file->token, sizeof item->token);
        pidfile_bound_log(local->settings->directory, file->id, LOG_BYTES_MAX);
    }
    pidfile_prune_logs(local->settings->directory, LOGS_KEPT);
    call->fn.listed(call->arg, local->listed, (size_t)n, NULL);
}

/* ---- calls ---- */

static void on_turn(void *arg)
{
    struct local *local = arg;
    struct call calls[CALLS_MAX];
    size_t count = local->call_count;
    memcpy(calls, local->calls, count * sizeof calls[0]);
    local->call_count = 0; /* callbacks make new calls */
    for (size_t i = 0; i < count; i++) {
        if (calls[i].kind == CALL_LAUNCH)
            do_launch(local, &calls[i]);
        else if (calls[i].kind == CALL_TERMINATE)
            do_terminate(local, &calls[i]);
        else
            do_list(local, &calls[i]);
    }
}

/* The core has one list and at most LAUNCHES_MAX launches under way per pool, and asks again for
 * what it missed. */
static struct call *add_call(struct local *local, enum call_kind kind, const char *pool,
                             const char *name, void *arg)
{
    if (local->call_count == CALLS_MAX) {
        log_error(local->log, "provider_calls_full", "pool=%s", pool);
        return NULL;
    }
    struct call *call = &local->calls[local->call_count++];
    *call = (struct call){.kind = kind, .arg = arg, .at = loop_now(local->loop)};
    snprintf(call->pool, sizeof call->pool, "%s", pool);
    snprintf(call->name, sizeof call->name, "%s", name);
    timer_start(&local->turn, 0, 0);
    return call;
}

static void local_launch(void *provider, const char *pool, const char *token, int count,
                         const char *zone, provider_launched_fn *fn, void *arg)
{
    struct call *call = add_call(provider, CALL_LAUNCH, pool, token, arg);
    if (call) {
        call->count = count;
        call->fn.launched = fn;
    }
}

static void local_terminate(void *provider, const char *pool, const char *id, provider_done_fn *fn,
                            void *arg)
{
    struct call *call = add_call(provider, CALL_TERMINATE, pool, id, arg);
    if (call)
        call->fn.done = fn;
}

static void local_list(void *provider, const char *pool, provider_listed_fn *fn, void *arg)
{
    struct call *call = add_call(provider, CALL_LIST, pool, "", arg);
    if (call)
        call->fn.listed = fn;
}

static int local_check(void *provider, const char *pool, struct err *err)
{
    const struct local *local = provider;
    if (!program_of(local, pool))
        return err_set(
            err, BERTH_EINVAL,
            "autoscale.local.programs has no command for pool %s, which is scaled by local", pool);
    return 0;
}

static void *local_open(const struct provider_env *env, struct err *err)
{
    if (pidfile_open(env->settings->local.directory, err) < 0) {
        err_prefix(err, "autoscale.local.directory");
        return NULL;
    }
    struct local *local = calloc(1, sizeof *local);
    if (!local) {
        err_set(err, BERTH_ENOMEM, "no memory for the local provider");
        return NULL;
    }
    local->loop = env->loop;
    local->log = env->log;
    local->settings = &env->settings->local;
    local->config_file = env->config_file;
    timer_init(&local->turn, env->loop, on_turn, local);
    timer_init(&local->look, env->loop, on_look, local);
    timer_start(&local->look, LOOK_MS, LOOK_MS);
    return local;
}

static void local_close(void *provider)
{
    struct local *local = provider;
    if (!local)
        return;
    timer_stop(&local->turn);
    timer_stop(&local->look);
    for (size_t i = 0; i < local->call_count; i++) {
        const struct call *call = &local->calls[i];
        if (call->kind == CALL_LAUNCH)
            call->fn.launched(call->arg, SCALE_NOT_DONE, NULL, 0, "closing");
        else if (call->kind == CALL_TERMINATE)
            call->fn.done(call->arg, SCALE_NOT_DONE, "closing");
        else
            call->fn.listed(call->arg, NULL, 0, "closing");
    }
    for (size_t i = 0; i < PROCESSES_MAX; i++)
        if (local->children[i].used)
            child_unwatch(&local->children[i].watch);
    free(local);
}

const struct provider_kind provider_local = {
    .name = "local",
    .settle_ms = 1000,
    .list_interval_ms = 500,
    .open = local_open,
    .close = local_close,
    .check = local_check,
    .launch = local_launch,
    .terminate = local_terminate,
    .list = local_list,
};

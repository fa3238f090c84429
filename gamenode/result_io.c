/* result_io.c - delivering the results of matches. */
#include "gamenode/result_io.h"

#include "io/fetch.h"
#include "io/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIME_LIMIT_MS 10000
#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS 30000

enum target { TARGET_URL = 1, TARGET_COMMAND = 2 };

struct result {
    struct results *all;
    char *json; /* owned; NULL: this place is free */
    size_t len;
    unsigned left;    /* targets that have not taken it yet */
    unsigned running; /* the one that is being tried; 0: none */
    unsigned attempts;
    mono_ms_t due;
    struct fetch *fetch;
    pid_t pid;
    struct child child;
    struct timer limit;
};

struct results {
    struct loop *loop;
    struct log *log;
    struct results_config config;
    const char **argv; /* owned; NULL: no command */
    struct fetcher *fetcher;
    struct timer timer;
    uint32_t pending, running;
    uint64_t delivered, lost;
    struct result items[RESULTS_MAX];
};

static void go_on(struct results *results);

static void lose(struct result *r, const char *why)
{
    struct results *results = r->all;
    log_error(results->log, "result_lost", "why=%s attempts=%u result=%.*s", why, r->attempts,
              (int)r->len, r->json);
    results->lost++;
}

static void drop(struct result *r)
{
    free(r->json);
    r->json = NULL;
    r->all->pending--;
}

static void ended(struct result *r, bool taken, bool again, const char *why)
{
    struct results *results = r->all;
    unsigned target = r->running;
    r->running = 0;
    results->running--;
    if (taken) {
        r->left &= ~target;
        r->attempts = 0;
        r->due = loop_now(results->loop);
        if (r->left == 0) {
            results->delivered++;
            drop(r);
        }
    } else if (!again || r->attempts >= RESULT_ATTEMPTS) {
        lose(r, why);
        drop(r);
    } else {
        int64_t pause_ms = PAUSE_FIRST_MS;
        for (unsigned i = 1; i < r->attempts && pause_ms < PAUSE_MAX_MS; i++)
            pause_ms *= 2;
        log_warn(results->log, "result_retry", "why=%s attempt=%u pause_ms=%lld", why, r->attempts,
                 (long long)pause_ms);
        r->due = mono_add(loop_now(results->loop), pause_ms);
    }
    go_on(results);
}

/* ---- the URL ---- */

static void on_answer(void *arg, int code, const struct fetch_response *response,
                      const struct err *err)
{
    struct result *r = arg;
    r->fetch = NULL;
    char why[32];
    int status = code < 0 ? 0 : response->status;
    (void)snprintf(why, sizeof why, "http_%d", status);
    /* Another 4xx says that the same again will not do either. */
    bool again = code < 0 || status < 400 || status >= 500 || status == 408 || status == 429;
    ended(r, status >= 200 && status < 300, again, code < 0 ? err_word(code) : why);
}

static void post(struct result *r)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct err err = {0};
    struct fetch_request request = {.method = "POST",
                                    .url = r->all->config.url,
                                    .headers = headers,
                                    .body = {r->json, r->len},
                                    .timeout_ms = TIME_LIMIT_MS,
                                    .response_max = 4096,
                                    .response_cut = true};
    r->fetch = fetch_start(r->all->fetcher, &request, on_answer, r, &err);
    if (!r->fetch)
        ended(r, false, true, err_word(err.code));
}

/* ---- the command ---- */

static void on_ended(void *arg, int pid, int status)
{
    struct result *r = arg;
    r->pid = 0;
    timer_stop(&r->limit);
    char why[32];
    if (WIFEXITED(status))
        (void)snprintf(why, sizeof why, "exit_%d", WEXITSTATUS(status));
    else
        (void)snprintf(why, sizeof why, "signal_%d", WTERMSIG(status));
    ended(r, WIFEXITED(status) && WEXITSTATUS(status) == 0, true, why);
}

static void on_limit(void *arg)
{
    const struct result *r = arg;
    (void)kill(-r->pid, SIGKILL);
}

/* A file in memory holds the JSON, so that no pipe has to be fed. */
static int json_file(const struct result *r)
{
    int fd = memfd_create("berth-result", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, r->json, r->len) == (ssize_t)r->len && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static void run(struct result *r)
{
    struct err err = {0};
    int fd = json_file(r);
    struct spawn spec = {.argv = r->all->argv, .input_fd = fd, .own_session = true};
    pid_t pid = fd < 0 ? BERTH_ESYS : spawn_process(&spec, &err);
    if (fd >= 0)
        (void)close(fd);
    if (pid < 0) {
        ended(r, false, true, err_word((int)pid));
        return;
    }
    r->pid = pid;
    child_watch(&r->child, r->all->loop, pid, on_ended, r);
    timer_start(&r->limit, TIME_LIMIT_MS, 0);
}

/* ---- the queue ---- */

static void attempt(struct result *r)
{
    r->running = r->left & TARGET_URL ? TARGET_URL : TARGET_COMMAND;
    r->attempts++;
    r->all->running++;
    if (r->running == TARGET_URL)
        post(r);
    else
        run(r);
}

static void on_timer(void *arg)
{
    struct results *results = arg;
    mono_ms_t now = loop_now(results->loop);
    for (size_t i = 0; i < RESULTS_MAX && results->running < RESULTS_RUNNING; i++) {
        struct result *r = &results->items[i];
        if (r->json && !r->running && !mono_before(now, r->due))
            attempt(r);
    }
    go_on(results);
}

static void go_on(struct results *results)
{
    mono_ms_t next = MONO_NEVER;
    for (size_t i = 0; i < RESULTS_MAX && results->running < RESULTS_RUNNING; i++)
        if (results->items[i].json && !results->items[i].running)
            next = mono_min(next, results->items[i].due);
    timer_at(&results->timer, next);
}

void results_add(struct results *results, struct span json)
{
    unsigned targets =
        (results->config.url ? TARGET_URL : 0) | (results->argv ? TARGET_COMMAND : 0);
    if (!targets)
        return;
    struct result *r = NULL;
    for (size_t i = 0; i < RESULTS_MAX && !r; i++)
        if (!results->items[i].json)
            r = &results->items[i];
    char *copy = r ? strndup(json.ptr, json.len) : NULL;
    if (!copy) {
        log_error(results->log, "result_lost", "why=queue_full attempts=0 result=%.*s",
                  SPAN_ARG(json));
        results->lost++;
        return;
    }
    r->json = copy;
    r->len = json.len;
    r->left = targets;
    r->running = r->attempts = 0;
    r->due = loop_now(results->loop);
    results->pending++;
    go_on(results);
}

uint32_t results_pending(const struct results *results)
{
    return results->pending;
}

uint64_t results_delivered_total(const struct results *results)
{
    return results->delivered;
}

uint64_t results_lost_total(const struct results *results)
{
    return results->lost;
}

struct results *results_create(struct loop *loop, struct log *log,
                               const struct results_config *config, struct err *err)
{
    struct results *results = calloc(1, sizeof *results);
    size_t words = config->command ? config->command->count : 0;
    if (!results || (words && !(results->argv = calloc(words + 1, sizeof(char *))))) {
        free(results);
        (void)err_set(err, BERTH_ENOMEM, "no memory for results");
        return NULL;
    }
    results->loop = loop;
    results->log = log;
    results->config = *config;
    for (size_t i = 0; i < words; i++)
        results->argv[i] = config->command->items[i];
    timer_init(&results->timer, loop, on_timer, results);
    for (size_t i = 0; i < RESULTS_MAX; i++) {
        results->items[i].all = results;
        timer_init(&results->items[i].limit, loop, on_limit, &results->items[i]);
    }
    results->fetcher = config->url ? fetcher_create(loop, log, err) : NULL;
    if (!config->url || results->fetcher)
        return results;
    results_destroy(results);
    return NULL;
}

void results_destroy(struct results *results)
{
    if (!results)
        return;
    for (size_t i = 0; i < RESULTS_MAX; i++) {
        struct result *r = &results->items[i];
        if (!r->json)
            continue;
        if (r->fetch)
            fetch_cancel(r->fetch);
        if (r->pid > 0) /* it has the JSON: it may go on by itself */
            child_unwatch(&r->child);
        timer_stop(&r->limit);
        lose(r, "node_ended");
        drop(r);
    }
    timer_stop(&results->timer);
    fetcher_destroy(results->fetcher);
    free((void *)results->argv);
    free(results);
}

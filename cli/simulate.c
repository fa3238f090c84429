/* simulate.c - `berth simulate`: a scaling policy over a trace of demand, before it is trusted. */
#include "simulate/simulate.h"

#include "cli/berth.h"
#include "io/zone_io.h"
#include "simulate/plot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_BYTES_MAX (64 << 20)
#define NODES_LIMIT 10000
#define TIMELINE_S 10 /* a row each */

struct trial {
    const struct simulate_settings *settings;
    struct config *file; /* the policy's */
    struct policy policy;
    struct zone *zones[RULES_MAX];
    struct trace trace;
    FILE *timeline; /* NULL: none is written */
    struct plot *plot;
    int64_t refused_s;
};

/* ---- what is tried ---- */

static const struct pool_settings *choose_pool(const struct trial *t, struct err *err)
{
    const struct settings *all = config_settings(t->file);
    const struct pool_settings *chosen = NULL;
    for (size_t i = 0; i < all->pools.count; i++) {
        const struct pool_settings *pool = SECTION_AT(all->pools, struct pool_settings, i);
        if (t->settings->pool && strcmp(pool->name, t->settings->pool) == 0)
            return pool;
        if (t->settings->pool || pool->scale.rules.count == 0)
            continue;
        if (chosen) {
            (void)err_set(err, BERTH_EINVAL, "%s: the pools %s and %s have rules: give --pool",
                          t->settings->policy, chosen->name, pool->name);
            return NULL;
        }
        chosen = pool;
    }
    if (!chosen)
        (void)err_set(err, BERTH_ENOENT, "%s: no pool %s%s in it", t->settings->policy,
                      t->settings->pool ? "" : "with scale.rules",
                      t->settings->pool ? t->settings->pool : "");
    return chosen;
}

static int load_zones(struct trial *t, struct err *err)
{
    for (size_t i = 0; i < t->policy.rule_count; i++) {
        struct rule *rule = &t->policy.rules[i];
        if (!rule->kind->zone_name)
            continue;
        t->zones[i] = zone_io_load(rule->kind->zone_name(rule->settings), err);
        if (!t->zones[i])
            return err->code;
        rule->zone = t->zones[i];
    }
    return 0;
}

/* 0, BOOT_DONE when the file is wrong and that has been told, or negative with err. */
static int load_policy(struct trial *t, int *ret_exit, struct err *err)
{
    static const char *const reads[] = {"pools", NULL};
    static const struct config_program program = {
        .name = "berth simulate", .summary = "", .reads = reads};
    char path[4096], name[] = "berth", flag[] = "--config", *none[] = {NULL};
    (void)snprintf(path, sizeof path, "%s", t->settings->policy);
    char *argv[] = {name, flag, path, NULL};
    t->file = config_open(&program, 3, argv, none, stdout, stderr, ret_exit);
    if (!t->file)
        return BOOT_DONE;
    const struct pool_settings *pool = choose_pool(t, err);
    if (!pool)
        return err->code;
    if (pool->scale.max > NODES_LIMIT)
        return err_set(err, BERTH_EINVAL, "%s: pools.%s.scale.max = %lld: at most %d are simulated",
                       t->settings->policy, pool->name, (long long)pool->scale.max, NODES_LIMIT);
    int rc = policy_from(&t->policy, pool, err);
    if (rc < 0)
        return rc;
    t->policy.observe = false;
    return load_zones(t, err);
}

/* Terminated heap text. NULL with err. */
static char *read_file(const char *path, size_t *ret_len, struct err *err)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        (void)err_set(err, BERTH_ESYS, "%s: %s", path, strerror(errno));
        return NULL;
    }
    size_t len = 0, room = 65536;
    char *text = malloc(room);
    while (text) {
        size_t got = fread(text + len, 1, room - len - 1, file);
        len += got;
        if (got == 0 || len > TRACE_BYTES_MAX)
            break;
        if (len + 1 < room)
            continue;
        char *more = realloc(text, room *= 2);
        if (!more)
            free(text);
        text = more;
    }
    if (!text)
        (void)err_set(err, BERTH_ENOMEM, "%s: no memory", path);
    else if (ferror(file) || len > TRACE_BYTES_MAX)
        (void)err_set(err, BERTH_ESYS, "%s: %s", path,
                      ferror(file) ? strerror(errno) : "larger than 64 MiB");
    if (text && (ferror(file) || len > TRACE_BYTES_MAX)) {
        free(text);
        text = NULL;
    }
    (void)fclose(file);
    *ret_len = len;
    return text;
}

static int load_trace(struct trial *t, struct err *err)
{
    size_t len = 0;
    char *text = read_file(t->settings->trace, &len, err);
    if (!text)
        return err->code;
    int rc = trace_parse(&t->trace, (struct span){text, len}, t->settings->trace,
                         t->settings->session_ms / 1000, (uint64_t)t->settings->seed, err);
    free(text);
    return rc;
}

/* ---- what is told ---- */

static void on_sample(void *arg, const struct simulate_sample *s)
{
    struct trial *t = arg;
    const struct fleet_figures *f = &s->figures;
    t->refused_s += s->refused;
    if (t->plot)
        plot_add(t->plot, s);
    if (t->timeline && s->second % TIMELINE_S == 0)
        (void)fprintf(t->timeline, "%lld,%lld,%lld,%lld,%lld,%d,%d,%d\n", (long long)s->second,
                      (long long)s->demand, (long long)s->refused, (long long)t->refused_s,
                      (long long)s->capacity, f->ready, f->coming, f->draining);
}

static void on_event(void *arg, int64_t second, const char *word, const char *record)
{
    const struct trial *t = arg;
    if (t->settings->events)
        (void)printf("[%7lld] %s %s\n", (long long)second, word, record);
}

static void tell(const char *who, const struct simulate_result *r,
                 const struct simulate_result *oracle)
{
    (void)printf("simulate: who=%s node_hours=%.2f node_hours_ratio=%.3f refused_s=%lld "
                 "refused_most=%lld mean_use=%.3f peak_use=%.3f nodes_most=%d scale_out=%d "
                 "scale_in=%d flaps=%d killed=%lld\n",
                 who, r->node_hours,
                 oracle->node_hours > 0 ? r->node_hours / oracle->node_hours : 1,
                 (long long)r->refused_s, (long long)r->refused_most, r->mean_use, r->peak_use,
                 r->nodes_most, r->outs, r->ins, r->flaps, (long long)r->killed);
}

static int run_all(struct trial *t, struct err *err)
{
    static const char *const words[] = {"policy", "oracle", "reactive"};
    const struct simulate_settings *s = t->settings;
    const struct pool_settings *pool = choose_pool(t, err);
    struct simulate_result results[3];
    for (int i = 0; i < 3; i++) {
        struct simulate_config config = {
            .policy = &t->policy,
            .driver = (enum simulate_driver)i,
            .boot_s = s->boot_ms / 1000,
            .capacity = s->capacity > 0 ? s->capacity : pool->capacity,
            .session_s = s->session_ms / 1000,
            .closing_s = (pool->ticket_ttl_ms + 999) / 1000,
            .warmup_s = s->warmup_ms / 1000,
            .flap_s = s->flap_window_ms / 1000,
            .initial = (int)s->initial,
            .seed = (uint64_t)s->seed,
        };
        struct simulate_watch watch = {on_sample, on_event, t};
        int rc = simulate_run(&config, &t->trace, i == s->as ? &watch : NULL, &results[i], err);
        if (rc < 0)
            return rc;
    }
    (void)printf("simulate: policy=%s pool=%s trace=%s seconds=%lld boot_s=%lld capacity=%lld "
                 "session_s=%lld seed=%lld\n",
                 s->policy, pool->name, s->trace, (long long)t->trace.seconds,
                 (long long)s->boot_ms / 1000,
                 (long long)(s->capacity > 0 ? s->capacity : pool->capacity),
                 (long long)s->session_ms / 1000, (long long)s->seed);
    for (int i = 0; i < 3; i++)
        tell(words[i], &results[i], &results[SIMULATE_ORACLE]);
    return 0;
}

static FILE *create(const char *path, struct err *err)
{
    FILE *file = fopen(path, "w");
    if (!file)
        (void)err_set(err, BERTH_ESYS, "%s: %s", path, strerror(errno));
    return file;
}

static int close_written(FILE *file, const char *path, struct err *err)
{
    int bad = ferror(file);
    bad |= fclose(file);
    return bad ? err_set(err, BERTH_ESYS, "%s: could not be written", path) : 0;
}

static void put(void *arg, const char *text)
{
    (void)fputs(text, arg);
}

static int write_plot(const struct trial *t, struct err *err)
{
    FILE *file = create(t->settings->plot, err);
    if (!file)
        return err->code;
    plot_write(t->plot, put, file);
    return close_written(file, t->settings->plot, err);
}

/* ---- all of it ---- */

static int try_out(struct trial *t, struct err *err)
{
    const struct simulate_settings *s = t->settings;
    char subtitle[300];
    if (s->timeline) {
        t->timeline = create(s->timeline, err);
        if (!t->timeline)
            return err->code;
        (void)fputs("second,players,refused,refused_s,places,ready,coming,draining\n", t->timeline);
    }
    if (s->plot) {
        t->plot = malloc(sizeof *t->plot);
        if (!t->plot)
            return err_set(err, BERTH_ENOMEM, "no memory");
        (void)snprintf(subtitle, sizeof subtitle, "%.100s over %.100s; boot %llds, session %llds",
                       s->policy, s->trace, (long long)s->boot_ms / 1000,
                       (long long)s->session_ms / 1000);
        plot_begin(t->plot, "berth simulate", subtitle, t->trace.seconds, 0);
    }
    int rc = run_all(t, err);
    if (rc == 0 && t->plot)
        rc = write_plot(t, err);
    if (rc == 0 && t->timeline) {
        rc = close_written(t->timeline, s->timeline, err);
        t->timeline = NULL;
    }
    return rc;
}

static void fini(struct trial *t)
{
    if (t->timeline)
        (void)fclose(t->timeline);
    free(t->plot);
    trace_fini(&t->trace);
    for (size_t i = 0; i < RULES_MAX; i++)
        free(t->zones[i]);
    config_close(t->file);
}

static int simulate_open(struct berth *berth, struct err *err)
{
    struct trial t = {.settings = &berth->settings->simulate};
    if (!t.settings->policy || !t.settings->trace)
        return err_set(err, BERTH_EINVAL, "give --policy FILE and --trace FILE");
    int rc = load_policy(&t, &berth->boot.exit_code, err);
    if (rc == 0)
        rc = load_trace(&t, err);
    if (rc == 0)
        rc = try_out(&t, err);
    fini(&t);
    if (rc == 0)
        berth->boot.exit_code = 0;
    return rc == 0 ? BOOT_DONE : rc;
}

static void simulate_stop(struct berth *berth)
{
    boot_exit(&berth->boot, 130);
}

static void simulate_close(struct berth *berth)
{
}

const struct verb verb_simulate = {
    .name = "simulate",
    .args = "",
    .help = "try a scaling policy over a trace of demand (--policy FILE --trace FILE)",
    .open = simulate_open,
    .stop = simulate_stop,
    .close = simulate_close};

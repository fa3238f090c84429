/* alerts_io.c - the sender of alerts: its life, and whether it is this process that sends. */
#include "alerts/alerts_impl.h"
#include "core/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATELY_MS 10000 /* who sent so shortly before Redis was lost says that it is lost */

mono_ms_t alerts_now(const struct alerts_io *a)
{
    return loop_now(a->c.loop);
}

wall_ms_t alerts_wall(const struct alerts_io *a)
{
    return a->store_at.ms > 0 ? wall_add(a->store_at, mono_sub(alerts_now(a), a->heard_at))
                              : (wall_ms_t){0};
}

void alerts_tell(struct alerts_io *a, const struct alert *alert)
{
    for (size_t i = 0; i < a->to_count; i++) {
        outbox_put(a->to[i].outbox, alert, alerts_wall(a), alerts_now(a));
        alerts_post_soon(&a->to[i]);
    }
}

/* ---- questions ---- */

bool alerts_ask(struct alerts_pool *pool, const struct span *argv, size_t argc, redis_reply_fn *fn)
{
    struct alerts_ask *ask = malloc(sizeof *ask);
    if (!ask)
        return false;
    *ask = (struct alerts_ask){pool->alerts, pool};
    if (redis_command(pool->redis, argv, argc, 0, fn, ask) < 0) {
        free(ask);
        return false;
    }
    pool->alerts->waits++;
    return true;
}

struct alerts_pool *alerts_asked(void *arg)
{
    struct alerts_ask ask = *(struct alerts_ask *)arg;
    free(arg);
    ask.alerts->waits--;
    if (!ask.alerts->dead)
        return ask.pool;
    if (ask.alerts->waits == 0)
        free(ask.alerts);
    return NULL;
}

/* ---- who sends ---- */

/* TIME's answer: [seconds, microseconds]. */
static void on_time(void *arg, int code, const struct resp *reply)
{
    struct alerts_pool *pool = alerts_asked(arg);
    int64_t seconds, micros;
    if (!pool || code < 0 || reply->type != RESP_LIST || reply->count != 2 ||
        !span_int(reply->items[0].text, &seconds) || !span_int(reply->items[1].text, &micros))
        return;
    pool->alerts->store_at = (wall_ms_t){seconds * 1000 + micros / 1000};
    pool->alerts->heard_at = alerts_now(pool->alerts);
}

static bool may_send(struct alerts_io *a)
{
    struct alerts_pool *first = &a->pools[a->first];
    bool leading = a->c.leading(a->c.arg, first->settings->name);
    if (!a->c.standby || !first->settings->scale.provider)
        return leading;
    alerts_look_leader(a);
    return leading && watch_bad_ms(&a->watch, WATCH_LEADER, first->index, alerts_now(a)) >=
                          a->settings->silent_after_ms;
}

static void set_active(struct alerts_io *a, bool active)
{
    if (active == a->active)
        return;
    a->active = active;
    log_info(a->c.log, active ? "alerts_sent_here" : "alerts_sent_elsewhere", "pools=%zu",
             a->pool_count);
    if (active) {
        alerts_read_begin(a);
        return;
    }
    if (!a->c.standby)
        watch_forget_pools(&a->watch);
    for (size_t i = 0; i < a->to_count; i++)
        outbox_forget_streams(a->to[i].outbox);
}

/* Each Redis that pools are in. `tells`: this process is the one to say so. */
static void look_at_servers(struct alerts_io *a, bool tells)
{
    struct alert alert;
    for (size_t i = 0; i < a->pool_count; i++) {
        const struct alerts_pool *pool = &a->pools[i];
        bool up = redis_is_up(pool->redis);
        bool known = watch_bad_ms(&a->watch, WATCH_REDIS, (int)i, alerts_now(a)) >= 0;
        if (pool->server_first && (up || tells || known) &&
            watch_see(&a->watch, WATCH_REDIS, (int)i, pool->server, up, alerts_wall(a),
                      alerts_now(a), &alert))
            alerts_tell(a, &alert);
    }
}

static void on_tick(void *arg)
{
    const struct span time_command[] = {SPAN("TIME")};
    struct alerts_io *a = arg;
    bool up = redis_is_up(a->pools[a->first].redis);
    /* The lease may run out before the connection is found dead. */
    bool lately = a->active_at.ms > 0 && mono_sub(alerts_now(a), a->active_at) < LATELY_MS;
    look_at_servers(a, a->active || lately || !a->ever_up);
    a->ever_up = a->ever_up || up;
    if (!up)
        return; /* what is queued is sent nevertheless */
    (void)alerts_ask(&a->pools[a->first], time_command, 1, on_time);
    set_active(a, may_send(a));
    if (!a->active)
        return;
    a->active_at = alerts_now(a);
    alerts_read_tick(a);
    alerts_look_tick(a);
    alerts_report_tick(a);
}

/* ---- life ---- */

static void on_own_redis(void *arg)
{
}

static void on_own_redis_lost(void *arg, const char *why)
{
}

static int open_redis(struct alerts_pool *pool, struct err *err)
{
    static const struct redis_events events = {on_own_redis, on_own_redis_lost, NULL};
    struct alerts_io *a = pool->alerts;
    pool->server = pool->settings->redis ? pool->settings->redis : "";
    pool->server_first = true;
    for (int i = 0; i < pool->index; i++)
        pool->server_first = pool->server_first && strcmp(a->pools[i].server, pool->server) != 0;
    pool->redis = a->c.redis_of(a->c.arg, pool->settings->name);
    if (pool->redis)
        return 0;
    pool->own_config = store_redis_config(a->c.settings, pool->settings->redis, &pool->keys);
    pool->redis = redis_create(a->c.loop, a->c.log, &pool->own_config, scripts_table, &events, err);
    pool->own = pool->redis != NULL;
    return pool->own ? 0 : BERTH_ESYS;
}

static int open_pools(struct alerts_io *a, struct err *err)
{
    const struct section_items *pools = &a->c.settings->pools;
    bool found = false;
    for (size_t i = 0; i < pools->count; i++) {
        struct alerts_pool *pool = &a->pools[a->pool_count];
        *pool = (struct alerts_pool){.alerts = a,
                                     .index = (int)a->pool_count,
                                     .settings = SECTION_AT(*pools, struct pool_settings, i)};
        (void)snprintf(pool->scan, sizeof pool->scan, "0");
        int rc = keys_init(&pool->keys, a->c.settings->redis.name_space, pool->settings->name, err);
        if (rc == 0)
            rc = open_redis(pool, err);
        if (rc < 0)
            return rc;
        if (!found && pool->settings->scale.provider) {
            a->first = a->pool_count;
            found = true;
        }
        a->pool_count++;
    }
    return 0;
}

static int open_zone(struct alerts_io *a, struct err *err)
{
    int rc = alerts_report_parse(a->settings->report, &a->schedule, err);
    if (rc < 0 || !a->schedule.by_cron)
        return rc;
    a->zone = zone_io_load(a->settings->report_zone, err);
    if (a->zone)
        return 0;
    err_prefix(err, "alerts.report_zone");
    return BERTH_EINVAL;
}

static int open_all(struct alerts_io *a, struct err *err)
{
    int rc = open_pools(a, err);
    if (rc == 0)
        rc = open_zone(a, err);
    for (size_t i = 0; rc == 0 && i < a->settings->to.count; i++) {
        struct alerts_to *to = &a->to[a->to_count++];
        to->alerts = a;
        to->settings = SECTION_AT(a->settings->to, struct alert_to_settings, i);
        rc = alerts_post_open(to, err);
    }
    return rc;
}

struct alerts_io *alerts_io_create(const struct alerts_io_config *config, struct err *err)
{
    struct alerts_io *a = calloc(1, sizeof *a);
    if (!a) {
        err_set(err, BERTH_ENOMEM, "no memory for the alerts");
        return NULL;
    }
    a->c = *config;
    a->settings = &config->settings->alerts;
    a->story = (struct notifier_story){.installation = a->settings->installation
                                                           ? a->settings->installation
                                                           : config->settings->redis.name_space,
                                       .sender = config->sender,
                                       .runbook_url = a->settings->runbook_url};
    watch_init(&a->watch, a->settings->redis_after_ms, a->settings->silent_after_ms,
               a->settings->drain_stuck_ms);
    timer_init(&a->tick, config->loop, on_tick, a);
    if (a->settings->to.count > 0 && open_all(a, err) < 0) {
        alerts_io_destroy(a);
        return NULL;
    }
    if (a->to_count > 0 && a->pool_count > 0)
        timer_start(&a->tick, ALERTS_TICK_MS, ALERTS_TICK_MS);
    return a;
}

void alerts_io_destroy(struct alerts_io *a)
{
    if (!a)
        return;
    timer_stop(&a->tick);
    for (size_t i = 0; i < a->to_count; i++)
        alerts_post_close(&a->to[i]);
    free(a->zone);
    a->zone = NULL;
    a->dead = true;
    a->waits++; /* it is still needed here, whoever answers */
    for (size_t i = 0; i < a->pool_count; i++)
        if (a->pools[i].own)
            redis_destroy(a->pools[i].redis);
    if (--a->waits == 0)
        free(a);
}

/* ---- metrics ---- */

size_t alerts_io_metrics(const struct alerts_io *a, const char *prefix, char *buf, size_t size)
{
    static const char *const help[][3] = {
        {"alert_messages_total", "counter", "Messages that a destination has taken."},
        {"alert_failures_total", "counter", "Attempts that failed, to be made again."},
        {"alerts_delivered_total", "counter", "Alerts in the messages that were taken."},
        {"alerts_repeated_total", "counter", "Alerts not told since the same was told lately."},
        {"alerts_dropped_total", "counter", "Alerts dropped: queue full, too old, refused."},
        {"alerts_waiting", "gauge", "Alerts waiting to be taken."},
        {"alert_reports_total", "counter", "Periodic reports that were taken."},
    };
    struct text text;
    text_init(&text, buf, size);
    for (size_t i = 0; a->to_count > 0 && i < sizeof help / sizeof *help; i++) {
        text_add(&text, "# HELP %s_%s %s\n# TYPE %s_%s %s\n", prefix, help[i][0], help[i][2],
                 prefix, help[i][0], help[i][1]);
        for (size_t j = 0; j < a->to_count; j++) {
            struct outbox_stats s;
            outbox_stats(a->to[j].outbox, &s);
            const uint64_t values[] = {s.messages,
                                       s.failures,
                                       s.delivered,
                                       s.repeated,
                                       s.dropped + s.too_old + s.refused,
                                       s.waiting,
                                       a->to[j].reports};
            text_add(&text, "%s_%s{to=\"%s\"} %" PRIu64 "\n", prefix, help[i][0],
                     a->to[j].settings->name, values[i]);
        }
    }
    return text.len;
}

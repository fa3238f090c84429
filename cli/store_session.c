/* store_session.c - connecting for one question. */
#include "cli/store_session.h"

#include "store/scripts.h"

#include <stdarg.h>
#include <stdio.h>

void store_session_fail(struct store_session *session, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)fputs("berth: ", stderr);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
    boot_exit(&session->berth->boot, 1);
}

static void on_up(void *arg)
{
    struct store_session *session = arg;
    timer_stop(&session->limit);
    if (session->begun)
        return;
    session->begun = true;
    session->up(session);
}

static void on_down(void *arg, const char *why)
{
    struct store_session *session = arg;
    store_session_fail(session, "Redis was lost: %s", why);
}

static void on_limit(void *arg)
{
    struct store_session *session = arg;
    const struct redis_config config =
        store_redis_config(session->berth->settings, session->pool->redis, &session->keys);
    char text[300];
    const char *why = redis_why(session->redis);
    store_session_fail(session, "Redis at %s: %s (the section redis says where it is, and as whom)",
                       redis_config_text(&config, text, sizeof text),
                       *why ? why : "does not answer");
}

static int check_pool(const struct settings *settings, const char *pool, struct err *err)
{
    char known[256] = "";
    if (settings_pool(settings, span_of(pool)))
        return 0;
    for (size_t i = 0; i < settings->pools.count; i++) {
        size_t at = strlen(known);
        (void)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "",
                       SECTION_AT(settings->pools, struct pool_settings, i)->name);
    }
    return err_set(err, BERTH_EINVAL, "%s: no such pool; configured are: %s", pool,
                   *known ? known : "none (give --config FILE)");
}

int store_session_open(struct store_session *session, struct berth *berth, const char *pool,
                       void (*up)(struct store_session *session), struct err *err)
{
    int code = check_pool(berth->settings, pool, err);
    if (code < 0)
        return code;
    session->pool = settings_pool(berth->settings, span_of(pool));
    session->berth = berth;
    session->up = up;
    code = keys_init(&session->keys, berth->settings->redis.name_space, pool, err);
    if (code < 0)
        return code;
    const struct redis_config config =
        store_redis_config(berth->settings, session->pool->redis, &session->keys);
    const struct redis_events events = {.up = on_up, .down = on_down, .arg = session};
    berth->log.level = LOG_ERROR; /* a person reads our own words */
    session->redis = redis_create(berth->loop, &berth->log, &config, scripts_table, &events, err);
    if (!session->redis)
        return err->code;
    timer_init(&session->limit, berth->loop, on_limit, session);
    timer_start(&session->limit, 5000, 0);
    return 0;
}

void store_session_close(struct store_session *session)
{
    if (!session->redis)
        return;
    timer_stop(&session->limit);
    redis_destroy(session->redis);
    session->redis = NULL;
}

/* alerts_look_io.c - what no event tells is looked at, and the periodic report is put together. */
#include "alerts/alerts_impl.h"
#include "core/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_COUNT "500"
#define REPORT_BACK_S (8 * 86400)

/* ---- who owns, who leads ---- */

static void see(struct alerts_pool *pool, enum watch_what what, bool well)
{
    struct alerts_io *a = pool->alerts;
    struct alert alert;
    bool told = watch_see(&a->watch, what, pool->index, pool->settings->name, well, alerts_wall(a),
                          alerts_now(a), &alert);
    /* Who stands by sends only because nobody leads: that is its first alert. */
    bool ours = a->active || (a->c.standby && what == WATCH_LEADER &&
                              a->c.leading(a->c.arg, pool->settings->name));
    if (told && ours)
        alerts_tell(a, &alert);
}

static void on_owner(void *arg, int code, const struct resp *reply)
{
    struct alerts_pool *pool = alerts_asked(arg);
    if (pool && code == 0)
        see(pool, WATCH_OWNER, reply->type == RESP_TEXT);
}

static void on_leader(void *arg, int code, const struct resp *reply)
{
    struct alerts_pool *pool = alerts_asked(arg);
    if (pool && code == 0)
        see(pool, WATCH_LEADER, reply->type == RESP_TEXT);
}

static void get(struct alerts_pool *pool, enum key_id key, redis_reply_fn *fn)
{
    const struct span argv[] = {SPAN("GET"), keys_get(&pool->keys, key)};
    (void)alerts_ask(pool, argv, 2, fn);
}

void alerts_look_leader(struct alerts_io *a)
{
    get(&a->pools[a->first], KEY_LEADER, on_leader);
}

/* ---- drains ---- */

static void see_drain(struct alerts_pool *pool, struct span node, struct span record)
{
    struct alerts_io *a = pool->alerts;
    struct span state;
    struct alert alert;
    if (record_raw(record, "state", &state) &&
        (span_is(state, "draining") || span_is(state, "closing")) &&
        watch_drain(&a->watch, pool->index, pool->settings->name, node, state,
                    (wall_ms_t){record_int_or(record, "since", 0)}, alerts_wall(a), alerts_now(a),
                    &alert))
        alerts_tell(a, &alert);
}

/* HSCAN's answer: [cursor, [node, record, ...]]. */
static void on_scan(void *arg, int code, const struct resp *reply)
{
    struct alerts_pool *pool = alerts_asked(arg);
    if (!pool)
        return;
    pool->looking = false;
    if (code < 0 || reply->type != RESP_LIST || reply->count != 2 || !pool->alerts->active)
        return;
    if (!span_copy(reply->items[0].text, pool->scan, sizeof pool->scan))
        (void)snprintf(pool->scan, sizeof pool->scan, "0");
    const struct resp *pairs = &reply->items[1];
    for (size_t i = 0; i + 1 < pairs->count; i += 2)
        see_drain(pool, pairs->items[i].text, pairs->items[i + 1].text);
}

static void look_for_drains(struct alerts_pool *pool)
{
    if (pool->looking || pool->settings->scale.provider ||
        pool->alerts->settings->drain_stuck_ms == 0)
        return;
    const struct span argv[] = {SPAN("HSCAN"), keys_get(&pool->keys, KEY_STATES),
                                span_of(pool->scan), SPAN("COUNT"), SPAN(SCAN_COUNT)};
    pool->looking = alerts_ask(pool, argv, sizeof argv / sizeof *argv, on_scan);
}

void alerts_look_tick(struct alerts_io *a)
{
    for (size_t i = 0; i < a->pool_count; i++) {
        struct alerts_pool *pool = &a->pools[i];
        bool scaled = pool->settings->scale.provider != NULL;
        get(pool, KEY_OWNER, on_owner);
        if (scaled && !(a->c.standby && i == a->first))
            get(pool, KEY_LEADER, on_leader);
        if (scaled && a->c.view_live && redis_is_up(pool->redis))
            see(pool, WATCH_VIEW, a->c.view_live(a->c.arg, pool->settings->name));
        look_for_drains(pool);
    }
}

/* ---- the report ---- */

static void hand_out(struct alerts_io *a)
{
    static struct report_pool none;
    struct report_pool *rows = calloc(a->pool_count, sizeof *rows);
    const struct report report = {.pools = rows ? rows : &none,
                                  .count = rows ? a->pool_count : 0,
                                  .at = alerts_wall(a),
                                  .since = a->report_since};
    for (size_t i = 0; rows && i < a->pool_count; i++) {
        struct alerts_pool *pool = &a->pools[i];
        rows[i] = pool->figures;
        (void)snprintf(rows[i].name, sizeof rows[i].name, "%s", pool->settings->name);
        rows[i].outs = pool->outs;
        rows[i].ins = pool->ins;
        rows[i].losses = pool->losses;
        pool->outs = pool->ins = pool->losses = 0;
    }
    a->story.now = report.at;
    for (size_t i = 0; i < a->to_count; i++) {
        struct alerts_to *to = &a->to[i];
        if (!to->settings->report || to->posting_report)
            continue;
        free(to->report);
        to->report = to->notifier->report(&a->story, &report);
        to->report_tries = 0;
        to->report_at = alerts_now(a);
        alerts_post_soon(to);
    }
    a->report_since = report.at;
    free(rows);
    alerts_write_cursor(&a->pools[a->first], "*report", (struct stream_id){a->report_last.ms, 0});
}

static struct alerts_pool *gathered(void *arg, struct alerts_io **ret_last)
{
    struct alerts_pool *pool = alerts_asked(arg);
    *ret_last = NULL;
    if (pool && --pool->alerts->gathering == 0)
        *ret_last = pool->alerts;
    return pool;
}

static void on_states(void *arg, int code, const struct resp *reply)
{
    struct alerts_io *last;
    struct alerts_pool *pool = gathered(arg, &last);
    for (size_t i = 0; pool && code == 0 && reply->type == RESP_LIST && i < reply->count; i++) {
        struct report_pool *f = &pool->figures;
        struct span state = {"", 0};
        (void)record_raw(reply->items[i].text, "state", &state);
        f->ready += span_is(state, "ready");
        f->coming += span_is(state, "joining");
        f->held += span_is(state, "held");
        f->lost += span_is(state, "lost");
        f->leaving += span_is(state, "draining") || span_is(state, "closing") ||
                      span_is(state, "drained") || span_is(state, "terminating");
    }
    if (last)
        hand_out(last);
}

static void on_reports(void *arg, int code, const struct resp *reply)
{
    struct alerts_io *last;
    struct alerts_pool *pool = gathered(arg, &last);
    for (size_t i = 0; pool && code == 0 && reply->type == RESP_LIST && i < reply->count; i++) {
        pool->figures.players += record_int_or(reply->items[i].text, "conns", 0);
        pool->figures.capacity += record_int_or(reply->items[i].text, "cap", 0);
    }
    if (last)
        hand_out(last);
}

/* The newest entry of the history, by the leader: [[id, [k, .., n, .., d, record]]]. */
static void on_history(void *arg, int code, const struct resp *reply)
{
    struct alerts_io *last;
    struct alerts_pool *pool = gathered(arg, &last);
    if (pool && code == 0 && reply->type == RESP_LIST && reply->count == 1 &&
        reply->items[0].count == 2 && reply->items[0].items[1].count == 6) {
        struct span record = reply->items[0].items[1].items[5].text;
        pool->figures.desired = record_int_or(record, "desired", -1);
    }
    if (last)
        hand_out(last);
}

static void gather(struct alerts_pool *pool, const struct span *argv, size_t argc,
                   redis_reply_fn *fn)
{
    pool->alerts->gathering += alerts_ask(pool, argv, argc, fn);
}

static void gather_all(struct alerts_io *a)
{
    for (size_t i = 0; i < a->pool_count; i++) {
        struct alerts_pool *pool = &a->pools[i];
        const struct span states[] = {SPAN("HVALS"), keys_get(&pool->keys, KEY_STATES)};
        const struct span reports[] = {SPAN("HVALS"), keys_get(&pool->keys, KEY_REPORTS)};
        const struct span history[] = {SPAN("XREVRANGE"), keys_get(&pool->keys, KEY_HISTORY),
                                       SPAN("+"),         SPAN("-"),
                                       SPAN("COUNT"),     SPAN("1")};
        pool->figures = (struct report_pool){.desired = -1};
        gather(pool, states, 2, on_states);
        gather(pool, reports, 2, on_reports);
        if (pool->settings->scale.provider)
            gather(pool, history, 6, on_history);
    }
}

static wall_ms_t due_at(const struct alerts_io *a, wall_ms_t now)
{
    if (!a->schedule.by_cron)
        return (wall_ms_t){now.ms - now.ms % a->schedule.every_ms};
    int64_t s = cron_last(&a->schedule.cron, a->zone, now.ms / 1000, REPORT_BACK_S);
    return (wall_ms_t){s < 0 ? 0 : s * 1000};
}

void alerts_report_tick(struct alerts_io *a)
{
    wall_ms_t now = alerts_wall(a);
    if ((!a->schedule.by_cron && a->schedule.every_ms == 0) || now.ms == 0 || a->gathering > 0 ||
        !a->pools[a->first].loaded)
        return;
    wall_ms_t due = due_at(a, now);
    if (a->report_since.ms == 0)
        a->report_since = now;
    if (a->report_last.ms == 0) { /* the first sender of all: begin with the next one */
        a->report_last = due.ms > 0 ? due : now;
        return;
    }
    if (due.ms <= a->report_last.ms)
        return;
    a->report_last = due;
    gather_all(a);
}

/* effects_io.c - between the core and the world: callbacks become events, effects become calls. */
#include "core/record.h"
#include "lb/app.h"
#include "lb/link.h"
#include "lb/trace.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SWEEP_LIMIT = 200,
    EVENTS_MAX = 100000,
    ENROLL_NAME_MAX = 96,
    FEED_INTERVALS = 20,
    FEED_MIN = 1000
};

/* ---- events ---- */

void app_rearm(struct app *app)
{
    mono_ms_t at = lb_deadline(app->lb);
    if (app->closing || (at.ms == app->armed.ms && timer_active(&app->timer)))
        return; /* most requests change nothing about when to look again */
    app->armed = at;
    timer_at(&app->timer, at);
}

static void carry_out(struct app *app);

static void step(struct app *app, struct lb_event *ev)
{
    ev->now = loop_now(app->loop);
    lb_step(app->lb, ev, &app->fx);
    app->stepping = true;
    carry_out(app);
    app->stepping = false;
}

void app_event(struct app *app, struct lb_event ev)
{
    if (app->closing)
        return;
    if (app->stepping) { /* only answers that could not even be asked for come here: they hold
                            nothing borrowed */
        assert(ev.answer == NULL && ev.item == NULL);
        if (app->later_count == APP_LATER_MAX) {
            app->events_dropped++; /* the core asks again when no answer comes */
            return;
        }
        struct app_later *later = &app->later[app->later_count++];
        later->ev = ev;
        (void)span_copy(ev.node, later->node, sizeof later->node);
        return;
    }
    step(app, &ev);
    while (app->later_count > 0) {
        struct app_later later = app->later[0];
        memmove(app->later, app->later + 1, --app->later_count * sizeof later);
        later.ev.node = span_of(later.node);
        step(app, &later.ev);
    }
    app_rearm(app);
}

void app_on_timer(void *arg)
{
    app_event(arg, (struct lb_event){.kind = LB_TICK});
}

/* ---- calls to the store ---- */

struct call {
    struct app *app;
    struct lb_event reply;
    struct store_answer granted; /* of a lease that was got, until it is on a replica, too */
    mono_ms_t heard_at;
};

static void on_lease_kept(void *arg, enum barrier_end end, const char *why)
{
    struct call *call = arg;
    struct app *app = call->app;
    app->calls--;
    if (end != BARRIER_PASSED)
        log_warn(&app->log, "lease_on_no_replica", "pool=%s token=%lld error=%s",
                 app->pools[call->reply.pool].settings->name, (long long)call->granted.token, why);
    call->granted.now.ms += mono_sub(loop_now(app->loop), call->heard_at);
    call->reply.code = end == BARRIER_FAILED ? BERTH_ECLOSED : 0;
    call->reply.answer = end == BARRIER_FAILED ? NULL : &call->granted;
    app_event(app, call->reply);
    free(call);
}

/* The call is taken: its answer is handed on when the lease is on a replica, too. */
static bool keep_lease(struct call *call, const struct store_answer *answer)
{
    struct app *app = call->app;
    call->heard_at = loop_now(app->loop);
    call->granted = (struct store_answer){.script = answer->script,
                                          .word = answer->word,
                                          .now = answer->now,
                                          .token = answer->token,
                                          .ttl_ms = answer->ttl_ms};
    return barrier_pass(app->pools[call->reply.pool].barrier, on_lease_kept, call) == 0;
}

static void on_answer(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct call *call = arg;
    struct app *app = call->app;
    if (code == 0 && call->reply.kind == LB_LEASE_REPLY && answer->word == ANSWER_OK &&
        call->reply.lease_request.op == LEASE_OP_ACQUIRE && !app->closing &&
        keep_lease(call, answer))
        return;
    app->calls--;
    if (code == BERTH_EPROTO || code == BERTH_EINVAL)
        log_warn(&app->log, "store_refused", "why=%s", err->text);
    call->reply.code = code;
    call->reply.answer = answer;
    app_event(app, call->reply);
    free(call);
}

static void send_call(struct app *app, const struct store_call *request, int built,
                      struct lb_event reply, const struct err *err)
{
    struct call *call = built == 0 ? malloc(sizeof *call) : NULL;
    int code = built;
    if (built == 0)
        code = call == NULL ? BERTH_ENOMEM : 0;
    if (code == 0) {
        *call = (struct call){.app = app, .reply = reply};
        code = store_send(app->pools[reply.pool].redis, request, on_answer, call);
    }
    if (code == 0) {
        app->calls++;
        return;
    }
    free(call);
    if (built < 0)
        log_error(&app->log, "store_call", "why=%s", err->text);
    reply.code = code;
    app_event(app, reply);
}

static void holder_of(const struct app *app, size_t pool, int64_t token, char buf[CALL_HOLDER_MAX])
{
    struct lb_pool_view view;
    lb_pool_view(app->lb, pool, loop_now(app->loop), &view);
    calls_holder(app->me->name, view.epoch, token, buf);
}

int64_t app_feed_max(const struct app *app, size_t pool)
{
    struct lb_pool_view view;
    lb_pool_view(app->lb, pool, loop_now(app->loop), &view);
    int64_t wanted = FEED_INTERVALS * (int64_t)view.node_count;
    return wanted > FEED_MIN ? wanted : FEED_MIN;
}

static void do_enroll(struct app *app, struct app_pool *pool, const struct lb_effect *fx)
{
    struct store_call call;
    struct err err = {0};
    char id[ENROLL_NAME_MAX], url[160];
    (void)snprintf(id, sizeof id, "lb/%s", app->me->name);
    (void)snprintf(url, sizeof url, "http://%s:%d", app->me->admin_listen.host,
                   app->me->admin_listen.port);
    const struct call_enroll request = {.id = id,
                                        .nonce = app->nonce,
                                        .url = url,
                                        .live_ms = LB_ENROLL_LIVE_MS,
                                        .leave = fx->leave,
                                        .epoch = fx->held_epoch};
    int built = calls_enroll(&call, &pool->keys, &request, &err);
    send_call(app, &call, built, (struct lb_event){.kind = LB_ENROLL_REPLY, .pool = pool->index},
              &err);
}

static void do_lease(struct app *app, struct app_pool *pool, const struct lb_effect *fx)
{
    struct store_call call;
    struct err err = {0};
    struct lb_pool_view view;
    lb_pool_view(app->lb, pool->index, loop_now(app->loop), &view);
    const struct call_lease request = {.role = MOVE_OWNER,
                                       .op = fx->lease_request.op,
                                       .name = app->me->name,
                                       .epoch = view.epoch,
                                       .token = fx->lease_request.token,
                                       .ttl_ms = app->settings->lb.lease_ms};
    int built = calls_lease(&call, &pool->keys, &request, &err);
    send_call(app, &call, built,
              (struct lb_event){
                  .kind = LB_LEASE_REPLY, .pool = pool->index, .lease_request = fx->lease_request},
              &err);
}

static void do_move(struct app *app, struct app_pool *pool, const struct lb_effect *fx)
{
    struct store_call call;
    struct err err = {0};
    char holder[CALL_HOLDER_MAX];
    holder_of(app, pool->index, fx->move.token, holder);
    const struct call_move request = {.holder = holder,
                                      .node = fx->move.node,
                                      .node_epoch = fx->move.epoch,
                                      .from = fx->move.from,
                                      .to = fx->move.to,
                                      .why = fx->why,
                                      .feed_max = app_feed_max(app, pool->index)};
    int built = calls_move(&call, &pool->keys, &request, &err);
    send_call(app, &call, built,
              (struct lb_event){.kind = LB_MOVE_REPLY, .pool = pool->index, .move = fx->move},
              &err);
}

static void do_sweep(struct app *app, struct app_pool *pool, const struct lb_effect *fx)
{
    struct store_call call;
    struct err err = {0};
    char holder[CALL_HOLDER_MAX];
    holder_of(app, pool->index, fx->token, holder);
    const struct call_sweep request = {.holder = holder,
                                       .lost_after_ms = pool->settings->lost_after_ms,
                                       .forget_after_ms = pool->settings->forget_after_ms,
                                       .guard_percent = fx->guard_percent,
                                       .grace = fx->grace,
                                       .limit = SWEEP_LIMIT,
                                       .feed_max = app_feed_max(app, pool->index)};
    int built = calls_sweep(&call, &pool->keys, &request, &err);
    send_call(app, &call, built, (struct lb_event){.kind = LB_SWEEP_REPLY, .pool = pool->index},
              &err);
}

void app_record(struct app *app, struct app_pool *pool, const char *kind, const char *name,
                struct span detail)
{
    struct store_call call;
    struct err err = {0};
    const struct call_event request = {
        .kind = kind, .name = name, .detail = detail, .stream_max = EVENTS_MAX};
    if (!redis_is_up(pool->redis) || calls_event(&call, &pool->keys, &request, &err) < 0 ||
        store_send(pool->redis, &call, NULL, NULL) < 0)
        app->events_dropped++;
}

/* ---- effects ---- */

static void do_tell(struct app *app, struct app_pool *pool, const struct lb_effect *fx)
{
    char line[LINK_LINE_MAX];
    if (fx->kind == LB_DO_COUNT)
        peers_tell(app->peers, link_count(line, pool->settings->name, &fx->count));
    else if (strcmp(fx->event, "released") == 0)
        peers_tell(app->peers, link_released(line, pool->settings->name));
    else if (strcmp(fx->event, "confirm") == 0 || strcmp(fx->event, "verdict") == 0)
        peers_tell(app->peers,
                   link_node(line, fx->event[0] == 'c' ? LINK_CONFIRM : LINK_VERDICT,
                             pool->settings->name, fx->move.node, fx->move.epoch, fx->able));
    else if (strcmp(fx->event, "able") == 0)
        peers_tell(app->peers, link_able(line, fx->able));
    else if (strcmp(fx->event, "rooms") == 0)
        peers_tell(app->peers, link_rooms(line, pool->settings->name));
    else
        peers_tell(app->peers, link_room_over(line, pool->settings->name, fx->node));
}

static void do_log(struct app *app, const struct lb_effect *fx)
{
    enum log_level level = fx->level == LB_ERROR  ? LOG_ERROR
                           : fx->level == LB_WARN ? LOG_WARN
                                                  : LOG_INFO;
    if (trace_is_routine(fx))
        level = LOG_DEBUG;
    if (level < app->log.level)
        return;
    char line[TRACE_LINE_MAX], event[64];
    struct span rest = span_of(trace_effect(app->lb, fx, line));
    struct span word = span_cut(&rest, ' ');
    (void)snprintf(event, sizeof event, "%.*s", SPAN_ARG(word));
    log_record(&app->log, level, event, rest);
}

static void do_note(struct app *app, struct app_pool *pool, const struct lb_effect *fx)
{
    char detail[LB_TEXT_MAX + NODE_WHY_MAX + 16];
    struct record_writer w;
    if (fx->hook != NULL)
        hooks_event(app->hooks, fx);
    if (!fx->record)
        return;
    record_begin(&w, detail, sizeof detail);
    record_put_text(&w, "why", fx->why);
    size_t len = record_end(&w).len;
    size_t more = (size_t)snprintf(detail + len, sizeof detail - len, " %s", fx->text);
    app_record(app, pool, fx->event, fx->node[0] ? fx->node : "-",
               (struct span){detail, len + (more < sizeof detail - len ? more : 0)});
}

/* We slept between deciding and doing. */
static void decline(struct app *app, const struct lb_effect *fx)
{
    log_warn(&app->log, "tilt", "pool=%s node=%s why=slept_before_sending",
             app->pools[fx->pool].settings->name, fx->move.node[0] ? fx->move.node : "-");
    app_event(app,
              (struct lb_event){.kind = fx->kind == LB_DO_MOVE ? LB_MOVE_REPLY : LB_SWEEP_REPLY,
                                .pool = fx->pool,
                                .code = BERTH_ESTALE,
                                .move = fx->move});
}

static void carry_out(struct app *app)
{
    for (size_t i = 0; i < app->fx.count; i++) {
        const struct lb_effect *fx = &app->fx.items[i];
        struct app_pool *pool = &app->pools[fx->pool];
        do_log(app, fx);
        if (!lb_may_send(app->lb, fx, loop_now(app->loop))) {
            decline(app, fx);
            continue;
        }
        switch (fx->kind) {
        case LB_DO_ENROLL:
            do_enroll(app, pool, fx);
            break;
        case LB_DO_LEASE:
            do_lease(app, pool, fx);
            break;
        case LB_DO_MOVE:
            do_move(app, pool, fx);
            break;
        case LB_DO_SWEEP:
            do_sweep(app, pool, fx);
            break;
        case LB_DO_PROBE:
            probes_start(app->probes, fx);
            break;
        case LB_DO_COUNT:
        case LB_DO_TELL:
            do_tell(app, pool, fx);
            break;
        case LB_DO_NOTE:
            do_note(app, pool, fx);
            break;
        }
    }
    peers_flush(app->peers);
}

/* ---- the connection and the followers ---- */

static void on_up(void *arg)
{
    struct app_pool *pool = arg;
    app_event(pool->app, (struct lb_event){.kind = LB_STORE_UP, .pool = pool->index});
}

static void on_down(void *arg, const char *why)
{
    struct app_pool *pool = arg;
    app_event(pool->app, (struct lb_event){.kind = LB_STORE_DOWN, .pool = pool->index, .why = why});
}

struct redis_events app_redis_events(struct app_pool *pool)
{
    return (struct redis_events){.up = on_up, .down = on_down, .arg = pool};
}

static void on_begin(void *arg)
{
    struct app_pool *pool = arg;
    app_event(pool->app, (struct lb_event){.kind = LB_FOLLOW_BEGIN, .pool = pool->index});
}

static void on_end(void *arg)
{
    struct app_pool *pool = arg;
    app_event(pool->app, (struct lb_event){.kind = LB_FOLLOW_END, .pool = pool->index});
}

static void on_item(void *arg, const struct feed_item *item)
{
    struct app_pool *pool = arg;
    app_event(pool->app,
              (struct lb_event){.kind = LB_FOLLOW_ITEM, .pool = pool->index, .item = item});
}

static void on_expect(void *arg, struct span node, bool soon)
{
    const struct app_pool *pool = arg;
    lb_expect(pool->app->lb, pool->index, node, soon);
}

static void on_lost(void *arg, const char *why)
{
    struct app_pool *pool = arg;
    app_event(pool->app,
              (struct lb_event){.kind = LB_FOLLOW_LOST, .pool = pool->index, .why = why});
}

int app_follow(struct app *app, struct app_pool *pool, const struct redis_config *config,
               struct err *err)
{
    const struct store_follow_events events = {.begin_snapshot = on_begin,
                                               .end_snapshot = on_end,
                                               .item = on_item,
                                               .expect = on_expect,
                                               .lost = on_lost,
                                               .arg = pool};
    pool->follow = store_follow_create(app->loop, &app->log, config, &pool->keys, &events, err);
    return pool->follow == NULL ? err->code : 0;
}

/* pool_lead_io.c - one pool's leadership: the name that one live process holds, and the lease. */
#include "autoscale/pool_parts.h"

#include <stdio.h>

#define LIVE_MS 5000   /* another process may take this name after so long without a beat */
#define RESIGN_MS 1500 /* give up waiting for the answer */

/* ---- enrolling: a name is held by one live process ---- */

static void on_enrolled(void *arg, int code, const struct store_answer *answer,
                        const struct err *err)
{
    struct pool_ask ask;
    struct pool_io *p = pool_io_ask_end(arg, &ask);
    if (!p)
        return;
    p->enroll_pending = false;
    if (code < 0)
        return;
    pool_io_hear_time(p, answer->now);
    if (answer->word == ANSWER_TAKEN) {
        if (!p->taken_told)
            log_warn(p->c.log, "name_taken", "pool=%s name=%s epoch=%lld", p->policy.pool,
                     p->c.autoscale->name, (long long)answer->epoch);
        p->taken_told = true;
        return;
    }
    p->taken_told = false;
    bool first = p->epoch == 0;
    p->epoch = answer->epoch;
    if (first && !p->resigning) {
        struct lease_event ev = {.kind = LEASE_WANT};
        pool_io_lead_step(p, &ev);
    }
}

void pool_io_lead_enroll(struct pool_io *p, bool leave)
{
    struct err err;
    struct call_enroll req = {
        .id = p->id, .nonce = p->c.nonce, .url = p->c.url, .live_ms = LIVE_MS, .leave = leave};
    if (pool_io_ask_unfit(p, calls_enroll(&p->call, &p->keys, &req, &err), "enroll", &err))
        return;
    p->enroll_pending = pool_io_ask_send(p, "", on_enrolled);
}

/* ---- lease ---- */

/* A lease that was got is on a replica, too, or could not be. */
static void on_lease_kept(void *arg, enum barrier_end end, const char *why)
{
    struct pool_ask ask;
    struct pool_io *p = pool_io_ask_end(arg, &ask);
    if (!p)
        return;
    struct lease_event ev = ask.granted;
    ev.store_now.ms += mono_sub(pool_io_now(p), ask.at);
    if (end != BARRIER_PASSED)
        log_warn(p->c.log, "lease_on_no_replica", "pool=%s token=%lld error=%s", p->policy.pool,
                 (long long)ev.token, why);
    if (end == BARRIER_FAILED)
        ev = (struct lease_event){
            .kind = LEASE_REPLY, .request = ask.request, .answer = LEASE_FAILED};
    pool_io_lead_step(p, &ev);
}

/* ask is taken. */
static bool keep_lease(struct pool_ask *ask, const struct store_answer *answer)
{
    struct pool_io *p = ask->pool;
    ask->at = pool_io_now(p);
    ask->granted = (struct lease_event){.kind = LEASE_REPLY,
                                        .request = ask->request,
                                        .answer = LEASE_OK,
                                        .store_now = answer->now,
                                        .token = answer->token,
                                        .pttl_ms = answer->ttl_ms};
    return barrier_pass(p->barrier, on_lease_kept, ask) == 0;
}

static void on_lease(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct pool_ask ask, *asked = arg;
    if (code == 0 && answer->word == ANSWER_OK && asked->request.op == LEASE_OP_ACQUIRE &&
        !asked->pool->dead) {
        pool_io_hear_time(asked->pool, answer->now);
        if (keep_lease(asked, answer))
            return;
    }
    struct pool_io *p = pool_io_ask_end(arg, &ask);
    if (!p)
        return;
    struct lease_event ev = {.kind = LEASE_REPLY, .request = ask.request, .answer = LEASE_FAILED};
    if (code == 0) {
        pool_io_hear_time(p, answer->now);
        ev.store_now = answer->now;
        ev.token = answer->token;
        ev.pttl_ms = answer->ttl_ms;
        ev.answer = answer->word == ANSWER_OK     ? LEASE_OK
                    : answer->word == ANSWER_HELD ? LEASE_HELD
                                                  : LEASE_LOST;
        struct span rest = answer->holder; /* "name epoch token" */
        if (answer->word == ANSWER_HELD &&
            !span_copy(span_cut(&rest, ' '), p->led_by, sizeof p->led_by))
            p->led_by[0] = 0;
    }
    pool_io_lead_step(p, &ev);
}

static void send_lease(struct pool_io *p, const struct lease_request *request)
{
    struct err err;
    struct call_lease req = {.role = MOVE_LEADER,
                             .op = request->op,
                             .name = p->c.autoscale->name,
                             .epoch = p->epoch,
                             .token = request->token,
                             .ttl_ms = p->lease.config.ttl_ms};
    struct pool_ask *ask = NULL;
    if (!pool_io_ask_unfit(p, calls_lease(&p->call, &p->keys, &req, &err), "lease", &err))
        ask = pool_io_ask_new(p, "");
    if (ask) {
        ask->request = *request;
        if (store_send(p->c.redis, &p->call, on_lease, ask) == 0)
            return;
        struct pool_ask gone;
        (void)pool_io_ask_end(ask, &gone);
    }
    struct lease_event ev = {.kind = LEASE_REPLY, .request = *request, .answer = LEASE_FAILED};
    pool_io_lead_step(p, &ev);
}

void pool_io_lead_resigned(void *arg)
{
    struct pool_io *p = arg;
    if (!p->resigning)
        return;
    p->resigning = false;
    timer_stop(&p->resign_timer);
    p->c.resigned(p->c.arg);
}

/* For those who read the pool's events: who leads from now on, and who did. */
static void write_leader(struct pool_io *p, const char *why)
{
    char record[256];
    (void)snprintf(record, sizeof record, "leader=%s was=%s token=%lld why=%s",
                   p->c.autoscale->name, p->led_by[0] ? p->led_by : "-",
                   (long long)lease_token(&p->lease), why);
    pool_io_write_event(p, &(struct call_event){.kind = "leader",
                                                .name = p->c.autoscale->name,
                                                .detail = span_of(record),
                                                .stream_max = POOL_EVENTS_MAX});
    (void)snprintf(p->led_by, sizeof p->led_by, "%s", p->c.autoscale->name);
}

void pool_io_lead_step(struct pool_io *p, struct lease_event *ev)
{
    struct lease_result result;
    ev->now = pool_io_now(p);
    lease_step(&p->lease, ev, &result);
    if (result.change != LEASE_SAME) {
        bool leading = result.change == LEASE_GAINED;
        log_info(p->c.log, leading ? "leading" : "not_leading", "pool=%s token=%lld why=%s",
                 p->policy.pool, (long long)lease_token(&p->lease), result.why);
        struct scale_event scale = {.kind = SCALE_LEAD, .lead = {leading, lease_token(&p->lease)}};
        pool_io_step(p, &scale);
        if (leading)
            write_leader(p, result.why);
        pool_io_tell(p, notice_make(leading ? NOTICE_LEADER_GAINED : NOTICE_LEADER_LOST,
                                    leading || p->resigning ? NOTICE_INFO : NOTICE_WARNING,
                                    result.why));
    }
    if (result.request.op != LEASE_OP_NONE)
        send_lease(p, &result.request);
    if (p->resigning && ev->kind == LEASE_REPLY && ev->request.op == LEASE_OP_RELEASE)
        pool_io_lead_resigned(p);
    timer_at(&p->lease_timer, lease_deadline(&p->lease));
}

void pool_io_lead_on_timer(void *arg)
{
    struct lease_event ev = {.kind = LEASE_TICK};
    pool_io_lead_step(arg, &ev);
}

void pool_io_resign(struct pool_io *p)
{
    p->resigning = true;
    timer_start(&p->resign_timer, RESIGN_MS, 0);
    bool held = lease_held(&p->lease, pool_io_now(p));
    if (p->epoch && redis_is_up(p->c.redis))
        pool_io_lead_enroll(p, true);
    struct lease_event ev = {.kind = LEASE_RESIGN};
    pool_io_lead_step(p, &ev);
    if (!held || !redis_is_up(p->c.redis))
        timer_start(&p->resign_timer, 0, 0);
}

/* pool_io.c - one pool's autoscaler on the loop: its core, its view of the feed, its lease, and the
 * effects carried out. */
#include "autoscale/pool_io.h"

#include "autoscale/act_io.h"
#include "autoscale/history.h"
#include "autoscale/view.h"
#include "autoscale/zone_io.h"
#include "store/store.h"
#include "store/store_follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOW_MS 20   /* feed items of one burst make one snapshot */
#define LOOK_MS 1000 /* a snapshot at least so often: reports age though nothing comes */
#define LIVE_MS 5000 /* another process may take this name after so long without a beat */
#define EVENTS_MAX 100000
#define PLAN_FIELDS_MAX 64
#define RESIGN_MS 1500 /* give up waiting for the answer */

/* How the pool is scaled, with what it needs. */
struct plan_of {
    struct policy policy;
    struct zone *zones[RULES_MAX]; /* by rule; NULL: none */
};

struct pool_io {
    struct pool_io_config c;
    struct policy policy;
    struct zone *zones[RULES_MAX]; /* by rule; NULL: none */
    struct plan_of *next;          /* prepared, not committed */
    struct scale *scale;
    struct view view;
    struct act_io *act;
    struct history history;
    struct keys keys;
    struct store_follow *follow;
    struct lease lease;
    struct store_call call; /* being built; too large for the stack */
    int64_t epoch;          /* of this process in this pool; 0: not enrolled yet */
    char id[96];            /* "autoscale/name" */
    bool enroll_pending, taken_told, resigning, closing;
    bool told_leading;
    wall_ms_t store_at; /* Redis TIME as last heard, and when */
    mono_ms_t heard_at;
    struct view_operators operators;
    struct timer step_timer, lease_timer, show_timer, look_timer, resign_timer;
    size_t stepping; /* depth: effects of an inner step come first */
    size_t waits;    /* requests whose answer will come with this pool as argument */
    bool dead;       /* destroyed; freed when the last answer has come */
};

/* A question to Redis or the provider, and what it was about. */
struct ask {
    struct pool_io *pool;
    char name[NAME_SIZE];
    struct lease_request request;
    mono_ms_t at; /* LIST: when the core asked */
};

static void step(struct pool_io *p, struct scale_event *ev);
static void step_lease(struct pool_io *p, struct lease_event *ev);

static mono_ms_t now(const struct pool_io *p)
{
    return loop_now(p->c.loop);
}

static wall_ms_t wall(const struct pool_io *p)
{
    return p->store_at.ms > 0 ? wall_add(p->store_at, mono_sub(now(p), p->heard_at))
                              : (wall_ms_t){0};
}

static void hear_time(struct pool_io *p, wall_ms_t store_now)
{
    if (store_now.ms <= 0)
        return;
    p->store_at = store_now;
    p->heard_at = now(p);
}

/* ---- asking ---- */

static struct ask *ask_new(struct pool_io *p, const char *name)
{
    struct ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return NULL;
    ask->pool = p;
    snprintf(ask->name, sizeof ask->name, "%s", name);
    p->waits++;
    return ask;
}

/* The answer has come. Returns the pool, or NULL if it is gone meanwhile. */
static struct pool_io *ask_end(struct ask *ask, struct ask *ret_ask)
{
    struct pool_io *p = ask->pool;
    *ret_ask = *ask;
    free(ask);
    p->waits--;
    if (!p->dead)
        return p;
    if (p->waits == 0)
        free(p);
    return NULL;
}

/* Send p->call; fn gets an ask. False: not now (nothing will be answered). */
static bool send(struct pool_io *p, const char *name, store_fn *fn)
{
    struct ask *ask = ask_new(p, name);
    if (ask && store_send(p->c.redis, &p->call, fn, ask) == 0)
        return true;
    if (ask) {
        struct ask gone;
        (void)ask_end(ask, &gone);
    }
    return false;
}

static bool build_failed(struct pool_io *p, int rc, const char *what, const struct err *err)
{
    if (rc < 0)
        log_error(p->c.log, "call_refused", "pool=%s call=%s error=%s", p->policy.pool, what,
                  err->text);
    return rc < 0;
}

static void holder(struct pool_io *p, char buf[CALL_HOLDER_MAX])
{
    calls_holder(p->c.autoscale->name, p->epoch, lease_token(&p->lease), buf);
}

static int64_t feed_max(const struct pool_io *p)
{
    int64_t n = (int64_t)p->policy.nodes_max * 10;
    return n < 1000 ? 1000 : n;
}

/* ---- enrolling: a name is held by one live process ---- */

static void on_enrolled(void *arg, int code, const struct store_answer *answer,
                        const struct err *err)
{
    struct ask ask;
    struct pool_io *p = ask_end(arg, &ask);
    if (!p)
        return;
    p->enroll_pending = false;
    if (code < 0)
        return;
    hear_time(p, answer->now);
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
        step_lease(p, &ev);
    }
}

static void enroll(struct pool_io *p, bool leave)
{
    struct err err;
    struct call_enroll req = {
        .id = p->id, .nonce = p->c.nonce, .url = p->c.url, .live_ms = LIVE_MS, .leave = leave};
    if (build_failed(p, calls_enroll(&p->call, &p->keys, &req, &err), "enroll", &err))
        return;
    p->enroll_pending = send(p, "", on_enrolled);
}

/* ---- lease ---- */

static void on_lease(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct ask ask;
    struct pool_io *p = ask_end(arg, &ask);
    if (!p)
        return;
    struct lease_event ev = {.kind = LEASE_REPLY, .request = ask.request, .answer = LEASE_FAILED};
    if (code == 0) {
        hear_time(p, answer->now);
        ev.store_now = answer->now;
        ev.token = answer->token;
        ev.pttl_ms = answer->ttl_ms;
        ev.answer = answer->word == ANSWER_OK     ? LEASE_OK
                    : answer->word == ANSWER_HELD ? LEASE_HELD
                                                  : LEASE_LOST;
    }
    step_lease(p, &ev);
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
    struct ask *ask = NULL;
    if (!build_failed(p, calls_lease(&p->call, &p->keys, &req, &err), "lease", &err))
        ask = ask_new(p, "");
    if (ask) {
        ask->request = *request;
        if (store_send(p->c.redis, &p->call, on_lease, ask) == 0)
            return;
        struct ask gone;
        (void)ask_end(ask, &gone);
    }
    struct lease_event ev = {.kind = LEASE_REPLY, .request = *request, .answer = LEASE_FAILED};
    step_lease(p, &ev);
}

static void finish_resign(void *arg)
{
    struct pool_io *p = arg;
    if (!p->resigning)
        return;
    p->resigning = false;
    timer_stop(&p->resign_timer);
    p->c.resigned(p->c.arg);
}

static void step_lease(struct pool_io *p, struct lease_event *ev)
{
    struct lease_result result;
    ev->now = now(p);
    lease_step(&p->lease, ev, &result);
    if (result.change != LEASE_SAME) {
        bool leading = result.change == LEASE_GAINED;
        log_info(p->c.log, leading ? "leading" : "not_leading", "pool=%s token=%lld why=%s",
                 p->policy.pool, (long long)lease_token(&p->lease), result.why);
        struct scale_event scale = {.kind = SCALE_LEAD, .lead = {leading, lease_token(&p->lease)}};
        step(p, &scale);
    }
    if (result.request.op != LEASE_OP_NONE)
        send_lease(p, &result.request);
    if (p->resigning && ev->kind == LEASE_REPLY && ev->request.op == LEASE_OP_RELEASE)
        finish_resign(p);
    timer_at(&p->lease_timer, lease_deadline(&p->lease));
}

static void on_lease_timer(void *arg)
{
    struct lease_event ev = {.kind = LEASE_TICK};
    step_lease(arg, &ev);
}

/* ---- effects that write to Redis ---- */

static enum scale_outcome outcome_of(int code, const struct store_answer *answer)
{
    if (code == BERTH_ETIMEOUT || code == BERTH_ECLOSED)
        return SCALE_UNKNOWN;
    return code == 0 && answer->word == ANSWER_OK ? SCALE_DONE : SCALE_NOT_DONE;
}

static const char *error_of(int code, const struct store_answer *answer, const struct err *err)
{
    return code < 0 ? (err ? err->text : err_word(code)) : answer_word_text(answer->word);
}

static void answer_event(struct pool_io *p, enum scale_event_kind kind, const char *name,
                         enum scale_outcome outcome, const char *error)
{
    struct scale_event ev = {.kind = kind,
                             .answer = {.name = name, .outcome = outcome, .error = error}};
    step(p, &ev);
}

static void on_plan_written(void *arg, int code, const struct store_answer *answer,
                            const struct err *err)
{
    struct ask ask;
    struct pool_io *p = ask_end(arg, &ask);
    if (!p)
        return;
    enum scale_outcome outcome = outcome_of(code, answer);
    if (outcome != SCALE_DONE)
        log_warn(p->c.log, "plan_not_written", "pool=%s field=%s error=%s", p->policy.pool,
                 ask.name, error_of(code, answer, err));
    answer_event(p, SCALE_WRITTEN, ask.name, outcome, outcome == SCALE_DONE ? NULL : "not written");
}

static void write_plan(struct pool_io *p, const struct effect *e)
{
    char who[CALL_HOLDER_MAX];
    struct err err;
    holder(p, who);
    bool set = e->kind == EFFECT_PLAN_SET;
    struct call_plan_change change = {span_of(e->name),
                                      set ? span_of(e->record) : (struct span){"", 0}};
    struct call_plan req = {
        .holder = who, .changes = &change, .change_count = 1, .fields_max = PLAN_FIELDS_MAX};
    bool sent = !build_failed(p, calls_plan(&p->call, &p->keys, &req, &err), "plan", &err) &&
                send(p, e->name, on_plan_written);
    if (!sent && set)
        answer_event(p, SCALE_WRITTEN, e->name, SCALE_NOT_DONE, "no connection");
}

static void on_plan(void *arg, int code, const struct resp *reply)
{
    static const size_t fields_max = PLAN_FIELDS_MAX;
    struct ask ask;
    struct pool_io *p = ask_end(arg, &ask);
    struct page_iter iter;
    struct err err;
    if (!p || code < 0 || page_iter_init(&iter, reply, &err) < 0)
        return; /* the core asks again */
    struct {
        char name[NAME_SIZE], record[512];
    } *text = calloc(fields_max, sizeof *text);
    struct scale_plan_field fields[PLAN_FIELDS_MAX];
    struct span field, value;
    size_t n = 0;
    while (text && n < fields_max && page_next(&iter, &field, &value)) {
        if (!span_copy(field, text[n].name, sizeof text[n].name) ||
            !span_copy(value, text[n].record, sizeof text[n].record))
            continue;
        fields[n] = (struct scale_plan_field){text[n].name, text[n].record};
        n++;
    }
    struct scale_event ev = {.kind = SCALE_PLAN, .plan = {fields, n}};
    if (text)
        step(p, &ev);
    free(text);
}

static void read_plan(struct pool_io *p)
{
    struct span argv[] = {SPAN("HGETALL"), keys_get(&p->keys, KEY_PLAN)};
    struct ask *ask = ask_new(p, "");
    if (ask && redis_command(p->c.redis, argv, 2, 0, on_plan, ask) < 0) {
        struct ask gone;
        (void)ask_end(ask, &gone);
    }
}

static void on_moved(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct ask ask;
    struct pool_io *p = ask_end(arg, &ask);
    if (!p || outcome_of(code, answer) == SCALE_DONE)
        return;
    log_info(p->c.log, "ask_refused", "pool=%s node=%s error=%s", p->policy.pool, ask.name,
             error_of(code, answer, err));
    answer_event(p, SCALE_REFUSED, ask.name, SCALE_NOT_DONE, "refused");
}

static void move_node(struct pool_io *p, const struct effect *e)
{
    char who[CALL_HOLDER_MAX];
    struct err err;
    holder(p, who);
    struct call_move req = {.role = MOVE_LEADER,
                            .holder = who,
                            .node = e->name,
                            .node_epoch = e->epoch,
                            .from = e->from,
                            .to = e->to,
                            .why = e->why,
                            .feed_max = feed_max(p)};
    if (!build_failed(p, calls_move(&p->call, &p->keys, &req, &err), "move", &err))
        (void)send(p, e->name, on_moved);
}

static void want_node(struct pool_io *p, const struct effect *e)
{
    char who[CALL_HOLDER_MAX];
    struct err err;
    holder(p, who);
    struct call_want req = {.node = e->name,
                            .who = WANT_BY_AUTOSCALE,
                            .holder = who,
                            .kind = strcmp(e->want, "draining") == 0 ? WANT_DRAINING : WANT_NONE,
                            .why = e->why,
                            .feed_max = feed_max(p)};
    if (!build_failed(p, calls_want(&p->call, &p->keys, &req, &err), "want", &err))
        (void)send(p, e->name, on_moved);
}

static void on_event_written(void *arg, int code, const struct store_answer *answer,
                             const struct err *err)
{
    struct ask ask;
    (void)ask_end(arg, &ask); /* an event that is lost is in the log */
}

static void write_event(struct pool_io *p, const struct call_event *req)
{
    struct err err;
    if (!build_failed(p, calls_event(&p->call, &p->keys, req, &err), "event", &err))
        (void)send(p, "", on_event_written);
}

/* ---- effects that go to the provider ---- */

static void on_launched(void *arg, enum scale_outcome outcome, const char (*ids)[NAME_SIZE],
                        size_t count, const char *error)
{
    struct ask ask;
    struct pool_io *p = ask_end(arg, &ask);
    if (!p)
        return;
    struct scale_event ev = {
        .kind = SCALE_LAUNCHED,
        .answer = {
            .name = ask.name, .outcome = outcome, .error = error, .ids = ids, .count = count}};
    step(p, &ev);
}

static void on_terminated(void *arg, enum scale_outcome outcome, const char *error)
{
    struct ask ask;
    struct pool_io *p = ask_end(arg, &ask);
    if (p)
        answer_event(p, SCALE_TERMINATED, ask.name, outcome, error);
}

static void on_listed(void *arg, const struct fleet_listed *items, size_t count, const char *error)
{
    struct ask ask;
    struct pool_io *p = ask_end(arg, &ask);
    if (!p)
        return;
    struct scale_event ev = {.kind = SCALE_LISTED,
                             .listed = {.items = items,
                                        .count = count,
                                        .ok = error == NULL,
                                        .asked_at = ask.at,
                                        .error = error}};
    if (error)
        log_warn(p->c.log, "provider_list_failed", "pool=%s error=%s", p->policy.pool, error);
    step(p, &ev);
}

/* No act without the lease: this process may have stood still since the core decided. */
static bool may_act(struct pool_io *p)
{
    return lease_held(&p->lease, now(p));
}

static void carry_out(struct pool_io *p, const struct effect *e)
{
    char line[640];
    struct ask *ask;
    if (e->kind != EFFECT_LIST && e->kind != EFFECT_NOTE)
        log_debug(p->c.log, "effect", "pool=%s do=%s", p->policy.pool,
                  effects_render(e, line, sizeof line));
    if (e->kind != EFFECT_NOTE && !may_act(p)) {
        log_warn(p->c.log, "effect_dropped", "pool=%s do=%s", p->policy.pool,
                 effects_render(e, line, sizeof line));
        return;
    }
    switch (e->kind) {
    case EFFECT_PLAN_SET:
    case EFFECT_PLAN_DEL:
        write_plan(p, e);
        break;
    case EFFECT_PLAN_READ:
        read_plan(p);
        break;
    case EFFECT_LAUNCH:
        ask = ask_new(p, e->name);
        if (ask)
            p->c.kind->launch(p->c.provider, p->policy.pool, e->name, e->count, e->zone,
                              on_launched, ask);
        break;
    case EFFECT_TERMINATE:
        ask = ask_new(p, e->name);
        if (ask)
            p->c.kind->terminate(p->c.provider, p->policy.pool, e->name, on_terminated, ask);
        break;
    case EFFECT_LIST:
        ask = ask_new(p, "");
        if (ask)
            ask->at = e->asked_at;
        if (ask)
            p->c.kind->list(p->c.provider, p->policy.pool, on_listed, ask);
        break;
    case EFFECT_WANT:
        want_node(p, e);
        break;
    case EFFECT_MOVE:
        move_node(p, e);
        break;
    case EFFECT_ACT:
        act_io_do(p->act, e);
        break;
    case EFFECT_NOTE:
        log_write(p->c.log, e->alert ? LOG_WARN : LOG_INFO, e->kind_word,
                  "pool=%s name=%s detail=%s", p->policy.pool, e->name, e->record);
        write_event(p, &(struct call_event){.kind = e->kind_word,
                                            .name = e->name,
                                            .detail = span_of(e->record),
                                            .stream_max = EVENTS_MAX});
        break;
    }
}

static void step(struct pool_io *p, struct scale_event *ev)
{
    struct effects *fx =
        calloc(1, sizeof *fx); /* steps nest: an effect that fails at once is an event */
    if (!fx)
        return; /* the core is asked again at its deadline */
    ev->now = now(p);
    ev->wall = wall(p);
    scale_step(p->scale, ev, fx);
    for (size_t i = 0; i < fx->count; i++)
        carry_out(p, &fx->item[i]);
    free(fx);
    timer_at(&p->step_timer, scale_deadline(p->scale));
}

static void on_step_timer(void *arg)
{
    struct scale_event ev = {.kind = SCALE_CLOCK};
    step(arg, &ev);
}

/* ---- the feed ---- */

static void show(void *arg)
{
    struct pool_io *p = arg;
    timer_stop(&p->show_timer);
    struct view_operators o = view_operators(&p->view, wall(p)), was = p->operators;
    if (o.paused != was.paused || o.sized != was.sized || o.size != was.size ||
        o.rolling != was.rolling) {
        p->operators = o;
        struct scale_event ev = {.kind = SCALE_OPERATOR,
                                 .operators = {o.paused, o.sized, o.size, o.rolling}};
        step(p, &ev);
    }
    struct scale_event ev = {.kind = SCALE_SNAPSHOT, .snapshot = view_snapshot(&p->view, wall(p))};
    step(p, &ev);
}

static void on_begin(void *arg)
{
    struct pool_io *p = arg;
    view_begin(&p->view);
}

static void on_item(void *arg, const struct feed_item *item)
{
    struct pool_io *p = arg;
    view_item(&p->view, item);
    if (p->view.whole && !timer_active(&p->show_timer))
        timer_start(&p->show_timer, SHOW_MS, 0);
}

static void on_end(void *arg)
{
    struct pool_io *p = arg;
    view_end(&p->view);
    show(p);
}

static void on_lost(void *arg, const char *why)
{
    struct pool_io *p = arg;
    view_lost(&p->view);
    show(p);
}

static void write_history(struct pool_io *p)
{
    struct scale_status st;
    char record[HISTORY_RECORD_MAX];
    struct call_event req = {.kind = "figures", .name = "-"};
    scale_status(p->scale, &st);
    if (history_add(&p->history, wall(p), &st.figures, st.decision.desired, record)) {
        req.minutes = true;
        req.detail = span_of(record);
        req.stream_max = HISTORY_MINUTES_MAX;
        write_event(p, &req);
    }
    history_second(&st.figures, st.decision.desired, record);
    req.minutes = false;
    req.history = true;
    req.detail = span_of(record);
    req.stream_max = HISTORY_SECONDS_MAX;
    write_event(p, &req);
}

static void on_look(void *arg)
{
    struct pool_io *p = arg;
    if (!p->enroll_pending && !p->resigning && redis_is_up(p->c.redis))
        enroll(p, false); /* also this process's beat */
    show(p);
    if (!may_act(p))
        p->history = (struct history){0}; /* another writes this minute down */
    else if (p->view.whole && wall(p).ms > 0)
        write_history(p);
}

void pool_io_redis_up(struct pool_io *p)
{
    if (!p->enroll_pending)
        enroll(p, false);
}

/* ---- for the rules that ask and tell ---- */

static bool may_ask(void *arg)
{
    struct pool_io *p = arg;
    return may_act(p) && p->view.whole;
}

static void look_for(void *arg, struct scale_status *ret_status,
                     struct fleet_snapshot *ret_snapshot)
{
    struct pool_io *p = arg;
    scale_status(p->scale, ret_status);
    *ret_snapshot = view_snapshot(&p->view, wall(p));
}

static void on_told(void *arg, struct scale_event *ev)
{
    step(arg, ev);
}

/* ---- life ---- */

static void free_zones(struct zone *zones[RULES_MAX])
{
    for (size_t i = 0; i < RULES_MAX; i++) {
        free(zones[i]);
        zones[i] = NULL;
    }
}

/* The time zones that rules ask for. */
static int load_zones(struct policy *policy, struct zone *ret_zones[RULES_MAX], struct err *err)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        struct rule *rule = &policy->rules[i];
        if (!rule->kind->zone_name)
            continue;
        ret_zones[i] = zone_io_load(rule->kind->zone_name(rule->settings), err);
        if (!ret_zones[i]) {
            err_prefix(err, "pools.%s.scale: rule %s", policy->pool, rule->kind->name);
            return BERTH_EINVAL;
        }
        rule->zone = ret_zones[i];
    }
    return 0;
}

/* The policy of these settings, with the provider's own facts. */
static int make_policy(const struct pool_io *p, const struct pool_settings *settings,
                       struct policy *ret_policy, struct err *err)
{
    int rc = policy_from(ret_policy, settings, err);
    ret_policy->settle_ms = p->c.kind->settle_ms;
    ret_policy->list_interval_ms = p->c.kind->list_interval_ms;
    return rc;
}

int pool_io_prepare(struct pool_io *p, const struct pool_settings *settings, struct err *err)
{
    pool_io_forget(p);
    struct plan_of *next = calloc(1, sizeof *next);
    if (!next)
        return err_set(err, BERTH_ENOMEM, "no memory for pool %s", p->policy.pool);
    int rc = make_policy(p, settings, &next->policy, err);
    if (rc == 0 && next->policy.nodes_max > p->policy.nodes_max)
        rc = err_set(err, BERTH_EINVAL,
                     "pools.%s.scale.max = %d: needs a restart: the tables were made for %d",
                     p->policy.pool, next->policy.max, p->policy.nodes_max / 4);
    if (rc == 0)
        rc = load_zones(&next->policy, next->zones, err);
    if (rc < 0) {
        free_zones(next->zones);
        free(next);
        return rc;
    }
    next->policy.nodes_max = p->policy.nodes_max;
    p->next = next;
    return 0;
}

void pool_io_forget(struct pool_io *p)
{
    if (p->next)
        free_zones(p->next->zones);
    free(p->next);
    p->next = NULL;
}

void pool_io_commit(struct pool_io *p)
{
    struct plan_of *next = p->next;
    p->next = NULL;
    act_io_stop(p->act);
    p->policy = next->policy;
    scale_change(p->scale, &p->policy, now(p));
    free_zones(p->zones);
    memcpy(p->zones, next->zones, sizeof p->zones);
    free(next);
    act_io_start(p->act);
    log_info(p->c.log, "policy_changed", "pool=%s min=%d max=%d rules=%zu", p->policy.pool,
             p->policy.min, p->policy.max, p->policy.rule_count);
    if (may_act(p))
        write_event(p, &(struct call_event){.kind = "policy_changed",
                                            .name = "-",
                                            .detail = SPAN("why=reload"),
                                            .stream_max = EVENTS_MAX});
    struct scale_event ev = {.kind = SCALE_CLOCK};
    step(p, &ev);
}

static int open_follow(struct pool_io *p, struct err *err)
{
    struct store_follow_events events = {.begin_snapshot = on_begin,
                                         .end_snapshot = on_end,
                                         .item = on_item,
                                         .lost = on_lost,
                                         .arg = p};
    p->follow = store_follow_create(p->c.loop, p->c.log, p->c.redis_config, &p->keys, &events, err);
    return p->follow ? 0 : BERTH_ENOMEM;
}

struct pool_io *pool_io_create(const struct pool_io_config *config, struct err *err)
{
    struct pool_io *p = calloc(1, sizeof *p);
    if (!p) {
        err_set(err, BERTH_ENOMEM, "no memory for pool %s", config->pool->name);
        return NULL;
    }
    p->c = *config;
    if (make_policy(p, config->pool, &p->policy, err) < 0 ||
        keys_init(&p->keys, config->name_space, config->pool->name, err) < 0) {
        free(p);
        return NULL;
    }
    snprintf(p->id, sizeof p->id, "autoscale/%s", config->autoscale->name);
    struct lease_config lease = lease_config_default();
    lease.ttl_ms = config->autoscale->lease_ms;
    lease.renew_ms = config->autoscale->lease_renew_ms;
    lease_init(&p->lease, &lease, now(p));
    timer_init(&p->step_timer, config->loop, on_step_timer, p);
    timer_init(&p->lease_timer, config->loop, on_lease_timer, p);
    timer_init(&p->show_timer, config->loop, show, p);
    timer_init(&p->look_timer, config->loop, on_look, p);
    timer_init(&p->resign_timer, config->loop, finish_resign, p);
    if (load_zones(&p->policy, p->zones, err) < 0) {
        pool_io_destroy(p);
        return NULL;
    }
    p->scale = scale_create(&p->policy);
    if (!p->scale || view_init(&p->view, (size_t)p->policy.nodes_max) < 0) {
        err_set(err, BERTH_ENOMEM, "no memory for pool %s", config->pool->name);
        pool_io_destroy(p);
        return NULL;
    }
    const struct act_io_config act = {.loop = config->loop,
                                      .log = config->log,
                                      .fetcher = config->fetcher,
                                      .policy = &p->policy,
                                      .may_ask = may_ask,
                                      .look = look_for,
                                      .event = on_told,
                                      .arg = p};
    p->act = act_io_create(&act);
    if (!p->act) {
        err_set(err, BERTH_ENOMEM, "no memory for pool %s", config->pool->name);
        pool_io_destroy(p);
        return NULL;
    }
    if (open_follow(p, err) < 0) {
        pool_io_destroy(p);
        return NULL;
    }
    timer_start(&p->look_timer, LOOK_MS, LOOK_MS);
    return p;
}

void pool_io_destroy(struct pool_io *p)
{
    if (!p)
        return;
    timer_stop(&p->step_timer);
    timer_stop(&p->lease_timer);
    timer_stop(&p->show_timer);
    timer_stop(&p->look_timer);
    timer_stop(&p->resign_timer);
    store_follow_destroy(p->follow);
    p->follow = NULL;
    act_io_destroy(p->act);
    p->act = NULL;
    view_fini(&p->view);
    scale_destroy(p->scale);
    p->scale = NULL;
    free_zones(p->zones);
    pool_io_forget(p);
    p->dead = true;
    if (p->waits == 0)
        free(p);
}

void pool_io_resign(struct pool_io *p)
{
    p->resigning = true;
    timer_start(&p->resign_timer, RESIGN_MS, 0);
    bool held = lease_held(&p->lease, now(p));
    if (p->epoch && redis_is_up(p->c.redis))
        enroll(p, true);
    struct lease_event ev = {.kind = LEASE_RESIGN};
    step_lease(p, &ev);
    if (!held || !redis_is_up(p->c.redis))
        timer_start(&p->resign_timer, 0, 0);
}

const char *pool_io_name(const struct pool_io *p)
{
    return p->policy.pool;
}

void pool_io_status(const struct pool_io *p, struct scale_status *ret_status)
{
    scale_status(p->scale, ret_status);
}

bool pool_io_is_live(const struct pool_io *p)
{
    return p->view.whole;
}

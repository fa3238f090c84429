/* pool_effects_io.c - what the core of one pool asks for, done: written to Redis, called at the
 * provider, told. */
#include "autoscale/pool_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_FIELDS_MAX 64

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
    pool_io_step(p, &ev);
}

static void on_plan_kept(void *arg, enum barrier_end end, const char *why)
{
    struct pool_ask ask;
    struct pool_io *p = pool_io_ask_end(arg, &ask);
    if (!p)
        return;
    if (end != BARRIER_PASSED)
        log_warn(p->c.log, "plan_on_no_replica", "pool=%s field=%s error=%s", p->policy.pool,
                 ask.name, why);
    if (end == BARRIER_FAILED)
        answer_event(p, SCALE_WRITTEN, ask.name, SCALE_UNKNOWN, why);
    else
        answer_event(p, SCALE_WRITTEN, ask.name, SCALE_DONE, NULL);
}

static void on_plan_written(void *arg, int code, const struct store_answer *answer,
                            const struct err *err)
{
    struct pool_ask ask, *written = arg;
    if (outcome_of(code, answer) == SCALE_DONE && !written->pool->dead &&
        barrier_pass(written->pool->barrier, on_plan_kept, written) == 0)
        return; /* a failover must not take it back once the cloud has been asked */
    struct pool_io *p = pool_io_ask_end(arg, &ask);
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
    pool_io_ask_holder(p, who);
    bool set = e->kind == EFFECT_PLAN_SET;
    struct call_plan_change change = {span_of(e->name),
                                      set ? span_of(e->record) : (struct span){"", 0}};
    struct call_plan req = {
        .holder = who, .changes = &change, .change_count = 1, .fields_max = PLAN_FIELDS_MAX};
    bool sent = !pool_io_ask_unfit(p, calls_plan(&p->call, &p->keys, &req, &err), "plan", &err) &&
                pool_io_ask_send(p, e->name, on_plan_written);
    if (!sent && set)
        answer_event(p, SCALE_WRITTEN, e->name, SCALE_NOT_DONE, "no connection");
}

static void on_plan(void *arg, int code, const struct resp *reply)
{
    static const size_t fields_max = PLAN_FIELDS_MAX;
    struct pool_ask ask;
    struct pool_io *p = pool_io_ask_end(arg, &ask);
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
        pool_io_step(p, &ev);
    free(text);
}

static void read_plan(struct pool_io *p)
{
    struct span argv[] = {SPAN("HGETALL"), keys_get(&p->keys, KEY_PLAN)};
    struct pool_ask *ask = pool_io_ask_new(p, "");
    if (ask && redis_command(p->c.redis, argv, 2, 0, on_plan, ask) < 0) {
        struct pool_ask gone;
        (void)pool_io_ask_end(ask, &gone);
    }
}

static void on_moved(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct pool_ask ask;
    struct pool_io *p = pool_io_ask_end(arg, &ask);
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
    pool_io_ask_holder(p, who);
    struct call_move req = {.role = MOVE_LEADER,
                            .holder = who,
                            .node = e->name,
                            .node_epoch = e->epoch,
                            .from = e->from,
                            .to = e->to,
                            .why = e->why,
                            .feed_max = pool_io_feed_max(p)};
    if (!pool_io_ask_unfit(p, calls_move(&p->call, &p->keys, &req, &err), "move", &err))
        (void)pool_io_ask_send(p, e->name, on_moved);
}

static void want_node(struct pool_io *p, const struct effect *e)
{
    char who[CALL_HOLDER_MAX];
    struct err err;
    pool_io_ask_holder(p, who);
    struct call_want req = {.node = e->name,
                            .who = WANT_BY_AUTOSCALE,
                            .holder = who,
                            .kind = strcmp(e->want, "draining") == 0 ? WANT_DRAINING : WANT_NONE,
                            .why = e->why,
                            .feed_max = pool_io_feed_max(p)};
    if (!pool_io_ask_unfit(p, calls_want(&p->call, &p->keys, &req, &err), "want", &err))
        (void)pool_io_ask_send(p, e->name, on_moved);
}

static void on_event_written(void *arg, int code, const struct store_answer *answer,
                             const struct err *err)
{
    struct pool_ask ask;
    (void)pool_io_ask_end(arg, &ask); /* an event that is lost is in the log */
}

void pool_io_write_event(struct pool_io *p, const struct call_event *req)
{
    struct err err;
    if (!pool_io_ask_unfit(p, calls_event(&p->call, &p->keys, req, &err), "event", &err))
        (void)pool_io_ask_send(p, "", on_event_written);
}

/* ---- effects that go to the provider ---- */

static void on_launched(void *arg, enum scale_outcome outcome, const char (*ids)[NAME_SIZE],
                        size_t count, const char *error)
{
    struct pool_ask ask;
    struct pool_io *p = pool_io_ask_end(arg, &ask);
    if (!p)
        return;
    struct scale_event ev = {
        .kind = SCALE_LAUNCHED,
        .answer = {
            .name = ask.name, .outcome = outcome, .error = error, .ids = ids, .count = count}};
    pool_io_step(p, &ev);
}

static void on_terminated(void *arg, enum scale_outcome outcome, const char *error)
{
    struct pool_ask ask;
    struct pool_io *p = pool_io_ask_end(arg, &ask);
    if (p)
        answer_event(p, SCALE_TERMINATED, ask.name, outcome, error);
}

static void on_end_kept(void *arg, enum barrier_end end, const char *why)
{
    struct pool_ask *ask = arg, ended;
    struct pool_io *p = ask->pool;
    if (end == BARRIER_PASSED && !p->dead && pool_io_may_act(p)) {
        p->c.kind->terminate(p->c.provider, p->policy.pool, ask->name, on_terminated, ask);
        return;
    }
    p = pool_io_ask_end(ask, &ended);
    if (p)
        answer_event(p, SCALE_TERMINATED, ended.name, SCALE_NOT_DONE,
                     end == BARRIER_PASSED ? "it leads no more" : why);
}

/* That its node is terminating must outlive the primary: after a failover that took it back the
 * node would be handed out again. */
static void end_instance(struct pool_io *p, const char *name)
{
    struct pool_ask *ask = pool_io_ask_new(p, name);
    if (ask && barrier_pass(p->barrier, on_end_kept, ask) < 0)
        on_end_kept(ask, BARRIER_FAILED, "no memory");
}

static void on_listed(void *arg, const struct fleet_listed *items, size_t count, const char *error)
{
    struct pool_ask ask;
    struct pool_io *p = pool_io_ask_end(arg, &ask);
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
    pool_io_step(p, &ev);
}

static void say(struct pool_io *p, const struct effect *e)
{
    struct notice notice;
    log_write(p->c.log, e->alert ? LOG_WARN : LOG_INFO, e->kind_word, "pool=%s name=%s detail=%s",
              p->policy.pool, e->name, e->record);
    if (e->kind == EFFECT_NOTE)
        pool_io_write_event(p, &(struct call_event){.kind = e->kind_word,
                                                    .name = e->name,
                                                    .detail = span_of(e->record),
                                                    .stream_max = POOL_EVENTS_MAX});
    if (notice_of(e, &notice))
        pool_io_tell(p, notice);
}

void pool_io_tell(struct pool_io *p, struct notice notice)
{
    snprintf(notice.pool, sizeof notice.pool, "%s", p->policy.pool);
    snprintf(notice.who, sizeof notice.who, "%s", p->c.autoscale->name);
    notice.at = pool_io_wall(p);
    p->c.notices.tell(p->c.notices.arg, &notice);
}

void pool_io_effects_do(struct pool_io *p, const struct effect *e)
{
    char line[640];
    struct pool_ask *ask;
    bool said = e->kind == EFFECT_NOTE || e->kind == EFFECT_TELL;
    if (e->kind != EFFECT_LIST && !said)
        log_debug(p->c.log, "effect", "pool=%s do=%s", p->policy.pool,
                  effects_render(e, line, sizeof line));
    if (!said && !pool_io_may_act(p)) {
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
        ask = pool_io_ask_new(p, e->name);
        if (ask)
            p->c.kind->launch(p->c.provider, p->policy.pool, e->name, e->count, e->zone,
                              on_launched, ask);
        break;
    case EFFECT_TERMINATE:
        end_instance(p, e->name);
        break;
    case EFFECT_LIST:
        ask = pool_io_ask_new(p, "");
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
    case EFFECT_TELL:
        say(p, e);
        break;
    }
}

/* pool_io.c - one pool's autoscaler on the loop: its core, its view of the feed, its life. */
#include "autoscale/pool_io.h"

#include "autoscale/pool_parts.h"

#include <stdio.h>
#include <stdlib.h>

#define SHOW_MS 20   /* feed items of one burst make one snapshot */
#define SHOW_NODES 4 /* and a snapshot of so many nodes takes a millisecond more of them */
#define LOOK_MS 1000 /* a snapshot at least so often: reports age though nothing comes */

mono_ms_t pool_io_now(const struct pool_io *p)
{
    return loop_now(p->c.loop);
}

wall_ms_t pool_io_wall(const struct pool_io *p)
{
    return p->store_at.ms > 0 ? wall_add(p->store_at, mono_sub(pool_io_now(p), p->heard_at))
                              : (wall_ms_t){0};
}

void pool_io_hear_time(struct pool_io *p, wall_ms_t store_now)
{
    if (store_now.ms <= 0)
        return;
    p->store_at = store_now;
    p->heard_at = pool_io_now(p);
}

int64_t pool_io_feed_max(const struct pool_io *p)
{
    int64_t n = (int64_t)p->policy.nodes_max * 10;
    return n < 1000 ? 1000 : n;
}

/* No act without the lease: this process may have stood still since the core decided. */
bool pool_io_may_act(struct pool_io *p)
{
    return lease_held(&p->lease, pool_io_now(p));
}

void pool_io_step(struct pool_io *p, struct scale_event *ev)
{
    struct effects *fx =
        calloc(1, sizeof *fx); /* steps nest: an effect that fails at once is an event */
    if (!fx)
        return; /* the core is asked again at its deadline */
    ev->now = pool_io_now(p);
    ev->wall = pool_io_wall(p);
    scale_step(p->scale, ev, fx);
    for (size_t i = 0; i < fx->count; i++)
        pool_io_effects_do(p, &fx->item[i]);
    free(fx);
    timer_at(&p->step_timer, scale_deadline(p->scale));
}

static void on_step_timer(void *arg)
{
    struct scale_event ev = {.kind = SCALE_CLOCK};
    pool_io_step(arg, &ev);
}

/* ---- the feed ---- */

static void show(void *arg)
{
    struct pool_io *p = arg;
    timer_stop(&p->show_timer);
    struct view_operators o = view_operators(&p->view, pool_io_wall(p)), was = p->operators;
    if (o.paused != was.paused || o.sized != was.sized || o.size != was.size ||
        o.rolling != was.rolling) {
        p->operators = o;
        struct scale_event ev = {.kind = SCALE_OPERATOR,
                                 .operators = {o.paused, o.sized, o.size, o.rolling}};
        pool_io_step(p, &ev);
    }
    struct scale_event ev = {.kind = SCALE_SNAPSHOT,
                             .snapshot = view_snapshot(&p->view, pool_io_wall(p))};
    pool_io_step(p, &ev);
}

static void on_begin(void *arg)
{
    struct pool_io *p = arg;
    view_begin(&p->view);
}

/* A snapshot costs what its nodes cost, and thousands of nodes report all the time: without a pause
 * that grows with them a large pool would be looked at fifty times a second. */
static int64_t show_after_ms(const struct pool_io *p)
{
    int64_t ms = (int64_t)p->view.count / SHOW_NODES;
    return ms < SHOW_MS ? SHOW_MS : ms > LOOK_MS ? LOOK_MS : ms;
}

static void on_item(void *arg, const struct feed_item *item)
{
    struct pool_io *p = arg;
    view_item(&p->view, item);
    if (p->view.whole && !timer_active(&p->show_timer))
        timer_start(&p->show_timer, show_after_ms(p), 0);
}

static void on_expect(void *arg, struct span node, bool soon)
{
    const struct pool_io *p = arg;
    view_expect(&p->view, node, soon);
}

static void on_end(void *arg)
{
    struct pool_io *p = arg;
    view_end(&p->view);
    pool_io_past_read(p);
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
    if (history_add(&p->history, pool_io_wall(p), &st.figures, st.decision.desired, record)) {
        req.minutes = true;
        req.detail = span_of(record);
        req.stream_max = HISTORY_MINUTES_MAX;
        pool_io_write_event(p, &req);
    }
    history_second(&st.figures, st.decision.desired, record);
    req.minutes = false;
    req.history = true;
    req.detail = span_of(record);
    req.stream_max = HISTORY_SECONDS_MAX;
    pool_io_write_event(p, &req);
}

static void on_look(void *arg)
{
    struct pool_io *p = arg;
    if (!p->enroll_pending && !p->resigning && redis_is_up(p->c.redis))
        pool_io_lead_enroll(p, false); /* also this process's beat */
    show(p);
    pool_io_away_read(p);
    if (!pool_io_may_act(p))
        p->history = (struct history){0}; /* another writes this minute down */
    else if (p->view.whole && pool_io_wall(p).ms > 0)
        write_history(p);
}

void pool_io_redis_up(struct pool_io *p)
{
    if (p->was_up) /* nobody could report while nothing could be written: as if it had been away */
        store_follow_restart(p->follow, "the store can be written again");
    p->was_up = true;
    if (!p->enroll_pending)
        pool_io_lead_enroll(p, false);
}

/* ---- for the rules that ask and tell ---- */

static bool may_ask(void *arg)
{
    struct pool_io *p = arg;
    return pool_io_may_act(p) && p->view.whole;
}

static void look_for(void *arg, struct scale_status *ret_status,
                     struct fleet_snapshot *ret_snapshot)
{
    struct pool_io *p = arg;
    scale_status(p->scale, ret_status);
    *ret_snapshot = view_snapshot(&p->view, pool_io_wall(p));
}

static void on_told(void *arg, struct scale_event *ev)
{
    pool_io_step(arg, ev);
}

/* ---- life ---- */

static int open_follow(struct pool_io *p, struct err *err)
{
    struct store_follow_events events = {.begin_snapshot = on_begin,
                                         .end_snapshot = on_end,
                                         .item = on_item,
                                         .expect = on_expect,
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
    if (pool_io_policy_make(p, config->pool, &p->policy, err) < 0 ||
        keys_init(&p->keys, config->name_space, config->pool->name, err) < 0) {
        free(p);
        return NULL;
    }
    snprintf(p->id, sizeof p->id, "autoscale/%s", config->autoscale->name);
    struct lease_config lease = lease_config_default();
    lease.ttl_ms = config->autoscale->lease_ms;
    lease.renew_ms = config->autoscale->lease_renew_ms;
    lease_init(&p->lease, &lease, pool_io_now(p));
    timer_init(&p->step_timer, config->loop, on_step_timer, p);
    timer_init(&p->lease_timer, config->loop, pool_io_lead_on_timer, p);
    timer_init(&p->show_timer, config->loop, show, p);
    timer_init(&p->look_timer, config->loop, on_look, p);
    timer_init(&p->resign_timer, config->loop, pool_io_lead_resigned, p);
    if (pool_io_policy_load_zones(&p->policy, p->zones, err) < 0) {
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
    p->barrier = barrier_create(config->loop, config->log, config->redis_config, err);
    if (!p->barrier || open_follow(p, err) < 0) {
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
    pool_io_policy_free_zones(p->zones);
    pool_io_forget(p);
    p->dead = true;
    p->waits++; /* who waits for the barrier is told now, and must not be the last */
    barrier_destroy(p->barrier);
    if (--p->waits == 0)
        free(p);
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

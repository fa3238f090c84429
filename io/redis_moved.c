/* redis_moved.c - keys that are elsewhere in the cluster: MOVED, ASK, TRYAGAIN. */
#include "io/redis_parts.h"

#include <stdio.h>

enum { AGAIN_MS = 20 /* between two attempts while keys move */ };

/* Everything under way on the old link has its answer: go. */
void redis_move_on(struct redis *r)
{
    if (r->phase != REDIS_MOVING || redis_link_pending(r->link))
        return;
    redis_link_destroy(r->link);
    r->link = NULL;
    log_info(r->log, "redis_moved", "host=%s port=%d", r->place.host, r->place.port);
    redis_link_to(r);
}

void redis_moved(struct redis *r, struct redis_command *c, const struct wire_redis_place *place)
{
    redis_commands_add(&r->held, c);
    if (r->phase != REDIS_UP)
        return;
    r->place.port = place->port;
    if (place->host[0])
        r->place = *place;
    if (r->config->reader || c->block_ms) {
        r->directed = true;
        (void)snprintf(r->why, sizeof r->why, "the slot has moved");
        r->phase = REDIS_DROPPING;
        timer_start(&r->timer, 0, 0);
        return;
    }
    r->phase = REDIS_MOVING;
    timer_start(&r->timer, r->config->command_timeout_ms, 0);
}

/* ---- another node, asked aside ---- */

void redis_close_aside(struct redis *r, struct redis_commands *to)
{
    if (r->aside.link)
        redis_link_take(r->aside.link, to);
    redis_link_destroy(r->aside.link);
    r->aside.link = NULL;
    redis_commands_move(to, &r->aside.queue);
}

static void on_aside_up(void *arg)
{
    struct redis *r = ((struct aside *)arg)->redis;
    struct redis_commands all = {NULL, NULL, 0};
    struct redis_command *c;
    redis_commands_move(&all, &r->aside.queue);
    redis_enter(r);
    while ((c = redis_commands_take(&all)) != NULL)
        if (r->dead || !r->aside.link || !redis_link_send_asking(r->aside.link, c))
            redis_finish(r, c, BERTH_ECLOSED, NULL);
    redis_leave(r);
}

static void on_aside_answer(void *arg, struct redis_command *c, const struct resp *reply)
{
    struct redis *r = ((struct aside *)arg)->redis;
    redis_answered(r, c, reply);
}

static void on_aside_ended(void *arg, const char *why)
{
    struct redis *r = ((struct aside *)arg)->redis;
    struct redis_commands all = {NULL, NULL, 0};
    redis_close_aside(r, &all);
    redis_enter(r);
    redis_fail_all(r, &all);
    redis_leave(r);
}

static void open_aside(struct redis *r, const struct wire_redis_place *place)
{
    const struct redis_link_events events = {
        .up = on_aside_up, .answer = on_aside_answer, .ended = on_aside_ended, .arg = &r->aside};
    const struct redis_link_config config = {.loop = r->loop,
                                             .resolver = r->resolver,
                                             .secure = r->secure,
                                             .redis = r->config,
                                             .scripts = r->scripts,
                                             .kind = REDIS_LINK_ASIDE,
                                             .place = *place,
                                             .limit_ms = r->config->connect_timeout_ms};
    r->aside.place = *place;
    r->aside.link = redis_link_create(&config, &events);
}

void redis_ask_again(struct redis *r, struct redis_command *c)
{
    redis_commands_add(&r->again, c);
    if (!timer_active(&r->again_timer))
        timer_start(&r->again_timer, AGAIN_MS, 0);
}

/* The key has gone ahead: ask there, this once. */
void redis_ask_aside(struct redis *r, struct redis_command *c, const struct wire_redis_place *to)
{
    struct wire_redis_place place = *to;
    if (!place.host[0])
        memcpy(place.host, r->place.host, sizeof place.host);
    if (redis_command_mid_scan(c)) { /* its cursor means nothing there */
        redis_ask_again(r, c);
        redis_drop_soon(r, "keys moved during a scan");
        return;
    }
    bool other = r->aside.link && !wire_redis_place_eq(&r->aside.place, &place);
    if (other && !redis_link_pending(r->aside.link) && !r->aside.queue.count) {
        redis_link_destroy(r->aside.link);
        r->aside.link = NULL;
        other = false;
    }
    if (other) {
        redis_ask_again(r, c);
        return;
    }
    if (!r->aside.link)
        open_aside(r, &place);
    if (!r->aside.link ||
        (redis_link_is_up(r->aside.link) && !redis_link_send_asking(r->aside.link, c)))
        redis_ask_again(r, c);
    else if (!redis_link_is_up(r->aside.link))
        redis_commands_add(&r->aside.queue, c);
}

void redis_on_again(void *arg)
{
    struct redis *r = arg;
    struct redis_commands all = {NULL, NULL, 0};
    struct redis_command *c;
    redis_commands_move(&all, &r->again);
    redis_enter(r);
    while ((c = redis_commands_take(&all)) != NULL) {
        if (r->dead || !mono_before(loop_now(r->loop), c->deadline))
            redis_finish(r, c, r->dead ? BERTH_ECLOSED : BERTH_ETIMEOUT, NULL);
        else if (r->phase != REDIS_UP)
            redis_commands_add(&r->held, c);
        else if (!redis_link_send(r->link, c))
            redis_finish(r, c, BERTH_ECLOSED, NULL);
    }
    redis_leave(r);
}

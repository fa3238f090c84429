/* asked_io.c - the life of a question of the endpoint API: begun, placed, claimed at the store,
 * answered. */
#include "lb/asked_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES_MAX = 32, SPARE_MAX = 64 };

/* ---- answering ---- */

void asked_measure(struct app *app, int64_t began_us, int status)
{
    histogram_record(&app->latency_us, loop_now_us(app->loop) - began_us);
    app->requests[status / 100]++;
}

void asked_reply_json(struct asked *a, int status, struct span body)
{
    asked_measure(a->app, a->began_us, status);
    if (a->ex != NULL)
        http_reply(a->ex, status, "application/json", "Cache-Control: no-store\r\n", body);
    a->ex = NULL;
}

struct refusal {
    const char *why, *title, *detail;
};

static const struct refusal refusals[] = {
    {"no_view", "Not ready", "this balancer has not read the pool from the store yet"},
    {"name_taken", "Name taken", "another process runs under this balancer's name"},
    {"no_node", "No node", "no node is ready that fits what was asked"},
    {"no_capacity", "Full", "every node that fits what was asked is full"},
    {"closed", "Closed", "the pool is closed"},
    {"store_away", "Store away", "a new room needs the store, which cannot be reached"},
    {"room_node_lost", "Room unreachable",
     "the node of this room is silent; it is being looked at, ask again"},
    {"room_contended", "Room contended", "the room is being moved; ask again"},
};

void asked_retry_after(char *buf, size_t size, int64_t ms)
{
    (void)snprintf(buf, size, "Cache-Control: no-store\r\nRetry-After: %lld\r\n",
                   (long long)((ms + 999) / 1000));
}

void asked_reply_refused(struct asked *a)
{
    struct app *app = a->app;
    const struct lb_placed *p = &a->q.placed;
    struct lb_pool_view view;
    mono_ms_t now = loop_now(app->loop);
    lb_pool_view(app->lb, a->q.ask.pool, now, &view);
    const struct refusal *r = &refusals[0];
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (strcmp(refusals[i].why, p->why) == 0)
            r = &refusals[i];
    bool closed = strcmp(p->why, "closed") == 0;
    int64_t wait_ms = p->retry_after_ms;
    if (closed && view.closed_until.ms > 0)
        wait_ms = wall_sub(view.closed_until, lb_store_now(app->lb, a->q.ask.pool, now));
    char headers[128], type[32];
    asked_retry_after(headers, sizeof headers, wait_ms);
    (void)snprintf(type, sizeof type, "%s", r->why);
    for (char *c = type; *c; c++)
        *c = *c == '_' ? '-' : *c;
    asked_measure(app, a->began_us, 503);
    if (a->ex != NULL)
        http_problem(a->ex, 503, type, r->title, headers, "%s",
                     closed && view.closed_message[0] ? view.closed_message : r->detail);
    a->ex = NULL;
}

static void explain(struct asked *a)
{
    struct app *app = a->app;
    struct pool_candidate list[CANDIDATES_MAX];
    struct question_candidate out[CANDIDATES_MAX];
    size_t count = lb_explain(app->lb, loop_now(app->loop), &a->q.ask, list, CANDIDATES_MAX);
    for (size_t i = 0; i < count; i++)
        out[i] =
            (struct question_candidate){.node = lb_slot_name(app->lb, a->q.ask.pool, list[i].slot),
                                        .verdict = list[i].verdict,
                                        .est = list[i].est,
                                        .capacity = list[i].capacity,
                                        .in_zone = list[i].in_zone};
    question_explain(&a->q, out, count);
}

static void reply_placed(struct asked *a)
{
    struct app *app = a->app;
    const struct app_pool *pool = &app->pools[a->q.ask.pool];
    mono_ms_t now = a->now;
    struct lb_pool_view view;
    lb_pool_view(app->lb, pool->index, now, &view);
    const struct question_signer signer = {.keys = app->keys,
                                           .issuer = app->me->name,
                                           .pool = pool->settings->name,
                                           .jti_start = app->jti_start,
                                           .now = lb_store_now(app->lb, a->q.ask.pool, now),
                                           .view_age_ms = view.live ? -1 : view.view_age_ms};
    if (question_answer(&a->q, &signer, a->match) < 0) {
        asked_measure(app, a->began_us, 500);
        log_error(&app->log, "answer", "pool=%s node=%s why=not_signed", pool->settings->name,
                  a->q.placed.node);
        if (a->ex != NULL)
            http_problem(a->ex, 500, "not-signed", "Ticket not signed", NULL,
                         "the ticket could not be written");
        a->ex = NULL;
        return;
    }
    if (a->q.explain)
        explain(a);
    asked_reply_json(a, 200, (struct span){a->q.answer, a->q.answer_len});
}

/* ---- the life of a question ---- */

struct asked *asked_begin(struct app *app, struct http_exchange *ex, size_t pool)
{
    struct asked *a = app->spare;
    if (a != NULL) {
        app->spare = a->next;
        app->spare_count--;
    } else {
        a = malloc(sizeof *a);
    }
    if (a == NULL) {
        http_problem(ex, 503, "busy", "Busy", "Retry-After: 1\r\n",
                     "no memory for one more request");
        return NULL;
    }
    a->app = app;
    a->ex = ex;
    a->link = NULL;
    a->began_us = loop_now_us(app->loop);
    a->now = (mono_ms_t){a->began_us / 1000};
    a->match = a->finish = false;
    question_init(&a->q, pool);
    return a;
}

void asked_end(struct asked *a)
{
    struct app *app = a->app;
    if (a->link != NULL) {
        *a->link = a->next;
        if (a->next != NULL)
            a->next->link = a->link;
    }
    if (app->spare_count == SPARE_MAX) {
        free(a);
        return;
    }
    a->next = app->spare;
    app->spare = a;
    app->spare_count++;
}

static void on_gone(void *arg)
{
    ((struct asked *)arg)->ex = NULL; /* the claim under way still ends as it must */
}

void asked_wait(struct asked *a)
{
    struct asked *first = a->app->asked;
    if (a->link != NULL)
        return;
    a->next = first;
    a->link = &a->app->asked;
    if (first != NULL)
        first->link = &a->next;
    a->app->asked = a;
    http_on_gone(a->ex, on_gone, a);
}

void asked_close(struct app *app)
{
    assert(app->asked == NULL);
    for (struct asked *a = app->spare, *next; a != NULL; a = next) {
        next = a->next;
        free(a);
    }
    app->spare = NULL;
}

/* ---- placing ---- */

static void look(struct asked *a);

static void on_claimed(void *arg, int code, const struct store_answer *answer,
                       const struct err *err)
{
    struct asked *a = arg;
    struct app *app = a->app;
    app->calls--;
    if (code == BERTH_EPROTO || code == BERTH_EINVAL)
        log_warn(&app->log, "store_refused", "call=room why=%s", err->text);
    a->now = loop_now(app->loop);
    lb_claimed(app->lb, a->now, &a->q.ask, &a->q.placed, code, answer);
    look(a);
}

static void claim(struct asked *a)
{
    struct app *app = a->app;
    struct app_pool *pool = &app->pools[a->q.ask.pool];
    const struct lb_claim *c = &a->q.placed.claim;
    struct store_call call;
    struct err err = {0};
    const struct call_room request = {
        .room = a->q.ask.room,
        .node = c->node,
        .epoch = c->epoch,
        .seats = (int64_t)(a->q.ask.player_count > 0 ? a->q.ask.player_count : 1),
        .ttl_ms = pool->settings->room_ttl_ms,
        .dead_node = c->has_dead ? c->dead_node : NULL,
        .dead_epoch = c->dead_epoch,
        .issuer = app->me->name,
        .issuer_epoch = c->issuer_epoch,
        .alive_ms = c->alive_ms,
        .settle_ms = c->settle_ms,
        .players = a->q.ask.players,
        .player_count = a->q.ask.player_count};
    asked_wait(a);
    int code = calls_room(&call, &pool->keys, &request, &err);
    if (code == 0)
        code = store_send(app->pools[a->q.ask.pool].redis, &call, on_claimed, a);
    if (code == 0) {
        app->calls++;
        return;
    }
    lb_claimed(app->lb, loop_now(app->loop), &a->q.ask, &a->q.placed, code, NULL);
    look(a);
}

static void look(struct asked *a)
{
    struct app *app = a->app;
    if (a->q.placed.verdict == LB_CLAIM) {
        claim(a);
        return;
    }
    if (a->q.placed.verdict == LB_PLACED)
        reply_placed(a);
    else
        asked_reply_refused(a);
    asked_end(a);
    app_rearm(app);
}

void asked_place(struct asked *a)
{
    lb_place(a->app->lb, a->now, &a->q.ask, &a->q.placed);
    look(a);
}

void asked_bad(struct asked *a, int status, const char *type, const char *title,
               const char *headers, const char *detail)
{
    asked_measure(a->app, a->began_us, status);
    http_problem(a->ex, status, type, title, headers, "%s", detail);
    a->ex = NULL;
    asked_end(a);
}

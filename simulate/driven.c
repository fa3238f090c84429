/* driven.c - the autoscaler's core at the wheel of a simulation: the pool is shown to it each
 * second, and what it asks for is done at once, as a perfect store and provider would. */
#include "simulate/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWERS_MAX 1024
#define LAUNCH_MAX 64                    /* as LAUNCH_INSTANCES_MAX */
#define STEPS_MAX 64                     /* a second, before it is a loop without end */
#define MONDAY_MS INT64_C(1767571200000) /* second 0 of a trace: Monday 2026-01-05 00:00 UTC */

/* What is to be answered. */
struct answer {
    enum scale_event_kind kind;
    enum scale_outcome outcome;
    char name[NAME_SIZE];
    mono_ms_t asked_at;
    size_t count;
    char (*ids)[NAME_SIZE]; /* LAUNCHED; owned */
};

struct driven {
    struct run *run;
    struct scale *scale;
    struct effects fx;
    struct fleet_node *nodes;
    struct fleet_listed *listed;
    struct answer answers[ANSWERS_MAX]; /* a queue */
    size_t first, count;
    int64_t waited; /* players who had no place a second ago */
};

struct driven *driven_create(struct run *run)
{
    struct driven *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    size_t max = (size_t)run->config->policy->nodes_max;
    d->run = run;
    d->scale = scale_create(run->config->policy);
    d->nodes = calloc(max, sizeof *d->nodes);
    d->listed = calloc(max, sizeof *d->listed);
    if (d->scale && d->nodes && d->listed)
        return d;
    driven_destroy(d);
    return NULL;
}

void driven_destroy(struct driven *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        free(d->answers[i].ids);
    scale_destroy(d->scale);
    free(d->nodes);
    free(d->listed);
    free(d);
}

/* NULL: the queue is full; the core asks again by itself. */
static struct answer *answer_later(struct driven *d, enum scale_event_kind kind, const char *name)
{
    if (d->count == ANSWERS_MAX - 1) /* one slot is that being answered */
        return NULL;
    struct answer *a = &d->answers[(d->first + d->count++) % ANSWERS_MAX];
    free(a->ids);
    *a = (struct answer){.kind = kind, .outcome = SCALE_DONE};
    (void)snprintf(a->name, sizeof a->name, "%s", name);
    return a;
}

/* ---- effects ---- */

static void do_launch(struct driven *d, const struct effect *e)
{
    struct answer *a = answer_later(d, SCALE_LAUNCHED, e->name);
    if (!a)
        return;
    a->ids = calloc(LAUNCH_MAX, sizeof *a->ids);
    for (int i = 0; a->ids && i < e->count && i < LAUNCH_MAX; i++) {
        const struct harbour_node *n = harbour_launch(&d->run->harbour, e->name);
        if (n)
            memcpy(a->ids[a->count++], n->id, sizeof n->id);
    }
    if (a->count == 0)
        a->outcome = SCALE_NOT_DONE;
}

static void do_note(struct driven *d, const struct effect *e)
{
    if (strcmp(e->kind_word, "scale_out") == 0)
        run_moved(d->run, 1, e->record);
    else if (strcmp(e->kind_word, "scale_in") == 0)
        run_moved(d->run, -1, e->record);
}

static void carry_out(struct driven *d, const struct effect *e)
{
    struct harbour *h = &d->run->harbour;
    struct answer *a = NULL;
    switch (e->kind) {
    case EFFECT_PLAN_SET:
        (void)answer_later(d, SCALE_WRITTEN, e->name);
        break;
    case EFFECT_PLAN_DEL:
        break;
    case EFFECT_PLAN_READ:
        (void)answer_later(d, SCALE_PLAN, "");
        break;
    case EFFECT_LAUNCH:
        do_launch(d, e);
        break;
    case EFFECT_TERMINATE:
        harbour_terminate(h, e->name);
        (void)answer_later(d, SCALE_TERMINATED, e->name);
        break;
    case EFFECT_LIST:
        a = answer_later(d, SCALE_LISTED, "");
        if (a)
            a->asked_at = e->asked_at;
        break;
    case EFFECT_WANT:
        harbour_want(h, e->name, strcmp(e->want, "draining") == 0);
        break;
    case EFFECT_MOVE:
        if (!harbour_move(h, e->name, e->from, e->to)) {
            a = answer_later(d, SCALE_REFUSED, e->name);
            if (a)
                a->outcome = SCALE_NOT_DONE;
        }
        break;
    case EFFECT_ACT: /* nothing is run, nobody is told */
        break;
    case EFFECT_NOTE:
        do_note(d, e);
        break;
    case EFFECT_TELL:
        break;
    }
}

/* ---- events ---- */

static void step(struct driven *d, struct scale_event *ev)
{
    int64_t ms = (d->run->second + d->run->config->warmup_s + 1) * 1000;
    ev->now = (mono_ms_t){ms};
    ev->wall = (wall_ms_t){MONDAY_MS + d->run->second * 1000};
    scale_step(d->scale, ev, &d->fx);
    for (size_t i = 0; i < d->fx.count; i++)
        carry_out(d, &d->fx.item[i]);
}

static size_t list_instances(struct driven *d)
{
    const struct harbour *h = &d->run->harbour;
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct harbour_node *node = &h->nodes[i];
        if (!node->exists)
            continue;
        struct fleet_listed *item = &d->listed[n++];
        *item = (struct fleet_listed){.age_ms = (h->now_s - node->launched_s) * 1000,
                                      .ending = node->ending};
        memcpy(item->id, node->id, sizeof item->id);
        memcpy(item->token, node->token, sizeof item->token);
    }
    return n;
}

static void answer_next(struct driven *d)
{
    struct answer *a = &d->answers[d->first];
    d->first = (d->first + 1) % ANSWERS_MAX;
    d->count--;
    struct scale_event ev = {.kind = a->kind};
    if (a->kind == SCALE_LISTED) {
        ev.listed.items = d->listed;
        ev.listed.count = list_instances(d);
        ev.listed.ok = true;
        ev.listed.asked_at = a->asked_at;
    } else if (a->kind != SCALE_PLAN) {
        ev.answer.name = a->name;
        ev.answer.outcome = a->outcome;
        ev.answer.error = a->outcome == SCALE_DONE ? NULL : "refused";
        ev.answer.ids = (const char(*)[NAME_SIZE])a->ids;
        ev.answer.count = a->count;
    }
    step(d, &ev);
}

static void answer_all(struct driven *d)
{
    for (int i = 0; d->count > 0 && i < ANSWERS_MAX; i++)
        answer_next(d);
}

static void show(struct driven *d)
{
    const struct harbour *h = &d->run->harbour;
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct harbour_node *node = &h->nodes[i];
        if (!node->booted)
            continue;
        struct fleet_node *out = &d->nodes[n++];
        *out = (struct fleet_node){.epoch = node->epoch,
                                   .state = node->state,
                                   .conns = node->players,
                                   .est = node->players,
                                   .capacity = h->config.capacity,
                                   .want_own = node->want_own};
        memcpy(out->name, node->id, sizeof out->name);
        memcpy(out->instance, node->id, sizeof out->instance);
    }
    struct scale_event ev = {.kind = SCALE_SNAPSHOT,
                             .snapshot = {.nodes = d->nodes, .count = n, .complete = true}};
    step(d, &ev);
}

/* The balancers tell a second late whom they refused. */
static void tell_refused(struct driven *d)
{
    const struct scale_refusal refusal = {{MONDAY_MS + d->run->second * 1000}, d->waited};
    struct scale_event ev = {.kind = SCALE_NO_ROOM, .no_room = {.refusals = &refusal, .count = 1}};
    if (d->waited > 0)
        step(d, &ev);
    d->waited = d->run->harbour.waiting;
}

void driven_second(struct driven *d)
{
    if (d->run->second == -d->run->config->warmup_s) {
        struct scale_event lead = {.kind = SCALE_LEAD, .lead = {.leading = true, .fence = 1}};
        step(d, &lead);
    }
    tell_refused(d);
    show(d);
    answer_all(d);
    int64_t ms = (d->run->second + d->run->config->warmup_s + 1) * 1000;
    for (int i = 0; i < STEPS_MAX && scale_deadline(d->scale).ms <= ms; i++) {
        struct scale_event clock = {.kind = SCALE_CLOCK};
        step(d, &clock);
        answer_all(d);
    }
    struct scale_status status;
    scale_status(d->scale, &status);
    d->run->figures = status.figures;
}

/* operators.c - people who run the pools: they pause one, give it a size, roll it, close it, and
 * take that back or let it end by itself, with the wishes that `berth` writes. What must come of it
 * is judged in judge_operators.c. And when the guard has called them and the nodes are really gone,
 * they say so once the faults are over. */
#include "tests/sim/judge.h"

#include <math.h>

enum { ORDERS_MAX = 16, AGAIN_US = 500000, ROLL_AT_US = 2000000, SIZE_AT_US = 6000000 };
enum { CALLED_EVERY_US = 1000000, ACCEPT_FOR_MS = 60000 };

struct order {
    enum pool_id pool;
    enum want_kind kind;
    int64_t size, for_us;
    bool stands;        /* to the end of the world */
    bool ends_by_until; /* nobody takes it back */
    struct sim_event begin, end;
};

static struct {
    struct sim_event last_look, called;
    struct order list[ORDERS_MAX];
    size_t count;
    struct rng rng;
} all;

static const char *subject(enum want_kind kind)
{
    return kind == WANT_PAUSED ? WANT_POOL_PAUSED
           : kind == WANT_SIZE ? WANT_POOL_SIZE
           : kind == WANT_ROLL ? WANT_POOL_ROLL
                               : WANT_POOL_CLOSED;
}

void operators_wish(enum pool_id pool, const char *about, enum want_kind kind, int64_t size,
                    int64_t for_ms)
{
    struct store_call call;
    struct err err = {0};
    const struct call_want req = {.node = about,
                                  .who = WANT_BY_OPERATOR,
                                  .kind = kind,
                                  .size = size,
                                  .why = "test",
                                  .until = {for_ms > 0 ? judge_store_ms() + for_ms : 0},
                                  .feed_max = 1000};
    if (calls_want(&call, &world->keys[pool], &req, &err) < 0) {
        sim_fail("want: %s", err.text);
        return;
    }
    struct reply *reply = reply_new();
    store_server_eval(&world->store, &call, reply);
    reply_free(reply);
}

static void on_end(void *arg)
{
    struct order *o = arg;
    if (world->store.open)
        operators_wish(o->pool, subject(o->kind), WANT_NONE, 0, 0);
    else
        sim_after(&o->end, AGAIN_US, on_end, o);
}

static void on_begin(void *arg)
{
    struct order *o = arg;
    int64_t for_ms = o->ends_by_until ? o->for_us / 1000 : 0;
    if (!world->store.open) {
        sim_after(&o->begin, AGAIN_US, on_begin, o);
        return;
    }
    operators_wish(o->pool, subject(o->kind), o->kind, o->size, for_ms);
    sim_trace("operator", "wants %s of %s size=%lld for_ms=%lld", want_word(o->kind),
              world->pools[o->pool]->name, (long long)o->size,
              o->stands ? -1LL : (long long)(o->for_us / 1000));
    if (!o->stands && !o->ends_by_until)
        sim_after(&o->end, o->for_us, on_end, o);
}

/* A failover may have lost that something was taken back: they see it, and do it again. */
static void on_last_look(void *arg)
{
    for (size_t i = 0; i < all.count; i++)
        if (!all.list[i].stands)
            operators_wish(all.list[i].pool, subject(all.list[i].kind), WANT_NONE, 0, 0);
}

/* ---- the guard calls ---- */

static bool all_silent_are_gone(enum pool_id pool)
{
    for (size_t i = 0; i < book_count(); i++) {
        const struct book_node *n = book_at(i);
        const struct instance *in = world_instance(span_of(n->name));
        if (n->pool == pool && n->known && n->reported_us < sim->now_us - 3 * SIM_S &&
            n->state != NODE_LOST && (in == NULL || !in->gone))
            return false;
    }
    return true;
}

static void on_called(void *arg)
{
    (void)arg;
    for (int p = 0; p < WORLD_POOLS && world->store.open; p++) {
        enum pool_id pool = (enum pool_id)p;
        bool accepted = sim->now_us < world->accepted_until_us[pool];
        if (accepted || !world_pool_guarded(pool) || !all_silent_are_gone(pool))
            continue;
        world->accepted_until_us[pool] = sim->now_us + ACCEPT_FOR_MS * SIM_MS;
        sim_trace("operator", "accepts what the guard of %s holds", world->pools[pool]->name);
        operators_wish(pool, WANT_POOL_GUARD, WANT_ACCEPT, 0, ACCEPT_FOR_MS);
    }
    sim_after(&all.called, CALLED_EVERY_US, on_called, NULL);
}

/* ---- the plan ---- */

static struct order *add(enum pool_id pool, enum want_kind kind)
{
    struct order *o = &all.list[all.count++];
    *o = (struct order){.pool = pool, .kind = kind};
    return o;
}

/* Something for a while, over before the last fault is. */
static void add_passing(void)
{
    static const enum want_kind kinds[] = {WANT_PAUSED, WANT_SIZE, WANT_ROLL, WANT_CLOSED};
    static const int64_t longest_ms[] = {12000, 20000, 30000, 8000};
    size_t k = (size_t)rng_below(&all.rng, 4);
    struct order *o = add((enum pool_id)rng_below(&all.rng, WORLD_POOLS), kinds[k]);
    o->size = draw(&all.rng, 0, world->pools[o->pool]->scale.max + 2);
    o->for_us = draw(&all.rng, 3000, longest_ms[k]) * SIM_MS;
    o->ends_by_until = chance(&all.rng, 0.4);
    int64_t span_us = world->faults_until_us - world->faults_from_us - o->for_us;
    if (span_us < 0) {
        all.count--;
        return;
    }
    sim_at(&o->begin, world->faults_from_us + (int64_t)(rng_unit(&all.rng) * (double)span_us),
           on_begin, o);
}

/* What stands to the end: it has to be so by then. */
static void add_lasting(void)
{
    struct order *roll = add((enum pool_id)rng_below(&all.rng, WORLD_POOLS), WANT_ROLL);
    roll->stands = true;
    int64_t roll_at_us = world->quiet_from_us + ROLL_AT_US;
    if (chance(&all.rng, 0.5))
        sim_at(&roll->begin, roll_at_us, on_begin, roll);
    struct order *size = add(roll->pool == POOL_LOBBY ? POOL_GAME : POOL_LOBBY, WANT_SIZE);
    const struct scale_settings *s = &world->pools[size->pool]->scale;
    bool grow = chance(&all.rng, 0.5);
    size->stands = true;
    size->size = grow ? draw(&all.rng, s->max - 1, s->max + 2) : draw(&all.rng, 0, s->min + 1);
    /* To shrink it must not be before all have come. */
    sim_at(&size->begin,
           grow ? world->quiet_from_us + ROLL_AT_US : world->rest_from_us + SIZE_AT_US, on_begin,
           size);
}

void operators_start(void)
{
    memset(&all, 0, sizeof all);
    rng_seed(&all.rng, sim->seed ^ 0x6f70657261746f72);
    sim_at(&all.called, world->quiet_from_us, on_called, NULL);
    if (world->config.operators < 1)
        return;
    add_lasting();
    sim_at(&all.last_look, world->quiet_from_us, on_last_look, NULL);
    while (all.count < (size_t)world->config.operators + 2 && all.count < ORDERS_MAX) {
        size_t before = all.count;
        add_passing();
        if (all.count == before)
            break;
    }
}

void operators_stop(void)
{
    sim_cancel(&all.last_look);
    sim_cancel(&all.called);
    for (size_t i = 0; i < all.count; i++) {
        sim_cancel(&all.list[i].begin);
        sim_cancel(&all.list[i].end);
    }
}

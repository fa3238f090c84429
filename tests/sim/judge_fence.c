/* judge_fence.c - the judge's book of leases and tokens: to whom each was granted, until when, and
 * whether what is fenced is carried out for nobody else. */
#include "tests/sim/judge.h"

enum {
    MEMORY_US = 2200000,    /* what a holder believes of a store that is no more lasts so long */
    OWNERLESS_US = 4000000, /* nobody holds a lease for so long though somebody could */
    LEADERLESS_US = 7000000,
    ABLE_US = 10000000,      /* who could: nothing has befallen it for so long */
    BACK_AFTER_US = 3000000, /* failback_after of these worlds (world.c) */
    NOT_BACK_US = 20000000,  /* the first choice is well for so long, and has it not back */
};

struct book_lease {
    char holder[CALL_HOLDER_MAX]; /* "": nobody, or not known */
    bool unknown;                 /* the store was replaced since */
    int64_t until_ms;             /* on the store's clock */
    int64_t last_token;
    char last_holder[CALL_HOLDER_MAX];
    int64_t granted_us, free_us; /* held by this one, by nobody since; 0: it is not so */
};

static struct book_lease leases[WORLD_POOLS][2]; /* owner, leader */
static int64_t replaced_us;

static struct book_lease *lease_of(struct span key)
{
    enum pool_id pool = world_pool_of_key(key);
    bool owner = key.len > 5 && memcmp(key.ptr + key.len - 5, "owner", 5) == 0;
    return &leases[pool][owner ? 0 : 1];
}

static const char *holder_or_nobody(struct span present, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%.*s", present.ptr != NULL ? (int)present.len : 6,
                   present.ptr != NULL ? present.ptr : "nobody");
    return buf;
}

void judge_must_hold(const char *what, struct span lease_key, struct span holder)
{
    char text[CALL_HOLDER_MAX];
    const struct book_lease *l = lease_of(lease_key);
    struct span present = keyspace_string(world->store.ks, lease_key);
    if (!span_eq(present, holder))
        sim_fail("fence: %s was carried out for %.*s, the lease is %s's", what, SPAN_ARG(holder),
                 holder_or_nobody(present, text, sizeof text));
    else if (l->holder[0] && !span_is(holder, l->holder))
        sim_fail("fence: %s was carried out for %.*s, the lease was granted to %s", what,
                 SPAN_ARG(holder), l->holder);
}

int64_t judge_held_us(enum pool_id pool, bool leader, struct span holder)
{
    const struct book_lease *l = &leases[pool][leader ? 1 : 0];
    return span_is(holder, l->holder) ? sim->now_us - l->granted_us : 0;
}

const char *judge_former_holder(enum pool_id pool, bool leader)
{
    return leases[pool][leader ? 1 : 0].last_holder;
}

/* ---- granting ---- */

/* What stands in the store is what was granted, and ends when it should. */
static void check_written(const struct words *w, const char *holder, int64_t given, int64_t ttl_ms)
{
    const struct object *o = keyspace_get(world->store.ks, w->list[0]);
    int64_t fence = book_number(keyspace_string(world->store.ks, w->list[1]));
    if (o == NULL || !span_is(keyspace_string(world->store.ks, w->list[0]), holder))
        sim_fail("lease: %s was granted it, but the store does not say so", holder);
    else if (o->expire_ms != judge_store_ms() + ttl_ms)
        sim_fail("lease: %s was granted it for %lld ms, it lasts for %lld", holder,
                 (long long)ttl_ms, (long long)(o->expire_ms - judge_store_ms()));
    if (fence < given)
        sim_fail("lease: token %lld was given, the store remembers %lld", (long long)given,
                 (long long)fence);
}

static void on_refused(const struct words *w, const struct resp *answer, struct book_lease *l,
                       const char *holder)
{
    bool live = l->holder[0] && judge_store_ms() < l->until_ms;
    if (span_is(answer->items[0].text, "LOST") && live && strcmp(l->holder, holder) == 0)
        sim_fail("lease: %s was told that it has lost it, with %lld ms to live", holder,
                 (long long)(l->until_ms - judge_store_ms()));
    if (!span_is(answer->items[0].text, "HELD"))
        return;
    if (!l->unknown && !live)
        sim_fail("lease: %.*s was told that %.*s holds it, but nobody does", SPAN_ARG(w->list[3]),
                 SPAN_ARG(answer->items[2].text));
    const struct object *o = keyspace_get(world->store.ks, w->list[0]);
    if (o != NULL && answer->items[3].integer != o->expire_ms - judge_store_ms())
        sim_fail("lease: it is said to last for %lld ms, it does for %lld",
                 (long long)answer->items[3].integer, (long long)(o->expire_ms - judge_store_ms()));
}

static struct task *lb_named(const char *holder)
{
    for (size_t i = 0; i < world->lb_count; i++)
        if (strncmp(holder, world->lb[i].proc.name, strlen(world->lb[i].proc.name)) == 0)
            return &world->lb[i];
    return NULL;
}

/* Whose pool it is by the configuration: the first LB owns the lobby, the second the game. */
static struct task *first_choice(enum pool_id pool)
{
    size_t i = pool == POOL_LOBBY ? 0 : 1;
    return i < world->lb_count && world->lb_up[i] ? &world->lb[i] : NULL;
}

/* Of three the second comes before the third, too. */
static bool second_is_steady(enum pool_id pool, const struct task *from)
{
    size_t i = pool == POOL_LOBBY ? 1 : 0;
    return i < world->lb_count && &world->lb[i] != from && world->lb_up[i] &&
           world->lb[i].started_us <= sim->now_us - BACK_AFTER_US;
}

/* Given up by one to whom nothing happened: for the first choice, which must have been steady. */
static void on_released(enum pool_id pool, bool owner, const char *holder)
{
    struct task *from = lb_named(holder), *first = first_choice(pool);
    if (!owner || from == NULL || !world_calm(&from->proc, 5 * SIM_S) ||
        !world_store_calm(10 * SIM_S) || from->started_us > sim->now_us - 10 * SIM_S)
        return;
    if (first == from)
        sim_fail("owner: %s gives up a pool that is its own", holder);
    else if (first == NULL && !world_calm(&world->lb[pool == POOL_LOBBY ? 0 : 1].proc, 3 * SIM_S))
        return; /* it died a moment ago, perhaps silently */
    else if (first == NULL)
        sim_fail("owner: %s gives up a pool for one that is not there", holder);
    else if (first->started_us > sim->now_us - BACK_AFTER_US && !second_is_steady(pool, from))
        sim_fail("owner: %s hands back to %s, which is there for %.1f s", holder, first->proc.name,
                 (double)(sim->now_us - first->started_us) / 1e6);
}

void judge_lease(const struct words *w, const struct resp *answer)
{
    struct span op = w->list[2], name = w->list[3], epoch = w->list[4], token = w->list[5];
    struct book_lease *l = lease_of(w->list[0]);
    char holder[CALL_HOLDER_MAX];
    bool ok = span_is(answer->items[0].text, "OK");
    int64_t given = ok && answer->count > 2 ? answer->items[2].integer : book_number(token);
    (void)snprintf(holder, sizeof holder, "%.*s %.*s %lld", SPAN_ARG(name), SPAN_ARG(epoch),
                   (long long)given);
    if (!ok) {
        on_refused(w, answer, l, holder);
        return;
    }
    bool same = strcmp(l->holder, holder) == 0, live = judge_store_ms() < l->until_ms;
    if (l->holder[0] && !same && live)
        sim_fail("lease: %s was given the lease of %s, which had %lld ms to live", holder,
                 l->holder, (long long)(l->until_ms - judge_store_ms()));
    if (!span_is(op, "acquire") && !l->unknown && (!same || !live))
        sim_fail("lease: %.*s of %s was done, but it was %s", SPAN_ARG(op), holder,
                 same ? "over" : "not its own");
    if (span_is(op, "release")) {
        if (keyspace_string(world->store.ks, w->list[0]).ptr != NULL)
            sim_fail("lease: %s has given it back, and it stands", holder);
        on_released(world_pool_of_key(w->list[0]), l == &leases[world_pool_of_key(w->list[0])][0],
                    holder);
        l->holder[0] = '\0';
        l->unknown = false;
        return;
    }
    if (strcmp(l->last_holder, holder) != 0) {
        /* A failover that lost the fence, of a store whose clock went back: nothing is left to
         * tell. */
        bool nothing_left = l->unknown && world->clock_trouble_us > 0;
        if (given <= l->last_token && !nothing_left)
            sim_fail("lease: %s was given a token that is not above %lld, given to %s before",
                     holder, (long long)l->last_token, l->last_holder);
        sim_trace("store", "lease %.*s to %s", SPAN_ARG(w->list[0]), holder);
        faults_aim(name);
    }
    if (!same && !(l->unknown && strcmp(l->last_holder, holder) == 0))
        l->granted_us = sim->now_us;
    (void)snprintf(l->last_holder, sizeof l->last_holder, "%s", holder);
    (void)snprintf(l->holder, sizeof l->holder, "%s", holder);
    l->unknown = false;
    l->last_token = given;
    l->until_ms = judge_store_ms() + book_number(w->list[6]);
    check_written(w, holder, given, book_number(w->list[6]));
}

/* ---- looking around ---- */

static bool quiet_for(int64_t us)
{
    return world_store_calm(us) && world->clock_trouble_us < sim->now_us - us;
}

/* Who acts has it in the store, too: it stops before it could be over. */
static void look_at_actors(enum pool_id pool, const char *present)
{
    char mine[CALL_HOLDER_MAX];
    for (size_t i = 0; i < world->lb_count; i++) {
        struct task *t = &world->lb[i];
        struct lb_pool_view v;
        if (!world->lb_up[i] || proc_paused(&t->proc))
            continue;
        lb_pool_view(prog_lb_core(t->app), pool, (mono_ms_t){proc_clock_us(&t->proc) / 1000}, &v);
        (void)snprintf(mine, sizeof mine, "%s %lld %lld", t->proc.name, (long long)v.epoch,
                       (long long)v.token);
        if (v.owner && strcmp(mine, present) != 0)
            sim_fail("owner: %s acts for pool %s, the lease is %s's", mine,
                     world->pools[pool]->name, *present ? present : "nobody");
    }
}

static void look_at_leaders(enum pool_id pool, const char *present)
{
    for (size_t i = 0; i < world->autoscale_count; i++) {
        struct task *t = &world->autoscale[i];
        for (size_t k = 0; world->autoscale_up[i] && k < prog_autoscale_pools(t->app); k++) {
            struct scaler_facts st;
            prog_autoscale_facts(t->app, k, &st);
            if (proc_paused(&t->proc) || strcmp(st.pool, world->pools[pool]->name) != 0 ||
                !prog_autoscale_may_act(t->app, k, (mono_ms_t){proc_clock_us(&t->proc) / 1000}))
                continue;
            size_t len = strlen(t->proc.name);
            if (strncmp(present, t->proc.name, len) != 0 || present[len] != ' ')
                sim_fail("leader: %s leads pool %s, the lease is %s's", t->proc.name,
                         world->pools[pool]->name, *present ? present : "nobody");
        }
    }
}

static bool any_able(bool leader)
{
    const struct task *list = leader ? world->autoscale : world->lb;
    const bool *up = leader ? world->autoscale_up : world->lb_up;
    size_t n = leader ? world->autoscale_count : world->lb_count;
    for (size_t i = 0; i < n; i++)
        if (up[i] && list[i].started_us < sim->now_us - ABLE_US &&
            world_calm(&list[i].proc, ABLE_US))
            return true;
    return false;
}

static void look_at_lease(enum pool_id pool, bool leader)
{
    struct book_lease *l = &leases[pool][leader ? 1 : 0];
    char present[CALL_HOLDER_MAX];
    struct span s = keyspace_string(world->store.ks,
                                    keys_get(&world->keys[pool], leader ? KEY_LEADER : KEY_OWNER));
    (void)snprintf(present, sizeof present, "%.*s", s.ptr != NULL ? (int)s.len : 0,
                   s.ptr != NULL ? s.ptr : "");
    if (replaced_us == 0 || replaced_us < sim->now_us - MEMORY_US) {
        if (leader)
            look_at_leaders(pool, present);
        else
            look_at_actors(pool, present);
    }
    if (*present)
        l->free_us = 0;
    else if (l->free_us == 0)
        l->free_us = sim->now_us;
    int64_t limit = leader ? LEADERLESS_US : OWNERLESS_US;
    if (l->free_us > 0 && l->free_us < sim->now_us - limit && quiet_for(ABLE_US) &&
        any_able(leader))
        sim_fail("%s: nobody is it for pool %s, for %.1f s", leader ? "leader" : "owner",
                 world->pools[pool]->name, (double)(sim->now_us - l->free_us) / 1e6);
    struct task *first = leader ? NULL : first_choice(pool);
    if (*present && first != NULL && lb_named(present) != first && l->granted_us > 0 &&
        l->granted_us < sim->now_us - NOT_BACK_US &&
        first->started_us < sim->now_us - NOT_BACK_US && world_calm(&first->proc, NOT_BACK_US) &&
        quiet_for(NOT_BACK_US))
        sim_fail("owner: %s holds pool %s, %s is well for long and has it not back", present,
                 world->pools[pool]->name, first->proc.name);
}

void judge_look_leases(void)
{
    keyspace_set_time(world->store.ks, store_server_now_us(&world->store));
    for (int pool = 0; pool < WORLD_POOLS; pool++) {
        look_at_lease((enum pool_id)pool, false);
        look_at_lease((enum pool_id)pool, true);
    }
}

/* ---- life ---- */

/* Another server, or another time: what was granted is not known any more. */
void judge_fence_replaced(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        for (int role = 0; role < 2; role++) {
            leases[pool][role].holder[0] = '\0';
            leases[pool][role].unknown = true;
        }
    replaced_us = sim->now_us;
}

void judge_start_fence(void)
{
    memset(leases, 0, sizeof leases);
    replaced_us = 0;
}

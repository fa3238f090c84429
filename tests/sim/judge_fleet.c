/* judge_fleet.c - the judge on the fleet: who is drained and when, what is planned, what is asked
 * of the cloud, floor and ceiling. */
#include "tests/sim/judge.h"

#include "core/record.h"

enum {
    HEARD_US = 4000000,  /* the leader knows what is so for so long, if nothing ails it */
    ALIKE_US = 1000000,  /* wishes so close together are one decision */
    SLACK_MS = 1000,     /* clocks, the way to the store */
    YOUNG_US = 5000000,  /* a node that joined after the decision */
    SLOW_US = 20000000,  /* nothing ails a leader and its means for so long: */
    STILL_US = 10000000, /* it moves within this after its cooldown */
    INTENT_MS = 35000,   /* an intent is carried out or given up within this */
};

/* What was decided last to shrink a pool. */
struct book_in {
    int64_t at_us, at_ms; /* true time; the store's; 0: never */
    int64_t count;        /* nodes */
};

/* A pool that stands beside the size that its leader wants. */
struct book_size {
    int64_t size, since_us;
    bool grows;
};

static struct dict plans[WORLD_POOLS]; /* token -> count */
static struct book_size sizes[WORLD_POOLS];
static struct book_in ins[WORLD_POOLS];

int book_planned(enum pool_id pool, const char *token)
{
    const struct dict_entry *e = dict_find(&plans[pool], span_of(token));
    return e != NULL ? (int)e->score : -1;
}

/* ---- what the leader must know ---- */

static const struct task *leader_named(struct span holder)
{
    struct span name = span_cut(&holder, ' ');
    for (size_t i = 0; i < world->autoscale_count; i++)
        if (world->autoscale_up[i] && span_is(name, world->autoscale[i].proc.name))
            return &world->autoscale[i];
    return NULL;
}

/* Neither it nor the store nor any clock had trouble for so long. */
static bool clear(struct span holder, int64_t for_us)
{
    const struct task *t = leader_named(holder);
    return t != NULL && world_calm(&t->proc, for_us) && world_store_calm(for_us) &&
           world->clock_trouble_us < sim->now_us - for_us;
}

/* Made, and never in the pool: it is still to come, until its boot_timeout is over. */
static bool is_coming(const struct instance *in)
{
    const struct pool_settings *s = world->pools[in->pool];
    int64_t age_us = sim->now_us - in->launched_us;
    return !in->gone && !in->ending && age_us > HEARD_US &&
           age_us < (s->scale.boot_timeout_ms - 2 * SLACK_MS) * SIM_MS &&
           book_open(in->pool, span_of(in->id), false) == NULL &&
           world->store_trouble_us < in->launched_us - SIM_S;
}

static bool is_joining(const struct book_node *n)
{
    return n->known && n->state == NODE_JOINING && !n->wanted_out &&
           n->since_us < sim->now_us - HEARD_US && n->reported_us > sim->now_us - 2 * SIM_S;
}

/* Ready for a while, and wanted. */
static bool is_serving(const struct book_node *n)
{
    return n->known && n->state == NODE_READY && !n->wanted_out &&
           n->since_us < sim->now_us - HEARD_US && n->wanted_us < sim->now_us - HEARD_US;
}

/* What a leader may not do: decide before it knows, or just after it was cut off from the store. */
static void judge_haste(enum pool_id pool, struct span holder, const char *what)
{
    const struct pool_settings *s = world->pools[pool];
    int64_t hold_us = (s->lost_after_ms + s->report_interval_ms - 100) * SIM_MS;
    int64_t held_us = judge_held_us(pool, true, holder);
    if (held_us > 0 && held_us < (CLOUD_SETTLE_MS - 100) * SIM_MS)
        sim_fail("settle: %.*s leads pool %s for %.1f s, and %s", SPAN_ARG(holder), s->name,
                 (double)held_us / 1e6, what);
    if (world->store_back_us > 0 && sim->now_us - world->store_back_us < hold_us)
        sim_fail("hold: the store is back for %.1f s, and %.*s %s",
                 (double)(sim->now_us - world->store_back_us) / 1e6, SPAN_ARG(holder), what);
}

/* ---- in ---- */

static void judge_floor(const struct book_node *n)
{
    size_t left = 0;
    bool fresh_loss = false;
    for (size_t i = 0; i < book_count(); i++) {
        const struct book_node *o = book_at(i);
        if (o->pool != n->pool || !o->known)
            continue;
        left += o->state == NODE_READY && !o->wanted_out;
        fresh_loss |= o->state != NODE_READY && o->since_us > sim->now_us - HEARD_US;
        fresh_loss |= o != n && o->wanted_out && !o->wanted[WANT_BY_AUTOSCALE] &&
                      o->wanted_us > sim->now_us - HEARD_US;
    }
    if (left < (size_t)world->pools[n->pool]->scale.min && !fresh_loss &&
        world_store_calm(5 * SIM_S))
        sim_fail("floor: %s is drained, and %zu of pool %s are left; at least %lld must be",
                 n->name, left, world->pools[n->pool]->name,
                 (long long)world->pools[n->pool]->scale.min);
}

/* Nothing is drained while something is still to come. */
static void judge_under_way(const struct book_node *n)
{
    for (size_t i = 0; i < world->instance_count; i++)
        if (world->instances[i].pool == n->pool && is_coming(&world->instances[i]))
            sim_fail("in: %s is drained while %s is still to come", n->name,
                     world->instances[i].id);
    for (size_t i = 0; i < book_count(); i++)
        if (book_at(i)->pool == n->pool && is_joining(book_at(i)))
            sim_fail("in: %s is drained while %s is joining", n->name, book_at(i)->name);
}

/* The emptiest goes. */
static void judge_choice(const struct book_node *n)
{
    int64_t least = n->conns < n->before ? n->conns : n->before;
    if (world->config.cloud_error + world->config.cloud_lost > 0 ||
        world->cloud_trouble_us > sim->now_us - 2 * HEARD_US)
        return; /* it may not have been listed yet */
    for (size_t i = 0; i < book_count(); i++) {
        const struct book_node *o = book_at(i);
        const struct instance *in = world_instance(span_of(o->name));
        if (o->pool != n->pool || !is_serving(o) || in == NULL || !in->running ||
            in->launched_us > sim->now_us - 2 * HEARD_US || !world_calm(&in->task.proc, HEARD_US) ||
            o->reported_us < sim->now_us - 2 * SIM_S)
            continue;
        int64_t most = o->conns > o->before ? o->conns : o->before;
        if (least > most)
            sim_fail("in: %s with %lld players is drained, and not %s with %lld", n->name,
                     (long long)least, o->name, (long long)most);
    }
}

/* One decision takes max_step nodes at most, and the next waits for the cooldown. */
static void judge_pace(const struct book_node *n)
{
    const struct scale_settings *s = &world->pools[n->pool]->scale;
    struct book_in *in = &ins[n->pool];
    if (in->at_us > 0 && sim->now_us - in->at_us < ALIKE_US) {
        if (++in->count > s->max_step)
            sim_fail("in: %lld nodes of pool %s are drained at once, at most %lld may be",
                     (long long)in->count, world->pools[n->pool]->name, (long long)s->max_step);
        return;
    }
    int64_t since_ms = judge_store_ms() - in->at_ms;
    bool remembered = world->store_trouble_us < in->at_us && world->clock_trouble_us < in->at_us &&
                      world->weather_trouble_us < in->at_us;
    if (in->at_us > 0 && remembered && since_ms < s->in_cooldown_ms - SLACK_MS)
        sim_fail("in: %s is drained %lld ms after the last one, the cooldown is %lld ms", n->name,
                 (long long)since_ms, (long long)s->in_cooldown_ms);
    *in = (struct book_in){.at_us = sim->now_us, .at_ms = judge_store_ms(), .count = 1};
}

static void judge_in(const struct book_node *n, struct span holder, bool others)
{
    judge_haste(n->pool, holder, "drains");
    judge_floor(n);
    if (!judge_sized_within(n->pool, HEARD_US)) /* a size that people wish waits for no cooldown */
        judge_pace(n);
    if (!clear(holder, HEARD_US))
        return;
    judge_under_way(n);
    judge_choice(n);
    if (others)
        sim_fail("in: %s is drained, and others want it out already", n->name);
}

/* Drained to be replaced by a new one. */
static void judge_replaced(const struct book_node *n, struct span holder, const struct proc *leader)
{
    judge_haste(n->pool, holder, "replaces");
    judge_floor(n);
    judge_rolled(n, leader);
    if (clear(holder, HEARD_US))
        judge_under_way(n);
}

void judge_want(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    struct book_node *n = book_open(pool, a[0], false);
    if (!span_is(answer->items[0].text, "OK"))
        return;
    sim_trace("store", "want %.*s by %.*s: %.*s why=%.*s", SPAN_ARG(a[0]), SPAN_ARG(a[1]),
              SPAN_ARG(a[2]), SPAN_ARG(a[3]));
    bool before = n != NULL && n->wanted[WANT_BY_AUTOSCALE];
    bool others = n != NULL && n->wanted_us < sim->now_us - HEARD_US &&
                  (n->wanted[WANT_BY_NODE] || n->wanted[WANT_BY_OPERATOR]);
    if (n != NULL)
        book_refresh(n);
    if (!span_is(a[1], "autoscale"))
        return;
    judge_must_hold("want", w->list[4], a[6]);
    struct span holder = a[6];
    faults_aim(span_cut(&holder, ' '));
    if (n == NULL)
        return;
    if (n->wanted[WANT_BY_AUTOSCALE] != span_is(a[2], "draining"))
        sim_fail("want: %s was wished %.*s, the store does not say so", n->name, SPAN_ARG(a[2]));
    const struct task *leader = leader_named(a[6]);
    if (before != n->wanted[WANT_BY_AUTOSCALE] && leader != NULL)
        judge_paused(&leader->proc, pool, before ? "takes a node back" : "drains a node");
    if (!before && n->wanted[WANT_BY_AUTOSCALE] && span_is(a[3], "scale_in"))
        judge_in(n, a[6], others);
    if (!before && n->wanted[WANT_BY_AUTOSCALE] && span_is(a[3], "roll") && leader != NULL)
        judge_replaced(n, a[6], &leader->proc);
}

/* ---- out ---- */

/* What serves and what comes, of what the leader must know: with the new ones not above the
 * ceiling. */
static void judge_ceiling(enum pool_id pool, struct span holder, struct span token, int64_t count)
{
    int64_t serving = 0, coming = 0, max = world->pools[pool]->scale.max;
    if (!clear(holder, HEARD_US))
        return;
    for (size_t i = 0; i < book_count(); i++)
        serving += book_at(i)->pool == pool && is_serving(book_at(i));
    for (size_t i = 0; i < world->instance_count; i++)
        coming += world->instances[i].pool == pool && is_coming(&world->instances[i]);
    if (serving + coming + count > max)
        sim_fail(
            "ceiling: %lld serve and %lld come in pool %s, %.*s adds %lld; at most %lld may be",
            (long long)serving, (long long)coming, world->pools[pool]->name, SPAN_ARG(token),
            (long long)count, (long long)max);
}

static void judge_intent(enum pool_id pool, struct span holder, struct span token, int64_t count)
{
    const struct pool_settings *s = world->pools[pool];
    judge_haste(pool, holder, "launches");
    if (leader_named(holder) != NULL)
        judge_paused(&leader_named(holder)->proc, pool, "launches");
    if (count < 1 || count > s->scale.max_step)
        sim_fail("plan: %.*s is for %lld of pool %s, at most %lld may be at once", SPAN_ARG(token),
                 (long long)count, s->name, (long long)s->scale.max_step);
    judge_ceiling(pool, holder, token, count);
}

void judge_plan(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    size_t argc = w->count - w->nkeys;
    if (!span_is(answer->items[0].text, "OK"))
        return;
    judge_must_hold("plan", w->list[0], a[0]);
    for (size_t i = 2; i + 1 < argc; i += 2) {
        char count[16];
        bool is_new;
        struct span there = keyspace_field(world->store.ks, w->list[1], a[i]);
        if (there.len != a[i + 1].len || (there.len > 0 && !span_eq(there, a[i + 1])))
            sim_fail("plan: %.*s was written, the store does not say so", SPAN_ARG(a[i]));
        if (a[i + 1].len == 0 || memmem(a[i + 1].ptr, a[i + 1].len, "op=launch", 9) == NULL ||
            record_text(a[i + 1], "count", count, sizeof count) < 0)
            continue;
        sim_trace("store", "plan %.*s %.*s", SPAN_ARG(a[i]), SPAN_ARG(a[i + 1]));
        struct dict_entry *e = dict_put(&plans[pool], a[i], &is_new);
        if (!is_new && (int)e->score != (int)book_number(span_of(count)))
            sim_fail("plan: %.*s was planned for %.0f, and now for %s", SPAN_ARG(a[i]), e->score,
                     count);
        e->score = (double)book_number(span_of(count));
        struct span holder = a[0];
        faults_aim(span_cut(&holder, ' '));
        if (is_new)
            judge_intent(pool, a[0], a[i], book_number(span_of(count)));
    }
}

/* ---- the cloud ---- */

/* Nothing is ended but what is drained and moved to terminating, or never came. */
static void judge_end_call(const struct proc *autoscaler, enum pool_id pool, const char *id)
{
    const struct instance *in = world_instance(span_of(id));
    const struct book_node *n = book_open(pool, span_of(id), false);
    int64_t timeout_us = (world->pools[pool]->scale.boot_timeout_ms - SLACK_MS) * SIM_MS;
    if (in == NULL || in->gone || in->ending || !world_calm(autoscaler, 30 * SIM_S) ||
        !world_store_calm(60 * SIM_S) || world->clock_trouble_us > sim->now_us - 30 * SIM_S)
        return;
    if (n == NULL && sim->now_us - in->launched_us < timeout_us)
        sim_fail("scale-in: %s is ended %.1f s after its launch, it has not even booted", id,
                 (double)(sim->now_us - in->launched_us) / 1e6);
    else if (n != NULL && n->joined_us < sim->now_us - YOUNG_US &&
             !judge_deadline_over(n, -SLACK_MS * SIM_MS) &&
             (!n->known || n->state != NODE_TERMINATING))
        sim_fail("scale-in: %s is ended while it is %s", id,
                 n->known ? state_word(n->state) : "forgotten");
}

void judge_call(const struct proc *autoscaler, const char *what, enum pool_id pool,
                const char *token, const char *id)
{
    if (token != NULL && book_planned(pool, token) < 0)
        sim_fail("plan: %s launches %s, whose intent was never written", autoscaler->name, token);
    if (id != NULL)
        judge_end_call(autoscaler, pool, id);
    judge_paused(autoscaler, pool, token != NULL ? "launches" : "ends an instance");
    struct span leader = keyspace_string(world->store.ks, keys_get(&world->keys[pool], KEY_LEADER));
    struct span name = leader;
    name = span_cut(&name, ' ');
    if (leader.ptr == NULL || !world_store_calm(4 * SIM_S) ||
        world->clock_trouble_us > sim->now_us - 4 * SIM_S)
        return; /* the store forgot, or its clock jumped: fencing is what is left */
    if (!span_is(name, autoscaler->name))
        sim_fail("leader: %s calls the cloud (%s, pool %d) while %.*s leads", autoscaler->name,
                 what, pool, SPAN_ARG(leader));
    judge_haste(pool, leader, what);
}

/* Instances that serve, or will: not on their way out, not dead. */
static size_t in_service(enum pool_id pool)
{
    size_t n = 0;
    for (size_t i = 0; i < world->instance_count; i++) {
        const struct instance *in = &world->instances[i];
        if (in->pool != pool || in->ending || in->gone)
            continue;
        enum node_state state = NODE_JOINING;
        const struct book_node *node = book_node(pool, span_of(in->id));
        if (node == NULL && sim->now_us - in->launched_us >
                                (world->pools[pool]->scale.boot_timeout_ms - SLACK_MS) * SIM_MS)
            continue; /* it never came: given up */
        if (node != NULL)
            state = node->state;
        if (state == NODE_DRAINING || state == NODE_CLOSING || state == NODE_DRAINED ||
            state == NODE_TERMINATING || state == NODE_LOST || (node != NULL && node->wanted_out))
            continue;
        if (in->running && !world_calm(&in->task.proc, 30 * SIM_S) && in->boots > 1)
            continue;
        n++;
    }
    return n;
}

/* Old trouble of its own keeps an instance out of the sums. */
static bool any_trouble(enum pool_id pool, int64_t for_us)
{
    if (!world_store_calm(for_us))
        return true;
    for (size_t i = 0; i < world->instance_count; i++) {
        const struct instance *in = &world->instances[i];
        if (in->pool == pool && in->running && !in->gone && in->boots > 0 &&
            in->task.proc.trouble_us > sim->now_us - for_us &&
            in->task.proc.trouble_us > in->task.started_us + SIM_S)
            return true;
    }
    return false;
}

void judge_launch(struct instance *const *made, size_t count, enum pool_id pool, const char *token,
                  int wanted, size_t before)
{
    if (count == 0)
        return;
    int planned = book_planned(pool, token);
    if (planned < 0)
        sim_fail("plan: %s is launched, but its intent was never written", token);
    else if ((int)(before + count) > planned || wanted != planned)
        sim_fail("plan: %zu instances for %s, which is planned for %d", before + count, token,
                 planned);
    size_t alive = in_service(pool);
    size_t max = (size_t)world->pools[pool]->scale.max;
    if (alive > max && !any_trouble(pool, 60 * SIM_S))
        sim_fail("ceiling: %zu instances of pool %s serve, at most %zu may", alive,
                 world->pools[pool]->name, max);
    size_t plain = 0;
    for (size_t i = 0; i < world->instance_count; i++)
        plain += world->instances[i].pool == pool && !world->instances[i].gone &&
                 !world->instances[i].ending;
    if (plain > 2 * max + 6)
        sim_fail("ceiling: %zu instances of pool %s are paid for, at most %zu may serve", plain,
                 world->pools[pool]->name, max);
}

void judge_terminate(const struct instance *in)
{
    if (!in->running)
        return;
    uint32_t conns = prog_node_conns(in->task.app);
    const struct book_node *n = book_open(in->pool, span_of(in->id), false);
    if (conns > 0 && (n == NULL || !judge_deadline_over(n, -SLACK_MS * SIM_MS)))
        sim_fail("scale-in: %s is terminated with %u players on it", in->id, conns);
}

/* ---- looking around ---- */

/* What the pool has, and will have if nothing is done. */
static int64_t size_of(enum pool_id pool)
{
    int64_t size = 0;
    for (size_t i = 0; i < book_count(); i++) {
        const struct book_node *n = book_at(i);
        size += n->pool == pool && n->known && !n->wanted_out && n->state != NODE_LOST &&
                n->state != NODE_TERMINATING && n->state != NODE_HELD;
    }
    for (size_t i = 0; i < world->instance_count; i++)
        size += world->instances[i].pool == pool && is_coming(&world->instances[i]);
    return size;
}

/* The size that the leader itself wants; -1: nothing leads, or something ails it or its means. */
static int64_t wanted_size(enum pool_id pool)
{
    int64_t desired = -1;
    if (world->config.stillborn > 0 || world->config.cloud_error + world->config.cloud_lost > 0 ||
        world->cloud_trouble_us > sim->now_us - SLOW_US || judge_paused_within(pool, SLOW_US) ||
        judge_rolled_within(pool, SLOW_US) || any_trouble(pool, SLOW_US) ||
        world->clock_trouble_us > sim->now_us - SLOW_US)
        return -1;
    for (size_t i = 0; i < world->autoscale_count; i++) {
        struct task *t = &world->autoscale[i];
        if (!world->autoscale_up[i] || !world_calm(&t->proc, SLOW_US))
            return -1;
        for (size_t k = 0; k < prog_autoscale_pools(t->app); k++) {
            struct scaler_facts st;
            prog_autoscale_facts(t->app, k, &st);
            if (st.leading && strcmp(st.pool, world->pools[pool]->name) == 0)
                desired = st.desired;
        }
    }
    return desired;
}

/* A pool comes to the size that is wanted: it does not stand still beside it for longer than a
 * cooldown. */
void judge_look_fleet(void)
{
    for (int i = 0; i < WORLD_POOLS; i++) {
        enum pool_id pool = (enum pool_id)i;
        int64_t wanted = wanted_size(pool), size = wanted >= 0 ? size_of(pool) : -1;
        const struct scale_settings *s = &world->pools[pool]->scale;
        struct book_size *b = &sizes[pool];
        if (wanted < 0 || wanted == size || size != b->size || (wanted > size) != b->grows) {
            *b = (struct book_size){.size = size, .grows = wanted > size, .since_us = sim->now_us};
            continue;
        }
        int64_t limit_us = STILL_US + (b->grows ? s->out_cooldown_ms : s->in_cooldown_ms) * SIM_MS;
        if (sim->now_us - b->since_us > limit_us)
            sim_fail("liveness: pool %s has %lld nodes for %.1f s, %lld are wanted",
                     world->pools[pool]->name, (long long)size,
                     (double)(sim->now_us - b->since_us) / 1e6, (long long)wanted);
    }
}

/* ---- the end ---- */

/* No intent stays in the plan, carried out or not. */
void judge_end_fleet(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++) {
        const struct object *o =
            keyspace_get(world->store.ks, keys_get(&world->keys[pool], KEY_PLAN));
        for (const struct dict_entry *e = o != NULL ? o->dict.oldest : NULL; e != NULL;
             e = e->newer) {
            int64_t at_ms = record_int_or(dict_value(e), "at", 0);
            if (memmem(e->value, e->value_len, "op=launch", 9) != NULL && at_ms > 0 &&
                judge_store_ms() - at_ms > INTENT_MS)
                sim_fail("plan: the intent %s is in the plan for %lld s", e->key,
                         (long long)(judge_store_ms() - at_ms) / 1000);
        }
    }
}

void judge_start_fleet(void)
{
    memset(plans, 0, sizeof plans);
    memset(ins, 0, sizeof ins);
    memset(sizes, 0, sizeof sizes);
}

void judge_stop_fleet(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        dict_fini(&plans[pool]);
}

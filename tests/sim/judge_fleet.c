/* judge_fleet.c - the judge on the fleet: wishes, plans, what is asked of the cloud, floor and
 * ceiling. */
#include "tests/sim/judge.h"

#include "core/record.h"

static struct dict plans[WORLD_POOLS]; /* token -> count */

int book_planned(enum pool_id pool, const char *token)
{
    const struct dict_entry *e = dict_find(&plans[pool], span_of(token));
    return e != NULL ? (int)e->score : -1;
}

/* ---- wishes and plans ---- */

void judge_want(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    struct book_node *n = book_open(pool, a[0], false);
    if (!span_is(answer->items[0].text, "OK"))
        return;
    sim_trace("store", "want %.*s by %.*s: %.*s why=%.*s", SPAN_ARG(a[0]), SPAN_ARG(a[1]),
              SPAN_ARG(a[2]), SPAN_ARG(a[3]));
    bool before = n != NULL && n->wanted_out;
    if (n != NULL)
        book_refresh(n);
    if (!span_is(a[1], "autoscale"))
        return;
    judge_must_hold("want", w->list[4], a[6]);
    if (n == NULL || before || !n->wanted_out)
        return;
    size_t left = 0;
    bool fresh_loss = false;
    for (size_t i = 0; i < book_count(); i++) {
        const struct book_node *o = book_at(i);
        if (o->pool != pool || !o->known)
            continue;
        left += o->state == NODE_READY && !o->wanted_out;
        fresh_loss |= o->state != NODE_READY && o->since_us > sim->now_us - 4 * SIM_S;
    }
    if (left < (size_t)world->pools[pool]->scale.min && !fresh_loss && world_store_calm(5 * SIM_S))
        sim_fail("floor: %s is drained, and %zu of pool %s are left; at least %lld must be",
                 n->name, left, world->pools[pool]->name, (long long)world->pools[pool]->scale.min);
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
        if (a[i + 1].len == 0 || memmem(a[i + 1].ptr, a[i + 1].len, "op=launch", 9) == NULL ||
            record_text(a[i + 1], "count", count, sizeof count) < 0)
            continue;
        sim_trace("store", "plan %.*s %.*s", SPAN_ARG(a[i]), SPAN_ARG(a[i + 1]));
        struct dict_entry *e = dict_put(&plans[pool], a[i], &is_new);
        if (!is_new && (int)e->score != (int)book_number(span_of(count)))
            sim_fail("plan: %.*s was planned for %.0f, and now for %s", SPAN_ARG(a[i]), e->score,
                     count);
        e->score = (double)book_number(span_of(count));
    }
}

/* ---- the cloud ---- */

void judge_call(const struct proc *autoscaler, const char *what, enum pool_id pool,
                const char *token)
{
    if (token != NULL && book_planned(pool, token) < 0)
        sim_fail("plan: %s launches %s, whose intent was never written", autoscaler->name, token);
    struct span leader = keyspace_string(world->store.ks, keys_get(&world->keys[pool], KEY_LEADER));
    struct span name = leader;
    name = span_cut(&name, ' ');
    if (leader.ptr == NULL || !world_store_calm(4 * SIM_S) ||
        world->clock_trouble_us > sim->now_us - 4 * SIM_S)
        return; /* the store forgot, or its clock jumped: fencing is what is left */
    if (!span_is(name, autoscaler->name))
        sim_fail("leader: %s calls the cloud (%s, pool %d) while %.*s leads", autoscaler->name,
                 what, pool, SPAN_ARG(leader));
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
    if (conns > 0)
        sim_fail("scale-in: %s is terminated with %u players on it", in->id, conns);
}

void judge_start_fleet(void)
{
    memset(plans, 0, sizeof plans);
}

void judge_stop_fleet(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        dict_fini(&plans[pool]);
}

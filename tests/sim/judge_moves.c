/* judge_moves.c - the judge on states: who moved which node from what to what, what a sweep lost
 * and forgot, and who should have been given up. */
#include "tests/sim/judge.h"

#include "core/record.h"

/* docs/redis.md, "States and who moves them". */
static bool legal(bool owner, enum node_state from, enum node_state to)
{
    static const char *const by_owner[] = {[NODE_JOINING] = "ready held draining lost",
                                           [NODE_READY] = "held draining lost",
                                           [NODE_HELD] = "joining draining lost",
                                           [NODE_DRAINING] = "closing joining lost",
                                           [NODE_CLOSING] = "drained draining lost",
                                           [NODE_DRAINED] = "joining lost",
                                           [NODE_TERMINATING] = "",
                                           [NODE_LOST] = "joining draining gone",
                                           [NODE_GONE] = ""};
    static const char *const by_leader[] = {
        [NODE_JOINING] = "",         [NODE_READY] = "",    [NODE_HELD] = "",
        [NODE_DRAINING] = "",        [NODE_CLOSING] = "",  [NODE_DRAINED] = "terminating",
        [NODE_TERMINATING] = "gone", [NODE_LOST] = "gone", [NODE_GONE] = ""};
    return strstr(owner ? by_owner[from] : by_leader[from], state_word(to)) != NULL;
}

/* Nothing befell this node, and it has been reporting for a while: it must not be given up. */
static bool well(const struct book_node *n)
{
    const struct instance *in = world_instance(span_of(n->name));
    return in != NULL && in->running && !in->ending &&
           in->task.started_us < sim->now_us - 20 * SIM_S && world_calm(&in->task.proc, 20 * SIM_S);
}

static bool lbs_well(int64_t for_us)
{
    for (size_t i = 0; i < world->lb_count; i++)
        if (!world_calm(&world->lb[i].proc, for_us))
            return false;
    return true;
}

static void judge_lost(const struct book_node *n, const char *why)
{
    sim_trace("store", "lost node=%s why=%s", n->name, why);
    if (well(n) && lbs_well(20 * SIM_S))
        sim_fail("lost: %s was given up (%s), but nothing happened to it", n->name, why);
}

void judge_move(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    bool owner = span_is(a[0], "owner");
    enum node_state from = NODE_GONE, to = NODE_GONE;
    struct book_node *n = book_open(pool, a[2], true);
    struct book_node was = *n;
    (void)state_parse(a[4], &from);
    (void)state_parse(a[5], &to);
    if (!span_is(answer->items[0].text, "OK")) {
        sim_trace("store", "move %.*s %s>%s says %.*s", SPAN_ARG(a[2]), state_word(from),
                  state_word(to), SPAN_ARG(answer->items[0].text));
        return;
    }
    sim_trace("store", "move %.*s %s>%s by %.*s why=%.*s", SPAN_ARG(a[2]), state_word(from),
              state_word(to), SPAN_ARG(a[1]), SPAN_ARG(a[6]));
    judge_must_hold("move", w->list[owner ? 0 : 1], a[1]);
    if (!was.known || was.state != from || was.epoch != book_number(a[3]))
        sim_fail("move: %s went from %s, but it was %s of epoch %lld", n->name, state_word(from),
                 was.known ? state_word(was.state) : "unknown", (long long)was.epoch);
    if (!legal(owner, from, to))
        sim_fail("move: %s went from %s to %s by %s", n->name, state_word(from), state_word(to),
                 owner ? "the owner" : "the leader");
    if (to == NODE_LOST)
        judge_lost(n, "probes");
    struct span report =
        keyspace_field(world->store.ks, keys_get(&world->keys[pool], KEY_REPORTS), a[2]);
    if (to == NODE_DRAINED && record_int_or(report, "closed", 0) != 1)
        sim_fail("drained: %s never said that its door is closed", n->name);
    book_refresh(n);
    enum node_state now = NODE_GONE;
    if (n->known)
        now = n->state;
    if (now != to)
        sim_fail("move: %s was moved to %s, but it is %s", n->name, state_word(to),
                 state_word(now));
}

void judge_sweep(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    size_t losable = 0;
    if (span_is(answer->items[0].text, "GUARD"))
        judge_must_hold("sweep", w->list[0], a[0]);
    if (!span_is(answer->items[0].text, "OK"))
        return;
    judge_must_hold("sweep", w->list[0], a[0]);
    for (size_t i = 0; i < book_count(); i++) {
        const struct book_node *n = book_at(i);
        losable += n->pool == pool && n->known && n->state != NODE_LOST &&
                   n->state != NODE_TERMINATING && n->state != NODE_DRAINED;
    }
    const struct resp *lost = &answer->items[2], *gone = &answer->items[3];
    size_t alarming = 0;
    for (size_t i = 0; i < lost->count; i++) {
        struct book_node *n = book_open(pool, lost->items[i].text, true);
        alarming += n->state != NODE_DRAINED;
        judge_lost(n, "silent");
        if (n->known && n->reported_us > sim->now_us - 1500 * SIM_MS &&
            world_store_calm(10 * SIM_S) && world->clock_trouble_us < sim->now_us - 10 * SIM_S)
            sim_fail("lost: %s is silent they say, but it reported %lld ms ago", n->name,
                     (long long)((sim->now_us - n->reported_us) / 1000));
    }
    size_t guard = (size_t)world->pools[pool]->guard_percent;
    if (guard > 0 && alarming > 1 && alarming * 100 > losable * guard)
        sim_fail("guard: one sweep lost %zu of %zu nodes of %s", alarming, losable,
                 world->pools[pool]->name);
    for (size_t i = 0; i < gone->count; i++) {
        struct book_node *n = book_open(pool, gone->items[i].text, true);
        if (n->state != NODE_LOST)
            sim_fail("gone: %s was forgotten while %s", n->name, state_word(n->state));
    }
    for (size_t i = 0; i < book_count(); i++)
        if (book_at(i)->pool == pool)
            book_refresh(book_at(i));
}

/* A node that is dead for long is not ready any more. */
void judge_look_nodes(void)
{
    for (size_t i = 0; i < world->instance_count; i++) {
        const struct instance *in = &world->instances[i];
        const struct book_node *n = book_node(in->pool, span_of(in->id));
        bool dead = in->gone && in->gone_us < sim->now_us - 12 * SIM_S;
        if (dead && n != NULL && n->state == NODE_READY && lbs_well(12 * SIM_S) &&
            world_store_calm(25 * SIM_S) && world->clock_trouble_us < sim->now_us - 12 * SIM_S &&
            !world_pool_guarded(in->pool))
            sim_fail("dead: %s is gone for %.1f s and still ready", in->id,
                     (double)(sim->now_us - in->gone_us) / 1e6);
    }
}

bool world_pool_guarded(enum pool_id pool)
{
    size_t silent = 0, all = 0;
    for (size_t i = 0; i < book_count(); i++) {
        const struct book_node *n = book_at(i);
        if (n->pool != pool || !n->known || n->state == NODE_LOST || n->state == NODE_TERMINATING ||
            n->state == NODE_DRAINED)
            continue;
        all++;
        silent += n->reported_us < sim->now_us - 3 * SIM_S;
    }
    return silent > 1 && silent * 100 > all * (size_t)world->pools[pool]->guard_percent;
}

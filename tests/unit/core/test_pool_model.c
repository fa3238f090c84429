/* test_pool_model.c - random events on the pool and on a naive model that looks at everything: they
 * must agree.
 *
 * Fails with the seed; run again with BERTH_SEED=<seed>. */
#include "core/rng.h"
#include "tests/unit/core/pool_world.h"

#include <stdlib.h>

enum {
    NODES = 24,
    ISSUERS = 3,
    SECONDS = 64,
    ZONES = 3,
    VERSIONS = 2,
    STEPS = 6000,
    WINDOW_MS = 12000
};

struct model_cell {
    int64_t second; /* 0: nothing */
    uint32_t assigned, admitted;
};

struct model_node {
    bool used;
    char name[8], zone[4], version[4];
    int64_t epoch, seq, conns, capacity, reserved;
    enum node_state state;
    struct model_cell cells[ISSUERS][SECONDS];
};

struct model {
    struct world w;
    struct rng rng;
    uint64_t seed;
    int step;
    struct model_node nodes[NODES];
};

static const struct {
    const char *name;
    int64_t epoch;
} issuers[ISSUERS] = {{"lb-a", WORLD_LB_EPOCH}, {"lb-b", 3}, {"lb-b", 4}};

#define CHECK(m, what)                                                                             \
    do {                                                                                           \
        if (!(what))                                                                               \
            fail_msg("seed %llu step %d: %s", (unsigned long long)(m)->seed, (m)->step, #what);    \
    } while (0)

static uint32_t roll(struct model *m, uint32_t bound)
{
    return (uint32_t)rng_below(&m->rng, bound);
}

static bool is_over(const struct model *m, int64_t second)
{
    return (second + 1) * 1000 + WINDOW_MS < m->w.now.wall.ms;
}

static int64_t model_pending(const struct model *m, const struct model_node *n)
{
    int64_t sum = 0;
    for (int i = 0; i < ISSUERS; i++) {
        for (int s = 0; s < SECONDS; s++) {
            const struct model_cell *c = &n->cells[i][s];
            if (c->second && !is_over(m, c->second) && c->assigned > c->admitted)
                sum += c->assigned - c->admitted;
        }
    }
    return sum;
}

static int64_t model_est(const struct model *m, const struct model_node *n)
{
    return n->conns + n->reserved + model_pending(m, n);
}

static struct model_cell *cell(struct model_node *n, int issuer, int64_t second)
{
    struct model_cell *c = &n->cells[issuer][second % SECONDS];
    if (c->second != second)
        *c = (struct model_cell){.second = second};
    return c;
}

static uint32_t slot_of(const struct model *m, const struct model_node *n)
{
    return pool_find(m->w.pool, span_of(n->name));
}

/* ---- events ---- */

static void join(struct model *m, struct model_node *n)
{
    bool again = n->used && roll(m, 2);
    if (!again) { /* a new node, or a new process of it */
        int64_t epoch = n->epoch + 1;
        struct model_node fresh = {.used = true, .epoch = epoch, .seq = -1};
        *n = fresh;
        snprintf(n->name, sizeof n->name, "n%d", (int)(n - m->nodes));
    }
    snprintf(n->zone, sizeof n->zone, "%s", roll(m, ZONES) ? (roll(m, 2) ? "e" : "w") : "");
    snprintf(n->version, sizeof n->version, "%s", roll(m, VERSIONS) ? "2" : "1");
    n->capacity = 1 + roll(m, 3) * 20 + roll(m, 2);
    struct pool_info info = {.name = span_of(n->name),
                             .zone = span_of(n->zone),
                             .version = span_of(n->version),
                             .epoch = n->epoch,
                             .capacity = n->capacity};
    CHECK(m, pool_join(m->w.pool, m->w.now, &info, NULL) >= 0);
    if (!again && roll(m, 4)) {
        n->state = NODE_READY;
        pool_state(m->w.pool, m->w.now, slot_of(m, n), NODE_READY, 0);
    }
}

static void report(struct model *m, struct model_node *n)
{
    static struct admitted_run runs[ISSUERS];
    int64_t now_s = m->w.now.wall.ms / 1000;
    int64_t seq = n->seq + 2 - roll(m, 4); /* half of them are not later */
    bool used = seq > n->seq;
    struct pool_report r = {.epoch = n->epoch, .seq = seq, .conns = roll(m, 30)};
    if (roll(m, 4) == 0)
        r.capacity = 1 + roll(m, 40);
    for (int i = 0; i < ISSUERS; i++) {
        if (!roll(m, 2))
            continue;
        struct admitted_run *run = &runs[r.admitted_count++];
        *run = (struct admitted_run){.issuer_epoch = issuers[i].epoch};
        snprintf(run->issuer, sizeof run->issuer, "%s", issuers[i].name);
        run->first_s = now_s - roll(m, 16);
        run->count = 1 + roll(m, 18);
        for (uint32_t s = 0; s < run->count; s++) {
            int64_t second = run->first_s + s;
            run->counts[s] = roll(m, 4);
            if (!used || is_over(m, second) || second > now_s + 2)
                continue;
            struct model_cell *c = cell(n, i, second);
            if (c->admitted < run->counts[s])
                c->admitted = run->counts[s];
        }
    }
    r.admitted = runs;
    if (used) {
        n->seq = seq;
        n->conns = r.conns;
        if (r.capacity)
            n->capacity = r.capacity;
    }
    CHECK(m, pool_report(m->w.pool, m->w.now, slot_of(m, n), &r) == (used ? 0 : BERTH_ESTALE));
}

static void told(struct model *m, struct model_node *n)
{
    int i = 1 + (int)roll(m, ISSUERS - 1);
    int64_t second = m->w.now.wall.ms / 1000 + 3 - roll(m, 18);
    uint32_t count = roll(m, 5);
    bool alive = !is_over(m, second) && second <= m->w.now.wall.ms / 1000 + 2;
    struct pool_told t = {.node = span_of(n->name),
                          .node_epoch = n->epoch,
                          .issuer = span_of(issuers[i].name),
                          .issuer_epoch = issuers[i].epoch,
                          .second = second,
                          .count = count};
    CHECK(m, pool_told(m->w.pool, m->w.now, &t) == (alive ? 0 : BERTH_ESTALE));
    if (alive && cell(n, i, second)->assigned < count)
        cell(n, i, second)->assigned = count;
}

static void move(struct model *m, struct model_node *n)
{
    n->state = roll(m, 3) ? NODE_READY : (enum node_state)roll(m, NODE_STATES);
    pool_state(m->w.pool, m->w.now, slot_of(m, n), n->state, 0);
}

static void reserve(struct model *m, struct model_node *n)
{
    if (n->reserved && roll(m, 2)) {
        uint32_t some = 1 + roll(m, (uint32_t)n->reserved);
        pool_release(m->w.pool, slot_of(m, n), n->epoch, some);
        n->reserved -= some;
    } else {
        pool_reserve(m->w.pool, slot_of(m, n), 2);
        n->reserved += 2;
    }
}

/* ---- the choice ---- */

struct ask {
    struct pool_query query;
    struct span exclude[3];
};

static struct ask make_ask(struct model *m)
{
    struct ask a = {.query = {.seats = roll(m, 3) ? 1 : 1 + roll(m, 6)}};
    if (roll(m, 3) == 0)
        a.query.zone = roll(m, 2) ? SPAN("e") : SPAN("w");
    if (roll(m, 3) == 0)
        a.query.version = roll(m, 2) ? SPAN("1") : SPAN("2");
    if (roll(m, 3) == 0)
        for (int i = 0; i < 3; i++)
            a.exclude[a.query.exclude_count++] = span_of(m->nodes[roll(m, NODES)].name);
    return a;
}

static bool excludes(const struct ask *a, const struct model_node *n)
{
    for (size_t i = 0; i < a->query.exclude_count; i++)
        if (span_is(a->exclude[i], n->name))
            return true;
    return false;
}

/* Ready, of the version, not excluded: may be chosen when there is room. */
static bool matches(const struct ask *a, const struct model_node *n)
{
    return n->used && n->state == NODE_READY && !excludes(a, n) &&
           (a->query.version.len == 0 || span_is(a->query.version, n->version));
}

static bool has_room(const struct model *m, const struct ask *a, const struct model_node *n)
{
    return model_est(m, n) + a->query.seats <= n->capacity;
}

/* Would the strategy rather have x than y? By products, not by the pool's ratios. */
static bool prefers(const struct model *m, const struct strategy *strategy,
                    const struct model_node *x, const struct model_node *y)
{
    int64_t left = model_est(m, x) * y->capacity, right = model_est(m, y) * x->capacity;
    return strategy == &strategy_pack ? left > right : left < right;
}

static void pick(struct model *m, const struct strategy *strategy)
{
    struct ask a = make_ask(m);
    a.query.exclude = a.exclude;
    int match = 0, room = 0, room_in_zone = 0;
    for (int i = 0; i < NODES; i++) {
        const struct model_node *n = &m->nodes[i];
        if (!matches(&a, n))
            continue;
        match++;
        if (!has_room(m, &a, n))
            continue;
        room++;
        room_in_zone += a.query.zone.len > 0 && span_is(a.query.zone, n->zone);
    }
    struct pool_choice choice;
    int rc = pool_pick(m->w.pool, m->w.now, &a.query, &choice);
    CHECK(m, rc == (room ? 0 : match ? BERTH_EFULL : BERTH_ENOENT));
    if (rc < 0)
        return;
    struct pool_node view = world_node(&m->w, choice.slot);
    struct model_node *chosen = &m->nodes[atoi(view.name + 1)];
    CHECK(m, matches(&a, chosen) && has_room(m, &a, chosen));
    CHECK(m, choice.est == model_est(m, chosen) && choice.capacity == chosen->capacity);
    CHECK(m, room_in_zone == 0 || span_is(a.query.zone, chosen->zone));
    for (int i = 0; i < NODES && strategy != &strategy_two_choices; i++) {
        const struct model_node *n = &m->nodes[i];
        if (!matches(&a, n) || !has_room(m, &a, n) ||
            (room_in_zone && !span_is(a.query.zone, n->zone)))
            continue;
        CHECK(m, !prefers(m, strategy, n, chosen));
    }
    struct pool_candidate best;
    CHECK(m, pool_explain(m->w.pool, m->w.now, &a.query, &best, 1) == 1);
    CHECK(m, strcmp(best.verdict, "eligible") == 0);
    if (roll(m, 4)) {
        int64_t second = pool_assign(m->w.pool, m->w.now, choice.slot, a.query.seats);
        cell(chosen, 0, second)->assigned += a.query.seats;
    }
}

/* ---- the world ---- */

static void compare(struct model *m)
{
    struct pool_sums sums = {0};
    for (int i = 0; i < NODES; i++) {
        const struct model_node *n = &m->nodes[i];
        uint32_t slot = pool_find(m->w.pool, span_of(n->name[0] ? n->name : "none"));
        CHECK(m, (slot != POOL_NONE) == n->used);
        if (!n->used)
            continue;
        struct pool_node v = world_node(&m->w, slot);
        CHECK(m, v.conns == n->conns && v.capacity == n->capacity && v.state == n->state);
        CHECK(m, v.reserved == n->reserved && v.epoch == n->epoch);
        CHECK(m, v.pending == model_pending(m, n));
        sums.nodes[n->state]++;
        sums.conns[n->state] += n->conns;
        sums.pending[n->state] += model_pending(m, n);
        sums.reserved[n->state] += n->reserved;
        sums.capacity[n->state] += n->capacity;
    }
    const struct pool_sums *held = pool_sums(m->w.pool);
    CHECK(m, memcmp(sums.nodes, held->nodes, sizeof sums.nodes) == 0);
    CHECK(m, memcmp(sums.conns, held->conns, sizeof sums.conns) == 0);
    CHECK(m, memcmp(sums.pending, held->pending, sizeof sums.pending) == 0);
    CHECK(m, memcmp(sums.reserved, held->reserved, sizeof sums.reserved) == 0);
    CHECK(m, memcmp(sums.capacity, held->capacity, sizeof sums.capacity) == 0);
}

static void event(struct model *m, const struct strategy *strategy)
{
    struct model_node *n = &m->nodes[roll(m, NODES)];
    uint32_t die = roll(m, 100);
    if (die < 40) {
        pick(m, strategy);
    } else if (die < 45) {
        int64_t ms = roll(m, 8) ? roll(m, 300) : roll(m, 20000);
        m->w.now.mono.ms += ms;
        m->w.now.wall.ms += ms;
    } else if (!n->used) {
        join(m, n);
    } else if (die < 70) {
        report(m, n);
    } else if (die < 85) {
        told(m, n);
    } else if (die < 90) {
        reserve(m, n);
    } else if (die < 96) {
        move(m, n);
    } else if (die < 98) {
        join(m, n);
    } else {
        pool_remove(m->w.pool, m->w.now, slot_of(m, n));
        *n = (struct model_node){.epoch = n->epoch};
    }
    do
        pool_advance(m->w.pool, m->w.now);
    while (pool_deadline(m->w.pool, m->w.now).ms <= m->w.now.mono.ms);
}

static void run(uint64_t seed, const struct strategy *strategy)
{
    struct model *m = test_calloc(1, sizeof *m);
    struct pool_config config = world_config();
    config.nodes_max = NODES;
    config.issuers_max = ISSUERS;
    config.seed = seed;
    config.strategy = strategy;
    m->w = world_of(config);
    m->seed = seed;
    rng_seed(&m->rng, seed);
    for (m->step = 0; m->step < STEPS; m->step++) {
        event(m, strategy);
        compare(m);
    }
    world_end(&m->w);
    test_free(m);
}

static void run_seeds(const struct strategy *strategy)
{
    const char *given = getenv("BERTH_SEED");
    if (given) {
        run(strtoull(given, NULL, 10), strategy);
        return;
    }
    for (uint64_t seed = 1; seed <= 8; seed++)
        run(seed, strategy);
}

static void test_spread_agrees_with_the_model(void **state)
{
    run_seeds(&strategy_spread);
}

static void test_pack_agrees_with_the_model(void **state)
{
    run_seeds(&strategy_pack);
}

static void test_two_choices_agrees_with_the_model(void **state)
{
    run_seeds(&strategy_two_choices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spread_agrees_with_the_model),
        cmocka_unit_test(test_pack_agrees_with_the_model),
        cmocka_unit_test(test_two_choices_agrees_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

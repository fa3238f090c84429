/* judge_operators.c - the judge on what people wish of a pool: who is paused does nothing, who is
 * given a size has it, a roll replaces what was there and never leaves less, who is closed takes
 * nobody in. */
#include "tests/sim/judge.h"

#include "core/record.h"

enum {
    NEWS_US = 3000000,   /* a wish is known to everybody by then, if nothing ails them */
    CALM_US = 6000000,   /* nothing ails them for so long */
    SIZED_US = 20000000, /* a pool has the size that it was given */
    LONG_US = 30000000,
    ROLL_STEP_US = 34000000, /* one turn of a roll, boots aside: those who play have gone */
};

enum about { ABOUT_PAUSED, ABOUT_SIZE, ABOUT_ROLL, ABOUT_CLOSED, ABOUTS };
static const char *const fields[ABOUTS] = {"*paused|operator", "*size|operator", "*roll|operator",
                                           "*closed|operator"};

/* A wish as the store has it. */
struct standing {
    bool is;
    int64_t since_us;         /* it is, or is not, since; of the same words */
    int64_t size, written_ms; /* of the wish */
    int64_t old;              /* ROLL: nodes in service that were there when it was wished */
};
static struct standing book[WORLD_POOLS][ABOUTS];

static bool calm(const struct proc *p, int64_t us)
{
    return p != NULL && world_calm(p, us) && world_store_calm(us) &&
           world->clock_trouble_us < sim->now_us - us;
}

/* ---- the book ---- */

static bool in_service(const struct book_node *n)
{
    return n->known && !n->wanted_out && (n->state == NODE_READY || n->state == NODE_JOINING);
}

static bool is_old(const struct book_node *n)
{
    return n->epoch < book[n->pool][ABOUT_ROLL].written_ms;
}

static int64_t count_old(enum pool_id pool)
{
    int64_t old = 0;
    for (size_t i = 0; i < book_count(); i++)
        old += book_at(i)->pool == pool && in_service(book_at(i)) && is_old(book_at(i));
    return old;
}

static const struct standing *look_at_wish(enum pool_id pool, enum about what)
{
    struct standing *s = &book[pool][what];
    char word[96] = "";
    struct span row = keyspace_field(world->store.ks, keys_get(&world->keys[pool], KEY_WANTS),
                                     span_of(fields[what]));
    int64_t until = row.ptr != NULL ? record_int_or(row, "until", 0) : 0;
    bool is = row.ptr != NULL && (until == 0 || until > judge_store_ms());
    int64_t written = is ? record_int_or(row, "since", 0) : 0, size = 0;
    if (is && what == ABOUT_SIZE && record_text(row, "want", word, sizeof word) >= 0)
        size = book_number(span_of(word + strlen("size:")));
    if (is == s->is && written == s->written_ms && size == s->size)
        return s;
    *s = (struct standing){.is = is, .since_us = sim->now_us, .size = size, .written_ms = written};
    s->old = what == ABOUT_ROLL ? count_old(pool) : 0;
    return s;
}

static bool stands_for(enum pool_id pool, enum about what, int64_t us)
{
    const struct standing *s = look_at_wish(pool, what);
    return s->is && s->since_us < sim->now_us - us;
}

static bool gone_for(enum pool_id pool, enum about what, int64_t us)
{
    const struct standing *s = look_at_wish(pool, what);
    return !s->is && s->since_us < sim->now_us - us;
}

bool judge_sized_within(enum pool_id pool, int64_t us)
{
    return !gone_for(pool, ABOUT_SIZE, us);
}

bool judge_rolled_within(enum pool_id pool, int64_t us)
{
    return !gone_for(pool, ABOUT_ROLL, us);
}

bool judge_paused_within(enum pool_id pool, int64_t us)
{
    return !gone_for(pool, ABOUT_PAUSED, us);
}

/* ---- paused ---- */

void judge_paused(const struct proc *leader, enum pool_id pool, const char *what)
{
    if (stands_for(pool, ABOUT_PAUSED, NEWS_US) && calm(leader, CALM_US))
        sim_fail("paused: pool %s is paused for %.1f s, and %s %s", world->pools[pool]->name,
                 (double)(sim->now_us - book[pool][ABOUT_PAUSED].since_us) / 1e6, leader->name,
                 what);
}

/* ---- size ---- */

static void judge_sized(enum pool_id pool)
{
    const struct scale_settings *s = &world->pools[pool]->scale;
    int64_t size = book[pool][ABOUT_SIZE].size, there = 0;
    size = size < s->min ? s->min : size > s->max ? s->max : size;
    if (!stands_for(pool, ABOUT_SIZE, SIZED_US) || !gone_for(pool, ABOUT_PAUSED, LONG_US) ||
        !gone_for(pool, ABOUT_ROLL, LONG_US) || world->config.stillborn > 0 ||
        world->config.cloud_error + world->config.cloud_lost > 0 ||
        world->cloud_trouble_us > sim->now_us - LONG_US)
        return;
    for (size_t i = 0; i < world->instance_count; i++) {
        const struct instance *in = &world->instances[i];
        if (in->pool == pool && in->running && in->task.proc.trouble_us > sim->now_us - LONG_US &&
            in->task.proc.trouble_us > in->task.started_us)
            return;
    }
    for (size_t i = 0; i < world->autoscale_count; i++)
        if (!calm(&world->autoscale[i].proc, LONG_US))
            return;
    for (size_t i = 0; i < book_count(); i++)
        there += book_at(i)->pool == pool && in_service(book_at(i));
    if (there != size)
        sim_fail("size: pool %s is to have %lld nodes for %.1f s, it has %lld",
                 world->pools[pool]->name, (long long)size,
                 (double)(sim->now_us - book[pool][ABOUT_SIZE].since_us) / 1e6, (long long)there);
}

/* ---- roll ---- */

static int64_t base_of(enum pool_id pool)
{
    struct span row =
        keyspace_field(world->store.ks, keys_get(&world->keys[pool], KEY_PLAN), SPAN("roll"));
    return row.ptr != NULL ? record_int_or(row, "base", -1) : -1;
}

/* A node is drained to be replaced: an old one, and so many stay as there were. */
void judge_rolled(const struct book_node *n, const struct proc *leader)
{
    const struct pool_settings *s = world->pools[n->pool];
    int64_t base = base_of(n->pool), ready = 0, leaving = 0;
    if (!calm(leader, CALM_US))
        return;
    if (gone_for(n->pool, ABOUT_ROLL, NEWS_US))
        sim_fail("roll: %s is replaced, nobody wants a roll of pool %s", n->name, s->name);
    if (!stands_for(n->pool, ABOUT_ROLL, NEWS_US))
        return;
    if (!is_old(n))
        sim_fail("roll: %s is replaced, but it joined after the wish", n->name);
    for (size_t i = 0; i < book_count(); i++) {
        const struct book_node *o = book_at(i);
        if (o->pool != n->pool || !o->known)
            continue;
        if (o->state != NODE_READY && o->since_us > sim->now_us - NEWS_US)
            return; /* a loss of which the leader need not know */
        if (o != n && o->wanted_us > sim->now_us - NEWS_US && !o->wanted[WANT_BY_AUTOSCALE])
            return; /* nor of such a wish of others */
        ready += o->state == NODE_READY && !o->wanted_out;
        leaving += is_old(o) && o->wanted[WANT_BY_AUTOSCALE] && !o->wanted[WANT_BY_NODE] &&
                   !o->wanted[WANT_BY_OPERATOR] && o->state != NODE_TERMINATING &&
                   o->state != NODE_LOST;
    }
    if (base < s->scale.min)
        sim_fail("roll: %s is replaced, the plan says that %lld are to stay", n->name,
                 (long long)base);
    if (ready < base)
        sim_fail("roll: %s is replaced, and %lld are left; %lld must stay", n->name,
                 (long long)ready, (long long)base);
    if (leaving > s->scale.max_step)
        sim_fail("roll: %s is replaced, %lld old ones are on their way out, at most %lld may be",
                 n->name, (long long)leaving, (long long)s->scale.max_step);
}

/* It ends: no old node stays in service. */
static void judge_roll_over(enum pool_id pool)
{
    const struct scale_settings *s = &world->pools[pool]->scale;
    int64_t turns = (book[pool][ABOUT_ROLL].old + s->max_step - 1) / s->max_step + 1;
    int64_t limit_us = turns * (ROLL_STEP_US + (int64_t)(world->config.boot_s * 1e6) +
                                (int64_t)(world->config.play_s * 1e6));
    if (!stands_for(pool, ABOUT_ROLL, limit_us) || !gone_for(pool, ABOUT_PAUSED, limit_us) ||
        base_of(pool) >= s->max || world->config.stillborn > 0 ||
        world->quiet_from_us > sim->now_us - limit_us)
        return;
    int64_t old = count_old(pool);
    if (old > 0)
        sim_fail("roll: pool %s is rolled for %.1f s, %lld old nodes are still in service",
                 world->pools[pool]->name,
                 (double)(sim->now_us - book[pool][ABOUT_ROLL].since_us) / 1e6, (long long)old);
}

/* ---- closed ---- */

void judge_closed(const struct proc *lb, enum pool_id pool, bool placed, const char *why)
{
    if (!calm(lb, CALM_US))
        return;
    if (placed && stands_for(pool, ABOUT_CLOSED, NEWS_US))
        sim_fail("closed: %s places on pool %s (%s), which is closed for %.1f s", lb->name,
                 world->pools[pool]->name, why,
                 (double)(sim->now_us - book[pool][ABOUT_CLOSED].since_us) / 1e6);
    if (!placed && strcmp(why, "closed") == 0 && gone_for(pool, ABOUT_CLOSED, NEWS_US))
        sim_fail("closed: %s says that pool %s is closed, it is open for %.1f s", lb->name,
                 world->pools[pool]->name,
                 (double)(sim->now_us - book[pool][ABOUT_CLOSED].since_us) / 1e6);
}

/* ---- drain deadline ---- */

bool judge_deadline_over(const struct book_node *n, int64_t slack_us)
{
    int64_t deadline_us = world->pools[n->pool]->scale.drain_deadline_ms * SIM_MS;
    return deadline_us > 0 && n->wanted[WANT_BY_AUTOSCALE] &&
           sim->now_us - n->wanted_us > deadline_us + slack_us;
}

/* ---- looking around ---- */

void judge_look_operators(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++) {
        for (int what = 0; what < ABOUTS; what++)
            (void)look_at_wish((enum pool_id)pool, (enum about)what);
        judge_sized((enum pool_id)pool);
        judge_roll_over((enum pool_id)pool);
    }
}

void judge_start_operators(void)
{
    memset(book, 0, sizeof book);
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        for (int what = 0; what < ABOUTS; what++)
            book[pool][what].since_us = -60 * SIM_S;
}

/* judge_moves.c - the judge on states: who moved which node from what to what, what a sweep lost
 * and forgot, and who should have been given up, or should not be where it is for so long. */
#include "tests/sim/judge.h"

#include "core/record.h"

enum {
    RED = 1000000000,
    RISE = 2,                /* probes that prove a node: the default, which these worlds keep */
    NEWS_US = 2000000,       /* a wish so young may not have been heard of yet */
    GRACE_US = 6000000,      /* after the guard has held, nobody is given up for so long */
    CALM_US = 15000000,      /* nothing has happened to anybody for so long: */
    STAY_US = 12000000,      /* then nobody joins, is lost or closes for longer than this, */
    IGNORED_US = 8000000,    /* no wish is without effect for longer, */
    EMPTY_US = 30000000,     /* who is wanted out is not empty and draining for longer, */
    DONE_US = 25000000,      /* nor drained and wanted by nobody else, */
    ENDING_US = 40000000,    /* nor being terminated */
    LATE_US = 6000000,       /* nor alive so long after its drain_deadline */
    GONE_AFTER_US = 8000000, /* the dead are forgotten so soon after forget_after */
};

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
static bool well(const struct book_node *n, int64_t for_us)
{
    const struct instance *in = world_instance(span_of(n->name));
    return in != NULL && in->running && !in->ending && in->task.started_us < sim->now_us - for_us &&
           world_calm(&in->task.proc, for_us);
}

static bool lbs_well(int64_t for_us)
{
    for (size_t i = 0; i < world->lb_count; i++)
        if (!world_calm(&world->lb[i].proc, for_us))
            return false;
    return true;
}

/* Nor the autoscalers, whoever leads. */
static bool leaders_well(int64_t for_us)
{
    for (size_t i = 0; i < world->autoscale_count; i++)
        if (!world->autoscale_up[i] || world->autoscale[i].started_us > sim->now_us - for_us ||
            !world_calm(&world->autoscale[i].proc, for_us))
            return false;
    return true;
}

static void judge_lost(const struct book_node *n, const char *why)
{
    sim_trace("store", "lost node=%s why=%s", n->name, why);
    if (well(n, 20 * SIM_S) && lbs_well(20 * SIM_S))
        sim_fail("lost: %s was given up (%s), but nothing happened to it", n->name, why);
}

/* ---- what a change leaves behind ---- */

static struct span field_of(const struct book_node *n, enum key_id key)
{
    return keyspace_field(world->store.ks, keys_get(&world->keys[n->pool], key), span_of(n->name));
}

static const struct dict_entry *member_of(const struct book_node *n, enum key_id key)
{
    const struct object *o = keyspace_get(world->store.ks, keys_get(&world->keys[n->pool], key));
    return o != NULL ? dict_find(&o->dict, span_of(n->name)) : NULL;
}

/* Of a node that is gone nothing is left. */
static void judge_traces(const struct book_node *n)
{
    static const enum key_id hashes[] = {KEY_NODES, KEY_REPORTS, KEY_STATES};
    static const enum key_id sets[] = {KEY_BEATS, KEY_LOAD};
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
        if (field_of(n, hashes[i]).ptr != NULL)
            sim_fail("gone: %s is forgotten, but still in %.*s", n->name,
                     SPAN_ARG(keys_get(&world->keys[n->pool], hashes[i])));
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (member_of(n, sets[i]) != NULL)
            sim_fail("gone: %s is forgotten, but still in %.*s", n->name,
                     SPAN_ARG(keys_get(&world->keys[n->pool], sets[i])));
    if (n->wanted_out)
        sim_fail("gone: %s is forgotten, but a wish for it stands", n->name);
}

/* The face that any API server may read: who is ready and not full has its players there. */
static void judge_load(const struct book_node *n)
{
    const struct dict_entry *e = member_of(n, KEY_LOAD);
    struct span report = field_of(n, KEY_REPORTS);
    int64_t conns = record_int_or(report, "conns", 0), capacity = record_int_or(report, "cap", 0);
    bool green = n->state == NODE_READY && conns < capacity;
    double right = (double)(green ? conns : RED + conns);
    if (e == NULL || e->score != right)
        sim_fail("load: %s is %s with %lld of %lld players, its load is %.0f", n->name,
                 state_word(n->state), (long long)conns, (long long)capacity,
                 e != NULL ? e->score : -1.0);
}

/* Field `name` of the last entry of a stream; NULL pointer: there is none. */
static struct span last_told(enum pool_id pool, enum key_id key, const char *name)
{
    const struct object *o = keyspace_get(world->store.ks, keys_get(&world->keys[pool], key));
    struct span s[2] = {{NULL, 0}, {NULL, 0}};
    if (o == NULL || o->end == o->first)
        return s[1];
    const struct stream_entry *e = &o->entries[o->end - 1];
    const char *at = e->text;
    for (size_t i = 0; i + 1 < e->count; i += 2) {
        for (size_t k = 0; k < 2; k++) {
            memcpy(&s[k].len, at, sizeof s[k].len);
            s[k].ptr = at + sizeof s[k].len;
            at = s[k].ptr + s[k].len;
        }
        if (span_is(s[0], name))
            return s[1];
    }
    return (struct span){NULL, 0};
}

/* Those who follow the pool, and those who read its events, are told of it in the same script. */
static void judge_news(const struct book_node *n, enum node_state from, enum node_state to)
{
    char words[64];
    struct span fed = last_told(n->pool, KEY_FEED, "d"),
                event = last_told(n->pool, KEY_EVENTS, "d");
    int len = snprintf(words, sizeof words, "from=%s to=%s ", state_word(from), state_word(to));
    if (!span_is(last_told(n->pool, KEY_FEED, "n"), n->name) ||
        !span_is(last_told(n->pool, KEY_FEED, "k"), to == NODE_GONE ? "gone" : "state") ||
        (to != NODE_GONE && !span_eq(fed, field_of(n, KEY_STATES))))
        sim_fail("move: %s: %s, the feed says: %.*s", n->name, words, SPAN_ARG(fed));
    if (!span_is(last_told(n->pool, KEY_EVENTS, "n"), n->name) || event.ptr == NULL ||
        event.len < (size_t)len || memcmp(event.ptr, words, (size_t)len) != 0)
        sim_fail("move: %s: %s, the events say: %.*s", n->name, words, SPAN_ARG(event));
}

/* ---- one move ---- */

/* Who ends an instance must have wanted it out alone; or it is no more already. */
static void judge_ending(const struct book_node *n)
{
    const struct instance *in = world_instance(span_of(n->name));
    if (in == NULL || in->gone || in->ending)
        return;
    if (!n->wanted[WANT_BY_AUTOSCALE])
        sim_fail("scale-in: %s is to be ended, but the autoscaler does not want it out", n->name);
    bool others = n->wanted[WANT_BY_NODE] || n->wanted[WANT_BY_OPERATOR];
    if (others && n->wanted_us < sim->now_us - NEWS_US && world_store_calm(5 * SIM_S))
        sim_fail("scale-in: %s is to be ended, but others want it out, too", n->name);
}

static const struct task *autoscaler_named(struct span holder)
{
    struct span name = span_cut(&holder, ' ');
    for (size_t i = 0; i < world->autoscale_count; i++)
        if (span_is(name, world->autoscale[i].proc.name))
            return &world->autoscale[i];
    return NULL;
}

static void judge_goal(const struct book_node *was, enum node_state to, bool owner,
                       struct span holder)
{
    const struct instance *in = world_instance(span_of(was->name));
    if (to == NODE_LOST)
        judge_lost(was, "probes");
    if (to == NODE_DRAINED && !was->closed && was->beat_ms > 0)
        sim_fail("drained: %s never said that its door is closed", was->name);
    if (to == NODE_DRAINED && in != NULL && in->running && prog_node_conns(in->task.app) > 0)
        sim_fail("drained: %s is said to be, with %u players on it", was->name,
                 prog_node_conns(in->task.app));
    if (to == NODE_CLOSING && lbs_well(CALM_US) && world_store_calm(CALM_US) &&
        sim->now_us - was->since_us < world->pools[was->pool]->ticket_ttl_ms * SIM_MS - SIM_S)
        sim_fail("drained: %s closes after %.1f s, tickets live for longer", was->name,
                 (double)(sim->now_us - was->since_us) / 1e6);
    if (to == NODE_TERMINATING)
        judge_ending(was);
    if (to == NODE_TERMINATING && autoscaler_named(holder) != NULL)
        judge_paused(&autoscaler_named(holder)->proc, was->pool, "ends a node");
    if (to == NODE_GONE && !owner && in != NULL && !in->gone && in->running)
        sim_fail("gone: %s is forgotten, its instance runs", was->name);
    if (to != NODE_READY || !owner || !world_store_calm(60 * SIM_S))
        return;
    for (size_t i = 0; i < world->lb_count; i++)
        if (strncmp(holder.ptr, world->lb[i].proc.name, 4) == 0 && was->proved[i] < RISE)
            sim_fail("ready: %s was not proved by %s", was->name, world->lb[i].proc.name);
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
    struct span holder = a[1];
    if (!owner || to == NODE_CLOSING || to == NODE_DRAINED)
        faults_aim(span_cut(&holder, ' '));
    if (!was.known || was.state != from || was.epoch != book_number(a[3]))
        sim_fail("move: %s went from %s, but it was %s of epoch %lld", n->name, state_word(from),
                 was.known ? state_word(was.state) : "unknown", (long long)was.epoch);
    if (!legal(owner, from, to))
        sim_fail("move: %s went from %s to %s by %s", n->name, state_word(from), state_word(to),
                 owner ? "the owner" : "the leader");
    judge_goal(&was, to, owner, a[1]);
    book_refresh(n);
    enum node_state now = NODE_GONE;
    if (n->known)
        now = n->state;
    if (now != to)
        sim_fail("move: %s was moved to %s, but it is %s", n->name, state_word(to),
                 state_word(now));
    judge_news(n, from, to);
    if (to == NODE_GONE) {
        judge_traces(n);
        return;
    }
    if (n->epoch != was.epoch)
        sim_fail("move: %s has epoch %lld, and after it %lld", n->name, (long long)was.epoch,
                 (long long)n->epoch);
    struct span token = a[1];
    (void)span_cut(&token, ' ');
    (void)span_cut(&token, ' ');
    if (record_int_or(field_of(n, KEY_STATES), "fence", 0) != book_number(token))
        sim_fail("move: %s does not say under which token it was moved", n->name);
    judge_load(n);
}

void judge_probed(size_t lb, enum pool_id pool, struct span name, int64_t epoch, bool ok)
{
    struct book_node *n = book_open(pool, name, false);
    if (n != NULL && n->epoch == epoch)
        n->proved[lb] = ok ? n->proved[lb] + 1 : 0;
}

/* ---- a sweep ---- */

static void judge_swept(struct book_node *n)
{
    const struct pool_settings *s = world->pools[n->pool];
    judge_lost(n, "silent");
    if (n->known && n->reported_us > sim->now_us - 1500 * SIM_MS && world_store_calm(10 * SIM_S) &&
        world->clock_trouble_us < sim->now_us - 10 * SIM_S)
        sim_fail("lost: %s is silent they say, but it reported %lld ms ago", n->name,
                 (long long)((sim->now_us - n->reported_us) / 1000));
    int64_t silent_ms = judge_store_ms() - n->beat_ms;
    if (n->beat_ms > 0 && silent_ms < s->lost_after_ms)
        sim_fail("lost: %s is given up for its silence of %lld ms", n->name, (long long)silent_ms);
    if (n->state == NODE_LOST || n->state == NODE_TERMINATING)
        sim_fail("lost: %s is given up, but it was %s", n->name, state_word(n->state));
}

static void judge_forgotten(struct book_node *n)
{
    int64_t lost_ms = judge_store_ms() - n->since_ms;
    if (n->state != NODE_LOST)
        sim_fail("gone: %s was forgotten while %s", n->name, state_word(n->state));
    if (n->since_ms > 0 && lost_ms < world->pools[n->pool]->forget_after_ms)
        sim_fail("gone: %s was forgotten after %lld ms", n->name, (long long)lost_ms);
}

/* Silent for two thirds of lost_after: about to be given up, too. */
static size_t followers(enum pool_id pool)
{
    int64_t lost_after_ms = world->pools[pool]->lost_after_ms;
    size_t n = 0;
    for (size_t i = 0; i < book_count(); i++) {
        const struct book_node *o = book_at(i);
        int64_t silent_ms = judge_store_ms() - o->beat_ms;
        bool out =
            o->state == NODE_LOST || o->state == NODE_TERMINATING || o->state == NODE_DRAINED;
        n += o->pool == pool && o->known && !out && o->beat_ms > 0 &&
             silent_ms > lost_after_ms * 2 / 3 && silent_ms < lost_after_ms;
    }
    return n;
}

void judge_sweep(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    size_t losable = 0;
    bool guarded = span_is(answer->items[0].text, "GUARD");
    if (!guarded && !span_is(answer->items[0].text, "OK"))
        return;
    judge_must_hold("sweep", w->list[0], a[0]);
    if (guarded)
        return;
    for (size_t i = 0; i < book_count(); i++) {
        const struct book_node *n = book_at(i);
        bool out =
            n->state == NODE_LOST || n->state == NODE_TERMINATING || n->state == NODE_DRAINED;
        bool heard = judge_store_ms() - n->beat_ms < world->pools[pool]->lost_after_ms;
        losable += n->pool == pool && n->known && (!out || heard); /* who is heard is of the pool */
    }
    const struct resp *lost = &answer->items[2], *gone = &answer->items[3];
    size_t alarming = 0, following = followers(pool);
    for (size_t i = 0; i < lost->count; i++) {
        struct book_node *n = book_open(pool, lost->items[i].text, true);
        alarming += n->state != NODE_DRAINED;
        judge_swept(n);
        book_refresh(n);
        if (!n->known || n->state != NODE_LOST)
            sim_fail("lost: %s was given up, but it is %s", n->name,
                     n->known ? state_word(n->state) : "gone");
        judge_load(n);
    }
    bool accepted = sim->now_us < world->accepted_until_us[pool] + SIM_S;
    size_t guard = (size_t)world->pools[pool]->guard_percent, all = alarming + following;
    if (guard > 0 && !accepted && alarming > 0 && all > 1 && all * 100 > losable * guard)
        sim_fail("guard: one sweep lost %zu of %zu nodes of %s, and %zu are about to follow",
                 alarming, losable, world->pools[pool]->name, following);
    for (size_t i = 0; i < gone->count; i++) {
        struct book_node *n = book_open(pool, gone->items[i].text, true);
        judge_forgotten(n);
        book_refresh(n);
        judge_traces(n);
    }
    for (size_t i = 0; i < book_count(); i++)
        if (book_at(i)->pool == pool)
            book_refresh(book_at(i));
}

/* ---- looking around ---- */

/* The cloud, or people, keep the leader from ending what is to be ended. */
static bool hindered(enum pool_id pool)
{
    return world->cloud_trouble_us > sim->now_us - ENDING_US ||
           world->config.cloud_error + world->config.cloud_lost > 0 ||
           judge_paused_within(pool, ENDING_US);
}

/* A node that is dead for long is given up, and then forgotten. */
static void look_at_dead(const struct instance *in, const struct book_node *n)
{
    int64_t dead_us = sim->now_us - in->gone_us;
    int64_t forget_us = world->pools[n->pool]->forget_after_ms * 1000 + GONE_AFTER_US;
    bool brought_back = world->store_trouble_us > in->gone_us; /* its forgetting was lost */
    if (n->state == NODE_TERMINATING && dead_us > ENDING_US && !hindered(in->pool) && !brought_back)
        sim_fail("dead: %s has ended %.1f s ago and is terminating still", in->id,
                 (double)dead_us / 1e6);
    bool losable = n->state != NODE_LOST && n->state != NODE_TERMINATING;
    bool waited_for = world->guarded_us[in->pool] > sim->now_us - GRACE_US;
    if (dead_us > 12 * SIM_S && losable && !waited_for)
        sim_fail("dead: %s is gone for %.1f s and still %s", in->id, (double)dead_us / 1e6,
                 state_word(n->state));
    if (n->state == NODE_LOST && sim->now_us - n->since_us > forget_us)
        sim_fail("dead: %s is lost for %.1f s and not forgotten", in->id,
                 (double)(sim->now_us - n->since_us) / 1e6);
}

/* Nobody is where it is for longer than it takes. */
static void look_at_living(const struct instance *in, const struct book_node *n)
{
    int64_t stays_us = sim->now_us - n->since_us, wished_us = sim->now_us - n->wanted_us;
    bool out = n->wanted_out || n->drain;
    bool passing = n->state == NODE_JOINING || n->state == NODE_LOST || n->state == NODE_CLOSING;
    if (passing && stays_us > STAY_US)
        sim_fail("liveness: %s is %s for %.1f s", n->name, state_word(n->state),
                 (double)stays_us / 1e6);
    if (n->state == NODE_READY && n->wanted_out && wished_us > IGNORED_US)
        sim_fail("liveness: %s is wanted out for %.1f s and still ready", n->name,
                 (double)wished_us / 1e6);
    bool leaving = n->state == NODE_DRAINING || n->state == NODE_DRAINED;
    if (leaving && !out && wished_us > IGNORED_US && stays_us > IGNORED_US)
        sim_fail("liveness: %s is %s, and nobody wants it out", n->name, state_word(n->state));
    if (n->state == NODE_DRAINING && out && n->empty_us > 0 && stays_us > EMPTY_US &&
        n->empty_us < sim->now_us - EMPTY_US)
        sim_fail("liveness: %s is draining, and empty for %.1f s", n->name,
                 (double)(sim->now_us - n->empty_us) / 1e6);
    if (in->ending)
        return;
    bool own =
        n->wanted[WANT_BY_AUTOSCALE] && !n->wanted[WANT_BY_NODE] && !n->wanted[WANT_BY_OPERATOR];
    if (n->state == NODE_DRAINED && own && wished_us > DONE_US && stays_us > DONE_US &&
        !hindered(in->pool))
        sim_fail("liveness: %s is drained for %.1f s and not ended", n->name,
                 (double)stays_us / 1e6);
    if (n->state == NODE_TERMINATING && stays_us > ENDING_US && !hindered(in->pool))
        sim_fail("liveness: %s is being ended for %.1f s, nobody asks the cloud", n->name,
                 (double)stays_us / 1e6);
    if ((n->state == NODE_DRAINING || n->state == NODE_CLOSING) && own &&
        judge_deadline_over(n, LATE_US) && !hindered(in->pool) && leaders_well(LATE_US))
        sim_fail(
            "deadline: %s is to be ended at its drain_deadline of %lld s, it drains for %.1f s",
            n->name, (long long)(world->pools[n->pool]->scale.drain_deadline_ms / 1000),
            (double)wished_us / 1e6);
}

void judge_look_nodes(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        if (world_pool_guarded((enum pool_id)pool))
            world->guarded_us[pool] = sim->now_us;
    for (size_t i = 0; i < book_count(); i++) {
        struct book_node *n = book_at(i);
        const struct instance *in = world_instance(span_of(n->name));
        bool empty =
            in != NULL && in->running && n->rooms == 0 && prog_node_conns(in->task.app) == 0;
        if (!empty)
            n->empty_us = 0;
        else if (n->empty_us == 0)
            n->empty_us = sim->now_us;
        if (in == NULL || !n->known || !lbs_well(CALM_US) || !world_store_calm(25 * SIM_S) ||
            world->clock_trouble_us > sim->now_us - CALM_US)
            continue;
        if (in->gone)
            look_at_dead(in, n);
        else if (well(n, CALM_US))
            look_at_living(in, n);
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

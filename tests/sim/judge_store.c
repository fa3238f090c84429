/* judge_store.c - the judge's book of the store: leases and their tokens, the states of nodes and
 * who moved them, plans, what was admitted. Read from what scripts were asked and answered, and
 * from the keyspace itself; never by the scripts' own reasoning. */
#include "tests/sim/judge.h"

#include "core/record.h"
#include "store/node_report.h"

#include <assert.h>
#include <stdlib.h>

enum { NODES_MAX = 1024, GRANTS_MAX = 4096, ISSUES_MAX = 65536 };

struct book_lease {
    char holder[CALL_HOLDER_MAX]; /* "" : nobody, or not known */
    int64_t until_ms;             /* on the store's clock */
    int64_t last_token;
    char last_holder[CALL_HOLDER_MAX];
};

static struct book {
    struct book_node nodes[NODES_MAX];
    size_t node_count;
    struct book_lease leases[WORLD_POOLS][2]; /* owner, leader */
    struct dict plans[WORLD_POOLS];           /* token -> count */
    struct dict rooms;                        /* room -> node (value), its epoch (score) */
    struct dict issued;                       /* who, when, where -> count (score) */
    struct keyspace *ks;                      /* that this book is about */
} book;

/* ---- small things ---- */

static int64_t number(struct span s)
{
    int64_t n = 0;
    (void)span_int(s, &n);
    return n;
}

static int64_t store_ms(void)
{
    return store_server_now_us(&world->store) / 1000;
}

static struct book_node *node_of(enum pool_id pool, struct span name, bool create)
{
    for (size_t i = 0; i < book.node_count; i++)
        if (book.nodes[i].pool == pool && span_is(name, book.nodes[i].name))
            return &book.nodes[i];
    if (!create)
        return NULL;
    assert(book.node_count < NODES_MAX);
    struct book_node *n = &book.nodes[book.node_count++];
    *n = (struct book_node){.pool = pool};
    (void)span_copy(name, n->name, sizeof n->name);
    return n;
}

const struct book_node *book_node(enum pool_id pool, struct span name)
{
    const struct book_node *n = node_of(pool, name, false);
    return n != NULL && n->known ? n : NULL;
}

int book_planned(enum pool_id pool, const char *token)
{
    const struct dict_entry *e = dict_find(&book.plans[pool], span_of(token));
    return e != NULL ? (int)e->score : -1;
}

/* What the store says of a node now. */
static bool read_state(enum pool_id pool, struct span name, enum node_state *ret_state,
                       int64_t *ret_epoch)
{
    struct span row =
        keyspace_field(world->store.ks, keys_get(&world->keys[pool], KEY_STATES), name);
    char word[32];
    if (row.ptr == NULL || record_text(row, "state", word, sizeof word) < 0)
        return false;
    char epoch[32];
    if (record_text(row, "epoch", epoch, sizeof epoch) < 0)
        return false;
    *ret_epoch = number(span_of(epoch));
    return state_parse(span_of(word), ret_state);
}

static bool wanted_out(enum pool_id pool, const char *name)
{
    static const char *const who[] = {"node", "operator", "autoscale"};
    struct span wants = keys_get(&world->keys[pool], KEY_WANTS);
    for (size_t i = 0; i < 3; i++) {
        char field[96];
        (void)snprintf(field, sizeof field, "%s|%s", name, who[i]);
        struct span row = keyspace_field(world->store.ks, wants, span_of(field));
        if (row.ptr != NULL && memmem(row.ptr, row.len, "want=draining", 13) != NULL)
            return true;
    }
    return false;
}

/* Take over what the store says of this node, and judge the step from what was. */
static void refresh(struct book_node *n)
{
    enum node_state state;
    int64_t epoch;
    bool known = read_state(n->pool, span_of(n->name), &state, &epoch);
    n->wanted_out = known && wanted_out(n->pool, n->name);
    if (known && (!n->known || n->state != state || n->epoch != epoch)) {
        n->since_us = sim->now_us;
        n->state = state;
        n->epoch = epoch;
    }
    n->known = known;
}

/* ---- leases ---- */

static struct book_lease *lease_of(struct span key)
{
    enum pool_id pool = world_pool_of_key(key);
    bool owner = key.len > 5 && memcmp(key.ptr + key.len - 5, "owner", 5) == 0;
    return &book.leases[pool][owner ? 0 : 1];
}

/* The holder that a script was told must be the one whom the lease was granted to, and it must not
 * be over. */
static void must_hold(const char *what, struct span lease_key, struct span holder)
{
    const struct book_lease *l = lease_of(lease_key);
    struct span present = keyspace_string(world->store.ks, lease_key);
    if (!span_eq(present, holder))
        sim_fail("fence: %s was carried out for %.*s, the lease is %.*s's", what, SPAN_ARG(holder),
                 present.ptr != NULL ? (int)present.len : 6,
                 present.ptr != NULL ? present.ptr : "nobody");
    else if (l->holder[0] && !span_is(holder, l->holder))
        sim_fail("fence: %s was carried out for %.*s, the lease was granted to %s", what,
                 SPAN_ARG(holder), l->holder);
}

static void on_lease(const struct words *w, const struct resp *answer)
{
    struct span op = w->list[2], name = w->list[3], epoch = w->list[4], token = w->list[5];
    struct book_lease *l = lease_of(w->list[0]);
    char holder[CALL_HOLDER_MAX];
    if (!span_is(answer->items[0].text, "OK"))
        return;
    int64_t given = answer->count > 2 ? answer->items[2].integer : number(token);
    (void)snprintf(holder, sizeof holder, "%.*s %.*s %lld", SPAN_ARG(name), SPAN_ARG(epoch),
                   (long long)given);
    if (span_is(op, "release")) {
        l->holder[0] = '\0';
        return;
    }
    if (l->holder[0] && strcmp(l->holder, holder) != 0 && store_ms() < l->until_ms)
        sim_fail("lease: %s was given the lease of %s, which had %lld ms to live", holder,
                 l->holder, (long long)(l->until_ms - store_ms()));
    if (strcmp(l->last_holder, holder) != 0) {
        if (given <= l->last_token)
            sim_fail("lease: %s was given a token that is not above %lld, given to %s before",
                     holder, (long long)l->last_token, l->last_holder);
        sim_trace("store", "lease %.*s to %s", SPAN_ARG(w->list[0]), holder);
    }
    (void)snprintf(l->last_holder, sizeof l->last_holder, "%s", holder);
    (void)snprintf(l->holder, sizeof l->holder, "%s", holder);
    l->last_token = given;
    l->until_ms = store_ms() + number(w->list[6]);
}

/* ---- nodes ---- */

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

static void on_move(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    bool owner = span_is(a[0], "owner");
    enum node_state from = NODE_GONE, to = NODE_GONE;
    struct book_node *n = node_of(pool, a[2], true);
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
    must_hold("move", w->list[owner ? 0 : 1], a[1]);
    if (!was.known || was.state != from || was.epoch != number(a[3]))
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
    refresh(n);
    enum node_state now = NODE_GONE;
    if (n->known)
        now = n->state;
    if (now != to)
        sim_fail("move: %s was moved to %s, but it is %s", n->name, state_word(to),
                 state_word(now));
}

static void on_sweep(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    size_t losable = 0;
    if (!span_is(answer->items[0].text, "OK"))
        return;
    must_hold("sweep", w->list[0], a[0]);
    for (size_t i = 0; i < book.node_count; i++) {
        const struct book_node *n = &book.nodes[i];
        losable += n->pool == pool && n->known && n->state != NODE_LOST &&
                   n->state != NODE_TERMINATING && n->state != NODE_DRAINED;
    }
    const struct resp *lost = &answer->items[2], *gone = &answer->items[3];
    size_t alarming = 0;
    for (size_t i = 0; i < lost->count; i++) {
        struct book_node *n = node_of(pool, lost->items[i].text, true);
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
        struct book_node *n = node_of(pool, gone->items[i].text, true);
        if (n->state != NODE_LOST)
            sim_fail("gone: %s was forgotten while %s", n->name, state_word(n->state));
    }
    for (size_t i = 0; i < book.node_count; i++)
        if (book.nodes[i].pool == pool)
            refresh(&book.nodes[i]);
}

/* ---- admissions ---- */

static struct dict_entry *issue(enum pool_id pool, const char *node, int64_t node_epoch,
                                struct span issuer, int64_t issuer_epoch, int64_t second)
{
    char key[256];
    bool is_new;
    int n = snprintf(key, sizeof key, "%d %s %.*s %lld %lld", pool, node, SPAN_ARG(issuer),
                     (long long)issuer_epoch, (long long)second);
    return dict_put(&book.issued, (struct span){key, (size_t)n}, &is_new);
}

void book_issued(enum pool_id pool, const char *node, int64_t node_epoch, const char *issuer,
                 int64_t issuer_epoch, int64_t second, uint32_t count)
{
    issue(pool, node, node_epoch, span_of(issuer), issuer_epoch, second)->score += count;
}

/* A ticket admits once: nobody can admit more than were handed out. */
static void on_report(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    struct book_node *n = node_of(pool, a[0], true);
    struct node_report report;
    struct err err = {0};
    if (!span_is(answer->items[0].text, "OK"))
        return;
    if (number(a[1]) != n->epoch)
        sim_fail("report: %s of epoch %lld was taken from epoch %.*s", n->name, (long long)n->epoch,
                 SPAN_ARG(a[1]));
    n->reported_us = sim->now_us;
    if (node_report_parse(a[3], &report, &err) < 0) {
        sim_fail("report: %s sent what cannot be read: %s", n->name, err.text);
        return;
    }
    const struct instance *in = world_instance(span_of(n->name));
    if (report.closed && report.conns > 0)
        sim_fail("door: %s says it is closed and empty, and holds %lld players", n->name,
                 (long long)report.conns);
    if (in != NULL && in->running && report.conns > report.capacity)
        sim_fail("report: %s holds %lld players, at most %lld may be", n->name,
                 (long long)report.conns, (long long)report.capacity);
    for (size_t i = 0; i < report.admitted_count; i++) {
        const struct admitted_run *run = &report.admitted[i];
        for (size_t k = 0; k < run->count; k++) {
            double issued = issue(pool, n->name, report.epoch, span_of(run->issuer),
                                  run->issuer_epoch, run->first_s + (int64_t)k)
                                ->score;
            /* A balancer whose epoch the store forgot repeats its answers under the next one. */
            if ((double)run->counts[k] > issued && world_store_calm(20 * SIM_S))
                sim_fail("ticket: %s admitted %u of second %lld by %s, who handed out %.0f",
                         n->name, (unsigned)run->counts[k], (long long)(run->first_s + (int64_t)k),
                         run->issuer, issued);
        }
    }
}

static void on_join(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    struct book_node *n = node_of(pool, w->list[w->nkeys], true);
    int64_t before = n->epoch;
    bool known = n->known;
    if (!span_is(answer->items[0].text, "OK"))
        return;
    refresh(n);
    n->joined_us = sim->now_us;
    if (known && n->epoch < before)
        sim_fail("epoch: %s had %lld and was given %lld", n->name, (long long)before,
                 (long long)n->epoch);
    sim_trace("store", "join %s epoch=%lld state=%s", n->name, (long long)n->epoch,
              state_word(n->state));
}

/* ---- wishes and plans ---- */

static void on_want(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    struct book_node *n = node_of(pool, a[0], false);
    if (!span_is(answer->items[0].text, "OK"))
        return;
    sim_trace("store", "want %.*s by %.*s: %.*s why=%.*s", SPAN_ARG(a[0]), SPAN_ARG(a[1]),
              SPAN_ARG(a[2]), SPAN_ARG(a[3]));
    bool before = n != NULL && n->wanted_out;
    if (n != NULL)
        refresh(n);
    if (!span_is(a[1], "autoscale"))
        return;
    must_hold("want", w->list[4], a[6]);
    if (n == NULL || before || !n->wanted_out)
        return;
    size_t left = 0;
    bool fresh_loss = false;
    for (size_t i = 0; i < book.node_count; i++) {
        const struct book_node *o = &book.nodes[i];
        if (o->pool != pool || !o->known)
            continue;
        left += o->state == NODE_READY && !o->wanted_out;
        fresh_loss |= o->state != NODE_READY && o->since_us > sim->now_us - 4 * SIM_S;
    }
    if (left < (size_t)world->pools[pool]->scale.min && !fresh_loss && world_store_calm(5 * SIM_S))
        sim_fail("floor: %s is drained, and %zu of pool %s are left; at least %lld must be",
                 n->name, left, world->pools[pool]->name, (long long)world->pools[pool]->scale.min);
}

static void on_plan(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    size_t argc = w->count - w->nkeys;
    if (!span_is(answer->items[0].text, "OK"))
        return;
    must_hold("plan", w->list[0], a[0]);
    for (size_t i = 2; i + 1 < argc; i += 2) {
        char count[16];
        bool is_new;
        if (a[i + 1].len == 0 || memmem(a[i + 1].ptr, a[i + 1].len, "op=launch", 9) == NULL ||
            record_text(a[i + 1], "count", count, sizeof count) < 0)
            continue;
        sim_trace("store", "plan %.*s %.*s", SPAN_ARG(a[i]), SPAN_ARG(a[i + 1]));
        struct dict_entry *e = dict_put(&book.plans[pool], a[i], &is_new);
        if (!is_new && (int)e->score != (int)number(span_of(count)))
            sim_fail("plan: %.*s was planned for %.0f, and now for %s", SPAN_ARG(a[i]), e->score,
                     count);
        e->score = (double)number(span_of(count));
    }
}

/* ---- rooms ---- */

/* docs/redis.md, "room": where it is, and when it may go elsewhere. */
static void on_room(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    struct span word = answer->items[0].text;
    bool is_new, have = span_is(word, "HAVE"), moved = span_is(word, "MOVED");
    if (!have && !moved && !span_is(word, "OK"))
        return;
    struct span name = answer->items[2].text;
    const struct book_node *n = book_node(pool, name);
    int64_t epoch = answer->items[3].integer;
    if (n == NULL || n->epoch != epoch)
        sim_fail("room: %.*s is on %.*s of epoch %lld, which is no more", SPAN_ARG(a[0]),
                 SPAN_ARG(name), (long long)epoch);
    else if (!have && n->state != NODE_READY)
        sim_fail("room: %.*s was put on %s, which is %s", SPAN_ARG(a[0]), n->name,
                 state_word(n->state));
    struct dict_entry *e = dict_put(&book.rooms, a[0], &is_new);
    struct span old = dict_value(e);
    if (!is_new && !have && old.len > 0 && !span_eq(old, name)) {
        const struct book_node *o = book_node(pool, old);
        bool may = o == NULL || (double)o->epoch != e->score || o->state == NODE_LOST ||
                   o->state == NODE_DRAINED || o->state == NODE_TERMINATING;
        if (!may && moved)
            sim_fail("room: %.*s moved from %s, which is %s, to %.*s", SPAN_ARG(a[0]), o->name,
                     state_word(o->state), SPAN_ARG(name));
    }
    dict_set_value(e, name);
    e->score = (double)epoch;
}

/* ---- the door ---- */

static void on_script(void *arg, const struct words *w, const struct resp *answer)
{
    sim_digest(&w->script, sizeof w->script);
    if (answer->type != RESP_LIST || answer->count == 0 || answer->items[0].type != RESP_TEXT) {
        sim_fail("script: %s answers %.*s", scripts_table[w->script].name,
                 answer->type == RESP_ERROR ? (int)answer->text.len : 7,
                 answer->type == RESP_ERROR ? answer->text.ptr : "nothing");
        return;
    }
    if (span_is(answer->items[0].text, "BAD")) {
        sim_fail("script: %s refuses its argument %.*s", scripts_table[w->script].name,
                 SPAN_ARG(answer->items[1].text));
        return;
    }
    switch ((enum script_id)w->script) {
    case SCRIPT_LEASE:
        on_lease(w, answer);
        break;
    case SCRIPT_MOVE:
        on_move(w, answer);
        break;
    case SCRIPT_SWEEP:
        on_sweep(w, answer);
        break;
    case SCRIPT_REPORT:
        on_report(w, answer);
        break;
    case SCRIPT_JOIN:
        on_join(w, answer);
        break;
    case SCRIPT_WANT:
        on_want(w, answer);
        break;
    case SCRIPT_PLAN:
        on_plan(w, answer);
        break;
    case SCRIPT_ROOM:
        on_room(w, answer);
        break;
    case SCRIPT_SEEK:
    case SCRIPT_SEEK_CANCEL:
    case SCRIPT_SEEK_FINISH:
        sim_trace("store", "%s %.*s of %.*s says %.*s", scripts_table[w->script].name,
                  SPAN_ARG(w->list[w->nkeys]), SPAN_ARG(w->list[w->nkeys + 1]),
                  SPAN_ARG(answer->items[0].text));
        break;
    default:
        break;
    }
}

/* Another server, or another time: what was granted is not known any more; what was given out is.
 */
void judge_store_replaced(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        for (int role = 0; role < 2; role++)
            book.leases[pool][role].holder[0] = '\0';
    for (size_t i = 0; i < book.node_count; i++)
        refresh(&book.nodes[i]);
}

/* ---- looking around ---- */

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
    for (size_t i = 0; i < book.node_count; i++) {
        const struct book_node *n = &book.nodes[i];
        if (n->pool != pool || !n->known || n->state == NODE_LOST || n->state == NODE_TERMINATING ||
            n->state == NODE_DRAINED)
            continue;
        all++;
        silent += n->reported_us < sim->now_us - 3 * SIM_S;
    }
    return silent > 1 && silent * 100 > all * (size_t)world->pools[pool]->guard_percent;
}

void judge_end_store(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++) {
        const struct object *seekers =
            keyspace_get(world->store.ks, keys_get(&world->keys[pool], KEY_SEEKERS));
        if (seekers != NULL && seekers->dict.count > 12 && players_underway() == 0)
            sim_fail("liveness: nobody plays, but the store still holds %zu seekers, %s first",
                     seekers->dict.count, seekers->dict.oldest->key);
    }
    size_t keys = keyspace_purge(world->store.ks);
    if (keys > 1500)
        sim_fail("keys: %zu are left in the store at the end", keys);
}

void judge_start_store(void)
{
    memset(&book, 0, sizeof book);
    world->store.watch = on_script;
}

void judge_stop_store(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        dict_fini(&book.plans[pool]);
    dict_fini(&book.rooms);
    dict_fini(&book.issued);
}

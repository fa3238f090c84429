/* judge_store.c - the judge's book of the store: nodes and their states, what was admitted, rooms.
 * Read from what scripts were asked and answered, and from the keyspace itself; never by the
 * scripts' own reasoning. Leases are in judge_fence.c, moves in judge_moves.c, the fleet in
 * judge_fleet.c. */
#include "tests/sim/judge.h"

#include "core/record.h"
#include "store/node_report.h"

#include <assert.h>
#include <stdlib.h>

enum { NODES_MAX = 1024 };

static struct book {
    struct book_node nodes[NODES_MAX];
    size_t node_count;
    struct dict rooms;   /* room -> node (value), its epoch (score) */
    struct dict issued;  /* who, when, where -> count (score) */
    struct keyspace *ks; /* that this book is about */
} book;

/* ---- small things ---- */

int64_t book_number(struct span s)
{
    int64_t n = 0;
    (void)span_int(s, &n);
    return n;
}

int64_t judge_store_ms(void)
{
    return store_server_now_us(&world->store) / 1000;
}

struct book_node *book_open(enum pool_id pool, struct span name, bool create)
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

size_t book_count(void)
{
    return book.node_count;
}

struct book_node *book_at(size_t i)
{
    return &book.nodes[i];
}

const struct book_node *book_node(enum pool_id pool, struct span name)
{
    const struct book_node *n = book_open(pool, name, false);
    return n != NULL && n->known ? n : NULL;
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
    *ret_epoch = book_number(span_of(epoch));
    return state_parse(span_of(word), ret_state);
}

static void read_wishes(struct book_node *n)
{
    static const char *const who[WANT_WHOS] = {"node", "operator", "autoscale"};
    struct span wants = keys_get(&world->keys[n->pool], KEY_WANTS);
    bool changed = false;
    n->wanted_out = false;
    for (size_t i = 0; i < WANT_WHOS; i++) {
        char field[96];
        (void)snprintf(field, sizeof field, "%s|%s", n->name, who[i]);
        struct span row = keyspace_field(world->store.ks, wants, span_of(field));
        bool out = row.ptr != NULL && memmem(row.ptr, row.len, "want=draining", 13) != NULL;
        changed |= out != n->wanted[i];
        n->wanted[i] = out;
        n->wanted_out |= out;
    }
    if (changed)
        n->wanted_us = sim->now_us;
}

/* Take over what the store says of this node, and judge the step from what was. */
void book_refresh(struct book_node *n)
{
    enum node_state state;
    int64_t epoch = 0;
    bool known = read_state(n->pool, span_of(n->name), &state, &epoch);
    read_wishes(n);
    if (known && (!n->known || n->state != state || n->epoch != epoch)) {
        n->since_us = sim->now_us;
        n->since_ms = judge_store_ms();
        memset(n->proved, 0, sizeof n->proved);
        n->state = state;
        n->epoch = epoch;
    }
    if (n->known && !known)
        n->since_us = sim->now_us;
    n->known = known;
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
    struct book_node *n = book_open(pool, a[0], true);
    struct node_report report;
    struct err err = {0};
    if (!span_is(answer->items[0].text, "OK"))
        return;
    if (book_number(a[1]) != n->epoch)
        sim_fail("report: %s of epoch %lld was taken from epoch %.*s", n->name, (long long)n->epoch,
                 SPAN_ARG(a[1]));
    n->reported_us = sim->now_us;
    if (node_report_parse(a[3], &report, &err) < 0) {
        sim_fail("report: %s sent what cannot be read: %s", n->name, err.text);
        return;
    }
    if (report.seq > n->seq) {
        n->beat_ms = judge_store_ms();
        n->before = n->conns;
        n->conns = report.conns;
        n->rooms = report.rooms;
        n->closed = report.closed;
        n->drain = report.drain;
        n->seq = report.seq;
    }
    const struct instance *in = world_instance(span_of(n->name));
    if (report.closed && report.conns > 0)
        sim_fail("door: %s says it is closed and empty, and holds %lld players", n->name,
                 (long long)report.conns);
    if (in != NULL)
        judge_reported(in, report.conns);
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
    struct book_node *n = book_open(pool, w->list[w->nkeys], true);
    int64_t before = n->epoch;
    bool known = n->known;
    if (!span_is(answer->items[0].text, "OK"))
        return;
    if (span_is(w->list[w->nkeys + 1], "gggggggggggggggggggggggg") && world_store_calm(5 * SIM_S))
        sim_fail("join: %s was given to another process, though it lives", n->name);
    book_refresh(n);
    n->joined_us = sim->now_us;
    n->beat_ms = judge_store_ms();
    n->seq = n->conns = n->before = n->rooms = 0;
    n->closed = n->drain = false;
    if (known && n->epoch < before)
        sim_fail("epoch: %s had %lld and was given %lld", n->name, (long long)before,
                 (long long)n->epoch);
    sim_trace("store", "join %s epoch=%lld state=%s", n->name, (long long)n->epoch,
              state_word(n->state));
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
    int64_t now_ms = world->store.ks->now_us / 1000;
    if (answer->count > 1 && answer->items[1].type == RESP_INT &&
        answer->items[1].integer != now_ms)
        sim_fail("script: %s says that it is %lld, it is %lld", scripts_table[w->script].name,
                 (long long)answer->items[1].integer, (long long)now_ms);
    switch ((enum script_id)w->script) {
    case SCRIPT_LEASE:
        judge_lease(w, answer);
        break;
    case SCRIPT_MOVE:
        judge_move(w, answer);
        break;
    case SCRIPT_SWEEP:
        judge_sweep(w, answer);
        break;
    case SCRIPT_REPORT:
        on_report(w, answer);
        break;
    case SCRIPT_JOIN:
        on_join(w, answer);
        break;
    case SCRIPT_WANT:
        judge_want(w, answer);
        break;
    case SCRIPT_PLAN:
        judge_plan(w, answer);
        break;
    case SCRIPT_ROOM:
        on_room(w, answer);
        judge_claim(w, answer);
        break;
    case SCRIPT_SEEK:
    case SCRIPT_SEEK_CANCEL:
    case SCRIPT_SEEK_MAKE:
    case SCRIPT_SEEK_DROP:
    case SCRIPT_SEEK_FINISH:
    case SCRIPT_SEEK_TAKE:
    case SCRIPT_SEEK_TICK:
    case SCRIPT_SEEK_SWEEP:
    case SCRIPT_PARTY:
        judge_seek(w, answer);
        break;
    default:
        break;
    }
}

/* Another server, or another time: what was granted is not known any more; what was given out is.
 */
void judge_store_replaced(void)
{
    judge_fence_replaced();
    judge_match_replaced();
    for (size_t i = 0; i < book.node_count; i++) {
        struct book_node *n = &book.nodes[i];
        book_refresh(n);
        n->beat_ms = n->since_ms = n->seq = 0;
    }
}

/* ---- the end ---- */

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
    judge_start_fence();
    judge_start_claims();
    judge_start_fleet();
    world->store.watch = on_script;
}

void judge_stop_store(void)
{
    judge_stop_fleet();
    dict_fini(&book.rooms);
    dict_fini(&book.issued);
}

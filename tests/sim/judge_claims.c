/* judge_claims.c - the judge's book of the seats that rooms have claimed: no node is given away
 * twice over, however many LBs claim at once, and none is called full that is not. */
#include "tests/sim/judge.h"

#include "core/admitted.h"
#include "core/record.h"
#include "store/node_report.h"

enum { CLAIMS_MAX = 4096 };

/* Seats of one second that one LB claimed on one process. */
struct claim {
    enum pool_id pool;
    char node[64], issuer[96]; /* issuer: name/epoch */
    int64_t epoch, second, over_ms, seats;
};

static struct {
    struct claim list[CLAIMS_MAX];
    uint64_t count;
} book;

static int64_t came(const struct node_report *r, const struct claim *c)
{
    for (size_t i = 0; i < r->admitted_count; i++) {
        const struct admitted_run *run = &r->admitted[i];
        char issuer[96];
        (void)snprintf(issuer, sizeof issuer, "%s/%lld", run->issuer, (long long)run->issuer_epoch);
        int64_t k = c->second - run->first_s;
        if (strcmp(issuer, c->issuer) == 0 && k >= 0 && k < run->count)
            return run->counts[k];
    }
    return 0;
}

/* Claimed on this process, and not come yet. */
static int64_t owed(enum pool_id pool, struct span node, int64_t epoch,
                    const struct node_report *report)
{
    int64_t sum = 0, now_ms = judge_store_ms();
    uint64_t from = book.count > CLAIMS_MAX ? book.count - CLAIMS_MAX : 0;
    for (uint64_t i = from; i < book.count; i++) {
        const struct claim *c = &book.list[i % CLAIMS_MAX];
        if (c->pool != pool || c->epoch != epoch || !span_is(node, c->node) || c->over_ms < now_ms)
            continue;
        int64_t left = c->seats - came(report, c);
        sum += left > 0 ? left : 0;
    }
    return sum;
}

static struct claim *claim_of(enum pool_id pool, struct span node, int64_t epoch,
                              struct span issuer, int64_t second)
{
    uint64_t from = book.count > 256 ? book.count - 256 : 0;
    for (uint64_t i = book.count; i-- > from;) {
        struct claim *c = &book.list[i % CLAIMS_MAX];
        if (c->pool == pool && c->epoch == epoch && c->second == second && span_is(node, c->node) &&
            span_is(issuer, c->issuer))
            return c;
    }
    struct claim *c = &book.list[book.count++ % CLAIMS_MAX];
    *c = (struct claim){.pool = pool, .epoch = epoch, .second = second};
    (void)span_copy(node, c->node, sizeof c->node);
    (void)span_copy(issuer, c->issuer, sizeof c->issuer);
    return c;
}

/* ARGV of the script room: room node epoch seats ttl dead dead_epoch issuer alive settle. */
void judge_claim(const struct words *w, const struct resp *answer)
{
    enum pool_id pool = world_pool_of_key(w->list[0]);
    const struct span *a = w->list + w->nkeys;
    struct span word = answer->items[0].text;
    bool full = span_is(word, "FULL");
    struct node_report report;
    struct err err = {0};
    if (!full && !span_is(word, "OK") && !span_is(word, "MOVED"))
        return;
    int64_t epoch = book_number(a[2]), seats = book_number(a[3]), now_ms = answer->items[1].integer;
    struct span row =
        keyspace_field(world->store.ks, keys_get(&world->keys[pool], KEY_REPORTS), a[1]);
    if (row.ptr == NULL || node_report_parse(row, &report, &err) < 0)
        return;
    int64_t taken = report.conns + owed(pool, a[1], epoch, &report);
    sim_trace("store", "room %.*s on %.*s by %.*s: %.*s (%lld and %lld of %lld)", SPAN_ARG(a[0]),
              SPAN_ARG(a[1]), SPAN_ARG(a[7]), SPAN_ARG(word), (long long)taken, (long long)seats,
              (long long)report.capacity);
    bool over = taken + seats > report.capacity;
    /* A store that lost its last writes, or whose clock went on, knows less. */
    if (over && !full && world_store_calm(20 * SIM_S))
        sim_fail("claim: %.*s gets %lld places on %.*s: %lld of %lld are taken", SPAN_ARG(a[0]),
                 (long long)seats, SPAN_ARG(a[1]), (long long)taken, (long long)report.capacity);
    if (!over && full && world_store_calm(20 * SIM_S))
        sim_fail("claim: %.*s is called full for %lld: %lld of %lld are taken", SPAN_ARG(a[1]),
                 (long long)seats, (long long)taken, (long long)report.capacity);
    if (full)
        return;
    struct claim *c = claim_of(pool, a[1], epoch, a[7], now_ms / 1000);
    c->seats += seats;
    c->over_ms = c->second * 1000 + 1000 + book_number(a[8]);
}

void judge_start_claims(void)
{
    memset(&book, 0, sizeof book);
}

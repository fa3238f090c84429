/* judge_fence.c - the judge's book of leases and tokens: to whom each was granted, until when, and
 * whether what is fenced is carried out for nobody else. */
#include "tests/sim/judge.h"

struct book_lease {
    char holder[CALL_HOLDER_MAX]; /* "" : nobody, or not known */
    int64_t until_ms;             /* on the store's clock */
    int64_t last_token;
    char last_holder[CALL_HOLDER_MAX];
};

static struct book_lease leases[WORLD_POOLS][2]; /* owner, leader */

static struct book_lease *lease_of(struct span key)
{
    enum pool_id pool = world_pool_of_key(key);
    bool owner = key.len > 5 && memcmp(key.ptr + key.len - 5, "owner", 5) == 0;
    return &leases[pool][owner ? 0 : 1];
}

/* The holder that a script was told must be the one whom the lease was granted to, and it must not
 * be over. */
void judge_must_hold(const char *what, struct span lease_key, struct span holder)
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

void judge_lease(const struct words *w, const struct resp *answer)
{
    struct span op = w->list[2], name = w->list[3], epoch = w->list[4], token = w->list[5];
    struct book_lease *l = lease_of(w->list[0]);
    char holder[CALL_HOLDER_MAX];
    if (!span_is(answer->items[0].text, "OK"))
        return;
    int64_t given = answer->count > 2 ? answer->items[2].integer : book_number(token);
    (void)snprintf(holder, sizeof holder, "%.*s %.*s %lld", SPAN_ARG(name), SPAN_ARG(epoch),
                   (long long)given);
    if (span_is(op, "release")) {
        l->holder[0] = '\0';
        return;
    }
    if (l->holder[0] && strcmp(l->holder, holder) != 0 && judge_store_ms() < l->until_ms)
        sim_fail("lease: %s was given the lease of %s, which had %lld ms to live", holder,
                 l->holder, (long long)(l->until_ms - judge_store_ms()));
    if (strcmp(l->last_holder, holder) != 0) {
        if (given <= l->last_token)
            sim_fail("lease: %s was given a token that is not above %lld, given to %s before",
                     holder, (long long)l->last_token, l->last_holder);
        sim_trace("store", "lease %.*s to %s", SPAN_ARG(w->list[0]), holder);
    }
    (void)snprintf(l->last_holder, sizeof l->last_holder, "%s", holder);
    (void)snprintf(l->holder, sizeof l->holder, "%s", holder);
    l->last_token = given;
    l->until_ms = judge_store_ms() + book_number(w->list[6]);
}

/* Another server, or another time: what was granted is not known any more. */
void judge_fence_replaced(void)
{
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        for (int role = 0; role < 2; role++)
            leases[pool][role].holder[0] = '\0';
}

void judge_start_fence(void)
{
    memset(leases, 0, sizeof leases);
}

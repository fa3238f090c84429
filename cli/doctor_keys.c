/* doctor_keys.c - checks on the keys of the pools: what should expire, what nobody knows, what
 * grows. */
#include "cli/doctor.h"

#include "core/text.h"

#include <inttypes.h>
#include <string.h>

enum { PEERS_MOST = 256 };

bool doctor_keys_known(struct span rest, bool *ret_expires)
{
    /* docs/redis.md; a colon at the end: what follows varies */
    static const struct {
        const char *key;
        bool expires;
    } known[] = {{"load", false},         {"nodes", false},
                 {"epoch", false},        {"reports", false},
                 {"beats", false},        {"states", false},
                 {"wants", false},        {"feed", false},
                 {"owner", true},         {"leader", true},
                 {"fence", false},        {"peers", false},
                 {"plan", false},         {"events", false},
                 {"history", false},      {"history:minutes", false},
                 {"probe", true},         {"alerts", true},
                 {"room:", true},         {"player:", true},
                 {"claims:", true},       {"seek:queue:", true},
                 {"seek:seekers", true},  {"seek:modes", true},
                 {"seek:lobbies", true},  {"seek:matcher", true},
                 {"seek:matches", true},  {"seek:match:", true},
                 {"seek:results:", true}, {"seek:party:", true},
                 {"seek:group:", true},   {"seek:told:", true}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t len = strlen(known[i].key);
        bool prefix = known[i].key[len - 1] == ':';
        if (rest.len < len || (!prefix && rest.len != len) ||
            memcmp(rest.ptr, known[i].key, len) != 0)
            continue;
        *ret_expires = known[i].expires;
        return true;
    }
    return false;
}

static const char *examples(const struct doctor_odd *odd, char buf[DOCTOR_TEXT])
{
    struct text t;
    text_init(&t, buf, 256);
    for (size_t i = 0; i < odd->count && i < DOCTOR_ODD_MAX; i++)
        text_add(&t, "%s%s", i ? ", " : "", odd->names[i]);
    if (odd->count > DOCTOR_ODD_MAX)
        text_add(&t, " ...");
    return buf;
}

void doctor_keys_lifetimes(const struct doctor *d, struct doctor_findings *to)
{
    char names[DOCTOR_TEXT];
    for (size_t p = 0; p < d->pool_count; p++)
        if (d->pools[p].endless.count)
            doctor_found(to, DOCTOR_PROBLEM,
                         "See who wrote them (PERSIST, or SET without PX); a lease or a room "
                         "without an end never "
                         "becomes free: DEL it.",
                         "%zu keys of pool %s should expire and do not: %s.",
                         d->pools[p].endless.count, d->pools[p].name,
                         examples(&d->pools[p].endless, names));
}

void doctor_keys_unknown(const struct doctor *d, struct doctor_findings *to)
{
    char names[DOCTOR_TEXT];
    for (size_t p = 0; p < d->pool_count; p++)
        if (d->pools[p].unknown.count)
            doctor_found(to, DOCTOR_PROBLEM,
                         "If no newer berth wrote them, they are somebody else's: give that its "
                         "own namespace, and DEL "
                         "them.",
                         "%zu keys of pool %s are not berth's: %s.", d->pools[p].unknown.count,
                         d->pools[p].name, examples(&d->pools[p].unknown, names));
}

void doctor_keys_growth(const struct doctor *d, struct doctor_findings *to)
{
    char names[DOCTOR_TEXT];
    for (size_t p = 0; p < d->pool_count; p++) {
        const struct doctor_pool *pool = &d->pools[p];
        for (size_t i = 0; i < sizeof pool->streams / sizeof *pool->streams; i++) {
            const struct doctor_stream *s = &pool->streams[i];
            if (s->key && s->length > s->most)
                doctor_found(to, DOCTOR_PROBLEM,
                             "XTRIM it with MAXLEN, and see who adds to it without a limit.",
                             "The stream %s of pool %s has %" PRId64
                             " entries; berth keeps at most about %" PRId64 ".",
                             s->key, pool->name, s->length, s->most);
        }
        if (pool->orphans.count)
            doctor_found(to, DOCTOR_PROBLEM,
                         "See that a balancer owns the pool: its sweep removes them.",
                         "%zu rows of pool %s are about nodes that are not there: %s.",
                         pool->orphans.count, pool->name, examples(&pool->orphans, names));
        if (pool->peers > PEERS_MOST)
            doctor_found(to, DOCTOR_PROBLEM,
                         "Give the processes fixed names (lb.name, autoscale.name).",
                         "%" PRId64 " names of balancers and autoscalers are kept in pool %s.",
                         pool->peers, pool->name);
    }
}

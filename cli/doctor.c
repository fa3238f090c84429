/* doctor.c - the table of checks, and what they add up to. */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdlib.h>

enum { FINDINGS_MAX = 1000 };

const struct doctor_check doctor_checks[] = {
    {"redis", "every Redis answers", doctor_store_reached, DOCTOR_OF_ITSELF},
    {"writable", "every primary takes writes", doctor_store_writable, DOCTOR_OF_SERVERS},
    {"eviction", "no Redis throws keys away when memory is short", doctor_store_eviction,
     DOCTOR_OF_SERVERS},
    {"persistence", "every Redis remembers across a restart", doctor_store_persistence,
     DOCTOR_OF_SERVERS},
    {"memory", "no Redis is near its limit of memory", doctor_store_memory, DOCTOR_OF_SERVERS},
    {"replication", "every replica follows closely", doctor_store_replication, DOCTOR_OF_SERVERS},
    {"replicas", "every replica is read-only and may be promoted", doctor_store_replicas,
     DOCTOR_OF_SERVERS},
    {"sentinels", "the sentinels agree, know each other and could act", doctor_store_sentinels,
     DOCTOR_OF_ITSELF},
    {"clocks", "all clocks are together", doctor_store_clocks, DOCTOR_OF_SERVERS},
    {"balancers", "every balancer answers and has a live view", doctor_fleet_balancers,
     DOCTOR_OF_ITSELF},
    {"views", "all balancers see the same as Redis", doctor_fleet_views, DOCTOR_OF_POOLS},
    {"owners", "every pool has one owner, and all know it", doctor_fleet_owners, DOCTOR_OF_POOLS},
    {"ticket_keys", "balancers and nodes have the same ticket keys", doctor_fleet_keys,
     DOCTOR_OF_POOLS},
    {"reachable", "every node that reports can be connected to", doctor_fleet_nodes,
     DOCTOR_OF_POOLS},
    {"wants", "no wish has been standing for too long", doctor_fleet_wants, DOCTOR_OF_POOLS},
    {"closings", "no node has been leaving for too long", doctor_fleet_closings, DOCTOR_OF_POOLS},
    {"lifetimes", "every key that should expire does", doctor_keys_lifetimes, DOCTOR_OF_POOLS},
    {"unknown_keys", "there are no keys that nobody knows", doctor_keys_unknown, DOCTOR_OF_POOLS},
    {"growth", "nothing grows beyond its bound", doctor_keys_growth, DOCTOR_OF_POOLS},
    {0}};

void doctor_found(struct doctor_findings *to, enum doctor_verdict verdict, const char *remedy,
                  const char *fmt, ...)
{
    if (to->count == FINDINGS_MAX)
        return;
    if (to->count == to->size) {
        size_t size = to->size ? 2 * to->size : 16;
        struct doctor_finding *items = realloc(to->items, size * sizeof *items);
        if (!items)
            return;
        to->items = items;
        to->size = size;
    }
    struct doctor_finding *f = &to->items[to->count++];
    *f = (struct doctor_finding){.check = to->check, .verdict = verdict, .remedy = remedy};
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(f->text, sizeof f->text, fmt, ap);
    va_end(ap);
}

/* Was anything seen that such a check could find fault with? */
static bool saw(const struct doctor *d, enum doctor_facts facts)
{
    bool seen = facts == DOCTOR_OF_ITSELF;
    for (size_t i = 0; facts == DOCTOR_OF_SERVERS && i < d->server_count; i++)
        seen = seen || d->servers[i].seen;
    for (size_t i = 0; facts == DOCTOR_OF_POOLS && i < d->pool_count; i++)
        seen = seen || d->pools[i].seen;
    return seen;
}

void doctor_look(const struct doctor *d, struct doctor_findings *ret_findings)
{
    *ret_findings = (struct doctor_findings){.items = NULL};
    for (const struct doctor_check *c = doctor_checks; c->name; c++) {
        size_t before = ret_findings->count;
        ret_findings->check = c->name;
        c->look(d, ret_findings);
        if (ret_findings->count == before && !saw(d, c->rests_on))
            doctor_found(ret_findings, DOCTOR_UNKNOWN, "Ask again when Redis answers.",
                         "This was not looked at: no Redis answered.");
    }
}

void doctor_findings_free(struct doctor_findings *findings)
{
    free(findings->items);
    *findings = (struct doctor_findings){.items = NULL};
}

int doctor_exit(const struct doctor *d, const struct doctor_findings *findings)
{
    size_t problems = 0, unknown = 0;
    bool seen = d->server_count > 0;
    for (size_t i = 0; i < findings->count; i++) {
        problems += findings->items[i].verdict == DOCTOR_PROBLEM;
        unknown += findings->items[i].verdict == DOCTOR_UNKNOWN;
    }
    for (size_t i = 0; i < d->pool_count; i++)
        seen = seen && d->pools[i].seen;
    if (!seen)
        return 2;
    return problems ? 1 : unknown ? 2 : 0;
}

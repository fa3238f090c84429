/* doctor.c - the table of checks, and what they add up to. */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdlib.h>

enum { FINDINGS_MAX = 1000 };

const struct doctor_check doctor_checks[] = {
    {"redis", "every Redis answers", doctor_store_reached},
    {"writable", "every primary takes writes", doctor_store_writable},
    {"eviction", "no Redis throws keys away when memory is short", doctor_store_eviction},
    {"persistence", "every Redis remembers across a restart", doctor_store_persistence},
    {"memory", "no Redis is near its limit of memory", doctor_store_memory},
    {"replication", "every replica follows closely", doctor_store_replication},
    {"replicas", "every replica is read-only and may be promoted", doctor_store_replicas},
    {"sentinels", "the sentinels agree, know each other and could act", doctor_store_sentinels},
    {"clocks", "all clocks are together", doctor_store_clocks},
    {"balancers", "every balancer answers and has a live view", doctor_fleet_balancers},
    {"views", "all balancers see the same as Redis", doctor_fleet_views},
    {"owners", "every pool has one owner, and all know it", doctor_fleet_owners},
    {"ticket_keys", "balancers and nodes have the same ticket keys", doctor_fleet_keys},
    {"reachable", "every node that reports can be connected to", doctor_fleet_nodes},
    {"wants", "no wish has been standing for too long", doctor_fleet_wants},
    {"closings", "no node has been leaving for too long", doctor_fleet_closings},
    {"lifetimes", "every key that should expire does", doctor_keys_lifetimes},
    {"unknown_keys", "there are no keys that nobody knows", doctor_keys_unknown},
    {"growth", "nothing grows beyond its bound", doctor_keys_growth},
    {NULL, NULL, NULL}};

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

void doctor_look(const struct doctor *d, struct doctor_findings *ret_findings)
{
    *ret_findings = (struct doctor_findings){.items = NULL};
    for (const struct doctor_check *c = doctor_checks; c->name; c++) {
        ret_findings->check = c->name;
        c->look(d, ret_findings);
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

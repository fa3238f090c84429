/* doctor_store.c - checks on the Redis servers, their replicas and sentinels, and on clocks. */
#include "cli/doctor.h"

#include <inttypes.h>
#include <string.h>

enum {
    BEHIND_BYTES = 1 << 20, /* a replica so far behind loses that much in a failover */
    SILENT_S = 5,
    MEMORY_PERCENT = 80,
    APART_MS = 500, /* between servers: TIME jumps by so much in a failover */
    WRONG_MS =
        2000 /* a machine's clock against Redis's: what signs and verifies by it goes wrong */
};

void doctor_store_reached(const struct doctor *d, struct doctor_findings *to)
{
    for (size_t i = 0; i < d->pool_count; i++)
        if (!d->pools[i].seen)
            doctor_found(
                to, DOCTOR_UNKNOWN,
                "See that Redis runs, and that the section redis of the configuration leads to it.",
                "The Redis of pool %s cannot be looked at: %s", d->pools[i].name, d->pools[i].why);
    for (const struct doctor_server *s = d->servers; s < d->servers + d->server_count; s++)
        if (!s->seen)
            doctor_found(
                to, s->primary < 0 ? DOCTOR_UNKNOWN : DOCTOR_PROBLEM,
                "See that it runs and can be reached from here with the same user and password.",
                "The Redis at %s does not answer: %s.", s->at, s->why);
        else if (!s->configured)
            doctor_found(to, DOCTOR_UNKNOWN,
                         "Run the doctor as a user that may CONFIG GET (docs/redis-setup.md has "
                         "the ACL line).",
                         "The Redis at %s does not tell its settings: %s.", s->at,
                         s->why[0] ? s->why : "no answer");
}

void doctor_store_writable(const struct doctor *d, struct doctor_findings *to)
{
    for (const struct doctor_server *s = d->servers; s < d->servers + d->server_count; s++)
        if (s->seen && s->primary < 0 && !s->writable)
            doctor_found(to, DOCTOR_PROBLEM,
                         "Look at its log and free what is full: disk (MISCONF), memory (OOM), "
                         "replicas (NOREPLICAS).",
                         "The primary at %s answers, but takes no writes: %s.", s->at, s->why);
}

void doctor_store_eviction(const struct doctor *d, struct doctor_findings *to)
{
    for (const struct doctor_server *s = d->servers; s < d->servers + d->server_count; s++)
        if (s->configured && strcmp(s->eviction, "noeviction") != 0)
            doctor_found(to, DOCTOR_PROBLEM,
                         "CONFIG SET maxmemory-policy noeviction, and in its redis.conf.",
                         "The Redis at %s throws keys away when memory is short (maxmemory-policy "
                         "%s): nodes, "
                         "rooms and leases among them.",
                         s->at, s->eviction);
}

void doctor_store_persistence(const struct doctor *d, struct doctor_findings *to)
{
    for (const struct doctor_server *s = d->servers; s < d->servers + d->server_count; s++) {
        if (s->configured && !s->append && !s->save[0])
            doctor_found(
                to, DOCTOR_PROBLEM,
                "CONFIG SET appendonly yes (or save \"3600 1 300 100\"), and in its redis.conf.",
                "The Redis at %s keeps nothing on disk: after a restart wishes, plans and history "
                "are gone.",
                s->at);
        if (s->seen && !s->snapshot_ok)
            doctor_found(to, DOCTOR_PROBLEM,
                         "See that its disk has room and its directory can be written.",
                         "The last snapshot of the Redis at %s failed.", s->at);
        if (s->seen && !s->append_ok)
            doctor_found(to, DOCTOR_PROBLEM,
                         "See that its disk has room and its directory can be written.",
                         "The Redis at %s cannot write its append-only file.", s->at);
    }
}

void doctor_store_memory(const struct doctor *d, struct doctor_findings *to)
{
    for (const struct doctor_server *s = d->servers; s < d->servers + d->server_count; s++)
        if (s->seen && s->max_bytes > 0 && s->used_bytes > s->max_bytes / 100 * MEMORY_PERCENT)
            doctor_found(to, DOCTOR_PROBLEM,
                         "Raise maxmemory, or see what fills it (redis-cli --bigkeys).",
                         "The Redis at %s uses %" PRId64 " of %" PRId64
                         " MiB: when it is full, it takes no more writes.",
                         s->at, s->used_bytes >> 20, s->max_bytes >> 20);
}

void doctor_store_replication(const struct doctor *d, struct doctor_findings *to)
{
    bool managed = d->sentinel_count > 0;
    for (const struct doctor_server *s = d->servers; s < d->servers + d->server_count; s++) {
        if (!s->seen)
            continue;
        if (s->primary < 0 && s->replicas == 0 && managed)
            doctor_found(
                to, DOCTOR_PROBLEM, "Start a replica (REPLICAOF), or repair the one there was.",
                "The primary at %s has no replica: a failover has nobody to turn to.", s->at);
        if (s->primary < 0 && s->configured && s->replicas > 1 && s->min_replicas == 0)
            doctor_found(
                to, DOCTOR_PROBLEM,
                "CONFIG SET min-replicas-to-write 1 and min-replicas-max-lag 2, and in its "
                "redis.conf.",
                "The primary at %s goes on taking writes when it is cut off from its replicas "
                "(min-replicas-to-write 0); they are lost in the failover.",
                s->at);
        if (s->primary < 0)
            continue;
        const struct doctor_server *p = &d->servers[s->primary];
        if (!s->link_up)
            doctor_found(to, DOCTOR_PROBLEM,
                         "Look at its log: is the way to the primary open, the password right?",
                         "The replica at %s has lost its primary at %s.", s->at, p->at);
        else if (p->offset - s->offset > BEHIND_BYTES || s->silent_s > SILENT_S)
            doctor_found(to, DOCTOR_PROBLEM,
                         "See what slows it: its disk, its processor, the network between them.",
                         "The replica at %s is %" PRId64
                         " bytes behind its primary at %s and heard from it "
                         "%" PRId64 " s ago.",
                         s->at, p->offset - s->offset, p->at, s->silent_s);
    }
}

void doctor_store_replicas(const struct doctor *d, struct doctor_findings *to)
{
    for (const struct doctor_server *s = d->servers; s < d->servers + d->server_count; s++) {
        if (s->primary < 0 || !s->seen)
            continue;
        if (s->read_write)
            doctor_found(to, DOCTOR_PROBLEM,
                         "CONFIG SET replica-read-only yes, and in its redis.conf.",
                         "The replica at %s takes writes of its own (replica-read-only no), which "
                         "nobody else ever sees.",
                         s->at);
        if (s->never_promoted)
            doctor_found(to, DOCTOR_PROBLEM,
                         "CONFIG SET replica-priority 100 and replica-announced yes, unless that "
                         "is on purpose.",
                         "The replica at %s is left out of failovers (replica-priority 0, or not "
                         "announced).",
                         s->at);
    }
}

void doctor_store_sentinels(const struct doctor *d, struct doctor_findings *to)
{
    for (size_t i = 0; i < d->sentinel_count; i++) {
        const struct doctor_sentinel *s = &d->sentinels[i];
        const struct doctor_sentinel *first = s;
        for (size_t j = 0; j < i && first == s; j++)
            if (d->sentinels[j].seen && strcmp(d->sentinels[j].master, s->master) == 0)
                first = &d->sentinels[j];
        if (!s->seen) {
            doctor_found(to, DOCTOR_PROBLEM, "Start it, or take it out of redis.sentinels.",
                         "The sentinel at %s does not answer: %s.", s->at, s->why);
            continue;
        }
        if (strcmp(s->primary, first->primary) != 0)
            doctor_found(to, DOCTOR_PROBLEM,
                         "If that lasts longer than a failover: SENTINEL RESET there, and see that "
                         "it reaches the others.",
                         "The sentinels disagree about %s: %s names %s (epoch %" PRId64
                         "), %s names %s (epoch %" PRId64 ").",
                         s->master, first->at, first->primary, first->epoch, s->at, s->primary,
                         s->epoch);
        if (s->others + 1 < (int64_t)s->configured)
            doctor_found(to, DOCTOR_PROBLEM,
                         "See that the sentinels reach each other and monitor the same name.",
                         "The sentinel at %s knows of %" PRId64 " others; there should be %zu.",
                         s->at, s->others, s->configured - 1);
        if (!s->quorum)
            doctor_found(to, DOCTOR_PROBLEM,
                         "Bring the missing sentinels back: without a majority nobody fails over.",
                         "The sentinel at %s could not fail %s over now: %s.", s->at, s->master,
                         s->quorum_why);
    }
}

void doctor_store_clocks(const struct doctor *d, struct doctor_findings *to)
{
    for (const struct doctor_server *s = d->servers; s < d->servers + d->server_count; s++) {
        if (!s->has_clock || s->primary < 0 || !d->servers[s->primary].has_clock)
            continue;
        int64_t apart = s->clock_ms - d->servers[s->primary].clock_ms;
        if (apart > APART_MS || apart < -APART_MS)
            doctor_found(to, DOCTOR_PROBLEM,
                         "Run a time service (chrony, systemd-timesyncd) on both machines.",
                         "The clocks of the replica at %s and its primary at %s are %" PRId64
                         " ms apart: in a failover time jumps by that.",
                         s->at, d->servers[s->primary].at, apart);
    }
    for (size_t i = 0; i < d->lb_count; i++)
        for (size_t p = 0; p < d->pool_count; p++) {
            const struct doctor_lb_pool *v = &d->lbs[i].pools[p];
            if (v->seen && v->has_clock && (v->clock_ms > WRONG_MS || v->clock_ms < -WRONG_MS)) {
                doctor_found(to, DOCTOR_PROBLEM,
                             "Run a time service (chrony, systemd-timesyncd) on both machines.",
                             "The clock of balancer %s is %" PRId64
                             " ms ahead of that of the Redis of pool %s.",
                             d->lbs[i].name, v->clock_ms, d->pools[p].name);
                break; /* once is enough */
            }
        }
}
